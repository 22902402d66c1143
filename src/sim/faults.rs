//! Faults on demand: `kind[=value][@operation[:n]]`, armed before the start, by the builder or by `POST /sim/faults`.

use super::entra;
use super::rest::ErrorShape;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The reply comes so late, or as soon as the faults are disarmed.
    Delay(Duration),
    /// The connection ends in the middle of the reply.
    Drop,
    /// The connection ends without a reply.
    HangUp,
    /// No reply ever comes; the connection stays.
    Stall,
    /// Content-Length promises more than comes, and the connection stays open.
    Length,
    /// The HTTP reply never ends.
    Flood,
    /// One object of a stream never ends.
    FloodObject,
    /// The last fragment lacks its end.
    Truncated,
    /// A stream is not base64.
    BadBase64,
    /// The envelope is not XML.
    MalformedXml,
    /// The envelope holds the answer to something else.
    WrongElement,
    /// The stream holds a message of a type that does not exist.
    WrongMessage,
    /// An HTTP status with an HTML page.
    Status(u16),
    /// The shell is gone.
    ShellGone,
    /// The runspace pool breaks.
    BrokenPool,
    /// The credential is refused from now on, and its shells are closed.
    TokenExpiry,
    /// The shell opens in the account's own organization, whichever was asked for.
    OwnTenant,
    /// 429, with Retry-After in seconds or without.
    Throttled(Option<u64>),
    /// 503 or another status as the REST road and the authority word it.
    Unavailable(u16),
    /// 401 with a claims challenge; the token is refused until one with the claims comes.
    ClaimsChallenge,
    /// 403 with thousands of NULs.
    NulForbidden,
    /// The page token has expired.
    ExpiredPage,
    /// The body is not JSON.
    MalformedJson,
    /// Content-Encoding says gzip, and it is not.
    GzipLie,
    /// Errors have this shape.
    ErrorShape(ErrorShape),
    /// The authority's error of this number.
    Aadsts(u32),
    /// The authority's error of this name.
    OAuth(&'static str),
}

const OAUTH: [&str; 5] = ["authorization_pending", "slow_down", "expired_token", "authorization_declined", "access_denied"];

/// Every kind by name, with what it does, for help texts.
pub const KINDS: &[(&str, &str)] = &[
    ("delay=MS", "the reply comes so much later"),
    ("drop", "the connection ends in the middle of the reply"),
    ("hang-up", "the connection ends without a reply"),
    ("stall", "no reply ever comes"),
    ("length", "Content-Length promises more than comes"),
    ("flood", "the HTTP reply never ends"),
    ("flood-object", "one object of a stream never ends"),
    ("truncated", "the last fragment of a reply lacks its end"),
    ("bad-base64", "a stream is not base64"),
    ("malformed-xml", "the envelope is not XML"),
    ("wrong-element", "the envelope answers something else"),
    ("wrong-message", "a stream holds a message of an unknown type"),
    ("400 401 403 404 440 503", "this HTTP status with an HTML page"),
    ("shell-gone", "the shell is gone"),
    ("broken-pool", "the runspace pool breaks"),
    ("own-tenant", "a Create opens its shell in the account's own organization, whichever was asked for"),
    ("token-expiry", "the credential is refused from now on and its shells are closed"),
];

/// Those of the REST road and the authority.
pub const REST_KINDS: &[(&str, &str)] = &[
    ("throttled[=SECONDS]", "429, with Retry-After or without"),
    ("unavailable[=STATUS]", "503 or this status in the road's own words"),
    ("claims-challenge", "401 until a token with more claims comes"),
    ("nul-403", "403 with thousands of NULs for a body"),
    ("expired-page", "the page token has expired"),
    ("malformed-json", "the body is not JSON"),
    ("gzip-lie", "Content-Encoding says gzip, and it is not"),
    ("error-shape=SHAPE", "errors in the shape hex, bar, json, localized or inner"),
    ("aadsts=CODE", "the authority's error of this number"),
    ("oauth=ERROR", "the authority's error slow_down, expired_token, …"),
];

/// What a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Any of the others.
    Any,
    /// Opens a shell.
    Create,
    /// Starts a command.
    Command,
    /// Sends input.
    Send,
    /// Waits for a command's output.
    Receive,
    /// Waits for the pool's output.
    PoolReceive,
    /// Stops or releases a command.
    Signal,
    /// Closes a shell.
    Delete,
    /// InvokeCommand.
    Rest,
    /// A further page of one.
    Page,
    /// $batch.
    Batch,
    /// EXOModuleFile, EXOBanner and the like.
    Module,
    /// The token endpoint.
    Token,
    /// The device code's.
    Device,
    /// The sign-in page.
    Authorize,
    /// openid-configuration.
    Discovery,
}

