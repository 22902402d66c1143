//! Runs pipelines as Exchange's no-language runspace does: commands and arguments, never text. A pipeline has a thread of its
//! own, so that cmdlets are written straight on: they wait where PowerShell's wait.

use super::binder::{Binder, Bound, Parameter};
use super::cmdlets;
use super::flow::Ended;
use super::organization::Organization;
use super::records::{Category, Failure, Invocation, Progress, information, informational, text_of};
use super::tenant::Builder;
use crate::clixml::{self, Content, Object, Property, Value};
use crate::psrp::{Command, HostCall, HostInfo, HostResponse, Merge, PipelineState, PowerShell, Stream};
use crate::secret::Secret;
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// An object on its way: as text where it is only passed on, which is nearly always.
#[derive(Debug, Clone)]
pub enum Item {
    /// CLIXML.
    Text(String),
    /// A value.
    Value(Value),
}

impl Item {
    /// The value.
    pub fn value(&self) -> Cow<'_, Value> {
        match self {
            Self::Value(v) => Cow::Borrowed(v),
            Self::Text(t) => Cow::Owned(clixml::read(t.as_bytes()).unwrap_or(Value::Nil)),
        }
    }
}

impl<T: Into<Value>> From<T> for Item {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

/// Why a cmdlet does not go on.
#[derive(Debug)]
pub enum Halt {
    /// A terminating error.
    Failed(Box<Failure>),
    /// Stopped or gone.
    Ended(Ended),
    /// A later command has all it wants (Select-Object -First); its place in the pipeline.
    Enough(usize),
}

impl From<Ended> for Halt {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// What running gives.
pub type Run = Result<(), Halt>;

/// A cmdlet at work.
pub trait Cmdlet: Send {
    /// Once for each input object, or once where there is no input.
    fn process(&mut self, context: &mut Context<'_>, bound: &Bound) -> Run;
    /// After the last.
    fn end(&mut self, _context: &mut Context<'_>) -> Run {
        Ok(())
    }
}

impl<F: FnMut(&mut Context<'_>, &Bound) -> Run + Send> Cmdlet for F {
    fn process(&mut self, context: &mut Context<'_>, bound: &Bound) -> Run {
        self(context, bound)
    }
}

/// A cmdlet as the runspace knows it.
pub struct CmdletInfo {
    /// Its name.
    pub name: &'static str,
    /// Exchange's class behind it, without `Microsoft.Exchange.Management.`; empty for PowerShell's own.
    pub class: &'static str,
    /// Its own parameters.
    pub parameters: &'static [Parameter],
    /// It has -WhatIf and -Confirm.
    pub confirms: bool,
    /// A new one for a pipeline.
    pub make: fn() -> Box<dyn Cmdlet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Continue,
    Stop,
    Silent,
}

fn action(bound: &Bound, name: &str) -> Action {
    match bound.text(name).unwrap_or_default().to_ascii_lowercase().as_str() {
        "stop" | "1" => Action::Stop,
        "silentlycontinue" | "ignore" | "0" | "4" => Action::Silent,
        _ => Action::Continue,
    }
}

/// One command of a pipeline, bound.
struct Stage {
    info: &'static CmdletInfo,
    place: usize,
    length: usize,
    binder: Binder,
    bound: Bound,
    merge: Merge,
    cmdlet: Box<dyn Cmdlet>,
}

/// What a cmdlet sees of the world: the rest of its pipeline and the runspace.
pub struct Context<'a> {
    info: &'static CmdletInfo,
    place: usize,
    length: usize,
    preferences: &'a Bound,
    merge: Merge,
    rest: &'a mut [Stage],
    runspace: &'a Runspace,
}

/// Whom a runspace works for: the client of a shell, or one call of the REST road.
pub trait Client: Send {
    /// The organization it works on.
    fn organization(&self) -> &Arc<Organization>;
    /// Who signed in.
    fn account(&self) -> &str;
    /// What the tenant is like.
    fn options(&self) -> &Builder;
    /// A record, once there is room for it.
    fn send(&self, stream: Stream, text: &str) -> Result<(), Ended>;
    /// The final state, with the ErrorRecord where it failed; none where the client has gone.
    fn finish(&self, state: Option<(PipelineState, Option<Value>)>);
    /// The next input object; none when the input has ended.
    fn next_input(&self) -> Result<Option<Value>, Ended>;
    /// Calls the host.
    fn call(&self, call: &HostCall) -> Result<(), Ended>;
    /// The answer to a host call.
    fn response(&self, call_id: i64) -> Result<HostResponse, Ended>;
    /// Lets time pass.
    fn sleep(&self, time: Duration) -> Result<(), Ended>;
    /// A SecureString's text, or why not.
    fn unprotect(&self, encrypted: &str) -> Result<Secret<String>, &'static str>;
    /// Text as a SecureString.
    fn protect(&self, text: &str) -> Result<Value, Ended>;
    /// Whether the commands before this one count as none, so that progress is shown.
    fn is_first_command(&self) -> bool {
        false
    }
    /// Whether to do what would be asked about, where the client is not asked through its host. `validates` is on with
    /// -WhatIf and with -Confirm.
    fn decides(&self, _question: &str, _validates: bool) -> Option<bool> {
        None
    }
}

/// The runspace for the time of one pipeline.
pub struct Runspace {
    client: Box<dyn Client>,
    host: HostInfo,
    stream_options: i32,
    calls: Cell<i64>,
    answered_for_all: Cell<Option<bool>>,
}

impl Runspace {
    /// For one pipeline of the client.
    pub fn new(client: Box<dyn Client>, host: HostInfo, stream_options: i32) -> Self {
        Self { client, host, stream_options, calls: Cell::new(0), answered_for_all: Cell::new(None) }
    }

