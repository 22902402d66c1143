//! Every fault that the simulated tenant knows, at every operation: each step of the caller's ends in time with at most
//! one clear error, and no shell is left open.

use delegated_tenant::error::{Error, ErrorKind, fact};
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{self, Command, Invocation, Next, Options, Session, State, Wait};
use delegated_tenant::sim::{Fault, FaultKind, Operation, Tenant};
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Far beyond every limit below.
const LONG: Duration = Duration::from_secs(60);

fn kinds() -> Vec<FaultKind> {
    use FaultKind::*;
    let mut kinds = vec![Delay(Duration::from_millis(300)), Drop, HangUp, Stall, Length, Flood, FloodObject, Truncated, BadBase64];
    kinds.extend([MalformedXml, WrongElement, WrongMessage, ShellGone, BrokenPool, TokenExpiry]);
    kinds.extend([400, 401, 403, 404, 440, 503].map(Status));
    kinds
}

/// With limits that some faults last for, so many times as long.
fn options(tenant: &Tenant, ledger: &Path, patience: u32) -> Options {
    let mut o = Options::new();
    let [open, operation, cancel] = [3000, 1000, 2000].map(|limit: u32| (limit * patience).to_string());
    for (key, value) in [
        ("ledger", ledger.to_str().unwrap()),
        ("uri", tenant.uri().as_str()),
        ("user", "admin@partner.com"),
        ("allow_unencrypted", "true"),
        ("proxy", "none"),
        ("open_timeout_ms", &open),
        ("operation_timeout_ms", &operation),
        ("cancel_timeout_ms", &cancel),
        ("max_object_size", "4000000"),
    ] {
        o.set(key, value).unwrap();
    }
    o.set_secret("password", Secret::new("secret".into())).unwrap();
    o
}

fn drain(invocation: &Invocation) -> Option<Error> {
    let mut error = None;
    loop {
        match invocation.next(LONG) {
            Ok(Next::Record(_)) => {}
            Ok(Next::End) => return error,
            Ok(Next::Pending) => panic!("nothing came in time"),
            Err(e) => assert!(error.replace(e).is_none(), "an error is given once"),
        }
    }
}

/// What a caller does with a session, until something fails; its error.
fn use_session(session: &Session) -> Option<Error> {
    let mut command = Command::new();
    command.add("Get-Mailbox").unwrap();
    let run = |command: &Command| match session.invoke(command) {
        Ok(invocation) => drain(&invocation),
        Err(error) => Some(error),
    };
    let mut input = Command::new();
    input.add("Get-MailboxStatistics").unwrap();
    input.set("input", "true").unwrap();
    if let Some(error) = run(&command) {
        return Some(error);
    }
    match session.invoke(&input) {
        Ok(invocation) => {
            assert_eq!(invocation.send("nobody".into(), LONG).unwrap(), Wait::Ready(()));
            invocation.end_input().unwrap();
            if let Some(error) = drain(&invocation).filter(|e| e.record().is_none()) {
                return Some(error);
            }
        }
        Err(error) => return Some(error),
    }
    if let Err(error) = session.exchange_key(LONG) {
        return Some(error);
    }
    let stopped = match session.invoke(&command) {
        Ok(invocation) => invocation,
        Err(error) => return Some(error),
    };
    let _ = stopped.next(LONG);
    drop(stopped);
    run(&command)
}

/// Whether it came to the fault. On a busy machine a limit may be over before.
fn walk(fault: &Fault, patience: u32) -> bool {
    // A Create whose reply is lost takes its cookie with it, without which nobody would find the shell again.
    let cookie = fault.operation != Operation::Create;
    let tenant = Tenant::builder().mailboxes(200).cookie(cookie).fault(fault.clone()).start().unwrap();
    let ledger = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}", uuid::Uuid::new_v4()));
    let begun = Instant::now();
    let options = options(&tenant, &ledger, patience);
    let error = match Session::connect(&options, None) {
        Err(error) => Some(error),
        Ok(session) => {
            let error = use_session(&session);
            assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()), "{fault}");
            assert_eq!(session.state(), State::Closed, "{fault}");
            error
        }
    };
    if let Some(error) = &error {
        assert!(error.to_string().len() < 6000 && !error.to_string().contains("secret"), "{fault}: {error}");
        let inside = error.fact(fact::HOST).is_some() || std::error::Error::source(error).is_some();
        assert!(inside, "{fault}: {error:?}");
    }
    let streams = matches!(fault.kind, FaultKind::FloodObject | FaultKind::Truncated | FaultKind::BadBase64 | FaultKind::WrongMessage);
    let receives = matches!(fault.operation, Operation::Receive | Operation::PoolReceive);
    let told = match fault.operation {
        Operation::Command | Operation::Receive => !streams || receives,
        Operation::Create => fault.kind != FaultKind::ShellGone && !streams,
        _ => false,
    };
    assert!(error.is_some() || !told || matches!(fault.kind, FaultKind::Delay(_)), "{fault}: nobody noticed");
    let deadline = Instant::now() + LONG;
    while tenant.stats().open > 0 {
        assert!(Instant::now() < deadline, "{fault}: a shell is left open after {error:?}: {:?}", tenant.stats());
        thread::yield_now();
    }
    // Who is not let in any more cannot learn that the shell is gone: that is left to the next who is.
    let unsure = fault.kind == FaultKind::TokenExpiry;
    let told = || session::ledger(&options);
    while told().iter().any(|h| !unsure || h.entry.abandoned.is_none()) {
        assert!(Instant::now() < deadline, "{fault}: the ledger tells of {:?}", told());
        thread::yield_now();
    }
    if unsure {
        // Windows leaves a folder whose lock this process still holds.
        let _ = fs::remove_dir_all(&ledger);
    } else {
        // Empty, or never made.
        let left = fs::remove_dir(&ledger).err().filter(|_| ledger.exists());
        assert!(left.is_none(), "{fault}: files are left");
    }
    assert!(begun.elapsed() < LONG, "{fault}");
    let due = u64::from(receives || !streams);
    let came = tenant.stats().faults == due || error.as_ref().is_none_or(|e| !matches!(e.kind(), ErrorKind::Timeout | ErrorKind::Connect));
    assert!(!came || tenant.stats().faults == due, "{fault}: it did not go off, and there is {error:?}");
    let commands = tenant.stats().operations.get("command").copied().unwrap_or(0);
    assert!(commands <= 4, "{fault}: {commands} commands were sent for four");
    came
}

#[test]
fn every_fault_ends_in_one_error_and_leaves_no_shell() {
    let mut faults = VecDeque::new();
    for kind in kinds() {
        for operation in Operation::ALL.into_iter().filter(|o| *o != Operation::Any) {
            faults.push_back(Fault::new(kind.clone(), operation));
            if operation == Operation::PoolReceive {
                faults.push_back(Fault { nth: 2, ..Fault::new(kind.clone(), operation) });
            }
        }
    }
    let faults = Mutex::new(faults);
    // Most of a walk is waiting.
    thread::scope(|s| {
        for _ in 0..16 {
            s.spawn(|| {
                while let Some(fault) = { faults.lock().unwrap().pop_front() } {
                    let tries = [1, 2, 4];
                    assert!(tries.iter().any(|patience| walk(&fault, *patience)), "{fault}: it did not go off");
                }
            });
        }
    });
}
