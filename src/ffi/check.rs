//! Whether a session can be had, step by step.

use super::handle::{borrow, free};
use super::*;
use crate::lock::lock;
use crate::session::{Check, Outcome, Step, Wait};

/// A walk to a tenant: name, TCP, TLS, HTTP, sign-in, shell, and the organization that the server names.
pub struct dt_check {
    _opaque: [u8; 0],
}

impl Noun for dt_check {
    const NAME: &'static str = "dt_check";
    const MAGIC: u64 = u64::from_be_bytes(*b"dt_check");
    type Content = Check;
}

/// One step of a check.
pub struct dt_step {
    _opaque: [u8; 0],
}

/// A step in the strings that C asks for.
pub(super) struct StepContent {
    name: CString,
    result: i32,
    detail: CString,
    remedy: Option<CString>,
    duration_ms: u64,
    error_id: Option<CString>,
}

impl Noun for dt_step {
    const NAME: &'static str = "dt_step";
    const MAGIC: u64 = u64::from_be_bytes(*b"dt_step_");
    type Content = StepContent;
}

impl From<Step> for StepContent {
    fn from(step: Step) -> Self {
        Self {
            name: c_string(step.name),
            result: match step.outcome {
                Outcome::Passed => DT_STEP_PASSED,
                Outcome::Failed => DT_STEP_FAILED,
                Outcome::Skipped => DT_STEP_SKIPPED,
            },
            detail: c_string(&step.detail),
            remedy: step.remedy.as_deref().map(c_string),
            duration_ms: u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX),
            error_id: step.error.map(|e| c_string(e.kind().error_id())),
        }
    }
}

/// What became of a step, as `dt_step_result` gives it: it is well.
pub const DT_STEP_PASSED: i32 = 1;
/// It is the one that fails.
pub const DT_STEP_FAILED: i32 = 2;
/// There was nothing to do, or it was not reached.
pub const DT_STEP_SKIPPED: i32 = 3;

/// Begins to walk the way of a session with these options, as far as it leads, and never waits for the network. It opens a
/// session of its own, which counts among those of the account while it lasts, and closes it.
///
/// **Ownership:** the check is the caller's, to be freed by `dt_check_free`. The options stay the caller's and are not needed
/// afterwards.
///
/// **Threads:** any; the options must not change meanwhile.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` where the options do not make sense together.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_check_start(options: *const dt_options, check: *mut *mut dt_check, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_check>::new(check)? };
        let options = lock(&*unsafe { borrow(options)? }).clone();
        out.fill(Check::start(&options)?);
        Ok(DT_STATUS_OK)
    })
}

/// The next step, in the order of the walk: `Name`, `TCP`, `TLS`, `HTTP`, `SignIn`, `Shell`, `Organization`, each once; on the
/// REST road `Service` in the place of `Shell`.
/// Those behind one that failed are skipped.
///
/// **Ownership:** the step is the caller's, to be freed by `dt_step_free`; it does not need the check.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK` with a step, also where that failed; `DT_STATUS_PENDING` none within `wait_ms`;
/// `DT_STATUS_END` after the last one, when nothing of the walk is left at the server as far as it can be helped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_check_next(
    check: *const dt_check,
    wait_ms: u32,
    step: *mut *mut dt_step,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_step>::new(step)? };
        Ok(match unsafe { borrow(check)? }.next(wait_of(wait_ms)) {
            Wait::Ready(Some(step)) => {
                out.fill(step.into());
                DT_STATUS_OK
            }
            Wait::Ready(None) => DT_STATUS_END,
            Wait::Pending => DT_STATUS_PENDING,
        })
    })
}

/// The text of the warning of this index, from 0: a redirection, or, for a sign-in by hand, where and with what code. To be
/// looked for while a step is pending.
///
/// **Ownership:** borrowed from the check.
///
/// **Threads:** any.
///
/// **Returns:** NULL where there is no such warning so far.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_check_warning(check: *const dt_check, index: usize) -> *const c_char {
    guard(Or(ptr::null()), || Ok(borrowed(unsafe { borrow(check)? }.warning(index))))
}

/// Frees a check and ends it, if it has not ended: what it has opened is deleted in the background. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_check_free(check: *mut dt_check) {
    guard(Or(()), || unsafe { free(check) })
}

/// The step's name, such as `TLS`.
///
/// **Ownership:** borrowed from the step.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_step_name(step: *const dt_step) -> *const c_char {
    guard(Or(ptr::null()), || Ok(unsafe { borrow(step)? }.name.as_ptr()))
}

/// What became of it.
///
/// **Threads:** any.
///
/// **Returns:** one of `DT_STEP_*`; 0 where the handle is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_step_result(step: *const dt_step) -> i32 {
    guard(Or(0), || Ok(unsafe { borrow(step)? }.result))
}

/// What was found, in one clause.
///
/// **Ownership:** borrowed from the step.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_step_detail(step: *const dt_step) -> *const c_char {
    guard(Or(ptr::null()), || Ok(unsafe { borrow(step)? }.detail.as_ptr()))
}

/// What to do about it, for people.
///
/// **Ownership:** borrowed from the step.
///
/// **Threads:** any.
///
/// **Returns:** NULL where the step did not fail, or nothing is known to help.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_step_remedy(step: *const dt_step) -> *const c_char {
    guard(Or(ptr::null()), || Ok(borrowed(unsafe { borrow(step)? }.remedy.as_deref())))
}

/// The id of the error, as `dt_error_id` would give it.
///
/// **Ownership:** borrowed from the step.
///
/// **Threads:** any.
///
/// **Returns:** NULL where the step did not fail.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_step_error_id(step: *const dt_step) -> *const c_char {
    guard(Or(ptr::null()), || Ok(borrowed(unsafe { borrow(step)? }.error_id.as_deref())))
}

/// How long it took, in milliseconds.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_step_duration_ms(step: *const dt_step) -> u64 {
    guard(Or(0), || Ok(unsafe { borrow(step)? }.duration_ms))
}

/// Frees a step. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_step_free(step: *mut dt_step) {
    guard(Or(()), || unsafe { free(step) })
}
