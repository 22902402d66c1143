//! GET_COMMAND_METADATA (MS-PSRP 2.2.2.14) and Get-Command: the cmdlets that run here with their real parameters, and some
//! eight hundred more by name, so that importing a session costs what it costs on Exchange.

use super::binder::{COMMON, CONFIRMING, Kind};
use super::cmdlets::{self, matches};
use super::records::typed;
use super::runspace::{Run, Runspace, not_found};
use super::surface::{self, Told};
use crate::clixml::{self, Content, Object, Property, Value, type_names};
use crate::psrp::{MetadataQuery, Stream};
use std::sync::{LazyLock, OnceLock};

/// A command as Get-Command describes it.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: String,
    parameters: Vec<Told>,
    /// As GET_COMMAND_METADATA gives it.
    text: OnceLock<String>,
}

const MODULE: &str = "Microsoft.Exchange.Management.PowerShell.E2010";

/// Every command, those that run here first. A tenant tells of as many as it is told to.
pub fn commands() -> &'static [Command] {
    static COMMANDS: LazyLock<Vec<Command>> = LazyLock::new(|| {
        let mut all: Vec<Command> = cmdlets::all().map(real).collect();
        for (name, parameters, confirms) in surface::made_up() {
            if !all.iter().any(|c| c.name.eq_ignore_ascii_case(&name)) {
                all.push(Command::new(name, parameters.into_iter().chain(common(confirms)).collect()));
            }
        }
        all
    });
    &COMMANDS
}

/// The commands that a session tells of, by name.
pub fn visible(runspace: &Runspace) -> Vec<&'static Command> {
    let most = runspace.options().cmdlets.max(cmdlets::all().count());
    let mut all: Vec<_> = commands().iter().take(most).filter(|c| runspace.allows(&c.name)).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// What a hostile server tells of, whatever it was asked.
fn hostile() -> &'static [Command] {
    static HOSTILE: LazyLock<Vec<Command>> = LazyLock::new(|| {
        let text = || "System.String]$x=($global:Owned=1),[object".to_owned();
        let command = |(name, parameter, alias): &(&str, &str, &str)| {
            let parameters = vec![((*parameter).to_owned(), text(), vec![(*alias).to_owned()])];
            Command::new((*name).to_owned(), parameters.into_iter().chain(common(true)).collect())
        };
        surface::HOSTILE.iter().map(command).collect()
    });
    &HOSTILE
}

fn common(confirms: bool) -> impl Iterator<Item = Told> {
    let confirming = if confirms { CONFIRMING } else { &[] };
    COMMON.iter().chain(confirming).map(|p| (p.name.to_owned(), p.kind.type_name(), p.aliases.iter().map(|a| (*a).to_owned()).collect()))
}

fn real(info: &super::runspace::CmdletInfo) -> Command {
    let own = info.parameters.iter().map(|p| (p.name.to_owned(), p.kind.type_name(), p.aliases.iter().map(|a| (*a).to_owned()).collect()));
    Command::new(info.name.to_owned(), own.chain(common(info.confirms)).collect())
}

impl Command {
    fn new(name: String, parameters: Vec<Told>) -> Self {
        Self { name, parameters, text: OnceLock::new() }
    }

