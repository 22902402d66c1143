//! Values to CLIXML text.

use super::Value;

/// One value as the data of a PSRP message: no `Objs` root, no blanks between elements, RefIds from 0.
pub fn write(value: &Value) -> String {
    let _ = value;
    todo!()
}

/// The values as one document: `Objs` root with version 1.1.0.1 and PowerShell's namespace.
pub fn write_document(values: &[Value]) -> String {
    let _ = values;
    todo!()
}

/// One simple value as a named element, e.g. `<S N="PSComputerName">host</S>`, to put among others in raw text.
pub fn write_property(name: &str, value: &Value) -> String {
    let _ = (name, value);
    todo!()
}
