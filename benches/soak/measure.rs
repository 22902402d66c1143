//! Many sessions one after the other, and what is left of them in the process: for the bench and for its short form, a test.

use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Command, Next, Options, Session};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{fmt, fs};

const USER: &str = "admin@partner.com";
const PASSWORD: &str = "secret";
const LONG: Duration = Duration::from_secs(60);

/// What a process has after so many sessions.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub cycles: usize,
    pub kilobytes: usize,
    pub handles: usize,
    pub threads: usize,
    /// Of the ledger.
    pub files: usize,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cycles, kilobytes, handles, threads, files } = self;
        write!(
            f,
            "{cycles:>6} sessions: {:>6.1} MB resident, {handles} handles, {threads} threads, {files} files",
            *kilobytes as f64 / 1024.0
        )
    }
}

/// A simulated tenant as a process of its own; it ends with this value.
pub struct Tenant {
    child: Child,
    pub uri: String,
}

impl Tenant {
    pub fn start() -> Self {
        let mut child = process::Command::new(env!("CARGO_BIN_EXE_tenant-sim"))
            .args(["--quiet", "--until-stdin-closes"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        let mut uri = String::new();
        BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut uri).expect("it tells its URI");
        Self { child, uri: uri.trim().to_owned() }
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Runs a command that says `at N` after N sessions and then waits for a line; what it has at each of these.
pub fn watch(command: &mut process::Command, ledger: &Path) -> Vec<Sample> {
    let mut child = command.env("DT_LEDGER", ledger).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut samples = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok) {
        // A test's program says more on that line.
        let Some((_, cycles)) = line.split_once("at ") else { continue };
        let Ok(cycles) = cycles.trim().parse() else { continue };
        samples.push(sample(child.id(), cycles, ledger));
        child.stdin.as_mut().expect("it is piped").write_all(b"\n").expect("it reads");
    }
    assert!(child.wait().expect("it ends").success(), "{command:?}");
    samples
}

/// The least of a second, in which connections that are let go of are closed.
fn sample(process: u32, cycles: usize, ledger: &Path) -> Sample {
    let folder = PathBuf::from(format!("/proc/{process}"));
    let count = |path: &Path| fs::read_dir(path).map_or(0, Iterator::count);
    let look = || Sample {
        cycles,
        kilobytes: fs::read_to_string(folder.join("statm"))
            .ok()
            .and_then(|t| t.split(' ').nth(1)?.parse::<usize>().ok())
            .map_or(0, |pages| pages * 4),
        handles: count(&folder.join("fd")),
        threads: count(&folder.join("task")),
        files: count(ledger),
    };
    let mut least = look();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        thread::sleep(Duration::from_millis(50));
        let now = look();
        least.kilobytes = least.kilobytes.min(now.kilobytes);
        least.handles = least.handles.min(now.handles);
        least.threads = least.threads.min(now.threads);
        least.files = least.files.min(now.files);
    }
    least
}

/// Connects, runs a command and disconnects, as often as the last mark says; at each mark it is looked at from outside.
pub fn cycles(uri: &str, marks: &[usize]) {
    let mut options = Options::new();
    for (key, value) in [("uri", uri), ("user", USER), ("allow_unencrypted", "true"), ("proxy", "none"), ("organization", "fabrikam.com")] {
        options.set(key, value).expect("an option");
    }
    options.set_secret("password", Secret::new(PASSWORD.into())).expect("an option");
    let mut command = Command::new();
    command.add("Get-Mailbox").expect("a name");
    for cycle in 1..=marks.last().copied().unwrap_or_default() {
        let session = Session::connect(&options, None).expect("the simulator opens");
        let invocation = session.invoke(&command).expect("it is open");
        let mut records = 0;
        while let Next::Record(_) = invocation.next(LONG).expect("it runs") {
            records += 1;
        }
        assert!(records > 0);
        drop(invocation);
        session.disconnect(LONG).expect("it closes");
        drop(session);
        if marks.contains(&cycle) {
            println!("at {cycle}");
            let _ = std::io::stdin().read_line(&mut String::new());
        }
    }
}

/// The same from PowerShell.
pub fn module(pwsh: &Path, library: &Path, uri: &str, marks: &[usize]) -> process::Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = process::Command::new(pwsh);
    let marks: Vec<String> = marks.iter().map(usize::to_string).collect();
    command
        .args(["-NoProfile", "-NonInteractive", "-File"])
        .arg(root.join("benches/soak/module.ps1"))
        .arg(root.join("module/DelegatedTenant/DelegatedTenant.psd1"))
        .args([uri, &marks.join(",")])
        .env("DT_LIBRARY_PATH", library);
    command
}
