//! One tenant: connect, invoke, disconnect; deadlines, cancellation, the session budget.

mod budget;
mod check;
mod invocation;
mod organization;

pub use crate::ledger::{Account, Entry, Holder};
pub use crate::transport::{COLLECTED_BYTES, Command, HostCallHead, Options, Record, RecordKind, State, TextList};
pub use check::{Check, Outcome, Step};
pub use invocation::{Invocation, Next};

use crate::error::{Error, ErrorKind, Result, fact};
use crate::ledger::Ledger;
use crate::lock::lock;
use crate::runtime;
use crate::secret::Secret;
use crate::transport::{Channel, Road, Turn, Turns};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// Whether a wait came to its end. A wait of [`Duration::MAX`] is for ever, one of zero only looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait<T = ()> {
    /// It is there.
    Ready(T),
    /// The time was up.
    Pending,
}

/// Whether a session runs a command, by the numbers of PowerShell's RunspaceAvailability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are PowerShell's")]
pub enum Availability {
    None = 0,
    Available = 1,
    AvailableForNestedCommand = 2,
    Busy = 3,
}

/// A way to end a connect from another thread. Clones are the same cancel.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Cancel {
    /// Not triggered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends what it was given to, now or when it begins.
    pub fn trigger(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        *self.0.borrow()
    }

    async fn triggered(&self) {
        // The sender is `self`, so that this cannot fail.
        let _ = self.0.subscribe().wait_for(|t| *t).await;
    }
}

/// A session on one tenant. Clones are the same session; the last one dropped closes it in the background.
/// Every call may come from any thread, several at once.
#[derive(Debug, Clone)]
pub struct Session(Arc<Handle>);

