//! The session key (MS-PSRP 2.2.2.3, 2.2.2.4, 3.1.5.3.x): RSA-2048 exchange, AES-256-CBC for SecureStrings.

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, PrivateKey, PublicKey};
use std::fmt;
use zeroize::Zeroizing;

const CONTEXT: &str = "exchange session key";
const BITS: usize = 2048;
/// Of a CAPI PUBLICKEYBLOB: type, version, CALG_RSA_KEYX, then RSAPUBKEY's magic; the length in bits follows.
const PUBLIC_KEY: [u8; 12] = [0x06, 0x02, 0, 0, 0, 0xA4, 0, 0, b'R', b'S', b'A', b'1'];
/// Of a CAPI SIMPLEBLOB: type, version, CALG_AES_256, CALG_RSA_KEYX; the encrypted key follows.
const SIMPLE: [u8; 12] = [0x01, 0x02, 0, 0, 0x10, 0x66, 0, 0, 0, 0xA4, 0, 0];
/// The protocol has one key for each session and no room for an initialization vector.
const VECTOR: [u8; 16] = [0; 16];

/// The client's RSA key pair while the exchange lasts.
pub struct KeyExchange(PrivateKey);

impl fmt::Debug for KeyExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyExchange")
    }
}

impl KeyExchange {
    /// A new RSA-2048 key pair. Takes a part of a second.
    pub fn new() -> Result<Self> {
        PrivateKey::new(&mut rand::rng(), BITS)
            .map(Self)
            .map_err(|e| Error::new(ErrorKind::Internal, CONTEXT, "no RSA key could be made").with_source(e))
    }

    /// The CAPI PUBLICKEYBLOB in base64, as PUBLIC_KEY carries it.
    pub fn public_key(&self) -> String {
        let public = self.0.as_public_key();
        let mut blob = PUBLIC_KEY.to_vec();
        blob.extend_from_slice(&(BITS as u32).to_le_bytes());
        blob.extend_from_slice(&reversed(&public.e_bytes(), 4));
        blob.extend_from_slice(&reversed(&public.n_bytes(), BITS / 8));
        STANDARD.encode(blob)
    }

    /// The session key out of the CAPI SIMPLEBLOB that ENCRYPTED_SESSION_KEY carries in base64.
    pub fn session_key(&self, encrypted: &str) -> Result<SessionKey> {
        let blob = decoded(encrypted)?;
        let Some(key) = blob.strip_prefix(&SIMPLE).filter(|k| k.len() == BITS / 8) else {
            return Err(Error::new(ErrorKind::Protocol, CONTEXT, "the server's key is no AES-256 key under our RSA key"));
        };
        let key = self.0.pkcs1v15_decrypt(&reversed(key, key.len())).map(Zeroizing::new);
        // Where the padding is wrong, the RSA library gives random bytes of any length instead of an error.
        match key.as_deref().map(|k| <[u8; 32]>::try_from(k.as_slice())) {
            Ok(Ok(key)) => Ok(SessionKey(Secret::new(key))),
            _ => Err(Error::new(ErrorKind::Protocol, CONTEXT, "the server's key cannot be decrypted")),
        }
    }
}

/// The AES-256 key that SecureStrings travel under.
#[derive(Debug, Clone)]
pub struct SessionKey(Secret<[u8; 32]>);

impl SessionKey {
    /// A random key and the SIMPLEBLOB (base64) that takes it to the holder of this PUBLICKEYBLOB: the server's half.
    pub fn generate(public_key: &str) -> Result<(Self, String)> {
        let refuse = || Error::new(ErrorKind::Protocol, CONTEXT, "the client's key is no RSA key of 2048 bits");
        let blob = decoded(public_key)?;
        let numbers = blob.strip_prefix(&PUBLIC_KEY).and_then(|b| b.strip_prefix(&(BITS as u32).to_le_bytes()));
        let (exponent, modulus) = numbers.filter(|n| n.len() == 4 + BITS / 8).ok_or_else(refuse)?.split_at(4);
        let number = |bytes: &[u8]| BoxedUint::from_le_slice(bytes, bytes.len() as u32 * 8).map_err(|_| refuse());
        let public = PublicKey::new(number(modulus)?, number(exponent)?).map_err(|e| refuse().with_source(e))?;
        let mut key = Zeroizing::new([0; 32]);
        rand::rng().fill_bytes(&mut *key);
        let encrypted = public.pkcs1v15_encrypt(&*key).map_err(|e| refuse().with_source(e))?;
        let mut blob = SIMPLE.to_vec();
        blob.extend_from_slice(&reversed(&encrypted, BITS / 8));
        Ok((Self(Secret::new(*key)), STANDARD.encode(blob)))
    }

    /// Text as the content of an `<SS>` element: base64 of AES-256-CBC, zero IV, PKCS7, over UTF-16LE.
    pub fn protect(&self, text: &Secret<String>) -> String {
        // Room for all of it at once, so that no copy is left behind when the vector grows.
        let mut plain = Zeroizing::new(Vec::with_capacity(text.reveal().len() * 2));
        plain.extend(text.reveal().encode_utf16().flat_map(u16::to_le_bytes));
        let cipher = cbc::Encryptor::<aes::Aes256>::new(self.0.reveal().into(), &VECTOR.into());
        STANDARD.encode(cipher.encrypt_padded_vec::<Pkcs7>(&plain))
    }