    /// Sends the final state for this end.
    pub fn finish(&self, ended: Run) {
        self.client.finish(match ended {
            Ok(()) | Err(Halt::Enough(_)) => Some((PipelineState::Completed, None)),
            Err(Halt::Failed(failure)) => Some((PipelineState::Failed, Some(failure.record(self.invocation_for(1, "", 0, 0).as_ref())))),
            Err(Halt::Ended(Ended::Stopped)) => {
                let exception = "System.Management.Automation.PipelineStoppedException";
                let stopped = Failure::new(exception, "The pipeline has been stopped.", "PipelineStopped", Category::OperationStopped, "");
                Some((PipelineState::Stopped, Some(stopped.record(None))))
            }
            Err(Halt::Ended(Ended::Gone)) => None,
        });
    }

    /// What the tenant is like.
    pub fn options(&self) -> &Builder {
        self.client.options()
    }

    /// Whether the account's roles show this cmdlet.
    pub fn allows(&self, cmdlet: &str) -> bool {
        !self.client.options().hidden.iter().any(|h| h.eq_ignore_ascii_case(cmdlet.trim()))
    }

    /// Runs it all.
    pub fn execute(&self, powershell: &PowerShell) -> Run {
        if self.client.options().progress && self.client.is_first_command() {
            for completed in [false, true] {
                let progress = Progress { activity: "Preparing modules for first use.", id: 0, status: " ", percent: -1, completed };
                self.send(Stream::Progress, &progress.record())?;
            }
        }
        if let Some(script) = powershell.commands.iter().find(|c| c.is_script) {
            let message = "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.";
            let failure =
                Failure::new("System.Management.Automation.ParseException", message, "ScriptsNotAllowed", Category::ParserError, "");
            return Err(failure.about(script.text.as_str().into()).into());
        }
        let mut piped = !powershell.no_input;
        for statement in powershell.commands.split_inclusive(|c| c.end_of_statement) {
            self.statement(statement, piped)?;
            piped = false;
        }
        Ok(())
    }

    fn statement(&self, commands: &[Command], piped: bool) -> Run {
        let mut stages = Vec::new();
        for (place, command) in commands.iter().enumerate() {
            let info = cmdlets::find(command.text.trim()).filter(|_| self.allows(&command.text)).ok_or_else(|| not_found(&command.text))?;
            let binder = Binder::new(info.name, info.parameters, info.confirms);
            let mut bound = binder.bind(&command.arguments)?;
            let missing = binder.missing(&bound, place > 0 || piped);
            if !missing.is_empty() {
                self.ask_for(info, place, &binder, &mut bound, &missing)?;
            }
            stages.push(Stage { info, place, length: commands.len(), binder, bound, merge: command.merge, cmdlet: (info.make)() });
        }
        self.drive(&mut stages, piped)
    }

