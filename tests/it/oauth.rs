//! Every way to sign in, against the simulator's token endpoint, and what comes of its errors. (rest.md §3)

use crate::sim_rest::judge;
use crate::support;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use delegated_tenant::secret::Secret;
use delegated_tenant::sim::{App, Tenant};
use delegated_tenant::transport::http::{HttpClient, HttpOptions, HttpRequest, HttpResponse, Method, Proxy};
use delegated_tenant::transport::oauth::TokenSource;
use delegated_tenant::transport::{Options, TextList};
use delegated_tenant::{Error, ErrorKind, Result, error::fact};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use url::Url;

const APP: &str = "11111111-2222-3333-4444-555555555555";

fn tenant() -> Tenant {
    Tenant::builder().start().unwrap()
}

/// Options for the tenant's authority; keys that begin with `!` are secrets.
fn options(tenant: &Tenant, settings: &[(&str, &str)]) -> Options {
    let mut options = Options::new();
    let authority = tenant.authority();
    let ours = [("authority", authority.as_str()), ("allow_unencrypted", "true"), ("proxy", "none"), ("operation_timeout_ms", "20000")];
    for (key, value) in ours.iter().chain(settings) {
        match key.strip_prefix('!') {
            Some(secret) => options.set_secret(secret, Secret::new((*value).to_owned())).unwrap(),
            None => options.set(key, value).unwrap(),
        }
    }
    options
}

fn source(tenant: &Tenant, settings: &[(&str, &str)]) -> TokenSource {
    TokenSource::new(&options(tenant, settings)).unwrap()
}

/// As where the resource does not take the token.
async fn spoil(source: &TokenSource) {
    source.spoil(&source.token(None).await.unwrap());
}

fn partner(organization: &str) -> [(&str, &str); 2] {
    [("organization", organization), ("!refresh_token", "partner-refresh-token")]
}

/// A request to the tenant, with a token or without.
async fn ask(url: &str, token: Option<&Secret<String>>, body: Option<&str>) -> HttpResponse {
    let http = HttpClient::new(&HttpOptions { proxy: Proxy::None, ..HttpOptions::default() }).unwrap();
    let url = Url::parse(url).unwrap();
    let method = if body.is_some() { Method::Post } else { Method::Get };
    let body = Bytes::copy_from_slice(body.unwrap_or_default().as_bytes());
    let request = HttpRequest { method, url: &url, headers: &[], bearer: token, body, timeout: Duration::from_secs(20) };
    http.send(request).await.unwrap()
}

