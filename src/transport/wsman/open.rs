//! Opening a session, and reading the pool's own stream as long as it lives.

use super::faults::{self, Phase, Trouble};
use super::receive::{Receives, reason_text, unexpected};
use super::{LARGE_ENVELOPE, Road, SMALL_ENVELOPE, Target, host, new_pool, payload, uri};
use crate::clixml;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::psrp::{HostCall, HostResponse, PoolEvent, PoolState};
use crate::transport::http::{HttpResponse, may_have_arrived};
use crate::transport::soap::{Create, Request, Response};
use crate::transport::{HostCallHead, Record};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The protocol we speak: the last that has the session key and that Exchange's servers know (MS-PSRP 2.2.3.10).
const PROTOCOL_VERSION: &str = "2.3";

/// Reads the pool's stream.
pub(crate) struct PoolReader {
    road: Arc<Road>,
    receives: Receives,
    opened: bool,
}

impl Road {
    /// Opens the shell and its pool, within the open timeout. Where it fails, [`Road::delete`] is still to be called, after
    /// which it can be opened again.
    pub(crate) async fn open(self: &Arc<Self>) -> Result<PoolReader> {
        self.reclaim().await;
        let limit = self.options.open_timeout;
        match tokio::time::timeout(limit, self.open_pool()).await {
            Ok(result) => result,
            Err(_) => Err(faults::open_timeout(limit, self.host(), self.organization().as_deref())),
        }
    }

    async fn open_pool(self: &Arc<Self>) -> Result<PoolReader> {
        *lock(&self.pool) = new_pool(self.id, &self.options);
        self.envelope.store(SMALL_ENVELOPE, Ordering::Relaxed);
        let creation = Bytes::from(lock(&self.pool).open().concat());
        let mut hops = 0;
        while let Some(location) = self.begin_create(creation.clone()).await? {
            self.follow(&location, hops)?;
            hops += 1;
        }
        let mut reader = PoolReader { road: Arc::clone(self), receives: Receives::new(Arc::clone(self), None), opened: false };
        while !reader.opened {
            reader.step().await?;
        }
        Ok(reader)
    }

    /// A Create in a task of its own: it goes on where the open is given up, so that a Delete does not overtake it.
    async fn begin_create(self: &Arc<Self>, creation: Bytes) -> Result<Option<String>> {
        let turn = Arc::clone(&self.creating).lock_owned().await;
        let road = Arc::clone(self);
        let task = tokio::spawn(async move {
            let _turn = turn;
            road.create(creation).await
        });
        task.await.map_err(|e| Error::new(ErrorKind::Internal, "open session", "the task that opens ended").with_source(e))?
    }

