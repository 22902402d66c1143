//! The simulated tenant as its users see it: options, start, statistics, stop.

use super::entra::{App, Entra};
use super::faults::{Fault, Faults, Operation};
use super::organization::Organization;
use super::rest::Rest;
use super::server;
use super::shell::{Shell, expired_shell, malformed, over_budget, too_many_shells};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::transport::soap;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use uuid::Uuid;

/// Someone who may sign in.
#[derive(Clone)]
pub struct Account {
    /// The user principal name.
    pub name: String,
    /// Made up, like everything here: not a secret.
    pub password: String,
    /// RemotePowerShellEnabled; without it sign-in ends with 400.
    pub remote_powershell: bool,
    /// Whether any management role is assigned.
    pub roles: bool,
}

impl Account {
    /// With everything a partner's administrator has.
    pub fn new(name: &str, password: &str) -> Self {
        Self { name: name.to_owned(), password: password.to_owned(), remote_powershell: true, roles: true }
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Account").field(&self.name).finish()
    }
}

/// How a session too many is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitForm {
    /// At once, as in 2011.
    Create,
    /// The shell is created and every Receive fails, as later.
    Receive,
}

/// Where a Create is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To the tenant's second port, with the `&amp;` and the trailing blank of real Locations.
    Pod,
    /// To itself, for ever.
    Loop,
    /// Without a Location.
    Nowhere,
    /// To this Location as it stands.
    To(String),
}

/// What the tenant is to be like.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    pub(super) port: u16,
    pub(super) accounts: Vec<Account>,
    pub(super) tokens: Vec<String>,
    pub(super) organizations: Vec<(String, usize)>,
    pub(super) mailboxes: usize,
    pub(super) max_shells: usize,
    pub(super) limit: LimitForm,
    pub(super) idle: Duration,
    pub(super) max_idle: Duration,
    pub(super) redirect: Option<Redirect>,
    pub(super) gzip: bool,
    pub(super) cookie: bool,
    pub(super) keep_alive: Option<Duration>,
    pub(super) progress: bool,
    pub(super) micro_delay: bool,
    pub(super) hidden: Vec<String>,
    pub(super) apps: Vec<App>,
    pub(super) refresh_tokens: Vec<String>,
    pub(super) single_use_refresh: bool,
    pub(super) token_lifetime: Duration,
    pub(super) device_polls: u32,
    pub(super) device_interval: u64,
    pub(super) max_concurrent: Option<usize>,
    pub(super) port_446: bool,
    pub(super) without_relation: Vec<String>,
    pub(super) cmdlets: usize,
    pub(super) hostile: bool,
    faults: Vec<Fault>,
}

