//! Requests, both directions.

use super::*;
use crate::xml::{Reader, Start, Writer};

const CONTEXT: &str = "read request";

/// The text of a request, with the headers that Windows' own client sends.
pub fn write_request(envelope: &RequestEnvelope) -> String {
    let mut w = Writer::new();
    w.start("s:Envelope");
    for (prefix, uri) in [("xmlns:s", ns::S), ("xmlns:a", ns::A), ("xmlns:w", ns::W), ("xmlns:p", ns::P)] {
        w.attribute(prefix, uri);
    }
    w.start("s:Header");
    w.element("a:To", &envelope.to);
    w.start("w:ResourceURI").attribute("s:mustUnderstand", "true").text(&envelope.resource_uri).end();
    w.start("a:ReplyTo").start("a:Address").attribute("s:mustUnderstand", "true").text(ANONYMOUS).end().end();
    w.start("a:Action").attribute("s:mustUnderstand", "true").text(action_of(&envelope.body)).end();
    w.start("w:MaxEnvelopeSize").attribute("s:mustUnderstand", "true").text(&envelope.max_envelope_size.to_string()).end();
    w.element("a:MessageID", &envelope.message_id);
    w.start("w:Locale").attribute("xml:lang", &envelope.locale).attribute("s:mustUnderstand", "false").end();
    w.start("p:DataLocale").attribute("xml:lang", &envelope.data_locale).attribute("s:mustUnderstand", "false").end();
    if let Some(id) = &envelope.session_id {
        w.start("p:SessionId").attribute("s:mustUnderstand", "false").text(id).end();
    }
    if let Some(id) = &envelope.operation_id {
        w.start("p:OperationID").attribute("s:mustUnderstand", "false").text(id).end();
        w.start("p:SequenceId").attribute("s:mustUnderstand", "false").text("1").end();
    }
    if let Some(id) = &envelope.shell_id {
        w.start("w:SelectorSet").start("w:Selector").attribute("Name", "ShellId").text(id).end().end();
    }
    if !envelope.options.is_empty() {
        w.start("w:OptionSet").attribute("s:mustUnderstand", "true");
        for (name, value, must_comply) in &envelope.options {
            w.start("w:Option").attribute("Name", name);
            if *must_comply {
                w.attribute("MustComply", "true");
            }
            w.text(value).end();
        }
        w.end();
    }
    w.element("w:OperationTimeout", &write_duration(envelope.operation_timeout_ms));
    w.end();
    w.start("s:Body");
    write_body(&mut w, &envelope.body);
    w.finish()
}

fn action_of(body: &Request) -> &'static str {
    match body {
        Request::Create(_) => action::CREATE,
        Request::Command { .. } => action::COMMAND,
        Request::Send(_) => action::SEND,
        Request::Receive { .. } => action::RECEIVE,
        Request::Signal { .. } => action::SIGNAL,
        Request::Delete => action::DELETE,
    }
}

fn write_body(w: &mut Writer, body: &Request) {
    match body {
        Request::Create(create) => {
            w.start("rsp:Shell").attribute("xmlns:rsp", ns::RSP);
            if let Some(id) = &create.shell_id {
                w.attribute("ShellId", id);
            }
            if let Some(name) = &create.name {
                w.attribute("Name", name);
            }
            if let Some(idle) = create.idle_timeout_ms {
                w.element("rsp:IdleTimeOut", &write_duration(idle));
            }
            w.element("rsp:InputStreams", "stdin pr").element("rsp:OutputStreams", "stdout");
            w.start("creationXml").attribute("xmlns", ns::POWERSHELL).raw(&encode_base64(&create.creation)).end();
            w.end();
        }
        Request::Command { command_id, line, arguments } => {
            w.start("rsp:CommandLine").attribute("xmlns:rsp", ns::RSP).attribute("CommandId", command_id);
            w.element("rsp:Command", line).start("rsp:Arguments").raw(&encode_base64(arguments)).end().end();
        }
        Request::Send(streams) => {
            w.start("rsp:Send").attribute("xmlns:rsp", ns::RSP);
            for stream in streams {
                write_stream(w, stream);
            }
            w.end();
        }
        Request::Receive { command_id } => {
            w.start("rsp:Receive").attribute("xmlns:rsp", ns::RSP).attribute("SequenceId", "0").start("rsp:DesiredStream");
            if let Some(id) = command_id {
                w.attribute("CommandId", id);
            }
            w.text("stdout").end().end();
        }
        Request::Signal { command_id, code } => {
            w.start("rsp:Signal").attribute("xmlns:rsp", ns::RSP).attribute("CommandId", command_id);
            let code = match code {
                SignalCode::Stop => SIGNAL_STOP,
                SignalCode::Terminate => SIGNAL_TERMINATE,
                SignalCode::Other(code) => code,
            };
            w.element("rsp:Code", code).end();
        }
        Request::Delete => {}
    }
}

