//! The ways to sign in, and how each leads to a token for one tenant.

use super::assertion::Assertions;
use super::certificate::Certificate;
use super::clouds::{ANY_TENANT, Authority};
use super::endpoint::{Answer, Endpoint, Failure};
use super::identity::ManagedIdentity;
use super::store::{self, Family, Identity};
use super::{CONTEXT, Token, browser, device};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::secret::Secret;
use crate::transport::http::{HttpClient, HttpOptions};
use crate::transport::{Options, Secrets, TextList};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use url::Url;

/// The application of Microsoft's own module, which signs users in.
const MODULE_APP: &str = "fb78d390-0c51-40cd-8e17-fdbfab77341b";
/// The application of remote PowerShell before it, whose refresh tokens are redeemed in customers' tenants without consent.
const PARTNER_APP: &str = "a0c73c16-a7e3-4564-9a95-2bdf47383716";

/// What the service may challenge a token with: those who can answer say so (Continuous Access Evaluation).
const CAPABILITIES: &str = r#"{"xms_cc":{"values":["cp1"]}}"#;

/// One way to sign in.
pub(super) enum Flow {
    /// A token that was given.
    Ready(Secret<String>),
    /// The identity of the machine this runs on; the id of one of several.
    Identity(Option<String>),
    /// An application for itself.
    Application(Proof),
    /// A user, in the way this begins, by an application with this proof.
    User(Start, Proof),
}

/// How a user's sign-in begins.
pub(super) enum Start {
    Refresh(Secret<String>),
    Password(String, Secret<String>),
    Device,
    Browser,
}

/// What an application shows of itself.
pub(super) enum Proof {
    None,
    Secret(Secret<String>),
    Certificate(Box<Certificate>),
    Assertions(Assertions),
}

/// A token as it may stand in a password: without `Bearer `.
pub(super) fn bare(token: &Secret<String>) -> Secret<String> {
    let text = token.reveal().trim();
    let bearer = text.get(..7).filter(|b| b.eq_ignore_ascii_case("Bearer "));
    Secret::new(bearer.map_or(text, |_| text[7..].trim()).to_owned())
}

fn refused(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, CONTEXT, text.into())
}

