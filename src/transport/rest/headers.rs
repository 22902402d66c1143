//! The headers of a command, and the anchor by which the service routes it.

use super::Road;
use uuid::Uuid;

/// What the session calls itself, as Microsoft's module does: some of the service's ways depend on it.
const CLIENT: &str = "ExoManagementModule";
const CLIENT_VERSION: &str = "3.9.0";

/// The largest page that the service gives.
pub(super) const MOST_PAGE: u64 = 1000;

/// Mailboxes that every organization has.
const ORGANIZATION_MAILBOX: &str = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}";
const AUDIT_MAILBOX: &str = "SystemMailbox{8cc370d3-822a-4ab8-a926-bb94bd0641a9}";

pub(super) type Headers = Vec<(&'static str, String)>;

impl Road {
    /// Those of every request.
    pub(super) fn common_headers(&self, request_id: Uuid) -> Headers {
        let culture = self.options.ui_culture.clone().unwrap_or_else(|| String::from("en-US"));
        vec![
            ("User-Agent", String::from(concat!("DelegatedTenant/", env!("CARGO_PKG_VERSION")))),
            ("Accept", String::from("application/json")),
            ("Accept-Charset", String::from("UTF-8")),
            ("Accept-Language", culture),
            ("X-ClientApplication", String::from(CLIENT)),
            ("X-ClientModuleVersion", String::from(CLIENT_VERSION)),
            ("connection-id", self.id.to_string()),
            ("client-request-id", request_id.to_string()),
        ]
    }

    /// Those of a command; one request id for all its pages.
    pub(super) fn command_headers(&self, cmdlet: &str, request_id: Uuid, page: u64, warning_action: &str) -> Headers {
        let mut headers = self.common_headers(request_id);
        headers.extend([
            ("Content-Type", String::from("application/json")),
            ("Prefer", format!("odata.maxpagesize={page}")),
            ("X-AnchorMailbox", self.anchor(cmdlet)),
            ("X-CmdletName", cmdlet.to_owned()),
            ("X-ResponseFormat", self.options.response_format.clone()),
            ("X-SerializationLevel", String::from("Partial")),
            ("WarningAction", warning_action.to_owned()),
        ]);
        headers
    }

    /// X-AnchorMailbox: the signed-in user's mailbox for a user in the own organization, else one that the organization
    /// asked for is sure to have.
    pub(super) fn anchor(&self, cmdlet: &str) -> String {
        let tenant = self.tenant.get().map_or("", String::as_str);
        if self.is_compliance {
            return format!("UPN:{ORGANIZATION_MAILBOX}@{tenant}");
        }
        if cmdlet.eq_ignore_ascii_case("Set-AdminAuditLogConfig") {
            return format!("APP:{AUDIT_MAILBOX}@{tenant}");
        }
        match self.tokens.user().filter(|user| self.is_home(user)) {
            Some(user) => format!("UPN:{user}"),
            None => format!("APP:{ORGANIZATION_MAILBOX}@{tenant}"),
        }
    }

    /// Whether the organization is the user's own, as far as its name tells.
    fn is_home(&self, user: &str) -> bool {
        match (&self.organization, user.rsplit_once('@')) {
            (None, Some(_)) => true,
            (Some(organization), Some((_, domain))) => organization.eq_ignore_ascii_case(domain),
            (_, None) => false,
        }
    }
}
