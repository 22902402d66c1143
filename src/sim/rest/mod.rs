//! The REST road (`/adminapi/{version}/{tenant}/…`): InvokeCommand, $batch, and what clients read when they connect.

mod batch;
mod call;
mod errors;
mod invoke;
mod json;
mod module;
mod secrets;

pub use errors::ErrorShape;

use super::entra::{Caller, Refused};
use super::faults::{FaultKind, Operation, Phase};
use super::organization::Organization;
use super::tenant::{Account, Redirect, Service};
use crate::lock::lock;
use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderMap;
use invoke::Pages;
use secrets::Secrets;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use uuid::Uuid;

/// What the REST road keeps.
#[derive(Debug, Default)]
pub struct Rest {
    /// Made when first asked for.
    pub secrets: OnceLock<Secrets>,
    /// The body of the last InvokeCommand, as it came.
    last: Mutex<Bytes>,
    pages: Mutex<Pages>,
    at_work: Mutex<HashMap<Uuid, usize>>,
}

/// A request, from a connection or out of a batch.
#[derive(Debug, Clone)]
pub struct Asked {
    /// GET or POST.
    pub method: Method,
    /// As sent.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Every header.
    pub headers: HeaderMap,
    /// All of it.
    pub body: Bytes,
    /// It came to the first port, which redirects where the tenant does.
    pub front: bool,
}

impl Rest {
    /// The body of the last InvokeCommand, as it came.
    pub fn last(&self) -> Bytes {
        lock(&self.last).clone()
    }
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    pub fn host(&self) -> &str {
        self.header("host").unwrap_or_default()
    }

    pub fn query_value(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes()).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.into_owned())
    }

    /// The parts of the path behind `/adminapi/{version}/{tenant}`, with the tenant.
    fn place(&self) -> Option<(&str, &str)> {
        let mut parts = self.path.trim_matches('/').splitn(4, '/');
        let (api, version) = (parts.next()?, parts.next()?);
        let known = api.eq_ignore_ascii_case("adminapi") && ["beta", "v1.0"].iter().any(|v| v.eq_ignore_ascii_case(version));
        known.then(|| Some((parts.next()?, parts.next().unwrap_or_default()))).flatten()
    }

    fn operation(&self) -> Operation {
        let action = self.place().map_or("", |p| p.1).to_ascii_lowercase();
        match action.as_str() {
            "invokecommand" if self.query.to_ascii_lowercase().contains("skiptoken") => Operation::Page,
            "invokecommand" => Operation::Rest,
            "$batch" | "%24batch" => Operation::Batch,
            _ => Operation::Module,
        }
    }
}

/// An answer, for a connection or for a batch.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names are written as the service writes them.
    pub headers: Vec<(&'static str, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

impl Answer {
    fn json(status: u16, text: String) -> Self {
        let content_type = "application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8".to_owned();
        Self { status, headers: vec![("Content-Type", content_type)], body: text.into_bytes() }
    }
}

/// Counts a call of one organization as at work until dropped.
struct AtWork<'a>(&'a Rest, Uuid);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if let Some(n) = lock(&self.0.at_work).get_mut(&self.1) {
            *n -= 1;
        }
    }
}

/// A call that may be made: by whom and where.
struct Allowed {
    caller: Caller,
    organization: Arc<Organization>,
}

/// Answers a request, with the faults that do not need the connection.
pub async fn answer(service: &Arc<Service>, asked: &Asked, fault: Option<FaultKind>) -> Answer {
    let mut answer = match allowed(service, asked, fault) {
        Ok(allowed) => dispatch(service, asked, &allowed).await,
        Err(refusal) => refusal,
    };
    errors::whereabouts(&mut answer);
    answer
}

