//! What went wrong.

use super::handle::{borrow, free};
use super::*;
use std::error::Error as _;

/// What went wrong in one call.
pub struct dt_error {
    _opaque: [u8; 0],
}

/// An error in the strings that C asks for.
pub(super) struct ErrorContent {
    kind: ErrorKind,
    message: CString,
    id: CString,
    category: CString,
    facts: Vec<(&'static str, CString)>,
    record: Option<CString>,
}

impl Noun for dt_error {
    const NAME: &'static str = "dt_error";
    const MAGIC: u64 = u64::from_be_bytes(*b"dt_error");
    type Content = ErrorContent;
}

impl From<Error> for ErrorContent {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let remote = error.record().and_then(|record| clixml::read(record.as_bytes()).ok());
        let remote_id = remote.as_ref().and_then(|r| r.property("FullyQualifiedErrorId")).and_then(Value::as_str);
        let remote_category = remote.as_ref().and_then(|r| r.property("ErrorCategory_Category")).and_then(Value::as_i64);
        Self {
            kind,
            message: c_string(&message(&error)),
            id: c_string(remote_id.unwrap_or(kind.error_id())),
            category: c_string(remote_category.and_then(category_name).unwrap_or(kind.category())),
            facts: error.facts().map(|(name, value)| (name, c_string(value))).collect(),
            record: error.record().map(c_string),
        }
    }
}

/// The error, and of what caused it what the text does not tell already: our own errors, and what lies at the bottom, which
/// the system said. What is between is of the libraries' layers.
fn message(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(here) = cause {
        cause = here.source();
        let told = here.to_string();
        if (here.is::<Error>() || cause.is_none()) && !text.ends_with(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
    }
    text
}

/// PowerShell's ErrorCategory by its number (MS-PSRP 2.2.3.9).
fn category_name(number: i64) -> Option<&'static str> {
    crate::error::CATEGORIES.get(usize::try_from(number).ok()?).copied()
}

/// Whether trying again can help, as `dt_error_retry` gives it. Advice: the library never sends a command again by itself.
/// It gives the same error.
pub const DT_RETRY_NO: i32 = 0;
/// It may work.
pub const DT_RETRY_YES: i32 = 1;
/// With another credential.
pub const DT_RETRY_NEW_CREDENTIAL: i32 = 2;
/// With consent to the redirection: the option `max_redirections`, or `redirect_hosts`.
pub const DT_RETRY_WITH_CONSENT: i32 = 3;
/// After the delay that the fact `retry_after_ms` tells.
pub const DT_RETRY_AFTER_DELAY: i32 = 4;
/// After closing another session of the account.
pub const DT_RETRY_AFTER_CLOSING: i32 = 5;
/// In a new session. A command may have run.
pub const DT_RETRY_RECONNECT: i32 = 6;
/// A command may have run: only the caller can know.
pub const DT_RETRY_CALLER_DECIDES: i32 = 7;

/// The status that came with the error.
///
/// **Threads:** any.
///
/// **Returns:** `DT_STATUS_OK` for NULL, which is no error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_error_status(error: *const dt_error) -> dt_status {
    guard(Or(DT_STATUS_OK), || Ok(unsafe { borrow(error)? }.kind.status()))
}

/// What was being done, what came, and what lies beneath it, in one line of English. For people: it may change.
///
/// **Ownership:** borrowed from the error.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_error_message(error: *const dt_error) -> *const c_char {
    guard(Or(ptr::null()), || Ok(unsafe { borrow(error)? }.message.as_ptr()))
}

/// A name for programs: the FullyQualifiedErrorId of the remote record where there is one, else the library's own, such as
/// `AuthenticationFailed`.
///
/// **Ownership:** borrowed from the error.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_error_id(error: *const dt_error) -> *const c_char {
    guard(Or(ptr::null()), || Ok(unsafe { borrow(error)? }.id.as_ptr()))
}

/// The name of a PowerShell ErrorCategory: of the remote record where there is one.
///
/// **Ownership:** borrowed from the error.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_error_category(error: *const dt_error) -> *const c_char {
    guard(Or(ptr::null()), || Ok(unsafe { borrow(error)? }.category.as_ptr()))
}

/// Whether trying again can help.
///
/// **Threads:** any.
///
/// **Returns:** one of `DT_RETRY_*`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_error_retry(error: *const dt_error) -> i32 {
    guard(Or(DT_RETRY_NO), || Ok(unsafe { borrow(error)? }.kind.retry() as i32))
}

