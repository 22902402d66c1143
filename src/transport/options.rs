//! What a session is opened with.

use super::http::{HttpOptions, Proxy};
use crate::clixml::{self, Value};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::secret::Secret;
use std::time::Duration;
use url::Url;

/// What a session is opened with. Set by text keys, so that the C ABI and its callers can grow without new functions;
/// the keys and their meaning are with [`Options::set`].
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) uri: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret<String>>,
    pub(crate) configuration_name: String,
    /// None is unlimited.
    pub(crate) max_redirections: Option<u32>,
    pub(crate) redirect_hosts: Vec<String>,
    pub(crate) allow_unencrypted: bool,
    pub(crate) skip_ca_check: bool,
    pub(crate) skip_cn_check: bool,
    pub(crate) skip_revocation_check: bool,
    pub(crate) ca_file: Option<String>,
    pub(crate) proxy: Option<String>,
    pub(crate) proxy_user: Option<String>,
    pub(crate) proxy_password: Option<Secret<String>>,
    pub(crate) proxy_variables: Option<Secret<String>>,
    pub(crate) proxy_authentication: Option<String>,
    pub(crate) open_timeout: Duration,
    pub(crate) operation_timeout: Duration,
    pub(crate) cancel_timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) culture: Option<String>,
    pub(crate) ui_culture: Option<String>,
    pub(crate) no_machine_profile: bool,
    pub(crate) max_object_size: usize,
    pub(crate) max_command_size: Option<usize>,
    pub(crate) ps_version: String,
    pub(crate) application_arguments: Value,
    pub(crate) host_name: Option<String>,
    pub(crate) interactive: bool,
    pub(crate) host_data: Option<Value>,
    pub(crate) verify_organization: bool,
    pub(crate) renewable: bool,
    /// A token of this process's other sessions is not taken: whether a sign-in succeeds is what is asked.
    pub(crate) sign_in_anew: bool,
    pub(crate) ledger: Option<String>,
    /// None does not wait.
    pub(crate) wait_for_session: Option<Duration>,
    pub(crate) session_budget: usize,
    pub(crate) environment: Option<String>,
    pub(crate) authority: Option<String>,
    pub(crate) token_resource: Option<String>,
    pub(crate) app_id: Option<String>,
    pub(crate) client_secret: Option<Secret<String>>,
    pub(crate) certificate_file: Option<String>,
    pub(crate) certificate: Option<Secret<String>>,
    pub(crate) certificate_password: Option<Secret<String>>,
    pub(crate) client_assertion: Option<Secret<String>>,
    pub(crate) client_assertion_file: Option<String>,
    pub(crate) access_token: Option<Secret<String>>,
    pub(crate) refresh_token: Option<Secret<String>>,
    pub(crate) managed_identity: bool,
    pub(crate) managed_identity_account_id: Option<String>,
    pub(crate) device: bool,
    pub(crate) road: Option<RoadName>,
    pub(crate) page_size: Option<u64>,
    pub(crate) response_format: String,
    pub(crate) secure_string_key: Option<String>,
}

/// Which road a session takes, where the caller says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoadName {
    Wsman,
    Rest,
}

impl RoadName {
    fn read(value: &str) -> Result<Option<Self>> {
        match value.to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "wsman" => Ok(Some(Self::Wsman)),
            "rest" => Ok(Some(Self::Rest)),
            _ => Err(unusable(CONTEXT, "road", "neither wsman nor rest")),
        }
    }
}

fn response_format(value: &str) -> Result<String> {
    match value.to_ascii_lowercase().as_str() {
        "" | "clixml" => Ok(String::from("clixml")),
        "json" => Ok(String::from("json")),
        _ => Err(unusable(CONTEXT, "response_format", "neither clixml nor json")),
    }
}

/// The configuration that Exchange answers under.
pub const EXCHANGE_CONFIGURATION: &str = "Microsoft.Exchange";

/// PowerShell's own limit for one received object.
const MAX_OBJECT_SIZE: usize = 200 * 1024 * 1024;

