//! The roads, as a session sees them: one of them, chosen when it opens.

use super::options::RoadName;
use super::{Channel, Intake, Options, Part, Passage, Status, Wanted, Work};
use super::{rest, wsman};
use crate::error::{Error, Result};
use crate::ledger::{Account, Ledger};
use crate::secret::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// The road of one session. Clones are the same road.
#[derive(Debug, Clone)]
pub(crate) enum Road {
    /// WS-Management with MS-PSRP.
    Wsman(Arc<wsman::Road>),
    /// Exchange Online's REST cmdlet API.
    Rest(Arc<rest::Road>),
}

/// What an open session listens to until it is lost.
pub(crate) enum Listener {
    Wsman(Box<wsman::PoolReader>),
    Rest(rest::Listener),
}

impl Road {
    /// Nothing is sent yet. An error where the options can lead nowhere.
    pub(crate) fn new(id: Uuid, options: &Options) -> Result<Self> {
        let rest = match options.road {
            Some(road) => road == RoadName::Rest,
            None => rest::is_meant(options.uri.as_deref()),
        };
        Ok(if rest { Self::Rest(Arc::new(rest::Road::new(id, options)?)) } else { Self::Wsman(Arc::new(wsman::Road::new(id, options)?)) })
    }

    /// What is known of the session.
    pub(crate) fn status(&self) -> &Status {
        match self {
            Self::Wsman(road) => &road.status,
            Self::Rest(road) => &road.status,
        }
    }

    /// The host of the first URI.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Wsman(road) => road.host(),
            Self::Rest(road) => road.host(),
        }
    }

    /// The organization asked for, by option or in the URI.
    pub(crate) fn organization(&self) -> Option<String> {
        match self {
            Self::Wsman(road) => road.organization(),
            Self::Rest(road) => road.organization(),
        }
    }

    /// Goes the way to the server as far as HTTP, without a sign-in, and tells each part of it. Whether it led there.
    pub(crate) async fn reach(&self, tell: &mut (impl FnMut(Part, Passage, Duration) + Send)) -> bool {
        match self {
            Self::Wsman(road) => road.reach(tell).await,
            Self::Rest(road) => road.look(tell).await,
        }
    }

    /// Whether it is the REST API, where a session is a sign-in and a service that answers.
    pub(crate) fn is_rest(&self) -> bool {
        matches!(self, Self::Rest(_))
    }

    /// Whether it goes with a token that was given, and asks no authority.
    pub(crate) fn has_ready_token(&self) -> bool {
        match self {
            Self::Wsman(_) => false,
            Self::Rest(road) => road.has_ready_token(),
        }
    }

    /// The ledger, and whose sessions this one counts with there; None where the server knows no sessions.
    pub(crate) fn account(&self) -> Option<(&Arc<Ledger>, &Account)> {
        match self {
            Self::Wsman(road) => Some(road.account()),
            Self::Rest(_) => None,
        }
    }

    /// Enters the session in the ledger.
    pub(crate) async fn enter(&self) {
        match self {
            Self::Wsman(road) => road.enter().await,
            Self::Rest(_) => {}
        }
    }

    /// Whether the shell of this id, as the ledger has it, is this session's.
    pub(crate) fn is(&self, shell: &str) -> bool {
        match self {
            Self::Wsman(road) => road.is(shell),
            Self::Rest(_) => false,
        }
    }

    /// Opens the session, within the open timeout. Where it fails, [`Road::delete`] is still to be called, after which it can
    /// be opened again.
    pub(crate) async fn open(&self) -> Result<Listener> {
        match self {
            Self::Wsman(road) => road.open().await.map(|reader| Listener::Wsman(Box::new(reader))),
            Self::Rest(road) => road.open().await.map(Listener::Rest),
        }
    }

    /// Runs one command to its end and releases it: when this returns, the next can run.
    pub(crate) async fn invoke(&self, work: Work, channel: &Arc<Channel>, intake: Intake) {
        match self {
            Self::Wsman(road) => road.invoke(work, channel, intake).await,
            Self::Rest(road) => road.invoke(work, channel, intake).await,
        }
    }

    /// Takes away what the open may have left at the server.
    pub(crate) async fn delete(&self) -> Result<()> {
        match self {
            Self::Wsman(road) => road.delete().await,
            // The service has no session to take away.
            Self::Rest(_) => Ok(()),
        }
    }

    /// Goes on with a [`Road::delete`] that failed, in the background, once the session is not to be opened again.
    pub(crate) async fn delete_late(&self) {
        match self {
            Self::Wsman(road) => road.delete_late().await,
            Self::Rest(_) => {}
        }
    }

    /// Replaces a secret, from the next request on.
    pub(crate) fn set_secret(&self, key: &str, value: Secret<String>) -> Result<()> {
        match self {
            Self::Wsman(road) => road.set_secret(key, value),
            Self::Rest(road) => road.set_secret(key, value),
        }
    }

    /// The secret that is waited for, or soon will be.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        match self {
            Self::Wsman(road) => road.status.secrets.wanted(),
            Self::Rest(road) => road.wanted(),
        }
    }

    /// What is known of the session under this name; see [`crate::session::Session::property`].
    pub(crate) fn property(&self, name: &str) -> Option<String> {
        match (self, name) {
            (_, "wanted_secret") => self.wanted().map(|w| w.key.to_owned()),
            (_, "wanted_claims") => self.wanted()?.claims,
            (Self::Wsman(_), "transport") => Some(String::from("WSMan")),
            (Self::Wsman(_), _) => None,
            (Self::Rest(road), name) => road.property(name),
        }
    }

    /// Whether the key for secure strings is there, and when it comes.
    pub(crate) fn key_ready(&self) -> watch::Receiver<bool> {
        match self {
            Self::Wsman(road) => road.key_ready(),
            Self::Rest(road) => road.key_ready(),
        }
    }

    /// Asks for the key for secure strings, unless it is there or on its way.
    pub(crate) async fn request_key(&self) -> Result<()> {
        match self {
            Self::Wsman(road) => road.request_key().await,
            Self::Rest(road) => road.request_key().await,
        }
    }

    /// Text as the content of an `<SS>` element. An error while the key is not there.
    pub(crate) fn protect(&self, text: &Secret<String>) -> Result<String> {
        match self {
            Self::Wsman(road) => road.with_key(|key| key.protect(text)),
            Self::Rest(road) => road.protect(text),
        }
    }

    /// The text of an `<SS>` element's content. An error while the key is not there.
    pub(crate) fn unprotect(&self, encrypted: &str) -> Result<Secret<String>> {
        match self {
            Self::Wsman(road) => road.with_key(|key| key.unprotect(encrypted))?,
            Self::Rest(road) => road.unprotect(encrypted),
        }
    }
}

impl Listener {
    /// Waits until the session is lost, and tells why.
    pub(crate) async fn run(self) -> Error {
        match self {
            Self::Wsman(reader) => reader.run().await,
            Self::Rest(listener) => listener.run().await,
        }
    }
}
