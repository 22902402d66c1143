//! A first look: starts a simulated tenant on this machine, connects, runs Get-Mailbox, shows a table, disconnects.
//! In PowerShell where there is one (`DT_PWSH`, `PATH`, `../shared`), by examples/quickstart.ps1; otherwise through the C ABI.
//!
//!     cargo run --example quickstart

#[path = "../tests/it/support.rs"]
#[allow(dead_code, reason = "the tests' helpers")]
mod support;

use delegated_tenant::clixml::{self, Value};
use delegated_tenant::sim;
use delegated_tenant::{
    dt_command, dt_command_add, dt_command_add_int, dt_command_free, dt_command_new, dt_error, dt_error_free, dt_error_id,
    dt_error_message, dt_invocation, dt_invocation_free, dt_invocation_next, dt_item, dt_item_clixml, dt_item_free, dt_item_kind,
    dt_options, dt_options_free, dt_options_new, dt_options_set, dt_options_set_secret, dt_session, dt_session_connect,
    dt_session_disconnect, dt_session_free, dt_session_invoke, dt_session_organization,
};
use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::ptr::{null, null_mut};

const USER: &str = "admin@partner.com";
const PASSWORD: &str = "secret";
const ORGANIZATION: &str = "fabrikam.com";

fn main() -> ExitCode {
    let tenant = match sim::Tenant::builder().mailboxes(25).start() {
        Ok(tenant) => tenant,
        Err(error) => {
            eprintln!("the simulated tenant did not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let uri = tenant.uri();
    println!("A simulated tenant listens on {uri}\n");
    let done = match (support::find_pwsh(), library()) {
        (Some(pwsh), Some(library)) => in_powershell(&pwsh, &library, &uri),
        _ => through_c(&uri),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn in_powershell(pwsh: &Path, library: &Path, url: &str) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart.ps1");
    let status = Command::new(pwsh)
        .args(["-NoProfile", "-File"])
        .arg(script)
        .args(["-ConnectionUri", url, "-Organization", ORGANIZATION, "-UserName", USER])
        .env("DT_PASSWORD", PASSWORD)
        .env("DT_LIBRARY_PATH", library)
        .status()
        .map_err(|e| format!("{} does not start: {e}", pwsh.display()))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", pwsh.display())) }
}

/// The shared library that cargo built beside this program: the newest, since cargo puts it in either of two folders.
fn library() -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let name = format!("{}delegated_tenant{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let profile = here.parent()?.parent()?;
    let found = [profile.join(&name), profile.join("deps").join(&name)].into_iter().filter(|p| p.is_file());
    found.max_by_key(|p| p.metadata().and_then(|m| m.modified()).ok())
}

/// Takes the error that a call filled in, for people.
fn checked(status: i32, error: *mut dt_error) -> Result<(), String> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: a failed call filled `error`, whose strings live until it is freed, once, here.
    unsafe {
        let text = |p: *const c_char| CStr::from_ptr(p).to_string_lossy().into_owned();
        let told = format!("{} ({})", text(dt_error_message(error)), text(dt_error_id(error)));
        dt_error_free(error);
        Err(told)
    }
}

/// What a C program does, call by call.
fn through_c(url: &str) -> Result<(), String> {
    println!("(There is no pwsh here, so this goes through the C ABI.)\n");
    let mut error: *mut dt_error = null_mut();
    let mut options: *mut dt_options = null_mut();
    let mut session: *mut dt_session = null_mut();
    let settings = [("uri", url), ("organization", ORGANIZATION), ("user", USER), ("allow_unencrypted", "true"), ("proxy", "none")];
    // SAFETY: every pointer is one that the call before gave, or a string that outlives its call.
    unsafe {
        checked(dt_options_new(&mut options, &mut error), error)?;
        for (key, value) in settings {
            let (key, value) = (CString::new(key).expect("no NUL"), CString::new(value).expect("no NUL"));
            checked(dt_options_set(options, key.as_ptr(), value.as_ptr(), &mut error), error)?;
        }
        checked(dt_options_set_secret(options, c"password".as_ptr(), PASSWORD.as_ptr(), PASSWORD.len(), &mut error), error)?;
        let connected = checked(dt_session_connect(options, null(), &mut session, &mut error), error);
        dt_options_free(options);
        connected?;
        println!("Connected to {}\n", CStr::from_ptr(dt_session_organization(session)).to_string_lossy());

        let shown = show_mailboxes(session);
        let closed = checked(dt_session_disconnect(session, u32::MAX, &mut error), error);
        dt_session_free(session);
        shown.and(closed)?;
    }
    println!("\nDisconnected");
    Ok(())
}

fn show_mailboxes(session: *const dt_session) -> Result<(), String> {
    const END: i32 = 2;
    const OUTPUT: i32 = 1;
    let mut error: *mut dt_error = null_mut();
    let mut command: *mut dt_command = null_mut();
    let mut invocation: *mut dt_invocation = null_mut();
    let row = |[name, alias, address, quota]: [&str; 4]| println!("{name:<24} {alias:<18} {address:<40} {quota}");
    const COLUMNS: [&str; 4] = ["DisplayName", "Alias", "PrimarySmtpAddress", "ProhibitSendQuota"];
    row(COLUMNS);
    row(COLUMNS.map(|c| &"------------------"[..c.len()]));
    // SAFETY: as in `through_c`.
    unsafe {
        checked(dt_command_new(&mut command, &mut error), error)?;
        checked(dt_command_add(command, c"Get-Mailbox".as_ptr(), &mut error), error)?;
        checked(dt_command_add_int(command, c"ResultSize".as_ptr(), 10, &mut error), error)?;
        let begun = checked(dt_session_invoke(session, command, &mut invocation, &mut error), error);
        dt_command_free(command);
        begun?;
        let ended = loop {
            let mut item: *mut dt_item = null_mut();
            let status = dt_invocation_next(invocation, u32::MAX, &mut item, &mut error);
            if status == END {
                break Ok(());
            }
            if let Err(why) = checked(status, error) {
                break Err(why);
            }
            if dt_item_kind(item) == OUTPUT {
                let record = clixml::read(CStr::from_ptr(dt_item_clixml(item, null_mut())).to_bytes());
                let record = record.unwrap_or(Value::Nil);
                row(COLUMNS.map(|name| record.property(name).and_then(Value::as_str).unwrap_or("")));
            }
            dt_item_free(item);
        };
        dt_invocation_free(invocation);
        ended
    }
}
