//! What a server's refusal means: from codes, statuses and texts to errors, in one table.

use crate::error::{Error, ErrorKind, fact};
use crate::transport::http::HttpResponse;
use crate::transport::soap::{self, Fault, code};
use std::time::Duration;

/// What was being done, which decides how the native cmdlets begin their message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Send,
    Receive,
    Command,
    CommandSend,
    CommandReceive,
    CommandStop,
    Close,
}

impl Phase {
    fn context(self) -> &'static str {
        match self {
            Self::Open => "open session",
            Self::Send => "send to session",
            Self::Receive => "receive from session",
            Self::Command => "start command",
            Self::CommandSend => "send to command",
            Self::CommandReceive => "receive from command",
            Self::CommandStop => "stop command",
            Self::Close => "close session",
        }
    }

    /// The native cmdlets' message about `text`.
    fn native(self, host: &str, text: &str) -> String {
        match self {
            Self::Open => {
                // Some faults of the service end with it already.
                const MORE: &str = "For more information, see the about_Remote_Troubleshooting Help topic.";
                let text = text.trim_end().trim_end_matches(MORE).trim_end();
                format!("Connecting to remote server {host} failed with the following error message : {text} {MORE}")
            }
            Self::Send => format!("Sending data to remote server {host} failed with the following error message : {text}"),
            Self::Receive => format!("Processing data from remote server {host} failed with the following error message: {text}"),
            Self::Command => format!("Starting a command on the remote server failed with the following error message : {text}"),
            Self::CommandSend | Self::CommandStop => {
                format!("Sending data to a remote command failed with the following error message: {text}")
            }
            Self::CommandReceive => format!("Processing data for a remote command failed with the following error message: {text}"),
            Self::Close => format!("Closing the remote server shell instance failed with the following error message : {text}"),
        }
    }
}

/// Why one request had no proper answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The service refused.
    Fault(Fault, Option<String>),
    /// Something in front of the service answered.
    Http(HttpResponse),
    /// No answer came, or none that can be read.
    Road(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Road(error)
    }
}

impl Trouble {
    /// The server had nothing to say within OperationTimeout.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::Fault(f, _) if f.is_timeout())
    }

    /// The server knows the shell, but not the command: it is over.
    pub(super) fn is_command_gone(&self) -> bool {
        matches!(self, Self::Fault(f, _) if f.is_shell_gone() && f.text().contains("command identifier"))
    }

    /// The server does not know the shell any more.
    pub(super) fn is_shell_gone(&self) -> bool {
        matches!(self, Self::Fault(f, _) if f.is_shell_gone() || f.text().contains("WSMan-InvalidShellID")) && !self.is_command_gone()
    }

    /// The server certainly opened no shell for the Create that it answered so.
    pub(super) fn refuses_sign_in(&self) -> bool {
        matches!(self, Self::Http(r) if matches!(r.status, 300..=399 | 401 | 403 | 407))
    }

    /// The same as an error for the caller.
    pub(super) fn error(self, phase: Phase, host: &str, tenant: Option<&str>) -> Error {
        let error = match self {
            Self::Fault(fault, request_id) => {
                let text = bounded(fault.text());
                let cause = Cause::of(&text, fault.code, None);
                let text = if text.is_empty() { format!("fault {}", fault.subcode) } else { text };
                let mut error = cause.error(phase, host, &text);
                if let Some(number) = fault.code {
                    error = error
                        .with_fact(fact::FAULT_CODE, number)
                        .with_fact(fact::NATIVE_ID, number as i32)
                        .with_fact(fact::NATIVE_CODE, number as i32);
                }
                with_id(error, &text, request_id)
            }
            Self::Http(reply) => {
                let body = soap::visible_text(&reply.body);
                let offered = offers_no_basic(&reply);
                let cause = match offered {
                    Some(_) => BASIC_IS_OFF.cause(),
                    None => Cause::of(&body, None, Some(reply.status)).at(phase, reply.status),
                };
                let text = match cause.text {
                    Some(text) if offered.is_some() => format!("{text} It offers {}.", offered.unwrap_or_default()),
                    Some(text) => text.to_owned(),
                    None if cause.matched && !cause.by_status => body.clone(),
                    None => {
                        format!("The WinRM client received an HTTP status code of {} from the remote WS-Management service.", reply.status)
                    }
                };
                let mut error = cause.error(phase, host, &text).with_fact(fact::HTTP_STATUS, reply.status);
                if let Some(wait) = reply.retry_after {
                    error = error.with_fact(fact::RETRY_AFTER_MS, wait.as_millis());
                }
                with_id(error, &body, reply.request_id)
            }
            Self::Road(error) => road(error.with_context(phase.context()), phase, host),
        };
        let error = error.with_fact(fact::HOST, host);
        match tenant {
            Some(tenant) => error.with_fact(fact::TENANT, tenant),
            None => error,
        }
    }
}

