//! A server's certificate in words for people.

use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate, X509Name};

/// What a server sends is shown up to here.
const MOST_TEXT: usize = 200;
/// Names of the server that are shown; the others are counted.
const MOST_NAMES: usize = 3;

/// To whom it is made out, by whom, and from when to when it is good. None where it cannot be read.
pub(super) fn described(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let issuer = name(certificate.issuer());
    let by = if certificate.subject().as_raw() == certificate.issuer().as_raw() { "itself" } else { &issuer };
    let validity = certificate.validity();
    let (from, to) = (day(validity.not_before), day(validity.not_after));
    Some(format!("made out to {} by {by}, good from {from} to {to}", names(&certificate)))
}

/// The names that count for a server; the subject where there are none.
fn names(certificate: &X509Certificate<'_>) -> String {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let all = alternative.map(|a| a.value.general_names.as_slice()).unwrap_or_default();
    let mut names: Vec<String> = all
        .iter()
        .filter_map(|n| match n {
            GeneralName::DNSName(name) => Some(shown(name)),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return name(certificate.subject());
    }
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    let names = names.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|b| std::net::Ipv4Addr::from(b).to_string());
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|b| std::net::Ipv6Addr::from(b).to_string())).ok()
}

/// The common name, or the whole where there is none.
fn name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().find_map(|n| n.as_str().ok());
    match common {
        Some(common) => shown(common),
        None => Some(shown(&name.to_string())).filter(|n| !n.is_empty()).unwrap_or_else(|| String::from("nobody")),
    }
}

fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).take(MOST_TEXT).collect()
}

fn day(time: ASN1Time) -> String {
    let time = time.to_datetime();
    format!("{:04}-{:02}-{:02}", time.year(), u8::from(time.month()), time.day())
}
