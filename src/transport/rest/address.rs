//! Where the REST API is: the base of each cloud, the organization in the path, and which URIs mean this road.

use crate::error::{Error, ErrorKind, Result, fact};
use crate::transport::Options;
use crate::transport::reach::delegated_organization;
use url::Url;

const CONTEXT: &str = "open session";

/// The base of each cloud, by the names of ExchangeOnlineManagement's ExchangeEnvironmentName.
const CLOUDS: [(&str, &str); 5] = [
    ("O365Default", "https://outlook.office365.com/"),
    ("O365USGovGCCHigh", "https://outlook.office365.us/"),
    ("O365USGovDoD", "https://outlook-dod.office365.us/"),
    ("O365China", "https://outlook.office365.cn/"),
    ("O365GermanyCloud", "https://outlook.office.de/"),
];

/// The doors of Security & Compliance (Connect-IPPSSession), and their clouds. A region's own host stands below its cloud's door.
const COMPLIANCE: [(&str, &str); 4] = [
    ("l5.ps.compliance.protection.office365.us", "O365USGovDoD"),
    ("ps.compliance.protection.office365.us", "O365USGovGCCHigh"),
    ("ps.compliance.protection.partner.outlook.cn", "O365China"),
    ("ps.compliance.protection.outlook.com", "O365Default"),
];

/// The hosts of the old remote PowerShell, dead for it since 2023, and their clouds.
const OLD_HOSTS: [(&str, &str); 8] = [
    ("outlook.office365.us", "O365USGovGCCHigh"),
    ("webmail.apps.mil", "O365USGovDoD"),
    ("outlook-dod.office365.us", "O365USGovDoD"),
    ("partner.outlook.cn", "O365China"),
    ("outlook.office365.cn", "O365China"),
    ("outlook.office.de", "O365GermanyCloud"),
    ("outlook.office365.com", "O365Default"),
    ("outlook.office.com", "O365Default"),
];

/// Where the API of one session is, and of which organization.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// Up to `adminapi`, which is not in it; ends with a slash.
    pub(super) base: Url,
    /// By option or in the URI.
    pub(super) organization: Option<String>,
    /// The cloud that the host tells, where it is one of Microsoft's.
    pub(super) cloud: Option<&'static str>,
}

fn cloud_of(host: &str) -> Option<&'static str> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let mut known = COMPLIANCE.iter().chain(&OLD_HOSTS);
    let known = known.find(|(old, _)| host == *old || host.strip_suffix(old).is_some_and(|rest| rest.ends_with('.')));
    known.map(|(_, cloud)| *cloud).or_else(|| (host == "outlook.com" || host.ends_with(".outlook.com")).then_some("O365Default"))
}

fn is_api(url: &Url) -> bool {
    url.path_segments().is_some_and(|mut s| s.any(|s| s.eq_ignore_ascii_case("adminapi")))
}

/// Whether this URI leads to the REST road: none does, which is Exchange Online as it is today; so does one of the hosts
/// that its remote PowerShell had, and one that names the API.
pub(crate) fn is_meant(uri: Option<&str>) -> bool {
    let Some(uri) = uri else { return true };
    Url::parse(uri).is_ok_and(|url| is_api(&url) || url.host_str().is_some_and(|h| cloud_of(h).is_some()))
}

