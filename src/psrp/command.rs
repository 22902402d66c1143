//! What a pipeline is to run (MS-PSRP 2.2.2.10, 2.2.2.14, 2.2.3.11 to 2.2.3.13), to and from CLIXML.

use super::HostInfo;
use super::message::{required, typed};
use super::types::{OBJECT_ARRAY, OBJECT_LIST, STRING_ARRAY, apartment_state, enumeration, enumeration_types, flags_text, list};
use crate::clixml::{Object, Property, TypeNames, Value};
use crate::error::{Error, ErrorKind, Result};
use std::sync::LazyLock;

/// What is to run: statements of commands (MS-PSRP 2.2.3.11, `PowerShell`).
#[derive(Debug, Clone)]
pub struct PowerShell {
    /// The commands; a statement ends after each command with `end_of_statement`.
    pub commands: Vec<Command>,
    /// The history text.
    pub history: Option<String>,
    /// No input will come.
    pub no_input: bool,
    /// Add to the session's history, as Invoke-Command does.
    pub add_to_history: bool,
    /// RedirectShellErrorOutputPipe, true for Invoke-Command.
    pub redirect_error: bool,
    /// RemoteStreamOptions (MS-PSRP 2.2.3.8): 0, or 15 for AddInvocationInfo.
    pub stream_options: i32,
    /// The pipeline's host; None uses the pool's (`_useRunspaceHost`).
    pub host: Option<HostInfo>,
}

/// One command (MS-PSRP 2.2.3.12).
#[derive(Debug, Clone)]
pub struct Command {
    /// A name, or the text of a script.
    pub text: String,
    /// `text` is a script.
    pub is_script: bool,
    /// UseLocalScope, Nil where not said.
    pub use_local_scope: Option<bool>,
    /// As typed: never re-paired.
    pub arguments: Vec<Argument>,
    /// Which streams are merged to where.
    pub merge: Merge,
    /// The next command begins another statement.
    pub end_of_statement: bool,
}

/// One argument (MS-PSRP 2.2.3.13). `-Identity x` as typed is two: the name without a value, then the value without a name.
#[derive(Debug, Clone)]
pub struct Argument {
    /// With the dash, the colon or the blank that was typed, or bare.
    pub name: Option<String>,
    /// Nil where the name stands alone.
    pub value: Value,
}

/// Stream merging (MS-PSRP 2.2.3.31, PipelineResultTypes): 0 none, 1 output, 2 error, 3 warning, 4 verbose, 5 debug, 6 information, 7 all, null 8.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub struct Merge {
    pub my_result: i32,
    pub to_result: i32,
    pub previous_results: i32,
    pub error: i32,
    pub warning: i32,
    pub verbose: i32,
    pub debug: i32,
    pub information: i32,
}

/// What GET_COMMAND_METADATA asks (MS-PSRP 2.2.2.14).
#[derive(Debug, Clone)]
pub struct MetadataQuery {
    /// Names or wildcards.
    pub names: Vec<String>,
    /// CommandTypes flags; Cmdlet, Function, Filter and Alias are 8, 2, 4 and 1.
    pub command_types: i32,
    /// Module names or wildcards.
    pub modules: Vec<String>,
    /// ArgumentList for dynamic parameters.
    pub arguments: Vec<Value>,
}

/// The protocol version that added several statements and merging of every stream but information (PowerShell 3).
pub(super) const STATEMENTS: (u32, u32) = (2, 2);
/// The protocol version that added the information stream (PowerShell 5).
pub(super) const INFORMATION: (u32, u32) = (2, 3);

