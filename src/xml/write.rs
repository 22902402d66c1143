//! The writing half.

use std::borrow::Cow;

/// `text` as the content of an element. A carriage return, which readers would turn into a line feed, is a reference.
pub fn escape_text(text: &str) -> Cow<'_, str> {
    escape(text, |b| match b {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    })
}

/// `text` as the value of an attribute in double quotes.
pub fn escape_attribute(text: &str) -> Cow<'_, str> {
    escape(text, |b| match b {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    })
}

fn escape(text: &str, replacement: impl Fn(u8) -> Option<&'static str>) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(new) = replacement(byte) {
            out.push_str(&text[done..at]);
            out.push_str(new);
            done = at + 1;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Writes elements into a string. Names are the caller's own and are not checked; namespaces are written as the
/// attributes they are. An element without content is `<a />`, as .NET writes it.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    open: Vec<&'static str>,
    in_tag: bool,
}

impl Writer {
    /// A writer with nothing written.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an element; the name has its prefix.
    pub fn start(&mut self, name: &'static str) -> &mut Self {
        self.close_tag();
        self.out.push('<');
        self.out.push_str(name);
        self.open.push(name);
        self.in_tag = true;
        self
    }

    /// Adds an attribute to the element just opened.
    ///
    /// # Panics
    /// After content of that element, which is a mistake of the caller.
    pub fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        assert!(self.in_tag, "the attribute {name} comes after content");
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.out.push_str(&escape_attribute(value));
        self.out.push('"');
        self
    }

    /// Adds text, escaped. Empty text still makes the element one with two tags.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.raw(&escape_text(text))
    }

    /// Adds XML as it stands.
    pub fn raw(&mut self, xml: &str) -> &mut Self {
        self.close_tag();
        self.out.push_str(xml);
        self
    }

    /// Closes the innermost element.
    ///
    /// # Panics
    /// Where none is open, which is a mistake of the caller.
    pub fn end(&mut self) -> &mut Self {
        let name = self.open.pop().expect("an element is open");
        if self.in_tag {
            self.out.push_str(" />");
            self.in_tag = false;
        } else {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
        self
    }

    /// An element with text only.
    pub fn element(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.start(name).text(text).end()
    }

    /// What was written, every open element closed.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.out
    }

    fn close_tag(&mut self) {
        if self.in_tag {
            self.out.push('>');
            self.in_tag = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, Reader};

    #[test]
    fn what_is_written_reads_back() {
        let nasty = "<&>\"' \t\r\n ]]> \u{FFFE}\u{1F600}";
        let mut w = Writer::new();
        w.start("p:a").attribute("xmlns:p", "u:1").attribute("n", nasty).element("b", nasty).start("c").end().element("d", "");
        let text = w.finish();
        assert!(text.ends_with("<c /><d></d></p:a>"), "{text}");
        let mut r = Reader::new("test", text.as_bytes(), Limits::default()).unwrap();
        assert_eq!(r.root().unwrap().attribute("n"), Some(nasty));
        r.child().unwrap();
        assert_eq!(r.text().unwrap(), nasty);
    }
}
