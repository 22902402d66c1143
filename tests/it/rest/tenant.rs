//! Against the simulated tenant.

use super::{LONG, collect, connect, of, options, outputs, pipeline, run, text};
use delegated_tenant::ErrorKind;
use delegated_tenant::clixml::{self, Value};
use delegated_tenant::error::fact;
use delegated_tenant::session::{Next, RecordKind, Session, State, Wait};
use delegated_tenant::sim::{Builder, Fault, Redirect, Tenant};
use std::time::Instant;

fn tenant(change: impl FnOnce(Builder) -> Builder) -> Tenant {
    change(Tenant::builder().token("token-of-a-test")).start().unwrap()
}

fn api(tenant: &Tenant) -> String {
    format!("{}/adminapi/beta", tenant.rest_uri())
}

fn open(tenant: &Tenant) -> Session {
    connect(&api(tenant), &[]).unwrap()
}

fn operations(tenant: &Tenant, name: &str) -> u64 {
    tenant.stats().operations.get(name).copied().unwrap_or(0)
}

#[test]
fn a_session_opens_runs_and_closes() {
    let tenant = tenant(|b| b);
    let session = open(&tenant);
    assert_eq!((session.state(), session.organization(), session.computer_name()), (State::Opened, Some("fabrikam.com"), "127.0.0.1"));
    let (records, error) = run(&session, &[("Get-Mailbox", &[("-ResultSize", Value::Nil), ("", 3.into())])]);
    assert!(error.is_none(), "{error:?}");
    let mailboxes = outputs(&records);
    assert_eq!(mailboxes.len(), 3);
    assert!(mailboxes[0].as_object().unwrap().is_a("Microsoft.Exchange.Data.Directory.Management.Mailbox"));
    assert_eq!(of(&records, RecordKind::Warning).len(), 1, "there are more");
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    assert_eq!(session.invoke(&pipeline(&[("Get-Mailbox", &[])])).unwrap_err().kind(), ErrorKind::InvalidState);
}

#[test]
fn pages_are_followed_as_far_as_they_are_wanted() {
    let tenant = tenant(|b| b.organization("fabrikam.com", 2500));
    let session = connect(&api(&tenant), &[]).unwrap();
    for (size, count, pages, warnings) in
        [("Unlimited", 2500, 2, 0), ("1500", 1500, 1, 1), ("1000", 1000, 0, 1), ("", 1000, 0, 1), ("7", 7, 0, 1)]
    {
        let before = operations(&tenant, "page");
        let arguments: &[(&str, Value)] = if size.is_empty() { &[] } else { &[("ResultSize", size.into())] };
        let (records, error) = run(&session, &[("Get-Mailbox", arguments)]);
        assert!(error.is_none(), "{error:?}");
        let names: std::collections::HashSet<String> = outputs(&records).iter().map(|m| text(m, "PrimarySmtpAddress").to_owned()).collect();
        assert_eq!((outputs(&records).len(), names.len()), (count, count), "{size}");
        assert_eq!((operations(&tenant, "page") - before, of(&records, RecordKind::Warning).len()), (pages, warnings), "{size}");
    }
}

#[test]
fn a_page_that_breaks_off_is_asked_for_again() {
    // The service has a page again only until it is asked for the one after.
    let tenant = tenant(|b| b.organization("fabrikam.com", 45));
    let session = connect(&api(&tenant), &[("page_size", "10")]).unwrap();
    let before = operations(&tenant, "page");
    tenant.arm("drop@page".parse().unwrap());
    let (records, error) = run(&session, &[("Get-Mailbox", &[("ResultSize", "Unlimited".into())])]);
    assert!(error.is_none() && of(&records, RecordKind::Error).is_empty(), "{error:?}");
    let addresses: Vec<String> = outputs(&records).iter().map(|m| text(m, "PrimarySmtpAddress").to_owned()).collect();
    let (straight, _) = run(&session, &[("Get-Mailbox", &[("ResultSize", "Unlimited".into())])]);
    assert_eq!(addresses, outputs(&straight).iter().map(|m| text(m, "PrimarySmtpAddress").to_owned()).collect::<Vec<_>>());
    assert_eq!((addresses.len(), operations(&tenant, "page") - before), (45, 4 + 1 + 4));
}

#[test]
fn json_gives_the_same_properties() {
    let tenant = tenant(|b| b);
    let session = connect(&api(&tenant), &[("response_format", "json")]).unwrap();
    let (records, _) = run(&session, &[("Get-Mailbox", &[("ResultSize", 1.into())])]);
    let json = outputs(&records).remove(0);
    let (records, _) = run(&open(&tenant), &[("Get-Mailbox", &[("ResultSize", 1.into())])]);
    let clixml = outputs(&records).remove(0);
    for name in ["Name", "PrimarySmtpAddress", "Guid", "IsShared"] {
        assert_eq!(json.property(name), clixml.property(name), "{name}");
    }
    // The same moment, though JSON tells it in UTC.
    assert!(matches!(json.property("WhenCreated"), Some(Value::DateTime(text)) if text.ends_with('Z')));
}

