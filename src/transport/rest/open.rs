//! Opening: a token, and one cheap call that finds the regional host and tells whether the token is good here.

use super::call::Call;
use super::{Road, Shared, address, errors};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::lock::lock;
use crate::transport::http::{HttpRequest, Method, probe};
use crate::transport::{Part, Passage};
use bytes::Bytes;
use std::future::pending;
use std::time::{Duration, Instant};
use url::Url;
use uuid::Uuid;

/// For each part of the way.
const LOOK: Duration = Duration::from_secs(15);

const CONTEXT: &str = "open session";

/// A session that nothing at the service can end.
pub(crate) struct Listener;

impl Listener {
    /// Waits for ever: each command tells its own trouble.
    pub(crate) async fn run(self) -> Error {
        pending().await
    }
}

impl Road {
    /// Opens the session, within the open timeout.
    pub(crate) async fn open(self: &Shared) -> Result<Listener> {
        let limit = self.options.open_timeout;
        let opened = tokio::time::timeout(limit, self.reach(limit)).await;
        opened
            .unwrap_or_else(|_| {
                let signed_in = *self.status.signed_in.borrow();
                let (what, remedy) = match signed_in {
                    false if self.tokens.is_by_hand() => {
                        ("nobody signed in", "Connect again and sign in as the warning says; a longer open timeout gives more time for it.")
                    }
                    false => ("the authority gave no token", "Check the network and the proxy, or try again later."),
                    true => ("the service did not answer", "Check the network and the proxy, or try again later."),
                };
                let text = format!("{what} within {} ms", limit.as_millis());
                Err(Error::new(ErrorKind::Timeout, CONTEXT, text).with_fact(fact::REMEDY, remedy))
            })
            .map_err(|e| e.with_fact(fact::HOST, self.host()))
    }

    async fn reach(&self, limit: Duration) -> Result<Listener> {
        // The sign-in may be of a user who takes his time: it is under the same limit.
        self.tokens.token(None).await.map_err(|e| e.with_context(CONTEXT))?;
        self.status.signed_in.send_replace(true);
        let by_user = || self.tokens.user().and_then(|user| user.rsplit_once('@').map(|(_, domain)| domain.to_owned()));
        let tenant = self.organization.clone().or_else(|| self.tokens.tenant_id()).or_else(by_user).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, CONTEXT, "nothing tells which organization is meant")
                .with_fact(fact::REMEDY, "Name it: -Organization contoso.onmicrosoft.com.")
        })?;
        let _ = self.tenant.set(tenant);
        let url = self.banner(self.tenant.get().map_or("", String::as_str));
        let mut headers = self.common_headers(Uuid::new_v4());
        headers.push(("X-AnchorMailbox", self.anchor("")));
        let reply = self.ask(Call::get(url, headers, limit, CONTEXT)).await.map_err(|e| e.with_context(CONTEXT))?;
        match reply.status {
            200..300 => Ok(Listener),
            _ => Err(errors::refusal(&reply, CONTEXT)),
        }
    }

    /// The cheapest address that wants a token.
    fn banner(&self, tenant: &str) -> Url {
        let mut url = address::join(&lock(&self.base), &["AdminApi", "v1.0", tenant, "EXOBanner('AutogenSession')"]);
        url.set_query(Some("Version=3.9.0"));
        url
    }

    /// Goes the way to the service as far as HTTP, without a token. Whether it led there.
    pub(crate) async fn look(&self, tell: &mut (impl FnMut(Part, Passage, Duration) + Send)) -> bool {
        let url = self.banner(self.organization.as_deref().unwrap_or("organizations"));
        let limit = self.options.open_timeout.min(LOOK);
        let options = match self.options.http() {
            Ok(options) => options,
            Err(error) => {
                tell(Part::Name, Passage::Failed(error), Duration::ZERO);
                return false;
            }
        };
        if !probe::walk(&options, &url, limit, tell).await {
            return false;
        }
        let begun = Instant::now();
        let headers = self.common_headers(Uuid::new_v4());
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let request = HttpRequest { method: Method::Get, url: &url, headers: &headers, bearer: None, body: Bytes::new(), timeout: limit };
        let passage = match self.http.send(request).await {
            Err(error) => Passage::Failed(error),
            Ok(reply) if reply.status == 401 => Passage::Passed(String::from("HTTP 401, as it should be: the service asks for a token")),
            // One that sends on to its region.
            Ok(reply) if matches!(reply.status, 200..=399 | 403) => Passage::Passed(format!("HTTP status {}", reply.status)),
            Ok(reply) => Passage::Failed(errors::refusal(&reply, CONTEXT)),
        };
        let answers = matches!(passage, Passage::Passed(_));
        tell(Part::Http, passage, begun.elapsed());
        answers
    }
}
