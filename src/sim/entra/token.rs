//! The token endpoint: every grant.

use super::codes::Trouble;
use super::{Answer, Caller, Form, PUBLIC_CLIENTS, Refresh, assertion, home, random, tenant_id};
use crate::lock::lock;
use crate::sim::rest::Asked;
use crate::sim::tenant::Service;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::time::Instant;
use uuid::Uuid;

fn needed<'a>(form: &'a Form, name: &str) -> Result<&'a str, Trouble> {
    let missing = || Trouble::code(900_144).about(&format!("The request body must contain the following parameter: '{name}'."));
    form.get(name).map(String::as_str).filter(|v| !v.is_empty()).ok_or_else(missing)
}

/// The client, once it has shown what it must; `confidential` where a secret is required.
fn client<'a>(service: &Service, form: &'a Form, asked: &Asked, confidential: bool) -> Result<&'a str, Trouble> {
    let id = needed(form, "client_id")?;
    if PUBLIC_CLIENTS.contains(&id) {
        return if confidential { Err(Trouble::code(700_016)) } else { Ok(id) };
    }
    let unknown = || {
        Trouble::code(700_016).about(&format!("Application with identifier '{id}' was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."))
    };
    let app = service.options.apps.iter().find(|a| a.id.eq_ignore_ascii_case(id)).ok_or_else(unknown)?;
    match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(secret), _) if app.secret.as_ref() == Some(secret) => Ok(id),
        (Some(_), _) => Err(Trouble::code(7_000_215)),
        (None, Some(given)) => {
            if form.get("client_assertion_type").map(String::as_str) != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
                return Err(Trouble::code(900_144).about("The request body must contain the following parameter: 'client_assertion_type'."));
            }
            let certificate = app.certificate.as_deref().ok_or_else(|| Trouble::code(700_027))?;
            let used = assertion::verify(given, id, certificate, asked)?;
            if !lock(&service.entra.assertions).insert(used) {
                return Err(Trouble::code(700_024).about("The client assertion was used before."));
            }
            Ok(id)
        }
        (None, None) if app.secret.is_none() && app.certificate.is_none() && !confidential => Ok(id),
        (None, None) => Err(Trouble::code(7_000_218)),
    }
}

/// The resource out of `{resource}/.default` among the scopes.
fn audience(scope: &str) -> Result<String, Trouble> {
    let resource = scope.split(' ').find_map(|s| s.rsplit_once('/').filter(|_| s.contains("://")));
    let (resource, _) = resource.ok_or_else(|| Trouble::code(70_000).about("The scope names no resource."))?;
    Ok(resource.trim_end_matches('/').to_owned())
}

/// Answers a request for a token.
pub fn token(service: &Service, tenant: &str, form: &Form, asked: &Asked) -> Result<Answer, Trouble> {
    let tenant = tenant_id(service, tenant)?;
    let grant = needed(form, "grant_type")?;
    let known = |name: &str| service.options.accounts.iter().find(|a| a.name.eq_ignore_ascii_case(name));
    // The scope may have been said when the sign-in began.
    let (mut nonce, mut scope) = (None, form.get("scope").cloned().filter(|s| !s.is_empty()));
    let (app, account) = match grant {
        "client_credentials" => (client(service, form, asked, true)?, None),
        "password" => {
            let app = client(service, form, asked, false)?;
            let (name, password) = (needed(form, "username")?, needed(form, "password")?);
            let account = known(name).ok_or_else(|| Trouble::code(50_034))?;
            if account.password != password {
                return Err(Trouble::code(50_126));
            }
            (app, Some(account.name.clone()))
        }
        "refresh_token" => {
            let app = client(service, form, asked, false)?;
            let given = needed(form, "refresh_token")?;
            let mut all = lock(&service.entra.refresh);
            let known = all.get(given).cloned().ok_or_else(|| Trouble::code(70_000).about("Provided grant is invalid or malformed."))?;
            if known.app.as_deref().is_some_and(|a| !a.eq_ignore_ascii_case(app)) {
                return Err(Trouble::code(70_000).about("The refresh token was issued to another client."));
            }
            if service.options.single_use_refresh {
                all.remove(given);
            }
            (app, Some(known.account))
        }
        "authorization_code" => {
            let app = client(service, form, asked, false)?;
            let code = lock(&service.entra.codes).remove(needed(form, "code")?).ok_or_else(|| Trouble::code(70_008))?;
            if code.until < Instant::now() || code.app != app || form.get("redirect_uri") != Some(&code.redirect_uri) {
                return Err(Trouble::code(70_000));
            }
            let digest = ring::digest::digest(&ring::digest::SHA256, needed(form, "code_verifier")?.as_bytes());
            if URL_SAFE_NO_PAD.encode(digest) != code.challenge {
                return Err(Trouble::code(501_481));
            }
            nonce = code.nonce;
            scope = scope.or(Some(code.scope));
            (app, Some(code.account))
        }
        "urn:ietf:params:oauth:grant-type:device_code" => {
            let app = client(service, form, asked, false)?;
            let given = needed(form, "device_code")?;
            let mut devices = lock(&service.entra.devices);
            let device = devices.get_mut(given).filter(|d| d.app == app).ok_or_else(|| Trouble::code(70_020))?;
            if device.until < Instant::now() {
                return Err(Trouble::code(70_020));
            }
            if device.polls_left > 0 {
                device.polls_left -= 1;
                return Err(Trouble::code(70_016));
            }
            scope = scope.or(devices.remove(given).map(|d| d.scope));
            (app, service.options.accounts.first().map(|a| a.name.clone()))
        }
        other => return Err(Trouble::code(70_000).about(&format!("The grant type '{other}' is not supported."))),
    };
    let scope = scope.ok_or_else(|| Trouble::code(900_144).about("The request body must contain the following parameter: 'scope'."))?;
    let audience = audience(&scope)?;
    let tenant = match (&account, tenant) {
        (_, Some(tenant)) => tenant,
        (Some(account), None) => home(service, account).ok_or_else(|| Trouble::code(50_034))?,
        (None, None) => return Err(Trouble::code(900_023).about("An application needs the tenant's name or id.")),
    };
    let visits = account.as_deref().is_some_and(|a| home(service, a) != Some(tenant));
    let mut closed = service.options.without_relation.iter().filter_map(|o| service.organization(o));
    if visits && closed.any(|o| o.guid(0) == tenant) {
        return Err(Trouble::code(50_020));
    }
    let caller = Caller { account: account.clone(), app: app.to_owned(), tenant: Some(tenant) };
    let access_token = service.entra.issue(service, caller, &audience);
    let lifetime = service.options.token_lifetime.as_secs();
    let mut body = json!({
        "token_type": "Bearer", "scope": format!("{audience}/Exchange.Manage {audience}/.default"),
        "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": access_token,
    });
    if let Some(account) = account {
        if grant == "refresh_token" || scope.split(' ').any(|s| s == "offline_access") {
            let refresh = format!("1.{}", random());
            lock(&service.entra.refresh).insert(refresh.clone(), Refresh { account: account.clone(), app: Some(app.to_owned()) });
            body["refresh_token"] = refresh.into();
        }
        if scope.split(' ').any(|s| s == "openid") {
            body["id_token"] = id_token(service, &account, app, tenant, nonce).into();
            body["client_info"] =
                URL_SAFE_NO_PAD.encode(json!({"uid": Uuid::from_u128(7).to_string(), "utid": tenant.to_string()}).to_string()).into();
        }
    }
    Ok(Answer::ok(body))
}

