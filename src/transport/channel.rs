//! Between the caller of one command and the road that runs it: records one way, input and answers the other.

use super::{HostCallHead, Record};
use crate::clixml::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, mpsc, watch};

/// Batches that wait for a caller before the road stops fetching: a batch is what one reply held.
const WAITING_BATCHES: usize = 2;

/// Bytes of records collected for a caller who has gone on to another command. Beyond them the other command is refused.
pub const COLLECTED_BYTES: usize = 512 << 20;

/// Input objects that wait for the network.
const WAITING_INPUT: usize = 64;

/// What a caller takes from a channel.
#[derive(Debug)]
pub(crate) enum Taken {
    Batch(Vec<Record>),
    Failed(Error),
    End,
}

/// The answer to a host call.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The call was the pool's, not the pipeline's.
    pub(crate) pool: bool,
    pub(crate) call_id: i64,
    pub(crate) method: i32,
    pub(crate) result: std::result::Result<Option<Value>, Refusal>,
}

/// Why a host call is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) error_id: String,
}

#[derive(Debug, Default)]
struct Records {
    batches: VecDeque<(usize, Vec<Record>)>,
    bytes: usize,
    end: Option<Result<()>>,
    abandoned: bool,
}

/// One command's channel.
#[derive(Debug)]
pub(crate) struct Channel {
    records: Mutex<Records>,
    filled: Notify,
    emptied: Notify,
    stop: watch::Sender<bool>,
    /// None once the input has ended.
    input: Mutex<Option<mpsc::Sender<Value>>>,
    replies: Mutex<Option<mpsc::UnboundedSender<Reply>>>,
    /// Host calls that wait for an answer: pool or not, and the method.
    calls: Mutex<HashMap<(bool, i64), i32>>,
    turns: Arc<Turns>,
    /// It is this command that the others wait for.
    has_turn: AtomicBool,
}

/// The road's ends of the caller's queues.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) input: mpsc::Receiver<Value>,
    pub(crate) replies: mpsc::UnboundedReceiver<Reply>,
}

impl Channel {
    pub(crate) fn new(takes_input: bool, turns: Arc<Turns>) -> (Arc<Self>, Intake) {
        let (input, input_end) = mpsc::channel(WAITING_INPUT);
        let (replies, replies_end) = mpsc::unbounded_channel();
        turns.active.send_modify(|n| *n += 1);
        let channel = Self {
            records: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
            stop: watch::Sender::new(false),
            input: Mutex::new(takes_input.then_some(input)),
            replies: Mutex::new(Some(replies)),
            calls: Mutex::default(),
            turns,
            has_turn: AtomicBool::new(false),
        };
        (Arc::new(channel), Intake { input: input_end, replies: replies_end })
    }

    // The caller's side.

    /// The next batch, or the end: the error first, where there is one, and then the end for ever.
    pub(crate) async fn take(&self) -> Taken {
        loop {
            let filled = self.filled.notified();
            {
                let mut records = lock(&self.records);
                if let Some((bytes, batch)) = records.batches.pop_front() {
                    records.bytes -= bytes;
                    self.emptied.notify_one();
                    return Taken::Batch(batch);
                }
                if records.end.is_some() {
                    // Another reader may wait for the same end.
                    self.filled.notify_one();
                }
                match records.end.take() {
                    Some(Err(error)) => {
                        records.end = Some(Ok(()));
                        return Taken::Failed(error);
                    }
                    Some(Ok(())) => {
                        records.end = Some(Ok(()));
                        return Taken::End;
                    }
                    None => {}
                }
            }
            filled.await;
        }
    }

    /// Waits until [`Channel::take`] would not wait, and takes nothing.
    pub(crate) async fn ready(&self) {
        loop {
            let filled = self.filled.notified();
            {
                let records = lock(&self.records);
                if !records.batches.is_empty() || records.end.is_some() {
                    // The word may have been for one who takes.
                    self.filled.notify_one();
                    return;
                }
            }
            filled.await;
        }
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
        // A road that waits for room must see the stop.
        self.emptied.notify_one();
    }