async fn call(tenant: &Tenant, organization: &str, token: &Secret<String>) -> HttpResponse {
    let url = format!("{}/adminapi/beta/{organization}/InvokeCommand", tenant.rest_uri());
    ask(&url, Some(token), Some(r#"{"CmdletInput":{"CmdletName":"Get-OrganizationConfig","Parameters":{}}}"#)).await
}

#[track_caller]
fn refused(outcome: Result<Secret<String>>, kind: ErrorKind, words: &str) -> Error {
    let error = outcome.expect_err("there should be no token");
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
    for secret in ["partner-refresh-token", "app-secret", "hunter2"] {
        assert!(!format!("{error:?} {error}").contains(secret), "{error:?}");
    }
    error
}

#[tokio::test]
async fn one_refresh_token_opens_every_customer() {
    let tenant = Tenant::builder().without_relation("tailspintoys.com").start().unwrap();
    for organization in ["fabrikam.com", "contoso.onmicrosoft.com"] {
        let source = source(&tenant, &partner(organization));
        assert_eq!((source.user(), source.tenant_id()), (None, None));
        let token = source.token(None).await.unwrap();
        assert_eq!(source.tenant_id(), tenant.tenant_id(organization).map(|t| t.to_string()));
        assert_eq!(source.user().as_deref(), Some("admin@partner.com"));
        assert_eq!(source.app_id().as_deref(), Some("a0c73c16-a7e3-4564-9a95-2bdf47383716"));
        let left = source.expires().unwrap().duration_since(SystemTime::now()).unwrap();
        assert!(left > Duration::from_secs(3500) && left <= Duration::from_secs(3600), "{left:?}");
        assert_eq!(call(&tenant, organization, &token).await.status, 200);
    }
    assert_eq!(call(&tenant, "contoso.com", &source(&tenant, &partner("fabrikam.com")).token(None).await.unwrap()).await.status, 401);
    assert_eq!(tenant.stats().tokens, 2, "the third source has the first's token");
    // Without an organization it is the account's own.
    let own = source(&tenant, &[("!refresh_token", "partner-refresh-token")]);
    own.token(None).await.unwrap();
    assert_eq!(own.tenant_id(), tenant.tenant_id("partner.com").map(|t| t.to_string()));
    let stranger = source(&tenant, &partner("tailspintoys.com"));
    let error = refused(stranger.token(None).await, ErrorKind::AccessDenied, "no delegated relation covers it (AADSTS50020)");
    assert!(error.fact(fact::REMEDY).unwrap().contains("GDAP"));
    let nobody = source(&tenant, &partner("nobody.example"));
    let error = refused(nobody.token(None).await, ErrorKind::TenantNotFound, "AADSTS90002");
    assert_eq!((error.fact(fact::TENANT), error.fact(fact::HTTP_STATUS)), (Some("nobody.example"), Some("400")));
}

#[tokio::test]
async fn a_refresh_token_that_is_good_once_goes_from_hand_to_hand() {
    let tenant = Tenant::builder().single_use_refresh(true).start().unwrap();
    for organization in ["fabrikam.com", "contoso.com", "tailspintoys.com"] {
        source(&tenant, &partner(organization)).token(None).await.unwrap();
    }
    let source = source(&tenant, &partner("fabrikam.com"));
    source.token(None).await.unwrap();
    spoil(&source).await;
    source.token(None).await.unwrap();
    assert_eq!(tenant.stats().tokens, 4);
}

#[tokio::test]
async fn many_who_wait_are_one_request() {
    let tenant = Tenant::builder().fault("delay=200@token".parse().unwrap()).start().unwrap();
    let sources: Vec<_> = (0..8).map(|_| Arc::new(source(&tenant, &partner("fabrikam.com")))).collect();
    let waiting: Vec<_> = sources.iter().cycle().take(32).cloned().map(|s| tokio::spawn(async move { s.token(None).await })).collect();
    let mut tokens = Vec::new();
    for token in waiting {
        tokens.push(token.await.unwrap().unwrap().reveal().clone());
    }
    tokens.dedup();
    assert_eq!((tokens.len(), tenant.stats().tokens), (1, 1));
    // An error is everyone's too: a wrong password asked for thirty times would lock the account.
    let tenant = Tenant::builder().fault("delay=200@token".parse().unwrap()).start().unwrap();
    let wrong = Arc::new(source(&tenant, &[("user", "admin@partner.com"), ("!password", "hunter2")]));
    let waiting: Vec<_> = (0..32).map(|_| Arc::clone(&wrong)).map(|s| tokio::spawn(async move { s.token(None).await })).collect();
    for token in waiting {
        refused(token.await.unwrap(), ErrorKind::Authentication, "the user name or the password is wrong (AADSTS50126)");
    }
    assert_eq!(tenant.stats().operations["token"], 1);
    refused(wrong.token(None).await, ErrorKind::Authentication, "AADSTS50126");
    assert_eq!(tenant.stats().operations["token"], 2, "who asks afterwards asks anew");
}

#[tokio::test]
async fn an_application_signs_in_with_its_secret() {
    let tenant = tenant();
    let settings = [("app_id", APP), ("!client_secret", "app-secret"), ("organization", "fabrikam.com")];
    let source = source(&tenant, &settings);
    let token = source.token(None).await.unwrap();
    assert_eq!((source.user(), source.app_id().as_deref()), (None, Some(APP)));
    assert_eq!(call(&tenant, "fabrikam.com", &token).await.status, 200);
    let wrong = TokenSource::new(&options(&tenant, &[settings[0], ("!client_secret", "hunter2"), settings[2]])).unwrap();
    let error = refused(wrong.token(None).await, ErrorKind::Authentication, "the client secret is wrong (AADSTS7000215)");
    assert_eq!((error.fact(fact::AUTHORITY_CODE), error.fact(fact::HTTP_STATUS)), (Some("AADSTS7000215"), Some("401")));
    assert!(error.fact(fact::REMEDY).unwrap().contains("not its id"));
    let error = TokenSource::new(&options(&tenant, &settings[..2])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    // A partner's own application redeems the partner's refresh token.
    let own =
        TokenSource::new(&options(&tenant, &[settings[0], settings[1], settings[2], ("!refresh_token", "partner-refresh-token")])).unwrap();
    own.token(None).await.unwrap();
    assert_eq!((own.user().as_deref(), own.app_id().as_deref()), (Some("admin@partner.com"), Some(APP)));
}

#[tokio::test]
async fn a_password_signs_in_at_home_and_is_redeemed_at_the_customer() {
    let tenant = tenant();
    let user = [("user", "admin@partner.com"), ("!password", "secret")];
    let customer = source(&tenant, &[user[0], user[1], ("organization", "contoso.com")]);
    let token = customer.token(None).await.unwrap();
    assert_eq!(call(&tenant, "contoso.com", &token).await.status, 200);
    assert_eq!(tenant.stats().tokens, 2);
    let home = source(&tenant, &[user[0], user[1], ("organization", "partner.com")]);
    home.token(None).await.unwrap();
    assert_eq!(tenant.stats().tokens, 3);
    tenant.arm("aadsts=50076@token".parse().unwrap());
    spoil(&home).await;
    let error = refused(home.token(None).await, ErrorKind::Authentication, "second factor");
    assert!(error.fact(fact::REMEDY).unwrap().contains("-Device"));
}

#[tokio::test]
async fn a_code_on_another_device_signs_in() {
    let tenant = Tenant::builder().device(2, 0).start().unwrap();
    let messages = Arc::new(TextList::default());
    let source = source(&tenant, &[("device", "true"), ("organization", "contoso.com")]).telling(&messages);
    let token = source.token(None).await.unwrap();
    assert_eq!(call(&tenant, "contoso.com", &token).await.status, 200);
    assert_eq!(messages.len(), 1);
    let message = messages.last().unwrap().to_str().unwrap();
    assert!(
        message.starts_with("To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code "),
        "{message}"
    );
    assert_eq!(tenant.stats().operations["devicecode"], 1);
    // It goes on by its refresh token.
    spoil(&source).await;
    source.token(None).await.unwrap();
    assert_eq!((messages.len(), tenant.stats().operations["devicecode"]), (1, 1));
    // When that is over, nobody is asked in the middle of the work.
    tenant.arm("aadsts=700082@token".parse().unwrap());
    spoil(&source).await;
    let error = refused(source.token(None).await, ErrorKind::Authentication, "must be done anew");
    assert!(error.fact(fact::REMEDY).unwrap().contains("connect again"));
    // A question that is lost on the way is no answer.
    for fault in ["hang-up@token", "unavailable@token"] {
        tenant.arm(fault.parse().unwrap());
        self::source(&tenant, &[("device", "true")]).token(None).await.unwrap_or_else(|e| panic!("{fault}: {e:?}"));
    }
    for (fault, kind, words) in [
        ("oauth=authorization_declined@token", ErrorKind::AccessDenied, "declined on the other device"),
        ("oauth=expired_token@token", ErrorKind::Authentication, "the code for the other device has expired"),
        ("aadsts=700016@devicecode", ErrorKind::Authentication, "the application is not known"),
    ] {
        tenant.arm(fault.parse().unwrap());
        refused(self::source(&tenant, &[("device", "true")]).token(None).await, kind, words);
    }
}

#[tokio::test]
async fn an_authority_that_is_asked_too_often_is_asked_more_slowly() {
    // At an interval of nothing it is asked twice a second.
    let tenant = Tenant::builder().device(0, 0).start().unwrap();
    let asked = || tenant.stats().operations.get("token").copied().unwrap_or(0);
    for (fault, answers) in [("oauth=authorization_pending@token", true), ("oauth=slow_down@token", false)] {
        let before = asked();
        tenant.arm(fault.parse().unwrap());
        let source = source(&tenant, &[("device", "true")]);
        // Pending, it is asked again at once; too fast, not before five seconds more, of which two are watched from the refusal on.
        let mut token = std::pin::pin!(source.token(None));
        while asked() == before {
            let _ = tokio::time::timeout(Duration::from_millis(20), &mut token).await;
        }
        let limit = if answers { 20_000 } else { 2_000 };
        let outcome = tokio::time::timeout(Duration::from_millis(limit), token).await;
        assert_eq!(outcome.map(|token| token.is_ok()).unwrap_or(false), answers, "{fault}");
        assert_eq!(asked() - before, if answers { 2 } else { 1 }, "{fault}");
    }
}

/// What a browser does with the address that the user opens.
async fn browse(messages: &TextList) -> HttpResponse {
    let address = loop {
        match messages.last() {
            Some(text) => break text.to_str().unwrap().rsplit(' ').next().unwrap().to_owned(),
            None => tokio::task::yield_now().await,
        }
    };
    let back = ask(&address, None, None).await.location.expect("it leads back").replace("localhost", "127.0.0.1");
    assert_eq!(ask(&back.replace("/?", "/favicon.ico?"), None, None).await.status, 404);
    assert_eq!(ask(&back.replace("state=", "state=not"), None, None).await.status, 404);
    ask(&back, None, None).await
}

#[tokio::test]
async fn a_browser_signs_in() {
    let tenant = tenant();
    for fault in [None, Some("aadsts=65001@authorize")] {
        if let Some(fault) = fault {
            tenant.arm(fault.parse().unwrap());
        }
        let messages = Arc::new(TextList::default());
        let source = source(&tenant, &[("organization", "contoso.com")]).telling(&messages);
        let (token, page) = tokio::join!(source.token(None), browse(&messages));
        assert_eq!(page.status, 200);
        match fault {
            None => {
                assert!(String::from_utf8_lossy(&page.body).contains("You are signed in"));
                assert_eq!(call(&tenant, "contoso.com", &token.unwrap()).await.status, 200);
            }
            Some(_) => {
                assert!(String::from_utf8_lossy(&page.body).contains("did not succeed"));
                refused(token, ErrorKind::AccessDenied, "the application has no consent in this tenant (AADSTS65001)");
            }
        }
    }
}

#[tokio::test]
async fn a_machine_signs_in_as_itself() {
    let tenant = tenant();
    let options = options(&tenant, &[("managed_identity", "true"), ("organization", "fabrikam.com")]);
    let base = tenant.rest_uri();
    let machine = |name: &str| (name == "AZURE_POD_IDENTITY_AUTHORITY_HOST").then(|| base.clone());
    let app_service = |name: &str| match name {
        "IDENTITY_ENDPOINT" => Some(format!("{base}/msi/token")),
        "IDENTITY_HEADER" => Some("simulated-identity-header".to_owned()),
        _ => None,
    };
    for source in [TokenSource::with_environment(&options, machine), TokenSource::with_environment(&options, app_service)] {
        let source = source.unwrap();
        let token = source.token(None).await.unwrap();
        assert_eq!(call(&tenant, "fabrikam.com", &token).await.status, 200);
        assert_eq!(source.user(), None);
    }
    let nowhere = TokenSource::with_environment(&options, |n| machine(n).map(|_| "http://127.0.0.1:1".to_owned())).unwrap();
    let error = refused(nowhere.token(None).await, ErrorKind::Connect, "no managed identity answers");
    assert!(error.fact(fact::REMEDY).is_some());
}

#[tokio::test]
async fn a_token_from_outside_is_used_while_it_is_good() {
    let tenant = Tenant::builder().token("opaque").start().unwrap();
    let ready = source(&tenant, &[("!access_token", "Bearer opaque")]);
    assert_eq!(ready.token(None).await.unwrap().reveal(), "opaque");
    assert_eq!(call(&tenant, "fabrikam.com", &ready.token(None).await.unwrap()).await.status, 200);
    spoil(&ready).await;
    let error = refused(ready.token(None).await, ErrorKind::Authentication, "the access token that was given has expired");
    assert!(error.fact(fact::REMEDY).is_some());
    ready.set_access_token(Secret::new("another".into()));
    assert_eq!(ready.token(None).await.unwrap().reveal(), "another");
    spoil(&ready).await;
    refused(ready.token(Some("{}")).await, ErrorKind::Authentication, "lacks claims");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = |exp: u64| format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp},"upn":"a@b.c","tid":"t"}}"#)));
    let over = source(&tenant, &[("!access_token", &token(now - 5))]);
    refused(over.token(None).await, ErrorKind::Authentication, "has expired");
    let good = source(&tenant, &[("!access_token", &token(now + 500))]);
    good.token(None).await.unwrap();
    assert_eq!((good.user().as_deref(), good.tenant_id().as_deref()), (Some("a@b.c"), Some("t")));
    // One from outside goes before our own, and our own after it.
    let both = source(&tenant, &partner("fabrikam.com"));
    both.set_access_token(Secret::new("given".into()));
    assert_eq!(both.token(None).await.unwrap().reveal(), "given");
    spoil(&both).await;
    assert_ne!(both.token(None).await.unwrap().reveal(), "given");
}

