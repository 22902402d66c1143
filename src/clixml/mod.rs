//! CLIXML (MS-PSRP 2.2.5, `[MS-PSRP] Serialization`): PowerShell's object format, to and from [`Value`]. No I/O.

mod date;
mod number;
mod read;
mod text;
mod value;
mod write;

pub use crate::xml::Limits;
pub use date::{civil, date_time};
pub use read::{contains_secure_string, read, read_document};
pub use value::{Content, Object, ObjectId, Property, Text, TypeNames, Value, type_names};
pub use write::{write, write_document, write_property};