/// What the clones of a session share; the background task has only the core, so that it does not keep itself alive.
#[derive(Debug)]
struct Handle(Arc<Core>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[derive(Debug)]
struct Core {
    id: Uuid,
    options: Options,
    organization: Option<String>,
    /// The name of the organization, once the server has named it as the one asked for.
    verified: OnceLock<String>,
    road: Road,
    turns: Arc<Turns>,
    /// For what it waits before it opens.
    waiting: Mutex<Option<String>>,
    close: watch::Sender<bool>,
    /// Nothing of the session is left at the server, as far as it can be helped.
    ended: watch::Sender<bool>,
}

/// The address where a session of these options gets its tokens.
///
/// # Errors
/// InvalidArgument where the options lead nowhere, or to no such address.
pub fn token_endpoint(options: &Options) -> Result<String> {
    Road::new(Uuid::new_v4(), options)?.property("token_endpoint").ok_or_else(|| {
        let text = "tokens are got by a sign-in on the REST road, to which these options do not lead";
        Error::new(ErrorKind::InvalidArgument, "find token endpoint", text)
    })
}

/// The sessions of this process that may have something at a server.
static SESSIONS: Mutex<Vec<Weak<Core>>> = Mutex::new(Vec::new());

impl Session {
    /// Begins to open a session; never waits for the network. What becomes of it: [`Session::wait`]. An error at once
    /// where the options can lead nowhere.
    pub fn open(options: &Options) -> Result<Self> {
        let id = Uuid::new_v4();
        let of_options = |error| of_tenant(error, options.organization.as_deref());
        let road = Road::new(id, options).map_err(of_options)?;
        let organization = road.organization();
        if options.verify_organization && organization.is_none() {
            let text = "no organization is asked for, so that there is none to verify";
            return Err(Error::new(ErrorKind::InvalidArgument, "open session", text)
                .with_fact(fact::REMEDY, "Name the organization, or leave its verification out."));
        }
        let core = Arc::new(Core {
            id,
            options: options.clone(),
            organization,
            verified: OnceLock::new(),
            road,
            turns: Turns::new(),
            waiting: Mutex::default(),
            close: watch::Sender::new(false),
            ended: watch::Sender::new(false),
        });
        {
            let mut sessions = lock(&SESSIONS);
            sessions.retain(|s| s.strong_count() > 0);
            sessions.push(Arc::downgrade(&core));
        }
        let session = Self(Arc::new(Handle(Arc::clone(&core))));
        runtime::spawn(live(core))?;
        Ok(session)
    }

    /// Opens a session and waits for it, at most for the open timeout and what it may wait for its turn. Where that fails, or is cancelled, a shell that
    /// may have come to be is deleted in the background.
    pub fn connect(options: &Options, cancel: Option<&Cancel>) -> Result<Self> {
        let session = Self::open(options)?;
        let result = runtime::wait(
            async {
                match cancel {
                    Some(cancel) => tokio::select! {
                        biased;
                        () = cancel.triggered() => Err(Error::new(ErrorKind::Cancelled, "open session", "it was cancelled")),
                        result = session.opened() => result,
                    },
                    None => session.opened().await,
                }
            },
            Duration::MAX,
        );
        result.unwrap_or(Ok(()))?;
        Ok(session)
    }

    async fn opened(&self) -> Result<()> {
        let status = &self.core().road.status();
        let mut state = status.watch();
        let _ = state.wait_for(|s| !matches!(s, State::BeforeOpen | State::Opening)).await;
        match status.state() {
            State::Opened => Ok(()),
            _ => Err(self.core().named(status.failure().unwrap_or_else(|| status.why("open session")))),
        }
    }

    fn core(&self) -> &Arc<Core> {
        &self.0.0
    }

    /// Waits until the session is open. The error of the open is given again at every call, and so is the error by which
    /// an open session was lost.
    pub fn wait(&self, wait: Duration) -> Result<Wait> {
        match runtime::wait(self.opened(), wait) {
            Some(result) => result.map(Wait::Ready),
            None => Ok(Wait::Pending),
        }
    }

    /// While it waits for another session of its account to end: who has them, for people. None where it does not wait.
    pub fn waiting(&self) -> Option<String> {
        lock(&self.core().waiting).clone()
    }

    /// Closes the session, stopping what runs, also where it is opening, busy or broken. What the server says to that is
    /// of no consequence: after the cancel timeout at the latest the session is closed here.
    pub fn disconnect(&self, wait: Duration) -> Result<Wait> {
        let core = self.core();
        core.close();
        Ok(if runtime::wait(core.wait_end(), wait).is_some() { Wait::Ready(()) } else { Wait::Pending })
    }

    /// Texts for the user so far: one for each redirection.
    pub fn warnings(&self) -> &TextList {
        &self.core().road.status().warnings
    }

    /// The URI now talked to, and before it those that redirected: the last is the present one.
    pub fn uris(&self) -> &TextList {
        &self.core().road.status().uris
    }

    /// The URI now talked to.
    pub fn uri(&self) -> &str {
        self.uris().last().and_then(|u| u.to_str().ok()).unwrap_or_default()
    }

    /// The runspace pool's id.
    pub fn id(&self) -> Uuid {
        self.core().id
    }

    /// The host of the first URI.
    pub fn computer_name(&self) -> &str {
        self.core().road.host()
    }

    /// The delegated organization, if one was asked for.
    pub fn organization(&self) -> Option<&str> {
        self.core().organization.as_deref()
    }

    /// The organization's own name, where the option `verify_organization` had the server name it.
    pub fn verified_organization(&self) -> Option<&str> {
        self.core().verified.get().map(String::as_str)
    }

    /// Replaces a secret of the session, from its next request on: `password`, and on the REST road `access_token` or
    /// `client_assertion`.
    pub fn set_secret(&self, key: &str, value: Secret<String>) -> Result<()> {
        self.core().road.set_secret(key, value)
    }

    /// Whether a request waits for [`Session::set_secret`], as the option `renewable` has it, or soon will: the property
    /// `wanted_secret` is its key.
    pub fn wants_secret(&self) -> bool {
        self.core().road.wanted().is_some()
    }

    /// What else is known of the session, by name: `transport` (`WSMan` or `REST`); `wanted_secret` and `wanted_claims` while
    /// [`Session::wants_secret`]; and on the REST road `token_endpoint`, `user_principal_name`, `app_id`, `tenant_id` and
    /// `token_expiry_time_utc` (ISO 8601), each once a token tells it.
    pub fn property(&self, name: &str) -> Option<String> {
        self.core().road.property(name)
    }

    /// The configuration's name without its prefix.
    pub fn configuration_name(&self) -> &str {
        &self.core().options.configuration_name
    }

    /// APPLICATION_PRIVATE_DATA as one CLIXML document, once it came.
    pub fn private_data(&self) -> Option<&str> {
        self.core().road.status().private_data.get().map(String::as_str)
    }

    /// The state now.
    pub fn state(&self) -> State {
        self.core().road.status().state()
    }

    /// Whether a command runs now.
    pub fn availability(&self) -> Availability {
        match self.state() {
            State::Opened if self.core().turns.is_busy() => Availability::Busy,
            State::Opened => Availability::Available,
            _ => Availability::None,
        }
    }

    /// After how long unused the server closes the session, once the server told it.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.core().road.status().idle_timeout.get().copied()
    }

    /// Exchanges the session key (MS-PSRP 2.2.2.3) unless it is there.
    pub fn exchange_key(&self, wait: Duration) -> Result<Wait> {
        let core = self.core();
        let mut ready = core.road.key_ready();
        if *ready.borrow() {
            return Ok(Wait::Ready(()));
        }
        core.must_be_open("exchange session key")?;
        let road = core.road.clone();
        runtime::spawn(async move {
            // A key that was asked for and did not go out will never come: that session is of no use.
            if let Err(error) = road.request_key().await {
                road.status().fail(error);
            }
        })?;
        let waited = runtime::wait(
            async {
                tokio::select! {
                    biased;
                    _ = ready.wait_for(|r| *r) => Ok(()),
                    error = core.road.status().over("exchange session key") => Err(error),
                }
            },
            wait,
        );
        match waited {
            Some(result) => result.map(Wait::Ready),
            None => Ok(Wait::Pending),
        }
    }

    /// Text as the content of an `<SS>` element. Needs the session key.
    pub fn protect(&self, text: &Secret<String>) -> Result<String> {
        self.core().road.protect(text)
    }

    /// The text of an `<SS>` element's content. Needs the session key.
    pub fn unprotect(&self, encrypted: &str) -> Result<Secret<String>> {
        self.core().road.unprotect(encrypted)
    }

    /// Begins to run a command; never waits for the network. `InvalidState` where the session is not open.
    ///
    /// A session runs one command at a time. Where an earlier one has not ended, the new one waits its turn, and the
    /// earlier one's records are collected meanwhile (up to [`COLLECTED_BYTES`]), so that a command may be invoked while
    /// those of another are read; PowerShell's own client nests the two at the server. Where the earlier one needs its
    /// caller before it can go on (more input, the answer to a host call), the wait might be for ever, and the new command
    /// fails with `InvalidState` instead, from here or from [`Invocation::next`]; nothing of it was sent then.
    pub fn invoke(&self, command: &Command) -> Result<Invocation> {
        let core = Arc::clone(self.core());
        core.must_be_open("invoke")?;
        let work = command.work()?;
        let takes_input = command.takes_input();
        let mut turn = core.turns.ask();
        if let Some(error) = turn.is_blocked() {
            runtime::spawn(turn.leave())?;
            return Err(error);
        }
        let (channel, intake) = Channel::new(takes_input, Arc::clone(&core.turns));
        let invocation = Invocation::new(self.clone(), Arc::clone(&channel), takes_input);
        runtime::spawn(async move {
            match core.turn_comes(&mut turn, &channel).await {
                Ok(()) => core.road.invoke(work, &channel, intake).await,
                Err(error) => channel.finish(Err(error)),
            }
            turn.leave().await;
        })?;
        Ok(invocation)
    }
}