/// One fact about the error, as text.
///
/// | name | fact |
/// |------|------|
/// | `tenant` | the delegated organization asked for |
/// | `host` | the host talked to |
/// | `http_status` | the HTTP status, in decimal |
/// | `request_id` | the server's own id of the request, for its operators |
/// | `request_sent` | `no`: the request did not reach the server; `maybe`: it may have |
/// | `fault_code` | the code of the WSManFault, in decimal |
/// | `authority_code` | the number of Microsoft Entra ID's error, such as `AADSTS50126` |
/// | `certificate` | the certificate that the check of the way to a server was shown and did not take |
/// | `retry_after_ms` | how many milliseconds the service asks to wait |
/// | `redirect_location` | where the server redirects to |
/// | `native_id` | what PowerShell's own cmdlets put before ",PSSessionOpenFailed" |
/// | `native_code` | the ErrorCode of the exception of PowerShell's own cmdlets, in decimal |
/// | `native_message` | the message in the words of PowerShell's own cmdlets |
/// | `remedy` | one sentence for the user: what to do about it |
///
/// **Ownership:** borrowed from the error.
///
/// **Threads:** any.
///
/// **Returns:** NULL where the error has no such fact.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_error_fact(error: *const dt_error, name: *const c_char) -> *const c_char {
    guard(Or(ptr::null()), || {
        let content = unsafe { borrow(error)? };
        let name = unsafe { string("name", name)? };
        Ok(borrowed(content.facts.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_c_str())))
    })
}

/// The remote ErrorRecord that ended a command, as a CLIXML document. `length` counts the bytes before its zero byte.
///
/// **Ownership:** borrowed from the error. `length` may be NULL.
///
/// **Threads:** any.
///
/// **Returns:** NULL, and a length of 0, where the remote side sent none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_error_record(error: *const dt_error, length: *mut usize) -> *const c_char {
    guard(Or(ptr::null()), || {
        unsafe { tell_length(length, 0) };
        let content = unsafe { borrow(error)? };
        unsafe { tell_length(length, content.record.as_ref().map_or(0, |r| r.as_bytes().len())) };
        Ok(borrowed(content.record.as_deref()))
    })
}

/// Frees an error. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_error_free(error: *mut dt_error) {
    guard(Or(()), || unsafe { free(error) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Retry;

    #[test]
    fn the_numbers_are_those_of_the_advice() {
        for (number, retry) in [
            (DT_RETRY_NO, Retry::No),
            (DT_RETRY_YES, Retry::Yes),
            (DT_RETRY_NEW_CREDENTIAL, Retry::NewCredential),
            (DT_RETRY_WITH_CONSENT, Retry::WithConsent),
            (DT_RETRY_AFTER_DELAY, Retry::AfterDelay),
            (DT_RETRY_AFTER_CLOSING, Retry::AfterClosing),
            (DT_RETRY_RECONNECT, Retry::Reconnect),
            (DT_RETRY_CALLER_DECIDES, Retry::CallerDecides),
        ] {
            assert_eq!(number, retry as i32);
        }
    }

    #[test]
    fn a_message_tells_its_sources_once() {
        let inner = Error::new(ErrorKind::Connect, "connect", "refused");
        let middle = Error::new(ErrorKind::Connect, "open shell", inner.to_string()).with_source(inner);
        let outer = Error::new(ErrorKind::Connect, "open session", "no answer").with_source(middle);
        assert_eq!(message(&outer), "open session: no answer: open shell: connect: refused");
    }

    #[test]
    fn a_remote_record_keeps_its_id_and_category() {
        let record = r#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0"><MS><S N="FullyQualifiedErrorId">TooLong,New-Mailbox</S><I32 N="ErrorCategory_Category">5</I32></MS></Obj></Objs>"#;
        let error = Error::new(ErrorKind::CommandFailed, "run command", "too long").with_record(record.into());
        let content = ErrorContent::from(error);
        assert_eq!((content.id.to_str(), content.category.to_str()), (Ok("TooLong,New-Mailbox"), Ok("InvalidArgument")));
        let broken = ErrorContent::from(Error::new(ErrorKind::CommandFailed, "run command", "x").with_record("<Obj".into()));
        assert_eq!((broken.id.to_str(), broken.category.to_str()), (Ok("RemoteCommandFailed"), Ok("NotSpecified")));
    }
}
