//! HTTP/1.1 for the roads: one POST and its reply, over connections and cookies that belong to one session.
//! The only file (with those of `http/`) that names reqwest.

use crate::error::{Error, Result, fact};
use crate::secret::Secret;
use bytes::Bytes;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

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
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Proxy {
    /// As HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say, in either case.
    #[default]
    Environment,
    /// Straight.
    None,
    /// Through this proxy, always.
    Explicit(Url),
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
    /// Decompressed.
    pub body: Bytes,
}

/// One session's connections, cookies and sign-in. Send + Sync; share it behind an Arc.
pub struct HttpClient {}

impl HttpClient {
    /// Nothing is sent yet.
    pub fn new(options: &HttpOptions) -> Result<Self> {
        let _ = options;
        todo!()
    }

    /// Sent on every request from now on; None for none.
    pub fn set_authorization(&self, authorization: Option<&Authorization>) {
        let _ = authorization;
        todo!()
    }

    /// Sends an envelope and reads the whole reply. `timeout` spans all of it. Redirects are not followed.
    pub async fn post(&self, url: &Url, body: Bytes, timeout: Duration) -> Result<HttpResponse> {
        let _ = (url, body, timeout);
        todo!()
    }
}

/// Whether the request of this failed [`HttpClient::post`] may have reached the server, so that it must not be sent again.
pub fn may_have_arrived(error: &Error) -> bool {
    error.fact(fact::REQUEST_SENT) != Some("no")
}
