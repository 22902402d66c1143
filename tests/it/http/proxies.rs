//! Proxies: given, from the environment, passed by, refusing.

use super::server::{Server, read_request, reply};
use super::tls::Authority;
use super::*;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

/// A proxy for CONNECT, with the heads that it was sent. `verdict` is its answer; 200 makes it a tunnel to `port`.
pub async fn tunnel(port: u16, verdict: &'static str) -> (Server, Arc<Mutex<Vec<server::Seen>>>) {
    let heads = Arc::<Mutex<Vec<server::Seen>>>::default();
    let log = heads.clone();
    let server = Server::start_with("http", move |mut stream, _| {
        let log = log.clone();
        async move {
            let Some(request) = read_request(&mut stream).await else { return };
            log.lock().unwrap().push(request);
            let _ = stream.write_all(format!("HTTP/1.1 {verdict}\r\n\r\n").as_bytes()).await;
            if verdict.starts_with("200") {
                let mut onward = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut onward).await;
            }
        }
    })
    .await;
    (server, heads)
}

fn by(proxy: &Server, user: Option<&str>, password: &str) -> HttpOptions {
    HttpOptions {
        proxy: Proxy::Explicit(Url::parse(&format!("http://127.0.0.1:{}", proxy.port)).unwrap()),
        proxy_user: user.map(str::to_owned),
        proxy_password: Secret::new(password.to_owned()),
        ..HttpOptions::default()
    }
}

#[tokio::test]
async fn http_goes_through_with_the_whole_url_and_the_sign_in() {
    let proxy = Server::start(|_, _| reply(200, "", b"by proxy")).await;
    let client = client(&by(&proxy, Some("user"), "p@ss:wörd"));
    client.set_authorization(Some(&Authorization::Basic { user: "a".into(), password: Secret::new("b".into()) }));
    assert_eq!(post(&client, "http://no-such-host.invalid/x?y;z").await.unwrap().body, "by proxy");
    let seen = &proxy.seen()[0];
    assert_eq!(seen.line, "POST http://no-such-host.invalid/x?y;z HTTP/1.1");
    assert_eq!(seen.header("proxy-authorization"), Some("Basic dXNlcjpwQHNzOnfDtnJk"));
    assert_eq!(seen.header("authorization"), Some("Basic YTpi"));
}

#[tokio::test]
async fn https_goes_through_a_tunnel_that_sees_nothing() {
    let authority = Authority::new();
    let server = authority.server("127.0.0.1", false).await;
    let (proxy, heads) = tunnel(server.port, "200 Connection established").await;
    let client = client(&HttpOptions { ca_file: authority.trusted().ca_file, ..by(&proxy, Some("user"), "secret") });
    client.set_authorization(Some(&Authorization::Basic { user: "a".into(), password: Secret::new("b".into()) }));
    for _ in 0..3 {
        assert_eq!(post(&client, &server.url).await.unwrap().body, "secure");
    }
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 1, "the tunnel was not kept");
    assert_eq!(heads[0].line, format!("CONNECT 127.0.0.1:{} HTTP/1.1", server.port));
    assert_eq!(heads[0].header("proxy-authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
    assert_eq!(heads[0].header("authorization"), None);
    assert_eq!(server.seen()[0].header("authorization"), Some("Basic YTpi"));
    assert_eq!(server.seen()[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn a_proxy_that_refuses_was_as_far_as_the_request_came() {
    for (verdict, words) in [
        ("407 Proxy Authentication Required", "asks for a sign-in"),
        ("502 Bad Gateway", "refuses to connect"),
        ("403 Forbidden", "refuses to connect"),
    ] {
        let (proxy, _) = tunnel(0, verdict).await;
        let e = refused(post(&client(&by(&proxy, None, "")), "https://server.invalid/").await, ErrorKind::Connect, words, "no");
        assert_eq!(e.fact(fact::HOST), Some("server.invalid"));
        assert!(e.to_string().contains(&format!("127.0.0.1:{}", proxy.port)), "{e}");
    }
    let proxy = Server::start(|_, _| reply(407, "Proxy-Authenticate: Basic realm=x\r\n", b"<html>who?</html>")).await;
    refused(post(&client(&by(&proxy, None, "")), "http://server.invalid/").await, ErrorKind::Connect, "asks for a sign-in", "no");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_as_the_proxy() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, proxy) in [
        ("https://server.invalid/", format!("http://{gone}")),
        ("http://server.invalid/", format!("http://{gone}")),
        ("http://server.invalid/", "http://proxy.invalid:1".to_owned()),
        ("https://server.invalid/", "http://proxy.invalid:1".to_owned()),
    ] {
        let options = HttpOptions { proxy: Proxy::Explicit(Url::parse(&proxy).unwrap()), ..HttpOptions::default() };
        let e = refused(post(&client(&options), url).await, ErrorKind::Connect, "proxy", "no");
        assert_eq!(e.fact(fact::NATIVE_ID), Some("CannotConnect"), "{url} {proxy}");
    }
}

#[tokio::test]
async fn the_environment_names_a_proxy_and_exceptions_from_it() {
    let proxy = Server::start(|_, _| reply(200, "", b"by proxy")).await;
    let server = Server::start(|_, _| reply(200, "", b"straight")).await;
    let own = format!("http://127.0.0.1:{}", proxy.port);
    let with = |variables: &[(&str, &str)]| {
        HttpClient::with_environment(&HttpOptions::default(), |name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        })
        .unwrap()
    };
    let body = async |client: HttpClient| post(&client, &server.url).await.unwrap().body;
    assert_eq!(body(with(&[("http_proxy", &own)])).await, "by proxy");
    assert_eq!(body(with(&[("ALL_PROXY", &own)])).await, "by proxy");
    assert_eq!(body(with(&[("HTTPS_PROXY", &own)])).await, "straight");
    assert_eq!(body(with(&[("HTTP_PROXY", &own), ("no_proxy", "localhost,127.0.0.1")])).await, "straight");
    assert_eq!(body(with(&[("HTTP_PROXY", &own), ("NO_PROXY", "example.com")])).await, "by proxy");
    assert_eq!(body(with(&[])).await, "straight");
}
