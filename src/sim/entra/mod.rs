//! Microsoft Entra ID as far as tokens go: `/{tenant}/oauth2/v2.0/…` of every flow, openid-configuration, and the
//! managed identity endpoints of a virtual machine and of App Service.

mod assertion;
mod authorize;
mod codes;
mod token;

pub use codes::known as known_code;

use super::faults::{FaultKind, Operation, Phase};
use super::rest::Asked;
use super::tenant::Service;
use crate::lock::lock;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use codes::Trouble;
use rand::Rng;
use serde_json::{Value as Json, json};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The clients of Microsoft's own that have no secret: the one of the V3 module, and the one before it.
pub const PUBLIC_CLIENTS: [&str; 2] = ["fb78d390-0c51-40cd-8e17-fdbfab77341b", "a0c73c16-a7e3-4564-9a95-2bdf47383716"];

/// What the managed identity endpoint of App Service wants to see.
pub const IDENTITY_HEADER: &str = "simulated-identity-header";

/// An application that may sign in.
#[derive(Clone)]
pub struct App {
    /// Its client id.
    pub id: String,
    /// Made up, like everything here: not a secret.
    pub secret: Option<String>,
    /// PEM of the certificate that it signs assertions for.
    pub certificate: Option<String>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("App").field(&self.id).finish()
    }
}

/// Who calls with a token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user; none where an application calls for itself.
    pub account: Option<String>,
    /// The application.
    pub app: String,
    /// The tenant that the token is for; none is every one.
    pub tenant: Option<Uuid>,
}

/// Why a token is not taken.
#[derive(Debug, Clone)]
pub enum Refused {
    /// Never issued here, or for something else.
    Unknown,
    /// Over.
    Expired,
    /// It lacks these claims.
    Claims(Json),
}

struct Issued {
    caller: Caller,
    audience: String,
    until: Instant,
    challenged: bool,
}

#[derive(Clone)]
struct Refresh {
    account: String,
    /// Any, where the tenant was started with it.
    app: Option<String>,
}

struct Device {
    app: String,
    scope: String,
    polls_left: u32,
    until: Instant,
}

struct Code {
    app: String,
    scope: String,
    account: String,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    until: Instant,
}

/// What the authority keeps.
#[derive(Default)]
pub struct Entra {
    issued: Mutex<HashMap<String, Issued>>,
    refresh: Mutex<HashMap<String, Refresh>>,
    devices: Mutex<HashMap<String, Device>>,
    codes: Mutex<HashMap<String, Code>>,
    /// The ids of assertions that were used.
    assertions: Mutex<HashSet<String>>,
    count: AtomicU64,
}

impl std::fmt::Debug for Entra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entra").field("issued", &self.issued()).finish()
    }
}

fn random() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The claims that a challenge asks for.
fn wanted_claims() -> Json {
    json!({"access_token": {"nbf": {"essential": true, "value": "1700000000"}}})
}

impl Entra {
    /// Tokens issued so far.
    pub fn issued(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Who calls with this token on the REST road, at this host: Security & Compliance takes tokens for itself alone, and Exchange none
    /// of those.
    pub fn caller(&self, service: &Service, token: &str, host: &str) -> Result<Caller, Refused> {
        if !token.is_empty() && service.options.tokens.iter().any(|t| t == token) && !lock(&self.issued).contains_key(token) {
            return Ok(Caller {
                account: service.options.accounts.first().map(|a| a.name.clone()),
                app: PUBLIC_CLIENTS[0].to_owned(),
                tenant: None,
            });
        }
        let issued = lock(&self.issued);
        let found = issued.get(token).ok_or(Refused::Unknown)?;
        let audience = url::Url::parse(&found.audience).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_default();
        let good: &[&str] = if host.contains(".compliance.protection.") {
            &[
                "ps.compliance.protection.outlook.com",
                "ps.compliance.protection.office365.us",
                "l5.ps.compliance.protection.office365.us",
                "ps.compliance.protection.partner.outlook.cn",
            ]
        } else {
            &["outlook.office365.com", "outlook.office365.us", "outlook-dod.office365.us", "outlook.office365.cn", "127.0.0.1", "localhost"]
        };
        if !good.contains(&audience.as_str()) {
            return Err(Refused::Unknown);
        }
        if found.until <= Instant::now() {
            return Err(Refused::Expired);
        }
        if found.challenged { Err(Refused::Claims(wanted_claims())) } else { Ok(found.caller.clone()) }
    }

    /// A token is over before its time.
    pub fn expire(&self, token: &str) {
        self.known(token, |issued| issued.until = Instant::now());
    }

    /// A token lacks claims from now on.
    pub fn challenge(&self, token: &str) {
        self.known(token, |issued| issued.challenged = true);
    }

    fn known(&self, token: &str, change: impl FnOnce(&mut Issued)) {
        // One that was given from outside was not issued.
        let outside = || Issued {
            caller: Caller { account: None, app: String::new(), tenant: None },
            audience: "https://outlook.office365.com".to_owned(),
            until: Instant::now() + Duration::from_secs(3600),
            challenged: false,
        };
        change(lock(&self.issued).entry(token.to_owned()).or_insert_with(outside));
    }

    /// Makes a refresh token known that the tenant was started with.
    pub fn know(&self, token: &str, account: &str) {
        lock(&self.refresh).insert(token.to_owned(), Refresh { account: account.to_owned(), app: None });
    }

    /// Issues an access token in the form of a JWT.
    fn issue(&self, service: &Service, caller: Caller, audience: &str) -> String {
        let (now, lifetime) = (super::records::seconds_now(), service.options.token_lifetime);
        let tenant = caller.tenant.unwrap_or_default();
        let mut claims = json!({
            "aud": audience, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now, "nbf": now,
            "exp": now + lifetime.as_secs(), "appid": caller.app, "tid": tenant.to_string(), "ver": "1.0", "uti": random(),
            "wids": ["29232cdf-9323-42fd-ade2-1d097af3e4de"],
        });
        match &caller.account {
            Some(account) => {
                claims["upn"] = account.as_str().into();
                claims["unique_name"] = account.as_str().into();
                claims["scp"] = "Exchange.Manage".into();
            }
            None => claims["roles"] = json!(["Exchange.ManageAsApp"]),
        }
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let token = format!("{}.{}.{}", part(&json!({"typ": "JWT", "alg": "RS256", "kid": "simulated"})), part(&claims), random());
        let issued = Issued { caller, audience: audience.to_owned(), until: Instant::now() + lifetime, challenged: false };
        let mut all = lock(&self.issued);
        all.retain(|_, i| i.until + Duration::from_secs(3600) > Instant::now());
        all.insert(token.clone(), issued);
        self.count.fetch_add(1, Ordering::Relaxed);
        token
    }
}

/// An answer: status, headers, body.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Json,
}

