//! Objects as the REST road's JSON: type companions before each property, complex values flattened to their text; and
//! parameters back again.

use super::super::binder::Kind;
use super::super::records::text_of;
use super::super::runspace::CmdletInfo;
use crate::clixml::{Content, Object, Property, Value, date_time};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

/// Text as a JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// One object, cut to the properties that `$select` names.
pub fn object(value: &Value, select: &[String]) -> String {
    let Some(object) = value.as_object().filter(|o| o.adapted.is_some() || o.extended.is_some()) else {
        let mut text = "{".to_owned();
        property(&mut text, "value", value);
        text.push('}');
        return text;
    };
    let mut text = "{".to_owned();
    for p in object.adapted.iter().chain(&object.extended).flatten() {
        let name = p.name.to_str_lossy();
        if select.is_empty() || select.iter().any(|s| s.eq_ignore_ascii_case(&name)) {
            property(&mut text, &name, &p.value);
        }
    }
    text.push('}');
    text
}

fn property(text: &mut String, name: &str, value: &Value) {
    let mut add = |suffix: &str, json: &str| {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&quoted(&format!("{name}{suffix}")));
        text.push(':');
        text.push_str(json);
    };
    let typed = |add: &mut dyn FnMut(&str, &str), of: &str| add("@data.type", &quoted(&format!("System.{of}")));
    match value {
        Value::Nil => add("", "null"),
        Value::Bool(b) => add("", if *b { "true" } else { "false" }),
        Value::Guid(g) => {
            typed(&mut add, "Guid");
            add("", &quoted(&g.to_string()));
        }
        Value::DateTime(d) => {
            typed(&mut add, "DateTime");
            add("", &quoted(&universal(d)));
        }
        Value::Duration(d) => {
            typed(&mut add, "TimeSpan");
            add("", &quoted(&time_span(d)));
        }
        Value::I32(_) => {
            typed(&mut add, "Int32");
            add("", &text_of(value));
        }
        Value::I64(_) => {
            typed(&mut add, "Int64");
            add("", &text_of(value));
        }
        Value::U8(_) | Value::I8(_) | Value::U16(_) | Value::I16(_) | Value::U32(_) | Value::U64(_) => {
            let of = match value {
                Value::U8(_) => "Byte",
                Value::I8(_) => "SByte",
                Value::U16(_) => "UInt16",
                Value::I16(_) => "Int16",
                Value::U32(_) => "UInt32",
                _ => "UInt64",
            };
            typed(&mut add, of);
            add("@odata.type", "\"#Decimal\"");
            add("", &text_of(value));
        }
        Value::F32(n) if n.is_finite() => {
            typed(&mut add, "Single");
            add("", &n.to_string());
        }
        Value::F64(n) if n.is_finite() => {
            typed(&mut add, "Double");
            add("", &n.to_string());
        }
        Value::Bytes(bytes) => {
            typed(&mut add, "Byte[]");
            add("", &quoted(&STANDARD.encode(bytes)));
        }
        Value::Object(o) => match &o.content {
            Content::List(items) | Content::Enumerable(items) | Content::Stack(items) | Content::Queue(items) => {
                add("@odata.type", "\"#Collection(String)\"");
                let items: Vec<_> = items.iter().map(|i| quoted(&text_of(i))).collect();
                add("", &format!("[{}]", items.join(",")));
            }
            _ => add("", &quoted(&text_of(value))),
        },
        _ => add("", &quoted(&text_of(value))),
    }
}

/// A date in UTC with seven digits: `Z` where it was UTC already, `+00:00` where it had an offset.
fn universal(date: &str) -> String {
    let (date, seconds_off, suffix) = match date.strip_suffix('Z') {
        Some(date) => (date, 0, "Z"),
        None => match date.rfind(['+', '-']).filter(|at| *at > 10) {
            Some(at) => {
                let (hours, minutes) = date[at + 1..].split_once(':').unwrap_or(("0", "0"));
                let off = hours.parse::<i64>().unwrap_or(0) * 3600 + minutes.parse::<i64>().unwrap_or(0) * 60;
                (&date[..at], if date.as_bytes()[at] == b'-' { -off } else { off }, "+00:00")
            }
            None => (date, 0, "Z"),
        },
    };
    let (whole, fraction) = date.split_once('.').unwrap_or((date, ""));
    let whole = if seconds_off == 0 { whole.to_owned() } else { shifted(whole, -seconds_off) };
    format!("{whole}.{fraction:0<7}{suffix}")
}

