//! What cannot be avoided, over one connection. On WSMan the same requests, the replies' streams out of base64, their
//! fragments joined; on REST the same requests and the links to the next pages. No XML or JSON is read, no fault
//! understood, nothing handed on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use delegated_tenant::clixml::Value;
use delegated_tenant::psrp::{Argument, ClientPool, Command, HostInfo, Merge, PoolConfig, PowerShell};
use delegated_tenant::transport::soap::{self, Create, Request, RequestEnvelope};
use memchr::memmem;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What was read: messages, bytes of HTTP bodies, and how long it took from the Command on.
pub struct Reading {
    pub messages: usize,
    pub bytes: usize,
    pub time: Duration,
}

/// One connection, with the headers that every request brings along.
struct Http {
    stream: BufReader<TcpStream>,
    head: String,
    /// The server's, for the next request.
    cookie: Option<String>,
}

impl Http {
    fn connect(authority: &str, headers: &str) -> Self {
        let stream = TcpStream::connect(authority).expect("the server listens");
        stream.set_nodelay(true).expect("a socket has the option");
        Self { stream: BufReader::with_capacity(64 * 1024, stream), head: format!("Host: {authority}\r\n{headers}"), cookie: None }
    }

    fn post(&mut self, path: &str, text: &str) {
        let cookie = self.cookie.as_ref().map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
        let head = format!("POST {path} HTTP/1.1\r\n{}{cookie}Content-Length: {}\r\n\r\n", self.head, text.len());
        self.stream.get_mut().write_all(&[head.as_bytes(), text.as_bytes()].concat()).expect("the server listens");
    }

    /// One reply's body.
    fn reply(&mut self) -> Vec<u8> {
        let (mut line, mut length, mut status) = (String::new(), 0, String::new());
        while line != "\r\n" {
            line.clear();
            assert!(self.stream.read_line(&mut line).expect("the server answers") > 0, "the server hung up");
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            if lower.starts_with("set-cookie:") {
                let cookie = line["set-cookie:".len()..].split(';').next();
                self.cookie = cookie.map(|c| c.trim().to_owned());
            }
            if status.is_empty() {
                status = lower;
            }
        }
        let mut body = Vec::with_capacity(length);
        self.stream.by_ref().take(length as u64).read_to_end(&mut body).expect("the server answers");
        assert!(status.contains(" 200") && length > 0, "{status}{}", String::from_utf8_lossy(&body));
        body
    }
}

struct Wire {
    http: Http,
    path: String,
    url: String,
    shell: String,
    session: String,
}

impl Wire {
    fn send(&mut self, body: Request) {
        let create = matches!(body, Request::Create(_));
        let text = soap::write_request(&RequestEnvelope {
            to: self.url.clone(),
            resource_uri: format!("{}Microsoft.Exchange", soap::RESOURCE_PREFIX),
            message_id: format!("uuid:{}", Uuid::new_v4().to_string().to_uppercase()),
            session_id: Some(self.session.clone()),
            operation_id: None,
            shell_id: (!create).then(|| self.shell.clone()),
            operation_timeout_ms: 60_000,
            max_envelope_size: 512_000,
            locale: "en-US".into(),
            data_locale: "en-US".into(),
            options: if create { vec![("protocolversion".into(), "2.3".into(), true)] } else { Vec::new() },
            body,
        });
        self.http.post(&self.path, &text);
    }

    fn reply(&mut self) -> Vec<u8> {
        self.http.reply()
    }
}

/// The base64 text of each stdout stream.
fn streams(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    memmem::find_iter(body, b"<rsp:Stream ").filter_map(|at| {
        let open = at + memchr::memchr(b'>', &body[at..])?;
        if body[open - 1] == b'/' {
            return None;
        }
        let text = &body[open + 1..];
        Some(&text[..memchr::memchr(b'<', text)?])
    })
}

/// Joins the fragments of `data`; counts the messages that end in it.
fn join(data: &[u8], object: &mut Vec<u8>) -> usize {
    const HEADER: usize = 21;
    let (mut rest, mut messages) = (data, 0);
    while let Some(header) = rest.first_chunk::<HEADER>() {
        let length = u32::from_be_bytes([header[17], header[18], header[19], header[20]]) as usize;
        if header[16] & 1 != 0 {
            object.clear();
        }
        object.extend_from_slice(&rest[HEADER..HEADER + length]);
        if header[16] & 2 != 0 {
            messages += 1;
            std::hint::black_box(&object);
        }
        rest = &rest[HEADER + length..];
    }
    messages
}

