//! Where requests go, on any road: the organization a URI names, and where a credential may follow a redirection.

use super::Options;
use std::net::IpAddr;
use url::{Host, Url};

/// Microsoft's own domains that Exchange is or was served from, in every cloud.
const MICROSOFT: &[&str] = &["outlook.com", "office365.com", "office365.us", "outlook.cn", "office365.cn", "office.de"];

/// The parameters of a query, which Exchange joins with `&`, with `;` and with the `&amp;` of a page it was copied from.
pub(super) fn parameters(url: &Url) -> impl Iterator<Item = &str> {
    url.query().unwrap_or_default().split([';', '&']).map(|p| p.strip_prefix("amp;").unwrap_or(p))
}

/// The organization a URI asks for.
pub(super) fn delegated_organization(url: &Url) -> Option<String> {
    const NAME: &str = "DelegatedOrg=";
    let value = parameters(url).find_map(|p| p.get(..NAME.len()).filter(|n| n.eq_ignore_ascii_case(NAME)).map(|_| &p[NAME.len()..]))?;
    let decoded = url::form_urlencoded::parse(format!("v={value}").as_bytes()).next().map(|(_, v)| v.into_owned());
    decoded.filter(|v| !v.is_empty())
}

/// Whether a credential that went to `from` may go to `to` after a redirection.
pub(super) fn may_follow(from: &Url, to: &Url, options: &Options) -> bool {
    let loopback = is_loopback(from) && is_loopback(to);
    if to.scheme() != "https" {
        // Only for a server on this very machine, such as the simulated tenant.
        return from.scheme() == "http" && loopback && options.allow_unencrypted;
    }
    let name = |domain: &str| domain.trim_end_matches('.').to_ascii_lowercase();
    let Some(Host::Domain(b)) = to.host() else { return loopback || from.host() == to.host() };
    let b = name(b);
    let of_owner = match from.host() {
        Some(Host::Domain(a)) => name(a) == b || registrable(&name(a)).is_some_and(|d| within(&b, d)),
        _ => false,
    };
    loopback || of_owner || MICROSOFT.iter().any(|d| within(&b, d)) || options.redirect_hosts.iter().any(|d| within(&b, d))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

fn within(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// The domain that one owner registered, by the public suffix list: neither co.uk nor a hoster's own domain is one.
fn registrable(host: &str) -> Option<&str> {
    psl::domain_str(host)
}
