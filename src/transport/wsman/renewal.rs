//! Secrets that are renewed while a session lives: a request whose sign-in was refused did nothing, so that it may go out
//! again with a new one.

use super::Road;
use super::soap::Request;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::transport::http::Authorization;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// New secrets that one request may be refused with.
pub(super) const TRIES: u32 = 3;

/// After how long unused Exchange closes a session, where the server has not told it.
const IDLE: Duration = Duration::from_secs(900);

/// A request that waits for a new secret.
struct Wanting<'a>(&'a AtomicUsize);

impl<'a> Wanting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Road {
    /// Replaces a secret, from the next request on.
    pub(crate) fn set_secret(&self, key: &str, value: Secret<String>) -> Result<()> {
        let unusable = |why: String| Error::new(ErrorKind::InvalidArgument, "replace secret", why);
        let user = match (key, &self.options.user) {
            ("password", Some(user)) => user.clone(),
            ("password", None) => return Err(unusable("the session was opened without a user".into())),
            _ => return Err(unusable(format!("unknown secret key {key:?}, or not one of this session's road"))),
        };
        self.http.set_authorization(Some(&Authorization::Basic { user, password: value }));
        self.secrets.send_modify(|n| *n += 1);
        Ok(())
    }

    /// How long this request may wait for a new secret; None where its refusal is an answer: at the open a wrong password
    /// is the likelier cause, and at the end nobody brings another.
    pub(super) fn may_wait(&self, body: &Request) -> Option<Duration> {
        match body {
            _ if !self.options.renewable => None,
            Request::Create(_) | Request::Delete => None,
            // Between commands nobody looks; beyond this time the shell is gone.
            Request::Receive { command_id: None } => Some(self.status.idle_timeout.get().copied().unwrap_or(IDLE)),
            _ => Some(self.options.operation_timeout),
        }
    }

    /// Waits for another secret than the one with this number. Whether it came.
    pub(super) async fn renewed(&self, refused: u64, limit: Duration) -> bool {
        let _wanting = Wanting::new(&self.status.wanting);
        let mut secrets = self.secrets.subscribe();
        tokio::time::timeout(limit, secrets.wait_for(|n| *n != refused)).await.is_ok_and(|renewed| renewed.is_ok())
    }
}
