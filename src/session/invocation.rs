//! One running command.

use super::Wait;
use crate::clixml::Value;
use crate::error::Result;
use crate::transport::Record;
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

/// One running command of a session. Dropped before its end, it is stopped in the background.
#[derive(Debug)]
pub struct Invocation {}

impl Invocation {
    /// The next record, in the order the server sent them. An error is given once, and then the end: `CommandFailed` with
    /// the record where the command ended with a terminating error, `Cancelled` after a stop.
    pub fn next(&mut self, wait: Duration) -> Result<Next> {
        let _ = wait;
        todo!()
    }

    /// One input object. Pending (not taken) while the queue is full.
    pub fn send(&self, value: Value, wait: Duration) -> Result<Wait> {
        let _ = (value, wait);
        todo!()
    }

    /// No more input will come.
    pub fn end_input(&self) -> Result<()> {
        todo!()
    }

    /// Answers a host call; None for a call without a result.
    pub fn reply(&self, call_id: i64, value: Option<Value>) -> Result<()> {
        let _ = (call_id, value);
        todo!()
    }

    /// Refuses a host call: the command sees an error of this message and id.
    pub fn reply_error(&self, call_id: i64, message: &str, error_id: &str) -> Result<()> {
        let _ = (call_id, message, error_id);
        todo!()
    }

    /// Asks the server to stop the command and returns at once. `next` goes on to the end.
    pub fn stop(&self) {
        self.stopper().stop();
    }

    /// The way to stop the command from another thread, while this one waits in `next`.
    pub fn stopper(&self) -> Stopper {
        todo!()
    }
}

/// Stops one invocation, from any thread, any number of times, also after its end.
#[derive(Debug, Clone)]
pub struct Stopper {}

impl Stopper {
    /// Asks the server to stop the command and returns at once.
    pub fn stop(&self) {
        todo!()
    }
}
