//! A string that goes out as a handle of its own.

use super::handle::{borrow, free};
use super::*;
use crate::secret::Secret;

/// A string handed out as a handle of its own, wiped when freed.
pub struct dt_text {
    _opaque: [u8; 0],
}

/// UTF-8 and one zero byte.
pub(super) struct TextContent(Secret<Vec<u8>>);

impl From<&str> for TextContent {
    fn from(text: &str) -> Self {
        // Of the full size at once: growing would leave a copy behind that nobody wipes.
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        Self(Secret::new(bytes))
    }
}

impl Noun for dt_text {
    const NAME: &'static str = "dt_text";
    const MAGIC: u64 = u64::from_be_bytes(*b"dt_text_");
    type Content = TextContent;
}

/// The string, UTF-8, ending with a zero byte. It may hold further zero bytes: `length` counts all but the last.
///
/// **Ownership:** borrowed from the text. `length` may be NULL.
///
/// **Threads:** any.
///
/// **Returns:** NULL, and a length of 0, where the handle is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_text_data(text: *const dt_text, length: *mut usize) -> *const c_char {
    guard(Or(ptr::null()), || {
        unsafe { tell_length(length, 0) };
        let content = unsafe { borrow(text)? };
        let bytes = content.0.reveal();
        unsafe { tell_length(length, bytes.len() - 1) };
        Ok(bytes.as_ptr().cast())
    })
}

/// Wipes and frees a text. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_text_free(text: *mut dt_text) {
    guard(Or(()), || unsafe { free(text) })
}
