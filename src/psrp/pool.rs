//! The runspace pool (MS-PSRP 3.1.5.3, 3.2.5.3), both ends.

use super::*;
use crate::clixml::Value;
use crate::error::Result;
use bytes::Bytes;
use uuid::Uuid;

/// What a client says of itself when it opens a pool.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// Chosen by the client; also the shell's id.
    pub id: Uuid,
    /// Runspaces, 1 and 1 for a session.
    pub min_runspaces: i32,
    /// Runspaces at most.
    pub max_runspaces: i32,
    /// The client's host.
    pub host: HostInfo,
    /// ApplicationArguments: a PSPrimitiveDictionary, or Nil.
    pub application_arguments: Value,
    /// Size of a fragment at first, header included.
    pub fragment_size: usize,
    /// Bytes of one received object at most (MaximumReceivedObjectSize).
    pub object_limit: usize,
}

/// What happened to a client's pool.
#[derive(Debug)]
pub enum PoolEvent {
    /// SESSION_CAPABILITY came: protocol version, PSVersion, SerializationVersion.
    Capability(String, String, String),
    /// APPLICATION_PRIVATE_DATA came.
    PrivateData(Value),
    /// RUNSPACEPOOL_STATE came; with the ErrorRecord where the pool broke.
    State(PoolState, Option<Value>),
    /// The server asks for the session key: send what `request_key` gives.
    KeyRequested,
    /// The session key is there.
    KeyReady,
    /// RUNSPACE_AVAILABILITY came: the call's id and its result.
    Availability(i64, Value),
    /// The server calls the pool's host.
    HostCall(HostCall),
    /// USER_EVENT came.
    UserEvent(Value),
}

/// The client's half of a runspace pool.
#[derive(Debug)]
pub struct ClientPool {}

impl ClientPool {
    /// Before open.
    pub fn new(config: PoolConfig) -> Self {
        let _ = config;
        todo!()
    }
    /// The pool's id.
    pub fn id(&self) -> Uuid {
        todo!()
    }
    /// The state as far as the messages tell.
    pub fn state(&self) -> PoolState {
        todo!()
    }
    /// The cutter that the pool and its pipelines share.
    pub fn fragmenter(&self) -> &Fragmenter {
        todo!()
    }
    /// SESSION_CAPABILITY and INIT_RUNSPACEPOOL, as fragments for creationXml.
    pub fn open(&mut self) -> Vec<Bytes> {
        todo!()
    }
    /// Takes bytes of the pool's stream.
    pub fn receive(&mut self, bytes: &Bytes) -> Result<Vec<PoolEvent>> {
        let _ = bytes;
        todo!()
    }
    /// PUBLIC_KEY, unless a key is there or asked for already.
    pub fn request_key(&mut self) -> Result<Option<Vec<Bytes>>> {
        todo!()
    }
    /// The session key, once exchanged.
    pub fn key(&self) -> Option<&SessionKey> {
        todo!()
    }
    /// A new pipeline and its CREATE_PIPELINE fragments: the first goes with the Command, the rest on stdin.
    pub fn create_pipeline(&mut self, powershell: &PowerShell) -> Result<(ClientPipeline, Vec<Bytes>)> {
        let _ = powershell;
        todo!()
    }
    /// A pipeline that asks for command metadata (MS-PSRP 2.2.2.14), and its fragments.
    pub fn get_command_metadata(&mut self, query: &MetadataQuery) -> Result<(ClientPipeline, Vec<Bytes>)> {
        let _ = query;
        todo!()
    }
    /// RUNSPACEPOOL_HOST_RESPONSE for stream "pr".
    pub fn host_response(&self, response: &HostResponse) -> Vec<Bytes> {
        let _ = response;
        todo!()
    }
}

/// What a client asks of a server's pool.
#[derive(Debug)]
pub enum ServerPoolEvent {
    /// Capability and init came and were answered; the pool is opening. Application arguments and host are told.
    Opening(Value, HostInfo),
    /// The session key was exchanged and the answer is in `take_output`.
    KeyReady,
    /// A pool host call was answered.
    HostResponse(HostResponse),
    /// SET_MAX/MIN_RUNSPACES or GET_AVAILABLE_RUNSPACES came and was answered.
    Availability,
}

/// The server's half of a runspace pool.
#[derive(Debug)]
pub struct ServerPool {}

impl ServerPool {
    /// Before open. `private_data` becomes APPLICATION_PRIVATE_DATA.
    pub fn new(private_data: Value, fragment_size: usize, object_limit: usize) -> Self {
        let _ = (private_data, fragment_size, object_limit);
        todo!()
    }
    /// The pool's id, once the client told it.
    pub fn id(&self) -> Uuid {
        todo!()
    }
    /// The cutter that the pool and its pipelines share.
    pub fn fragmenter(&self) -> &Fragmenter {
        todo!()
    }
    /// Takes bytes of creationXml or of the pool's stdin/pr.
    pub fn receive(&mut self, bytes: &Bytes) -> Result<Vec<ServerPoolEvent>> {
        let _ = bytes;
        todo!()
    }
    /// Announces a state (Opened after Opening; Broken with the ErrorRecord of the reason).
    pub fn set_state(&mut self, state: PoolState, reason: Option<Value>) {
        let _ = (state, reason);
        todo!()
    }
    /// Sends PUBLIC_KEY_REQUEST.
    pub fn request_key(&mut self) {
        todo!()
    }
    /// The session key, once exchanged.
    pub fn key(&self) -> Option<&SessionKey> {
        todo!()
    }
    /// Fragments to send on the pool's stdout, in order.
    pub fn take_output(&mut self) -> Vec<Bytes> {
        todo!()
    }
}
