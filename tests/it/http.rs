//! The HTTP client against small servers that behave and misbehave. (RFC 9110, 9112; wire.md §1.2, §1.7)

mod proxies;
pub mod server;
mod tls;
mod way;

use bytes::Bytes;
use delegated_tenant::secret::Secret;
use delegated_tenant::transport::http::{
    Authorization, HttpClient, HttpOptions, HttpRequest, HttpResponse, Method, Proxy, may_have_arrived,
};
use delegated_tenant::{Error, ErrorKind, Result, error::fact};
use flate2::Compression;
use flate2::write::GzEncoder;
use server::{Answer, Server, read_request, reply};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use url::Url;

const PLENTY: Duration = Duration::from_secs(60);

fn straight() -> HttpOptions {
    HttpOptions { proxy: Proxy::None, ..HttpOptions::default() }
}

fn client(options: &HttpOptions) -> HttpClient {
    HttpClient::new(options).unwrap()
}

async fn post(client: &HttpClient, url: &str) -> Result<HttpResponse> {
    client.post(&Url::parse(url).unwrap(), Bytes::from_static(b"<envelope/>"), PLENTY).await
}

async fn post_straight(server: &Server) -> Result<HttpResponse> {
    post(&client(&straight()), &server.url).await
}

#[track_caller]
fn refused(outcome: Result<HttpResponse>, kind: ErrorKind, words: &str, sent: &str) -> Error {
    let e = outcome.expect_err("the exchange should fail");
    assert_eq!(e.kind(), kind, "{e:?}");
    assert!(e.to_string().contains(words), "{e}");
    assert_eq!(e.fact(fact::REQUEST_SENT), Some(sent), "{e:?}");
    assert_eq!(may_have_arrived(&e), sent == "maybe");
    assert!(e.fact(fact::HOST).is_some());
    e
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_request_looks_like_windows_own() {
    let server = Server::start(|_, _| reply(200, "", b"<reply/>")).await;
    let client = client(&straight());
    client.set_authorization(Some(&Authorization::Basic { user: "ädmin@partner".into(), password: Secret::new("Bearer a.b:c".into()) }));
    let url = format!("{}?DelegatedOrg=customer.com;PSVersion=5.1.1", server.url);
    let response = post(&client, &url).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (200, &b"<reply/>"[..]));
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /powershell-liveid?DelegatedOrg=customer.com;PSVersion=5.1.1 HTTP/1.1");
    assert_eq!(seen.header("content-type"), Some("application/soap+xml;charset=UTF-8"));
    assert_eq!(seen.header("user-agent"), Some("Microsoft WinRM Client"));
    assert_eq!(seen.header("content-length"), Some("11"));
    assert_eq!(seen.header("authorization"), Some("Basic w6RkbWluQHBhcnRuZXI6QmVhcmVyIGEuYjpj"));
    assert_eq!(seen.header("accept-encoding"), Some("gzip"));
    assert_eq!((seen.header("expect"), seen.header("transfer-encoding")), (None, None));
    assert_eq!(seen.body, b"<envelope/>");
    client.set_authorization(None);
    post(&client, &url.replace("127.0.0.1", "user:password@127.0.0.1")).await.unwrap();
    assert_eq!((server.seen()[1].header("authorization"), server.seen()[1].header("host")), (None, seen.header("host")));
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_another() {
    let location = "https://pod1.example.com/PowerShell-LiveID?DelegatedOrg=a.com&amp;x=1;PSVersion=5.1 ";
    let head = format!(
        "Location: {location}\r\nContent-Type: text/html; charset=UTF-8\r\nRetry-After: 7\r\nrequest-id: 12-34\r\nX-FEServer: FE1\r\n"
    );
    let server = Server::start(move |_, _| reply(302, &head, b"<html>Object moved</html>")).await;
    let response = post_straight(&server).await.unwrap();
    assert_eq!((response.status, response.location.as_deref()), (302, Some(location.trim_end())));
    assert_eq!(response.content_type.as_deref(), Some("text/html; charset=UTF-8"));
    assert_eq!(response.retry_after, Some(Duration::from_secs(7)));
    assert_eq!((response.request_id.as_deref(), response.server.as_deref()), (Some("12-34"), Some("FE1")));
    assert_eq!(response.body, "<html>Object moved</html>");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_retry_after_in_the_past_is_no_wait() {
    let server = Server::start(|_, _| reply(503, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", b"")).await;
    assert_eq!(post_straight(&server).await.unwrap().retry_after, Some(Duration::ZERO));
    let server = Server::start(|_, _| reply(407, "", b"")).await;
    assert_eq!(post_straight(&server).await.unwrap().status, 407, "without a proxy it is an answer like another");
    let server = Server::start(|_, _| reply(503, "Retry-After: soon\r\n", b"")).await;
    assert_eq!(post_straight(&server).await.unwrap().retry_after, None);
}

#[tokio::test]
async fn gzip_is_undone_and_counted_undone() {
    let plain = vec![b'x'; 300_000];
    let packed = gzip(&plain);
    let server = Server::start(move |_, _| reply(200, "Content-Encoding: gzip\r\n", &packed)).await;
    assert_eq!(post_straight(&server).await.unwrap().body, plain);
    let exactly = HttpOptions { max_body: 300_000, ..straight() };
    assert_eq!(post(&client(&exactly), &server.url).await.unwrap().body.len(), 300_000);
    let less = HttpOptions { max_body: 299_999, ..straight() };
    refused(post(&client(&less), &server.url).await, ErrorKind::Protocol, "larger than 299999 bytes", "maybe");
}

#[tokio::test]
async fn gzip_is_told_by_its_bytes_whatever_the_header_says() {
    let server = Server::start(|_, _| reply(400, "Content-Encoding: gzip\r\n", b"{\"error\":{}}")).await;
    assert_eq!(post_straight(&server).await.unwrap().body, "{\"error\":{}}");
    let server = Server::start(|_, _| reply(200, "", &gzip(b"packed"))).await;
    assert_eq!(post_straight(&server).await.unwrap().body, "packed");
    for body in ["", "\u{1F}"] {
        let server = Server::start(move |_, _| reply(200, "Content-Encoding: gzip\r\n", body.as_bytes())).await;
        assert_eq!(post_straight(&server).await.unwrap().body, body);
    }
}

#[tokio::test]
async fn any_request_goes_out_as_it_was_put_together() {
    let server = Server::start(|_, _| reply(200, "Set-Cookie: a=1\r\nRate-Limit-Remaining: 5\r\nX-Y: 1\r\nX-Y: 2\r\n", b"[]")).await;
    let client = client(&straight());
    client.set_authorization(Some(&Authorization::Basic { user: "u".into(), password: Secret::new("p".into()) }));
    let (url, token) = (Url::parse(&server.url).unwrap(), Secret::new("tok.en".to_owned()));
    let request = HttpRequest {
        method: Method::Get,
        url: &url,
        headers: &[("Accept", "application/json"), ("User-Agent", "DelegatedTenant")],
        bearer: Some(&token),
        body: Bytes::new(),
        timeout: PLENTY,
    };
    let response = client.send(request.clone()).await.unwrap();
    assert_eq!(response.headers.get("rate-limit-remaining").as_deref(), Some("5"));
    assert_eq!(response.headers.all("X-Y").collect::<Vec<_>>(), ["1", "2"]);
    assert!(!format!("{response:?}").contains("a=1"), "a cookie is a secret");
    let post = HttpRequest {
        method: Method::Post,
        bearer: None,
        body: "{}".into(),
        headers: &[("Content-Type", "application/json")],
        ..request.clone()
    };
    client.send(post).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].line, "GET /powershell-liveid HTTP/1.1");
    assert_eq!((seen[0].header("accept"), seen[0].header("user-agent")), (Some("application/json"), Some("DelegatedTenant")));
    assert_eq!((seen[0].header("authorization"), seen[0].header("content-type")), (Some("Bearer tok.en"), None));
    assert_eq!((seen[0].header("content-length"), seen[0].header("cookie")), (None, None));
    assert_eq!((seen[1].header("content-type"), seen[1].header("authorization")), (Some("application/json"), None));
    assert_eq!((seen[1].header("cookie"), &seen[1].body[..]), (Some("a=1"), &b"{}"[..]));
    let bad = HttpRequest { headers: &[("X-CmdletName", "Get\r\nEvil: 1")], ..request.clone() };
    refused(client.send(bad).await, ErrorKind::InvalidArgument, "X-CmdletName", "no");
    // A request without a body may have left as soon as there was a connection, and not before.
    let nobody = Url::parse("http://127.0.0.1:1/").unwrap();
    refused(client.send(HttpRequest { url: &nobody, ..request.clone() }).await, ErrorKind::Connect, "refused", "no");
    let server = Server::start(|_, _| Answer::Close(Vec::new())).await;
    let url = Url::parse(&server.url).unwrap();
    refused(client.send(HttpRequest { url: &url, ..request }).await, ErrorKind::Disconnected, "before the reply", "maybe");
}

#[tokio::test]
async fn a_gzip_bomb_is_refused() {
    let bomb = gzip(&vec![0; 100 << 20]);
    assert!(bomb.len() < 1 << 20);
    let server = Server::start(move |_, _| reply(200, "Content-Encoding: gzip\r\n", &bomb)).await;
    refused(post_straight(&server).await, ErrorKind::Protocol, "larger than", "maybe");
}

#[tokio::test]
async fn damaged_gzip_is_a_breach_of_protocol() {
    let mut packed = gzip(&[b'x'; 1000]);
    packed[10] ^= 0xFF;
    let server = Server::start(move |_, _| reply(200, "Content-Encoding: gzip\r\n", &packed)).await;
    refused(post_straight(&server).await, ErrorKind::Protocol, "compression", "maybe");
    let cut = gzip(&[b'x'; 1000])[..20].to_vec();
    let server = Server::start(move |_, _| reply(200, "Content-Encoding: gzip\r\n", &cut)).await;
    refused(post_straight(&server).await, ErrorKind::Protocol, "compression", "maybe");
}

#[tokio::test]
async fn a_server_that_announces_more_than_it_sends_has_broken_off() {
    let server = Server::start(|_, _| Answer::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort".to_vec())).await;
    refused(post_straight(&server).await, ErrorKind::Disconnected, "in the middle of the reply", "maybe");
    let server = Server::start(|_, _| Answer::Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n".to_vec())).await;
    refused(post_straight(&server).await, ErrorKind::Disconnected, "in the middle of the reply", "maybe");
    let mut packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n".to_vec();
    packed.extend_from_slice(&gzip(&[b'x'; 1000])[..20]);
    let server = Server::start(move |_, _| Answer::Close(packed.clone())).await;
    refused(post_straight(&server).await, ErrorKind::Disconnected, "in the middle of the reply", "maybe");
    let server = Server::start(|_, _| Answer::Close(Vec::new())).await;
    refused(post_straight(&server).await, ErrorKind::Disconnected, "before the reply", "maybe");
}

#[tokio::test]
async fn a_server_that_announces_or_sends_too_much_is_stopped() {
    let server = Server::start(|_, _| Answer::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n".to_vec())).await;
    refused(post_straight(&server).await, ErrorKind::Protocol, "larger than", "maybe");
    let server = Server::start(|_, _| {
        let mut flood = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..100 {
            flood.extend_from_slice(b"64\r\n");
            flood.extend_from_slice(&[b'x'; 100]);
            flood.extend_from_slice(b"\r\n");
        }
        Answer::Hang(flood)
    })
    .await;
    let little = HttpOptions { max_body: 5000, ..straight() };
    refused(post(&client(&little), &server.url).await, ErrorKind::Protocol, "larger than 5000 bytes", "maybe");
}

#[tokio::test]
async fn headers_have_bounds_and_a_reply_has_a_form() {
    let server = Server::start(|_, _| reply(200, &format!("X: {}\r\n", "x".repeat(1 << 20)), b"")).await;
    refused(post_straight(&server).await, ErrorKind::Protocol, "headers", "maybe");
    let server = Server::start(|_, _| reply(200, &"X: y\r\n".repeat(1000), b"")).await;
    refused(post_straight(&server).await, ErrorKind::Protocol, "headers", "maybe");
    for nonsense in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 twohundred\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"] {
        let server = Server::start(|_, _| Answer::Close(nonsense.as_bytes().to_vec())).await;
        refused(post_straight(&server).await, ErrorKind::Protocol, "not http", "maybe");
    }
}

#[tokio::test]
async fn connections_are_kept_and_shared() {
    let server = Server::start(|_, _| reply(200, "", b"ok")).await;
    let client = client(&straight());
    for _ in 0..10 {
        post(&client, &server.url).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(server.seen().len(), 10);
}

#[tokio::test]
async fn four_connections_stay_open_for_later() {
    // Each connection answers only once all four hold a request, so that none can serve two of a round.
    let four = Arc::new(tokio::sync::Barrier::new(4));
    let server = Server::start_with("http", move |mut stream, _| {
        let four = four.clone();
        async move {
            while read_request(&mut stream).await.is_some() {
                four.wait().await;
                let Answer::Keep(bytes) = reply(200, "", b"ok") else { return };
                stream.write_all(&bytes).await.unwrap();
            }
        }
    })
    .await;
    let client = client(&straight());
    for _ in 0..5 {
        let round =
            tokio::join!(post(&client, &server.url), post(&client, &server.url), post(&client, &server.url), post(&client, &server.url));
        assert!(round.0.is_ok() && round.1.is_ok() && round.2.is_ok() && round.3.is_ok());
        // Lets the client's own tasks, on this same thread, put the connections back.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_request_that_was_read_is_never_sent_again() {
    // The second one dies on a connection that has been used before, the case in which clients like to try again.
    let server = Server::start(|n, _| if n == 1 { Answer::Close(Vec::new()) } else { reply(200, "", b"ok") }).await;
    let client = client(&straight());
    post(&client, &server.url).await.unwrap();
    refused(post(&client, &server.url).await, ErrorKind::Disconnected, "before the reply", "maybe");
    assert_eq!((server.seen().len(), server.connections()), (2, 1));
    post(&client, &server.url).await.unwrap();
    assert_eq!((server.seen().len(), server.connections()), (3, 2));
}

#[tokio::test]
async fn a_reply_that_never_comes_is_a_timeout() {
    for (head, words) in [("", "no reply came within 1 s"), ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "not complete within 1 s")] {
        let server = Server::start(|_, _| Answer::Hang(head.as_bytes().to_vec())).await;
        let url = Url::parse(&server.url).unwrap();
        let outcome = client(&straight()).post(&url, Bytes::from_static(b"x"), Duration::from_secs(1)).await;
        let e = refused(outcome, ErrorKind::Timeout, words, "maybe");
        assert_eq!((e.fact(fact::NATIVE_ID), e.fact(fact::NATIVE_CODE)), (Some("WinRMOperationTimeout"), Some("-2144108250")));
    }
}

#[tokio::test]
async fn what_cannot_be_reached_was_not_sent() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let e = refused(post(&client(&straight()), &format!("http://{free}/")).await, ErrorKind::Connect, "refused", "no");
    assert_eq!((e.fact(fact::NATIVE_ID), e.fact(fact::NATIVE_CODE)), (Some("CannotConnect"), Some("-2144108526")));
    let e = refused(post(&client(&straight()), "http://no-such-host.invalid/").await, ErrorKind::Connect, "not known", "no");
    assert_eq!((e.fact(fact::NATIVE_ID), e.fact(fact::NATIVE_CODE)), (Some("ComputerNotFound"), Some("-2144108103")));
    assert_eq!(e.fact(fact::HOST), Some("no-such-host.invalid"));
    refused(post(&client(&straight()), "ftp://host/").await, ErrorKind::InvalidArgument, "http", "no");
}

#[tokio::test]
async fn cookies_belong_to_the_session_and_their_path_has_no_case() {
    let server = Server::start(|n, _| match n {
        0 => reply(
            200,
            "Set-Cookie: MS-WSMAN=u=abc==; expires=Fri, 01-Jan-2100 00:00:00 GMT; path=/PowerShell-LiveID; HttpOnly\r\nSet-Cookie: b=2\r\n",
            b"",
        ),
        2 => reply(200, "Set-Cookie: MS-WSMAN=; expires=Tue, 26-Apr-1988 00:00:00 GMT; path=/powershell-LiveID\r\n", b""),
        _ => reply(200, "", b""),
    })
    .await;
    let (one, other) = (client(&straight()), client(&straight()));
    for _ in 0..4 {
        post(&one, &server.url).await.unwrap();
    }
    post(&other, &server.url).await.unwrap();
    let sent: Vec<_> = server.seen().iter().map(|r| r.header("cookie").map(str::to_owned)).collect();
    let both = Some("MS-WSMAN=u=abc==; b=2".to_owned());
    assert_eq!(sent, [None, both.clone(), both, Some("b=2".into()), None]);
}

#[tokio::test]
async fn a_cookie_stays_for_the_host_it_came_from_after_a_redirect() {
    let server = Server::start(|n, _| match n {
        0 => reply(302, "Location: /other\r\nSet-Cookie: a=1; path=/\r\nSet-Cookie: s=1; path=/; secure\r\n", b""),
        _ => reply(200, "", b""),
    })
    .await;
    let client = client(&straight());
    post(&client, &server.url).await.unwrap();
    post(&client, &server.url.replace("powershell-liveid", "other")).await.unwrap();
    let other_host = server.url.replace("127.0.0.1", "localhost");
    post(&client, &other_host).await.unwrap();
    let sent: Vec<_> = server.seen().iter().map(|r| r.header("cookie").map(str::to_owned)).collect();
    assert_eq!(sent, [None, Some("a=1".into()), None]);
}

#[tokio::test]
async fn secrets_are_shown_nowhere() {
    let options = HttpOptions {
        proxy: Proxy::Explicit(Url::parse("http://p:hush1@127.0.0.1:1/").unwrap()),
        proxy_user: Some("q".into()),
        proxy_password: Secret::new("hush2".into()),
        ..HttpOptions::default()
    };
    let client = client(&options);
    let sign_in = Authorization::Basic { user: "u".into(), password: Secret::new("hush3".into()) };
    client.set_authorization(Some(&sign_in));
    let e = post(&client, "http://u:hush4@host/").await.unwrap_err();
    let mut shown = format!("{options:?} {client:?} {sign_in:?} {e} {e:?}");
    let mut source = std::error::Error::source(&e);
    while let Some(cause) = source {
        shown += &format!("{cause} {cause:?}");
        source = cause.source();
    }
    assert!(!shown.contains("hush"), "{shown}");
    assert!(!shown.contains("aHVzaDM") && !shown.contains("dTpodXNoMw"), "{shown}");
}
