//! How fast, as ratios of one run: `cargo bench`. What each compares is told by what it prints; a name as argument
//! (`cargo bench -- library`, `rest`, `memory`, `module`, `import`) runs one part.
//!
//! The simulated tenant and each memory measurement are processes of their own: this program, called again.

mod cores;
mod floor;
#[path = "../../tests/it/support.rs"]
#[allow(dead_code, reason = "the tests' helpers")]
mod support;

use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Command, Next, Options, Session};
use delegated_tenant::sim;
use floor::Reading;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Stdio};
use std::time::{Duration, Instant};

const USER: &str = "admin@partner.com";
const PASSWORD: &str = "secret";
const ORGANIZATION: &str = "fabrikam.com";
const TOKEN: &str = "token-of-a-bench";
const MAILBOXES: usize = 10_000;
const ROUNDS: usize = 9;
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--tenant", mailboxes] => tenant(mailboxes.parse().expect("a number")),
        ["--online", mailboxes] => online(mailboxes.parse().expect("a number")),
        ["--memory", url, mailboxes] => memory_child(url, mailboxes.parse().expect("a number")),
        _ => {
            // Cargo adds --bench.
            let part = arguments.iter().find(|a| !a.starts_with("--"));
            let wanted = |name: &str| part.is_none_or(|p| p == name);
            if wanted("library") {
                library();
            }
            if wanted("rest") {
                rest();
            }
            if wanted("memory") {
                memory();
            }
            if wanted("module") {
                module();
            }
            if wanted("import") {
                import();
            }
        }
    }
}

