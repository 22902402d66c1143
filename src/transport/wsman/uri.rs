//! Where requests go: the connection URI as Exchange wants it, and what a redirection may do to it.

use crate::error::{Error, ErrorKind, Result, fact};
use crate::transport::Options;
pub(super) use crate::transport::reach::delegated_organization;
use crate::transport::reach::{may_follow, parameters};
use url::Url;

/// The partner endpoint of Microsoft's documentation.
const PARTNER_ENDPOINT: &str = "https://ps.outlook.com/powershell-liveid";

const CONTEXT: &str = "open session";

fn unusable(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidArgument, CONTEXT, detail)
}

/// The URI that the options ask for, as it goes on the wire.
pub(super) fn first(options: &Options) -> Result<Url> {
    let text = options.uri.as_deref().unwrap_or(PARTNER_ENDPOINT).trim_end_matches('/');
    let url = Url::parse(text).map_err(|e| unusable(format!("the connection URI {text:?} is not a URI")).with_source(e))?;
    check(&url, options)?;
    if let Some(organization) = &options.organization {
        match delegated_organization(&url) {
            Some(other) if !other.eq_ignore_ascii_case(organization) => {
                return Err(unusable(format!("the connection URI names the organization {other:?}, the options name {organization:?}")));
            }
            Some(_) => {}
            None => return finish(append(&url, '&', &delegated(organization))?, options),
        }
    }
    finish(url, options)
}

/// Whether requests with a password may go there at all.
fn check(url: &Url, options: &Options) -> Result<()> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("a connection URI must not hold a user name or password"));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if options.allow_unencrypted => Ok(()),
        "http" => Err(unusable("Basic over http would show the password to the network; use https, or allow unencrypted sessions")
            .with_fact(fact::NATIVE_ID, "801")
            .with_fact(fact::NATIVE_CODE, 801)
            .with_fact(fact::NATIVE_MESSAGE, "Basic authentication is not supported over HTTP on Unix.")
            .with_fact(fact::REMEDY, "Use an https URI, or -AllowUnencrypted where the network is your own.")),
        other => Err(unusable(format!("the connection URI's scheme {other:?} is neither https nor http"))),
    }
}

/// The URI with PSVersion, by which Exchange finds a server of the right version: joined with `;` where a query is there.
fn finish(url: Url, options: &Options) -> Result<Url> {
    if options.ps_version.is_empty() {
        return Ok(url);
    }
    let wanted = format!("PSVersion={}", options.ps_version);
    if parameters(&url).any(|p| p.eq_ignore_ascii_case(&wanted)) { Ok(url) } else { append(&url, ';', &wanted) }
}

fn append(url: &Url, joint: char, parameter: &str) -> Result<Url> {
    let joint = if url.query().is_some_and(|q| !q.is_empty()) { joint } else { '?' };
    let mut text = url.clone();
    text.set_fragment(None);
    let text = format!("{}{joint}{parameter}", text.as_str().trim_end_matches('?'));
    Url::parse(&text).map_err(|e| unusable("the connection URI cannot be completed").with_source(e))
}

fn delegated(organization: &str) -> String {
    let value: String = url::form_urlencoded::byte_serialize(organization.as_bytes()).collect();
    format!("DelegatedOrg={value}")
}

/// What a:To names: the URI with its port, as Windows writes it.
pub(super) fn with_port(url: &Url) -> String {
    match (url.host(), url.port_or_known_default()) {
        (Some(host), Some(port)) => {
            let query = url.query().map(|q| format!("?{q}")).unwrap_or_default();
            format!("{}://{host}:{port}{}{query}", url.scheme(), url.path())
        }
        _ => url.to_string(),
    }
}

