//! One process's page of the ledger, and its lock.

use super::{Entry, KEPT};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// A page of more bytes was not written by this library.
const MOST_BYTES: u64 = 4 << 20;

/// Entries and letters that are believed of a page.
const MOST_ENTRIES: usize = 4096;
const MOST_TEXT: usize = 8192;

/// Files of a folder that are looked at.
const MOST_FILES: usize = 10_000;

/// What stands in a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Written {
    /// The process id.
    pub process: u32,
    /// The name of its program.
    pub name: String,
    /// The machine it runs on, as [`machine`] tells.
    #[serde(default)]
    pub machine: String,
    /// Its shells.
    pub entries: Vec<Entry>,
}

/// This machine's name. A home on a network may be shared by several, and not every file system carries locks between
/// them: a page of another machine is never taken for that of a dead process. Empty where such homes are not usual.
pub(super) fn machine() -> String {
    let name = if cfg!(target_os = "linux") { fs::read_to_string("/proc/sys/kernel/hostname").ok() } else { None };
    name.map(|n| n.trim().to_owned()).unwrap_or_default()
}

/// A page by its name, with the lock where it is in hand.
#[derive(Debug)]
pub struct Page {
    folder: PathBuf,
    name: String,
    lock: Option<File>,
}

/// The pages of a folder: whatever has the name of a page or of a lock.
pub(super) fn in_folder(folder: &Path) -> Vec<Page> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = files
        .take(MOST_FILES)
        .filter_map(|f| f.ok()?.file_name().into_string().ok())
        .filter_map(|file| {
            let (name, kind) = file.split_once('.')?;
            let (process, id) = name.split_once('-')?;
            let ours = process.parse::<u32>().is_ok() && Uuid::try_parse(id).is_ok() && matches!(kind, "json" | "lock");
            ours.then(|| name.to_owned())
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| Page { folder: folder.to_owned(), name, lock: None }).collect()
}

/// A new page of this process, with its lock held.
pub(super) fn begin(folder: &Path) -> io::Result<Page> {
    private_folder(folder)?;
    loop {
        let name = format!("{}-{}", std::process::id(), Uuid::new_v4().simple());
        let mut page = Page { folder: folder.to_owned(), name, lock: None };
        let lock = private().create_new(true).read(true).write(true).open(page.path("lock"))?;
        // Between the two, another process may take it for a dead one's and clear it away: its name is not used again then.
        match lock.try_lock() {
            Ok(()) if page.path("lock").exists() => {}
            Ok(()) | Err(fs::TryLockError::WouldBlock) => continue,
            Err(fs::TryLockError::Error(error)) => {
                drop(lock);
                let _ = fs::remove_file(page.path("lock"));
                return Err(error);
            }
        }
        page.lock = Some(lock);
        return Ok(page);
    }
}

impl Page {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.name))
    }

    pub(super) fn write(&self, entries: &[Entry]) -> io::Result<()> {
        let (process, name) = (std::process::id(), super::program());
        self.write_as(&Written { process, name, machine: machine(), entries: entries.to_vec() })
    }

    /// Whoever reads meanwhile reads the old or the new.
    pub(super) fn write_as(&self, written: &Written) -> io::Result<()> {
        let new = self.path("new");
        let done = private().create(true).truncate(true).write(true).open(&new).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(written)?)?;
            drop(file);
            // Without its lock the page would be nobody's.
            self.path("lock").symlink_metadata()?;
            fs::rename(&new, self.path("json"))
        });
        if done.is_err() {
            let _ = fs::remove_file(&new);
        }
        done
    }

    /// What stands in it, if that can be believed.
    pub(super) fn read(&self) -> Option<Written> {
        let file = regular(&self.path("json"), false)?;
        let mut text = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut text).ok()?;
        if text.len() as u64 > MOST_BYTES {
            return None;
        }
        let written: Written = serde_json::from_slice(&text).ok()?;
        let short = |text: &str| text.len() <= MOST_TEXT && !text.contains(char::is_control);
        let believable = |e: &Entry| {
            let texts = [&e.account.user, &e.account.endpoint, &e.uri, &e.configuration, &e.shell];
            texts.into_iter().chain(&e.organization).all(|t| short(t)) && Uuid::try_parse(&e.shell).is_ok()
        };
        (written.entries.len() <= MOST_ENTRIES && short(&written.name) && written.entries.iter().all(believable)).then_some(written)
    }

    /// Whether its process lives. A shared look does not keep others from looking.
    pub(super) fn is_held(&self) -> bool {
        regular(&self.path("lock"), true).is_some_and(|f| matches!(f.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }

    /// The page with its lock, where its process is gone and no other has taken it.
    pub(super) fn take(mut self) -> Option<Self> {
        let path = self.path("lock");
        let Some(lock) = regular(&path, true) else {
            // A page without a lock is nobody's, which is never the case while its process lives, unless someone meddled.
            if !path.exists() && self.age().is_some_and(|age| age > KEPT) {
                let _ = fs::remove_file(self.path("json"));
            }
            return None;
        };
        lock.try_lock().ok()?;
        self.lock = Some(lock);
        // It may have been cleared away before it was locked here.
        path.exists().then_some(self)
    }

    /// How long it has stood as it is; a lock without a page has no age.
    pub(super) fn age(&self) -> Option<Duration> {
        let changed = fs::symlink_metadata(self.path("json")).ok()?.modified().ok()?;
        Some(changed.elapsed().unwrap_or_default())
    }

    /// Clears it away, the lock last.
    pub(super) fn remove(self) {
        for kind in ["new", "json", "lock"] {
            let _ = fs::remove_file(self.path(kind));
        }
    }
}

/// A file that is one: no link that leads elsewhere, no pipe that would be waited for.
fn regular(path: &Path, write: bool) -> Option<File> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    let file = private().read(true).write(write).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// For files that are the user's alone.
fn private() -> OpenOptions {
    #[allow(unused_mut, reason = "on Windows the folder's rights are enough")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    options
}

/// Makes the folder where there is none. One that others may write to is not used: they could put anything there.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&fs::metadata(folder)?) & 0o022 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may write to it"));
    }
    Ok(())
}
