//! The simulated tenant: that it serves what a real one serves. Its faults are walked in `faults.rs`.

use crate::support;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use delegated_tenant::clixml::{self, Content, Property, Value};
use delegated_tenant::error::{Error, ErrorKind, fact};
use delegated_tenant::psrp::{ClientPool, HostInfo, PoolConfig};
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Command, Invocation, Next, Options, Record, RecordKind, Session, State, Wait};
use delegated_tenant::sim::{Account, LimitForm, Redirect, Tenant};
use delegated_tenant::transport::soap::{self, Create, Request, RequestEnvelope, Response, ResponseEnvelope};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command as Process, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(60);

fn options(uri: &str) -> Options {
    let mut o = Options::new();
    for (key, value) in [
        ("uri", uri),
        ("organization", "fabrikam.com"),
        ("user", "admin@partner.com"),
        ("allow_unencrypted", "true"),
        ("proxy", "none"),
        ("cancel_timeout_ms", "5000"),
    ] {
        o.set(key, value).unwrap();
    }
    o.set_secret("password", Secret::new("secret".into())).unwrap();
    o
}

fn with(uri: &str, settings: &[(&str, &str)]) -> Options {
    let mut o = options(uri);
    for (key, value) in settings {
        o.set(key, value).unwrap();
    }
    o
}

fn connect(tenant: &Tenant) -> Session {
    Session::connect(&options(&tenant.uri()), None).unwrap()
}

fn command(name: &str, arguments: &[(&str, Value)]) -> Command {
    let mut c = Command::new();
    c.add(name).unwrap();
    for (name, value) in arguments {
        c.add_argument(Some((*name).into()), value.clone()).unwrap();
    }
    c
}

fn pipeline(commands: &[(&str, &[(&str, Value)])]) -> Command {
    let mut c = Command::new();
    for (name, arguments) in commands {
        c.add(name).unwrap();
        for (name, value) in *arguments {
            c.add_argument(Some((*name).into()), value.clone()).unwrap();
        }
    }
    c
}

fn collect(invocation: &Invocation) -> (Vec<Record>, Option<Error>) {
    let (mut records, mut error) = (Vec::new(), None);
    loop {
        match invocation.next(LONG) {
            Ok(Next::Record(r)) => records.push(r),
            Ok(Next::End) => return (records, error),
            Ok(Next::Pending) => panic!("nothing came within {LONG:?}"),
            Err(e) => assert!(error.replace(e).is_none(), "an error is given once"),
        }
    }
}

fn run(session: &Session, command: &Command) -> (Vec<Record>, Option<Error>) {
    collect(&session.invoke(command).unwrap())
}

fn values(records: &[Record], kind: RecordKind) -> Vec<Value> {
    records.iter().filter(|r| r.kind == kind).map(|r| clixml::read(r.clixml()).unwrap()).collect()
}

fn texts(records: &[Record], kind: RecordKind) -> Vec<String> {
    records.iter().filter(|r| r.kind == kind).filter_map(|r| Some(r.text()?.to_string_lossy().into_owned())).collect()
}

fn until(what: &str, there: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !there() {
        assert!(Instant::now() < deadline, "{what}");
        thread::yield_now();
    }
}

fn until_empty(tenant: &Tenant) {
    until("a shell is left open", || tenant.stats().open == 0);
}

fn id_of(records: &[Record]) -> String {
    let errors = values(records, RecordKind::Error);
    errors[0].property("FullyQualifiedErrorId").unwrap().as_str().unwrap().to_owned()
}

/// The FullyQualifiedErrorId of a terminating error.
fn failed_id(error: &Error) -> String {
    let record = clixml::read(error.record().expect("a record").as_bytes()).unwrap();
    record.property("FullyQualifiedErrorId").unwrap().as_str().unwrap().to_owned()
}