fn id_token(service: &Service, account: &str, app: &str, tenant: Uuid, nonce: Option<String>) -> String {
    let now = crate::sim::records::seconds_now();
    let claims = json!({
        "aud": app, "iss": format!("https://login.microsoftonline.com/{tenant}/v2.0"), "iat": now, "nbf": now, "exp": now + service.options.token_lifetime.as_secs(),
        "preferred_username": account, "oid": Uuid::from_u128(7).to_string(), "sub": "simulated", "tid": tenant.to_string(), "ver": "2.0", "name": account, "nonce": nonce,
    });
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(json!({"typ": "JWT", "alg": "RS256"}).to_string()), part(claims.to_string()), random())
}

/// The endpoint of a virtual machine (`Metadata: true`) and the one of App Service (`X-IDENTITY-HEADER`).
pub fn managed_identity(service: &Service, asked: &Asked, path: &str, trouble: Option<Trouble>) -> Answer {
    let refuse = |status, error: &str, text: &str| Answer {
        status,
        headers: Vec::new(),
        body: json!({"error": error, "error_description": text, "statusCode": status, "message": text}),
    };
    if let Some(trouble) = trouble {
        return refuse(400, trouble.error(), &trouble.description());
    }
    let machine = path.starts_with("metadata");
    let allowed = if machine {
        asked.header("metadata").is_some_and(|m| m.eq_ignore_ascii_case("true"))
    } else {
        asked.header("x-identity-header") == Some(super::IDENTITY_HEADER)
    };
    if !allowed {
        return refuse(if machine { 400 } else { 401 }, "invalid_request", "Required metadata header not specified");
    }
    let (Some(resource), Some(_)) = (asked.query_value("resource"), asked.query_value("api-version")) else {
        return refuse(400, "invalid_request", "Required query variable 'resource' or 'api-version' is missing");
    };
    let client = asked.query_value("client_id");
    if client.as_deref().is_some_and(|c| Uuid::parse_str(c).is_err()) {
        return refuse(400, "invalid_request", "Identity not found");
    }
    let app = client.unwrap_or_else(|| Uuid::from_u128(0x00c0_ffee).to_string());
    let tenant = service.organization(&service.options.organizations[0].0).map(|o| o.guid(0));
    let token = service.entra.issue(service, Caller { account: None, app: app.clone(), tenant }, resource.trim_end_matches('/'));
    let lifetime = service.options.token_lifetime.as_secs();
    let mut body = json!({
        "access_token": token, "client_id": app, "resource": resource, "token_type": "Bearer",
        "expires_on": (crate::sim::records::seconds_now() + lifetime).to_string(),
    });
    if machine {
        body["expires_in"] = lifetime.to_string().into();
    }
    Answer::ok(body)
}
