//! CLIXML text to values.

use super::{Content, Object, ObjectId, Property, Text, TypeNames, Value, number, text};
use crate::error::Result;
use crate::xml::{Limits, Reader, Start};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem::Finder;
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// The namespace of documents; messages are in none.
pub(super) const NAMESPACE: &str = "http://schemas.microsoft.com/powershell/2004/04";

/// Reads the one value of a PSRP message or of a document with an `Objs` root. A byte-order mark is passed over.
pub fn read(text: &[u8]) -> Result<Value> {
    let mut document = Document::new(text, Limits::default())?;
    let mut values = document.values()?;
    match values.pop() {
        Some(value) if values.is_empty() => Ok(value),
        Some(_) => Err(document.xml.error("more than one value")),
        None => Err(document.xml.error("no value")),
    }
}

/// Reads every value of a document, with or without an `Objs` root.
pub fn read_document(text: &[u8], limits: Limits) -> Result<Vec<Value>> {
    Document::new(text, limits)?.values()
}

/// Whether a SecureString (`SS`) stands in this CLIXML, told from its bytes, so that the rare record that has one is
/// found without reading any.
pub fn contains_secure_string(raw: &[u8]) -> bool {
    // Made once: every record is looked through, and most are shorter than the making is long.
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"<SS"));
    FINDER.find_iter(raw).any(|at| matches!(raw.get(at + 3), Some(b'>' | b' ' | b'\t' | b'\r' | b'\n' | b'/')))
}

struct Document<'a> {
    xml: Reader<'a>,
    /// By RefId. A RefId that comes again names the later object from then on, as it does for PowerShell.
    objects: HashMap<u64, ObjectId>,
    type_names: HashMap<u64, TypeNames>,
}

impl<'a> Document<'a> {
    fn new(text: &'a [u8], limits: Limits) -> Result<Self> {
        let xml = Reader::new("read clixml", text, limits)?;
        Ok(Self { xml, objects: HashMap::new(), type_names: HashMap::new() })
    }

