//! Exchange's ways, as the simulated tenant has them.

use delegated_tenant::ErrorKind;
use delegated_tenant::clixml::{self, Value};
use delegated_tenant::error::{Error, fact};
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Availability, Command, Invocation, Next, Options, Record, RecordKind, Session, State, Wait};
use delegated_tenant::sim::{Builder, Fault, LimitForm, Redirect, Tenant};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

fn options(tenant: &Tenant, more: &[(&str, &str)]) -> Options {
    let mut o = Options::new();
    let uri = tenant.uri();
    let first = [("uri", uri.as_str()), ("user", "admin@partner.com"), ("allow_unencrypted", "true"), ("proxy", "none")];
    for (key, value) in first.iter().chain(more) {
        o.set(key, value).unwrap();
    }
    o.set_secret("password", Secret::new("secret".into())).unwrap();
    o
}

fn connect(tenant: &Tenant, more: &[(&str, &str)]) -> Result<Session, Error> {
    Session::connect(&options(tenant, more), None)
}

fn tenant(change: impl FnOnce(Builder) -> Builder) -> Tenant {
    change(Tenant::builder()).start().unwrap()
}

fn command(name: &str, arguments: &[(&str, Value)]) -> Command {
    let mut c = Command::new();
    c.add(name).unwrap();
    for (name, value) in arguments {
        c.add_argument(Some((*name).into()), value.clone()).unwrap();
    }
    c
}

fn collect(invocation: &Invocation) -> (Vec<Record>, Option<Error>) {
    let (mut records, mut error) = (Vec::new(), None);
    loop {
        match invocation.next(LONG) {
            Ok(Next::Record(r)) => records.push(r),
            Ok(Next::End) => return (records, error),
            Ok(Next::Pending) => panic!("nothing came in time"),
            Err(e) => error = Some(e),
        }
    }
}

fn outputs(records: &[Record]) -> Vec<Value> {
    records.iter().filter(|r| r.kind == RecordKind::Output).map(|r| clixml::read(r.clixml()).unwrap()).collect()
}

fn until_empty(tenant: &Tenant) {
    let deadline = Instant::now() + LONG;
    while tenant.stats().open > 0 {
        assert!(Instant::now() < deadline, "{:?}", tenant.stats());
        thread::yield_now();
    }
}

#[test]
fn a_redirection_keeps_the_organization() {
    let tenant = tenant(|b| b.redirect(Redirect::Pod).gzip(true));
    let error = connect(&tenant, &[("organization", "fabrikam.com")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirected);
    assert!(error.fact(fact::REDIRECT_LOCATION).unwrap().contains("DelegatedOrg=fabrikam.com"));
    let session = connect(&tenant, &[("organization", "fabrikam.com"), ("max_redirections", "5")]).unwrap();
    assert_eq!((session.warnings().len(), session.uris().len()), (1, 2));
    let (records, error) = collect(&session.invoke(&command("Get-OrganizationConfig", &[])).unwrap());
    assert!(error.is_none(), "{error:?}");
    assert!(outputs(&records)[0].property("Name").unwrap().as_str().unwrap().starts_with("fabrikam."));
    session.disconnect(LONG).unwrap();
    until_empty(&tenant);
}

#[test]
fn a_loop_of_redirections_ends() {
    let tenant = tenant(|b| b.redirect(Redirect::Loop));
    let error = connect(&tenant, &[("max_redirections", "5")]).unwrap_err();
    assert_eq!((error.kind(), tenant.stats().operations["create"]), (ErrorKind::Redirected, 6));
    assert!(error.fact(fact::REMEDY).unwrap().contains("circle"), "consent is there already: {error:?}");
}

#[test]
fn the_fourth_session_is_one_too_many_in_either_form() {
    for form in [LimitForm::Create, LimitForm::Receive] {
        let tenant = tenant(|b| b.max_shells(3).limit(form));
        let sessions: Vec<_> = (0..3).map(|_| connect(&tenant, &[]).unwrap()).collect();
        let error = connect(&tenant, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Quota, "{error:?}");
        assert!(error.fact(fact::NATIVE_MESSAGE).is_some() && error.fact(fact::REMEDY).is_some());
        drop(sessions);
        until_empty(&tenant);
    }
}

#[test]
fn who_may_not_is_told_why() {
    let tenant = tenant(|b| b);
    for (settings, kind) in [
        (&[("user", "nobody@partner.com")][..], ErrorKind::Authentication),
        (&[("user", "disabled@partner.com")], ErrorKind::AccessDenied),
        (&[("user", "noroles@partner.com")], ErrorKind::AccessDenied),
        (&[("configuration_name", "Microsoft.Nothing")], ErrorKind::TenantNotFound),
    ] {
        let error = connect(&tenant, settings).unwrap_err();
        assert_eq!(error.kind(), kind, "{settings:?}: {error:?}");
        assert!(error.fact(fact::REMEDY).is_some(), "{error:?}");
    }
    let error = connect(&tenant, &[("organization", "nowhere.example")]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TenantNotFound | ErrorKind::AccessDenied), "{error:?}");
    assert_eq!(error.fact(fact::TENANT), Some("nowhere.example"));
    until_empty(&tenant);
}

