//! Parameters as the REST API takes them: CLIXML values to JSON, each .NET type by the form of its own.

use crate::clixml::{Content, Object, ObjectId, Value};
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::fmt::Write;

/// As deep as Microsoft's module writes parameters.
const MOST_DEPTH: usize = 10;

const TABLE: &str = "#Exchange.GenericHashTable";
const BYTES: &str = "#Exchange.ByteArrayType";

/// `{"CmdletInput":{"CmdletName":…,"Parameters":{…}}}`.
pub(super) fn body(cmdlet: &str, parameters: &[(String, Value)]) -> Result<String> {
    let mut json = String::with_capacity(128);
    json.push_str("{\"CmdletInput\":{\"CmdletName\":");
    string(&mut json, cmdlet);
    json.push_str(",\"Parameters\":{");
    for (at, (name, value)) in parameters.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        let mut encoder = Encoder { json: &mut json, cmdlet, parameter: name, objects: HashMap::new(), depth: 0 };
        encoder.note_objects(value, 0);
        if name.to_ascii_lowercase().ends_with("filter")
            && let Some(filter) = value.as_str()
        {
            encoder.name(name);
            string(encoder.json, &quoted_truth(filter));
        } else {
            encoder.property(name, value)?;
        }
    }
    json.push_str("}}}");
    Ok(json)
}

struct Encoder<'a> {
    json: &'a mut String,
    cmdlet: &'a str,
    parameter: &'a str,
    /// What references in the value point at.
    objects: HashMap<ObjectId, &'a Object>,
    depth: usize,
}

impl<'a> Encoder<'a> {
    fn note_objects(&mut self, value: &'a Value, depth: usize) {
        let Value::Object(object) = value else { return };
        if depth > MOST_DEPTH {
            return;
        }
        self.objects.insert(object.id, object);
        match &object.content {
            Content::List(v) | Content::Enumerable(v) | Content::Stack(v) | Content::Queue(v) => {
                v.iter().for_each(|v| self.note_objects(v, depth + 1));
            }
            Content::Dictionary(v) => v.iter().for_each(|(_, v)| self.note_objects(v, depth + 1)),
            Content::Primitive(v) => self.note_objects(v, depth + 1),
            Content::None => {}
        }
    }

    fn refused(&self, what: &str) -> Error {
        let text = format!("the parameter {} of {} is given {what}, for which the REST API has no form", self.parameter, self.cmdlet);
        Error::new(ErrorKind::InvalidArgument, "run command", text)
    }

    fn name(&mut self, name: &str) {
        string(self.json, name);
        self.json.push(':');
    }

