//! Shells: a runspace pool each, its commands, held Receives, and its end by Delete, idleness or accident.

use super::faults::Operation;
use super::flow::{Ended, Flow, Taken};
use super::metadata;
use super::organization::Organization;
use super::pipeline::Pipeline;
use super::records::{Category, Failure, SERVER, time_stamp};
use super::runspace::{Halt, Runspace};
use super::tenant::Service;
use crate::clixml::{Content, Object, Value, type_names};
use crate::lock::lock;
use crate::psrp::{
    Fragmenter, HostInfo, MessageType, PoolState, ServerPipeline, ServerPipelineEvent, ServerPool, ServerPoolEvent, SessionKey,
};
use crate::transport::soap::{Created, Fault, Response, SignalCode, Stream, code};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Bytes of one object that a client may send.
const OBJECT_LIMIT: usize = 200 * 1024 * 1024;

/// One command of a shell.
#[derive(Debug)]
pub struct Running {
    /// Its output, input and answers.
    pub flow: Flow,
    pipeline: Mutex<ServerPipeline>,
    at_work: AtomicBool,
}

impl Running {
    /// The protocol's half of it; to be held only while fragments are made or read.
    pub fn pipeline(&self) -> MutexGuard<'_, ServerPipeline> {
        lock(&self.pipeline)
    }
}

/// One shell.
#[derive(Debug)]
pub struct Shell {
    /// Upper case.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// The organization it works on.
    pub organization: Arc<Organization>,
    /// The server.
    pub service: Arc<Service>,
    /// A fault that every Receive gets instead of output: the way in which Exchange refuses late.
    doom: Option<Fault>,
    pool: Mutex<ServerPool>,
    fragmenter: Fragmenter,
    flow: Flow,
    host: OnceLock<HostInfo>,
    commands: Mutex<HashMap<String, Arc<Running>>>,
    idle: Duration,
    active: Mutex<Instant>,
    busy: Mutex<bool>,
    commanded: AtomicBool,
    /// The command whose answer comes in fragments without a command's id.
    answered: Mutex<Option<String>>,
    /// The next fragment of an object that never ends, once a fault began one.
    flood: Mutex<Option<u64>>,
}

/// Held while a pipeline runs: the pool has one runspace.
#[derive(Debug)]
pub struct Turn<'a>(&'a Shell);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(&self.0.busy) = false;
        self.0.wake_commands();
    }
}

/// What a shell needs to begin.
#[derive(Debug)]
pub struct Opening {
    /// Chosen by the client, or not.
    pub id: Option<String>,
    /// The client's creationXml.
    pub creation: Bytes,
    /// What the client asks.
    pub idle: Option<Duration>,
    /// Whose it is.
    pub account: String,
    /// The organization.
    pub organization: Arc<Organization>,
    /// Refused late, with this.
    pub doom: Option<Fault>,
    /// The client's MaxEnvelopeSize.
    pub max_envelope: usize,
    /// The pool breaks instead of opening.
    pub broken: bool,
}

impl Shell {
    /// Opens a shell and adds it to the service's.
    pub fn open(service: &Arc<Service>, opening: Opening) -> Result<Arc<Self>, Fault> {
        let id = opening.id.as_deref().map_or_else(|| Uuid::new_v4().to_string(), str::to_owned).to_ascii_uppercase();
        let idle = opening.idle.map_or(service.options.idle, |asked| asked.min(service.options.max_idle));
        // 32 KB is what PowerShell cuts to; smaller where the client's envelopes hold less.
        let fragment = (32 * 1024).min(budget(opening.max_envelope) / 4 * 3 - 256);
        let pool = ServerPool::new(private_data(), fragment, OBJECT_LIMIT);
        let shell = Arc::new(Self {
            id: id.clone(),
            account: opening.account,
            organization: opening.organization,
            service: Arc::clone(service),
            doom: opening.doom,
            fragmenter: pool.fragmenter().clone(),
            pool: Mutex::new(pool),
            flow: Flow::default(),
            host: OnceLock::new(),
            commands: Mutex::default(),
            idle,
            active: Mutex::new(Instant::now()),
            busy: Mutex::new(false),
            commanded: AtomicBool::new(false),
            answered: Mutex::new(None),
            flood: Mutex::new(None),
        });
        if opening.broken {
            shell.take_pool_input(&opening.creation, false, false)?;
            shell.break_pool();
        } else {
            shell.take_pool_input(&opening.creation, false, true)?;
        }
        service.add(&shell)?;
        tokio::spawn(expire_when_idle(Arc::downgrade(&shell)));
        Ok(shell)
    }

