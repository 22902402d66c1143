//! Signing in on another device (RFC 8628): the user is told a page and a code, and the authority is asked until it is done.

use super::aadsts::Refusal;
use super::endpoint::{Answer, Failure, breach};
use super::flow::{Proof, SignIn};
use crate::error::ErrorKind::{Connect, Disconnected, Timeout};
use serde::Deserialize;
use std::time::{Duration, Instant};

#[derive(Deserialize)]
struct Told {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    expires_in: u64,
    interval: Option<u64>,
    message: Option<String>,
}

/// As long as a code may be good.
const MOST: Duration = Duration::from_secs(1800);

/// Text of the authority's on one line, for people.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect::<String>().trim().to_owned()
}

pub(super) async fn sign_in(sign_in: &SignIn, tenant: &str, proof: &Proof, scope: &str, claims: Option<&str>) -> Result<Answer, Failure> {
    let endpoint = sign_in.endpoint();
    let url = endpoint.authority.endpoint(tenant, "devicecode");
    let client = sign_in.client_id().unwrap_or_default();
    let reply = endpoint.post(&url, &[("client_id", client), ("scope", scope)], true).await?;
    if reply.status != 200 {
        return Err(Failure::Refused(Box::new(Refusal::of(&url, &reply))));
    }
    let told: Told = serde_json::from_slice(&reply.body).map_err(|_| breach(&url, "the authority's answer is no device code"))?;
    let message = told.message.as_deref().map(line).filter(|m| m.contains(&told.user_code)).unwrap_or_else(|| {
        format!(
            "To sign in, use a web browser to open the page {} and enter the code {} to authenticate.",
            line(&told.verification_uri),
            line(&told.user_code)
        )
    });
    sign_in.say(&message);
    let until = Instant::now() + Duration::from_secs(told.expires_in).min(MOST);
    // Never faster than twice a second, whatever the authority says.
    let mut interval = Duration::from_secs(told.interval.unwrap_or(5).min(60)).max(Duration::from_millis(500));
    let form =
        [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", told.device_code.as_str()), ("scope", scope)];
    loop {
        tokio::time::sleep(interval).await;
        let refusal = match sign_in.grant(tenant, proof, &form, claims, false).await {
            Err(Failure::Refused(refusal)) if Instant::now() < until => refusal,
            // One question that is lost is no answer.
            Err(Failure::Other(error)) if Instant::now() < until && matches!(error.kind(), Connect | Disconnected | Timeout) => continue,
            outcome => return outcome,
        };
        interval = match refusal.error.as_str() {
            "authorization_pending" => interval,
            "slow_down" => slower(interval),
            _ if refusal.is_passing() => interval,
            _ => return Err(Failure::Refused(refusal)),
        };
    }
}

/// As long as the authority, asked too often, wants between two questions from then on (RFC 8628 3.5).
fn slower(interval: Duration) -> Duration {
    interval + Duration::from_secs(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_asks_five_seconds_later_from_then_on() {
        assert_eq!(slower(slower(Duration::from_secs(1))), Duration::from_secs(11));
    }
}
