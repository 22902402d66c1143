//! WS-Management: runs psrp over soap over http. One shell is one runspace pool is one session (MS-PSRP 3.1.5.3).

mod faults;
mod host;
mod invoke;
mod open;
mod reach;
mod receive;
mod reclaim;
mod renewal;
mod uri;

pub(crate) use open::PoolReader;

use super::http::{Authorization, HttpClient};
use super::soap::{self, Request, RequestEnvelope, Response};
use super::{Channel, Options, Status};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::ledger::{self, Account, Entry, Ledger};
use crate::lock::lock;
use crate::psrp::{ClientPool, HostInfo, KeyExchange, PoolConfig};
use bytes::Bytes;
use faults::{Phase, Trouble};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex as AsyncMutex, watch};
use url::Url;
use uuid::Uuid;

/// MaxEnvelopeSize that every server takes, and the one of those that speak protocol 2.2 or later.
const SMALL_ENVELOPE: usize = 153_600;
const LARGE_ENVELOPE: usize = 512_000;

/// Bytes of an envelope that are not payload: far more than the longest header of ours.
const ENVELOPE_OVERHEAD: usize = 4096;

/// How long a session waits for the ledger's files before it goes on without.
const LEDGER_LIMIT: Duration = Duration::from_secs(2);

/// Seconds after which a Delete that was not confirmed is sent again in the background, each time. After that the server's idle
/// time-out is near.
const LATER: [u64; 6] = [1, 8, 30, 90, 300, 600];

/// How long such a Delete may take.
const LATE_LIMIT: Duration = Duration::from_secs(30);

/// What fits an envelope once it stands there in base64.
const fn payload(envelope: usize) -> usize {
    (envelope - ENVELOPE_OVERHEAD) / 4 * 3
}

/// The road to one shell.
pub(crate) struct Road {
    id: Uuid,
    options: Options,
    http: HttpClient,
    target: Mutex<Target>,
    host: String,
    resource_uri: String,
    session_id: String,
    envelope: AtomicUsize,
    pool: Mutex<ClientPool>,
    key: watch::Sender<bool>,
    /// What goes to the pool's own streams keeps its order.
    pool_sends: AsyncMutex<()>,
    /// Held while a Create is on its way.
    creating: Arc<AsyncMutex<()>>,
    /// A Create went out that may have left a shell.
    may_exist: AtomicBool,
    /// It was not answered in time, so that the server may yet be at it: that it knows no such shell means nothing then.
    unanswered: AtomicBool,
    ledger: Arc<Ledger>,
    account: Account,
    /// The command that runs now, for the pool's host calls and for whoever waits on its behalf.
    running: Mutex<Option<Arc<Channel>>>,
    pub(crate) status: Status,
}

#[derive(Debug, Clone)]
struct Target {
    url: Url,
    to: String,
    shell_id: String,
}

impl Target {
    fn new(url: Url, shell_id: String) -> Self {
        Self { to: uri::with_port(&url), url, shell_id }
    }
}

fn upper(id: Uuid) -> String {
    id.hyphenated().to_string().to_uppercase()
}

impl Road {
    /// Nothing is sent yet. An error where the options can lead nowhere.
    pub(crate) fn new(id: Uuid, options: &Options) -> Result<Self> {
        if options.access_token.is_some() {
            let text = "an access token is for Exchange Online's REST API, and this URI is of WS-Management";
            return Err(Error::new(ErrorKind::InvalidArgument, "open session", text)
                .with_fact(fact::REMEDY, "Give it as the password of its user: \"Bearer \" and the token."));
        }
        let url = uri::first(options)?;
        let http = new_client(options)?;
        let endpoint = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let status = Status::new();
        status.uris.push(url.as_str());
        Ok(Self {
            host: url.host_str().unwrap_or_default().to_owned(),
            target: Mutex::new(Target::new(url, upper(id))),
            resource_uri: format!("{}{}", soap::RESOURCE_PREFIX, options.configuration_name),
            session_id: format!("uuid:{}", upper(Uuid::new_v4())),
            envelope: AtomicUsize::new(SMALL_ENVELOPE),
            pool: Mutex::new(new_pool(id, options)),
            id,
            key: watch::Sender::new(false),
            pool_sends: AsyncMutex::new(()),
            creating: Arc::default(),
            may_exist: AtomicBool::new(false),
            unanswered: AtomicBool::new(false),
            running: Mutex::new(None),
            ledger: Ledger::of(options.ledger.as_deref()),
            account: Account::new(options.user.as_deref().unwrap_or_default(), &endpoint),
            status,
            http,
            options: options.clone(),
        })
    }

