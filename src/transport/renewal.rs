//! Secrets that whoever has a session is asked for while it lives, and brings to it.

use crate::lock::lock;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// A secret that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its key, as [`super::Road::set_secret`] takes it.
    pub(crate) key: &'static str,
    /// The claims that the service wants in a token, as JSON.
    pub(crate) claims: Option<String>,
    /// Where an assertion is to be shown.
    pub(crate) endpoint: Option<String>,
}

impl Wanted {
    pub(crate) fn new(key: &'static str) -> Self {
        Self { key, claims: None, endpoint: None }
    }
}

/// What is waited for, and what came. Asked from any thread.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// Counts what was brought.
    brought: watch::Sender<u64>,
    /// Of everyone who waits, with how many were brought before, the longest wait first.
    wanted: Mutex<Vec<Arc<(u64, Wanted)>>>,
}

/// One who waits, until dropped.
struct Waiting<'a>(&'a Secrets, Arc<(u64, Wanted)>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.0.wanted).retain(|w| !Arc::ptr_eq(w, &self.1));
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self { brought: watch::Sender::new(0), wanted: Mutex::default() }
    }
}

impl Secrets {
    /// How many were brought, to be read before the secret in use is.
    pub(crate) fn count(&self) -> u64 {
        *self.brought.borrow()
    }

    /// One was brought, and is in its place.
    pub(crate) fn tell(&self) {
        self.brought.send_modify(|n| *n += 1);
    }

    /// Waits until another was brought than those counted. Whether it came in time.
    pub(crate) async fn ask(&self, wanted: Wanted, counted: u64, limit: Duration) -> bool {
        let waiting = Waiting(self, Arc::new((counted, wanted)));
        lock(&self.wanted).push(Arc::clone(&waiting.1));
        let mut brought = self.brought.subscribe();
        tokio::time::timeout(limit, brought.wait_for(|n| *n != counted)).await.is_ok_and(|came| came.is_ok())
    }

    /// What is waited for, of several the one that is waited for longest. What was brought is wanted no more from then on, also while
    /// who waited for it has not yet woken: a caller that looks again at once would else bring one twice.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        let count = self.count();
        lock(&self.wanted).iter().find(|w| w.0 == count).map(|w| w.1.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    #[test]
    fn what_was_brought_is_not_wanted_again_before_the_waiting_wakes() {
        let secrets = Secrets::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _inside = runtime.enter();
        let mut waiting = Box::pin(secrets.ask(Wanted::new("password"), secrets.count(), Duration::from_secs(60)));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(secrets.wanted(), Some(Wanted::new("password")));
        secrets.tell();
        assert_eq!(secrets.wanted(), None);
        assert!(runtime.block_on(waiting));
    }
}