    /// What Create answers.
    pub fn created(&self) -> Response {
        let idle_timeout_ms = u64::try_from(self.idle.as_millis()).ok();
        Response::Created(Created { shell_id: self.id.clone(), idle_timeout_ms, owner: Some(self.account.clone()) })
    }

    fn take_pool_input(&self, bytes: &Bytes, responses: bool, opens: bool) -> Result<(), Fault> {
        let mut pool = lock(&self.pool);
        let events = if responses { pool.receive_responses(bytes) } else { pool.receive(bytes) }.map_err(|e| malformed(&e.to_string()))?;
        for event in events {
            match event {
                ServerPoolEvent::Opening(_, host) => {
                    let _ = self.host.set(host);
                    // Capability and private data come in one reply, the state in the next, as from Windows.
                    self.flow.push(pool.take_output());
                    self.flow.end_reply();
                    if opens {
                        pool.set_state(PoolState::Opened, None);
                    }
                }
                ServerPoolEvent::KeyReady => {
                    self.flow.push(pool.take_output());
                    drop(pool);
                    self.wake_commands();
                    pool = lock(&self.pool);
                }
                _ => {}
            }
        }
        self.flow.push(pool.take_output());
        Ok(())
    }

    /// Whether it was opened only to be refused.
    pub fn is_doomed(&self) -> bool {
        self.doom.is_some()
    }

    /// The client's host, as the pool was told.
    pub fn host(&self) -> HostInfo {
        self.host.get().cloned().unwrap_or_else(HostInfo::none)
    }

    /// The session key, once exchanged.
    pub fn key(&self) -> Option<SessionKey> {
        lock(&self.pool).key().cloned()
    }

    /// Asks the client for its public key, unless there is a session key.
    pub fn ask_for_key(&self) {
        let mut pool = lock(&self.pool);
        if pool.key().is_none() {
            pool.request_key();
            self.flow.push(pool.take_output());
        }
    }

    /// Makes the next object's id one higher than it would be.
    pub fn skip_object_id(&self) {
        drop(self.fragmenter.cut(&[]));
    }

    /// True the first time only.
    pub fn is_first_command(&self) -> bool {
        !self.commanded.swap(true, Ordering::Relaxed)
    }

