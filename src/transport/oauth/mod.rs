//! Tokens of Microsoft Entra ID for the REST road: every way to sign in, the tokens kept in memory and renewed early. No
//! files: what is known here ends with the process.

mod aadsts;
mod browser;
mod certificate;
mod clouds;
mod device;
mod endpoint;
mod flow;
mod identity;
mod jwt;
mod store;

use super::{Options, TextList, lock};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::secret::Secret;
use flow::{Flow, SignIn};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use store::Slot;

const CONTEXT: &str = "get token";

/// Where the tokens of one session come from. Any thread may ask at any time; sources that sign in alike share one token
/// for each tenant, and one request for it.
pub struct TokenSource {
    /// None where there is nothing but a ready token.
    sign_in: Option<SignIn>,
    /// A token given from outside, which goes before any of ours.
    ready: Mutex<Option<Arc<Token>>>,
    slot: Arc<Slot>,
    /// What was handed out last, for [`TokenSource::invalidate`] and the facts.
    given: Mutex<Option<(u64, Arc<Token>)>>,
    user: Option<String>,
}

/// One access token.
pub(crate) struct Token {
    secret: Secret<String>,
    claims: jwt::Claims,
    expires: Option<SystemTime>,
    /// None for a token whose end is not known.
    until: Option<Instant>,
    /// From here on a new one is asked for, while this one is still good.
    renew: Option<Instant>,
}

impl Token {
    /// A token that is good for so long.
    fn new(secret: Secret<String>, lifetime: Option<Duration>, id_token: Option<&str>) -> Self {
        let mut claims = jwt::Claims::of(secret.reveal());
        claims.fill(id_token);
        let now = Instant::now();
        // Five minutes before its end, or the last tenth of a short one. A year is more than any token has.
        let lifetime = lifetime.map(|l| l.min(Duration::from_secs(366 * 24 * 3600)));
        let early = lifetime.map(|l| (l / 10).min(Duration::from_secs(300)));
        Self {
            expires: lifetime.map(|l| SystemTime::now() + l),
            until: lifetime.map(|l| now + l),
            renew: lifetime.zip(early).map(|(l, e)| now + (l - e)),
            secret,
            claims,
        }
    }

    /// One from outside, whose end is read out of it where it tells one.
    fn ready(secret: Secret<String>) -> Self {
        let end = jwt::Claims::of(secret.reveal()).exp;
        let left = end.map(|end| (SystemTime::UNIX_EPOCH + Duration::from_secs(end)).duration_since(SystemTime::now()).unwrap_or_default());
        Self::new(secret, left, None)
    }

    fn is_good(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }

    fn is_fresh(&self) -> bool {
        self.renew.is_none_or(|renew| Instant::now() < renew)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("sign_in", &self.sign_in).finish_non_exhaustive()
    }
}

impl TokenSource {
    /// Nothing is sent yet; a certificate is read now. An error where the options can lead to no token.
    pub fn new(options: &Options) -> Result<Self> {
        Self::with_environment(options, |name| std::env::var(name).ok())
    }

    /// The same with an environment of the caller's own, which tells where a managed identity's tokens come from.
    pub fn with_environment(options: &Options, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let flow = Flow::of(options)?;
        let ready = match flow {
            Flow::Ready(ref token) => Some(Arc::new(Token::ready(token.clone()))),
            _ => None,
        };
        let sign_in = match flow {
            Flow::Ready(_) => None,
            flow => Some(SignIn::new(flow, options, variable)?),
        };
        let slot = sign_in.as_ref().map_or_else(Arc::default, |s| store::slot(s.identity()));
        Ok(Self { sign_in, ready: Mutex::new(ready), slot, given: Mutex::new(None), user: options.user.clone() })
    }

    /// The same, with the texts that a user must read to sign in put on this list.
    #[must_use]
    pub fn telling(mut self, messages: &Arc<TextList>) -> Self {
        if let Some(sign_in) = &mut self.sign_in {
            sign_in.tell(messages);
        }
        self
    }

    /// A good token; asks for one where there is none. `claims` is what a resource's challenge asked for, as JSON: a new
    /// token is got that has them.
    ///
    /// # Errors
    /// As the authority has it: Authentication, AccessDenied, TenantNotFound, Throttled, Service; as [`super::http`] has it.
    pub async fn token(&self, claims: Option<&str>) -> Result<Secret<String>> {
        if let Some(token) = self.ready(claims)? {
            return Ok(token);
        }
        let Some(sign_in) = &self.sign_in else { return Err(outside("has expired")) };
        let seen = self.slot.generation();
        if claims.is_none()
            && let Some((generation, token)) = self.slot.fresh()
        {
            return Ok(self.give(generation, token));
        }
        let _one_at_a_time = self.slot.renewing.lock().await;
        // Whoever was first has asked for all who waited: what came of it is theirs too.
        if self.slot.generation() != seen {
            if let Some((generation, token)) = self.slot.good(claims) {
                return Ok(self.give(generation, token));
            }
            if let Some(error) = self.slot.failure() {
                return Err(error);
            }
        }
        match sign_in.token(claims).await {
            Ok(token) => {
                let token = Arc::new(token);
                let generation = self.slot.renewed(Arc::clone(&token), claims);
                Ok(self.give(generation, token))
            }
            Err(error) => match self.slot.failed(&error) {
                // The old one is good for a while yet.
                Some((generation, token)) if claims.is_none() => Ok(self.give(generation, token)),
                _ => Err(error),
            },
        }
    }

