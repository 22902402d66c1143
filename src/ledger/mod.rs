//! The session ledger: which shells the processes of this user have open, so that one that was killed leaves nothing behind
//! at the server for long, and so that those who want a session know who holds the others. No secrets and no cookies.
//!
//! In a folder of the user's there are two files for each process that has shells open: a page, which tells them, and a
//! lock, which the process holds locked as long as it lives, however it ends. A page whose lock can be taken is stale: its
//! process is gone, and whoever took the lock may delete its shells. Process ids are told, but nothing depends on them.
//! (Two files, because on Windows a locked file cannot be read.)

mod page;

use crate::lock::lock;
use page::{Page, Written};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, io};

/// What a setting says where nothing is to be written. Sessions of this process are known all the same.
pub const NO_LEDGER: &str = "none";

/// No server keeps a shell without a client for longer: the largest idle time-out of WS-Management is under 25 days.
const KEPT: Duration = Duration::from_secs(25 * 24 * 3600);

/// How long a shell whose Delete was not confirmed is remembered by a process that goes on: servers let go within hours.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Whose sessions count together: an account of an endpoint, as its users named both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Account {
    /// The user name, in lower case.
    pub user: String,
    /// Host and port of the URI that the session was opened with, in lower case.
    pub endpoint: String,
}

impl Account {
    /// Names mean the same in either case.
    pub fn new(user: &str, endpoint: &str) -> Self {
        Self { user: user.to_lowercase(), endpoint: endpoint.to_lowercase() }
    }
}

/// A shell that is open, or may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose it is.
    pub account: Account,
    /// Where it is now, after redirections.
    pub uri: String,
    /// The name of its configuration.
    pub configuration: String,
    /// The delegated organization.
    pub organization: Option<String>,
    /// The shell's id.
    pub shell: String,
    /// When it was opened, in seconds since 1970.
    pub opened: u64,
    /// When its session ended without the server's word that the shell is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<u64>,
}

/// A shell, and who has it.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The process id.
    pub process: u32,
    /// The name of the process's program.
    pub name: String,
    /// It is this process.
    pub here: bool,
    /// The process lives.
    pub lives: bool,
    /// The shell.
    pub entry: Entry,
}

/// The ledger in one folder. What this process has open is in memory too, so that a folder that cannot be written to takes
/// away only what others could know.
#[derive(Debug)]
pub struct Ledger {
    folder: Result<Option<PathBuf>, String>,
    own: Mutex<Own>,
}

#[derive(Debug, Default)]
struct Own {
    entries: Vec<Entry>,
    page: Option<Page>,
    /// That nothing can be written has been told.
    told: bool,
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

static LEDGERS: Mutex<Vec<Arc<Ledger>>> = Mutex::new(Vec::new());

impl Ledger {
    /// The ledger that a setting names, one for the process: a folder, [`NO_LEDGER`], or None for the environment's
    /// `DT_LEDGER` and then the user's own place.
    pub fn of(setting: Option<&str>) -> Arc<Self> {
        let folder = folder(setting);
        let mut ledgers = lock(&LEDGERS);
        if let Some(known) = ledgers.iter().find(|l| l.folder == folder) {
            return Arc::clone(known);
        }
        let ledger = Arc::new(Self { folder, own: Mutex::default() });
        ledgers.push(Arc::clone(&ledger));
        ledger
    }

    /// Enters a shell, or tells of a known one where it is now. A text for the user where it could not be written, once.
    #[must_use]
    pub fn enter(&self, entry: Entry) -> Option<String> {
        let mut own = lock(&self.own);
        let known = own.entries.iter().position(|e| e.shell == entry.shell);
        match known {
            Some(at) if own.entries[at] == entry && own.page.is_some() => return None,
            Some(at) => own.entries[at] = entry,
            None => own.entries.push(entry),
        }
        self.save(&mut own)
    }

    /// The shell is gone: the server said so, or it never came to be.
    pub fn strike(&self, shell: &str) {
        let mut own = lock(&self.own);
        let before = own.entries.len();
        own.entries.retain(|e| e.shell != shell);
        if own.entries.len() != before {
            let _ = self.save(&mut own);
        }
    }

    /// No session has the shell any more, and the server has not said that it is gone.
    pub fn abandon(&self, shell: &str) {
        let mut own = lock(&self.own);
        if let Some(entry) = own.entries.iter_mut().find(|e| e.shell == shell) {
            entry.abandoned = Some(now());
            let _ = self.save(&mut own);
        }
    }

    /// Every shell that is told of, of this process and others.
    pub fn holders(&self) -> Vec<Holder> {
        let mut all: Vec<Holder> = {
            let own = lock(&self.own);
            let here =
                |entry: &Entry| Holder { process: std::process::id(), name: program(), here: true, lives: true, entry: entry.clone() };
            own.entries.iter().map(here).collect()
        };
        for page in self.others() {
            let Some(written) = page.read() else { continue };
            let lives = page.is_held();
            let Written { process, name, entries, .. } = written;
            all.extend(entries.into_iter().map(|entry| Holder { process, name: name.clone(), here: false, lives, entry }));
        }
        all
    }

    /// Who has the sessions of an account: shells of processes that live and use them.
    pub fn holders_of(&self, account: &Account) -> Vec<Holder> {
        let mut all = self.holders();
        all.retain(|h| h.lives && h.entry.abandoned.is_none() && h.entry.account == *account);
        all
    }