impl Builder {
    /// The port on 127.0.0.1; 0, the default, takes a free one.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }
    /// One more account. Without any there are `admin@partner.com`, `disabled@partner.com` (RemotePowerShellEnabled is false)
    /// and `noroles@partner.com`, each with the password `secret`.
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }
    /// A token that is good as the password `Bearer <token>`; without any, every token is. On the REST road it is good for
    /// every organization.
    pub fn token(mut self, token: &str) -> Self {
        self.tokens.push(token.to_owned());
        self
    }
    /// One more organization, with so many mailboxes. Without any there are fabrikam.com, contoso.com and tailspintoys.com.
    pub fn organization(mut self, domain: &str, mailboxes: usize) -> Self {
        self.organizations.push((domain.to_owned(), mailboxes));
        self
    }
    /// Mailboxes in each organization that says no number of its own: 25 at first.
    pub fn mailboxes(self, mailboxes: usize) -> Self {
        Self { mailboxes, ..self }
    }
    /// Sessions at a time for each account: 3 at first.
    pub fn max_shells(self, max_shells: usize) -> Self {
        Self { max_shells, ..self }
    }
    /// How a session too many is refused: in the later form at first.
    pub fn limit(self, limit: LimitForm) -> Self {
        Self { limit, ..self }
    }
    /// After what time a shell without a running command is closed, unless its client asks for another: 15 minutes at first.
    pub fn idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }
    /// Sends every Create elsewhere.
    pub fn redirect(self, redirect: Redirect) -> Self {
        Self { redirect: Some(redirect), ..self }
    }
    /// Compresses replies where the client accepts it, as IIS before Exchange does.
    pub fn gzip(self, gzip: bool) -> Self {
        Self { gzip, ..self }
    }
    /// Demands the load balancer's cookie, which Create sets under another case of the path: true at first.
    pub fn cookie(self, cookie: bool) -> Self {
        Self { cookie, ..self }
    }
    /// Answers a held Receive with an empty stream after this time.
    pub fn keep_alive(self, keep_alive: Duration) -> Self {
        Self { keep_alive: Some(keep_alive), ..self }
    }
    /// Begins the first command of a session with progress, as Windows servers do.
    pub fn progress(self, progress: bool) -> Self {
        Self { progress, ..self }
    }
    /// Ends each Exchange cmdlet with the warning of a throttled service.
    pub fn micro_delay(self, micro_delay: bool) -> Self {
        Self { micro_delay, ..self }
    }
    /// Hides a cmdlet, as roles do.
    pub fn hide(mut self, cmdlet: &str) -> Self {
        self.hidden.push(cmdlet.to_owned());
        self
    }
    /// One more application that may sign in, beside Microsoft's own public ones. Without any there is
    /// `11111111-2222-3333-4444-555555555555` with the secret `app-secret`.
    pub fn app(mut self, app: App) -> Self {
        self.apps.push(app);
        self
    }
    /// A refresh token of the first account, good with any client. Without any there is `partner-refresh-token`.
    pub fn refresh_token(mut self, token: &str) -> Self {
        self.refresh_tokens.push(token.to_owned());
        self
    }
    /// Takes a refresh token back once it was redeemed; otherwise the old one and the new one are good.
    pub fn single_use_refresh(self, single_use_refresh: bool) -> Self {
        Self { single_use_refresh, ..self }
    }
    /// For how long a token is good: an hour at first.
    pub fn token_lifetime(self, token_lifetime: Duration) -> Self {
        Self { token_lifetime, ..self }
    }
    /// How often a device sign-in is pending before it is there, and the seconds between that the client is told: 2 and 1.
    pub fn device(self, device_polls: u32, device_interval: u64) -> Self {
        Self { device_polls, device_interval, ..self }
    }
    /// REST calls at a time for each organization: any number at first.
    pub fn max_concurrent(self, max_concurrent: usize) -> Self {
        Self { max_concurrent: Some(max_concurrent), ..self }
    }
    /// An organization that has no delegated relation with its visitors' tenants: the token endpoint turns them away.
    pub fn without_relation(mut self, organization: &str) -> Self {
        self.without_relation.push(organization.to_owned());
        self
    }
    /// Links to further pages name port 446, as some front ends do.
    pub fn port_446(self, port_446: bool) -> Self {
        Self { port_446, ..self }
    }
    /// Tells of so many cmdlets; at first of all there are, some eight hundred. Those that run here are always told.
    pub fn cmdlets(self, cmdlets: usize) -> Self {
        Self { cmdlets, ..self }
    }
    /// Tells besides of commands, parameters and views that would run code where they were believed.
    pub fn hostile(self, hostile: bool) -> Self {
        Self { hostile, ..self }
    }
    /// Arms a fault from the start.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Starts it on threads of its own.
    pub fn start(mut self) -> Result<Tenant> {
        let failed =
            |what: &'static str| move |e: std::io::Error| Error::new(ErrorKind::Connect, "start simulated tenant", what).with_source(e);
        if self.accounts.is_empty() {
            let disabled = Account { remote_powershell: false, ..Account::new("disabled@partner.com", "secret") };
            let unassigned = Account { roles: false, ..Account::new("noroles@partner.com", "secret") };
            self.accounts = vec![Account::new("admin@partner.com", "secret"), disabled, unassigned];
        }
        if self.organizations.is_empty() {
            self.organizations = ["fabrikam.com", "contoso.com", "tailspintoys.com"].map(|d| (d.to_owned(), self.mailboxes)).into();
        }
        if self.apps.is_empty() {
            let id = "11111111-2222-3333-4444-555555555555".to_owned();
            self.apps = vec![App { id, secret: Some("app-secret".to_owned()), certificate: None }];
        }
        if self.refresh_tokens.is_empty() {
            self.refresh_tokens = vec!["partner-refresh-token".to_owned()];
        }
        let entra = Entra::default();
        for token in &self.refresh_tokens {
            entra.know(token, &self.accounts[0].name);
        }
        let mut organizations: Vec<_> = self.organizations.iter().map(|(d, n)| Arc::new(Organization::new(d, *n))).collect();
        for account in &self.accounts {
            let own = account.name.rsplit('@').next().unwrap_or_default();
            if !organizations.iter().any(|o| o.domain().eq_ignore_ascii_case(own)) {
                organizations.push(Arc::new(Organization::new(own, self.mailboxes)));
            }
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("tenant").enable_all().build();
        let runtime = runtime.map_err(failed("no threads"))?;
        // Not by blocking on the runtime: the caller may be a task of another one.
        let listen = |port| {
            let bound = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            let listener = bound.and_then(|l| l.set_nonblocking(true).map(|()| l)).and_then(|l| {
                let _inside = runtime.enter();
                TcpListener::from_std(l)
            });
            listener.map_err(failed("the port cannot be listened on"))
        };
        let (front, pod) = (listen(self.port)?, listen(0)?);
        let address = |l: &TcpListener| l.local_addr().map_err(failed("the port is unknown"));
        let (front_address, pod_address) = (address(&front)?, address(&pod)?);
        let faults = Faults::default();
        for fault in std::mem::take(&mut self.faults) {
            faults.arm(fault);
        }
        let service = Arc::new(Service {
            options: self,
            faults,
            pod: pod_address,
            cookie: Uuid::new_v4().simple().to_string(),
            counters: Counters::default(),
            organizations,
            shells: Mutex::default(),
            gone: Mutex::default(),
            refused: Mutex::default(),
            creating: Mutex::default(),
            entra,
            rest: Rest::default(),
        });
        runtime.spawn(server::serve(front, Arc::clone(&service), true));
        runtime.spawn(server::serve(pod, Arc::clone(&service), false));
        Ok(Tenant { service, address: front_address, runtime: Some(runtime) })
    }
}