/// A round-trip date without fraction and suffix, so many seconds later; one before 1970 stays as it is.
fn shifted(date: &str, seconds: i64) -> String {
    let numbers: Vec<u64> = date.split(['-', 'T', ':']).filter_map(|n| n.parse().ok()).collect();
    let [y, mo, d, h, mi, s] = numbers[..] else { return date.to_owned() };
    if y < 1970 {
        return date.to_owned();
    }
    // Days from the civil date, the inverse of `civil`.
    let (y, month) = (y - u64::from(mo <= 2), if mo > 2 { mo - 3 } else { mo + 9 });
    let of_era = y % 400 * 365 + y % 400 / 4 - y % 400 / 100 + (153 * month + 2) / 5 + d.saturating_sub(1);
    let days = (y / 400 * 146_097 + of_era).saturating_sub(719_468);
    date_time((days * 86_400 + h * 3600 + mi * 60 + s).saturating_add_signed(seconds))
}

/// An xs:duration as TimeSpan.ToString() has it.
fn time_span(duration: &str) -> String {
    let (sign, rest) = duration.strip_prefix('-').map_or(("", duration), |r| ("-", r));
    let mut seconds = 0.0;
    let mut number = String::new();
    for c in rest.chars() {
        let unit = match c {
            '0'..='9' | '.' => {
                number.push(c);
                continue;
            }
            'D' => 86_400.0,
            'H' => 3600.0,
            'M' => 60.0,
            'S' => 1.0,
            _ => 0.0,
        };
        seconds += unit * number.parse().unwrap_or(0.0);
        number.clear();
    }
    let ticks = (seconds * 1e7_f64).round() as u64;
    let whole = ticks / 10_000_000;
    let days = if whole >= 86_400 { format!("{}.", whole / 86_400) } else { String::new() };
    let fraction = if ticks.is_multiple_of(10_000_000) { String::new() } else { format!(".{:07}", ticks % 10_000_000) };
    format!("{sign}{days}{:02}:{:02}:{:02}{fraction}", whole / 3600 % 24, whole / 60 % 60, whole % 60)
}

/// What is wrong with a request's parameters.
pub struct Malformed(pub String);

/// The parameters of a call as the binder takes them. `info` tells which are SecureStrings.
pub fn parameters(parameters: &serde_json::Map<String, Json>, info: Option<&CmdletInfo>) -> Result<Vec<(String, Value)>, Malformed> {
    let mut found = Vec::new();
    for (name, value) in parameters.iter().filter(|(n, _)| !n.contains('@')) {
        let element = parameters.get(&format!("{name}@odata.type")).and_then(Json::as_str);
        let value = parameter(name, value, element)?;
        let secure = info.is_some_and(|i| i.parameters.iter().any(|p| p.kind == Kind::Secure && p.name.eq_ignore_ascii_case(name)));
        let value = match value {
            Value::String(text) if secure => Value::SecureString(text.to_string()),
            value => value,
        };
        found.push((name.clone(), value));
    }
    Ok(found)
}

fn parameter(name: &str, value: &Json, element: Option<&str>) -> Result<Value, Malformed> {
    Ok(match value {
        Json::Null => Value::Nil,
        Json::Bool(b) => (*b).into(),
        Json::String(s) => s.as_str().into(),
        Json::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => i32::try_from(n).map_or(Value::I64(n), Value::I32),
            (None, Some(n)) => Value::F64(n),
            _ => return Err(Malformed(format!("The number of parameter '{name}' is out of range."))),
        },
        Json::Array(items) => {
            let of = element.and_then(|e| e.strip_prefix("#Collection(")).and_then(|e| e.strip_suffix(')'));
            let items = items.iter().map(|i| match (i, of) {
                (Json::Object(entries), Some("Exchange.GenericHashTable")) => hashtable(name, entries),
                (Json::Object(entries), Some("Exchange.ByteArrayType")) => bytes(name, entries),
                (i, _) => parameter(name, i, None),
            });
            Object::list(items.collect::<Result<_, _>>()?).into()
        }
        Json::Object(entries) => match entries.get("@odata.type").and_then(Json::as_str) {
            Some("#Exchange.GenericHashTable" | "#Exchange.StringFieldDeltaUpdateData") => hashtable(name, entries)?,
            Some("#Exchange.ByteArrayType") => bytes(name, entries)?,
            Some(other) => return Err(Malformed(format!("The type '{other}' of parameter '{name}' is not known."))),
            None => {
                return Err(Malformed(format!(
                    "A value without a type name was found and no expected type is available. When the model is specified, each value in the payload must have a type. (parameter '{name}')"
                )));
            }
        },
    })
}