    /// Takes what nobody uses any more of an account: pages of dead processes, which no other process is given meanwhile, and
    /// shells that this one abandoned. Clears away what is too old to mean anything.
    pub fn stray(&self, account: &Account) -> Vec<Stray> {
        let mut found = Vec::new();
        let machine = page::machine();
        for page in self.others() {
            let Some(page) = page.take() else { continue };
            match page.read() {
                Some(written) if written.machine == machine && written.entries.iter().any(|e| e.account == *account) => {
                    found.push(Stray::Page(page, written));
                }
                // Of another account or machine, or written by a version of this library that is to come.
                _ if page.age().is_some_and(|age| age < KEPT) => {}
                _ => page.remove(),
            }
        }
        let own = lock(&self.own);
        let left = own.entries.iter().filter(|e| e.abandoned.is_some() && e.account == *account);
        found.extend(left.map(|e| Stray::Own(e.clone())));
        found
    }

    fn others(&self) -> Vec<Page> {
        let Ok(Some(folder)) = &self.folder else { return Vec::new() };
        // In this order: a page of this process that is begun meanwhile is not among them.
        let pages = page::in_folder(folder);
        let own = lock(&self.own).page.as_ref().map(|p| p.name().to_owned());
        pages.into_iter().filter(|p| own.as_deref() != Some(p.name())).collect()
    }

    fn save(&self, own: &mut Own) -> Option<String> {
        let horizon = now().saturating_sub(ABANDONED.as_secs());
        own.entries.retain(|e| e.abandoned.is_none_or(|at| at > horizon));
        let folder = match &self.folder {
            Ok(Some(folder)) => folder,
            Ok(None) => return None,
            Err(why) => return own.tell(why),
        };
        if own.entries.is_empty() {
            if let Some(page) = own.page.take() {
                page.remove();
            }
            return None;
        }
        // Somebody may have cleared the folder: then a new page is begun, once.
        for _ in 0..2 {
            let page = match own.page.take() {
                Some(page) => Ok(page),
                None => page::begin(folder),
            };
            let written = page.and_then(|page| page.write(&own.entries).map(|()| page));
            match written {
                Ok(page) => {
                    own.page = Some(page);
                    return None;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return own.tell(&format!("{}: {error}", folder.display())),
            }
        }
        own.tell(&format!("{} goes away", folder.display()))
    }
}

impl Own {
    fn tell(&mut self, why: &str) -> Option<String> {
        let first = !std::mem::replace(&mut self.told, true);
        first.then(|| {
            format!(
                "The list of open sessions cannot be kept ({why}). If this process is killed, its sessions stay open on the server until their idle time-out, and other processes do not know of them. DT_LEDGER names another folder for it, or none where that is meant."
            )
        })
    }
}

/// Shells that nobody uses.
#[derive(Debug)]
pub enum Stray {
    /// A dead process's, with the lock of its page in hand.
    Page(Page, Written),
    /// One that this process abandoned.
    Own(Entry),
}

impl Stray {
    /// Those of an account.
    pub fn entries<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = &'a Entry> {
        let all = match self {
            Self::Page(_, written) => written.entries.as_slice(),
            Self::Own(entry) => std::slice::from_ref(entry),
        };
        all.iter().filter(move |e| e.account == *account)
    }

    /// Strikes the shells that are gone; the others stay for the next who looks.
    pub fn settle(self, ledger: &Ledger, gone: &[String]) {
        match self {
            Self::Page(page, mut written) => {
                written.entries.retain(|e| !gone.contains(&e.shell));
                if written.entries.is_empty() {
                    page.remove();
                } else {
                    // What cannot be written is found gone the next time.
                    let _ = page.write_as(&written);
                }
            }
            Self::Own(entry) if gone.contains(&entry.shell) => ledger.strike(&entry.shell),
            Self::Own(_) => {}
        }
    }
}

/// The name of this process's program.
fn program() -> String {
    let file = env::current_exe().ok().and_then(|p| p.file_stem().map(|n| n.to_string_lossy().into_owned()));
    file.unwrap_or_else(|| "unknown".into())
}

fn folder(setting: Option<&str>) -> Result<Option<PathBuf>, String> {
    let named = setting.map(str::to_owned).or_else(|| env::var("DT_LEDGER").ok().filter(|v| !v.is_empty()));
    match named {
        Some(name) if name.eq_ignore_ascii_case(NO_LEDGER) => Ok(None),
        Some(name) => std::path::absolute(name).map(Some).map_err(|e| e.to_string()),
        None => usual_folder().map(Some),
    }
}

/// Where state of the user's own belongs on this system.
fn usual_folder() -> Result<PathBuf, String> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let at_home = |below: &str| absolute("HOME").map(|h| h.join(below)).ok_or_else(|| "HOME names no folder".to_owned());
    if cfg!(windows) {
        let local = absolute("LOCALAPPDATA").ok_or("LOCALAPPDATA names no folder")?;
        return Ok(local.join("DelegatedTenant"));
    }
    if cfg!(target_os = "macos") {
        return at_home("Library/Application Support/delegated-tenant");
    }
    absolute("XDG_STATE_HOME").map_or_else(|| at_home(".local/state"), Ok).map(|p| p.join("delegated-tenant"))
}
