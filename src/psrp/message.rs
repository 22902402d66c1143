//! Messages (MS-PSRP 2.2.1): header, types and states.

use super::Fragmenter;
use super::references::resolved;
use crate::clixml::{self, Object, Property, Value};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use uuid::Uuid;

/// Bytes of a message's header: destination, type, pool, pipeline.
const HEADER: usize = 40;
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

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

impl MessageType {
    /// Every type there is.
    pub const ALL: [Self; 31] = [
        Self::SessionCapability,
        Self::InitRunspacePool,
        Self::PublicKey,
        Self::EncryptedSessionKey,
        Self::PublicKeyRequest,
        Self::ConnectRunspacePool,
        Self::SetMaxRunspaces,
        Self::SetMinRunspaces,
        Self::RunspaceAvailability,
        Self::RunspacePoolState,
        Self::CreatePipeline,
        Self::GetAvailableRunspaces,
        Self::UserEvent,
        Self::ApplicationPrivateData,
        Self::GetCommandMetadata,
        Self::RunspacePoolInitData,
        Self::ResetRunspaceState,
        Self::RunspacePoolHostCall,
        Self::RunspacePoolHostResponse,
        Self::PipelineInput,
        Self::EndOfPipelineInput,
        Self::PipelineOutput,
        Self::ErrorRecord,
        Self::PipelineState,
        Self::DebugRecord,
        Self::VerboseRecord,
        Self::WarningRecord,
        Self::ProgressRecord,
        Self::InformationRecord,
        Self::PipelineHostCall,
        Self::PipelineHostResponse,
    ];

    /// The type with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|k| *k as u32 == number)
    }
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

impl Message {
    /// A message as it travels, before it is cut into fragments.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = header(self.destination, self.kind, self.pool, self.pipeline).to_vec();
        bytes.extend_from_slice(mark(self.destination, &self.data));
        bytes.extend_from_slice(&self.data);
        bytes
    }

    /// The message in these bytes, which are one whole object. The data is shared, not copied; no more than the header
    /// is looked at.
    pub fn decode(bytes: &Bytes) -> Result<Self> {
        let refuse = |detail: String| Error::new(ErrorKind::Protocol, "read message", detail);
        let Some(header) = bytes.first_chunk::<HEADER>() else {
            return Err(refuse(format!("a message of {} bytes is shorter than its header", bytes.len())));
        };
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let guid = |at: usize| Uuid::from_bytes_le(*header[at..].first_chunk().expect("the header has two ids"));
        let destination = match number(0) {
            1 => Destination::Client,
            2 => Destination::Server,
            other => return Err(refuse(format!("a message is for destination {other}, which does not exist"))),
        };
        let kind = MessageType::from_number(number(4)).ok_or_else(|| refuse(format!("unknown message type {:#010x}", number(4))))?;
        let marked = bytes[HEADER..].starts_with(&BYTE_ORDER_MARK);
        let data = bytes.slice(HEADER + if marked { BYTE_ORDER_MARK.len() } else { 0 }..);
        Ok(Self { destination, kind, pool: guid(8), pipeline: guid(24), data })
    }

    /// The value of the data. Parts of it can be taken out, since no reference is left that need not be.
    pub(super) fn value(&self) -> Result<Value> {
        let value = clixml::read(&self.data)?;
        Ok(if memchr::memmem::find(&self.data, b"<Ref").is_some() { resolved(&value) } else { value })
    }
}

/// Where the messages of one end go: what their headers have in common.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub fragmenter: Fragmenter,
    pub destination: Destination,
    pub pool: Uuid,
    pub pipeline: Uuid,
}

impl Sender {
    /// Whether a message that came is one for this end, pool and pipeline. Servers give no pool in their first
    /// messages and with the session key.
    pub fn check(&self, message: &Message) -> Result<()> {
        let refuse = |detail| Err(Error::new(ErrorKind::Protocol, "read message", detail));
        if message.destination == self.destination {
            return refuse("a message is for the other side");
        }
        if message.pool != self.pool && !message.pool.is_nil() {
            return refuse("a message is for another runspace pool");
        }
        if message.pipeline != self.pipeline {
            return refuse("a message is for another pipeline");
        }
        Ok(())
    }

    /// A message with this CLIXML, as fragments.
    pub fn text(&self, kind: MessageType, clixml: &str) -> Vec<Bytes> {
        let data = clixml.as_bytes();
        let header = header(self.destination, kind, self.pool, self.pipeline);
        self.fragmenter.cut_parts(&[&header, mark(self.destination, data), data])
    }

