//! Envelopes and faults: samples in the shapes of native clients and recorded servers, what is written read back, and
//! what is broken. (DSP0226; MS-WSMV 2.2, 3.1.4; wire.md §1.2, §1.3, §1.6)

use bytes::Bytes;
use delegated_tenant::transport::soap::{
    Create, Created, Fault, Request, RequestEnvelope, Response, ResponseEnvelope, SignalCode, Stream, read_request, read_response,
    visible_text, write_request, write_response,
};
use delegated_tenant::{ErrorKind, Result};
use std::fs;
use std::path::{Path, PathBuf};

const SHELL: &str = "2D6534D0-6B12-40E3-B773-CBA26459CFA8";
const COMMAND: &str = "9A52D8A7-7B4C-4D06-A1F0-5D7A4DFD1E11";
const MESSAGE: &str = "uuid:3E4BCB1D-0E0F-4E1B-8E62-6B7B1D1C9A01";
const NASTY: &str = "<&>\"' ]]> \u{1F600} é\r\n\t_x000A_";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/soap")
}

fn sample(name: &str) -> Bytes {
    fs::read(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}")).into()
}

fn samples(folder: &Path) -> Vec<(String, Bytes)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap().into()))
        .collect();
    all.sort();
    all
}

#[track_caller]
fn request(name: &str) -> RequestEnvelope {
    let read = read_request(&sample(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(read_request(write_request(&read).as_bytes()).unwrap(), read, "{name}");
    read
}

#[track_caller]
fn response(name: &str) -> ResponseEnvelope {
    let read = read_response(&sample(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(read.relates_to, MESSAGE, "{name}");
    assert_eq!(read_response(&write_response(&read).into()).unwrap(), read, "{name}");
    read
}

#[track_caller]
fn fault(name: &str) -> Fault {
    response(name).body.expect_err(name)
}

fn stdout(command: Option<&str>, data: &'static str) -> Stream {
    Stream { name: "stdout".into(), command_id: command.map(str::to_owned), data: Bytes::from_static(data.as_bytes()) }
}

fn envelope(body: Request) -> RequestEnvelope {
    RequestEnvelope {
        to: "https://ps.example.com:443/powershell-liveid?DelegatedOrg=customer.com;PSVersion=5.1.19041.610".into(),
        resource_uri: "http://schemas.microsoft.com/powershell/Microsoft.Exchange".into(),
        message_id: MESSAGE.into(),
        session_id: Some("uuid:AAAAAAAA-6B12-40E3-B773-CBA26459CFA8".into()),
        operation_id: Some("uuid:BBBBBBBB-6B12-40E3-B773-CBA26459CFA8".into()),
        shell_id: Some(SHELL.into()),
        operation_timeout_ms: 180_000,
        max_envelope_size: 512_000,
        locale: "en-US".into(),
        data_locale: "de-DE".into(),
        options: Vec::new(),
        body,
    }
}

#[test]
fn windows_requests_are_read() {
    let create = Request::Create(Create {
        shell_id: Some(SHELL.into()),
        name: Some("WinRM10".into()),
        idle_timeout_ms: Some(900_000),
        creation: Bytes::from_static(b"capability and init"),
    });
    let options = vec![("protocolversion".into(), "2.3".into(), true)];
    assert_eq!(request("create-windows.xml"), RequestEnvelope { shell_id: None, options, ..envelope(create) });
    let command =
        Request::Command { command_id: COMMAND.into(), line: "Get-Mailbox <&>".into(), arguments: Bytes::from_static(b"create pipeline") };
    assert_eq!(request("command-windows.xml"), envelope(command));
    let options = vec![("WSMAN_CMDSHELL_OPTION_KEEPALIVE".into(), "TRUE".into(), false)];
    let receive = Request::Receive { command_id: Some(COMMAND.into()) };
    assert_eq!(request("receive-windows.xml"), RequestEnvelope { options, ..envelope(receive) });
    assert_eq!(request("signal-windows.xml"), envelope(Request::Signal { command_id: COMMAND.into(), code: SignalCode::Stop }));
    assert_eq!(request("delete-windows.xml"), envelope(Request::Delete));
}

#[test]
fn prefixes_order_breaks_and_unknown_headers_make_no_difference() {
    let read = request("send-other-prefixes.xml");
    assert_eq!((read.operation_timeout_ms, read.max_envelope_size), (20_000, 153_600));
    assert_eq!((read.shell_id.as_deref(), read.operation_id), (Some(SHELL), None));
    let streams = vec![
        Stream { name: "stdin".into(), command_id: Some(COMMAND.into()), data: Bytes::from_static(b"first ") },
        Stream { name: "pr".into(), command_id: None, data: Bytes::from_static(b"second") },
    ];
    assert_eq!(read.body, Request::Send(streams));
    let read = response("receive-response-other-prefixes.xml");
    assert_eq!(read.body, Ok(Response::Received { streams: vec![stdout(None, "line one of many")], done: None }));
}

/// The reader forgives what a server would not, so the text itself is held against the native one.
#[test]
fn requests_are_written_as_windows_writes_them() {
    let normal = |text: &str| text.replace(" >", ">").replace("  ", " ").replace("<s:Body></s:Body>", "<s:Body />");
    let whole = |name: &str| String::from_utf8(sample(name).to_vec()).unwrap();
    for name in ["command-windows.xml", "signal-windows.xml", "delete-windows.xml"] {
        assert_eq!(normal(&write_request(&request(name))), normal(&whole(name)), "{name}");
    }
    let receive = envelope(Request::Receive { command_id: Some(COMMAND.into()) });
    let options = "<w:OptionSet s:mustUnderstand=\"true\"><w:Option Name=\"WSMAN_CMDSHELL_OPTION_KEEPALIVE\">TRUE</w:Option></w:OptionSet>";
    assert_eq!(normal(&write_request(&receive)), normal(&whole("receive-windows.xml").replace(options, "")));
    let create = write_request(&request("create-windows.xml"));
    for part in [
        "<a:Action s:mustUnderstand=\"true\">http://schemas.xmlsoap.org/ws/2004/09/transfer/Create</a:Action>",
        "<w:OptionSet s:mustUnderstand=\"true\"><w:Option Name=\"protocolversion\" MustComply=\"true\">2.3</w:Option></w:OptionSet>",
        "<rsp:IdleTimeOut>PT900.000S</rsp:IdleTimeOut><rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams>",
        "<creationXml xmlns=\"http://schemas.microsoft.com/powershell\">Y2FwYWJpbGl0eSBhbmQgaW5pdA==</creationXml>",
    ] {
        assert!(create.contains(part), "{part} is not in {create}");
    }
    assert!(!create.contains("SelectorSet") && !create.contains("CompressionType"));
}

#[test]
fn every_request_reads_back_as_it_was_written() {
    let binary: Bytes = (0..=255).cycle().take(1000).collect::<Vec<u8>>().into();
    let stream = |name: &str, command: Option<&str>, data: &Bytes| Stream {
        name: name.into(),
        command_id: command.map(str::to_owned),
        data: data.clone(),
    };
    let bodies = [
        Request::Create(Create { shell_id: None, name: None, idle_timeout_ms: None, creation: Bytes::new() }),
        Request::Create(Create {
            shell_id: Some(SHELL.into()),
            name: Some(NASTY.into()),
            idle_timeout_ms: Some(1),
            creation: binary.clone(),
        }),
        Request::Command { command_id: COMMAND.into(), line: NASTY.into(), arguments: binary.clone() },
        Request::Command { command_id: COMMAND.into(), line: " ".into(), arguments: Bytes::new() },
        Request::Send(vec![]),
        Request::Send(vec![stream("stdin", Some(COMMAND), &binary), stream("pr", None, &Bytes::new())]),
        Request::Receive { command_id: None },
        Request::Receive { command_id: Some(COMMAND.into()) },
        Request::Signal { command_id: COMMAND.into(), code: SignalCode::Stop },
        Request::Signal { command_id: COMMAND.into(), code: SignalCode::Terminate },
        Request::Signal { command_id: COMMAND.into(), code: SignalCode::Other("powershell/signal/ctrl_c".into()) },
        Request::Delete,
    ];
    for body in bodies {
        let whole = envelope(body.clone());
        assert_eq!(read_request(write_request(&whole).as_bytes()).unwrap(), whole);
        let bare = RequestEnvelope { session_id: None, operation_id: None, shell_id: None, operation_timeout_ms: 1, ..envelope(body) };
        assert_eq!(read_request(write_request(&bare).as_bytes()).unwrap(), bare);
    }
    let signal = Request::Signal { command_id: COMMAND.into(), code: SignalCode::Stop };
    assert!(write_request(&envelope(signal)).contains(">powershell/signal/crtl_c<"), "the typo is the protocol");
}

#[test]
fn responses_of_new_and_old_servers_are_read() {
    let new = response("create-response-2016.xml");
    assert_eq!(new.activity_id.as_deref(), Some("D1A9E6B0-2222-0000-8E62-6B7B1D1C9A01"));
    let created = Created { shell_id: SHELL.into(), idle_timeout_ms: Some(7_200_000), owner: Some("PARTNER\\admin".into()) };
    assert_eq!(new.body, Ok(Response::Created(created)));
    let old = response("create-response-2008r2.xml");
    assert_eq!(old.body, Ok(Response::Created(Created { shell_id: SHELL.into(), ..Created::default() })));
    assert_eq!(old.activity_id, None);
    assert_eq!(response("command-response.xml").body, Ok(Response::CommandStarted { command_id: COMMAND.into() }));
    assert_eq!(response("send-response.xml").body, Ok(Response::Sent));
    assert_eq!(response("signal-response.xml").body, Ok(Response::Signaled));
    assert_eq!(response("delete-response.xml").body, Ok(Response::Deleted));
    let running = vec![stdout(Some(COMMAND), "fragment one"), stdout(Some(COMMAND), "fragment two and three")];
    assert_eq!(response("receive-response-running.xml").body, Ok(Response::Received { streams: running, done: None }));
    let last = Response::Received { streams: vec![stdout(Some(COMMAND), "last")], done: Some(COMMAND.into()) };
    assert_eq!(response("receive-response-done.xml").body, Ok(last));
    let alive = vec![stdout(None, ""), stdout(Some(COMMAND), "")];
    assert_eq!(response("receive-response-keepalive.xml").body, Ok(Response::Received { streams: alive, done: None }));
}

#[test]
fn faults_say_what_to_do_next() {
    let timed_out = fault("fault-timed-out.xml");
    assert!(timed_out.is_timeout() && !timed_out.is_shell_gone() && !timed_out.is_quota());
    assert_eq!((timed_out.code, timed_out.signed_code()), (Some(2_150_858_793), Some(-2_144_108_503)));
    assert_eq!(timed_out.subcode, "TimedOut");
    let gone = fault("fault-shell-gone.xml");
    assert!(gone.is_shell_gone() && !gone.is_timeout());
    assert!(gone.text().contains("[FailureCategory=WSMan-InvalidShellID] The request"), "{}", gone.text());
    assert_eq!(gone.request_id(), Some("0f5a1c1c-1f11-4b1b-8f1c-0123456789ab"));
    let quota = fault("fault-quota.xml");
    assert!(quota.is_quota());
    assert_eq!(quota.code, Some(2_150_859_173), "a code printed signed is the same code");
    let provider = fault("fault-provider.xml");
    assert!(provider.text().ends_with("isn't assigned to any management roles."), "{}", provider.text());
    assert_eq!(provider.request_id(), Some("11111111-2222-3333-4444-555555555555"));
    let bare = fault("fault-without-detail.xml");
    assert_eq!((bare.code, bare.text(), bare.subcode.as_str()), (None, "Something is wrong.", ""));
    let words = fault("fault-detail-in-words.xml");
    assert_eq!((words.code, words.text(), words.subcode.as_str()), (None, "Nein.", "ActionNotSupported"));
}

#[test]
fn every_response_reads_back_as_it_was_written() {
    let with = |body| ResponseEnvelope { relates_to: MESSAGE.into(), activity_id: Some("id".into()), body };
    let bodies = [
        Ok(Response::Created(Created { shell_id: SHELL.into(), idle_timeout_ms: Some(1), owner: Some(NASTY.trim().into()) })),
        Ok(Response::Received { streams: vec![], done: Some(COMMAND.into()) }),
        Ok(Response::Received { streams: vec![stdout(None, NASTY), stdout(Some(COMMAND), "")], done: None }),
        Err(Fault { code: Some(u32::MAX), subcode: "TimedOut".into(), reason: NASTY.into(), message: NASTY.into() }),
        Err(Fault { code: None, subcode: String::new(), reason: "no".into(), message: String::new() }),
    ];
    for body in bodies {
        let whole = with(body);
        assert_eq!(read_response(&write_response(&whole).into()).unwrap(), whole);
    }
}

#[test]
fn what_is_malformed_is_refused_with_its_defect() {
    let expected = [
        ("base64.xml", "not base64"),
        ("cut.xml", "ends inside"),
        ("deep.xml", "deeper than"),
        ("document-type.xml", "document type"),
        ("element-in-stream.xml", "element where text"),
        ("empty-answer.xml", "no answer"),
        ("mismatched-tag.xml", "not well formed"),
        ("no-body.xml", "no body"),
        ("no-shell-id.xml", "no answer"),
        ("not-utf8.xml", "utf-8"),
        ("soap-1.1.xml", "not a soap envelope"),
        ("text-among-streams.xml", "text where an element"),
        ("two-roots.xml", "more than one root"),
        ("undeclared-prefix.xml", "prefix"),
        ("unknown-answer.xml", "no answer"),
    ];
    let all = samples(&folder().join("malformed"));
    assert_eq!(all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected.map(|(name, _)| name));
    for ((name, text), (_, defect)) in all.iter().zip(expected) {
        let e = read_response(text).expect_err(name);
        assert_eq!((e.kind(), e.context()), (ErrorKind::Protocol, "read reply"), "{name}");
        assert!(e.to_string().contains(defect), "{name}: {e}");
    }
}

#[test]
fn what_is_no_envelope_is_refused_and_its_words_are_found() {
    for page in
        ["", "   ", "Bad Request", "<html><body><h1>Service <b>unavailable</b></h1></body></html>", "\0\0", "<", "&", "{\"error\":1}"]
    {
        assert_eq!(read_response(&Bytes::from(page)).expect_err(page).kind(), ErrorKind::Protocol);
    }
    assert_eq!(visible_text(b"<html><body><h1>Service <b>unavailable</b></h1></body></html>"), "Service unavailable");
}

/// Neither a reader nor its caller may be taken down by any text.
#[test]
fn cut_and_altered_samples_are_survived() {
    let both = |text: &Bytes| -> (Result<RequestEnvelope>, Result<ResponseEnvelope>) { (read_request(text), read_response(text)) };
    for (name, text) in samples(&folder()) {
        let end = text.len() - text.iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
        for length in 0..end {
            let (request, response) = both(&text.slice(..length));
            assert!(request.is_err() && response.is_err(), "{name} cut at {length} was taken for whole");
        }
        // Every byte is altered, each in one of these ways.
        for (at, with) in (0..text.len()).zip([b'<', b'>', b'"', b'&', b'/', b' ', 0xFF].into_iter().cycle()) {
            let mut altered = text.to_vec();
            altered[at] = with;
            let _ = both(&altered.into());
        }
    }
}

#[test]
fn a_large_reply_is_decoded_whole() {
    let data: Bytes = (0..=250).cycle().take(3 << 20).collect::<Vec<u8>>().into();
    let streams =
        (0..100).map(|n| Stream { name: "stdout".into(), command_id: None, data: data.slice(n * 30_000..n * 30_000 + 29_999) }).collect();
    let whole = ResponseEnvelope { relates_to: MESSAGE.into(), activity_id: None, body: Ok(Response::Received { streams, done: None }) };
    assert!(read_response(&write_response(&whole).into()).unwrap() == whole);
}
