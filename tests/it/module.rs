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
    // Judges what the module signs.
    let judge = (file == "SignIn.Tests.ps1").then(|| support::python_with("jwt, cryptography")).flatten();
    let output = Command::new(pwsh)
        .args(["-NoProfile", "-Command", script])
        .env("DT_TEST_FILE", &path)
        .env("DT_LIBRARY_PATH", library())
        .env("DT_SHARED", support::shared())
        .envs(judge.map(|python| ("DT_JUDGE", python)))
        .env("DT_SIM", env!("CARGO_BIN_EXE_tenant-sim"))
        .stdin(Stdio::null())
        .output()
        .expect("pwsh starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    // What passed is left out: who shows only the end of a long report must still show why it failed.
    let failed: Vec<&str> = text.lines().skip_while(|l| !l.contains("[-]")).filter(|l| !l.contains("[+]")).collect();
    assert!(
        output.status.success(),
        "{file}: {}\n{}\n{errors}",
        output.status,
        if failed.is_empty() { text.into() } else { failed.join("\n") }
    );
}

/// Every file of tests/module as a test that has this run it, so that they run side by side.
macro_rules! pester_files {
    ($run:ident) => {
        $crate::module::pester_files! { $run:
            module "Module.Tests.ps1"
            connect "Connect-DelegatedTenant.Tests.ps1"
            invoke "Invoke-TenantCmdlet.Tests.ps1"
            disconnect "Disconnect-DelegatedTenant.Tests.ps1"
            import "Import-DelegatedTenant.Tests.ps1"
            completion "Completion.Tests.ps1"
            get "Get-DelegatedTenant.Tests.ps1"
            shapes "Shapes.Tests.ps1"
            examples "Examples.Tests.ps1"
            roads "Roads.Tests.ps1"
            parity "Parity.Tests.ps1"
            proxy "Proxy.Tests.ps1"
            check "Test-DelegatedTenant.Tests.ps1"
            long_runs "LongRuns.Tests.ps1"
            sign_in "SignIn.Tests.ps1"
            types "Types.Tests.ps1"
            windows "Windows.Tests.ps1"
        }
    };
    ($run:ident: $($name:ident $file:literal)*) => {
        $(
            #[test]
            fn $name() {
                $run($file);
            }
        )*

        #[test]
        fn no_file_is_left_out() {
            let known = [$($file),*];
            let folder = $crate::support::root().join("tests/module").read_dir().expect("a folder");
            let names = folder.map(|e| e.expect("an entry").file_name().into_string().expect("a name"));
            let left: Vec<_> = names.filter(|n| n.ends_with(".Tests.ps1") && !known.contains(&n.as_str())).collect();
            assert!(left.is_empty(), "{left:?}");
        }
    };
}
pub(crate) use pester_files;

pester_files!(pester);