    /// The host's Prompt for mandatory parameters, as PowerShell asks for them.
    fn ask_for(&self, info: &CmdletInfo, place: usize, binder: &Binder, bound: &mut Bound, missing: &[&'static Parameter]) -> Run {
        if self.host.is_host_null || self.host.is_host_ui_null {
            return Err(binder.missing_error(missing).into());
        }
        let field = |p: &&'static Parameter| {
            let full = p.kind.type_name();
            let short = full.split('`').next().and_then(|n| n.rsplit('.').next()).unwrap_or_default().to_owned();
            Value::from(Object::bag(vec![
                Property::new("name", p.name),
                Property::new("label", ""),
                Property::new("parameterTypeName", short),
                Property::new("parameterTypeFullName", full.as_str()),
                Property::new("parameterAssemblyFullName", format!("{full}, Version=15.0.0.0, Culture=neutral")),
                Property::new("helpMessage", ""),
                Property::new("isMandatory", true),
                Property::new("metadata", Object::list(Vec::new())),
                Property::new("modifiedByRemotingProtocol", false),
                Property::new("isFromRemoteHost", false),
            ]))
        };
        let caption = format!("cmdlet {} at command pipeline position {}", info.name, place + 1);
        let fields = missing.iter().map(field).collect();
        let parameters = vec![caption.into(), "Supply values for the following parameters:".into(), Object::list(fields).into()];
        let answer = self.call(info.name, 23, "Prompt", parameters)?;
        for parameter in missing {
            let value = match answer.as_object().map(|o| &o.content) {
                Some(Content::Dictionary(entries)) => {
                    entries.iter().find(|(k, _)| text_of(k).eq_ignore_ascii_case(parameter.name)).map(|(_, v)| v.clone())
                }
                _ => answer.property(parameter.name).cloned(),
            };
            let value = value.map(|v| v.property("V").cloned().unwrap_or(v));
            match value.filter(|v| *v != Value::Nil) {
                Some(value) => binder.set(bound, parameter, value)?,
                None => return Err(binder.missing_error(missing).into()),
            }
        }
        Ok(())
    }

    fn drive(&self, stages: &mut [Stage], piped: bool) -> Run {
        let fed = if piped { self.feed_input(stages) } else { self.once(stages) };
        let from = match fed {
            Ok(()) => 0,
            // The commands before the one that has enough end without a word, those after it end as ever.
            Err(Halt::Enough(place)) => place,
            Err(halt) => return Err(halt),
        };
        for place in from..stages.len() {
            let (stage, rest) = split(stages, place);
            let Stage { info, length, bound, merge, cmdlet, .. } = stage;
            let mut context = Context { info, place, length: *length, preferences: bound, merge: *merge, rest, runspace: self };
            match cmdlet.end(&mut context) {
                Ok(()) | Err(Halt::Enough(_)) => {}
                Err(halt) => return Err(halt),
            }
        }
        if self.client.options().micro_delay && stages.iter().any(|s| s.info.class.contains("Tasks.")) {
            let text = "Micro delay applied. Actual delayed: 250 msecs, Enforced: True, Capped delay: 250 msecs, Required: False, Additional info: .";
            self.send(Stream::Warning, &informational(text, None))?;
        }
        Ok(())
    }

    fn once(&self, stages: &mut [Stage]) -> Run {
        let (stage, rest) = split(stages, 0);
        let Stage { info, length, bound, merge, cmdlet, .. } = stage;
        cmdlet.process(&mut Context { info, place: 0, length: *length, preferences: bound, merge: *merge, rest, runspace: self }, bound)
    }

    fn feed_input(&self, stages: &mut [Stage]) -> Run {
        while let Some(value) = self.client.next_input()? {
            self.feed(stages, Item::Value(value))?;
        }
        Ok(())
    }

    /// Gives an object to the first of these stages, or to the client where none is left.
    fn feed(&self, stages: &mut [Stage], item: Item) -> Run {
        if stages.is_empty() {
            return match item {
                Item::Text(text) => self.send_text(Stream::Output, &text),
                Item::Value(value) => self.send(Stream::Output, &value),
            };
        }
        let (stage, rest) = split(stages, 0);
        let Stage { info, place, length, binder, bound, merge, cmdlet } = stage;
        let mut context = Context { info, place: *place, length: *length, preferences: bound, merge: *merge, rest, runspace: self };
        match binder.bind_input(bound, &item.value()) {
            Ok(bound) => cmdlet.process(&mut context, &bound),
            Err(failure) => context.error(failure),
        }
    }

    fn send(&self, stream: Stream, value: &Value) -> Run {
        self.send_text(stream, &clixml::write(value))
    }

    /// Sends a record when there is room for it.
    pub fn send_text(&self, stream: Stream, text: &str) -> Run {
        Ok(self.client.send(stream, text)?)
    }