#[test]
fn a_mailbox_is_as_rich_as_a_real_one() {
    let tenant = Tenant::builder().organization("fabrikam.com", 300).start().unwrap();
    let session = connect(&tenant);
    let (records, error) = run(&session, &command("Get-Mailbox", &[("ResultSize", "Unlimited".into())]));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records.len(), 300);
    let sizes: Vec<_> = records.iter().map(|r| r.clixml().len()).collect();
    assert!(sizes.iter().all(|s| (5_000..16_000).contains(s)), "{:?}", (sizes.iter().min(), sizes.iter().max()));
    let mailboxes = values(&records, RecordKind::Output);
    let first = mailboxes[0].as_object().unwrap();
    let names = first.type_names.as_ref().unwrap();
    assert_eq!(names.first().unwrap(), &"Microsoft.Exchange.Data.Directory.Management.Mailbox");
    assert!(first.extended.is_none(), "Props only");
    let properties = first.adapted.as_ref().unwrap();
    assert!(properties.len() >= 100, "{}", properties.len());
    let kinds: std::collections::HashSet<_> = properties.iter().map(|p| std::mem::discriminant(&p.value)).collect();
    assert!(kinds.len() >= 11, "{} kinds of values", kinds.len());
    let dates: Vec<_> =
        properties.iter().filter_map(|Property { value, .. }| if let Value::DateTime(d) = value { Some(d) } else { None }).collect();
    assert!(
        dates.iter().any(|d| d.ends_with('Z')) && dates.iter().any(|d| d.contains('+')) && dates.iter().any(|d| d.len() == 19),
        "{dates:?}"
    );
    let shown: Vec<_> = mailboxes.iter().map(|m| m.property("DisplayName").unwrap().as_str().unwrap().to_owned()).collect();
    assert!(shown.iter().any(|n| n.contains("_x0041_")) && shown.iter().any(|n| n.contains('🚀')) && shown.iter().any(|n| n.contains('&')));
    let distinct: std::collections::HashSet<_> = mailboxes.iter().map(|m| format!("{:?}", m.property("Guid"))).collect();
    assert_eq!(distinct.len(), 300);
    let Content::Primitive(Value::I64(_)) = mailboxes[7].property("RecipientTypeDetails").unwrap().as_object().unwrap().content else {
        panic!("RecipientTypeDetails is an enum of 64 bits")
    };
}

#[test]
fn it_serves_at_the_path_of_exchange_servers_too() {
    let tenant = Tenant::builder().start().unwrap();
    let session = Session::connect(&options(&tenant.uri().replace("powershell-liveid", "PowerShell")), None).unwrap();
    let (records, error) = run(&session, &command("Get-Mailbox", &[("ResultSize", 1.into())]));
    assert!(error.is_none() && values(&records, RecordKind::Output).len() == 1, "{error:?}");
}

#[test]
fn what_is_changed_stays_changed() {
    let tenant = Tenant::builder().start().unwrap();
    let session = connect(&tenant);
    let all = values(&run(&session, &command("Get-Mailbox", &[])).0, RecordKind::Output);
    let alias = all[3].property("Alias").unwrap().clone();
    let set = [("Identity", alias.clone()), ("DisplayName", "Changed & <new>".into()), ("Hidden", true.into())];
    let (records, error) = run(&session, &command("Set-Mailbox", &set));
    assert!(records.is_empty() && error.is_none(), "{records:?} {error:?}");
    let read = values(&run(&session, &command("Get-Mailbox", &[("Identity", alias)])).0, RecordKind::Output);
    assert_eq!(read[0].property("DisplayName").unwrap().as_str(), Some("Changed & <new>"));
    assert_eq!(read[0].property("HiddenFromAddressListsEnabled"), Some(&Value::Bool(true)));
    assert_eq!(read[0].property("Guid"), all[3].property("Guid"));
    // As on Exchange: a deserialized mailbox binds to the next command's -Identity.
    let set = pipeline(&[("Get-Mailbox", &[("ResultSize", 3.into())]), ("Set-Mailbox", &[("CustomAttribute1", "piped".into())])]);
    let (records, error) = run(&session, &set);
    assert!(error.is_none() && values(&records, RecordKind::Error).is_empty(), "{error:?}");
    let filter = command("Get-Mailbox", &[("Filter", "CustomAttribute1 -eq 'piped'".into())]);
    assert_eq!(run(&session, &filter).0.len(), 3);
}

