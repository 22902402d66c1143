//! The client's half of a runspace pool (MS-PSRP 3.1.5.3).

use super::message::{Sender, required, typed};
use super::pipeline::{misplaced, reason};
use super::pool::{Capability, PROTOCOL, count};
use super::types::{apartment_state, thread_options};
use super::*;
use crate::clixml::{Property, Value};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use uuid::Uuid;

/// The client's half of a runspace pool.
#[derive(Debug)]
pub struct ClientPool {
    config: PoolConfig,
    sender: Sender,
    defragmenter: Defragmenter,
    state: PoolState,
    /// What was agreed; None until the server's capability came.
    protocol: Option<(u32, u32)>,
    exchange: Option<KeyExchange>,
    key: Option<SessionKey>,
    /// The id of the last call on availability.
    last_call: i64,
}

impl ClientPool {
    /// Before open.
    pub fn new(config: PoolConfig) -> Self {
        let fragmenter = Fragmenter::new(config.fragment_size);
        Self {
            sender: Sender { fragmenter, destination: Destination::Server, pool: config.id, pipeline: Uuid::nil() },
            defragmenter: Defragmenter::new(config.object_limit),
            state: PoolState::BeforeOpen,
            protocol: None,
            exchange: None,
            key: None,
            last_call: 0,
            config,
        }
    }

    /// The pool's id.
    pub fn id(&self) -> Uuid {
        self.config.id
    }

    /// The state as far as the messages tell.
    pub fn state(&self) -> PoolState {
        self.state
    }

    /// The protocol version agreed with the server, once its capability came.
    pub fn protocol(&self) -> Option<(u32, u32)> {
        self.protocol
    }

    /// The cutter that the pool and its pipelines share.
    pub fn fragmenter(&self) -> &Fragmenter {
        &self.sender.fragmenter
    }

    /// SESSION_CAPABILITY and INIT_RUNSPACEPOOL, as fragments for creationXml.
    pub fn open(&mut self) -> Vec<Bytes> {
        self.state = PoolState::Opening;
        let mut fragments = self.sender.bag(MessageType::SessionCapability, Capability::ours(PROTOCOL).to_properties());
        let init = vec![
            Property::new("MinRunspaces", self.config.min_runspaces),
            Property::new("MaxRunspaces", self.config.max_runspaces),
            Property::new("PSThreadOptions", thread_options()),
            Property::new("ApartmentState", apartment_state()),
            Property::new("ApplicationArguments", self.config.application_arguments.clone()),
            Property::new("HostInfo", self.config.host.to_value()),
        ];
        fragments.extend(self.sender.bag(MessageType::InitRunspacePool, init));
        fragments
    }

    /// SESSION_CAPABILITY and CONNECT_RUNSPACEPOOL, as fragments for connectXml: to a pool that was disconnected.
    pub fn connect(&mut self) -> Vec<Bytes> {
        self.state = PoolState::Connecting;
        let mut fragments = self.sender.bag(MessageType::SessionCapability, Capability::ours(PROTOCOL).to_properties());
        // An empty string leaves the numbers of runspaces as they are (MS-PSRP 2.2.2.29).
        fragments.extend(self.sender.value(MessageType::ConnectRunspacePool, &"".into()));
        fragments
    }

    /// Takes bytes of the pool's stream. After an error nothing more should be pushed.
    pub fn receive(&mut self, bytes: &Bytes) -> Result<Vec<PoolEvent>> {
        let mut objects = Vec::new();
        self.defragmenter.push(bytes, &mut |object| {
            objects.push(object);
            Ok(())
        })?;
        objects.iter().map(|o| self.event(o)).collect()
    }

    fn event(&mut self, object: &Bytes) -> Result<PoolEvent> {
        let message = Message::decode(object)?;
        self.sender.check(&message)?;
        if self.protocol.is_none() && !matches!(message.kind, MessageType::SessionCapability | MessageType::RunspacePoolState) {
            return Err(early(message.kind));
        }
        if message.kind == MessageType::PublicKeyRequest {
            // Its data, an empty string, says nothing.
            return Ok(PoolEvent::KeyRequested);
        }
        let value = message.value()?;
        match message.kind {
            MessageType::SessionCapability => {
                let theirs = Capability::from_value(&value)?;
                self.protocol = Some(theirs.agree()?);
                Ok(PoolEvent::Capability(theirs.protocol, theirs.ps, theirs.serialization))
            }
            MessageType::ApplicationPrivateData => Ok(PoolEvent::PrivateData(required(&value, "ApplicationPrivateData")?.clone())),
            MessageType::RunspacePoolState => self.changed(&value),
            MessageType::EncryptedSessionKey => {
                let encrypted = typed(&value, "EncryptedSessionKey", Value::as_str)?;
                let Some(exchange) = self.exchange.take() else {
                    return Err(Error::new(ErrorKind::Protocol, "exchange session key", "the server sent a key without being asked"));
                };
                self.key = Some(exchange.session_key(encrypted)?);
                Ok(PoolEvent::KeyReady)
            }
            MessageType::RunspaceAvailability => {
                let result = required(&value, "SetMinMaxRunspacesResponse")?.clone();
                Ok(PoolEvent::Availability(typed(&value, "ci", Value::as_i64)?, result))
            }
            MessageType::RunspacePoolInitData => Ok(PoolEvent::InitData(count(&value, "MinRunspaces")?, count(&value, "MaxRunspaces")?)),
            MessageType::RunspacePoolHostCall => Ok(PoolEvent::HostCall(HostCall::from_value(&value)?)),
            MessageType::UserEvent => Ok(PoolEvent::UserEvent(value)),
            other => Err(misplaced(other, "the pool's stream")),
        }
    }

