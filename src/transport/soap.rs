//! WS-Management envelopes and faults, text to types and back, in both directions. What streams carry is opaque here.
//! (DSP0226, MS-WSMV 2.2, 3.1.4)

use crate::error::Result;
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

/// The text of a request.
pub fn write_request(envelope: &RequestEnvelope) -> String {
    let _ = envelope;
    todo!()
}

/// A request out of its text: the simulator's half.
pub fn read_request(text: &[u8]) -> Result<RequestEnvelope> {
    let _ = text;
    todo!()
}

/// The text of a response or fault: the simulator's half.
pub fn write_response(envelope: &ResponseEnvelope) -> String {
    let _ = envelope;
    todo!()
}

/// A response or fault out of its text. `text` is shared so that the decoded streams are the only copies made.
pub fn read_response(text: &Bytes) -> Result<ResponseEnvelope> {
    let _ = text;
    todo!()
}
