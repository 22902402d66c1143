//! What is to run, whichever road takes it there.

use super::RecordKind;
use crate::clixml::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::psrp;

/// Statements of commands with arguments, or a question for command metadata. Built once, invoked any number of times.
#[derive(Debug, Clone, Default)]
pub struct Command {
    commands: Vec<psrp::Command>,
    describe: Vec<String>,
    described_types: Option<i32>,
    described_modules: Vec<String>,
    input: bool,
    history: Option<String>,
    invocation_info: bool,
}

/// What a road is asked to do.
#[derive(Debug, Clone)]
pub enum Work {
    /// Run commands.
    Run(psrp::PowerShell),
    /// Tell the metadata of commands.
    Describe(psrp::MetadataQuery),
}

const CONTEXT: &str = "build command";

fn refused(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidArgument, CONTEXT, detail)
}

/// Cmdlet, Function, Filter and Alias.
const EVERY_TYPE: i32 = 15;

/// The flags of PowerShell's CommandTypes that these names stand for.
fn command_types(names: &str) -> Result<i32> {
    let flag = |name: &str| match name.trim().to_ascii_lowercase().as_str() {
        "alias" => Ok(1),
        "function" => Ok(2),
        "filter" => Ok(4),
        "cmdlet" => Ok(8),
        "all" => Ok(EVERY_TYPE),
        _ => Err(refused(format!("'{name}' is no type of command; there are Alias, Function, Filter, Cmdlet and All"))),
    };
    names.split(',').try_fold(0, |flags, name| Ok(flags | flag(name)?))
}

impl Command {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next command of the pipeline, by its name.
    pub fn add(&mut self, name: &str) -> Result<()> {
        self.push(name, false)
    }

    /// The next command of the pipeline, as script text. Exchange's own endpoint refuses scripts (`ScriptsNotAllowed`).
    pub fn add_script(&mut self, text: &str) -> Result<()> {
        self.push(text, true)
    }

    fn push(&mut self, text: &str, is_script: bool) -> Result<()> {
        if text.is_empty() {
            return Err(refused("the command is empty"));
        }
        if !self.describe.is_empty() {
            return Err(refused("a question for metadata holds no commands"));
        }
        self.commands.push(psrp::Command {
            text: text.to_owned(),
            is_script,
            use_local_scope: None,
            arguments: Vec::new(),
            merge: psrp::Merge::default(),
            end_of_statement: false,
        });
        Ok(())
    }

    fn last(&mut self) -> Result<&mut psrp::Command> {
        self.commands.last_mut().filter(|c| !c.end_of_statement).ok_or_else(|| refused("there is no command before it"))
    }

    /// An argument of the last command, exactly as typed: `-Identity x` is a name without a value (Nil) and then a value
    /// without a name; `-Identity:x` is one argument.
    pub fn add_argument(&mut self, name: Option<String>, value: Value) -> Result<()> {
        self.last()?.arguments.push(psrp::Argument { name, value });
        Ok(())
    }

    /// Merges a stream of the last command into its output, as `2>&1` does.
    pub fn merge(&mut self, stream: RecordKind) -> Result<()> {
        const OUTPUT: i32 = 1;
        let command = self.last()?;
        match stream {
            RecordKind::Error => {
                // The two older fields say the same to servers before protocol 2.2.
                command.merge.my_result = 2;
                command.merge.to_result = OUTPUT;
                command.merge.error = OUTPUT;
            }
            RecordKind::Warning => command.merge.warning = OUTPUT,
            RecordKind::Verbose => command.merge.verbose = OUTPUT,
            RecordKind::Debug => command.merge.debug = OUTPUT,
            RecordKind::Information => command.merge.information = OUTPUT,
            RecordKind::Output | RecordKind::Progress | RecordKind::HostCall => {
                return Err(refused(format!("the stream {stream:?} cannot be merged into the output")));
            }
        }
        Ok(())
    }

