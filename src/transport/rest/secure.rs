//! SecureStrings on this road: under the service's public RSA key, which stands in the module that it hands out.

use super::Road;
use crate::error::{Error, ErrorKind, Result, fact};
use crate::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rsa::BoxedUint;
use rsa::pkcs8::DecodePublicKey;
use tokio::sync::watch;

const CONTEXT: &str = "use key for secure strings";

/// The service's public key.
pub(super) struct PublicKey(rsa::PublicKey);

impl PublicKey {
    /// From an RSAKeyValue, also one inside a longer text, or from PEM.
    pub(super) fn read(text: &str) -> Result<Self> {
        let refuse = || Error::new(ErrorKind::InvalidArgument, CONTEXT, "the key is neither an RSAKeyValue nor a public key in PEM");
        if text.contains("-----BEGIN") {
            return rsa::PublicKey::from_public_key_pem(text.trim()).map(Self).map_err(|e| refuse().with_source(e));
        }
        let number = |name: &str| {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            let at = text.find(&open)? + open.len();
            let encoded: String = text[at..at + text[at..].find(&close)?].split_whitespace().collect();
            let bytes = BASE64_STANDARD.decode(encoded).ok()?;
            BoxedUint::from_be_slice(&bytes, u32::try_from(bytes.len()).ok()?.checked_mul(8)?).ok()
        };
        let (modulus, exponent) = number("Modulus").zip(number("Exponent")).ok_or_else(refuse)?;
        rsa::PublicKey::new(modulus, exponent).map(Self).map_err(|e| refuse().with_source(e))
    }

    fn encrypt(&self, text: &Secret<String>) -> Result<String> {
        let encrypted = self.0.pkcs1v15_encrypt(text.reveal().as_bytes());
        let encrypted = encrypted.map_err(|e| {
            Error::new(ErrorKind::InvalidArgument, "protect text", "the text is too long for the service's key").with_source(e)
        })?;
        Ok(BASE64_STANDARD.encode(encrypted))
    }
}

impl Road {
    /// Whether the key is there, and when it comes.
    pub(crate) fn key_ready(&self) -> watch::Receiver<bool> {
        self.key.subscribe()
    }

    /// Text as the service takes it for a SecureString. An error while the key is not there.
    pub(crate) fn protect(&self, text: &Secret<String>) -> Result<String> {
        match self.secure_key.get() {
            Some(key) => key.encrypt(text),
            None => Err(Error::new(ErrorKind::InvalidState, "protect text", "the service's key is not there yet")),
        }
    }

    /// The service sends no SecureStrings.
    pub(crate) fn unprotect(&self, _: &str) -> Result<Secret<String>> {
        Err(Error::new(ErrorKind::Unsupported, "unprotect text", "the REST road sends no secure strings"))
    }

    /// Takes the key out of the module that the service hands out, unless there is one.
    pub(crate) async fn request_key(&self) -> Result<()> {
        if self.secure_key.get().is_none() {
            let script = self.module_script("Get-Mailbox").await?;
            let key = script.find("<RSAKeyValue>").map(|at| PublicKey::read(&script[at..])).transpose()?;
            let key = key.ok_or_else(|| {
                Error::new(ErrorKind::Unsupported, CONTEXT, "the service's module holds no key for secure strings")
                    .with_fact(fact::REMEDY, "Give the key with the option secure_string_key.")
            })?;
            let _ = self.secure_key.set(key);
        }
        self.key.send_replace(true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::traits::PublicKeyParts;

    #[test]
    fn what_is_encrypted_can_be_read_with_the_private_key() {
        let private = rsa::PrivateKey::new(&mut rand::rng(), 1024).unwrap();
        let public = private.as_public_key();
        let xml = format!(
            "$key = '<RSAKeyValue><Modulus>{}</Modulus><Exponent>{}</Exponent></RSAKeyValue>'",
            BASE64_STANDARD.encode(public.n_bytes()),
            BASE64_STANDARD.encode(public.e_bytes())
        );
        let key = PublicKey::read(&xml).unwrap();
        let text = key.encrypt(&Secret::new("pässword".into())).unwrap();
        assert_eq!(private.pkcs1v15_decrypt(&BASE64_STANDARD.decode(text).unwrap()).unwrap(), "pässword".as_bytes());
        for bad in ["", "<RSAKeyValue/>", "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"] {
            assert_eq!(PublicKey::read(bad).err().map(|e| e.kind()), Some(ErrorKind::InvalidArgument), "{bad}");
        }
    }
}
