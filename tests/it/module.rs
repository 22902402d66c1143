//! The PowerShell module: its Pester files, run by a real pwsh on the library of this build.

use crate::support;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The library that cargo built for this test binary, which stands beside it.
fn library() -> PathBuf {
    let name = format!("{}delegated_tenant{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let beside = std::env::current_exe().expect("a path").with_file_name(name);
    assert!(beside.is_file(), "cargo built no {}", beside.display());
    beside
}

fn pester(file: &str) {
    let Some(pwsh) = support::pwsh() else { return };
    if support::in_path("python3").is_none() || !support::shared().join("endpoint/endpoint.py").is_file() {
        support::require("endpoint");
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/module").join(file);
    let script = "$r = Invoke-Pester -Path $env:DT_TEST_FILE -Output Detailed -PassThru; if ($r.PassedCount -eq 0) { exit 99 }; exit $r.FailedCount + $r.FailedContainersCount";
    let output = Command::new(pwsh)
        .args(["-NoProfile", "-Command", script])
        .env("DT_TEST_FILE", &path)
        .env("DT_LIBRARY_PATH", library())
        .env("DT_SHARED", support::shared())
        .env("DT_SIM", env!("CARGO_BIN_EXE_tenant-sim"))
        .stdin(Stdio::null())
        .output()
        .expect("pwsh starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let failed: Vec<&str> = text.lines().skip_while(|l| !l.contains("[-]")).collect();
    assert!(
        output.status.success(),
        "{file}: {}\n{}\n{errors}",
        output.status,
        if failed.is_empty() { text.into() } else { failed.join("\n") }
    );
}

#[test]
fn module() {
    pester("Module.Tests.ps1");
}

#[test]
fn connect() {
    pester("Connect-DelegatedTenant.Tests.ps1");
}

#[test]
fn invoke() {
    pester("Invoke-TenantCmdlet.Tests.ps1");
}

#[test]
fn disconnect() {
    pester("Disconnect-DelegatedTenant.Tests.ps1");
}

#[test]
fn import() {
    pester("Import-DelegatedTenant.Tests.ps1");
}

#[test]
fn completion() {
    pester("Completion.Tests.ps1");
}

#[test]
fn get() {
    pester("Get-DelegatedTenant.Tests.ps1");
}

#[test]
fn shapes() {
    pester("Shapes.Tests.ps1");
}

#[test]
fn examples() {
    pester("Examples.Tests.ps1");
}

#[test]
fn roads() {
    pester("Roads.Tests.ps1");
}

#[test]
fn parity() {
    pester("Parity.Tests.ps1");
}

#[test]
fn proxy() {
    pester("Proxy.Tests.ps1");
}

#[test]
fn check() {
    pester("Test-DelegatedTenant.Tests.ps1");
}

#[test]
fn long_runs() {
    pester("LongRuns.Tests.ps1");
}