#[test]
fn both_shapes_of_arguments_run() {
    let tenant = Tenant::builder().start().unwrap();
    let session = connect(&tenant);
    let mut typed = Command::new();
    typed.add("get-mailbox").unwrap();
    for (name, value) in
        [(Some("-ResultSize"), Value::Nil), (None, "2".into()), (Some("-Verb"), Value::Nil), (Some("-wa:"), "SilentlyContinue".into())]
    {
        typed.add_argument(name.map(str::to_owned), value).unwrap();
    }
    let (records, error) = run(&session, &typed);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        (
            values(&records, RecordKind::Output).len(),
            texts(&records, RecordKind::Verbose).len(),
            texts(&records, RecordKind::Warning).len()
        ),
        (2, 1, 0)
    );

    let (records, error) = run(&session, &command("Get-Mailbox", &[("ErrorAction", "Stop".into()), ("Identity", "nobody".into())]));
    assert!(records.is_empty());
    assert!(failed_id(&error.unwrap()).contains("FailureCategory=Cmdlet-ManagementObjectNotFoundException"));
    let mut script = Command::new();
    script.add_script("Get-Mailbox | Where-Object { $_ }").unwrap();
    assert_eq!(failed_id(&run(&session, &script).1.unwrap()), "ScriptsNotAllowed");

    let mut two = command("Get-AcceptedDomain", &[]);
    two.end_statement().unwrap();
    two.add("Get-OrganizationConfig").unwrap();
    assert_eq!(run(&session, &two).0.len(), 3);
    let mut merged = command("Get-Mailbox", &[("Identity", "nobody".into())]);
    merged.merge(RecordKind::Error).unwrap();
    let (records, _) = run(&session, &merged);
    assert_eq!(records.iter().map(|r| r.kind).collect::<Vec<_>>(), [RecordKind::Output]);
}

#[test]
fn select_object_stops_the_command_before_it() {
    let tenant = Tenant::builder().start().unwrap();
    let session = connect(&tenant);
    // A hundred thousand seconds' worth, of which two objects are wanted.
    let slow = [("Count", 1_000_000.into()), ("Milliseconds", 100.into())];
    let (records, error) = run(&session, &pipeline(&[("Test-Slow", &slow), ("Select-Object", &[("First", 2.into())])]));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(values(&records, RecordKind::Output), [1.into(), 2.into()]);
}

#[test]
fn accounts_and_organizations_are_told_apart() {
    let tenant = Tenant::builder().start().unwrap();
    for (settings, password, kind, status, message) in [
        (&[][..], "wrong", ErrorKind::Authentication, Some("401"), ""),
        (&[("user", "nobody@partner.com")], "secret", ErrorKind::Authentication, Some("401"), ""),
        (&[("user", "disabled@partner.com")], "secret", ErrorKind::AccessDenied, Some("400"), ""),
        (&[("user", "noroles@partner.com")], "secret", ErrorKind::AccessDenied, None, "isn't assigned to any management roles"),
        (&[("organization", "nobody.example")], "secret", ErrorKind::TenantNotFound, None, "Unable to resolve the tenant name"),
    ] {
        let mut options = with(&tenant.uri(), settings);
        options.set_secret("password", Secret::new(password.into())).unwrap();
        let error = Session::connect(&options, None).unwrap_err();
        assert_eq!(error.fact(fact::HTTP_STATUS), status, "{settings:?}: {error:?}");
        assert!(error.fact(fact::NATIVE_MESSAGE).unwrap_or_default().contains(message), "{settings:?}: {error:?}");
        assert_eq!(error.kind(), kind, "{settings:?}: {error:?}");
        until_empty(&tenant);
    }
    // Joined by a semicolon or an ampersand, the organization is found; by its id, too.
    for uri in [format!("{}?DelegatedOrg=contoso.com;x=y", tenant.uri()), format!("{}?a=b&DelegatedOrg=contoso.com", tenant.uri())] {
        let session = Session::connect(&with(&uri, &[("organization", "")]), None).unwrap();
        let domains = values(&run(&session, &command("Get-AcceptedDomain", &[])).0, RecordKind::Output);
        assert_eq!(domains[0].property("DomainName").unwrap().as_str(), Some("contoso.com"));
        session.disconnect(LONG).unwrap();
    }
}

