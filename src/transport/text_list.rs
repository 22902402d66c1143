//! A list that only grows.

use std::ffi::{CStr, CString};
use std::sync::OnceLock;

/// Texts that are only ever added, so that each stays where it is for as long as the list: C readers hold pointers to
/// them. Meant for a handful: every access walks from the first.
#[derive(Debug, Default)]
pub struct TextList {
    first: OnceLock<Box<Node>>,
}

#[derive(Debug)]
struct Node {
    text: CString,
    next: OnceLock<Box<Node>>,
}

impl TextList {
    /// The text at an index, from 0.
    pub fn get(&self, index: usize) -> Option<&CStr> {
        self.nodes().nth(index)
    }

    /// The last text.
    pub fn last(&self) -> Option<&CStr> {
        self.nodes().last()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nodes().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// Adds a text. A NUL in it becomes U+FFFD.
    pub(crate) fn push(&self, text: &str) {
        let text = CString::new(text.replace('\0', "\u{FFFD}")).expect("no NUL is left");
        let mut node = Box::new(Node { text, next: OnceLock::new() });
        let mut slot = &self.first;
        while let Err(back) = slot.set(node) {
            node = back;
            slot = &slot.get().expect("a slot that refuses is full").next;
        }
    }

    /// The text as the list has it, added where it has it not.
    pub(crate) fn keep(&self, text: &str) -> &CStr {
        let same = |known: &&CStr| known.to_bytes() == text.as_bytes();
        if self.nodes().find(same).is_none() {
            self.push(text);
        }
        self.nodes().find(same).or(self.last()).unwrap_or_default()
    }

    fn nodes(&self) -> impl Iterator<Item = &CStr> {
        std::iter::successors(self.first.get(), |n| n.next.get()).map(|n| n.text.as_c_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_where_they_are() {
        let list = TextList::default();
        list.push("a");
        let a = list.get(0).unwrap();
        list.push("b\0c");
        assert_eq!((a.to_str(), list.last().unwrap().to_str(), list.len()), (Ok("a"), Ok("b\u{FFFD}c"), 2));
        assert!(std::ptr::eq(a, list.get(0).unwrap()));
    }
}
