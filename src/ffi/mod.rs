//! The C ABI: one file for each noun, and here what all of them share — the guard, the handles, the checks of pointers
//! and strings. It converts pointers and nothing else; what the functions mean is decided in `session`.
//!
//! Comments on exported items are written for readers of the C header, which `build.rs` makes from these files.

#![allow(non_camel_case_types, reason = "a name is spelled as in C")]
#![allow(clippy::missing_safety_doc, reason = "a Safety heading would land in the header, whose conventions say it once for all")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "in an exported function, unsafe passes on what the header's conventions ask of pointers; the helpers say more"
)]

mod cancel;
mod check;
mod command;
mod error;
mod handle;
mod invocation;
mod item;
mod library;
mod options;
mod session;
mod text;

pub use cancel::*;
pub use check::*;
pub use command::*;
pub use error::*;
pub use invocation::*;
pub use item::*;
pub use library::*;
pub use options::*;
pub use session::*;
pub use text::*;

use crate::clixml::{self, Value};
use crate::error::{Error, ErrorKind, Result};
use handle::{Handle, Noun};
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::time::Duration;

/// Runs the body of an exported function. Nothing unwinds into C: a panic becomes an error, and the handles that the
/// body held at that moment are poisoned by their borrows.
fn guard<T>(failure: impl Failure<T>, body: impl FnOnce() -> Result<T>) -> T {
    let failure = failure.begin();
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => failure.answer(error),
        Err(payload) => {
            // Neither shown, for an assertion may quote a secret, nor trusted to be dropped quietly.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            failure.answer(Error::new(ErrorKind::Panic, "call the library", "a defect of it was caught, and the handles used are unusable"))
        }
    }
}

/// How a function tells that its body failed.
trait Failure<T> {
    fn begin(self) -> Self;
    fn answer(self, error: Error) -> T;
}

/// Fallible functions end with the place for the error, which may be NULL.
impl Failure<dt_status> for *mut *mut dt_error {
    fn begin(self) -> Self {
        if !self.is_null() {
            // SAFETY: by the conventions a place for an error is NULL or writable.
            unsafe { self.write(ptr::null_mut()) };
        }
        self
    }

    fn answer(self, error: Error) -> dt_status {
        let status = error.kind().status();
        // The remote record is read here, and a panic over it must not unwind either.
        let made =
            catch_unwind(AssertUnwindSafe(|| if self.is_null() { ptr::null_mut() } else { Handle::<dt_error>::hand_out(error.into()) }));
        match made {
            Ok(handle) => {
                if !self.is_null() {
                    // SAFETY: as in `begin`.
                    unsafe { self.write(handle) };
                }
                status
            }
            Err(_) => DT_STATUS_PANIC,
        }
    }
}

/// Functions that cannot tell an error answer with this instead.
struct Or<T>(T);

impl<T> Failure<T> for Or<T> {
    fn begin(self) -> Self {
        self
    }

    fn answer(self, _: Error) -> T {
        self.0
    }
}

/// The place for a handle that goes out: NULL from the first moment, filled once.
struct Output<N: Noun>(*mut *mut N);

impl<N: Noun> Output<N> {
    /// # Safety
    /// By the conventions the place is NULL (an error) or writable.
    unsafe fn new(place: *mut *mut N) -> Result<Self> {
        if place.is_null() {
            return Err(unusable(N::NAME, "no place to write it to: the pointer is NULL"));
        }
        // SAFETY: not NULL, so writable as the caller promises.
        unsafe { place.write(ptr::null_mut()) };
        Ok(Self(place))
    }

    fn fill(self, content: N::Content) {
        // SAFETY: checked in `new`.
        unsafe { self.0.write(Handle::<N>::hand_out(content)) };
    }
}

fn unusable(argument: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "check arguments", format!("{argument}: {why}"))
}

/// A string that comes in, which must be there.
///
/// # Safety
/// By the conventions the pointer is NULL or a string that ends with a zero byte and does not change meanwhile.
unsafe fn string<'a>(argument: &str, pointer: *const c_char) -> Result<&'a str> {
    // SAFETY: the same promise.
    unsafe { optional_string(argument, pointer)? }.ok_or_else(|| unusable(argument, "NULL"))
}

/// A string that comes in, where NULL says that there is none.
///
/// # Safety
/// As [`string`].
unsafe fn optional_string<'a>(argument: &str, pointer: *const c_char) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, so a string as the caller promises.
    let bytes = unsafe { CStr::from_ptr(pointer) };
    bytes.to_str().map(Some).map_err(|_| unusable(argument, "not UTF-8"))
}

/// UTF-8 of a given length; NULL is allowed where the length is 0.
///
/// # Safety
/// By the conventions the pointer is NULL or has `length` readable bytes that do not change meanwhile.
unsafe fn counted_string<'a>(argument: &str, pointer: *const u8, length: usize) -> Result<&'a str> {
    if length == 0 {
        return Ok("");
    }
    if pointer.is_null() {
        return Err(unusable(argument, "NULL with a length"));
    }
    if length > isize::MAX as usize {
        return Err(unusable(argument, "longer than memory"));
    }
    // SAFETY: not NULL, so readable as the caller promises, and no longer than a slice may be.
    let bytes = unsafe { std::slice::from_raw_parts(pointer, length) };
    std::str::from_utf8(bytes).map_err(|_| unusable(argument, "not UTF-8"))
}