/// An error from the reason that a pool or pipeline gives by PSRP, not by a fault.
pub(super) fn psrp_failure(text: &str, phase: Phase, host: &str, tenant: Option<&str>) -> Error {
    let cause = Cause::of(text, None, None);
    let (kind, remedy) = match cause.matched {
        true => (cause.kind, cause.remedy),
        false => {
            (ErrorKind::Disconnected, Some("Connect again; where it stays so, the server's own words above are for its administrator."))
        }
    };
    let mut error = Cause { kind, remedy, ..cause }.error(phase, host, text).with_fact(fact::HOST, host);
    if let Some(tenant) = tenant {
        error = error.with_fact(fact::TENANT, tenant);
    }
    with_id(error, text, None)
}

/// An open that took too long.
pub(super) fn open_timeout(limit: Duration, host: &str, tenant: Option<&str>) -> Error {
    let text = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.";
    let error = Error::new(ErrorKind::Timeout, "open session", format!("{host} did not open the session within {} ms", limit.as_millis()))
        .with_fact(fact::NATIVE_ID, "WinRMOperationTimeout")
        .with_fact(fact::NATIVE_CODE, -2144108250_i32)
        .with_fact(fact::NATIVE_MESSAGE, Phase::Open.native(host, text))
        .with_fact(fact::REMEDY, "Try again, or allow more time to open the session.")
        .with_fact(fact::HOST, host);
    match tenant {
        Some(tenant) => error.with_fact(fact::TENANT, tenant),
        None => error,
    }
}

/// A redirection that the caller has not consented to: at all, or after `hops` others.
pub(super) fn redirected(location: &str, host: &str, hops: u32) -> Error {
    let remedy = if hops == 0 {
        "Connect again with -AllowRedirection, if you trust that server."
    } else {
        "That is one redirection more than are allowed (MaximumConnectionRedirectionCount): the servers may send you round in a circle."
    };
    Error::new(ErrorKind::Redirected, "open session", format!("{host} redirects to {location}"))
        .with_fact(fact::REDIRECT_LOCATION, location)
        .with_fact(fact::NATIVE_ID, "RedirectInformationRequired")
        .with_fact(fact::NATIVE_CODE, -2144108135_i32)
        .with_fact(
            fact::NATIVE_MESSAGE,
            format!(
                "The WinRM service cannot process the request because the request needs to be sent to a different machine. Use the redirect information to send the request to a new machine.  Redirect location reported: {location} . To automatically connect to the redirected URI, verify the \"MaximumConnectionRedirectionCount\" property of the session preference variable \"PSSessionOption\", and use the \"AllowRedirection\" parameter on the cmdlet."
            ),
        )
        .with_fact(fact::REMEDY, remedy)
        .with_fact(fact::HOST, host)
}

