//! A converted script block, run here: each cmdlet is a request, what it gives goes to the next.

use super::batch::{self, MOST_MEMBERS};
use super::bind::{self, Action, Bound};
use super::measure::Measure;
use super::pages::{Limit, Outcome, Pages, Patience, Request};
use super::records::{self, Failure};
use super::select::{Select, Selected};
use super::{Road, Shared, encode};
use crate::clixml::{self, Content, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::psrp::{Merge, PowerShell};
use crate::transport::{Channel, Intake, Record, RecordKind, Reply, Work, lock};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

const CONTEXT: &str = "run command";

/// A wait that the user is told of.
const NOTICED: Duration = Duration::from_secs(5);

impl Road {
    /// Runs one command to its end.
    pub(crate) async fn invoke(self: &Shared, work: Work, channel: &Arc<Channel>, intake: Intake) {
        let cancelled = || Error::new(ErrorKind::Cancelled, CONTEXT, "the command was stopped");
        if channel.is_stopped() {
            return channel.finish(Err(cancelled()));
        }
        channel.take_turn();
        let run = async {
            match work {
                Work::Run(powershell) => {
                    let Intake { input, replies } = intake;
                    let mut run =
                        Run { road: self.clone(), channel: channel.clone(), replies, calls: 0, for_all: None, waits: Arc::default() };
                    run.statements(&powershell, input).await
                }
                Work::Describe(query) => self.describe(&query, channel).await,
            }
        };
        // Whatever comes first drops the rest, and with it the request that is on its way.
        let outcome = tokio::select! {
            biased;
            () = channel.stopped() => Err(cancelled()),
            error = self.status.over(CONTEXT) => Err(error),
            outcome = run => outcome,
        };
        channel.finish(outcome);
    }
}

struct Run {
    road: Shared,
    channel: Arc<Channel>,
    replies: mpsc::UnboundedReceiver<Reply>,
    calls: i64,
    /// Yes to all, or no to all.
    for_all: Option<bool>,
    /// Waits that the service asked for, not yet told.
    waits: Arc<Mutex<Vec<Duration>>>,
}

enum Stage {
    Cmdlet(Box<Cmdlet>),
    Select(Box<Select>, Bound),
    Measure(Box<Measure>, Bound),
}

struct Cmdlet {
    bound: Bound,
    merge: Merge,
    /// What was piped in and has not been sent.
    waiting: Vec<Value>,
}

type Passing<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The record of a failure that ends the command.
fn ended_by(failure: &Failure) -> Error {
    let record = clixml::write_document(&[failure.record()]);
    Error::new(ErrorKind::CommandFailed, CONTEXT, failure.message.clone()).with_record(record)
}

fn stage(command: &crate::psrp::Command) -> std::result::Result<Stage, Failure> {
    let name = command.text.trim();
    match name.to_ascii_lowercase().as_str() {
        "select-object" | "select" => {
            let bound = bind::bind(&crate::psrp::Command { text: String::from("Select-Object"), ..command.clone() })?;
            return Ok(Stage::Select(Box::new(Select::new(&bound)?), bound));
        }
        "measure-object" | "measure" => {
            let bound = bind::bind(&crate::psrp::Command { text: String::from("Measure-Object"), ..command.clone() })?;
            return Ok(Stage::Measure(Box::new(Measure::new(&bound)?), bound));
        }
        _ => {}
    }
    if let Some(why) = not_of_the_service(name) {
        let message = format!("The term '{name}' is not recognized as the name of a cmdlet: {why}");
        let failure = Failure::engine("CommandNotFoundException", message, "CommandNotFoundException", "ObjectNotFound", "");
        return Err(failure.about(name));
    }
    Ok(Stage::Cmdlet(Box::new(Cmdlet { bound: bind::bind(command)?, merge: command.merge, waiting: Vec::new() })))
}

/// Why a name is certainly no cmdlet of the service, if so: what is sent there is an access that is denied.
fn not_of_the_service(name: &str) -> Option<&'static str> {
    const LOCAL_NOUNS: [&str; 6] = ["object", "csv", "json", "host", "clixml", "string"];
    const SHELL: [&str; 8] =
        ["get-command", "get-help", "get-formatdata", "get-member", "exit-pssession", "clear-host", "out-default", "invoke-command"];
    let lower = name.to_ascii_lowercase();
    let (verb, noun) = match lower.split_once('-') {
        Some(parts) if !parts.0.is_empty() && !parts.1.is_empty() => parts,
        _ => return Some("the REST road runs Exchange's cmdlets by their full names."),
    };
    if !lower.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Some("it holds what no name holds.");
    }
    if noun.starts_with("exo") && verb == "get" {
        return Some("it is a function of Microsoft's module; the service has the same cmdlet without EXO in its name.");
    }
    if LOCAL_NOUNS.contains(&noun) || matches!(verb, "format" | "write") || SHELL.contains(&lower.as_str()) {
        return Some("the REST road runs Exchange's cmdlets, Select-Object and Measure-Object. Move it behind the call.");
    }
    None
}

