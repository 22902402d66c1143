//! Responses and faults, both directions.

use super::request::{read_stream, write_stream};
use super::*;
use crate::xml::{Event, Reader, Start, Writer};
use uuid::Uuid;

const CONTEXT: &str = "read reply";

/// The text of a response or fault: the simulator's half.
pub fn write_response(envelope: &ResponseEnvelope) -> String {
    let mut w = Writer::new();
    w.start("s:Envelope").attribute("xml:lang", "en-US");
    for (prefix, uri) in
        [("xmlns:s", ns::S), ("xmlns:a", ns::A), ("xmlns:x", ns::X), ("xmlns:w", ns::W), ("xmlns:p", ns::P), ("xmlns:rsp", ns::RSP)]
    {
        w.attribute(prefix, uri);
    }
    w.start("s:Header");
    let action = match &envelope.body {
        Err(_) => action::FAULT.to_owned(),
        Ok(Response::Created(_)) => format!("{}Response", action::CREATE),
        Ok(Response::CommandStarted { .. }) => format!("{}Response", action::COMMAND),
        Ok(Response::Sent) => format!("{}Response", action::SEND),
        Ok(Response::Received { .. }) => format!("{}Response", action::RECEIVE),
        Ok(Response::Signaled) => format!("{}Response", action::SIGNAL),
        Ok(Response::Deleted) => format!("{}Response", action::DELETE),
    };
    w.element("a:Action", &action);
    w.element("a:MessageID", &format!("uuid:{}", Uuid::new_v4().to_string().to_uppercase()));
    if let Some(id) = &envelope.activity_id {
        w.start("p:ActivityId").attribute("s:mustUnderstand", "false").text(id).end();
    }
    w.element("a:To", ANONYMOUS).element("a:RelatesTo", &envelope.relates_to);
    w.end();
    w.start("s:Body");
    match &envelope.body {
        Ok(response) => write_body(&mut w, response),
        Err(fault) => write_fault(&mut w, fault),
    }
    w.finish()
}

fn write_body(w: &mut Writer, response: &Response) {
    match response {
        Response::Created(created) => {
            w.start("x:ResourceCreated").element("a:Address", ANONYMOUS).start("a:ReferenceParameters");
            w.start("w:SelectorSet").start("w:Selector").attribute("Name", "ShellId").text(&created.shell_id);
            w.end().end().end().end();
            w.start("rsp:Shell").element("rsp:ShellId", &created.shell_id);
            if let Some(owner) = &created.owner {
                w.element("rsp:Owner", owner);
            }
            if let Some(idle) = created.idle_timeout_ms {
                w.element("rsp:IdleTimeOut", &write_duration(idle));
            }
            w.element("rsp:InputStreams", "stdin pr").element("rsp:OutputStreams", "stdout").element("rsp:State", "Connected").end();
        }
        Response::CommandStarted { command_id } => {
            w.start("rsp:CommandResponse").element("rsp:CommandId", command_id).end();
        }
        Response::Sent => {
            w.start("rsp:SendResponse").end();
        }
        Response::Received { streams, done } => {
            w.start("rsp:ReceiveResponse");
            for stream in streams {
                write_stream(w, stream);
            }
            if let Some(id) = done {
                w.start("rsp:CommandState").attribute("CommandId", id).attribute("State", COMMAND_DONE);
                w.element("rsp:ExitCode", "0").end();
            }
            w.end();
        }
        Response::Signaled => {
            w.start("rsp:SignalResponse").end();
        }
        Response::Deleted => {}
    }
}

fn write_fault(w: &mut Writer, fault: &Fault) {
    w.start("s:Fault").start("s:Code").element("s:Value", "s:Receiver");
    if !fault.subcode.is_empty() {
        // The subcodes of addressing have its prefix; all others are WS-Management's.
        let prefix = match fault.subcode.as_str() {
            "InvalidMessageInformationHeader" | "DestinationUnreachable" | "ActionNotSupported" => "a",
            _ => "w",
        };
        w.start("s:Subcode").element("s:Value", &format!("{prefix}:{}", fault.subcode)).end();
    }
    w.end();
    w.start("s:Reason").start("s:Text").attribute("xml:lang", "en-US").text(&fault.reason).end().end();
    if let Some(code) = fault.code {
        w.start("s:Detail").start("f:WSManFault").attribute("xmlns:f", ns::F).attribute("Code", &code.to_string());
        w.attribute("Machine", "localhost").element("f:Message", &fault.message).end().end();
    }
    w.end();
}

