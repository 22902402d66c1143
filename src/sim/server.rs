//! HTTP: the endpoint with sign-in, redirect, cookie and faults on demand, and the control plane under `/sim`.

use super::entra;
use super::faults::{Fault, FaultKind, Operation, Phase};
use super::organization::Organization;
use super::rest::{self, Asked as RestAsked};
use super::shell::{Opening, Shell, malformed, no_such_configuration, no_such_shell, receive_operation, unauthorized};
use super::tenant::{Account, Redirect, Service, refused};
use crate::transport::soap::{self, RESOURCE_PREFIX, Request as Asked, RequestEnvelope, Response as Answer, ResponseEnvelope};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use uuid::Uuid;

/// Bytes of one request; PowerShell allows 50 MB of data per command.
const REQUEST_LIMIT: usize = 128 * 1024 * 1024;

/// Serves connections until the runtime ends. The front redirects, where the tenant does; the pod never.
pub async fn serve(listener: TcpListener, service: Arc<Service>, front: bool) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let handler = hyper::service::service_fn(move |request| handle(Arc::clone(&service), front, request));
            // An error here is a client that left or a fault that hung up: both end the connection and nothing else.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), handler).await;
        });
    }
}

/// A reply's body, honest or not.
#[derive(Debug)]
enum Reply {
    Whole(Option<Bytes>),
    /// These bytes, then the connection ends.
    Cut(Option<Bytes>),
    /// These bytes, then nothing for ever.
    Stalled(Option<Bytes>),
    /// The first, then the second again and again.
    Endless(Option<Bytes>, Bytes),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let data = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        match &mut *self {
            Self::Whole(bytes) => bytes.take().map_or(Poll::Ready(None), data),
            Self::Cut(bytes) => bytes.take().map_or_else(|| Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))), data),
            Self::Stalled(bytes) => bytes.take().map_or(Poll::Pending, data),
            Self::Endless(first, more) => data(first.take().unwrap_or_else(|| more.clone())),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            _ => SizeHint::default(),
        }
    }
}

type Handled = io::Result<Response<Reply>>;

fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(Some(body.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A page as IIS shows it.
fn page(status: u16) -> Response<Reply> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let title = match status.as_u16() {
        401 => "401 - Unauthorized: Access is denied due to invalid credentials.",
        440 => "440 Login Timeout",
        400 => "Bad Request",
        _ => status.canonical_reason().unwrap_or("Server Error"),
    };
    let body = format!(
        "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\r\n<html><head><title>{title}</title></head>\r\n<body><h1>Server Error</h1><h2>{title}</h2>&nbsp;<hr></body></html>\r\n"
    );
    let mut response = reply(status, "text/html", body);
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"ps.outlook.com\""));
    }
    response
}

async fn handle(service: Arc<Service>, front: bool, request: Request<Incoming>) -> Handled {
    let path = request.uri().path().trim_matches('/').to_ascii_lowercase();
    match (request.method(), path.as_str()) {
        (&Method::POST, "powershell-liveid" | "powershell") => {
            service.count_request();
            endpoint(&service, front, request).await
        }
        (&Method::GET, "") => Ok(reply(
            StatusCode::OK,
            "text/plain",
            "A simulated tenant. The endpoint is /powershell-liveid, the REST road /adminapi, tokens come from /{tenant}/oauth2/v2.0/token, statistics are at /sim/stats.\n",
        )),
        (&Method::GET, "sim/stats") => {
            Ok(reply(StatusCode::OK, "application/json", serde_json::to_vec(&service.stats()).unwrap_or_default()))
        }
        (&Method::GET, "sim/last") => Ok(reply(StatusCode::OK, "application/json", service.rest.last())),
        (&Method::POST, "sim/faults") => {
            let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
            let read = String::from_utf8_lossy(&body).lines().filter(|l| !l.trim().is_empty()).map(str::parse).collect();
            let faults: Vec<Fault> = match read {
                Ok(faults) => faults,
                Err(error) => {
                    let error: crate::Error = error;
                    return Ok(reply(StatusCode::BAD_REQUEST, "text/plain", format!("{error}\n")));
                }
            };
            let count = faults.len();
            faults.into_iter().for_each(|f| service.faults.arm(f));
            Ok(reply(StatusCode::OK, "text/plain", format!("{count} armed\n")))
        }
        (&Method::DELETE, "sim/faults") => {
            service.faults.clear();
            Ok(reply(StatusCode::OK, "text/plain", "disarmed\n"))
        }
        (_, p) if p.starts_with("adminapi/") => rest_road(&service, front, request).await,
        (_, p) if entra::operation(p).is_some() => authority(&service, front, request).await,
        (_, p) if p.starts_with("owa") || p.starts_with("ecp") => Ok(page(440)),
        (_, "powershell-liveid" | "powershell") => Ok(page(405)),
        _ => Ok(page(404)),
    }
}

