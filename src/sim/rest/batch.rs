//! $batch: several calls in one request, carried out one after the other.

use super::super::tenant::Service;
use super::{Answer, Asked, errors, member};
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// As many as known clients send.
const MOST: usize = 10;

/// Runs a batch.
pub async fn run(service: &Arc<Service>, asked: &Asked) -> Answer {
    let body = serde_json::from_slice::<Json>(&asked.body).unwrap_or_default();
    let Some(requests) = body["requests"].as_array().filter(|r| (1..=MOST).contains(&r.len())) else {
        return errors::service(400, "BadRequest", &format!("A batch holds 1 to {MOST} requests."));
    };
    let goes_on = asked.header("prefer").is_some_and(|p| p.to_ascii_lowercase().contains("odata.continue-on-error"));
    let mut responses = Vec::new();
    let mut failed = false;
    for request in requests {
        let answer = if failed && !goes_on {
            errors::service(424, "FailedDependency", "An earlier request of the batch failed.")
        } else {
            match read(asked, request) {
                Some(inner) => Box::pin(member(service, &inner)).await,
                None => errors::service(400, "BadRequest", "A request of the batch is malformed."),
            }
        };
        failed |= answer.status >= 400;
        let headers: serde_json::Map<_, _> = answer.headers.iter().map(|(n, v)| ((*n).to_owned(), Json::from(v.as_str()))).collect();
        let text = String::from_utf8_lossy(&answer.body);
        let body = serde_json::from_str::<Json>(&text).unwrap_or_else(|_| text.as_ref().into());
        responses.push(json!({"id": request["id"], "status": answer.status, "headers": headers, "body": body}));
    }
    Answer::json(200, json!({"responses": responses}).to_string())
}

fn read(outer: &Asked, request: &Json) -> Option<Asked> {
    let url = request["url"].as_str()?;
    let here = format!("http://{}/", outer.host());
    let parsed = url::Url::parse(&here).ok()?.join(url).ok()?;
    let mut headers = HeaderMap::new();
    for name in ["host", "cookie"] {
        if let Some(value) = outer.headers.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        headers.insert(HeaderName::try_from(name.as_str()).ok()?, HeaderValue::from_str(value.as_str()?).ok()?);
    }
    Some(Asked {
        method: if request["method"].as_str()?.eq_ignore_ascii_case("post") { Method::POST } else { return None },
        path: parsed.path().to_owned(),
        query: parsed.query().unwrap_or_default().to_owned(),
        headers,
        body: request["body"].to_string().into(),
        front: outer.front,
    })
}