impl Operation {
    /// Its name in faults and statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Create => "create",
            Self::Command => "command",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::PoolReceive => "pool",
            Self::Signal => "signal",
            Self::Delete => "delete",
            Self::Rest => "rest",
            Self::Page => "page",
            Self::Batch => "batch",
            Self::Module => "module",
            Self::Token => "token",
            Self::Device => "devicecode",
            Self::Authorize => "authorize",
            Self::Discovery => "discovery",
        }
    }

    /// Those of the endpoint.
    pub const ALL: [Self; 8] =
        [Self::Any, Self::Create, Self::Command, Self::Send, Self::Receive, Self::PoolReceive, Self::Signal, Self::Delete];

    /// Those of the REST road and the authority.
    pub const REST: [Self; 8] =
        [Self::Rest, Self::Page, Self::Batch, Self::Module, Self::Token, Self::Device, Self::Authorize, Self::Discovery];
}

/// Something that goes wrong once, or at every operation from the n-th on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// At which operation.
    pub operation: Operation,
    /// At which of them, from 1, counted from the moment it is armed.
    pub nth: u32,
    /// Not only once.
    pub always: bool,
}

impl Fault {
    /// At the first operation of this kind.
    pub fn new(kind: FaultKind, operation: Operation) -> Self {
        Self { kind, operation, nth: 1, always: false }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{}:{}{}", self.kind, self.operation.name(), self.nth, if self.always { "+" } else { "" })
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: String| Error::new(ErrorKind::InvalidArgument, "read fault", why);
        let (kind, place) = text.trim().split_once('@').unwrap_or((text.trim(), ""));
        let (name, value) = kind.split_once('=').unwrap_or((kind, ""));
        let kind = match name {
            "delay" => {
                FaultKind::Delay(Duration::from_millis(value.parse().map_err(|_| bad(format!("'{value}' is no number of milliseconds")))?))
            }
            "drop" => FaultKind::Drop,
            "hang-up" => FaultKind::HangUp,
            "stall" => FaultKind::Stall,
            "length" => FaultKind::Length,
            "flood" => FaultKind::Flood,
            "flood-object" => FaultKind::FloodObject,
            "truncated" => FaultKind::Truncated,
            "bad-base64" => FaultKind::BadBase64,
            "malformed-xml" => FaultKind::MalformedXml,
            "wrong-element" => FaultKind::WrongElement,
            "wrong-message" => FaultKind::WrongMessage,
            "shell-gone" => FaultKind::ShellGone,
            "broken-pool" => FaultKind::BrokenPool,
            "token-expiry" => FaultKind::TokenExpiry,
            "own-tenant" => FaultKind::OwnTenant,
            "throttled" => FaultKind::Throttled(match value {
                "" => None,
                seconds => Some(seconds.parse().map_err(|_| bad(format!("'{seconds}' is no number of seconds")))?),
            }),
            "unavailable" => FaultKind::Unavailable(match value {
                "" => 503,
                status => status.parse().ok().filter(|s| (400..600).contains(s)).ok_or_else(|| bad(format!("'{status}' is no status")))?,
            }),
            "claims-challenge" => FaultKind::ClaimsChallenge,
            "nul-403" => FaultKind::NulForbidden,
            "expired-page" => FaultKind::ExpiredPage,
            "malformed-json" => FaultKind::MalformedJson,
            "gzip-lie" => FaultKind::GzipLie,
            "error-shape" => {
                let shape = ErrorShape::ALL.iter().find(|s| s.0 == value);
                FaultKind::ErrorShape(shape.ok_or_else(|| bad(format!("no error has the shape '{value}'")))?.1)
            }
            "aadsts" => {
                let code = value.parse().ok().filter(|c| entra::known_code(*c));
                FaultKind::Aadsts(code.ok_or_else(|| bad(format!("no error of the authority has the number '{value}' here")))?)
            }
            "oauth" => {
                let error = OAUTH.into_iter().find(|e| *e == value);
                FaultKind::OAuth(error.ok_or_else(|| bad(format!("no error is called '{value}'; there are {}", OAUTH.join(", "))))?)
            }
            _ => match name.parse() {
                Ok(status @ (400 | 401 | 403 | 404 | 429 | 440 | 500 | 503 | 504)) => FaultKind::Status(status),
                _ => {
                    let known = KINDS.iter().chain(REST_KINDS).map(|k| k.0).collect::<Vec<_>>().join(", ");
                    return Err(bad(format!("no fault is called '{name}'; there are {known}")));
                }
            },
        };
        let (operation, nth) = place.split_once(':').unwrap_or((place, ""));
        let operation = match operation {
            "" => Operation::Any,
            name => Operation::ALL.into_iter().chain(Operation::REST).find(|o| o.name() == name).ok_or_else(|| {
                let known = Operation::ALL.into_iter().chain(Operation::REST).map(Operation::name).collect::<Vec<_>>().join(", ");
                bad(format!("no operation is called '{name}'; there are {known}"))
            })?,
        };
        let (nth, always) = nth.strip_suffix('+').map_or((nth, false), |n| (n, true));
        let nth = match nth {
            "" => 1,
            n => n.parse().ok().filter(|n| *n > 0).ok_or_else(|| bad(format!("'{n}' is no number from 1")))?,
        };
        Ok(Self { kind, operation, nth, always })
    }
}

