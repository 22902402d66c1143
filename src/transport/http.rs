//! HTTP/1.1 for the roads: one request and its reply, over connections and cookies that belong to one session.
//! The only file (with those of `http/`) that names reqwest.

mod body;
mod certificate;
mod cookies;
mod failure;
pub(crate) mod probe;
mod proxy;
mod tls;

use crate::error::{Error, ErrorKind, Result, fact};
use crate::lock::lock;
use crate::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use body::{Incoming, Outgoing};
use bytes::Bytes;
use cookies::Jar;
use failure::Attempt;
use proxy::Routes;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
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
    /// The variables that name proxies, a `NAME=value` a line, in place of the process's own.
    pub proxy_variables: Option<Secret<String>>,
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
            proxy_variables: None,
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

/// The methods that a road needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are HTTP's")]
pub enum Method {
    Get,
    Post,
}

/// One request of [`HttpClient::send`]. Without Debug: any part of it may hold a secret.
#[derive(Clone)]
pub struct HttpRequest<'a> {
    /// What to do.
    pub method: Method,
    /// Where; a sign-in that stands in it is not used.
    pub url: &'a Url,
    /// Headers by name. `User-Agent`, `Accept` and `Accept-Encoding` have values unless they are given.
    pub headers: &'a [(&'a str, &'a str)],
    /// `Authorization: Bearer`, where there is a token.
    pub bearer: Option<&'a Secret<String>>,
    /// Empty for none.
    pub body: Bytes,
    /// For all of it: connecting, sending, the whole reply.
    pub timeout: Duration,
}

