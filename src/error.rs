//! What can go wrong, once: the kind, and one exhaustive table per column.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The result of everything fallible in this crate.
pub type Result<T> = std::result::Result<T, Error>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, in the terms of the person who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// An argument or option cannot be used as given.
    InvalidArgument,
    /// The handle is not in a state that allows the action.
    InvalidState,
    /// The road or the server cannot do this.
    Unsupported,
    /// The server does not accept the credential.
    Authentication,
    /// The credential is good, but is not allowed to do this in this tenant.
    AccessDenied,
    /// The server knows no such tenant, host or endpoint.
    TenantNotFound,
    /// The session is on another organization than the one asked for, or the server does not tell on which.
    WrongOrganization,
    /// The server sends the caller elsewhere and the caller has not consented.
    Redirected,
    /// No connection could be made.
    Connect,
    /// The connection is not trustworthy: certificate, name or protocol.
    Tls,
    /// Nothing came within the time allowed.
    Timeout,
    /// The session was lost: connection broken, shell gone, pool broken.
    Disconnected,
    /// The service asks for patience.
    Throttled,
    /// Too many sessions are open for this account.
    Quota,
    /// The service failed.
    Service,
    /// The other side does not speak the protocol.
    Protocol,
    /// The remote command ended with a terminating error; the record is attached.
    CommandFailed,
    /// The caller cancelled.
    Cancelled,
    /// A defect of this library.
    Internal,
    /// A panic was caught at the C boundary.
    Panic,
}

/// Whether trying again can help. Advice to the caller; the library itself never sends a command again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Retry {
    /// Trying again gives the same error.
    No = 0,
    /// Trying again may work.
    Yes = 1,
    /// With another credential.
    NewCredential = 2,
    /// With consent to the redirection.
    WithConsent = 3,
    /// After the delay the error tells.
    AfterDelay = 4,
    /// After closing another session.
    AfterClosing = 5,
    /// In a new session.
    Reconnect = 6,
    /// The command may have run: only the caller can know.
    CallerDecides = 7,
}

impl ErrorKind {
    /// The number in `dt_status`; never reused.
    pub const fn status(self) -> i32 {
        match self {
            Self::InvalidArgument => 100,
            Self::InvalidState => 101,
            Self::Unsupported => 102,
            Self::Authentication => 200,
            Self::AccessDenied => 201,
            Self::TenantNotFound => 202,
            Self::Redirected => 203,
            Self::WrongOrganization => 204,
            Self::Connect => 300,
            Self::Tls => 301,
            Self::Timeout => 302,
            Self::Disconnected => 303,
            Self::Throttled => 400,
            Self::Quota => 401,
            Self::Service => 402,
            Self::Protocol => 500,
            Self::CommandFailed => 600,
            Self::Cancelled => 700,
            Self::Internal => 900,
            Self::Panic => 901,
        }
    }

