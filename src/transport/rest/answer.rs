//! What InvokeCommand answers, read in one pass: objects become records as they are met, whichever format they came in.

use super::errors;
use super::records::{self, Failure};
use super::typed;
use crate::clixml;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{Record, RecordKind};
use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The answer of a 200.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The objects, in order.
    pub(super) records: Vec<Record>,
    /// Where the next page is asked for.
    pub(super) next_link: Option<String>,
    pub(super) warnings: Vec<String>,
    /// Errors beside what came.
    pub(super) failures: Vec<Failure>,
    /// What ShouldProcess would ask, where the command was only validated.
    pub(super) confirmation: Option<String>,
}

/// Reads an answer. Nothing at all is an answer without objects, as commands without output give it.
pub(super) fn read(body: &[u8], head: &errors::Head) -> Result<Answer> {
    let mut answer = Answer::default();
    if body.trim_ascii().is_empty() {
        return Ok(answer);
    }
    let refuse = || Error::new(ErrorKind::Protocol, "read answer", "the answer is not the JSON that InvokeCommand gives");
    // Looked at once, rather than each text by itself.
    let text = std::str::from_utf8(body).map_err(|e| refuse().with_source(e))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let envelope = Envelope { answer: &mut answer, head };
    envelope.deserialize(&mut json).and_then(|()| json.end()).map_err(|e| refuse().with_source(e))?;
    Ok(answer)
}

/// The link to the next page, found by its bytes before the page is read: only to ask for that page early. What the
/// reading finds decides.
pub(super) fn early_next_link(body: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\"@odata.nextLink\":";
    const NEAR: usize = 8192;
    let begin = &body[..body.len().min(NEAR)];
    let begin = &begin[..memmem::find(begin, b"\"value\":").unwrap_or(begin.len())];
    let end = &body[body.len().saturating_sub(NEAR)..];
    let end = &end[memchr::memrchr(b']', end).unwrap_or(end.len())..];
    [begin, end].into_iter().find_map(|part| {
        let text = part[memmem::find(part, KEY)? + KEY.len()..].trim_ascii_start();
        serde_json::Deserializer::from_slice(text).into_iter::<String>().next()?.ok()
    })
}

struct Envelope<'a> {
    answer: &'a mut Answer,
    head: &'a errors::Head,
}