/// Opens a shell, runs `Get-Mailbox -ResultSize Unlimited` and reads it to its end.
pub fn read(url: &str, user: &str, password: &str) -> Reading {
    let (authority, path) = url.strip_prefix("http://").and_then(|u| u.split_once('/')).expect("an http URL with a path");
    let sign_in = STANDARD.encode(format!("{user}:{password}"));
    let host =
        HostInfo { is_host_null: true, is_host_ui_null: true, is_host_raw_ui_null: true, use_runspace_host: false, default_data: None };
    let id = Uuid::new_v4();
    let mut pool = ClientPool::new(PoolConfig {
        id,
        min_runspaces: 1,
        max_runspaces: 1,
        host,
        application_arguments: Value::Nil,
        fragment_size: 32 * 1024,
        object_limit: 10 << 20,
        pipeline_limit: None,
    });
    let mut wire = Wire {
        http: Http::connect(authority, &format!("Authorization: Basic {sign_in}\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n")),
        path: format!("/{path}"),
        url: url.to_owned(),
        shell: id.to_string().to_uppercase(),
        session: format!("uuid:{}", Uuid::new_v4().to_string().to_uppercase()),
    };
    wire.send(Request::Create(Create {
        shell_id: Some(wire.shell.clone()),
        name: None,
        idle_timeout_ms: None,
        creation: pool.open().concat().into(),
    }));
    wire.reply();
    // The pool's messages, until it is open: what they say is the library's business.
    let mut opened = false;
    while !opened {
        wire.send(Request::Receive { command_id: None });
        for text in streams(&wire.reply()) {
            let data = Bytes::from(STANDARD.decode(text).expect("base64"));
            for event in pool.receive(&data).expect("messages") {
                opened |= matches!(event, delegated_tenant::psrp::PoolEvent::State(delegated_tenant::psrp::PoolState::Opened, _));
            }
        }
    }

    let unlimited = Argument { name: Some("ResultSize".into()), value: "Unlimited".into() };
    let command = Command {
        text: "Get-Mailbox".into(),
        is_script: false,
        use_local_scope: None,
        arguments: vec![unlimited],
        merge: Merge::default(),
        end_of_statement: false,
    };
    let (pipeline, fragments) = pool
        .create_pipeline(&PowerShell {
            commands: vec![command],
            history: None,
            no_input: true,
            add_to_history: false,
            redirect_error: true,
            stream_options: 0,
            host: None,
        })
        .expect("the pool is open");
    let command_id = pipeline.id().to_string().to_uppercase();
    let begin = Instant::now();
    wire.send(Request::Command { command_id: command_id.clone(), line: " ".into(), arguments: fragments.concat().into() });
    wire.reply();
    let receive = || Request::Receive { command_id: Some(command_id.clone()) };
    wire.send(receive());
    let (mut messages, mut bytes) = (0, 0);
    let (mut object, mut decoded) = (Vec::new(), Vec::new());
    loop {
        let body = wire.reply();
        let done = memmem::rfind(&body[body.len().saturating_sub(1024)..], b"CommandState/Done").is_some();
        if !done {
            // On its way while this one is read, as the library does it.
            wire.send(receive());
        }
        bytes += body.len();
        for text in streams(&body) {
            decoded.clear();
            STANDARD.decode_vec(text, &mut decoded).expect("base64");
            messages += join(&decoded, &mut object);
        }
        if done {
            break;
        }
    }
    let time = begin.elapsed();
    wire.send(Request::Delete);
    wire.reply();
    // Without the last one, the pipeline's state.
    Reading { messages: messages - 1, bytes, time }
}

/// Posts `Get-Mailbox -ResultSize Unlimited` to the REST road and follows the pages to their end. The messages are pages.
pub fn read_pages(url: &str, organization: &str, token: &str, page: usize) -> Reading {
    const LINK: &[u8] = b"\"@odata.nextLink\":\"";
    const BODY: &str = r#"{"CmdletInput":{"CmdletName":"Get-Mailbox","Parameters":{"ResultSize":"Unlimited"}}}"#;
    let authority = url.strip_prefix("http://").expect("an http URL");
    let mut http = Http::connect(
        authority,
        &format!(
            "Authorization: Bearer {token}\r\nContent-Type: application/json\r\nPrefer: odata.maxpagesize={page}\r\nX-AnchorMailbox: APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{organization}\r\nX-CmdletName: Get-Mailbox\r\nX-ResponseFormat: clixml\r\nX-SerializationLevel: Partial\r\n"
        ),
    );
    let begin = Instant::now();
    http.post(&format!("/adminapi/beta/{organization}/InvokeCommand"), BODY);
    let (mut messages, mut bytes) = (0, 0);
    loop {
        let body = http.reply();
        // The simulator has it before the objects, with nothing escaped.
        let link = memmem::find(&body[..body.len().min(8192)], LINK).map(|at| &body[at + LINK.len()..]);
        let link = link.and_then(|text| std::str::from_utf8(&text[..memchr::memchr(b'"', text)?]).ok());
        if let Some(link) = link {
            // On its way while this one is looked at, as the library does it.
            http.post(link.strip_prefix(url).expect("a link to the same server"), BODY);
        }
        messages += 1;
        bytes += body.len();
        std::hint::black_box(&body);
        if link.is_none() {
            break;
        }
    }
    Reading { messages, bytes, time: begin.elapsed() }
}
