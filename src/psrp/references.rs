//! References in the value of a message, put in place of which the objects themselves stand.

use crate::clixml::{Content, Object, ObjectId, Property, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// How far objects may stand inside each other by reference. What refers deeper stays a reference: a long chain would
/// overflow the stack of whoever walks along it.
const DEPTH: usize = 256;

/// The value with objects in place of references, so that a part of it can leave the message. The objects are shared,
/// not copied, which keeps this linear; a reference to an object that encloses it stays.
pub(super) fn resolved(value: &Value) -> Value {
    Resolver::default().value(value).0
}

/// The objects that have ended, and how many stand inside each other there.
#[derive(Default)]
struct Resolver(HashMap<ObjectId, (Arc<Object>, usize)>);

impl Resolver {
    fn value(&mut self, value: &Value) -> (Value, usize) {
        match value {
            Value::Reference(id) => match self.0.get(id) {
                Some((object, depth)) if *depth < DEPTH => (Value::Object(object.clone()), *depth),
                _ => (value.clone(), 0),
            },
            Value::Object(object) => {
                let (object, depth) = self.object(object);
                (Value::Object(object), depth)
            }
            Value::Progress(fields) => self.properties(fields, Value::Progress),
            Value::MemberSet(members) => self.properties(members, Value::MemberSet),
            _ => (value.clone(), 0),
        }
    }

    fn object(&mut self, object: &Object) -> (Arc<Object>, usize) {
        let mut deepest = 0;
        let mut each = |resolver: &mut Self, value: &Value| {
            let (value, depth) = resolver.value(value);
            deepest = deepest.max(depth);
            value
        };
        let mut list = |resolver: &mut Self, items: &[Value]| items.iter().map(|v| each(resolver, v)).collect();
        let content = match &object.content {
            Content::None => Content::None,
            Content::List(items) => Content::List(list(self, items)),
            Content::Enumerable(items) => Content::Enumerable(list(self, items)),
            Content::Stack(items) => Content::Stack(list(self, items)),
            Content::Queue(items) => Content::Queue(list(self, items)),
            Content::Primitive(value) => Content::Primitive(each(self, value)),
            Content::Dictionary(entries) => Content::Dictionary(entries.iter().map(|(k, v)| (each(self, k), each(self, v))).collect()),
        };
        let mut properties = |resolver: &mut Self, list: &Option<Vec<Property>>| {
            let each = |p: &Property| Property { name: p.name.clone(), value: each(resolver, &p.value) };
            list.as_ref().map(|l| l.iter().map(each).collect())
        };
        let adapted = properties(self, &object.adapted);
        let extended = properties(self, &object.extended);
        let (type_names, to_string) = (object.type_names.clone(), object.to_string.clone());
        let whole = Arc::new(Object { id: object.id, type_names, to_string, content, adapted, extended });
        self.0.insert(object.id, (whole.clone(), deepest + 1));
        (whole, deepest + 1)
    }

    fn properties(&mut self, list: &[Property], make: fn(Vec<Property>) -> Value) -> (Value, usize) {
        let mut deepest = 0;
        let each = |p: &Property| {
            let (value, depth) = self.value(&p.value);
            deepest = deepest.max(depth);
            Property { name: p.name.clone(), value }
        };
        let list = list.iter().map(each).collect();
        (make(list), deepest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clixml;

    fn read(text: &str) -> Value {
        resolved(&clixml::read(text.as_bytes()).unwrap())
    }

    #[test]
    fn the_object_stands_where_the_reference_stood_and_is_written_once() {
        let text = r#"<Obj RefId="0"><MS><Obj N="a" RefId="1"><I32>4</I32></Obj><Ref N="b" RefId="1" /></MS></Obj>"#;
        let value = read(text);
        assert_eq!(value.property("b").and_then(Value::as_i64), Some(4));
        assert_eq!(clixml::write(&value), text);
        assert_eq!(clixml::write(value.property("b").unwrap()), r#"<Obj RefId="0"><I32>4</I32></Obj>"#);
    }

    #[test]
    fn a_reference_to_what_encloses_it_stays() {
        let text = r#"<Obj RefId="0"><MS><Obj N="a" RefId="1"><LST><Ref RefId="1" /><Ref RefId="0" /></LST></Obj></MS></Obj>"#;
        assert_eq!(clixml::write(&read(text)), text);
    }

    #[test]
    fn neither_long_chains_nor_doubling_do_harm() {
        let mut chain = String::from(r#"<Obj RefId="0"><LST><Obj RefId="1"><LST /></Obj>"#);
        for n in 2..50_000 {
            chain += &format!(r#"<Obj RefId="{n}"><LST><Ref RefId="{0}" /><Ref RefId="{0}" /></LST></Obj>"#, n - 1);
        }
        let value = read(&(chain + "</LST></Obj>"));
        let last = value.as_list().unwrap().last().unwrap().clone();
        drop(value);
        assert!(clixml::write(&last).len() < 100_000);
    }
}
