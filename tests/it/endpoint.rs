//! The session against the genuine PowerShell engine.

use crate::support::Endpoint;
use delegated_tenant::clixml::{self, Value};
use delegated_tenant::error::{Error, ErrorKind, fact};
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Availability, Cancel, Command, Invocation, Next, Options, Record, RecordKind, Session, State, Wait};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn options(endpoint: &Endpoint) -> Options {
    let mut o = Options::new();
    for (key, value) in [
        ("uri", endpoint.url.as_str()),
        ("organization", "fabrikam.com"),
        ("user", "admin@partner.com"),
        ("allow_unencrypted", "true"),
        ("proxy", "none"),
        ("operation_timeout_ms", "20000"),
        ("cancel_timeout_ms", "20000"),
    ] {
        o.set(key, value).unwrap();
    }
    o.set_secret("password", Secret::new("secret".into())).unwrap();
    o
}

fn command(name: &str, arguments: &[(&str, Value)]) -> Command {
    let mut c = Command::new();
    c.add(name).unwrap();
    for (name, value) in arguments {
        c.add_argument(Some((*name).into()), value.clone()).unwrap();
    }
    c
}

/// Every record, and the error at the end if there is one.
fn collect(invocation: &Invocation) -> (Vec<Record>, Option<Error>) {
    let mut records = Vec::new();
    let mut error = None;
    loop {
        match invocation.next(LONG) {
            Ok(Next::Record(r)) => records.push(r),
            Ok(Next::End) => return (records, error),
            Ok(Next::Pending) => panic!("nothing came within {LONG:?}"),
            Err(e) => assert!(error.replace(e).is_none(), "an error is given once"),
        }
    }
}

fn values(records: &[Record], kind: RecordKind) -> Vec<Value> {
    records.iter().filter(|r| r.kind == kind).map(|r| clixml::read(r.clixml()).unwrap()).collect()
}

#[test]
fn open_run_close() {
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    let session = Session::connect(&options(&endpoint), None).unwrap();
    assert_eq!((session.state(), endpoint.count("open")), (State::Opened, 1));
    assert_eq!((session.computer_name(), session.organization()), ("127.0.0.1", Some("fabrikam.com")));
    assert!(session.private_data().unwrap().contains("PSVersionTable"));
    assert_eq!(session.idle_timeout(), Some(Duration::from_secs(900)));

    let (records, error) = collect(&session.invoke(&command("Get-Mailbox", &[("ResultSize", Value::from(3))])).unwrap());
    assert!(error.is_none(), "{error:?}");
    let mailboxes = values(&records, RecordKind::Output);
    assert_eq!(mailboxes.len(), 3);
    assert!(mailboxes.iter().all(|m| m.property("PrimarySmtpAddress").unwrap().as_str().unwrap().ends_with("@fabrikam.com")));

    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    assert_eq!((session.state(), endpoint.count("open")), (State::Closed, 0));
    assert_eq!(session.invoke(&command("Get-Mailbox", &[])).unwrap_err().kind(), ErrorKind::InvalidState);
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
}

fn connect(endpoint: &Endpoint) -> Session {
    Session::connect(&options(endpoint), None).unwrap()
}

fn texts(records: &[Record], kind: RecordKind) -> Vec<String> {
    records.iter().filter(|r| r.kind == kind).filter_map(|r| r.text()).map(|t| t.to_str().unwrap().to_owned()).collect()
}

