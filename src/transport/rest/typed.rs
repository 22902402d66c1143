//! Objects that came as JSON, as CLIXML has them: the companions `@data.type` tell what JSON cannot.

use crate::clixml::{Object, Property, TypeNames, Value, type_names};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

static BAG: LazyLock<TypeNames> = LazyLock::new(|| type_names(&["System.Management.Automation.PSCustomObject", "System.Object"]));

const DATA_TYPE: &str = "@data.type";
const ODATA_TYPE: &str = "@odata.type";

/// An object of these members.
pub(super) fn object(members: Vec<(Cow<'_, str>, &RawValue)>) -> serde_json::Result<Value> {
    object_at(members, 0)
}

/// Each level is read once more by the one above it: beyond this many a value stays the text that it is.
const MOST_DEPTH: usize = 12;

fn object_at(members: Vec<(Cow<'_, str>, &RawValue)>, depth: usize) -> serde_json::Result<Value> {
    let mut types: HashMap<&str, String> = HashMap::new();
    let mut own_type = None;
    for (name, raw) in &members {
        if let Some(of) = name.strip_suffix(DATA_TYPE) {
            let type_name = serde_json::from_str::<String>(raw.get())?;
            if of.is_empty() {
                own_type = Some(type_name);
            } else {
                types.insert(of, type_name);
            }
        } else if name == ODATA_TYPE {
            let type_name = serde_json::from_str::<String>(raw.get()).unwrap_or_default();
            // The open type that all objects have tells nothing.
            own_type = own_type.or(type_name.strip_prefix('#').filter(|t| !t.starts_with("Exchange.")).map(str::to_owned));
        }
    }
    let mut properties = Vec::with_capacity(members.len());
    for (name, raw) in &members {
        if !name.contains('@') {
            properties.push(Property::new(&**name, value(raw, types.get(&**name).map(String::as_str), depth + 1)?));
        }
    }
    let Some(own_type) = own_type else {
        return Ok(Object { type_names: Some(BAG.clone()), ..Object::bag(properties) }.into());
    };
    let named = |name: &str| properties.iter().find(|p| p.name == *name).and_then(|p| p.value.as_str());
    Ok(Object {
        to_string: named("Identity").or(named("Name")).map(Into::into),
        type_names: Some(type_names(&[&own_type, "System.Object"])),
        adapted: Some(properties),
        ..Object::new()
    }
    .into())
}

/// A whole number as PowerShell's own reader of JSON types it.
pub(super) fn whole(number: i64) -> Value {
    i32::try_from(number).map_or(Value::I64(number), Value::I32)
}

fn value(raw: &RawValue, type_name: Option<&str>, depth: usize) -> serde_json::Result<Value> {
    let json = raw.get();
    if depth > MOST_DEPTH && json.starts_with(['{', '[']) {
        return Ok(json.into());
    }
    let text = match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(json)?,
        Some(b'{') => {
            let members = serde_json::from_str::<Members>(json)?;
            return object_at(members.0, depth);
        }
        Some(b'[') => {
            let items = serde_json::from_str::<Vec<&RawValue>>(json)?;
            let item_type = type_name.and_then(|t| t.strip_suffix("[]"));
            let items = items.into_iter().map(|item| value(item, item_type, depth + 1)).collect::<serde_json::Result<_>>()?;
            return Ok(Object::list(items).into());
        }
        Some(b't') => return Ok(Value::Bool(true)),
        Some(b'f') => return Ok(Value::Bool(false)),
        Some(b'n') | None => return Ok(Value::Nil),
        Some(_) => {
            let Some(of) = type_name else {
                return Ok(match json.parse::<i64>() {
                    Ok(number) => whole(number),
                    Err(_) => json.parse().map_or_else(|_| Value::from(json), Value::F64),
                });
            };
            return Ok(converted(json, of).unwrap_or_else(|| json.parse().map_or_else(|_| Value::from(json), Value::F64)));
        }
    };
    Ok(type_name.and_then(|of| converted(&text, of)).unwrap_or_else(|| Value::from(text)))
}

/// Members in their order, duplicates too.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> serde::de::Visitor<'de> for All {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((Cow::Owned(key), value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(All).map(Members)
    }
}

/// Text of a type that CLIXML has; None where it has none, or the text is not of it.
fn converted(text: &str, type_name: &str) -> Option<Value> {
    Some(match type_name.strip_prefix("System.")? {
        "Guid" => Value::Guid(text.parse().ok()?),
        "DateTime" if text.len() >= 19 => Value::DateTime(text.strip_suffix("+00:00").map_or_else(|| text.to_owned(), |t| format!("{t}Z"))),
        "TimeSpan" => Value::Duration(duration(text)?),
        "Byte" => Value::U8(text.parse().ok()?),
        "SByte" => Value::I8(text.parse().ok()?),
        "Int16" => Value::I16(text.parse().ok()?),
        "UInt16" => Value::U16(text.parse().ok()?),
        "Int32" => Value::I32(text.parse().ok()?),
        "UInt32" => Value::U32(text.parse().ok()?),
        "Int64" => Value::I64(text.parse().ok()?),
        "UInt64" => Value::U64(text.parse().ok()?),
        "Single" => Value::F32(text.parse().ok()?),
        "Double" => Value::F64(text.parse().ok()?),
        "Decimal" => Value::Decimal(text.parse::<f64>().ok().map(|_| text.to_owned())?),
        "Boolean" => Value::Bool(text.to_ascii_lowercase().parse().ok()?),
        "Char" => {
            let mut units = text.encode_utf16();
            Value::Char(units.next().filter(|_| units.next().is_none())?)
        }
        "Uri" => Value::Uri(text.into()),
        "Version" => Value::Version(text.to_owned()),
        "Byte[]" => Value::Bytes(BASE64_STANDARD.decode(text).ok()?),
        _ => return None,
    })
}

/// `14.00:00:00` as an xs:duration, as .NET writes it.
fn duration(text: &str) -> Option<String> {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let parts: Vec<&str> = text.split(':').collect();
    let &[first, minutes, seconds] = parts.as_slice() else { return None };
    let (days, hours) = first.split_once('.').unwrap_or(("0", first));
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let [days, hours, minutes, seconds] =
        [days, hours, minutes, seconds].map(|n| n.parse::<u32>().ok()).into_iter().collect::<Option<Vec<_>>>()?[..]
    else {
        return None;
    };
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let mut out = format!("{sign}P");
    if days > 0 {
        let _ = write!(out, "{days}D");
    }
    if (hours, minutes, seconds) != (0, 0, 0) || !fraction.is_empty() || days == 0 {
        out.push('T');
        if hours > 0 {
            let _ = write!(out, "{hours}H");
        }
        if minutes > 0 {
            let _ = write!(out, "{minutes}M");
        }
        match fraction {
            "" if seconds > 0 || out.ends_with('T') => {
                let _ = write!(out, "{seconds}S");
            }
            "" => {}
            _ => {
                let _ = write!(out, "{seconds}.{fraction}S");
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_durations() {
        for (text, expected) in [
            ("14.00:00:00", "P14D"),
            ("00:00:00", "PT0S"),
            ("1.02:03:04.5000000", "P1DT2H3M4.5S"),
            ("-00:30:00", "-PT30M"),
            ("00:00:00.1", "PT0.1S"),
        ] {
            assert_eq!(duration(text).as_deref(), Some(expected), "{text}");
        }
        assert!(duration("Unlimited").is_none() && duration("1:2").is_none() && duration("a:b:c").is_none());
    }
}
