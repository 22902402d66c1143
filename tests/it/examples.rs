//! The quickstart, run as the README says. (`abi` runs the C example.)

use crate::support;
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

fn quickstart() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--example", "quickstart"]).current_dir(ROOT);
    cargo
}

#[test]
fn quickstart_shows_a_table_in_powershell() {
    let Some(pwsh) = support::pwsh() else { return };
    let told = output(quickstart().env("DT_PWSH", pwsh));
    assert!(told.contains("DisplayName") && told.matches("@fabrikam.com").count() >= 5, "{told}");
    assert!(!told.contains("C ABI"), "{told}");
}

#[test]
fn quickstart_shows_a_table_without_powershell() {
    let told = output(quickstart().env("DT_PWSH", ""));
    assert!(told.contains("DisplayName") && told.matches("@fabrikam.com").count() == 10, "{told}");
    assert!(told.contains("C ABI") && told.trim_end().ends_with("Disconnected"), "{told}");
}