pub(super) fn write_stream(w: &mut Writer, stream: &Stream) {
    w.start("rsp:Stream").attribute("Name", &stream.name);
    if let Some(id) = &stream.command_id {
        w.attribute("CommandId", id);
    }
    w.raw(&encode_base64(&stream.data)).end();
}

/// A request out of its text: the simulator's half. Headers that are not known are passed over.
pub fn read_request(text: &[u8]) -> Result<RequestEnvelope> {
    let mut r = Reader::new(CONTEXT, text, LIMITS)?;
    if !r.root()?.is(ns::S, "Envelope") {
        return Err(r.error("the root is not a soap envelope"));
    }
    let mut envelope = RequestEnvelope {
        to: String::new(),
        resource_uri: String::new(),
        message_id: String::new(),
        session_id: None,
        operation_id: None,
        shell_id: None,
        operation_timeout_ms: 60_000,
        max_envelope_size: 153_600,
        locale: "en-US".into(),
        data_locale: "en-US".into(),
        options: Vec::new(),
        body: Request::Delete,
    };
    let mut action = String::new();
    let mut body = None;
    while let Some(part) = r.child()? {
        if part.is(ns::S, "Header") {
            action = read_header(&mut r, &mut envelope)?;
        } else if part.is(ns::S, "Body") {
            body = Some(read_body(&mut r, &action)?);
        } else {
            r.skip()?;
        }
    }
    r.end_of_document()?;
    envelope.body = body.ok_or_else(|| r.error("the envelope has no body"))?;
    Ok(envelope)
}

fn read_header(r: &mut Reader<'_>, envelope: &mut RequestEnvelope) -> Result<String> {
    let mut action = String::new();
    while let Some(h) = r.child()? {
        match (h.namespace, h.name) {
            (ns::A, "Action") => action = trimmed(r)?,
            (ns::A, "To") => envelope.to = trimmed(r)?,
            (ns::A, "MessageID") => envelope.message_id = trimmed(r)?,
            (ns::W, "ResourceURI") => envelope.resource_uri = trimmed(r)?,
            (ns::P, "SessionId") => envelope.session_id = Some(trimmed(r)?),
            (ns::P, "OperationID") => envelope.operation_id = Some(trimmed(r)?),
            (ns::W, "MaxEnvelopeSize") => {
                envelope.max_envelope_size = trimmed(r)?.parse().map_err(|_| r.error("MaxEnvelopeSize is not a number"))?;
            }
            (ns::W, "OperationTimeout") => {
                envelope.operation_timeout_ms = read_duration(&trimmed(r)?).ok_or_else(|| r.error("OperationTimeout is not a duration"))?;
            }
            (ns::W, "Locale") => {
                envelope.locale = language(&h);
                r.skip()?;
            }
            (ns::P, "DataLocale") => {
                envelope.data_locale = language(&h);
                r.skip()?;
            }
            (ns::W, "SelectorSet") => {
                while let Some(selector) = r.child()? {
                    let is_shell = selector.attribute("Name") == Some("ShellId");
                    let value = trimmed(r)?;
                    if is_shell {
                        envelope.shell_id = Some(value);
                    }
                }
            }
            (ns::W, "OptionSet") => {
                while let Some(option) = r.child()? {
                    let name = option.attribute("Name").unwrap_or_default().to_owned();
                    let must_comply = option.attribute("MustComply") == Some("true");
                    envelope.options.push((name, trimmed(r)?, must_comply));
                }
            }
            _ => r.skip()?,
        }
    }
    Ok(action)
}