#[test]
fn an_idle_session_is_lost_and_says_so() {
    let tenant = tenant(|b| b.idle(Duration::from_millis(300)));
    let session = connect(&tenant, &[]).unwrap();
    while session.state() == State::Opened {
        thread::yield_now();
    }
    assert_eq!((session.state(), session.availability()), (State::Broken, Availability::None));
    let error = session.wait(LONG).unwrap_err();
    assert_eq!(
        (error.kind(), error.fact(fact::NATIVE_ID)),
        (ErrorKind::Disconnected, Some("CannotConnectTargetSessionDoesNotExist")),
        "{error:?}"
    );
    until_empty(&tenant);
}

#[test]
fn readers_on_two_threads_share_the_records_and_lose_none() {
    const MAILBOXES: usize = 2000;
    let tenant = tenant(|b| b.mailboxes(MAILBOXES));
    let session = connect(&tenant, &[]).unwrap();
    let invocation = session.invoke(&command("Get-Mailbox", &[("ResultSize", "Unlimited".into())])).unwrap();
    let read = || collect(&invocation).0.len();
    let total = thread::scope(|s| {
        let other = s.spawn(read);
        read() + other.join().unwrap()
    });
    assert_eq!(total, MAILBOXES);
}

#[test]
fn a_slow_reader_holds_the_server_back() {
    let tenant = tenant(|b| b.mailboxes(5000));
    let session = connect(&tenant, &[]).unwrap();
    let all = command("Get-Mailbox", &[("ResultSize", "Unlimited".into())]);
    let invocation = session.invoke(&all).unwrap();
    assert!(matches!(invocation.next(LONG), Ok(Next::Record(_))));
    // Two replies wait here and two more are fetched ahead; then no more are asked for.
    let settled = || {
        let mut last = u64::MAX;
        let begun = Instant::now();
        loop {
            let now = tenant.stats().operations["receive"];
            if now == last && begun.elapsed() > Duration::from_millis(500) {
                return now;
            }
            last = now;
            thread::sleep(Duration::from_millis(100));
        }
    };
    let received = settled();
    assert!(received <= 6, "{received} replies were fetched for a reader who took one record");
    // Another command has the rest collected.
    let (records, error) = collect(&session.invoke(&command("Get-OrganizationConfig", &[])).unwrap());
    assert!(error.is_none() && outputs(&records).len() == 1, "{error:?}");
    let (records, error) = collect(&invocation);
    assert!(error.is_none());
    assert_eq!(outputs(&records).len(), 4999);

    // And one that is let go of stops at the server.
    drop(session.invoke(&all).unwrap());
    let (records, error) = collect(&session.invoke(&command("Get-OrganizationConfig", &[])).unwrap());
    assert!(error.is_none() && outputs(&records).len() == 1, "{error:?}");
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
}

#[test]
fn a_refused_token_is_told_as_one() {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    let tenant = tenant(|b| b.token("good"));
    let token = |end: u64| format!("Bearer e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{end}}}")));
    let converting = format!("{}?BasicAuthToOAuthConversion=true", tenant.uri());
    for (uri, password, words) in [
        (&converting, token(1_700_000_000), "The token expired"),
        (&converting, token(99_999_999_999), "audience"),
        (&converting, "Bearer opaque".to_owned(), "audience"),
        (&tenant.uri(), token(99_999_999_999), "needs BasicAuthToOAuthConversion=true"),
        (&tenant.uri(), "wrong".to_owned(), "Check user name and password"),
    ] {
        let mut o = options(&tenant, &[("uri", uri)]);
        o.set_secret("password", Secret::new(password)).unwrap();
        let error = Session::connect(&o, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(error.fact(fact::REMEDY).unwrap().contains(words), "{error:?}");
        assert!(!format!("{error:?}").contains("e30."), "{error:?}");
    }
}