/// A failure below the service, with the identities that the native cmdlets have for it.
fn road(error: Error, phase: Phase, host: &str) -> Error {
    let kind = error.kind();
    let unresolved = error.fact(fact::NATIVE_ID) == Some("ComputerNotFound");
    let (id, code, text, remedy) = match kind {
        ErrorKind::Connect if unresolved => (
            "ComputerNotFound",
            -2144108103_i32,
            format!("The WinRM client cannot process the request because the server name {host} cannot be resolved."),
            "Check the server name in the connection URI, and name resolution.",
        ),
        ErrorKind::Connect => (
            "CannotConnect",
            -2144108526,
            format!("The client cannot connect to the destination specified in the request: {}.", error.detail()),
            "Check the host and port in the connection URI, the firewall for that TCP port, and whether a proxy is needed.",
        ),
        ErrorKind::Tls => (
            "CannotConnect",
            -2144108526,
            match error.detail() {
                detail if detail.contains("certificate") => {
                    format!("The server certificate on the destination computer ({host}) has the following errors: {detail}.")
                }
                detail => format!("No secure connection could be made: {detail}."),
            },
            "Check the certificate's issuer, name and dates, or whether something between inspects the traffic.",
        ),
        ErrorKind::Timeout => (
            "WinRMOperationTimeout",
            -2144108250,
            String::from("The WS-Management service cannot complete the operation within the time specified in OperationTimeout."),
            "Look whether the command took effect before you run it again.",
        ),
        ErrorKind::Disconnected => (
            "WinRMHttpError",
            -2144108176,
            String::from("The connection to the server was lost."),
            "Connect again; if a command was running, look whether it took effect.",
        ),
        _ => {
            let message = phase.native(host, &error.to_string());
            return error.with_fact(fact::NATIVE_MESSAGE, message);
        }
    };
    let message = phase.native(host, &text);
    let remedy =
        if phase == Phase::Open && kind == ErrorKind::Timeout { "Try again, or allow more time to open the session." } else { remedy };
    error
        .with_fact(fact::NATIVE_ID, id)
        .with_fact(fact::NATIVE_CODE, code)
        .with_fact(fact::NATIVE_MESSAGE, message)
        .with_fact(fact::REMEDY, remedy)
}

/// One line of the table, applied.
#[derive(Debug, Clone, Copy)]
struct Cause {
    kind: ErrorKind,
    native_id: Option<&'static str>,
    native_code: Option<i32>,
    /// Windows' own text, where the server gave only a status.
    text: Option<&'static str>,
    remedy: Option<&'static str>,
    /// Some line knew it.
    matched: bool,
    /// By nothing but the status: what stands in the page says no more.
    by_status: bool,
}

/// How a line of the table knows its cause.
enum Sign {
    /// All of these stand in the text.
    Text(&'static [&'static str]),
    Code(u32),
    Status(u16),
}

struct Line(&'static [Sign], ErrorKind, Option<(&'static str, i32)>, Option<&'static str>, Option<&'static str>);

use Sign::{Code, Status, Text};

const CLOSE_ONE: &str =
    "Close a session that is no longer needed and try again; one that was abandoned counts until its idle time-out, 15 minutes.";
const SLOWER: &str = "Wait as long as the service asks, and send requests at a slower rate.";

