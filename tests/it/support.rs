//! What several topics need: the tools that tests run, and what happens when one is missing.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The pwsh to test with: `DT_PWSH`, else one in `PATH`, else the one of the project's shared folder. Where there is
/// none, see [`require`].
pub fn pwsh() -> Option<PathBuf> {
    let named = env::var_os("DT_PWSH").map(PathBuf::from);
    if let Some(named) = &named {
        assert!(named.is_file(), "DT_PWSH names {}, which is no file", named.display());
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/pwsh/bin/pwsh");
    let found = named.or_else(|| in_path("pwsh")).or_else(|| shared.is_file().then_some(shared));
    if found.is_none() {
        require("pwsh");
    }
    found
}

/// The Python that has the packages of `tests/requirements.txt`: `DT_PYTHON`, else the one in `target/python`, else
/// `python3`. Where it lacks them, see [`require`].
pub fn python() -> Option<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let candidates = [env::var_os("DT_PYTHON").map(PathBuf::from), Some(ours), in_path("python3")];
    let fit = |p: &PathBuf| {
        let run = Command::new(p).args(["-c", "import psrpcore, pypsrp"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok_and(|s| s.success())
    };
    let found = candidates.into_iter().flatten().find(fit);
    if found.is_none() {
        require("python");
    }
    found
}

/// The program of this name in `PATH`.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).map(|p| p.join(name)).find(|p| p.is_file())
}

/// To be called when a tool was not found and the test is about to return: says so, or fails the test where
/// `DT_REQUIRE` (a list with commas) names the tool.
#[track_caller]
pub fn require(tool: &str) {
    let required = env::var("DT_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|r| r.trim() == tool), "DT_REQUIRE names {tool}, which was not found");
    // Past the capture of a passing test's output, so that a skip is seen.
    let _ = writeln!(std::io::stderr(), "SKIPPED at {}: {tool} was not found", std::panic::Location::caller());
}
