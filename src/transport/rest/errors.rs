//! What the service says when it refuses: every shape of the error envelope, as the error record that Microsoft's module makes
//! of it, and as an error of this library where no cmdlet was reached.

use super::records::{Failure, category};
use crate::error::{Error, ErrorKind, fact};
use crate::transport::http::HttpResponse;
use serde_json::Value as Json;
use std::time::Duration;

/// What stands beside the body of an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) cmdlet: String,
    request_id: String,
    server: String,
    date: String,
    exception: Option<String>,
    target_type: Option<String>,
    diagnostics: Option<String>,
}

impl Head {
    pub(super) fn new(reply: &HttpResponse, cmdlet: &str) -> Self {
        let header = |name: &str| reply.headers.get(name);
        let server = header("X-CalculatedBETarget").unwrap_or_default();
        Self {
            status: reply.status,
            cmdlet: cmdlet.to_owned(),
            request_id: header("request-id").or(reply.request_id.clone()).unwrap_or_default(),
            server: server.split('.').next().unwrap_or_default().to_owned(),
            date: header("Date").unwrap_or_default(),
            exception: header("x-ExceptionType"),
            target_type: header("x-ExceptionTargetType"),
            diagnostics: header("x-ms-diagnostics"),
        }
    }

    /// A member of a `$batch`, whose headers are its own.
    pub(super) fn of_member(&self, status: u16, headers: &Json) -> Self {
        let header = |name: &str| {
            let found = headers.as_object()?.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
            found.1.as_str().map(str::to_owned)
        };
        Self {
            status,
            request_id: header("request-id").unwrap_or_else(|| self.request_id.clone()),
            exception: header("x-ExceptionType"),
            target_type: header("x-ExceptionTargetType"),
            diagnostics: header("x-ms-diagnostics"),
            ..self.clone()
        }
    }

    fn id(&self) -> String {
        format!("[Server={},RequestId={},TimeStamp={}],Write-ErrorMessage", self.server, self.request_id, self.date)
    }

    fn failure(&self, message: String, exception: Option<String>, category: i32, target: String) -> Failure {
        let short = |name: &String| name.rsplit('.').next().unwrap_or_default().to_owned();
        let reason = self.exception.as_ref().or(exception.as_ref()).map(short);
        Failure {
            message,
            id: self.id(),
            category,
            activity: self.cmdlet.clone(),
            reason: reason.unwrap_or_else(|| String::from("Exception")),
            exception: exception.or_else(|| self.exception.clone()),
            target_name: target,
            target_type: self.target_type.clone().unwrap_or_default(),
            remedy: None,
        }
    }
}

/// The service's own words for too many requests, under whatever status.
const CONCURRENT: &str = "maximum number of concurrent requests";

/// Whether the answer asks for patience.
pub(super) fn is_throttled(reply: &HttpResponse) -> bool {
    reply.status == 429
        || reply.status != 200 && reply.body.len() < 4096 && memchr::memmem::find(&reply.body, CONCURRENT.as_bytes()).is_some()
}

/// What a refused command becomes: a record, where the service speaks of the command.
pub(super) fn failure(body: &[u8], head: &Head) -> Failure {
    const MOST_BODY: usize = 1 << 20;
    let json = if body.len() <= MOST_BODY { serde_json::from_slice::<Json>(body).ok() } else { None };
    if let Some(error) = json.as_ref().and_then(|j| j.get("error")).filter(|e| !e.is_null()) {
        let mut failure = of_envelope(error, head);
        if head.status == 403 && failure.category == 0 {
            failure.category = category("PermissionDenied");
        }
        return failure;
    }
    let text = plain_text(body);
    let (message, name, remedy) = match (head.status, text) {
        (403, text) => {
            let why = head.diagnostics.clone().or(text).map(|t| format!(": {t}")).unwrap_or_default();
            let remedy = "There is no such cmdlet, the role that it needs is missing, or the token is older than the role: check the name and the roles, or connect anew.";
            (format!("Access to {} is denied{why}", head.cmdlet), "PermissionDenied", Some(remedy))
        }
        (404, text) => (text.unwrap_or_else(|| format!("{} was not found", head.cmdlet)), "ObjectNotFound", None),
        (status, Some(text)) => (format!("{text} (HTTP status {status})"), "NotSpecified", None),
        (status, None) => (format!("The service answered {} with HTTP status {status}", head.cmdlet), "NotSpecified", None),
    };
    Failure { remedy: remedy.map(str::to_owned), ..head.failure(message, None, category(name), String::new()) }
}

