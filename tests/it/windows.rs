//! Windows from Linux: what `scripts/build-windows` built, run by wine. The library there is the very file that is shipped.

use crate::support::{self, Endpoint, in_path, require, root};
use delegated_tenant::sim::{Redirect, Tenant};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

/// How a test differs on Windows.
#[derive(PartialEq, Clone, Copy, Debug)]
enum Differs {
    /// It fails there, and must: where it does not, this table is out of date.
    Fails,
    /// It is not run there.
    Skipped,
}
use Differs::{Fails, Skipped};

/// All that differs from Linux, with its reason. A test of Rust is named whole; one of the module by its file and a part of its full
/// name (Fails), or by its file and the text in quotes after `It` (Skipped).
const DIFFERENCES: &[(&str, &str, Differs, &str)] = &[
    ("it", "layering::", Skipped, "reads the source, which is the same on every system"),
    ("it", "examples::", Skipped, "runs cargo, which is a program of Linux here"),
    (
        "Parity.Tests.ps1",
        ".engine objects",
        Fails,
        "holds a path of the server's own engine, and the judge's server is another installation of it",
    ),
];

/// What a server on Linux and one on Windows say differently, to Parity.Tests.ps1: there the judge's server is a Windows program, and ours
/// is the endpoint on Linux. Pattern, replacement, reason; applied to both, in order.
const SAME: &[(&str, &str, &str)] = &[
    ("\\r\\n", "\n", "the engine's own texts have the system's line ends"),
    ("(user=|')[^\\\\'\\s]+\\\\(?=root\\b)", "$1", "an account is DOMAIN\\user on Windows"),
    ("Z:(?=\\\\)", "", "the path of the server's module, in stack traces"),
    ("\\\\", "/", "the separator in it"),
];

fn differences(suite: &str, how: Differs) -> impl Iterator<Item = &'static str> {
    DIFFERENCES.iter().filter(move |d| d.0 == suite && d.2 == how).map(|d| d.1)
}

/// The folder that `scripts/build-windows` fills. None where it was not run: see [`require`].
fn built() -> Option<PathBuf> {
    let folder = root().join("target/windows");
    if !folder.join("wine").exists() || !folder.join("delegated_tenant.dll").is_file() {
        require("wine");
        return None;
    }
    let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let newest = newest_below(&root().join("src"));
    assert!(changed(&folder.join("delegated_tenant.dll")) >= newest, "the DLL is older than src: scripts/build-windows makes it anew");
    Some(folder)
}

pub fn newest_below(folder: &Path) -> SystemTime {
    let entries = folder.read_dir().expect("a folder").map(|e| e.expect("an entry").path());
    entries
        .map(|p| if p.is_dir() { newest_below(&p) } else { p.metadata().and_then(|m| m.modified()).expect("a time") })
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A path of Linux as programs in wine see it.
pub fn z(path: &Path) -> String {
    format!("Z:{}", path.canonicalize().unwrap_or_else(|_| path.to_owned()).display()).replace('/', "\\")
}

/// And back.
fn from_z(text: &str) -> String {
    match text.strip_prefix("Z:").or_else(|| text.strip_prefix("z:")) {
        Some(path) if path.starts_with(['\\', '/']) => path.replace('\\', "/"),
        _ => text.to_owned(),
    }
}

fn wine(built: &Path, program: &Path) -> Command {
    let mut command = Command::new(built.join("wine"));
    // An own proxy, library or authority of whoever runs the tests is no part of them.
    command.arg(z(program)).current_dir(root()).stdin(Stdio::null()).env_remove("LD_LIBRARY_PATH");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name);
    }
    command
}

/// Wine's own complaints and the console's control sequences are no output of the program.
fn told(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout).replace('\r', ""), String::from_utf8_lossy(&output.stderr).replace('\r', ""))
}

/// The longest that a suite or a file of tests takes in wine on a busy machine; one that hangs is ended, and fails for what it did not say.
const LIMIT: Duration = Duration::from_secs(420);

fn output_in_time(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wine starts");
    let process = child.id() as i32;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(child.wait_with_output()));
    let output = told.recv_timeout(LIMIT).unwrap_or_else(|_| {
        // SAFETY: the child has not been waited for to its end, so that the id is still its own.
        unsafe { libc::kill(process, libc::SIGKILL) };
        told.recv_timeout(LIMIT).expect("it ends when it is killed")
    });
    output.expect("its output is read")
}