    fn invocation_for(&self, bit: i32, name: &str, place: usize, length: usize) -> Option<Invocation> {
        let wanted = self.stream_options & bit != 0 && !name.is_empty();
        wanted.then(|| Invocation { name: name.to_owned(), position: place as i32 + 1, length: length as i32 })
    }

    /// Calls a method of the client's host and waits for the answer.
    fn call(&self, cmdlet: &str, method: i32, name: &str, parameters: Vec<Value>) -> Result<Value, Halt> {
        if self.host.is_host_null || self.host.is_host_ui_null {
            let message = "A command that prompts the user failed because the host program or the command type does not support user interaction. Try a host program that supports user interaction, and remove prompt-related commands from command types that do not.";
            let exception = "System.Management.Automation.Host.HostException";
            return Err(Failure::new(exception, message, "HostFunctionNotImplemented", Category::InvalidOperation, cmdlet).into());
        }
        let call_id = self.calls.get() + 1;
        self.calls.set(call_id);
        let call = HostCall { call_id, method, method_name: name.to_owned(), parameters };
        self.client.call(&call)?;
        match self.client.response(call_id)?.result {
            Ok(value) => Ok(value.unwrap_or(Value::Nil)),
            Err(record) => {
                let exception = record.property("Exception");
                let message =
                    exception.and_then(|e| e.property("Message")).or_else(|| record.property("ErrorDetails_Message")).map(text_of);
                let message = message.filter(|m| !m.is_empty()).unwrap_or_else(|| text_of(&record));
                let id = record.property("FullyQualifiedErrorId").map_or_else(|| "RemoteHostExecutionException".to_owned(), text_of);
                let exception = "System.Management.Automation.Host.HostException";
                Err(Failure::new(exception, message, format!("{id},{cmdlet}"), Category::InvalidOperation, cmdlet).into())
            }
        }
    }
}

/// There is no such command.
pub fn not_found(name: &str) -> Failure {
    let message = format!(
        "The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
    );
    let exception = "System.Management.Automation.CommandNotFoundException";
    Failure::new(exception, message, "CommandNotFoundException", Category::ObjectNotFound, "").about(name.into())
}

fn split(stages: &mut [Stage], place: usize) -> (&mut Stage, &mut [Stage]) {
    let (before, rest) = stages.split_at_mut(place + 1);
    (&mut before[place], rest)
}

impl Context<'_> {
    /// The organization the session is on.
    pub fn organization(&self) -> &Arc<Organization> {
        self.runspace.client.organization()
    }

    /// The runspace.
    pub fn runspace(&self) -> &Runspace {
        self.runspace
    }

    /// What the command line bound, for `end`.
    pub fn bound(&self) -> &Bound {
        self.preferences
    }

    /// This command's place in the pipeline, from 0.
    pub fn place(&self) -> usize {
        self.place
    }

    /// An object for the next command.
    pub fn write(&mut self, item: impl Into<Item>) -> Run {
        self.runspace.feed(self.rest, item.into())
    }

    /// CLIXML for the next command.
    pub fn write_text(&mut self, text: String) -> Run {
        self.runspace.feed(self.rest, Item::Text(text))
    }

    /// An error in Exchange's form, with this cmdlet's class.
    pub fn exchange_error(&self, exception: &str, message: impl Into<String>) -> Failure {
        Failure::exchange(exception, message, Category::NotSpecified, self.info.name, self.info.class)
    }

    fn invocation(&self, bit: i32) -> Option<Invocation> {
        self.runspace.invocation_for(bit, self.info.name, self.place, self.length)
    }

    fn record(&mut self, stream: Stream, merged: i32, record: Value) -> Run {
        if merged == 1 || merged == 7 { self.write(record) } else { self.runspace.send(stream, &record) }
    }

    /// A non-terminating error, unless -ErrorAction says otherwise.
    pub fn error(&mut self, failure: Failure) -> Run {
        match action(self.preferences, "ErrorAction") {
            Action::Stop => Err(failure.into()),
            Action::Silent => Ok(()),
            Action::Continue => {
                let to_output = self.merge.my_result == 2 && self.merge.to_result == 1;
                let merged = if to_output { 1 } else { self.merge.error };
                self.record(Stream::Error, merged, failure.record(self.invocation(1).as_ref()))
            }
        }
    }

