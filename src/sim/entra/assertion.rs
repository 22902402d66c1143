//! A client's assertion: a JWT by PS256 or RS256 under the key of its certificate (RFC 7523, RFC 7518 3.3 and 3.5).

use super::codes::Trouble;
use crate::sim::records::seconds_now;
use crate::sim::rest::Asked;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value as Json;
use webpki::EndEntityCert;

/// The assertion's id, once all of it is right.
pub fn verify(given: &str, client: &str, certificate: &str, asked: &Asked) -> Result<String, Trouble> {
    let bad = |why: &str| Trouble::code(700_027).about(&format!("Client assertion failed signature validation. {why}"));
    let [header, claims, signature] = given.split('.').collect::<Vec<_>>()[..] else { return Err(bad("It is no JWT.")) };
    let read = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| bad("It is not base64url."));
    let parse = |part: &str| serde_json::from_slice::<Json>(&read(part)?).map_err(|_| bad("It is not JSON."));
    let (head, body) = (parse(header)?, parse(claims)?);
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| bad("The registered certificate is none."))?;
    let thumbprint = |algorithm| URL_SAFE_NO_PAD.encode(ring::digest::digest(algorithm, &certificate));
    // Microsoft's own library leaves the padding on.
    let is = |name: &str, algorithm| head[name].as_str().is_some_and(|t| t.trim_end_matches('=') == thumbprint(algorithm));
    let named = is("x5t#S256", &ring::digest::SHA256) || is("x5t", &ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    if !named {
        return Err(bad("The key was not found by its thumbprint."));
    }
    let algorithm = match head["alg"].as_str() {
        Some("PS256") => webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        Some("RS256") => webpki::ring::RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(bad("The algorithm is not supported.")),
    };
    let signed = format!("{header}.{claims}");
    let key = EndEntityCert::try_from(&certificate).map_err(|_| bad("The registered certificate is none."))?;
    key.verify_signature(algorithm, signed.as_bytes(), &read(signature)?).map_err(|_| bad("The signature is wrong."))?;
    if body["iss"] != client || body["sub"] != client {
        return Err(bad("Issuer and subject must be the client."));
    }
    let path = asked.path.trim_matches('/');
    let audience = body["aud"].as_str().unwrap_or_default();
    let here = ["http", "https"].map(|s| format!("{s}://{}/{path}", asked.host()));
    if !here.iter().any(|h| h.eq_ignore_ascii_case(audience)) {
        return Err(Trouble::code(700_027).about(&format!("Client assertion audience claim does not match Realm issuer: '{audience}'.")));
    }
    // A NumericDate may have a fraction (RFC 7519, 2).
    let now = seconds_now() as f64;
    let (from, until) = (body["nbf"].as_f64().unwrap_or(0.0), body["exp"].as_f64().unwrap_or(0.0));
    if from > now + 300.0 || until <= now {
        return Err(Trouble::code(700_024));
    }
    body["jti"].as_str().map(str::to_owned).ok_or_else(|| bad("It has no id."))
}