#[test]
fn an_expired_token_ends_the_session() {
    let tenant = tenant(|b| b.token("abc"));
    let mut o = options(&tenant, &[("uri", &format!("{}?BasicAuthToOAuthConversion=true", tenant.uri()))]);
    o.set_secret("password", Secret::new("Bearer abc".into())).unwrap();
    let session = Session::connect(&o, None).unwrap();
    tenant.arm("token-expiry@command".parse::<Fault>().unwrap());
    let (_, error) = collect(&session.invoke(&command("Get-Mailbox", &[])).unwrap());
    // The tenant closes the shell at the same moment, and either may be seen first.
    assert!(matches!(error.unwrap().kind(), ErrorKind::Authentication | ErrorKind::Disconnected));
    session.disconnect(LONG).unwrap();
    until_empty(&tenant);
}

#[test]
fn a_session_is_verified_by_any_name_of_its_organization() {
    let tenant = tenant(|b| b);
    for asked in ["fabrikam.com", "FABRIKAM.onmicrosoft.com"] {
        let session = connect(&tenant, &[("organization", asked), ("verify_organization", "true")]).unwrap();
        assert_eq!(session.verified_organization(), Some("fabrikam.onmicrosoft.com"));
        assert_eq!((session.state(), session.availability()), (State::Opened, Availability::Available));
        let (records, error) = collect(&session.invoke(&command("Get-Mailbox", &[("ResultSize", 1.into())])).unwrap());
        assert!(error.is_none() && outputs(&records).len() == 1, "the question was answered and released: {error:?}");
        assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    }
    assert_eq!(connect(&tenant, &[("organization", "fabrikam.com")]).unwrap().verified_organization(), None);
    until_empty(&tenant);
}

