//! The short form of `benches/soak`: sessions one after the other leave neither handles nor threads nor files behind.

#[path = "../../benches/soak/measure.rs"]
#[allow(missing_docs, reason = "of a bench")]
mod measure;

use crate::support;
use measure::{Sample, Tenant, cycles, module, watch};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const MARKS: [usize; 2] = [10, 40];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("soak-{}", uuid::Uuid::new_v4()))
}

fn must_be_flat(samples: &[Sample], ledger: &Path) {
    let [first, last] = samples else { panic!("{samples:?}") };
    // A runtime has a few more or fewer as it likes; one for each session would be thirty.
    assert!(last.handles <= first.handles + 8, "{samples:?}");
    assert!(last.threads <= first.threads + 8, "{samples:?}");
    assert!(first.handles > 0 && first.threads > 0 && first.files == 0 && last.files == 0, "{samples:?}");
    fs::remove_dir(ledger).expect("a ledger was kept, and is empty");
}

#[test]
#[ignore = "what the process that is watched does"]
fn watched() {
    if let Ok(uri) = env::var("DT_TEST_SOAK") {
        cycles(&uri, &MARKS);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn sessions_of_the_library_leave_nothing_behind() {
    let (tenant, ledger) = (Tenant::start(), folder());
    let mut this = Command::new(env::current_exe().unwrap());
    this.args(["--exact", "soak::watched", "--ignored", "--nocapture"]).env("DT_TEST_SOAK", &tenant.uri);
    must_be_flat(&watch(&mut this, &ledger), &ledger);
}

#[cfg(target_os = "linux")]
#[test]
fn sessions_of_the_module_leave_nothing_behind() {
    let Some(pwsh) = support::pwsh() else { return };
    let (tenant, ledger) = (Tenant::start(), folder());
    let library = env::current_exe().unwrap();
    must_be_flat(&watch(&mut module(&pwsh, library.parent().unwrap(), &tenant.uri, &MARKS), &ledger), &ledger);
}