impl Core {
    fn close(&self) {
        self.close.send_replace(true);
        self.road.status().set(if *self.ended.borrow() { State::Closed } else { State::Closing });
    }

    async fn wait_end(&self) {
        // The sender is `self`, so that this cannot fail.
        let _ = self.ended.subscribe().wait_for(|e| *e).await;
        self.road.status().set(State::Closed);
    }

    /// Opens the session for its commands, after a look at where it is.
    async fn begin(&self) -> Result<()> {
        if self.options.verify_organization {
            let verified = tokio::time::timeout(self.options.open_timeout, self.verify()).await;
            let _ = self.verified.set(verified.unwrap_or_else(|_| Err(self.no_word()))?);
        }
        self.road.status().set(State::Opened);
        Ok(())
    }

    /// The same error with the organization in it.
    fn named(&self, error: Error) -> Error {
        of_tenant(error, self.organization.as_deref())
    }

    fn must_be_open(&self, context: &'static str) -> Result<()> {
        match self.road.status().state() {
            State::Opened => Ok(()),
            state => {
                let text = format!("the session is {state:?}, and must be Opened");
                let error = self.named(Error::new(ErrorKind::InvalidState, context, text));
                Err(match self.road.status().failure() {
                    Some(why) => error.with_source(why),
                    None => error,
                })
            }
        }
    }

