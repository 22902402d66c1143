//! Receives on one stream, the shell's own or a command's: one is always on its way.

use super::Road;
use super::faults::{Phase, Trouble};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::http::may_have_arrived;
use crate::transport::soap::{self, Request, Response};
use bytes::Bytes;
use memchr::memmem;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often a Receive that certainly did not reach the server is sent anew.
const TRIES: u32 = 5;

/// Above this size the next Receive is sent before the reply is read.
const LARGE_REPLY: usize = 16 * 1024;

/// CommandState stands at the end of a reply, before a few closing tags.
const TAIL: usize = 1024;

type Fetched = std::result::Result<Bytes, Trouble>;

/// Reads one stream to its end.
pub(super) struct Receives {
    road: Arc<Road>,
    command_id: Option<String>,
    next: Option<Fetch>,
}

/// A Receive on its way. It runs as a task of its own, so that the reply is read while the one before it is decoded.
struct Fetch(JoinHandle<Fetched>);

impl Drop for Fetch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One reply: the pieces of our stream in order, and whether the command is done.
pub(super) struct Received {
    pub(super) pieces: Vec<Bytes>,
    pub(super) done: bool,
}

impl Receives {
    pub(super) fn new(road: Arc<Road>, command_id: Option<String>) -> Self {
        Self { road, command_id, next: None }
    }

    fn begin(&mut self) {
        if self.next.is_none() {
            let road = Arc::clone(&self.road);
            let command_id = self.command_id.clone();
            self.next = Some(Fetch(tokio::spawn(async move { road.fetch(command_id).await })));
        }
    }

    /// The next reply that says something. Time-outs of the server's are no news.
    pub(super) async fn reply(&mut self) -> std::result::Result<Received, Trouble> {
        let mut failures = 0;
        loop {
            self.begin();
            let Some(fetch) = &mut self.next else { continue };
            let fetched = (&mut fetch.0).await;
            self.next = None;
            let fetched = fetched.map_err(|e| Error::new(ErrorKind::Internal, "receive", "the task that receives ended").with_source(e))?;
            let text = match fetched {
                Ok(text) => text,
                Err(Trouble::Road(error)) if !may_have_arrived(&error) && failures + 1 < TRIES => {
                    failures += 1;
                    tokio::time::sleep(Duration::from_millis(200) * failures).await;
                    continue;
                }
                Err(trouble) => return Err(trouble),
            };
            if text.len() > LARGE_REPLY && memmem::find(&text[text.len() - TAIL..], b"CommandState/Done").is_none() {
                self.begin();
                // A task that was just spawned waits in a slot of this very thread, from which no other takes it.
                tokio::task::yield_now().await;
            }
            let envelope = soap::read_response(&text)?;
            let (streams, done) = match envelope.body {
                Ok(Response::Received { streams, done }) => (streams, done),
                Ok(_) => return Err(unexpected("Receive").into()),
                Err(fault) => match Trouble::Fault(fault, envelope.activity_id) {
                    trouble if trouble.is_timeout() => continue,
                    trouble => return Err(trouble),
                },
            };
            let done = done.is_some();
            if !done {
                self.begin();
            }
            let ours = |id: &Option<String>| match (id, &self.command_id) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                (None, _) => true,
                (Some(_), None) => false,
            };
            let pieces: Vec<Bytes> = streams.into_iter().filter(|s| s.name == "stdout" && ours(&s.command_id)).map(|s| s.data).collect();
            let pieces: Vec<Bytes> = pieces.into_iter().filter(|p| !p.is_empty()).collect();
            if done || !pieces.is_empty() {
                return Ok(Received { pieces, done });
            }
        }
    }
}

pub(super) fn unexpected(request: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "read reply", format!("the reply does not answer a {request}"))
}

impl Road {
    async fn fetch(&self, command_id: Option<String>) -> Fetched {
        let keep_alive = vec![(String::from("WSMAN_CMDSHELL_OPTION_KEEPALIVE"), String::from("TRUE"), false)];
        self.post(Request::Receive { command_id }, keep_alive, self.reply_limit()).await
    }

    /// What a failed request of a command's means for the session: lost with its connection, or with its shell. A
    /// refused credential (a token that expired) ends the command alone; whether the session ends, the pool's own next
    /// Receive tells.
    pub(super) fn command_error(&self, trouble: Trouble, phase: Phase) -> Error {
        let lost = match &trouble {
            Trouble::Road(error) => may_have_arrived(error),
            other => other.is_shell_gone(),
        };
        let error = self.error(trouble, phase);
        if lost {
            self.lose(&error);
        }
        error
    }
}

/// The text of the state's reason, for people.
pub(super) fn reason_text(reason: Option<&crate::clixml::Value>, otherwise: &str) -> String {
    reason.and_then(crate::transport::record::error_message).unwrap_or_else(|| otherwise.to_owned())
}

pub(super) type Outcome = Result<()>;