    /// The error id, as in a FullyQualifiedErrorId, when the remote or native side gives none.
    pub const fn error_id(self) -> &'static str {
        match self {
            Self::InvalidArgument => "InvalidArgument",
            Self::InvalidState => "SessionNotUsable",
            Self::Unsupported => "NotSupported",
            Self::Authentication => "AuthenticationFailed",
            Self::AccessDenied => "DelegatedAccessDenied",
            Self::TenantNotFound => "TenantNotFound",
            Self::WrongOrganization => "WrongOrganization",
            Self::Redirected => "RedirectRequired",
            Self::Connect => "ConnectionFailed",
            Self::Tls => "TlsFailed",
            Self::Timeout => "OperationTimedOut",
            Self::Disconnected => "SessionLost",
            Self::Throttled => "ServiceThrottled",
            Self::Quota => "SessionQuotaExceeded",
            Self::Service => "ServiceFault",
            Self::Protocol => "ProtocolViolation",
            Self::CommandFailed => "RemoteCommandFailed",
            Self::Cancelled => "OperationCancelled",
            Self::Internal => "InternalError",
            Self::Panic => "InternalPanic",
        }
    }

    /// The name of PowerShell's ErrorCategory.
    pub const fn category(self) -> &'static str {
        match self {
            Self::InvalidArgument => "InvalidArgument",
            Self::InvalidState => "InvalidOperation",
            Self::Unsupported => "NotImplemented",
            Self::Authentication => "AuthenticationError",
            Self::AccessDenied => "PermissionDenied",
            Self::TenantNotFound => "ObjectNotFound",
            Self::WrongOrganization => "SecurityError",
            Self::Redirected => "OpenError",
            Self::Connect => "ConnectionError",
            Self::Tls => "SecurityError",
            Self::Timeout => "OperationTimeout",
            Self::Disconnected => "ConnectionError",
            Self::Throttled => "LimitsExceeded",
            Self::Quota => "QuotaExceeded",
            Self::Service => "ResourceUnavailable",
            Self::Protocol => "ProtocolError",
            Self::CommandFailed => "NotSpecified",
            Self::Cancelled => "OperationStopped",
            Self::Internal => "InvalidResult",
            Self::Panic => "InvalidResult",
        }
    }

    /// Whether trying again can help.
    pub const fn retry(self) -> Retry {
        match self {
            Self::InvalidArgument => Retry::No,
            Self::InvalidState => Retry::No,
            Self::Unsupported => Retry::No,
            Self::Authentication => Retry::NewCredential,
            Self::AccessDenied => Retry::No,
            Self::TenantNotFound => Retry::No,
            Self::WrongOrganization => Retry::No,
            Self::Redirected => Retry::WithConsent,
            Self::Connect => Retry::Yes,
            Self::Tls => Retry::No,
            Self::Timeout => Retry::CallerDecides,
            Self::Disconnected => Retry::Reconnect,
            Self::Throttled => Retry::AfterDelay,
            Self::Quota => Retry::AfterClosing,
            Self::Service => Retry::Yes,
            Self::Protocol => Retry::No,
            Self::CommandFailed => Retry::No,
            Self::Cancelled => Retry::No,
            Self::Internal => Retry::No,
            Self::Panic => Retry::No,
        }
    }

    /// Every kind, in the order of the status numbers.
    pub const ALL: [Self; 20] = [
        Self::InvalidArgument,
        Self::InvalidState,
        Self::Unsupported,
        Self::Authentication,
        Self::AccessDenied,
        Self::TenantNotFound,
        Self::Redirected,
        Self::WrongOrganization,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Disconnected,
        Self::Throttled,
        Self::Quota,
        Self::Service,
        Self::Protocol,
        Self::CommandFailed,
        Self::Cancelled,
        Self::Internal,
        Self::Panic,
    ];
}

/// The names of PowerShell's ErrorCategory by their numbers (MS-PSRP 2.2.3.9).
pub(crate) const CATEGORIES: [&str; 32] = [
    "NotSpecified",
    "OpenError",
    "CloseError",
    "DeviceError",
    "DeadlockDetected",
    "InvalidArgument",
    "InvalidData",
    "InvalidOperation",
    "InvalidResult",
    "InvalidType",
    "MetadataError",
    "NotImplemented",
    "NotInstalled",
    "ObjectNotFound",
    "OperationStopped",
    "OperationTimeout",
    "SyntaxError",
    "ParserError",
    "PermissionDenied",
    "ResourceBusy",
    "ResourceExists",
    "ResourceUnavailable",
    "ReadError",
    "WriteError",
    "FromStdErr",
    "SecurityError",
    "ProtocolError",
    "ConnectionError",
    "AuthenticationError",
    "LimitsExceeded",
    "QuotaExceeded",
    "NotEnabled",
];

