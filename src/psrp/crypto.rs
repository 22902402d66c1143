//! The session key (MS-PSRP 2.2.2.3, 2.2.2.4, 3.1.5.3.x): RSA-2048 exchange, AES-256-CBC for SecureStrings.

use crate::error::Result;
use crate::secret::Secret;

/// The client's RSA key pair while the exchange lasts.
#[derive(Debug)]
pub struct KeyExchange {}

impl KeyExchange {
    /// A new RSA-2048 key pair.
    pub fn new() -> Result<Self> {
        todo!()
    }
    /// The CAPI PUBLICKEYBLOB in base64, as PUBLIC_KEY carries it.
    pub fn public_key(&self) -> String {
        todo!()
    }
    /// The session key out of the CAPI SIMPLEBLOB that ENCRYPTED_SESSION_KEY carries in base64.
    pub fn session_key(&self, encrypted: &str) -> Result<SessionKey> {
        let _ = encrypted;
        todo!()
    }
}

/// The AES-256 key that SecureStrings travel under.
#[derive(Debug, Clone)]
pub struct SessionKey(Secret<[u8; 32]>);

impl SessionKey {
    /// A random key and the SIMPLEBLOB (base64) that takes it to the holder of this PUBLICKEYBLOB: the server's half.
    pub fn generate(public_key: &str) -> Result<(Self, String)> {
        let _ = public_key;
        todo!()
    }
    /// Text as the content of an `<SS>` element: base64 of AES-256-CBC, zero IV, PKCS7, over UTF-16LE.
    pub fn protect(&self, text: &Secret<String>) -> String {
        let _ = (text, &self.0);
        todo!()
    }
    /// The text of an `<SS>` element's content.
    pub fn unprotect(&self, encrypted: &str) -> Result<Secret<String>> {
        let _ = encrypted;
        todo!()
    }
}
