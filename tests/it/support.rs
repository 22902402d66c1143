//! What several topics need: the tools that tests run, and what happens when one is missing.

use delegated_tenant::session::{Check, Step, Wait};
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The pwsh to test with: `DT_PWSH` (empty: none), else one in `PATH`, else the one of the project's shared folder.
pub fn find_pwsh() -> Option<PathBuf> {
    let Some(named) = env::var_os("DT_PWSH") else {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/pwsh/bin/pwsh");
        return in_path("pwsh").or_else(|| shared.is_file().then_some(shared));
    };
    let named = PathBuf::from(named);
    assert!(named.as_os_str().is_empty() || named.is_file(), "DT_PWSH names {}, which is no file", named.display());
    named.is_file().then_some(named)
}

/// The same for a test. Where there is none, see [`require`].
pub fn pwsh() -> Option<PathBuf> {
    let found = find_pwsh();
    if found.is_none() {
        require("pwsh");
    }
    found
}

/// The Python that has the packages of `tests/requirements.txt`: `DT_PYTHON`, else the one in `target/python`, else
/// `python3`. Where it lacks them, see [`require`].
pub fn python() -> Option<PathBuf> {
    python_with("psrpcore, pypsrp")
}

/// The same with these packages.
pub fn python_with(packages: &str) -> Option<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let candidates = [env::var_os("DT_PYTHON").map(PathBuf::from), Some(ours), in_path("python3")];
    let fit = |p: &PathBuf| {
        let run = Command::new(p).args(["-c", &format!("import {packages}")]).stdin(Stdio::null()).stderr(Stdio::null()).status();
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

/// The folder that comes with the project: `DT_SHARED`, else the one beside the checkout.
pub fn shared() -> PathBuf {
    env::var_os("DT_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
}

/// The genuine PowerShell engine behind WS-Management on loopback, as a child that ends with this value.
pub struct Endpoint {
    child: std::process::Child,
    /// Where it answers, without organization.
    pub url: String,
}

impl Endpoint {
    /// Starts one with further arguments. None where a tool is missing: see [`require`].
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let folder = shared().join("endpoint");
        let (Some(python), true) = (in_path("python3"), folder.join("endpoint.py").is_file()) else {
            require("endpoint");
            return None;
        };
        let pwsh = pwsh()?;
        let mut child = Command::new(python)
            .arg(root().join("tests/interop/endpoint.py"))
            .arg(folder)
            .args(["--port", "0", "--pwsh"])
            .arg(pwsh)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut url = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().expect("piped")), &mut url)
            .expect("it prints its URL");
        Some(Self { child, url: url.trim().to_owned() })
    }

    /// One of the server's counts: `open` is the number of shells.
    pub fn count(&self, name: &str) -> u64 {
        let text = http_get(&self.url, "/stats");
        text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
    }

    /// Has the server lose its shells.
    #[cfg(unix)]
    pub fn lose_shells(&self) {
        // SAFETY: the child has not been waited for, so that the id is still its own.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGUSR1) };
    }

    /// Waits for the sessions that close in the background.
    pub fn until_empty(&self) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while self.count("open") > 0 {
            assert!(std::time::Instant::now() < deadline, "a shell is left open");
            std::thread::yield_now();
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // It closes its shells' processes at an interrupt.
        #[cfg(unix)]
        // SAFETY: the child has not been waited for, so that the id is still its own.
        unsafe {
            libc::kill(self.child.id() as i32, libc::SIGINT);
        }
        #[cfg(not(unix))]
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An empty folder of this name for the files of one test.
pub fn scratch(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("delegated-tenant-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder is made");
    folder
}

/// A Python server of `tests/interop` for as long as this lives: it ends with its standard input.
pub struct Child {
    child: std::process::Child,
    /// The line that it began with.
    pub said: String,
}

impl Child {
    pub fn start(python: &Path, script: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(python)
            .arg(root().join("tests/interop").join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let mut said = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().expect("piped")), &mut said).expect("it speaks");
        Self { child, said: said.trim().to_owned() }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The body of a GET on the host of a URL.
pub fn http_get(url: &str, path: &str) -> String {
    let host = url.split('/').nth(2).expect("a URL");
    let mut stream = std::net::TcpStream::connect(host).expect("the server listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("the server reads");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stream, &mut text).expect("the server answers");
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every step of a check of the way, each within the limit.
pub fn steps(check: &Check, limit: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    loop {
        match check.next(limit) {
            Wait::Ready(Some(step)) => steps.push(step),
            Wait::Ready(None) => return steps,
            Wait::Pending => panic!("nothing came in time after {steps:?}"),
        }
    }
}
