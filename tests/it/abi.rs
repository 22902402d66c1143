//! The C ABI as C sees it: the programs of tests/c and examples/c/mailboxes.c, compiled by cc against the header and the
//! library, and run against PowerShell's own server or the simulated tenant, alone and under valgrind.

use crate::support::{Endpoint, in_path, require, root};
use delegated_tenant::sim::{Redirect, Tenant};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const USER: &str = "admin@partner.com";
const PASSWORD: &str = "secret";

/// Where `cargo test` puts the library: beside the test's own program.
fn library_folder() -> PathBuf {
    std::env::current_exe().expect("a program").parent().expect("a folder").to_owned()
}

/// A program, compiled with every warning an error. None where the compiler is missing.
fn compile(compiler: &str, language: &[&str], source: &str, program: &str) -> Option<PathBuf> {
    if in_path(compiler).is_none() {
        require(compiler);
        return None;
    }
    let library = library_folder();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(program);
    let compiled = Command::new(compiler)
        .args(language)
        .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-g", "-O1", "-pthread", "-D_POSIX_C_SOURCE=200809L"])
        .arg("-I")
        .arg(root().join("include"))
        .arg(root().join(source))
        .args(["-x", "none", "-o"])
        .arg(&program)
        .arg("-L")
        .arg(&library)
        .arg("-Wl,--as-needed")
        .arg("-ldelegated_tenant")
        .arg(format!("-Wl,-rpath,{}", library.display()))
        .output()
        .expect("the compiler starts");
    assert!(compiled.status.success(), "{source}:\n{}", String::from_utf8_lossy(&compiled.stderr));
    Some(program)
}

/// Runs a program to its end and gives what it printed.
fn run(mut command: Command) -> String {
    // Cargo's LD_LIBRARY_PATH goes before the program's own and may lead to the library of an older build.
    let ran = command.env_remove("LD_LIBRARY_PATH").stdin(Stdio::null()).output().expect("the program starts");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{command:?}: {}\n{out}\n{err}", ran.status);
    out.into_owned()
}

fn under_valgrind(program: &Path) -> Option<Command> {
    if in_path("valgrind").is_none() {
        require("valgrind");
        return None;
    }
    let mut command = Command::new("valgrind");
    // What only a pointer into its middle leads to, as those of Arc and of hash tables do, is "possibly lost" to valgrind:
    // the runtime's threads live as long as the process and hold such. A handle that was not freed is lost for certain.
    command
        .args(["--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"])
        .args(["--error-exitcode=99", "--fair-sched=yes"])
        .arg(program);
    Some(command)
}

/// A program of tests/c, alone and under valgrind, against a server of its own; no shell is left there.
fn on_endpoint(name: &str) {
    let Some(program) = compile("cc", &["-std=c99"], &format!("tests/c/{name}.c"), name) else { return };
    let Some(endpoint) = Endpoint::start(&["--max-shells", "10"]) else { return };
    // Takes connections, by the system's backlog, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = format!("http://{}/powershell", silent.local_addr().expect("bound"));
    for command in [Some(Command::new(&program)), under_valgrind(&program)].into_iter().flatten() {
        let mut command = command;
        command
            .env("DT_TEST_URI", &endpoint.url)
            .env("DT_TEST_SILENT_URI", &silent)
            .env("DT_TEST_USER", USER)
            .env("DT_TEST_PASSWORD", PASSWORD);
        assert_eq!(run(command), "ok\n");
        assert_eq!(endpoint.count("open"), 0, "a shell is left open by {name}");
    }
}

/// The same against the simulated tenant, which has Exchange's ways.
#[test]
fn a_tenant_redirects_limits_and_answers_richly() {
    let Some(program) = compile("cc", &["-std=c99"], "tests/c/tenant.c", "tenant") else { return };
    let tenant = Tenant::builder().redirect(Redirect::Pod).mailboxes(500).start().expect("a port is free");
    for command in [Some(Command::new(&program)), under_valgrind(&program)].into_iter().flatten() {
        let mut command = command;
        command.env("DT_TEST_URI", tenant.uri()).env("DT_TEST_USER", USER).env("DT_TEST_PASSWORD", PASSWORD);
        assert_eq!(run(command), "ok\n");
        assert_eq!(tenant.stats().open, 0);
    }
}

#[test]
fn header_is_c99_and_cpp17_also_when_included_twice() {
    for (compiler, language, program) in [("cc", &["-std=c99"][..], "header-c"), ("c++", &["-std=c++17", "-x", "c++"][..], "header-cpp")] {
        if let Some(program) = compile(compiler, language, "tests/c/header.c", program) {
            assert_eq!(run(Command::new(program)), "ok\n");
        }
    }
}

/// As a host does that finds the library at run time and lets go of it: its threads may be running then.
#[test]
#[cfg(target_os = "linux")]
fn the_library_stays_where_its_threads_run() {
    let Some(program) = compile("cc", &["-std=c99"], "tests/c/load.c", "load") else { return };
    let mut command = Command::new(program);
    command.arg(library_folder().join("libdelegated_tenant.so"));
    assert_eq!(run(command), "ok\n");
}

#[test]
fn misuse_is_an_error_and_never_a_crash() {
    let Some(program) = compile("cc", &["-std=c99"], "tests/c/misuse.c", "misuse") else { return };
    for command in [Some(Command::new(&program)), under_valgrind(&program)].into_iter().flatten() {
        assert_eq!(run(command), "ok\n");
    }
}

#[test]
fn the_leak_check_sees_a_forgotten_handle() {
    let Some(program) = compile("cc", &["-std=c99"], "tests/c/misuse.c", "forgetful") else { return };
    let Some(mut command) = under_valgrind(&program) else { return };
    let ran = command.arg("leak").env_remove("LD_LIBRARY_PATH").output().expect("valgrind starts");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code() == Some(99) && told.contains("definitely lost") && told.contains("dt_options_new"), "{told}");
}

#[test]
fn every_kind_of_item_comes() {
    on_endpoint("items");
}

#[test]
fn errors_tell_what_went_wrong() {
    on_endpoint("errors");
}

#[test]
fn secure_strings_travel_both_ways() {
    on_endpoint("secrets");
}

#[test]
fn other_threads_cancel_stop_feed_and_close() {
    on_endpoint("threads");
}

#[test]
fn handles_are_freed_in_any_order() {
    on_endpoint("lifetime");
}

#[test]
fn the_example_does_what_it_says() {
    let Some(program) = compile("cc", &["-std=c99"], "examples/c/mailboxes.c", "mailboxes") else { return };
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    for command in [Some(Command::new(&program)), under_valgrind(&program)].into_iter().flatten() {
        let mut command = command;
        command.args([&endpoint.url, "fabrikam.com", USER]).env("DT_PASSWORD", PASSWORD);
        let printed = run(command);
        assert_eq!(printed.lines().count(), 10, "{printed}");
        assert!(printed.lines().all(|l| l.starts_with("<Objs ") && l.contains("@fabrikam.com")), "{printed}");
        assert_eq!(endpoint.count("open"), 0);
    }
    // A wrong password gives the reason and the remedy, not a crash.
    let mut command = Command::new(&program);
    let ran = command
        .args([&endpoint.url, "fabrikam.com", USER])
        .env("DT_PASSWORD", "wrong")
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code() == Some(1) && told.contains("(AuthenticationFailed)"), "{told}");
}