/// All of a request, where it is not too long.
async fn whole(front: bool, request: Request<Incoming>) -> io::Result<Option<RestAsked>> {
    let (parts, body) = request.into_parts();
    if body.size_hint().lower() > REQUEST_LIMIT as u64 {
        return Ok(None);
    }
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    Ok(Some(RestAsked { method: parts.method, path, query, headers: parts.headers, body, front }))
}

async fn rest_road(service: &Arc<Service>, front: bool, request: Request<Incoming>) -> Handled {
    service.count_rest();
    let Some(asked) = whole(front, request).await? else { return Ok(page(413)) };
    let operation = rest::operation(&asked);
    let cleared = service.faults.cleared();
    service.count(operation);
    let fault = service.faults.fire(operation, Phase::Request);
    if let Some(refusal) = troubled(fault.as_ref(), cleared).await {
        return refusal;
    }
    let answer = rest::answer(service, &asked, fault).await;
    let mut response =
        reply(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "application/json", answer.body);
    travel(service, operation, &asked.headers, &answer.headers, &mut response);
    Ok(response)
}

async fn authority(service: &Arc<Service>, front: bool, request: Request<Incoming>) -> Handled {
    let Some(asked) = whole(front, request).await? else { return Ok(page(413)) };
    let Some(operation) = entra::operation(&asked.path) else { return Ok(page(404)) };
    let cleared = service.faults.cleared();
    service.count(operation);
    let fault = entra::fault(service, operation);
    if let Some(refusal) = troubled(fault.as_ref(), cleared).await {
        return refusal;
    }
    let answer = entra::answer(service, &asked, operation, fault);
    let body = if answer.body.is_null() { String::new() } else { answer.body.to_string() };
    let mut response =
        reply(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "application/json; charset=utf-8", body);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
    travel(service, operation, &asked.headers, &answer.headers, &mut response);
    Ok(response)
}

/// The faults that keep a request from being answered at all, or put it off.
async fn troubled(fault: Option<&FaultKind>, cleared: watch::Receiver<()>) -> Option<Handled> {
    match fault? {
        FaultKind::Delay(time) => {
            late(*time, cleared).await;
            None
        }
        FaultKind::HangUp => Some(Err(io::ErrorKind::ConnectionReset.into())),
        FaultKind::Stall => std::future::pending().await,
        FaultKind::Status(status) => Some(Ok(page(*status))),
        _ => None,
    }
}

/// So long, or until the faults are disarmed.
async fn late(time: Duration, mut cleared: watch::Receiver<()>) {
    let _ = tokio::time::timeout(time, cleared.changed()).await;
}

