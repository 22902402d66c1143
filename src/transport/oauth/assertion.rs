//! Assertions that are made elsewhere (RFC 7521): a workload's own token that the application trusts, or one signed by a key
//! that does not leave its store.

use super::CONTEXT;
use super::jwt::Claims;
use crate::error::{Error, ErrorKind, Result, fact};
use crate::lock::lock;
use crate::secret::Secret;
use crate::transport::{Secrets, Wanted};
use std::io::Read;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use url::Url;

/// Bytes of a file with an assertion.
const LIMIT: u64 = 64 * 1024;

/// The key of an assertion.
pub(super) const CLIENT_ASSERTION: &str = "client_assertion";

/// Where assertions come from.
pub(super) enum Assertions {
    /// A file that others write anew before its assertion ends.
    File(String),
    /// From whoever has the session.
    Brought(Mutex<Option<Secret<String>>>),
}

fn refused(text: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, CONTEXT, text)
}

impl Assertions {
    pub(super) fn brought(assertion: &Secret<String>) -> Result<Self> {
        Ok(Self::Brought(Mutex::new(Some(whole("the client assertion", assertion)?))))
    }

    /// Takes one more; an error where none is taken.
    pub(super) fn bring(&self, assertion: &Secret<String>) -> Result<()> {
        match self {
            Self::File(_) => Err(refused("the client assertion comes from a file".into())),
            Self::Brought(place) => {
                *lock(place) = Some(whole("the client assertion", assertion)?);
                Ok(())
            }
        }
    }

    /// One to show at this endpoint. Each that was brought is shown once where there is somebody to ask for more, who is
    /// waited for so long; else as long as it lasts.
    pub(super) async fn next(&self, endpoint: &Url, secrets: Option<&Secrets>, limit: Duration) -> Result<Secret<String>> {
        let place = match self {
            Self::File(file) => return read(file),
            Self::Brought(place) => place,
        };
        let Some(secrets) = secrets else {
            return lock(place).clone().filter(lasts).ok_or_else(|| {
                Error::new(ErrorKind::Authentication, CONTEXT, "the client assertion that was given has ended")
                    .with_fact(fact::REMEDY, "Connect with a new one, or let the session ask for each (renewable).")
            });
        };
        loop {
            let counted = secrets.count();
            if let Some(assertion) = lock(place).take().filter(lasts) {
                return Ok(assertion);
            }
            let wanted = Wanted { endpoint: Some(endpoint.to_string()), ..Wanted::new(CLIENT_ASSERTION) };
            if !secrets.ask(wanted, counted, limit).await {
                let text = format!("no client assertion came within {} s", limit.as_secs_f32());
                return Err(
                    Error::new(ErrorKind::Authentication, CONTEXT, text).with_fact(fact::REMEDY, "Bring one when the session asks for it.")
                );
            }
        }
    }
}

/// Whether an assertion has not ended, as far as it tells.
fn lasts(assertion: &Secret<String>) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Claims::of(assertion.reveal()).exp.is_none_or(|end| end > now)
}

fn whole(source: &str, assertion: &Secret<String>) -> Result<Secret<String>> {
    let text = assertion.reveal().trim();
    if text.is_empty() || text.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(refused(format!("{source} is none that can be sent")));
    }
    Ok(Secret::new(text.to_owned()))
}

fn read(file: &str) -> Result<Secret<String>> {
    let source = format!("the client assertion in {file:?}");
    let opened = std::fs::File::open(file).map_err(|e| refused(format!("{source} cannot be opened")).with_source(e))?;
    let mut text = String::new();
    let read = opened.take(LIMIT + 1).read_to_string(&mut text);
    let text = Secret::new(text);
    match read {
        Ok(length) if length as u64 <= LIMIT => whole(&source, &text),
        Ok(_) => Err(refused(format!("{source} is too long to be one"))),
        Err(e) => Err(refused(format!("{source} cannot be read")).with_source(e)),
    }
}
