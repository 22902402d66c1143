//! The contract of every road: open, invoke -> records, close.

mod channel;
mod command;
mod description;
pub mod http;
pub mod oauth;
mod options;
mod reach;
mod record;
mod renewal;
mod rest;
mod road;
pub mod soap;
mod status;
mod text_list;
mod wsman;

pub use channel::COLLECTED_BYTES;
pub(crate) use channel::{Channel, Intake, Refusal, Reply, Taken, Turn, Turns};
pub use command::{Command, Work};
pub(crate) use http::probe::{Part, Passage};
pub use options::Options;
pub use record::{HostCallHead, Record, RecordKind};
pub(crate) use renewal::{Secrets, Wanted};
pub(crate) use road::{Listener, Road};
pub use status::State;
pub(crate) use status::Status;
pub use text_list::TextList;
