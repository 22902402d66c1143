//! Talking to the authority: a form goes, JSON comes.

use super::aadsts::Refusal;
use super::clouds::Authority;
use super::jwt::Claims;
use crate::error::{Error, ErrorKind, Result, fact};
use crate::secret::Secret;
use crate::transport::http::{HttpClient, HttpRequest, HttpResponse, Method};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value as Json;
use std::time::{Duration, SystemTime};
use url::Url;
use zeroize::Zeroizing;

/// Bytes of an answer: a token of a user in very many groups has some ten thousand.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// Attempts of a request that may be repeated.
const TRIES: u32 = 3;

/// How long to wait at the authority's own wish before it counts as an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the application calls itself.
pub(super) const USER_AGENT: (&str, &str) = ("User-Agent", concat!("DelegatedTenant/", env!("CARGO_PKG_VERSION")));

/// The authority's side of one session.
pub(super) struct Endpoint {
    pub(super) http: HttpClient,
    pub(super) authority: Authority,
    pub(super) timeout: Duration,
}

/// What a token endpoint answers.
#[derive(Deserialize)]
struct Told {
    access_token: String,
    #[serde(default)]
    expires_in: Json,
    #[serde(default)]
    expires_on: Json,
    refresh_token: Option<String>,
    id_token: Option<String>,
}

/// A sign-in.
pub(super) struct Answer {
    pub(super) access_token: Secret<String>,
    pub(super) lifetime: Option<Duration>,
    pub(super) refresh_token: Option<Secret<String>>,
    pub(super) id_token: Option<String>,
}

/// Why there is no sign-in.
pub(super) enum Failure {
    /// The authority's own word.
    Refused(Box<Refusal>),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Failure {
    pub(super) fn into_error(self, tenant: &str) -> Error {
        match self {
            Self::Refused(refusal) => refusal.error(tenant),
            Self::Other(error) => error.with_context(super::CONTEXT),
        }
    }
}

/// Names with values as a form's body, which is wiped when it has left: secrets are in it.
fn encoded(form: &[(&str, &str)]) -> Bytes {
    // Room for all of it at once, so that no copy is left behind when it grows.
    let room = form.iter().map(|(name, value)| 2 + 3 * (name.len() + value.len())).sum();
    let mut text = url::form_urlencoded::Serializer::new(String::with_capacity(room));
    text.extend_pairs(form.iter().filter(|(_, value)| !value.is_empty()));
    Bytes::from_owner(Zeroizing::new(text.finish().into_bytes()))
}

fn number(json: &Json) -> Option<u64> {
    json.as_u64().or_else(|| json.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64)).or_else(|| json.as_str()?.trim().parse().ok())
}

impl Endpoint {
    /// One grant at the token endpoint of a tenant. Only what may be repeated is tried again where the authority is busy.
    pub(super) async fn grant(&self, tenant: &str, form: &[(&str, &str)], repeats: bool) -> std::result::Result<Answer, Failure> {
        let url = self.authority.endpoint(tenant, "token");
        let reply = self.post(&url, form, repeats).await?;
        read(&url, &reply)
    }

    /// One form and its answer, whatever its status.
    pub(super) async fn post(&self, url: &Url, form: &[(&str, &str)], repeats: bool) -> Result<HttpResponse> {
        let request = HttpRequest {
            method: Method::Post,
            url,
            headers: &[("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"), USER_AGENT],
            bearer: None,
            body: encoded(form),
            timeout: self.timeout,
        };
        send(&self.http, request, if repeats { TRIES } else { 1 }).await
    }
}

/// Sends a request that may be sent again.
pub(super) async fn send(http: &HttpClient, request: HttpRequest<'_>, tries: u32) -> Result<HttpResponse> {
    let mut pause = Duration::from_millis(300);
    let mut attempt = 1;
    loop {
        let outcome = http.send(request.clone()).await;
        let wait = match &outcome {
            Ok(reply) if matches!(reply.status, 429 | 500 | 502 | 503 | 504) => Some(reply.retry_after.unwrap_or(pause)),
            Err(error) if matches!(error.kind(), ErrorKind::Connect | ErrorKind::Disconnected) => Some(pause),
            _ => None,
        };
        match wait {
            Some(wait) if attempt < tries && wait <= PATIENCE => tokio::time::sleep(wait).await,
            _ => return outcome,
        }
        attempt += 1;
        pause *= 3;
    }
}

/// The sign-in that an answer holds.
pub(super) fn read(url: &Url, reply: &HttpResponse) -> std::result::Result<Answer, Failure> {
    if reply.status != 200 {
        return Err(Failure::Refused(Box::new(Refusal::of(url, reply))));
    }
    // The source is left out: it may quote the answer.
    let told: Told = serde_json::from_slice(&reply.body).map_err(|_| breach(url, "the authority's answer is no token"))?;
    if told.access_token.is_empty() || told.access_token.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(breach(url, "the authority's token is none that can be sent").into());
    }
    let until = |seconds: u64| {
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
        Some(end.duration_since(SystemTime::now()).unwrap_or_default())
    };
    let lifetime = number(&told.expires_in).map(Duration::from_secs).or_else(|| number(&told.expires_on).and_then(until));
    let lifetime = lifetime.or_else(|| Claims::of(&told.access_token).exp.and_then(until));
    Ok(Answer {
        access_token: Secret::new(told.access_token),
        lifetime,
        refresh_token: told.refresh_token.filter(|t| !t.is_empty()).map(Secret::new),
        id_token: told.id_token,
    })
}

/// The authority does not speak as one.
pub(super) fn breach(url: &Url, what: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, super::CONTEXT, what).with_fact(fact::HOST, url.host_str().unwrap_or_default())
}
