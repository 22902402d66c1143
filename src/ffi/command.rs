//! What is to run.

use super::handle::{borrow, free};
use super::*;
use crate::lock::lock;
use crate::session::{Command, RecordKind};
use std::sync::Mutex;

/// What is to run: statements of commands with arguments, or a question for command metadata. Built once, invoked any
/// number of times.
pub struct dt_command {
    _opaque: [u8; 0],
}

impl Noun for dt_command {
    const NAME: &'static str = "dt_command";
    const MAGIC: u64 = u64::from_be_bytes(*b"dtcomman");
    type Content = Mutex<Command>;
}

/// For `dt_command_merge`: every stream that can be merged.
pub const DT_STREAM_ALL: i32 = 100;

/// # Safety
/// By the conventions the pointer is NULL (an error), or a command that is not freed.
unsafe fn change(command: *mut dt_command, how: impl FnOnce(&mut Command) -> Result<()>) -> Result<dt_status> {
    // SAFETY: the same promise.
    let command = unsafe { borrow(command)? };
    how(&mut lock(&command))?;
    Ok(DT_STATUS_OK)
}

/// An empty command.
///
/// **Ownership:** the caller's, to be freed by `dt_command_free`.
///
/// **Returns:** `DT_STATUS_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_new(command: *mut *mut dt_command, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        unsafe { Output::<dt_command>::new(command)? }.fill(Mutex::new(Command::new()));
        Ok(DT_STATUS_OK)
    })
}

/// Adds a cmdlet, which the output of the one before it goes into.
///
/// **Ownership:** the name is copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for an empty name, and after `dt_command_describe`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_add(command: *mut dt_command, name: *const c_char, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        let name = unsafe { string("name", name)? };
        unsafe { change(command, |c| c.add(name)) }
    })
}

/// Adds script text, which the output of the command before it goes into. Exchange's endpoints refuse scripts.
///
/// **Ownership:** the text is copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** as `dt_command_add`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_add_script(command: *mut dt_command, text: *const c_char, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        let text = unsafe { string("text", text)? };
        unsafe { change(command, |c| c.add_script(text)) }
    })
}

/// Adds an argument to the last command, exactly as typed: `name` NULL is a value by its position, `clixml` NULL is $null,
/// and a name that ends without a value, such as "-Identity", takes the argument that follows unless it is a switch.
///
/// **Ownership:** name and value, a CLIXML document with one object, are copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for what is not such a document, and where there is no command.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_add_argument(
    command: *mut dt_command,
    name: *const c_char,
    clixml: *const c_char,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let name = unsafe { optional_string("name", name)? }.map(str::to_owned);
        let value = unsafe { clixml_value("clixml", clixml)? };
        unsafe { change(command, |c| c.add_argument(name, value)) }
    })
}

/// Adds a string argument to the last command. `name` NULL: by its position.
///
/// **Ownership:** name and value are copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** as `dt_command_add_argument`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_add_string(
    command: *mut dt_command,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let name = unsafe { optional_string("name", name)? }.map(str::to_owned);
        let value = unsafe { string("value", value)? };
        unsafe { change(command, |c| c.add_argument(name, value.into())) }
    })
}

/// Adds a whole number to the last command, an Int32 where it fits and an Int64 otherwise. `name` NULL: by its position.
///
/// **Ownership:** the name is copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** as `dt_command_add_argument`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_add_int(
    command: *mut dt_command,
    name: *const c_char,
    value: i64,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let name = unsafe { optional_string("name", name)? }.map(str::to_owned);
        let value = i32::try_from(value).map_or(Value::I64(value), Value::I32);
        unsafe { change(command, |c| c.add_argument(name, value)) }
    })
}

/// Adds a truth value to the last command, also for a switch; 0 is false, all else true. `name` NULL: by its position.
///
/// **Ownership:** the name is copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** as `dt_command_add_argument`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_add_bool(
    command: *mut dt_command,
    name: *const c_char,
    value: i32,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let name = unsafe { optional_string("name", name)? }.map(str::to_owned);
        unsafe { change(command, |c| c.add_argument(name, Value::Bool(value != 0))) }
    })
}

/// Merges a stream of the last command into its output, as `2>&1` does: one of `DT_ITEM_ERROR`, `DT_ITEM_WARNING`,
/// `DT_ITEM_VERBOSE`, `DT_ITEM_DEBUG`, `DT_ITEM_INFORMATION`, or `DT_STREAM_ALL`. Repeatable.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for another stream, and where there is no command.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_merge(command: *mut dt_command, stream: i32, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        let stream = match stream {
            DT_STREAM_ALL => None,
            DT_ITEM_ERROR => Some(RecordKind::Error),
            DT_ITEM_WARNING => Some(RecordKind::Warning),
            DT_ITEM_VERBOSE => Some(RecordKind::Verbose),
            DT_ITEM_DEBUG => Some(RecordKind::Debug),
            DT_ITEM_INFORMATION => Some(RecordKind::Information),
            _ => return Err(unusable("stream", &format!("{stream} cannot be merged into the output"))),
        };
        unsafe {
            change(command, |c| match stream {
                Some(stream) => c.merge(stream),
                None => c.merge_all(),
            })
        }
    })
}

/// Ends a statement: the next command begins another one, as after `;`.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` where there is no command.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_end_statement(command: *mut dt_command, error: *mut *mut dt_error) -> dt_status {
    guard(error, || unsafe { change(command, Command::end_statement) })
}

/// Asks, instead of running, for the metadata of the commands of this name or wildcard. Repeatable; not mixed with commands.
///
/// The answer is a count and then one output item for each command, as PowerShell's Import-PSSession reads them;
/// `dt_item_command` gives each in short.
///
/// **Ownership:** the name is copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` after `dt_command_add`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_describe(command: *mut dt_command, name: *const c_char, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        let name = unsafe { string("name", name)? };
        unsafe { change(command, |c| c.describe(name)) }
    })
}

/// Sets one property of the whole command.
///
/// | key | value |
/// |-----|-------|
/// | `input` | `true`: input will be sent by `dt_invocation_send`; default `false` |
/// | `history` | the text by which the server remembers the command |
/// | `invocation_info` | `true`: errors, warnings, verbose and debug records tell where they came from |
/// | `command_types` | of a question for metadata: `Alias`, `Function`, `Filter`, `Cmdlet`, parted by commas; default `All` of them |
/// | `modules` | of a question for metadata: modules or wildcards, parted by commas, whose commands alone are told |
///
/// **Ownership:** key and value are copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for an unknown key or an unusable value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_set(
    command: *mut dt_command,
    key: *const c_char,
    value: *const c_char,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let (key, value) = unsafe { (string("key", key)?, string("value", value)?) };
        unsafe { change(command, |c| c.set(key, value)) }
    })
}

/// Frees a command. NULL is allowed. Invocations of it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_command_free(command: *mut dt_command) {
    guard(Or(()), || unsafe { free(command) })
}
