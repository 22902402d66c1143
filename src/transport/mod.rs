//! The contract of every road: open, invoke -> records, close.

mod command;
pub mod http;
mod options;
mod record;
pub mod soap;

pub use command::{Command, Work};
pub use options::Options;
pub use record::{HostCallHead, Record, RecordKind};
