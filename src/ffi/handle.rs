//! Handles: what an opaque pointer of C points at.

#![warn(clippy::undocumented_unsafe_blocks)]

use super::unusable;
use crate::error::{Error, ErrorKind, Result};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A noun of the ABI: the opaque type that C sees, and what stands behind its pointer. The content is shared between
/// threads whatever the conventions allow C to do, so that breaking them cannot break memory.
pub(super) trait Noun: Sized {
    /// As in C.
    const NAME: &'static str;
    /// Tells this noun from the others, and a live handle from a freed one where the memory still shows it.
    const MAGIC: u64;
    /// What the handle holds.
    type Content: Send + Sync;
}

/// What the pointer points at. Counted, because a call holds the handle until it returns, even if another thread frees
/// the handle meanwhile.
#[repr(C)]
pub(super) struct Handle<N: Noun> {
    /// First, so that it stands at the same place in a handle of any noun.
    magic: AtomicU64,
    poisoned: AtomicBool,
    content: N::Content,
}

const FREED: u64 = 0xDEAD_DEAD_DEAD_DEAD;

impl<N: Noun> Handle<N> {
    /// A new handle, which the caller of the library frees.
    pub(super) fn hand_out(content: N::Content) -> *mut N {
        let handle = Self { magic: AtomicU64::new(N::MAGIC), poisoned: AtomicBool::new(false), content };
        Arc::into_raw(Arc::new(handle)).cast_mut().cast()
    }

    /// The handle behind a pointer, if it is one.
    ///
    /// # Safety
    /// The pointer is NULL, or of this library and not freed.
    unsafe fn find(pointer: *const N) -> Option<*const Self> {
        let handle = pointer.cast::<Self>();
        if handle.is_null() || !handle.is_aligned() {
            return None;
        }
        // SAFETY: every handle begins with its magic, whatever its noun.
        let magic = unsafe { (*handle.cast::<AtomicU64>()).load(Ordering::Acquire) };
        (magic == N::MAGIC).then_some(handle)
    }
}

/// A handle for the time of one call. If the call panics, the handle is poisoned.
pub(super) struct Borrowed<N: Noun>(Arc<Handle<N>>);

/// The handle that the caller of the library passed in.
///
/// # Safety
/// By the conventions the pointer is NULL (an error), or of this library and not freed.
pub(super) unsafe fn borrow<N: Noun>(pointer: *const N) -> Result<Borrowed<N>> {
    if pointer.is_null() {
        return Err(unusable(N::NAME, "NULL"));
    }
    // SAFETY: the same promise.
    let handle = unsafe { Handle::find(pointer) }.ok_or_else(|| unusable(N::NAME, "not such a handle, or a freed one"))?;
    // SAFETY: made by `hand_out` from an Arc whose count the caller of the library still holds.
    let borrowed = unsafe {
        Arc::increment_strong_count(handle);
        Borrowed(Arc::from_raw(handle))
    };
    if borrowed.0.poisoned.load(Ordering::Acquire) {
        return Err(Error::new(ErrorKind::Panic, "use handle", format!("{}: unusable since a panic in an earlier call", N::NAME)));
    }
    Ok(borrowed)
}

/// The handle, where NULL says that there is none.
///
/// # Safety
/// As [`borrow`].
pub(super) unsafe fn borrow_optional<N: Noun>(pointer: *const N) -> Result<Option<Borrowed<N>>> {
    // SAFETY: the same promise.
    if pointer.is_null() { Ok(None) } else { unsafe { borrow(pointer) }.map(Some) }
}

/// Takes a handle back. NULL and what is no such handle is left alone: freeing never fails.
///
/// # Safety
/// As [`borrow`], and the pointer is not used again.
pub(super) unsafe fn free<N: Noun>(pointer: *mut N) -> Result<()> {
    // SAFETY: the same promise.
    let Some(handle) = (unsafe { Handle::find(pointer) }) else { return Ok(()) };
    // SAFETY: found just now. Of two threads that free the same handle, one gets past.
    if unsafe { (*handle).magic.compare_exchange(N::MAGIC, FREED, Ordering::AcqRel, Ordering::Relaxed) }.is_ok() {
        // SAFETY: made by `hand_out`, and the magic lets nobody else take it back.
        drop(unsafe { Arc::from_raw(handle) });
    }
    Ok(())
}

impl<N: Noun> Deref for Borrowed<N> {
    type Target = N::Content;

    fn deref(&self) -> &N::Content {
        &self.0.content
    }
}

impl<N: Noun> Drop for Borrowed<N> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poisoned.store(true, Ordering::Release);
        }
    }
}
