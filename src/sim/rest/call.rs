//! One cmdlet called over REST: a little runspace of its own on a thread of its own, read page by page. The thread waits
//! while nobody asks for the next page, and ends when the cursor is dropped.

use super::super::flow::Ended;
use super::super::organization::Organization;
use super::super::records::text_of;
use super::super::runspace::{Client, Runspace};
use super::super::tenant::{Builder, Service};
use super::secrets::Secrets;
use crate::clixml::{self, Value};
use crate::lock::lock;
use crate::psrp::{HostCall, HostInfo, HostResponse, PipelineState, PowerShell, Stream};
use crate::secret::Secret;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// Records that go together to the reader of a page: two threads that wake each other for every record are at the mercy of
/// whoever else wants the processor.
const TOGETHER: usize = 64;

/// Such groups between the cmdlet and the reader of its page.
const ROOM: usize = 2;

enum Event {
    /// CLIXML.
    Output(String),
    Warning(String),
    /// The ErrorRecord.
    Error(Value),
    /// The end, with the ErrorRecord of a terminating error.
    Done(Option<Value>),
}

/// The calling side of a cmdlet.
pub struct Cursor {
    events: mpsc::Receiver<Vec<Event>>,
    ahead: VecDeque<Event>,
    confirmation: Arc<Mutex<Option<String>>>,
}

/// What one answer holds.
#[derive(Default)]
pub struct Page {
    /// CLIXML of each object.
    pub items: Vec<String>,
    /// Texts.
    pub warnings: Vec<String>,
    /// ErrorRecords that did not end the cmdlet.
    pub errors: Vec<Value>,
    /// The ErrorRecord that did.
    pub failed: Option<Value>,
    /// What would be done, where it was only asked about.
    pub confirmation: Option<String>,
    /// There are more items.
    pub more: bool,
}

impl Cursor {
    /// Begins to run it.
    pub fn start(service: &Arc<Service>, organization: Arc<Organization>, account: &str, powershell: PowerShell) -> Self {
        let (sender, events) = mpsc::channel(ROOM);
        let confirmation = Arc::<Mutex<_>>::default();
        let client = Caller {
            service: Arc::clone(service),
            organization,
            account: account.to_owned(),
            events: sender,
            waiting: RefCell::default(),
            confirmation: Arc::clone(&confirmation),
            runtime: tokio::runtime::Handle::current(),
        };
        let runspace = Runspace::new(Box::new(client), HostInfo::none(), 0);
        // Where there is no thread, the channel closes without an end, which the reader tells from one.
        let _ = std::thread::Builder::new().name("call".to_owned()).spawn(move || runspace.finish(runspace.execute(&powershell)));
        Self { events, ahead: VecDeque::new(), confirmation }
    }

    /// As many of the next items as are asked for. None where the cmdlet broke off.
    pub async fn page(&mut self, size: usize) -> Option<Page> {
        let mut page = Page::default();
        loop {
            let Some(event) = self.ahead.pop_front() else {
                self.ahead = self.events.recv().await?.into();
                continue;
            };
            match event {
                Event::Output(_) if page.items.len() == size => {
                    self.ahead.push_front(event);
                    page.more = true;
                    break;
                }
                Event::Output(text) => page.items.push(text),
                Event::Warning(text) => page.warnings.push(text),
                Event::Error(record) => page.errors.push(record),
                Event::Done(failed) => {
                    page.failed = failed;
                    break;
                }
            }
        }
        page.confirmation = lock(&self.confirmation).take();
        Some(page)
    }
}

/// The runspace's side.
struct Caller {
    service: Arc<Service>,
    organization: Arc<Organization>,
    account: String,
    events: mpsc::Sender<Vec<Event>>,
    waiting: RefCell<Vec<Event>>,
    confirmation: Arc<Mutex<Option<String>>>,
    runtime: tokio::runtime::Handle,
}

impl Caller {
    fn tell(&self, event: Event) -> Result<(), Ended> {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push(event);
        if waiting.len() < TOGETHER {
            return Ok(());
        }
        drop(waiting);
        self.flush()
    }

    fn flush(&self) -> Result<(), Ended> {
        let waiting = self.waiting.take();
        if waiting.is_empty() { Ok(()) } else { self.events.blocking_send(waiting).map_err(|_| Ended::Gone) }
    }
}

impl Client for Caller {
    fn organization(&self) -> &Arc<Organization> {
        &self.organization
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn options(&self) -> &Builder {
        &self.service.options
    }

    fn send(&self, stream: Stream, text: &str) -> Result<(), Ended> {
        let value = || clixml::read(text.as_bytes()).unwrap_or(Value::Nil);
        match stream {
            Stream::Output => self.tell(Event::Output(text.to_owned())),
            Stream::Error => self.tell(Event::Error(value())),
            Stream::Warning => self.tell(Event::Warning(value().property("InformationalRecord_Message").map(text_of).unwrap_or_default())),
            // The answer has no place for the rest.
            _ => Ok(()),
        }
    }

    fn finish(&self, state: Option<(PipelineState, Option<Value>)>) {
        if let Some((_, reason)) = state {
            // A caller that has gone needs no end.
            let _ = self.tell(Event::Done(reason)).and_then(|()| self.flush());
        }
    }

    fn next_input(&self) -> Result<Option<Value>, Ended> {
        Ok(None)
    }

    fn call(&self, _: &HostCall) -> Result<(), Ended> {
        Ok(())
    }

    fn response(&self, _: i64) -> Result<HostResponse, Ended> {
        Err(Ended::Gone)
    }

    fn sleep(&self, time: Duration) -> Result<(), Ended> {
        self.flush()?;
        match self.runtime.block_on(async { tokio::time::timeout(time, self.events.closed()).await }) {
            Ok(()) => Err(Ended::Gone),
            Err(_) => Ok(()),
        }
    }

    fn unprotect(&self, encrypted: &str) -> Result<Secret<String>, &'static str> {
        self.service.rest.secrets.get_or_init(Secrets::new).decrypt(encrypted)
    }

    fn protect(&self, text: &str) -> Result<Value, Ended> {
        // As ToString() has it: nothing secret leaves by this road.
        let _ = text;
        Ok("System.Security.SecureString".into())
    }

    fn decides(&self, question: &str, validates: bool) -> Option<bool> {
        if validates {
            *lock(&self.confirmation) = Some(question.to_owned());
        }
        Some(!validates)
    }
}
