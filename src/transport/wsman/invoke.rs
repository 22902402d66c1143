//! Running one command: Command, Receives, Sends, Signals.

use super::faults::{self, Phase, Trouble};
use super::receive::{Outcome, Receives, reason_text};
use super::{Road, host, upper};
use crate::clixml::{self, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::psrp::{ClientPipeline, HostCall, HostResponse, PipelineEvent, PipelineState, Stream};
use crate::transport::soap::{Request, Response, SignalCode};
use crate::transport::{Channel, HostCallHead, Intake, Record, RecordKind, Reply, State, Work};
use bytes::Bytes;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// rsp:Command is shown in the server's logs, and Windows cuts it near this.
const MOST_LINE: usize = 256;

const CONTEXT: &str = "run command";

/// One pipeline at the server.
struct Run<'a> {
    road: &'a Arc<Road>,
    channel: &'a Arc<Channel>,
    id: String,
    pipeline: Mutex<ClientPipeline>,
}

impl Road {
    /// Runs one command to its end and releases it: when this returns, the server can take the next.
    pub(crate) async fn invoke(self: &Arc<Self>, work: Work, channel: &Arc<Channel>, intake: Intake) {
        if channel.is_stopped() {
            channel.finish(Err(cancelled()));
            return;
        }
        let takes_input = matches!(&work, Work::Run(p) if !p.no_input);
        let line = match &work {
            Work::Run(p) => p.history.clone().unwrap_or_else(|| p.commands.iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join(" | ")),
            Work::Describe(_) => String::from("Get-Command"),
        };
        let created = {
            let mut pool = lock(&self.pool);
            match &work {
                Work::Run(powershell) => pool.create_pipeline(powershell),
                Work::Describe(query) => pool.get_command_metadata(query),
            }
        };
        let (pipeline, mut fragments) = match created {
            Ok(created) => created,
            Err(error) => return channel.finish(Err(error)),
        };
        drop(work);
        let run = Run { road: self, channel, id: upper(pipeline.id()), pipeline: Mutex::new(pipeline) };
        let rest = fragments.split_off(fragments.len().min(1));
        *lock(&self.running) = Some(Arc::clone(channel));
        channel.take_turn();
        let started = run.start(&line, fragments.pop().unwrap_or_default()).await;
        let (outcome, release) = match started {
            Ok(()) => (run.serve(&rest, takes_input, intake).await, true),
            Err(error) => (Err(run.unless_stopped(error)), false),
        };
        *lock(&self.running) = None;
        let own_end = outcome.as_ref().map_or_else(|e| e.kind() == ErrorKind::CommandFailed, |()| true);
        channel.finish(outcome);
        if release {
            run.release(own_end).await;
        }
    }

    pub(super) fn spoken_error(&self, text: &str, phase: Phase) -> Error {
        faults::psrp_failure(text, phase, self.host(), self.organization().as_deref())
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, CONTEXT, "the command was stopped")
}

