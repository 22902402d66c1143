//! What is known of a session, for all who ask.

use super::{Secrets, TextList};
use crate::error::{Error, ErrorKind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

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

impl State {
    /// A session's life goes one way.
    fn order(self) -> u8 {
        match self {
            Self::BeforeOpen => 0,
            Self::Opening => 1,
            Self::Opened => 2,
            Self::Broken => 3,
            Self::Closing => 4,
            Self::Closed => 5,
        }
    }
}

/// What a road tells of its session as it learns it. Read from any thread.
#[derive(Debug)]
pub(crate) struct Status {
    state: watch::Sender<State>,
    failure: OnceLock<Error>,
    /// The server took the credential.
    pub(crate) signed_in: watch::Sender<bool>,
    /// New secrets, for requests that wait for one.
    pub(crate) secrets: Arc<Secrets>,
    /// Texts for the user, which those who sign the user in write too.
    pub(crate) warnings: Arc<TextList>,
    /// The URIs talked to, the present one last.
    pub(crate) uris: TextList,
    /// APPLICATION_PRIVATE_DATA as one CLIXML document.
    pub(crate) private_data: OnceLock<String>,
    /// After how long unused the server closes the session.
    pub(crate) idle_timeout: OnceLock<Duration>,
}

impl Status {
    pub(crate) fn new() -> Self {
        Self {
            state: watch::Sender::new(State::Opening),
            failure: OnceLock::new(),
            signed_in: watch::Sender::new(false),
            secrets: Arc::default(),
            warnings: Arc::default(),
            uris: TextList::default(),
            private_data: OnceLock::new(),
            idle_timeout: OnceLock::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        *self.state.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Goes on to a later state; a step back is no step.
    pub(crate) fn set(&self, state: State) {
        self.state.send_if_modified(|s| {
            let forward = state.order() > s.order();
            if forward {
                *s = state;
            }
            forward
        });
    }

    /// The session is lost. The first error stays.
    pub(crate) fn fail(&self, error: Error) {
        let _ = self.failure.set(error);
        self.set(State::Broken);
    }

    /// Why the session is lost, if it is.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.get().cloned()
    }

    /// Waits until no command can run any more, and tells why.
    pub(crate) async fn over(&self, context: &'static str) -> Error {
        let over = |s: &State| s.order() > State::Opened.order();
        // The sender is `self`, so that this cannot fail.
        let _ = self.watch().wait_for(over).await;
        self.why(context)
    }

    /// Why no command can run.
    pub(crate) fn why(&self, context: &'static str) -> Error {
        match self.state() {
            State::Broken => match self.failure() {
                Some(error) => error,
                None => Error::new(ErrorKind::Disconnected, context, "the session is Broken"),
            },
            State::Closing | State::Closed => Error::new(ErrorKind::Cancelled, context, "the session was closed"),
            state => Error::new(ErrorKind::InvalidState, context, format!("the session is {state:?}, not Opened")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_never_steps_back_and_the_first_failure_stays() {
        let s = Status::new();
        s.set(State::Opened);
        s.fail(Error::new(ErrorKind::Disconnected, "a", "first"));
        s.fail(Error::new(ErrorKind::Disconnected, "a", "second"));
        s.set(State::Opened);
        assert_eq!((s.state(), s.failure().unwrap().to_string()), (State::Broken, "a: first".into()));
        s.set(State::Closed);
        assert_eq!(s.state(), State::Closed);
    }
}
