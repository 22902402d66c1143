//! What a command gives, one at a time, as a document that PowerShell's own serializer reads.

use super::description;
use crate::clixml::{self, Value};
use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::OnceLock;

/// What a record is. The first six are PowerShell's stream numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are PowerShell's")]
pub enum RecordKind {
    Output = 1,
    Error = 2,
    Warning = 3,
    Verbose = 4,
    Debug = 5,
    Information = 6,
    Progress = 7,
    /// The server calls the host: [`Record::call`] is there, and the document is the list of the call's parameters.
    HostCall = 8,
}

/// The head of a host call (MS-PSRP 2.2.2.27).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCallHead {
    /// Repeated in the answer; -100 where none is wanted.
    pub call_id: i64,
    /// The method's number (MS-PSRP 2.2.3.17, RemoteHostMethodId).
    pub method: i32,
    /// The method's name.
    pub method_name: String,
}

impl HostCallHead {
    /// Whether the server waits for an answer.
    pub fn wants_reply(&self) -> bool {
        self.call_id != -100
    }
}

/// One record, unread: its CLIXML is as the server sent it.
pub struct Record {
    /// What it is.
    pub kind: RecordKind,
    /// A whole CLIXML document with `Objs` root, UTF-8, and one NUL after it.
    pub document: Vec<u8>,
    /// The head of a host call, for that kind alone.
    pub call: Option<HostCallHead>,
    /// Some `<SS>` in it needs the session key.
    pub secure: bool,
    text: OnceLock<Option<CString>>,
    description: OnceLock<Option<CString>>,
}

const HEAD: &[u8] = br#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">"#;
const TAIL: &[u8] = b"</Objs>\0";

impl Record {
    /// A record of one CLIXML value without root, as a PSRP message carries it. A byte-order mark is passed over.
    pub fn new(kind: RecordKind, clixml: &[u8]) -> Self {
        let clixml = clixml.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(clixml);
        let mut document = Vec::with_capacity(HEAD.len() + clixml.len() + TAIL.len());
        document.extend_from_slice(HEAD);
        document.extend_from_slice(clixml);
        document.extend_from_slice(TAIL);
        Self {
            kind,
            secure: clixml::contains_secure_string(clixml),
            document,
            call: None,
            text: OnceLock::new(),
            description: OnceLock::new(),
        }
    }

    /// A host call with its parameters.
    pub fn host_call(call: HostCallHead, parameters: Vec<Value>) -> Self {
        let list = Value::from(clixml::Object::list(parameters));
        Self { call: Some(call), ..Self::new(RecordKind::HostCall, clixml::write(&list).as_bytes()) }
    }

    /// The document without its NUL.
    pub fn clixml(&self) -> &[u8] {
        &self.document[..self.document.len() - 1]
    }

    /// The message of a warning, verbose, debug or error record, the activity of progress, the method name of a host
    /// call; None for the others. Read when first asked for.
    pub fn text(&self) -> Option<&CStr> {
        self.text.get_or_init(|| self.read_text()).as_deref()
    }

    /// The command that an answer to a question for metadata tells of, in lines, as `dt_item_command` gives it; None for
    /// other records. Read when first asked for.
    pub fn command(&self) -> Option<&CStr> {
        let read = || CString::new(description::describe(self.clixml())?).ok();
        self.description.get_or_init(|| if self.kind == RecordKind::Output { read() } else { None }).as_deref()
    }

    fn read_text(&self) -> Option<CString> {
        let text = match self.kind {
            RecordKind::Output | RecordKind::Information => return None,
            RecordKind::HostCall => self.call.as_ref()?.method_name.clone(),
            kind => {
                let value = clixml::read(self.clixml()).ok()?;
                match kind {
                    RecordKind::Progress => value.property("Activity")?.as_str()?.to_owned(),
                    RecordKind::Error => error_message(&value)?,
                    _ => value
                        .property("InformationalRecord_Message")
                        .and_then(Value::as_str)
                        .map(str::to_owned)
                        .or_else(|| shown(&value))?,
                }
            }
        };
        // A NUL inside would end the text early for a C reader.
        CString::new(text.replace('\0', "\u{FFFD}")).ok()
    }
}

/// What PowerShell shows of an ErrorRecord: its details' message, else the exception's, else its own text.
pub(crate) fn error_message(record: &Value) -> Option<String> {
    let text = |v: Option<&Value>| v.and_then(Value::as_str).map(str::to_owned);
    text(record.property("ErrorDetails_Message"))
        .or_else(|| text(record.property("Exception").and_then(|e| e.property("Message"))))
        .or_else(|| shown(record))
}

fn shown(value: &Value) -> Option<String> {
    match value.as_object() {
        Some(o) => o.to_string.as_ref().map(|t| t.to_str_lossy().into_owned()),
        None => value.as_str().map(str::to_owned),
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("kind", &self.kind)
            .field("call", &self.call)
            .field("size", &self.document.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_document_with_one_nul() {
        let r = Record::new(RecordKind::Output, b"\xEF\xBB\xBF<S>a</S>");
        assert!(r.clixml().starts_with(b"<Objs ") && r.clixml().ends_with(b"<S>a</S></Objs>"));
        assert_eq!(r.document.iter().filter(|b| **b == 0).count(), 1);
        assert!(!r.secure);
        assert!(Record::new(RecordKind::Output, b"<SS N=\"x\">AA==</SS>").secure);
    }
}
