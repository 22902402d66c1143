//! The only XML reading and writing, over quick-xml.
//!
//! [`Reader`] pulls events out of a whole text that is in memory; [`Writer`] puts elements into a string. What comes
//! from a server is bounded (bytes, depth, attributes, namespaces in scope), and what SOAP and CLIXML never carry is
//! refused: a document type, processing instructions, entities other than the predefined five.
//!
//! ```
//! use delegated_tenant::xml::{Event, Limits, Reader};
//! let mut reader = Reader::new("read reply", b"<s:a xmlns:s='urn:x' n='1'><b>x &amp; y</b></s:a>", Limits::default())?;
//! let root = reader.root()?;
//! assert_eq!((root.namespace, root.name, root.attribute("n")), ("urn:x", "a", Some("1")));
//! while let Some(child) = reader.child()? {
//!     match child.name {
//!         "b" => assert_eq!(reader.text()?, "x & y"),
//!         _ => reader.skip()?,
//!     }
//! }
//! reader.end_of_document()?;
//! # Ok::<(), delegated_tenant::Error>(())
//! ```

mod write;

pub use write::{Writer, escape_attribute, escape_text};

use crate::error::{Error, ErrorKind, Result};
use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, Event as Raw};
use std::borrow::Cow;
use std::fmt::Display;

/// The namespace of the prefix `xml`, which needs no declaration.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// What a text may be before it is refused, since it may come from a hostile server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Elements inside each other. PowerShell stops at 50 objects inside each other, each of up to four elements.
    pub depth: usize,
    /// Bytes of text.
    pub size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 256, size: 200 * 1024 * 1024 }
    }
}

/// Attributes of one element, declarations of namespaces included. WSMan and CLIXML need fewer than ten.
const MAX_ATTRIBUTES: usize = 128;
/// Namespaces declared by an element and all that enclose it; every prefix is searched among them.
const MAX_NAMESPACES: usize = 128;

/// Elements in one text: the shortest, of a few bytes, cost some hundred as values.
const MAX_ELEMENTS: usize = 4_000_000;

/// What stands next in the text.
#[derive(Debug)]
pub enum Event<'a> {
    /// A start tag. An empty-element tag is a start and an end.
    Start(Start<'a>),
    /// All text up to the next tag: references resolved, CDATA sections joined in, comments left out. It borrows from
    /// the document when nothing in it had to be resolved, however long it is.
    Text(Cow<'a, str>),
    /// The end tag of the innermost open element.
    End,
    /// The end of the document, every element closed.
    Eof,
}

/// A start tag.
#[derive(Debug)]
pub struct Start<'a> {
    /// The name without its prefix.
    pub name: &'a str,
    /// The namespace's URI; empty for none.
    pub namespace: &'a str,
    /// The attributes in document order, without declarations of namespaces.
    pub attributes: Vec<Attribute<'a>>,
}

/// An attribute.
#[derive(Debug)]
pub struct Attribute<'a> {
    /// The name without its prefix.
    pub name: &'a str,
    /// The namespace's URI; empty where the name has no prefix.
    pub namespace: &'a str,
    /// The value, references resolved.
    pub value: Cow<'a, str>,
}

impl Start<'_> {
    /// The value of the attribute with this name and no namespace.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_in("", name)
    }

    /// The value of the attribute with this namespace and name.
    pub fn attribute_in(&self, namespace: &str, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.name == name && a.namespace == namespace).map(|a| &*a.value)
    }

    /// Whether the element has this namespace and name.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace == namespace
    }
}

struct Binding<'a> {
    depth: usize,
    prefix: &'a str,
    uri: &'a str,
}

/// Pulls events out of a text. Every error is of kind Protocol and tells the byte where it was noticed; no error
/// repeats text or attribute values, which may be secret. After an error the reader is of no further use.
pub struct Reader<'a> {
    context: &'static str,
    text: &'a str,
    inner: quick_xml::Reader<&'a [u8]>,
    /// The event that ended a text.
    peeked: Option<Raw<'a>>,
    depth: usize,
    max_depth: usize,
    /// How many more elements there may be.
    elements: usize,
    bindings: Vec<Binding<'a>>,
}

impl<'a> Reader<'a> {
    /// A reader of UTF-8 text, with or without a byte-order mark. `context` is what is being done, for errors.
    pub fn new(context: &'static str, text: &'a [u8], limits: Limits) -> Result<Self> {
        let refuse = |detail| Error::new(ErrorKind::Protocol, context, detail);
        if text.len() > limits.size {
            return Err(refuse(format!("{} bytes of xml, over the limit of {}", text.len(), limits.size)));
        }
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let text = std::str::from_utf8(text).map_err(|e| refuse(format!("xml is not utf-8 at byte {}", e.valid_up_to())))?;
        let mut inner = quick_xml::Reader::from_str(text);
        inner.config_mut().expand_empty_elements = true;
        Ok(Self { context, text, inner, peeked: None, depth: 0, max_depth: limits.depth, elements: MAX_ELEMENTS, bindings: Vec::new() })
    }

