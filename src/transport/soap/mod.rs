//! WS-Management envelopes and faults, text to types and back, in both directions. What streams carry is opaque here.
//! (DSP0226, MS-WSMV 2.2, 3.1.4)

mod request;
mod response;

pub use request::{read_request, write_request};
pub use response::{read_response, visible_text, write_response};

use crate::error::{Error, ErrorKind, Result};
use crate::xml;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

/// The prefix of every PowerShell configuration's resource URI.
pub const RESOURCE_PREFIX: &str = "http://schemas.microsoft.com/powershell/";

/// What a request asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Opens a shell.
    Create(Create),
    /// Starts a command: its id, the text shown in history, and its first fragments.
    Command {
        /// Chosen by the client.
        command_id: String,
        /// `rsp:Command`.
        line: String,
        /// `rsp:Arguments`, decoded.
        arguments: Bytes,
    },
    /// Sends on streams of the shell or a command.
    Send(Vec<Stream>),
    /// Waits for output of the shell or of a command.
    Receive {
        /// None for the shell itself.
        command_id: Option<String>,
    },
    /// Signals a command.
    Signal {
        /// The command.
        command_id: String,
        /// What to do with it.
        code: SignalCode,
    },
    /// Closes the shell.
    Delete,
}

/// The body of Create.
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    /// Chosen by the client; None lets the server choose.
    pub shell_id: Option<String>,
    /// A name for people.
    pub name: Option<String>,
    /// In milliseconds.
    pub idle_timeout_ms: Option<u64>,
    /// creationXml, decoded.
    pub creation: Bytes,
}

/// Signals (MS-WSMV 2.2.4.38, MS-PSRP 3.1.5.3.9).
#[derive(Debug, Clone, PartialEq)]
pub enum SignalCode {
    /// `powershell/signal/crtl_c`: the typo is the protocol. Stops a pipeline, whose Stopped state then comes.
    Stop,
    /// `…/signal/Terminate`: releases a finished command.
    Terminate,
    /// Any other, which Windows takes for a close of the command.
    Other(String),
}

/// A piece of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// "stdin", "pr" or "stdout".
    pub name: String,
    /// None for the shell itself.
    pub command_id: Option<String>,
    /// Decoded.
    pub data: Bytes,
}

/// A request's header and body.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestEnvelope {
    /// The whole endpoint URL with its query.
    pub to: String,
    /// The configuration.
    pub resource_uri: String,
    /// `uuid:` and a GUID in upper case.
    pub message_id: String,
    /// p:SessionId, constant for a session.
    pub session_id: Option<String>,
    /// p:OperationID.
    pub operation_id: Option<String>,
    /// Everything but Create.
    pub shell_id: Option<String>,
    /// In milliseconds.
    pub operation_timeout_ms: u64,
    /// In bytes.
    pub max_envelope_size: usize,
    /// w:Locale.
    pub locale: String,
    /// p:DataLocale.
    pub data_locale: String,
    /// w:OptionSet: name, value, MustComply.
    pub options: Vec<(String, String, bool)>,
    /// The body.
    pub body: Request,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// The shell is open.
    Created(Created),
    /// The command is started.
    CommandStarted {
        /// Repeated.
        command_id: String,
    },
    /// Taken.
    Sent,
    /// Output, in order, and whether the command is done.
    Received {
        /// Pieces, each of one or more fragments; empty ones keep alive.
        streams: Vec<Stream>,
        /// The command that is done, if one is.
        done: Option<String>,
    },
    /// Signalled.
    Signaled,
    /// The shell is closed.
    Deleted,
}

/// The body of CreateResponse. Only the shell's id is sure to be there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Created {
    /// The shell's id.
    pub shell_id: String,
    /// What the server took, in milliseconds.
    pub idle_timeout_ms: Option<u64>,
    /// Who the server says owns it.
    pub owner: Option<String>,
}

/// A fault (DSP0226 14.6 with Microsoft's detail).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fault {
    /// f:WSManFault/@Code, as unsigned 32 bits.
    pub code: Option<u32>,
    /// The subcode without its prefix, e.g. "TimedOut".
    pub subcode: String,
    /// s:Reason.
    pub reason: String,
    /// f:Message, all of its text, provider faults included.
    pub message: String,
}

/// A response's relation and body.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseEnvelope {
    /// The request's MessageID.
    pub relates_to: String,
    /// p:ActivityId or another id that the server gives for support.
    pub activity_id: Option<String>,
    /// The answer.
    pub body: std::result::Result<Response, Fault>,
}

impl Fault {
    /// Nothing happened within OperationTimeout: ask again.
    pub fn is_timeout(&self) -> bool {
        self.code == Some(code::TIMED_OUT) || self.code.is_none() && self.subcode == "TimedOut"
    }

    /// The shell, or the command in it, is not there (any more).
    pub fn is_shell_gone(&self) -> bool {
        self.code == Some(code::SHELL_NOT_FOUND) || self.code.is_none() && self.subcode == "InvalidSelectors"
    }

    /// A quota is used up: shells or operations of this user, or of the plug-in.
    pub fn is_quota(&self) -> bool {
        self.subcode == "QuotaLimit"
            || matches!(self.code, Some(code::USER_SHELLS | code::USER_OPERATIONS | code::USER_LOAD | code::PLUGIN_SHELLS))
    }

    /// The code as PowerShell prints it: signed.
    pub fn signed_code(&self) -> Option<i32> {
        self.code.map(|c| c as i32)
    }

    /// What a user should read.
    pub fn text(&self) -> &str {
        let message = self.message.trim();
        if message.is_empty() { self.reason.trim() } else { message }
    }

