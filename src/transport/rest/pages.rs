//! The pages of one command, by the rules of Microsoft's module: with no ResultSize one page, with a number as many as that
//! takes, with Unlimited all there are.

use super::address::{public_port, same_origin};
use super::answer::{self, Answer};
use super::bind::Bound;
use super::call::Call;
use super::errors::{self, Head};
use super::headers::{Headers, MOST_PAGE};
use super::records::Failure;
use super::{Held, Road, Shared, encode};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::transport::http::HttpResponse;
use std::time::Duration;
use tokio::sync::mpsc;
use url::Url;
use uuid::Uuid;

/// Beyond this size an answer is read aside, so that the network is not held up.
const LARGE: usize = 64 * 1024;

/// So many pages without any object are no list.
const MOST_EMPTY: u32 = 100;

/// What one request gave.
pub(super) enum Outcome {
    Answer(Answer),
    Failure(Failure),
}

/// Told how long the service asks to wait.
pub(super) type Patience = std::sync::Arc<dyn Fn(Duration) + Send + Sync>;

/// One command's requests.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) cmdlet: String,
    pub(super) body: String,
    pub(super) id: Uuid,
    headers: Headers,
    reads: bool,
    patience: Patience,
}

impl Request {
    pub(super) fn new(road: &Road, bound: &Bound, parameters: &[(String, crate::clixml::Value)], patience: Patience) -> Result<Self> {
        let limit = Limit::of(bound);
        Ok(Self {
            cmdlet: bound.name.clone(),
            body: encode::body(&bound.name, parameters)?,
            id: bound.request_id,
            headers: road.command_headers(&bound.name, bound.request_id, road.page_size(limit), &bound.warning_text),
            reads: bound.reads(),
            patience,
        })
    }

    pub(super) fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Asks for a page of at most so many.
    async fn send(&self, road: &Road, url: Url, page: u64) -> Result<HttpResponse> {
        let mut headers = self.headers.clone();
        if let Some((_, prefer)) = headers.iter_mut().find(|(name, _)| *name == "Prefer") {
            *prefer = format!("odata.maxpagesize={page}");
        }
        let call = Call { patience: Some(&*self.patience), ..Call::post(url, headers, self.body.clone(), self.reads) };
        road.ask(call).await
    }
}

/// How many objects are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    OnePage,
    Number(u64),
    All,
}

impl Limit {
    pub(super) fn of(bound: &Bound) -> Self {
        let Some(size) = bound.parameter("ResultSize") else { return Self::OnePage };
        match size.as_i64().and_then(|n| u64::try_from(n).ok()) {
            Some(number) => Self::Number(number),
            None => {
                let text = encode::text(size);
                text.trim()
                    .parse()
                    .map_or_else(|_| if text.trim().eq_ignore_ascii_case("unlimited") { Self::All } else { Self::OnePage }, Self::Number)
            }
        }
    }
}

impl Road {
    pub(super) fn page_size(&self, limit: Limit) -> u64 {
        let most = self.options.page_size.unwrap_or(MOST_PAGE).clamp(1, MOST_PAGE);
        match limit {
            Limit::Number(number) => number.clamp(1, most),
            _ => most,
        }
    }

    /// A link to where the token may go: nowhere but to the host that gave it.
    fn allowed(&self, link: &str) -> Result<Url> {
        let base = crate::lock::lock(&self.base).clone();
        let refuse = |text: &'static str| Error::new(ErrorKind::Protocol, "read pages", text).with_fact(fact::REDIRECT_LOCATION, link);
        let mut url = base.join(link).map_err(|e| refuse("the link to the next page is not a URI").with_source(e))?;
        public_port(&mut url, base.port());
        if !same_origin(&base, &url) || !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("the link to the next page leads to another host"));
        }
        Ok(url)
    }
}

/// How many are still wanted, and how many one page holds.
#[derive(Debug, Clone, Copy)]
struct Want {
    limit: Limit,
    page_size: u64,
}

impl Want {
    /// Whether a page is wanted after one of so many.
    fn more(self, received: u64) -> bool {
        match self.limit {
            Limit::OnePage => false,
            Limit::All => true,
            Limit::Number(left) => received == self.page_size && left > self.page_size,
        }
    }

    /// What is wanted after a page of so many.
    fn after(self, received: u64) -> Self {
        match self.limit {
            Limit::Number(left) => Self {
                limit: Limit::Number(left.saturating_sub(received)),
                page_size: left.saturating_sub(self.page_size).clamp(1, self.page_size),
            },
            _ => self,
        }
    }
}

/// The pages of a command as they come.
pub(super) struct Pages {
    road: Shared,
    request: Request,
    want: Want,
    next: Next,
    empty: u32,
    /// The next pages are asked for while the last is read and handed on.
    ahead: bool,
}

enum Next {
    Ask(Url),
    Coming(Coming),
    End,
}

/// One page, unread.
struct Fetched {
    url: Url,
    reply: HttpResponse,
    /// The link that is followed already.
    followed: Option<String>,
}

