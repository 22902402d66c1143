//! CLIXML text to values.

use super::Value;
use crate::error::Result;
use crate::xml::Limits;

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
