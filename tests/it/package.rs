//! What `scripts/package` made, installed into an empty folder and used as its user would.

use crate::support::{self, in_path, require, root};
use delegated_tenant::sim::Tenant;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// An archive of dist, unpacked anew. None where there is none: see [`require`].
fn installed(archive: &str, folder: &str) -> Option<PathBuf> {
    let archive = root().join("dist").join(archive);
    if !archive.is_file() {
        require("package");
        return None;
    }
    let made = archive.metadata().and_then(|m| m.modified()).expect("a time");
    for part in ["src", "include", "module"] {
        assert!(made >= crate::windows::newest_below(&root().join(part)), "dist is older than {part}: scripts/package makes it anew");
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let mut unpack = if archive.extension().is_some_and(|e| e == "zip") {
        let mut python = Command::new("python3");
        python.args(["-m", "zipfile", "-e"]).arg(&archive).arg(&folder);
        python
    } else {
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&archive).arg("-C").arg(&folder);
        tar
    };
    run(&mut unpack);
    Some(folder)
}

/// The archive for C, in a folder of the test's own.
fn for_c(target: &str, folder: &str) -> Option<PathBuf> {
    let name = format!("delegated-tenant-{VERSION}-{target}");
    installed(&format!("{name}.tar.gz"), folder).map(|folder| folder.join(name))
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let ran = command.env_remove("LD_LIBRARY_PATH").stdin(Stdio::null()).output().expect("the program starts");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{command:?}: {}\n{out}\n{err}", ran.status);
    out.into_owned()
}

fn tenant() -> Tenant {
    Tenant::builder().mailboxes(25).start().expect("a port is free")
}

fn lists_mailboxes(program: &mut Command, tenant: &Tenant) {
    let printed = run(program.args([&tenant.uri(), "fabrikam.com", "admin@partner.com"]).env("DT_PASSWORD", "secret"));
    assert!(printed.lines().count() == 10 && printed.lines().all(|l| l.contains("@fabrikam.com")), "{printed}");
    assert_eq!(tenant.stats().open, 0);
}

/// tests/windows/smoke.ps1 on the installed module: it connects, runs a command and disconnects among other things.
fn smoke(pwsh: &mut Command, script: &str, module: &str, tenant: &Tenant) {
    let told = run(pwsh
        .args(["-NoProfile", "-ExecutionPolicy", "Bypass", "-File", script, "-Module", module, "-ConnectionUri", &tenant.uri()])
        .env("DT_PASSWORD", "secret")
        .env_remove("DT_LIBRARY_PATH"));
    assert!(told.contains("PASS a session opens, answers and closes: 5 mailboxes") && told.contains("all PASS"), "{told}");
    assert!(told.contains("runtimes"), "the library is not the module's own:\n{told}");
    assert_eq!(tenant.stats().open, 0);
}

#[test]
fn the_module_installs_and_runs() {
    let Some(folder) = installed(&format!("DelegatedTenant-{VERSION}.zip"), "module") else { return };
    let module = folder.join("DelegatedTenant");
    let native = |place: &str, file: &str| module.join("runtimes").join(place).join("native").join(file).is_file();
    assert!(native("win-x64", "delegated_tenant.dll") && native("linux-x64", "libdelegated_tenant.so"));
    assert!(native("linux-arm64", "libdelegated_tenant.so"));
    let Some(pwsh) = support::pwsh() else { return };
    let script = root().join("tests/windows/smoke.ps1");
    let pwsh = &mut Command::new(pwsh);
    smoke(pwsh, &script.display().to_string(), &module.display().to_string(), &tenant());
}

#[test]
fn the_module_installs_and_runs_on_windows() {
    let Some(folder) = installed(&format!("DelegatedTenant-{VERSION}.zip"), "module-on-windows") else { return };
    let Some(mut pwsh) = crate::windows::shell() else { return };
    // A name and a length that old programs stumble over.
    let deep = folder.join("Benutzer Jörg Käfer").join("long".repeat(40)).join("longer".repeat(20));
    fs::create_dir_all(&deep).expect("a folder");
    fs::rename(folder.join("DelegatedTenant"), deep.join("DelegatedTenant")).expect("the module moves");
    let script = crate::windows::z(&root().join("tests/windows/smoke.ps1"));
    smoke(&mut pwsh, &script, &crate::windows::z(&deep.join("DelegatedTenant")), &tenant());
}

#[test]
fn the_c_library_is_found_by_pkg_config() {
    let Some(folder) = for_c("x86_64-unknown-linux-gnu", "by-pkg-config") else { return };
    let (Some(_), Some(_)) = (in_path("pkg-config"), in_path("cc")) else { return require("package") };
    let flags = run(Command::new("pkg-config")
        .args(["--cflags", "--libs", "delegated-tenant"])
        .env("PKG_CONFIG_PATH", folder.join("lib/pkgconfig")));
    let program = folder.join("mailboxes");
    run(Command::new("cc")
        .arg(folder.join("share/delegated-tenant/c/mailboxes.c"))
        .args(flags.split_whitespace())
        .arg(format!("-Wl,-rpath,{}", folder.join("lib").display()))
        .arg("-o")
        .arg(&program));
    lists_mailboxes(&mut Command::new(program), &tenant());
}