    /// The host of the first URI.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The organization asked for, by option or in the URI.
    pub(crate) fn organization(&self) -> Option<String> {
        self.options.organization.clone().or_else(|| uri::delegated_organization(&lock(&self.target).url))
    }

    /// The session key, unless it is there or on its way: sends PUBLIC_KEY.
    pub(crate) async fn request_key(&self) -> Result<()> {
        if !lock(&self.pool).lacks_key() {
            return Ok(());
        }
        // Made aside: it takes a part of a second, for which no other session should wait.
        let made = tokio::task::spawn_blocking(KeyExchange::new).await;
        let exchange =
            made.map_err(|e| Error::new(ErrorKind::Internal, "exchange session key", "the key was not made").with_source(e))??;
        let fragments = lock(&self.pool).request_key_with(exchange)?;
        match fragments {
            Some(fragments) => self.send_pool("stdin", &fragments).await,
            None => Ok(()),
        }
    }

    /// Whether the session key is there, and when it comes.
    pub(crate) fn key_ready(&self) -> watch::Receiver<bool> {
        self.key.subscribe()
    }

    /// What `ask` does with the session key; an error while it is not there.
    pub(crate) fn with_key<T>(&self, ask: impl FnOnce(&crate::psrp::SessionKey) -> T) -> Result<T> {
        let pool = lock(&self.pool);
        let key =
            pool.key().ok_or_else(|| Error::new(ErrorKind::InvalidState, "use session key", "the session key is not exchanged yet"))?;
        Ok(ask(key))
    }

    /// Deletes the shell, if a Create may have left one. An error where the server did not confirm it in time.
    pub(crate) async fn delete(&self) -> Result<()> {
        // A Create whose answer does not come in time has its shell deleted all the same: the id was ours.
        let _ = tokio::time::timeout(self.options.cancel_timeout, self.creating.lock()).await;
        if !self.may_exist.load(Ordering::Acquire) {
            self.strike().await;
            return Ok(());
        }
        // To delete twice is to delete, so that this request alone may be sent again.
        const PAUSES: [u64; 4] = [50, 200, 800, 0];
        let deadline = Instant::now() + self.options.cancel_timeout;
        let mut result = Ok(());
        let mut refusals = 0;
        for pause in PAUSES.map(Duration::from_millis) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.ask_delete(left / 2).await {
                Ok(()) => return Ok(()),
                Err(trouble) => {
                    refusals += u32::from(trouble.refuses_sign_in());
                    result = Err(self.error(trouble, Phase::Close));
                }
            }
            // A credential that is refused again and again would lock the account.
            if refusals == 2 || Instant::now() + pause >= deadline {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        let shell = self.shell_id();
        self.in_ledger(move |ledger| ledger.abandon(&shell)).await;
        result
    }

    /// Goes on with a Delete that was not confirmed in time: an account has few sessions, and the ledger helps only where
    /// another session of the account is opened. To be called when this one is not to be opened again, and not where the
    /// credential was refused.
    pub(crate) async fn delete_late(&self) {
        for (sent, pause) in LATER.map(Duration::from_secs).into_iter().enumerate() {
            tokio::time::sleep(pause).await;
            // By then a Create has been carried out that ever will be.
            if sent > 0 {
                self.unanswered.store(false, Ordering::Release);
            }
            match self.ask_delete(LATE_LIMIT).await {
                Err(trouble) if !trouble.refuses_sign_in() => {}
                _ => return,
            }
        }
    }

    /// One Delete. That the server does not know the shell is as good, unless this overtook the Create.
    async fn ask_delete(&self, limit: Duration) -> std::result::Result<(), Trouble> {
        match self.ask(Request::Delete, Vec::new(), limit).await {
            Err(trouble) if !trouble.is_shell_gone() || self.unanswered.load(Ordering::Acquire) => Err(trouble),
            _ => {
                self.may_exist.store(false, Ordering::Release);
                self.strike().await;
                Ok(())
            }
        }
    }

    /// The ledger, and whose sessions this one counts with there.
    pub(crate) fn account(&self) -> (&Arc<Ledger>, &Account) {
        (&self.ledger, &self.account)
    }

    /// Whether the shell of this id is this session's.
    pub(crate) fn is(&self, shell: &str) -> bool {
        lock(&self.target).shell_id == shell
    }

    /// Enters the shell in the ledger, at where it is now: before it is there, so that it is known whatever happens.
    pub(crate) async fn enter(&self) {
        let target = lock(&self.target).clone();
        let entry = Entry {
            account: self.account.clone(),
            uri: target.url.to_string(),
            configuration: self.options.configuration_name.clone(),
            organization: self.organization(),
            shell: target.shell_id,
            opened: ledger::now(),
            abandoned: None,
        };
        if let Some(Some(warning)) = self.in_ledger(move |ledger| ledger.enter(entry)).await {
            self.status.warnings.push(&warning);
        }
    }

    /// Nothing of this session is at the server any more.
    async fn strike(&self) {
        let shell = self.shell_id();
        self.in_ledger(move |ledger| ledger.strike(&shell)).await;
    }

    fn shell_id(&self) -> String {
        lock(&self.target).shell_id.clone()
    }

    /// Asks the ledger, which is files: aside, and not for ever, since a network's folder may not answer.
    async fn in_ledger<T: Send + 'static>(&self, ask: impl FnOnce(&Ledger) -> T + Send + 'static) -> Option<T> {
        let ledger = Arc::clone(&self.ledger);
        let asked = tokio::task::spawn_blocking(move || ask(&ledger));
        tokio::time::timeout(LEDGER_LIMIT, asked).await.ok()?.ok()
    }

