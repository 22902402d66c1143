//! The managed identity of the machine this runs on: of a virtual machine or of App Service, Functions and Automation.

use super::CONTEXT;
use super::endpoint::{self, Answer, Failure, USER_AGENT};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::secret::Secret;
use crate::transport::http::{HttpClient, HttpOptions, HttpRequest, Method, Proxy};
use bytes::Bytes;
use std::time::Duration;
use url::Url;

/// Where a virtual machine asks; a link-local address that no proxy leads to.
const MACHINE: &str = "http://169.254.169.254";

/// What has no such endpoint answers nothing at all: do not wait long for it.
const CONNECT: Duration = Duration::from_secs(5);

/// Where this machine's tokens come from.
pub(super) struct ManagedIdentity {
    url: Url,
    header: (&'static str, Secret<String>),
    http: HttpClient,
}

impl ManagedIdentity {
    /// As the environment tells: `IDENTITY_ENDPOINT` with `IDENTITY_HEADER`, else a virtual machine's, which
    /// `AZURE_POD_IDENTITY_AUTHORITY_HOST` may move.
    pub(super) fn find(account: Option<String>, resource: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let unusable = |e: url::ParseError| {
            Error::new(ErrorKind::InvalidArgument, CONTEXT, "the address of the managed identity is not a URL").with_source(e)
        };
        let (text, version, header) = match (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER")) {
            (Some(endpoint), Some(secret)) => (endpoint, "2019-08-01", ("X-IDENTITY-HEADER", Secret::new(secret))),
            _ => {
                let host = variable("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| MACHINE.to_owned());
                let url = format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/'));
                (url, "2018-02-01", ("Metadata", Secret::new("true".to_owned())))
            }
        };
        let mut url = Url::parse(&text).map_err(unusable)?;
        url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", resource);
        if let Some(account) = account {
            url.query_pairs_mut().append_pair("client_id", &account);
        }
        let http = HttpOptions { proxy: Proxy::None, connect_timeout: CONNECT, max_body: endpoint::MOST_BYTES, ..HttpOptions::default() };
        Ok(Self { url, header, http: HttpClient::new(&http)? })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) async fn token(&self) -> std::result::Result<Answer, Failure> {
        let request = HttpRequest {
            method: Method::Get,
            url: &self.url,
            headers: &[(self.header.0, self.header.1.reveal()), ("Accept", "application/json"), USER_AGENT],
            bearer: None,
            body: Bytes::new(),
            timeout: Duration::from_secs(30),
        };
        let reply = endpoint::send(&self.http, request, 2).await.map_err(|e| {
            Error::new(e.kind(), CONTEXT, "no managed identity answers on this computer")
                .with_fact(fact::HOST, self.url.host_str().unwrap_or_default())
                .with_fact(fact::REMEDY, "Run this where a managed identity is assigned (a virtual machine, App Service, Functions, Automation), or sign in otherwise.")
                .with_source(e)
        })?;
        endpoint::read(&self.url, &reply)
    }
}