fn rust_suite(name: &str, at_least: usize) {
    let Some(built) = built() else { return };
    let program = built.join("tests").join(name).with_extension("exe");
    assert!(program.is_file(), "scripts/build-windows --quick made no {}", program.display());
    let mut command = wine(&built, &program);
    // No tool of Linux is a tool of the tests there; those that want one are counted apart below.
    command.args(["--test-threads=2"]).env("DT_PWSH", "").env("DT_PYTHON", "").env_remove("DT_REQUIRE");
    for skipped in differences(name, Skipped) {
        command.arg("--skip").arg(skipped);
    }
    let text = told(&output_in_time(command));
    let failed: BTreeSet<&str> = text.lines().filter_map(|l| l.strip_prefix("test ")?.split_once(" ... FAILED").map(|(n, _)| n)).collect();
    let expected: BTreeSet<&str> = differences(name, Fails).collect();
    let passed =
        text.lines().rev().find_map(|l| l.strip_prefix("test result: ")?.split(". ").nth(1)?.split(' ').next()?.parse::<usize>().ok());
    assert!(failed == expected, "failed: {failed:?}; expected to fail: {expected:?}\n{text}");
    assert!(passed.is_some_and(|p| p >= at_least), "{passed:?} passed\n{text}");
}

#[test]
fn the_unit_tests_pass() {
    rust_suite("unit", 100);
}

#[test]
fn the_integration_tests_pass() {
    rust_suite("it", 100);
}

/// Starts programs on Linux for tests that run in wine, whose own processes cannot give Linux ones a pipe. A request is a line of JSON with
/// `program` and `arguments`; the answer is the first URL that the program prints. It is killed when the connection ends.
fn start_servers() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    port
}

fn serve(mut stream: TcpStream) {
    let mut request = String::new();
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    if reader.read_line(&mut request).is_err() {
        return;
    }
    let request: Value = serde_json::from_str(&request).expect("the tests send json");
    let arguments = request["arguments"].as_array().into_iter().flatten().filter_map(Value::as_str).map(from_z);
    let mut command = Command::new(from_z(request["program"].as_str().unwrap_or_default()));
    let mut child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the server starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while output.read_line(&mut line).is_ok_and(|n| n > 0) {
        if let Some(at) = line.find("http") {
            let url = line[at..].split([' ', '"', '\'', '\r', '\n']).next().unwrap_or_default();
            let _ = writeln!(stream, "{}", json!({ "uri": url, "id": child.id() }));
            break;
        }
        line.clear();
    }
    // What it prints later must not fill the pipe and stop it.
    thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let _ = reader.read(&mut [0]);
    let _ = child.kill();
    let _ = child.wait();
}

/// Linux's root as a share on a server: its name. Wine looks for shares below a folder of its devices.
fn share(built: &Path) -> &'static str {
    let runner = built.join("wine").canonicalize().expect("the runner is there");
    let server = runner.with_file_name("prefix").join("dosdevices/unc/linux");
    std::fs::create_dir_all(&server).expect("a folder is made");
    // Others may make it at the same time.
    let _ = std::os::unix::fs::symlink("/", server.join("root"));
    r"\\linux\root"
}

/// A Pester file in the Windows engine.
fn pester(built: &Path, servers: u16, file: &str) -> Result<(), String> {
    let path = root().join("tests/module").join(file);
    let source = std::fs::read_to_string(&path).expect("a test file");
    let lines: Vec<String> = differences(file, Skipped)
        .map(|name| {
            let quoted = format!("It '{name}'");
            let at = source.lines().position(|l| l.contains(&quoted)).unwrap_or_else(|| panic!("{file} has no {quoted}"));
            format!("{}:{}", z(&path), at + 1)
        })
        .collect();
    let mut command = powershell(built);
    command
        .args(["-NoProfile", "-ExecutionPolicy", "Bypass", "-File", &z(&root().join("tests/windows/pester.ps1"))])
        .env("DT_TEST_FILE", z(&path))
        .env("DT_TEST_EXCLUDE", lines.join("|"))
        .env("DT_LIBRARY_PATH", z(&built.join("delegated_tenant.dll")))
        .env("DT_SHARED", z(&support::shared()))
        .env("DT_SIM", z(Path::new(env!("CARGO_BIN_EXE_tenant-sim"))))
        .env("DT_TEST_SAME", json!(SAME.iter().map(|s| [s.0, s.1]).collect::<Vec<_>>()).to_string())
        .env("DT_TEST_SHARE", share(built))
        .env("DT_SERVERS", servers.to_string());
    let text = told(&output_in_time(command));
    let of = |result: &str| -> Vec<String> {
        let start = format!("{result}\t");
        text.lines().filter_map(|l| l.strip_prefix(&start).map(str::to_owned)).collect()
    };
    let (passed, failed) = (of("Passed").len(), of("Failed"));
    let expected: Vec<&str> = differences(file, Fails).collect();
    let surprising: Vec<&String> = failed.iter().filter(|f| !expected.iter().any(|e| f.contains(e))).collect();
    let stale: Vec<&&str> = expected.iter().filter(|e| !failed.iter().any(|f| f.contains(**e))).collect();
    if surprising.is_empty() && stale.is_empty() && passed > 0 && text.contains("\nended\n") {
        return Ok(());
    }
    Err(format!("{file}: {passed} passed; failed: {surprising:#?}; did not fail: {stale:?}\n{text}"))
}