    /// A warning.
    pub fn warning(&mut self, message: &str) -> Run {
        match action(self.preferences, "WarningAction") {
            Action::Silent => Ok(()),
            Action::Continue => self.record(Stream::Warning, self.merge.warning, informational(message, self.invocation(2).as_ref())),
            Action::Stop => {
                let text = format!(
                    "The running command stopped because the preference variable \"WarningPreference\" or common parameter is set to Stop: {message}"
                );
                let exception = "System.Management.Automation.ActionPreferenceStopException";
                Err(Failure::new(
                    exception,
                    text,
                    format!("ActionPreferenceStop,{}", self.info.name),
                    Category::OperationStopped,
                    self.info.name,
                )
                .into())
            }
        }
    }

    /// A verbose record, with -Verbose.
    pub fn verbose(&mut self, message: &str) -> Run {
        if !self.preferences.is_on("Verbose") {
            return Ok(());
        }
        self.record(Stream::Verbose, self.merge.verbose, informational(message, self.invocation(8).as_ref()))
    }

    /// A debug record, with -Debug.
    pub fn debug(&mut self, message: &str) -> Run {
        if !self.preferences.is_on("Debug") {
            return Ok(());
        }
        self.record(Stream::Debug, self.merge.debug, informational(message, self.invocation(4).as_ref()))
    }

    /// An information record.
    pub fn information(&mut self, data: Value, tags: &[&str]) -> Run {
        let record = information(data, self.info.name, tags, self.runspace.client.account());
        self.record(Stream::Information, self.merge.information, record)
    }

    /// A progress record.
    pub fn progress(&mut self, progress: &Progress<'_>) -> Run {
        self.runspace.send(Stream::Progress, &progress.record())
    }

    /// Lets time pass.
    pub fn sleep(&self, time: Duration) -> Run {
        Ok(self.runspace.client.sleep(time)?)
    }

    /// Calls a method of the client's host and waits for the answer.
    pub fn call_host(&self, method: i32, name: &str, parameters: Vec<Value>) -> Result<Value, Halt> {
        self.runspace.call(self.info.name, method, name, parameters)
    }

    /// Writes a line on the client's host, which answers nothing.
    pub fn write_host_line(&self, text: &str) -> Run {
        let call = HostCall { call_id: -100, method: 16, method_name: "WriteLine2".into(), parameters: vec![text.into()] };
        Ok(self.runspace.client.call(&call)?)
    }

    /// ShouldProcess: -WhatIf, -Confirm and, where the impact is high, the question without being asked for it.
    pub fn should_process(&mut self, what: &str, question: &str, high: bool) -> Result<bool, Halt> {
        let validates = self.preferences.is_on("WhatIf") || self.preferences.is_on("Confirm");
        if let Some(decision) = self.runspace.client.decides(question, validates) {
            return Ok(decision);
        }
        if self.preferences.is_on("WhatIf") {
            self.write_host_line(&format!("What if: {what}"))?;
            return Ok(false);
        }
        if !self.preferences.flag("Confirm").unwrap_or(high) {
            return Ok(true);
        }
        if let Some(answer) = self.runspace.answered_for_all.get() {
            return Ok(answer);
        }
        let choice =
            |label: &str, help: &str| Value::from(Object::bag(vec![Property::new("label", label), Property::new("helpMessage", help)]));
        let choices = Object::list(vec![
            choice("&Yes", "Continue with only the next step of the operation."),
            choice("Yes to &All", "Continue with all the steps of the operation."),
            choice("&No", "Skip this operation and proceed with the next operation."),
            choice("No to A&ll", "Skip this operation and all subsequent operations."),
        ]);
        let message = format!("Are you sure you want to perform this action?\n{question}");
        let answer = self.call_host(26, "PromptForChoice", vec!["Confirm".into(), message.into(), choices.into(), 0.into()])?;
        match answer.as_i64() {
            Some(0) => Ok(true),
            Some(1) => {
                self.runspace.answered_for_all.set(Some(true));
                Ok(true)
            }
            Some(3) => {
                self.runspace.answered_for_all.set(Some(false));
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// A SecureString's text.
    pub fn unprotect(&self, value: &Value) -> Result<Secret<String>, Halt> {
        let refuse = |why: &str| {
            let exception = "System.Management.Automation.PSInvalidCastException";
            Failure::new(exception, why, format!("InvalidCast,{}", self.info.name), Category::InvalidArgument, self.info.name)
        };
        let Value::SecureString(encrypted) = value.unwrapped() else { return Err(refuse("The value is no SecureString.").into()) };
        Ok(self.runspace.client.unprotect(encrypted).map_err(refuse)?)
    }

    /// Text as a SecureString, after asking for the session key where there is none yet.
    pub fn protect(&self, text: &str) -> Result<Value, Halt> {
        Ok(self.runspace.client.protect(text)?)
    }
}
