//! Pipelines (MS-PSRP 3.1.5.4, 3.2.5.4), both ends.

use super::message::{Sender, typed};
use super::*;
use crate::clixml::{Property, Value};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use std::sync::Arc;
use uuid::Uuid;

/// The streams of a pipeline that carry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are PowerShell's")]
pub enum Stream {
    Output,
    Error,
    Warning,
    Verbose,
    Debug,
    Information,
    Progress,
}

impl Stream {
    const ALL: [(Self, MessageType); 7] = [
        (Self::Output, MessageType::PipelineOutput),
        (Self::Error, MessageType::ErrorRecord),
        (Self::Warning, MessageType::WarningRecord),
        (Self::Verbose, MessageType::VerboseRecord),
        (Self::Debug, MessageType::DebugRecord),
        (Self::Information, MessageType::InformationRecord),
        (Self::Progress, MessageType::ProgressRecord),
    ];

    /// The type of the messages that carry this stream's records.
    pub fn message_type(self) -> MessageType {
        Self::ALL.into_iter().find(|(s, _)| *s == self).expect("every stream has a type").1
    }

    /// The stream whose records messages of this type carry.
    pub fn of_message(kind: MessageType) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, k)| *k == kind).map(|(s, _)| s)
    }
}

/// What came from a pipeline. Records keep their CLIXML unread (without byte-order mark), so that a fast road stays fast.
#[derive(Debug)]
pub enum PipelineEvent {
    /// A record of a stream.
    Record(Stream, Bytes),
    /// The server calls the pipeline's host. The raw CLIXML of the whole call stands beside it.
    HostCall(HostCall, Bytes),
    /// The state; with the raw CLIXML of the ErrorRecord where it failed (or was stopped).
    State(PipelineState, Option<Value>),
}

/// The client's half of one pipeline. It needs nothing of the pool but the shared cutter.
#[derive(Debug)]
pub struct ClientPipeline {
    sender: Sender,
    defragmenter: Defragmenter,
    state: PipelineState,
}

impl ClientPipeline {
    pub(super) fn new(pool: &Sender, object_limit: usize, total: Option<usize>) -> Self {
        Self {
            sender: Sender { pipeline: Uuid::new_v4(), ..pool.clone() },
            defragmenter: Defragmenter::new(object_limit).with_total(total),
            state: PipelineState::Running,
        }
    }

    /// The message that starts the pipeline.
    pub(super) fn start(&self, kind: MessageType, value: &Value) -> Vec<Bytes> {
        self.sender.value(kind, value)
    }

    /// The pipeline's id: CommandId on the wire.
    pub fn id(&self) -> Uuid {
        self.sender.pipeline
    }

    /// The state as far as the messages tell.
    pub fn state(&self) -> PipelineState {
        self.state
    }

    /// Takes bytes of the pipeline's stream and hands each event on at once, in order. After an error, its own or one
    /// of `each`, nothing more should be pushed.
    pub fn receive(&mut self, bytes: &Bytes, each: &mut dyn FnMut(PipelineEvent) -> Result<()>) -> Result<()> {
        let Self { sender, defragmenter, state } = self;
        defragmenter.push(bytes, &mut |object| {
            let message = Message::decode(&object)?;
            sender.check(&message)?;
            let event = client_event(message)?;
            if let PipelineEvent::State(new, _) = &event {
                *state = *new;
            }
            each(event)
        })
    }

    /// PIPELINE_INPUT for stream "stdin".
    pub fn input(&self, value: &Value) -> Vec<Bytes> {
        // $null goes as no data at all: that is what PowerShell writes, and its server drops a Nil.
        match value {
            Value::Nil => self.sender.text(MessageType::PipelineInput, ""),
            _ => self.sender.value(MessageType::PipelineInput, value),
        }
    }

    /// END_OF_PIPELINE_INPUT for stream "stdin".
    pub fn end_input(&self) -> Vec<Bytes> {
        self.sender.text(MessageType::EndOfPipelineInput, "")
    }

    /// PIPELINE_HOST_RESPONSE for stream "pr".
    pub fn host_response(&self, response: &HostResponse) -> Vec<Bytes> {
        self.sender.value(MessageType::PipelineHostResponse, &response.to_value())
    }
}

fn client_event(message: Message) -> Result<PipelineEvent> {
    if let Some(stream) = Stream::of_message(message.kind) {
        // An output without data is $null for psrpcore's server; what is handed on is one element always.
        let record = if message.data.is_empty() { Bytes::from_static(b"<Nil />") } else { message.data };
        return Ok(PipelineEvent::Record(stream, record));
    }
    match message.kind {
        MessageType::PipelineHostCall => Ok(PipelineEvent::HostCall(HostCall::from_value(&message.value()?)?, message.data)),
        MessageType::PipelineState => {
            let value = message.value()?;
            let state = PipelineState::from_number(typed(&value, "PipelineState", Value::as_i64)?)
                .ok_or_else(|| Error::new(ErrorKind::Protocol, "read message", "unknown pipeline state"))?;
            Ok(PipelineEvent::State(state, reason(&value)))
        }
        other => Err(misplaced(other, "a pipeline's stream")),
    }
}