#[tokio::test]
async fn a_claims_challenge_is_answered() {
    let tenant = tenant();
    let source = source(&tenant, &partner("fabrikam.com"));
    let token = source.token(None).await.unwrap();
    tenant.arm("claims-challenge@rest".parse().unwrap());
    let challenged = call(&tenant, "fabrikam.com", &token).await;
    let header = challenged.headers.get("WWW-Authenticate").unwrap();
    let claims = header.split("claims=\"").nth(1).and_then(|c| c.split('"').next()).unwrap();
    let claims = String::from_utf8(base64::prelude::BASE64_STANDARD.decode(claims).unwrap()).unwrap();
    assert_eq!(call(&tenant, "fabrikam.com", &token).await.status, 401, "it stays refused");
    let better = source.token(Some(&claims)).await.unwrap();
    assert_ne!(better.reveal(), token.reveal());
    assert_eq!(call(&tenant, "fabrikam.com", &better).await.status, 200);
    assert_eq!(source.token(None).await.unwrap().reveal(), better.reveal());
}

#[tokio::test]
async fn a_token_is_renewed_when_it_is_over_or_not_taken() {
    let tenant = Tenant::builder().token_lifetime(Duration::ZERO).start().unwrap();
    let source = source(&tenant, &partner("fabrikam.com"));
    let first = source.token(None).await.unwrap();
    assert_ne!(source.token(None).await.unwrap().reveal(), first.reveal());
    let tenant = self::tenant();
    let (one, other) = (self::source(&tenant, &partner("fabrikam.com")), self::source(&tenant, &partner("fabrikam.com")));
    let first = one.token(None).await.unwrap();
    other.token(None).await.unwrap();
    spoil(&one).await;
    let second = one.token(None).await.unwrap();
    assert_ne!(second.reveal(), first.reveal());
    // The other learns of the first one's end late, and keeps what came after it.
    other.spoil(&first);
    assert_eq!(other.token(None).await.unwrap().reveal(), second.reveal());
    assert_eq!(tenant.stats().tokens, 2);
}

