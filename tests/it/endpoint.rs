//! The session against the genuine PowerShell engine.

use crate::support::Endpoint;
use delegated_tenant::clixml::{self, Value};
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Command, Invocation, Next, Options, Record, RecordKind, Session, State, Wait};
use delegated_tenant::{Error, ErrorKind};
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
