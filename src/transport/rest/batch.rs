//! `$batch`: up to ten commands in one request, for what is piped in.

use super::answer::{self};
use super::call::Call;
use super::errors::Head;
use super::pages::{Limit, Outcome, Request, refused};
use super::{Shared, errors};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::http::HttpResponse;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use uuid::Uuid;

/// As many as Microsoft's module sends at once.
pub(super) const MOST_MEMBERS: usize = 10;

#[derive(Deserialize)]
struct Answers<'a> {
    #[serde(borrow)]
    responses: Vec<Member<'a>>,
}

#[derive(Deserialize)]
struct Member<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    status: u16,
    #[serde(default)]
    headers: Json,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// What became of each command; None where it certainly did not run and is to be sent alone.
pub(super) async fn send(road: &Shared, requests: &[Request], reads: bool) -> Result<Vec<Option<Result<Outcome>>>> {
    let url = road.api(&["InvokeCommand"]);
    let (token, _) = road.token(None).await?;
    let members: Vec<Json> = requests
        .iter()
        .enumerate()
        .map(|(id, request)| {
            let mut headers: serde_json::Map<String, Json> =
                request.headers().iter().map(|(name, value)| ((*name).to_owned(), Json::from(value.as_str()))).collect();
            headers.insert("Authorization".into(), format!("Bearer {}", token.reveal()).into());
            let body = RawValue::from_string(request.body.clone()).ok();
            json!({ "id": id.to_string(), "method": "POST", "url": url.as_str(), "headers": headers, "body": body })
        })
        .collect();
    let cmdlet = requests.first().map_or("", |r| r.cmdlet.as_str());
    let request_id = requests.first().map_or_else(Uuid::new_v4, |r| r.id);
    let mut headers = road.common_headers(request_id);
    headers.push(("Content-Type", String::from("application/json")));
    headers.push(("Prefer", format!("odata.maxpagesize={};odata.continue-on-error", road.page_size(Limit::OnePage))));
    let anchor = requests.first().and_then(|r| r.headers().iter().find(|(n, _)| *n == "X-AnchorMailbox"));
    headers.extend(anchor.cloned());
    let body = json!({ "requests": members }).to_string();
    let reply = road.ask(Call::post(road.api(&["$batch"]), headers, body, reads)).await?;
    let head = Head::new(&reply, cmdlet);
    // A service that knows no batches.
    if matches!(reply.status, 404 | 405 | 501) {
        return Ok(requests.iter().map(|_| None).collect());
    }
    if !(200..300).contains(&reply.status) {
        let failure = refused(&reply, &head)?;
        return Ok(requests.iter().map(|_| Some(Ok(Outcome::Failure(failure.clone())))).collect());
    }
    let answers: Answers = serde_json::from_slice(&reply.body)
        .map_err(|e| Error::new(ErrorKind::Protocol, "read answer", "the answer is not the JSON that $batch gives").with_source(e))?;
    let mut outcomes: Vec<Option<Option<Result<Outcome>>>> = requests.iter().map(|_| None).collect();
    for member in answers.responses {
        let Some(place) = member.id.parse::<usize>().ok().and_then(|id| outcomes.get_mut(id)) else { continue };
        let head = head.of_member(member.status, &member.headers);
        let body = member.body.map_or("", RawValue::get);
        // A body that is text stands as a JSON string.
        let text = serde_json::from_str::<String>(body);
        let body = Bytes::copy_from_slice(text.as_deref().unwrap_or(body).as_bytes());
        let alone = HttpResponse { status: member.status, body, ..HttpResponse::default() };
        *place = Some(match member.status {
            200..300 => Some(answer::read(&alone.body, &head).map(Outcome::Answer)),
            401 => None,
            503 | 504 if reads => None,
            _ if errors::is_throttled(&alone) => None,
            _ => Some(refused(&alone, &head).map(Outcome::Failure)),
        });
    }
    let missing = || Some(Err(Error::new(ErrorKind::Protocol, "read answer", "the service did not answer every command of a batch")));
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect())
}
