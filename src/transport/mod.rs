//! The contract of every road: open, invoke -> records, close.

mod channel;
mod command;
pub mod http;
mod options;
mod record;
pub mod soap;
mod status;
mod text_list;
mod wsman;

pub use channel::COLLECTED_BYTES;
pub(crate) use channel::{Channel, Intake, Refusal, Reply, Taken, Turn, Turns, lock};
pub use command::{Command, Work};
pub use options::Options;
pub use record::{HostCallHead, Record, RecordKind};
pub use status::State;
pub(crate) use status::Status;
pub use text_list::TextList;
pub(crate) use wsman::Road;
