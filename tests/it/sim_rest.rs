//! The simulator's REST road and token endpoint, asked by clients that are not ours. (rest.md)

use crate::support;
use delegated_tenant::sim::{App, Tenant};
use std::path::Path;
use std::process::Command;

/// Runs a Python judge and gives what it printed.
pub fn judge(python: &Path, script: &str, arguments: &[&str]) -> String {
    let run = Command::new(python).arg(support::root().join("tests/interop").join(script)).args(arguments).output().expect("python runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(run.status.success(), "{script}: {}{}", text(&run.stdout), text(&run.stderr));
    text(&run.stdout)
}

#[test]
fn a_script_of_a_few_lines_reads_the_rest_road() {
    let Some(python) = support::python() else { return };
    let tenant = Tenant::builder().start().unwrap();
    assert_eq!(judge(&python, "rest_client.py", &[&tenant.rest_uri()]), "25 mailboxes\n");
    let stats = tenant.stats();
    assert_eq!((stats.tokens, stats.operations["page"], stats.operations["batch"]), (1, 2, 1));
}

#[test]
fn microsofts_own_library_signs_in_by_every_flow() {
    let Some(python) = support::python_with("msal, cryptography") else { return };
    let folder = support::scratch("msal");
    judge(&python, "make_certificate.py", &[folder.to_str().unwrap()]);
    let certificate = std::fs::read_to_string(folder.join("cert.pem")).unwrap();
    let (secret, certified) = ("11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000");
    let tenant = Tenant::builder()
        .device(1, 1)
        .app(App { id: secret.into(), secret: Some("app-secret".into()), certificate: None })
        .app(App { id: certified.into(), secret: None, certificate: Some(certificate) })
        .start()
        .unwrap();
    assert_eq!(judge(&python, "msal_judge.py", &[&tenant.rest_uri(), folder.to_str().unwrap(), certified]), "every flow\n");
    assert_eq!(tenant.stats().tokens, 6);
}