impl<'de> DeserializeSeed<'de> for Envelope<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key>()? {
            match &*key.0 {
                "value" => map.next_value_seed(Items(&mut self.answer.records))?,
                "@odata.nextLink" => self.answer.next_link = map.next_value::<Option<String>>()?,
                "@adminapi.confirmationmessage" => self.answer.confirmation = map.next_value::<Option<String>>()?,
                "@adminapi.warnings" => {
                    let warnings = map.next_value::<Option<Vec<serde_json::Value>>>()?.unwrap_or_default();
                    self.answer.warnings.extend(warnings.iter().map(errors::text_of));
                }
                "@adminapi.errors" => {
                    let failures = map.next_value::<Option<Vec<serde_json::Value>>>()?.unwrap_or_default();
                    self.answer.failures.extend(failures.iter().map(|f| errors::beside(f, self.head)));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A key without a copy where it stands in the text as it is.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(Key)
    }
}

/// The list of objects; also one alone, and none.
struct Items<'a>(&'a mut Vec<Record>);

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        while items.next_element_seed(Item(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<(), A::Error> {
        Item(self.0).visit_map(map)
    }
}

/// One object: CLIXML that is handed on as it is, or JSON.
struct Item<'a>(&'a mut Vec<Record>);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Item<'_> {
    fn simple(self, value: impl Into<clixml::Value>) {
        self.0.push(records::of(RecordKind::Output, &value.into()));
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        self.simple(clixml::Value::Nil);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<(), E> {
        self.simple(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<(), E> {
        self.simple(typed::whole(value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<(), E> {
        self.simple(i64::try_from(value).map_or(clixml::Value::U64(value), typed::whole));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<(), E> {
        self.simple(clixml::Value::F64(value));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<(), E> {
        self.simple(text);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut properties = Vec::new();
        let mut has_clixml = false;
        while let Some(key) = map.next_key::<Key>()? {
            if key.0 == "_clixml" {
                has_clixml = true;
                map.next_value_seed(Document(self.0))?;
            } else if has_clixml {
                map.next_value::<IgnoredAny>()?;
            } else {
                properties.push((key.0, map.next_value::<&RawValue>()?));
            }
        }
        if !has_clixml {
            let object = typed::object(properties).map_err(A::Error::custom)?;
            self.0.push(records::of(RecordKind::Output, &object));
        }
        Ok(())
    }
}

/// The text of `_clixml`.
struct Document<'a>(&'a mut Vec<Record>);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CLIXML")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<(), E> {
        let inside = without_root(text);
        if first_element(inside) == Some(inside.len()) {
            self.0.push(Record::new(RecordKind::Output, inside.as_bytes()));
            return Ok(());
        }
        // Several objects in one document may refer to each other, and an odd one is for the reader to judge.
        let values = clixml::read_document(text.as_bytes(), clixml::Limits::default()).map_err(E::custom)?;
        self.0.extend(values.iter().map(|v| records::of(RecordKind::Output, v)));
        Ok(())
    }
}

fn without_root(text: &str) -> &str {
    let text = text.trim_start_matches('\u{FEFF}').trim();
    let inside = (|| {
        let root = text.strip_prefix("<Objs")?;
        let head = &root[..root.find('>')?];
        (!head.ends_with('/')).then_some(())?;
        root[head.len() + 1..].strip_suffix("</Objs>")
    })();
    inside.unwrap_or(text).trim()
}

/// Where the first element ends, told from the bytes: values other than objects hold no elements.
fn first_element(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let name = text.strip_prefix('<')?;
    let name = &name[..name.find([' ', '>', '/', '\r', '\n', '\t'])?];
    if name != "Obj" {
        let head = text.find('>')?;
        return if text[..head].ends_with('/') {
            Some(head + 1)
        } else {
            let end = format!("</{name}>");
            text.find(&end).map(|at| at + end.len())
        };
    }
    let mut depth = 0_usize;
    for at in memmem::find_iter(bytes, b"Obj") {
        let after = bytes.get(at + 3)?;
        if at >= 1 && bytes[at - 1] == b'<' && matches!(after, b' ' | b'>' | b'/' | b'\r' | b'\n' | b'\t') {
            let end = at + memchr::memchr(b'>', &bytes[at..])?;
            if bytes[end - 1] != b'/' {
                depth += 1;
            } else if depth == 0 {
                return Some(end + 1);
            }
        } else if at >= 2 && &bytes[at - 2..at] == b"</" && *after == b'>' {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at + 4);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_is_known_by_its_bytes() {
        for (text, single) in [
            ("<Obj RefId=\"0\"><MS><Obj N=\"Obj\" RefId=\"1\" /></MS></Obj>", true),
            ("<Obj RefId=\"0\" />", true),
            ("<S>Obj &lt;Obj&gt;</S>", true),
            ("<Nil />", true),
            ("<Obj RefId=\"0\"></Obj><Obj RefId=\"1\"></Obj>", false),
            ("<Obj RefId=\"0\"></Obj><S>x</S>", false),
            ("<S>a</S><S>b</S>", false),
            ("<Obj RefId=\"0\"><MS>", false),
            ("", false),
        ] {
            assert_eq!(first_element(text) == Some(text.len()), single, "{text}");
        }
        assert_eq!(without_root("\u{FEFF}<Objs Version=\"1.1.0.1\" xmlns=\"x\">\r\n  <S>a</S>\r\n</Objs>"), "<S>a</S>");
        assert_eq!(without_root("<Objs />"), "<Objs />");
    }

    #[test]
    fn the_next_link_is_seen_before_the_page_is_read() {
        for (body, link) in [
            (r#"{"@odata.nextLink":"http:\/\/h/x?a=\"1\"","value":[]}"#, Some("http://h/x?a=\"1\"")),
            (r#"{"value":[{"a":["@odata.nextLink"]}], "@odata.nextLink": "z"}"#, Some("z")),
            (r#"{"value":[{"@odata.nextLink":"inside"}]}"#, None),
            (r#"{}"#, None),
        ] {
            assert_eq!(early_next_link(body.as_bytes()).as_deref(), link, "{body}");
        }
    }
}