    /// Nobody reads any more.
    pub(crate) fn abandon(&self) {
        let mut records = lock(&self.records);
        if records.end.is_none() {
            records.abandoned = true;
            records.batches.clear();
            records.bytes = 0;
            drop(records);
            self.stop();
        }
    }

    /// Where input goes, unless it has ended or there never was any.
    pub(crate) fn input(&self) -> Option<mpsc::Sender<Value>> {
        lock(&self.input).clone()
    }

    pub(crate) fn end_input(&self) {
        lock(&self.input).take();
        self.tell_turns();
    }

    /// Whether the command has ended for its caller.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.records).end.is_some()
    }

    /// Hands on the answer to a call; whether there was such a call.
    pub(crate) fn reply(&self, call_id: i64, result: std::result::Result<Option<Value>, Refusal>) -> bool {
        let found = {
            let mut calls = lock(&self.calls);
            [false, true].into_iter().find_map(|pool| calls.remove(&(pool, call_id)).map(|method| (pool, method)))
        };
        self.tell_turns();
        let Some((pool, method)) = found else { return false };
        if let Some(replies) = &*lock(&self.replies) {
            // Refused only when the command is over, where no one waits for the answer.
            let _ = replies.send(Reply { pool, call_id, method, result });
        }
        true
    }

    // The road's side.

    /// The others wait for this command from now on, until it has finished.
    pub(crate) fn take_turn(&self) {
        self.has_turn.store(true, Ordering::Release);
        self.tell_turns();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits for a stop.
    pub(crate) async fn stopped(&self) {
        // The sender is `self`, so that this cannot fail.
        let _ = self.stop.subscribe().wait_for(|s| *s).await;
    }

    /// Waits until the caller has room for a batch, and hands it over. What comes after a stop nobody wants.
    pub(crate) async fn push(&self, batch: Vec<Record>) {
        let bytes: usize = batch.iter().map(|r| r.document.len()).sum();
        let mut waiters = self.turns.waiters.subscribe();
        loop {
            let emptied = self.emptied.notified();
            {
                let mut records = lock(&self.records);
                if batch.is_empty() || records.abandoned || records.end.is_some() || self.is_stopped() {
                    return;
                }
                let collect = *waiters.borrow_and_update() > 0;
                if records.batches.len() < WAITING_BATCHES || (collect && records.bytes + bytes <= COLLECTED_BYTES) {
                    records.bytes += bytes;
                    records.batches.push_back((bytes, batch));
                    drop(records);
                    self.filled.notify_one();
                    if collect {
                        self.tell_turns();
                    }
                    return;
                }
                if collect {
                    self.turns.block(Some("an earlier command has more output than is kept for a caller who does not read it"));
                }
            }
            tokio::select! {
                () = emptied => {}
                _ = waiters.changed() => {}
            }
        }
    }

    /// A host call that waits for its answer.
    pub(crate) fn expect_reply(&self, pool: bool, call: &HostCallHead) {
        lock(&self.calls).insert((pool, call.call_id), call.method);
        self.tell_turns();
    }

    /// Answers a call of the pipeline's for which there is nobody to ask.
    pub(crate) fn refuse(&self, call: &HostCallHead, refusal: Refusal) {
        if let Some(replies) = &*lock(&self.replies) {
            let _ = replies.send(Reply { pool: false, call_id: call.call_id, method: call.method, result: Err(refusal) });
        }
    }

    /// The end, with an error or without; the first stays. Input and answers are taken no more.
    pub(crate) fn finish(&self, result: Result<()>) {
        {
            let mut records = lock(&self.records);
            if records.end.is_some() {
                return;
            }
            // Before the caller can see the end: the session is available to whoever has seen it.
            self.turns.active.send_modify(|n| *n -= 1);
            records.end = Some(result);
        }
        lock(&self.input).take();
        lock(&self.replies).take();
        lock(&self.calls).clear();
        self.filled.notify_one();
        self.emptied.notify_one();
        self.tell_turns();
    }

    /// Tells those who wait whether this command waits for its own caller, who may be one of them.
    fn tell_turns(&self) {
        // Held until it is told, so that two who tell at once leave the later truth.
        let (calls, input) = (lock(&self.calls), lock(&self.input));
        if self.has_turn.load(Ordering::Acquire) {
            self.turns.block(match (calls.is_empty(), &*input) {
                (false, _) => Some("an earlier command waits for an answer from its host"),
                (true, Some(_)) => Some("an earlier command waits for more input"),
                (true, None) => None,
            });
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // Only a road that panicked leaves without an end.
        self.finish(Ok(()));
    }
}

/// The turns of one session's commands, which the server runs one after the other.
///
/// A command that finds another running waits; what runs meanwhile collects its records without bound (up to
/// [`COLLECTED_BYTES`]), since its reader may be the very one who waits. Where what runs needs its caller (an answer, more
/// input), those who wait give up with an error: waiting might be for ever.
#[derive(Debug)]
pub(crate) struct Turns {
    last: Mutex<Option<watch::Receiver<bool>>>,
    waiters: watch::Sender<usize>,
    blocked: watch::Sender<Option<&'static str>>,
    active: watch::Sender<usize>,
}

/// One command's turn, from when it is asked for until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    before: Option<watch::Receiver<bool>>,
    done: watch::Sender<bool>,
}

