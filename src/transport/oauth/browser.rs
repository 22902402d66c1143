//! Signing in in a browser: the authorization code with PKCE (RFC 7636), brought to a port of this computer (RFC 8252). The
//! browser is the caller's to open: the address is told.

use super::CONTEXT;
use super::aadsts::Refusal;
use super::endpoint::{Answer, Failure};
use super::flow::{Proof, SignIn};
use crate::error::{Error, ErrorKind, fact};
use crate::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::Rng;
use ring::digest::{SHA256, digest};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// How long a user may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long a browser may take to send its few lines, and their most bytes.
const REQUEST: (Duration, usize) = (Duration::from_secs(10), 32 * 1024);

fn random() -> Secret<String> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    rand::rng().fill_bytes(&mut *bytes);
    Secret::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes))
}

pub(super) async fn sign_in(sign_in: &SignIn, tenant: &str, proof: &Proof, scope: &str, claims: Option<&str>) -> Result<Answer, Failure> {
    let closed = |e: std::io::Error| Error::new(ErrorKind::Connect, CONTEXT, "no port of this computer can be listened on").with_source(e);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(closed)?;
    let port = listener.local_addr().map_err(closed)?.port();
    // `localhost` is what is registered for Microsoft's applications, and browsers may take it for ::1 first.
    let sixth = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
    let redirect_uri = format!("http://localhost:{port}");
    let (verifier, state) = (random(), random());
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.reveal().as_bytes()));
    let mut url = sign_in.endpoint().authority.endpoint(tenant, "authorize");
    url.query_pairs_mut().extend_pairs([
        ("client_id", sign_in.client_id().unwrap_or_default()),
        ("response_type", "code"),
        ("redirect_uri", &redirect_uri),
        ("response_mode", "query"),
        ("scope", scope),
        ("state", state.reveal()),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("prompt", "select_account"),
    ]);
    if let Some(user) = sign_in.user() {
        url.query_pairs_mut().append_pair("login_hint", user);
    }
    sign_in.say(&format!("To sign in, open this address in a web browser on this computer: {url}"));
    let brought = async {
        loop {
            let stream = tokio::select! {
                Ok((stream, _)) = listener.accept() => stream,
                Ok((stream, _)) = async { match &sixth { Some(l) => l.accept().await, None => std::future::pending().await } } => stream,
                else => continue,
            };
            if let Ok(Some(brought)) = tokio::time::timeout(REQUEST.0, receive(stream, state.reveal())).await {
                break brought;
            }
        }
    };
    let nobody = || {
        let error = Error::new(ErrorKind::Timeout, CONTEXT, "nobody signed in in the browser within 15 minutes");
        error.with_fact(fact::REMEDY, "Connect again and open the address that is shown; without a browser on this computer use -Device.")
    };
    match tokio::time::timeout(PATIENCE, brought).await.map_err(|_| nobody())? {
        Brought::Code(code) => {
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code.reveal().as_str()),
                ("redirect_uri", &redirect_uri),
                ("code_verifier", verifier.reveal()),
                ("scope", scope),
            ];
            sign_in.grant(tenant, proof, &form, claims, false).await
        }
        Brought::Error(error, description) => Err(Failure::Refused(Box::new(Refusal::brought(&url, &error, &description)))),
    }
}

enum Brought {
    Code(Secret<String>),
    Error(String, String),
}

/// One connection of a browser; none where it brought nothing of ours, as when it asks for an icon.
async fn receive(mut stream: TcpStream, state: &str) -> Option<Brought> {
    let mut request = zeroize::Zeroizing::new(Vec::new());
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        if request.len() > REQUEST.1 || stream.read_buf(&mut *request).await.ok()? == 0 {
            return None;
        }
    }
    let brought = read(&request, state);
    let (status, text) = match &brought {
        Some(Brought::Code(_)) => ("200 OK", "You are signed in. You can close this window."),
        Some(Brought::Error(..)) => ("200 OK", "The sign-in did not succeed. You can close this window; the program tells why."),
        None => ("404 Not Found", "There is nothing here."),
    };
    let page = format!("<!DOCTYPE html><html><head><title>DelegatedTenant</title></head><body><p>{text}</p></body></html>");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        page.len()
    );
    // Whether the browser shows it is of no consequence to the sign-in.
    let _ = stream.write_all(format!("{head}{page}").as_bytes()).await;
    let _ = stream.shutdown().await;
    brought
}

/// The code or the error that a request line brings, where it brings our state back.
fn read(request: &[u8], state: &str) -> Option<Brought> {
    let line = std::str::from_utf8(request.split(|b| *b == b'\r').next()?).ok()?;
    let target = line.strip_prefix("GET ")?.split(' ').next()?;
    let url = Url::parse("http://localhost/").ok()?.join(target).ok()?;
    let value = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
    if url.path() != "/" || value("state").as_deref() != Some(state) {
        return None;
    }
    match (value("code").filter(|c| !c.is_empty()), value("error")) {
        (Some(code), None) => Some(Brought::Code(Secret::new(code))),
        (_, Some(error)) => Some(Brought::Error(error, value("error_description").unwrap_or_default())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_brings_our_state_back_is_taken() {
        let read = |line: &str| read(format!("{line}\r\nHost: localhost\r\n\r\n").as_bytes(), "s");
        assert!(matches!(read("GET /?code=c%2B1&state=s HTTP/1.1"), Some(Brought::Code(c)) if c.reveal() == "c+1"));
        assert!(
            matches!(read("GET /?error=access_denied&error_description=no&state=s HTTP/1.1"), Some(Brought::Error(e, d)) if e == "access_denied" && d == "no")
        );
        for nothing in [
            "GET /?code=c&state=t HTTP/1.1",
            "GET /?code=c HTTP/1.1",
            "GET /favicon.ico?state=s&code=c HTTP/1.1",
            "POST /?code=c&state=s HTTP/1.1",
            "GET /?state=s HTTP/1.1",
            "GET http://[/ HTTP/1.1",
            "",
        ] {
            assert!(read(nothing).is_none(), "{nothing}");
        }
    }
}