#[test]
fn the_c_library_is_found_by_cmake() {
    let Some(folder) = for_c("x86_64-unknown-linux-gnu", "by-cmake") else { return };
    if in_path("cmake").is_none() {
        return require("cmake");
    }
    let project = folder.join("project");
    fs::create_dir(&project).expect("a folder");
    let source = folder.join("share/delegated-tenant/c/mailboxes.c");
    let lists = format!(
        "cmake_minimum_required(VERSION 3.13)\nproject(example C)\nfind_package(delegated-tenant 0.1 CONFIG REQUIRED)\n\
         add_executable(mailboxes {})\ntarget_link_libraries(mailboxes delegated-tenant::delegated-tenant)\n",
        source.display()
    );
    fs::write(project.join("CMakeLists.txt"), lists).expect("a file");
    let build = project.join("build");
    run(Command::new("cmake").arg("-S").arg(&project).arg("-B").arg(&build).arg(format!("-DCMAKE_PREFIX_PATH={}", folder.display())));
    run(Command::new("cmake").arg("--build").arg(&build));
    lists_mailboxes(&mut Command::new(build.join("mailboxes")), &tenant());
}

/// The newest version of each of glibc and its parts that a library asks for; and nothing beside them.
#[test]
fn the_linux_libraries_run_on_the_glibc_that_the_readme_names() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a file");
    let version = |text: &str| {
        let numbers: Vec<u32> = text.split('.').map_while(|n| n.parse().ok()).collect();
        (!numbers.is_empty()).then_some(numbers)
    };
    let named = readme.split("glibc ").nth(1).and_then(|t| version(t.split_whitespace().next()?)).expect("README names a glibc");
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        let Some(folder) = for_c(target, &format!("glibc-{target}")) else { return };
        if in_path("readelf").is_none() {
            return require("package");
        }
        let library = folder.join("lib/libdelegated_tenant.so");
        let told = run(Command::new("readelf").args(["--wide", "--dyn-syms", "--dynamic"]).arg(&library));
        let asked: Vec<_> =
            told.lines().filter_map(|l| Some((version(l.split("@GLIBC_").nth(1)?.split_whitespace().next()?)?, l))).collect();
        assert!(asked.len() > 50, "{target}: {told}");
        let newer: Vec<_> = asked.iter().filter(|(v, _)| *v > named).collect();
        assert!(newer.is_empty(), "{target}: {newer:?}");
        let parts = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
        let needs = told.lines().filter(|l| l.contains("(NEEDED)"));
        let foreign: Vec<_> = needs.filter(|l| !parts.iter().any(|p| l.ends_with(&format!("[{p}]")))).collect();
        assert!(foreign.is_empty(), "{target}: {foreign:?}");
    }
}

/// The import library for Microsoft's linker, by LLVM's in its manner: a program that has no other library, run by wine.
#[test]
fn the_import_library_for_microsofts_linker_links() {
    let Some(folder) = for_c("x86_64-pc-windows-gnu", "by-link") else { return };
    let (Some(cc), true) = (in_path("x86_64-w64-mingw32-gcc"), crate::windows::shell().is_some()) else { return require("wine") };
    let (source, object, program) = (folder.join("start.c"), folder.join("start.obj"), folder.join("bin/start.exe"));
    fs::write(&source, "#include \"delegated_tenant.h\"\nint start(void) { return dt_abi_version() == 1 ? 42 : 1; }\n").expect("a file");
    run(Command::new(cc).args(["-c", "-ffreestanding", "-I"]).arg(folder.join("include")).arg(&source).arg("-o").arg(&object));
    let sysroot = run(Command::new("rustc").args(["--print", "sysroot"]));
    let host = run(Command::new("rustc").args(["--print", "host-tuple"]));
    run(Command::new(Path::new(sysroot.trim()).join("lib/rustlib").join(host.trim()).join("bin/rust-lld"))
        .args(["-flavor", "link", "/nodefaultlib", "/entry:start", "/subsystem:console"])
        .arg(format!("/out:{}", program.display()))
        .args([object, folder.join("lib/delegated_tenant.lib")]));
    let ran = Command::new(root().join("target/windows/wine")).arg(&program).stdin(Stdio::null()).status().expect("wine starts");
    assert_eq!(ran.code(), Some(42));
}

/// The library for ARM64, by qemu: the example, and the program of tests/c that needs no server.
#[test]
fn the_arm64_library_runs() {
    let Some(folder) = for_c("aarch64-unknown-linux-gnu", "arm64") else { return };
    let (Some(_), Some(_)) = (in_path("aarch64-linux-gnu-gcc"), in_path("qemu-aarch64")) else { return require("qemu") };
    let emulated = |source: &Path, name: &str| {
        let program = folder.join(name);
        run(Command::new("aarch64-linux-gnu-gcc")
            .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pthread", "-D_POSIX_C_SOURCE=200809L", "-I"])
            .arg(folder.join("include"))
            .arg(source)
            .arg("-L")
            .arg(folder.join("lib"))
            .args(["-ldelegated_tenant", "-o"])
            .arg(&program));
        let mut qemu = Command::new("qemu-aarch64");
        qemu.args(["-L", "/usr/aarch64-linux-gnu", "-E"]).arg(format!("LD_LIBRARY_PATH={}", folder.join("lib").display())).arg(program);
        qemu
    };
    assert_eq!(run(&mut emulated(&root().join("tests/c/header.c"), "header")), "ok\n");
    assert_eq!(run(&mut emulated(&root().join("tests/c/misuse.c"), "misuse")), "ok\n");
    let tenant_ = Tenant::builder().redirect(delegated_tenant::sim::Redirect::Pod).mailboxes(500).start().expect("a port is free");
    let told = run(emulated(&root().join("tests/c/tenant.c"), "tenant")
        .env("DT_TEST_URI", tenant_.uri())
        .env("DT_TEST_USER", "admin@partner.com")
        .env("DT_TEST_PASSWORD", "secret"));
    assert_eq!(told, "ok\n");
    lists_mailboxes(&mut emulated(&folder.join("share/delegated-tenant/c/mailboxes.c"), "mailboxes"), &tenant());
}