    /// How long a reply may take: the server has the OperationTimeout, and the network a while.
    fn reply_limit(&self) -> Duration {
        let limit = self.options.operation_timeout;
        limit + (limit / 2).clamp(Duration::from_secs(1), Duration::from_secs(30))
    }

    /// The session is of no use any more.
    fn lose(&self, error: &Error) {
        self.status.fail(error.clone());
    }

    fn error(&self, trouble: Trouble, phase: Phase) -> Error {
        let host = lock(&self.target).url.host_str().unwrap_or(&self.host).to_owned();
        trouble.error(phase, &host, self.organization().as_deref())
    }

    /// Sends fragments on a stream of the shell itself, in the order of the calls.
    async fn send_pool(&self, stream: &str, fragments: &[Bytes]) -> Result<()> {
        let _order = self.pool_sends.lock().await;
        self.send(stream, None, fragments).await.map_err(|t| self.error(t, Phase::Send))
    }

    /// Sends fragments on a stream of the shell or a command, as many with each Send as fit. Never sent again: a Send that
    /// failed may have arrived.
    async fn send(&self, stream: &str, command_id: Option<&str>, fragments: &[Bytes]) -> std::result::Result<(), Trouble> {
        let most = payload(self.envelope.load(Ordering::Relaxed));
        let mut rest = fragments;
        while let Some(first) = rest.first() {
            let mut count = 1;
            let mut size = first.len();
            while let Some(next) = rest.get(count).filter(|n| size + n.len() <= most) {
                size += next.len();
                count += 1;
            }
            let (now, later) = rest.split_at(count);
            rest = later;
            let data = if let [one] = now { one.clone() } else { Bytes::from(now.concat()) };
            let piece = soap::Stream { name: stream.to_owned(), command_id: command_id.map(str::to_owned), data };
            self.ask(Request::Send(vec![piece]), Vec::new(), self.reply_limit()).await?;
        }
        Ok(())
    }

    /// One request and its answer.
    async fn ask(&self, body: Request, options: Vec<(String, String, bool)>, timeout: Duration) -> std::result::Result<Response, Trouble> {
        let target = lock(&self.target).clone();
        self.ask_at(&self.http, target, &self.resource_uri, body, options, timeout).await
    }

