//! Which proxy, if any, a URL goes through.

use super::{HttpOptions, Proxy};
use crate::error::{Error, ErrorKind, Result};
use std::net::IpAddr;
use url::{Host, Url};

const CONTEXT: &str = "set up proxy";

/// What options and environment come to. Fixed when a session begins, as every HTTP stack has it.
#[derive(Clone, Default)]
pub(super) struct Routes {
    http: Option<Url>,
    https: Option<Url>,
    bypass: Vec<Bypass>,
}

#[derive(Clone, Debug, PartialEq)]
enum Bypass {
    Everything,
    /// The domain itself and what lies below it.
    Domain(String, Option<u16>),
    /// An address and how many of its leading bits count.
    Network(IpAddr, u32),
}

impl Routes {
    /// `variable` looks an environment variable up: the process's own, or a test's.
    pub(super) fn new(options: &HttpOptions, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let sign_in = |url: Url| with_sign_in(url, options);
        match &options.proxy {
            Proxy::None => Ok(Self::default()),
            Proxy::Explicit(url) => {
                let url = sign_in(checked(url.clone(), "the proxy given")?)?;
                Ok(Self { http: Some(url.clone()), https: Some(url), bypass: Vec::new() })
            }
            Proxy::Environment => {
                let variable = |name: &str| match &options.proxy_variables {
                    None => variable(name),
                    Some(lines) => lines.reveal().lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)),
                };
                let set = |names: [&'static str; 2]| {
                    names.into_iter().find_map(|name| variable(name).filter(|v| !v.trim().is_empty()).map(|v| (name, v)))
                };
                let proxy = |names| match set(names) {
                    Some((name, value)) => parse(value.trim(), name).and_then(sign_in).map(Some),
                    None => Ok(None),
                };
                // A CGI server passes the caller's `Proxy:` header as HTTP_PROXY; the lower-case one cannot be set so (CVE-2016-5385).
                let http = if variable("REQUEST_METHOD").is_some() { ["http_proxy"; 2] } else { ["HTTP_PROXY", "http_proxy"] };
                let (http, https) = (proxy(http)?, proxy(["HTTPS_PROXY", "https_proxy"])?);
                // Read only where it counts, so that a SOCKS proxy meant for other programs is no error here.
                let all = if http.is_none() || https.is_none() { proxy(["ALL_PROXY", "all_proxy"])? } else { None };
                let no_proxy = set(["NO_PROXY", "no_proxy"]).map(|(_, value)| value).unwrap_or_default();
                let bypass = no_proxy.split([',', ' ', '\t', ';']).filter_map(Bypass::parse).collect();
                Ok(Self { http: http.or_else(|| all.clone()), https: https.or(all), bypass })
            }
        }
    }

    /// None goes straight.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.bypass.iter().any(|b| b.covers(url)))
    }
}

fn parse(value: &str, name: &str) -> Result<Url> {
    let with_scheme = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    // Neither the value nor the parser's words are repeated: the value may hold a password.
    let url = Url::parse(&with_scheme).map_err(|_| refuse(format!("the proxy in {name} is not a url")))?;
    checked(url, &format!("the proxy in {name}"))
}

fn checked(url: Url, which: &str) -> Result<Url> {
    match url.scheme() {
        "http" | "https" if url.host().is_some() => Ok(url),
        "http" | "https" => Err(refuse(format!("{which} has no host"))),
        scheme => Err(Error::new(ErrorKind::Unsupported, CONTEXT, format!("{which} is of kind {scheme}, only http and https are known"))),
    }
}

fn with_sign_in(mut url: Url, options: &HttpOptions) -> Result<Url> {
    let Some(user) = options.proxy_user.as_deref().filter(|_| url.username().is_empty()) else { return Ok(url) };
    if user.contains(':') {
        return Err(refuse("a user name for the proxy cannot hold a colon"));
    }
    // Basic sign-in travels as the user part of the URL, which is where reqwest looks for it.
    url.set_username(user)
        .and_then(|()| url.set_password(Some(options.proxy_password.reveal())))
        .map_err(|()| refuse("the proxy's url cannot hold a sign-in"))?;
    Ok(url)
}

fn refuse(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidArgument, CONTEXT, detail)
}

impl Bypass {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::Everything);
        }
        let address = |text: &str| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        if let Some(address) = address(entry) {
            return Some(Self::Network(address, u32::MAX));
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return Some(Self::Network(address(network)?, bits.parse().ok()?));
        }
        let (name, port) = match entry.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (entry, None),
        };
        if let Some(address) = address(name) {
            return Some(Self::Network(address, u32::MAX));
        }
        let name = name.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
        (!name.is_empty()).then(|| Self::Domain(name.to_ascii_lowercase(), port))
    }

    fn covers(&self, url: &Url) -> bool {
        match (self, url.host()) {
            (Self::Everything, _) => true,
            (Self::Domain(domain, port), Some(Host::Domain(host))) => {
                // Url has made the host lower case.
                let host = host.trim_end_matches('.');
                let below = host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                below && (port.is_none() || *port == url.port_or_known_default())
            }
            (Self::Network(IpAddr::V4(network), bits), Some(Host::Ipv4(host))) => {
                same_start(u128::from(network.to_bits()) << 96, u128::from(host.to_bits()) << 96, (*bits).min(32))
            }
            (Self::Network(IpAddr::V6(network), bits), Some(Host::Ipv6(host))) => same_start(network.to_bits(), host.to_bits(), *bits),
            _ => false,
        }
    }
}

