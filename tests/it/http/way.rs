//! The way to a tenant, step by step, where each step in turn is the one that fails.

use super::proxies::tunnel;
use super::server::{Answer, Server, reply};
use super::tls::Authority;
use super::*;
use delegated_tenant::session::{Check, Options, Outcome, Step};
use delegated_tenant::sim::{Builder, Fault, LimitForm, Redirect, Tenant};
use tokio::io::AsyncReadExt as _;

fn options(uri: &str, more: &[(&str, &str)]) -> Options {
    let mut o = Options::new();
    let first =
        [("uri", uri), ("user", "admin@partner.com"), ("allow_unencrypted", "true"), ("proxy", "none"), ("open_timeout_ms", "5000")];
    for (key, value) in first.iter().chain(more) {
        o.set(key, value).unwrap();
    }
    o.set_secret("password", Secret::new("secret".into())).unwrap();
    o
}

fn walk(options: &Options) -> Vec<Step> {
    let check = Check::start(options).unwrap();
    let steps = crate::support::steps(&check, PLENTY);
    assert_eq!(
        steps.iter().map(|s| s.name).collect::<Vec<_>>(),
        ["Name", "TCP", "TLS", "HTTP", "SignIn", "Shell", "Organization"],
        "each step is told once"
    );
    steps
}

/// The step that fails; those before it did not, and those behind it were not reached.
#[track_caller]
fn fails(options: &Options, name: &str, words: &str, remedy: &str) -> Error {
    let mut steps = walk(options);
    let at = steps.iter().position(|s| s.outcome == Outcome::Failed).unwrap_or_else(|| panic!("nothing failed: {steps:#?}"));
    assert!(steps[at + 1..].iter().all(|s| s.outcome == Outcome::Skipped && s.detail == "not reached"), "{steps:#?}");
    let step = steps.swap_remove(at);
    assert_eq!(step.name, name, "{step:?}");
    assert!(step.detail.contains(words), "{step:?}");
    assert!(step.remedy.as_deref().unwrap_or_default().contains(remedy), "{step:?}");
    assert!(!format!("{step:?}").contains("secret"), "{step:?}");
    step.error.unwrap()
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}

fn tenant(change: impl FnOnce(Builder) -> Builder) -> Tenant {
    change(Tenant::builder()).start().unwrap()
}

#[test]
fn a_walk_that_leads_to_the_organization_leaves_nothing_open() {
    let tenant = tenant(|b| b);
    let steps = walk(&options(&tenant.uri(), &[("organization", "fabrikam.com")]));
    let outcomes: Vec<_> = steps.iter().map(|s| s.outcome).collect();
    use Outcome::{Passed, Skipped};
    assert_eq!(outcomes, [Skipped, Passed, Skipped, Passed, Passed, Passed, Passed], "{steps:#?}");
    assert!(steps[6].detail.contains("fabrikam.onmicrosoft.com"), "{:?}", steps[6]);
    let stats = tenant.stats();
    assert_eq!((stats.open, stats.operations["create"], stats.operations["delete"]), (0, 1, 1));
    // Without an organization, the account's own is told.
    let steps = walk(&options(&tenant.uri(), &[]));
    assert!(steps[6].outcome == Passed && steps[6].detail.contains("partner.onmicrosoft.com"), "{:?}", steps[6]);
    assert_eq!(tenant.stats().open, 0);
}

#[test]
fn the_sign_in_fails_where_the_account_is_not_let_in() {
    let tenant = tenant(|b| b);
    let o = |more: &[(&str, &str)]| options(&tenant.uri(), more);
    let e = fails(&o(&[("user", "nobody@partner.com")]), "SignIn", "Access is denied", "password");
    assert_eq!(e.kind(), ErrorKind::Authentication);
    let e = fails(&o(&[("user", "disabled@partner.com")]), "SignIn", "Bad Request", "RemotePowerShellEnabled");
    assert_eq!(e.kind(), ErrorKind::AccessDenied);
    let moved = self::tenant(|b| b.redirect(Redirect::Pod));
    let e = fails(&options(&moved.uri(), &[]), "SignIn", "redirects to", "AllowRedirection");
    assert_eq!(e.kind(), ErrorKind::Redirected);
    let steps = walk(&options(&moved.uri(), &[("max_redirections", "5")]));
    assert!(steps[4].outcome == Outcome::Passed && steps[4].detail.contains(" at http://127.0.0.1:"), "{:?}", steps[4]);
    assert_eq!((tenant.stats().open, moved.stats().open), (0, 0));
}

