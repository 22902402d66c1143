//! What both ends of a runspace pool share (MS-PSRP 3.1.5.3, 3.2.5.3): configuration, events, capability.

use super::message::typed;
use super::*;
use crate::clixml::{Property, Value};
use crate::error::{Error, ErrorKind, Result, fact};
use uuid::Uuid;

/// What a client says of itself when it opens a pool.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// Chosen by the client; also the shell's id.
    pub id: Uuid,
    /// Runspaces, 1 and 1 for a session.
    pub min_runspaces: i32,
    /// Runspaces at most.
    pub max_runspaces: i32,
    /// The client's host.
    pub host: HostInfo,
    /// ApplicationArguments: a PSPrimitiveDictionary, or Nil.
    pub application_arguments: Value,
    /// Size of a fragment at first, header included.
    pub fragment_size: usize,
    /// Bytes of one received object at most (MaximumReceivedObjectSize).
    pub object_limit: usize,
    /// Bytes received for one pipeline at most (MaximumReceivedDataSizePerCommand); None without bound.
    pub pipeline_limit: Option<usize>,
}

/// What happened to a client's pool.
#[derive(Debug)]
pub enum PoolEvent {
    /// SESSION_CAPABILITY came: protocol version, PSVersion, SerializationVersion.
    Capability(String, String, String),
    /// APPLICATION_PRIVATE_DATA came.
    PrivateData(Value),
    /// RUNSPACEPOOL_STATE came; with the ErrorRecord where the pool broke.
    State(PoolState, Option<Value>),
    /// The server asks for the session key: send what `request_key` gives.
    KeyRequested,
    /// The session key is there.
    KeyReady,
    /// RUNSPACE_AVAILABILITY came: the call's id and its result.
    Availability(i64, Value),
    /// The server calls the pool's host.
    HostCall(HostCall),
    /// USER_EVENT came: a bag of `PSEventArgs.` properties.
    UserEvent(Value),
    /// RUNSPACEPOOL_INIT_DATA came, after a connect: the runspaces at least and at most.
    InitData(i32, i32),
}

/// What a client asks of a server's pool.
#[derive(Debug)]
pub enum ServerPoolEvent {
    /// Capability and init came and were answered; the pool is opening. Application arguments and host are told.
    Opening(Value, HostInfo),
    /// The session key was exchanged and the answer is in `take_output`.
    KeyReady,
    /// A pool host call was answered.
    HostResponse(HostResponse),
    /// SET_MAX/MIN_RUNSPACES or GET_AVAILABLE_RUNSPACES came and was answered.
    Availability,
    /// RESET_RUNSPACE_STATE came and was answered: variables are to be forgotten.
    Reset,
    /// Capability and CONNECT_RUNSPACEPOOL came and were answered: announce Opened.
    Connecting,
}

/// The protocol version that this library speaks: the last one with the session key, as Exchange's servers do.
pub(super) const PROTOCOL: (u32, u32) = (2, 3);
const PS_VERSION: &str = "2.0";
const SERIALIZATION: &str = "1.1.0.1";

/// SESSION_CAPABILITY (MS-PSRP 2.2.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Capability {
    pub protocol: String,
    pub ps: String,
    pub serialization: String,
}

impl Capability {
    /// Ours, at this protocol version.
    pub fn ours(protocol: (u32, u32)) -> Self {
        Self { protocol: format!("{}.{}", protocol.0, protocol.1), ps: PS_VERSION.into(), serialization: SERIALIZATION.into() }
    }

    pub fn to_properties(&self) -> Vec<Property> {
        let version = |name, text: &str| Property::new(name, Value::Version(text.into()));
        vec![
            version("protocolversion", &self.protocol),
            version("PSVersion", &self.ps),
            version("SerializationVersion", &self.serialization),
        ]
    }

    pub fn from_value(value: &Value) -> Result<Self> {
        let version = |name| {
            typed(value, name, |v| match v.unwrapped() {
                Value::Version(text) => Some(text.clone()),
                other => other.as_str().map(str::to_owned),
            })
        };
        Ok(Self { protocol: version("protocolversion")?, ps: version("PSVersion")?, serialization: version("SerializationVersion")? })
    }

    /// The protocol version to speak with the side that says this: the lower of the two, with one major version.
    /// Both other versions have stood still since PowerShell 2 and must be equal.
    pub fn agree(&self) -> Result<(u32, u32)> {
        let refuse = |name: &str, theirs: &str, ours: &str| {
            let native = format!(
                "PowerShell client does not support the {name} {theirs} negotiated by the server. \
                 Make sure the server is compatible with the build {ours} of PowerShell."
            );
            Error::new(ErrorKind::Protocol, "negotiate versions", format!("{name} {theirs} of the other side does not go with {ours}"))
                .with_fact(fact::NATIVE_MESSAGE, native)
        };
        let protocol = version(&self.protocol).filter(|(major, _)| *major == PROTOCOL.0);
        let Some(protocol) = protocol else {
            return Err(refuse("protocolversion", &self.protocol, &format!("{}.{}", PROTOCOL.0, PROTOCOL.1)));
        };
        for (name, theirs, ours) in [("PSVersion", &self.ps, PS_VERSION), ("SerializationVersion", &self.serialization, SERIALIZATION)] {
            if theirs != ours {
                return Err(refuse(name, theirs, ours));
            }
        }
        Ok(protocol.min(PROTOCOL))
    }
}

/// Major and minor of a System.Version.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|p| p.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// The number of runspaces under this name.
pub(super) fn count(value: &Value, name: &'static str) -> Result<i32> {
    typed(value, name, |v| v.as_i64().and_then(|n| i32::try_from(n).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_agreed_as_powershell_does() {
        let theirs = |protocol: &str, ps: &str, serialization: &str| {
            Capability { protocol: protocol.into(), ps: ps.into(), serialization: serialization.into() }.agree()
        };
        for (protocol, agreed) in [("2.0", (2, 0)), ("2.1", (2, 1)), ("2.2", (2, 2)), ("2.3", (2, 3)), ("2.4", (2, 3)), ("2.103", (2, 3))] {
            assert_eq!(theirs(protocol, "2.0", "1.1.0.1").unwrap(), agreed);
        }
        for (protocol, ps, serialization, name) in [
            ("3.0", "2.0", "1.1.0.1", "protocolversion 3.0"),
            ("1.9", "2.0", "1.1.0.1", "protocolversion 1.9"),
            ("two", "2.0", "1.1.0.1", "protocolversion two"),
            ("2.3", "3.0", "1.1.0.1", "PSVersion 3.0"),
            ("2.3", "2.0", "1.2", "SerializationVersion 1.2"),
        ] {
            let error = theirs(protocol, ps, serialization).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.to_string().contains(name), "{error}");
            assert!(error.fact(fact::NATIVE_MESSAGE).unwrap().contains(&format!("{name} negotiated by the server")));
        }
    }
}
