//! ShouldProcess: the questions before a cmdlet runs, and what -WhatIf says.

use super::{Run, Stage, ended_by};
use crate::clixml::Value;
use crate::error::Result;
use crate::psrp::Merge;
use crate::transport::rest::bind::Bound;
use crate::transport::rest::pages::{Limit, Outcome, Pages};
use crate::transport::rest::records::{self, Failure};

/// What came of the question.
pub(super) enum Answer {
    Yes,
    No,
    /// The service does not know one of the parameters.
    NotBound(Failure),
}

impl Run {
    /// ShouldProcess: the service validates with Confirm=true and says what it would do; the user is asked, or told.
    pub(super) async fn confirmed(&mut self, bound: &Bound, merge: Merge, rest: &mut [Stage]) -> Result<Answer> {
        if !bound.what_if {
            match self.for_all {
                Some(answer) => return Ok(if answer { Answer::Yes } else { Answer::No }),
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
        let answer = match pages.next().await? {
            Some((Outcome::Answer(answer), _)) => answer,
            Some((Outcome::Failure(failure), _)) if bound.is_refused_by(&failure) => return Ok(Answer::NotBound(failure)),
            Some((Outcome::Failure(failure), _)) => {
                self.report(&[failure], bound, merge, rest).await?;
                return Ok(Answer::No);
            }
            None => return Ok(Answer::No),
        };
        let agreed = match &answer.confirmation {
            Some(question) if bound.what_if => {
                self.channel.push(vec![records::host_line(&format!("What if: {question}"))]).await;
                false
            }
            Some(question) => self.ask(question, bound).await?,
            None => {
                // Whether it ran is not known, so that it must not be sent again.
                let message = format!(
                    "{} was sent to be validated, and the service did not say what it would do: look whether it took effect.",
                    bound.name
                );
                let id = format!("NothingToConfirm,{}", bound.name);
                let failure = Failure::engine("PSInvalidOperationException", message, id, "InvalidResult", &bound.name);
                self.report(&[failure], bound, merge, rest).await?;
                false
            }
        };
        if agreed {
            // The command itself says the same again.
            return Ok(Answer::Yes);
        }
        self.report(&answer.failures, bound, merge, rest).await?;
        for warning in &answer.warnings {
            self.warn(warning, bound, merge, rest).await?;
        }
        Ok(Answer::No)
    }

    async fn ask(&mut self, question: &str, bound: &Bound) -> Result<bool> {
        let answer = self.call_host(26, "PromptForChoice", records::confirmation(question)).await?;
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