/// Serves a tenant of so many mailboxes until standard input ends.
fn tenant(mailboxes: usize) {
    cores::for_server();
    let tenant = sim::Tenant::builder().mailboxes(mailboxes).cookie(false).progress(false).start().expect("the simulator starts");
    println!("{}", tenant.uri());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Serves the REST road of an organization of so many mailboxes, with its cookies, until standard input ends.
fn online(mailboxes: usize) {
    cores::for_server();
    let tenant = sim::Tenant::builder().organization(ORGANIZATION, mailboxes).token(TOKEN).start().expect("the simulator starts");
    println!("{}", tenant.rest_uri());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// A server that tells its URL on its first line. Told to end by the end of its standard input, and waited for.
struct Server {
    child: Child,
    url: String,
    /// Ends at the end of its standard input; otherwise it is killed.
    ends_with_input: bool,
}

impl Server {
    fn start(command: &mut process::Command, ends_with_input: bool) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut url).expect("it tells its URL");
        Self { child, url: url.trim().to_owned(), ends_with_input }
    }

    fn tenant(mailboxes: usize) -> Self {
        Self::start(this().arg("--tenant").arg(mailboxes.to_string()), true)
    }

    fn online(mailboxes: usize) -> Self {
        Self::start(this().arg("--online").arg(mailboxes.to_string()), true)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if !self.ends_with_input {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn this() -> process::Command {
    process::Command::new(std::env::current_exe().expect("a program knows where it is"))
}

fn connect(url: &str) -> Session {
    let mut options = Options::new();
    for (key, value) in [("uri", url), ("user", USER), ("allow_unencrypted", "true"), ("proxy", "none")] {
        options.set(key, value).expect("a known key");
    }
    options.set_secret("password", Secret::new(PASSWORD.into())).expect("a known key");
    Session::connect(&options, None).expect("the simulator lets us in")
}

/// Runs `Get-Mailbox -ResultSize Unlimited` and hands each record's document on. The time is from the invoke on.
fn get_mailboxes(session: &Session, mut each: impl FnMut(&[u8])) -> Duration {
    let mut command = Command::new();
    command.add("Get-Mailbox").expect("a name");
    command.add_argument(Some("ResultSize".into()), "Unlimited".into()).expect("an argument");
    let begin = Instant::now();
    let invocation = session.invoke(&command).expect("the session is open");
    while let Next::Record(record) = invocation.next(Duration::MAX).expect("the command runs") {
        each(record.clixml());
    }
    begin.elapsed()
}

/// Seconds of processor time that this process has used.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // utime and stime, in hundredths of a second.
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

fn verdict(ratio: f64, target: f64) -> &'static str {
    if ratio >= target { "reached" } else { "MISSED" }
}

fn library() {
    let server = Server::tenant(MAILBOXES);
    let _apart = cores::ForClient::new();
    println!("library: {MAILBOXES} mailboxes from the simulator on a processor of its own, middle of {ROUNDS} rounds, turn about");
    let session = connect(&server.url);
    let rate = compare("HTTP, base64 and joining only", &session, || {
        let reading = floor::read(&server.url, USER, PASSWORD);
        assert_eq!(reading.messages, MAILBOXES);
        reading
    });

    let Some(python) = support::python() else { return };
    // A tenth: pypsrp takes as long for each, and ten times as long for all.
    let few = MAILBOXES / 10;
    let told = process::Command::new(python)
        .arg(Path::new(ROOT).join("benches/speed/pypsrp_client.py"))
        .args([&server.url, USER, PASSWORD, &few.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("Python starts");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let mut numbers = told.split_whitespace().map(|n| n.parse::<f64>().expect("pypsrp's run gives two numbers"));
    assert_eq!(numbers.next(), Some(few as f64));
    let pypsrp = few as f64 / numbers.next().expect("pypsrp's run gives two numbers");
    let ratio = rate / pypsrp;
    println!("  {:<30}{pypsrp:>9.0} objects/s", "pypsrp");
    println!("  library / pypsrp: {ratio:.0} x (100 x {})", verdict(ratio, 100.0));
}

/// The REST road, by the largest pages that Exchange Online gives.
fn rest() {
    const PAGE: usize = 1000;
    let server = Server::online(MAILBOXES);
    let _apart = cores::ForClient::new();
    println!(
        "rest: {MAILBOXES} mailboxes in pages of {PAGE} from the simulator on a processor of its own, middle of {ROUNDS} rounds, turn about"
    );
    let mut options = Options::new();
    let (base, page) = (format!("{}/adminapi/beta", server.url), PAGE.to_string());
    for (key, value) in
        [("uri", &*base), ("organization", ORGANIZATION), ("page_size", &page), ("allow_unencrypted", "true"), ("proxy", "none")]
    {
        options.set(key, value).expect("a known key");
    }
    options.set_secret("access_token", Secret::new(TOKEN.into())).expect("a known key");
    let session = Session::connect(&options, None).expect("the simulator lets us in");
    compare("HTTP and the links only", &session, || {
        let reading = floor::read_pages(&server.url, ORGANIZATION, TOKEN, PAGE);
        assert_eq!(reading.messages, MAILBOXES / PAGE);
        reading
    });
}

/// Every mailbox by the session and by the least that any client must do, turn about. Gives the session's objects a second.
fn compare(name: &str, session: &Session, mut least: impl FnMut() -> Reading) -> f64 {
    let (mut floors, mut libraries, mut bytes) = (Vec::new(), Vec::new(), 0);
    let (mut floor_work, mut library_work) = (0.0, 0.0);
    // The first round warms both up.
    for round in 0..=ROUNDS {
        let before = processor_seconds();
        let reading = least();
        let between = processor_seconds();
        let mut count = 0;
        let time = get_mailboxes(session, |document| {
            std::hint::black_box(document);
            count += 1;
        });
        assert_eq!(count, MAILBOXES);
        if round > 0 {
            floor_work += between - before;
            library_work += processor_seconds() - between;
            bytes = reading.bytes;
            floors.push(reading.time);
            libraries.push(time);
        }
    }
    let middle = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    let (floor, library) = (middle(&mut floors), middle(&mut libraries));
    for (name, seconds, work) in [(name, floor, floor_work), ("library", library, library_work)] {
        println!(
            "  {name:<30}{:>9.0} objects/s {:>6.0} MB/s of HTTP {:>6.0} ms of processor",
            MAILBOXES as f64 / seconds,
            bytes as f64 / seconds / 1e6,
            work / ROUNDS as f64 * 1e3
        );
    }
    let ratio = floor / library;
    println!("  library / floor: {:.0} % (80 % {})", ratio * 100.0, verdict(ratio, 0.8));
    MAILBOXES as f64 / library
}

/// Reads slowly, and tells the most memory that this process ever held, in KiB.
fn memory_child(url: &str, mailboxes: usize) {
    let session = connect(url);
    let mut count = 0;
    get_mailboxes(&session, |_| {
        count += 1;
        std::thread::sleep(Duration::from_micros(50));
    });
    assert_eq!(count, mailboxes);
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("Linux tells it");
    println!("{}", peak.trim().trim_end_matches(" kB"));
}

fn memory() {
    println!("memory: the most that a slow consumer's process ever held");
    let peak = |mailboxes: usize| {
        let server = Server::tenant(mailboxes);
        let told = this().args(["--memory", &server.url, &mailboxes.to_string()]).stderr(Stdio::inherit()).output().expect("it starts");
        let peak: f64 = String::from_utf8_lossy(&told.stdout).trim().parse().expect("a number of KiB");
        println!("  {mailboxes:>7} mailboxes {:>6.1} MB", peak / 1024.0);
        peak / 1024.0
    };
    let (few, many) = (peak(10_000), peak(100_000));
    let small = if many < 64.0 { "reached" } else { "MISSED" };
    println!("  100,000 / 10,000: {:.2}; under 64 MB {small}", many / few);
}

fn module() {
    let (Some(pwsh), Some(shared)) = (support::pwsh(), shared()) else { return };
    println!("module: in PowerShell");
    let manifest = manifest();
    let run = |arguments: &[&str]| powershell(&pwsh, arguments);

    let import =
        format!("$w = [System.Diagnostics.Stopwatch]::StartNew(); Import-Module '{}'; $w.Elapsed.TotalMilliseconds", manifest.display());
    let mut times: Vec<f64> = (0..9).map(|_| run(&["-Command", &import]).trim().parse().expect("a number")).collect();
    times.sort_by(f64::total_cmp);
    let middle = times[times.len() / 2];
    println!("  Import-Module: {middle:.0} ms, middle of {} (under 50 ms {})", times.len(), verdict(50.0, middle));

    let tenant = Server::tenant(MAILBOXES);
    let documents = std::env::temp_dir().join(format!("dt-bench-{}.clixml", process::id()));
    let mut file = BufWriter::new(File::create(&documents).expect("a temporary file"));
    // CLIXML escapes line ends, so each document is a line.
    get_mailboxes(&connect(&tenant.url), |document| {
        file.write_all(document).and_then(|()| file.write_all(b"\n")).expect("a temporary file");
    });
    file.into_inner().expect("a temporary file");

    let endpoint = shared.join("endpoint");
    let python = support::in_path("python3").expect("the genuine endpoint needs python3");
    let mut command = process::Command::new(python);
    command.arg(Path::new(ROOT).join("tests/interop/endpoint.py")).arg(&endpoint).args(["--port", "0"]);
    let genuine = Server::start(&mut command, false);
    let path = |p: &Path| p.to_str().expect("a path in UTF-8").to_owned();
    let told = run(&[
        "-File",
        &path(&Path::new(ROOT).join("benches/speed/module.ps1")),
        "-Module",
        &path(&manifest),
        "-Uri",
        &tenant.url,
        "-Documents",
        &path(&documents),
        "-EndpointUri",
        &genuine.url,
        "-Endpoint",
        &path(&endpoint),
    ]);
    let _ = std::fs::remove_file(&documents);
    let number = |name: &str| number(&told, name);
    let (alone, streamed) = (number("deserialize "), number("invoke "));
    let ratio = streamed / alone;
    println!(
        "  PSSerializer alone {alone:>7.0} objects/s; Invoke-TenantCmdlet {streamed:>7.0}: {:.0} % (70 % {})",
        ratio * 100.0,
        verdict(ratio, 0.7)
    );
    let seconds = |what: &str, side: &str| number(&format!("{what}-{side} "));
    println!("  on loopback, behind WSMan in Python; the native client talks to the same server over a pipe");
    for (what, name) in [
        ("whole", "open, one cmdlet, close"),
        ("open", "  open"),
        ("first", "  first cmdlet"),
        ("close", "  close"),
        ("call", "one more cmdlet of the session"),
    ] {
        let (ours, native) = (seconds(what, "ours"), seconds(what, "native"));
        let judged = if what == "whole" || what == "call" { format!(" (1 x {})", verdict(native / ours, 1.0)) } else { String::new() };
        println!("  {name:<32}{:>7.1} ms, native {:>7.1} ms: {:.2} x{judged}", ours * 1e3, native * 1e3, native / ours);
    }
}

/// Every cmdlet of a session as a command of this PowerShell.
fn import() {
    let Some(pwsh) = support::pwsh() else { return };
    println!("import: Import-DelegatedTenant of everything, from the simulator in another process");
    let tenant = Server::tenant(25);
    let documents = std::env::temp_dir().join(format!("dt-bench-{}.clixml", process::id()));
    let mut file = BufWriter::new(File::create(&documents).expect("a temporary file"));
    let mut question = Command::new();
    question.describe("*").expect("a name");
    let session = connect(&tenant.url);
    let begin = Instant::now();
    let invocation = session.invoke(&question).expect("the session is open");
    let (mut bytes, mut short) = (0, 0);
    while let Next::Record(record) = invocation.next(Duration::MAX).expect("the command runs") {
        bytes += record.clixml().len();
        short += record.command().map_or(0, |c| c.to_bytes().len());
        file.write_all(record.clixml()).and_then(|()| file.write_all(b"\n")).expect("a temporary file");
    }
    let read = begin.elapsed();
    file.into_inner().expect("a temporary file");
    let path = |p: &Path| p.to_str().expect("a path in UTF-8").to_owned();
    let script = path(&Path::new(ROOT).join("benches/speed/import.ps1"));
    let told = powershell(&pwsh, &["-File", &script, "-Module", &path(&manifest()), "-Uri", &tenant.url, "-Documents", &path(&documents)]);
    let _ = std::fs::remove_file(&documents);
    let ms = |name: &str| number(&told, name) * 1e3;
    println!(
        "  {:.1} MB of metadata, {:.2} MB in short: the library alone reads it in {:.0} ms",
        bytes as f64 / 1e6,
        short as f64 / 1e6,
        read.as_secs_f64() * 1e3
    );
    let first = ms("first ");
    println!(
        "  {:.0} cmdlets in {first:.0} ms (under 2,000 ms {}); once more {:.0} ms",
        number(&told, "commands "),
        verdict(2000.0, first),
        ms("later ")
    );
    println!("  removed with their session in {:.0} ms; the parameters of all in {:.0} ms", ms("removed "), ms("syntax "));
    println!("  PSSerializer alone on the same metadata, with which Import-PSSession begins: {:.0} ms", ms("deserialize "));
    if number(&told, "native ") == 0.0 {
        println!("  no figure of Import-PSSession itself: this PowerShell has none");
    }
}

fn manifest() -> PathBuf {
    Path::new(ROOT).join("module/DelegatedTenant/DelegatedTenant.psd1")
}

/// What a PowerShell with the library of this build prints.
fn powershell(pwsh: &Path, arguments: &[&str]) -> String {
    let told = process::Command::new(pwsh)
        .args(["-NoProfile", "-NonInteractive"])
        .args(arguments)
        .env("DT_LIBRARY_PATH", library_file())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("pwsh starts");
    assert!(told.status.success(), "pwsh failed: {}", String::from_utf8_lossy(&told.stdout));
    String::from_utf8_lossy(&told.stdout).into_owned()
}

/// The number that a script told after this name.
fn number(told: &str, name: &str) -> f64 {
    let line = told.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {told}"));
    line.trim().parse().expect("a number")
}

/// The folder of the genuine endpoint and of pwsh.
fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("DT_SHARED").map(PathBuf::from);
    let found = named.unwrap_or_else(|| Path::new(ROOT).join("../shared"));
    if found.join("endpoint/endpoint.py").is_file() {
        return Some(found);
    }
    support::require("endpoint");
    None
}

/// The shared library that was built with this program.
fn library_file() -> PathBuf {
    let here = std::env::current_exe().expect("a program knows where it is");
    let name = format!("{}delegated_tenant{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let found = here.ancestors().skip(1).take(2).map(|d| d.join(&name)).find(|p| p.is_file());
    found.unwrap_or_else(|| panic!("no {name} beside {}", here.display()))
}
