//! Where the authority of each cloud is, and what its tokens are for.

use crate::error::{Error, ErrorKind, Result, fact};
use crate::transport::Options;
use url::{Host, Url};

/// By the names of ExchangeOnlineManagement's ExchangeEnvironmentName: authority and resource.
const CLOUDS: [(&str, &str, &str); 5] = [
    ("O365Default", "https://login.microsoftonline.com", "https://outlook.office365.com"),
    ("O365USGovGCCHigh", "https://login.microsoftonline.us", "https://outlook.office365.us"),
    ("O365USGovDoD", "https://login.microsoftonline.us", "https://outlook-dod.office365.us"),
    ("O365China", "https://login.chinacloudapi.cn", "https://outlook.office365.cn"),
    ("O365GermanyCloud", "https://login.microsoftonline.de", "https://outlook.office.de"),
];

/// The tenant of a user who signs in without naming one.
pub(super) const ANY_TENANT: &str = "organizations";

/// The authority and the resource of one session.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    base: Url,
    /// Without a slash at its end.
    pub(super) resource: String,
    /// Named in the authority's own URL.
    pub(super) tenant: Option<String>,
}

impl Authority {
    pub(super) fn of(options: &Options) -> Result<Self> {
        let refused = |text: String| Error::new(ErrorKind::InvalidArgument, super::CONTEXT, text);
        let name = options.environment.as_deref().unwrap_or(CLOUDS[0].0);
        let cloud = CLOUDS.iter().find(|c| c.0.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let known = CLOUDS.map(|c| c.0).join(", ");
            refused(format!("the environment {name:?} is none of Exchange Online's"))
                .with_fact(fact::REMEDY, format!("It is one of {known}."))
        })?;
        let text = options.authority.as_deref().unwrap_or(cloud.1);
        let mut base = Url::parse(text).map_err(|e| refused("the authority is not a URL".into()).with_source(e))?;
        let local = match base.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if base.scheme() != "https" && !(base.scheme() == "http" && local && options.allow_unencrypted) {
            return Err(refused("over http the credential could be read on the way to the authority".into()).with_fact(
                fact::REMEDY,
                "Use an https authority; one on this very computer may be http where unencrypted sessions are allowed.",
            ));
        }
        // `common` and `organizations`, which Connect-IPPSSession's documentation gives, are no tenant.
        let named = |s: &&str| !s.is_empty() && ![ANY_TENANT, "common"].iter().any(|any| any.eq_ignore_ascii_case(s));
        let tenant = base.path_segments().and_then(|mut s| s.next()).filter(named).map(str::to_owned);
        base.set_path("/");
        base.set_query(None);
        base.set_fragment(None);
        let resource = options.token_resource.as_deref().unwrap_or(cloud.2);
        let resource = resource.strip_suffix("/.default").unwrap_or(resource).trim_end_matches('/').to_owned();
        Ok(Self { base, resource, tenant })
    }

    /// One of the authority's endpoints for a tenant, e.g. `token`.
    pub(super) fn endpoint(&self, tenant: &str, name: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend([tenant, "oauth2", "v2.0", name]);
        }
        url
    }

    /// What is asked for: everything consented to, and for a user also what lets the sign-in go on.
    pub(super) fn scope(&self, user: bool) -> String {
        let more = if user { " offline_access openid profile" } else { "" };
        format!("{}/.default{more}", self.resource)
    }

    pub(super) fn text(&self) -> &str {
        self.base.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(settings: &[(&str, &str)]) -> Result<Authority> {
        let mut o = Options::new();
        settings.iter().for_each(|(k, v)| o.set(k, v).unwrap());
        Authority::of(&o)
    }

    #[test]
    fn each_cloud_has_its_own() {
        let a = authority(&[]).unwrap();
        assert_eq!(a.endpoint("x.com", "token").as_str(), "https://login.microsoftonline.com/x.com/oauth2/v2.0/token");
        assert_eq!(a.scope(false), "https://outlook.office365.com/.default");
        let a =
            authority(&[("environment", "o365usgovdod"), ("token_resource", "https://ps.compliance.protection.office365.us/")]).unwrap();
        assert_eq!(a.endpoint("a/../b", "token").as_str(), "https://login.microsoftonline.us/a%2F..%2Fb/oauth2/v2.0/token");
        assert_eq!(a.scope(false), "https://ps.compliance.protection.office365.us/.default");
        let a = authority(&[("authority", "https://login.example.com/customer.com/")]).unwrap();
        assert_eq!((a.tenant.as_deref(), a.text()), (Some("customer.com"), "https://login.example.com/"));
        let any = authority(&[("authority", "https://login.microsoftonline.us/organizations")]).unwrap();
        assert_eq!((any.tenant.as_deref(), any.text()), (None, "https://login.microsoftonline.us/"));
        for settings in [
            &[("environment", "Mars")][..],
            &[("authority", "http://login.example.com"), ("allow_unencrypted", "true")],
            &[("authority", "http://127.0.0.1:1")],
            &[("authority", "ftp://login.example.com")],
        ] {
            assert_eq!(authority(settings).unwrap_err().kind(), ErrorKind::InvalidArgument, "{settings:?}");
        }
    }
}