/// A response or fault out of its text, whatever its prefixes, headers that are not known passed over. What is no
/// envelope is a Protocol error, which [`visible_text`] can explain.
pub fn read_response(text: &Bytes) -> Result<ResponseEnvelope> {
    let mut r = Reader::new(CONTEXT, text, LIMITS)?;
    if !r.root()?.is(ns::S, "Envelope") {
        return Err(r.error("the root is not a soap envelope"));
    }
    let (mut action, mut relates_to, mut activity_id) = (String::new(), String::new(), None);
    let mut body = None;
    while let Some(part) = r.child()? {
        if part.is(ns::S, "Header") {
            while let Some(h) = r.child()? {
                match (h.namespace, h.name) {
                    (ns::A, "Action") => action = r.text()?.trim().to_owned(),
                    (ns::A, "RelatesTo") => relates_to = r.text()?.trim().to_owned(),
                    (ns::P, "ActivityId") => activity_id = Some(r.text()?.trim().to_owned()),
                    _ => r.skip()?,
                }
            }
        } else if part.is(ns::S, "Body") {
            body = Some(read_body(&mut r, &action)?);
        } else {
            r.skip()?;
        }
    }
    r.end_of_document()?;
    let body = body.ok_or_else(|| r.error("the envelope has no body"))?;
    Ok(ResponseEnvelope { relates_to, activity_id, body })
}

fn read_body(r: &mut Reader<'_>, action: &str) -> Result<std::result::Result<Response, Fault>> {
    let (mut created, mut response) = (None, None);
    while let Some(start) = r.child()? {
        match (start.namespace, start.name) {
            (ns::S, "Fault") => {
                let fault = read_fault(r)?;
                while r.child()?.is_some() {
                    r.skip()?;
                }
                return Ok(Err(fault));
            }
            (ns::X, "ResourceCreated") => {
                let shell_id = read_resource(r)?;
                created.get_or_insert_with(Created::default).shell_id = shell_id;
            }
            (ns::RSP, "Shell") => read_shell(r, &start, created.get_or_insert_with(Created::default))?,
            (ns::RSP, "CommandResponse") => {
                let mut command_id = String::new();
                while let Some(part) = r.child()? {
                    match part.name {
                        "CommandId" => command_id = r.text()?.trim().to_owned(),
                        _ => r.skip()?,
                    }
                }
                response = Some(Response::CommandStarted { command_id });
            }
            (ns::RSP, "SendResponse") => {
                r.skip()?;
                response = Some(Response::Sent);
            }
            (ns::RSP, "ReceiveResponse") => response = Some(read_received(r)?),
            (ns::RSP, "SignalResponse") => {
                r.skip()?;
                response = Some(Response::Signaled);
            }
            _ => r.skip()?,
        }
    }
    if let Some(created) = created.filter(|c| !c.shell_id.is_empty()) {
        return Ok(Ok(Response::Created(created)));
    }
    match (response, action.strip_suffix("Response")) {
        (Some(response), _) => Ok(Ok(response)),
        (None, Some(action::DELETE)) => Ok(Ok(Response::Deleted)),
        (None, Some(action::SEND)) => Ok(Ok(Response::Sent)),
        (None, Some(action::SIGNAL)) => Ok(Ok(Response::Signaled)),
        (None, _) => Err(r.error("the body holds no answer that is known")),
    }
}

fn read_resource(r: &mut Reader<'_>) -> Result<String> {
    let outside = r.depth();
    let mut shell_id = String::new();
    loop {
        match r.next()? {
            Event::Start(start) if start.is(ns::W, "Selector") && start.attribute("Name") == Some("ShellId") => {
                shell_id = r.text()?.trim().to_owned();
            }
            Event::End if r.depth() < outside => return Ok(shell_id),
            _ => {}
        }
    }
}

fn read_shell(r: &mut Reader<'_>, start: &Start<'_>, created: &mut Created) -> Result<()> {
    if let Some(id) = start.attribute("ShellId") {
        created.shell_id = id.to_owned();
    }
    while let Some(part) = r.child()? {
        match part.name {
            "ShellId" => created.shell_id = r.text()?.trim().to_owned(),
            "Owner" => created.owner = Some(r.text()?.trim().to_owned()),
            "IdleTimeOut" | "IdleTimeout" => created.idle_timeout_ms = read_duration(&r.text()?),
            _ => r.skip()?,
        }
    }
    Ok(())
}

fn read_received(r: &mut Reader<'_>) -> Result<Response> {
    let (mut streams, mut done) = (Vec::new(), None);
    while let Some(part) = r.child()? {
        match (part.namespace, part.name) {
            (ns::RSP, "Stream") => streams.push(read_stream(CONTEXT, r, &part)?),
            (ns::RSP, "CommandState") => {
                if part.attribute("State") == Some(COMMAND_DONE) {
                    done = Some(part.attribute("CommandId").unwrap_or_default().to_owned());
                }
                r.skip()?;
            }
            _ => r.skip()?,
        }
    }
    Ok(Response::Received { streams, done })
}