fn same_start(a: u128, b: u128, bits: u32) -> bool {
    bits == 0 || (a ^ b) >> (128 - bits.min(128)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn routes(variables: &[(&str, &str)]) -> Result<Routes> {
        Routes::new(&HttpOptions::default(), |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    fn way(routes: &Routes, url: &str) -> Option<String> {
        routes.proxy_for(&Url::parse(url).unwrap()).map(|p| p.as_str().to_owned())
    }

    #[test]
    fn each_scheme_has_its_variable_and_the_upper_case_one_wins() {
        let r = routes(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:1"), ("http_proxy", "c:3128")]).unwrap();
        assert_eq!(way(&r, "https://x/").as_deref(), Some("http://a:1/"));
        assert_eq!(way(&r, "http://x/").as_deref(), Some("http://c:3128/"));
        let r = routes(&[("HTTPS_PROXY", " "), ("https_proxy", "http://b:1"), ("all_proxy", "http://d:4")]).unwrap();
        assert_eq!(way(&r, "https://x/").as_deref(), Some("http://b:1/"));
        assert_eq!(way(&r, "http://x/").as_deref(), Some("http://d:4/"));
        assert_eq!(way(&routes(&[]).unwrap(), "https://x/"), None);
    }

    #[test]
    fn variables_that_are_given_stand_for_the_processs_own() {
        let options =
            HttpOptions { proxy_variables: Some(Secret::new("NO_PROXY=b\nHTTPS_PROXY=http://u:p=q@a:1".into())), ..HttpOptions::default() };
        let r = Routes::new(&options, |_| Some("http://c:1".into())).unwrap();
        assert_eq!(way(&r, "https://x/").as_deref(), Some("http://u:p%3Dq@a:1/"));
        assert_eq!((way(&r, "https://b/"), way(&r, "http://x/")), (None, None));
    }

    #[test]
    fn a_caller_of_a_cgi_program_names_no_proxy() {
        let r = routes(&[("REQUEST_METHOD", "POST"), ("HTTP_PROXY", "http://evil:1"), ("HTTPS_PROXY", "http://a:1")]).unwrap();
        assert_eq!(way(&r, "http://x/"), None);
        assert_eq!(way(&r, "https://x/").as_deref(), Some("http://a:1/"));
    }

    #[test]
    fn no_proxy_knows_domains_addresses_networks_ports_and_the_star() {
        let with = |no: &str| routes(&[("ALL_PROXY", "p:1"), ("no_proxy", no)]).unwrap();
        let straight = |no: &str, url: &str| way(&with(no), url).is_none();
        assert!(straight("example.com", "https://example.com/"));
        assert!(straight(".Example.com, other", "https://ps.EXAMPLE.com./"));
        assert!(straight("*.example.com", "https://ps.example.com/"));
        assert!(straight("other example.com", "https://ps.example.com/"));
        assert!(!straight("example.com", "https://badexample.com/"));
        assert!(straight("example.com:443", "https://example.com/"));
        assert!(!straight("example.com:443", "http://example.com/"));
        assert!(straight("*", "https://anything/"));
        assert!(straight("127.0.0.1", "http://127.0.0.1:5985/"));
        assert!(straight("10.0.0.0/8", "http://10.200.3.4/"));
        assert!(!straight("10.0.0.0/8", "http://11.0.0.1/"));
        assert!(!straight("10.0.0.1", "http://10.0.0.2/"));
        assert!(straight("fd00::/8", "http://[fd12::1]/"));
        assert!(straight("[::1]", "http://[::1]:80/"));
        assert!(!straight("::1", "http://[::2]/"));
        assert!(!straight("10.0.0.0/x,,/,1.2.3.4/99,a:b", "http://a/"));
    }

    #[test]
    fn what_cannot_be_used_is_told_without_being_repeated() {
        let e = routes(&[("HTTPS_PROXY", "http://user:hush@[nonsense")]).err().unwrap();
        assert_eq!((e.kind(), e.to_string().contains("HTTPS_PROXY")), (ErrorKind::InvalidArgument, true));
        assert!(!format!("{e:?}").contains("hush"));
        let e = routes(&[("ALL_PROXY", "socks5://user:hush@a:1")]).err().unwrap();
        assert_eq!(e.kind(), ErrorKind::Unsupported);
        assert!(!format!("{e:?}").contains("hush"));
        assert!(routes(&[("HTTPS_PROXY", "a:1"), ("HTTP_PROXY", "a:1"), ("ALL_PROXY", "socks5://a:1")]).is_ok());
    }

    #[test]
    fn the_sign_in_given_does_not_replace_the_one_in_the_url() {
        let options = |url: &str| HttpOptions {
            proxy: Proxy::Explicit(Url::parse(url).unwrap()),
            proxy_user: Some("a@b".into()),
            proxy_password: Secret::new("p@:/w".into()),
            ..HttpOptions::default()
        };
        let no_variables = |_: &str| None;
        let r = Routes::new(&options("http://p:1"), no_variables).unwrap();
        assert_eq!(way(&r, "https://x/").as_deref(), Some("http://a%40b:p%40%3A%2Fw@p:1/"));
        let r = Routes::new(&options("http://c:d@p:1"), no_variables).unwrap();
        assert_eq!(way(&r, "https://x/").as_deref(), Some("http://c:d@p:1/"));
    }
}