    /// Waits until no other pipeline runs.
    pub fn turn(&self, running: &Running) -> Result<Turn<'_>, Ended> {
        running.flow.wait_until(|| !std::mem::replace(&mut *lock(&self.busy), true))?;
        Ok(Turn(self))
    }

    fn wake_commands(&self) {
        let commands: Vec<_> = lock(&self.commands).values().cloned().collect();
        commands.iter().for_each(|c| c.flow.wake());
    }

    fn touch(&self) {
        *lock(&self.active) = Instant::now();
    }

    fn find(&self, command_id: &str) -> Result<Arc<Running>, Fault> {
        lock(&self.commands).get(&command_id.to_ascii_uppercase()).cloned().ok_or_else(no_such_command)
    }

    /// Starts a command with its first fragments.
    pub fn command(self: &Arc<Self>, command_id: &str, arguments: &Bytes) -> Result<Response, Fault> {
        self.touch();
        let id = Uuid::parse_str(command_id).map_err(|_| malformed("the command's id is no GUID"))?;
        let running = Arc::new(Running {
            flow: Flow::default(),
            pipeline: Mutex::new(ServerPipeline::new(&lock(&self.pool), id)),
            at_work: AtomicBool::new(false),
        });
        if lock(&self.commands).insert(command_id.to_ascii_uppercase(), Arc::clone(&running)).is_some() {
            return Err(malformed("the command's id is in use"));
        }
        self.take_command_input(&running, arguments, false)?;
        Ok(Response::CommandStarted { command_id: command_id.to_owned() })
    }

    fn take_command_input(self: &Arc<Self>, running: &Arc<Running>, bytes: &Bytes, responses: bool) -> Result<(), Fault> {
        let events = {
            let mut pipeline = running.pipeline();
            if responses { pipeline.receive_responses(bytes) } else { pipeline.receive(bytes) }.map_err(|e| malformed(&e.to_string()))?
        };
        for event in events {
            match event {
                ServerPipelineEvent::Create(powershell) => {
                    let host = powershell.host.as_ref().filter(|h| !h.use_runspace_host).cloned().unwrap_or_else(|| self.host());
                    let runspace = Runspace::new(Box::new(Pipeline::new(self, running)), host, powershell.stream_options);
                    let (shell, running_here) = (Arc::clone(self), Arc::clone(running));
                    self.start(running, move || {
                        let turn = shell.turn(&running_here).map_err(Halt::from);
                        runspace.finish(turn.and_then(|_turn| runspace.execute(&powershell)));
                    });
                }
                ServerPipelineEvent::Metadata(query) => {
                    let runspace = Runspace::new(Box::new(Pipeline::new(self, running)), self.host(), 0);
                    self.start(running, move || runspace.finish(metadata::answer(&runspace, &query)));
                }
                ServerPipelineEvent::Input(value) => running.flow.add_input(value),
                ServerPipelineEvent::EndInput => running.flow.end_input(),
                ServerPipelineEvent::HostResponse(response) => running.flow.add_response(response),
            }
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, running: &Arc<Running>, work: impl FnOnce() + Send + 'static) {
        running.at_work.store(true, Ordering::Relaxed);
        let (shell, running) = (Arc::clone(self), Arc::clone(running));
        let started = std::thread::Builder::new().name("pipeline".to_owned()).spawn(move || {
            work();
            running.at_work.store(false, Ordering::Relaxed);
            shell.touch();
        });
        if let Err(error) = started {
            self.fail(&malformed(&format!("no thread for the pipeline: {error}")));
        }
    }

    /// Takes what came on streams.
    pub fn send(self: &Arc<Self>, streams: &[Stream]) -> Result<Response, Fault> {
        self.touch();
        for stream in streams {
            let responses = stream.name == "pr";
            match &stream.command_id {
                None if responses && self.take_unaddressed_response(&stream.data)? => {}
                None => self.take_pool_input(&stream.data, responses, true)?,
                Some(id) => self.take_command_input(&self.find(id)?, &stream.data, responses)?,
            }
        }
        Ok(Response::Sent)
    }

    /// The answer to a pipeline's host call may come without the command's id, which then stands in the message alone.
    fn take_unaddressed_response(self: &Arc<Self>, bytes: &Bytes) -> Result<bool, Fault> {
        const FRAGMENT: usize = 21;
        let begins = bytes.get(16).is_some_and(|flags| flags & 1 != 0);
        let pipeline = bytes.get(FRAGMENT + 24..FRAGMENT + 40).and_then(|id| id.try_into().ok()).map(Uuid::from_bytes_le);
        if begins {
            *lock(&self.answered) = pipeline.filter(|p| !p.is_nil()).map(|p| p.to_string());
        }
        let command = lock(&self.answered).clone();
        match command {
            Some(id) => self.take_command_input(&self.find(&id)?, bytes, true).map(|()| true),
            None => Ok(false),
        }
    }

    /// Waits for output of the pool or of a command.
    pub async fn receive(&self, command_id: Option<&str>, max_envelope: usize, timeout: Duration) -> Result<Response, Fault> {
        if let Some(doom) = &self.doom {
            return Err(doom.clone());
        }
        if let Some(flood) = command_id.and_then(|id| self.flooded(id, max_envelope)) {
            return Ok(flood);
        }
        let running = command_id.map(|id| self.find(id)).transpose()?;
        let flow = running.as_ref().map_or(&self.flow, |r| &r.flow);
        let beat = self.service.options.keep_alive.filter(|beat| *beat < timeout);
        let deadline = tokio::time::Instant::now() + beat.unwrap_or(timeout);
        let stream = |data| Stream { name: "stdout".to_owned(), command_id: command_id.map(str::to_owned), data };
        match flow.take(budget(max_envelope), cost, deadline).await {
            Taken::Output(fragments, finished) => {
                let done = command_id.filter(|_| finished).map(str::to_owned);
                Ok(Response::Received { streams: pack(&fragments).into_iter().map(stream).collect(), done })
            }
            Taken::Nothing if beat.is_some() => Ok(Response::Received { streams: vec![stream(Bytes::new())], done: None }),
            Taken::Nothing => Err(timed_out()),
            Taken::Fault(fault) => Err(fault),
        }
    }

    /// From now on every Receive of a command gets more of one object.
    pub fn begin_flood(&self) {
        lock(&self.flood).get_or_insert(0);
    }

    /// The next fragments of the endless object, if one was begun.
    pub fn flooded(&self, command_id: &str, max_envelope: usize) -> Option<Response> {
        const LENGTH: usize = 32 * 1024;
        let mut next = lock(&self.flood);
        let next = next.as_mut()?;
        let mut data = BytesMut::new();
        for _ in 0..(budget(max_envelope) / cost(LENGTH)).max(1) {
            data.put_u64(u64::MAX);
            data.put_u64(*next);
            data.put_u8(u8::from(*next == 0));
            data.put_u32(LENGTH as u32);
            let mut object = vec![b'x'; LENGTH];
            if *next == 0 {
                object[..4].copy_from_slice(&1_u32.to_le_bytes());
                object[4..8].copy_from_slice(&(MessageType::PipelineOutput as u32).to_le_bytes());
                object[8..24].copy_from_slice(&lock(&self.pool).id().to_bytes_le());
                object[24..40].copy_from_slice(&Uuid::parse_str(command_id).unwrap_or_default().to_bytes_le());
                object[40..46].copy_from_slice(b"\xef\xbb\xbf<S>");
            }
            data.extend_from_slice(&object);
            *next += 1;
        }
        let stream = Stream { name: "stdout".to_owned(), command_id: Some(command_id.to_owned()), data: data.freeze() };
        Some(Response::Received { streams: vec![stream], done: None })
    }

    /// Stops, releases or closes a command.
    pub fn signal(&self, command_id: &str, signal: &SignalCode) -> Result<Response, Fault> {
        self.touch();
        let running = self.find(command_id)?;
        match signal {
            SignalCode::Stop => running.flow.stop(),
            SignalCode::Terminate | SignalCode::Other(_) => {
                running.flow.fail(aborted());
                lock(&self.commands).remove(&command_id.to_ascii_uppercase());
            }
        }
        Ok(Response::Signaled)
    }

    /// Pipelines still at work.
    pub fn at_work(&self) -> usize {
        lock(&self.commands).values().filter(|c| c.at_work.load(Ordering::Relaxed)).count()
    }

    /// Ends everything in it with this fault.
    pub fn fail(&self, fault: &Fault) {
        self.flow.fail(fault.clone());
        lock(&self.commands).values().for_each(|c| c.flow.fail(fault.clone()));
    }

    /// Announces a broken pool; its commands end without a word.
    pub fn break_pool(&self) {
        let message = "The runspace pool was broken by the scripted fault 'broken-pool'.";
        let exception = "System.Management.Automation.Remoting.PSRemotingDataStructureException";
        let reason = Failure::new(exception, message, "RunspacePoolBroken", Category::InvalidOperation, "").record(None);
        let mut pool = lock(&self.pool);
        pool.set_state(PoolState::Broken, Some(reason));
        self.flow.push(pool.take_output());
        drop(pool);
        lock(&self.commands).values().for_each(|c| c.flow.fail(aborted()));
    }
}