    /// One Create; the location where it is redirected. Sent once: one that failed may have opened a shell.
    async fn create(&self, creation: Bytes) -> Result<Option<String>> {
        let options = &self.options;
        let mut set = vec![(String::from("protocolversion"), String::from(PROTOCOL_VERSION), true)];
        if options.no_machine_profile {
            set.push((String::from("WINRS_NOPROFILE"), String::from("1"), false));
        }
        let create = Create {
            shell_id: Some(lock(&self.target).shell_id.clone()),
            name: Some(options.host_name.clone().unwrap_or_else(|| "DelegatedTenant".into())),
            idle_timeout_ms: options.idle_timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)),
            creation,
        };
        self.enter().await;
        self.may_exist.store(true, Ordering::Release);
        self.unanswered.store(true, Ordering::Release);
        let answer = self.ask(Request::Create(create), set, options.open_timeout + options.cancel_timeout).await;
        let unanswered = matches!(&answer, Err(Trouble::Road(error)) if error.kind() == ErrorKind::Timeout && may_have_arrived(error));
        self.unanswered.store(unanswered, Ordering::Release);
        let trouble = match answer {
            Ok(Response::Created(created)) => {
                self.status.signed_in.send_replace(true);
                let ours = self.shell_id();
                if !created.shell_id.is_empty() && created.shell_id != ours {
                    lock(&self.target).shell_id = created.shell_id;
                    self.enter().await;
                    self.in_ledger(move |ledger| ledger.strike(&ours)).await;
                }
                if let Some(ms) = created.idle_timeout_ms {
                    let _ = self.status.idle_timeout.set(Duration::from_millis(ms));
                }
                return Ok(None);
            }
            Ok(_) => return Err(self.error(unexpected("Create").into(), Phase::Open)),
            Err(trouble) => trouble,
        };
        let sent = match &trouble {
            Trouble::Road(error) => may_have_arrived(error),
            other => !other.refuses_sign_in(),
        };
        self.may_exist.store(sent, Ordering::Release);
        if !sent {
            self.strike().await;
        }
        if let Trouble::Http(HttpResponse { status: 301 | 302 | 307 | 308, location: Some(location), .. }) = trouble {
            return Ok(Some(location));
        }
        let spoken = matches!(trouble, Trouble::Fault(..));
        let error = self.about_token(self.error(trouble, Phase::Open));
        if spoken && error.kind() != ErrorKind::Authentication {
            self.status.signed_in.send_replace(true);
        }
        Err(error)
    }

    fn follow(&self, location: &str, hops: u32) -> Result<()> {
        let from = lock(&self.target).url.clone();
        if self.options.max_redirections.is_some_and(|most| hops >= most) {
            let location = location.trim().replace("&amp;", "&");
            return Err(faults::redirected(&location, from.host_str().unwrap_or_default(), hops));
        }
        // Without a limit of the caller's the open timeout is the limit.
        let url = uri::redirected(&from, location, &self.options)?;
        self.status.warnings.push(&format!("Your connection has been redirected to the following URI: \"{url}\""));
        self.status.uris.push(url.as_str());
        let mut target = lock(&self.target);
        *target = Target::new(url, target.shell_id.clone());
        Ok(())
    }

    fn pool_event(self: &Arc<Self>, event: PoolEvent) -> Result<bool> {
        match event {
            PoolEvent::Capability(protocol, _, _) => {
                let mut parts = protocol.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
                if (parts.next(), parts.next()) > (Some(2), Some(1)) {
                    self.envelope.store(LARGE_ENVELOPE, Ordering::Relaxed);
                    lock(&self.pool).fragmenter().set_size(payload(LARGE_ENVELOPE));
                }
            }
            PoolEvent::PrivateData(value) => {
                let _ = self.status.private_data.set(clixml::write_document(&[value]));
            }
            PoolEvent::State(PoolState::Opened, _) => return Ok(true),
            PoolEvent::State(state @ (PoolState::Broken | PoolState::Closed), reason) => {
                let text = reason_text(reason.as_ref(), &format!("the runspace pool is {state:?}"));
                let error = self.spoken_error(&text, Phase::Receive);
                return Err(match reason {
                    Some(reason) => error.with_record(clixml::write_document(&[reason])),
                    None => error,
                });
            }
            PoolEvent::State(..) | PoolEvent::InitData(..) | PoolEvent::Availability(..) | PoolEvent::UserEvent(_) => {}
            PoolEvent::KeyReady => {
                self.key.send_replace(true);
            }
            PoolEvent::KeyRequested => {
                let road = Arc::clone(self);
                tokio::spawn(async move {
                    if let Err(error) = road.request_key().await {
                        road.lose(&error);
                    }
                });
            }
            PoolEvent::HostCall(call) => self.pool_call(call),
        }
        Ok(false)
    }

    /// A call on the pool's host goes to the reader of the command that runs; where there is none, it is refused.
    fn pool_call(self: &Arc<Self>, call: HostCall) {
        let road = Arc::clone(self);
        let channel = lock(&self.running).clone().filter(|_| self.options.interactive || !call.wants_response());
        let head = HostCallHead { call_id: call.call_id, method: call.method, method_name: call.method_name };
        let wants_reply = head.wants_reply();
        match channel {
            Some(channel) => {
                if wants_reply {
                    channel.expect_reply(true, &head);
                }
                let record = Record::host_call(head, call.parameters);
                tokio::spawn(async move { channel.push(vec![record]).await });
            }
            None if wants_reply => {
                let refusal = host::refusal(&head.method_name);
                let result = Err(host::error_record(&refusal.message, &refusal.error_id));
                let response = HostResponse { call_id: head.call_id, method: head.method, result };
                tokio::spawn(async move {
                    if let Err(error) = road.answer_pool(&response).await {
                        road.lose(&error);
                    }
                });
            }
            None => {}
        }
    }

    pub(super) async fn answer_pool(&self, response: &HostResponse) -> Result<()> {
        let fragments = lock(&self.pool).host_response(response);
        self.send_pool("pr", &fragments).await
    }
}

impl PoolReader {
    /// Reads until the session is lost, and tells why.
    pub(crate) async fn run(mut self) -> Error {
        loop {
            if let Err(error) = self.step().await {
                return error;
            }
        }
    }

    /// Reads one reply.
    async fn step(&mut self) -> Result<()> {
        let received = self.receives.reply().await.map_err(|t| self.road.error(t, Phase::Receive))?;
        for piece in &received.pieces {
            let events = lock(&self.road.pool).receive(piece).map_err(|e| self.road.error(e.into(), Phase::Receive))?;
            for event in events {
                self.opened |= self.road.pool_event(event)?;
            }
        }
        if received.done {
            return Err(Error::new(ErrorKind::Disconnected, "receive from session", "the server ended the session"));
        }
        Ok(())
    }
}
