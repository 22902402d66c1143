//! Certificates good and bad, and the checks that may be skipped.

use super::server::{Server, reply, talk};
use super::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test authority");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Options that trust this authority besides the system's.
    pub fn trusted(&self) -> HttpOptions {
        HttpOptions { ca_file: Some(file(&self.pem)), ..straight() }
    }

    pub async fn server(&self, name: &str, expired: bool) -> Server {
        let key = KeyPair::generate().unwrap();
        let certificate = params(name, expired).signed_by(&key, &self.issuer).unwrap();
        serve(certificate.der().clone(), &key).await
    }
}

fn params(name: &str, expired: bool) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    params
}

async fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> Server {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Server::start_with("https", move |stream, log| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                talk(stream, &log, &|_, _: &_| reply(200, "Set-Cookie: s=1; path=/; secure\r\n", b"secure")).await;
            }
        }
    })
    .await
}

fn file(pem: &str) -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("ca-{}-{}.pem", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, pem).unwrap();
    path
}

#[track_caller]
fn distrusted(outcome: Result<HttpResponse>, words: &str) {
    let e = refused(outcome, ErrorKind::Tls, words, "no");
    assert_eq!(e.fact(fact::NATIVE_ID), Some("12175"));
    assert!(e.fact(fact::REMEDY).is_some());
}

#[tokio::test]
async fn an_authority_must_be_known() {
    let authority = Authority::new();
    let server = authority.server("127.0.0.1", false).await;
    distrusted(post_straight(&server).await, "unknown issuer");
    distrusted(post(&client(&Authority::new().trusted()), &server.url).await, "unknown issuer");
    assert!(server.seen().is_empty());
    let trusting = client(&authority.trusted());
    assert_eq!(post(&trusting, &server.url).await.unwrap().body, "secure");
    post(&trusting, &server.url).await.unwrap();
    assert_eq!(server.seen()[1].header("cookie"), Some("s=1"));
}

#[tokio::test]
async fn a_name_must_be_in_the_certificate() {
    let authority = Authority::new();
    let server = authority.server("other.example.com", false).await;
    distrusted(post(&client(&authority.trusted()), &server.url).await, "another name than 127.0.0.1");
}

#[tokio::test]
async fn each_check_is_skipped_alone() {
    let authority = Authority::new();
    let (right, wrong) = (authority.server("127.0.0.1", false).await, authority.server("other.example.com", false).await);
    let skip_ca = client(&HttpOptions { skip_ca_check: true, ..straight() });
    let skip_cn = client(&HttpOptions { skip_cn_check: true, ..authority.trusted() });
    let skip_cn_only = client(&HttpOptions { skip_cn_check: true, ..straight() });
    let both = client(&HttpOptions { skip_ca_check: true, skip_cn_check: true, ..straight() });
    let revocation = client(&HttpOptions { skip_revocation_check: true, ..straight() });
    assert!(post(&skip_ca, &right.url).await.is_ok());
    distrusted(post(&skip_ca, &wrong.url).await, "another name");
    assert!(post(&skip_cn, &wrong.url).await.is_ok());
    distrusted(post(&skip_cn_only, &wrong.url).await, "unknown issuer");
    assert!(post(&both, &wrong.url).await.is_ok());
    distrusted(post(&revocation, &right.url).await, "unknown issuer");
}

#[tokio::test]
async fn no_flag_accepts_an_expired_certificate() {
    let authority = Authority::new();
    let server = authority.server("127.0.0.1", true).await;
    distrusted(post(&client(&authority.trusted()), &server.url).await, "expired");
    let all = HttpOptions { skip_ca_check: true, skip_cn_check: true, skip_revocation_check: true, ..straight() };
    distrusted(post(&client(&all), &server.url).await, "expired");
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_named_even_if_it_is_a_ca() {
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let mut params = params("127.0.0.1", false);
        params.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let server = serve(certificate.der().clone(), &key).await;
        distrusted(post_straight(&server).await, "unknown issuer");
        assert!(post(&client(&HttpOptions { ca_file: Some(file(&certificate.pem())), ..straight() }), &server.url).await.is_ok());
        assert!(post(&client(&HttpOptions { skip_ca_check: true, ..straight() }), &server.url).await.is_ok());
    }
}

#[tokio::test]
async fn a_file_of_authorities_must_hold_some() {
    for path in [file("nothing"), file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), PathBuf::from("/no/such/file")] {
        let e = HttpClient::new(&HttpOptions { ca_file: Some(path.clone()), ..straight() }).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidArgument);
        assert!(e.to_string().contains(path.to_str().unwrap()), "{e}");
    }
}

#[tokio::test]
async fn a_port_without_tls_is_told() {
    let server = Server::start(|_, _| Answer::Close(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).await;
    let plain = Server::start_with("https", |mut stream, _| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await;
    })
    .await;
    distrusted(post(&client(&straight()), &plain.url).await, "does not speak tls");
    drop(server);
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_is_no_connection() {
    let silent = Server::start_with("https", |mut stream, _| async move {
        while tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await.is_ok_and(|n| n > 0) {}
    })
    .await;
    let hasty = HttpOptions { connect_timeout: Duration::from_millis(300), ..straight() };
    refused(post(&client(&hasty), &silent.url).await, ErrorKind::Connect, "no answer", "no");
    let url = Url::parse(&silent.url).unwrap();
    let outcome = client(&straight()).post(&url, "<envelope/>".into(), Duration::from_millis(300)).await;
    refused(outcome, ErrorKind::Connect, "no connection within 0.3 s", "no");
    let gone = Server::start_with("https", |stream, _| async move { drop(stream) }).await;
    refused(post(&client(&straight()), &gone.url).await, ErrorKind::Connect, "closed while it was being made", "no");
}