/// A CLIXML document with one object; NULL is $null.
///
/// # Safety
/// As [`string`].
unsafe fn clixml_value(argument: &str, pointer: *const c_char) -> Result<Value> {
    // SAFETY: the same promise.
    let Some(text) = (unsafe { optional_string(argument, pointer)? }) else { return Ok(Value::Nil) };
    let mut values = clixml::read_document(text.as_bytes(), clixml::Limits::default())
        .map_err(|e| unusable(argument, "not a CLIXML document").with_source(e))?;
    match values.pop() {
        Some(value) if values.is_empty() => Ok(value),
        Some(_) => Err(unusable(argument, "more than one object in the CLIXML document")),
        None => Err(unusable(argument, "no object in the CLIXML document")),
    }
}

/// For C, which ends strings at a zero byte: one inside becomes U+FFFD.
fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "\u{FFFD}")).unwrap_or_default())
}

/// A string of a handle's own, or NULL.
fn borrowed(text: Option<&CStr>) -> *const c_char {
    text.map_or(ptr::null(), CStr::as_ptr)
}

/// # Safety
/// By the conventions the place is NULL (not wanted) or writable.
unsafe fn tell_length(place: *mut usize, length: usize) {
    if !place.is_null() {
        // SAFETY: not NULL, so writable as the caller promises.
        unsafe { place.write(length) };
    }
}

fn wait_of(wait_ms: u32) -> Duration {
    if wait_ms == DT_WAIT_FOREVER { Duration::MAX } else { Duration::from_millis(wait_ms.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls as C would, and takes the error apart.
    fn failing(body: impl FnOnce() -> Result<dt_status>) -> (dt_status, String) {
        let mut error = ptr::dangling_mut::<dt_error>();
        let status = guard(&raw mut error, body);
        assert_eq!(unsafe { dt_error_status(error) }, status);
        let message = unsafe { CStr::from_ptr(dt_error_message(error)) }.to_str().unwrap().to_owned();
        unsafe { dt_error_free(error) };
        (status, message)
    }

    #[test]
    fn a_panic_becomes_a_status_and_poisons_the_handle_in_use() {
        let mut cancel = ptr::null_mut();
        let mut error = ptr::null_mut();
        assert_eq!(unsafe { dt_cancel_new(&raw mut cancel, &raw mut error) }, DT_STATUS_OK);
        let (status, message) = failing(|| {
            let _held = unsafe { handle::borrow::<dt_cancel>(cancel) }?;
            panic!("hush")
        });
        assert_eq!(status, DT_STATUS_PANIC);
        assert!(!message.contains("hush"), "{message}");
        let (status, message) = failing(|| unsafe { handle::borrow::<dt_cancel>(cancel) }.map(|_| DT_STATUS_OK));
        assert_eq!((status, message.as_str()), (DT_STATUS_PANIC, "use handle: dt_cancel: unusable since a panic in an earlier call"));
        unsafe { dt_cancel_free(cancel) };
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_caught_too() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(failing(|| std::panic::panic_any(Bomb)).0, DT_STATUS_PANIC);
    }

    #[test]
    fn a_handle_of_another_kind_is_told_from_the_right_one() {
        let mut options = ptr::null_mut();
        assert_eq!(unsafe { dt_options_new(&raw mut options, ptr::null_mut()) }, DT_STATUS_OK);
        let (status, message) = failing(|| unsafe { handle::borrow::<dt_cancel>(options.cast()) }.map(|_| DT_STATUS_OK));
        assert_eq!(
            (status, message.as_str()),
            (DT_STATUS_INVALID_ARGUMENT, "check arguments: dt_cancel: not such a handle, or a freed one")
        );
        // Freeing it as something it is not leaves it alone.
        unsafe { dt_cancel_free(options.cast()) };
        let (key, value) = (c"culture", c"en-US");
        assert_eq!(unsafe { dt_options_set(options, key.as_ptr(), value.as_ptr(), ptr::null_mut()) }, DT_STATUS_OK);
        unsafe { dt_options_free(options) };
    }

    #[test]
    fn a_handle_freed_during_a_call_lives_until_the_call_returns() {
        let mut cancel = ptr::null_mut();
        assert_eq!(unsafe { dt_cancel_new(&raw mut cancel, ptr::null_mut()) }, DT_STATUS_OK);
        let held = unsafe { handle::borrow::<dt_cancel>(cancel) }.unwrap();
        unsafe { dt_cancel_free(cancel) };
        // Known as freed while its memory is there, so that freeing it again is nothing.
        unsafe { dt_cancel_free(cancel) };
        unsafe { dt_cancel_trigger(cancel) };
        assert_eq!(failing(|| unsafe { handle::borrow::<dt_cancel>(cancel) }.map(|_| DT_STATUS_OK)).0, DT_STATUS_INVALID_ARGUMENT);
        assert!(!held.is_triggered());
        held.trigger();
        assert!(held.is_triggered());
    }

    #[test]
    fn a_zero_byte_does_not_cut_a_string_short() {
        assert_eq!(c_string("a\0b").to_str().unwrap(), "a\u{FFFD}b");
    }
}
