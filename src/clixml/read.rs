//! CLIXML text to values.

use super::Value;
use crate::error::Result;

/// What a document may be before it is refused, since it may come from a hostile server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Elements inside each other. PowerShell itself stops at 50 objects (MS-PSRP names no number).
    pub depth: usize,
    /// Bytes of text.
    pub size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 128, size: 200 * 1024 * 1024 }
    }
}

/// Reads the one value of a PSRP message or of a document with an `Objs` root. A byte-order mark is passed over.
pub fn read(text: &[u8]) -> Result<Value> {
    let _ = text;
    todo!()
}

/// Reads every value of a document, with or without an `Objs` root.
pub fn read_document(text: &[u8], limits: Limits) -> Result<Vec<Value>> {
    let _ = (text, limits);
    todo!()
}