fn trimmed(r: &mut Reader<'_>) -> Result<String> {
    Ok(r.text()?.trim().to_owned())
}

fn language(start: &Start<'_>) -> String {
    start.attribute_in(xml::XML_NAMESPACE, "lang").unwrap_or("en-US").to_owned()
}

fn read_body(r: &mut Reader<'_>, action: &str) -> Result<Request> {
    let Some(start) = r.child()? else {
        return match action {
            action::DELETE => Ok(Request::Delete),
            _ => Err(r.error("the body is empty")),
        };
    };
    if start.namespace != ns::RSP {
        return Err(r.error("the body is not of the shell namespace"));
    }
    let command_id = start.attribute("CommandId").map(str::to_owned);
    let request = match (action, start.name) {
        (action::CREATE, "Shell") => Request::Create(read_create(r, &start)?),
        (action::COMMAND, "CommandLine") => read_command(r, command_id.unwrap_or_default())?,
        (action::SEND, "Send") => {
            let mut streams = Vec::new();
            while let Some(part) = r.child()? {
                streams.push(read_stream(CONTEXT, r, &part)?);
            }
            Request::Send(streams)
        }
        (action::RECEIVE, "Receive") => {
            let mut command_id = None;
            while let Some(part) = r.child()? {
                command_id = part.attribute("CommandId").map(str::to_owned).or(command_id);
                r.skip()?;
            }
            Request::Receive { command_id }
        }
        (action::SIGNAL, "Signal") => {
            let mut code = String::new();
            while let Some(part) = r.child()? {
                match part.name {
                    "Code" => code = trimmed(r)?,
                    _ => r.skip()?,
                }
            }
            let code = match code.as_str() {
                SIGNAL_STOP => SignalCode::Stop,
                SIGNAL_TERMINATE => SignalCode::Terminate,
                _ => SignalCode::Other(code),
            };
            Request::Signal { command_id: command_id.ok_or_else(|| r.error("Signal names no command"))?, code }
        }
        _ => return Err(r.error("the body does not fit the action")),
    };
    while r.child()?.is_some() {
        r.skip()?;
    }
    Ok(request)
}

fn read_create(r: &mut Reader<'_>, shell: &Start<'_>) -> Result<Create> {
    let mut create = Create {
        shell_id: shell.attribute("ShellId").map(str::to_owned),
        name: shell.attribute("Name").map(str::to_owned),
        idle_timeout_ms: None,
        creation: Bytes::new(),
    };
    while let Some(part) = r.child()? {
        match (part.namespace, part.name) {
            (ns::RSP, "IdleTimeOut" | "IdleTimeout") => {
                create.idle_timeout_ms = Some(read_duration(&r.text()?).ok_or_else(|| r.error("IdleTimeOut is not a duration"))?);
            }
            (ns::POWERSHELL, "creationXml") => create.creation = decode_base64(CONTEXT, &r.text()?)?,
            _ => r.skip()?,
        }
    }
    Ok(create)
}

fn read_command(r: &mut Reader<'_>, command_id: String) -> Result<Request> {
    let mut line = String::new();
    let mut arguments: Vec<u8> = Vec::new();
    while let Some(part) = r.child()? {
        match (part.namespace, part.name) {
            (ns::RSP, "Command") => line = r.text()?.into_owned(),
            (ns::RSP, "Arguments") => arguments.extend_from_slice(&decode_base64(CONTEXT, &r.text()?)?),
            _ => r.skip()?,
        }
    }
    Ok(Request::Command { command_id, line, arguments: arguments.into() })
}

pub(super) fn read_stream(context: &'static str, r: &mut Reader<'_>, start: &Start<'_>) -> Result<Stream> {
    Ok(Stream {
        name: start.attribute("Name").unwrap_or_default().to_owned(),
        command_id: start.attribute("CommandId").map(str::to_owned),
        data: decode_base64(context, &r.text()?)?,
    })
}