fn strings(records: &[Record]) -> Vec<String> {
    values(records, RecordKind::Output).iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

#[test]
fn every_stream_and_every_end() {
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    let session = connect(&endpoint);

    let mut all = Command::new();
    all.add("Write-AllStreams").unwrap();
    all.add_argument(Some("Verbose".into()), true.into()).unwrap();
    let (records, error) = collect(&session.invoke(&all).unwrap());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(strings(&records), ["output", "more output"]);
    for (kind, text) in [(RecordKind::Verbose, "verbose text"), (RecordKind::Warning, "warning text"), (RecordKind::Error, "error text")] {
        assert_eq!(texts(&records, kind), [text]);
    }
    assert_eq!(values(&records, RecordKind::Information).len(), 1);
    let kinds: Vec<_> = records.iter().map(|r| r.kind).collect();
    use RecordKind::{Error, Information, Output, Verbose, Warning};
    assert_eq!(kinds, [Output, Verbose, Warning, Information, Error, Output]);

    let mut merged = Command::new();
    merged.add("Write-AllStreams").unwrap();
    merged.merge_all().unwrap();
    let (records, _) = collect(&session.invoke(&merged).unwrap());
    assert!(records.len() >= 5 && records.iter().all(|r| r.kind == RecordKind::Output), "{records:?}");

    let (records, error) = collect(&session.invoke(&command("Stop-Everything", &[])).unwrap());
    let error = error.unwrap();
    assert_eq!((strings(&records), error.kind()), (vec!["before".to_owned()], ErrorKind::CommandFailed));
    let record = clixml::read(error.record().unwrap().as_bytes()).unwrap();
    assert_eq!(record.property("FullyQualifiedErrorId").unwrap().as_str(), Some("StoppedEverything,Stop-Everything"));
    assert!(error.to_string().ends_with("terminating text"));

    let mut script = Command::new();
    script.add_script("$x = 1; $x").unwrap();
    let (_, error) = collect(&session.invoke(&script).unwrap());
    assert!(error.unwrap().record().unwrap().contains("ScriptsNotAllowed"));

    let (_, error) = collect(&session.invoke(&command("Get-Nothing", &[])).unwrap());
    assert!(error.unwrap().record().unwrap().contains("CommandNotFoundException"));

    // Two statements, and two commands in one.
    let mut two = Command::new();
    two.add("Get-Mailbox").unwrap();
    two.add_argument(Some("-ResultSize".into()), Value::Nil).unwrap();
    two.add_argument(None, Value::from(2)).unwrap();
    two.add("Get-MailboxStatistics").unwrap();
    two.end_statement().unwrap();
    two.add("Get-OrganizationConfig").unwrap();
    let (records, error) = collect(&session.invoke(&two).unwrap());
    let told = values(&records, RecordKind::Output);
    assert!(error.is_none() && told.len() == 3, "{error:?} {records:?}");
    assert_eq!(told[2].property("Name").unwrap().as_str(), Some("fabrikam.com"));
}

#[test]
fn input_secrets_and_large_arguments_reach_the_server() {
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    let session = connect(&endpoint);
    let (records, _) = collect(&session.invoke(&command("Get-Mailbox", &[("ResultSize", Value::from(3))])).unwrap());
    let names: Vec<Value> = values(&records, RecordKind::Output).iter().map(|m| m.property("Name").unwrap().clone()).collect();

    let mut statistics = command("Get-MailboxStatistics", &[]);
    statistics.set("input", "true").unwrap();
    let invocation = session.invoke(&statistics).unwrap();
    for name in &names {
        assert_eq!(invocation.send(name.clone(), LONG).unwrap(), Wait::Ready(()));
    }
    invocation.end_input().unwrap();
    assert!(invocation.send(Value::Nil, LONG).is_err(), "the input has ended");
    let (records, error) = collect(&invocation);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records.len(), 3);
    assert_eq!(invocation.send(Value::Nil, LONG).unwrap(), Wait::Ready(()), "a command that is over takes and drops it");

    assert_eq!(session.protect(&Secret::new("x".into())).unwrap_err().kind(), ErrorKind::InvalidState);
    assert_eq!(session.exchange_key(LONG).unwrap(), Wait::Ready(()));
    assert_eq!(session.exchange_key(Duration::ZERO).unwrap(), Wait::Ready(()));
    let password = session.protect(&Secret::new("correct horse".into())).unwrap();
    let (records, error) =
        collect(&session.invoke(&command("New-Mailbox", &[("Name", "Zoë".into()), ("Password", Value::SecureString(password))])).unwrap());
    assert!(error.is_none(), "{error:?}");
    let made = &values(&records, RecordKind::Output)[0];
    assert_eq!(made.property("CustomAttribute1").unwrap().as_str(), Some("password of 13 characters"));
    let (records, _) = collect(&session.invoke(&command("Get-Secret", &[])).unwrap());
    assert!(records[0].secure);
    let Value::SecureString(secret) = clixml::read(records[0].clixml()).unwrap().unwrapped().clone() else { panic!("{records:?}") };
    assert_eq!(session.unprotect(&secret).unwrap().reveal(), "server says hush");

    // More than one envelope, beyond the Basic Multilingual Plane.
    let large = "😀<&>_x0041_".repeat(60_000);
    let set = command("Set-Mailbox", &[("Identity", names[0].clone()), ("CustomAttribute1", large.as_str().into())]);
    let (_, error) = collect(&session.invoke(&set).unwrap());
    assert!(error.is_none(), "{error:?}");
    let (records, _) = collect(&session.invoke(&command("Get-Mailbox", &[("Identity", names[0].clone())])).unwrap());
    assert!(values(&records, RecordKind::Output)[0].property("CustomAttribute1") == Some(&large.into()));
    assert!(endpoint.count("Send") > 4);
}