    async fn turn_comes(&self, turn: &mut Turn, channel: &Channel) -> Result<()> {
        tokio::select! {
            biased;
            error = self.road.status().over("invoke") => Err(error),
            () = channel.stopped() => Err(Error::new(ErrorKind::Cancelled, "invoke", "the command was stopped before it was sent")),
            result = turn.come() => result,
        }
    }
}

fn of_tenant(error: Error, organization: Option<&str>) -> Error {
    match organization {
        Some(organization) => error.with_fact(fact::TENANT, organization),
        None => error,
    }
}

/// A session's life, from the first byte sent until nothing of it is left at the server.
async fn live(core: Arc<Core>) {
    let road = &core.road;
    let mut close = core.close.subscribe();
    let closing = || Error::new(ErrorKind::Cancelled, "open session", "the session was closed while it opened");
    let opened = tokio::select! {
        biased;
        _ = close.wait_for(|c| *c) => Err(closing()),
        opened = core.open_in_turn() => opened,
    };
    match opened {
        Ok(listener) => {
            let lost = tokio::select! {
                biased;
                _ = close.wait_for(|c| *c) => None,
                error = listener.run() => Some(error),
                error = road.status().over("receive from session") => Some(error),
                Err(error) = core.begin() => Some(error),
            };
            if let Some(error) = lost {
                road.status().fail(error);
            }
        }
        Err(error) => road.status().fail(error),
    }
    // Whether the server says to the Delete what it should is of no consequence to the caller.
    let deleted = road.delete().await;
    budget::tell();
    core.ended.send_replace(true);
    if deleted.is_err_and(|e| e.kind() != ErrorKind::Authentication) {
        road.delete_late().await;
        budget::tell();
    }
}

/// Every shell that the ledger of these options tells of: of this process, and of the user's others.
pub fn ledger(options: &Options) -> Vec<Holder> {
    Ledger::of(options.ledger.as_deref()).holders()
}

/// Closes every session of this process and waits until all are closed. New sessions can be opened afterwards.
pub fn shutdown(wait: Duration) -> Result<Wait> {
    let deadline = Instant::now().checked_add(wait);
    let sessions: Vec<Arc<Core>> = lock(&SESSIONS).iter().filter_map(Weak::upgrade).collect();
    sessions.iter().for_each(|s| s.close());
    for session in sessions {
        let left = deadline.map_or(Duration::MAX, |d| d.saturating_duration_since(Instant::now()));
        if runtime::wait(session.wait_end(), left).is_none() {
            return Ok(Wait::Pending);
        }
    }
    Ok(Wait::Ready(()))
}