/// Headers, compression, and the faults that change how a body travels.
fn travel(service: &Service, operation: Operation, asked: &HeaderMap, headers: &[(&'static str, String)], response: &mut Response<Reply>) {
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(*name), HeaderValue::from_str(value)) {
            if name == header::CONTENT_TYPE {
                response.headers_mut().insert(name, value);
            } else {
                response.headers_mut().append(name, value);
            }
        }
    }
    let Reply::Whole(Some(body)) = response.body() else { return };
    let body = body.clone();
    let half = body.slice(..body.len() / 2);
    let announce = |response: &mut Response<Reply>, length: usize| {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    };
    match service.faults.fire(operation, Phase::Reply { streams: false }) {
        Some(FaultKind::Drop) => {
            announce(response, body.len());
            *response.body_mut() = Reply::Cut(Some(half));
        }
        Some(FaultKind::Length) => {
            announce(response, body.len() + 1000);
            *response.body_mut() = Reply::Stalled(Some(body));
        }
        Some(FaultKind::Flood) => *response.body_mut() = Reply::Endless(Some(half), vec![b' '; 64 * 1024].into()),
        Some(FaultKind::MalformedJson) => *response.body_mut() = Reply::Whole(Some(half)),
        Some(FaultKind::GzipLie) => {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        _ if service.options.gzip && accepts_gzip(asked) && !body.is_empty() => {
            if let Some(packed) = packed(&body) {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                *response.body_mut() = Reply::Whole(Some(packed));
            }
        }
        _ => {}
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT_ENCODING).and_then(|a| a.to_str().ok()).is_some_and(|a| a.contains("gzip"))
}

fn packed(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    io::Write::write_all(&mut encoder, bytes).and_then(|()| encoder.finish()).ok().map(Bytes::from)
}

/// The parts of a query, split at `;` and `&`, since PowerShell appends with `;`.
fn query_value(query: &str, name: &str) -> Option<String> {
    let parts = query.split([';', '&']);
    let found = parts.filter_map(|p| p.split_once('=')).find(|(n, _)| n.eq_ignore_ascii_case(name))?;
    let decoded = url::form_urlencoded::parse(format!("v={}", found.1).as_bytes()).next().map(|(_, v)| v.into_owned())?;
    Some(decoded.trim().to_owned())
}

/// Who signs in, or the page that refuses.
fn sign_in(service: &Service, headers: &HeaderMap, query: &str) -> Result<(Account, String), Box<Response<Reply>>> {
    let refuse = |status| Err(Box::new(page(status)));
    let Some(header) = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok()) else { return refuse(401) };
    let Some(decoded) = header.strip_prefix("Basic ").and_then(|b| STANDARD.decode(b.trim()).ok()) else { return refuse(401) };
    let decoded = String::from_utf8_lossy(&decoded).into_owned();
    let Some((name, password)) = decoded.split_once(':') else { return refuse(401) };
    if service.is_refused(header) {
        return refuse(401);
    }
    let known = service.options.accounts.iter().find(|a| a.name.eq_ignore_ascii_case(name));
    let account = match password.strip_prefix("Bearer ") {
        Some(token) => {
            let converted = query_value(query, "BasicAuthToOAuthConversion").is_some_and(|v| v.eq_ignore_ascii_case("true"));
            let good = service.options.tokens.is_empty() && !token.is_empty() || service.options.tokens.iter().any(|t| t == token);
            if !converted || !good {
                return refuse(401);
            }
            known.cloned().unwrap_or_else(|| Account::new(name, ""))
        }
        None => match known {
            Some(account) if account.password == password => account.clone(),
            _ => return refuse(401),
        },
    };
    if !account.remote_powershell {
        return refuse(400);
    }
    Ok((account, header.to_owned()))
}

fn operation_of(asked: &Asked) -> Operation {
    match asked {
        Asked::Create(_) => Operation::Create,
        Asked::Command { .. } => Operation::Command,
        Asked::Send(_) => Operation::Send,
        Asked::Receive { command_id } => receive_operation(command_id.as_deref()),
        Asked::Signal { .. } => Operation::Signal,
        Asked::Delete => Operation::Delete,
    }
}