#[test]
fn tokens_are_passwords_where_the_uri_says_so() {
    let tenant = Tenant::builder().token("eyJ0.good").start().unwrap();
    let uri = format!("{}?BasicAuthToOAuthConversion=true", tenant.uri());
    let open = |uri: &str, token: &str| {
        let mut options = with(uri, &[("user", "notrequired@notrequired.com")]);
        options.set_secret("password", Secret::new(format!("Bearer {token}"))).unwrap();
        Session::connect(&options, None)
    };
    let session = open(&uri, "eyJ0.good").unwrap();
    assert_eq!(open(&uri, "eyJ0.bad").unwrap_err().kind(), ErrorKind::Authentication);
    assert_eq!(open(&tenant.uri(), "eyJ0.good").unwrap_err().kind(), ErrorKind::Authentication);
    tenant.arm("token-expiry@command".parse().unwrap());
    let error = run(&session, &command("Get-Mailbox", &[])).1.unwrap();
    assert_eq!((error.kind(), error.fact(fact::HTTP_STATUS)), (ErrorKind::Authentication, Some("401")), "{error:?}");
    assert_eq!(open(&uri, "eyJ0.good").unwrap_err().kind(), ErrorKind::Authentication);
    drop(session);
    until_empty(&tenant);
}

#[test]
fn one_session_too_many_is_refused_in_either_form() {
    for (form, text) in [
        (LimitForm::Create, "maximum number of 3 concurrent shells, which has been exceeded"),
        (LimitForm::Receive, "the maximum number of connections allowed : 3 for the policy party : MaxConcurrency"),
    ] {
        let tenant = Tenant::builder().account(Account::new("admin@partner.com", "secret")).limit(form).start().unwrap();
        let mut open: Vec<_> = (0..3).map(|_| connect(&tenant)).collect();
        let error = Session::connect(&options(&tenant.uri()), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Quota, "{form:?}: {error:?}");
        assert!(error.fact(fact::NATIVE_MESSAGE).unwrap().contains(text), "{error:?}");
        until("the fourth shell is left open", || tenant.stats().open == 3);
        open.pop().unwrap().disconnect(LONG).unwrap();
        open.push(connect(&tenant));
        drop(open);
        until_empty(&tenant);
    }
}

#[test]
fn a_redirect_is_followed_with_consent() {
    let tenant = Tenant::builder().redirect(Redirect::Pod).start().unwrap();
    let error = Session::connect(&options(&tenant.uri()), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirected);
    assert!(error.fact(fact::REDIRECT_LOCATION).unwrap().contains("DelegatedOrg=fabrikam.com"), "{error:?}");
    let session = Session::connect(&with(&tenant.uri(), &[("max_redirections", "5")]), None).unwrap();
    assert!(session.uri().contains("/PowerShell-LiveID?DelegatedOrg=fabrikam.com"), "{}", session.uri());
    assert_eq!(run(&session, &command("Get-Mailbox", &[("ResultSize", 4.into())])).0.len(), 5, "four and a warning");
    drop(session);
    until_empty(&tenant);
    for redirect in [Redirect::Loop, Redirect::Nowhere, Redirect::To("http://not a uri".into())] {
        let tenant = Tenant::builder().redirect(redirect.clone()).start().unwrap();
        let error = Session::connect(&with(&tenant.uri(), &[("max_redirections", "5")]), None).unwrap_err();
        assert!(error.fact(fact::NATIVE_ID).is_some(), "{redirect:?}: {error:?}");
        assert_eq!(tenant.stats().opened, 0);
    }
}

