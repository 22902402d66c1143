//! HTTP/1.1 for the roads: one POST and its reply, over connections and cookies that belong to one session.
//! The only file (with those of `http/`) that names reqwest.

mod cookies;
mod failure;
mod proxy;
mod tls;

use crate::error::{Error, ErrorKind, Result, fact};
use crate::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use cookies::Jar;
use failure::Attempt;
use hyper::body::{Body, Frame, SizeHint};
use proxy::Routes;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use url::Url;

/// A server closes idle connections after two minutes (IIS) or later; ours go first, so that a request hardly ever
/// meets a connection that is just being closed, whose failure could not be repeated.
const IDLE: Duration = Duration::from_secs(60);
/// One for the pool's Receive, one per pipeline's Receive, the rest for Send and Signal.
const IDLE_CONNECTIONS: usize = 8;

/// How to reach servers. One per session.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Accept a certificate whose issuer is unknown; its name and dates are still checked.
    pub skip_ca_check: bool,
    /// Accept a certificate made out to another name; its issuer and dates are still checked.
    pub skip_cn_check: bool,
    /// Taken for compatibility: revocation is never looked up, whichever value this has.
    pub skip_revocation_check: bool,
    /// PEM file of further certificate authorities, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Which way out.
    pub proxy: Proxy,
    /// Basic sign-in at the proxy.
    pub proxy_user: Option<String>,
    /// Basic sign-in at the proxy.
    pub proxy_password: Secret<String>,
    /// For name look-up, connecting, the proxy's CONNECT and the TLS handshake together.
    pub connect_timeout: Duration,
    /// The most bytes a reply's body may have, counted after decompression.
    pub max_body: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            skip_ca_check: false,
            skip_cn_check: false,
            skip_revocation_check: false,
            ca_file: None,
            proxy: Proxy::Environment,
            proxy_user: None,
            proxy_password: Secret::default(),
            connect_timeout: Duration::from_secs(30),
            max_body: 16 << 20,
        }
    }
}

/// Which way out.
#[derive(Clone, Default, PartialEq)]
pub enum Proxy {
    /// As HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say, in either case.
    #[default]
    Environment,
    /// Straight.
    None,
    /// Through this proxy, always.
    Explicit(Url),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::None => f.write_str("None"),
            // The user part of the URL may hold a password.
            Self::Explicit(url) => write!(f, "Explicit({:?}, {:?})", url.host_str(), url.port()),
        }
    }
}

/// How the client signs in.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// RFC 7617, in UTF-8.
    Basic {
        /// The account.
        user: String,
        /// Its password, or `Bearer <token>` where the server converts Basic to OAuth.
        password: Secret<String>,
    },
}

/// A reply, whatever its status.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Content-Type, whole.
    pub content_type: Option<String>,
    /// Location, as sent.
    pub location: Option<String>,
    /// Retry-After, as a span from now.
    pub retry_after: Option<Duration>,
    /// The id that the server gives the request for its support.
    pub request_id: Option<String>,
    /// The front-end or back-end server that answered, where it says so.
    pub server: Option<String>,
    /// Decompressed.
    pub body: Bytes,
}

/// One session's connections, cookies and sign-in. Any thread may use it at any time; share it behind an Arc.
pub struct HttpClient {
    client: reqwest::Client,
    routes: Routes,
    max_body: usize,
    cookies: Mutex<Jar>,
    authorization: RwLock<Option<Secret<String>>>,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Nothing is sent yet; the certificate authorities in `ca_file` and the proxies of the environment are read now.
    pub fn new(options: &HttpOptions) -> Result<Self> {
        Self::with_environment(options, |name| std::env::var(name).ok())
    }

