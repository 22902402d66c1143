//! One running command.

use super::{Session, Wait};
use crate::clixml::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::runtime;
use crate::transport::{Channel, Record, Refusal, Taken};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

/// What [`Invocation::next`] gives.
#[derive(Debug)]
pub enum Next {
    /// A record.
    Record(Record),
    /// Nothing came within the time.
    Pending,
    /// There is nothing more.
    End,
}

/// One running command of a session. Dropped before its end, it is stopped in the background, and the session takes the
/// next command when the server has confirmed that. Every call may come from any thread; two in `next` at once share the
/// records between them.
#[derive(Debug)]
pub struct Invocation {
    channel: Arc<Channel>,
    batch: Mutex<VecDeque<Record>>,
    takes_input: bool,
    /// The session stays open as long as a command of it is held.
    session: Session,
}

impl Invocation {
    pub(super) fn new(session: Session, channel: Arc<Channel>, takes_input: bool) -> Self {
        Self { channel, batch: Mutex::default(), takes_input, session }
    }

    /// The next record, in the order the server sent them. An error is given once, and then the end: `CommandFailed` with
    /// the record where the command ended with a terminating error, `Cancelled` after a stop, `InvalidState` where the
    /// turn of this command could not come since an earlier one waits for its caller.
    pub fn next(&self, wait: Duration) -> Result<Next> {
        loop {
            if let Some(record) = lock(&self.batch).pop_front() {
                return Ok(Next::Record(record));
            }
            match runtime::wait(self.channel.take(), wait) {
                None => return Ok(Next::Pending),
                Some(Taken::Batch(batch)) => lock(&self.batch).extend(batch),
                Some(Taken::Failed(error)) => return Err(self.session.core().named(error)),
                Some(Taken::End) => return Ok(Next::End),
            }
        }
    }

    /// Waits until `next` of one of several would give something, and says of which: the first in their order. None when the
    /// time is up.
    pub fn wait_any(invocations: &[&Self], wait: Duration) -> Option<usize> {
        let mut waits: Vec<_> = invocations.iter().map(|i| Box::pin(i.ready())).collect();
        let first = pin!(poll_fn(|context| {
            match waits.iter_mut().position(|w| w.as_mut().poll(context).is_ready()) {
                Some(index) => Poll::Ready(index),
                None => Poll::Pending,
            }
        }));
        runtime::wait(first, wait)
    }

    async fn ready(&self) {
        if lock(&self.batch).is_empty() {
            self.channel.ready().await;
        }
    }

    /// One input object. Pending (not taken) while the queue is full. What a command that has ended would not read any
    /// more is taken and dropped, as PowerShell does.
    pub fn send(&self, value: Value, wait: Duration) -> Result<Wait> {
        if !self.takes_input {
            return Err(Error::new(ErrorKind::InvalidState, "send input", "the command was invoked without input"));
        }
        let Some(input) = self.channel.input() else {
            return if self.channel.is_over() {
                Ok(Wait::Ready(()))
            } else {
                Err(Error::new(ErrorKind::InvalidState, "send input", "the input has ended"))
            };
        };
        match runtime::wait(input.reserve(), wait) {
            None => Ok(Wait::Pending),
            Some(Ok(place)) => {
                place.send(value);
                Ok(Wait::Ready(()))
            }
            Some(Err(_)) => Ok(Wait::Ready(())),
        }
    }

    /// No more input will come. Without effect where it has ended already.
    pub fn end_input(&self) -> Result<()> {
        self.channel.end_input();
        Ok(())
    }

    /// Answers a host call; None for a call without a result. `InvalidArgument` where no such call waits for an answer.
    pub fn reply(&self, call_id: i64, value: Option<Value>) -> Result<()> {
        self.answer(call_id, Ok(value))
    }

    /// Refuses a host call: the command sees an error of this message and id.
    pub fn reply_error(&self, call_id: i64, message: &str, error_id: &str) -> Result<()> {
        self.answer(call_id, Err(Refusal { message: message.to_owned(), error_id: error_id.to_owned() }))
    }

    fn answer(&self, call_id: i64, result: std::result::Result<Option<Value>, Refusal>) -> Result<()> {
        if self.channel.reply(call_id, result) || self.channel.is_over() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidArgument, "answer host call", format!("no call with the id {call_id} waits for an answer")))
    }

    /// Asks the server to stop the command and returns at once; from any thread, any number of times. `next` gives what
    /// had come until then, then `Cancelled`, and then the end.
    pub fn stop(&self) {
        self.channel.stop();
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        self.channel.abandon();
    }
}
