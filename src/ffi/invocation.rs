//! A running command.

use super::handle::{borrow, free};
use super::*;
use crate::session::{Invocation, Next};

/// A running command.
pub struct dt_invocation {
    _opaque: [u8; 0],
}

impl Noun for dt_invocation {
    const NAME: &'static str = "dt_invocation";
    const MAGIC: u64 = u64::from_be_bytes(*b"dtinvoca");
    type Content = Invocation;
}

/// The next item, in the order in which the server sent them.
///
/// **Ownership:** the item is the caller's, to be freed by `dt_item_free`; it needs neither invocation nor session.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK` with an item; `DT_STATUS_PENDING` none within `wait_ms`; `DT_STATUS_END` after the last one,
/// at every call again. An error comes once, and then the end: `DT_STATUS_COMMAND_FAILED` where the command ended with a
/// terminating error, `DT_STATUS_CANCELLED` after a stop, `DT_STATUS_DISCONNECTED` where the session was lost,
/// `DT_STATUS_INVALID_STATE` where its turn could not come, because an earlier command waits for its caller.
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
        Ok(match content.next(wait_of(wait_ms))? {
            Next::Record(record) => {
                out.fill(record);
                DT_STATUS_OK
            }
            Next::Pending => DT_STATUS_PENDING,
            Next::End => DT_STATUS_END,
        })
    })
}

/// Waits until `dt_invocation_next` of one of several invocations would give something other than `DT_STATUS_PENDING`, and
/// gives its place in the array: the first that has something. It takes nothing: call `dt_invocation_next` with a wait of 0
/// then. Who wants each to have its turn moves the one that had it to the end of the array.
///
/// **Ownership:** the array is read before the call returns.
///
/// **Threads:** any, also while another one waits in `dt_invocation_next`, which may then have taken what there was.
///
/// **Returns:** `DT_STATUS_OK` with the place; `DT_STATUS_PENDING` where none had anything within `wait_ms`;
/// `DT_STATUS_INVALID_ARGUMENT` where there are none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_wait_any(
    invocations: *const *const dt_invocation,
    count: usize,
    wait_ms: u32,
    place: *mut usize,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        if invocations.is_null() || count == 0 {
            return Err(unusable("invocations", "none"));
        }
        if place.is_null() {
            return Err(unusable("place", "NULL"));
        }
        if count > isize::MAX as usize / size_of::<*const dt_invocation>() {
            return Err(unusable("invocations", "more than memory holds"));
        }
        let pointers = unsafe { std::slice::from_raw_parts(invocations, count) };
        let held = pointers.iter().map(|i| unsafe { borrow(*i) }).collect::<Result<Vec<_>>>()?;
        let contents: Vec<&Invocation> = held.iter().map(|h| &**h).collect();
        Ok(match Invocation::wait_any(&contents, wait_of(wait_ms)) {
            Some(index) => {
                unsafe { place.write(index) };
                DT_STATUS_OK
            }
            None => DT_STATUS_PENDING,
        })
    })
}

/// Sends one input object, for a command whose property `input` is true. `clixml` NULL is $null.
///
/// **Ownership:** the object, a CLIXML document with one object, is copied.
///
/// **Threads:** any, also while another one waits in `dt_invocation_next`.
///
/// **Returns:** `DT_STATUS_OK` taken; `DT_STATUS_PENDING` not taken, because the server has not kept up within `wait_ms`:
/// read items, then send it again; `DT_STATUS_INVALID_STATE` where the command takes no input, or its input has ended. What
/// a command that has ended would not read any more is taken and dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_send(
    invocation: *const dt_invocation,
    clixml: *const c_char,
    wait_ms: u32,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let content = unsafe { borrow(invocation)? };
        let value = unsafe { clixml_value("clixml", clixml)? };
        content.send(value, wait_of(wait_ms)).map(status_of)
    })
}

/// Tells that no more input will come. Without it, a command that takes input does not end.
///
/// **Threads:** any, also while another one waits in `dt_invocation_next`.
///
/// **Returns:** `DT_STATUS_OK`, also when called again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_end_input(invocation: *const dt_invocation, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        let content = unsafe { borrow(invocation)? };
        content.end_input()?;
        Ok(DT_STATUS_OK)
    })
}

/// Answers a host call that wants an answer. The server waits for it.
///
/// **Ownership:** the answer, a CLIXML document with one object, is copied. `clixml` NULL: the method has no result.
///
/// **Threads:** any, also while another one waits in `dt_invocation_next`.
///
/// **Returns:** `DT_STATUS_OK`, also when the command has ended; `DT_STATUS_INVALID_ARGUMENT` where no call of this id waits for an
/// answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_reply(
    invocation: *const dt_invocation,
    call_id: i64,
    clixml: *const c_char,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let content = unsafe { borrow(invocation)? };
        let value = if clixml.is_null() { None } else { Some(unsafe { clixml_value("clixml", clixml)? }) };
        content.reply(call_id, value)?;
        Ok(DT_STATUS_OK)
    })
}

/// Refuses a host call: the command sees an exception of this message and error id.
///
/// **Ownership:** the strings are copied.
///
/// **Threads:** any, also while another one waits in `dt_invocation_next`.
///
/// **Returns:** as `dt_invocation_reply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_reply_error(
    invocation: *const dt_invocation,
    call_id: i64,
    message: *const c_char,
    error_id: *const c_char,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let content = unsafe { borrow(invocation)? };
        let (message, error_id) = unsafe { (string("message", message)?, string("error_id", error_id)?) };
        content.reply_error(call_id, message, error_id)?;
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
        unsafe { borrow(invocation)? }.stop();
        Ok(DT_STATUS_OK)
    })
}

/// Lets go of an invocation. NULL is allowed. Never waits: where the command still runs it is stopped in the background.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_invocation_free(invocation: *mut dt_invocation) {
    guard(Or(()), || unsafe { free(invocation) })
}