#[test]
fn a_pipeline_runs_here() {
    let tenant = tenant(|b| b);
    let session = open(&tenant);
    let all: (&str, &[(&str, Value)]) = ("Get-Mailbox", &[("ResultSize", Value::String("Unlimited".into()))]);
    let names = clixml::Object::list(vec!["DisplayName".into(), "PrimarySmtpAddress".into(), "Nothing".into()]);
    let (records, error) = run(&session, &[all, ("Select-Object", &[("-Property", Value::Nil), ("", names.into()), ("-First", 2.into())])]);
    assert!(error.is_none(), "{error:?}");
    let selected = outputs(&records);
    assert_eq!(selected.len(), 2);
    let object = selected[0].as_object().unwrap();
    assert!(object.is_a("Selected.Microsoft.Exchange.Data.Directory.Management.Mailbox"));
    assert_eq!(object.extended.as_ref().unwrap().len(), 3);

    let (records, error) = run(&session, &[all, ("Measure-Object", &[])]);
    assert!(error.is_none());
    assert_eq!(outputs(&records)[0].property("Count"), Some(&Value::I32(25)));

    let (records, error) = run(&session, &[all, ("Select-Object", &[("ExpandProperty", "PrimarySmtpAddress".into()), ("Last", 2.into())])]);
    assert!(error.is_none());
    assert_eq!(outputs(&records).iter().filter(|v| v.as_str().is_some_and(|a| a.contains('@'))).count(), 2);

    let before = operations(&tenant, "batch");
    let (records, error) = run(&session, &[all, ("Get-MailboxStatistics", &[])]);
    assert!(error.is_none(), "{error:?}");
    assert_eq!((outputs(&records).len(), operations(&tenant, "batch") - before), (25, 3));
}

#[test]
fn input_is_bound_by_identity() {
    let tenant = tenant(|b| b);
    let session = open(&tenant);
    let mut command = pipeline(&[("Get-MailboxStatistics", &[])]);
    command.set("input", "true").unwrap();
    let (records, _) = run(&session, &[("Get-Mailbox", &[("ResultSize", 3.into())])]);
    let mailboxes = outputs(&records);
    let invocation = session.invoke(&command).unwrap();
    for value in [mailboxes[0].clone(), mailboxes[1].property("PrimarySmtpAddress").unwrap().clone(), "nobody".into(), Value::Nil] {
        assert_eq!(invocation.send(value, LONG).unwrap(), Wait::Ready(()));
    }
    invocation.end_input().unwrap();
    let (records, error) = collect(&invocation);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(outputs(&records).len(), 2);
    let errors = of(&records, RecordKind::Error);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors.iter().any(|e| text(e, "FullyQualifiedErrorId") == "InputObjectNotBound,Get-MailboxStatistics"));
}

#[test]
fn errors_are_records_with_the_service_s_identity() {
    let tenant = tenant(|b| b);
    let session = open(&tenant);
    for shape in ["hex", "bar", "json", "localized", "inner"] {
        tenant.arm(format!("error-shape={shape}@rest").parse::<Fault>().unwrap());
        let (records, error) = run(&session, &[("Get-Mailbox", &[("Identity", "nobody".into())])]);
        assert!(error.is_none(), "{error:?}");
        let errors = of(&records, RecordKind::Error);
        assert_eq!(errors.len(), 1, "{shape}: {records:?}");
        let record = &errors[0];
        assert!(text(record, "FullyQualifiedErrorId").ends_with(",Write-ErrorMessage"), "{shape}: {record:?}");
        assert_eq!(text(record, "ErrorCategory_Reason"), "ManagementObjectNotFoundException", "{shape}");
        assert_eq!(text(record, "ErrorCategory_Activity"), "Get-Mailbox", "{shape}");
        let message = record.property("Exception").and_then(|e| e.property("Message")).and_then(Value::as_str).unwrap();
        assert!(message.contains("nobody") && !message.contains('|'), "{shape}: {message}");
        tenant.disarm();
    }
    let stop: &[(&str, Value)] = &[("Identity", "nobody".into()), ("-ErrorAction", Value::Nil), ("", "Stop".into())];
    let (records, error) = run(&session, &[("Get-Mailbox", stop)]);
    assert!(records.is_empty() && error.is_some_and(|e| e.kind() == ErrorKind::CommandFailed && e.record().is_some()));
    let silent: &[(&str, Value)] = &[("Identity", "nobody".into()), ("-ea:", "SilentlyContinue".into())];
    let (records, error) = run(&session, &[("Get-Mailbox", silent)]);
    assert!(records.is_empty() && error.is_none());
    let (records, _) = run(&session, &[("Get-Nothing", &[])]);
    let denied = &of(&records, RecordKind::Error)[0];
    assert!(text(denied, "ErrorCategory_Message").starts_with("PermissionDenied"), "{denied:?}");
}

