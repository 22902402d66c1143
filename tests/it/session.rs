//! What a session does with a server that refuses, redirects, hangs up or lies: a scripted one, a few lines above its socket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use delegated_tenant::ErrorKind;
use delegated_tenant::clixml::{self, Object, Property, Value};
use delegated_tenant::error::{Error, fact};
use delegated_tenant::psrp::{PipelineState, PoolState, ServerPipeline, ServerPipelineEvent, ServerPool, Stream};
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Command, Invocation, Next, Options, Session, State, Wait};
use delegated_tenant::transport::soap::{self, Created, Fault, Request, RequestEnvelope, Response, ResponseEnvelope, SignalCode};
use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(60);

/// What becomes of one request.
enum Do {
    /// What a server should do.
    Serve,
    /// Serve it and let the reply end in the middle.
    Cut,
    /// Serve it, and never say so.
    Silence,
    /// Nothing: the connection ends.
    HangUp,
    /// Not served, but answered as if it were.
    Say(Response),
    /// An HTTP reply of its own: status, Location, content type, body.
    Reply(u16, &'static str, &'static str, String),
    /// A fault.
    Fault(u32, &'static str),
    /// The pool breaks with this reason, and the request is served.
    Break(&'static str),
}

type Script = Box<dyn FnMut(&Seen, &RequestEnvelope) -> Do + Send>;

/// What the script sees beside the envelope.
struct Seen {
    /// Create, Command, Send, Receive (of a command), PoolReceive, Stop, Terminate or Delete.
    name: &'static str,
    /// How many of that name came before.
    before: usize,
    /// The request line's target.
    path: String,
    authorization: String,
}

#[derive(Default)]
struct Shell {
    pool: Option<ServerPool>,
    output: VecDeque<Bytes>,
    commands: HashMap<String, Running>,
}

struct Running {
    pipeline: ServerPipeline,
    output: VecDeque<Bytes>,
    done: bool,
}

struct Inner {
    script: Mutex<Script>,
    shells: Mutex<HashMap<String, Shell>>,
    changed: Condvar,
    log: Mutex<Vec<&'static str>>,
}

struct Server {
    url: String,
    inner: Arc<Inner>,
}

impl Server {
    fn start(script: impl FnMut(&Seen, &RequestEnvelope) -> Do + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/powershell-liveid", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            script: Mutex::new(Box::new(script)),
            shells: Mutex::default(),
            changed: Condvar::new(),
            log: Mutex::default(),
        });
        let shared = Arc::clone(&inner);
        // Both kinds of threads end with the test process: they hold no more than a socket.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inner = Arc::clone(&shared);
                thread::spawn(move || inner.connection(stream));
            }
        });
        Self { url, inner }
    }

    fn options(&self) -> Options {
        let mut o = Options::new();
        for (key, value) in [
            ("uri", self.url.as_str()),
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

    fn connect(&self) -> Result<Session, Error> {
        Session::connect(&self.options(), None)
    }

    fn count(&self, name: &str) -> usize {
        self.inner.log.lock().unwrap().iter().filter(|n| **n == name).count()
    }

    fn until_empty(&self) {
        let shells = self.inner.shells.lock().unwrap();
        let (_shells, timeout) = self.inner.changed.wait_timeout_while(shells, LONG, |s| !s.is_empty()).unwrap();
        assert!(!timeout.timed_out(), "a shell is left open");
    }
}

impl Inner {
    fn connection(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some((path, authorization, body)) = read_http(&mut reader) {
            let request = soap::read_request(&body).unwrap();
            let name = match &request.body {
                Request::Create(_) => "Create",
                Request::Command { .. } => "Command",
                Request::Send(_) => "Send",
                Request::Receive { command_id: Some(_) } => "Receive",
                Request::Receive { command_id: None } => "PoolReceive",
                Request::Signal { code: SignalCode::Stop, .. } => "Stop",
                Request::Signal { .. } => "Terminate",
                Request::Delete => "Delete",
            };
            let before = {
                let mut log = self.log.lock().unwrap();
                log.push(name);
                log.iter().filter(|n| **n == name).count() - 1
            };
            let act = (self.script.lock().unwrap())(&Seen { name, before, path, authorization }, &request);
            let (status, extra, kind, text, cut) = match act {
                Do::HangUp => return,
                Do::Silence => {
                    let _ = self.serve(&request);
                    // Until the client gives up.
                    let _ = reader.fill_buf();
                    return;
                }
                Do::Say(response) => (200, String::new(), SOAP, envelope(&request, Ok(response)), false),
                Do::Reply(status, location, kind, text) => (status, format!("Location: {location}\r\n"), kind, text, false),
                Do::Fault(code, text) => (500, String::new(), SOAP, envelope(&request, Err(fault(code, text))), false),
                Do::Serve | Do::Cut | Do::Break(_) => {
                    if let Do::Break(reason) = act {
                        self.break_pool(&request, reason);
                    }
                    let body = self.serve(&request);
                    (if body.is_ok() { 200 } else { 500 }, String::new(), SOAP, envelope(&request, body), matches!(act, Do::Cut))
                }
            };
            let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{extra}Content-Length: {}\r\n\r\n", text.len());
            let sent = if cut { &text.as_bytes()[..text.len() / 2] } else { text.as_bytes() };
            if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent)).is_err() || cut {
                return;
            }
        }
    }

    fn break_pool(&self, request: &RequestEnvelope, reason: &str) {
        let mut shells = self.shells.lock().unwrap();
        let shell = shells.get_mut(request.shell_id.as_ref().unwrap()).unwrap();
        let record = Object { to_string: Some(reason.into()), ..Object::bag(vec![Property::new("FullyQualifiedErrorId", "Broken")]) };
        let pool = shell.pool.as_mut().unwrap();
        pool.set_state(PoolState::Broken, Some(record.into()));
        shell.output = pool.take_output().into();
    }

    fn serve(&self, request: &RequestEnvelope) -> Result<Response, Fault> {
        let mut shells = self.shells.lock().unwrap();
        if let Request::Create(create) = &request.body {
            let id = create.shell_id.clone().unwrap();
            let mut pool = ServerPool::new(Value::from(Object::dictionary(vec![])), 32_000, 1 << 20);
            pool.receive(&create.creation).unwrap();
            pool.set_state(PoolState::Opened, None);
            let output = pool.take_output().into();
            shells.insert(id.clone(), Shell { pool: Some(pool), output, ..Shell::default() });
            return Ok(Response::Created(Created { shell_id: id, ..Created::default() }));
        }
        let id = request.shell_id.clone().unwrap();
        let gone = || fault(soap::code::SHELL_NOT_FOUND, "the shell was not found on the server.");
        let shell = shells.get_mut(&id).ok_or_else(gone)?;
        match &request.body {
            Request::Create(_) => unreachable!(),
            Request::Command { command_id, arguments, .. } => {
                let id = Uuid::parse_str(command_id).unwrap();
                let mut pipeline = ServerPipeline::new(shell.pool.as_ref().unwrap(), id);
                let mut running = match &pipeline.receive(arguments).unwrap()[..] {
                    [ServerPipelineEvent::Create(p)] if p.commands[0].text == "wait" => VecDeque::new(),
                    [ServerPipelineEvent::Create(_)] => pipeline.record(Stream::Output, &clixml::write(&"done".into())).into(),
                    other => panic!("{other:?}"),
                };
                let done = !running.is_empty();
                if done {
                    running.extend(pipeline.state(PipelineState::Completed, None));
                }
                shell.commands.insert(command_id.clone(), Running { pipeline, output: running, done });
                Ok(Response::CommandStarted { command_id: command_id.clone() })
            }
            Request::Signal { command_id, code } => {
                if *code == SignalCode::Stop {
                    if let Some(running) = shell.commands.get_mut(command_id).filter(|r| !r.done) {
                        running.output.extend(running.pipeline.state(PipelineState::Stopped, None));
                        running.done = true;
                    }
                } else {
                    shell.commands.remove(command_id);
                }
                self.changed.notify_all();
                Ok(Response::Signaled)
            }
            Request::Delete => {
                shells.remove(&id);
                self.changed.notify_all();
                Ok(Response::Deleted)
            }
            Request::Send(_) => Ok(Response::Sent),
            Request::Receive { command_id } => loop {
                let shell = shells.get_mut(&id).ok_or_else(gone)?;
                let (output, done) = match command_id {
                    None => (&mut shell.output, false),
                    Some(c) => {
                        let running = shell.commands.get_mut(c).ok_or_else(|| fault(995, "aborted"))?;
                        (&mut running.output, running.done)
                    }
                };
                if !output.is_empty() {
                    let stream = |data| soap::Stream { name: "stdout".into(), command_id: command_id.clone(), data };
                    let streams = output.drain(..).map(stream).collect();
                    return Ok(Response::Received { streams, done: command_id.clone().filter(|_| done) });
                }
                let limit = Duration::from_millis(request.operation_timeout_ms);
                let (back, timeout) = self.changed.wait_timeout(shells, limit).unwrap();
                shells = back;
                if timeout.timed_out() {
                    return Err(fault(soap::code::TIMED_OUT, "timed out"));
                }
            },
        }
    }
}

