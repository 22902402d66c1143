//! The tokens of this process: one slot for each way to sign in and tenant, and the refresh token that goes on from one
//! redemption to the next.

use super::Token;
use crate::error::Error;
use crate::lock::lock;
use crate::secret::Secret;
use ring::digest::{Context, SHA256};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use tokio::sync::Mutex as AsyncMutex;

/// Tells apart what must not share a token; a digest, because a credential is part of it.
pub(super) type Identity = [u8; 32];

/// The identity of these parts.
pub(super) fn identity(parts: &[&str]) -> Identity {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    let mut identity = [0; 32];
    identity.copy_from_slice(context.finish().as_ref());
    identity
}

/// The token of one identity.
#[derive(Default)]
pub(super) struct Slot {
    state: Mutex<State>,
    /// Held while a token is asked for.
    pub(super) renewing: AsyncMutex<()>,
}

#[derive(Default)]
struct State {
    /// Counts the requests that ended, well or not.
    generation: u64,
    token: Option<Arc<Token>>,
    claims: Option<String>,
    failure: Option<Error>,
}

impl Slot {
    pub(super) fn generation(&self) -> u64 {
        lock(&self.state).generation
    }

    /// A token that need not be renewed yet.
    pub(super) fn fresh(&self) -> Option<Arc<Token>> {
        lock(&self.state).token.as_ref().filter(|t| t.is_fresh()).map(Arc::clone)
    }

    /// A token that is good, with these claims where there are any.
    pub(super) fn good(&self, claims: Option<&str>) -> Option<Arc<Token>> {
        let state = lock(&self.state);
        let fits = claims.is_none() || state.claims.as_deref() == claims;
        state.token.as_ref().filter(|t| fits && t.is_good()).map(Arc::clone)
    }

    /// The error of the last request, where it failed.
    pub(super) fn failure(&self) -> Option<Error> {
        lock(&self.state).failure.clone()
    }

    pub(super) fn renewed(&self, token: Arc<Token>, claims: Option<&str>) {
        let mut state = lock(&self.state);
        state.generation += 1;
        (state.token, state.failure) = (Some(token), None);
        state.claims = claims.map(str::to_owned);
    }

    /// Notes the error, and gives the old token where it is still good.
    pub(super) fn failed(&self, error: &Error) -> Option<Arc<Token>> {
        {
            let mut state = lock(&self.state);
            state.generation += 1;
            state.failure = Some(error.clone());
        }
        self.good(None)
    }

    /// This token is not to be given again.
    pub(super) fn spoil(&self, token: &Secret<String>) {
        let mut state = lock(&self.state);
        if state.token.as_ref().is_some_and(|t| t.secret.reveal() == token.reveal()) {
            state.token = None;
        }
    }

    fn is_idle(&self) -> bool {
        !lock(&self.state).token.as_ref().is_some_and(|t| t.is_good())
    }
}

/// Slots and refresh tokens beyond this many make room for new ones.
const MOST: usize = 4096;

static SLOTS: LazyLock<Mutex<HashMap<Identity, Arc<Slot>>>> = LazyLock::new(Mutex::default);
static FAMILIES: LazyLock<Mutex<HashMap<Identity, Arc<Family>>>> = LazyLock::new(Mutex::default);

/// The slot that all sources of this identity share; one of its own where there is none.
pub(super) fn slot(identity: Option<Identity>) -> Arc<Slot> {
    shared(&SLOTS, identity, |s| s.is_idle())
}

/// The refresh token that all sign-ins of this identity share.
pub(super) fn family(identity: Option<Identity>) -> Arc<Family> {
    shared(&FAMILIES, identity, |_| true)
}

fn shared<T: Default>(all: &Mutex<HashMap<Identity, Arc<T>>>, identity: Option<Identity>, is_idle: impl Fn(&T) -> bool) -> Arc<T> {
    let Some(identity) = identity else { return Arc::default() };
    let mut all = lock(all);
    if all.len() >= MOST && !all.contains_key(&identity) {
        // Those that nobody holds and that have nothing worth keeping; all of them where that does not help.
        all.retain(|_, one| Arc::strong_count(one) > 1 || !is_idle(one));
        if all.len() >= MOST {
            all.retain(|_, one| Arc::strong_count(one) > 1);
        }
    }
    Arc::clone(all.entry(identity).or_default())
}

/// A refresh token and what became of it: redeemed once for each tenant, it is replaced at each redemption.
#[derive(Default)]
pub(super) struct Family {
    latest: Mutex<Option<Secret<String>>>,
    /// Held while a user signs in.
    pub(super) signing_in: AsyncMutex<()>,
}

impl Family {
    pub(super) fn latest(&self) -> Option<Secret<String>> {
        lock(&self.latest).clone()
    }

    pub(super) fn put(&self, token: Option<Secret<String>>) {
        *lock(&self.latest) = token;
    }

    /// `used` is of no use: drops it, unless another has taken its place meanwhile.
    pub(super) fn drop_used(&self, used: &Secret<String>) {
        let mut latest = lock(&self.latest);
        if latest.as_ref().is_some_and(|l| l.reveal() == used.reveal()) {
            *latest = None;
        }
    }
}