    async fn ask_at(
        &self,
        http: &HttpClient,
        target: Target,
        resource_uri: &str,
        body: Request,
        options: Vec<(String, String, bool)>,
        timeout: Duration,
    ) -> std::result::Result<Response, Trouble> {
        let reply = self.post_to(http, target, resource_uri, body, options, timeout).await?;
        let envelope = soap::read_response(&reply)?;
        match envelope.body {
            Ok(response) => Ok(response),
            Err(fault) => Err(Trouble::Fault(fault, envelope.activity_id)),
        }
    }

    /// One request; the text of the SOAP that answers it, response or fault.
    async fn post(&self, body: Request, options: Vec<(String, String, bool)>, timeout: Duration) -> std::result::Result<Bytes, Trouble> {
        let target = lock(&self.target).clone();
        self.post_to(&self.http, target, &self.resource_uri, body, options, timeout).await
    }

    async fn post_to(
        &self,
        http: &HttpClient,
        target: Target,
        resource_uri: &str,
        body: Request,
        options: Vec<(String, String, bool)>,
        timeout: Duration,
    ) -> std::result::Result<Bytes, Trouble> {
        let is_create = matches!(body, Request::Create(_));
        let may_wait = self.may_wait(&body);
        let culture = |c: &Option<String>| c.clone().unwrap_or_else(|| "en-US".into());
        let text = soap::write_request(&RequestEnvelope {
            to: target.to,
            resource_uri: resource_uri.to_owned(),
            message_id: format!("uuid:{}", upper(Uuid::new_v4())),
            session_id: Some(self.session_id.clone()),
            operation_id: Some(format!("uuid:{}", upper(Uuid::new_v4()))),
            shell_id: (!is_create).then_some(target.shell_id),
            operation_timeout_ms: u64::try_from(self.options.operation_timeout.as_millis()).unwrap_or(u64::MAX),
            max_envelope_size: self.envelope.load(Ordering::Relaxed),
            locale: culture(&self.options.ui_culture),
            data_locale: culture(&self.options.culture),
            options,
            body,
        });
        let text = Bytes::from(text);
        let mut refused = 0;
        let reply = loop {
            let secret = self.status.secrets.count();
            let reply = http.post(&target.url, text.clone(), timeout).await?;
            match may_wait.as_ref().filter(|_| reply.status == 401) {
                Some(patience) if self.renewed(secret, refused, patience).await => refused += 1,
                _ => break reply,
            }
        };
        let soap = reply.content_type.as_deref().is_some_and(|t| t.trim_start().to_ascii_lowercase().starts_with("application/soap+xml"));
        match reply.status {
            200 => Ok(reply.body),
            // Faults come with 500; some servers give them other statuses, and some answers in front of them look alike.
            400.. if soap && !reply.body.is_empty() => Ok(reply.body),
            _ => Err(Trouble::Http(reply)),
        }
    }
}

/// A client, signed in as the options say.
fn new_client(options: &Options) -> Result<HttpClient> {
    let http = HttpClient::new(&options.http()?)?;
    if let Some(user) = &options.user {
        let password = options.password.clone().unwrap_or_default();
        http.set_authorization(Some(&Authorization::Basic { user: user.clone(), password }));
    }
    Ok(http)
}

/// A pool that has said nothing yet.
fn new_pool(id: Uuid, options: &Options) -> ClientPool {
    ClientPool::new(PoolConfig {
        id,
        min_runspaces: 1,
        max_runspaces: 1,
        host: HostInfo {
            is_host_null: !options.interactive,
            is_host_ui_null: !options.interactive,
            // The server takes the console's size and colours from the data, and has none to take without it.
            is_host_raw_ui_null: !options.interactive || options.host_data.is_none(),
            use_runspace_host: false,
            default_data: options.host_data.clone().filter(|_| options.interactive),
        },
        application_arguments: options.application_arguments.clone(),
        fragment_size: payload(SMALL_ENVELOPE),
        object_limit: options.max_object_size,
        pipeline_limit: options.max_command_size,
    })
}

impl std::fmt::Debug for Road {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Road")
            .field("shell", &lock(&self.target).shell_id)
            .field("host", &self.host)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