async fn expire_when_idle(shell: Weak<Shell>) {
    loop {
        let Some(strong) = shell.upgrade() else { return };
        if !strong.service.has(&strong) {
            return;
        }
        let due = if strong.at_work() > 0 { Instant::now() + strong.idle } else { *lock(&strong.active) + strong.idle };
        if due <= Instant::now() {
            strong.service.expire(&strong);
            return;
        }
        drop(strong);
        tokio::time::sleep_until(due.into()).await;
    }
}

/// What an envelope leaves for streams.
fn budget(max_envelope: usize) -> usize {
    max_envelope.max(8 * 1024) - 2048
}

/// What a fragment takes in an envelope.
fn cost(length: usize) -> usize {
    length.div_ceil(3) * 4 + 192
}

/// Fragments as the data of streams: one each, or two or three together, since servers do either.
fn pack(fragments: &[Bytes]) -> Vec<Bytes> {
    let mut streams = Vec::with_capacity(fragments.len());
    let mut rest = fragments;
    while !rest.is_empty() {
        let (together, after) = rest.split_at((streams.len() % 3 + 1).min(rest.len()));
        rest = after;
        streams.push(match together {
            [one] => one.clone(),
            several => {
                let mut joined = BytesMut::with_capacity(several.iter().map(Bytes::len).sum());
                several.iter().for_each(|f| joined.extend_from_slice(f));
                joined.freeze()
            }
        });
    }
    streams
}