/// One of `@adminapi.errors`: an error beside what came.
pub(super) fn beside(error: &Json, head: &Head) -> Failure {
    match error.get("error").unwrap_or(error) {
        Json::String(text) => {
            let told = told(text);
            head.failure(told.text, told.exception, 0, String::new())
        }
        error => of_envelope(error, head),
    }
}

fn of_envelope(error: &Json, head: &Head) -> Failure {
    let text = |value: Option<&Json>| value.and_then(Json::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let detail = match error.get("details") {
        Some(Json::Array(details)) => details.first(),
        other => other.filter(|d| d.is_object() || d.is_string()),
    };
    let said = detail.and_then(|d| d.get("message").or(Some(d))).map(|m| told(&text_of(m))).unwrap_or_default();
    let inner = error.get("innererror").or_else(|| error.get("InnerError"));
    let internal = inner.and_then(|i| i.get("internalexception"));
    let message = Some(said.text)
        .filter(|t| !t.is_empty())
        .or_else(|| text(internal.and_then(|i| i.get("message"))))
        .or_else(|| text(inner.and_then(|i| i.get("message"))))
        .or_else(|| text(error.get("message").or_else(|| error.get("Message"))))
        .or_else(|| text(error.get("code")))
        .or_else(|| text(Some(error)))
        .unwrap_or_else(|| format!("The service refused {} with HTTP status {}", head.cmdlet, head.status));
    let exception = said
        .exception
        .or_else(|| text(internal.and_then(|i| i.get("type"))))
        .or_else(|| text(inner.and_then(|i| i.get("type"))))
        .filter(|t| t.contains('.') && !t.contains(' '));
    let code = detail.and_then(|d| d.get("code"));
    let category = code.map_or(0, |code| {
        let number =
            code.as_i64().or_else(|| code.as_str()?.parse().ok()).filter(|n| (0..crate::error::CATEGORIES.len() as i64).contains(n));
        number.map_or_else(|| code.as_str().map_or(0, category), |n| n as i32)
    });
    let target = text(detail.and_then(|d| d.get("target"))).unwrap_or_default();
    head.failure(message, exception, category, target)
}

#[derive(Debug, Default)]
struct Told {
    text: String,
    exception: Option<String>,
}

/// The shapes of a detail's message: `ExHEX|type|text`, `|type|text`, JSON with Message and TypeName or ClassName, and text.
fn told(message: &str) -> Told {
    let message = message.trim();
    if message.starts_with('{')
        && let Ok(json) = serde_json::from_str::<Json>(message)
    {
        let text = |names: &[&str]| names.iter().find_map(|n| json.get(*n)?.as_str().map(str::to_owned)).filter(|t| !t.is_empty());
        if let Some(found) = text(&["Message", "message"]).or_else(|| json.get("InnerError").map(|i| told(&text_of(i)).text)) {
            return Told { text: found, exception: text(&["TypeName", "ClassName"]) };
        }
    }
    let mut parts = message.splitn(3, '|');
    if let (Some(code), Some(exception), Some(text)) = (parts.next(), parts.next(), parts.next())
        && (code.is_empty() || code.starts_with("Ex") && code[2..].bytes().all(|b| b.is_ascii_hexdigit()))
        && exception.contains('.')
        && !exception.contains(' ')
    {
        return Told { text: text.trim().to_owned(), exception: Some(exception.to_owned()) };
    }
    Told { text: message.to_owned(), exception: None }
}

/// A text, whether it stands as one or not.
pub(super) fn text_of(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// A body that is text for people, cut to what a message holds; not a page, and not the NULs that some refusals consist of.
fn plain_text(body: &[u8]) -> Option<String> {
    const MOST_TEXT: usize = 500;
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MOST_TEXT)]);
    let text: String = text.trim_matches(|c: char| c.is_control() || c.is_whitespace()).chars().take(MOST_TEXT).collect();
    let readable = !text.is_empty() && !text.starts_with(['<', '{', '[']) && !text.contains(['\0', '\u{FFFD}']);
    readable.then_some(text)
}

