//! Reclaiming: what a process that was killed left open is deleted by the next one that connects as the same account.

use super::faults::{Phase, Trouble};
use super::{Road, Target, new_client, uri};
use crate::error::ErrorKind;
use crate::ledger::{Account, Entry, Stray};
use crate::lock::lock;
use crate::transport::http::HttpClient;
use crate::transport::soap::{self, Request};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;
use url::Url;

/// How long an open waits for what was left open to be closed. It goes on in the background then.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long one Delete may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Shells that are deleted for one open; an account has far fewer. The next open takes the others.
const MOST: usize = 64;

/// One of a process at a time reclaims for an account: another open of that account waits until the sessions are free.
static RECLAIMING: LazyLock<Mutex<HashMap<Account, Arc<AsyncMutex<()>>>>> = LazyLock::new(Mutex::default);

impl Road {
    /// Deletes what nobody uses any more of this account. It fails in silence: the open that follows tells what is wrong.
    pub(super) async fn reclaim(self: &Arc<Self>) {
        let turn = Arc::clone(lock(&RECLAIMING).entry(self.account.clone()).or_default());
        let road = Arc::clone(self);
        let reclaiming = async move {
            let turn = turn.lock_owned().await;
            let account = road.account.clone();
            let stray = road.in_ledger(move |ledger| ledger.stray(&account)).await.unwrap_or_default();
            if !stray.is_empty() {
                // In a task, so that an open that is given up does not leave it half done.
                let task = tokio::spawn(async move {
                    let _turn = turn;
                    road.delete_stray(stray).await;
                });
                let _ = task.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE.min(self.options.open_timeout), reclaiming).await;
    }

    async fn delete_stray(self: &Arc<Self>, stray: Vec<Stray>) {
        let Ok(http) = new_client(&self.options).map(Arc::new) else { return };
        let mut entries: Vec<Entry> = stray.iter().flat_map(|s| s.entries(&self.account)).cloned().collect();
        entries.truncate(MOST);
        let mut gone = Vec::new();
        let mut deletes = JoinSet::new();
        let mut alone = true;
        for entry in entries {
            let (road, http) = (Arc::clone(self), Arc::clone(&http));
            deletes.spawn(async move { (road.delete_left(&http, &entry).await, entry.shell) });
            // The first goes alone: a wrong password, sent with each, would lock the account.
            if std::mem::take(&mut alone) {
                match deletes.join_next().await {
                    Some(Ok((Ok(()), shell))) => gone.push(shell),
                    Some(Ok((Err(Some(ErrorKind::Authentication)), _))) => break,
                    _ => {}
                }
            }
        }
        while let Some(done) = deletes.join_next().await {
            if let Ok((Ok(()), shell)) = done {
                gone.push(shell);
            }
        }
        self.in_ledger(move |ledger| stray.into_iter().for_each(|s| s.settle(ledger, &gone))).await;
    }

    /// Deletes a shell that another session left; also gone where the server does not know it.
    async fn delete_left(&self, http: &HttpClient, entry: &Entry) -> Result<(), Option<ErrorKind>> {
        let url = self.may_be_asked(entry).ok_or(None)?;
        let resource_uri = format!("{}{}", soap::RESOURCE_PREFIX, entry.configuration);
        let target = Target::new(url, entry.shell.clone());
        let limit = LIMIT.min(self.options.cancel_timeout);
        match self.ask_at(http, target, &resource_uri, Request::Delete, Vec::new(), limit).await {
            Err(trouble) if !trouble.is_shell_gone() => Err(Some(self.kind(trouble))),
            _ => Ok(()),
        }
    }

    fn kind(&self, trouble: Trouble) -> ErrorKind {
        self.error(trouble, Phase::Close).kind()
    }

    /// Where the entry says its shell is, if this session's credential may go there: the ledger is no more than a file.
    fn may_be_asked(&self, entry: &Entry) -> Option<Url> {
        let first = uri::first(&self.options).ok()?;
        let url = Url::parse(&entry.uri).ok()?;
        uri::may_have_credential(&first, &url, &self.options).then_some(url)
    }
}
