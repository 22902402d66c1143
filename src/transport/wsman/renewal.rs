//! Secrets that are renewed while a session lives: a request whose sign-in was refused did nothing, so that it may go out
//! again with a new one.

use super::Road;
use super::soap::Request;
use crate::error::{Error, ErrorKind, Result, fact};
use crate::lock::lock;
use crate::secret::Secret;
use crate::transport::http::Authorization;
use crate::transport::{Wanted, reach};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::future::pending;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// New secrets that one request of a command may be refused with.
const TRIES: u32 = 3;

/// After how long unused Exchange closes a session, where the server has not told it.
const IDLE: Duration = Duration::from_secs(900);

/// How a request waits for new secrets where its own is refused.
pub(super) struct Patience {
    limit: Duration,
    tries: u32,
    /// No longer than its command is wanted.
    is_of_command: bool,
}

impl Road {
    /// Replaces a secret, from the next request on.
    pub(crate) fn set_secret(&self, key: &str, value: Secret<String>) -> Result<()> {
        let unusable = |why: String| Error::new(ErrorKind::InvalidArgument, "replace secret", why);
        let user = match (key, &self.options.user) {
            ("password", Some(user)) => user.clone(),
            ("password", None) => return Err(unusable("the session was opened without a user".into())),
            _ => return Err(unusable(format!("unknown secret key {key:?}, or not one of this session's road"))),
        };
        self.http.set_authorization(Some(&Authorization::Basic { user, password: value }));
        self.status.secrets.tell();
        Ok(())
    }

    /// What is to be said of a refused token, which is nothing about passwords.
    pub(super) fn about_token(&self, error: Error) -> Error {
        let Some(token) = self.options.password.as_ref().and_then(|p| p.reveal().strip_prefix("Bearer ")) else { return error };
        if error.kind() != ErrorKind::Authentication || error.fact(fact::HTTP_STATUS) != Some("401") {
            return error;
        }
        let converts = reach::parameters(&lock(&self.target).url).any(|p| p.eq_ignore_ascii_case("BasicAuthToOAuthConversion=true"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let remedy = match expiry(token) {
            _ if !converts => "A token as the password needs BasicAuthToOAuthConversion=true in the connection URI.".to_owned(),
            Some(end) if end <= now => format!("The token expired {} min ago: get a new one.", (now - end) / 60),
            _ => {
                "The server does not take the token: check that it is for this service (its audience), and that its user is the one of the \
                  credential."
                    .to_owned()
            }
        };
        error.with_remedy(remedy)
    }

    /// How this request may wait for new secrets; None where its refusal is an answer: at the open a wrong password is the
    /// likelier cause, and at the end nobody brings another.
    pub(super) fn may_wait(&self, body: &Request) -> Option<Patience> {
        match body {
            _ if !self.options.renewable => None,
            Request::Create(_) | Request::Delete => None,
            // Between commands nobody looks; beyond this time the shell is gone. Secrets that are no better end the command
            // that they were given for, and not the session.
            Request::Receive { command_id: None } => {
                let limit = self.status.idle_timeout.get().copied().unwrap_or(IDLE);
                Some(Patience { limit, tries: u32::MAX, is_of_command: false })
            }
            _ => Some(Patience { limit: self.options.operation_timeout, tries: TRIES, is_of_command: true }),
        }
    }

    /// Waits for another secret than the one with this number, which was refused so many times before. Whether it came.
    pub(super) async fn renewed(&self, secret: u64, refused: u32, patience: &Patience) -> bool {
        if refused >= patience.tries {
            return false;
        }
        // Released after its end, a command is nobody's any more, and its request waits for the next one's secret.
        let command = lock(&self.running).clone().filter(|_| patience.is_of_command);
        let stopped = async {
            match command {
                Some(command) => command.stopped().await,
                None => pending().await,
            }
        };
        tokio::select! {
            renewed = self.status.secrets.ask(Wanted::new("password"), secret, patience.limit) => renewed,
            () = stopped => false,
        }
    }
}

/// When a JSON Web Token (RFC 7519) expires, in seconds since 1970; None where it is of another form.
fn expiry(token: &str) -> Option<u64> {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    claims.get("exp")?.as_f64().filter(|s| *s >= 0.0).map(|s| s as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_of_a_token_is_read_and_nothing_of_what_is_none() {
        let token = |claims: &str| format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(expiry(&token(r#"{"exp":1700000000,"aud":"x"}"#)), Some(1_700_000_000));
        for other in ["", "abc", "a.b.c", "a.!!.c", &token("{}"), &token(r#"{"exp":"soon"}"#), &token(r#"{"exp":-1}"#)] {
            assert_eq!(expiry(other), None, "{other}");
        }
    }
}