/// An answer that tells of the session or the service rather than of a command.
pub(super) fn refusal(reply: &HttpResponse, context: &'static str) -> Error {
    let diagnostics = reply.headers.get("x-ms-diagnostics").map(|d| format!(": {d}")).unwrap_or_default();
    let (kind, text, remedy) = match reply.status {
        401 => (
            ErrorKind::Authentication,
            format!("the service does not accept the token{diagnostics}"),
            "Check that the account or the application may use Exchange Online in this organization (Exchange.Manage or Exchange.ManageAsApp, with consent there).",
        ),
        403 => (
            ErrorKind::AccessDenied,
            format!("the token is good, but has no role in this organization{diagnostics}"),
            "Check the roles: for partners the GDAP relation and its security group, for applications the directory role. A role that was given just now needs a new sign-in.",
        ),
        404 => (
            ErrorKind::TenantNotFound,
            String::from("the service knows no such organization or no such address"),
            "Check the organization's name (its .onmicrosoft.com domain or its tenant id) and the connection URI.",
        ),
        _ if is_throttled(reply) => (
            ErrorKind::Throttled,
            String::from("the service asks for patience: too many requests"),
            "Try again after the time that it tells.",
        ),
        status => (
            ErrorKind::Service,
            match plain_text(&reply.body) {
                Some(text) => format!("the service answered with HTTP status {status}: {text}"),
                None => format!("the service answered with HTTP status {status}"),
            },
            "Try again later.",
        ),
    };
    let mut error = Error::new(kind, context, text).with_fact(fact::HTTP_STATUS, reply.status).with_fact(fact::REMEDY, remedy);
    if let Some(id) = &reply.request_id {
        error = error.with_fact(fact::REQUEST_ID, id);
    }
    match reply.retry_after {
        Some(after) => error.with_fact(fact::RETRY_AFTER_MS, milliseconds(after)),
        None => error,
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The claims that a 401 asks a new token for (Continuous Access Evaluation): base64 in WWW-Authenticate.
pub(super) fn claims(reply: &HttpResponse) -> Option<String> {
    reply.headers.all("WWW-Authenticate").find_map(|value| {
        let at = value.find("claims=\"")? + "claims=\"".len();
        let encoded = &value[at..at + value[at..].find('"')?];
        use base64::Engine;
        use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
        let bare = encoded.trim_end_matches('=');
        let decoded = BASE64_STANDARD_NO_PAD.decode(bare).or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(bare)).ok()?;
        String::from_utf8(decoded).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_four_shapes() {
        for (message, text, exception) in [
            ("Ex6F9304|Microsoft.Exchange.X|The object a|b is gone.", "The object a|b is gone.", Some("Microsoft.Exchange.X")),
            ("|System.ArgumentException|Bad.", "Bad.", Some("System.ArgumentException")),
            (r#"{"Message":"Gone.","TypeName":"A.B","StackTrace":"x"}"#, "Gone.", Some("A.B")),
            (r#"{"ClassName":"A.C","Message":"Hm.","localizedString":{"stringId":"Ex1"}}"#, "Hm.", Some("A.C")),
            ("plain | text | here", "plain | text | here", None),
            ("{not json", "{not json", None),
        ] {
            let t = told(message);
            assert_eq!((t.text.as_str(), t.exception.as_deref()), (text, exception), "{message}");
        }
    }

    #[test]
    fn odd_bodies_become_words() {
        let head = Head { status: 403, cmdlet: "Get-X".into(), ..Head::default() };
        let f = failure(&[0; 4096], &head);
        assert!(f.message == "Access to Get-X is denied" && f.category == 18 && f.remedy.is_some(), "{f:?}");
        for body in [&b"<html>no</html>"[..], b"", b"{\"error\":null}", b"{\"error\":[]}", b"[1]", b"\xff\xfe"] {
            assert!(!failure(body, &Head { status: 400, ..head.clone() }).message.is_empty());
        }
    }
}
