//! Sessions on a customer's Exchange organization, on behalf of a partner.
//!
//! One way down, each module using only what stands below it:
//!
//! ```text
//! ffi            the C ABI: every exported function, every shared `unsafe`
//! session        one tenant: connect, invoke, disconnect
//! transport      the contract (open, invoke -> records, close) and its roads
//!   wsman        WS-Management: runs psrp over soap over http
//!   rest         Exchange Online's REST cmdlet API: pipelines run here, cmdlet by cmdlet
//!   soap         envelopes and faults, text <-> types, both directions; opaque payloads
//!   oauth        tokens of Microsoft Entra ID: every way to sign in; kept in memory
//!   http         the only file that names reqwest
//! ledger         which shells the processes of this user have open; files and locks, no network
//! psrp           MS-PSRP without I/O, both ends: fragments, messages, pool, pipelines, session key
//! clixml         CLIXML <-> Value, without I/O
//! xml            the only XML reading and writing
//! error, secret, lock   used by all
//! runtime        the tokio runtime
//! sim            a simulated tenant: psrp's and soap's server halves, the REST road, the token endpoint (feature `sim`)
//! ```
//!
//! Invariants, each held by a test in `tests/it`:
//! - a command that may have run is never sent again;
//! - every shell that a Create may have opened is deleted, by the next who connects where the process was killed;
//! - `psrp` and `clixml` know neither time, threads nor sockets;
//! - what a server sends is bounded in size and depth before it is believed;
//! - a secret is a `Secret` from the moment it comes in.

pub mod clixml;
pub mod error;
mod ffi;
mod ledger;
mod lock;
pub mod psrp;
mod runtime;
pub mod secret;
pub mod session;
#[cfg(feature = "sim")]
pub mod sim;
pub mod transport;
pub mod xml;

pub use error::{Error, ErrorKind, Result};
pub use ffi::*;
