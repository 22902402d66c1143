//! What is piped into a cmdlet, bound to its parameters: by value before by property name, as the service's module tells; without
//! it to Identity alone, which takes both in nearly every cmdlet of Exchange.

use super::bind::{Bound, refused};
use super::encode;
use super::proxy::{Description, Parameter};
use super::records::Failure;
use crate::clixml::{Content, Object, Value};

/// What names an object of Exchange's, the best first.
const NAMES: [&str; 4] = ["Identity", "Guid", "DistinguishedName", "Name"];

/// Whether the rule about Identity is enough: the cmdlet only reads, and what comes in is a value or an object of Exchange's.
pub(super) fn is_plain(bound: &Bound, input: &Value) -> bool {
    let plain = match input.as_object() {
        Some(object) => matches!(object.content, Content::Primitive(_)) || is_exchange(object),
        None => *input != Value::Nil,
    };
    plain && bound.reads() && bound.parameter("Identity").is_none()
}

/// The cmdlet with what was piped in.
pub(super) fn bind(bound: &Bound, input: &Value) -> Result<Bound, Failure> {
    let mut with = bound.clone();
    let taken = match bound.description.as_deref() {
        Some(told) => by_description(&mut with, told, input),
        None => by_identity(&mut with, input),
    };
    if !taken {
        let message = "The input object cannot be bound to any parameters for the command either because the command does not take pipeline input or the input and its properties do not match any of the parameters that take pipeline input.";
        return Err(refused(&bound.name, message.to_owned(), "InputObjectNotBound").about(&encode::text(input)));
    }
    let missing: Vec<&str> = with.missing(false).into_iter().map(|p| &*p.name).collect();
    if !missing.is_empty() {
        let message = format!(
            "The input object cannot be bound because it did not contain the information required to bind all mandatory parameters:  {}",
            missing.join(" ")
        );
        return Err(refused(&bound.name, message, "InputObjectMissingMandatory").about(&encode::text(input)));
    }
    with.input = Some(Box::new(input.clone()));
    Ok(with)
}

fn by_identity(bound: &mut Bound, input: &Value) -> bool {
    let makes = bound.name.split('-').next().is_some_and(|verb| verb.eq_ignore_ascii_case("New"));
    if makes || bound.parameter("Identity").is_some() {
        return false;
    }
    let value = value_for(&["Identity"], input);
    let taken = value.is_some();
    bound.parameters.splice(0..0, value.map(|v| (String::from("Identity"), v)));
    taken
}

/// Every parameter that is free and takes input by value gets it, then those that take properties, as long as their sets go
/// together; the default set goes before others.
fn by_description(bound: &mut Bound, told: &Description, input: &Value) -> bool {
    let given = bound.parameters.len();
    for only in [told.default_set, bound.sets] {
        for parameter in &told.parameters {
            let places = || parameter.places_in(bound.sets & only);
            if bound.parameter(&parameter.name).is_none() && places().any(|p| p.by_value) {
                let by_name = places().any(|p| p.by_name);
                if let Some(value) = by_value(parameter, by_name, input) {
                    bound.give(parameter, value);
                }
            }
        }
        for parameter in &told.parameters {
            let mandatory = || parameter.places_in(bound.sets).any(|p| p.mandatory);
            if bound.parameter(&parameter.name).is_none()
                && parameter.places_in(bound.sets & only).any(|p| p.by_name)
                && let Some(value) = parameter.names().find_map(|n| input.property(n))
                && !(*value == Value::Nil && mandatory())
            {
                bound.give(parameter, value.clone());
            }
        }
    }
    bound.parameters.len() > given
}

/// What a parameter gets of the whole input. An object that takes its own name from a property gives that, as in Microsoft's
/// module; else one of Exchange's is named by what names it.
fn by_value(parameter: &Parameter, by_name: bool, input: &Value) -> Option<Value> {
    if parameter.is_switch() {
        return None;
    }
    let names: Vec<&str> = if by_name { parameter.names().collect() } else { Vec::new() };
    value_for(&names, input)
}

fn value_for(names: &[&str], input: &Value) -> Option<Value> {
    let Some(object) = input.as_object() else { return Some(input.clone()).filter(|v| *v != Value::Nil) };
    match &object.content {
        Content::Primitive(value) => Some(value.clone()),
        Content::None => {
            let others: &[&str] = if is_exchange(object) { &NAMES } else { &[] };
            names.iter().chain(others).find_map(|n| object.property(n)).filter(|v| **v != Value::Nil).cloned()
        }
        _ => None,
    }
}

/// Whether it is an object of Exchange's own, fresh or come back; a selection of its properties is not.
fn is_exchange(object: &Object) -> bool {
    let first = object.type_names.iter().flat_map(|t| t.iter()).next().map(ToString::to_string).unwrap_or_default();
    first.strip_prefix("Deserialized.").unwrap_or(&first).starts_with("Microsoft.Exchange.")
}
