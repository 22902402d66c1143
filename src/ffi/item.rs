//! What a command gives.

use super::handle::{borrow, free};
use super::*;
use crate::session::Record;

/// One thing that a command gave: a record of one of its streams, or a call to the host.
pub struct dt_item {
    _opaque: [u8; 0],
}

impl Noun for dt_item {
    const NAME: &'static str = "dt_item";
    const MAGIC: u64 = u64::from_be_bytes(*b"dt_item_");
    type Content = Record;
}

/// What an item is, as `dt_item_kind` gives it; the first six are PowerShell's stream numbers: an object of the output.
pub const DT_ITEM_OUTPUT: i32 = 1;
/// An ErrorRecord that did not end the command.
pub const DT_ITEM_ERROR: i32 = 2;
/// A warning.
pub const DT_ITEM_WARNING: i32 = 3;
/// A verbose message.
pub const DT_ITEM_VERBOSE: i32 = 4;
/// A debug message.
pub const DT_ITEM_DEBUG: i32 = 5;
/// An InformationRecord, as Write-Information and Write-Host make them.
pub const DT_ITEM_INFORMATION: i32 = 6;
/// A ProgressRecord.
pub const DT_ITEM_PROGRESS: i32 = 7;
/// The server calls the host; unless `dt_item_call_id` is `DT_CALL_WITHOUT_REPLY` it waits for an answer.
pub const DT_ITEM_HOST_CALL: i32 = 8;

/// The call id of host calls that want no answer.
pub const DT_CALL_WITHOUT_REPLY: i64 = -100;

/// What an item is.
///
/// **Threads:** any.
///
/// **Returns:** one of `DT_ITEM_*`, to which more may be added; 0 where the handle is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_item_kind(item: *const dt_item) -> i32 {
    guard(Or(0), || Ok(unsafe { borrow(item)? }.kind as i32))
}

/// An item as a whole CLIXML document with an `Objs` root, UTF-8, ending with a zero byte, which PowerShell's PSSerializer
/// reads; of a host call, the list of its parameters. `length` counts the bytes before the zero byte.
///
/// **Ownership:** borrowed from the item. `length` may be NULL.
///
/// **Threads:** any.
///
/// **Returns:** NULL, and a length of 0, where the handle is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_item_clixml(item: *const dt_item, length: *mut usize) -> *const c_char {
    guard(Or(ptr::null()), || {
        unsafe { tell_length(length, 0) };
        let record = unsafe { borrow(item)? };
        unsafe { tell_length(length, record.clixml().len()) };
        Ok(record.document.as_ptr().cast())
    })
}

/// The message of an error, warning, verbose or debug record, the activity of progress, the method's name of a host call.
///
/// **Ownership:** borrowed from the item.
///
/// **Threads:** any.
///
/// **Returns:** NULL for items of other kinds, and for records that hold no such text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_item_text(item: *const dt_item) -> *const c_char {
    guard(Or(ptr::null()), || Ok(borrowed(unsafe { borrow(item)? }.text())))
}

/// The command that an item of the answer to `dt_command_describe` tells of, as lines that end with a line feed, their
/// fields parted by tabs. The first line is the command: its name, its type (such as Cmdlet), the command behind an alias
/// or nothing. Each line after it is a parameter: its name, "switch" or "value", its .NET type, and then each of its
/// aliases. A name is the server's word for it and may be anything; but what would part fields, and any other control
/// character, stands as U+FFFD.
///
/// **Ownership:** borrowed from the item.
///
/// **Threads:** any.
///
/// **Returns:** NULL for items that tell of no command, as the count that comes first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_item_command(item: *const dt_item) -> *const c_char {
    guard(Or(ptr::null()), || Ok(borrowed(unsafe { borrow(item)? }.command())))
}

/// Whether a SecureString may stand in the item: an `<SS>` element, whose content `dt_session_unprotect` reads.
///
/// **Threads:** any.
///
/// **Returns:** 1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_item_has_secure_string(item: *const dt_item) -> i32 {
    guard(Or(0), || Ok(unsafe { borrow(item)? }.secure.into()))
}

/// The id of a host call, which `dt_invocation_reply` repeats.
///
/// **Threads:** any.
///
/// **Returns:** `DT_CALL_WITHOUT_REPLY` where no answer is wanted, and for items of other kinds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_item_call_id(item: *const dt_item) -> i64 {
    guard(Or(DT_CALL_WITHOUT_REPLY), || Ok(unsafe { borrow(item)? }.call.as_ref().map_or(DT_CALL_WITHOUT_REPLY, |c| c.call_id)))
}

/// The number of the method that a host call calls (MS-PSRP 2.2.3.17), such as 11 for ReadLine or 26 for PromptForChoice.
///
/// **Threads:** any.
///
/// **Returns:** 0 for items of other kinds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_item_call_method(item: *const dt_item) -> i32 {
    guard(Or(0), || Ok(unsafe { borrow(item)? }.call.as_ref().map_or(0, |c| c.method)))
}

/// Frees an item. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_item_free(item: *mut dt_item) {
    guard(Or(()), || unsafe { free(item) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::RecordKind;

    #[test]
    fn the_numbers_are_those_of_the_records() {
        for (number, kind) in [
            (DT_ITEM_OUTPUT, RecordKind::Output),
            (DT_ITEM_ERROR, RecordKind::Error),
            (DT_ITEM_WARNING, RecordKind::Warning),
            (DT_ITEM_VERBOSE, RecordKind::Verbose),
            (DT_ITEM_DEBUG, RecordKind::Debug),
            (DT_ITEM_INFORMATION, RecordKind::Information),
            (DT_ITEM_PROGRESS, RecordKind::Progress),
            (DT_ITEM_HOST_CALL, RecordKind::HostCall),
        ] {
            assert_eq!(number, kind as i32);
        }
    }
}
