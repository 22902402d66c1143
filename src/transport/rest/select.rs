//! Select-Object behind a cmdlet, on this side: the service runs no engine. Shapes and ids are the engine's.

use super::bind::{Bound, refused};
use super::encode::text;
use super::proxy::{Description, functions};
use super::records::Failure;
use crate::clixml::{Content, Object, Property, Text, Value, type_names};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, LazyLock};

const NAME: &str = "Select-Object";

/// What the engine knows of it.
pub(super) static DESCRIPTION: LazyLock<Option<Arc<Description>>> = LazyLock::new(|| {
    let script = "function script:Select-Object { param([Parameter(ValueFromPipeline)] $InputObject, [Parameter(Position=0)] $Property, \
        $ExcludeProperty, $ExpandProperty, [switch] $Unique, [switch] $CaseInsensitive, [int] $Last, [int] $First, [int] $Skip, \
        [int] $SkipLast, [switch] $Wait, $Index, $SkipIndex) }";
    functions(script).next().map(Arc::new)
});

/// One Select-Object of a pipeline.
#[derive(Debug, Default)]
pub(super) struct Select {
    properties: Vec<String>,
    excluded: Vec<String>,
    expand: Option<String>,
    first: Option<u64>,
    last: Option<u64>,
    skip: u64,
    unique: bool,
    seen: u64,
    given: u64,
    /// The last so many.
    tail: VecDeque<Value>,
    known: HashSet<String>,
}

/// What one object becomes.
pub(super) enum Selected {
    Values(Vec<Value>),
    Failure(Box<Failure>),
}

/// Names of properties: a text or a list of texts. Calculated ones hold scripts, which nothing here could run.
pub(super) fn names(cmdlet: &str, value: &Value) -> Result<Vec<String>, Failure> {
    let one = |v: &Value| match v.as_object().map(|o| &o.content) {
        Some(Content::Dictionary(_)) => {
            let message = format!("{cmdlet}: a calculated property cannot be evaluated on the REST road. Move {cmdlet} behind the call.");
            Err(refused(cmdlet, message, "CalculatedPropertyNotSupported"))
        }
        _ => Ok(text(v)),
    };
    match value.as_list() {
        Some(items) => items.iter().map(one).collect(),
        None => one(value).map(|n| vec![n]),
    }
}

/// A whole number that is not negative.
fn count(name: &str, value: &Value) -> Result<u64, Failure> {
    let number = value.as_i64().and_then(|n| u64::try_from(n).ok()).or_else(|| text(value).trim().parse().ok());
    number.ok_or_else(|| {
        refused(NAME, format!("Cannot bind parameter '{name}' to '{}': it is no number.", text(value)), "CannotConvertArgumentNoMessage")
    })
}

impl Select {
    pub(super) fn new(bound: &Bound) -> Result<Self, Failure> {
        let mut select = Self::default();
        for (name, value) in &bound.parameters {
            match name.to_ascii_lowercase().as_str() {
                "property" => select.properties = names(NAME, value)?,
                "excludeproperty" => select.excluded = names(NAME, value)?,
                "expandproperty" => select.expand = Some(text(value)),
                "first" => select.first = Some(count(name, value)?),
                "last" => select.last = Some(count(name, value)?),
                "skip" => select.skip = count(name, value)?,
                "unique" => select.unique = value.as_bool().unwrap_or(true),
                "wait" => {}
                _ => {
                    let message = format!("{NAME}: the parameter '{name}' is not supported on the REST road.");
                    return Err(refused(NAME, message, "NamedParameterNotFound"));
                }
            }
        }
        if !select.excluded.is_empty() && select.properties.is_empty() && select.expand.is_none() {
            select.properties.push(String::from("*"));
        }
        Ok(select)
    }

    /// Whether it may stop those before it.
    pub(super) fn is_bounded(&self) -> bool {
        self.first.is_some()
    }

    pub(super) fn is_satisfied(&self) -> bool {
        self.last.is_none() && self.first.is_some_and(|first| self.given >= first)
    }

    pub(super) fn take(&mut self, value: Value) -> Selected {
        let nothing = || Selected::Values(Vec::new());
        self.seen += 1;
        // With Last, what is skipped is skipped at the end.
        if self.last.is_none() && self.seen <= self.skip || self.is_satisfied() {
            return nothing();
        }
        if let Some(last) = self.last {
            if self.first.is_some_and(|first| self.given < first) {
                self.given += 1;
                return self.give(&value);
            }
            self.tail.push_back(value);
            if self.tail.len() as u64 > last.saturating_add(self.skip) {
                self.tail.pop_front();
            }
            return nothing();
        }
        let selected = self.give(&value);
        if let Selected::Values(values) = &selected
            && !values.is_empty()
        {
            self.given += 1;
        }
        selected
    }

    /// What was kept for the end.
    pub(super) fn end(&mut self) -> Vec<Selected> {
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
        let keep = self.tail.len().saturating_sub(skip);
        let tail: Vec<Value> = self.tail.drain(..).take(keep).collect();
        tail.iter().map(|v| self.give(v)).collect()
    }