#[test]
fn what_only_an_engine_can_do_is_refused_by_name() {
    let tenant = tenant(|b| b);
    let session = open(&tenant);
    let before = operations(&tenant, "rest");
    for name in ["Where-Object", "Format-Table", "Get-Command", "Get-EXOMailbox", "mailbox", "Get-Mail;box"] {
        let (records, error) = run(&session, &[(name, &[])]);
        let error = error.unwrap();
        assert!(records.is_empty() && error.kind() == ErrorKind::CommandFailed && error.to_string().contains(name), "{error}");
    }
    let calculated = clixml::Object::dictionary(vec![("n".into(), "x".into())]);
    let (_, error) = run(&session, &[("Get-Mailbox", &[]), ("Select-Object", &[("", calculated.into())])]);
    assert!(error.unwrap().to_string().contains("calculated"));
    let mut script = delegated_tenant::session::Command::new();
    script.add_script("$x = 1").unwrap();
    let (_, error) = collect(&session.invoke(&script).unwrap());
    assert!(error.unwrap().record().unwrap().contains("ScriptsNotAllowed"));
    assert_eq!(operations(&tenant, "rest"), before, "nothing was sent");
}

#[test]
fn a_confirmation_is_asked_for_before_anything_changes() {
    let tenant = tenant(|b| b);
    let session = connect(&api(&tenant), &[("interactive", "true")]).unwrap();
    let first =
        |session: &Session| text(&outputs(&run(session, &[("Get-Mailbox", &[("ResultSize", 1.into())])]).0)[0], "Identity").to_owned();
    let identity = first(&session);
    let there = || outputs(&run(&session, &[("Get-Mailbox", &[("Identity", identity.as_str().into())])]).0).len();
    let ask = |answer: i32| {
        let invocation = session.invoke(&pipeline(&[("Remove-Mailbox", &[("Identity", identity.as_str().into())])])).unwrap();
        let Ok(Next::Record(record)) = invocation.next(LONG) else { panic!("no question") };
        let call = record.call.clone().unwrap();
        assert_eq!((record.kind, call.method), (RecordKind::HostCall, 26));
        assert!(String::from_utf8_lossy(record.clixml()).contains(&identity));
        invocation.reply(call.call_id, Some(answer.into())).unwrap();
        let (records, error) = collect(&invocation);
        assert!(error.is_none() && of(&records, RecordKind::Error).is_empty(), "{error:?} {records:?}");
    };
    ask(2);
    assert_eq!(there(), 1);
    let what_if: &[(&str, Value)] = &[("Identity", identity.as_str().into()), ("-WhatIf", Value::Nil)];
    let (records, error) = run(&session, &[("Remove-Mailbox", what_if)]);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records[0].call.as_ref().map(|c| c.method), Some(16));
    assert!(String::from_utf8_lossy(records[0].clixml()).contains("What if: ") && there() == 1);
    ask(0);
    assert_eq!(there(), 0);

    let silent = connect(&api(&tenant), &[]).unwrap();
    let identity = first(&silent);
    let (_, error) = run(&silent, &[("Remove-Mailbox", &[("Identity", identity.as_str().into())])]);
    assert!(error.unwrap().to_string().contains("NonInteractive"));
    let sure: &[(&str, Value)] = &[("Identity", identity.as_str().into()), ("-Confirm:", false.into())];
    let (records, error) = run(&silent, &[("Remove-Mailbox", sure)]);
    assert!(error.is_none() && of(&records, RecordKind::Error).is_empty(), "{records:?}");
    assert_ne!(first(&silent), identity);
}

#[test]
fn patience_is_had_and_only_what_reads_is_sent_again() {
    let tenant = tenant(|b| b);
    let session = open(&tenant);
    tenant.arm("throttled=1@rest".parse().unwrap());
    let (records, error) = run(&session, &[("Get-OrganizationConfig", &[])]);
    assert!(error.is_none() && outputs(&records).len() == 1, "{error:?}");
    tenant.arm("throttled=1@rest".parse().unwrap());
    let (_, error) = run(&session, &[("Set-Mailbox", &[("Identity", "nobody".into())])]);
    assert!(error.is_none(), "a refused one did not run: {error:?}");
    for fault in ["unavailable=503@rest", "hang-up@rest"] {
        let before = operations(&tenant, "rest");
        tenant.arm(fault.parse().unwrap());
        let (_, error) = run(&session, &[("Set-Mailbox", &[("Identity", "nobody".into())])]);
        assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Timeout), "{fault}");
        assert_eq!(operations(&tenant, "rest") - before, 1, "{fault}");
        tenant.disarm();
    }
    assert_eq!(session.state(), State::Opened);
    tenant.arm("throttled=3600@rest".parse().unwrap());
    let (_, error) = run(&session, &[("Get-OrganizationConfig", &[])]);
    let error = error.unwrap();
    assert_eq!((error.kind(), error.fact(fact::RETRY_AFTER_MS)), (ErrorKind::Throttled, Some("3600000")));
}