/// The headers of a reply. Their values are not shown by Debug: cookies are among them.
#[derive(Clone, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// The first value of a header, by its name in any case; bytes that are not UTF-8 become U+FFFD.
    pub fn get(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }

    /// Every value of a header that may come several times.
    pub fn all(&self, name: &str) -> impl Iterator<Item = String> {
        self.0.get_all(name).into_iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// A reply, whatever its status.
#[derive(Debug, Clone, Default)]
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
    /// Every header.
    pub headers: Headers,
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
        // Unpacked here rather than by reqwest, which takes Content-Encoding at its word.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
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

    /// Sends an envelope with the sign-in of [`HttpClient::set_authorization`] and reads the whole reply, whatever its
    /// status. `timeout` spans all of it. Redirects are not followed, and a sign-in that stands in the URL is not used.
    /// Dropping the future closes the connection.
    ///
    /// # Errors
    /// Connect, Tls, Timeout, Disconnected (the connection broke) and Protocol (what came is not HTTP, or is more than
    /// `max_body`), with HOST, REQUEST_SENT and, where the native cmdlets have a name for it, NATIVE_ID and NATIVE_CODE.
    pub async fn post(&self, url: &Url, body: Bytes, timeout: Duration) -> Result<HttpResponse> {
        let headers = &[("Content-Type", "application/soap+xml;charset=UTF-8")];
        self.exchange(HttpRequest { method: Method::Post, url, headers, bearer: None, body, timeout }, true).await
    }

    /// Sends any request, without the sign-in of [`HttpClient::set_authorization`]; all else as [`HttpClient::post`].
    ///
    /// # Errors
    /// The same, and InvalidArgument where a header cannot be sent as given.
    pub async fn send(&self, request: HttpRequest<'_>) -> Result<HttpResponse> {
        self.exchange(request, false).await
    }

    async fn exchange(&self, request: HttpRequest<'_>, signs_in: bool) -> Result<HttpResponse> {
        let (url, timeout) = (request.url, request.timeout);
        // A request without a body leaves as soon as there is a connection; nothing tells when.
        let begun = Arc::new(AtomicBool::new(request.body.is_empty()));
        let mut attempt = Attempt { url, proxy: self.routes.proxy_for(url), sent: false, answered: false };
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(attempt.error(ErrorKind::InvalidArgument, "the url is not one of http or https"));
        }
        let headers = self
            .headers(&request, signs_in)
            .map_err(|name| attempt.error(ErrorKind::InvalidArgument, format!("the header {name} holds what no header can hold")))?;
        let outcome = tokio::time::timeout(timeout, self.talk(&mut attempt, request, headers, &begun)).await;
        attempt.sent = begun.load(Ordering::Acquire);
        match outcome {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(Failure::Request(e))) => {
                attempt.sent &= !e.is_connect();
                Err(attempt.failed(e))
            }
            Ok(Err(Failure::ProxySignIn)) => {
                // The request went no further than the proxy.
                (attempt.sent, attempt.answered) = (false, false);
                Err(attempt.proxy_sign_in())
            }
            Ok(Err(Failure::TooLarge)) => {
                Err(attempt.error(ErrorKind::Protocol, format!("the reply is larger than {} bytes", self.max_body)))
            }
            Ok(Err(Failure::Compression)) => Err(attempt.error(ErrorKind::Protocol, "the compression of the reply is damaged")),
            Err(_) => Err(attempt.timed_out(timeout)),
        }
    }

    /// The headers of a request, or the name of the one that cannot be sent.
    fn headers<'a>(&self, request: &HttpRequest<'a>, signs_in: bool) -> std::result::Result<HeaderMap, &'a str> {
        let mut headers = HeaderMap::new();
        for &(name, value) in request.headers {
            let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::from_str(value).ok());
            let (parsed, value) = parsed.ok_or(name)?;
            headers.insert(parsed, value);
        }
        let bearer = request.bearer.map(|token| Secret::new(format!("Bearer {}", token.reveal())));
        let basic = self.authorization.read().unwrap_or_else(PoisonError::into_inner).clone().filter(|_| signs_in);
        if let Some(value) = bearer.or(basic) {
            headers.insert(header::AUTHORIZATION, sensitive(value.reveal()).ok_or("Authorization")?);
        }
        if let Some(value) = self.cookies().header(request.url, SystemTime::now()).and_then(|c| sensitive(&c)) {
            headers.insert(header::COOKIE, value);
        }
        Ok(headers)
    }

    async fn talk(
        &self,
        attempt: &mut Attempt<'_>,
        request: HttpRequest<'_>,
        headers: HeaderMap,
        begun: &Arc<AtomicBool>,
    ) -> std::result::Result<HttpResponse, Failure> {
        let mut url = attempt.url.clone();
        // A sign-in in the URL would go along as a second Authorization. Taking it off cannot fail where there is a host.
        let _ = (url.set_username(""), url.set_password(None));
        let mut asked = match request.method {
            Method::Get => self.client.get(url),
            Method::Post => self.client.post(url),
        };
        if request.method == Method::Post || !request.body.is_empty() {
            asked = asked.body(reqwest::Body::wrap(Outgoing { rest: Some(request.body), begun: begun.clone() }));
        }
        let mut reply = asked.headers(headers).send().await?;
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
        let headers = Headers(std::mem::take(reply.headers_mut()));
        let first = |names: &[&str]| names.iter().find_map(|name| headers.get(name));
        // What a server announces is believed only so far as it may be.
        let announced = reply.content_length().unwrap_or(0);
        if announced > self.max_body as u64 {
            return Err(Failure::TooLarge);
        }
        let mut body = Incoming::new(self.max_body, announced as usize);
        while let Some(piece) = reply.chunk().await? {
            body = body.add(&piece)?;
        }
        Ok(HttpResponse {
            status: reply.status().as_u16(),
            content_type: headers.get("content-type"),
            location: headers.get("location"),
            retry_after: headers.get("retry-after").and_then(|value| retry_after(&value, now)),
            request_id: first(&["request-id", "x-request-id", "client-request-id", "x-ms-request-id"]),
            server: first(&["x-feserver", "x-beserver", "x-calculatedbetarget", "x-diaginfo"]),
            body: body.end()?,
            headers,
        })
    }

    fn cookies(&self) -> std::sync::MutexGuard<'_, Jar> {
        lock(&self.cookies)
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
    Compression,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error)
    }
}

/// A header value that is kept out of Debug; none where it cannot be one.
fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Seconds or a date (RFC 9110, 10.2.3).
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(cookies::parse_date(value)?.duration_since(now).unwrap_or_default()),
    }
}
