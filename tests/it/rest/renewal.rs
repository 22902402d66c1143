//! Tokens from outside that end while the session lives, and secrets that it asks for.

use super::{LONG, connect, of, options, outputs, pipeline, text};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use delegated_tenant::ErrorKind;
use delegated_tenant::clixml::Value;
use delegated_tenant::error::{Error, fact};
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Invocation, Next, Record, RecordKind, Session, State};
use delegated_tenant::sim::{Builder, Tenant};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TICK: Duration = Duration::from_millis(20);

fn tenant(change: impl FnOnce(Builder) -> Builder) -> Tenant {
    change(Tenant::builder().token("token-of-a-test").token("another").token("a-third")).start().unwrap()
}

fn open(tenant: &Tenant, more: &[(&str, &str)]) -> Session {
    let settings: Vec<_> = [("renewable", "true")].iter().chain(more).copied().collect();
    connect(&format!("{}/adminapi/beta", tenant.rest_uri()), &settings).unwrap()
}

fn bring(session: &Session, token: &str) {
    session.set_secret("access_token", Secret::new(token.to_owned())).unwrap();
}

fn operations(tenant: &Tenant) -> u64 {
    tenant.stats().operations.get("rest").copied().unwrap_or(0)
}

/// Reads a command to its end; `answer` is called each time that the session wants a secret, with how many it was given.
fn read(session: &Session, invocation: &Invocation, mut answer: impl FnMut(usize)) -> (Vec<Record>, Option<Error>) {
    let (mut records, mut error, mut asked) = (Vec::new(), None, 0);
    loop {
        match invocation.next(TICK) {
            Ok(Next::Record(record)) => records.push(record),
            Ok(Next::End) => return (records, error),
            Ok(Next::Pending) if session.wants_secret() => {
                answer(asked);
                asked += 1;
            }
            Ok(Next::Pending) => {}
            Err(e) => error = Some(e),
        }
    }
}

fn get(size: &str) -> delegated_tenant::session::Command {
    pipeline(&[("Get-Mailbox", &[("ResultSize", size.into())])])
}

#[test]
fn a_token_that_is_refused_is_asked_for_anew_and_nothing_runs_twice() {
    let tenant = tenant(|b| b.organization("fabrikam.com", 2500));
    let session = open(&tenant, &[]);
    for (fault, token) in [("token-expiry@rest", "another"), ("token-expiry@page:2", "a-third")] {
        tenant.arm(fault.parse().unwrap());
        let invocation = session.invoke(&get("Unlimited")).unwrap();
        let mut asked = 0;
        let (records, error) = read(&session, &invocation, |_| {
            assert_eq!(session.property("wanted_secret").as_deref(), Some("access_token"));
            assert_eq!(session.property("wanted_claims"), None);
            bring(&session, token);
            asked += 1;
        });
        assert!(error.is_none(), "{fault}: {error:?}");
        assert_eq!((outputs(&records).len(), asked), (2500, 1), "{fault}");
        assert!(!session.wants_secret());
    }
    tenant.disarm();
    // What only refused did nothing: the command itself runs once.
    let (records, _) = read(&session, &session.invoke(&get("1")).unwrap(), |_| panic!("it is good"));
    let address = text(&outputs(&records)[0], "PrimarySmtpAddress").to_owned();
    let before = operations(&tenant);
    tenant.arm("401@rest".parse().unwrap());
    let rename: &[(&str, Value)] = &[("Identity", address.as_str().into()), ("DisplayName", "Sold".into())];
    let invocation = session.invoke(&pipeline(&[("Set-Mailbox", rename)])).unwrap();
    let (records, error) = read(&session, &invocation, |_| bring(&session, "a-third"));
    assert!(error.is_none() && of(&records, RecordKind::Error).is_empty(), "{error:?} {records:?}");
    assert_eq!(operations(&tenant) - before, 2);
}

