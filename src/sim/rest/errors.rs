//! Error answers in the shapes that clients of the service have recorded.

use super::super::records::{SERVER, text_of};
use super::Answer;
use crate::clixml::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// The form of `details[0].message`, which carries the exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorShape {
    /// `Ex6F9304|Microsoft.Exchange.….Exception|text`.
    Hex,
    /// `|Microsoft.Exchange.….Exception|text`.
    Bar,
    /// A JSON string with Message, TypeName, StackTrace and InnerError.
    Json,
    /// A JSON string with ClassName, Message and localizedString.
    Localized,
    /// No details: the text stands in innererror.internalexception alone.
    Inner,
}

impl ErrorShape {
    /// Every shape by name.
    pub const ALL: [(&'static str, Self); 5] =
        [("hex", Self::Hex), ("bar", Self::Bar), ("json", Self::Json), ("localized", Self::Localized), ("inner", Self::Inner)];

    fn message(self, kind: &str, text: &str) -> Option<String> {
        match self {
            Self::Hex => {
                let hash = text.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193)) & 0x00ff_ffff;
                Some(format!("Ex{hash:06X}|{kind}|{text}"))
            }
            Self::Bar => Some(format!("|{kind}|{text}")),
            Self::Json => Some(json!({"Message": text, "TypeName": kind, "StackTrace": "   at Microsoft.Exchange.Configuration.Tasks.Task.ProcessRecord()", "InnerError": null}).to_string()),
            Self::Localized => Some(json!({"ClassName": kind, "Message": text, "localizedString": {"stringId": "ExError", "formatParameters": []}}).to_string()),
            Self::Inner => None,
        }
    }
}

/// An ErrorRecord in the parts that an answer has.
struct Parts {
    kind: String,
    text: String,
    category: String,
    target: String,
    target_type: String,
}

const CATEGORIES: [(i64, &str); 7] = [
    (0, "NotSpecified"),
    (5, "InvalidArgument"),
    (6, "InvalidData"),
    (7, "InvalidOperation"),
    (13, "ObjectNotFound"),
    (14, "OperationStopped"),
    (17, "ParserError"),
];

impl Parts {
    fn of(record: &Value) -> Self {
        let exception = record.property("Exception");
        let kind = exception.and_then(|e| e.as_object()?.type_names.as_ref()?.first().map(ToString::to_string)).unwrap_or_default();
        let text = exception.and_then(|e| e.property("Message")).map(text_of).unwrap_or_default();
        let id = record.property("FullyQualifiedErrorId").map(text_of).unwrap_or_default();
        // The parser's errors have names of their own here.
        let kind = match id.split(',').next() {
            Some("NamedParameterNotFound" | "AmbiguousParameter") => {
                "Microsoft.Exchange.Management.PSDirectInvoke.AmbiguousParameterSetException".to_owned()
            }
            Some("CannotConvertArgumentNoMessage") => {
                "Microsoft.Exchange.Management.PSDirectInvoke.ParameterTransformationException".to_owned()
            }
            _ => kind,
        };
        let number = record.property("ErrorCategory_Category").and_then(Value::as_i64).unwrap_or(0);
        let property = |name: &str| record.property(name).map(text_of).unwrap_or_default();
        Self {
            kind,
            text,
            category: CATEGORIES.iter().find(|c| c.0 == number).map_or_else(|| number.to_string(), |c| c.1.to_owned()),
            target: property("ErrorCategory_TargetName"),
            target_type: property("ErrorCategory_TargetType"),
        }
    }
}

/// An error that did not end the cmdlet, as `@adminapi.errors` lists it.
pub fn line(record: &Value) -> String {
    let parts = Parts::of(record);
    ErrorShape::Bar.message(&parts.kind, &parts.text).unwrap_or_default()
}