/// The first line of which any sign is there wins. Texts come first: they are nearer to the cause than the codes and
/// statuses that carry them.
const TABLE: &[Line] = &[
    Line(
        &[
            Text(&["maximum number of connections allowed"]),
            Text(&["concurrent shells", "exceeded"]),
            Code(code::USER_SHELLS),
            Code(code::PLUGIN_SHELLS),
        ],
        ErrorKind::Quota,
        None,
        None,
        Some(CLOSE_ONE),
    ),
    Line(
        &[Text(&["exceeded your budget to create runspace"])],
        ErrorKind::Throttled,
        None,
        None,
        Some(
            "The account opened too many sessions in a short time: wait a minute or as long as the service asks, \
             and run several commands in one session instead of opening one for each.",
        ),
    ),
    Line(
        &[Text(&["load quota"]), Text(&["will not be approved for at least"]), Code(code::USER_OPERATIONS), Code(code::USER_LOAD)],
        ErrorKind::Throttled,
        None,
        None,
        Some(SLOWER),
    ),
    Line(
        &[Text(&["isn't assigned to any management roles"]), Text(&["AuthZ-CmdletAccessDeniedException"])],
        ErrorKind::AccessDenied,
        None,
        None,
        Some(
            "Check that the customer granted this partner account a delegated administration role, and that the organization's name is right.",
        ),
    ),
    Line(
        &[Text(&["CannotResolveTenantName"]), Text(&["Unable to resolve the tenant name"])],
        ErrorKind::TenantNotFound,
        None,
        None,
        Some("Check the organization: it is any domain of the customer, spelt as the customer has it."),
    ),
    Line(
        &[Text(&["AuthZ-AuthorizationException"])],
        ErrorKind::AccessDenied,
        None,
        None,
        Some("Check that the account may use remote PowerShell in this organization."),
    ),
    Line(
        &[Text(&["WSMan-InvalidShellID"]), Text(&["the shell was not found on the server"])],
        ErrorKind::Disconnected,
        Some(("CannotConnectTargetSessionDoesNotExist", -2144108453)),
        None,
        Some("Connect again: the server closed the session, as it does after a time without use."),
    ),
    Line(
        &[Text(&["command identifier that does not exist"])],
        ErrorKind::Disconnected,
        Some(("CannotConnectTargetSessionDoesNotExist", -2144108453)),
        None,
        Some("The server gave up the command before its end: look whether it took effect."),
    ),
    Line(
        &[Code(code::SHELL_NOT_FOUND)],
        ErrorKind::Disconnected,
        Some(("CannotConnectTargetSessionDoesNotExist", -2144108453)),
        None,
        Some("Connect again."),
    ),
    Line(
        &[Code(code::NO_RESOURCE)],
        ErrorKind::TenantNotFound,
        Some(("InvalidResourceUri", -2144108485)),
        None,
        Some("Check the configuration name: Exchange answers under Microsoft.Exchange."),
    ),
    Line(
        &[Code(5), Code(0x8033_8043)],
        ErrorKind::AccessDenied,
        None,
        None,
        Some("Check that the account is enabled for remote PowerShell and holds a role in the organization."),
    ),
    Line(&[Code(1326)], ErrorKind::Authentication, Some(("LogonFailure", 1326)), None, Some("Check user name and password.")),
    Line(&[Code(1311)], ErrorKind::Authentication, Some(("AuthenticationFailed", 1311)), None, Some("Check user name and password.")),
    Line(
        &[Code(0x8033_810E)],
        ErrorKind::Authentication,
        Some(("InvalidAuthentication", -2144108274)),
        None,
        Some("The server does not offer Basic sign-in."),
    ),
    Line(
        &[Code(code::TIMED_OUT), Code(0x8033_8126)],
        ErrorKind::Timeout,
        Some(("WinRMOperationTimeout", -2144108250)),
        None,
        Some("Look whether the command took effect before you run it again."),
    ),
    Line(&[Code(995), Code(1223)], ErrorKind::Disconnected, None, None, Some("Connect again: the server gave up the session.")),
    Line(&[Code(code::SCHEMA), Code(code::HEADER), Code(0x8033_8000)], ErrorKind::Protocol, None, None, None),
    Line(
        &[Status(401)],
        ErrorKind::Authentication,
        Some(("AccessDenied", 5)),
        Some("Access is denied."),
        Some(
            "Check user name and password. An account with multifactor sign-in, or one for which Basic was turned off (security defaults, \
             an authentication policy), is refused in the same way: it needs a token (Bearer) as the password.",
        ),
    ),
    Line(
        &[Status(403)],
        ErrorKind::AccessDenied,
        Some(("AccessDenied", 5)),
        Some("Access is denied."),
        Some("Check that the account is enabled for remote PowerShell and may manage this organization."),
    ),
    Line(
        &[Status(400)],
        ErrorKind::AccessDenied,
        Some(("WinRMHttpError", -2144108176)),
        Some("Bad Request"),
        Some(
            "Ask an administrator whether the account is enabled for remote PowerShell: Set-User <account> -RemotePowerShellEnabled $true.",
        ),
    ),
    Line(
        &[Status(404)],
        ErrorKind::TenantNotFound,
        Some(("URLNotAvailable", -2144108269)),
        Some("The WS-Management service does not answer at this URL: HTTP status 404."),
        Some("Check the path of the connection URI, usually /powershell-liveid or /PowerShell."),
    ),
    Line(
        &[Status(440)],
        ErrorKind::TenantNotFound,
        Some(("WinRMHttpError", -2144108176)),
        Some("The WinRM client received an HTTP status code of 440 from the remote WS-Management service."),
        Some("The connection URI leads to a web page, not to remote PowerShell: check its path."),
    ),
    Line(
        &[Status(407)],
        ErrorKind::Connect,
        Some(("WinRMHttpError", -2144108176)),
        Some("The proxy asks for a user name and password."),
        Some("Give the proxy's credential."),
    ),
    Line(
        &[Status(429)],
        ErrorKind::Throttled,
        Some(("WinRMHttpError", -2144108176)),
        Some("The service asks for fewer requests: HTTP status 429."),
        Some(SLOWER),
    ),
    Line(
        &[Status(301), Status(302), Status(307), Status(308)],
        ErrorKind::Protocol,
        Some(("-2144108118", -2144108118)),
        Some("The server requested a redirection and did not say where to."),
        Some("The server's administrator has to mend that; another address of it may work."),
    ),
    Line(
        &[Status(500)],
        ErrorKind::Service,
        Some(("WinRMHttpError", -2144108176)),
        None,
        Some("The service failed, and not by what was asked: try again, and give the request's id to its support where it stays so."),
    ),
    Line(
        &[Status(502), Status(503), Status(504)],
        ErrorKind::Service,
        Some(("CannotConnectWinRMService", -2144108270)),
        Some("The WS-Management service is not available at the moment."),
        Some("Try again later; the state of the service is shown in its health dashboard."),
    ),
];

