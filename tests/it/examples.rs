//! The examples, run as the README says. (`abi` runs the one in C.)

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

/// Runs an example on a simulated tenant: ten mailboxes, and the reason where the password is wrong.
#[cfg(target_os = "linux")]
fn lists_mailboxes(command: impl Fn() -> Command) {
    let tenant = delegated_tenant::sim::Tenant::builder().mailboxes(25).start().expect("a port is free");
    let library = std::env::current_exe().expect("a program").with_file_name("libdelegated_tenant.so");
    let run = |password: &str| {
        let mut command = command();
        command.args([&tenant.uri(), "fabrikam.com", "admin@partner.com"]).env("DT_PASSWORD", password).env("DT_LIBRARY_PATH", &library);
        command.env("LD_LIBRARY_PATH", library.parent().expect("a folder"));
        command.stdin(Stdio::null()).output().expect("it starts")
    };
    let (good, bad) = (run("secret"), run("wrong"));
    let printed = String::from_utf8_lossy(&good.stdout);
    assert!(good.status.success() && printed.matches("@fabrikam.com").count() >= 10, "{printed}{}", String::from_utf8_lossy(&good.stderr));
    let told = String::from_utf8_lossy(&bad.stderr);
    assert!(!bad.status.success() && told.contains("AuthenticationFailed"), "{told}");
    assert_eq!(tenant.stats().open, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn python_lists_mailboxes() {
    let Some(python) = support::in_path("python3") else { return support::require("python") };
    lists_mailboxes(|| {
        let mut command = Command::new(&python);
        command.arg(support::root().join("examples/python/mailboxes.py"));
        command
    });
}

/// Compiled by Mono, and run by it and, the same assembly, by the .NET that PowerShell is.
#[test]
#[cfg(target_os = "linux")]
fn csharp_lists_mailboxes() {
    let (Some(mcs), Some(mono)) = (support::in_path("mcs"), support::in_path("mono")) else { return support::require("mono") };
    let program = support::scratch("csharp").join("mailboxes.exe");
    let sources = support::root().join("examples/csharp");
    output(Command::new(mcs).arg("-warnaserror").arg(format!("-out:{}", program.display())).arg(sources.join("*.cs")));
    lists_mailboxes(|| {
        let mut command = Command::new(&mono);
        command.arg(&program);
        command
    });
    let Some(pwsh) = support::pwsh() else { return };
    let script = program.with_file_name("run.ps1");
    let start = format!("exit [Reflection.Assembly]::LoadFrom('{}').EntryPoint.Invoke($null, @(, [string[]] $args))", program.display());
    std::fs::write(&script, start).expect("a file");
    lists_mailboxes(|| {
        let mut command = Command::new(&pwsh);
        command.args(["-NoProfile", "-File"]).arg(&script);
        command
    });
}
