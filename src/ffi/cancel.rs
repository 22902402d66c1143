//! A way to end a connect from another thread.

use super::handle::{borrow, free};
use super::*;
use crate::session::Cancel;

/// A way to end a `dt_session_connect` from another thread. It is triggered once and for all.
pub struct dt_cancel {
    _opaque: [u8; 0],
}

impl Noun for dt_cancel {
    const NAME: &'static str = "dt_cancel";
    const MAGIC: u64 = u64::from_be_bytes(*b"dtcancel");
    type Content = Cancel;
}

/// A cancel that is not triggered.
///
/// **Ownership:** the caller's, to be freed by `dt_cancel_free`.
///
/// **Returns:** `DT_STATUS_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_cancel_new(cancel: *mut *mut dt_cancel, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        unsafe { Output::<dt_cancel>::new(cancel)? }.fill(Cancel::new());
        Ok(DT_STATUS_OK)
    })
}

/// Ends the connects it was given to, those that run and those still to begin, with `DT_STATUS_CANCELLED`.
///
/// **Threads:** any, at any time. Not for signal handlers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_cancel_trigger(cancel: *const dt_cancel) {
    guard(Or(()), || {
        unsafe { borrow(cancel)? }.trigger();
        Ok(())
    })
}

/// Frees a cancel, without triggering it. NULL is allowed, and so is one that a connect still waits with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_cancel_free(cancel: *mut dt_cancel) {
    guard(Or(()), || unsafe { free(cancel) })
}
