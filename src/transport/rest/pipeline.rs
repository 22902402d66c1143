//! A converted script block, run here: each cmdlet is a request, what it gives goes to the next.

mod confirm;
mod mandatory;
mod stages;

use super::batch::{self, MOST_MEMBERS};
use super::bind::{self, Action, Bound};
use super::pages::{Limit, Outcome, Pages, Patience, Request};
use super::records::{self, Failure};
use super::select::Selected;
use super::{Road, Shared, input};
use crate::clixml::{self, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::psrp::{Merge, PowerShell};
use crate::transport::{Channel, HostCallHead, Intake, Record, RecordKind, Refusal, Reply, Work};
use confirm::Answer;
use stages::Stage;
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

/// What became of a cmdlet.
enum Ran {
    /// It ran. Whether no more is wanted.
    Through(bool),
    /// The service does not know one of its parameters.
    NotBound(Failure),
}

type Passing<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The record of a failure that ends the command.
fn ended_by(failure: &Failure) -> Error {
    let record = clixml::write_document(&[failure.record()]);
    Error::new(ErrorKind::CommandFailed, CONTEXT, failure.message.clone()).with_record(record)
}

impl Run {
    async fn statements(&mut self, powershell: &PowerShell, input: mpsc::Receiver<Value>) -> Result<()> {
        if let Some(script) = powershell.commands.iter().find(|c| c.is_script) {
            let message = "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.";
            return Err(ended_by(&Failure::engine("ParseException", message, "ScriptsNotAllowed", "ParserError", "").about(&script.text)));
        }
        let mut input = Some(input).filter(|_| !powershell.no_input);
        for statement in powershell.commands.split_inclusive(|c| c.end_of_statement) {
            let mut stages = self.stages(statement, input.is_some()).await?;
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
        if cmdlet.bound.description.is_none() && cmdlet.waiting.iter().any(|v| !input::is_plain(&cmdlet.bound, v)) {
            self.road.learn(&[&cmdlet.bound.name]).await?;
            cmdlet.bound = self.bound(&cmdlet.bound.written).map_err(|f| ended_by(&f))?;
        }
        let (bound, merge) = (cmdlet.bound.clone(), cmdlet.merge);
        let mut members = Vec::new();
        for value in std::mem::take(&mut cmdlet.waiting) {
            match input::bind(&bound, &value) {
                Ok(member) => members.push(member),
                Err(failure) => {
                    // In its turn.
                    if self.run_all(std::mem::take(&mut members), merge, rest).await? {
                        return Ok(true);
                    }
                    self.report(&[failure], &bound, merge, rest).await?;
                }
            }
            if members.len() == MOST_MEMBERS && self.run_all(std::mem::take(&mut members), merge, rest).await? {
                return Ok(true);
            }
        }
        self.run_all(members, merge, rest).await
    }

    /// Has every cmdlet run with what waits for it: what came before is told before what comes now. Whether no more is wanted.
    async fn flush_all(&mut self, stages: &mut [Stage]) -> Result<bool> {
        for at in 0..stages.len() {
            if matches!(stages[at], Stage::Cmdlet(_)) && Box::pin(self.flush(&mut stages[at..])).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same cmdlet with each of some inputs, in one request where that is as good.
    async fn run_all(&mut self, members: Vec<Bound>, merge: Merge, rest: &mut [Stage]) -> Result<bool> {
        if let [first, _, ..] = members.as_slice()
            && goes_together(first, rest)
        {
            return self.run_batch(&members, merge, rest).await;
        }
        for bound in &members {
            if self.run_one(bound, merge, rest).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One cmdlet from its confirmation to its last page.
    async fn run_one(&mut self, bound: &Bound, merge: Merge, rest: &mut [Stage]) -> Result<bool> {
        match self.run_as(bound, merge, rest).await? {
            Ran::Through(enough) => Ok(enough),
            Ran::NotBound(failure) => self.run_anew(bound, failure, merge, rest).await,
        }
    }

    /// The service does not know a parameter by the name that it was given: the module may, and what was refused did not run.
    async fn run_anew(&mut self, bound: &Bound, refusal: Failure, merge: Merge, rest: &mut [Stage]) -> Result<bool> {
        // Where the module does not come, the service's own words are still the best that there is.
        let _ = self.road.learn(&[&bound.name]).await;
        let failure = match self.road.known(&bound.name) {
            None => refusal,
            Some(description) => {
                let mut anew = bind::by_description(&bound.written, &description).map_err(|f| ended_by(&f))?;
                // Only the first cmdlet of a pipeline runs without input.
                self.supply(&mut anew, 0, bound.input.is_some()).await?;
                match bound.input.as_deref().map_or(Ok(anew.clone()), |value| input::bind(&anew, value)) {
                    Err(failure) => failure,
                    Ok(same) if same.parameters == bound.parameters => refusal,
                    Ok(anew) => match self.run_as(&anew, merge, rest).await? {
                        Ran::Through(enough) => return Ok(enough),
                        Ran::NotBound(failure) => failure,
                    },
                }
            }
        };
        self.report(&[failure], bound, merge, rest).await?;
        Ok(false)
    }

    async fn run_as(&mut self, bound: &Bound, merge: Merge, rest: &mut [Stage]) -> Result<Ran> {
        let mut parameters = bound.parameters.clone();
        if bound.asks() {
            match self.confirmed(bound, merge, rest).await? {
                Answer::Yes => parameters.push((String::from("Confirm"), Value::Bool(false))),
                Answer::No => return Ok(Ran::Through(false)),
                Answer::NotBound(failure) => return Ok(Ran::NotBound(failure)),
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
        let mut pages = Pages::new(&self.road, request, Limit::of(bound), ahead);
        let first = pages.next().await;
        self.tell_waits(bound).await;
        Ok(match first? {
            None => Ran::Through(false),
            Some((Outcome::Failure(failure), _)) if bound.is_refused_by(&failure) => Ran::NotBound(failure),
            Some((outcome, more)) => {
                Ran::Through(self.outcome(outcome, more, bound, merge, rest).await? || self.run_pages(pages, bound, merge, rest).await?)
            }
        })
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
                Some(Outcome::Failure(failure)) if bound.is_refused_by(&failure) => self.run_anew(bound, failure, merge, rest).await?,
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

    /// Asks the caller's host, and waits for what it says.
    async fn call_host(&mut self, method: i32, name: &str, parameters: Vec<Value>) -> Result<std::result::Result<Option<Value>, Refusal>> {
        self.calls += 1;
        let head = HostCallHead { call_id: self.calls, method, method_name: name.to_owned() };
        self.channel.expect_reply(false, &head);
        self.channel.push(vec![Record::host_call(head, parameters)]).await;
        loop {
            match self.replies.recv().await {
                Some(reply) if reply.call_id == self.calls => return Ok(reply.result),
                Some(_) => {}
                None => return Err(Error::new(ErrorKind::Cancelled, CONTEXT, "nobody answers any more")),
            }
        }
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
                // Who has enough stopped it there: what it would have said after that is not heard.
                if !answer.records.is_empty() && self.pass(rest, answer.records).await? {
                    return Ok(true);
                }
                // With more pages to come it is not true that there is more.
                let warnings: Vec<&String> = answer.warnings.iter().filter(|w| !(more && w.contains("more results"))).collect();
                if (!answer.failures.is_empty() || !warnings.is_empty()) && self.flush_all(rest).await? {
                    return Ok(true);
                }
                self.report(&answer.failures, bound, merge, rest).await?;
                for warning in warnings {
                    self.warn(warning, bound, merge, rest).await?;
                }
                Ok(false)
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
}

/// Whether commands can go to the service in one request: not where the user is asked about each, nor where one that changes
/// something may be the last that is to run.
fn goes_together(bound: &Bound, rest: &[Stage]) -> bool {
    let may_end = [bound.error_action, bound.warning_action].contains(&Action::Stop)
        || rest.iter().any(|s| matches!(s, Stage::Select(select, _) if select.is_bounded()));
    !bound.asks() && (bound.reads() || !may_end)
}