#[tokio::test]
async fn the_authoritys_errors_are_sentences() {
    let tenant = tenant();
    for (code, kind, words) in [
        (50020, ErrorKind::AccessDenied, "no guest of this tenant"),
        (50177, ErrorKind::AccessDenied, "no guest of this tenant"),
        (65001, ErrorKind::AccessDenied, "no consent"),
        (700_082, ErrorKind::Authentication, "refresh token has expired"),
        (53003, ErrorKind::AccessDenied, "Conditional Access"),
        (900_023, ErrorKind::TenantNotFound, "no such tenant"),
        (5_000_224, ErrorKind::TenantNotFound, "no such tenant"),
        (50126, ErrorKind::Authentication, "password is wrong"),
        (50076, ErrorKind::Authentication, "second factor"),
        (650_051, ErrorKind::AccessDenied, "no service principal"),
        (700_027, ErrorKind::Authentication, "not one that the application is registered with"),
    ] {
        tenant.arm(format!("aadsts={code}@token").parse().unwrap());
        let error = refused(source(&tenant, &partner("fabrikam.com")).token(None).await, kind, words);
        assert!(error.to_string().contains(&format!("(AADSTS{code})")) && error.fact(fact::REMEDY).is_some(), "{error:?}");
        assert_eq!(error.fact(fact::HOST), Some("127.0.0.1"));
    }
}

