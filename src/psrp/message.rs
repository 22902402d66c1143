//! Messages (MS-PSRP 2.2.1, 2.2.2): header, types, states, host calls, and the CLIXML of each message.

use crate::clixml::Value;
use bytes::Bytes;
use uuid::Uuid;

/// Who is to read the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Destination {
    /// The client.
    Client = 1,
    /// The server.
    Server = 2,
}

/// MS-PSRP 2.2.1, MessageType.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum MessageType {
    SessionCapability = 0x0001_0002,
    InitRunspacePool = 0x0001_0004,
    PublicKey = 0x0001_0005,
    EncryptedSessionKey = 0x0001_0006,
    PublicKeyRequest = 0x0001_0007,
    ConnectRunspacePool = 0x0001_0008,
    SetMaxRunspaces = 0x0002_1002,
    SetMinRunspaces = 0x0002_1003,
    RunspaceAvailability = 0x0002_1004,
    RunspacePoolState = 0x0002_1005,
    CreatePipeline = 0x0002_1006,
    GetAvailableRunspaces = 0x0002_1007,
    UserEvent = 0x0002_1008,
    ApplicationPrivateData = 0x0002_1009,
    GetCommandMetadata = 0x0002_100A,
    RunspacePoolInitData = 0x0002_100B,
    ResetRunspaceState = 0x0002_100C,
    RunspacePoolHostCall = 0x0002_1100,
    RunspacePoolHostResponse = 0x0002_1101,
    PipelineInput = 0x0004_1002,
    EndOfPipelineInput = 0x0004_1003,
    PipelineOutput = 0x0004_1004,
    ErrorRecord = 0x0004_1005,
    PipelineState = 0x0004_1006,
    DebugRecord = 0x0004_1007,
    VerboseRecord = 0x0004_1008,
    WarningRecord = 0x0004_1009,
    ProgressRecord = 0x0004_1010,
    InformationRecord = 0x0004_1011,
    PipelineHostCall = 0x0004_1100,
    PipelineHostResponse = 0x0004_1101,
}

/// One message. `data` is CLIXML without a byte-order mark; when written, a message to the client gets one.
#[derive(Debug, Clone)]
pub struct Message {
    /// Who is to read it.
    pub destination: Destination,
    /// What it is.
    pub kind: MessageType,
    /// The runspace pool; nil in a server's first messages.
    pub pool: Uuid,
    /// The pipeline; nil for the pool itself.
    pub pipeline: Uuid,
    /// CLIXML, or nothing.
    pub data: Bytes,
}

/// MS-PSRP 2.2.3.4 with the later values that PowerShell itself uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum PoolState {
    BeforeOpen = 0,
    Opening = 1,
    Opened = 2,
    Closed = 3,
    Closing = 4,
    Broken = 5,
    NegotiationSent = 6,
    NegotiationSucceeded = 7,
    Connecting = 8,
    Disconnected = 9,
}

/// MS-PSRP 2.2.3.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum PipelineState {
    NotStarted = 0,
    Running = 1,
    Stopping = 2,
    Stopped = 3,
    Completed = 4,
    Failed = 5,
    Disconnected = 6,
}

/// MS-PSRP 2.2.3.14: what the client's host can do.
#[derive(Debug, Clone)]
pub struct HostInfo {
    /// No host at all: nothing can be asked, and cmdlets that must ask fail.
    pub is_host_null: bool,
    /// No user interface.
    pub is_host_ui_null: bool,
    /// No raw user interface.
    pub is_host_raw_ui_null: bool,
    /// Use the pool's host for the pipeline.
    pub use_runspace_host: bool,
    /// `_hostDefaultData`, where the client has a console: what PowerShell itself would send.
    pub default_data: Option<Value>,
}

/// A call of the server on the client's host (MS-PSRP 2.2.2.15, 2.2.2.27).
#[derive(Debug, Clone)]
pub struct HostCall {
    /// Repeated in the response; -100 where none is wanted.
    pub call_id: i64,
    /// The method's number (MS-PSRP 2.2.3.17).
    pub method: i32,
    /// The method's name, as the enum's text.
    pub method_name: String,
    /// The arguments.
    pub parameters: Vec<Value>,
}

impl HostCall {
    /// Whether the server waits for a response.
    pub fn wants_response(&self) -> bool {
        self.call_id != -100
    }
}

/// The answer to a host call (MS-PSRP 2.2.2.16, 2.2.2.28).
#[derive(Debug, Clone)]
pub struct HostResponse {
    /// The call's id.
    pub call_id: i64,
    /// The call's method.
    pub method: i32,
    /// The result, or the ErrorRecord of its failure.
    pub result: std::result::Result<Option<Value>, Value>,
}