fn hashtable(name: &str, entries: &serde_json::Map<String, Json>) -> Result<Value, Malformed> {
    let own = entries.iter().filter(|(n, _)| !n.contains('@'));
    let read = own.map(|(n, v)| {
        let element = entries.get(&format!("{n}@odata.type")).and_then(Json::as_str);
        Ok((n.as_str().into(), parameter(name, v, element)?))
    });
    Ok(Object::dictionary(read.collect::<Result<_, _>>()?).into())
}

fn bytes(name: &str, entries: &serde_json::Map<String, Json>) -> Result<Value, Malformed> {
    let data = entries.get("Data").and_then(Json::as_array).map(|d| d.iter().map(|b| u8::try_from(b.as_u64()?).ok()));
    let data = data.and_then(|d| d.collect::<Option<Vec<u8>>>());
    data.map(Value::Bytes).ok_or_else(|| Malformed(format!("The bytes of parameter '{name}' are no Collection(Edm.Byte).")))
}

/// The same object with the properties that `$select` names alone.
pub fn selected(value: &Value, select: &[String]) -> Value {
    let Some(object) = value.as_object() else { return value.clone() };
    let cut = |list: &Option<Vec<Property>>| {
        list.as_ref().map(|l| {
            l.iter().filter(|p| select.iter().any(|s| s.eq_ignore_ascii_case(&p.name.to_str_lossy()))).cloned().collect::<Vec<_>>()
        })
    };
    Value::from(Object { adapted: cut(&object.adapted), extended: cut(&object.extended), ..object.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companions_stand_before_their_property() {
        let bag = Object::bag(vec![
            Property::new("Guid", uuid::Uuid::nil()),
            Property::new("When", Value::DateTime("2024-02-29T23:59:59.5+02:00".into())),
            Property::new("Created", Value::DateTime("2024-02-29T23:59:59Z".into())),
            Property::new("For", Value::Duration("P14DT1H2M3.5S".into())),
            Property::new("Count", 3),
            Property::new("Port", Value::U16(7)),
            Property::new("Name", "a\"b"),
            Property::new("Nothing", Value::Nil),
            Property::new("Tags", Object::list(vec!["x".into(), 1.into()])),
        ]);
        assert_eq!(
            object(&bag.into(), &[]),
            r##"{"Guid@data.type":"System.Guid","Guid":"00000000-0000-0000-0000-000000000000","When@data.type":"System.DateTime","When":"2024-02-29T21:59:59.5000000+00:00","Created@data.type":"System.DateTime","Created":"2024-02-29T23:59:59.0000000Z","For@data.type":"System.TimeSpan","For":"14.01:02:03.5000000","Count@data.type":"System.Int32","Count":3,"Port@data.type":"System.UInt16","Port@odata.type":"#Decimal","Port":7,"Name":"a\"b","Nothing":null,"Tags@odata.type":"#Collection(String)","Tags":["x","1"]}"##
        );
        assert_eq!(shifted("2000-02-29T23:00:00", 7200), "2000-03-01T01:00:00");
        assert_eq!(shifted("2021-01-01T00:30:00", -3600), "2020-12-31T23:30:00");
        assert_eq!((time_span("P14D"), time_span("-PT90S")), ("14.00:00:00".into(), "-00:01:30".into()));
    }

    #[test]
    fn parameters_are_read_with_their_types() {
        let json: Json = serde_json::from_str(
            r##"{"A":{"@odata.type":"#Exchange.GenericHashTable","Add":["x"]},"B":{"@odata.type":"#Exchange.ByteArrayType","Data":[0,255]},"C@odata.type":"#Collection(Exchange.GenericHashTable)","C":[{"k":1}]}"##,
        )
        .unwrap();
        let read = parameters(json.as_object().unwrap(), None).map_err(|m| m.0).unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!(read[1].1, Value::Bytes(vec![0, 255]));
        for bad in [r#"{"A":{"Add":[]}}"#, r##"{"A":{"@odata.type":"#Exchange.ByteArrayType","Data":[256]}}"##] {
            let json: Json = serde_json::from_str(bad).unwrap();
            assert!(parameters(json.as_object().unwrap(), None).is_err(), "{bad}");
        }
    }
}
