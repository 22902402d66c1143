//! Who runs on which processor. In use the server is another machine. Here it would share the client's processors, and the
//! figure would tell how the two are scheduled: so the server has the first processor for itself, and who reads has the others.

#[cfg(target_os = "linux")]
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// While it lives, this thread and those that it starts keep off the first processor.
pub struct ForClient {
    #[cfg(target_os = "linux")]
    before: Option<CpuSet>,
}

impl ForClient {
    pub fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            before: keep_to(|at, first| at != first),
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for ForClient {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = sched_setaffinity(Pid::from_raw(0), before);
        }
    }
}

/// Keeps this thread and those that it starts to the first processor.
pub fn for_server() {
    #[cfg(target_os = "linux")]
    keep_to(|at, first| at == first);
}

/// Keeps to some of all the processors, and gives those from before. Where there is one alone, nothing changes.
#[cfg(target_os = "linux")]
fn keep_to(wanted: impl Fn(usize, usize) -> bool) -> Option<CpuSet> {
    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this).ok()?;
    let all: Vec<usize> = (0..CpuSet::count()).filter(|at| before.is_set(*at).unwrap_or(false)).collect();
    let mut kept = CpuSet::new();
    for at in all.iter().filter(|at| wanted(**at, all[0])) {
        kept.set(*at).ok()?;
    }
    sched_setaffinity(this, &kept).ok()?;
    Some(before)
}
