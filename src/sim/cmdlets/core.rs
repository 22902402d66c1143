//! PowerShell's own cmdlets in a restricted session: those that Import-PSSession and Enter-PSSession need.

use super::super::binder::{Bound, Kind, Piped, parameter};
use super::super::formats;
use super::super::metadata;
use super::super::records::{Category, Failure, text_of, typed};
use super::super::runspace::{Cmdlet, CmdletInfo, Context, Halt, Run};
use super::matches;
use crate::clixml::{Object, Property, Text, Value, type_names};
use std::collections::VecDeque;

const INPUT: super::super::binder::Parameter = parameter("InputObject", Kind::Any).from(Piped::Value);

/// The cmdlets.
pub const CMDLETS: &[CmdletInfo] = &[
    CmdletInfo {
        name: "Select-Object",
        class: "",
        parameters: &[
            INPUT,
            parameter("Property", Kind::Texts).at(0),
            parameter("ExcludeProperty", Kind::Texts),
            parameter("ExpandProperty", Kind::Text),
            parameter("First", Kind::Int),
            parameter("Last", Kind::Int),
            parameter("Skip", Kind::Int),
            parameter("Unique", Kind::Switch),
            parameter("Wait", Kind::Switch),
        ],
        confirms: false,
        make: || Box::new(Select::default()),
    },
    CmdletInfo {
        name: "Measure-Object",
        class: "",
        parameters: &[INPUT, parameter("Property", Kind::Texts).at(0)],
        confirms: false,
        make: || Box::new(Measure(0)),
    },
    CmdletInfo {
        name: "Get-Command",
        class: "",
        parameters: &[
            parameter("Name", Kind::Texts).at(0).from(Piped::Both),
            parameter("Verb", Kind::Texts),
            parameter("Noun", Kind::Texts),
            parameter("Module", Kind::Texts).or(&["PSSnapin"]),
            parameter("CommandType", Kind::Any).or(&["Type"]),
            parameter("ArgumentList", Kind::Any).or(&["Args"]),
            parameter("ListImported", Kind::Switch),
        ],
        confirms: false,
        make: || Box::new(get_command as Simple),
    },
    CmdletInfo {
        name: "Get-FormatData",
        class: "",
        parameters: &[parameter("TypeName", Kind::Texts).at(0), parameter("PowerShellVersion", Kind::Any)],
        confirms: false,
        make: || Box::new(formats::get_format_data as Simple),
    },
    CmdletInfo {
        name: "Get-Help",
        class: "",
        parameters: &[parameter("Name", Kind::Text).at(0).from(Piped::Name), parameter("Category", Kind::Texts)],
        confirms: false,
        make: || Box::new(get_help as Simple),
    },
    CmdletInfo {
        name: "Out-Default",
        class: "",
        parameters: &[INPUT, parameter("Transcript", Kind::Switch)],
        confirms: false,
        make: || Box::new(out_default as Simple),
    },
    CmdletInfo { name: "Exit-PSSession", class: "", parameters: &[], confirms: false, make: || Box::new(nothing as Simple) },
    CmdletInfo { name: "Clear-Host", class: "", parameters: &[], confirms: false, make: || Box::new(nothing as Simple) },
];