    fn give(&mut self, value: &Value) -> Selected {
        let selected = self.shape(value);
        match selected {
            Selected::Values(mut values) if self.unique => {
                values.retain(|v| self.known.insert(unique_text(v)));
                Selected::Values(values)
            }
            other => other,
        }
    }

    fn shape(&self, value: &Value) -> Selected {
        if let Some(name) = &self.expand {
            return self.expanded(name, value);
        }
        if self.properties.is_empty() {
            return Selected::Values(vec![value.clone()]);
        }
        Selected::Values(vec![self.chosen(value)])
    }

    fn chosen(&self, value: &Value) -> Value {
        let first =
            value.as_object().and_then(|o| o.type_names.as_ref()?.first()).map_or_else(|| String::from(type_of(value)), Text::to_string);
        let first = first.strip_prefix("Deserialized.").unwrap_or(&first);
        let names = type_names(&[&format!("Selected.{first}"), "System.Management.Automation.PSCustomObject", "System.Object"]);
        Object { type_names: Some(names), ..Object::bag(self.picked(value)) }.into()
    }

    fn picked(&self, value: &Value) -> Vec<Property> {
        let length = || match value.unwrapped() {
            Value::String(text) => vec![Property::new("Length", text.to_units().len() as i32)],
            _ => Vec::new(),
        };
        let own: Vec<Property> = match value.as_object() {
            Some(object) => object.adapted.iter().chain(&object.extended).flatten().cloned().collect(),
            None => length(),
        };
        let mut picked: Vec<Property> = Vec::new();
        for pattern in &self.properties {
            let is_wild = pattern.contains(['*', '?', '[']);
            let before = picked.len();
            for property in &own {
                let name = property.name.to_str_lossy();
                let known = picked.iter().any(|p| p.name.to_str_lossy().eq_ignore_ascii_case(&name));
                if matches(pattern, &name) && !known {
                    picked.push(property.clone());
                }
            }
            let there = picked.iter().any(|p| p.name.to_str_lossy().eq_ignore_ascii_case(pattern));
            if !is_wild && picked.len() == before && !there {
                picked.push(Property::new(pattern.as_str(), Value::Nil));
            }
        }
        picked.retain(|p| !self.excluded.iter().any(|e| matches(e, &p.name.to_str_lossy())));
        picked
    }

    fn expanded(&self, name: &str, value: &Value) -> Selected {
        let found = match value.as_object() {
            Some(object) => {
                let all = object.extended.iter().chain(&object.adapted).flatten();
                all.clone()
                    .find(|p| p.name.to_str_lossy().eq_ignore_ascii_case(name))
                    .or_else(|| all.clone().find(|p| matches(name, &p.name.to_str_lossy())))
                    .map(|p| p.value.clone())
            }
            None if name.eq_ignore_ascii_case("Length") => self.picked(value).pop().map(|p| p.value),
            None => None,
        };
        let Some(found) = found else {
            let id = "ExpandPropertyNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand";
            let failure =
                Failure::engine("PSArgumentException", format!("Property \"{name}\" cannot be found."), id, "InvalidArgument", NAME);
            return Selected::Failure(Box::new(failure.about(&text(value))));
        };
        let items = match found.as_list() {
            Some(items) => items.to_vec(),
            None => vec![found],
        };
        if self.properties.is_empty() {
            return Selected::Values(items);
        }
        let notes = self.picked(value);
        Selected::Values(items.into_iter().map(|item| with_notes(item, &notes)).collect())
    }
}

fn with_notes(value: Value, notes: &[Property]) -> Value {
    let mut object = match value {
        Value::Object(object) => Object { id: crate::clixml::ObjectId::new(), ..(*object).clone() },
        Value::Nil => return Value::Nil,
        primitive => Object { content: Content::Primitive(primitive), ..Object::new() },
    };
    let extended = object.extended.get_or_insert_default();
    extended.retain(|p| !notes.iter().any(|n| n.name == p.name));
    extended.extend_from_slice(notes);
    object.into()
}

/// What tells an object from another for -Unique: all that is in it.
fn unique_text(value: &Value) -> String {
    match value.as_object() {
        Some(object) => {
            let properties = object.adapted.iter().chain(&object.extended).flatten();
            let mut all = text(value);
            for property in properties {
                all.push('\u{1}');
                all.push_str(&property.name.to_str_lossy());
                all.push('\u{2}');
                all.push_str(&text(&property.value));
            }
            all
        }
        None => text(value),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "System.String",
        Value::Bool(_) => "System.Boolean",
        Value::I32(_) => "System.Int32",
        Value::I64(_) => "System.Int64",
        Value::F64(_) => "System.Double",
        Value::Guid(_) => "System.Guid",
        Value::DateTime(_) => "System.DateTime",
        Value::Duration(_) => "System.TimeSpan",
        _ => "System.Object",
    }
}

/// PowerShell's wildcards `*` and `?`, case ignored. Linear but for the last star, to which it goes back.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let lower = |s: &str| s.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (pattern, name) = (lower(pattern), lower(name));
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
