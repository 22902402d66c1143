//! The commands of a statement, told apart and bound before any of them runs.

use super::{Run, ended_by};
use crate::clixml::Value;
use crate::error::Result;
use crate::psrp::{Command, Merge};
use crate::transport::rest::bind::{self, Bound};
use crate::transport::rest::measure::{self, Measure};
use crate::transport::rest::records::Failure;
use crate::transport::rest::select::{self, Select};
use crate::transport::rest::{encode, tables};
use std::sync::Arc;

/// One command of a statement.
pub(super) enum Stage {
    Cmdlet(Box<Cmdlet>),
    Select(Box<Select>, Bound),
    Measure(Box<Measure>, Bound),
}

/// A cmdlet of the service.
pub(super) struct Cmdlet {
    pub(super) bound: Bound,
    pub(super) merge: Merge,
    /// What was piped in and has not been sent.
    pub(super) waiting: Vec<Value>,
}

impl Run {
    /// The commands of a statement, bound before any of them runs. What only the service's module can tell is asked for first,
    /// of all of them at once.
    pub(super) async fn stages(&mut self, statement: &[Command], mut fed: bool) -> Result<Vec<Stage>> {
        let input = fed;
        let mut stages = Vec::new();
        let mut doubtful = Vec::new();
        for command in statement {
            let stage = local(command).map_err(|f| ended_by(&f))?;
            let command = Arc::new(command.clone());
            if stage.is_none() {
                check_name(command.text.trim()).map_err(|f| ended_by(&f))?;
                if self.is_doubtful(&command, fed).map_err(|f| ended_by(&f))? {
                    doubtful.push(command.clone());
                }
            }
            stages.push((command, stage));
            fed = true;
        }
        if !doubtful.is_empty() {
            self.road.learn(&doubtful.iter().map(|c| c.text.trim()).collect::<Vec<_>>()).await?;
        }
        let mut bound_stages = Vec::with_capacity(stages.len());
        for (place, (command, stage)) in stages.into_iter().enumerate() {
            bound_stages.push(match stage {
                Some(stage) => stage,
                None => {
                    let mut bound = self.bound(&command).map_err(|f| ended_by(&f))?;
                    self.supply(&mut bound, place, input || place > 0).await?;
                    Stage::Cmdlet(Box::new(Cmdlet { bound, merge: command.merge, waiting: Vec::new() }))
                }
            });
        }
        // What has no form on this road is told before the first of them has run.
        for stage in bound_stages.iter().skip(1) {
            if let Stage::Cmdlet(cmdlet) = stage {
                encode::body(&cmdlet.bound.name, &cmdlet.bound.parameters)?;
            }
        }
        Ok(bound_stages)
    }

    /// Whether only the module can tell what is meant, or whether the user is to be asked. What is piped into a cmdlet that
    /// changes something is worth the question too: it may have more parameters that take it than Identity.
    fn is_doubtful(&self, command: &Arc<Command>, fed: bool) -> std::result::Result<bool, Failure> {
        if self.road.known(command.text.trim()).is_some() {
            return Ok(false);
        }
        Ok(bind::by_tables(command)?.is_none_or(|bound| {
            let may_ask = bound.confirm.is_none() && !bound.what_if && tables::is_high_impact(&bound.name) != Some(false);
            may_ask || fed && !bound.reads()
        }))
    }

    pub(super) fn bound(&self, command: &Arc<Command>) -> std::result::Result<Bound, Failure> {
        let bound = match self.road.known(command.text.trim()) {
            Some(description) => bind::by_description(command, &description),
            None => bind::by_tables(command)?.map_or_else(|| bind::by_guess(command), Ok),
        }?;
        bound.hides_secrets()?;
        Ok(bound)
    }
}

/// A command that runs on this side, where it is one.
fn local(command: &Command) -> std::result::Result<Option<Stage>, Failure> {
    let (name, description) = match command.text.trim().to_ascii_lowercase().as_str() {
        "select-object" | "select" => ("Select-Object", &select::DESCRIPTION),
        "measure-object" | "measure" => ("Measure-Object", &measure::DESCRIPTION),
        _ => return Ok(None),
    };
    let command = Arc::new(Command { text: name.to_owned(), ..command.clone() });
    let bound = match description.as_ref() {
        Some(description) => bind::by_description(&command, description)?,
        None => bind::by_guess(&command)?,
    };
    Ok(Some(match name {
        "Select-Object" => Stage::Select(Box::new(Select::new(&bound)?), bound),
        _ => Stage::Measure(Box::new(Measure::new(&bound)?), bound),
    }))
}

/// Refuses what is no cmdlet of the service.
fn check_name(name: &str) -> std::result::Result<(), Failure> {
    let Some(why) = not_of_the_service(name) else { return Ok(()) };
    let message = format!("The term '{name}' is not recognized as the name of a cmdlet: {why}");
    Err(Failure::engine("CommandNotFoundException", message, "CommandNotFoundException", "ObjectNotFound", "").about(name))
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
        return Some("it is a command of PowerShell's, not of Exchange's.");
    }
    None
}