/// A cmdlet without a state of its own.
pub type Simple = fn(&mut Context<'_>, &Bound) -> Run;

#[derive(Debug, Default)]
struct Select {
    seen: i64,
    given: i64,
    last: VecDeque<Value>,
    unique: Vec<Value>,
}

impl Select {
    fn give(&mut self, context: &mut Context<'_>, bound: &Bound, value: &Value) -> Run {
        if let Some(name) = bound.text("ExpandProperty") {
            return match value.property(&name) {
                Some(found) => match found.as_list() {
                    Some(items) => items.iter().try_for_each(|i| context.write(i.clone())),
                    None => context.write(found.clone()),
                },
                None => {
                    let message = format!("Property \"{name}\" cannot be found.");
                    let id = "ExpandPropertyNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand";
                    let failure = Failure::new(
                        "System.Management.Automation.PSArgumentException",
                        message,
                        id,
                        Category::InvalidArgument,
                        "Select-Object",
                    );
                    context.error(failure.about(value.clone()))
                }
            };
        }
        let wanted = bound.texts("Property");
        if wanted.is_empty() {
            return context.write(value.clone());
        }
        let excluded = bound.texts("ExcludeProperty");
        let own: Vec<&Property> = value.as_object().into_iter().flat_map(|o| o.adapted.iter().chain(&o.extended).flatten()).collect();
        let mut properties: Vec<Property> = Vec::new();
        for pattern in &wanted {
            let mut found: Vec<Property> =
                own.iter().filter(|p| matches(pattern, &p.name.to_str_lossy())).map(|p| Property::clone(p)).collect();
            if found.is_empty() && !pattern.contains(['*', '?']) {
                found.push(Property::new(pattern.as_str(), Value::Nil));
            }
            found.retain(|p| {
                let name = p.name.to_str_lossy();
                !excluded.iter().any(|e| matches(e, &name)) && !properties.iter().any(|known| known.name == p.name)
            });
            properties.extend(found);
        }
        let first =
            value.as_object().and_then(|o| o.type_names.as_ref()?.first()).map_or_else(|| "System.String".to_owned(), Text::to_string);
        let names = type_names(&[&format!("Selected.{first}"), "System.Management.Automation.PSCustomObject", "System.Object"]);
        context.write(Object { type_names: Some(names), ..Object::bag(properties) })
    }
}

impl Cmdlet for Select {
    fn process(&mut self, context: &mut Context<'_>, bound: &Bound) -> Run {
        let Some(value) = bound.get("InputObject") else { return Ok(()) };
        self.seen += 1;
        if self.seen <= bound.number("Skip").unwrap_or(0) {
            return Ok(());
        }
        if bound.is_on("Unique") {
            if self.unique.iter().any(|u| text_of(u) == text_of(value)) {
                return Ok(());
            }
            self.unique.push(value.clone());
        }
        if let Some(last) = bound.number("Last") {
            self.last.push_back(value.clone());
            if self.last.len() as i64 > last {
                self.last.pop_front();
            }
            return Ok(());
        }
        match bound.number("First") {
            Some(first) if self.given >= first => Err(Halt::Enough(context.place())),
            first => {
                self.given += 1;
                self.give(context, bound, &value.clone())?;
                if first == Some(self.given) && !bound.is_on("Wait") { Err(Halt::Enough(context.place())) } else { Ok(()) }
            }
        }
    }

    fn end(&mut self, context: &mut Context<'_>) -> Run {
        let bound = context.bound().clone();
        std::mem::take(&mut self.last).iter().try_for_each(|v| self.give(context, &bound, v))
    }
}

#[derive(Debug)]
struct Measure(i32);

impl Cmdlet for Measure {
    fn process(&mut self, _: &mut Context<'_>, bound: &Bound) -> Run {
        self.0 += i32::from(bound.get("InputObject").is_some());
        Ok(())
    }

    fn end(&mut self, context: &mut Context<'_>) -> Run {
        let none = ["Average", "Sum", "Maximum", "Minimum", "Property"].map(|n| Property::new(n, Value::Nil));
        let mut properties = vec![Property::new("Count", self.0)];
        properties.extend(none);
        let object = typed(&["Microsoft.PowerShell.Commands.GenericMeasureInfo", "Microsoft.PowerShell.Commands.MeasureInfo"]);
        context.write(Object { adapted: Some(properties), ..object })
    }
}

fn get_command(context: &mut Context<'_>, bound: &Bound) -> Run {
    let names = bound.texts("Name");
    let (verbs, nouns) = (bound.texts("Verb"), bound.texts("Noun"));
    let any = |patterns: &[String], name: &str| patterns.is_empty() || patterns.iter().any(|p| matches(p, name));
    let mut found = false;
    for command in metadata::visible(context.runspace()) {
        let (verb, noun) = command.name.split_once('-').unwrap_or((&command.name, ""));
        if any(&names, &command.name) && any(&verbs, verb) && any(&nouns, noun) {
            found = true;
            context.write(command.full())?;
        }
    }
    if !found && let Some(name) = names.iter().find(|n| !n.contains(['*', '?'])) {
        let message = format!(
            "The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
        );
        let id = "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand";
        let failure =
            Failure::new("System.Management.Automation.CommandNotFoundException", message, id, Category::ObjectNotFound, "Get-Command");
        return context.error(failure.about(name.as_str().into()));
    }
    Ok(())
}

fn get_help(context: &mut Context<'_>, bound: &Bound) -> Run {
    let name = bound.text("Name").unwrap_or_else(|| "about_help".to_owned());
    let object = typed(&["HelpInfoShort"]);
    context.write(Object {
        extended: Some(vec![
            Property::new("Name", name.as_str()),
            Property::new("Category", "Cmdlet"),
            Property::new("Synopsis", "Made up."),
        ]),
        ..object
    })
}

fn out_default(context: &mut Context<'_>, bound: &Bound) -> Run {
    bound.get("InputObject").map_or(Ok(()), |value| context.write(value.clone()))
}

fn nothing(_: &mut Context<'_>, _: &Bound) -> Run {
    Ok(())
}