#[test]
fn the_shell_fails_where_the_service_opens_none() {
    for form in [LimitForm::Create, LimitForm::Receive] {
        let tenant = tenant(|b| b.max_shells(0).limit(form));
        assert_eq!(fails(&options(&tenant.uri(), &[]), "Shell", "maximum number", "Close one").kind(), ErrorKind::Quota);
    }
    let tenant = tenant(|b| b);
    let o = |more: &[(&str, &str)]| options(&tenant.uri(), more);
    fails(
        &o(&[("user", "noroles@partner.com"), ("organization", "fabrikam.com")]),
        "Shell",
        "management roles",
        "delegated administration",
    );
    fails(&o(&[("organization", "nowhere.example")]), "Shell", "Unable to resolve the tenant name", "domain of the customer");
    fails(&o(&[("configuration_name", "Microsoft.Nothing")]), "Shell", "", "configuration name");
    assert_eq!(tenant.stats().open, 0);
}

#[test]
fn the_organization_fails_where_it_is_another_or_untold() {
    let tenant = tenant(|b| b);
    tenant.arm("own-tenant@create".parse::<Fault>().unwrap());
    let o = options(&tenant.uri(), &[("organization", "fabrikam.com")]);
    let e = fails(&o, "Organization", "partner.onmicrosoft.com, not in fabrikam.com", "delegated administration");
    assert_eq!((e.kind(), e.fact(fact::TENANT)), (ErrorKind::WrongOrganization, Some("fabrikam.com")));
    tenant.arm("shell-gone@receive".parse::<Fault>().unwrap());
    fails(&o, "Organization", "was not found", "Connect again");
    assert_eq!(tenant.stats().open, 0);
    let mute = self::tenant(|b| b.hide("Get-OrganizationConfig").hide("Get-AcceptedDomain"));
    fails(&options(&mute.uri(), &[("organization", "fabrikam.com")]), "Organization", "does not tell", "role");
    let steps = walk(&options(&mute.uri(), &[]));
    assert_eq!(steps[6].outcome, Outcome::Skipped, "{:?}", steps[6]);
    assert_eq!(mute.stats().open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_fails_where_no_endpoint_answers() {
    for (status, head, words, remedy) in [
        (404, "", "404", "path of the connection URI"),
        (440, "", "440", "web page"),
        (503, "", "not available", "later"),
        (200, "Content-Type: text/html\r\n", "a web page answers", "sign-in page of the network"),
        (401, "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n", "offers Negotiate, NTLM", "BasicAuthentication $true"),
    ] {
        let server = Server::start(move |_, _| reply(status, head, b"<html>")).await;
        let o = options(&server.url, &[]);
        aside(move || fails(&o, "HTTP", words, remedy)).await;
        assert!(server.seen().iter().all(|r| r.header("authorization").is_none()), "no password went out");
    }
    let odd = Server::start(|_, _| Answer::Close(b"SSH-2.0-OpenSSH\r\n".to_vec())).await;
    let o = options(&odd.url, &[]);
    aside(move || fails(&o, "HTTP", "not http/1.1", "")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_basic_is_told_as_such_at_the_open_too() {
    let server = Server::start(|_, _| reply(401, "WWW-Authenticate: Negotiate\r\n", b"")).await;
    let o = options(&server.url, &[]);
    let e = aside(move || delegated_tenant::session::Session::connect(&o, None).unwrap_err()).await;
    assert_eq!((e.kind(), e.fact(fact::NATIVE_ID)), (ErrorKind::Authentication, Some("InvalidAuthentication")), "{e:?}");
    assert!(e.fact(fact::NATIVE_MESSAGE).unwrap().contains("does not take Basic sign-in. It offers Negotiate."), "{e:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_fails_by_the_certificate_and_by_what_is_no_tls() {
    let authority = Authority::new();
    let file = authority.trusted().ca_file.unwrap().to_str().unwrap().to_owned();
    let (good, expired) = (authority.server("127.0.0.1", false).await, authority.server("127.0.0.1", true).await);
    let named = authority.server("other.example.com", false).await;
    let plain = Server::start_with("https", |mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    let silent =
        Server::start_with("https", |mut stream, _| async move { while stream.read(&mut [0; 1024]).await.is_ok_and(|n| n > 0) {} }).await;
    let o = options(&silent.url, &[("open_timeout_ms", "300")]);
    aside(move || fails(&o, "TLS", "handshake was not answered", "https")).await;
    let hasty = Server::start_with("https", |stream, _| async move { drop(stream) }).await;
    for (url, more, words, remedy) in [
        (&good.url, vec![], "unknown issuer; it is made out to 127.0.0.1 by Test authority, good from ", "SkipCACheck"),
        (
            &expired.url,
            vec![("ca_file", file.as_str())],
            "expired; it is made out to 127.0.0.1 by Test authority, good from 2001-01-01 to 2002-01-01",
            "clock",
        ),
        (&named.url, vec![("ca_file", file.as_str())], "; it is made out to other.example.com by Test authority", "SkipCNCheck"),
        (&plain.url, vec![], "does not speak tls", "port"),
        (&hasty.url, vec![], "broke the tls handshake off", "inspects"),
    ] {
        let o = options(url, &more);
        let words = words.to_owned();
        aside(move || assert_eq!(fails(&o, "TLS", &words, remedy).kind(), ErrorKind::Tls)).await;
    }
    let o = options(&good.url, &[("ca_file", &file)]);
    let steps = aside(move || walk(&o)).await;
    assert!(
        steps[2].outcome == Outcome::Passed
            && steps[2].detail.starts_with("TLS 1.3; the certificate is trusted: made out to 127.0.0.1 by Test authority, good from "),
        "{:?}",
        steps[2]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_fails_at_a_closed_port_and_at_proxies_each_in_its_own_words() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let o = options(&format!("https://{closed}/powershell"), &[]);
    let e = aside(move || fails(&o, "TCP", "connection was refused", "Nothing listens")).await;
    assert_eq!(e.fact(fact::NATIVE_ID), Some("CannotConnect"));

    let by = |proxy: &str| options("https://server.invalid/powershell", &[("proxy", proxy)]);
    let o = by(&format!("http://{closed}"));
    aside(move || fails(&o, "TCP", "the proxy cannot be reached", "HTTPS_PROXY")).await;
    for (verdict, words, remedy) in [
        ("407 Proxy Authentication Required", "asks for a sign-in", "ProxyCredential"),
        ("403 Forbidden", "refuses to connect to the server (HTTP status 403)", "server.invalid to be allowed"),
        ("502 Bad Gateway", "refuses to connect to the server (HTTP status 502)", "server.invalid"),
    ] {
        let (proxy, _) = tunnel(0, verdict).await;
        let o = by(&format!("http://127.0.0.1:{}", proxy.port));
        aside(move || fails(&o, "TCP", words, remedy)).await;
    }
    let mute = Server::start_with("http", |stream, _| async move { drop(stream) }).await;
    let o = by(&format!("http://127.0.0.1:{}", mute.port));
    aside(move || fails(&o, "TCP", "the proxy hung up", "HTTP proxy")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_is_walked_with_the_proxys_sign_in() {
    let authority = Authority::new();
    let server = authority.server("127.0.0.1", false).await;
    let (proxy, heads) = tunnel(server.port, "200 Connection established").await;
    let file = authority.trusted().ca_file.unwrap().to_str().unwrap().to_owned();
    let mut o =
        options(&server.url, &[("ca_file", &file), ("proxy", &format!("http://127.0.0.1:{}", proxy.port)), ("proxy_user", "us&er")]);
    o.set_secret("proxy_password", Secret::new("a+b:%c".into())).unwrap();
    let steps = aside(move || walk(&o)).await;
    assert!(steps[0].detail.contains("the proxy, which looks"), "{:?}", steps[0]);
    assert!(steps[1].detail.contains("through the proxy"), "{:?}", steps[1]);
    assert_eq!(steps[2].outcome, Outcome::Passed, "{:?}", steps[2]);
    // The walk's own CONNECT and those of the client say the same.
    let heads = heads.lock().unwrap();
    assert!(heads.len() > 1);
    for head in heads.iter() {
        assert_eq!(head.header("proxy-authorization"), Some("Basic dXMmZXI6YStiOiVj"));
    }
}

#[test]
fn a_name_that_is_nobodys_is_told() {
    let e = fails(&options("https://no-such-host.invalid/powershell", &[]), "Name", "no-such-host.invalid is not known", "name");
    assert_eq!(e.fact(fact::NATIVE_ID), Some("ComputerNotFound"));
    let o = options("https://server.invalid/", &[("proxy", "http://proxy.invalid:3128")]);
    fails(&o, "Name", "the name of the proxy is not known", "proxy.invalid");
}

#[test]
fn a_check_that_is_dropped_gives_its_shell_back() {
    let tenant = tenant(|b| b.fault("stall@receive".parse().unwrap()));
    let check = Check::start(&options(&tenant.uri(), &[("cancel_timeout_ms", "1000")])).unwrap();
    while tenant.stats().operations.get("receive").copied().unwrap_or(0) == 0 {
        std::thread::yield_now();
    }
    drop(check);
    while tenant.stats().open > 0 {
        std::thread::yield_now();
    }
}