#[test]
fn a_session_in_the_wrong_organization_does_not_open() {
    let tenant = tenant(|b| b);
    tenant.arm("own-tenant@create".parse::<Fault>().unwrap());
    let error = connect(&tenant, &[("organization", "fabrikam.com"), ("verify_organization", "true")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongOrganization, "{error:?}");
    assert!(error.to_string().contains("partner.onmicrosoft.com, not in fabrikam.com"), "{error}");
    assert_eq!((error.fact(fact::TENANT), error.fact(fact::HOST)), (Some("fabrikam.com"), Some("127.0.0.1")));
    until_empty(&tenant);

    // Without the question nobody notices.
    tenant.arm("own-tenant@create".parse::<Fault>().unwrap());
    let session = connect(&tenant, &[("organization", "fabrikam.com")]).unwrap();
    let (records, _) = collect(&session.invoke(&command("Get-OrganizationConfig", &[])).unwrap());
    assert_eq!(outputs(&records)[0].property("Name").unwrap().as_str(), Some("partner.onmicrosoft.com"));
}

#[test]
fn a_server_that_cannot_say_where_it_is_is_refused() {
    let tenant = tenant(|b| b.hide("Get-OrganizationConfig").hide("Get-AcceptedDomain"));
    let error = connect(&tenant, &[("organization", "fabrikam.com"), ("verify_organization", "true")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongOrganization, "{error:?}");
    assert!(error.fact(fact::REMEDY).unwrap().contains("Get-AcceptedDomain"));
    until_empty(&tenant);
    let error = connect(&tenant, &[("verify_organization", "true")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error:?}");
}

#[test]
fn an_open_that_waits_for_the_organization_can_be_given_up() {
    let tenant = tenant(|b| b.fault("stall@receive".parse().unwrap()));
    let more =
        [("organization", "fabrikam.com"), ("verify_organization", "true"), ("open_timeout_ms", "500"), ("cancel_timeout_ms", "1000")];
    assert_eq!(connect(&tenant, &more).unwrap_err().kind(), ErrorKind::Timeout);
    until_empty(&tenant);
}

#[test]
fn every_error_names_the_tenant() {
    let tenant = tenant(|b| b);
    let session = connect(&tenant, &[("organization", "fabrikam.com")]).unwrap();
    let (_, error) = collect(&session.invoke(&command("No-SuchCmdlet", &[])).unwrap());
    assert_eq!(error.unwrap().fact(fact::TENANT), Some("fabrikam.com"));
    session.disconnect(LONG).unwrap();
    assert_eq!(session.invoke(&command("Get-Mailbox", &[])).unwrap_err().fact(fact::TENANT), Some("fabrikam.com"));
    let error = Session::connect(&options(&tenant, &[("uri", "http://u:p@h/"), ("organization", "fabrikam.com")]), None).unwrap_err();
    assert_eq!(error.fact(fact::TENANT), Some("fabrikam.com"));
}

/// A session with a token that can be renewed, and the tenant that takes a new one too.
fn renewable() -> (Tenant, Session) {
    let tenant = tenant(|b| b.token("old").token("new").mailboxes(200));
    let uri = format!("{}?BasicAuthToOAuthConversion=true", tenant.uri());
    let mut o = options(&tenant, &[("uri", &uri), ("renewable", "true")]);
    o.set_secret("password", Secret::new("Bearer old".into())).unwrap();
    let session = Session::connect(&o, None).unwrap();
    (tenant, session)
}

fn token(session: &Session, token: &str) {
    session.set_secret("password", Secret::new(format!("Bearer {token}"))).unwrap();
}

#[test]
fn a_request_that_was_refused_goes_out_again_with_the_new_secret() {
    for place in ["command", "receive", "receive:2", "pool"] {
        let (tenant, session) = renewable();
        tenant.arm(format!("401@{place}").parse::<Fault>().unwrap());
        let invocation = session.invoke(&command("Get-Mailbox", &[("ResultSize", "Unlimited".into())])).unwrap();
        let mut records = 0;
        loop {
            match invocation.next(Duration::from_millis(20)).unwrap() {
                Next::Record(record) => records += i32::from(record.kind == RecordKind::Output),
                Next::Pending if session.wants_secret() => token(&session, "new"),
                Next::Pending => {}
                Next::End => break,
            }
        }
        assert_eq!((records, session.state()), (200, State::Opened), "{place}");
        assert_eq!(tenant.stats().operations["command"], if place == "command" { 2 } else { 1 }, "{place}");
        session.disconnect(LONG).unwrap();
        until_empty(&tenant);
    }
}

#[test]
fn secrets_that_are_no_better_do_not_end_a_session_between_commands() {
    let tenant = tenant(|b| b.token("old").token("new").keep_alive(Duration::from_millis(20)));
    let uri = format!("{}?BasicAuthToOAuthConversion=true", tenant.uri());
    let mut o = options(&tenant, &[("uri", &uri), ("renewable", "true")]);
    o.set_secret("password", Secret::new("Bearer old".into())).unwrap();
    let session = Session::connect(&o, None).unwrap();
    token(&session, "false");
    // The pool's own Receive is refused with each.
    for _ in 0..8 {
        while !session.wants_secret() {
            assert_eq!(session.state(), State::Opened);
            thread::yield_now();
        }
        let before = tenant.stats().requests;
        token(&session, "false");
        while tenant.stats().requests == before {
            thread::yield_now();
        }
    }
    token(&session, "new");
    let (records, error) = collect(&session.invoke(&command("Get-OrganizationConfig", &[])).unwrap());
    assert!(error.is_none() && outputs(&records).len() == 1, "{error:?}");
    session.disconnect(LONG).unwrap();
    until_empty(&tenant);
}

#[test]
fn a_secret_that_is_no_better_ends_the_command_and_not_the_session() {
    let (tenant, session) = renewable();
    token(&session, "false");
    let invocation = session.invoke(&command("Get-Mailbox", &[])).unwrap();
    let error = loop {
        match invocation.next(Duration::from_millis(20)) {
            Ok(Next::Pending) if session.wants_secret() => token(&session, "false"),
            Ok(Next::Pending) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(matches!(invocation.next(LONG), Ok(Next::End)));
    token(&session, "new");
    let (records, error) = collect(&session.invoke(&command("Get-OrganizationConfig", &[])).unwrap());
    assert!(error.is_none() && outputs(&records).len() == 1, "{error:?}");
    assert!(session.set_secret("colour", Secret::new("red".into())).is_err());
    // What waits for a secret is in the way of no close.
    token(&session, "false");
    let waiting = session.invoke(&command("Get-Mailbox", &[])).unwrap();
    while !session.wants_secret() {
        thread::yield_now();
    }
    token(&session, "new");
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    drop(waiting);
    until_empty(&tenant);
}

#[test]
fn a_command_that_waits_for_a_secret_is_stopped_at_once() {
    let (tenant, session) = renewable();
    let slow = command("Test-Slow", &[("Count", 500.into()), ("Milliseconds", 20.into())]);
    for runs_already in [false, true] {
        if !runs_already {
            token(&session, "false");
        }
        let invocation = session.invoke(&slow).unwrap();
        if runs_already {
            assert!(matches!(invocation.next(LONG), Ok(Next::Record(_))));
            token(&session, "false");
        }
        while !session.wants_secret() {
            thread::yield_now();
        }
        invocation.stop();
        // A secret would be waited for for three minutes.
        let (_, error) = collect(&invocation);
        assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Cancelled), "{runs_already}");
        // What is left at the server goes when there is a secret again, and the next command has its turn.
        let next = session.invoke(&command("Get-OrganizationConfig", &[])).unwrap();
        token(&session, "new");
        let (records, error) = collect(&next);
        assert!(error.is_none() && outputs(&records).len() == 1, "{error:?}");
        assert_eq!(session.state(), State::Opened);
    }
    session.disconnect(LONG).unwrap();
    until_empty(&tenant);
}
