//! What comes before the token endpoint where a person signs in: the device code and the authorization code.

use super::codes::Trouble;
use super::{Answer, Code, Device, Form, PUBLIC_CLIENTS, random, tenant_id};
use crate::lock::lock;
use crate::sim::rest::Asked;
use crate::sim::tenant::Service;
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

fn known(service: &Service, id: &str) -> bool {
    PUBLIC_CLIENTS.contains(&id) || service.options.apps.iter().any(|a| a.id.eq_ignore_ascii_case(id))
}

/// Begins a sign-in on another device.
pub fn device_code(service: &Service, tenant: &str, form: &Form) -> Result<Answer, Trouble> {
    tenant_id(service, tenant)?;
    let app = form.get("client_id").filter(|id| known(service, id)).ok_or_else(|| Trouble::code(700_016))?;
    let missing = || Trouble::code(900_144).about("The request body must contain the following parameter: 'scope'.");
    let scope = form.get("scope").cloned().ok_or_else(missing)?;
    let device_code = random();
    let user_code = device_code.chars().filter(char::is_ascii_alphanumeric).take(9).collect::<String>().to_uppercase();
    let device =
        Device { app: app.clone(), scope, polls_left: service.options.device_polls, until: Instant::now() + Duration::from_secs(900) };
    lock(&service.entra.devices).insert(device_code.clone(), device);
    Ok(Answer::ok(json!({
        "user_code": user_code, "device_code": device_code, "verification_uri": "https://microsoft.com/devicelogin",
        "expires_in": 900, "interval": service.options.device_interval,
        "message": format!("To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code {user_code} to authenticate."),
    })))
}

/// What a browser gets: the redirection back, signed in at once as `login_hint` or the first account.
pub fn authorize(service: &Service, asked: &Asked, tenant: &str, trouble: Option<Trouble>) -> Answer {
    let outcome = redirect(service, asked, tenant, trouble);
    outcome.unwrap_or_else(|trouble| trouble.answer())
}

fn redirect(service: &Service, asked: &Asked, tenant: &str, trouble: Option<Trouble>) -> Result<Answer, Trouble> {
    tenant_id(service, tenant)?;
    let query = |name: &str| asked.query_value(name).filter(|v| !v.is_empty());
    let missing = |name: &str| Trouble::code(900_144).about(&format!("The request must contain the following parameter: '{name}'."));
    let needed = |name: &str| query(name).ok_or_else(|| missing(name));
    let app = needed("client_id")?;
    if !known(service, &app) {
        return Err(Trouble::code(700_016));
    }
    let redirect_uri = needed("redirect_uri")?;
    let mut to = url::Url::parse(&redirect_uri).map_err(|_| Trouble::code(90_023).about("The redirect URI is malformed."))?;
    if !matches!(to.host_str(), Some("localhost" | "127.0.0.1")) {
        return Err(Trouble::code(90_023)
            .about("The redirect URI specified in the request does not match the redirect URIs configured for the application."));
    }
    let state = query("state");
    let outcome = if let Some(trouble) = trouble {
        Err(trouble)
    } else if query("response_type").as_deref() != Some("code") || query("code_challenge_method").as_deref() != Some("S256") {
        Err(Trouble::code(90_023).about("The sign-in asks for a code with PKCE by S256."))
    } else {
        needed("code_challenge").and_then(|challenge| needed("scope").map(|scope| (challenge, scope)))
    };
    match outcome {
        Ok((challenge, scope)) => {
            let hint = query("login_hint");
            let account = service.options.accounts.iter().find(|a| hint.as_deref().is_none_or(|h| h.eq_ignore_ascii_case(&a.name)));
            let account = account.map(|a| a.name.clone()).unwrap_or_default();
            let code = random();
            let until = Instant::now() + Duration::from_secs(600);
            to.query_pairs_mut().append_pair("code", &code);
            lock(&service.entra.codes).insert(code, Code { app, scope, account, redirect_uri, challenge, nonce: query("nonce"), until });
        }
        Err(trouble) => {
            let error = if trouble.error() == "invalid_grant" { "access_denied" } else { trouble.error() };
            to.query_pairs_mut().append_pair("error", error).append_pair("error_description", &trouble.description());
        }
    }
    if let Some(state) = state {
        to.query_pairs_mut().append_pair("state", &state);
    }
    Ok(Answer { status: 302, headers: vec![("Location", to.to_string())], body: Json::Null })
}
