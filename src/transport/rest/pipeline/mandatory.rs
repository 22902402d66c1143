//! Mandatory parameters that were not given: the user is asked for them, as the engine asks.

use super::{Run, ended_by};
use crate::clixml::{Content, Object, Property, Value};
use crate::error::Result;
use crate::transport::rest::bind::{self, Bound};
use crate::transport::rest::encode::text;
use crate::transport::rest::proxy::Parameter;
use crate::transport::rest::records::Failure;

impl Run {
    /// Asks for what is missing at this place of the pipeline, from 0. `fed`: something will be piped in, which may bring it.
    pub(super) async fn supply(&mut self, bound: &mut Bound, place: usize, fed: bool) -> Result<()> {
        let missing: Vec<Parameter> = bound.missing(fed).into_iter().cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names = missing.iter().map(|p| &*p.name).collect::<Vec<_>>().join(" ");
        let message = format!("Cannot process command because of one or more missing mandatory parameters: {names}.");
        let refusal = ended_by(&bind::refused(&bound.name, message, "MissingMandatoryParameter"));
        if !self.road.options.interactive {
            return Err(refusal);
        }
        let caption = format!("cmdlet {} at command pipeline position {}", bound.name, place + 1);
        let fields = Object::list(missing.iter().map(field).collect());
        let parameters = vec![caption.into(), "Supply values for the following parameters:".into(), fields.into()];
        // As the engine has it: where nobody answers, what is missing is the error.
        let Ok(Some(answers)) = self.call_host(23, "Prompt", parameters).await? else { return Err(refusal) };
        for parameter in &missing {
            let given = match answers.as_object().map(|o| &o.content) {
                Some(Content::Dictionary(entries)) => {
                    entries.iter().find(|(k, _)| text(k).eq_ignore_ascii_case(&parameter.name)).map(|(_, v)| v)
                }
                _ => answers.property(&parameter.name),
            };
            match given.map(|v| v.property("V").unwrap_or(v)) {
                Some(given @ Value::String(_)) if text(given).is_empty() => {
                    let message = format!("Cannot bind argument to parameter '{}' because it is an empty string.", parameter.name);
                    let id = format!("ParameterArgumentValidationErrorEmptyStringNotAllowed,{}", bound.name);
                    let exception = "ParameterBindingValidationException";
                    return Err(ended_by(&Failure::engine(exception, message, id, "InvalidData", &bound.name)));
                }
                Some(value) if *value != Value::Nil => bound.give(parameter, value.clone()),
                _ => return Err(refusal),
            }
        }
        Ok(())
    }
}

/// A FieldDescription, as servers send it.
fn field(parameter: &Parameter) -> Value {
    let full = &*parameter.type_name;
    let short = full.split('`').next().and_then(|n| n.rsplit('.').next()).unwrap_or_default();
    Value::from(Object::bag(vec![
        Property::new("name", &*parameter.name),
        Property::new("label", ""),
        Property::new("parameterTypeName", short),
        Property::new("parameterTypeFullName", full),
        Property::new("parameterAssemblyFullName", ""),
        Property::new("helpMessage", ""),
        Property::new("isMandatory", true),
        Property::new("metadata", Object::list(Vec::new())),
        Property::new("modifiedByRemotingProtocol", false),
        Property::new("isFromRemoteHost", false),
    ]))
}