fn read_fault(r: &mut Reader<'_>) -> Result<Fault> {
    let mut fault = Fault::default();
    while let Some(part) = r.child()? {
        match (part.namespace, part.name) {
            (ns::S, "Code") => {
                while let Some(code) = r.child()? {
                    match code.name {
                        "Subcode" => {
                            let text = r.text_within()?;
                            let text = text.trim();
                            fault.subcode = text.rsplit_once(':').map_or(text, |(_, name)| name).to_owned();
                        }
                        _ => r.skip()?,
                    }
                }
            }
            (ns::S, "Reason") => fault.reason = r.text_within()?.trim().to_owned(),
            (ns::S, "Detail") => read_detail(r, &mut fault)?,
            _ => r.skip()?,
        }
    }
    Ok(fault)
}

/// A detail is whatever its server likes (SOAP 1.2 part 1, 5.4.5), plain words among it: only WSManFault is looked at.
fn read_detail(r: &mut Reader<'_>, fault: &mut Fault) -> Result<()> {
    let outside = r.depth();
    loop {
        match r.next()? {
            Event::Start(detail) if detail.is(ns::F, "WSManFault") => {
                // Some servers print the code signed.
                let code = detail.attribute("Code").and_then(|c| c.parse::<i64>().ok());
                fault.code = code.and_then(|c| u32::try_from(c).or_else(|_| i32::try_from(c).map(|c| c as u32)).ok());
                fault.message = r.text_within()?.trim().to_owned();
            }
            Event::Start(_) => r.skip()?,
            Event::End if r.depth() < outside => return Ok(()),
            Event::Text(_) | Event::End => {}
            Event::Eof => return Err(r.error("the document ends inside a fault")),
        }
    }
}

/// What a person would see of a reply that is no envelope, such as an HTML page: its text without tags, scripts and
/// styles, blanks folded, at most 300 characters.
pub fn visible_text(body: &[u8]) -> String {
    // A page longer than this has said what it is.
    let text = String::from_utf8_lossy(&body[..body.len().min(16 * 1024)]);
    // Of the same length, so that places found in one hold in the other.
    let lower = text.to_ascii_lowercase();
    let (mut seen, mut from) = (String::new(), 0);
    while let Some(at) = text[from..].find('<').map(|at| from + at) {
        seen.push_str(&text[from..at]);
        seen.push(' ');
        let tag = &lower[at..];
        let end = [("<script", "</script"), ("<style", "</style"), ("<!--", "--")].into_iter().find(|(start, _)| tag.starts_with(start));
        let hidden = end.map_or(0, |(start, end)| tag[start.len()..].find(end).map_or(tag.len(), |at| start.len() + at));
        from = tag[hidden..].find('>').map_or(text.len(), |close| at + hidden + close + 1);
    }
    seen.push_str(&text[from..]);
    let seen = resolved(&seen);
    let folded = seen.split_whitespace().filter(|w| !w.chars().all(char::is_control)).collect::<Vec<_>>().join(" ");
    folded.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The references of HTML that plain pages have; others stay as they are.
fn resolved(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let character = piece.split_once(';').filter(|(name, _)| name.len() <= 8).and_then(|(name, rest)| {
            let character = match name {
                "nbsp" => Some(' '),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "amp" => Some('&'),
                _ => match name.strip_prefix('#')?.split_at_checked(1)? {
                    ("x" | "X", digits) => char::from_u32(u32::from_str_radix(digits, 16).ok()?),
                    _ => char::from_u32(name[1..].parse().ok()?),
                },
            };
            Some((character?, rest))
        });
        match character {
            Some((character, rest)) => {
                out.push(character);
                out.push_str(rest);
            }
            None => {
                out.push('&');
                out.push_str(piece);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_by_its_text() {
        let page = b"<html><head><title>Object moved</title><style>p { color: red }</style></head><body>\r\n<h2>Bad&nbsp;Request</h2> &lt;x&gt;</body></html>";
        assert_eq!(visible_text(page), "Object moved Bad Request <x>");
        assert_eq!(visible_text(b"\0\0\0"), "");
        assert_eq!(visible_text(b"plain <b"), "plain");
        assert_eq!(visible_text(b"a<!-- <b> > -->c<SCRIPT>x < y</Script >d<style>"), "a c d");
        assert_eq!(visible_text(b"&#72;i&#x21; &bogus; & &#xD800; &amp;lt; &#; &"), "Hi! &bogus; & &#xD800; &lt; &#; &");
        assert_eq!(visible_text("é".repeat(20_000).as_bytes()).chars().count(), 300);
    }
}