const SOAP: &str = "application/soap+xml;charset=UTF-8";

fn fault(code: u32, text: &str) -> Fault {
    Fault { code: Some(code), subcode: "InternalError".into(), reason: text.into(), message: text.into() }
}

fn envelope(request: &RequestEnvelope, body: Result<Response, Fault>) -> String {
    soap::write_response(&ResponseEnvelope { relates_to: request.message_id.clone(), activity_id: None, body })
}

fn read_http(reader: &mut impl BufRead) -> Option<(String, String, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut authorization) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok()?,
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => authorization = value.to_owned(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, authorization, body))
}

fn command(name: &str) -> Command {
    let mut c = Command::new();
    c.add(name).unwrap();
    c
}

/// How many records came, and the error at the end.
fn drain(invocation: &Invocation) -> (usize, Option<Error>) {
    let (mut count, mut error) = (0, None);
    loop {
        match invocation.next(LONG) {
            Ok(Next::Record(_)) => count += 1,
            Ok(Next::End) => return (count, error),
            Ok(Next::Pending) => panic!("nothing came"),
            Err(e) => error = Some(e),
        }
    }
}

#[test]
fn a_scripted_server_serves() {
    let server = Server::start(|seen, request| {
        assert_eq!(seen.path, "/powershell-liveid?DelegatedOrg=fabrikam.com;PSVersion=5.1.22621.4391");
        assert_eq!(seen.authorization, "Basic YWRtaW5AcGFydG5lci5jb206c2VjcmV0");
        assert!(request.to.starts_with("http://127.0.0.1:") && request.resource_uri.ends_with("/powershell/Microsoft.Exchange"));
        Do::Serve
    });
    let session = server.connect().unwrap();
    assert!(matches!(drain(&session.invoke(&command("x")).unwrap()), (1, None)));
    let waits = session.invoke(&command("wait")).unwrap();
    waits.stop();
    assert_eq!(drain(&waits).1.unwrap().kind(), ErrorKind::Cancelled);
    session.disconnect(LONG).unwrap();
    server.until_empty();
    assert_eq!((server.count("Create"), server.count("Delete")), (1, 1));
}