/// The answer for a cmdlet that failed.
pub fn failed(record: &Value, warnings: &[String], shape: ErrorShape) -> Answer {
    let parts = Parts::of(record);
    let (status, code) = if parts.kind.ends_with("ManagementObjectNotFoundException") { (404, "NotFound") } else { (400, "BadRequest") };
    let details = match shape.message(&parts.kind, &parts.text) {
        Some(message) => json!([{"code": parts.category, "target": parts.target, "message": message}]),
        None => json!([]),
    };
    let inner = json!({
        "message": parts.text, "type": parts.kind,
        "stacktrace": "   at Microsoft.Exchange.Configuration.Tasks.Task.ThrowError(Exception exception)",
    });
    let generic = if matches!(shape, ErrorShape::Hex | ErrorShape::Bar) { "Invalid Operation" } else { "Error executing cmdlet" };
    let error = json!({
        "code": code, "message": generic, "details": details,
        "innererror": {
            "message": generic, "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
            "stacktrace": "   at Microsoft.Exchange.AdminApi.CommandInvocation.CommandInvocation.InvokeCommand(QueryContext queryContext)",
            "internalexception": inner,
        },
        "adminapi.warnings@odata.type": "#Collection(String)",
        "@adminapi.warnings": warnings,
    });
    let mut answer = Answer::json(status, json!({"error": error}).to_string());
    answer.headers.push(("x-ExceptionType", parts.kind.rsplit('.').next().unwrap_or_default().to_owned()));
    if !parts.target_type.is_empty() {
        answer.headers.push(("x-ExceptionTargetType", parts.target_type));
    }
    answer
}

/// A failure of the service rather than of a cmdlet.
pub fn service(status: u16, code: &str, message: &str) -> Answer {
    let inner = json!({"message": message, "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException", "stacktrace": ""});
    Answer::json(status, json!({"error": {"code": code, "message": message, "innererror": inner}}).to_string())
}

/// A page token that does not lead on.
pub fn expired_page() -> Answer {
    service(400, "BadRequest", "Expired or Invalid pagination request. Default Expiry time is 00:30:00")
}

/// Thousands of NULs, and the reason in a header where there is one.
pub fn forbidden(diagnostics: Option<&str>) -> Answer {
    let mut answer = Answer::json(403, String::from_utf8(vec![0; 4096]).unwrap_or_default());
    if let Some(reason) = diagnostics {
        answer.headers.push(("x-ms-diagnostics", format!("2000008;reason=\"{reason}\";error_category=\"invalid_role\"")));
    }
    answer
}

/// Why a token is not taken.
pub fn unauthorized(host: &str, error: &str, why: &str, claims: Option<&Json>) -> Answer {
    let mut answer = Answer { status: 401, headers: Vec::new(), body: Vec::new() };
    let mut challenge = format!(
        "Bearer client_id=\"00000002-0000-0ff1-ce00-000000000000\", trusted_issuers=\"00000001-0000-0000-c000-000000000000@*\", token_types=\"app_asserted_user_v1 service_asserted_app_v1\", authorization_uri=\"http://{host}/common/oauth2/authorize\", error=\"{error}\""
    );
    if let Some(claims) = claims {
        use base64::Engine;
        challenge.push_str(&format!(", claims=\"{}\"", base64::engine::general_purpose::STANDARD.encode(claims.to_string())));
    }
    answer.headers.push(("WWW-Authenticate", challenge));
    answer.headers.push(("x-ms-diagnostics", format!("2000003;reason=\"{why}\";error_category=\"{error}\"")));
    answer
}

/// Too many requests, in plain text.
pub fn throttled(seconds: Option<u64>) -> Answer {
    let text = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again";
    let mut answer = Answer { status: 429, headers: vec![("Content-Type", "text/plain".to_owned())], body: text.as_bytes().to_vec() };
    answer.headers.extend(seconds.map(|s| ("Retry-After", s.to_string())));
    answer
}

/// What every answer says of where it came from.
pub fn whereabouts(answer: &mut Answer) {
    answer.headers.push(("request-id", Uuid::new_v4().to_string()));
    answer.headers.push(("X-CalculatedBETarget", format!("{SERVER}.EURPRD01.PROD.OUTLOOK.COM")));
}
