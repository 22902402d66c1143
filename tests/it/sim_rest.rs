//! The simulator's REST road and token endpoint, asked by clients that are not ours. (rest.md)

use crate::support;
use delegated_tenant::sim::Tenant;
use std::path::Path;
use std::process::Command;

/// Runs a Python judge and gives what it printed.
fn judge(python: &Path, script: &str, arguments: &[&str]) -> String {
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