impl PowerShell {
    /// CREATE_PIPELINE for a server of this protocol version.
    pub(super) fn to_value(&self, version: (u32, u32)) -> Result<Value> {
        let refuse = |kind, detail| Err(Error::new(kind, "create pipeline", detail));
        let mut statements: Vec<&[Command]> = self.commands.split_inclusive(|c| c.end_of_statement).collect();
        statements.retain(|s| !s.is_empty());
        let Some(first) = statements.first() else {
            return refuse(ErrorKind::InvalidArgument, "there is no command");
        };
        if statements.len() > 1 && version < STATEMENTS {
            return refuse(ErrorKind::Unsupported, "the server takes one statement at a time");
        }
        let commands = |statement: &[Command]| list(&OBJECT_LIST, statement.iter().map(|c| c.to_value(version)).collect());
        let mut powershell = Vec::with_capacity(5);
        if statements.len() > 1 {
            // All statements, the first among them; servers that know ExtraCmds do not look at Cmds.
            let all = statements.iter().map(|s| Object::bag(vec![Property::new("Cmds", commands(s))]).into()).collect();
            powershell.push(Property::new("ExtraCmds", list(&OBJECT_LIST, all)));
        }
        powershell.extend([
            Property::new("Cmds", commands(first)),
            Property::new("IsNested", false),
            Property::new("History", self.history.as_deref()),
            Property::new("RedirectShellErrorOutputPipe", self.redirect_error),
        ]);
        let options = flags_text(&STREAM_OPTIONS, self.stream_options);
        let host = self.host.clone().unwrap_or_else(HostInfo::none);
        let properties = vec![
            Property::new("PowerShell", Object::bag(powershell)),
            Property::new("NoInput", self.no_input),
            Property::new("ApartmentState", apartment_state()),
            Property::new("RemoteStreamOptions", enumeration(&STREAM_OPTIONS_TYPES, &options, self.stream_options)),
            Property::new("AddToHistory", self.add_to_history),
            Property::new("HostInfo", host.to_value()),
            Property::new("IsNested", false),
        ];
        Ok(Object::bag(properties).into())
    }

    pub(super) fn from_value(value: &Value) -> Result<Self> {
        let powershell = required(value, "PowerShell")?;
        let statements = match powershell.property("ExtraCmds").and_then(Value::as_list) {
            Some(statements) => statements.iter().map(commands).collect::<Result<Vec<_>>>()?,
            None => vec![commands(powershell)?],
        };
        let mut all = Vec::new();
        for statement in statements.into_iter().filter(|s| !s.is_empty()) {
            if let Some(last) = all.last_mut() {
                let last: &mut Command = last;
                last.end_of_statement = true;
            }
            all.extend(statement);
        }
        let host = HostInfo::from_value(required(value, "HostInfo")?)?;
        Ok(Self {
            commands: all,
            history: powershell.property("History").and_then(Value::as_str).map(str::to_owned),
            no_input: typed(value, "NoInput", Value::as_bool)?,
            add_to_history: value.property("AddToHistory").and_then(Value::as_bool).unwrap_or(false),
            redirect_error: powershell.property("RedirectShellErrorOutputPipe").and_then(Value::as_bool).unwrap_or(false),
            stream_options: value.property("RemoteStreamOptions").map_or(Ok(0), number)?,
            host: (!host.use_runspace_host).then_some(host),
        })
    }
}

fn commands(of: &Value) -> Result<Vec<Command>> {
    typed(of, "Cmds", Value::as_list)?.iter().map(Command::from_value).collect()
}

fn number(value: &Value) -> Result<i32> {
    let number = value.as_i64().and_then(|n| i32::try_from(n).ok());
    number.ok_or_else(|| Error::new(ErrorKind::Protocol, "read message", "an enum has no number"))
}

impl Command {
    fn to_value(&self, version: (u32, u32)) -> Value {
        let merge = |name, number| Property::new(name, enumeration(&RESULT_TYPES, &flags_text(&RESULTS, number), number));
        let m = &self.merge;
        let mut properties = vec![
            Property::new("Cmd", self.text.as_str()),
            Property::new("IsScript", self.is_script),
            Property::new("UseLocalScope", self.use_local_scope),
            merge("MergeMyResult", m.my_result),
            merge("MergeToResult", m.to_result),
            merge("MergePreviousResults", m.previous_results),
        ];
        if version >= STATEMENTS {
            properties.extend([
                merge("MergeError", m.error),
                merge("MergeWarning", m.warning),
                merge("MergeVerbose", m.verbose),
                merge("MergeDebug", m.debug),
            ]);
        }
        if version >= INFORMATION {
            properties.push(merge("MergeInformation", m.information));
        }
        properties.push(Property::new("Args", list(&OBJECT_LIST, self.arguments.iter().map(Argument::to_value).collect())));
        Object::bag(properties).into()
    }