impl Answer {
    fn ok(body: Json) -> Self {
        Self { status: 200, headers: Vec::new(), body }
    }
}

/// What a form or a query holds, each name once.
type Form = HashMap<String, String>;

fn form(text: &[u8]) -> Form {
    url::form_urlencoded::parse(text).map(|(n, v)| (n.into_owned(), v.into_owned())).collect()
}

/// Which operation a path is, or none where it is not of the authority.
pub fn operation(path: &str) -> Option<Operation> {
    let lower = path.trim_matches('/').to_ascii_lowercase();
    let tail = lower.split_once('/').map_or("", |t| t.1);
    match tail {
        "oauth2/v2.0/token" => Some(Operation::Token),
        "oauth2/v2.0/devicecode" => Some(Operation::Device),
        "oauth2/v2.0/authorize" => Some(Operation::Authorize),
        "v2.0/.well-known/openid-configuration" => Some(Operation::Discovery),
        _ if lower == "metadata/identity/oauth2/token" || lower == "msi/token" => Some(Operation::Token),
        _ => None,
    }
}

/// Answers a request to the authority.
pub fn answer(service: &Service, asked: &Asked, operation: Operation, fault: Option<FaultKind>) -> Answer {
    let trouble = match fault {
        Some(FaultKind::Aadsts(code)) => Some(Trouble::code(code)),
        Some(FaultKind::OAuth(error)) => Some(Trouble::named(error)),
        Some(FaultKind::Throttled(seconds)) => {
            let mut answer = Trouble::code(50196).answer();
            answer.status = 429;
            answer.headers.extend(seconds.map(|s| ("Retry-After", s.to_string())));
            return answer;
        }
        Some(FaultKind::Unavailable(status)) => {
            let mut answer = Trouble::named("temporarily_unavailable").answer();
            answer.status = status;
            return answer;
        }
        _ => None,
    };
    let lower = asked.path.trim_matches('/').to_ascii_lowercase();
    if lower == "metadata/identity/oauth2/token" || lower == "msi/token" {
        return token::managed_identity(service, asked, &lower, trouble);
    }
    let tenant = asked.path.trim_matches('/').split('/').next().unwrap_or_default();
    let outcome = match (operation, trouble) {
        (Operation::Authorize, trouble) => return authorize::authorize(service, asked, tenant, trouble),
        (_, Some(trouble)) => Err(trouble),
        (Operation::Token, None) => token::token(service, tenant, &form(&asked.body), asked),
        (Operation::Device, None) => authorize::device_code(service, tenant, &form(&asked.body)),
        (_, None) => configuration(service, asked, tenant),
    };
    outcome.unwrap_or_else(|trouble| trouble.answer())
}

/// The tenant of a path: an organization's, or none for `common` and `organizations`.
fn tenant_id(service: &Service, tenant: &str) -> Result<Option<Uuid>, Trouble> {
    if ["common", "organizations"].iter().any(|t| t.eq_ignore_ascii_case(tenant)) {
        return Ok(None);
    }
    let found = service.organization(tenant).map(|o| Some(o.guid(0)));
    found.ok_or_else(|| {
        Trouble::code(90002).about(&format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
        ))
    })
}

/// The tenant that an account is at home in.
fn home(service: &Service, account: &str) -> Option<Uuid> {
    service.organization(account.rsplit('@').next().unwrap_or_default()).map(|o| o.guid(0))
}

fn configuration(service: &Service, asked: &Asked, tenant: &str) -> Result<Answer, Trouble> {
    let id = tenant_id(service, tenant)?.map_or_else(|| "{tenantid}".to_owned(), |t| t.to_string());
    let scheme = if asked.header("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    let base = format!("{scheme}://{}", asked.host());
    Ok(Answer::ok(json!({
        "token_endpoint": format!("{base}/{id}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "jwks_uri": format!("{base}/{id}/discovery/v2.0/keys"),
        "issuer": format!("{base}/{id}/v2.0"),
        "authorization_endpoint": format!("{base}/{id}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/{id}/oauth2/v2.0/devicecode"),
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
    })))
}

/// The fault of a request to the authority.
pub fn fault(service: &Service, operation: Operation) -> Option<FaultKind> {
    service.faults.fire(operation, Phase::Request)
}
