//! One request of the API and its answer: the token, the headers, redirections, and what may be sent again.

use super::address::{public_port, same_origin};
use super::{Road, errors};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::secret::Secret;
use crate::transport::State;
use crate::transport::http::{HttpRequest, HttpResponse, Method, may_have_arrived};
use crate::transport::reach::may_follow;
use bytes::Bytes;
use std::time::Duration;
use url::Url;

/// One minute above the service's own limit for a command.
const TIMEOUT: Duration = Duration::from_secs(960);

/// How often a request that may be sent again is sent, and the first pause, which doubles: as Microsoft's module does.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(2);

/// The longest that a service which asks for patience is waited for.
const MOST_PATIENCE: Duration = Duration::from_secs(300);

const MOST_REDIRECTIONS: usize = 5;

/// What is asked.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// It only reads, so that it may be sent again where no answer came.
    pub(super) reads: bool,
    pub(super) timeout: Duration,
    pub(super) context: &'static str,
    /// Told how long the service asks to wait.
    pub(super) patience: Option<&'a (dyn Fn(Duration) + Send + Sync)>,
}

impl<'a> Call<'a> {
    pub(super) fn post(url: Url, headers: Vec<(&'static str, String)>, body: String, reads: bool) -> Self {
        Self {
            method: Method::Post,
            url,
            headers,
            body: Bytes::from(body),
            reads,
            timeout: TIMEOUT,
            context: "run command",
            patience: None,
        }
    }

    pub(super) fn get(url: Url, headers: Vec<(&'static str, String)>, timeout: Duration, context: &'static str) -> Self {
        Self { method: Method::Get, url, headers, body: Bytes::new(), reads: true, timeout, context, patience: None }
    }
}

impl Road {
    /// Asks, and follows where the service sends on. Whatever status comes but 401, 429 and the transient ones is an answer.
    pub(super) async fn ask(&self, mut call: Call<'_>) -> Result<HttpResponse> {
        let mut hops = 0;
        let mut refused = 0;
        let mut tries = 0;
        let mut claims: Option<String> = None;
        loop {
            let (token, may_be_refused) = self.token(claims.as_deref()).await?;
            let headers: Vec<(&str, &str)> = call.headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let request = HttpRequest {
                method: call.method,
                url: &call.url,
                headers: &headers,
                bearer: Some(&token),
                body: call.body.clone(),
                timeout: call.timeout,
            };
            tries += 1;
            let reply = match self.http.send(request).await {
                Ok(reply) => reply,
                Err(error) => {
                    // Who opens a session is told at once that there is no way to the service.
                    let hopeless = error.kind() == ErrorKind::Connect && self.status.state() == crate::transport::State::Opening;
                    let again =
                        call.reads && !hopeless && !matches!(error.kind(), ErrorKind::Tls | ErrorKind::Timeout | ErrorKind::Protocol)
                            || !may_have_arrived(&error) && error.kind() == ErrorKind::Disconnected;
                    if again && tries < TRIES {
                        tokio::time::sleep(self.pause(tries)).await;
                        continue;
                    }
                    return Err(lost(error, call.reads, call.context));
                }
            };
            match reply.status {
                301 | 302 | 307 | 308 if reply.location.is_some() => {
                    // What was redirected was not executed.
                    hops += 1;
                    let location = reply.location.as_deref().unwrap_or_default();
                    call.url = self.redirected(&call.url, location, hops)?;
                    tries -= 1;
                }
                401 if refused < may_be_refused => {
                    // What was refused was not executed.
                    refused += 1;
                    claims = errors::claims(&reply);
                    self.tokens.spoil(&token);
                    tries -= 1;
                }
                401 => return Err(errors::refusal(&reply, call.context)),
                _ if errors::is_throttled(&reply) => {
                    let wait = reply.retry_after.unwrap_or_else(|| self.pause(tries));
                    if tries >= TRIES || wait > MOST_PATIENCE {
                        return Err(errors::refusal(&reply, call.context));
                    }
                    if let Some(told) = call.patience {
                        told(wait);
                    }
                    tokio::time::sleep(wait).await;
                }
                503 | 504 if call.reads && tries < TRIES => {
                    tokio::time::sleep(reply.retry_after.map_or(self.pause(tries), |after| after.min(MOST_PATIENCE))).await;
                }
                503 | 504 => {
                    let error = errors::refusal(&reply, call.context);
                    return Err(if call.reads { error } else { doubtful(error, call.context) });
                }
                _ => return Ok(reply),
            }
        }
    }

    /// A token, and with how many a request may be refused.
    pub(super) async fn token(&self, claims: Option<&str>) -> Result<(Secret<String>, u32)> {
        // At the open, a wrong token is the likelier cause than one that has ended.
        if self.options.renewable && self.status.state() == State::Opened {
            return Ok((self.tokens.token_or_ask(claims, self.options.operation_timeout).await?, self.tokens.tries()));
        }
        Ok((self.tokens.token(claims).await?, 1))
    }

    fn pause(&self, tries: u32) -> Duration {
        PAUSE * 2_u32.pow(tries.saturating_sub(1).min(4))
    }

    /// Where a redirection leads: the host is kept for all that follows.
    fn redirected(&self, from: &Url, location: &str, hops: usize) -> Result<Url> {
        let refuse = |kind, text: &'static str| Error::new(kind, "follow redirection", text).with_fact(fact::REDIRECT_LOCATION, location);
        if hops > MOST_REDIRECTIONS {
            return Err(refuse(ErrorKind::Redirected, "the service redirects in a circle"));
        }
        let Ok(mut target) = from.join(location.trim()) else {
            return Err(refuse(ErrorKind::Protocol, "the service redirects to something that is not a URI"));
        };
        public_port(&mut target, None);
        self.to_public_host(&mut target);
        if !target.username().is_empty() || target.password().is_some() || !may_follow(from, &target, &self.options) {
            return Err(refuse(ErrorKind::Redirected, "the service redirects to where the token must not be sent")
                .with_fact(fact::REMEDY, "If you trust that server, name its domain among the allowed redirection hosts."));
        }
        let mut base = crate::lock::lock(&self.base);
        if !same_origin(&base, &target) {
            let mut pinned = target.clone();
            pinned.set_path(base.path());
            pinned.set_query(None);
            pinned.set_fragment(None);
            self.status.uris.push(pinned.as_str());
            *base = pinned;
        }
        Ok(target)
    }

    /// Security & Compliance names an inner host (`region.admin.protection.outlook.com`); the one that answers has the same region.
    fn to_public_host(&self, url: &mut Url) {
        let inner = url.host_str().and_then(|h| h.split_once(".admin.protection.")).filter(|_| self.is_compliance);
        if let Some(public) = inner.map(|(region, domain)| format!("{region}.ps.compliance.protection.{domain}")) {
            // Cannot fail: it is a host name.
            let _ = url.set_host(Some(&public));
        }
    }
}

/// A connection that was lost says nothing of the session, which has none at the service.
fn lost(error: Error, reads: bool, context: &'static str) -> Error {
    match error.kind() {
        ErrorKind::Disconnected if !may_have_arrived(&error) || reads => {
            again(&error, ErrorKind::Connect, context, "the connection to the service was lost before the answer came")
        }
        ErrorKind::Disconnected | ErrorKind::Timeout if !reads => doubtful(error, context),
        _ => error,
    }
}

fn doubtful(error: Error, context: &'static str) -> Error {
    again(&error, ErrorKind::Timeout, context, "no answer came, and the command may have run")
        .with_fact(fact::REMEDY, "It is not sent again by itself: look whether it took effect.")
}

fn again(error: &Error, kind: ErrorKind, context: &'static str, text: &'static str) -> Error {
    const KEPT: [&str; 4] = [fact::HOST, fact::HTTP_STATUS, fact::REQUEST_ID, fact::REQUEST_SENT];
    let told = KEPT.into_iter().filter_map(|name| Some((name, error.fact(name)?.to_owned())));
    told.fold(Error::new(kind, context, text), |e, (name, value)| e.with_fact(name, value)).with_source(error.clone())
}
