//! Values to CLIXML text, byte for byte as PowerShell's own serializer writes it without indentation.

use super::read::NAMESPACE;
use super::{Content, Object, ObjectId, Property, Text, TypeNames, Value, number, text};
use crate::xml::Writer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// One value as the data of a PSRP message: no `Objs` root, no blanks between elements, RefIds from 0.
///
/// An object that stands in the value twice is written once and referred to. A reference to an object that does not
/// stand before it cannot be written, and becomes `Nil`.
pub fn write(value: &Value) -> String {
    let mut document = Document::default();
    document.value(None, value);
    document.xml.finish()
}

/// The values as one document: `Objs` root with version 1.1.0.1 and PowerShell's namespace.
pub fn write_document(values: &[Value]) -> String {
    let mut document = Document::default();
    document.xml.start("Objs").attribute("Version", "1.1.0.1").attribute("xmlns", NAMESPACE);
    for value in values {
        document.value(None, value);
    }
    document.xml.finish()
}

/// One simple value as a named element, e.g. `<S N="PSComputerName">host</S>`, to put among others in raw text.
pub fn write_property(name: &str, value: &Value) -> String {
    let mut document = Document::default();
    document.value(Some(&text::encode_utf8(name)), value);
    document.xml.finish()
}

#[derive(Default)]
struct Document<'v> {
    xml: Writer,
    /// The RefId of each object written, and where it is: of two objects with one id, which copying can bring about,
    /// only the same one again is a reference.
    objects: HashMap<ObjectId, (u64, *const Object)>,
    next_object: u64,
    /// By the names themselves, as PowerShell numbers them.
    type_names: HashMap<&'v [Text], u64>,
    /// By the pointer, so that long names shared by many objects are hashed once.
    known_type_names: HashMap<*const Text, u64>,
}

impl<'v> Document<'v> {
    fn value(&mut self, name: Option<&str>, value: &'v Value) {
        let string = |n: &dyn ToString| Cow::Owned(n.to_string());
        let (tag, content) = match value {
            Value::Object(object) => return self.object(name, object),
            Value::Reference(id) => return self.reference(name, *id),
            Value::Nil => return self.empty(name, "Nil"),
            Value::Bytes(bytes) if bytes.is_empty() => return self.empty(name, "BA"),
            Value::Progress(fields) => return self.progress(name, fields),
            Value::MemberSet(members) => return self.properties(name, "MS", members),
            Value::String(t) => ("S", text::encode(t)),
            Value::Uri(t) => ("URI", text::encode(t)),
            Value::Xml(t) => ("XD", text::encode(t)),
            Value::ScriptBlock(t) => ("SBK", text::encode(t)),
            Value::Char(n) => ("C", string(n)),
            Value::Bool(b) => ("B", string(b)),
            Value::DateTime(t) => ("DT", Cow::Borrowed(t.as_str())),
            Value::Duration(t) => ("TS", Cow::Borrowed(t.as_str())),
            Value::U8(n) => ("By", string(n)),
            Value::I8(n) => ("SB", string(n)),
            Value::U16(n) => ("U16", string(n)),
            Value::I16(n) => ("I16", string(n)),
            Value::U32(n) => ("U32", string(n)),
            Value::I32(n) => ("I32", string(n)),
            Value::U64(n) => ("U64", string(n)),
            Value::I64(n) => ("I64", string(n)),
            Value::F32(n) => ("Sg", number::format_f32(*n).into()),
            Value::F64(n) => ("Db", number::format_f64(*n).into()),
            Value::Decimal(t) => ("D", Cow::Borrowed(t.as_str())),
            Value::Bytes(bytes) => ("BA", STANDARD.encode(bytes).into()),
            Value::Guid(g) => ("G", string(g)),
            Value::Version(t) => ("Version", Cow::Borrowed(t.as_str())),
            Value::SemanticVersion(t) => ("SemanticVersion", Cow::Borrowed(t.as_str())),
            Value::SecureString(t) => ("SS", Cow::Borrowed(t.as_str())),
        };
        self.start(name, tag);
        self.xml.text(&content).end();
    }