#[test]
fn a_command_stops_at_once_and_the_session_goes_on() {
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    let session = connect(&endpoint);
    // Far longer than the test may take.
    let slow = command("Get-Slowly", &[("Count", Value::from(100_000)), ("Milliseconds", Value::from(100))]);

    let invocation = session.invoke(&slow).unwrap();
    assert!(matches!(invocation.next(LONG), Ok(Next::Record(_))));
    assert_eq!(session.availability(), Availability::Busy);
    invocation.stop();
    invocation.stop();
    let (_, error) = collect(&invocation);
    assert_eq!(error.unwrap().kind(), ErrorKind::Cancelled);

    // Before the Command's answer, and by letting go.
    for _ in 0..3 {
        let invocation = session.invoke(&slow).unwrap();
        invocation.stop();
        assert_eq!(collect(&invocation).1.unwrap().kind(), ErrorKind::Cancelled);
        drop(session.invoke(&slow).unwrap());
    }
    let dropped = session.invoke(&slow).unwrap();
    assert!(matches!(dropped.next(LONG), Ok(Next::Record(_))));
    drop(dropped);

    let (records, error) =
        collect(&session.invoke(&command("Get-Slowly", &[("Count", Value::from(1)), ("Milliseconds", Value::from(1))])).unwrap());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(strings(&records), ["item 1"]);

    // A stop from another thread ends a wait.
    let invocation = session.invoke(&slow).unwrap();
    std::thread::scope(|s| {
        let waiting = s.spawn(|| collect(&invocation));
        invocation.stop();
        assert_eq!(waiting.join().unwrap().1.unwrap().kind(), ErrorKind::Cancelled);
    });

    // A busy session closes, and its command ends.
    let invocation = session.invoke(&slow).unwrap();
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    assert!(collect(&invocation).1.is_some());
    assert_eq!(endpoint.count("open"), 0);
}

#[test]
fn commands_nest_on_one_session() {
    let Some(endpoint) = Endpoint::start(&["--mailboxes", "300"]) else { return };
    let session = connect(&endpoint);
    let outer = session.invoke(&command("Get-Mailbox", &[])).unwrap();
    let mut seen = 0;
    while let Next::Record(record) = outer.next(LONG).unwrap() {
        if record.kind != RecordKind::Output {
            continue;
        }
        let name = clixml::read(record.clixml()).unwrap().property("Name").unwrap().clone();
        if seen % 30 == 0 {
            let (records, error) = collect(&session.invoke(&command("Get-MailboxStatistics", &[("Identity", name.clone())])).unwrap());
            assert!(error.is_none(), "{error:?}");
            let shown = values(&records, RecordKind::Output)[0].property("DisplayName").cloned();
            assert!(shown.is_some(), "{records:?}");
        }
        seen += 1;
    }
    assert_eq!(seen, 300);

    // Side by side from several threads, and in the order they were asked for from one.
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| assert!(collect(&session.invoke(&command("Get-OrganizationConfig", &[])).unwrap()).1.is_none()));
        }
    });
    let all: Vec<_> =
        (1..4).map(|n| session.invoke(&command("Get-Slowly", &[("Count", n.into()), ("Milliseconds", 1.into())])).unwrap()).collect();
    for (n, invocation) in all.iter().enumerate().rev() {
        assert_eq!(strings(&collect(invocation).0).len(), n + 1);
    }

    // One feeds the other, both on this session: as in `Invoke {…} | Invoke {…}`, where both begin before the first record.
    let feeding = session.invoke(&command("Get-Mailbox", &[("ResultSize", 100.into())])).unwrap();
    let mut fed = command("Get-MailboxStatistics", &[]);
    fed.set("input", "true").unwrap();
    let fed = session.invoke(&fed).unwrap();
    while let Next::Record(record) = feeding.next(LONG).unwrap() {
        if record.kind == RecordKind::Output {
            let name = clixml::read(record.clixml()).unwrap().property("Name").unwrap().clone();
            assert_eq!(fed.send(name, LONG).unwrap(), Wait::Ready(()));
        }
    }
    fed.end_input().unwrap();
    let (records, error) = collect(&fed);
    assert!(error.is_none() && values(&records, RecordKind::Output).len() == 100, "{error:?}");

    // What needs its caller refuses the others, who would wait for ever.
    let mut waits = command("Get-MailboxStatistics", &[]);
    waits.set("input", "true").unwrap();
    let waiting = session.invoke(&waits).unwrap();
    let refused = match session.invoke(&command("Get-OrganizationConfig", &[])) {
        Ok(invocation) => collect(&invocation).1.unwrap(),
        Err(error) => error,
    };
    assert_eq!(refused.kind(), ErrorKind::InvalidState);
    waiting.end_input().unwrap();
    assert!(collect(&session.invoke(&command("Get-OrganizationConfig", &[])).unwrap()).1.is_none());
    assert!(collect(&waiting).1.is_none());
}