    fn values(&mut self) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        let mut first = true;
        while let Some(start) = self.child()? {
            if start.name == "Objs" && first {
                if start.attribute("Version").is_some_and(|v| v != "1" && !v.starts_with("1.")) {
                    return Err(self.xml.error("a version of clixml that is not 1"));
                }
                while let Some(start) = self.child()? {
                    values.push(self.value(&start)?);
                }
                self.xml.end_of_document()?;
                break;
            }
            first = false;
            values.push(self.value(&start)?);
        }
        Ok(values)
    }

    fn child(&mut self) -> Result<Option<Start<'a>>> {
        let child = self.xml.child()?;
        match &child {
            Some(start) if !start.namespace.is_empty() && start.namespace != NAMESPACE => {
                Err(self.xml.error("an element of another namespace"))
            }
            _ => Ok(child),
        }
    }

    fn value(&mut self, start: &Start<'a>) -> Result<Value> {
        if let Some(primitive) = self.primitive(start.name)? {
            return Ok(primitive);
        }
        match start.name {
            "Nil" => {
                self.xml.skip()?;
                Ok(Value::Nil)
            }
            "Ref" => {
                let id = self.ref_id(start)?;
                self.xml.skip()?;
                match id.and_then(|id| self.objects.get(&id)) {
                    Some(object) => Ok(Value::Reference(*object)),
                    None => Err(self.xml.error("a reference to an object that did not come before")),
                }
            }
            "Obj" => self.object(start).map(Value::from),
            _ => Err(self.unknown(start)),
        }
    }

    fn object(&mut self, start: &Start<'a>) -> Result<Object> {
        let mut object = Object::new();
        if let Some(id) = self.ref_id(start)? {
            // Before the content, which may refer to what encloses it.
            self.objects.insert(id, object.id);
        }
        while let Some(start) = self.child()? {
            let once = match start.name {
                "TN" | "TNRef" => object.type_names.replace(self.types(&start)?).is_none(),
                "ToString" => object.to_string.replace(text::decode(self.xml.text()?)).is_none(),
                "Props" => object.adapted.replace(self.properties(false)?).is_none(),
                "MS" => object.extended.replace(self.properties(true)?).is_none(),
                _ => std::mem::replace(&mut object.content, self.content(&start)?) == Content::None,
            };
            if !once {
                return Err(self.xml.error(format_args!("an object with two of `{}`", shown(start.name))));
            }
        }
        Ok(object)
    }

    fn content(&mut self, start: &Start<'a>) -> Result<Content> {
        if let Some(primitive) = self.primitive(start.name)? {
            return Ok(Content::Primitive(primitive));
        }
        match start.name {
            "LST" => self.items().map(Content::List),
            "IE" => self.items().map(Content::Enumerable),
            "STK" => self.items().map(Content::Stack),
            "QUE" => self.items().map(Content::Queue),
            "DCT" => self.entries().map(Content::Dictionary),
            "Obj" => self.object(start).map(|o| Content::Primitive(o.into())),
            _ => Err(self.unknown(start)),
        }
    }

    fn items(&mut self) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        while let Some(start) = self.child()? {
            items.push(self.value(&start)?);
        }
        Ok(items)
    }

    fn entries(&mut self) -> Result<Vec<(Value, Value)>> {
        let mut entries = Vec::new();
        while let Some(entry) = self.child()? {
            if entry.name != "En" {
                return Err(self.unknown(&entry));
            }
            let key = self.half("Key")?;
            if key == Value::Nil {
                return Err(self.xml.error("a dictionary entry with a null key"));
            }
            let value = self.half("Value")?;
            if self.child()?.is_some() {
                return Err(self.xml.error("a dictionary entry with more than a key and a value"));
            }
            entries.push((key, value));
        }
        Ok(entries)
    }

    fn half(&mut self, name: &str) -> Result<Value> {
        match self.child()? {
            Some(start) if start.attribute("N").is_some_and(|n| n.eq_ignore_ascii_case(name)) => self.value(&start),
            _ => Err(self.xml.error(format_args!("a dictionary entry without its {name}"))),
        }
    }

    fn properties(&mut self, member_sets: bool) -> Result<Vec<Property>> {
        let mut properties = Vec::new();
        while let Some(start) = self.child()? {
            let Some(name) = start.attributes.iter().find(|a| a.name == "N" && a.namespace.is_empty()) else {
                return Err(self.xml.error("a property without a name"));
            };
            let name = text::decode(name.value.as_ref().into());
            let value = match start.name {
                "MS" if member_sets => Value::MemberSet(self.properties(true)?),
                _ => self.value(&start)?,
            };
            properties.push(Property { name, value });
        }
        Ok(properties)
    }

    fn types(&mut self, start: &Start<'a>) -> Result<TypeNames> {
        let id = self.ref_id(start)?;
        if start.name == "TNRef" {
            self.xml.skip()?;
            return match id.and_then(|id| self.type_names.get(&id)) {
                Some(names) => Ok(names.clone()),
                None => Err(self.xml.error("a reference to type names that did not come before")),
            };
        }
        let mut names: Vec<Text> = Vec::new();
        while let Some(start) = self.child()? {
            if start.name != "T" {
                return Err(self.unknown(&start));
            }
            names.push(text::decode(self.xml.text()?));
        }
        let names: TypeNames = names.into();
        if let Some(id) = id {
            self.type_names.insert(id, Arc::clone(&names));
        }
        Ok(names)
    }

    fn ref_id(&self, start: &Start<'_>) -> Result<Option<u64>> {
        match start.attribute("RefId").map(|id| id.trim().parse()) {
            None => Ok(None),
            Some(Ok(id)) => Ok(Some(id)),
            Some(Err(_)) => Err(self.xml.error("a RefId that is no number")),
        }
    }

    /// The value of the element just started, if its name is that of a primitive.
    fn primitive(&mut self, name: &str) -> Result<Option<Value>> {
        let value = match name {
            "S" => Value::String(text::decode(self.xml.text()?)),
            "C" => Value::Char(self.number()?),
            "B" => Value::Bool(self.checked("boolean", |t| match t {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            })?),
            "DT" => Value::DateTime(self.form("date", number::is_date_time)?),
            "TS" => Value::Duration(self.form("duration", number::is_duration)?),
            "By" => Value::U8(self.number()?),
            "SB" => Value::I8(self.number()?),
            "U16" => Value::U16(self.number()?),
            "I16" => Value::I16(self.number()?),
            "U32" => Value::U32(self.number()?),
            "I32" => Value::I32(self.number()?),
            "U64" => Value::U64(self.number()?),
            "I64" => Value::I64(self.number()?),
            "Sg" => Value::F32(self.checked("number", number::parse_float)?),
            "Db" => Value::F64(self.checked("number", number::parse_float)?),
            "D" => Value::Decimal(self.form("number", number::is_decimal)?),
            "BA" => Value::Bytes(self.checked("base64", base64)?),
            "G" => Value::Guid(self.checked("guid", |t| Uuid::try_parse(t).ok())?),
            "URI" => Value::Uri(text::decode(self.xml.text()?)),
            "Version" => Value::Version(self.form("version", number::is_version)?),
            "SemanticVersion" => Value::SemanticVersion(self.form("version", number::is_semantic_version)?),
            "XD" => Value::Xml(text::decode(self.xml.text()?)),
            "SBK" => Value::ScriptBlock(text::decode(self.xml.text()?)),
            "SS" => Value::SecureString(self.form("secure string", is_protected)?),
            "PR" => Value::Progress(self.progress()?),
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    fn checked<T>(&mut self, what: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let text = self.xml.text()?;
        parse(text.trim_matches([' ', '\t', '\r', '\n'])).ok_or_else(|| self.xml.error(format_args!("a malformed {what}")))
    }

    fn number<T: FromStr>(&mut self) -> Result<T> {
        self.checked("number", |t| t.parse().ok())
    }

    fn form(&mut self, what: &str, is_right: impl FnOnce(&str) -> bool) -> Result<String> {
        self.checked(what, |t| is_right(t).then(|| t.to_owned()))
    }

    fn progress(&mut self) -> Result<Vec<Property>> {
        let mut fields = Vec::new();
        while let Some(start) = self.child()? {
            let value = match start.name {
                "AV" | "T" | "SD" => Value::String(text::decode(self.xml.text()?)),
                "AI" | "PI" | "PC" | "SR" => Value::I32(self.number()?),
                "S" | "Nil" => self.value(&start)?,
                _ => return Err(self.unknown(&start)),
            };
            fields.push(Property { name: start.name.into(), value });
        }
        Ok(fields)
    }

    fn unknown(&self, start: &Start<'_>) -> crate::Error {
        self.xml.error(format_args!("an element `{}` that does not belong there", shown(start.name)))
    }
}

/// An element's name for an error: what a server sends there may be of any length and content.
fn shown(name: &str) -> String {
    name.chars().take(32).flat_map(char::escape_debug).collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().or_else(|| {
        // .NET passes over blanks, which other writers put into long texts.
        let dense: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        STANDARD.decode(dense).ok()
    })
}

/// Base64 under a session key; hexadecimal in documents without one.
fn is_protected(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}