#[test]
fn a_token_of_any_length_is_a_password() {
    let token = format!("Bearer {}", "eyJ0eXAi.".repeat(2000));
    let expected = format!("Basic {}", STANDARD.encode(format!("admin@partner.com:{token}")));
    let server = Server::start(move |seen, _| {
        assert_eq!(seen.authorization, expected);
        Do::Serve
    });
    let mut options = server.options();
    options.set("uri", &format!("{}?BasicAuthToOAuthConversion=true", server.url)).unwrap();
    options.set_secret("password", Secret::new(token)).unwrap();
    let session = Session::connect(&options, None).unwrap();
    assert!(session.uri().ends_with("?BasicAuthToOAuthConversion=true&DelegatedOrg=fabrikam.com;PSVersion=5.1.22621.4391"));
    session.disconnect(LONG).unwrap();
}

#[test]
fn a_redirection_is_followed_with_consent_and_told() {
    let target = Server::start(|seen, _| {
        assert!(seen.path.ends_with("?DelegatedOrg=fabrikam.com;PSVersion=5.1.22621.4391"), "{}", seen.path);
        Do::Serve
    });
    let page = "<html><head><title>Object moved</title></head><body>here</body></html>";
    let url = target.url.clone();
    let location: &'static str = url.clone().leak();
    let server = Server::start(move |_, _| Do::Reply(302, location, "text/html", page.into()));

    let error = server.connect().unwrap_err();
    assert_eq!((error.kind(), error.fact(fact::REDIRECT_LOCATION)), (ErrorKind::Redirected, Some(url.as_str())));
    assert_eq!(error.fact(fact::NATIVE_ID), Some("RedirectInformationRequired"));
    assert!(error.fact(fact::NATIVE_MESSAGE).unwrap().contains(&format!("Redirect location reported: {url} . To automatically connect")));

    let mut consent = server.options();
    consent.set("max_redirections", "5").unwrap();
    let session = Session::connect(&consent, None).unwrap();
    let uri = session.uri().to_owned();
    assert_eq!(
        session.warnings().get(0).unwrap().to_str().unwrap(),
        format!("Your connection has been redirected to the following URI: \"{uri}\"")
    );
    assert_eq!((session.warnings().len(), session.uris().len(), session.computer_name()), (1, 2, "127.0.0.1"));
    assert!(matches!(drain(&session.invoke(&command("x")).unwrap()), (1, None)));
    session.disconnect(LONG).unwrap();
    target.until_empty();
    assert_eq!((server.count("Create"), server.count("Delete"), target.count("Delete")), (2, 0, 1));
}