#[tokio::test]
async fn a_busy_authority_is_asked_again_and_not_for_ever() {
    let tenant = tenant();
    let ask = || source(&tenant, &partner("fabrikam.com"));
    for fault in ["throttled=0@token", "unavailable@token", "503@token", "hang-up@token", "drop@token"] {
        tenant.arm(fault.parse().unwrap());
        let source = ask();
        source.token(None).await.unwrap_or_else(|e| panic!("{fault}: {e:?}"));
        spoil(&source).await;
    }
    tenant.arm("throttled=60@token".parse().unwrap());
    let error = refused(ask().token(None).await, ErrorKind::Throttled, "too many requests");
    assert_eq!(error.fact(fact::RETRY_AFTER_MS), Some("60000"));
    tenant.arm("unavailable=500@token:1+".parse().unwrap());
    refused(ask().token(None).await, ErrorKind::Service, "temporarily_unavailable");
    tenant.disarm();
    tenant.arm("404@token".parse().unwrap());
    refused(ask().token(None).await, ErrorKind::Authentication, "http status 404");
    tenant.arm("malformed-json@token".parse().unwrap());
    refused(ask().token(None).await, ErrorKind::Protocol, "no token");
    tenant.arm("stall@token".parse().unwrap());
    let hasty =
        source(&tenant, &[("organization", "fabrikam.com"), ("!refresh_token", "partner-refresh-token"), ("operation_timeout_ms", "200")]);
    refused(hasty.token(None).await, ErrorKind::Timeout, "no reply came within 0.2 s");
    tenant.arm("flood@token".parse().unwrap());
    refused(ask().token(None).await, ErrorKind::Protocol, "larger than");
}