    fn from_value(value: &Value) -> Result<Self> {
        let merge = |name| value.property(name).map_or(Ok(0), number);
        Ok(Self {
            text: typed(value, "Cmd", Value::as_str)?.to_owned(),
            is_script: typed(value, "IsScript", Value::as_bool)?,
            use_local_scope: value.property("UseLocalScope").and_then(Value::as_bool),
            arguments: match required(value, "Args")? {
                Value::Nil => Vec::new(),
                _ => typed(value, "Args", Value::as_list)?.iter().map(Argument::from_value).collect::<Result<_>>()?,
            },
            merge: Merge {
                my_result: merge("MergeMyResult")?,
                to_result: merge("MergeToResult")?,
                previous_results: merge("MergePreviousResults")?,
                error: merge("MergeError")?,
                warning: merge("MergeWarning")?,
                verbose: merge("MergeVerbose")?,
                debug: merge("MergeDebug")?,
                information: merge("MergeInformation")?,
            },
            end_of_statement: false,
        })
    }
}

impl Argument {
    fn to_value(&self) -> Value {
        Object::bag(vec![Property::new("N", self.name.as_deref()), Property::new("V", self.value.clone())]).into()
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(Self {
            name: value.property("N").and_then(Value::as_str).map(str::to_owned),
            value: value.property("V").cloned().unwrap_or(Value::Nil),
        })
    }
}

impl MetadataQuery {
    /// GET_COMMAND_METADATA.
    pub(super) fn to_value(&self) -> Value {
        let strings = |items: &[String]| match items {
            [] => Value::Nil,
            _ => list(&STRING_ARRAY, items.iter().map(|n| n.as_str().into()).collect()),
        };
        let arguments = match &*self.arguments {
            [] => Value::Nil,
            some => list(&OBJECT_ARRAY, some.to_vec()),
        };
        let properties = vec![
            Property::new("Name", strings(&self.names)),
            Property::new(
                "CommandType",
                enumeration(&COMMAND_TYPES_TYPES, &flags_text(&COMMAND_TYPES, self.command_types), self.command_types),
            ),
            Property::new("Namespace", strings(&self.modules)),
            Property::new("ArgumentList", arguments),
        ];
        Object::bag(properties).into()
    }

    pub(super) fn from_value(value: &Value) -> Result<Self> {
        let items = |name| value.property(name).and_then(Value::as_list).unwrap_or_default();
        let strings = |name| items(name).iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self {
            names: strings("Name"),
            command_types: value.property("CommandType").map_or(Ok(0), number)?,
            modules: strings("Namespace"),
            arguments: items("ArgumentList").to_vec(),
        })
    }
}

static RESULT_TYPES: LazyLock<TypeNames> =
    LazyLock::new(|| enumeration_types("System.Management.Automation.Runspaces.PipelineResultTypes"));
const RESULTS: [(i32, &str); 9] =
    [(0, "None"), (1, "Output"), (2, "Error"), (3, "Warning"), (4, "Verbose"), (5, "Debug"), (6, "Information"), (7, "All"), (8, "Null")];

static STREAM_OPTIONS_TYPES: LazyLock<TypeNames> = LazyLock::new(|| enumeration_types("System.Management.Automation.RemoteStreamOptions"));
const STREAM_OPTIONS: [(i32, &str); 5] = [
    (1, "AddInvocationInfoToErrorRecord"),
    (2, "AddInvocationInfoToWarningRecord"),
    (4, "AddInvocationInfoToDebugRecord"),
    (8, "AddInvocationInfoToVerboseRecord"),
    (15, "AddInvocationInfo"),
];

