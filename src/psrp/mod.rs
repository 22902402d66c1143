//! MS-PSRP without I/O: bytes in, events out, bytes to send, for both ends. Knows neither time, threads nor sockets.
//!
//! The client's half is a [`ClientPool`] and, for each running command, a [`ClientPipeline`] that decodes its own
//! stream; the server's half, which the simulated tenant uses, is [`ServerPool`] and [`ServerPipeline`].

mod crypto;
mod fragment;
mod message;
mod pipeline;
mod pool;

pub use crypto::{KeyExchange, SessionKey};
pub use fragment::{Defragmenter, Fragmenter};
pub use message::{Destination, HostCall, HostInfo, HostResponse, Message, MessageType, PipelineState, PoolState};
pub use pipeline::{
    Argument, ClientPipeline, Command, Merge, MetadataQuery, PipelineEvent, PowerShell, ServerPipeline, ServerPipelineEvent, Stream,
};
pub use pool::{ClientPool, PoolConfig, PoolEvent, ServerPool, ServerPoolEvent};