    /// The id of the request in the server's own logs, which Exchange puts before its text in brackets.
    pub fn request_id(&self) -> Option<&str> {
        request_id(self.text())
    }
}

/// The value of `RequestId=` or `AuthZRequestId=` in an Exchange server's bracketed prefix.
pub fn request_id(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("RequestId=")?;
    let id = rest.split([',', ']', ' ']).next()?;
    (!id.is_empty() && id.len() <= 64).then_some(id)
}

/// The codes of `f:WSManFault` that decide what happens next (wsmerror.h).
pub mod code {
    /// OperationTimeout passed.
    pub const TIMED_OUT: u32 = 2_150_858_793;
    /// The shell or the command is not known.
    pub const SHELL_NOT_FOUND: u32 = 2_150_858_843;
    /// The body is not valid.
    pub const SCHEMA: u32 = 2_150_858_817;
    /// A header is not valid.
    pub const HEADER: u32 = 2_150_858_767;
    /// The resource URI is not known.
    pub const NO_RESOURCE: u32 = 2_150_858_811;
    /// Too many shells of this user.
    pub const USER_SHELLS: u32 = 2_150_859_173;
    /// Too many operations of this user.
    pub const USER_OPERATIONS: u32 = 2_150_859_174;
    /// This user asks too often.
    pub const USER_LOAD: u32 = 2_150_859_175;
    /// Too many shells of the plug-in.
    pub const PLUGIN_SHELLS: u32 = 2_150_859_236;
}

mod ns {
    pub const S: &str = "http://www.w3.org/2003/05/soap-envelope";
    pub const A: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
    pub const X: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
    pub const W: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
    pub const P: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd";
    pub const RSP: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
    pub const F: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault";
    pub const POWERSHELL: &str = "http://schemas.microsoft.com/powershell";
}

mod action {
    pub const CREATE: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create";
    pub const DELETE: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete";
    pub const COMMAND: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Command";
    pub const SEND: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Send";
    pub const RECEIVE: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Receive";
    pub const SIGNAL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Signal";
    pub const FAULT: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault";
}

const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
const SIGNAL_STOP: &str = "powershell/signal/crtl_c";
const SIGNAL_TERMINATE: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/Terminate";
/// On the CommandState of a finished command.
pub const COMMAND_DONE: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done";

/// An envelope nests about ten deep; its size is bounded by HTTP.
const LIMITS: xml::Limits = xml::Limits { depth: 32, size: usize::MAX };

/// Servers pad; a fragment's text without its padding loses nothing.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

fn decode_base64(context: &'static str, text: &str) -> Result<Bytes> {
    let text = text.trim();
    let decoded = BASE64.decode(text).or_else(|e| {
        // Line breaks are rare enough to look for them only once decoding failed.
        if !text.contains([' ', '\t', '\r', '\n']) {
            return Err(e);
        }
        BASE64.decode(text.split_ascii_whitespace().collect::<String>())
    });
    decoded.map(Bytes::from).map_err(|e| Error::new(ErrorKind::Protocol, context, "a stream is not base64").with_source(e))
}

fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// An xs:duration in milliseconds. Years and months, which have no length of their own, are refused.
pub fn read_duration(text: &str) -> Option<u64> {
    let (days, time) = match text.trim().strip_prefix('P')?.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (text.trim().strip_prefix('P')?, ""),
    };
    let mut total = 0.0;
    for (part, units) in [(days, &[('D', 86_400.0)][..]), (time, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)])] {
        let mut rest = part;
        for (unit, seconds) in units {
            if let Some((number, after)) = rest.split_once(*unit) {
                if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
                    return None;
                }
                total += number.parse::<f64>().ok()? * seconds;
                rest = after;
            }
        }
        if !rest.is_empty() {
            return None;
        }
    }
    (days.len() + time.len() > 0).then_some((total * 1000.0).round() as u64)
}

/// Milliseconds as native clients write a duration.
pub fn write_duration(milliseconds: u64) -> String {
    format!("PT{}.{:03}S", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_every_spelling() {
        for (text, milliseconds) in [
            ("PT180.000S", Some(180_000)),
            ("PT20S", Some(20_000)),
            ("P0DT0H3M0S", Some(180_000)),
            ("PT2147483.647S", Some(2_147_483_647)),
            ("P1D", Some(86_400_000)),
            ("PT1H", Some(3_600_000)),
            ("P", None),
            ("PT", None),
            ("180", None),
            ("PT5", None),
            ("P1Y", None),
            ("PTinfS", None),
            ("PT-5S", None),
        ] {
            assert_eq!(read_duration(text), milliseconds, "{text}");
        }
        assert_eq!(write_duration(180_000), "PT180.000S");
    }

    #[test]
    fn request_ids_are_found_in_exchange_prefixes() {
        let text = "[Server=CY1PR00MB0220,RequestId=0f5a1c1c-1f11-4b1b-8f1c-0123456789ab,TimeStamp=9/19/2018 7:38:34 PM] Access is denied.";
        assert_eq!(request_id(text), Some("0f5a1c1c-1f11-4b1b-8f1c-0123456789ab"));
        assert_eq!(request_id("[AuthZRequestId=a-b][FailureCategory=AuthZ-X] no"), Some("a-b"));
        assert_eq!(request_id("Access is denied."), None);
    }

    #[test]
    fn base64_with_and_without_padding_and_line_breaks() {
        for text in ["aGVsbG8=", "aGVsbG8", " aGVs\r\nbG8= "] {
            assert_eq!(decode_base64("test", text).unwrap(), "hello", "{text}");
        }
        assert!(decode_base64("test", "a!").is_err());
    }
}
