//! Tokens of Microsoft Entra ID for the REST road: every way to sign in, the tokens kept in memory and renewed early. No
//! files: what is known here ends with the process.

mod aadsts;
mod assertion;
mod browser;
mod certificate;
mod clouds;
mod device;
mod endpoint;
mod flow;
mod identity;
mod jwt;
mod store;

use super::{Options, Secrets, TextList, Wanted};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::lock::lock;
use crate::secret::Secret;
use flow::{Flow, SignIn};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use store::Slot;

const CONTEXT: &str = "get token";

/// The key of a token from outside.
const ACCESS_TOKEN: &str = "access_token";

/// Tokens from outside that one request may be refused with.
const TRIES: u32 = 3;

/// Where the tokens of one session come from. Any thread may ask at any time; sources that sign in alike share one token
/// for each tenant, and one request for it.
pub struct TokenSource {
    /// None where there is nothing but a ready token.
    sign_in: Option<SignIn>,
    /// A token given from outside, which goes before any of ours.
    ready: Mutex<Option<Arc<Token>>>,
    slot: Arc<Slot>,
    /// What was handed out last, for the facts.
    given: Mutex<Option<Arc<Token>>>,
    user: Option<String>,
    /// Whom to ask for what only comes from outside.
    secrets: Option<Arc<Secrets>>,
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
        let shared = sign_in.as_ref().filter(|_| !options.sign_in_anew);
        let slot = shared.map_or_else(Arc::default, |s| store::slot(s.identity()));
        Ok(Self { sign_in, ready: Mutex::new(ready), slot, given: Mutex::new(None), user: options.user.clone(), secrets: None })
    }

    /// The same, with the texts that a user must read to sign in put on this list.
    #[must_use]
    pub fn telling(mut self, messages: &Arc<TextList>) -> Self {
        if let Some(sign_in) = &mut self.sign_in {
            sign_in.tell(messages);
        }
        self
    }

    /// The same, which asks here for what only comes from outside, once what it was given is of no use any more.
    #[must_use]
    pub(crate) fn asking(mut self, secrets: &Arc<Secrets>) -> Self {
        self.secrets = Some(Arc::clone(secrets));
        if let Some(sign_in) = &mut self.sign_in {
            sign_in.ask(secrets);
        }
        self
    }

    /// A good token; asks for one where there is none. `claims` is what a resource's challenge asked for, as JSON: a new
    /// token is got that has them.
    ///
    /// # Errors
    /// As the authority has it: Authentication, AccessDenied, TenantNotFound, Throttled, Service; as [`super::http`] has it.
    pub async fn token(&self, claims: Option<&str>) -> Result<Secret<String>> {
        if let Some(token) = self.ready() {
            return Ok(token);
        }
        let Some(sign_in) = &self.sign_in else {
            return Err(outside(if claims.is_some() { "lacks claims that the service asks for" } else { "has expired or is not taken" }));
        };
        let seen = self.slot.generation();
        if claims.is_none()
            && let Some(token) = self.slot.fresh()
        {
            return Ok(self.give(token));
        }
        let _one_at_a_time = self.slot.renewing.lock().await;
        // Whoever was first has asked for all who waited: what came of it is theirs too.
        if self.slot.generation() != seen {
            if let Some(token) = self.slot.good(claims) {
                return Ok(self.give(token));
            }
            if let Some(error) = self.slot.failure() {
                return Err(error);
            }
        }
        match sign_in.token(claims).await {
            Ok(token) => {
                let token = Arc::new(token);
                self.slot.renewed(Arc::clone(&token), claims);
                Ok(self.give(token))
            }
            Err(error) => match self.slot.failed(&error) {
                // The old one is good for a while yet.
                Some(token) if claims.is_none() => Ok(self.give(token)),
                _ => Err(error),
            },
        }
    }

    /// The same; a token that only comes from outside is waited for so long.
    ///
    /// # Errors
    /// As [`TokenSource::token`] has it, where none came or those that came are over.
    pub(crate) async fn token_or_ask(&self, claims: Option<&str>, limit: Duration) -> Result<Secret<String>> {
        let mut tries = 0;
        loop {
            let counted = self.secrets.as_ref().map(|s| s.count());
            let outcome = self.token(claims).await;
            let (Err(error), Some(secrets), Some(counted), true) = (&outcome, &self.secrets, counted, self.is_outside()) else {
                return outcome;
            };
            if tries == TRIES {
                return outcome;
            }
            let wanted = Wanted { claims: claims.map(str::to_owned), ..Wanted::new(ACCESS_TOKEN) };
            if !secrets.ask(wanted, counted, limit).await {
                let text = format!("{}, and no other came within {} s", error.detail(), limit.as_secs_f32());
                return Err(outside_of(text));
            }
            tries += 1;
        }
    }

    /// How many tokens a request may be refused with: one more where it is ours to renew.
    pub(crate) fn tries(&self) -> u32 {
        if self.is_outside() { TRIES } else { 1 }
    }

    /// What is waited for, or soon will be.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        let secrets = self.secrets.as_ref()?;
        let ends = || self.is_outside() && lock(&self.ready).as_ref().is_some_and(|t| !t.is_fresh());
        secrets.wanted().or_else(|| ends().then(|| Wanted::new(ACCESS_TOKEN)))
    }

    /// Whether a token takes a user who signs in while it is asked for.
    pub(crate) fn is_by_hand(&self) -> bool {
        self.sign_in.as_ref().is_some_and(SignIn::is_by_hand)
    }

    /// Whether nothing but a ready token is known here.
    fn is_outside(&self) -> bool {
        self.sign_in.is_none()
    }

    fn ready(&self) -> Option<Secret<String>> {
        let mut ready = lock(&self.ready);
        *ready = ready.take().filter(|token| token.is_good());
        let token = ready.as_ref()?;
        *lock(&self.given) = Some(Arc::clone(token));
        Some(token.secret.clone())
    }

    fn give(&self, token: Arc<Token>) -> Secret<String> {
        let secret = token.secret.clone();
        *lock(&self.given) = Some(token);
        secret
    }

    /// This token is not taken by the resource: it is not given again. What came after it is.
    pub fn spoil(&self, token: &Secret<String>) {
        let mut ready = lock(&self.ready);
        match &*ready {
            Some(known) if known.secret.reveal() == token.reveal() => *ready = None,
            _ => self.slot.spoil(token),
        }
    }

    /// A token got elsewhere, to be used from now on.
    pub fn set_access_token(&self, token: Secret<String>) {
        let token = flow::bare(&token);
        *lock(&self.ready) = Some(Arc::new(Token::ready(token)));
        if let Some(secrets) = &self.secrets {
            secrets.tell();
        }
    }

    /// An assertion made elsewhere, for the next time that a token is got.
    pub fn set_client_assertion(&self, assertion: &Secret<String>) -> Result<()> {
        match self.sign_in.as_ref().and_then(SignIn::assertions) {
            Some(assertions) => assertions.bring(assertion)?,
            None => {
                let text = "the session was not opened with a client assertion";
                return Err(Error::new(ErrorKind::InvalidArgument, "replace secret", text));
            }
        }
        if let Some(secrets) = &self.secrets {
            secrets.tell();
        }
        Ok(())
    }

    /// The address where tokens are got: of what waits for an assertion, else of the organization.
    pub fn token_endpoint(&self) -> Option<String> {
        let waits = self.secrets.as_ref().and_then(|s| s.wanted()?.endpoint);
        waits.or_else(|| self.sign_in.as_ref().and_then(|s| s.token_endpoint().map(String::from)))
    }

    fn last(&self) -> Option<Arc<Token>> {
        lock(&self.given).clone()
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
    outside_of(format!("the access token that was given {why}"))
}

fn outside_of(text: String) -> Error {
    Error::new(ErrorKind::Authentication, CONTEXT, text)
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
