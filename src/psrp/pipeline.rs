//! Pipelines (MS-PSRP 2.2.2.10 to 2.2.2.27), both ends.

use super::*;
use crate::clixml::Value;
use crate::error::Result;
use bytes::Bytes;
use uuid::Uuid;

/// What is to run: statements of commands (MS-PSRP 2.2.3.11, `PowerShell`).
#[derive(Debug, Clone)]
pub struct PowerShell {
    /// The commands; a statement ends after each command with `end_of_statement`.
    pub commands: Vec<Command>,
    /// The history text.
    pub history: Option<String>,
    /// No input will come.
    pub no_input: bool,
    /// Add to the session's history, as Invoke-Command does.
    pub add_to_history: bool,
    /// RedirectShellErrorOutputPipe, true for Invoke-Command.
    pub redirect_error: bool,
    /// RemoteStreamOptions (MS-PSRP 2.2.3.8): 0, or 15 for AddInvocationInfo.
    pub stream_options: i32,
    /// The pipeline's host; None uses the pool's (`_useRunspaceHost`).
    pub host: Option<HostInfo>,
}

/// One command (MS-PSRP 2.2.3.12).
#[derive(Debug, Clone)]
pub struct Command {
    /// A name, or the text of a script.
    pub text: String,
    /// `text` is a script.
    pub is_script: bool,
    /// UseLocalScope, Nil where not said.
    pub use_local_scope: Option<bool>,
    /// As typed: never re-paired.
    pub arguments: Vec<Argument>,
    /// Which streams are merged to where.
    pub merge: Merge,
    /// The next command begins another statement.
    pub end_of_statement: bool,
}

/// One argument (MS-PSRP 2.2.3.13). `-Identity x` as typed is two: the name without a value, then the value without a name.
#[derive(Debug, Clone)]
pub struct Argument {
    /// With the dash, the colon or the blank that was typed, or bare.
    pub name: Option<String>,
    /// Nil where the name stands alone.
    pub value: Value,
}

/// Stream merging (MS-PSRP 2.2.3.31, PipelineResultTypes): 0 none, 1 output, 2 error, 3 warning, 4 verbose, 5 debug, 6 information, 7 all, null 8.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub struct Merge {
    pub my_result: i32,
    pub to_result: i32,
    pub previous_results: i32,
    pub error: i32,
    pub warning: i32,
    pub verbose: i32,
    pub debug: i32,
    pub information: i32,
}

/// What GET_COMMAND_METADATA asks (MS-PSRP 2.2.2.14).
#[derive(Debug, Clone)]
pub struct MetadataQuery {
    /// Names or wildcards.
    pub names: Vec<String>,
    /// CommandTypes flags; Cmdlet, Function, Filter and Alias are 8, 2, 4 and 1.
    pub command_types: i32,
    /// Module names or wildcards.
    pub modules: Vec<String>,
    /// ArgumentList for dynamic parameters.
    pub arguments: Vec<Value>,
}

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
pub struct ClientPipeline {}

impl ClientPipeline {
    /// The pipeline's id: CommandId on the wire.
    pub fn id(&self) -> Uuid {
        todo!()
    }
    /// The state as far as the messages tell.
    pub fn state(&self) -> PipelineState {
        todo!()
    }
    /// Takes bytes of the pipeline's stream and hands each event on at once, in order.
    pub fn receive(&mut self, bytes: &Bytes, each: &mut dyn FnMut(PipelineEvent) -> Result<()>) -> Result<()> {
        let _ = (bytes, each);
        todo!()
    }
    /// PIPELINE_INPUT for stream "stdin".
    pub fn input(&self, value: &Value) -> Vec<Bytes> {
        let _ = value;
        todo!()
    }
    /// END_OF_PIPELINE_INPUT for stream "stdin".
    pub fn end_input(&self) -> Vec<Bytes> {
        todo!()
    }
    /// PIPELINE_HOST_RESPONSE for stream "pr".
    pub fn host_response(&self, response: &HostResponse) -> Vec<Bytes> {
        let _ = response;
        todo!()
    }
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
pub struct ServerPipeline {}

impl ServerPipeline {
    /// Made when the Command comes, with the id it names.
    pub fn new(pool: &ServerPool, id: Uuid) -> Self {
        let _ = (pool, id);
        todo!()
    }
    /// The pipeline's id.
    pub fn id(&self) -> Uuid {
        todo!()
    }
    /// Takes bytes of the pipeline's stdin or pr, or of the Command's arguments.
    pub fn receive(&mut self, bytes: &Bytes) -> Result<Vec<ServerPipelineEvent>> {
        let _ = bytes;
        todo!()
    }
    /// A record, as fragments. `clixml` is what `clixml::write` gives.
    pub fn record(&self, stream: Stream, clixml: &str) -> Vec<Bytes> {
        let _ = (stream, clixml);
        todo!()
    }
    /// A host call, as fragments.
    pub fn host_call(&self, call: &HostCall) -> Vec<Bytes> {
        let _ = call;
        todo!()
    }
    /// PIPELINE_STATE, as fragments; with the ErrorRecord where it failed.
    pub fn state(&self, state: PipelineState, reason: Option<&Value>) -> Vec<Bytes> {
        let _ = (state, reason);
        todo!()
    }
}