/// A 401 that does not offer what we have.
const BASIC_IS_OFF: Line = Line(
    &[],
    ErrorKind::Authentication,
    Some(("InvalidAuthentication", -2144108274)),
    Some("The server does not take Basic sign-in."),
    Some(
        "Have Basic turned on for its PowerShell directory (Set-PowerShellVirtualDirectory -BasicAuthentication $true), or use an address where it is.",
    ),
);

/// The schemes that a server asks for in its 401, where Basic is not among them.
pub(super) fn offers_no_basic(reply: &HttpResponse) -> Option<String> {
    let mut schemes: Vec<String> = Vec::new();
    for challenge in reply.headers.all("www-authenticate") {
        let scheme = challenge.split([' ', ',']).next().unwrap_or_default();
        // A list in one header is told whole: which of its words are schemes only its grammar knows.
        if challenge.to_ascii_lowercase().split([' ', ',']).any(|word| word == "basic") {
            return None;
        }
        if !scheme.is_empty() && scheme.len() < 40 && schemes.len() < 8 {
            schemes.push(scheme.to_owned());
        }
    }
    (reply.status == 401 && !schemes.is_empty()).then(|| schemes.join(", "))
}

impl Line {
    fn cause(&self) -> Cause {
        let Line(_, kind, native, text, remedy) = self;
        Cause {
            kind: *kind,
            native_id: native.map(|n| n.0),
            native_code: native.map(|n| n.1),
            text: *text,
            remedy: *remedy,
            matched: true,
            by_status: false,
        }
    }
}

impl Cause {
    fn of(text: &str, code: Option<u32>, status: Option<u16>) -> Self {
        let is = |sign: &Sign| match sign {
            Text(parts) => parts.iter().all(|p| text.contains(p)),
            Code(c) => code == Some(*c),
            Status(s) => status == Some(*s),
        };
        let found = TABLE.iter().find_map(|line| Some((line, line.0.iter().find(|s| is(s))?)));
        if let Some((line, sign)) = found {
            return Self { by_status: matches!(sign, Status(_)), ..line.cause() };
        }
        let kind = match status {
            Some(200..=499) => ErrorKind::Protocol,
            _ => ErrorKind::Service,
        };
        let native = status.map(|_| ("WinRMHttpError", -2144108176));
        Self {
            kind,
            native_id: native.map(|n| n.0),
            native_code: native.map(|n| n.1),
            text: None,
            remedy: None,
            matched: false,
            by_status: false,
        }
    }

    /// These statuses are about the account or the URI while a session opens; later, both were right.
    fn at(self, phase: Phase, status: u16) -> Self {
        match status {
            400 | 404 | 440 if phase != Phase::Open => Self { kind: ErrorKind::Service, remedy: None, ..self },
            _ => self,
        }
    }