fn powershell(built: &Path) -> Command {
    wine(built, &support::shared().join("pwsh/win/pwsh.exe"))
}

/// The Windows engine, where all is there that it needs.
pub fn shell() -> Option<Command> {
    built().map(|built| powershell(&built))
}

/// The module's tests, each file by the Windows engine.
mod module {
    use std::sync::{OnceLock, RwLock};

    /// Proxy.Tests.ps1 writes settings of the whole machine, which .NET's own client heeds in every other process.
    static SETTINGS: RwLock<()> = RwLock::new(());

    fn pester(file: &str) {
        static SERVERS: OnceLock<u16> = OnceLock::new();
        let Some(built) = super::built() else { return };
        let servers = *SERVERS.get_or_init(super::start_servers);
        // A test that failed has left nothing undone that the next would stumble over.
        let result = if file == "Proxy.Tests.ps1" {
            let _alone = SETTINGS.write().unwrap_or_else(|e| e.into_inner());
            super::pester(&built, servers, file)
        } else {
            let _beside_others = SETTINGS.read().unwrap_or_else(|e| e.into_inner());
            super::pester(&built, servers, file)
        };
        if let Err(why) = result {
            panic!("{why}");
        }
    }

    crate::module::pester_files!(pester);
}

/// A program of tests/c, compiled by MinGW against the import library, with every warning an error.
fn compile(built: &Path, source: &str) -> Option<PathBuf> {
    let compiler = "x86_64-w64-mingw32-gcc";
    if in_path(compiler).is_none() {
        require("wine");
        return None;
    }
    // Beside the library, where Windows looks for it.
    let program = built.join(Path::new(source).file_stem().expect("a name")).with_extension("exe");
    let compiled = Command::new(compiler)
        .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1", "-pthread", "-static", "-D__USE_MINGW_ANSI_STDIO=1", "-I"])
        .arg(root().join("include"))
        .arg(root().join(source))
        .arg("-o")
        .arg(&program)
        .arg(built.join("libdelegated_tenant.dll.a"))
        .output()
        .expect("the compiler starts");
    assert!(compiled.status.success(), "{source}:\n{}", String::from_utf8_lossy(&compiled.stderr));
    Some(program)
}

fn c_program(source: &str, prepare: impl FnOnce(&mut Command)) {
    let Some(built) = built() else { return };
    let Some(program) = compile(&built, source) else { return };
    let mut command = wine(&built, &program);
    prepare(&mut command);
    let output = command.env("DT_TEST_USER", "admin@partner.com").env("DT_TEST_PASSWORD", "secret").output().expect("wine starts");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).trim() == "ok", "{source}:\n{}", told(&output));
}

#[test]
fn c_programs_without_a_server_pass() {
    c_program("tests/c/header.c", |_| {});
    c_program("tests/c/misuse.c", |_| {});
    c_program("tests/c/load.c", |command| {
        command.arg("delegated_tenant.dll");
    });
}

#[test]
fn c_programs_with_a_tenant_pass() {
    let tenant = Tenant::builder().redirect(Redirect::Pod).mailboxes(500).start().expect("a port is free");
    c_program("tests/c/tenant.c", |command| {
        command.env("DT_TEST_URI", tenant.uri());
    });
    assert_eq!(tenant.stats().open, 0);
}

#[test]
fn c_programs_with_powershell_behind_the_endpoint_pass() {
    if built().is_none() {
        return;
    }
    let Some(endpoint) = Endpoint::start(&["--max-shells", "10"]) else { return };
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = format!("http://{}/powershell", silent.local_addr().expect("bound"));
    for name in ["items", "errors", "secrets", "threads", "lifetime"] {
        c_program(&format!("tests/c/{name}.c"), |command| {
            command.env("DT_TEST_URI", &endpoint.url).env("DT_TEST_SILENT_URI", &silent);
        });
        assert_eq!(endpoint.count("open"), 0, "a shell is left open by {name}");
    }
}