    fn changed(&mut self, value: &Value) -> Result<PoolEvent> {
        let state = PoolState::from_number(typed(value, "RunspaceState", Value::as_i64)?)
            .ok_or_else(|| Error::new(ErrorKind::Protocol, "read message", "unknown runspace pool state"))?;
        if state == PoolState::Opened && self.protocol.is_none() {
            return Err(early(MessageType::RunspacePoolState));
        }
        self.state = state;
        Ok(PoolEvent::State(state, reason(value)))
    }

    /// Whether no key is there or asked for.
    pub fn lacks_key(&self) -> bool {
        self.key.is_none() && self.exchange.is_none()
    }

    /// PUBLIC_KEY, unless a key is there or asked for already.
    pub fn request_key(&mut self) -> Result<Option<Vec<Bytes>>> {
        if self.lacks_key() { self.request_key_with(KeyExchange::new()?) } else { Ok(None) }
    }

    /// The same with a key pair made beforehand, for callers who cannot wait while one is made.
    pub fn request_key_with(&mut self, exchange: KeyExchange) -> Result<Option<Vec<Bytes>>> {
        if !self.lacks_key() {
            return Ok(None);
        }
        self.opened("exchange session key")?;
        let fragments = self.sender.bag(MessageType::PublicKey, vec![Property::new("PublicKey", exchange.public_key())]);
        self.exchange = Some(exchange);
        Ok(Some(fragments))
    }

    /// The session key, once exchanged.
    pub fn key(&self) -> Option<&SessionKey> {
        self.key.as_ref()
    }

    /// A new pipeline and its CREATE_PIPELINE fragments: the first goes with the Command, the rest on stdin.
    pub fn create_pipeline(&mut self, powershell: &PowerShell) -> Result<(ClientPipeline, Vec<Bytes>)> {
        let version = self.opened("create pipeline")?;
        let value = powershell.to_value(version)?;
        Ok(self.start(MessageType::CreatePipeline, &value))
    }

    /// A pipeline that asks for command metadata (MS-PSRP 2.2.2.14), and its fragments.
    pub fn get_command_metadata(&mut self, query: &MetadataQuery) -> Result<(ClientPipeline, Vec<Bytes>)> {
        let version = self.opened("get command metadata")?;
        if version == (2, 0) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "get command metadata",
                "the server's protocol version 2.0 has no such message",
            ));
        }
        Ok(self.start(MessageType::GetCommandMetadata, &query.to_value()))
    }

    fn start(&self, kind: MessageType, value: &Value) -> (ClientPipeline, Vec<Bytes>) {
        let pipeline = ClientPipeline::new(&self.sender, self.config.object_limit, self.config.pipeline_limit);
        let fragments = pipeline.start(kind, value);
        (pipeline, fragments)
    }

    /// RUNSPACEPOOL_HOST_RESPONSE for stream "pr".
    pub fn host_response(&self, response: &HostResponse) -> Vec<Bytes> {
        self.sender.value(MessageType::RunspacePoolHostResponse, &response.to_value())
    }

    /// SET_MAX_RUNSPACES: the call's id, which [`PoolEvent::Availability`] repeats with true or false, and the fragments.
    pub fn set_max_runspaces(&mut self, count: i32) -> Result<(i64, Vec<Bytes>)> {
        self.call(MessageType::SetMaxRunspaces, Some(Property::new("MaxRunspaces", count)))
    }

    /// SET_MIN_RUNSPACES: the call's id, which [`PoolEvent::Availability`] repeats with true or false, and the fragments.
    pub fn set_min_runspaces(&mut self, count: i32) -> Result<(i64, Vec<Bytes>)> {
        self.call(MessageType::SetMinRunspaces, Some(Property::new("MinRunspaces", count)))
    }

    /// GET_AVAILABLE_RUNSPACES: the call's id, which [`PoolEvent::Availability`] repeats with a number, and the fragments.
    pub fn get_available_runspaces(&mut self) -> Result<(i64, Vec<Bytes>)> {
        self.call(MessageType::GetAvailableRunspaces, None)
    }

    /// RESET_RUNSPACE_STATE: the call's id, which [`PoolEvent::Availability`] repeats with true or false, and the fragments.
    pub fn reset_runspace_state(&mut self) -> Result<(i64, Vec<Bytes>)> {
        if self.opened("reset runspace")? < command::INFORMATION {
            return Err(Error::new(ErrorKind::Unsupported, "reset runspace", "the server's protocol version has no such message"));
        }
        self.call(MessageType::ResetRunspaceState, None)
    }

    fn call(&mut self, kind: MessageType, argument: Option<Property>) -> Result<(i64, Vec<Bytes>)> {
        self.opened("ask runspace pool")?;
        self.last_call += 1;
        let properties = argument.into_iter().chain([Property::new("ci", self.last_call)]).collect();
        Ok((self.last_call, self.sender.bag(kind, properties)))
    }

    /// The agreed protocol version of a pool that is open.
    fn opened(&self, context: &'static str) -> Result<(u32, u32)> {
        match (self.state, self.protocol) {
            (PoolState::Opened, Some(protocol)) => Ok(protocol),
            (state, _) => Err(Error::new(ErrorKind::InvalidState, context, format!("the runspace pool is {state:?}, not Opened"))),
        }
    }
}

fn early(kind: MessageType) -> Error {
    Error::new(ErrorKind::Protocol, "open runspace pool", format!("a message of type {kind:?} came before the server's capability"))
}