/// When a fault acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the operation is carried out.
    Request,
    /// On the reply; `streams` tells whether it carries any stream.
    Reply {
        /// The reply has output in it.
        streams: bool,
    },
    /// Where an error may have to be put into a shape.
    Shape,
}

impl FaultKind {
    fn acts(&self, phase: Phase) -> bool {
        match self {
            Self::Truncated | Self::BadBase64 | Self::WrongMessage | Self::FloodObject => matches!(phase, Phase::Reply { streams: true }),
            Self::Drop | Self::Length | Self::Flood | Self::MalformedXml | Self::WrongElement | Self::MalformedJson | Self::GzipLie => {
                matches!(phase, Phase::Reply { .. })
            }
            Self::ErrorShape(_) => phase == Phase::Shape,
            _ => phase == Phase::Request,
        }
    }
}

/// The armed faults.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Mutex<Vec<Fault>>,
    served: AtomicU64,
    cleared: watch::Sender<()>,
}

impl Faults {
    /// Arms one more.
    pub fn arm(&self, fault: Fault) {
        lock(&self.armed).push(fault);
    }

    /// Disarms all.
    pub fn clear(&self) {
        lock(&self.armed).clear();
        self.cleared.send_replace(());
    }

    /// Tells of the next time that all are disarmed. To be had before the operation is counted, by which others know when to disarm.
    pub fn cleared(&self) -> watch::Receiver<()> {
        self.cleared.subscribe()
    }

    /// How many went off.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// The fault that goes off now, if one does. Each call counts as one operation for the faults that act in this phase.
    pub fn fire(&self, operation: Operation, phase: Phase) -> Option<FaultKind> {
        let mut armed = lock(&self.armed);
        let mut due = None;
        for (place, fault) in armed.iter_mut().enumerate() {
            if !(fault.operation == operation || fault.operation == Operation::Any) || !fault.kind.acts(phase) {
                continue;
            }
            if fault.nth > 1 {
                fault.nth -= 1;
            } else if due.is_none() {
                due = Some(place);
            }
        }
        let place = due?;
        self.served.fetch_add(1, Ordering::Relaxed);
        let kind = armed[place].kind.clone();
        if !armed[place].always {
            armed.remove(place);
        }
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let fault: Fault = "delay=250@receive:3".parse().unwrap();
        let expected = Fault { kind: FaultKind::Delay(Duration::from_millis(250)), operation: Operation::Receive, nth: 3, always: false };
        assert_eq!(fault, expected);
        assert_eq!("503".parse::<Fault>().unwrap(), Fault::new(FaultKind::Status(503), Operation::Any));
        assert!("stall@pool:2+".parse::<Fault>().unwrap().always);
        for bad in ["", "explode", "delay=soon", "drop@tuesday", "drop@create:0", "777"] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fault_goes_off_at_its_turn_and_once() {
        let faults = Faults::default();
        faults.arm("hang-up@command:2".parse().unwrap());
        assert_eq!(faults.fire(Operation::Command, Phase::Request), None);
        assert_eq!(faults.fire(Operation::Create, Phase::Request), None);
        assert_eq!(faults.fire(Operation::Command, Phase::Reply { streams: true }), None);
        assert_eq!(faults.fire(Operation::Command, Phase::Request), Some(FaultKind::HangUp));
        assert_eq!(faults.fire(Operation::Command, Phase::Request), None);
        assert_eq!(faults.served(), 1);
    }
}