    /// The next event.
    #[allow(clippy::should_implement_trait, reason = "an iterator would have to go on after an error")]
    pub fn next(&mut self) -> Result<Event<'a>> {
        let mut text: Option<Cow<'a, str>> = None;
        loop {
            let at_start = self.inner.buffer_position() == 0;
            let raw = match self.peeked.take() {
                Some(raw) => raw,
                None => self.inner.read_event().map_err(|e| self.syntax(&e))?,
            };
            let piece = match raw {
                Raw::Text(t) => t.xml10_content(),
                Raw::CData(t) => t.xml10_content(),
                Raw::GeneralRef(r) => {
                    let c = self.resolve(&r)?;
                    text.get_or_insert_default().to_mut().push(c);
                    continue;
                }
                Raw::Comment(_) => continue,
                Raw::Decl(_) if at_start => continue,
                other => match text.filter(|t| !t.is_empty()) {
                    Some(text) => {
                        self.peeked = Some(other);
                        if self.depth == 0 && !is_blank(&text) {
                            return Err(self.error("text outside the root element"));
                        }
                        return Ok(Event::Text(text));
                    }
                    None => return self.markup(other),
                },
            };
            match &mut text {
                None => text = Some(piece),
                Some(before) => before.to_mut().push_str(&piece),
            }
        }
    }

    fn markup(&mut self, raw: Raw<'a>) -> Result<Event<'a>> {
        match raw {
            Raw::Start(tag) => {
                let len = tag.len();
                // quick-xml lends the tag from its event only; the same bytes stand in our text.
                let from = (tag.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
                let tag_name_len = tag.name().as_ref().len();
                let whole = from.checked_add(len).and_then(|to| self.text.get(from..to));
                let whole = whole.ok_or_else(|| Error::new(ErrorKind::Internal, self.context, "a tag lies outside its document"))?;
                self.start(whole, tag_name_len).map(Event::Start)
            }
            Raw::End(_) => {
                while self.bindings.last().is_some_and(|b| b.depth == self.depth) {
                    self.bindings.pop();
                }
                self.depth = self.depth.saturating_sub(1);
                Ok(Event::End)
            }
            Raw::Eof if self.depth > 0 => Err(self.error("the document ends inside an element")),
            Raw::Eof => Ok(Event::Eof),
            Raw::Decl(_) => Err(self.error("an xml declaration after the start")),
            Raw::DocType(_) => Err(self.error("a document type is not allowed")),
            Raw::PI(_) => Err(self.error("a processing instruction is not allowed")),
            // All that is text was taken by the caller.
            _ => Err(Error::new(ErrorKind::Internal, self.context, "an unexpected kind of xml event")),
        }
    }

    fn start(&mut self, whole: &'a str, name_len: usize) -> Result<Start<'a>> {
        self.elements = match self.elements.checked_sub(1) {
            Some(left) => left,
            None => return Err(self.error(format_args!("more than {MAX_ELEMENTS} elements"))),
        };
        self.depth += 1;
        if self.depth > self.max_depth {
            return Err(self.error(format_args!("elements nested deeper than {}", self.max_depth)));
        }
        let mut plain: Vec<(&'a str, Cow<'a, str>)> = Vec::new();
        for (count, attribute) in Attributes::new(whole, name_len).enumerate() {
            if count == MAX_ATTRIBUTES {
                return Err(self.error(format_args!("more than {MAX_ATTRIBUTES} attributes")));
            }
            let attribute = attribute.map_err(|_| self.error("a malformed attribute"))?;
            let key = attribute.key.into_inner();
            let prefix = match key.strip_prefix("xmlns") {
                Some("") => Some(""),
                Some(rest) => rest.strip_prefix(':'),
                None => None,
            };
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| self.error("a malformed attribute value"))?;
            match prefix {
                None => plain.push((key, value)),
                Some(prefix) => {
                    let Cow::Borrowed(uri) = value else { return Err(self.error("a reference in a namespace name")) };
                    if self.bindings.len() == MAX_NAMESPACES {
                        return Err(self.error(format_args!("more than {MAX_NAMESPACES} namespaces in scope")));
                    }
                    self.bindings.push(Binding { depth: self.depth, prefix, uri });
                }
            }
        }
        let (namespace, name) = match whole[..name_len].split_once(':') {
            Some((prefix, name)) => (self.namespace(prefix)?, name),
            None => (self.bound("").unwrap_or(""), &whole[..name_len]),
        };
        if name.is_empty() {
            return Err(self.error("an element without a name"));
        }
        let mut attributes = Vec::with_capacity(plain.len());
        for (key, value) in plain {
            let (namespace, name) = match key.split_once(':') {
                Some((prefix, name)) => (self.namespace(prefix)?, name),
                None => ("", key),
            };
            attributes.push(Attribute { name, namespace, value });
        }
        Ok(Start { name, namespace, attributes })
    }

    /// The root element's start tag.
    pub fn root(&mut self) -> Result<Start<'a>> {
        match self.child()? {
            Some(start) => Ok(start),
            None => Err(self.error("no element in the document")),
        }
    }

    /// The next child of the innermost open element, or None once that element has ended (or, outside any element,
    /// once the document has). Blanks are passed over; other text among the children is an error.
    pub fn child(&mut self) -> Result<Option<Start<'a>>> {
        loop {
            match self.next()? {
                Event::Start(start) => return Ok(Some(start)),
                Event::Text(text) if is_blank(&text) => {}
                Event::Text(_) => return Err(self.error("text where an element should be")),
                Event::End | Event::Eof => return Ok(None),
            }
        }
    }

    /// The whole text of the element whose start was read last, past its end tag. A child element is an error.
    pub fn text(&mut self) -> Result<Cow<'a, str>> {
        let text = match self.next()? {
            Event::End => return Ok(Cow::Borrowed("")),
            Event::Text(text) => text,
            _ => return Err(self.error("an element where text should be")),
        };
        match self.next()? {
            Event::End => Ok(text),
            _ => Err(self.error("an element where text should be")),
        }
    }

    /// Passes over the rest of the element whose start was read last, past its end tag.
    pub fn skip(&mut self) -> Result<()> {
        self.visit_rest(|_| ())
    }

    /// All text inside the element whose start was read last, its descendants' included, past its end tag.
    pub fn text_within(&mut self) -> Result<String> {
        let mut all = String::new();
        self.visit_rest(|text| all.push_str(text))?;
        Ok(all)
    }

    fn visit_rest(&mut self, mut visit: impl FnMut(&str)) -> Result<()> {
        let outside = self.depth.saturating_sub(1);
        loop {
            match self.next()? {
                Event::Text(text) => visit(&text),
                Event::End if self.depth == outside => return Ok(()),
                Event::Eof => return Ok(()),
                Event::Start(_) | Event::End => {}
            }
        }
    }

    /// Makes sure that nothing but blanks and comments follows the root element.
    pub fn end_of_document(&mut self) -> Result<()> {
        match self.child()? {
            None => Ok(()),
            Some(_) => Err(self.error("more than one root element")),
        }
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The namespace that a prefix stands for here, to resolve names in texts and values (`w:TimedOut`).
    pub fn namespace(&self, prefix: &str) -> Result<&'a str> {
        match self.bound(prefix) {
            Some(uri) => Ok(uri),
            None if prefix == "xml" => Ok(XML_NAMESPACE),
            None => Err(self.error("a prefix that is not declared")),
        }
    }

    fn bound(&self, prefix: &str) -> Option<&'a str> {
        self.bindings.iter().rev().find(|b| b.prefix == prefix).map(|b| b.uri)
    }

    /// A Protocol error with the position reached.
    pub fn error(&self, detail: impl Display) -> Error {
        Error::new(ErrorKind::Protocol, self.context, format!("{detail}, near byte {}", self.inner.buffer_position()))
    }

    fn syntax(&self, e: &quick_xml::Error) -> Error {
        use quick_xml::Error as E;
        // quick-xml's own words repeat names of the document, of any length and content.
        let detail = match e {
            E::Syntax(_) => "malformed xml",
            E::IllFormed(_) => "xml that is not well formed",
            _ => "unreadable xml",
        };
        Error::new(ErrorKind::Protocol, self.context, format!("{detail}, near byte {}", self.inner.error_position()))
    }

    fn resolve(&self, reference: &BytesRef<'_>) -> Result<char> {
        let c = match &**reference {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => reference.resolve_char_ref().map_err(|_| self.error("a bad character reference"))?,
        };
        c.ok_or_else(|| self.error("an entity that is not one of the predefined five"))
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &str) -> Reader<'_> {
        Reader::new("test", text.as_bytes(), Limits { depth: 8, size: 10_000_000 }).unwrap()
    }

    fn drain(text: &str) -> Result<()> {
        let mut reader = reader(text);
        while !matches!(reader.next()?, Event::Eof) {}
        Ok(())
    }

    #[track_caller]
    fn refused(text: &str, because: &str) {
        let e = drain(text).expect_err(text);
        assert_eq!(e.kind(), ErrorKind::Protocol);
        assert!(e.to_string().contains(because) && e.to_string().contains("near byte"), "{text}: {e}");
    }

    #[test]
    fn long_text_is_borrowed() {
        let text = format!("<a>{}</a>", "x".repeat(1_000_000));
        let mut reader = reader(&text);
        reader.root().unwrap();
        assert!(matches!(reader.text().unwrap(), Cow::Borrowed(t) if t.len() == 1_000_000));
    }

    #[test]
    fn text_is_joined_over_references_sections_and_comments() {
        let mut reader = reader("<a> x&#x41;&lt;<!-- no --><![CDATA[<&]]>\r\ny </a>");
        reader.root().unwrap();
        assert_eq!(reader.text().unwrap(), " xA<<&\ny ");
        reader.end_of_document().unwrap();
    }

    #[test]
    fn namespaces_follow_their_scope() {
        let mut r = reader("<a xmlns='u:1' xmlns:p='u:2'><p:b xmlns='' p:c='1' c='2'><d/></p:b><e xml:lang='x'/></a>");
        assert!(r.root().unwrap().is("u:1", "a"));
        let b = r.child().unwrap().unwrap();
        assert!(b.is("u:2", "b"));
        assert_eq!((b.attribute("c"), b.attribute_in("u:2", "c")), (Some("2"), Some("1")));
        assert!(r.child().unwrap().unwrap().is("", "d"));
        r.skip().unwrap();
        assert!(r.child().unwrap().is_none());
        let e = r.child().unwrap().unwrap();
        assert!(e.is("u:1", "e"));
        assert_eq!(e.attribute_in(XML_NAMESPACE, "lang"), Some("x"));
    }

    #[test]
    fn skipping_and_collecting_end_at_the_right_tag() {
        let mut r = reader("<a><b>1<c>2</c>3</b><b><c/></b><d/></a>");
        r.root().unwrap();
        r.child().unwrap();
        assert_eq!(r.text_within().unwrap(), "123");
        r.child().unwrap();
        r.skip().unwrap();
        assert_eq!(r.child().unwrap().unwrap().name, "d");
        r.skip().unwrap();
        assert!(r.child().unwrap().is_none());
    }

    #[test]
    fn what_the_protocols_never_carry_is_refused() {
        refused("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type");
        refused("<a><?php x?></a>", "processing instruction");
        refused("<a>&nbsp;</a>", "entity");
        refused("<a b='&nbsp;'/>", "attribute value");
        refused("<a>&#xD800;</a>", "character reference");
        refused("<a/><?xml version='1.0'?>", "declaration");
        refused("<p:a/>", "prefix");
        refused("<a p:b='1'/>", "prefix");
        refused("<a", "xml");
        refused("<a></b>", "xml");
        refused("<a><b></a>", "xml");
        refused("<a>", "ends inside");
        refused("</a>", "xml");
        refused("x<a/>", "outside");
        refused("<a/>x", "outside");
        refused("<a b='1' b='2'/>", "attribute");
        refused("<a b=1/>", "attribute");
        refused("<p: xmlns:p='u'/>", "without a name");
        refused(&"<a>".repeat(9), "deeper than 8");
        refused(&format!("<a {}/>", (0..200).map(|n| format!("a{n}='' ")).collect::<String>()), "attributes");
        let declarations = |from: usize| (from..from + 50).map(|n| format!("xmlns:a{n}='u' ")).collect::<String>();
        refused(&format!("<a {}><b {}><c {}/></b></a>", declarations(0), declarations(50), declarations(100)), "namespaces");
        let invalid = Reader::new("test", b"<a>\xFF</a>", Limits::default()).err().unwrap();
        assert!(invalid.to_string().contains("byte 3"));
        let long = Reader::new("test", b"<a></a>", Limits { depth: 8, size: 6 }).err().unwrap();
        assert!(long.to_string().contains("limit of 6"));
    }

    #[test]
    fn elements_are_counted() {
        let mut r = reader("<a><b/><b/></a>");
        r.elements = 2;
        r.root().unwrap();
        assert!(r.skip().unwrap_err().to_string().contains("elements"));
    }

    #[test]
    fn errors_repeat_nothing_of_the_document() {
        for text in ["<hush></b>", "<a hush='hush' hush=''/>", "<a>&hush;</a>", "<hush:a/>", "<a><!DOCTYPE hush></a>", "<a>hush<b/></a>"] {
            let mut r = reader(text);
            let e = r.root().and_then(|_| r.text().map(|_| ())).unwrap_err();
            assert!(!format!("{e} {e:?}").contains("hush"), "{text}: {e:?}");
        }
    }

    #[test]
    fn a_mark_and_a_declaration_are_passed_over() {
        let mut r = Reader::new("test", b"\xEF\xBB\xBF<?xml version='1.0' encoding='utf-8'?>\r\n<a/>", Limits::default()).unwrap();
        assert_eq!(r.root().unwrap().name, "a");
    }
}