impl Turns {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            last: Mutex::default(),
            waiters: watch::Sender::new(0),
            blocked: watch::Sender::new(None),
            active: watch::Sender::new(0),
        })
    }

    /// Asks for a turn, after all who asked before.
    pub(crate) fn ask(self: &Arc<Self>) -> Turn {
        let done = watch::Sender::new(false);
        let before = lock(&self.last).replace(done.subscribe()).filter(|b| !*b.borrow());
        Turn { turns: Arc::clone(self), before, done }
    }

    /// Whether any command has not ended for its caller.
    pub(crate) fn is_busy(&self) -> bool {
        *self.active.borrow() > 0
    }

    fn block(&self, why: Option<&'static str>) {
        self.blocked.send_if_modified(|b| std::mem::replace(b, why) != why);
    }
}

impl Turn {
    /// Why waiting for this turn is of no use now, if so.
    pub(crate) fn is_blocked(&self) -> Option<Error> {
        let why = (*self.turns.blocked.borrow()).filter(|_| self.before.is_some());
        why.map(busy)
    }

    /// Waits for the turn; an error where waiting might be for ever.
    pub(crate) async fn come(&mut self) -> Result<()> {
        let Some(before) = &mut self.before else { return Ok(()) };
        self.turns.waiters.send_modify(|n| *n += 1);
        let _leave = Leave(&self.turns);
        let mut blocked = self.turns.blocked.subscribe();
        let result = tokio::select! {
            biased;
            _ = before.wait_for(|done| *done) => Ok(()),
            Ok(why) = blocked.wait_for(Option::is_some) => Err(busy(why.unwrap_or_default())),
        };
        if result.is_ok() {
            self.before = None;
        }
        result
    }

    /// Gives the turn back, after those before: one who gave up waiting must not let the next overtake.
    pub(crate) async fn leave(mut self) {
        if let Some(before) = &mut self.before {
            let _ = before.wait_for(|done| *done).await;
        }
        self.turns.block(None);
    }
}

struct Leave<'a>(&'a Turns);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.waiters.send_modify(|n| *n -= 1);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.done.send_replace(true);
    }
}