impl Address {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let refused = |text: String| Error::new(ErrorKind::InvalidArgument, CONTEXT, text);
        let base_of = |cloud: &str| CLOUDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(cloud));
        let named = match options.environment.as_deref() {
            Some(cloud) => Some(base_of(cloud).ok_or_else(|| refused(format!("the environment {cloud:?} is none of Exchange Online's")))?),
            None => None,
        };
        let Some(text) = options.uri.as_deref() else {
            let (cloud, base) = named.unwrap_or(&CLOUDS[0]);
            let base = Url::parse(base).map_err(|e| refused(String::from("the base is not a URI")).with_source(e))?;
            return Ok(Self { base, organization: options.organization.clone(), cloud: Some(cloud) });
        };
        let mut url = Url::parse(text).map_err(|e| refused(format!("the connection URI {text:?} is not a URI")).with_source(e))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(String::from("a connection URI must not hold a user name or password")));
        }
        match url.scheme() {
            "https" => {}
            "http" if options.allow_unencrypted => {}
            "http" => {
                return Err(refused(String::from(
                    "over http the token could be read on the way; use https, or allow unencrypted sessions",
                ))
                .with_fact(fact::REMEDY, "Use an https URI, or -AllowUnencrypted where the network is your own."));
            }
            other => return Err(refused(format!("the connection URI's scheme {other:?} is neither https nor http"))),
        }
        let mut organization = delegated_organization(&url);
        let cloud = url.host_str().and_then(cloud_of);
        let base = if is_api(&url) {
            let segments: Vec<String> = url.path_segments().into_iter().flatten().map(str::to_owned).collect();
            let at = segments.iter().position(|s| s.eq_ignore_ascii_case("adminapi")).unwrap_or(0);
            // After the version may stand the organization, as in a URI that was copied whole.
            let stated = segments.get(at + 2).filter(|s| !s.is_empty() && !s.starts_with('$')).cloned();
            organization = organization.or(stated);
            let before = segments[..at].iter().map(|s| format!("{s}/")).collect::<String>();
            url.set_path(&format!("/{before}"));
            url
        } else {
            match (named, cloud.and_then(base_of)) {
                (Some((_, base)), _) | (None, Some((_, base))) if !is_compliance(&url) => {
                    Url::parse(base).map_err(|e| refused(String::from("the base is not a URI")).with_source(e))?
                }
                (Some((name, _)), _) if Some(*name) != cloud => {
                    let door = door_of(name).ok_or_else(|| refused(format!("the environment {name} has no Security & Compliance")))?;
                    // Cannot fail: it is a host name.
                    let _ = url.set_host(Some(door));
                    url.set_path("/");
                    url
                }
                _ => {
                    url.set_path("/");
                    url
                }
            }
        };
        let mut base = base;
        base.set_query(None);
        base.set_fragment(None);
        if let (Some(asked), Some(stated)) = (&options.organization, &organization)
            && !asked.eq_ignore_ascii_case(stated)
        {
            return Err(refused(format!("the connection URI names the organization {stated:?}, the options name {asked:?}")));
        }
        Ok(Self { base, organization: options.organization.clone().or(organization), cloud: named.map(|(name, _)| *name).or(cloud) })
    }

    /// Whether this is Security & Compliance rather than Exchange.
    pub(super) fn is_compliance(&self) -> bool {
        is_compliance(&self.base)
    }

    /// What tokens are for where that is not the cloud's Exchange: the door of Security & Compliance, whichever region's host was
    /// named; any other server itself.
    pub(super) fn resource(&self) -> Option<String> {
        let base = || self.base.as_str().trim_end_matches('/').to_owned();
        match self.cloud {
            Some(cloud) if self.is_compliance() => Some(door_of(cloud).map_or_else(base, |door| format!("https://{door}"))),
            Some(_) => None,
            None => Some(base()),
        }
    }
}

fn door_of(cloud: &str) -> Option<&'static str> {
    COMPLIANCE.iter().find(|(_, of)| *of == cloud).map(|(door, _)| *door)
}

fn is_compliance(url: &Url) -> bool {
    url.host_str().is_some_and(|h| h.contains(".compliance.protection."))
}