impl Flow {
    /// The way that the options tell.
    pub(super) fn of(options: &Options) -> Result<Self> {
        if let Some(token) = &options.access_token {
            let token = bare(token);
            if token.reveal().is_empty() || token.reveal().chars().any(|c| !c.is_ascii_graphic()) {
                return Err(refused("the access token is none that can be sent"));
            }
            return Ok(Self::Ready(token));
        }
        if options.managed_identity {
            return Ok(Self::Identity(options.managed_identity_account_id.clone()));
        }
        let password = options.certificate_password.as_ref();
        let Options { client_secret, certificate_file, certificate, client_assertion_file, client_assertion, .. } = options;
        let proof = match (client_secret, certificate_file, certificate, client_assertion_file, client_assertion) {
            (None, None, None, None, None) => Proof::None,
            (Some(secret), None, None, None, None) => Proof::Secret(secret.clone()),
            (None, Some(file), None, None, None) => Proof::Certificate(Box::new(Certificate::read(file, password)?)),
            (None, None, Some(content), None, None) => Proof::Certificate(Box::new(Certificate::given(content, password)?)),
            (None, None, None, Some(file), None) => Proof::Assertions(Assertions::File(file.clone())),
            (None, None, None, None, Some(assertion)) => Proof::Assertions(Assertions::brought(assertion)?),
            _ => {
                let text = "more than one of a client secret, certificates and assertions is given: one signs the application in";
                return Err(refused(text));
            }
        };
        if !matches!(proof, Proof::None) && options.app_id.is_none() {
            return Err(refused("a client secret, certificate or assertion is given without the id of its application")
                .with_fact(fact::REMEDY, "Give the application's (client) id as -AppId."));
        }
        if let Some(token) = &options.refresh_token {
            return Ok(Self::User(Start::Refresh(Secret::new(token.reveal().trim().to_owned())), proof));
        }
        if options.device {
            return Ok(Self::User(Start::Device, proof));
        }
        if !matches!(proof, Proof::None) {
            return Ok(Self::Application(proof));
        }
        Ok(match (&options.user, &options.password) {
            // As scripts of remote PowerShell gave tokens.
            (_, Some(password)) if password.reveal().get(..7).is_some_and(|b| b.eq_ignore_ascii_case("Bearer ")) => {
                Self::Ready(bare(password))
            }
            (Some(user), Some(password)) => Self::User(Start::Password(user.clone(), password.clone()), proof),
            (None, Some(_)) => return Err(refused("a password is given without the user it is of")),
            _ => Self::User(Start::Browser, proof),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Ready(_) => "access token",
            Self::Identity(_) => "managed identity",
            Self::Application(Proof::Certificate(_)) => "certificate",
            Self::Application(Proof::Assertions(_)) => "client assertion",
            Self::Application(_) => "client secret",
            Self::User(Start::Refresh(_), _) => "refresh token",
            Self::User(Start::Password(..), _) => "password",
            Self::User(Start::Device, _) => "device code",
            Self::User(Start::Browser, _) => "browser",
        }
    }
}

/// A way to sign in with all it needs.
pub(super) struct SignIn {
    flow: Flow,
    endpoint: Endpoint,
    client: String,
    /// Empty for that of whoever signs in.
    tenant: Option<String>,
    user: Option<String>,
    family: Arc<Family>,
    identity: Option<Identity>,
    machine: Option<ManagedIdentity>,
    /// A user signed in by hand, and is not asked a second time: nobody may be there any more.
    was_by_hand: AtomicBool,
    messages: Arc<TextList>,
    secrets: Option<Arc<Secrets>>,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("flow", &self.flow.name())
            .field("client", &self.client)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl SignIn {
    pub(super) fn new(flow: Flow, options: &Options, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let authority = Authority::of(options)?;
        let client = options.app_id.clone().unwrap_or_else(|| {
            let partner = matches!(flow, Flow::User(Start::Refresh(_), _));
            if partner { PARTNER_APP } else { MODULE_APP }.to_owned()
        });
        let tenant = options.organization.clone().or_else(|| authority.tenant.clone());
        if matches!(flow, Flow::Application(_)) && tenant.is_none() {
            return Err(refused("an application signs in to a tenant, and none is named")
                .with_fact(fact::REMEDY, "Name the organization by its initial .onmicrosoft.com domain or its tenant id."));
        }
        let whole = tenant.as_deref().unwrap_or_default().to_ascii_lowercase();
        let machine = match &flow {
            Flow::Identity(account) => Some(ManagedIdentity::find(account.clone(), &authority.resource, variable)?),
            _ => None,
        };
        // Whoever has the same credential may have the same token. Two who sign in by hand may be two persons, unless the
        // name tells that they are one.
        let (credential, secret) = match &flow {
            Flow::Ready(_) => (None, ""),
            Flow::Identity(account) => (Some("identity"), account.as_deref().unwrap_or_default()),
            Flow::Application(Proof::Secret(secret)) => (Some("application"), secret.reveal().as_str()),
            Flow::Application(Proof::Certificate(certificate)) => (Some("certificate"), certificate.thumbprint()),
            Flow::Application(Proof::Assertions(Assertions::File(file))) => (Some("assertion"), file.as_str()),
            // Each is another, whoever brings them.
            Flow::Application(Proof::Assertions(Assertions::Brought(_)) | Proof::None) => (None, ""),
            Flow::User(Start::Refresh(token), _) => (Some("refresh"), token.reveal().as_str()),
            Flow::User(Start::Password(_, password), _) => (Some("password"), password.reveal().as_str()),
            Flow::User(Start::Device, _) => (options.user.as_ref().map(|_| "device"), ""),
            Flow::User(Start::Browser, _) => (options.user.as_ref().map(|_| "browser"), ""),
        };
        let user = options.user.as_deref().unwrap_or_default().to_ascii_lowercase();
        let source = machine.as_ref().map_or_else(|| authority.text().to_owned(), |m| m.url().to_string());
        let of = |tenant: &str, resource: &str| {
            credential.map(|kind| store::identity(&[kind, &source, &client.to_ascii_lowercase(), &user, secret, tenant, resource]))
        };
        let http = HttpOptions { max_body: super::endpoint::MOST_BYTES, ..options.http()? };
        Ok(Self {
            identity: of(&whole, &authority.resource),
            family: store::family(of("", "")),
            endpoint: Endpoint { http: HttpClient::new(&http)?, authority, timeout: options.operation_timeout },
            flow,
            client,
            tenant,
            user: options.user.clone(),
            machine,
            was_by_hand: AtomicBool::new(false),
            messages: Arc::default(),
            secrets: None,
        })
    }

    pub(super) fn tell(&mut self, messages: &Arc<TextList>) {
        self.messages = Arc::clone(messages);
    }

    /// Whom to ask for what only comes from outside.
    pub(super) fn ask(&mut self, secrets: &Arc<Secrets>) {
        self.secrets = Some(Arc::clone(secrets));
    }

    pub(super) fn assertions(&self) -> Option<&Assertions> {
        match &self.flow {
            Flow::Application(Proof::Assertions(assertions)) | Flow::User(_, Proof::Assertions(assertions)) => Some(assertions),
            _ => None,
        }
    }

    pub(super) fn is_by_hand(&self) -> bool {
        matches!(self.flow, Flow::User(Start::Device | Start::Browser, _))
    }

    pub(super) fn token_endpoint(&self) -> Option<Url> {
        let tenant = self.tenant.as_deref().unwrap_or(ANY_TENANT);
        self.client_id().map(|_| self.endpoint.authority.endpoint(tenant, "token"))
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub(super) fn client_id(&self) -> Option<&str> {
        (!matches!(self.flow, Flow::Identity(_) | Flow::Ready(_))).then_some(&self.client)
    }

    /// A new token.
    pub(super) async fn token(&self, claims: Option<&str>) -> Result<Token> {
        let asked = self.tenant.as_deref().unwrap_or(ANY_TENANT);
        let answer = match &self.flow {
            Flow::Ready(_) => unreachable!("a ready token is not asked for"),
            Flow::Identity(_) => match &self.machine {
                Some(machine) => machine.token().await,
                None => unreachable!("it was found when the source was made"),
            },
            Flow::Application(proof) => {
                let scope = self.endpoint.authority.scope(false);
                self.grant(asked, proof, &[("grant_type", "client_credentials"), ("scope", &scope)], claims, true).await
            }
            Flow::User(start, proof) => self.user_token(start, proof, claims).await,
        };
        let answer = answer.map_err(|failure| failure.into_error(asked))?;
        Ok(Token::new(answer.access_token, answer.lifetime, answer.id_token.as_deref()))
    }

    /// One grant, with what the application shows of itself.
    pub(super) async fn grant(
        &self,
        tenant: &str,
        proof: &Proof,
        form: &[(&str, &str)],
        claims: Option<&str>,
        repeats: bool,
    ) -> std::result::Result<Answer, Failure> {
        let wanted = wanted(claims)?;
        let mut form = form.to_vec();
        form.extend([("client_id", self.client.as_str()), ("claims", wanted.as_str())]);
        let endpoint = self.endpoint.authority.endpoint(tenant, "token");
        let assertion = match proof {
            Proof::None => return self.endpoint.grant(tenant, &form, repeats).await,
            Proof::Secret(secret) => {
                form.push(("client_secret", secret.reveal()));
                return self.endpoint.grant(tenant, &form, repeats).await;
            }
            Proof::Certificate(certificate) => certificate.assertion(&self.client, endpoint.as_str())?,
            Proof::Assertions(assertions) => assertions.next(&endpoint, self.secrets.as_deref(), self.endpoint.timeout).await?,
        };
        form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
        form.push(("client_assertion", assertion.reveal()));
        // An assertion is good once: a repetition would need another.
        self.endpoint.grant(tenant, &form, false).await
    }

    /// A user's token: signed in once, then redeemed for each tenant.
    async fn user_token(&self, start: &Start, proof: &Proof, claims: Option<&str>) -> std::result::Result<Answer, Failure> {
        let scope = self.endpoint.authority.scope(true);
        let asked = self.tenant.as_deref().unwrap_or(ANY_TENANT);
        // The first may have been replaced while it was redeemed, and a sign-in may be over that can begin anew.
        for _ in 0..3 {
            let Some(refresh) = self.refresh_token(start) else {
                let _one_at_a_time = self.family.signing_in.lock().await;
                if self.family.latest().is_some() {
                    continue;
                }
                let by_hand = self.is_by_hand();
                if by_hand && self.was_by_hand.load(Ordering::Relaxed) {
                    let over = Error::new(ErrorKind::Authentication, CONTEXT, "the user's sign-in is over and must be done anew");
                    return Err(over.with_fact(fact::REMEDY, "Disconnect, and connect again to sign in.").into());
                }
                let (home, answer) = self.sign_in(start, proof, &scope, claims).await?;
                self.was_by_hand.store(by_hand, Ordering::Relaxed);
                self.family.put(answer.refresh_token.clone());
                if asked == home || answer.refresh_token.is_none() {
                    return Ok(answer);
                }
                continue;
            };
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.reveal().as_str()), ("scope", &scope)];
            match self.grant(asked, proof, &form, claims, true).await {
                Ok(answer) => {
                    if let Some(next) = &answer.refresh_token {
                        self.family.put(Some(next.clone()));
                    }
                    return Ok(answer);
                }
                Err(Failure::Refused(refusal)) if refusal.is_spent() => {
                    self.family.drop_used(&refresh);
                    let other = self.refresh_token(start).is_some_and(|next| next.reveal() != refresh.reveal());
                    if !other && matches!(start, Start::Refresh(_)) {
                        return Err(Failure::Refused(refusal));
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(Error::new(ErrorKind::Authentication, CONTEXT, "the refresh token changes faster than it can be redeemed").into())
    }

    fn refresh_token(&self, start: &Start) -> Option<Secret<String>> {
        self.family.latest().or_else(|| match start {
            Start::Refresh(token) => Some(token.clone()),
            _ => None,
        })
    }

    /// Signs a user in where the account is at home; the tenant that this was, and what it gave.
    async fn sign_in(
        &self,
        start: &Start,
        proof: &Proof,
        scope: &str,
        claims: Option<&str>,
    ) -> std::result::Result<(String, Answer), Failure> {
        // A user of the organization itself needs no second step.
        let own = self.user.as_deref().and_then(|u| u.rsplit_once('@')).map(|(_, domain)| domain);
        let home = match (&self.tenant, own) {
            (Some(tenant), Some(own)) if tenant.eq_ignore_ascii_case(own) => tenant.clone(),
            _ => ANY_TENANT.to_owned(),
        };
        let answer = match start {
            Start::Password(user, password) => {
                let form =
                    [("grant_type", "password"), ("username", user.as_str()), ("password", password.reveal().as_str()), ("scope", scope)];
                self.grant(&home, proof, &form, claims, false).await
            }
            Start::Device => device::sign_in(self, &home, proof, scope, claims).await,
            Start::Browser => browser::sign_in(self, &home, proof, scope, claims).await,
            Start::Refresh(_) => unreachable!("a refresh token is redeemed"),
        };
        Ok((home, answer?))
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Puts a text before the user.
    pub(super) fn say(&self, text: &str) {
        self.messages.push(text);
    }
}

/// The claims to ask for: a challenge's, and that challenges are understood.
fn wanted(claims: Option<&str>) -> Result<String> {
    use serde_json::{Map, Value as Json};
    let mut whole = match claims {
        None => Map::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(Json::Object(map)) => map,
            _ => return Err(Error::new(ErrorKind::Protocol, CONTEXT, "the claims that the service asks for are not JSON")),
        },
    };
    let entry = whole.entry("access_token").or_insert_with(|| Json::Object(Map::new()));
    if let (Json::Object(entry), Ok(Json::Object(ours))) = (entry, serde_json::from_str(CAPABILITIES)) {
        entry.extend(ours);
    }
    Ok(Json::Object(whole).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(settings: &[(&str, &str)], secrets: &[(&str, &str)]) -> Result<&'static str> {
        let mut o = Options::new();
        settings.iter().for_each(|(k, v)| o.set(k, v).unwrap());
        secrets.iter().for_each(|(k, v)| o.set_secret(k, Secret::new((*v).to_owned())).unwrap());
        Flow::of(&o).map(|f| f.name())
    }

    #[test]
    fn the_options_tell_the_way() {
        let of = |settings: &[(&str, &str)], secrets: &[(&str, &str)]| flow(settings, secrets).unwrap();
        assert_eq!(of(&[], &[]), "browser");
        assert_eq!(of(&[("user", "a@b.c")], &[]), "browser");
        assert_eq!(of(&[("user", "a@b.c")], &[("password", "p")]), "password");
        assert_eq!(of(&[("user", "a@b.c")], &[("password", "Bearer x.y.z")]), "access token");
        assert_eq!(of(&[], &[("access_token", "bearer x.y.z")]), "access token");
        assert_eq!(of(&[("device", "true"), ("user", "a@b.c")], &[("password", "p")]), "device code");
        assert_eq!(of(&[("managed_identity", "true")], &[]), "managed identity");
        assert_eq!(of(&[("app_id", "x")], &[("client_secret", "s")]), "client secret");
        assert_eq!(of(&[("app_id", "x")], &[("client_secret", "s"), ("refresh_token", "r")]), "refresh token");
        assert_eq!(of(&[], &[("refresh_token", "r")]), "refresh token");
        assert_eq!(flow(&[], &[("client_secret", "s")]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(flow(&[], &[("password", "p")]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(flow(&[], &[("access_token", "a b\n")]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn a_challenge_is_joined_with_what_is_understood() {
        let joined = wanted(Some(r#"{"access_token":{"nbf":{"essential":true}}}"#)).unwrap();
        assert_eq!(joined, r#"{"access_token":{"nbf":{"essential":true},"xms_cc":{"values":["cp1"]}}}"#);
        assert!(wanted(Some("nonsense")).is_err());
        assert!(wanted(None).unwrap().contains("cp1"));
    }
}