#[test]
fn odd_answers_are_errors_and_end_nothing() {
    let tenant = tenant(|b| b.organization("fabrikam.com", 1500));
    let session = open(&tenant);
    for (fault, kind) in [("nul-403@rest", None), ("malformed-json@rest", Some(ErrorKind::Protocol)), ("gzip-lie@rest", None)] {
        tenant.arm(fault.parse().unwrap());
        let (records, error) = run(&session, &[("Get-OrganizationConfig", &[])]);
        assert_eq!(error.as_ref().map(|e| e.kind()), kind, "{fault}: {error:?}");
        assert_eq!(of(&records, RecordKind::Error).len(), usize::from(fault.starts_with("nul")), "{fault}");
        tenant.disarm();
    }
    tenant.arm("expired-page@page".parse().unwrap());
    let (records, error) = run(&session, &[("Get-Mailbox", &[("ResultSize", "Unlimited".into())])]);
    assert!(error.is_none(), "{error:?}");
    assert_eq!((outputs(&records).len(), of(&records, RecordKind::Error).len()), (1000, 1), "an expired page is an error, not the end");
    assert_eq!(session.state(), State::Opened);
}

#[test]
fn a_regional_host_is_kept() {
    let tenant = tenant(|b| b.redirect(Redirect::Pod));
    let session = open(&tenant);
    assert_eq!(session.uris().len(), 2);
    assert_ne!(session.uris().get(0), session.uris().get(1));
    let (records, error) = run(&session, &[("Get-OrganizationConfig", &[])]);
    assert!(error.is_none() && outputs(&records).len() == 1, "{error:?}");
    let looping = self::tenant(|b| b.redirect(Redirect::Loop));
    let error = connect(&api(&looping), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirected, "{error:?}");
}

#[test]
fn who_may_not_is_told_at_the_open() {
    let tenant = tenant(|b| b);
    let mut bad = options(&api(&tenant), &[]);
    bad.set_secret("access_token", delegated_tenant::secret::Secret::new("another".into())).unwrap();
    let error = Session::connect(&bad, None).unwrap_err();
    assert_eq!((error.kind(), error.fact(fact::TENANT)), (ErrorKind::Authentication, Some("fabrikam.com")), "{error:?}");
    assert!(!format!("{error:?}").contains("another"));
    let error = connect(&api(&tenant), &[("organization", "nowhere.example")]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TenantNotFound | ErrorKind::AccessDenied | ErrorKind::Authentication), "{error:?}");
    assert!(error.fact(fact::REMEDY).is_some());
}

#[test]
fn a_stop_drops_the_request() {
    let tenant = tenant(|b| b);
    let session = open(&tenant);
    tenant.arm("stall@rest".parse().unwrap());
    let invocation = session.invoke(&pipeline(&[("Get-Mailbox", &[])])).unwrap();
    let begun = Instant::now();
    while operations(&tenant, "rest") == 0 {
        std::thread::yield_now();
    }
    invocation.stop();
    let (_, error) = collect(&invocation);
    assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Cancelled));
    assert!(begun.elapsed() < LONG / 2);
    tenant.disarm();
    let (records, error) = run(&session, &[("Get-OrganizationConfig", &[])]);
    assert!(error.is_none() && outputs(&records).len() == 1);
}

#[test]
fn metadata_and_the_key_come_from_the_service_s_module() {
    let tenant = tenant(|b| b);
    let session = open(&tenant);
    let mut describe = delegated_tenant::session::Command::new();
    describe.describe("Get-Mailbox*").unwrap();
    let (records, error) = collect(&session.invoke(&describe).unwrap());
    assert!(error.is_none(), "{error:?}");
    let described = outputs(&records);
    assert_eq!(described[0].property("Count").and_then(Value::as_i64), Some(described.len() as i64 - 1));
    assert!(described.len() > 2 && described.iter().any(|d| text(d, "Name") == "Get-Mailbox"));

    assert_eq!(session.exchange_key(LONG).unwrap(), Wait::Ready(()));
    let password = session.protect(&delegated_tenant::secret::Secret::new("pass".into())).unwrap();
    assert!(password.len() > 100);
    assert_eq!(session.unprotect("AA==").unwrap_err().kind(), ErrorKind::Unsupported);
}
