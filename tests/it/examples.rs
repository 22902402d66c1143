//! The examples, run as the README says.

use crate::support;
use delegated_tenant::sim;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs to the end and gives standard output; anything but success fails the test with both outputs.
#[track_caller]
fn output(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().expect("it starts");
    let (told, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {}\n{told}\n{complained}", done.status);
    told.into_owned()
}

/// `target/<profile>`, where the shared library and the examples are.
fn profile() -> PathBuf {
    let here = std::env::current_exe().expect("a program knows where it is");
    here.ancestors().nth(2).expect("it is in deps").to_owned()
}

fn quickstart() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--example", "quickstart"]).current_dir(ROOT);
    cargo
}

#[test]
fn quickstart_shows_a_table_in_powershell() {
    let Some(pwsh) = support::pwsh() else { return };
    let told = output(quickstart().env("DT_PWSH", pwsh));
    assert!(told.contains("DisplayName") && told.matches("@fabrikam.com").count() >= 10, "{told}");
    assert!(!told.contains("C ABI"), "{told}");
}

#[test]
fn quickstart_shows_a_table_without_powershell() {
    let told = output(quickstart().env("DT_PWSH", ""));
    assert!(told.contains("DisplayName") && told.matches("@fabrikam.com").count() == 10, "{told}");
    assert!(told.contains("C ABI") && told.trim_end().ends_with("Disconnected"), "{told}");
}

#[test]
fn the_c_example_lists_mailboxes() {
    let Some(cc) = support::in_path("cc") else { return support::require("cc") };
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mailboxes");
    let library = profile();
    let sources = [format!("-I{ROOT}/include"), format!("{ROOT}/examples/mailboxes.c"), format!("-L{}", library.display())];
    output(Command::new(cc).args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]).args(sources).args([
        "-ldelegated_tenant",
        "-o",
        program.to_str().expect("a path in UTF-8"),
    ]));
    let tenant = sim::Tenant::builder().mailboxes(25).start().unwrap();
    let mut run = Command::new(program);
    run.env("LD_LIBRARY_PATH", &library).env("DT_PASSWORD", "secret").args([&tenant.uri(), "fabrikam.com", "admin@partner.com"]);
    let told = output(&mut run);
    assert_eq!(told.lines().filter(|l| l.starts_with("<Objs ") && l.contains("PrimarySmtpAddress")).count(), 10, "{told}");
    let wrong = run.env("DT_PASSWORD", "wrong").stdin(Stdio::null()).output().unwrap();
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("AuthenticationFailed"), "{wrong:?}");
}