    /// The same with an environment of the caller's own.
    pub fn with_environment(options: &HttpOptions, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let routes = Routes::new(options, variable)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/soap+xml;charset=UTF-8"));
        let by_routes = routes.clone();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(options)?)
            .http1_only()
            .default_headers(headers)
            .user_agent("Microsoft WinRM Client")
            .redirect(reqwest::redirect::Policy::none())
            // A command that may have run is never sent again. What remains is hyper-util's own: a request that met a
            // pooled connection already closed goes to another, and only where hyper hands the request back, which it
            // does when it never took it up to write (hyper 1.12 client/dispatch.rs, hyper-util 0.1.21 legacy/client.rs).
            .retry(reqwest::retry::never())
            .no_proxy()
            .proxy(reqwest::Proxy::custom(move |url| by_routes.proxy_for(url).cloned()))
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .tcp_nodelay(true)
            .gzip(true)
            .build()
            .map_err(|e| Error::new(ErrorKind::Internal, "set up http", "the client cannot be built").with_source(e.without_url()))?;
        Ok(Self { client, routes, max_body: options.max_body, cookies: Mutex::default(), authorization: RwLock::default() })
    }

    /// Sent on every request from now on, to whatever host; None for none.
    pub fn set_authorization(&self, authorization: Option<&Authorization>) {
        let value = authorization.map(|Authorization::Basic { user, password }| {
            let plain = Secret::new(format!("{user}:{}", password.reveal()));
            Secret::new(format!("Basic {}", BASE64_STANDARD.encode(plain.reveal())))
        });
        *self.authorization.write().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// Sends an envelope and reads the whole reply, whatever its status. `timeout` spans all of it. Redirects are not
    /// followed, and a sign-in that stands in the URL is not used. Dropping the future closes the connection.
    ///
    /// # Errors
    /// Connect, Tls, Timeout, Disconnected (the connection broke) and Protocol (what came is not HTTP, or is more than
    /// `max_body`), with HOST, REQUEST_SENT and, where the native cmdlets have a name for it, NATIVE_ID and NATIVE_CODE.
    pub async fn post(&self, url: &Url, body: Bytes, timeout: Duration) -> Result<HttpResponse> {
        let begun = Arc::new(AtomicBool::new(false));
        let mut attempt = Attempt { url, proxy: self.routes.proxy_for(url), sent: false, answered: false };
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(attempt.error(ErrorKind::InvalidArgument, "the url is not one of http or https"));
        }
        let outcome = tokio::time::timeout(timeout, self.exchange(&mut attempt, body, &begun)).await;
        attempt.sent = begun.load(Ordering::Acquire);
        match outcome {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(Failure::Request(e))) => Err(attempt.failed(e)),
            Ok(Err(Failure::ProxySignIn)) => {
                // The request went no further than the proxy.
                (attempt.sent, attempt.answered) = (false, false);
                Err(attempt.proxy_sign_in())
            }
            Ok(Err(Failure::TooLarge)) => {
                Err(attempt.error(ErrorKind::Protocol, format!("the reply is larger than {} bytes", self.max_body)))
            }
            Err(_) => Err(attempt.timed_out(timeout)),
        }
    }

    async fn exchange(
        &self,
        attempt: &mut Attempt<'_>,
        body: Bytes,
        begun: &Arc<AtomicBool>,
    ) -> std::result::Result<HttpResponse, Failure> {
        let mut url = attempt.url.clone();
        // A sign-in in the URL would go along as a second Authorization. Taking it off cannot fail where there is a host.
        let _ = (url.set_username(""), url.set_password(None));
        let body = reqwest::Body::wrap(Envelope { rest: Some(body), begun: begun.clone() });
        let mut request = self.client.post(url).body(body);
        if let Some(value) = &*self.authorization.read().unwrap_or_else(PoisonError::into_inner) {
            let mut value = HeaderValue::from_str(value.reveal()).expect("base64 is a valid header");
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if let Some(cookies) = self.cookies().header(attempt.url, SystemTime::now())
            && let Ok(mut value) = HeaderValue::try_from(cookies)
        {
            value.set_sensitive(true);
            request = request.header(header::COOKIE, value);
        }
        let mut reply = request.send().await?;
        attempt.answered = true;
        // Through a tunnel or without a proxy the status is the server's own, however odd.
        let from_proxy = attempt.proxy.is_some() && attempt.url.scheme() == "http";
        if from_proxy && reply.status() == reqwest::StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(Failure::ProxySignIn);
        }
        let now = SystemTime::now();
        for set_cookie in reply.headers().get_all(header::SET_COOKIE) {
            self.cookies().store(attempt.url, set_cookie.as_bytes(), now);
        }
        let headers = reply.headers();
        let mut response = HttpResponse {
            status: reply.status().as_u16(),
            content_type: text(headers, &header::CONTENT_TYPE),
            location: text(headers, &header::LOCATION),
            retry_after: text(headers, &header::RETRY_AFTER).and_then(|value| retry_after(&value, now)),
            request_id: first(headers, &["request-id", "x-request-id", "client-request-id", "x-ms-request-id"]),
            server: first(headers, &["x-feserver", "x-beserver", "x-calculatedbetarget", "x-diaginfo"]),
            body: Bytes::new(),
        };
        // What a server announces is believed only so far as it may be.
        let announced = reply.content_length().unwrap_or(0);
        if announced > self.max_body as u64 {
            return Err(Failure::TooLarge);
        }
        let mut whole = BytesMut::with_capacity(announced as usize);
        while let Some(piece) = reply.chunk().await? {
            if piece.len() > self.max_body - whole.len() {
                return Err(Failure::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        response.body = whole.freeze();
        Ok(response)
    }

    fn cookies(&self) -> std::sync::MutexGuard<'_, Jar> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the request of this failed [`HttpClient::post`] may have reached the server, so that it must not be sent again.
pub fn may_have_arrived(error: &Error) -> bool {
    error.fact(fact::REQUEST_SENT) != Some("no")
}

enum Failure {
    Request(reqwest::Error),
    ProxySignIn,
    TooLarge,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error)
    }
}

/// The body of a request, which notes that it was asked for. hyper asks once it has a connection, and flushes nothing
/// before: until then no byte of the request has left. Being no buffer that reqwest could copy, it also cannot be resent.
struct Envelope {
    rest: Option<Bytes>,
    begun: Arc<AtomicBool>,
}

impl Body for Envelope {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        self.begun.store(true, Ordering::Release);
        Poll::Ready(self.rest.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.as_ref().map_or(0, |data| data.len() as u64))
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn first(headers: &HeaderMap, names: &[&'static str]) -> Option<String> {
    names.iter().find_map(|name| text(headers, &HeaderName::from_static(name)))
}

/// Seconds or a date (RFC 9110, 10.2.3).
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(cookies::parse_date(value)?.duration_since(now).unwrap_or_default()),
    }
}
