//! The server's half of a runspace pool (MS-PSRP 3.2.5.3).

use super::message::{Sender, required, typed};
use super::pipeline::misplaced;
use super::pool::{Capability, count};
use super::*;
use crate::clixml::{Property, Value};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use std::sync::Arc;
use uuid::Uuid;

/// The server's half of a runspace pool.
#[derive(Debug)]
pub struct ServerPool {
    sender: Sender,
    input: Defragmenter,
    responses: Defragmenter,
    object_limit: usize,
    private_data: Value,
    state: PoolState,
    negotiated: bool,
    runspaces: (i32, i32),
    /// One clone for each pipeline alive.
    in_use: Arc<()>,
    key: Option<SessionKey>,
    output: Vec<Bytes>,
}

impl ServerPool {
    /// Before open. `private_data` becomes APPLICATION_PRIVATE_DATA.
    pub fn new(private_data: Value, fragment_size: usize, object_limit: usize) -> Self {
        let fragmenter = Fragmenter::new(fragment_size);
        Self {
            sender: Sender { fragmenter, destination: Destination::Client, pool: Uuid::nil(), pipeline: Uuid::nil() },
            input: Defragmenter::new(object_limit),
            responses: Defragmenter::new(object_limit),
            object_limit,
            private_data,
            state: PoolState::BeforeOpen,
            negotiated: false,
            runspaces: (1, 1),
            in_use: Arc::new(()),
            key: None,
            output: Vec::new(),
        }
    }

    /// The pool's id, once the client told it; nil before.
    pub fn id(&self) -> Uuid {
        self.sender.pool
    }

    /// The state as last announced.
    pub fn state(&self) -> PoolState {
        self.state
    }

    /// The cutter that the pool and its pipelines share.
    pub fn fragmenter(&self) -> &Fragmenter {
        &self.sender.fragmenter
    }

    /// Takes bytes of creationXml, connectXml or of the pool's "stdin". After an error nothing more should be pushed.
    pub fn receive(&mut self, bytes: &Bytes) -> Result<Vec<ServerPoolEvent>> {
        let mut objects = Vec::new();
        self.input.push(bytes, &mut |object| {
            objects.push(object);
            Ok(())
        })?;
        self.events(&objects)
    }

    /// Takes bytes of the pool's "pr". Apart from "stdin", since an answer may come amid another message's fragments.
    pub fn receive_responses(&mut self, bytes: &Bytes) -> Result<Vec<ServerPoolEvent>> {
        let mut objects = Vec::new();
        self.responses.push(bytes, &mut |object| {
            objects.push(object);
            Ok(())
        })?;
        self.events(&objects)
    }

    fn events(&mut self, objects: &[Bytes]) -> Result<Vec<ServerPoolEvent>> {
        let mut events = Vec::new();
        for object in objects {
            events.extend(self.event(object)?);
        }
        Ok(events)
    }

    fn event(&mut self, object: &Bytes) -> Result<Option<ServerPoolEvent>> {
        let message = Message::decode(object)?;
        if !self.negotiated {
            if message.kind != MessageType::SessionCapability {
                return Err(Error::new(ErrorKind::Protocol, "open runspace pool", "the first message is not the client's capability"));
            }
            self.sender.pool = message.pool;
        }
        self.sender.check(&message)?;
        let value = message.value()?;
        Ok(match message.kind {
            MessageType::SessionCapability => {
                let agreed = Capability::from_value(&value)?.agree()?;
                self.negotiated = true;
                self.send_without_pool(MessageType::SessionCapability, Capability::ours(agreed).to_properties());
                None
            }
            MessageType::InitRunspacePool => Some(self.init(&value)?),
            MessageType::ConnectRunspacePool => Some(self.connect(&value)?),
            MessageType::PublicKey => {
                let (key, encrypted) = SessionKey::generate(typed(&value, "PublicKey", Value::as_str)?)?;
                self.key = Some(key);
                self.send_without_pool(MessageType::EncryptedSessionKey, vec![Property::new("EncryptedSessionKey", encrypted)]);
                Some(ServerPoolEvent::KeyReady)
            }
            MessageType::SetMaxRunspaces => {
                let max = count(&value, "MaxRunspaces")?;
                let done = max >= self.runspaces.0;
                if done {
                    self.runspaces.1 = max;
                }
                Some(self.available(&value, done)?)
            }
            MessageType::SetMinRunspaces => {
                let min = count(&value, "MinRunspaces")?;
                let done = min >= 1 && min <= self.runspaces.1;
                if done {
                    self.runspaces.0 = min;
                }
                Some(self.available(&value, done)?)
            }
            MessageType::GetAvailableRunspaces => {
                let used = i64::try_from(Arc::strong_count(&self.in_use) - 1).unwrap_or(i64::MAX);
                Some(self.available(&value, (i64::from(self.runspaces.1) - used).max(0))?)
            }
            MessageType::ResetRunspaceState => {
                self.available(&value, true)?;
                Some(ServerPoolEvent::Reset)
            }
            MessageType::RunspacePoolHostResponse => Some(ServerPoolEvent::HostResponse(HostResponse::from_value(&value)?)),
            other => return Err(misplaced(other, "the pool's stream")),
        })
    }