impl Run {
    async fn statements(&mut self, powershell: &PowerShell, input: mpsc::Receiver<Value>) -> Result<()> {
        if let Some(script) = powershell.commands.iter().find(|c| c.is_script) {
            let message = "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.";
            return Err(ended_by(&Failure::engine("ParseException", message, "ScriptsNotAllowed", "ParserError", "").about(&script.text)));
        }
        let mut input = Some(input).filter(|_| !powershell.no_input);
        for statement in powershell.commands.split_inclusive(|c| c.end_of_statement) {
            let mut stages = statement.iter().map(stage).collect::<std::result::Result<Vec<_>, _>>().map_err(|f| ended_by(&f))?;
            self.statement(&mut stages, input.take()).await?;
        }
        Ok(())
    }

    async fn statement(&mut self, stages: &mut [Stage], input: Option<mpsc::Receiver<Value>>) -> Result<()> {
        match (input, &*stages) {
            (Some(mut input), _) => {
                let mut enough = false;
                while let Some(value) = input.recv().await {
                    let mut values = vec![value];
                    while let Ok(value) = input.try_recv() {
                        values.push(value);
                    }
                    enough = enough || self.pass(stages, values.iter().map(|v| records::of(RecordKind::Output, v)).collect()).await?;
                    // What waits for company has none any more: the caller may need its answer before he goes on.
                    if !enough && let Some(Stage::Cmdlet(_)) = stages.first() {
                        enough = self.flush(stages).await?;
                    }
                }
            }
            (None, [Stage::Cmdlet(_), ..]) => {
                self.source(stages).await?;
                return self.end(&mut stages[1..]).await;
            }
            // Select-Object at the beginning of a statement: nothing comes in.
            (None, _) => {}
        }
        self.end(stages).await
    }

    /// Runs the first cmdlet without input.
    async fn source(&mut self, stages: &mut [Stage]) -> Result<bool> {
        let Some((Stage::Cmdlet(cmdlet), rest)) = stages.split_first_mut() else { return Ok(false) };
        let (bound, merge) = (cmdlet.bound.clone(), cmdlet.merge);
        self.run_one(&bound, merge, rest).await
    }

    /// Hands records on to the stages from here. Whether they want no more.
    fn pass<'a>(&'a mut self, stages: &'a mut [Stage], records: Vec<Record>) -> Passing<'a, bool> {
        Box::pin(async move {
            let Some((stage, rest)) = stages.split_first_mut() else {
                self.channel.push(records).await;
                return Ok(false);
            };
            match stage {
                Stage::Cmdlet(cmdlet) => {
                    for record in &records {
                        cmdlet.waiting.push(clixml::read(record.clixml())?);
                    }
                    if cmdlet.waiting.len() >= MOST_MEMBERS { self.flush(stages).await } else { Ok(false) }
                }
                Stage::Select(select, bound) => {
                    let (mut values, mut failures) = (Vec::new(), Vec::new());
                    for record in &records {
                        match select.take(clixml::read(record.clixml())?) {
                            Selected::Values(some) => values.extend(some),
                            Selected::Failure(failure) => failures.push(*failure),
                        }
                        if select.is_satisfied() {
                            break;
                        }
                    }
                    let (satisfied, bound) = (select.is_satisfied(), bound.clone());
                    self.report(&failures, &bound, Merge::default(), rest).await?;
                    let enough = self.pass_values(rest, values).await?;
                    Ok(enough || satisfied)
                }
                Stage::Measure(measure, bound) => {
                    let mut failures = Vec::new();
                    for record in &records {
                        failures.extend(measure.take(&clixml::read(record.clixml())?));
                    }
                    let bound = bound.clone();
                    self.report(&failures, &bound, Merge::default(), rest).await?;
                    Ok(false)
                }
            }
        })
    }

