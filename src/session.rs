//! One tenant: connect, invoke, disconnect; deadlines, cancellation, the session budget.

mod invocation;
mod text_list;

pub use crate::transport::{Command, HostCallHead, Options, Record, RecordKind};
pub use invocation::{Invocation, Next, Stopper};
pub use text_list::TextList;

use crate::error::Result;
use crate::secret::Secret;
use std::time::Duration;
use uuid::Uuid;

/// Whether a wait came to its end. A wait of [`Duration::MAX`] is for ever, one of zero only looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait<T = ()> {
    /// It is there.
    Ready(T),
    /// The time was up.
    Pending,
}

/// The state of a session, by the numbers of PowerShell's RunspaceState.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are PowerShell's")]
pub enum State {
    BeforeOpen = 0,
    Opening = 1,
    Opened = 2,
    Closed = 3,
    Closing = 4,
    Broken = 5,
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
pub struct Cancel {}

impl Cancel {
    /// Not triggered.
    pub fn new() -> Self {
        Self::default()
    }
    /// Ends what it was given to, now or when it begins.
    pub fn trigger(&self) {
        todo!()
    }
    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        todo!()
    }
}

/// A session on one tenant. Clones are the same session; the last one dropped closes it in the background.
/// Every call may come from any thread, several at once.
#[derive(Debug, Clone)]
pub struct Session {}

impl Session {
    /// Begins to open a session; never waits for the network. What becomes of it: [`Session::wait`].
    pub fn open(options: &Options) -> Result<Self> {
        let _ = options;
        todo!()
    }

    /// Opens a session and waits for it, at most for the open timeout. Where that fails, or is cancelled, a shell that
    /// may have come to be is deleted in the background.
    pub fn connect(options: &Options, cancel: Option<&Cancel>) -> Result<Self> {
        let _ = (options, cancel);
        todo!()
    }

    /// Waits until the session is open. The error of the open is given again at every call.
    pub fn wait(&self, wait: Duration) -> Result<Wait> {
        let _ = wait;
        todo!()
    }

    /// Closes the session, stopping what runs, also where it is opening, busy or broken. What the server says to that is
    /// of no consequence: after the cancel timeout at the latest the session is closed here.
    pub fn disconnect(&self, wait: Duration) -> Result<Wait> {
        let _ = wait;
        todo!()
    }

    /// Texts for the user so far: one for each redirection.
    pub fn warnings(&self) -> &TextList {
        todo!()
    }

    /// The URI now talked to, and before it those that redirected: the last is the present one.
    pub fn uris(&self) -> &TextList {
        todo!()
    }

    /// The URI now talked to.
    pub fn uri(&self) -> &str {
        todo!()
    }

    /// The runspace pool's id.
    pub fn id(&self) -> Uuid {
        todo!()
    }

    /// The host of the first URI.
    pub fn computer_name(&self) -> &str {
        todo!()
    }

    /// The delegated organization, if one was asked for.
    pub fn organization(&self) -> Option<&str> {
        todo!()
    }

    /// The configuration's name without its prefix.
    pub fn configuration_name(&self) -> &str {
        todo!()
    }

    /// APPLICATION_PRIVATE_DATA as one CLIXML document, once it came.
    pub fn private_data(&self) -> Option<&str> {
        todo!()
    }

    /// The state now.
    pub fn state(&self) -> State {
        todo!()
    }

    /// Whether a command runs now.
    pub fn availability(&self) -> Availability {
        todo!()
    }

    /// After how long unused the server closes the session, once the server told it.
    pub fn idle_timeout(&self) -> Option<Duration> {
        todo!()
    }

    /// Exchanges the session key (MS-PSRP 2.2.2.3) unless it is there.
    pub fn exchange_key(&self, wait: Duration) -> Result<Wait> {
        let _ = wait;
        todo!()
    }

    /// Text as the content of an `<SS>` element. Needs the session key.
    pub fn protect(&self, text: &Secret<String>) -> Result<String> {
        let _ = text;
        todo!()
    }

    /// The text of an `<SS>` element's content. Needs the session key.
    pub fn unprotect(&self, encrypted: &str) -> Result<Secret<String>> {
        let _ = encrypted;
        todo!()
    }

    /// Begins to run a command; never waits for the network. `InvalidState` where the session is not open. A session runs
    /// one command at a time: where an earlier one has not ended, the new one waits its turn at the server, and the
    /// earlier one's records are collected meanwhile, so that a command may be invoked while those of another are read.
    pub fn invoke(&self, command: &Command) -> Result<Invocation> {
        let _ = command;
        todo!()
    }
}

/// Closes every session of this process, for all time waits counted together. New sessions can be opened afterwards.
pub fn shutdown(wait: Duration) -> Result<Wait> {
    let _ = wait;
    todo!()
}
