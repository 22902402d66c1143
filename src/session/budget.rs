//! The session budget: an account may have a few sessions at a time, three as a rule, over all processes. An open that wants
//! to wait for one waits here, in turn; one that does not is refused by the server, which alone knows.

use super::Core;
use crate::error::{Error, ErrorKind, Result, fact};
use crate::ledger::{self, Account, Holder, Ledger};
use crate::lock::lock;
use crate::transport::Listener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the ledger is looked at for what other processes close.
const LOOK: Duration = Duration::from_millis(500);

/// After a refusal the server is asked again after this time and then twice as much each time, up to the other, since
/// sessions that no ledger knows end too. Exchange also counts how often an account tries: five times a minute.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long the ledger's files are waited for: a network's folder may not answer.
const FILES: Duration = Duration::from_secs(2);

/// Holders that a text names.
const NAMED: usize = 5;

/// Those who wait: their account and number, in the order of which they open.
static WAITING: Mutex<Vec<(Account, u64)>> = Mutex::new(Vec::new());

/// Something may have become free in this process.
static CHANGED: LazyLock<watch::Sender<()>> = LazyLock::new(watch::Sender::default);

/// Tells those who wait that a session of this process has ended.
pub(super) fn tell() {
    CHANGED.send_replace(());
}

/// A place in the order, given back when dropped.
struct Ticket {
    account: Account,
    number: u64,
}

impl Ticket {
    fn new(account: &Account) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let ticket = Self { account: account.clone(), number: NEXT.fetch_add(1, Ordering::Relaxed) };
        ticket.enter();
        ticket
    }

    /// Takes the place, the same one again after it was left.
    fn enter(&self) {
        self.leave();
        lock(&WAITING).push((self.account.clone(), self.number));
    }

    fn leave(&self) {
        lock(&WAITING).retain(|(_, number)| *number != self.number);
        tell();
    }

    fn is_first(&self) -> bool {
        lock(&WAITING).iter().all(|(account, number)| *account != self.account || *number >= self.number)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What may not be said any more once the wait is over, however it ends.
struct Said<'a>(&'a Core);

impl Drop for Said<'_> {
    fn drop(&mut self) {
        lock(&self.0.waiting).take();
    }
}

impl Core {
    /// Opens the road; where the account has no session left, waits for one if the options say so.
    pub(super) async fn open_in_turn(&self) -> Result<Listener> {
        let Some((ledger, account)) = self.road.account().map(|(l, a)| (Arc::clone(l), a.clone())) else {
            return self.road.open().await;
        };
        let result = match self.options.wait_for_session {
            Some(wait) => self.open_when_free(&ledger, &account, wait).await,
            None => self.road.open().await,
        };
        match result {
            Err(error) if error.kind() == ErrorKind::Quota => Err(self.with_holders(error, &ledger, &account).await),
            result => result,
        }
    }

    async fn open_when_free(&self, ledger: &Arc<Ledger>, account: &Account, wait: Duration) -> Result<Listener> {
        let deadline = Instant::now() + wait;
        let ticket = Ticket::new(account);
        let _said = Said(self);
        let budget = self.options.session_budget;
        // At how many sessions that are told of there is none left, and from when on the server is asked nevertheless.
        let mut full_at = budget;
        let mut ask_at: Option<Instant> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let mut changes = CHANGED.subscribe();
            loop {
                changes.mark_unchanged();
                // In this order: who left its place to this one is then among the holders.
                let first = ticket.is_first();
                let holders = self.others_of(ledger, account).await;
                let now = Instant::now();
                // More than the budget are open: then the server allows more, and how many it alone knows.
                let free = holders.len() < full_at || (ask_at.is_none() && holders.len() > budget);
                if now >= deadline || (first && (free || ask_at.is_some_and(|at| now >= at))) {
                    break;
                }
                *lock(&self.waiting) = Some(waiting_for(account, &holders));
                let mut until = deadline.min(now + LOOK);
                if let Some(at) = ask_at.filter(|at| *at > now) {
                    until = until.min(at);
                }
                let _ = tokio::time::timeout_at(until, changes.changed()).await;
            }
            // Before the next in order looks, this one counts.
            self.road.enter().await;
            ticket.leave();
            match self.road.open().await {
                Err(error) if error.kind() == ErrorKind::Quota && Instant::now() < deadline => {
                    ticket.enter();
                    // The refused shell may count as well; where it cannot be deleted, waiting is of no use.
                    if self.road.delete().await.is_err() {
                        return Err(error);
                    }
                    let held = self.others_of(ledger, account).await.len();
                    full_at = held.min(budget);
                    let asked = error.fact(fact::RETRY_AFTER_MS).and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
                    ask_at = Some(Instant::now() + pause.max(asked.unwrap_or_default()));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                result => return result,
            }
        }
    }

    /// Who has the account's sessions, but for this one.
    async fn others_of(&self, ledger: &Arc<Ledger>, account: &Account) -> Vec<Holder> {
        let (ledger, account) = (Arc::clone(ledger), account.clone());
        let asked = tokio::task::spawn_blocking(move || ledger.holders_of(&account));
        let mut holders = tokio::time::timeout(FILES, asked).await.ok().and_then(std::result::Result::ok).unwrap_or_default();
        holders.retain(|h| !self.road.is(&h.entry.shell));
        holders
    }

    async fn with_holders(&self, error: Error, ledger: &Arc<Ledger>, account: &Account) -> Error {
        let holders = self.others_of(ledger, account).await;
        let known = if holders.is_empty() {
            "No process of this computer's user is known to have one: they are open elsewhere, or were left behind.".to_owned()
        } else {
            format!("Open are: {}.", list(&holders))
        };
        let wait = if self.options.wait_for_session.is_some() { "wait longer (-WaitTimeout)" } else { "wait for one (-WaitForSession)" };
        error.with_remedy(format!(
            "{known} Close one that is no longer needed, or {wait}; one that was abandoned counts until its idle time-out, 15 minutes."
        ))
    }
}

fn waiting_for(account: &Account, holders: &[Holder]) -> String {
    if holders.is_empty() {
        return format!("{} has no session left, and none is known on this computer", account.user);
    }
    format!("{} has {} open: {}", account.user, holders.len(), list(holders))
}

/// The holders in words: `process 4711 (pwsh) on fabrikam.com for 5 min`.
fn list(holders: &[Holder]) -> String {
    let now = ledger::now();
    let mut texts: Vec<String> = holders
        .iter()
        .take(NAMED)
        .map(|h| {
            let process = if h.here { "this process".to_owned() } else { format!("process {} ({})", h.process, h.name) };
            let organization = h.entry.organization.as_deref().map(|o| format!(" on {o}")).unwrap_or_default();
            let seconds = now.saturating_sub(h.entry.opened);
            let age = match seconds {
                0..60 => format!("{seconds} s"),
                60..7200 => format!("{} min", seconds / 60),
                _ => format!("{} h", seconds / 3600),
            };
            format!("{process}{organization} for {age}")
        })
        .collect();
    if holders.len() > NAMED {
        texts.push(format!("{} more", holders.len() - NAMED));
    }
    texts.join("; ")
}
