//! A pipeline of a shell: what its runspace sends goes out as fragments, what it waits for comes by Send.

use super::flow::Ended;
use super::organization::Organization;
use super::runspace::Client;
use super::shell::{Running, Shell};
use super::tenant::Builder;
use crate::clixml::Value;
use crate::psrp::{HostCall, HostResponse, PipelineState, Stream};
use crate::secret::Secret;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// One pipeline.
pub struct Pipeline {
    shell: Arc<Shell>,
    running: Arc<Running>,
    records: Cell<u64>,
}

impl Pipeline {
    /// Of this shell.
    pub fn new(shell: &Arc<Shell>, running: &Arc<Running>) -> Self {
        Self { shell: Arc::clone(shell), running: Arc::clone(running), records: Cell::new(0) }
    }
}

impl Client for Pipeline {
    fn organization(&self) -> &Arc<Organization> {
        &self.shell.organization
    }

    fn account(&self) -> &str {
        &self.shell.account
    }

    fn options(&self) -> &Builder {
        &self.shell.service.options
    }

    fn send(&self, stream: Stream, text: &str) -> Result<(), Ended> {
        let count = self.records.get();
        self.records.set(count + 1);
        if count.is_multiple_of(16) {
            // PowerShell counts objects in the whole process, so a client sees gaps.
            self.shell.skip_object_id();
        }
        let fragments = self.running.pipeline().record(stream, text);
        self.running.flow.push_when_room(fragments)
    }

    fn finish(&self, state: Option<(PipelineState, Option<Value>)>) {
        if let Some((state, reason)) = state {
            self.running.flow.push(self.running.pipeline().state(state, reason.as_ref()));
        }
        self.running.flow.finish();
    }

    fn next_input(&self) -> Result<Option<Value>, Ended> {
        self.running.flow.next_input()
    }

    fn call(&self, call: &HostCall) -> Result<(), Ended> {
        // In a statement of its own: the pipeline must not be locked while there is no room.
        let fragments = self.running.pipeline().host_call(call);
        self.running.flow.push_when_room(fragments)
    }

    fn response(&self, call_id: i64) -> Result<HostResponse, Ended> {
        self.running.flow.response(call_id)
    }

    fn sleep(&self, time: Duration) -> Result<(), Ended> {
        self.running.flow.sleep(time)
    }

    fn unprotect(&self, encrypted: &str) -> Result<Secret<String>, &'static str> {
        match self.shell.key() {
            Some(key) => key.unprotect(encrypted).map_err(|_| "The SecureString was encrypted with another key."),
            None => Err("There is no session key to read the SecureString with."),
        }
    }

    /// After asking for the session key where there is none yet.
    fn protect(&self, text: &str) -> Result<Value, Ended> {
        self.shell.ask_for_key();
        self.running.flow.wait_until(|| self.shell.key().is_some())?;
        let key = self.shell.key().ok_or(Ended::Gone)?;
        Ok(Value::SecureString(key.protect(&Secret::new(text.to_owned()))))
    }

    fn is_first_command(&self) -> bool {
        self.shell.is_first_command()
    }
}