/// The URI that a redirection from `from` leads to; an error where it must not be followed.
pub(super) fn redirected(from: &Url, location: &str, options: &Options) -> Result<Url> {
    let text = location.trim().replace("&amp;", "&");
    let host = from.host_str().unwrap_or_default();
    let bad = || {
        Error::new(ErrorKind::Protocol, CONTEXT, "the server redirects to something that is not a URI")
            .with_fact(fact::NATIVE_ID, "RedirectLocationInvalid")
            .with_fact(fact::NATIVE_CODE, -2144108105_i32)
            .with_fact(
                fact::NATIVE_MESSAGE,
                format!(
                    "The destination \"{host}\" requested the connection to be redirected to \"{text}\". However \"{text}\" is not a well formatted URI."
                ),
            )
            .with_fact(fact::REDIRECT_LOCATION, &text)
            .with_fact(fact::REMEDY, "The server's administrator has to mend that; another address of it may work.")
            .with_fact(fact::HOST, host)
    };
    let target = Url::parse(text.trim_end_matches('/')).map_err(|_| bad())?;
    if !matches!(target.scheme(), "http" | "https")
        || target.host().is_none()
        || !target.username().is_empty()
        || target.password().is_some()
    {
        return Err(bad());
    }
    if !may_follow(from, &target, options) {
        let (detail, remedy) = if target.scheme() == "http" {
            (
                format!("{host} redirects to {text}, where the password would be readable for anybody on the way"),
                "A redirection to http is never followed: connect to that server's https address, if it has one.",
            )
        } else {
            (
                format!("{host} redirects to {text}, which is neither of its own domain nor Microsoft's, and must not have the credential"),
                "If you trust that server, name its domain (RedirectionHost).",
            )
        };
        return Err(Error::new(ErrorKind::Redirected, CONTEXT, detail)
            .with_fact(fact::REDIRECT_LOCATION, &text)
            .with_fact(fact::REMEDY, remedy)
            .with_fact(fact::HOST, host));
    }
    let target = match delegated_organization(from) {
        Some(organization) if delegated_organization(&target).is_none() => append(&target, '&', &delegated(&organization))?,
        _ => target,
    };
    finish(target, options)
}

