//! The tokio runtime: one for the process, started when first needed and never stopped, so that a session let go can
//! still close in the background. A forked child has no runtime threads: fork before the first use, or not at all.

use crate::error::{Error, ErrorKind, Result};
use once_cell::sync::OnceCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

static RUNTIME: OnceCell<Runtime> = OnceCell::new();

fn handle() -> Result<&'static Handle> {
    let runtime = RUNTIME.get_or_try_init(|| {
        // One: with two, the one that decodes and the one that reads the network wake each other four times a reply,
        // which costs a fifth more than all the work there is and gains nothing beside a server that keeps up.
        Builder::new_multi_thread().worker_threads(1).thread_name("delegated-tenant").enable_all().build()
    });
    runtime
        .map(Runtime::handle)
        .map_err(|e| Error::new(ErrorKind::Internal, "start runtime", "its threads cannot be started").with_source(e))
}

/// Runs a task in the background.
pub(crate) fn spawn<F>(future: F) -> Result<JoinHandle<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Ok(handle()?.spawn(future))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on the caller's thread for at most `limit`; [`Duration::MAX`] is for ever. None when the time is up.
/// Only for futures that need no timer or socket of their own, such as channels: it polls outside the runtime, so that
/// a caller's thread may belong to a runtime of its own.
pub(crate) fn wait<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Arc::new(Unpark(thread::current())).into();
    let deadline = Instant::now().checked_add(limit);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        match deadline {
            None => thread::park(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                thread::park_timeout(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[test]
    fn a_wait_ends_with_the_value_or_the_time() {
        let (sender, receiver) = oneshot::channel();
        spawn(async move { sender.send(7) }).unwrap();
        assert_eq!(wait(receiver, Duration::MAX).unwrap().unwrap(), 7);
        assert!(wait(std::future::pending::<()>(), Duration::ZERO).is_none());
    }
}
