//! The key under which SecureStrings come: published in the module file as the service publishes its own.

use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::PrivateKey;
use rsa::traits::PublicKeyParts;
use zeroize::Zeroizing;

/// An RSA key pair of 2048 bits.
pub struct Secrets(PrivateKey);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// A new pair; takes a part of a second.
    pub fn new() -> Self {
        Self(PrivateKey::new(&mut rand::rng(), 2048).expect("an RSA key can be made"))
    }

    /// As the module file has it.
    pub fn public_xml(&self) -> String {
        let public = self.0.as_public_key();
        let number = |bytes: Box<[u8]>| STANDARD.encode(&bytes[bytes.iter().position(|b| *b != 0).unwrap_or(0)..]);
        format!(
            "<RSAKeyValue><Modulus>{}</Modulus><Exponent>{}</Exponent></RSAKeyValue>",
            number(public.n_bytes()),
            number(public.e_bytes())
        )
    }

    /// The text of base64(RSA PKCS#1 v1.5(UTF-8)).
    pub fn decrypt(&self, encrypted: &str) -> Result<Secret<String>, &'static str> {
        const WHY: &str = "The value is not encrypted with a public key of this service.";
        let bytes = STANDARD.decode(encrypted.trim()).map_err(|_| WHY)?;
        let plain = self.0.pkcs1v15_decrypt(&bytes).map(Zeroizing::new).map_err(|_| WHY)?;
        std::str::from_utf8(&plain).map(|t| Secret::new(t.to_owned())).map_err(|_| WHY)
    }
}