/// An address under the base; what stands in the segments is escaped.
pub(super) fn join(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Whether two addresses are of one server, a port left out being the scheme's.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// The port 446 is for the service itself; from outside there is another door, mostly 443.
pub(super) fn public_port(url: &mut Url, door: Option<u16>) {
    if url.port() == Some(446) {
        // Cannot fail: it has a host.
        let _ = url.set_port(door);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(settings: &[(&str, &str)]) -> Result<Address> {
        let mut o = Options::new();
        for (k, v) in settings {
            o.set(k, v).unwrap();
        }
        Address::new(&o)
    }

    #[test]
    fn old_uris_lead_to_the_api_of_their_cloud() {
        for (uri, base, organization) in [
            ("https://ps.outlook.com/powershell-liveid?DelegatedOrg=x.com", "https://outlook.office365.com/", Some("x.com")),
            ("https://outlook.office365.com/PowerShell-LiveId", "https://outlook.office365.com/", None),
            ("https://outlook.office365.us/powershell-liveid/", "https://outlook.office365.us/", None),
            ("https://webmail.apps.mil/powershell-liveid", "https://outlook-dod.office365.us/", None),
            ("https://partner.outlook.cn/PowerShell", "https://outlook.office365.cn/", None),
            ("https://h.example/p/AdminApi/beta/x.com/InvokeCommand?a=b", "https://h.example/p/", Some("x.com")),
            ("https://h.example/adminapi/beta", "https://h.example/", None),
        ] {
            let a = address(&[("uri", uri)]).unwrap();
            assert_eq!((a.base.as_str(), a.organization.as_deref()), (base, organization), "{uri}");
            assert!(is_meant(Some(uri)), "{uri}");
        }
        for uri in
            ["https://mail.hoster.example/PowerShell", "https://evil-outlook.com/", "http://127.0.0.1:5985/powershell-liveid", "nothing"]
        {
            assert!(!is_meant(Some(uri)), "{uri}");
        }
        assert!(is_meant(None));
        assert_eq!(address(&[("environment", "o365china")]).unwrap().base.as_str(), "https://outlook.office365.cn/");
        for settings in [
            &[("uri", "http://h/adminapi/beta")][..],
            &[("uri", "https://h/adminapi/beta/a.com"), ("organization", "b.com")],
            &[("environment", "Mars")],
        ] {
            assert_eq!(address(settings).unwrap_err().kind(), ErrorKind::InvalidArgument, "{settings:?}");
        }
    }

    #[test]
    fn security_and_compliance_has_doors_of_its_own() {
        for (host, environment, base, resource, cloud) in [
            ("ps.compliance.protection.outlook.com", "", "ps.compliance.protection.outlook.com", "", "O365Default"),
            (
                "nam02b.ps.compliance.protection.outlook.com",
                "",
                "nam02b.ps.compliance.protection.outlook.com",
                "ps.compliance.protection.outlook.com",
                "O365Default",
            ),
            ("ps.compliance.protection.office365.us", "", "ps.compliance.protection.office365.us", "", "O365USGovGCCHigh"),
            ("l5.ps.compliance.protection.office365.us", "", "l5.ps.compliance.protection.office365.us", "", "O365USGovDoD"),
            ("ps.compliance.protection.partner.outlook.cn", "", "ps.compliance.protection.partner.outlook.cn", "", "O365China"),
            ("ps.compliance.protection.outlook.com", "O365USGovDoD", "l5.ps.compliance.protection.office365.us", "", "O365USGovDoD"),
        ] {
            let uri = format!("https://{host}/powershell-liveid/");
            assert!(is_meant(Some(&uri)), "{uri}");
            let named = [("uri", uri.as_str()), ("environment", environment)];
            let a = address(if environment.is_empty() { &named[..1] } else { &named }).unwrap();
            assert_eq!((a.base.as_str(), a.cloud), (&*format!("https://{base}/"), Some(cloud)), "{uri}");
            let resource = if resource.is_empty() { base } else { resource };
            assert_eq!((a.is_compliance(), a.resource()), (true, Some(format!("https://{resource}"))), "{uri}");
        }
        let uri = ("uri", "https://ps.compliance.protection.outlook.com/");
        assert_eq!(address(&[uri, ("environment", "O365GermanyCloud")]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(address(&[]).unwrap().resource(), None);
        assert_eq!(address(&[("uri", "https://h/adminapi/beta")]).unwrap().resource().as_deref(), Some("https://h"));
    }

    #[test]
    fn what_stands_in_a_path_is_escaped() {
        let base = Url::parse("https://h/").unwrap();
        assert_eq!(
            join(&base, &["adminapi", "beta", "a/../b?c", "InvokeCommand"]).as_str(),
            "https://h/adminapi/beta/a%2F..%2Fb%3Fc/InvokeCommand"
        );
    }
}