#[tokio::test]
async fn assertions_made_elsewhere_are_shown_while_they_last() {
    let tenant = tenant();
    let asked = || tenant.stats().operations.get("token").copied().unwrap_or(0);
    let with = |more: (&str, &str)| TokenSource::new(&options(&tenant, &[("app_id", APP), ("organization", "fabrikam.com"), more]));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let ends = |exp: u64| format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#)));
    // What is shown of them the authority refuses here, each time anew.
    let given = with(("!client_assertion", &ends(now + 600))).unwrap();
    assert_eq!(given.token_endpoint(), Some(format!("{}/fabrikam.com/oauth2/v2.0/token", tenant.authority().trim_end_matches('/'))));
    for n in 1..3 {
        refused(given.token(None).await, ErrorKind::Authentication, "AADSTS700027");
        assert_eq!(asked(), n);
    }
    given.set_client_assertion(&Secret::new(ends(now - 1))).unwrap();
    let error = refused(given.token(None).await, ErrorKind::Authentication, "the client assertion that was given has ended");
    assert!(error.fact(fact::REMEDY).is_some());
    assert_eq!(given.set_client_assertion(&Secret::new("a b".into())).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(with(("!client_assertion", "")).unwrap_err().kind(), ErrorKind::InvalidArgument);
    // A file is read when it is needed.
    let file = support::scratch("assertion").join("token");
    let path = file.to_str().unwrap();
    let workload = with(("client_assertion_file", path)).unwrap();
    refused(workload.token(None).await, ErrorKind::InvalidArgument, "cannot be opened");
    for (content, words) in [("\n", "none that can be sent"), (&"x".repeat(70_000), "too long")] {
        std::fs::write(&file, content).unwrap();
        refused(workload.token(None).await, ErrorKind::InvalidArgument, words);
    }
    assert_eq!(asked(), 2);
    std::fs::write(&file, ends(now + 600) + "\n").unwrap();
    refused(workload.token(None).await, ErrorKind::Authentication, "AADSTS700027");
    assert_eq!(asked(), 3);
    assert!(workload.set_client_assertion(&Secret::new("x".into())).is_err());
    assert!(source(&tenant, &partner("fabrikam.com")).set_client_assertion(&Secret::new("x".into())).is_err());
    // No federated credential is told from a wrong certificate.
    tenant.arm("aadsts=700213@token".parse().unwrap());
    refused(workload.token(None).await, ErrorKind::Authentication, "none of its federated credentials");
}

#[tokio::test]
async fn an_application_signs_in_with_its_certificate() {
    let Some(python) = support::python_with("jwt, cryptography") else { return };
    let folder = support::scratch("certificate");
    judge(&python, "make_certificate.py", &[folder.to_str().unwrap()]);
    let path = |file: &str| folder.join(file).to_str().unwrap().to_owned();
    let certificate = std::fs::read_to_string(path("cert.pem")).unwrap();
    let tenant = Tenant::builder().app(App { id: APP.into(), secret: None, certificate: Some(certificate) }).start().unwrap();
    let strict = support::Child::start(&python, "assertion_judge.py", &[&path("cert.pem")]);
    for (file, password) in [("app.pem", ""), ("app1.pem", ""), ("app.pfx", "hunter2"), ("legacy.pfx", "hunter2")] {
        let file = path(file);
        let settings =
            [("app_id", APP), ("organization", "fabrikam.com"), ("certificate_file", &file), ("!certificate_password", password)];
        let source = source(&tenant, &settings);
        let token = source.token(None).await.unwrap();
        assert_eq!(call(&tenant, "fabrikam.com", &token).await.status, 200);
        // PyJWT is the judge of what the simulator took.
        let mut judged = options(&tenant, &settings);
        judged.set("authority", &strict.said).unwrap();
        assert!(TokenSource::new(&judged).unwrap().token(None).await.unwrap().reveal().starts_with("judged-"), "{file}");
    }
    let pfx = base64::prelude::BASE64_STANDARD.encode(std::fs::read(path("app.pfx")).unwrap());
    for content in [pfx, std::fs::read_to_string(path("app.pem")).unwrap()] {
        let given = [("app_id", APP), ("organization", "fabrikam.com"), ("!certificate", &content), ("!certificate_password", "hunter2")];
        let source = source(&tenant, &given);
        source.token(None).await.unwrap();
        spoil(&source).await;
    }
    for (file, password, words) in [
        ("app.pfx", "wrong", "no .pfx that this password opens"),
        ("app.pfx", "", "no .pfx that this password opens"),
        ("cert.pem", "", "holds no private key"),
        ("missing.pfx", "", "cannot be opened"),
    ] {
        let settings = [("app_id", APP), ("organization", "a.com"), ("certificate_file", &path(file)), ("!certificate_password", password)];
        let error = TokenSource::new(&options(&tenant, &settings)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(words), "{error}");
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    }
    // Another application's certificate is none.
    let other = support::scratch("certificate-other");
    judge(&python, "make_certificate.py", &[other.to_str().unwrap()]);
    let file = other.join("app.pem").to_str().unwrap().to_owned();
    let source = source(&tenant, &[("app_id", APP), ("organization", "fabrikam.com"), ("certificate_file", &file)]);
    refused(source.token(None).await, ErrorKind::Authentication, "AADSTS700027");
}