    /// A message with this value, as fragments.
    pub fn value(&self, kind: MessageType, value: &Value) -> Vec<Bytes> {
        self.text(kind, &clixml::write(value))
    }

    /// A message whose value is a bag of these properties, as fragments.
    pub fn bag(&self, kind: MessageType, properties: Vec<Property>) -> Vec<Bytes> {
        self.value(kind, &Object::bag(properties).into())
    }
}

fn header(destination: Destination, kind: MessageType, pool: Uuid, pipeline: Uuid) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&(destination as u32).to_le_bytes());
    header[4..8].copy_from_slice(&(kind as u32).to_le_bytes());
    header[8..24].copy_from_slice(&pool.to_bytes_le());
    header[24..].copy_from_slice(&pipeline.to_bytes_le());
    header
}

/// Windows servers put a byte-order mark before the CLIXML and clients do not; a message without data has none.
fn mark(destination: Destination, data: &[u8]) -> &'static [u8] {
    if destination == Destination::Client && !data.is_empty() { &BYTE_ORDER_MARK } else { &[] }
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

impl PoolState {
    /// The state with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        use PoolState::*;
        let all = [BeforeOpen, Opening, Opened, Closed, Closing, Broken, NegotiationSent, NegotiationSucceeded, Connecting, Disconnected];
        all.into_iter().find(|s| *s as i64 == number)
    }
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

impl PipelineState {
    /// The state with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        use PipelineState::*;
        [NotStarted, Running, Stopping, Stopped, Completed, Failed, Disconnected].into_iter().find(|s| *s as i64 == number)
    }

    /// Nothing more will come.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Stopped | Self::Completed | Self::Failed)
    }
}

/// The property of this name; its absence breaks the protocol.
pub(super) fn required<'a>(value: &'a Value, name: &'static str) -> Result<&'a Value> {
    value.property(name).ok_or_else(|| Error::new(ErrorKind::Protocol, "read message", format!("the property {name} is missing")))
}

/// The property of this name as what `read` makes of it; anything else breaks the protocol.
pub(super) fn typed<'a, T>(value: &'a Value, name: &'static str, read: impl FnOnce(&'a Value) -> Option<T>) -> Result<T> {
    read(required(value, name)?)
        .ok_or_else(|| Error::new(ErrorKind::Protocol, "read message", format!("the property {name} has another type than it must")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(destination: Destination, data: &'static str) -> Message {
        Message {
            destination,
            kind: MessageType::PipelineOutput,
            pool: Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
            pipeline: Uuid::nil(),
            data: Bytes::from_static(data.as_bytes()),
        }
    }

    #[test]
    fn the_header_is_little_endian_and_guids_are_in_the_order_of_net() {
        let bytes = message(Destination::Server, "<Nil />").encode();
        let start = [2, 0, 0, 0, 4, 0x10, 4, 0, 4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16, 0];
        assert_eq!(bytes[..25], start);
        assert_eq!(&bytes[40..], b"<Nil />");
    }

    #[test]
    fn only_servers_write_a_byte_order_mark_and_both_forms_are_read() {
        for (destination, data, length) in [
            (Destination::Client, "<Nil />", 50),
            (Destination::Server, "<Nil />", 47),
            (Destination::Client, "", 40),
            (Destination::Server, "", 40),
        ] {
            let bytes = Bytes::from(message(destination, data).encode());
            assert_eq!(bytes.len(), length);
            let read = Message::decode(&bytes).unwrap();
            assert_eq!((read.destination, &*read.data), (destination, data.as_bytes()));
        }
    }

    #[test]
    fn a_cut_message_is_the_encoded_one() {
        let m = message(Destination::Client, "<S>a</S>");
        let sender = Sender { fragmenter: Fragmenter::new(30), destination: m.destination, pool: m.pool, pipeline: m.pipeline };
        assert_eq!(sender.text(m.kind, "<S>a</S>"), Fragmenter::new(30).cut(&m.encode()));
    }

    #[test]
    fn a_short_message_and_unknown_numbers_are_refused() {
        let good = message(Destination::Client, "").encode();
        for (at, text) in [(0, "destination"), (4, "unknown message type")] {
            let mut bad = good.clone();
            bad[at] = 0x77;
            assert!(Message::decode(&bad.into()).unwrap_err().to_string().contains(text));
        }
        assert!(Message::decode(&good[..39].to_vec().into()).is_err());
    }
}