impl Run<'_> {
    /// Sends the Command, once. A stop meanwhile is heeded after its answer, for which it waits a limited time.
    async fn start(&self, line: &str, arguments: Bytes) -> Result<()> {
        let limit = self.road.options.cancel_timeout;
        let line = match line.char_indices().nth(MOST_LINE) {
            Some((end, _)) => &line[..end],
            None if line.is_empty() => " ",
            None => line,
        };
        let request = Request::Command { command_id: self.id.clone(), line: line.to_owned(), arguments };
        let answer = tokio::select! {
            answer = self.road.ask(request, Vec::new(), self.road.reply_limit()) => answer,
            () = async { self.channel.stopped().await; sleep(limit).await } => {
                let error = Error::new(ErrorKind::Timeout, "start command", "the server did not answer in time for the command to be stopped");
                self.road.lose(&error);
                return Err(error);
            }
            error = self.road.status.over("start command") => return Err(error),
        };
        match answer {
            Ok(Response::CommandStarted { .. }) => Ok(()),
            Ok(_) => Err(self.road.command_error(super::receive::unexpected("Command").into(), Phase::Command)),
            Err(trouble) => Err(self.road.command_error(trouble, Phase::Command)),
        }
    }

    /// From the Command's answer to the pipeline's end.
    async fn serve(&self, rest: &[Bytes], takes_input: bool, intake: Intake) -> Outcome {
        let outcome = tokio::select! {
            outcome = self.receive() => outcome,
            Err(error) = self.feed(rest, takes_input, intake.input) => Err(error),
            Err(error) = self.answer(intake.replies) => Err(error),
            outcome = self.stop() => outcome,
            error = self.road.status.over(CONTEXT) => Err(error),
        };
        let lost = outcome.as_ref().is_err_and(|e| !matches!(e.kind(), ErrorKind::CommandFailed | ErrorKind::Cancelled));
        match outcome {
            Err(error) if lost => Err(self.unless_stopped(error)),
            _ if self.channel.is_stopped() => Err(cancelled()),
            outcome => outcome,
        }
    }

    /// A stopped command whose sign-in is refused has been given up before a new secret came: it was stopped.
    fn unless_stopped(&self, error: Error) -> Error {
        if self.channel.is_stopped() && error.kind() == ErrorKind::Authentication { cancelled() } else { error }
    }

    /// Reads the pipeline's stream to its end.
    async fn receive(&self) -> Outcome {
        let mut receives = Receives::new(Arc::clone(self.road), Some(self.id.clone()));
        loop {
            let received = receives.reply().await.map_err(|t| self.road.command_error(t, Phase::CommandReceive))?;
            let mut batch = Vec::new();
            let mut end = None;
            {
                let mut pipeline = lock(&self.pipeline);
                for piece in &received.pieces {
                    let read = pipeline.receive(piece, &mut |event| {
                        match event {
                            PipelineEvent::Record(stream, clixml) => batch.push(Record::new(kind(stream), &clixml)),
                            PipelineEvent::HostCall(call, _) => batch.extend(self.host_call(call)),
                            PipelineEvent::State(state, reason) => {
                                if let Some(outcome) = end_of(state, reason) {
                                    end = Some(outcome);
                                }
                            }
                        }
                        Ok(())
                    });
                    read.map_err(|e| self.road.error(e.into(), Phase::CommandReceive))?;
                }
            }
            drop(received.pieces);
            self.channel.push(batch).await;
            if let Some(outcome) = end {
                return outcome;
            }
            if received.done {
                return Err(Error::new(ErrorKind::Protocol, "receive from command", "the command is done without a state"));
            }
        }
    }

    /// The record of a host call for the caller, unless there is nobody to ask.
    fn host_call(&self, call: HostCall) -> Option<Record> {
        let head = HostCallHead { call_id: call.call_id, method: call.method, method_name: call.method_name };
        if head.wants_reply() {
            if !self.road.options.interactive {
                self.channel.refuse(&head, host::refusal(&head.method_name));
                return None;
            }
            self.channel.expect_reply(false, &head);
        }
        Some(Record::host_call(head, call.parameters))
    }

    /// Sends what is left of the command, and then its input as it comes.
    async fn feed(&self, rest: &[Bytes], takes_input: bool, mut input: mpsc::Receiver<Value>) -> Result<Infallible> {
        self.send("stdin", rest).await?;
        if !takes_input {
            return pending().await;
        }
        while let Some(value) = input.recv().await {
            // What waits goes together: one Send for each object would cost a round trip each.
            let mut fragments = lock(&self.pipeline).input(&value);
            while let Ok(value) = input.try_recv() {
                fragments.extend(lock(&self.pipeline).input(&value));
            }
            self.send("stdin", &fragments).await?;
        }
        let end = lock(&self.pipeline).end_input();
        self.send("stdin", &end).await?;
        pending().await
    }

    /// Sends the answers to host calls as they come.
    async fn answer(&self, mut replies: mpsc::UnboundedReceiver<Reply>) -> Result<Infallible> {
        while let Some(reply) = replies.recv().await {
            let result = reply.result.map_err(|r| host::error_record(&r.message, &r.error_id));
            let response = HostResponse { call_id: reply.call_id, method: reply.method, result };
            if reply.pool {
                self.road.answer_pool(&response).await?;
            } else {
                let fragments = lock(&self.pipeline).host_response(&response);
                self.send("pr", &fragments).await?;
            }
        }
        pending().await
    }

    async fn send(&self, stream: &str, fragments: &[Bytes]) -> Result<()> {
        match self.road.send(stream, Some(&self.id), fragments).await {
            // A command that is over needs no more of it; its state is on the way.
            Err(trouble) if trouble.is_command_gone() => Ok(()),
            result => result.map_err(|t| self.road.command_error(t, Phase::CommandSend)),
        }
    }

    /// Stops the pipeline when the caller wants it, and waits for its end a limited time.
    async fn stop(&self) -> Outcome {
        self.channel.stopped().await;
        let limit = self.road.options.cancel_timeout;
        match self.signal(SignalCode::Stop).await {
            Err(trouble) if !trouble.is_command_gone() => return Err(self.road.command_error(trouble, Phase::CommandStop)),
            _ => sleep(limit).await,
        }
        Err(cancelled())
    }

    /// Gives the command's resources back. A server that refuses that for a command of ours that it has not ended keeps
    /// the runspace busy for ever: the session is lost then.
    async fn release(&self, own_end: bool) {
        // While it opens, its organization is asked for.
        if !matches!(self.road.status.state(), State::Opening | State::Opened) {
            return;
        }
        let Err(trouble) = self.signal(SignalCode::Terminate).await else { return };
        let harmless = trouble.is_command_gone() || own_end && matches!(trouble, Trouble::Fault(..)) && !trouble.is_shell_gone();
        if !harmless {
            let error = self.road.error(trouble, Phase::CommandStop);
            self.road.lose(&error);
        }
    }

    async fn signal(&self, code: SignalCode) -> std::result::Result<Response, Trouble> {
        self.road.ask(Request::Signal { command_id: self.id.clone(), code }, Vec::new(), self.road.options.cancel_timeout).await
    }
}

