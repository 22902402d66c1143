//! Whom to trust: rustls with the system's roots, a further CA file, and the two checks that a caller may skip.

use super::HttpOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use std::sync::{Arc, Mutex, OnceLock};

/// The certificate that a server showed last, also where it was not taken.
pub(super) type Shown = Arc<Mutex<Option<CertificateDer<'static>>>>;

/// A session's TLS configuration: HTTP/1.1 by ALPN, TLS 1.2 and 1.3.
pub(super) fn config(options: &HttpOptions) -> Result<ClientConfig> {
    watching(options, None)
}

/// The same, which notes what certificate is shown.
pub(super) fn watching(options: &HttpOptions, shown: Option<Shown>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let refuse = |detail: String| Error::new(ErrorKind::InvalidArgument, "read certificate authorities", detail);
    let (mut further, mut pinned) = (RootCertStore::empty(), Vec::new());
    if let Some(path) = &options.ca_file {
        let unreadable = |e: rustls::pki_types::pem::Error| refuse(format!("{} cannot be read", path.display())).with_source(e);
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            let certificate = certificate.map_err(unreadable)?;
            further
                .add(certificate.clone())
                .map_err(|e| refuse(format!("{} holds an unusable certificate", path.display())).with_source(e))?;
            pinned.push(certificate);
        }
        if pinned.is_empty() {
            return Err(refuse(format!("{} holds no certificate in pem form", path.display())));
        }
    }
    let verifier =
        Verifier { further, pinned, skip_ca: options.skip_ca_check, skip_cn: options.skip_cn_check, provider: provider.clone(), shown };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::Internal, "set up tls", "no usable protocol version").with_source(e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The system's roots, read when the first certificate has to be checked. What cannot be read is left out: a
/// certificate that needed it is then of an unknown issuer.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}

/// rustls' own checks one by one, because its verifier stops at the first that fails and so cannot leave one out.
/// Revocation is not among them: a list would have to be fetched from wherever the certificate says.
#[derive(Debug)]
struct Verifier {
    further: RootCertStore,
    pinned: Vec<CertificateDer<'static>>,
    skip_ca: bool,
    skip_cn: bool,
    provider: Arc<CryptoProvider>,
    shown: Option<Shown>,
}

impl Verifier {
    fn verify_issuer(
        &self,
        end_entity: &CertificateDer<'_>,
        certificate: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> std::result::Result<(), rustls::Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let signed_by = |roots| verify_server_cert_signed_by_trust_anchor(certificate, roots, intermediates, now, algorithms);
        let mut outcome = signed_by(&self.further);
        if outcome.as_ref().is_err_and(is_about_issuer) && !self.skip_ca {
            outcome = signed_by(system_roots());
        }
        match outcome {
            // webpki looks at dates, purpose and encoding first, so those hold where the issuer is all it complains of.
            Err(e) if is_about_issuer(&e) && self.skip_ca => Ok(()),
            // The usual self-signed certificate is a CA too, which webpki refuses in a server; listed in the CA file it is meant.
            Err(e) if is_ca_itself(&e) && self.pinned.contains(end_entity) => Ok(()),
            Err(e) if is_ca_itself(&e) => Err(CertificateError::UnknownIssuer.into()),
            outcome => outcome,
        }
    }
}

fn is_about_issuer(e: &rustls::Error) -> bool {
    // A signature by another key under a known issuer's name is an unknown issuer.
    matches!(e, rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) || is_ca_itself(e)
}

fn is_ca_itself(e: &rustls::Error) -> bool {
    match e {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.to_string() == "CaUsedAsEndEntity",
        _ => false,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if let Some(shown) = &self.shown {
            *lock(shown) = Some(end_entity.clone().into_owned());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        self.verify_issuer(end_entity, &certificate, intermediates, now)?;
        if !self.skip_cn {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
