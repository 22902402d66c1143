//! The way to the endpoint as far as HTTP: what can be known of it without a sign-in.

use super::Road;
use super::faults::{self, Phase, Trouble};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::lock::lock;
use crate::transport::http::{HttpClient, probe};
use crate::transport::{Part, Passage};
use bytes::Bytes;
use std::time::{Duration, Instant};
use url::Url;

/// For one part of the way. What takes longer is of no use to a session either.
const LIMIT: Duration = Duration::from_secs(15);

impl Road {
    /// Tells each part of the way; whether it led to a server that can be signed in to.
    pub(crate) async fn reach(&self, tell: &mut (impl FnMut(Part, Passage, Duration) + Send)) -> bool {
        let url = lock(&self.target).url.clone();
        let limit = self.options.open_timeout.min(LIMIT);
        let options = match self.options.http() {
            Ok(options) => options,
            Err(error) => {
                tell(Part::Name, Passage::Failed(self.error(error.into(), Phase::Open)), Duration::ZERO);
                return false;
            }
        };
        let mut with_identity = |part, passage, took| {
            let passage = match passage {
                Passage::Failed(error) => Passage::Failed(self.error(error.into(), Phase::Open)),
                passage => passage,
            };
            tell(part, passage, took);
        };
        if !probe::walk(&options, &url, limit, &mut with_identity).await {
            return false;
        }
        let begun = Instant::now();
        let answer = match HttpClient::new(&options) {
            Ok(http) => self.answer(&http, &url, limit).await,
            Err(error) => Err(error),
        };
        let answers = answer.is_ok();
        tell(Part::Http, answer.map_or_else(Passage::Failed, Passage::Passed), begun.elapsed());
        answers
    }

    /// What an empty request without a sign-in is answered: an endpoint asks for a sign-in then.
    async fn answer(&self, http: &HttpClient, url: &Url, limit: Duration) -> Result<String> {
        let reply = match http.post(url, Bytes::new(), limit).await {
            Ok(reply) => reply,
            Err(error) => return Err(self.error(error.into(), Phase::Open)),
        };
        let status = reply.status;
        let page = reply.content_type.as_deref().is_some_and(|t| t.to_ascii_lowercase().starts_with("text/html"));
        match status {
            404 | 440 | 502..=504 => Err(self.error(Trouble::Http(reply), Phase::Open)),
            401 if faults::offers_no_basic(&reply).is_some() => Err(self.error(Trouble::Http(reply), Phase::Open)),
            401 => Ok(String::from("HTTP 401, as it should be: the server asks for a sign-in")),
            200..=299 if page => {
                let host = url.host_str().unwrap_or_default();
                let error = Error::new(ErrorKind::Protocol, "open session", format!("a web page answers at {url}, not remote PowerShell"))
                    .with_fact(
                        fact::REMEDY,
                        "Check the path of the connection URI, and that no sign-in page of the network answers in the server's place.",
                    )
                    .with_fact(fact::HOST, host);
                Err(error)
            }
            300..=399 => Ok(match &reply.location {
                Some(location) => format!("HTTP {status}: the server sends callers on to {}", location.trim()),
                None => format!("HTTP {status}"),
            }),
            _ => Ok(format!("HTTP {status}")),
        }
    }
}