    /// A member of the parameters or of a table: arrays of tables and of byte arrays tell their type beside it.
    fn property(&mut self, name: &str, value: &'a Value) -> Result<()> {
        if let Some(items) = value.as_list().filter(|items| !items.is_empty()) {
            let all = |is: fn(&Value) -> bool| items.iter().all(is);
            let object = |v: &'a Value| match v {
                Value::Reference(id) => self.objects.get(id).copied(),
                value => value.as_object(),
            };
            if items.iter().all(|v| matches!(object(v), Some(o) if matches!(o.content, Content::Dictionary(_)))) {
                self.name(&format!("{name}@odata.type"));
                self.json.push_str("\"#Collection(Exchange.GenericHashTable)\",");
            } else if all(|v| matches!(v.unwrapped(), Value::Bytes(_))) {
                self.name(&format!("{name}@odata.type"));
                self.json.push_str("\"#Collection(Exchange.ByteArrayType)\",");
                self.name(name);
                self.json.push('[');
                for (at, item) in items.iter().enumerate() {
                    let Value::Bytes(bytes) = item.unwrapped() else { continue };
                    self.json.push_str(if at > 0 { ",{" } else { "{" });
                    self.bytes(bytes);
                }
                self.json.push(']');
                return Ok(());
            }
        }
        self.name(name);
        self.value(value)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.json.reserve(bytes.len() * 4 + 16);
        self.json.push_str("\"Data\":[");
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 {
                self.json.push(',');
            }
            number(self.json, byte);
        }
        self.json.push_str("]}");
    }

    fn value(&mut self, value: &'a Value) -> Result<()> {
        match value {
            Value::Nil => self.json.push_str("null"),
            Value::Bool(b) => number(self.json, b),
            Value::U8(n) => number(self.json, n),
            Value::I8(n) => number(self.json, n),
            Value::U16(n) => number(self.json, n),
            Value::I16(n) => number(self.json, n),
            Value::U32(n) => number(self.json, n),
            Value::I32(n) => number(self.json, n),
            Value::U64(n) => number(self.json, n),
            Value::I64(n) => number(self.json, n),
            Value::F32(n) if n.is_finite() => number(self.json, n),
            Value::F64(n) if n.is_finite() => number(self.json, n),
            Value::Decimal(text) if serde_json::from_str::<serde_json::Number>(text).is_ok() => self.json.push_str(text),
            Value::Bytes(bytes) => {
                let _ = write!(self.json, "{{\"@odata.type\":\"{BYTES}\",");
                self.bytes(bytes);
            }
            Value::Object(object) => return self.object(object),
            Value::Reference(id) => match self.objects.get(id).copied() {
                Some(object) => return self.object(object),
                None => return Err(self.refused("a reference to an object that encloses it")),
            },
            Value::Progress(_) | Value::MemberSet(_) => return Err(self.refused("a progress record")),
            // A SecureString is what `protect` made of it.
            simple => string(self.json, &text(simple)),
        }
        Ok(())
    }

    fn object(&mut self, object: &'a Object) -> Result<()> {
        if self.depth >= MOST_DEPTH {
            return Err(self.refused("a value more than ten levels deep"));
        }
        self.depth += 1;
        match &object.content {
            Content::Dictionary(entries) => {
                let _ = write!(self.json, "{{\"@odata.type\":\"{TABLE}\"");
                for (key, value) in entries {
                    self.json.push(',');
                    self.property(&text(key), value)?;
                }
                self.json.push('}');
            }
            Content::List(items) | Content::Enumerable(items) | Content::Stack(items) | Content::Queue(items) => {
                self.json.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.json.push(',');
                    }
                    self.value(item)?;
                }
                self.json.push(']');
            }
            Content::Primitive(_) if object.is_a("System.Enum") => string(self.json, &object_text(object)),
            Content::Primitive(value) => self.value(value)?,
            Content::None => match object.property("IsPresent").and_then(Value::as_bool) {
                Some(on) if object.is_a("System.Management.Automation.SwitchParameter") => number(self.json, on),
                _ if object.is_a("System.DateTimeOffset") && object.property("UtcDateTime").is_some() => {
                    string(self.json, &text(object.property("UtcDateTime").unwrap_or(&Value::Nil)));
                }
                _ if object.is_a("System.Management.Automation.PSCredential") => return Err(self.refused("a PSCredential")),
                // As Microsoft's module does it: by ToString.
                _ if object.to_string.is_some() => string(self.json, &object_text(object)),
                _ => return Err(self.refused("an object without a text of its own")),
            },
        }
        self.depth -= 1;
        Ok(())
    }
}

fn object_text(object: &Object) -> String {
    object.to_string.as_ref().map(|t| t.to_str_lossy().into_owned()).unwrap_or_default()
}