#[test]
fn a_host_call_is_answered_refused_or_never_asked() {
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    let mut interactive = options(&endpoint);
    interactive.set("interactive", "true").unwrap();
    let session = Session::connect(&interactive, None).unwrap();
    let ask = command("Read-Answer", &[]);

    let invocation = session.invoke(&ask).unwrap();
    let Next::Record(record) = invocation.next(LONG).unwrap() else { panic!("no call came") };
    let call = record.call.clone().unwrap();
    assert_eq!((record.kind, call.method_name.as_str(), call.method), (RecordKind::HostCall, "ReadLine", 11));
    // Meanwhile another command would wait for ever.
    let other = session.invoke(&command("Get-OrganizationConfig", &[]));
    assert_eq!(other.unwrap_err().kind(), ErrorKind::InvalidState);
    assert!(invocation.reply(call.call_id + 1, None).is_err());
    invocation.reply(call.call_id, Some("forty-two".into())).unwrap();
    assert_eq!(strings(&collect(&invocation).0), ["you said forty-two"]);

    let invocation = session.invoke(&ask).unwrap();
    let Next::Record(record) = invocation.next(LONG).unwrap() else { panic!("no call came") };
    invocation.reply_error(record.call.unwrap().call_id, "nobody is there", "NobodyThere").unwrap();
    let (records, error) = collect(&invocation);
    let told = error.map(|e| e.to_string()).unwrap_or_default() + &texts(&records, RecordKind::Error).concat();
    assert!(told.contains("nobody is there"), "{told} {records:?}");

    let silent = connect(&endpoint);
    let (records, error) = collect(&silent.invoke(&ask).unwrap());
    assert!(records.iter().all(|r| r.kind != RecordKind::HostCall));
    assert!(error.is_some() || !texts(&records, RecordKind::Error).is_empty(), "the server cannot ask");
}

#[test]
fn metadata_is_asked_for() {
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    let session = connect(&endpoint);
    let mut question = Command::new();
    question.describe("Get-Mailbox*").unwrap();
    let (records, error) = collect(&session.invoke(&question).unwrap());
    assert!(error.is_none(), "{error:?}");
    let told = values(&records, RecordKind::Output);
    assert_eq!(told[0].property("Count").unwrap().as_i64(), Some(2));
    assert!(told[1].property("Parameters").is_some());
}