impl Default for Options {
    fn default() -> Self {
        Self {
            uri: None,
            organization: None,
            user: None,
            password: None,
            configuration_name: EXCHANGE_CONFIGURATION.into(),
            max_redirections: Some(0),
            redirect_hosts: Vec::new(),
            allow_unencrypted: false,
            skip_ca_check: false,
            skip_cn_check: false,
            skip_revocation_check: false,
            ca_file: None,
            proxy: None,
            proxy_user: None,
            proxy_password: None,
            proxy_variables: None,
            proxy_authentication: None,
            open_timeout: Duration::from_secs(180),
            operation_timeout: Duration::from_secs(180),
            cancel_timeout: Duration::from_secs(60),
            idle_timeout: None,
            culture: None,
            ui_culture: None,
            no_machine_profile: false,
            max_object_size: MAX_OBJECT_SIZE,
            max_command_size: None,
            ps_version: "5.1.22621.4391".into(),
            application_arguments: Value::Nil,
            host_name: None,
            interactive: false,
            host_data: None,
            verify_organization: false,
            renewable: false,
            sign_in_anew: false,
            road: None,
            page_size: None,
            response_format: "clixml".into(),
            secure_string_key: None,
            ledger: None,
            wait_for_session: None,
            session_budget: 3,
            environment: None,
            authority: None,
            token_resource: None,
            app_id: None,
            client_secret: None,
            certificate_file: None,
            certificate: None,
            certificate_password: None,
            client_assertion: None,
            client_assertion_file: None,
            access_token: None,
            refresh_token: None,
            managed_identity: false,
            managed_identity_account_id: None,
            device: false,
        }
    }
}

/// The keys of [`Options::set_secret`].
const SECRETS: [&str; 9] = [
    "password",
    "proxy_password",
    "proxy_variables",
    "client_secret",
    "certificate",
    "certificate_password",
    "client_assertion",
    "access_token",
    "refresh_token",
];

const CONTEXT: &str = "set option";

fn unusable(context: &'static str, key: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, context, format!("{key}: {why}"))
}

/// `true` or `false`, or 1 or 0, in any case.
pub(super) fn boolean(context: &'static str, key: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(unusable(context, key, "neither true nor false")),
    }
}

fn milliseconds(key: &str, value: &str) -> Result<Duration> {
    // A year: beyond it an instant in the future may not be representable.
    const MOST: u64 = 366 * 24 * 3600 * 1000;
    let ms =
        value.parse::<u64>().ok().filter(|ms| *ms > 0).ok_or_else(|| unusable(CONTEXT, key, "not a positive number of milliseconds"))?;
    Ok(Duration::from_millis(ms.min(MOST)))
}

/// The one value of a CLIXML document.
fn one_value(key: &str, value: &str) -> Result<Value> {
    clixml::read(value.as_bytes()).map_err(|e| unusable(CONTEXT, key, "not readable as CLIXML").with_source(e))
}

/// A text that is a URL with a host.
fn address(key: &str, value: &str) -> Result<Option<String>> {
    if value.is_empty() {
        return Ok(None);
    }
    // What was typed is not repeated: it may hold a password.
    let url = Url::parse(value).map_err(|e| {
        unusable(CONTEXT, key, "not a URL").with_source(e).with_fact(fact::REMEDY, "Write it in full, as in https://mail.hoster.example.")
    })?;
    if !url.has_host() {
        return Err(unusable(CONTEXT, key, "a URL without a host"));
    }
    Ok(Some(value.to_owned()))
}