    fn ready(&self, claims: Option<&str>) -> Result<Option<Secret<String>>> {
        let mut ready = lock(&self.ready);
        let Some(token) = &*ready else { return Ok(None) };
        if claims.is_none() && token.is_good() {
            *lock(&self.given) = Some((0, Arc::clone(token)));
            return Ok(Some(token.secret.clone()));
        }
        *ready = None;
        if self.sign_in.is_some() {
            return Ok(None);
        }
        Err(outside(if claims.is_some() { "lacks claims that the service asks for" } else { "has expired" }))
    }

    fn give(&self, generation: u64, token: Arc<Token>) -> Secret<String> {
        let secret = token.secret.clone();
        *lock(&self.given) = Some((generation, token));
        secret
    }

    /// The token given last is not taken by the resource: it is not given again.
    pub fn invalidate(&self) {
        let given = lock(&self.given).as_ref().map(|(generation, token)| (*generation, Arc::clone(token)));
        if let Some((generation, token)) = given {
            let mut ready = lock(&self.ready);
            if ready.as_ref().is_some_and(|r| Arc::ptr_eq(r, &token)) {
                *ready = None;
            } else {
                self.slot.spoil(generation);
            }
        }
    }

    /// A token got elsewhere, to be used from now on.
    pub fn set_access_token(&self, token: Secret<String>) {
        let token = flow::bare(&token);
        *lock(&self.ready) = Some(Arc::new(Token::ready(token)));
    }

    fn last(&self) -> Option<Arc<Token>> {
        lock(&self.given).as_ref().map(|(_, token)| Arc::clone(token))
    }

    /// Who is signed in, once a token tells, or who is to be; none where an application signs in for itself.
    pub fn user(&self) -> Option<String> {
        match self.last() {
            Some(token) if token.claims.is_application() => None,
            Some(token) => token.claims.user.clone().or_else(|| self.user.clone()),
            None => self.user.clone(),
        }
    }

    /// The client id, once it is known.
    pub fn app_id(&self) -> Option<String> {
        let told = self.last().and_then(|t| t.claims.app.clone());
        told.or_else(|| self.sign_in.as_ref().and_then(|s| s.client_id().map(str::to_owned)))
    }

    /// The id of the tenant that the last token is for.
    pub fn tenant_id(&self) -> Option<String> {
        self.last().and_then(|t| t.claims.tenant.clone())
    }

    /// When the last token ends.
    pub fn expires(&self) -> Option<SystemTime> {
        self.last().and_then(|t| t.expires)
    }
}

fn outside(why: &str) -> Error {
    Error::new(ErrorKind::Authentication, CONTEXT, format!("the access token that was given {why}"))
        .with_fact(fact::REMEDY, "Get a new access token, and connect with it or hand it to the session.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_that_is_good_yet_is_given_where_its_renewal_fails() {
        let mut options = Options::new();
        for (key, value) in [("authority", "http://127.0.0.1:1"), ("allow_unencrypted", "true"), ("proxy", "none"), ("user", "a@b.c")] {
            options.set(key, value).unwrap();
        }
        options.set_secret("password", Secret::new("hush".into())).unwrap();
        let source = TokenSource::new(&options).unwrap();
        let aged = |left: Option<u64>| {
            let mut token = Token::new(Secret::new("old".into()), Some(Duration::from_secs(3600)), None);
            token.renew = Some(Instant::now());
            token.until = Some(left.map_or_else(Instant::now, |s| Instant::now() + Duration::from_secs(s)));
            Arc::new(token)
        };
        source.slot.renewed(aged(Some(60)), None);
        assert!(source.slot.fresh().is_none(), "it is to be renewed");
        assert_eq!(source.token(None).await.unwrap().reveal(), "old");
        assert_eq!(source.token(Some("{}")).await.unwrap_err().kind(), ErrorKind::Connect, "it lacks the claims");
        source.slot.renewed(aged(None), None);
        let error = source.token(None).await.unwrap_err();
        assert_eq!((error.kind(), error.context()), (ErrorKind::Connect, CONTEXT));
        assert!(!format!("{error:?}{source:?}").contains("hush"));
    }
}