/// Whether the credential of a session that begins at `first` may be sent to `url`, where such a session has been before.
pub(super) fn may_have_credential(first: &Url, url: &Url, options: &Options) -> bool {
    let consent = options.max_redirections != Some(0);
    check(url, options).is_ok() && (first.origin() == url.origin() || (consent && may_follow(first, url, options)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(settings: &[(&str, &str)]) -> Options {
        let mut o = Options::new();
        o.set("ps_version", "5.1").unwrap();
        for (k, v) in settings {
            o.set(k, v).unwrap();
        }
        o
    }

    fn first_of(settings: &[(&str, &str)]) -> String {
        first(&options(settings)).unwrap().to_string()
    }

    #[test]
    fn the_first_uri_holds_organization_and_version() {
        assert_eq!(first_of(&[]), "https://ps.outlook.com/powershell-liveid?PSVersion=5.1");
        assert_eq!(first_of(&[("organization", "a.com")]), "https://ps.outlook.com/powershell-liveid?DelegatedOrg=a.com;PSVersion=5.1");
        assert_eq!(first_of(&[("uri", "https://h/p/"), ("ps_version", "")]), "https://h/p");
        assert_eq!(
            first_of(&[("uri", "https://h/p?email=SystemMailbox{bb558c35}@d&amp;X=1"), ("organization", "a.com")]),
            "https://h/p?email=SystemMailbox{bb558c35}@d&amp;X=1&DelegatedOrg=a.com;PSVersion=5.1"
        );
        assert_eq!(
            first_of(&[("uri", "https://h/p?X=1&amp;delegatedorg=A.com;PSVersion=5.1"), ("organization", "a.com")]),
            "https://h/p?X=1&amp;delegatedorg=A.com;PSVersion=5.1"
        );
    }

    #[test]
    fn unusable_uris_are_refused_before_anything_is_sent() {
        for settings in [
            &[("uri", "ftp://h/p")][..],
            &[("uri", "http://h/p")],
            &[("uri", "https://u:p@h/p")],
            &[("uri", "https://h/p?DelegatedOrg=b.com"), ("organization", "a.com")],
        ] {
            assert_eq!(first(&options(settings)).unwrap_err().kind(), ErrorKind::InvalidArgument, "{settings:?}");
        }
        assert!(first(&options(&[("uri", "http://h/p"), ("allow_unencrypted", "true")])).is_ok());
    }

    #[test]
    fn a_redirection_keeps_organization_and_version() {
        let o = options(&[("organization", "a.com")]);
        let from = first(&o).unwrap();
        for (location, target) in [
            (
                "https://pod51043psh.outlook.com/powershell-liveid?PSVersion=5.1 ",
                "https://pod51043psh.outlook.com/powershell-liveid?PSVersion=5.1&DelegatedOrg=a.com",
            ),
            (
                " https://x.outlook.com/P?DelegatedOrg=a.com&amp;B=true;PSVersion=4.0",
                "https://x.outlook.com/P?DelegatedOrg=a.com&B=true;PSVersion=4.0;PSVersion=5.1",
            ),
            ("https://x.outlook.com/P/", "https://x.outlook.com/P?DelegatedOrg=a.com;PSVersion=5.1"),
        ] {
            assert_eq!(redirected(&from, location, &o).unwrap().as_str(), target);
        }
    }

    #[test]
    fn a_credential_goes_to_no_host_that_a_file_names() {
        let first = Url::parse("https://mail.contoso.com/p?DelegatedOrg=a.com").unwrap();
        let may = |to: &str, consent: &str| {
            may_have_credential(&first, &Url::parse(to).unwrap(), &options(&[("max_redirections", consent), ("allow_unencrypted", "true")]))
        };
        assert!(may("https://mail.contoso.com/q", "0") && may("https://b.contoso.com/p", "5"));
        for (to, consent) in [
            ("https://b.contoso.com/p", "0"),
            ("https://mail.contoso.com:8443/p", "0"),
            ("https://evil.com/p", "5"),
            ("http://mail.contoso.com/p", "5"),
            ("https://u:p@mail.contoso.com/p", "5"),
        ] {
            assert!(!may(to, consent), "{to}");
        }
    }

    #[test]
    fn a_credential_goes_only_to_hosts_that_may_have_it() {
        let o = options(&[("allow_unencrypted", "true"), ("redirect_hosts", "trusted.example")]);
        let follows = |from: &str, to: &str| redirected(&Url::parse(from).unwrap(), to, &o).map_err(|e| e.kind());
        for (from, to) in [
            ("https://mail.contoso.com/p", "https://b.contoso.com/p"),
            ("https://mail.contoso.co.uk/p", "https://b.contoso.co.uk/p"),
            ("https://mail.contoso.com/p", "https://eur.ps.outlook.com/p"),
            ("https://mail.contoso.com/p", "https://x.trusted.example/p"),
            ("https://10.0.0.1/p", "https://x.trusted.example/p"),
            ("https://10.0.0.1/p", "https://10.0.0.1:8443/p"),
            ("http://127.0.0.1:80/p", "http://127.0.0.1:81/p"),
            ("http://mail.contoso.com/p", "https://mail.contoso.com/p"),
        ] {
            assert!(follows(from, to).is_ok(), "{from} -> {to}");
        }
        for (from, to) in [
            ("https://mail.contoso.com/p", "https://evil.com/p"),
            ("https://mail.contoso.com/p", "https://evilcontoso.com/p"),
            ("https://a.azurewebsites.net/p", "https://evil.azurewebsites.net/p"),
            ("https://mail.contoso.co.uk/p", "https://evil.co.uk/p"),
            ("https://mail.contoso.com/p", "https://outlook.com.evil.com/p"),
            ("https://mail.contoso.com/p", "http://mail.contoso.com/p"),
            ("http://mail.contoso.com/p", "http://mail.contoso.com/p"),
            ("https://127.0.0.1/p", "http://127.0.0.1/p"),
            ("https://10.0.0.1/p", "https://10.0.0.2/p"),
        ] {
            assert_eq!(follows(from, to), Err(ErrorKind::Redirected), "{from} -> {to}");
        }
        for to in ["", "powershell", "/powershell", "https://u:p@mail.contoso.com/p", "file:///etc"] {
            assert_eq!(follows("https://mail.contoso.com/p", to), Err(ErrorKind::Protocol), "{to}");
        }
    }
}