async fn endpoint(service: &Arc<Service>, front: bool, request: Request<Incoming>) -> Handled {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let too_long = body.size_hint().lower() > REQUEST_LIMIT as u64;
    let body = if too_long { return Ok(page(413)) } else { body.collect().await.map_err(io::Error::other)?.to_bytes() };
    let (account, authorization) = match sign_in(service, &parts.headers, &query) {
        Ok(signed_in) => signed_in,
        Err(refusal) => return Ok(*refusal),
    };
    let envelope = match soap::read_request(&body) {
        Ok(envelope) => envelope,
        Err(error) => {
            return Ok(answer(
                service,
                &parts.headers,
                &ResponseEnvelope { relates_to: String::new(), activity_id: None, body: Err(malformed(&error.to_string())) },
            ));
        }
    };
    let operation = operation_of(&envelope.body);
    let cleared = service.faults.cleared();
    service.count(operation);
    let (mut broken, mut strayed, mut delay) = (false, false, Duration::ZERO);
    let redirect = service.options.redirect.as_ref().filter(|_| front && operation == Operation::Create);
    match service.faults.fire(operation, Phase::Request) {
        Some(FaultKind::Delay(time)) if operation == Operation::Create && redirect.is_none() => delay = time,
        Some(FaultKind::Delay(time)) => late(time, cleared.clone()).await,
        Some(FaultKind::HangUp) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(FaultKind::Stall) => std::future::pending().await,
        Some(FaultKind::Status(status)) => return Ok(page(status)),
        Some(FaultKind::TokenExpiry) => {
            service.refuse(&authorization, &account.name);
            return Ok(page(401));
        }
        Some(FaultKind::OwnTenant) => strayed = true,
        Some(FaultKind::ShellGone) => {
            if let Some(shell) = envelope.shell_id.as_deref().and_then(|id| service.find(id).ok()) {
                service.expire(&shell);
            }
        }
        Some(FaultKind::BrokenPool) => match envelope.shell_id.as_deref().and_then(|id| service.find(id).ok()) {
            Some(shell) => shell.break_pool(),
            None => broken = true,
        },
        _ => {}
    }
    if let Some(redirect) = redirect {
        return Ok(redirected(service, redirect, &parts.headers, &query));
    }
    let cookie = format!("MS-WSMAN={}={}", account.name.replace('@', "%40"), service.cookie);
    let sent = parts.headers.get_all(header::COOKIE).iter().filter_map(|c| c.to_str().ok());
    let has_cookie = sent.flat_map(|c| c.split(';')).any(|c| c.trim() == cookie);
    let mut outcome = if operation == Operation::Create {
        let (service, envelope, account) = (Arc::clone(service), envelope.clone(), account.clone());
        let query = if strayed { String::new() } else { query.clone() };
        // A server goes on with it where the client has gone.
        let opening = tokio::spawn(async move {
            late(delay, cleared).await;
            create(&service, &envelope, &account, &query, broken)
        });
        opening.await.map_err(io::Error::other)?
    } else if service.options.cookie && !has_cookie {
        // Without its cookie a request reaches another server, which has never heard of the shell.
        Err(no_such_shell(envelope.shell_id.as_deref().unwrap_or_default()))
    } else {
        carry_out(service, &envelope, &account).await
    };
    if outcome.as_ref().is_err_and(|fault| *fault == refused()) {
        return Ok(page(401));
    }
    let streams = matches!(&outcome, Ok(Answer::Received { streams, .. }) if streams.iter().any(|s| !s.data.is_empty()));
    let fault = service.faults.fire(operation, Phase::Reply { streams });
    if let Some(fault) = &fault {
        outcome = spoil(service, fault, &envelope, outcome);
    }
    let created = outcome.is_ok() && operation == Operation::Create;
    let text = ResponseEnvelope { relates_to: envelope.message_id.clone(), activity_id: Some(Uuid::new_v4().to_string()), body: outcome };
    let mut response = match &fault {
        Some(fault) => spoiled_answer(service, &parts.headers, fault, &text),
        None => answer(service, &parts.headers, &text),
    };
    if created && service.options.cookie {
        // In the letters of the directory, whatever those of the request.
        let directory = if parts.uri.path().to_ascii_lowercase().contains("liveid") { "/PowerShell-LiveID" } else { "/PowerShell" };
        let value = format!("{cookie}; expires=Fri, 31-Dec-2049 23:59:59 GMT; path={directory}; HttpOnly");
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    Ok(response)
}

fn create(service: &Arc<Service>, envelope: &RequestEnvelope, account: &Account, query: &str, broken: bool) -> Result<Answer, soap::Fault> {
    let Asked::Create(create) = &envelope.body else { return Err(malformed("no Create")) };
    let configuration = envelope.resource_uri.get(..RESOURCE_PREFIX.len()).filter(|p| p.eq_ignore_ascii_case(RESOURCE_PREFIX));
    let configuration = configuration.map(|p| &envelope.resource_uri[p.len()..]);
    if !configuration.is_some_and(|c| c.eq_ignore_ascii_case("Microsoft.Exchange")) {
        return Err(no_such_configuration(&envelope.resource_uri));
    }
    let own = account.name.rsplit('@').next().unwrap_or_default().to_owned();
    let asked = query_value(query, "DelegatedOrg").filter(|d| !d.is_empty());
    let wanted = asked.as_deref().unwrap_or(&own);
    let _one_at_a_time = service.creating();
    let (organization, doom) = match service.organization(wanted) {
        Some(organization) if account.roles => (organization, service.admit(&account.name)?),
        Some(organization) => {
            let text = format!("The user \"{}\\{}\" isn't assigned to any management roles.", organization.tenant(), account.name);
            (organization, Some(unauthorized("CmdletAccessDeniedException", &text)))
        }
        // A token of a user of no organization here works on the first one; a name that is nobody's does not.
        None if asked.is_none() => match service.organization(&service.options.organizations[0].0) {
            Some(organization) => (organization, service.admit(&account.name)?),
            None => return Err(malformed("no organization")),
        },
        None => {
            let text = format!("Unable to resolve the tenant name \"{wanted}\". The organization couldn't be found.");
            (Arc::new(Organization::new(wanted, 0)), Some(unauthorized("CannotResolveTenantNameException", &text)))
        }
    };
    let shell = Shell::open(
        service,
        Opening {
            id: create.shell_id.clone(),
            creation: create.creation.clone(),
            idle: create.idle_timeout_ms.map(Duration::from_millis),
            account: account.name.clone(),
            organization,
            doom,
            max_envelope: envelope.max_envelope_size,
            broken,
        },
    )?;
    Ok(shell.created())
}

async fn carry_out(service: &Service, envelope: &RequestEnvelope, account: &Account) -> Result<Answer, soap::Fault> {
    let id = envelope.shell_id.as_deref().unwrap_or_default();
    let shell = service.find(id)?;
    if shell.account != account.name {
        return Err(no_such_shell(id));
    }
    match &envelope.body {
        Asked::Create(_) => Err(malformed("a Create with a shell")),
        Asked::Command { command_id, arguments, .. } => shell.command(command_id, arguments),
        Asked::Send(streams) => shell.send(streams),
        Asked::Receive { command_id } => {
            // At least a little, or a client that says 0 would spin.
            let timeout = Duration::from_millis(envelope.operation_timeout_ms.clamp(100, 3_600_000));
            shell.receive(command_id.as_deref(), envelope.max_envelope_size, timeout).await
        }
        Asked::Signal { command_id, code } => shell.signal(command_id, code),
        Asked::Delete => {
            service.close(&shell, &super::shell::aborted());
            Ok(Answer::Deleted)
        }
    }
}

/// 302 with a page, the Location as Exchange writes it.
fn redirected(service: &Service, redirect: &Redirect, headers: &HeaderMap, query: &str) -> Response<Reply> {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let tail = if query.is_empty() { String::new() } else { format!("?{}", query.replace('&', "&amp;")) };
    let location = match redirect {
        Redirect::Pod => Some(format!("http://{}/PowerShell-LiveID{tail} ", service.pod)),
        Redirect::Loop => Some(format!("http://{host}/powershell-liveid{tail}")),
        Redirect::Nowhere => None,
        Redirect::To(location) => Some(location.clone()),
    };
    let shown = location.as_deref().unwrap_or_default();
    let body = format!(
        "<html><head><title>Object moved</title></head><body>\r\n<h2>Object moved to <a href=\"{shown}\">here</a>.</h2>\r\n</body></html>\r\n"
    );
    let mut response = reply(StatusCode::FOUND, "text/html; charset=utf-8", body);
    if let Some(value) = location.and_then(|l| HeaderValue::from_str(&l).ok()) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

fn answer(service: &Service, headers: &HeaderMap, envelope: &ResponseEnvelope) -> Response<Reply> {
    let status = if envelope.body.is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    let text = soap::write_response(envelope);
    if let Some(bytes) = (service.options.gzip && accepts_gzip(headers)).then(|| packed(text.as_bytes())).flatten() {
        let mut response = reply(status, "application/soap+xml;charset=UTF-8", bytes);
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return response;
    }
    reply(status, "application/soap+xml;charset=UTF-8", text)
}

/// The faults that change what the envelope says.
fn spoil(
    service: &Service,
    fault: &FaultKind,
    envelope: &RequestEnvelope,
    outcome: Result<Answer, soap::Fault>,
) -> Result<Answer, soap::Fault> {
    match (fault, outcome) {
        (FaultKind::Truncated, Ok(Answer::Received { mut streams, done })) => {
            if let Some(last) = streams.iter_mut().rfind(|s| !s.data.is_empty()) {
                last.data.truncate(last.data.len().saturating_sub(7));
            }
            Ok(Answer::Received { streams, done })
        }
        (FaultKind::WrongMessage, Ok(Answer::Received { mut streams, done })) => {
            if let Some(first) = streams.iter_mut().find(|s| s.data.len() > 29) {
                let mut data = first.data.to_vec();
                data[25..29].copy_from_slice(&0x000f_ffff_u32.to_le_bytes());
                first.data = data.into();
            }
            Ok(Answer::Received { streams, done })
        }
        (FaultKind::FloodObject, outcome) => {
            let shell = envelope.shell_id.as_deref().and_then(|id| service.find(id).ok());
            let command = if let Asked::Receive { command_id: Some(id) } = &envelope.body { Some(id) } else { None };
            match (shell, command) {
                (Some(shell), Some(id)) => {
                    shell.begin_flood();
                    shell.flooded(id, envelope.max_envelope_size).map_or(outcome, Ok)
                }
                _ => outcome,
            }
        }
        (FaultKind::WrongElement, _) => Ok(match envelope.body {
            Asked::Receive { .. } => Answer::CommandStarted { command_id: Uuid::nil().to_string() },
            _ => Answer::Received { streams: Vec::new(), done: None },
        }),
        (_, outcome) => outcome,
    }
}

/// The faults that change how the envelope travels.
fn spoiled_answer(service: &Service, headers: &HeaderMap, fault: &FaultKind, envelope: &ResponseEnvelope) -> Response<Reply> {
    let text = soap::write_response(envelope);
    let content_type = "application/soap+xml;charset=UTF-8";
    let with_length = |length: usize, body: Reply| {
        let mut response = reply(StatusCode::OK, content_type, Bytes::new());
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        *response.body_mut() = body;
        response
    };
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    match fault {
        FaultKind::Drop => with_length(text.len(), Reply::Cut(Some(half))),
        FaultKind::Length => with_length(text.len() + 1000, Reply::Stalled(Some(text.into()))),
        FaultKind::Flood => {
            let cut = text.find("</s:Body>").unwrap_or(text.len());
            let mut response = reply(StatusCode::OK, content_type, Bytes::new());
            *response.body_mut() = Reply::Endless(Some(text[..cut].to_owned().into()), vec![b' '; 64 * 1024].into());
            response
        }
        FaultKind::MalformedXml => reply(StatusCode::OK, content_type, format!("{}<<&;", String::from_utf8_lossy(&half))),
        FaultKind::BadBase64 => reply(StatusCode::OK, content_type, text.replacen("</rsp:Stream>", "*not base64*</rsp:Stream>", 1)),
        _ => answer(service, headers, envelope),
    }
}