/// ExceptionAsErrorRecord, where it is more than Nil.
pub(super) fn reason(value: &Value) -> Option<Value> {
    value.property("ExceptionAsErrorRecord").filter(|e| **e != Value::Nil).cloned()
}

pub(super) fn misplaced(kind: MessageType, place: &str) -> Error {
    Error::new(ErrorKind::Protocol, "read message", format!("a message of type {kind:?} does not belong on {place}"))
}

/// What a client asks of a server's pipeline.
#[derive(Debug)]
pub enum ServerPipelineEvent {
    /// CREATE_PIPELINE came whole.
    Create(PowerShell),
    /// GET_COMMAND_METADATA came whole.
    Metadata(MetadataQuery),
    /// PIPELINE_INPUT.
    Input(Value),
    /// END_OF_PIPELINE_INPUT.
    EndInput,
    /// A host call was answered.
    HostResponse(HostResponse),
}

/// The server's half of one pipeline.
#[derive(Debug)]
pub struct ServerPipeline {
    sender: Sender,
    input: Defragmenter,
    responses: Defragmenter,
    /// Held while the pipeline lives, so that the pool can count its runspaces in use.
    _runspace: Arc<()>,
}

impl ServerPipeline {
    /// Made when the Command comes, with the id it names. It takes up one of the pool's runspaces until it is dropped.
    pub fn new(pool: &ServerPool, id: Uuid) -> Self {
        Self {
            sender: Sender { pipeline: id, ..pool.sender().clone() },
            input: Defragmenter::new(pool.object_limit()),
            responses: Defragmenter::new(pool.object_limit()),
            _runspace: pool.runspace(),
        }
    }

    /// The pipeline's id.
    pub fn id(&self) -> Uuid {
        self.sender.pipeline
    }

    /// Takes bytes of the Command's arguments or of the pipeline's "stdin".
    pub fn receive(&mut self, bytes: &Bytes) -> Result<Vec<ServerPipelineEvent>> {
        server_events(&self.sender, &mut self.input, bytes)
    }

    /// Takes bytes of the pipeline's "pr". Apart from "stdin", since an answer may come amid the fragments of an input.
    pub fn receive_responses(&mut self, bytes: &Bytes) -> Result<Vec<ServerPipelineEvent>> {
        server_events(&self.sender, &mut self.responses, bytes)
    }

    /// A record, as fragments. `clixml` is what `clixml::write` gives.
    pub fn record(&self, stream: Stream, clixml: &str) -> Vec<Bytes> {
        self.sender.text(stream.message_type(), clixml)
    }

    /// A host call, as fragments.
    pub fn host_call(&self, call: &HostCall) -> Vec<Bytes> {
        self.sender.value(MessageType::PipelineHostCall, &call.to_value())
    }

    /// PIPELINE_STATE, as fragments; with the ErrorRecord where it failed.
    pub fn state(&self, state: PipelineState, reason: Option<&Value>) -> Vec<Bytes> {
        let mut properties = vec![Property::new("PipelineState", state as i32)];
        properties.extend(reason.map(|r| Property::new("ExceptionAsErrorRecord", r.clone())));
        self.sender.bag(MessageType::PipelineState, properties)
    }
}

fn server_events(sender: &Sender, defragmenter: &mut Defragmenter, bytes: &Bytes) -> Result<Vec<ServerPipelineEvent>> {
    let mut events = Vec::new();
    defragmenter.push(bytes, &mut |object| {
        let message = Message::decode(&object)?;
        sender.check(&message)?;
        events.push(server_event(&message)?);
        Ok(())
    })?;
    Ok(events)
}

fn server_event(message: &Message) -> Result<ServerPipelineEvent> {
    Ok(match message.kind {
        MessageType::CreatePipeline => ServerPipelineEvent::Create(PowerShell::from_value(&message.value()?)?),
        MessageType::GetCommandMetadata => ServerPipelineEvent::Metadata(MetadataQuery::from_value(&message.value()?)?),
        MessageType::PipelineInput if message.data.is_empty() => ServerPipelineEvent::Input(Value::Nil),
        MessageType::PipelineInput => ServerPipelineEvent::Input(message.value()?),
        MessageType::EndOfPipelineInput => ServerPipelineEvent::EndInput,
        MessageType::PipelineHostResponse => ServerPipelineEvent::HostResponse(HostResponse::from_value(&message.value()?)?),
        other => return Err(misplaced(other, "a pipeline's stream")),
    })
}
