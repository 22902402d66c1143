//! Security & Compliance: other doors, tokens of their own, and a regional host that is known by another name inside. The simulated
//! tenant is reached by Microsoft's own names, through a proxy that ends TLS and knows where they lead.

use super::{outputs, run, text};
use crate::http::server::{Server, read_request};
use delegated_tenant::ErrorKind;
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Options, Session};
use delegated_tenant::sim::{Redirect, Tenant};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A proxy for CONNECT, with the hosts it was asked for: those of a region lead behind the redirect.
async fn names(tenant: &Tenant, region: &'static str) -> (Server, Arc<Mutex<Vec<String>>>) {
    let (front, pod) = (tenant.port(), tenant.second_port());
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let hosts = Arc::<Mutex<Vec<String>>>::default();
    let log = hosts.clone();
    let server = Server::start_with("http", move |mut stream, _| {
        let (acceptor, log) = (acceptor.clone(), log.clone());
        async move {
            let Some(request) = read_request(&mut stream).await else { return };
            let host = request.line.split(' ').nth(1).unwrap_or_default().to_owned();
            let port = if host.starts_with(region) { pod } else { front };
            log.lock().unwrap().push(host);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            if let Ok(mut inner) = acceptor.accept(stream).await {
                let _ = copy_bidirectional(&mut inner, &mut TcpStream::connect(("127.0.0.1", port)).await.unwrap()).await;
            }
        }
    })
    .await;
    (server, hosts)
}

fn connect(proxy: &Server, uri: &str, more: &[(&str, &str)]) -> Result<Session, delegated_tenant::error::Error> {
    let mut options = Options::new();
    let by = format!("http://127.0.0.1:{}", proxy.port);
    let settings = [("uri", uri), ("organization", "fabrikam.com"), ("proxy", &by), ("skip_ca_check", "true"), ("skip_cn_check", "true")];
    let app = [("app_id", "11111111-2222-3333-4444-555555555555")];
    for (key, value) in settings.iter().chain(&app).chain(more) {
        options.set(key, value).unwrap();
    }
    for (key, value) in [("client_secret", "app-secret"), ("refresh_token", "partner-refresh-token")] {
        options.set_secret(key, Secret::new(value.to_owned())).unwrap();
    }
    Session::connect(&options, None)
}

#[test]
fn its_region_is_found_by_the_inner_host_that_the_door_names() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (door, inner, region, login, environment) in [
        (
            "ps.compliance.protection.outlook.com",
            "nam02b.admin.protection.outlook.com:446",
            "nam02b.ps.compliance.protection.outlook.com",
            "login.microsoftonline.com",
            None,
        ),
        // That the other clouds name their inner hosts in the same way is not known from outside.
        (
            "ps.compliance.protection.office365.us",
            "gcc01.admin.protection.office365.us:446",
            "gcc01.ps.compliance.protection.office365.us",
            "login.microsoftonline.us",
            None,
        ),
        (
            "l5.ps.compliance.protection.office365.us",
            "dod01.ps.compliance.protection.office365.us",
            "dod01.ps.compliance.protection.office365.us",
            "login.microsoftonline.us",
            Some("O365USGovDoD"),
        ),
    ] {
        let tenant = Tenant::builder().redirect(Redirect::To(format!("https://{inner}"))).start().unwrap();
        let (proxy, hosts) = runtime.block_on(names(&tenant, region.split('.').next().unwrap()));
        let named = environment.map(|e| ("environment", e));
        let session = connect(&proxy, &format!("https://{door}/powershell-liveid/"), named.as_slice()).unwrap();
        let (records, error) = run(&session, &[("Get-OrganizationConfig", &[])]);
        assert!(error.is_none(), "{door}: {error:?}");
        assert_eq!(text(&outputs(&records)[0], "Name"), "fabrikam.onmicrosoft.com");
        let seen = hosts.lock().unwrap().clone();
        assert_eq!(seen, [login, door, region].map(|host| format!("{host}:443")), "{door}");
    }
}

#[test]
fn a_token_for_exchange_is_of_no_use_there() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tenant = Tenant::builder().start().unwrap();
    let (proxy, _) = runtime.block_on(names(&tenant, "none"));
    let more = [("token_resource", "https://outlook.office365.com")];
    assert_eq!(connect(&proxy, "https://ps.compliance.protection.outlook.com/", &more).unwrap_err().kind(), ErrorKind::Authentication);
    assert!(connect(&proxy, "https://outlook.office365.com/powershell-liveid/", &[]).is_ok());
}