    fn error(self, phase: Phase, host: &str, text: &str) -> Error {
        let mut error = Error::new(self.kind, phase.context(), format!("{host} answers: {text}"))
            .with_fact(fact::NATIVE_MESSAGE, phase.native(host, text));
        if let Some(id) = self.native_id {
            error = error.with_fact(fact::NATIVE_ID, id);
        }
        if let Some(code) = self.native_code {
            error = error.with_fact(fact::NATIVE_CODE, code);
        }
        if let Some(remedy) = self.remedy {
            error = error.with_fact(fact::REMEDY, remedy);
        }
        match (self.kind == ErrorKind::Throttled).then(|| milliseconds(text)).flatten() {
            Some(ms) => error.with_fact(fact::RETRY_AFTER_MS, ms),
            None => error,
        }
    }
}

/// The delay in "…for at least 1234 milliseconds" and in "Please wait for 61 seconds".
fn milliseconds(text: &str) -> Option<u64> {
    let rest = text.split("for at least").nth(1).or_else(|| text.split("wait for").nth(1))?.trim_start();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number: u64 = rest[..digits].parse().ok()?;
    match rest[digits..].trim_start() {
        r if r.starts_with("milli") || r.starts_with("ms") => Some(number),
        r if r.starts_with("sec") => number.checked_mul(1000),
        _ => None,
    }
}

/// Servers' texts are shown to people: this much is enough for the longest budget snapshot.
const MOST_TEXT: usize = 4096;