    fn properties(&self) -> Vec<Property> {
        let namespace = Property::new("Namespace", MODULE);
        let parameter = |(name, kind, aliases): &(String, String, Vec<String>)| {
            let names = Object {
                content: Content::List(aliases.iter().map(|a| Value::from(a.as_str())).collect()),
                ..typed(&[
                    "System.Collections.ObjectModel.Collection`1[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089]]",
                ])
            };
            let metadata = Object {
                to_string: Some("System.Management.Automation.ParameterMetadata".into()),
                adapted: Some(vec![
                    Property::new("Name", name.as_str()),
                    Property::new("ParameterType", kind.as_str()),
                    Property::new("Aliases", names),
                    Property::new("IsDynamic", false),
                    Property::new("SwitchParameter", *kind == Kind::Switch.type_name()),
                ]),
                ..typed(&["System.Management.Automation.ParameterMetadata"])
            };
            (Value::from(name.as_str()), Value::from(metadata))
        };
        let parameters = Object {
            content: Content::Dictionary(self.parameters.iter().map(parameter).collect()),
            ..typed(&[
                "System.Collections.Generic.Dictionary`2[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089],[System.Management.Automation.ParameterMetadata, System.Management.Automation, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]",
            ])
        };
        let output = Object {
            content: Content::List(Vec::new()),
            ..typed(&[
                "System.Collections.ObjectModel.ReadOnlyCollection`1[[System.Management.Automation.PSTypeName, System.Management.Automation, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]",
            ])
        };
        vec![
            Property::new("Name", self.name.as_str()),
            namespace,
            Property::new("HelpUri", format!("https://learn.microsoft.com/powershell/module/exchange/{}", self.name.to_lowercase())),
            Property::new("CommandType", Object::enumeration("System.Management.Automation.CommandTypes", "Cmdlet", 8)),
            Property::new("ResolvedCommandName", Value::Nil),
            Property::new("OutputType", output),
            Property::new("Parameters", parameters),
        ]
    }

    fn selected(&self) -> &str {
        let names = ["Selected.System.Management.Automation.CmdletInfo", "System.Management.Automation.PSCustomObject", "System.Object"];
        self.text.get_or_init(|| clixml::write(&Object { type_names: Some(type_names(&names)), ..Object::bag(self.properties()) }.into()))
    }

    /// As Get-Command gives it.
    pub fn full(&self) -> Value {
        let (verb, noun) = self.name.split_once('-').unwrap_or((&self.name, ""));
        let mut properties = vec![Property::new("Verb", verb), Property::new("Noun", noun), Property::new("ModuleName", MODULE)];
        properties.extend(self.properties());
        let object = typed(&["System.Management.Automation.CmdletInfo", "System.Management.Automation.CommandInfo"]);
        Value::from(Object { to_string: Some(self.name.as_str().into()), adapted: Some(properties), ..object })
    }
}

/// Answers GET_COMMAND_METADATA: the count, then the commands.
pub fn answer(runspace: &Runspace, query: &MetadataQuery) -> Run {
    let wants = |c: &&Command| {
        let named = query.names.is_empty() || query.names.iter().any(|n| matches(n, &c.name));
        let cmdlets = query.command_types == 0 || query.command_types & 8 != 0;
        let here = query.modules.is_empty() || query.modules.iter().any(|m| matches(m, MODULE));
        named && cmdlets && here
    };
    if !runspace.allows("Get-Command") {
        return Err(not_found("Get-Command").into());
    }
    let mut found: Vec<_> = visible(runspace).into_iter().filter(wants).collect();
    if runspace.options().hostile {
        found.extend(hostile());
    }
    let names =
        ["Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo", "System.Management.Automation.PSCustomObject", "System.Object"];
    let count = Object { type_names: Some(type_names(&names)), ..Object::bag(vec![Property::new("Count", found.len() as i32)]) };
    runspace.send_text(Stream::Output, &clixml::write(&count.into()))?;
    found.iter().try_for_each(|c| runspace.send_text(Stream::Output, c.selected()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_some_eight_hundred_commands_of_seven_thousand_parameters() {
        let all = commands();
        assert!((750..900).contains(&all.len()), "{}", all.len());
        let names: std::collections::HashSet<_> = all.iter().map(|c| c.name.to_lowercase()).collect();
        assert_eq!(names.len(), all.len());
        let own: usize =
            all.iter().map(|c| c.parameters.iter().filter(|p| !COMMON.iter().chain(CONFIRMING).any(|k| k.name == p.0)).count()).sum();
        assert!((6_500..7_500).contains(&own), "{own}");
    }
}
