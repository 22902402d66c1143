//! The REST cmdlet API of Exchange Online (`POST {base}/adminapi/beta/{tenant}/InvokeCommand`): each command is a request
//! of its own, with a token; there is no session at the service. Pipelines are run here, cmdlet by cmdlet.
#![allow(clippy::result_large_err, reason = "a failure is rare, and becomes a record at once")]

mod address;
mod answer;
mod batch;
mod bind;
mod call;
mod encode;
mod errors;
mod headers;
mod input;
mod measure;
mod module_file;
mod open;
mod pages;
mod pipeline;
mod proxy;
mod records;
mod secure;
mod select;
mod tables;
mod typed;

pub(crate) use address::is_meant;
pub(crate) use open::Listener;

use super::http::HttpClient;
use super::oauth::TokenSource;
use super::{Options, Status, Wanted};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::secret::Secret;
use address::Address;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;
use url::Url;
use uuid::Uuid;

/// The road to one organization.
pub(crate) struct Road {
    options: Options,
    id: Uuid,
    http: HttpClient,
    tokens: TokenSource,
    host: String,
    organization: Option<String>,
    is_compliance: bool,
    /// Up to `adminapi`; of the regional host, once the service named it.
    base: Mutex<Url>,
    /// What stands in the path: known when the session is open.
    tenant: OnceLock<String>,
    cmdlets: module_file::Cmdlets,
    secure_key: OnceLock<secure::PublicKey>,
    key: watch::Sender<bool>,
    pub(crate) status: Status,
}

impl Road {
    /// Nothing is sent yet. An error where the options can lead nowhere.
    pub(crate) fn new(id: Uuid, options: &Options) -> Result<Self> {
        let address = Address::new(options)?;
        let mut options = options.clone();
        // The token is for the cloud that the address names.
        options.environment = options.environment.or_else(|| address.cloud.map(str::to_owned));
        options.organization = address.organization.clone();
        options.token_resource = options.token_resource.or_else(|| address.resource());
        // As the other road has it: a password may be a token.
        let bearer = options
            .password
            .as_ref()
            .and_then(|p| p.reveal().get(..7).filter(|b| b.eq_ignore_ascii_case("bearer ")).map(|_| p.reveal()[7..].trim()));
        if let Some(token) = bearer.map(|t| Secret::new(t.to_owned()))
            && options.access_token.is_none()
        {
            options.access_token = Some(token);
            options.password = None;
        }
        let mut http = options.http()?;
        // A page of a thousand large objects is one body.
        http.max_body = options.max_object_size;
        let status = Status::new();
        let mut tokens = TokenSource::new(&options)?.telling(&status.warnings);
        if options.renewable {
            tokens = tokens.asking(&status.secrets);
        }
        let road = Self {
            id,
            http: HttpClient::new(&http)?,
            tokens,
            host: address.base.host_str().unwrap_or_default().to_owned(),
            is_compliance: address.is_compliance(),
            organization: address.organization,
            base: Mutex::new(address.base),
            tenant: OnceLock::new(),
            cmdlets: module_file::Cmdlets::default(),
            secure_key: OnceLock::new(),
            key: watch::Sender::new(false),
            status,
            options,
        };
        road.status.uris.push(road.api(&[]).as_str());
        if let Some(text) = road.options.secure_string_key.as_deref() {
            let _ = road.secure_key.set(secure::PublicKey::read(text)?);
            road.key.send_replace(true);
        }
        Ok(road)
    }

    /// The host of the first URI.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether it goes with a token that was given, and asks no authority.
    pub(crate) fn has_ready_token(&self) -> bool {
        self.options.access_token.is_some()
    }

    /// The organization asked for, by option or in the URI.
    pub(crate) fn organization(&self) -> Option<String> {
        self.organization.clone()
    }

    /// Replaces a secret: `access_token`, from the next request on.
    pub(crate) fn set_secret(&self, key: &str, value: Secret<String>) -> Result<()> {
        // As at the open, a password may be a token.
        let bearer = value.reveal().get(..7).filter(|b| key == "password" && b.eq_ignore_ascii_case("bearer "));
        match (key, bearer) {
            ("access_token", _) => {
                self.tokens.set_access_token(value);
                Ok(())
            }
            ("client_assertion", _) => self.tokens.set_client_assertion(&value),
            (_, Some(_)) => {
                self.tokens.set_access_token(Secret::new(value.reveal()[7..].trim().to_owned()));
                Ok(())
            }
            _ => Err(Error::new(
                ErrorKind::InvalidArgument,
                "set secret",
                format!("unknown key {key:?}; on the REST road it is access_token or client_assertion"),
            )),
        }
    }

    /// The secret that is waited for, or soon will be.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        self.tokens.wanted()
    }

    /// What Get-ConnectionInformation of Microsoft's module tells of a connection.
    pub(crate) fn property(&self, name: &str) -> Option<String> {
        match name {
            "transport" => Some(String::from("REST")),
            "user_principal_name" => self.tokens.user(),
            "app_id" => self.tokens.app_id(),
            "token_endpoint" => self.tokens.token_endpoint(),
            "tenant_id" => self.tokens.tenant_id(),
            "token_expiry_time_utc" => {
                let since = self.tokens.expires()?.duration_since(std::time::UNIX_EPOCH).ok()?;
                Some(encode::moment(i64::try_from(since.as_secs()).ok()?))
            }
            _ => None,
        }
    }

    /// An address of the API; the tenant stands in it once it is known.
    fn api(&self, more: &[&str]) -> Url {
        let mut segments = vec!["adminapi", "beta"];
        segments.extend(self.tenant.get().map(String::as_str));
        segments.extend(more);
        address::join(&lock(&self.base), &segments)
    }
}

impl std::fmt::Debug for Road {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Road")
            .field("host", &self.host)
            .field("organization", &self.organization)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A task that ends with whoever holds it.
struct Held(tokio::task::JoinHandle<()>);

impl Held {
    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Shared = Arc<Road>;