static COMMAND_TYPES_TYPES: LazyLock<TypeNames> = LazyLock::new(|| enumeration_types("System.Management.Automation.CommandTypes"));
const COMMAND_TYPES: [(i32, &str); 9] = [
    (1, "Alias"),
    (2, "Function"),
    (4, "Filter"),
    (8, "Cmdlet"),
    (16, "ExternalScript"),
    (32, "Application"),
    (64, "Script"),
    (128, "Workflow"),
    (256, "Configuration"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str, end_of_statement: bool) -> Command {
        Command {
            text: text.into(),
            is_script: false,
            use_local_scope: None,
            arguments: vec![
                Argument { name: Some("-Identity".into()), value: Value::Nil },
                Argument { name: None, value: "x".into() },
                Argument { name: Some("-ResultSize:".into()), value: 5.into() },
            ],
            merge: Merge { my_result: 2, to_result: 1, error: 1, warning: 8, ..Merge::default() },
            end_of_statement,
        }
    }

    fn powershell(commands: Vec<Command>) -> PowerShell {
        PowerShell { commands, history: None, no_input: true, add_to_history: true, redirect_error: true, stream_options: 15, host: None }
    }

    #[test]
    fn statements_come_back_as_they_went() {
        for ends in [[false, false, false], [true, false, false], [false, true, false], [true, true, false]] {
            let given = powershell(ends.iter().map(|e| command("Get-Mailbox", *e)).collect());
            let value = given.to_value((2, 3)).unwrap();
            let extra = value.property("PowerShell").unwrap().property("ExtraCmds");
            let statements = 1 + ends.iter().filter(|e| **e).count();
            assert_eq!(extra.map(|e| e.as_list().unwrap().len()), (statements > 1).then_some(statements));
            let read = PowerShell::from_value(&value).unwrap();
            assert_eq!(read.commands.iter().map(|c| c.end_of_statement).collect::<Vec<_>>(), ends);
            assert_eq!(format!("{:?}", read.commands), format!("{:?}", given.commands));
            assert_eq!((read.stream_options, read.host.is_none()), (15, true));
        }
    }

    #[test]
    fn an_end_after_the_last_command_adds_no_statement() {
        let value = powershell(vec![command("Get-Mailbox", true)]).to_value((2, 3)).unwrap();
        assert!(value.property("PowerShell").unwrap().property("ExtraCmds").is_none());
    }

    #[test]
    fn older_servers_get_what_they_know() {
        for (version, names) in [((2, 1), 7), ((2, 2), 11), ((2, 3), 12)] {
            let value = powershell(vec![command("Get-Mailbox", false)]).to_value(version).unwrap();
            let commands = value.property("PowerShell").unwrap().property("Cmds").unwrap().as_list().unwrap();
            assert_eq!(commands[0].as_object().unwrap().extended.as_ref().unwrap().len(), names, "{version:?}");
            PowerShell::from_value(&value).unwrap();
        }
        let error = powershell(vec![command("a", true), command("b", false)]).to_value((2, 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn nothing_to_run_is_an_argument_error() {
        assert_eq!(powershell(vec![]).to_value((2, 3)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn a_metadata_query_comes_back_as_it_went() {
        let query = MetadataQuery {
            names: vec!["Get-*".into(), "Set-Mailbox".into()],
            command_types: 15,
            modules: vec![],
            arguments: vec![1.into(), Value::Nil],
        };
        let value = query.to_value();
        assert_eq!(value.property("Namespace"), Some(&Value::Nil));
        let text = value.property("CommandType").unwrap().as_object().unwrap().to_string.clone();
        assert_eq!(text.unwrap(), "Alias, Function, Filter, Cmdlet");
        assert_eq!(format!("{:?}", MetadataQuery::from_value(&value).unwrap()), format!("{query:?}"));
    }
}