#[test]
fn redirections_end_somewhere() {
    let server = Server::start(|_, request| Do::Reply(302, request.to.clone().leak(), "text/html", String::new()));
    let mut options = server.options();
    options.set("max_redirections", "5").unwrap();
    assert_eq!(Session::connect(&options, None).unwrap_err().kind(), ErrorKind::Redirected);
    assert_eq!(server.count("Create"), 6);

    for (location, kind) in [("https://evil.example/powershell", ErrorKind::Redirected), ("powershell", ErrorKind::Protocol)] {
        let server = Server::start(move |_, _| Do::Reply(302, location, "text/html", String::new()));
        let mut options = server.options();
        options.set("max_redirections", "5").unwrap();
        let error = Session::connect(&options, None).unwrap_err();
        assert_eq!((error.kind(), error.fact(fact::REDIRECT_LOCATION)), (kind, Some(location)));
        assert_eq!(server.count("Create"), 1);
    }
}

#[test]
fn an_open_that_fails_leaves_no_shell() {
    type Case = (&'static str, fn() -> Do, ErrorKind);
    let cases: &[Case] = &[
        ("Create", || Do::Reply(401, "", "text/html", String::new()), ErrorKind::Authentication),
        ("Create", || Do::Reply(403, "", "text/html", "<b>no</b>".into()), ErrorKind::AccessDenied),
        ("Create", || Do::Reply(400, "", "text/html", "<b>Bad Request</b>".into()), ErrorKind::AccessDenied),
        ("Create", || Do::Reply(404, "", "text/html", String::new()), ErrorKind::TenantNotFound),
        ("Create", || Do::Reply(503, "", "text/html", "<b>busy</b>".into()), ErrorKind::Service),
        ("Create", || Do::Reply(200, "", "text/html", "<html>sign in here".into()), ErrorKind::Protocol),
        ("Create", || Do::Fault(2150859173, "exceeded"), ErrorKind::Quota),
        ("Create", || Do::Cut, ErrorKind::Disconnected),
        ("Create", || Do::HangUp, ErrorKind::Disconnected),
        ("PoolReceive", || Do::HangUp, ErrorKind::Disconnected),
        ("PoolReceive", || Do::Cut, ErrorKind::Disconnected),
        ("PoolReceive", || Do::Fault(2150858843, "the shell was not found on the server"), ErrorKind::Disconnected),
        ("PoolReceive", || Do::Reply(503, "", "text/html", "<b>busy</b>".into()), ErrorKind::Service),
        (
            "PoolReceive",
            || {
                Do::Break(
                    "[AuthZRequestId=1f2e] Fail to create a runspace because you have exceeded the maximum number of connections allowed : 3",
                )
            },
            ErrorKind::Quota,
        ),
        ("PoolReceive", || Do::Break("some other reason"), ErrorKind::Disconnected),
    ];
    for (name, act, kind) in cases {
        let (name, act) = (*name, *act);
        let server = Server::start(move |seen, _| if seen.name == name && seen.before == 0 { act() } else { Do::Serve });
        let session = Session::open(&server.options()).unwrap();
        let error = session.wait(LONG).unwrap_err();
        assert_eq!(error.kind(), *kind, "{name}: {error:?}");
        assert_eq!(error.fact(fact::TENANT), Some("fabrikam.com"), "{error:?}");
        assert!(error.fact(fact::NATIVE_MESSAGE).is_some(), "{error:?}");
        drop(session);
        server.until_empty();
        assert_eq!(server.count("Create"), 1, "a Create is sent once");
    }
}

#[test]
fn a_command_is_sent_once_whatever_becomes_of_it() {
    type Case = (&'static str, fn() -> Do, ErrorKind, State);
    let cases: &[Case] = &[
        ("Command", || Do::HangUp, ErrorKind::Disconnected, State::Broken),
        ("Command", || Do::Cut, ErrorKind::Disconnected, State::Broken),
        ("Command", || Do::Reply(401, "", "text/html", String::new()), ErrorKind::Authentication, State::Opened),
        ("Command", || Do::Fault(2150859174, "not be approved for at least 4000 milliseconds"), ErrorKind::Throttled, State::Opened),
        ("Command", || Do::Fault(2150858843, "the shell was not found on the server"), ErrorKind::Disconnected, State::Broken),
        ("Receive", || Do::HangUp, ErrorKind::Disconnected, State::Broken),
        ("Receive", || Do::Cut, ErrorKind::Disconnected, State::Broken),
        ("Receive", || Do::Fault(2150858843, "the shell was not found on the server"), ErrorKind::Disconnected, State::Broken),
        ("Receive", || Do::Reply(200, "", SOAP, "<a/>".into()), ErrorKind::Protocol, State::Broken),
        ("Receive", || Do::Reply(503, "", "text/html", "<b>busy</b>".into()), ErrorKind::Service, State::Opened),
    ];
    for (name, act, kind, state) in cases {
        let (name, act) = (*name, *act);
        let server = Server::start(move |seen, _| if seen.name == name && seen.before == 0 { act() } else { Do::Serve });
        let session = server.connect().unwrap();
        let (_, error) = drain(&session.invoke(&command("x")).unwrap());
        let error = error.unwrap();
        assert_eq!((error.kind(), session.state()), (*kind, *state), "{name}: {error:?}");
        assert_eq!(server.count("Command"), 1, "{name}");
        if *state == State::Opened {
            assert!(matches!(drain(&session.invoke(&command("x")).unwrap()), (1, None)), "{name}: the session goes on");
        } else {
            assert_eq!(session.invoke(&command("x")).unwrap_err().kind(), ErrorKind::InvalidState);
        }
        drop(session);
        server.until_empty();
    }
}

/// Options with the shortest patience.
/// With little patience for all but the open, which is to succeed on a busy machine.
fn hasty(server: &Server) -> Options {
    let mut options = server.options();
    for key in ["operation_timeout_ms", "cancel_timeout_ms"] {
        options.set(key, "300").unwrap();
    }
    options
}

#[test]
fn silence_is_bounded_and_leaves_no_shell() {
    for (name, before) in [("Create", 0), ("PoolReceive", 0), ("PoolReceive", 1)] {
        let server = Server::start(move |seen, _| if (seen.name, seen.before) == (name, before) { Do::Silence } else { Do::Serve });
        let mut options = hasty(&server);
        if before == 0 {
            options.set("open_timeout_ms", "300").unwrap();
        }
        let session = Session::open(&options).unwrap();
        let opened = session.wait(LONG);
        if before == 0 {
            let error = opened.unwrap_err();
            assert_eq!((error.kind(), error.fact(fact::NATIVE_ID)), (ErrorKind::Timeout, Some("WinRMOperationTimeout")), "{name}");
        }
        while session.state() == State::Opened {
            thread::yield_now();
        }
        assert_eq!((session.state(), session.wait(LONG).unwrap_err().kind()), (State::Broken, ErrorKind::Timeout));
        drop(session);
        server.until_empty();
        assert_eq!(server.count("Create"), 1);
    }
    for name in ["Command", "Receive"] {
        let server = Server::start(move |seen, _| if seen.name == name { Do::Silence } else { Do::Serve });
        let session = Session::connect(&hasty(&server), None).unwrap();
        let error = drain(&session.invoke(&command("x")).unwrap()).1.unwrap();
        assert_eq!((error.kind(), server.count("Command")), (ErrorKind::Timeout, 1), "{name}");
        server.until_empty();
    }
    let server = Server::start(|seen, _| if seen.name == "Delete" { Do::Silence } else { Do::Serve });
    let session = Session::connect(&hasty(&server), None).unwrap();
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    assert_eq!(session.state(), State::Closed);
}

#[test]
fn a_stop_is_bounded_whatever_the_server_does() {
    // It confirms the stop and goes on: given up after the cancel timeout, and released.
    let server = Server::start(|seen, _| if seen.name == "Stop" { Do::Say(Response::Signaled) } else { Do::Serve });
    let session = Session::connect(&hasty(&server), None).unwrap();
    let waits = session.invoke(&command("wait")).unwrap();
    waits.stop();
    assert_eq!(drain(&waits).1.unwrap().kind(), ErrorKind::Cancelled);
    assert!(matches!(drain(&session.invoke(&command("x")).unwrap()), (1, None)), "the session goes on");
    drop(session);

    // It says nothing to the stop, or to the Command that is to be stopped.
    for name in ["Stop", "Command"] {
        let server = Server::start(move |seen, _| if seen.name == name { Do::Silence } else { Do::Serve });
        let mut options = hasty(&server);
        options.set("operation_timeout_ms", "60000").unwrap();
        let session = Session::connect(&options, None).unwrap();
        let waits = session.invoke(&command("wait")).unwrap();
        while server.count("Command") == 0 {
            thread::yield_now();
        }
        waits.stop();
        let kind = drain(&waits).1.unwrap().kind();
        assert!(matches!(kind, ErrorKind::Timeout | ErrorKind::Cancelled), "{name}: {kind:?}");
        drop((waits, session));
        server.until_empty();
    }
}

#[test]
fn a_pool_that_breaks_ends_its_command() {
    let server = Server::start(|_, _| Do::Serve);
    let session = server.connect().unwrap();
    let waiting = session.invoke(&command("wait")).unwrap();
    {
        // As when the server closes the shell: what waits learns of it.
        let mut shells = server.inner.shells.lock().unwrap();
        let shell = shells.values_mut().next().unwrap();
        let pool = shell.pool.as_mut().unwrap();
        pool.set_state(PoolState::Broken, None);
        shell.output = pool.take_output().into();
        server.inner.changed.notify_all();
    }
    let error = drain(&waiting).1.unwrap();
    assert_eq!((error.kind(), session.state()), (ErrorKind::Disconnected, State::Broken), "{error:?}");
    server.until_empty();
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    assert_eq!(session.state(), State::Closed);
}

#[test]
fn a_close_is_tried_again_and_is_a_close_whatever_the_server_says() {
    for act in [|| Do::HangUp, || Do::Cut, || Do::Fault(2150858843, "gone"), || Do::Reply(503, "", "text/html", String::new())] {
        let server = Server::start(move |seen, _| if seen.name == "Delete" && seen.before == 0 { act() } else { Do::Serve });
        let session = server.connect().unwrap();
        assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
        assert_eq!(session.state(), State::Closed);
        assert!(server.count("Delete") <= 2);
    }
    let server = Server::start(|seen, _| if seen.name == "Delete" { Do::HangUp } else { Do::Serve });
    let session = Session::connect(&hasty(&server), None).unwrap();
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    assert_eq!(session.state(), State::Closed);
}

#[test]
fn nobody_there_is_an_error_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut options = Options::new();
    options.set("uri", &format!("http://127.0.0.1:{port}/powershell")).unwrap();
    options.set("proxy", "none").unwrap();
    assert_eq!(Session::open(&options).unwrap_err().kind(), ErrorKind::InvalidArgument, "http needs consent");
    options.set("allow_unencrypted", "true").unwrap();
    let error = Session::connect(&options, None).unwrap_err();
    assert_eq!((error.kind(), error.fact(fact::NATIVE_ID)), (ErrorKind::Connect, Some("CannotConnect")), "{error:?}");
    options.set("uri", "http://no-such-host.invalid/powershell").unwrap();
    let error = Session::connect(&options, None).unwrap_err();
    assert_eq!((error.kind(), error.fact(fact::NATIVE_ID)), (ErrorKind::Connect, Some("ComputerNotFound")), "{error:?}");
}