    async fn pass_values(&mut self, stages: &mut [Stage], values: Vec<Value>) -> Result<bool> {
        if values.is_empty() {
            return Ok(false);
        }
        self.pass(stages, values.iter().map(|v| records::of(RecordKind::Output, v)).collect()).await
    }

    /// Nothing more comes in: what was kept goes on.
    fn end<'a>(&'a mut self, stages: &'a mut [Stage]) -> Passing<'a, ()> {
        Box::pin(async move {
            if matches!(stages.first(), Some(Stage::Cmdlet(_))) {
                self.flush(stages).await?;
            }
            let Some((stage, rest)) = stages.split_first_mut() else { return Ok(()) };
            match stage {
                Stage::Cmdlet(_) => {}
                Stage::Select(select, bound) => {
                    for selected in select.end() {
                        match selected {
                            Selected::Values(values) => {
                                self.pass_values(rest, values).await?;
                            }
                            Selected::Failure(failure) => self.report(&[*failure], bound, Merge::default(), rest).await?,
                        }
                    }
                }
                Stage::Measure(measure, _) => {
                    let values = measure.end();
                    self.pass_values(rest, values).await?;
                }
            }
            self.end(rest).await
        })
    }

    /// Sends what waits for the first stage, a cmdlet that takes input.
    async fn flush(&mut self, stages: &mut [Stage]) -> Result<bool> {
        let Some((Stage::Cmdlet(cmdlet), rest)) = stages.split_first_mut() else { return Ok(false) };
        let merge = cmdlet.merge;
        let mut enough = false;
        let mut waiting = std::mem::take(&mut cmdlet.waiting).into_iter().peekable();
        while waiting.peek().is_some() && !enough {
            let mut members = Vec::new();
            for value in waiting.by_ref().take(MOST_MEMBERS) {
                match with_input(&cmdlet.bound, &value) {
                    Ok(bound) => members.push(bound),
                    Err(failure) => self.report(&[failure], &cmdlet.bound, merge, rest).await?,
                }
            }
            enough = match members.as_slice() {
                [] => false,
                [one] => self.run_one(one, merge, rest).await?,
                several if several.iter().any(asks) => {
                    let mut enough = false;
                    for bound in several {
                        enough = enough || self.run_one(bound, merge, rest).await?;
                    }
                    enough
                }
                several => self.run_batch(several, merge, rest).await?,
            };
        }
        Ok(enough)
    }

    /// One cmdlet from its confirmation to its last page.
    async fn run_one(&mut self, bound: &Bound, merge: Merge, rest: &mut [Stage]) -> Result<bool> {
        let mut parameters = bound.parameters.clone();
        if asks(bound) {
            match self.confirmed(bound, merge, rest).await? {
                true => parameters.push((String::from("Confirm"), Value::Bool(false))),
                false => return Ok(false),
            }
        } else if bound.confirm == Some(false) {
            parameters.push((String::from("Confirm"), Value::Bool(false)));
        }
        let request = self.request(bound, &parameters)?;
        // Where a later cmdlet may change what a page holds, pages are asked for in turn; where few are wanted, one is enough.
        let ahead = rest.iter().all(|s| match s {
            Stage::Cmdlet(_) => false,
            Stage::Select(select, _) => !select.is_bounded(),
            Stage::Measure(..) => true,
        });
        let pages = Pages::new(&self.road, request, Limit::of(bound), ahead);
        self.run_pages(pages, bound, merge, rest).await
    }

    async fn run_pages(&mut self, mut pages: Pages, bound: &Bound, merge: Merge, rest: &mut [Stage]) -> Result<bool> {
        loop {
            let next = pages.next().await;
            self.tell_waits(bound).await;
            match next? {
                None => return Ok(false),
                Some((outcome, more)) => {
                    if self.outcome(outcome, more, bound, merge, rest).await? {
                        return Ok(true);
                    }
                }
            }
        }
    }