#[test]
fn the_claims_of_a_challenge_are_told() {
    let tenant = tenant(|b| b);
    let session = open(&tenant, &[]);
    tenant.arm("claims-challenge@rest".parse().unwrap());
    let invocation = session.invoke(&get("2")).unwrap();
    let (records, error) = read(&session, &invocation, |_| {
        let claims = session.property("wanted_claims").unwrap();
        assert!(claims.contains("\"nbf\""), "{claims}");
        bring(&session, "another");
    });
    assert!(error.is_none(), "{error:?}");
    assert_eq!(outputs(&records).len(), 2);
    // Where nobody can be asked, it is an error.
    let alone = connect(&format!("{}/adminapi/beta", tenant.rest_uri()), &[]);
    let error = alone.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.to_string().contains("lacks claims that the service asks for"), "{error}");
}

#[test]
fn tokens_that_are_no_better_end_the_command_and_not_the_session() {
    let tenant = tenant(|b| b);
    let session = open(&tenant, &[]);
    tenant.arm("token-expiry@rest".parse().unwrap());
    let invocation = session.invoke(&get("2")).unwrap();
    let mut asked = 0;
    let (records, error) = read(&session, &invocation, |_| {
        bring(&session, "worthless");
        asked += 1;
    });
    let error = error.unwrap();
    assert_eq!((records.len(), error.kind(), asked, session.state()), (0, ErrorKind::Authentication, 3, State::Opened), "{error:?}");
    assert!(!format!("{error:?} {session:?}").contains("worthless"));
    bring(&session, "another");
    let (records, error) = read(&session, &session.invoke(&get("2")).unwrap(), |_| panic!("it is good"));
    assert!(error.is_none() && outputs(&records).len() == 2, "{error:?}");
}

#[test]
fn who_brings_nothing_is_waited_for_as_long_as_an_operation_may_take_and_a_stop_ends_it_at_once() {
    let tenant = tenant(|b| b);
    let hasty = open(&tenant, &[("operation_timeout_ms", "200")]);
    tenant.arm("token-expiry@rest".parse().unwrap());
    let (_, error) = read(&hasty, &hasty.invoke(&get("2")).unwrap(), |_| {});
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.to_string().contains("no other came within 0.2 s"), "{error}");
    assert!(error.fact(fact::REMEDY).is_some());

    let session = Session::connect(
        &{
            let mut o = options(&format!("{}/adminapi/beta", tenant.rest_uri()), &[("renewable", "true")]);
            o.set_secret("access_token", Secret::new("another".into())).unwrap();
            o
        },
        None,
    )
    .unwrap();
    tenant.arm("token-expiry@rest".parse().unwrap());
    let invocation = session.invoke(&get("2")).unwrap();
    // By itself it would wait for three minutes.
    let (_, error) = read(&session, &invocation, |_| invocation.stop());
    assert_eq!(error.unwrap().kind(), ErrorKind::Cancelled);
    assert!(!session.wants_secret());
    assert_eq!(session.disconnect(LONG).map(|_| ()).ok(), Some(()));
}

#[test]
fn a_token_that_tells_its_end_is_asked_for_before_it() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let of = |exp: u64| format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#)));
    let (brief, over) = (of(now + 2), of(now - 2));
    let tenant = tenant(|b| b.token(&brief));
    let session = open(&tenant, &[]);
    assert!(!session.wants_secret());
    bring(&session, &brief);
    // While no command runs, nor is anything refused.
    while !session.wants_secret() {
        std::thread::sleep(TICK);
    }
    assert_eq!(session.property("wanted_secret").as_deref(), Some("access_token"));
    bring(&session, &over);
    let before = operations(&tenant);
    let invocation = session.invoke(&get("2")).unwrap();
    let (records, error) = read(&session, &invocation, |_| {
        assert_eq!(operations(&tenant), before, "a token that is over is not sent");
        bring(&session, "another");
    });
    assert!(error.is_none() && outputs(&records).len() == 2, "{error:?}");
    assert_eq!(operations(&tenant) - before, 1);
}