#[allow(clippy::result_large_err, reason = "a refusal is an answer like another")]
fn allowed(service: &Arc<Service>, asked: &Asked, fault: Option<FaultKind>) -> Result<Allowed, Answer> {
    let token = asked.header("authorization").and_then(|a| a.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = token.map(|(_, t)| t.trim()).unwrap_or_default();
    match fault {
        Some(FaultKind::Throttled(seconds)) => return Err(errors::throttled(seconds)),
        Some(FaultKind::NulForbidden) => return Err(errors::forbidden(None)),
        Some(FaultKind::TokenExpiry) => service.entra.expire(token),
        Some(FaultKind::ClaimsChallenge) => service.entra.challenge(token),
        Some(FaultKind::Unavailable(status)) => return Err(errors::service(status, "ServiceUnavailable", "The service is unavailable.")),
        Some(FaultKind::ExpiredPage) => return Err(errors::expired_page()),
        _ => {}
    }
    let refuse = |error: &str, why: &str| Err(errors::unauthorized(asked.host(), error, why, None));
    let Some((tenant, _)) = asked.place() else {
        return Err(errors::service(404, "NotFound", "Resource not found for the segment."));
    };
    let caller = match service.entra.caller(service, token, asked.host()) {
        Ok(caller) => caller,
        Err(Refused::Unknown) => return refuse("invalid_token", "The token is not known or was issued for another audience."),
        Err(Refused::Expired) => return refuse("invalid_token", "The token has expired."),
        Err(Refused::Claims(claims)) => {
            let why = "The claims of the token are not sufficient.";
            return Err(errors::unauthorized(asked.host(), "insufficient_claims", why, Some(&claims)));
        }
    };
    let Some(organization) = service.organization(tenant) else {
        return Err(errors::service(404, "TenantNotFound", &format!("The tenant '{tenant}' couldn't be found.")));
    };
    if caller.tenant.is_some_and(|t| t != organization.guid(0)) {
        return refuse("invalid_token", "The token was issued for another tenant.");
    }
    let account: Option<&Account> = caller.account.as_deref().and_then(|n| service.options.accounts.iter().find(|a| a.name == n));
    if account.is_some_and(|a| !a.remote_powershell) {
        return Err(errors::forbidden(Some("EXOModuleEnabled is false for the user.")));
    }
    if account.is_some_and(|a| !a.roles) {
        return Err(errors::forbidden(None));
    }
    // Security & Compliance finds the region by it.
    let anchor = asked.header("x-anchormailbox").unwrap_or_default();
    if asked.host().contains(".compliance.protection.") && !anchor.starts_with("UPN:") {
        return Err(errors::service(400, "BadRequest", "The request cannot be routed by its X-AnchorMailbox."));
    }
    if let (Some(redirect), true) = (&service.options.redirect, asked.front) {
        let to = match redirect {
            Redirect::Pod => Some(format!("http://{}", service.pod)),
            Redirect::Loop => Some(format!("http://{}", asked.host())),
            Redirect::Nowhere => None,
            Redirect::To(location) => Some(location.clone()),
        };
        let query = if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
        let mut answer = Answer { status: 302, ..Answer::default() };
        answer.headers.extend(to.map(|t| ("Location", format!("{t}{}{query}", asked.path))));
        return Err(answer);
    }
    Ok(Allowed { caller, organization })
}

async fn dispatch(service: &Arc<Service>, asked: &Asked, allowed: &Allowed) -> Answer {
    let id = allowed.organization.guid(0);
    {
        let mut at_work = lock(&service.rest.at_work);
        let n = at_work.entry(id).or_default();
        if service.options.max_concurrent.is_some_and(|most| *n >= most) {
            return errors::throttled(Some(1));
        }
        *n += 1;
    }
    let _at_work = AtWork(&service.rest, id);
    match (asked.operation(), &asked.method) {
        (Operation::Rest, &Method::POST) => invoke::first(service, asked, allowed).await,
        (Operation::Page, &Method::POST) => invoke::next(service, asked, allowed).await,
        (Operation::Batch, &Method::POST) => batch::run(service, asked).await,
        (Operation::Module, &Method::GET) => module::get(service, asked, allowed),
        _ => errors::service(405, "MethodNotAllowed", "The requested resource does not support this method."),
    }
}

/// What a request out of a batch gets: the same, with its own sign-in, and never a batch again.
async fn member(service: &Arc<Service>, asked: &Asked) -> Answer {
    let operation = asked.operation();
    if matches!(operation, Operation::Batch) {
        return errors::service(400, "BadRequest", "A batch cannot stand in a batch.");
    }
    service.count(operation);
    let fault = service.faults.fire(operation, Phase::Request);
    let mut answer = match fault {
        Some(FaultKind::Status(status)) => errors::service(status, "Error", "The request failed."),
        fault => match allowed(service, asked, fault) {
            Ok(allowed) if operation == Operation::Page => invoke::next(service, asked, &allowed).await,
            Ok(allowed) if operation == Operation::Rest => invoke::first(service, asked, &allowed).await,
            Ok(_) => errors::service(404, "NotFound", "Only InvokeCommand can stand in a batch."),
            Err(refusal) => refusal,
        },
    };
    errors::whereabouts(&mut answer);
    answer
}

/// Which operation a request is, for faults and counts.
pub fn operation(asked: &Asked) -> Operation {
    asked.operation()
}
