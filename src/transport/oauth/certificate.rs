//! The certificate of an application, and the assertions signed by its key (RFC 7523; PS256 as Microsoft asks for).

use super::CONTEXT;
use crate::error::{Error, ErrorKind, Result, fact};
use crate::secret::Secret;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PSS_SHA256;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of a file with a certificate and a key.
const LIMIT: u64 = 1 << 20;

/// How long an assertion is good, in seconds.
const LIFETIME: u64 = 120;

/// A certificate with its RSA key.
pub(super) struct Certificate {
    key: KeyPair,
    thumbprint: String,
}

fn refused(source: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, CONTEXT, format!("{source} {why}"))
}

impl Certificate {
    /// Out of a .pfx, or of a PEM file with the certificate and its unencrypted key.
    pub(super) fn read(file: &str, password: Option<&Secret<String>>) -> Result<Self> {
        let opened = std::fs::File::open(file);
        let file = &format!("the certificate file {file:?}");
        let mut bytes = Zeroizing::new(Vec::new());
        let opened = opened.map_err(|e| refused(file, "cannot be opened").with_source(e))?;
        opened.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|e| refused(file, "cannot be read").with_source(e))?;
        if bytes.len() as u64 > LIMIT {
            return Err(refused(file, "is too large to be one"));
        }
        Self::of(file, &bytes, password)
    }

    /// Out of what such a file holds: PEM as it is, a .pfx in base64.
    pub(super) fn given(content: &Secret<String>, password: Option<&Secret<String>>) -> Result<Self> {
        let source = "the certificate";
        let text = content.reveal().trim();
        if text.starts_with("-----BEGIN ") {
            return Self::pem(source, text.as_bytes());
        }
        let bytes = BASE64_STANDARD.decode(text).map(Zeroizing::new).map_err(|_| refused(source, "is neither PEM nor base64"))?;
        Self::of(source, &bytes, password)
    }

    fn of(source: &str, bytes: &[u8], password: Option<&Secret<String>>) -> Result<Self> {
        if bytes.windows(11).any(|w| w == b"-----BEGIN ") { Self::pem(source, bytes) } else { Self::pfx(source, bytes, password) }
    }

    fn pem(file: &str, bytes: &[u8]) -> Result<Self> {
        let certificate = CertificateDer::from_pem_slice(bytes).map_err(|_| refused(file, "holds no certificate"))?;
        if bytes.windows(9).any(|w| w == b"ENCRYPTED") {
            return Err(refused(file, "holds an encrypted key, which is not supported in PEM")
                .with_fact(fact::REMEDY, "Use a .pfx with its password, or a PEM file with the key unencrypted."));
        }
        let key = match PrivateKeyDer::from_pem_slice(bytes) {
            Ok(PrivateKeyDer::Pkcs8(key)) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(key)) => KeyPair::from_der(key.secret_pkcs1_der()),
            Ok(_) => return Err(refused(file, "holds a key that is not RSA, which Microsoft asks for")),
            Err(_) => {
                return Err(
                    refused(file, "holds no private key").with_fact(fact::REMEDY, "Put the key beside the certificate in the file.")
                );
            }
        };
        Self::new(file, &certificate, key)
    }

    fn pfx(file: &str, bytes: &[u8], password: Option<&Secret<String>>) -> Result<Self> {
        let none = Secret::default();
        let password: &Secret<String> = password.unwrap_or(&none);
        let store = KeyStore::from_pkcs12(bytes, password.reveal(), Pkcs12ImportPolicy::Strict).map_err(|e| {
            refused(file, "is no PEM file, and no .pfx that this password opens")
                .with_fact(fact::REMEDY, "Check the password of the file (-CertificatePassword).")
                .with_source(e)
        })?;
        let (_, chain) = store.private_key_chain().ok_or_else(|| refused(file, "holds no private key with its certificate"))?;
        let certificate = chain.certs().first().ok_or_else(|| refused(file, "holds no certificate"))?;
        Self::new(file, certificate.as_der(), KeyPair::from_pkcs8(chain.key().as_der()))
    }

    fn new(file: &str, certificate: &[u8], key: std::result::Result<KeyPair, ring::error::KeyRejected>) -> Result<Self> {
        let key = key.map_err(|e| refused(file, &format!("holds a key that is not RSA of 2048 to 4096 bits ({e})")))?;
        Ok(Self { key, thumbprint: BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate)) })
    }

    /// SHA-256 of the certificate, as `x5t#S256` has it.
    pub(super) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// A new assertion that this client is at this endpoint.
    pub(super) fn assertion(&self, client: &str, endpoint: &str) -> Result<Secret<String>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = json!({
            "aud": endpoint, "iss": client, "sub": client, "jti": Uuid::new_v4().to_string(),
            "iat": now, "nbf": now, "exp": now + LIFETIME,
        });
        let part = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| Error::new(ErrorKind::Internal, CONTEXT, "the assertion cannot be signed"))?;
        Ok(Secret::new(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))))
    }
}