/// The names under which an error carries facts. One list, so that a reader of errors knows what to ask for.
pub mod fact {
    /// The delegated organization asked for.
    pub const TENANT: &str = "tenant";
    /// The host talked to.
    pub const HOST: &str = "host";
    /// The HTTP status, in decimal.
    pub const HTTP_STATUS: &str = "http_status";
    /// The server's own id for the request.
    pub const REQUEST_ID: &str = "request_id";
    /// "no" where a failed request certainly did not reach the server, "maybe" otherwise.
    pub const REQUEST_SENT: &str = "request_sent";
    /// The WSManFault code, in decimal.
    pub const FAULT_CODE: &str = "fault_code";
    /// The number of Microsoft Entra ID's error, such as `AADSTS50126`.
    pub const AUTHORITY_CODE: &str = "authority_code";
    /// The certificate that a server showed: to whom it is made out, by whom, and for how long.
    pub const CERTIFICATE: &str = "certificate";
    /// How long the service asks to wait, in milliseconds.
    pub const RETRY_AFTER_MS: &str = "retry_after_ms";
    /// Where the server redirects to.
    pub const REDIRECT_LOCATION: &str = "redirect_location";
    /// The name (or signed decimal code) that PowerShell's own cmdlets put before `,PSSessionOpenFailed`.
    pub const NATIVE_ID: &str = "native_id";
    /// The signed decimal ErrorCode of the PSRemotingTransportException that the native cmdlets give.
    pub const NATIVE_CODE: &str = "native_code";
    /// The whole message in the words of the native cmdlets, with its prefix for the phase.
    pub const NATIVE_MESSAGE: &str = "native_message";
    /// One sentence for the user: what to do about it.
    pub const REMEDY: &str = "remedy";
}

/// An error, told to as many as ask: its kind, what was being done, what came, and facts by name. Never a token or a password.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    context: &'static str,
    detail: Cow<'static, str>,
    facts: Vec<(&'static str, String)>,
    record: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// `context` is what was being done ("open shell"), `detail` what came; both lower case, one clause, no full stop.
    pub fn new(kind: ErrorKind, context: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, context, detail: detail.into(), facts: Vec::new(), record: None, source: None }))
    }

    /// The same with what lies beneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// The same with one more fact; the first value under a name stays.
    #[must_use]
    pub fn with_fact(mut self, name: &'static str, value: impl ToString) -> Self {
        if self.fact(name).is_none() {
            self.0.facts.push((name, value.to_string()));
        }
        self
    }

    /// The same with other advice.
    #[must_use]
    pub fn with_remedy(mut self, text: impl Into<String>) -> Self {
        self.0.facts.retain(|(name, _)| *name != fact::REMEDY);
        self.with_fact(fact::REMEDY, text.into())
    }

    /// The same with the remote ErrorRecord, as one CLIXML document.
    #[must_use]
    pub fn with_record(mut self, clixml: String) -> Self {
        self.0.record = Some(clixml);
        self
    }

    /// The same, told in terms of what the caller wanted rather than of the step that failed.
    #[must_use]
    pub fn with_context(mut self, context: &'static str) -> Self {
        self.0.context = context;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was being done.
    pub fn context(&self) -> &'static str {
        self.0.context
    }

    /// What came.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// One fact; the names are in [`fact`].
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.0.facts.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// Every fact.
    pub fn facts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.facts.iter().map(|(n, v)| (*n, v.as_str()))
    }

    /// The remote ErrorRecord as one CLIXML document, where the remote side sent one.
    pub fn record(&self) -> Option<&str> {
        self.0.record.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.context, self.0.detail)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("context", &self.0.context)
            .field("detail", &self.0.detail)
            .field("facts", &self.0.facts)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| s.as_ref() as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_numbers_are_distinct_and_ascending() {
        assert!(ErrorKind::ALL.windows(2).all(|w| w[0].status() < w[1].status()));
    }

    #[test]
    fn the_first_value_of_a_fact_stays() {
        let e = Error::new(ErrorKind::Connect, "open shell", "refused").with_fact(fact::HOST, "a").with_fact(fact::HOST, "b");
        assert_eq!(e.fact(fact::HOST), Some("a"));
        assert_eq!(e.to_string(), "open shell: refused");
    }
}