    fn init(&mut self, value: &Value) -> Result<ServerPoolEvent> {
        let refuse = |detail| Err(Error::new(ErrorKind::Protocol, "open runspace pool", detail));
        if self.state != PoolState::BeforeOpen {
            return refuse("the runspace pool was opened before");
        }
        let (min, max) = (count(value, "MinRunspaces")?, count(value, "MaxRunspaces")?);
        if min < 1 || max < min {
            return refuse("the numbers of runspaces make no sense");
        }
        let host = HostInfo::from_value(required(value, "HostInfo")?)?;
        let arguments = value.property("ApplicationArguments").cloned().unwrap_or(Value::Nil);
        self.runspaces = (min, max);
        self.state = PoolState::Opening;
        self.send_private_data();
        Ok(ServerPoolEvent::Opening(arguments, host))
    }

    fn connect(&mut self, value: &Value) -> Result<ServerPoolEvent> {
        if value.property("MinRunspaces").is_some() {
            self.runspaces.0 = count(value, "MinRunspaces")?;
        }
        if value.property("MaxRunspaces").is_some() {
            self.runspaces.1 = count(value, "MaxRunspaces")?;
        }
        self.state = PoolState::Connecting;
        let (min, max) = self.runspaces;
        self.send(MessageType::RunspacePoolInitData, vec![Property::new("MinRunspaces", min), Property::new("MaxRunspaces", max)]);
        self.send_private_data();
        Ok(ServerPoolEvent::Connecting)
    }

    fn available(&mut self, call: &Value, answer: impl Into<Value>) -> Result<ServerPoolEvent> {
        let id = typed(call, "ci", Value::as_i64)?;
        self.send(MessageType::RunspaceAvailability, vec![Property::new("SetMinMaxRunspacesResponse", answer), Property::new("ci", id)]);
        Ok(ServerPoolEvent::Availability)
    }

    /// Announces a state (Opened after Opening; Broken with the ErrorRecord of the reason).
    pub fn set_state(&mut self, state: PoolState, reason: Option<Value>) {
        self.state = state;
        let mut properties = vec![Property::new("RunspaceState", state as i32)];
        properties.extend(reason.map(|r| Property::new("ExceptionAsErrorRecord", r)));
        self.send(MessageType::RunspacePoolState, properties);
    }

    /// Sends PUBLIC_KEY_REQUEST.
    pub fn request_key(&mut self) {
        self.output.extend(self.sender.value(MessageType::PublicKeyRequest, &"".into()));
    }

    /// Sends RUNSPACEPOOL_HOST_CALL.
    pub fn host_call(&mut self, call: &HostCall) {
        self.output.extend(self.sender.value(MessageType::RunspacePoolHostCall, &call.to_value()));
    }

    /// Sends USER_EVENT: a bag of `PSEventArgs.` properties (MS-PSRP 2.2.2.12).
    pub fn user_event(&mut self, event: &Value) {
        self.output.extend(self.sender.value(MessageType::UserEvent, event));
    }

    /// The session key, once exchanged.
    pub fn key(&self) -> Option<&SessionKey> {
        self.key.as_ref()
    }

    /// Fragments to send on the pool's stdout, in order.
    pub fn take_output(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.output)
    }

    pub(super) fn sender(&self) -> &Sender {
        &self.sender
    }

    pub(super) fn object_limit(&self) -> usize {
        self.object_limit
    }

    pub(super) fn runspace(&self) -> Arc<()> {
        self.in_use.clone()
    }

    fn send(&mut self, kind: MessageType, properties: Vec<Property>) {
        self.output.extend(self.sender.bag(kind, properties));
    }

    /// As Windows servers send their capability and the session key: without the pool's id.
    fn send_without_pool(&mut self, kind: MessageType, properties: Vec<Property>) {
        let sender = Sender { pool: Uuid::nil(), ..self.sender.clone() };
        self.output.extend(sender.bag(kind, properties));
    }

    fn send_private_data(&mut self) {
        let data = self.private_data.clone();
        self.send(MessageType::ApplicationPrivateData, vec![Property::new("ApplicationPrivateData", data)]);
    }
}