/// A value as .NET's ToString has it, as far as the server reads it back.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Nil => String::new(),
        Value::String(t) | Value::Uri(t) | Value::Xml(t) | Value::ScriptBlock(t) => t.to_str_lossy().into_owned(),
        Value::Bool(b) => if *b { "True" } else { "False" }.to_owned(),
        Value::Char(unit) => String::from_utf16_lossy(&[*unit]),
        Value::DateTime(text) => date_time(text),
        Value::Duration(text) => time_span(text).unwrap_or_else(|| text.clone()),
        Value::Decimal(t) | Value::Version(t) | Value::SemanticVersion(t) | Value::SecureString(t) => t.clone(),
        Value::Guid(id) => id.to_string(),
        Value::F32(n) => n.to_string(),
        Value::F64(n) => n.to_string(),
        Value::U64(n) => n.to_string(),
        Value::Object(object) => match (&object.to_string, &object.content) {
            (Some(text), _) => text.to_str_lossy().into_owned(),
            (None, Content::Primitive(value)) => text(value),
            (None, Content::List(items)) => items.iter().map(text).collect::<Vec<_>>().join(" "),
            (None, _) => String::new(),
        },
        other => other.as_i64().map(|n| n.to_string()).unwrap_or_default(),
    }
}

fn number(json: &mut String, value: impl std::fmt::Display) {
    let _ = write!(json, "{value}");
}

fn string(json: &mut String, text: &str) {
    json.push('"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        json.push_str(&text[done..at]);
        done = at + 1;
        if short.is_empty() {
            let _ = write!(json, "\\u{byte:04x}");
        } else {
            json.push_str(short);
        }
    }
    json.push_str(&text[done..]);
    json.push('"');
}

/// `$true` and `$false` in a filter as the texts that the server compares with: it has no variables.
fn quoted_truth(filter: &str) -> String {
    let mut out = String::with_capacity(filter.len());
    let mut rest = filter;
    while let Some(at) = rest.find('$') {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let word = ["$true", "$false"].into_iter().find(|w| {
            let ends = |r: &str| !r.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            found.get(..w.len()).is_some_and(|f| f.eq_ignore_ascii_case(w)) && ends(&found[w.len()..])
        });
        let quoted = before.ends_with(['\'', '"']);
        match word {
            Some(word) => {
                let name = if word == "$true" { "True" } else { "False" };
                out.push_str(&if quoted { name.to_owned() } else { format!("'{name}'") });
                rest = &found[word.len()..];
            }
            None => {
                out.push('$');
                rest = &found[1..];
            }
        }
    }
    out + rest
}

/// The round-trip form of CLIXML in UTC with seven digits, as Microsoft's module sends it; without offset as it stands,
/// since only the server knows what is meant.
fn date_time(text: &str) -> String {
    let digits = |from: usize, to: usize| text.get(from..to).and_then(|t| t.parse::<i64>().ok());
    let parsed = (|| {
        let seconds =
            days(digits(0, 4)?, digits(5, 7)?, digits(8, 10)?) * 86_400 + digits(11, 13)? * 3600 + digits(14, 16)? * 60 + digits(17, 19)?;
        let rest = text.get(19..)?;
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(f) => f.split_at(f.find(|c: char| !c.is_ascii_digit()).unwrap_or(f.len())),
            None => ("", rest),
        };
        let shift = match zone.as_bytes() {
            [] | [b'Z'] => 0,
            [sign @ (b'+' | b'-'), ..] => {
                let minutes = zone.get(1..3)?.parse::<i64>().ok()? * 60 + zone.get(4..6)?.parse::<i64>().ok()?;
                if *sign == b'-' { -minutes } else { minutes }
            }
            _ => return None,
        };
        Some((seconds - shift * 60, fraction, !zone.is_empty()))
    })();
    let Some((seconds, fraction, utc)) = parsed else { return text.to_owned() };
    let whole = moment(seconds);
    format!("{}.{fraction:0<7}{}", whole.trim_end_matches('Z'), if utc { "Z" } else { "" })
}

