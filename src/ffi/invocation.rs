//! A running command.

use super::handle::{Borrowed, borrow, free};
use super::*;
use crate::session::{Invocation, Next, Stopper};
use std::sync::{Mutex, MutexGuard, TryLockError};

/// A running command.
pub struct dt_invocation {
    _opaque: [u8; 0],
}

/// The stopper stands beside the lock, because a stop comes while `next` waits inside it.
pub struct InvocationContent {
    invocation: Mutex<Invocation>,
    stopper: Stopper,
}

impl From<Invocation> for InvocationContent {
    fn from(invocation: Invocation) -> Self {
        Self { stopper: invocation.stopper(), invocation: Mutex::new(invocation) }
    }
}

impl Noun for dt_invocation {
    const NAME: &'static str = "dt_invocation";
    const MAGIC: u64 = u64::from_be_bytes(*b"dtinvoca");
    type Content = InvocationContent;
}

/// The invocation for this thread alone. Another one that is inside a call is an error, not a wait: it may wait for ever.
fn alone(content: &Borrowed<dt_invocation>) -> Result<MutexGuard<'_, Invocation>> {
    match content.invocation.try_lock() {
        Ok(held) => Ok(held),
        Err(TryLockError::Poisoned(held)) => Ok(held.into_inner()),
        Err(TryLockError::WouldBlock) => {
            Err(Error::new(ErrorKind::InvalidState, "use invocation", "another thread is inside a call with it, one at a time is allowed"))
        }
    }
}

/// The next item, in the order in which the server sent them.
///
/// **Ownership:** the item is the caller's, to be freed by `dt_item_free`; it needs neither invocation nor session.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK` with an item; `DT_STATUS_PENDING` none within `wait_ms`; `DT_STATUS_END` after the last one,
/// at every call again. An error comes once, and then the end: `DT_STATUS_COMMAND_FAILED` where the command ended with a
/// terminating error, `DT_STATUS_CANCELLED` after a stop, `DT_STATUS_DISCONNECTED` where the session was lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_next(
    invocation: *mut dt_invocation,
    wait_ms: u32,
    item: *mut *mut dt_item,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_item>::new(item)? };
        let content = unsafe { borrow(invocation)? };
        let next = alone(&content)?.next(wait_of(wait_ms))?;
        Ok(match next {
            Next::Record(record) => {
                out.fill(record);
                DT_STATUS_OK
            }
            Next::Pending => DT_STATUS_PENDING,
            Next::End => DT_STATUS_END,
        })
    })
}

/// Sends one input object, for a command whose property `input` is true. `clixml` NULL is $null.
///
/// **Ownership:** the object, a CLIXML document with one object, is copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK` taken; `DT_STATUS_PENDING` not taken, because the server has not kept up within `wait_ms`:
/// read items, then send it again; `DT_STATUS_INVALID_STATE` where no input is awaited any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_send(
    invocation: *mut dt_invocation,
    clixml: *const c_char,
    wait_ms: u32,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let content = unsafe { borrow(invocation)? };
        let value = unsafe { clixml_value("clixml", clixml)? };
        alone(&content)?.send(value, wait_of(wait_ms)).map(status_of)
    })
}

/// Tells that no more input will come. Without it, a command that takes input does not end.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`, also when called again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_end_input(invocation: *mut dt_invocation, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        let content = unsafe { borrow(invocation)? };
        alone(&content)?.end_input()?;
        Ok(DT_STATUS_OK)
    })
}

/// Answers a host call. The server waits for it, so that nothing but the end comes before.
///
/// **Ownership:** the answer, a CLIXML document with one object, is copied. `clixml` NULL: the method has no result.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_STATE` where no call of this id waits for an answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_reply(
    invocation: *mut dt_invocation,
    call_id: i64,
    clixml: *const c_char,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let content = unsafe { borrow(invocation)? };
        let value = if clixml.is_null() { None } else { Some(unsafe { clixml_value("clixml", clixml)? }) };
        alone(&content)?.reply(call_id, value)?;
        Ok(DT_STATUS_OK)
    })
}

/// Refuses a host call: the command sees an exception of this message and error id.
///
/// **Ownership:** the strings are copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** as `dt_invocation_reply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_reply_error(
    invocation: *mut dt_invocation,
    call_id: i64,
    message: *const c_char,
    error_id: *const c_char,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let content = unsafe { borrow(invocation)? };
        let (message, error_id) = unsafe { (string("message", message)?, string("error_id", error_id)?) };
        alone(&content)?.reply_error(call_id, message, error_id)?;
        Ok(DT_STATUS_OK)
    })
}

/// Asks the server to stop the command, and returns at once. `dt_invocation_next` goes on to the end, also when a thread
/// waits in it now. What the command has done stays done.
///
/// **Threads:** any, at any time before the handle is freed.
///
/// **Returns:** `DT_STATUS_OK`, also when the command has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_stop(invocation: *const dt_invocation, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        unsafe { borrow(invocation)? }.stopper.stop();
        Ok(DT_STATUS_OK)
    })
}

/// Lets go of an invocation. NULL is allowed. Never waits: where the command still runs it is stopped in the background.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_free(invocation: *mut dt_invocation) {
    guard(Or(()), || unsafe { free(invocation) })
}