fn filled(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

impl Options {
    /// Nothing but the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// One option by its key; a later value replaces an earlier one. An empty text takes the option back to its default
    /// where it has no meaning of its own.
    ///
    /// | key | value |
    /// |---|---|
    /// | `uri` | the endpoint; absent, Exchange Online by the REST road |
    /// | `organization` | a domain of the customer: becomes `DelegatedOrg` |
    /// | `user` | the account; its password is a secret option |
    /// | `authentication` | `Basic` |
    /// | `configuration_name` | `Microsoft.Exchange` |
    /// | `max_redirections` | 0 (the default) is no consent; negative is unlimited |
    /// | `redirect_hosts` | further domains, with commas, that a redirection may lead to |
    /// | `allow_unencrypted` | Basic over http |
    /// | `skip_ca_check`, `skip_cn_check`, `skip_revocation_check` | what is not checked of the certificate |
    /// | `ca_file` | a PEM file of further authorities |
    /// | `proxy` | empty: as the environment says; `none`; or a URL |
    /// | `proxy_user`, `proxy_authentication` | for the proxy |
    /// | `open_timeout_ms`, `operation_timeout_ms`, `cancel_timeout_ms` | 180000, 180000, 60000 |
    /// | `idle_timeout_ms` | after which the server closes an unused session; absent, as the server has it |
    /// | `culture`, `ui_culture` | e.g. `en-US` |
    /// | `no_machine_profile` | the server loads no profile |
    /// | `max_object_size`, `max_command_size` | bytes of one received object, and of all that one command sends |
    /// | `ps_version` | appended to the URI; empty: not |
    /// | `application_arguments`, `host_data` | CLIXML |
    /// | `host_name` | the host's name, for the server |
    /// | `interactive` | the host can be asked |
    /// | `road` | `wsman` or `rest`; absent: `rest` without a `uri` or with one of Exchange Online, else `wsman` |
    /// | `page_size` | objects in one page on the REST road, 1 to 1000 |
    /// | `response_format` | `clixml` or `json`: what the REST road asks for; what comes is CLIXML either way |
    /// | `secure_string_key` | the service's public key for secure strings on the REST road (RSAKeyValue or PEM); absent: as it tells |
    /// | `verify_organization` | the session opens only where the server names the organization asked for as its own |
    /// | `renewable` | a request of the open session whose sign-in is refused waits for a new secret, and then goes out again |
    /// | `ledger` | the folder of the session ledger, or `none`; absent, `DT_LEDGER` and then the user's own place |
    /// | `wait_for_session_ms` | how long to wait where the account has all its sessions open; absent or 0, not at all |
    /// | `session_budget` | the sessions an account may have at a time, 3: at so many, one that waits does not even try |
    /// | `environment` | the cloud: `O365Default`, `O365USGovGCCHigh`, `O365USGovDoD`, `O365China`, `O365GermanyCloud` |
    /// | `authority` | a URL, where the cloud's own does not issue the tokens |
    /// | `token_resource` | a URL, where tokens are for another resource than the cloud's Exchange |
    /// | `app_id` | the application that signs in; absent, Microsoft's own |
    /// | `certificate_file` | a .pfx or PEM file with the application's certificate and key |
    /// | `client_assertion_file` | a file with an assertion for the application, read anew each time that a token is got |
    /// | `managed_identity`, `managed_identity_account_id` | sign in as the machine this runs on; which of its identities |
    /// | `device` | sign in on another device, by a code |
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if value.contains('\0') {
            return Err(unusable(CONTEXT, key, "holds a NUL"));
        }
        let truth = || boolean(CONTEXT, key, value);
        match key {
            "uri" => self.uri = address(key, value.trim())?,
            "organization" => self.organization = filled(value.trim()),
            "user" => {
                if value.contains(':') {
                    return Err(unusable(CONTEXT, key, "Basic allows no colon in a user name"));
                }
                self.user = filled(value);
            }
            "authentication" => {
                if !value.eq_ignore_ascii_case("basic") {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        CONTEXT,
                        format!("authentication {value:?} is not supported, Basic is"),
                    ));
                }
            }
            "configuration_name" => {
                let prefix = super::soap::RESOURCE_PREFIX;
                let named = value.get(..prefix.len()).is_some_and(|p| p.eq_ignore_ascii_case(prefix));
                let name = if named { &value[prefix.len()..] } else { value };
                self.configuration_name = filled(name).unwrap_or_else(|| EXCHANGE_CONFIGURATION.into());
            }
            "max_redirections" => {
                let n: i64 = value.parse().map_err(|_| unusable(CONTEXT, key, "not a whole number"))?;
                self.max_redirections = if n < 0 { None } else { Some(u32::try_from(n).unwrap_or(u32::MAX)) };
            }
            "redirect_hosts" => {
                self.redirect_hosts =
                    value.split(',').map(|h| h.trim().trim_matches('.').to_ascii_lowercase()).filter(|h| !h.is_empty()).collect();
            }
            "allow_unencrypted" => self.allow_unencrypted = truth()?,
            "skip_ca_check" => self.skip_ca_check = truth()?,
            "skip_cn_check" => self.skip_cn_check = truth()?,
            "skip_revocation_check" => self.skip_revocation_check = truth()?,
            "ca_file" => self.ca_file = filled(value),
            "proxy" if value.eq_ignore_ascii_case("none") => self.proxy = filled(value),
            "proxy" => self.proxy = address(key, value)?,
            "proxy_user" => self.proxy_user = filled(value),
            "proxy_authentication" => self.proxy_authentication = filled(value),
            "open_timeout_ms" => self.open_timeout = milliseconds(key, value)?,
            "operation_timeout_ms" => self.operation_timeout = milliseconds(key, value)?,
            "cancel_timeout_ms" => self.cancel_timeout = milliseconds(key, value)?,
            "idle_timeout_ms" => {
                self.idle_timeout = if value.is_empty() { None } else { Some(milliseconds(key, value)?) };
            }
            "culture" => self.culture = filled(value),
            "ui_culture" => self.ui_culture = filled(value),
            "no_machine_profile" => self.no_machine_profile = truth()?,
            "max_object_size" => {
                let n = value.parse::<usize>().ok().filter(|n| *n > 0);
                self.max_object_size = n.ok_or_else(|| unusable(CONTEXT, key, "not a positive number of bytes"))?;
            }
            "max_command_size" => {
                let n = if value.is_empty() { None } else { Some(value.parse::<usize>().ok().filter(|n| *n > 0)) };
                self.max_command_size = n.map(|n| n.ok_or_else(|| unusable(CONTEXT, key, "not a positive number of bytes"))).transpose()?;
            }
            "ps_version" => {
                if !value.chars().all(|c| c.is_ascii_digit() || c == '.') {
                    return Err(unusable(CONTEXT, key, "not a version"));
                }
                self.ps_version = value.to_owned();
            }
            "application_arguments" => {
                self.application_arguments = if value.is_empty() { Value::Nil } else { one_value(key, value)? };
            }
            "host_name" => self.host_name = filled(value),
            "interactive" => self.interactive = truth()?,
            "verify_organization" => self.verify_organization = truth()?,
            "renewable" => self.renewable = truth()?,
            "road" => self.road = RoadName::read(value)?,
            "page_size" => {
                let n = value.parse::<u64>().ok().filter(|n| (1..=1000).contains(n));
                self.page_size = if value.is_empty() { None } else { Some(n.ok_or_else(|| unusable(CONTEXT, key, "not from 1 to 1000"))?) };
            }
            "response_format" => self.response_format = response_format(value)?,
            "secure_string_key" => self.secure_string_key = filled(value),
            "host_data" => self.host_data = if value.is_empty() { None } else { Some(one_value(key, value)?) },
            "ledger" => self.ledger = filled(value),
            "wait_for_session_ms" => {
                self.wait_for_session = if matches!(value, "" | "0") { None } else { Some(milliseconds(key, value)?) };
            }
            "session_budget" => {
                let n = value.parse::<usize>().ok().filter(|n| *n > 0);
                self.session_budget = n.ok_or_else(|| unusable(CONTEXT, key, "not a positive number of sessions"))?;
            }
            "environment" => self.environment = filled(value.trim()),
            "authority" => self.authority = address(key, value.trim())?,
            "token_resource" => self.token_resource = address(key, value.trim())?,
            "app_id" => self.app_id = filled(value.trim()),
            "certificate_file" => self.certificate_file = filled(value),
            "client_assertion_file" => self.client_assertion_file = filled(value),
            "managed_identity" => self.managed_identity = truth()?,
            "managed_identity_account_id" => self.managed_identity_account_id = filled(value.trim()),
            "device" => self.device = truth()?,
            secret if SECRETS.contains(&secret) => return Err(unusable(CONTEXT, key, "a secret has its own setter")),
            _ => return Err(Error::new(ErrorKind::InvalidArgument, CONTEXT, format!("unknown key {key:?}"))),
        }
        Ok(())
    }

    /// One secret option: `password`, which may be `Bearer ` and a token of any length (on the way of remote PowerShell with
    /// `BasicAuthToOAuthConversion=true` in the URI), `proxy_password`, `proxy_variables` (`HTTPS_PROXY=…` and the like, one a line, in
    /// place of the process's own variables: they may hold a password), `client_secret`, `certificate` (PEM, or a .pfx in base64), `certificate_password`,
    /// `client_assertion` (RFC 7521), `access_token` or `refresh_token`.
    pub fn set_secret(&mut self, key: &str, value: Secret<String>) -> Result<()> {
        match key {
            "password" => self.password = Some(value),
            "proxy_password" => self.proxy_password = Some(value),
            "proxy_variables" => self.proxy_variables = Some(value),
            "client_secret" => self.client_secret = Some(value),
            "certificate" => self.certificate = Some(value),
            "certificate_password" => self.certificate_password = Some(value),
            "client_assertion" => self.client_assertion = Some(value),
            "access_token" => self.access_token = Some(value),
            "refresh_token" => self.refresh_token = Some(value),
            _ => return Err(Error::new(ErrorKind::InvalidArgument, CONTEXT, format!("unknown secret key {key:?}"))),
        }
        Ok(())
    }

    /// How to reach servers, for any road.
    pub(crate) fn http(&self) -> Result<HttpOptions> {
        let proxy = match self.proxy.as_deref() {
            None => Proxy::Environment,
            Some(p) if p.eq_ignore_ascii_case("none") => Proxy::None,
            Some(p) => Proxy::Explicit(
                Url::parse(p)
                    .map_err(|e| Error::new(ErrorKind::InvalidArgument, "open session", "the proxy is not a URL").with_source(e))?,
            ),
        };
        if let Some(other) = self.proxy_authentication.as_deref().filter(|a| !a.eq_ignore_ascii_case("basic")) {
            let text = format!("proxy authentication {other:?} is not supported, Basic is");
            return Err(Error::new(ErrorKind::Unsupported, "open session", text)
                .with_fact(fact::REMEDY, "Use a proxy that takes Basic or no sign-in."));
        }
        Ok(HttpOptions {
            skip_ca_check: self.skip_ca_check,
            skip_cn_check: self.skip_cn_check,
            skip_revocation_check: self.skip_revocation_check,
            ca_file: self.ca_file.as_ref().map(Into::into),
            proxy,
            proxy_user: self.proxy_user.clone(),
            proxy_password: self.proxy_password.clone().unwrap_or_default(),
            proxy_variables: self.proxy_variables.clone(),
            // The open as a whole has its own limit, and so has every request.
            connect_timeout: self.open_timeout.max(HttpOptions::default().connect_timeout),
            ..HttpOptions::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_and_unusable_values_are_errors_at_once() {
        let mut o = Options::new();
        for (key, value) in [
            ("colour", "red"),
            ("open_timeout_ms", "0"),
            ("allow_unencrypted", "maybe"),
            ("password", "x"),
            ("refresh_token", "x"),
            ("authority", "login"),
            ("ps_version", "5;x"),
            ("user", "a:b"),
        ] {
            assert_eq!(o.set(key, value).unwrap_err().kind(), ErrorKind::InvalidArgument, "{key}");
        }
        assert_eq!(o.set("authentication", "Kerberos").unwrap_err().kind(), ErrorKind::Unsupported);
        assert!(o.set_secret("uri", Secret::new("x".into())).is_err());
    }

    #[test]
    fn configuration_name_loses_the_prefix_of_its_uri() {
        let mut o = Options::new();
        o.set("configuration_name", "HTTP://schemas.microsoft.com/PowerShell/Microsoft.Exchange").unwrap();
        assert_eq!(o.configuration_name, "Microsoft.Exchange");
        o.set("max_redirections", "-1").unwrap();
        assert_eq!(o.max_redirections, None);
    }

    #[test]
    fn debug_tells_no_secret() {
        let mut o = Options::new();
        o.set_secret("password", Secret::new("hush".into())).unwrap();
        assert!(!format!("{o:?}").contains("hush"));
    }
}