/// Pages on their way: one that waits to be read, and one that is asked for meanwhile. No page is asked for before the one
/// that led to it is here whole: a page whose transfer breaks off is asked for again, and who knows whether the service
/// still has it once it was asked for the page after.
struct Coming {
    pages: mpsc::Receiver<Result<Fetched>>,
    _task: Held,
}

impl Coming {
    fn from(road: &Shared, request: &Request, mut want: Want, mut url: Url) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let (road, request) = (road.clone(), request.clone());
        let task = Held::spawn(async move {
            loop {
                let reply = request.send(&road, url.clone(), want.page_size).await;
                let link = reply.as_ref().ok().filter(|r| is_success(r) && want.more(want.page_size));
                let link = link.and_then(|r| answer::early_next_link(&r.body));
                let next = link.and_then(|link| Some((road.allowed(&link).ok().filter(|next| *next != url)?, link)));
                let (next, followed) = next.unzip();
                let page = reply.map(|reply| Fetched { url, reply, followed });
                if sender.send(page).await.is_err() {
                    return;
                }
                let Some(next) = next else { return };
                (url, want) = (next, want.after(want.page_size));
            }
        });
        Self { pages, _task: task }
    }

    async fn next(&mut self) -> Result<Fetched> {
        let ended = || Error::new(ErrorKind::Internal, "read pages", "the task that asks ended");
        self.pages.recv().await.unwrap_or_else(|| Err(ended()))
    }
}

fn is_success(reply: &HttpResponse) -> bool {
    (200..300).contains(&reply.status)
}

impl Pages {
    pub(super) fn new(road: &Shared, request: Request, limit: Limit, ahead: bool) -> Self {
        let url = road.api(&["InvokeCommand"]);
        let want = Want { limit, page_size: road.page_size(limit) };
        Self { road: road.clone(), ahead: ahead && request.reads, request, want, next: Next::Ask(url), empty: 0 }
    }

    /// The pages after an answer that came another way, if there are any that are wanted.
    pub(super) fn after(road: &Shared, request: Request, limit: Limit, answer: &Answer) -> Result<Self> {
        let mut pages = Self::new(road, request, limit, false);
        pages.next = Next::End;
        if let Some(url) = pages.follow(answer, None)? {
            pages.next = Next::Ask(url);
        }
        Ok(pages)
    }

    /// The next page; None when there is none. Whether further pages are to follow is told beside it.
    pub(super) async fn next(&mut self) -> Result<Option<(Outcome, bool)>> {
        let (fetched, coming) = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return Ok(None),
            Next::Ask(url) if !(self.ahead && self.want.more(self.want.page_size)) => {
                let reply = self.request.send(&self.road, url.clone(), self.want.page_size).await?;
                (Fetched { url, reply, followed: None }, None)
            }
            Next::Ask(url) => {
                let mut coming = Coming::from(&self.road, &self.request, self.want, url);
                (coming.next().await?, Some(coming))
            }
            Next::Coming(mut coming) => (coming.next().await?, Some(coming)),
        };
        let Fetched { url, reply, followed } = fetched;
        let head = Head::new(&reply, &self.request.cmdlet);
        if !is_success(&reply) {
            return Ok(Some((Outcome::Failure(refused(&reply, &head)?), false)));
        }
        let body = reply.body;
        let answer = if body.len() > LARGE {
            let read = tokio::task::spawn_blocking(move || answer::read(&body, &head)).await;
            read.map_err(|e| Error::new(ErrorKind::Internal, "read answer", "the task that reads ended").with_source(e))??
        } else {
            answer::read(&body, &head)?
        };
        if let Some(next) = self.follow(&answer, Some(&url))? {
            self.next = match coming {
                Some(coming) if followed == answer.next_link => Next::Coming(coming),
                _ => Next::Ask(next),
            };
        }
        Ok(Some((Outcome::Answer(answer), self.has_more())))
    }

    /// Whether a page is still to be asked for.
    pub(super) fn has_more(&self) -> bool {
        !matches!(self.next, Next::End)
    }

    /// Where the next page is, if there is one and it is wanted.
    fn follow(&mut self, answer: &Answer, from: Option<&Url>) -> Result<Option<Url>> {
        let received = answer.records.len() as u64;
        let wanted = self.want.more(received);
        self.want = self.want.after(received);
        let Some(link) = answer.next_link.as_deref().filter(|_| wanted) else { return Ok(None) };
        let url = self.road.allowed(link)?;
        self.empty = if received == 0 { self.empty + 1 } else { 0 };
        if from == Some(&url) || self.empty > MOST_EMPTY {
            return Err(Error::new(ErrorKind::Protocol, "read pages", "the service's pages go in a circle"));
        }
        Ok(Some(url))
    }
}

/// What a refused command becomes; an error where the answer is of the service rather than of the command.
pub(super) fn refused(reply: &HttpResponse, head: &Head) -> Result<Failure> {
    let speaks = reply.body.iter().any(|b| !b.is_ascii_whitespace() && *b != 0);
    match reply.status {
        400..500 => Ok(errors::failure(&reply.body, head)),
        500.. if speaks => Ok(errors::failure(&reply.body, head)),
        _ => Err(errors::refusal(reply, "run command")),
    }
}