/// Seconds since 1970 in round-trip form.
pub(super) fn moment(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let rest = seconds.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Days since 1970 of a civil date, and back (Hinnant's algorithms for the proleptic Gregorian calendar).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// An xs:duration as TimeSpan.ToString writes it: `1.02:03:04.5000000`.
fn time_span(text: &str) -> Option<String> {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let rest = rest.strip_prefix('P')?;
    let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut seconds: u64 = 0;
    let mut fraction = "";
    let mut part = |mut text: &'_ str, units: &[(char, u64)]| -> Option<String> {
        while !text.is_empty() {
            let end = text.find(|c: char| c.is_ascii_alphabetic())?;
            let unit = text[end..].chars().next()?;
            let (_, size) = units.iter().find(|(u, _)| *u == unit)?;
            let whole = text[..end].split('.').next()?;
            seconds = seconds.checked_add(whole.parse::<u64>().ok()?.checked_mul(*size)?)?;
            text = &text[end + 1..];
        }
        Some(String::new())
    };
    part(date, &[('D', 86_400)])?;
    part(time, &[('H', 3600), ('M', 60), ('S', 1)])?;
    if let Some((_, f)) = time.split_once('.') {
        fraction = f.trim_end_matches('S');
    }
    let days = seconds / 86_400;
    let days = if days > 0 { format!("{days}.") } else { String::new() };
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction:0<7}") };
    Some(format!("{sign}{days}{:02}:{:02}:{:02}{fraction}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clixml;

    fn encoded(clixml: &str) -> String {
        let value = clixml::read(clixml.as_bytes()).unwrap();
        let json = body("Set-X", &[("P".into(), value)]).unwrap();
        let json = json.strip_prefix("{\"CmdletInput\":{\"CmdletName\":\"Set-X\",\"Parameters\":{").unwrap();
        serde_json::from_str::<serde_json::Value>(&format!("{{{}", json.strip_suffix("}}").unwrap())).unwrap();
        json.strip_suffix("}}}").unwrap().to_owned()
    }

    #[test]
    fn every_type_has_its_form() {
        for (clixml, json) in [
            ("<S>a\"b\\_x0001__x000A_é</S>", r#""P":"a\"b\\\u0001\né""#),
            ("<Nil/>", r#""P":null"#),
            ("<B>true</B>", r#""P":true"#),
            ("<I32>-5</I32>", r#""P":-5"#),
            ("<U64>18446744073709551615</U64>", r#""P":18446744073709551615"#),
            ("<D>1.50</D>", r#""P":1.50"#),
            ("<Db>1.5</Db>", r#""P":1.5"#),
            ("<G>792e5b37-4505-47ef-b7d2-8711bb7affa8</G>", r#""P":"792e5b37-4505-47ef-b7d2-8711bb7affa8""#),
            ("<DT>2024-03-01T00:30:00.5+02:00</DT>", r#""P":"2024-02-29T22:30:00.5000000Z""#),
            ("<DT>2024-03-01T00:30:00Z</DT>", r#""P":"2024-03-01T00:30:00.0000000Z""#),
            ("<DT>2024-03-01T00:30:00</DT>", r#""P":"2024-03-01T00:30:00.0000000""#),
            ("<TS>P1DT2H3M4.5S</TS>", r#""P":"1.02:03:04.5000000""#),
            ("<TS>-PT90S</TS>", r#""P":"-00:01:30""#),
            ("<BA>AQL/</BA>", r##""P":{"@odata.type":"#Exchange.ByteArrayType","Data":[1,2,255]}"##),
            (
                r#"<Obj RefId="0"><TN RefId="0"><T>System.DayOfWeek</T><T>System.Enum</T></TN><ToString>Monday</ToString><I32>1</I32></Obj>"#,
                r#""P":"Monday""#,
            ),
            (
                r#"<Obj RefId="0"><TN RefId="0"><T>System.Management.Automation.SwitchParameter</T></TN><ToString>True</ToString><Props><B N="IsPresent">true</B></Props></Obj>"#,
                r#""P":true"#,
            ),
            (
                r#"<Obj RefId="0"><TN RefId="0"><T>System.DateTimeOffset</T></TN><ToString>x</ToString><Props><DT N="UtcDateTime">2026-11-27T00:39:23.1144655Z</DT></Props></Obj>"#,
                r#""P":"2026-11-27T00:39:23.1144655Z""#,
            ),
            (r#"<Obj RefId="0"><TN RefId="0"><T>System.Object[]</T></TN><LST><S>a</S><I32>1</I32></LST></Obj>"#, r#""P":["a",1]"#),
            (r#"<Obj RefId="0"><LST /></Obj>"#, r#""P":[]"#),
            (
                r#"<Obj RefId="0"><DCT><En><S N="Key">Add</S><Obj N="Value" RefId="1"><LST><S>x</S></LST></Obj></En><En><S N="Key">In</S><Obj N="Value" RefId="2"><DCT /></Obj></En></DCT></Obj>"#,
                r##""P":{"@odata.type":"#Exchange.GenericHashTable","Add":["x"],"In":{"@odata.type":"#Exchange.GenericHashTable"}}"##,
            ),
            (
                r#"<Obj RefId="0"><LST><Obj RefId="1"><DCT><En><S N="Key">a</S><I32 N="Value">1</I32></En></DCT></Obj><Ref RefId="1" /></LST></Obj>"#,
                r##""P@odata.type":"#Collection(Exchange.GenericHashTable)","P":[{"@odata.type":"#Exchange.GenericHashTable","a":1},{"@odata.type":"#Exchange.GenericHashTable","a":1}]"##,
            ),
            (
                r#"<Obj RefId="0"><LST><Obj RefId="1"><DCT /></Obj></LST></Obj>"#,
                r##""P@odata.type":"#Collection(Exchange.GenericHashTable)","P":[{"@odata.type":"#Exchange.GenericHashTable"}]"##,
            ),
            (
                r#"<Obj RefId="0"><LST><BA>AQ==</BA><BA>Ag==</BA></LST></Obj>"#,
                r##""P@odata.type":"#Collection(Exchange.ByteArrayType)","P":[{"Data":[1]},{"Data":[2]}]"##,
            ),
            (r#"<Obj RefId="0"><TN RefId="0"><T>System.Net.IPAddress</T></TN><ToString>10.0.0.1</ToString></Obj>"#, r#""P":"10.0.0.1""#),
        ] {
            assert_eq!(encoded(clixml), json, "{clixml}");
        }
    }

    #[test]
    fn what_has_no_form_is_refused_by_its_name() {
        let deep = (0..12).fold(String::from("<S>x</S>"), |inner, id| {
            format!(
                r#"<Obj RefId="{id}"><DCT><En><S N="Key">k</S>{}</En></DCT></Obj>"#,
                inner.replacen(' ', r#" N="Value" "#, 1).replacen("<S>", r#"<S N="Value">"#, 1)
            )
        });
        for clixml in [
            deep.as_str(),
            r#"<Obj RefId="0"><LST><Ref RefId="0" /></LST></Obj>"#,
            r#"<Obj RefId="0"><MS><S N="a">b</S></MS></Obj>"#,
            r#"<Obj RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCredential</T></TN><ToString>x</ToString></Obj>"#,
        ] {
            let value = clixml::read(clixml.as_bytes()).unwrap();
            let error = body("Set-X", &[("Odd".into(), value)]).unwrap_err();
            assert!(
                error.kind() == ErrorKind::InvalidArgument && error.detail().starts_with("the parameter Odd of Set-X is given a"),
                "{error}"
            );
        }
    }

    #[test]
    fn filters_have_texts_for_truth() {
        assert_eq!(
            quoted_truth("a -eq $true -and b -ne $FALSE -or c -eq '$true' -or d -eq $truely"),
            "a -eq 'True' -and b -ne 'False' -or c -eq 'True' -or d -eq $truely"
        );
    }
}