#[test]
fn a_session_that_cannot_open_says_why_and_leaves_nothing() {
    let Some(endpoint) = Endpoint::start(&["--max-shells", "1"]) else { return };
    let mut wrong = options(&endpoint);
    wrong.set_secret("password", Secret::new("wrong".into())).unwrap();
    let session = Session::open(&wrong).unwrap();
    for _ in 0..2 {
        let error = session.wait(LONG).unwrap_err();
        assert_eq!(
            (error.kind(), error.fact(fact::NATIVE_ID), error.fact(fact::TENANT)),
            (ErrorKind::Authentication, Some("AccessDenied"), Some("fabrikam.com"))
        );
    }
    assert_eq!(session.state(), State::Broken);
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    assert_eq!(session.state(), State::Closed);

    let first = connect(&endpoint);
    let error = Session::connect(&options(&endpoint), None).unwrap_err();
    assert_eq!((error.kind(), error.fact(fact::NATIVE_ID)), (ErrorKind::Quota, Some("-2144108123")));
    assert_eq!(endpoint.count("open"), 1, "the one that is open is left alone");
    first.disconnect(LONG).unwrap();

    let mut hasty = options(&endpoint);
    hasty.set("open_timeout_ms", "1").unwrap();
    let hasty = Session::open(&hasty).unwrap();
    let error = hasty.wait(LONG).unwrap_err();
    assert_eq!((error.kind(), error.fact(fact::NATIVE_ID)), (ErrorKind::Timeout, Some("WinRMOperationTimeout")));
    hasty.disconnect(LONG).unwrap();

    // Cancelled at any moment: nothing is left.
    for _ in 0..3 {
        let cancel = Cancel::new();
        let trigger = cancel.clone();
        let endpoint_ref = &endpoint;
        std::thread::scope(|s| {
            let connecting = s.spawn(move || Session::connect(&options(endpoint_ref), Some(&cancel)));
            while endpoint_ref.count("Create") == 0 {
                std::thread::yield_now();
            }
            trigger.trigger();
            // The one before may still be closing in the background, and count.
            if let Err(error) = connecting.join().unwrap() {
                assert!(matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Quota), "{error:?}");
            }
        });
    }
    endpoint.until_empty();
    let triggered = Cancel::new();
    triggered.trigger();
    assert_eq!(Session::connect(&options(&endpoint), Some(&triggered)).unwrap_err().kind(), ErrorKind::Cancelled);
    let session = Session::open(&options(&endpoint)).unwrap();
    session.disconnect(LONG).unwrap();
    assert!(session.wait(LONG).is_err());
    endpoint.until_empty();
}

#[cfg(unix)]
#[test]
fn a_lost_shell_breaks_the_session_by_itself() {
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    let session = Session::connect(&options(&endpoint), None).unwrap();
    endpoint.lose_shells();
    while session.state() == State::Opened {
        std::thread::yield_now();
    }
    let error = session.wait(LONG).unwrap_err();
    assert_eq!((session.state(), error.kind()), (State::Broken, ErrorKind::Disconnected), "{error:?}");
    let error = session.invoke(&command("Get-Mailbox", &[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert!(error.to_string().contains("Broken"));
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
}

#[test]
fn short_operation_timeouts_are_no_news() {
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    let mut short = options(&endpoint);
    short.set("operation_timeout_ms", "200").unwrap();
    let session = Session::connect(&short, None).unwrap();
    let (records, error) = collect(&session.invoke(&command("Get-Slowly", &[("Count", 3.into()), ("Milliseconds", 700.into())])).unwrap());
    assert!(error.is_none() && strings(&records).len() == 3, "{error:?}");
    assert!(endpoint.count("fault-2150858793") > 3);
}

#[test]
fn an_object_or_a_command_beyond_its_limit_ends_its_command_alone() {
    let Some(endpoint) = Endpoint::start(&[]) else { return };
    for (key, native) in [("max_object_size", "allowed maximum object size is 6000."), ("max_command_size", "The allowed maximum is 6000.")]
    {
        let mut small = options(&endpoint);
        small.set(key, "6000").unwrap();
        let session = Session::connect(&small, None).unwrap();
        let mut large = Command::new();
        large.describe("Get-Mailbox").unwrap();
        let (_, error) = collect(&session.invoke(&large).unwrap());
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.fact(fact::NATIVE_MESSAGE).unwrap().ends_with(native), "{error:?}");
        let (records, error) = collect(&session.invoke(&command("Get-OrganizationConfig", &[])).unwrap());
        assert!(error.is_none() && records.len() == 1, "{error:?}");
        session.disconnect(LONG).unwrap();
    }
}