/// One request without our client, so that its cookies and encodings are the test's own.
fn post(tenant: &Tenant, headers: &str, envelope: &RequestEnvelope) -> (String, Vec<u8>) {
    let body = soap::write_request(envelope);
    let host = format!("127.0.0.1:{}", tenant.port());
    let mut stream = std::net::TcpStream::connect(&host).unwrap();
    let account = STANDARD.encode("admin@partner.com:secret");
    write!(stream, "POST /powershell-liveid?DelegatedOrg=fabrikam.com HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Basic {account}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let end = reply.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    (String::from_utf8(reply[..end].to_vec()).unwrap(), reply[end + 4..].to_vec())
}

fn envelope(shell_id: Option<&str>, body: Request) -> RequestEnvelope {
    RequestEnvelope {
        to: "http://127.0.0.1/powershell-liveid".into(),
        resource_uri: format!("{}Microsoft.Exchange", soap::RESOURCE_PREFIX),
        message_id: format!("uuid:{}", Uuid::new_v4().to_string().to_uppercase()),
        session_id: None,
        operation_id: None,
        shell_id: shell_id.map(str::to_owned),
        operation_timeout_ms: 200,
        max_envelope_size: 512_000,
        locale: "en-US".into(),
        data_locale: "en-US".into(),
        options: Vec::new(),
        body,
    }
}

#[test]
fn the_cookie_the_encoding_and_the_clock_are_kept() {
    let tenant = Tenant::builder().gzip(true).start().unwrap();
    let config = PoolConfig {
        id: Uuid::new_v4(),
        min_runspaces: 1,
        max_runspaces: 1,
        host: HostInfo::none(),
        application_arguments: Value::Nil,
        fragment_size: 32_768,
        object_limit: 10_000_000,
        pipeline_limit: None,
    };
    let creation = Bytes::from(ClientPool::new(config).open().concat());
    let create = Create { shell_id: None, name: None, idle_timeout_ms: None, creation };
    let (head, body) = post(&tenant, "", &envelope(None, Request::Create(create)));
    let read = |body: Vec<u8>| -> ResponseEnvelope { soap::read_response(&Bytes::from(body)).unwrap() };
    let Ok(Response::Created(created)) = read(body).body else { panic!("{head}") };
    let cookie = head.lines().find_map(|l| l.strip_prefix("set-cookie: ")).expect("a cookie");
    assert!(cookie.starts_with("MS-WSMAN=admin%40partner.com=") && cookie.contains("; path=/PowerShell-LiveID"), "{cookie}");
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    let receive = || envelope(Some(&created.shell_id), Request::Receive { command_id: None });

    let (head, body) = post(&tenant, "", &receive());
    let fault = read(body).body.unwrap_err();
    assert!(head.starts_with("HTTP/1.1 500") && fault.is_shell_gone(), "{head} {fault:?}");
    let (head, body) = post(&tenant, &format!("{cookie}Accept-Encoding: gzip\r\n"), &receive());
    assert!(head.contains("content-encoding: gzip") && body.starts_with(&[0x1f, 0x8b]), "{head}");
    // Capability and private data came in that reply, the state comes in the next, and then nothing in time.
    let (_, body) = post(&tenant, &cookie, &receive());
    let Ok(Response::Received { streams, .. }) = read(body).body else { panic!("no output") };
    assert_eq!(streams.len(), 1);
    assert!(read(post(&tenant, &cookie, &receive()).1).body.unwrap_err().is_timeout());
    assert!(matches!(read(post(&tenant, &cookie, &envelope(Some(&created.shell_id), Request::Delete)).1).body, Ok(Response::Deleted)));
    assert!(read(post(&tenant, &cookie, &receive()).1).body.unwrap_err().is_shell_gone());
    assert_eq!((tenant.stats().open, tenant.stats().closed), (0, 1));

    let session = connect(&tenant);
    assert_eq!(run(&session, &command("Get-Mailbox", &[])).0.len(), 25);
}

#[test]
fn an_idle_session_is_lost_with_the_reason() {
    let tenant = Tenant::builder().idle(Duration::from_millis(400)).start().unwrap();
    let session = connect(&tenant);
    assert_eq!(session.idle_timeout(), Some(Duration::from_millis(400)));
    // Longer than that, but not idle.
    let (records, error) = run(&session, &command("Test-Slow", &[("Count", 3.into()), ("Milliseconds", 300.into())]));
    assert_eq!((records.len(), error.is_none()), (3, true));
    until("an idle session is never lost", || session.state() == State::Broken);
    let error = session.wait(LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(
        error
            .fact(fact::NATIVE_MESSAGE)
            .unwrap()
            .contains("[FailureCategory=WSMan-InvalidShellID] The request for the Windows Remote Shell"),
        "{error:?}"
    );
    assert_eq!((tenant.stats().open, tenant.stats().expired), (0, 1));
}

#[test]
fn held_receives_are_kept_alive_or_time_out_unseen() {
    let slow = command("Test-Slow", &[("Count", 2.into()), ("Milliseconds", 700.into())]);
    for tenant in [Tenant::builder().keep_alive(Duration::from_millis(50)).start().unwrap(), Tenant::builder().start().unwrap()] {
        let session = Session::connect(&with(&tenant.uri(), &[("operation_timeout_ms", "300")]), None).unwrap();
        let (records, error) = run(&session, &slow);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(values(&records, RecordKind::Output), [1.into(), 2.into()]);
        assert!(tenant.stats().operations["receive"] >= 4);
    }
}

#[test]
fn a_stop_ends_the_command_and_not_the_session() {
    let tenant = Tenant::builder().organization("fabrikam.com", 50_000).start().unwrap();
    let session = connect(&tenant);
    for command in [command("Test-Slow", &[("Count", 1_000_000.into())]), command("Get-Mailbox", &[("ResultSize", "Unlimited".into())])] {
        let invocation = session.invoke(&command).unwrap();
        assert!(matches!(invocation.next(LONG), Ok(Next::Record(_))));
        invocation.stop();
        assert_eq!(collect(&invocation).1.unwrap().kind(), ErrorKind::Cancelled);
        until("the stopped command runs on", || tenant.stats().at_work == 0);
        assert_eq!(run(&session, &self::command("Get-OrganizationConfig", &[])).0.len(), 1);
    }
}

#[test]
fn prompts_reach_the_host_and_are_obeyed() {
    let tenant = Tenant::builder().start().unwrap();
    let session = Session::connect(&with(&tenant.uri(), &[("interactive", "true")]), None).unwrap();
    let all = values(&run(&session, &command("Get-Mailbox", &[])).0, RecordKind::Output);
    let identity = |n: usize| ("Identity", all[n].property("PrimarySmtpAddress").unwrap().clone());
    let there = |n: usize| values(&run(&session, &command("Get-Mailbox", &[identity(n)])).0, RecordKind::Output).len();
    for (n, answer, left) in [(0, 2, 1), (1, 0, 0)] {
        let invocation = session.invoke(&command("Remove-Mailbox", &[identity(n)])).unwrap();
        let Ok(Next::Record(asked)) = invocation.next(LONG) else { panic!("no prompt") };
        let call = asked.call.as_ref().unwrap();
        assert_eq!(
            (asked.kind, call.method, call.method_name.as_str(), call.wants_reply()),
            (RecordKind::HostCall, 26, "PromptForChoice", true)
        );
        invocation.reply(call.call_id, Some(answer.into())).unwrap();
        assert!(collect(&invocation).1.is_none());
        assert_eq!(there(n), left);
    }
    let (records, error) = run(&session, &command("Remove-Mailbox", &[identity(2), ("WhatIf", true.into())]));
    assert!(error.is_none() && records[0].call.as_ref().is_some_and(|c| !c.wants_reply() && c.method == 16), "{records:?}");
    assert!(String::from_utf8_lossy(records[0].clixml()).contains("What if: Removing mailbox Identity:"));
    assert!(run(&session, &command("Remove-Mailbox", &[identity(2), ("Confirm", false.into())])).1.is_none());
    assert_eq!((there(2), there(3)), (0, 1));

    // Nobody to ask: an error at once.
    let silent = connect(&tenant);
    assert!(failed_id(&run(&silent, &command("Remove-Mailbox", &[identity(3)])).1.unwrap()).starts_with("HostFunctionNotImplemented"));
    assert!(failed_id(&run(&silent, &command("Remove-Mailbox", &[])).1.unwrap()).starts_with("MissingMandatoryParameter"));
}

#[test]
fn secrets_travel_under_the_session_key() {
    let tenant = Tenant::builder().start().unwrap();
    let session = connect(&tenant);
    assert_eq!(session.exchange_key(LONG).unwrap(), Wait::Ready(()));
    let protect = |text: &str| Value::SecureString(session.protect(&Secret::new(text.to_owned())).unwrap());
    let (records, error) = run(&session, &command("New-Mailbox", &[("Name", "New One".into()), ("Password", protect("pässword🐎"))]));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(values(&records, RecordKind::Output)[0].property("Alias").unwrap().as_str(), Some("NewOne"));
    let short = run(&session, &command("New-Mailbox", &[("Name", "x".into()), ("Password", protect("short"))])).1.unwrap();
    assert!(failed_id(&short).contains("WLCDPasswordTooShortException"));
    // The server asks for the key itself where it has none.
    let fresh = connect(&tenant);
    let (records, error) = run(&fresh, &command("Test-Secret", &[]));
    assert!(error.is_none(), "{error:?}");
    assert!(records.iter().all(|r| r.secure));
    let Value::SecureString(text) = &values(&records, RecordKind::Output)[0] else { panic!("no SecureString") };
    // The pool's own messages may come later than those of the command.
    assert_eq!(fresh.exchange_key(LONG).unwrap(), Wait::Ready(()));
    assert_eq!(fresh.unprotect(text).unwrap().reveal(), "correct horse \u{1f40e} battery staple");
}

#[test]
fn the_warnings_of_a_busy_service_are_records() {
    let tenant =
        Tenant::builder().organization("fabrikam.com", 1001).micro_delay(true).progress(true).hide("Get-CASMailbox").start().unwrap();
    let session = connect(&tenant);
    let (records, error) = run(&session, &command("Get-Mailbox", &[]));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(values(&records, RecordKind::Output).len(), 1000);
    assert_eq!(texts(&records, RecordKind::Progress)[0], "Preparing modules for first use.");
    let warnings = texts(&records, RecordKind::Warning);
    assert!(warnings[0].starts_with("By default, only the first 1000 items are returned."), "{warnings:?}");
    assert!(warnings[1].starts_with("Micro delay applied. Actual delayed: "), "{warnings:?}");
    assert_eq!(failed_id(&run(&session, &command("Get-CASMailbox", &[])).1.unwrap()), "CommandNotFoundException");
    let (records, error) = run(&session, &command("Get-User", &[("Identity", "nobody".into())]));
    assert!(error.is_none() && id_of(&records).ends_with("Microsoft.Exchange.Management.RecipientTasks.GetUser"));
}

#[test]
fn metadata_tells_of_eight_hundred_commands() {
    let tenant = Tenant::builder().start().unwrap();
    let session = connect(&tenant);
    let mut all = Command::new();
    all.describe("*").unwrap();
    let (records, error) = run(&session, &all);
    assert!(error.is_none(), "{error:?}");
    let records = values(&records, RecordKind::Output);
    assert!(records.len() > 750, "{}", records.len());
    assert_eq!(records[0].property("Count").unwrap().as_i64(), Some(records.len() as i64 - 1));
    let parameters = records[1].property("Parameters").unwrap();
    assert!(matches!(&parameters.as_object().unwrap().content, Content::Dictionary(d) if d.len() > 10));
}

#[test]
fn metadata_is_told_in_short_and_only_what_was_asked() {
    let tenant = Tenant::builder().cmdlets(0).hide("Get-User").start().unwrap();
    let session = connect(&tenant);
    let mut question = Command::new();
    question.describe("Get-*").unwrap();
    question.set("modules", "Microsoft.Exchange*").unwrap();
    let (records, error) = run(&session, &question);
    assert!(error.is_none(), "{error:?}");
    assert!(records[0].command().is_none(), "the count is no command");
    let told: Vec<&str> = records[1..].iter().map(|r| r.command().unwrap().to_str().unwrap()).collect();
    assert!(told.iter().all(|t| t.starts_with("Get-") && t.ends_with('\n')));
    let mailbox = told.iter().find(|t| t.starts_with("Get-Mailbox\tCmdlet\t\n")).unwrap();
    assert!(mailbox.contains("\nArchive\tswitch\tSystem.Management.Automation.SwitchParameter\n"), "{mailbox}");
    assert!(mailbox.contains("\nIdentity\tvalue\tMicrosoft.Exchange.Configuration.Tasks.MailboxIdParameter"), "{mailbox}");
    assert!(mailbox.contains("\nVerbose\tswitch\tSystem.Management.Automation.SwitchParameter\tvb\n"), "{mailbox}");
    assert!(!told.iter().any(|t| t.starts_with("Get-User\t") || t.starts_with("Get-TransportRule\t")));
    question.set("command_types", "Function").unwrap();
    assert_eq!(run(&session, &question).0.len(), 1);

    let blind = Tenant::builder().hide("Get-Command").start().unwrap();
    let (_, error) = run(&connect(&blind), &question);
    assert_eq!(failed_id(&error.unwrap()), "CommandNotFoundException");
}

#[test]
fn faults_are_armed_while_it_runs() {
    let tenant = Tenant::builder().start().unwrap();
    let ask = |method: &str, path: &str, body: &str| {
        let host = format!("127.0.0.1:{}", tenant.port());
        let mut stream = std::net::TcpStream::connect(&host).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    };
    assert!(ask("POST", "/sim/faults", "503@create\n401@command:2\n").contains("2 armed"));
    assert!(ask("POST", "/sim/faults", "explode").starts_with("HTTP/1.1 400"));
    let error = Session::connect(&options(&tenant.uri()), None).unwrap_err();
    assert_eq!(error.fact(fact::HTTP_STATUS), Some("503"), "{error:?}");
    assert!(ask("DELETE", "/sim/faults", "").contains("disarmed"));
    let session = connect(&tenant);
    for _ in 0..2 {
        assert!(run(&session, &command("Get-OrganizationConfig", &[])).1.is_none());
    }
    let stats = ask("GET", "/sim/stats", "");
    let stats: serde_json::Value = serde_json::from_str(stats.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((stats["open"].as_u64(), stats["faults"].as_u64(), stats["operations"]["command"].as_u64()), (Some(1), Some(1), Some(2)));
    assert!(ask("GET", "/owa/", "").starts_with("HTTP/1.1 440") && ask("GET", "/nowhere", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn the_program_greets_and_stops() {
    let program = env!("CARGO_BIN_EXE_tenant-sim");
    let mut child = Process::new(program)
        .args(["--mailboxes", "3", "--user", "a@b.com:pa:ss", "--until-stdin-closes"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let uri = lines.next().unwrap().unwrap();
    let mut options = with(&uri, &[("user", "a@b.com")]);
    options.set_secret("password", Secret::new("pa:ss".into())).unwrap();
    let session = Session::connect(&options, None).unwrap();
    assert_eq!(run(&session, &command("Get-Mailbox", &[])).0.len(), 3);
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let greeting: String = lines.map_while(Result::ok).collect::<Vec<_>>().join("\n");
    assert!(greeting.contains("Connect-DelegatedTenant -ConnectionUri") && greeting.contains("dt_options_set("), "{greeting}");

    let moved = Process::new(program).args(["--redirect", "--until-stdin-closes"]).stdin(Stdio::null()).output().unwrap();
    let greeting = String::from_utf8_lossy(&moved.stdout);
    assert!(greeting.contains("-AllowUnencrypted -AllowRedirection") && greeting.contains("\"max_redirections\""), "{greeting}");

    let help = Process::new(program).arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--until-stdin-closes"));
    let bad = Process::new(program).arg("--nonsense").output().unwrap();
    assert_eq!(bad.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("'--nonsense' is not an option"));
}

#[test]
fn pypsrp_judges_the_tenant() {
    let Some(python) = support::python() else { return };
    let tenant = Tenant::builder().start().unwrap();
    let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/pypsrp_judge.py");
    let judged = Process::new(python).arg(judge).arg(tenant.port().to_string()).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "{text}{}", String::from_utf8_lossy(&judged.stderr));
    assert_eq!(text.lines().filter(|l| l.starts_with("ok ")).count(), 16, "{text}");
    assert_eq!(tenant.stats().open, 0);
}
