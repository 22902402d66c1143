//! Fragments (MS-PSRP 2.2.4): messages cut to the transport's size and joined again.

use crate::error::Result;
use bytes::Bytes;

/// Cuts messages into fragments. Shared by a pool and its pipelines, since object ids count up across them.
#[derive(Debug)]
pub struct Fragmenter {}

impl Fragmenter {
    /// Fragments of at most `size` bytes each, header of 21 bytes included.
    pub fn new(size: usize) -> Self {
        let _ = size;
        todo!()
    }

    /// Takes another size, when the other side's envelope limit becomes known.
    pub fn set_size(&self, size: usize) {
        let _ = size;
        todo!()
    }

    /// One message as fragments, each complete with its header.
    pub fn cut(&self, message: &[u8]) -> Vec<Bytes> {
        let _ = message;
        todo!()
    }
}

/// Joins the fragments of one stream (the pool's or one pipeline's), which come one object after the other.
#[derive(Debug)]
pub struct Defragmenter {}

impl Defragmenter {
    /// Refuses an object of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let _ = limit;
        todo!()
    }

    /// Takes bytes that hold any number of whole fragments, or a part of one, and hands each completed object to `each`.
    /// An object that came in one fragment is handed over without a copy.
    pub fn push(&mut self, bytes: &Bytes, each: &mut dyn FnMut(Bytes) -> Result<()>) -> Result<()> {
        let _ = (bytes, each);
        todo!()
    }
}
