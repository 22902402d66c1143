//! MS-PSRP without I/O: bytes in, events out, bytes to send, for both ends. Knows neither time, threads nor sockets.
//!
//! The client's half is a [`ClientPool`] and, for each running command, a [`ClientPipeline`] that decodes its own
//! stream; the server's half, which the simulated tenant uses, is [`ServerPool`] and [`ServerPipeline`].

mod client;
mod command;
mod crypto;
mod fragment;
mod host;
mod message;
mod pipeline;
mod pool;
mod references;
mod server;
mod types;

pub use client::ClientPool;
pub use command::{Argument, Command, Merge, MetadataQuery, PowerShell};
pub use crypto::{KeyExchange, SessionKey};
pub use fragment::{Defragmenter, Fragmenter};
pub use host::{HOST_METHODS, HostCall, HostInfo, HostResponse};
pub use message::{Destination, Message, MessageType, PipelineState, PoolState};
pub use pipeline::{ClientPipeline, PipelineEvent, ServerPipeline, ServerPipelineEvent, Stream};
pub use pool::{PoolConfig, PoolEvent, ServerPoolEvent};
pub use server::ServerPool;