fn kind(stream: Stream) -> RecordKind {
    match stream {
        Stream::Output => RecordKind::Output,
        Stream::Error => RecordKind::Error,
        Stream::Warning => RecordKind::Warning,
        Stream::Verbose => RecordKind::Verbose,
        Stream::Debug => RecordKind::Debug,
        Stream::Information => RecordKind::Information,
        Stream::Progress => RecordKind::Progress,
    }
}

/// How a command ended, where this state is an end.
fn end_of(state: PipelineState, reason: Option<Value>) -> Option<Outcome> {
    match (state, reason) {
        (PipelineState::Completed, _) => Some(Ok(())),
        (PipelineState::Failed | PipelineState::Stopped, Some(reason)) => {
            let text = reason_text(Some(&reason), "the command failed");
            Some(Err(Error::new(ErrorKind::CommandFailed, CONTEXT, text).with_record(clixml::write_document(&[reason]))))
        }
        (PipelineState::Failed, None) => Some(Err(Error::new(ErrorKind::CommandFailed, CONTEXT, "the command failed and did not say why"))),
        (PipelineState::Stopped, None) => Some(Err(Error::new(ErrorKind::Cancelled, CONTEXT, "the server stopped the command"))),
        (PipelineState::Disconnected, _) => Some(Err(Error::new(ErrorKind::Disconnected, CONTEXT, "the server disconnected the command"))),
        (PipelineState::NotStarted | PipelineState::Running | PipelineState::Stopping, _) => None,
    }
}