fn private_data() -> Value {
    let typed = |entries: Vec<(&str, Value)>| {
        let names = ["System.Management.Automation.PSPrimitiveDictionary", "System.Collections.Hashtable", "System.Object"];
        let entries = entries.into_iter().map(|(k, v)| (Value::from(k), v)).collect();
        Value::from(Object { type_names: Some(type_names(&names)), content: Content::Dictionary(entries), ..Object::new() })
    };
    let version = |v: &str| Value::Version(v.to_owned());
    let compatible = ["1.0", "2.0", "3.0", "4.0", "5.0", "5.1.17763.5830"].map(version);
    let table = typed(vec![
        ("PSVersion", version("5.1.17763.5830")),
        ("PSEdition", "Desktop".into()),
        ("PSCompatibleVersions", Object::list(compatible.into()).into()),
        ("CLRVersion", version("4.0.30319.42000")),
        ("BuildVersion", version("10.0.17763.5830")),
        ("WSManStackVersion", version("3.0")),
        ("PSRemotingProtocolVersion", version("2.3")),
        ("SerializationVersion", version("1.1.0.1")),
    ]);
    typed(vec![("PSVersionTable", table)])
}

fn fault(code: u32, subcode: &str, text: String) -> Fault {
    Fault { code: Some(code), subcode: subcode.to_owned(), reason: text.clone(), message: text }
}

/// Nothing came in time.
pub fn timed_out() -> Fault {
    let text = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  ";
    fault(code::TIMED_OUT, "TimedOut", text.to_owned())
}

/// The request cannot be understood.
pub fn malformed(why: &str) -> Fault {
    let text =
        format!("The SOAP XML in the message does not match the corresponding XML schema definition. Change the XML and retry. ({why})");
    fault(code::SCHEMA, "SchemaValidationError", text)
}

/// The operation was ended from elsewhere.
pub fn aborted() -> Fault {
    let text = "The I/O operation has been aborted because of either a thread exit or an application request. ";
    fault(995, "InternalError", text.to_owned())
}

/// No shell of this id.
pub fn no_such_shell(id: &str) -> Fault {
    let text = format!(
        "The request for the Windows Remote Shell with ShellId {id} failed because the shell was not found on the server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. Provide the correct ShellId or create a new shell and retry the operation. "
    );
    fault(code::SHELL_NOT_FOUND, "InvalidSelectors", text)
}