    fn start(&mut self, name: Option<&str>, tag: &'static str) {
        self.xml.start(tag);
        if let Some(name) = name {
            self.xml.attribute("N", name);
        }
    }

    fn empty(&mut self, name: Option<&str>, tag: &'static str) {
        self.start(name, tag);
        self.xml.end();
    }

    /// An element that, unlike a string's, has one tag when it is empty.
    fn element(&mut self, tag: &'static str, content: &Text) {
        self.xml.start(tag);
        let content = text::encode(content);
        if !content.is_empty() {
            self.xml.text(&content);
        }
        self.xml.end();
    }

    fn reference(&mut self, name: Option<&str>, id: ObjectId) {
        let Some(&(id, _)) = self.objects.get(&id) else { return self.empty(name, "Nil") };
        self.start(name, "Ref");
        self.xml.attribute("RefId", &id.to_string()).end();
    }

    fn object(&mut self, name: Option<&str>, object: &'v Arc<Object>) {
        if self.objects.get(&object.id).is_some_and(|(_, at)| std::ptr::eq(*at, Arc::as_ptr(object))) {
            return self.reference(name, object.id);
        }
        let id = self.next_object;
        self.next_object += 1;
        self.objects.insert(object.id, (id, Arc::as_ptr(object)));
        self.start(name, "Obj");
        self.xml.attribute("RefId", &id.to_string());
        if let Some(names) = &object.type_names {
            self.types(names);
        }
        if let Some(text) = &object.to_string {
            self.element("ToString", text);
        }
        match &object.content {
            Content::None => {}
            Content::Primitive(value) => self.value(None, value),
            Content::List(items) => self.items("LST", items),
            Content::Enumerable(items) => self.items("IE", items),
            Content::Stack(items) => self.items("STK", items),
            Content::Queue(items) => self.items("QUE", items),
            Content::Dictionary(entries) => {
                self.xml.start("DCT");
                for (key, value) in entries {
                    self.xml.start("En");
                    self.value(Some("Key"), key);
                    self.value(Some("Value"), value);
                    self.xml.end();
                }
                self.xml.end();
            }
        }
        if let Some(adapted) = &object.adapted {
            self.properties(None, "Props", adapted);
        }
        if let Some(extended) = &object.extended {
            self.properties(None, "MS", extended);
        }
        self.xml.end();
    }

    fn types(&mut self, names: &'v TypeNames) {
        let known = self.known_type_names.get(&names.as_ptr()).or_else(|| self.type_names.get(&**names));
        if let Some(&id) = known {
            self.known_type_names.insert(names.as_ptr(), id);
            self.xml.start("TNRef").attribute("RefId", &id.to_string()).end();
            return;
        }
        let id = self.type_names.len() as u64;
        self.type_names.insert(names, id);
        self.known_type_names.insert(names.as_ptr(), id);
        self.xml.start("TN").attribute("RefId", &id.to_string());
        for name in names.iter() {
            self.element("T", name);
        }
        self.xml.end();
    }

    fn items(&mut self, tag: &'static str, items: &'v [Value]) {
        self.xml.start(tag);
        for item in items {
            self.value(None, item);
        }
        self.xml.end();
    }

    fn properties(&mut self, name: Option<&str>, tag: &'static str, properties: &'v [Property]) {
        self.start(name, tag);
        for property in properties {
            self.value(Some(&text::encode(&property.name)), &property.value);
        }
        self.xml.end();
    }

    fn progress(&mut self, name: Option<&str>, fields: &'v [Property]) {
        self.start(name, "PR");
        for field in fields {
            const TAGS: [&str; 7] = ["AV", "AI", "PI", "PC", "T", "SR", "SD"];
            let tag = TAGS.into_iter().find(|tag| field.name == *tag);
            match (tag, &field.value) {
                (Some(tag), Value::String(text)) => self.element(tag, text),
                (Some(tag), Value::I32(n)) => {
                    self.xml.element(tag, &n.to_string());
                }
                // The current operation, the only field that is a value of its own.
                (_, value) => self.value(None, value),
            }
        }
        self.xml.end();
    }
}