/// A simulated tenant at work in this process. Dropping it stops it.
#[derive(Debug)]
pub struct Tenant {
    service: Arc<Service>,
    address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Tenant {
    /// What it is to be like; `start` starts it.
    pub fn builder() -> Builder {
        Builder {
            port: 0,
            accounts: Vec::new(),
            tokens: Vec::new(),
            organizations: Vec::new(),
            mailboxes: 25,
            max_shells: 3,
            limit: LimitForm::Receive,
            idle: Duration::from_secs(900),
            max_idle: Duration::from_secs(43_200),
            redirect: None,
            gzip: false,
            cookie: true,
            keep_alive: None,
            progress: false,
            micro_delay: false,
            hidden: Vec::new(),
            apps: Vec::new(),
            refresh_tokens: Vec::new(),
            single_use_refresh: false,
            token_lifetime: Duration::from_secs(3600),
            device_polls: 2,
            device_interval: 1,
            max_concurrent: None,
            port_446: false,
            without_relation: Vec::new(),
            cmdlets: usize::MAX,
            hostile: false,
            faults: Vec::new(),
        }
    }

    /// The connection URI, without an organization.
    pub fn uri(&self) -> String {
        format!("http://{}/powershell-liveid", self.address)
    }

    /// Where the REST road begins, and what its tokens are for.
    pub fn rest_uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The authority that issues tokens: what login.microsoftonline.com is.
    pub fn authority(&self) -> String {
        self.rest_uri()
    }

    /// The tenant id of an organization.
    pub fn tenant_id(&self, organization: &str) -> Option<Uuid> {
        self.service.organization(organization).map(|o| o.guid(0))
    }

    /// The applications there are beside Microsoft's own.
    pub fn apps(&self) -> &[App] {
        &self.service.options.apps
    }

    /// A refresh token of the first account.
    pub fn refresh_token(&self) -> &str {
        &self.service.options.refresh_tokens[0]
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The port that redirects lead to: what answers there does not redirect.
    pub fn second_port(&self) -> u16 {
        self.service.pod.port()
    }

    /// The accounts there are.
    pub fn accounts(&self) -> &[Account] {
        &self.service.options.accounts
    }

    /// The organizations there are.
    pub fn organizations(&self) -> Vec<String> {
        self.service.organizations.iter().map(|o| o.domain().to_owned()).collect()
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.service.stats()
    }

    /// Arms a fault.
    pub fn arm(&self, fault: Fault) {
        self.service.faults.arm(fault);
    }

    /// Disarms every fault.
    pub fn disarm(&self) {
        self.service.faults.clear();
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        for shell in self.service.all() {
            self.service.close(&shell, &soap::Fault::default());
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What happened so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Shells open now, those refused late included until they are deleted.
    pub open: u64,
    /// Shells ever opened.
    pub opened: u64,
    /// Shells closed by Delete.
    pub closed: u64,
    /// Shells closed for idleness or by a fault.
    pub expired: u64,
    /// Pipelines running now.
    pub at_work: u64,
    /// HTTP requests to the endpoint.
    pub requests: u64,
    /// HTTP requests to the REST road.
    pub rest: u64,
    /// Tokens issued.
    pub tokens: u64,
    /// Faults that went off.
    pub faults: u64,
    /// Operations by name.
    pub operations: HashMap<String, u64>,
}

#[derive(Debug, Default)]
struct Counters {
    opened: AtomicU64,
    closed: AtomicU64,
    expired: AtomicU64,
    requests: AtomicU64,
    rest: AtomicU64,
    operations: Mutex<HashMap<&'static str, u64>>,
}

/// What Receives get that were held when their credential expired: it becomes a page with 401.
pub fn refused() -> soap::Fault {
    soap::Fault { subcode: "401".to_owned(), ..soap::Fault::default() }
}

/// What all connections share.
#[derive(Debug)]
pub struct Service {
    /// What the tenant is to be like.
    pub options: Builder,
    /// The armed faults.
    pub faults: Faults,
    /// Where a redirect goes.
    pub pod: SocketAddr,
    /// The cookie's secret part.
    pub cookie: String,
    /// The authority.
    pub entra: Entra,
    /// The REST road.
    pub rest: Rest,
    counters: Counters,
    organizations: Vec<Arc<Organization>>,
    shells: Mutex<HashMap<String, Arc<Shell>>>,
    /// Ids of shells closed for idleness, the last thousand.
    gone: Mutex<VecDeque<String>>,
    /// Authorization headers that are refused from now on.
    refused: Mutex<HashSet<String>>,
    creating: Mutex<()>,
}

impl Service {
    /// Held while a shell is admitted and opened, so that two at once do not both count as the last one allowed.
    pub fn creating(&self) -> MutexGuard<'_, ()> {
        lock(&self.creating)
    }

    /// Whether one more shell of the account is within its limit; else how it is refused: at once or late.
    pub fn admit(&self, account: &str) -> std::result::Result<Option<soap::Fault>, soap::Fault> {
        let open = lock(&self.shells).values().filter(|s| s.account == account && !s.is_doomed()).count();
        let limit = self.options.max_shells;
        match self.options.limit {
            _ if open < limit => Ok(None),
            LimitForm::Create => Err(too_many_shells(limit)),
            LimitForm::Receive => Ok(Some(over_budget(limit, account))),
        }
    }

    /// Adds an open shell.
    pub fn add(&self, shell: &Arc<Shell>) -> std::result::Result<(), soap::Fault> {
        let mut shells = lock(&self.shells);
        if shells.contains_key(&shell.id) {
            return Err(malformed("the shell's id is in use"));
        }
        shells.insert(shell.id.clone(), Arc::clone(shell));
        self.counters.opened.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the shell is still open.
    pub fn has(&self, shell: &Shell) -> bool {
        lock(&self.shells).contains_key(&shell.id)
    }

    /// The shell of this id, or why there is none.
    pub fn find(&self, id: &str) -> std::result::Result<Arc<Shell>, soap::Fault> {
        let id = id.to_ascii_uppercase();
        lock(&self.shells)
            .get(&id)
            .cloned()
            .ok_or_else(|| if lock(&self.gone).contains(&id) { expired_shell(&id) } else { super::shell::no_such_shell(&id) })
    }

    fn all(&self) -> Vec<Arc<Shell>> {
        lock(&self.shells).values().cloned().collect()
    }

    /// Closes a shell for its client.
    pub fn close(&self, shell: &Shell, fault: &soap::Fault) {
        if lock(&self.shells).remove(&shell.id).is_some() {
            self.counters.closed.fetch_add(1, Ordering::Relaxed);
        }
        shell.fail(fault);
    }

    /// Closes a shell against its client's will; its Receives are told that it is gone.
    pub fn expire(&self, shell: &Shell) {
        self.end(shell, &expired_shell(&shell.id));
    }

    fn end(&self, shell: &Shell, fault: &soap::Fault) {
        if lock(&self.shells).remove(&shell.id).is_some() {
            self.counters.expired.fetch_add(1, Ordering::Relaxed);
            let mut gone = lock(&self.gone);
            gone.push_back(shell.id.clone());
            if gone.len() > 1000 {
                gone.pop_front();
            }
        }
        shell.fail(fault);
    }

    /// Refuses this Authorization header from now on, and closes the account's shells, which Exchange does when they have
    /// been idle for long enough.
    pub fn refuse(&self, authorization: &str, account: &str) {
        lock(&self.refused).insert(authorization.to_owned());
        for shell in self.all().iter().filter(|s| s.account == account) {
            self.end(shell, &refused());
        }
    }

    /// Whether this Authorization header is refused.
    pub fn is_refused(&self, authorization: &str) -> bool {
        lock(&self.refused).contains(authorization)
    }

    /// The organization of this domain, tenant name or id.
    pub fn organization(&self, name: &str) -> Option<Arc<Organization>> {
        let id = Uuid::parse_str(name).ok();
        let names = |o: &&Arc<Organization>| {
            o.domain().eq_ignore_ascii_case(name) || o.tenant().eq_ignore_ascii_case(name) || id.is_some_and(|i| i == o.guid(0))
        };
        self.organizations.iter().find(names).cloned()
    }

    /// Counts a request to the endpoint.
    pub fn count_request(&self) {
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request to the REST road.
    pub fn count_rest(&self) {
        self.counters.rest.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an operation.
    pub fn count(&self, operation: Operation) {
        *lock(&self.counters.operations).entry(operation.name()).or_default() += 1;
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        let shells = self.all();
        let number = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Stats {
            open: shells.len() as u64,
            opened: number(&self.counters.opened),
            closed: number(&self.counters.closed),
            expired: number(&self.counters.expired),
            at_work: shells.iter().map(|s| s.at_work() as u64).sum(),
            requests: number(&self.counters.requests),
            rest: number(&self.counters.rest),
            tokens: self.entra.issued(),
            faults: self.faults.served(),
            operations: lock(&self.counters.operations).iter().map(|(k, v)| ((*k).to_owned(), *v)).collect(),
        }
    }
}