fn busy(why: &str) -> Error {
    Error::new(ErrorKind::InvalidState, "invoke", format!("the session is Busy: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::RecordKind;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn batch(text: &str) -> Vec<Record> {
        vec![Record::new(RecordKind::Output, format!("<S>{text}</S>").as_bytes())]
    }

    fn ready<F: Future>(future: F) -> F::Output {
        match poll(pin!(future)) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn a_road_waits_for_a_slow_reader_unless_another_command_waits() {
        let turns = Turns::new();
        let mut first = turns.ask();
        ready(first.come()).unwrap();
        let (channel, _intake) = Channel::new(false, Arc::clone(&turns));
        ready(channel.push(batch("1")));
        ready(channel.push(batch("2")));
        let mut third = Box::pin(channel.push(batch("3")));
        assert!(poll(third.as_mut()).is_pending());

        let mut second = turns.ask();
        assert!(second.is_blocked().is_none());
        let mut waiting = Box::pin(second.come());
        assert!(poll(waiting.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_ready(), "it is collected");
        channel.finish(Ok(()));
        assert!(!turns.is_busy() && poll(waiting.as_mut()).is_pending(), "its release is not confirmed");
        ready(first.leave());
        assert!(poll(waiting.as_mut()).is_ready());

        for _ in 0..3 {
            assert!(matches!(ready(channel.take()), Taken::Batch(_)));
        }
        assert!(matches!(ready(channel.take()), Taken::End) && matches!(ready(channel.take()), Taken::End));
    }

    #[test]
    fn what_is_collected_has_a_limit() {
        let turns = Turns::new();
        let _first = turns.ask();
        let (channel, _intake) = Channel::new(false, Arc::clone(&turns));
        let mut second = turns.ask();
        let mut waiting = Box::pin(second.come());
        assert!(poll(waiting.as_mut()).is_pending());
        let large = || {
            let mut batch = batch("large");
            // Never touched, so that it takes no memory.
            batch[0].document = vec![0; COLLECTED_BYTES / 4 + 1];
            batch
        };
        for _ in 0..3 {
            ready(channel.push(large()));
            assert!(poll(waiting.as_mut()).is_pending());
        }
        let mut fourth = Box::pin(channel.push(large()));
        assert!(poll(fourth.as_mut()).is_pending());
        assert!(matches!(poll(waiting.as_mut()), Poll::Ready(Err(e)) if e.kind() == ErrorKind::InvalidState));
        drop(waiting);
        for _ in 0..3 {
            assert!(matches!(ready(channel.take()), Taken::Batch(_)));
        }
        assert!(poll(fourth.as_mut()).is_ready(), "its reader goes on");
    }

    #[test]
    fn who_waits_for_a_command_that_needs_its_caller_gives_up() {
        let turns = Turns::new();
        let mut first = turns.ask();
        ready(first.come()).unwrap();
        let (channel, mut intake) = Channel::new(true, Arc::clone(&turns));
        let mut second = turns.ask();
        let mut third = turns.ask();
        {
            let mut waiting = Box::pin(second.come());
            assert!(poll(waiting.as_mut()).is_pending());
            channel.take_turn();
            assert!(matches!(poll(waiting.as_mut()), Poll::Ready(Err(e)) if e.kind() == ErrorKind::InvalidState));
        }
        channel.end_input();
        assert!(third.is_blocked().is_none(), "it needs nobody any more");
        let call = HostCallHead { call_id: 7, method: 11, method_name: "ReadLine".into() };
        channel.expect_reply(false, &call);
        assert!(third.is_blocked().is_some());
        assert!(channel.reply(7, Ok(None)) && !channel.reply(7, Ok(None)));
        assert_eq!(intake.replies.try_recv().unwrap().call_id, 7);

        // What becomes of one who waits changes nothing.
        channel.expect_reply(false, &call);
        let (other, _intake) = Channel::new(true, Arc::clone(&turns));
        other.end_input();
        other.finish(Ok(()));
        assert!(third.is_blocked().is_some());
        assert!(channel.reply(7, Ok(None)));

        // One who gave up does not let the next overtake the first.
        let mut leaving = Box::pin(second.leave());
        assert!(poll(leaving.as_mut()).is_pending());
        let mut waiting = Box::pin(third.come());
        assert!(poll(waiting.as_mut()).is_pending());
        ready(first.leave());
        assert!(poll(leaving.as_mut()).is_ready());
        assert!(poll(waiting.as_mut()).is_ready());
    }

    #[test]
    fn nothing_comes_after_a_stop_and_an_error_comes_once() {
        let (channel, _intake) = Channel::new(false, Turns::new());
        ready(channel.push(batch("1")));
        channel.stop();
        ready(channel.stopped());
        for _ in 0..5 {
            ready(channel.push(batch("2")));
        }
        channel.finish(Err(Error::new(ErrorKind::Cancelled, "run command", "stopped")));
        channel.finish(Ok(()));
        assert!(matches!(ready(channel.take()), Taken::Batch(b) if b.len() == 1));
        assert!(matches!(ready(channel.take()), Taken::Failed(_)) && matches!(ready(channel.take()), Taken::End));
        channel.abandon();
        assert!(channel.is_over());
    }
}