/// The shell was there and was closed for idleness, in Exchange's words.
pub fn expired_shell(id: &str) -> Fault {
    let mut fault = no_such_shell(id);
    let request = Uuid::new_v4();
    let stamp = time_stamp();
    let prefix = format!(
        "[ClientAccessServer={SERVER},BackEndServer={}.eurprd01.prod.outlook.com,RequestId={request},TimeStamp={stamp}] [FailureCategory=WSMan-InvalidShellID] ",
        SERVER.to_ascii_lowercase()
    );
    fault.message.insert_str(0, &prefix);
    fault.reason.clone_from(&fault.message);
    fault
}

fn no_such_command() -> Fault {
    let text = "The Windows Remote Shell received a request to perform an operation on a command identifier that does not exist. Either the command has completed execution or the client specified an invalid command identifier. ";
    fault(code::SHELL_NOT_FOUND, "InvalidSelectors", text.to_owned())
}

/// The number under which Exchange reports failed authorizations: nominally "not valid XML".
const AUTHORIZATION: u32 = 2_150_858_819;

/// An authorization failure in Exchange's words.
pub fn unauthorized(category: &str, text: &str) -> Fault {
    fault(AUTHORIZATION, "InternalError", format!("[AuthZRequestId={}][FailureCategory=AuthZ-{category}] {text}", Uuid::new_v4()))
}

/// Too many shells, said late and at length.
pub fn over_budget(limit: usize, account: &str) -> Fault {
    let policy = Uuid::new_v4();
    let text = format!(
        "Fail to create a runspace because you have exceeded the maximum number of connections allowed : {limit} for the policy party : MaxConcurrency. Please close existing runspace and try again. Policy: CN=GlobalThrottlingPolicy_{policy},CN=Global Settings,CN=ExchangeLabs,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=EURPRD01,DC=PROD,DC=OUTLOOK,DC=COM; Snapshot: Owner: Sid~EURPRD01\\{account}~WSMan~false BudgetType: WSMan ActiveRunspaces: {limit}/{limit} Balance: 600000/1800000/-3000000 PowerShellCmdletsLeft: 200/200 ExchangeCmdletsLeft: 9223372036854775807/Unlimited CmdletTimePeriod: 5 DestructiveCmdletsLeft: 60/60 DestructiveCmdletTimePeriod: Unlimited QueueDepth: Unlimited MaxRunspacesTimePeriod: 60 RunSpacesRemaining: 5/5 LastTimeFrameUpdate: {} Locked: False LockRemaining: 00:00:00",
        time_stamp()
    );
    unauthorized("AuthorizationException", &text)
}

/// Too many shells, said at Create.
pub fn too_many_shells(limit: usize) -> Fault {
    let text = format!(
        "The WS-Management service cannot process the request. This user is allowed a maximum number of {limit} concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user. "
    );
    fault(code::USER_SHELLS, "QuotaLimit", text)
}

/// The configuration does not exist.
pub fn no_such_configuration(uri: &str) -> Fault {
    let text = format!(
        "The WS-Management service cannot process the request. Cannot find the {uri} session configuration in the WSMan: drive on the {SERVER} computer. For more information, see the about_Remote_Troubleshooting Help topic. "
    );
    fault(code::NO_RESOURCE, "DestinationUnreachable", text)
}

/// The operation that a Receive is, by whether it names a command.
pub fn receive_operation(command_id: Option<&str>) -> Operation {
    if command_id.is_some() { Operation::Receive } else { Operation::PoolReceive }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_hold_one_fragment_or_several_and_lose_none() {
        let fragments: Vec<_> = (0..10_u8).map(|n| Bytes::from(vec![n; 3])).collect();
        let streams = pack(&fragments);
        assert_eq!(streams.iter().map(Bytes::len).collect::<Vec<_>>(), [3, 6, 9, 3, 6, 3]);
        assert_eq!(streams.concat(), fragments.concat());
    }
}