    /// The text of an `<SS>` element's content.
    pub fn unprotect(&self, encrypted: &str) -> Result<Secret<String>> {
        let refuse = |detail| Error::new(ErrorKind::Protocol, "read secure string", detail);
        let bytes = STANDARD.decode(encrypted.trim()).map_err(|_| refuse("it is not base64"))?;
        let cipher = cbc::Decryptor::<aes::Aes256>::new(self.0.reveal().into(), &VECTOR.into());
        let plain = cipher.decrypt_padded_vec::<Pkcs7>(&bytes).map(Zeroizing::new);
        let plain = plain.map_err(|_| refuse("it is not under the session's key"))?;
        let (units, rest) = plain.as_chunks::<2>();
        let text = char::decode_utf16(units.iter().map(|u| u16::from_le_bytes(*u)));
        // As above.
        let mut secret = Zeroizing::new(String::with_capacity(plain.len() * 2));
        for c in text {
            secret.push(c.map_err(|_| refuse("it is not UTF-16"))?);
        }
        if !rest.is_empty() {
            return Err(refuse("it is not UTF-16"));
        }
        Ok(Secret::new(std::mem::take(&mut *secret)))
    }
}

fn decoded(base64: &str) -> Result<Vec<u8>> {
    STANDARD.decode(base64.trim()).map_err(|e| Error::new(ErrorKind::Protocol, CONTEXT, "the key is not base64").with_source(e))
}

/// A number in the other byte order, with zeros behind it up to `length` bytes.
fn reversed(number: &[u8], length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = number.iter().rev().copied().collect();
    bytes.resize(length, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by psrpcore and Python's cryptography.
    fn vector() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/wire/psrp/session-key.json")).unwrap()
    }

    fn text<'a>(vector: &'a serde_json::Value, name: &str) -> &'a str {
        vector[name].as_str().unwrap()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes().chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    }

    fn exchange(vector: &serde_json::Value) -> KeyExchange {
        let prime = |name| BoxedUint::from_be_slice(&bytes(text(vector, name)), BITS as u32 / 2).unwrap();
        KeyExchange(PrivateKey::from_p_q(prime("p"), prime("q"), BoxedUint::from(65537u64)).unwrap())
    }

    #[test]
    fn the_blobs_are_those_of_another_implementation() {
        let vector = vector();
        let exchange = exchange(&vector);
        assert_eq!(exchange.public_key(), text(&vector, "public_key"));
        let key = exchange.session_key(text(&vector, "encrypted_session_key")).unwrap();
        assert_eq!(key.0.reveal().to_vec(), bytes(text(&vector, "session_key")));
        for pair in vector["secure_strings"].as_array().unwrap() {
            let (plain, encrypted) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            assert_eq!(key.protect(&Secret::new(plain.to_owned())), encrypted);
            assert_eq!(key.unprotect(encrypted).unwrap().reveal(), plain);
        }
    }

    #[test]
    fn both_ends_come_to_one_key() {
        let client = exchange(&vector());
        let (server, encrypted) = SessionKey::generate(&client.public_key()).unwrap();
        assert_eq!(client.session_key(&encrypted).unwrap().0.reveal(), server.0.reveal());
    }

    #[test]
    fn blobs_that_are_no_keys_are_refused() {
        let vector = vector();
        let client = exchange(&vector);
        let good = STANDARD.decode(text(&vector, "encrypted_session_key")).unwrap();
        let public = STANDARD.decode(text(&vector, "public_key")).unwrap();
        let changed = |from: &[u8], at: usize| {
            let mut blob = from.to_vec();
            blob[at] ^= 0xFF;
            STANDARD.encode(blob)
        };
        for bad in ["", "?", "AAAA", &STANDARD.encode(&good[..200]), &changed(&good, 5), &STANDARD.encode([&good[..], &[0]].concat())] {
            assert_eq!(client.session_key(bad).unwrap_err().kind(), ErrorKind::Protocol);
        }
        // No length but 2048 bits, no even modulus, no exponent of 0.
        for bad in ["", "?", "AAAA", &STANDARD.encode(&public[..200]), &changed(&public, 13), &changed(&public, 20)] {
            assert_eq!(SessionKey::generate(bad).unwrap_err().kind(), ErrorKind::Protocol);
        }
        let mut none = public;
        none[16..20].fill(0);
        assert!(SessionKey::generate(&STANDARD.encode(none)).is_err());
    }

    #[test]
    fn what_is_no_secure_string_is_refused_without_showing_it() {
        let key = SessionKey(Secret::new([7; 32]));
        let other = SessionKey(Secret::new([8; 32])).protect(&Secret::new("hush".into()));
        let odd = {
            let cipher = cbc::Encryptor::<aes::Aes256>::new(key.0.reveal().into(), &VECTOR.into());
            STANDARD.encode(cipher.encrypt_padded_vec::<Pkcs7>(&[0x61, 0, 0x62]))
        };
        for bad in ["?", "", "AAAA", &other, &odd] {
            assert!(key.unprotect(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{key:?}"), "SessionKey(Secret)");
    }
}