    async fn run_batch(&mut self, members: &[Bound], merge: Merge, rest: &mut [Stage]) -> Result<bool> {
        let with_confirm = |bound: &Bound| {
            let mut parameters = bound.parameters.clone();
            parameters.extend(bound.confirm.map(|on| (String::from("Confirm"), Value::Bool(on))));
            parameters
        };
        let requests = members.iter().map(|b| self.request(b, &with_confirm(b))).collect::<Result<Vec<_>>>()?;
        let outcomes = batch::send(&self.road, &requests, members.iter().all(Bound::reads)).await;
        for ((bound, request), outcome) in members.iter().zip(requests).zip(outcomes?) {
            let enough = match outcome.transpose()? {
                None => {
                    let pages = Pages::new(&self.road, request, Limit::of(bound), false);
                    self.run_pages(pages, bound, merge, rest).await?
                }
                Some(outcome) => {
                    let pages = match &outcome {
                        Outcome::Answer(answer) => Some(Pages::after(&self.road, request, Limit::of(bound), answer)?),
                        Outcome::Failure(_) => None,
                    };
                    let more = pages.as_ref().is_some_and(Pages::has_more);
                    let mut enough = self.outcome(outcome, more, bound, merge, rest).await?;
                    if let Some(pages) = pages.filter(|_| more && !enough) {
                        enough = self.run_pages(pages, bound, merge, rest).await?;
                    }
                    enough
                }
            };
            if enough {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn request(&self, bound: &Bound, parameters: &[(String, Value)]) -> Result<Request> {
        let waits = self.waits.clone();
        let patience: Patience = Arc::new(move |wait| {
            if wait >= NOTICED {
                lock(&waits).push(wait);
            }
        });
        Request::new(&self.road, bound, parameters, patience)
    }

    async fn tell_waits(&mut self, bound: &Bound) {
        let waits = std::mem::take(&mut *lock(&self.waits));
        if bound.warning_action == Action::Silent {
            return;
        }
        for wait in waits {
            let text = format!("{}: the service asked for {} seconds of patience.", bound.name, wait.as_secs());
            self.channel.push(vec![records::of(RecordKind::Warning, &records::informational(&text))]).await;
        }
    }

    /// Hands on what one request gave: objects, then errors beside them, then warnings.
    async fn outcome(&mut self, outcome: Outcome, more: bool, bound: &Bound, merge: Merge, rest: &mut [Stage]) -> Result<bool> {
        match outcome {
            Outcome::Failure(failure) => {
                self.report(&[failure], bound, merge, rest).await?;
                Ok(false)
            }
            Outcome::Answer(answer) => {
                let enough = if answer.records.is_empty() { false } else { self.pass(rest, answer.records).await? };
                self.report(&answer.failures, bound, merge, rest).await?;
                for warning in &answer.warnings {
                    // With more pages to come it is not true.
                    if !(more && warning.contains("more results")) {
                        self.warn(warning, bound, merge, rest).await?;
                    }
                }
                Ok(enough)
            }
        }
    }

    async fn report(&mut self, failures: &[Failure], bound: &Bound, merge: Merge, rest: &mut [Stage]) -> Result<()> {
        for failure in failures {
            match bound.error_action {
                Action::Silent => {}
                Action::Stop => return Err(ended_by(failure)),
                Action::Continue if merge.error == 1 || merge.my_result == 2 && merge.to_result == 1 => {
                    self.pass_values(rest, vec![failure.record()]).await?;
                }
                Action::Continue => self.channel.push(vec![records::of(RecordKind::Error, &failure.record())]).await,
            }
        }
        Ok(())
    }

    async fn warn(&mut self, text: &str, bound: &Bound, merge: Merge, rest: &mut [Stage]) -> Result<()> {
        match bound.warning_action {
            Action::Silent => {}
            Action::Stop => {
                let id = format!("ActionPreferenceStop,{}", bound.name);
                return Err(ended_by(&Failure::engine("ActionPreferenceStopException", text, id, "OperationStopped", &bound.name)));
            }
            Action::Continue if merge.warning == 1 => {
                self.pass_values(rest, vec![records::informational(text)]).await?;
            }
            Action::Continue => self.channel.push(vec![records::of(RecordKind::Warning, &records::informational(text))]).await,
        }
        Ok(())
    }

    /// ShouldProcess: the service validates with Confirm=true and says what it would do; the user is asked, or told.
    async fn confirmed(&mut self, bound: &Bound, merge: Merge, rest: &mut [Stage]) -> Result<bool> {
        if !bound.what_if {
            match self.for_all {
                Some(answer) => return Ok(answer),
                None if !self.road.options.interactive => {
                    let message = format!(
                        "{} asks for confirmation, and PowerShell is in NonInteractive mode. Read and Prompt functionality is not available. Run it with -Confirm:$false.",
                        bound.name
                    );
                    return Err(ended_by(&Failure::engine(
                        "Host.HostException",
                        message,
                        "HostFunctionNotImplemented",
                        "NotImplemented",
                        &bound.name,
                    )));
                }
                None => {}
            }
        }
        let mut parameters = bound.parameters.clone();
        parameters.push((String::from("Confirm"), Value::Bool(true)));
        let mut pages = Pages::new(&self.road, self.request(bound, &parameters)?, Limit::OnePage, false);
        let question = match pages.next().await? {
            Some((Outcome::Answer(answer), _)) => {
                self.report(&answer.failures, bound, merge, rest).await?;
                for warning in &answer.warnings {
                    self.warn(warning, bound, merge, rest).await?;
                }
                match answer.confirmation {
                    Some(question) => question,
                    None => {
                        // Whether it ran is not known, so that it must not be sent again.
                        let message = format!(
                            "{} was sent to be validated, and the service did not say what it would do: look whether it took effect.",
                            bound.name
                        );
                        let failure = Failure::engine(
                            "PSInvalidOperationException",
                            message,
                            format!("NothingToConfirm,{}", bound.name),
                            "InvalidResult",
                            &bound.name,
                        );
                        self.report(&[failure], bound, merge, rest).await?;
                        return Ok(false);
                    }
                }
            }
            Some((Outcome::Failure(failure), _)) => {
                self.report(&[failure], bound, merge, rest).await?;
                return Ok(false);
            }
            None => return Ok(false),
        };
        if bound.what_if {
            self.channel.push(vec![records::host_line(&format!("What if: {question}"))]).await;
            return Ok(false);
        }
        self.calls += 1;
        let (head, parameters) = records::confirm_call(self.calls, &question);
        self.channel.expect_reply(false, &head);
        self.channel.push(vec![Record::host_call(head, parameters)]).await;
        let answer = loop {
            match self.replies.recv().await {
                Some(reply) if reply.call_id == self.calls => break reply.result,
                Some(_) => {}
                None => return Err(Error::new(ErrorKind::Cancelled, CONTEXT, "nobody answers any more")),
            }
        };
        match answer {
            Ok(value) => Ok(match value.as_ref().and_then(Value::as_i64) {
                Some(0) => true,
                Some(all @ (1 | 3)) => {
                    self.for_all = Some(all == 1);
                    all == 1
                }
                _ => false,
            }),
            Err(refusal) => {
                let failure = Failure::engine("Host.HostException", refusal.message, refusal.error_id, "NotImplemented", &bound.name);
                Err(ended_by(&failure))
            }
        }
    }
}

/// Whether the user is asked, or told, before it runs.
fn asks(bound: &Bound) -> bool {
    !bound.reads() && (bound.what_if || bound.confirm.unwrap_or_else(|| bound.is_high_impact()))
}

/// The cmdlet with what was piped in, bound by the name Identity as Exchange's cmdlets do.
fn with_input(bound: &Bound, input: &Value) -> std::result::Result<Bound, Failure> {
    let refused = || {
        let message = "The input object cannot be bound to any parameters for the command either because the command does not take pipeline input or the input and its properties do not match any of the parameters that take pipeline input.";
        let id = format!("InputObjectNotBound,{}", bound.name);
        Failure::engine("ParameterBindingException", message, id, "InvalidArgument", &bound.name).about(&encode::text(input))
    };
    let has_identity = bound.parameter("Identity").is_some();
    let verb = bound.name.split('-').next().unwrap_or_default();
    if has_identity || verb.eq_ignore_ascii_case("New") {
        return Err(refused());
    }
    let identity = match input {
        Value::Nil => None,
        Value::Object(object) => match &object.content {
            Content::Primitive(value) => Some(value.clone()),
            Content::None => ["Identity", "Guid", "DistinguishedName", "Name"]
                .iter()
                .find_map(|n| object.property(n))
                .filter(|v| **v != Value::Nil)
                .cloned(),
            _ => None,
        },
        primitive => Some(primitive.clone()),
    };
    let mut with = bound.clone();
    with.parameters.insert(0, (String::from("Identity"), identity.ok_or_else(refused)?));
    Ok(with)
}