    /// Merges every stream of the last command into its output, as `*>&1` does.
    pub fn merge_all(&mut self) -> Result<()> {
        for stream in [RecordKind::Error, RecordKind::Warning, RecordKind::Verbose, RecordKind::Debug, RecordKind::Information] {
            self.merge(stream)?;
        }
        let merge = &mut self.last()?.merge;
        (merge.my_result, merge.to_result) = (0, 0);
        Ok(())
    }

    /// The next command begins another statement.
    pub fn end_statement(&mut self) -> Result<()> {
        self.last()?.end_of_statement = true;
        Ok(())
    }

    /// Instead of running: asks for the metadata of this name or wildcard. Repeatable.
    pub fn describe(&mut self, name: &str) -> Result<()> {
        if !self.commands.is_empty() {
            return Err(refused("a command that runs cannot ask for metadata"));
        }
        self.describe.push(name.to_owned());
        Ok(())
    }

    /// `input` (true: input will be sent; default false), `history` (text), `invocation_info` (true: errors, warnings,
    /// verbose and debug records tell where they came from); for a question for metadata `command_types` (names, parted by
    /// commas) and `modules` (names or wildcards, parted by commas).
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "input" => self.input = super::options::boolean(CONTEXT, key, value)?,
            "history" => self.history = Some(value.to_owned()),
            "command_types" => self.described_types = Some(command_types(value)?),
            "modules" => self.described_modules = value.split(',').map(|m| m.trim().to_owned()).filter(|m| !m.is_empty()).collect(),
            "invocation_info" => self.invocation_info = super::options::boolean(CONTEXT, key, value)?,
            _ => return Err(refused(format!("unknown key {key:?}"))),
        }
        Ok(())
    }

    /// Whether input will be sent.
    pub fn takes_input(&self) -> bool {
        self.input && self.describe.is_empty()
    }

    /// What a road is asked to do.
    pub fn work(&self) -> Result<Work> {
        const ADD_INVOCATION_INFO: i32 = 15;
        if !self.describe.is_empty() {
            let names = self.describe.clone();
            return Ok(Work::Describe(psrp::MetadataQuery {
                names,
                command_types: self.described_types.unwrap_or(EVERY_TYPE),
                modules: self.described_modules.clone(),
                arguments: Vec::new(),
            }));
        }
        if self.commands.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "invoke", "the command is empty"));
        }
        // What Invoke-Command sends.
        Ok(Work::Run(psrp::PowerShell {
            commands: self.commands.clone(),
            history: self.history.clone(),
            no_input: !self.input,
            add_to_history: true,
            redirect_error: true,
            stream_options: if self.invocation_info { ADD_INVOCATION_INFO } else { 0 },
            host: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_belong_to_the_last_command_of_an_open_statement() {
        let mut c = Command::new();
        assert!(c.add_argument(None, Value::Nil).is_err());
        c.add("Get-Mailbox").unwrap();
        c.add_argument(Some("-Identity".into()), Value::Nil).unwrap();
        c.end_statement().unwrap();
        assert!(c.add_argument(None, Value::Nil).is_err() && c.merge_all().is_err() && c.end_statement().is_err());
        assert!(c.describe("Get-*").is_err());
        let Work::Run(p) = c.work().unwrap() else { panic!() };
        assert!(p.no_input && p.commands[0].end_of_statement && p.commands[0].arguments.len() == 1);
    }

    #[test]
    fn a_question_is_not_mixed_with_commands() {
        let mut c = Command::new();
        assert!(c.work().is_err());
        c.describe("Get-Mailbox").unwrap();
        assert!(c.add("Get-User").is_err() && c.set("nothing", "x").is_err() && c.set("input", "perhaps").is_err());
        assert!(matches!(c.work().unwrap(), Work::Describe(q) if q.names == ["Get-Mailbox"] && q.command_types == 15));
        assert!(c.set("command_types", "Cmdlet, Program").is_err());
        c.set("command_types", "cmdlet, Function").unwrap();
        c.set("modules", "Microsoft.Exchange*,, Other").unwrap();
        assert!(matches!(c.work().unwrap(), Work::Describe(q) if q.command_types == 10 && q.modules == ["Microsoft.Exchange*", "Other"]));
    }
}