fn bounded(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if out.len() + word.len() > MOST_TEXT {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// The id for the service's support: from the text, where Exchange writes it, else from the reply's headers.
fn with_id(error: Error, text: &str, request_id: Option<String>) -> Error {
    let named = soap::request_id(text).map(str::to_owned);
    match named.or(request_id) {
        Some(id) => error.with_fact(fact::REQUEST_ID, id),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn fault(code: u32, text: &str) -> Error {
        let fault = Fault { code: Some(code), message: text.into(), ..Fault::default() };
        Trouble::Fault(fault, None).error(Phase::Open, "ps.outlook.com", Some("a.com"))
    }

    fn http(status: u16, kind: &str, body: &str) -> Error {
        let reply = HttpResponse {
            status,
            content_type: Some(kind.into()),
            request_id: Some("header-id".into()),
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..HttpResponse::default()
        };
        Trouble::Http(reply).error(Phase::Open, "ps.outlook.com", None)
    }

    #[test]
    fn the_session_limit_is_quota_in_every_form() {
        let spoken = "[AuthZRequestId=1f2e][FailureCategory=AuthZ-AuthorizationException] Fail to create a runspace because you have exceeded the maximum number of connections allowed : 3 for the policy party : MaxConcurrency.";
        let e = psrp_failure(spoken, Phase::Receive, "h", None);
        assert_eq!((e.kind(), e.fact(fact::REQUEST_ID)), (ErrorKind::Quota, Some("1f2e")));
        assert!(
            e.fact(fact::NATIVE_MESSAGE)
                .unwrap()
                .starts_with("Processing data from remote server h failed with the following error message: [AuthZ")
        );
        let budget = "[FailureCategory=AuthZ-AuthorizationException] Fail to create a runspace because you have exceeded your budget to create runspace. Please wait for 61 seconds.";
        let e = psrp_failure(budget, Phase::Receive, "h", None);
        assert_eq!((e.kind(), e.fact(fact::RETRY_AFTER_MS)), (ErrorKind::Throttled, Some("61000")), "opened too often, not too many");
        let e = fault(2150859173, "This user is allowed a maximum number of 3 concurrent shells, which has been exceeded.");
        assert_eq!((e.kind(), e.fact(fact::NATIVE_ID)), (ErrorKind::Quota, Some("-2144108123")));
        assert_eq!(e.fact(fact::TENANT), Some("a.com"));
    }

    #[test]
    fn an_unknown_tenant_is_told_from_an_account_without_roles() {
        let spoken =
            "[AuthZRequestId=1][FailureCategory=AuthZ-CannotResolveTenantNameException] Unable to resolve the tenant name \"x.com\".";
        assert_eq!(psrp_failure(spoken, Phase::Receive, "h", Some("x.com")).kind(), ErrorKind::TenantNotFound);
    }

    #[test]
    fn a_failure_below_the_service_says_what_was_wrong() {
        let tls = Error::new(ErrorKind::Tls, "post", "the certificate of h has expired").with_fact(fact::NATIVE_ID, "12175");
        let e = Trouble::Road(tls).error(Phase::Open, "h", None);
        assert!(e.fact(fact::NATIVE_MESSAGE).unwrap().contains("the certificate of h has expired"));
        let plain = Error::new(ErrorKind::Tls, "post", "h:80 does not speak tls").with_fact(fact::NATIVE_ID, "12175");
        let e = Trouble::Road(plain).error(Phase::Open, "h", None);
        assert!(!e.fact(fact::NATIVE_MESSAGE).unwrap().contains("certificate"));
        let name = Error::new(ErrorKind::Connect, "post", "the name h is not known").with_fact(fact::NATIVE_ID, "ComputerNotFound");
        let e = Trouble::Road(name).error(Phase::Open, "h", None);
        assert!(e.fact(fact::NATIVE_MESSAGE).unwrap().contains("server name h cannot be resolved"));
    }

    #[test]
    fn throttling_tells_how_long() {
        let e = fault(2150859174, "The next request from this user will not be approved for at least 4711 milliseconds.");
        assert_eq!((e.kind(), e.fact(fact::RETRY_AFTER_MS)), (ErrorKind::Throttled, Some("4711")));
        assert_eq!(fault(2150859174, "for at least 99999999999999999999999 milliseconds").fact(fact::RETRY_AFTER_MS), None);
    }

    #[test]
    fn statuses_have_the_native_identities() {
        for (status, kind, id) in [
            (401, ErrorKind::Authentication, "AccessDenied"),
            (403, ErrorKind::AccessDenied, "AccessDenied"),
            (400, ErrorKind::AccessDenied, "WinRMHttpError"),
            (404, ErrorKind::TenantNotFound, "URLNotAvailable"),
            (440, ErrorKind::TenantNotFound, "WinRMHttpError"),
            (503, ErrorKind::Service, "CannotConnectWinRMService"),
            (500, ErrorKind::Service, "WinRMHttpError"),
            (418, ErrorKind::Protocol, "WinRMHttpError"),
        ] {
            let e = http(status, "text/html", "<html><style>b{}</style><b>Oh</b></html>");
            assert_eq!((e.kind(), e.fact(fact::NATIVE_ID)), (kind, Some(id)), "{status}");
            assert_eq!(e.fact(fact::HTTP_STATUS), Some(status.to_string().as_str()));
        }
        let later = Trouble::Http(HttpResponse { status: 404, ..HttpResponse::default() });
        assert_eq!(later.error(Phase::Command, "h", None).kind(), ErrorKind::Service, "the URI was right when the session opened");
        let e = http(401, "text/html", "");
        assert_eq!(
            e.fact(fact::NATIVE_MESSAGE),
            Some(
                "Connecting to remote server ps.outlook.com failed with the following error message : Access is denied. For more information, see the about_Remote_Troubleshooting Help topic."
            )
        );
    }

    #[test]
    fn a_text_in_a_page_is_nearer_to_the_cause_than_its_status() {
        let e = http(500, "text/html", "<p>[AuthZRequestId=77] The user \"a\" isn't assigned to any management roles.</p>");
        assert_eq!((e.kind(), e.fact(fact::REQUEST_ID)), (ErrorKind::AccessDenied, Some("77")));
        let e = http(500, "text/html", &format!("<p>{}", "x ".repeat(100_000)));
        assert!(e.to_string().len() < 2 * MOST_TEXT && e.fact(fact::REQUEST_ID) == Some("header-id"));
    }

    #[test]
    fn shell_and_command_are_told_apart() {
        let of = |text: &str| Trouble::Fault(Fault { code: Some(code::SHELL_NOT_FOUND), message: text.into(), ..Fault::default() }, None);
        let command = "The Windows Remote Shell received a request to perform an operation on a command identifier that does not exist.";
        assert!(
            of("the shell was not found on the server").is_shell_gone() && !of(command).is_shell_gone() && of(command).is_command_gone()
        );
    }
}
