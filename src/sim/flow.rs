//! What flows through a shell or a command: output waiting for a Receive, input and answers waiting for the pipeline.
//! Receives wait asynchronously, pipelines (which run on threads of their own) wait on a condition.

use crate::clixml::Value;
use crate::lock::lock;
use crate::psrp::HostResponse;
use crate::transport::soap::Fault;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Output that may wait for a Receive before a pipeline has to wait: about six envelopes, so that a pipeline is ahead of the
/// client but a hundred thousand mailboxes are never in memory.
const ROOM: usize = 3 * 1024 * 1024;

/// Why a pipeline must end at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The client asked for it.
    Stopped,
    /// The shell or the command is gone.
    Gone,
}

/// What a Receive gets.
#[derive(Debug)]
pub enum Taken {
    /// Fragments, and whether nothing comes after them.
    Output(Vec<Bytes>, bool),
    /// Nothing in time.
    Nothing,
    /// This instead, from now on.
    Fault(Fault),
}

#[derive(Debug, Default)]
struct State {
    /// Fragments; an empty one ends a reply.
    output: VecDeque<Bytes>,
    bytes: usize,
    finished: bool,
    stopping: bool,
    fault: Option<Fault>,
    input: VecDeque<Value>,
    input_ended: bool,
    responses: Vec<HostResponse>,
}

/// One stream of output with its input.
#[derive(Debug, Default)]
pub struct Flow {
    state: Mutex<State>,
    readable: Notify,
    changed: Condvar,
}

impl Flow {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Adds output at once.
    pub fn push(&self, fragments: Vec<Bytes>) {
        let mut state = self.lock();
        state.bytes += fragments.iter().map(Bytes::len).sum::<usize>();
        state.output.extend(fragments);
        drop(state);
        self.readable.notify_waiters();
    }

    /// Adds output when there is room for it.
    pub fn push_when_room(&self, fragments: Vec<Bytes>) -> Result<(), Ended> {
        let mut state = self.lock();
        while state.bytes > ROOM && state.ended().is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(ended) = state.ended() {
            return Err(ended);
        }
        state.bytes += fragments.iter().map(Bytes::len).sum::<usize>();
        state.output.extend(fragments);
        drop(state);
        self.readable.notify_waiters();
        Ok(())
    }

    /// What comes next begins another reply.
    pub fn end_reply(&self) {
        self.lock().output.push_back(Bytes::new());
    }

    /// Nothing more comes.
    pub fn finish(&self) {
        self.lock().finished = true;
        self.readable.notify_waiters();
    }

    /// Asks the pipeline to stop.
    pub fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Ends everything: Receives get this fault.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.lock();
        state.fault.get_or_insert(fault);
        drop(state);
        self.changed.notify_all();
        self.readable.notify_waiters();
    }

    /// Adds an input object.
    pub fn add_input(&self, value: Value) {
        self.lock().input.push_back(value);
        self.changed.notify_all();
    }

    /// No more input comes.
    pub fn end_input(&self) {
        self.lock().input_ended = true;
        self.changed.notify_all();
    }

    /// Adds the answer to a host call.
    pub fn add_response(&self, response: HostResponse) {
        self.lock().responses.push(response);
        self.changed.notify_all();
    }

    /// The next input object; none when the input has ended.
    pub fn next_input(&self) -> Result<Option<Value>, Ended> {
        self.wait_for(|state| match state.input.pop_front() {
            Some(value) => Some(Some(value)),
            None => state.input_ended.then_some(None),
        })
    }

    /// The answer to this host call.
    pub fn response(&self, call_id: i64) -> Result<HostResponse, Ended> {
        self.wait_for(|state| {
            let place = state.responses.iter().position(|r| r.call_id == call_id)?;
            Some(state.responses.swap_remove(place))
        })
    }

    /// Lets time pass.
    pub fn sleep(&self, time: Duration) -> Result<(), Ended> {
        let until = Instant::now() + time;
        let mut state = self.lock();
        loop {
            if let Some(ended) = state.ended() {
                return Err(ended);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until `there` gives something; it is asked again at every change.
    pub fn wait_until(&self, mut there: impl FnMut() -> bool) -> Result<(), Ended> {
        self.wait_for(|_| there().then_some(()))
    }

    /// Tells a waiting pipeline to look again.
    pub fn wake(&self) {
        drop(self.lock());
        self.changed.notify_all();
    }

    fn wait_for<T>(&self, mut there: impl FnMut(&mut State) -> Option<T>) -> Result<T, Ended> {
        let mut state = self.lock();
        loop {
            if let Some(ended) = state.ended() {
                return Err(ended);
            }
            if let Some(found) = there(&mut state) {
                return Ok(found);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for output until the deadline, and takes as many fragments as an envelope of this budget holds: at least one.
    /// `cost` is what a fragment of a length takes in the envelope.
    pub async fn take(&self, budget: usize, cost: impl Fn(usize) -> usize, deadline: tokio::time::Instant) -> Taken {
        loop {
            let mut waiting = std::pin::pin!(self.readable.notified());
            waiting.as_mut().enable();
            if let Some(taken) = self.try_take(budget, &cost) {
                return taken;
            }
            if tokio::time::timeout_at(deadline, waiting).await.is_err() {
                return self.try_take(budget, &cost).unwrap_or(Taken::Nothing);
            }
        }
    }

    fn try_take(&self, budget: usize, cost: &impl Fn(usize) -> usize) -> Option<Taken> {
        let mut state = self.lock();
        if let Some(fault) = &state.fault {
            return Some(Taken::Fault(fault.clone()));
        }
        let (mut taken, mut spent) = (Vec::new(), 0);
        while let Some(next) = state.output.front() {
            if next.is_empty() {
                state.output.pop_front();
                if taken.is_empty() {
                    continue;
                }
                break;
            }
            spent += cost(next.len());
            if spent > budget && !taken.is_empty() {
                break;
            }
            state.bytes -= next.len();
            taken.extend(state.output.pop_front());
        }
        let done = state.finished && state.output.is_empty();
        if taken.is_empty() && !done {
            return None;
        }
        drop(state);
        self.changed.notify_all();
        Some(Taken::Output(taken, done))
    }
}

impl State {
    fn ended(&self) -> Option<Ended> {
        if self.fault.is_some() { Some(Ended::Gone) } else { self.stopping.then_some(Ended::Stopped) }
    }
}
