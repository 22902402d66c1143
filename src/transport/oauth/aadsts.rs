//! The authority's errors as sentences with a remedy.

use super::CONTEXT;
use crate::error::{Error, ErrorKind, fact};
use crate::transport::http::HttpResponse;
use serde_json::Value as Json;
use std::time::Duration;
use url::Url;

/// What a number means: kind, sentence, remedy.
struct Meaning {
    codes: &'static [u32],
    kind: ErrorKind,
    sentence: &'static str,
    remedy: &'static str,
}

const fn meaning(codes: &'static [u32], kind: ErrorKind, sentence: &'static str, remedy: &'static str) -> Meaning {
    Meaning { codes, kind, sentence, remedy }
}

use ErrorKind::{AccessDenied, Authentication, InvalidArgument, Service, TenantNotFound};

/// The numbers that partners meet. Others keep the authority's own words.
const MEANINGS: &[Meaning] = &[
    meaning(
        &[50020, 50177, 50178],
        AccessDenied,
        "the account is no guest of this tenant and no delegated relation covers it",
        "Check that the GDAP relation with the customer is active, and that the account is in a group it gives a role to.",
    ),
    meaning(
        &[50034],
        Authentication,
        "the account does not exist in this tenant",
        "Check the user name, and which tenant the account is of.",
    ),
    meaning(&[50053], Authentication, "the account is locked after too many wrong passwords", "Wait, or have an administrator unlock it."),
    meaning(&[50055], Authentication, "the password has expired", "Change the password by signing in on the web, then try again."),
    meaning(&[50057], Authentication, "the account is disabled", "Have an administrator enable the account."),
    meaning(
        &[50076, 50079, 50074, 50072, 50158],
        Authentication,
        "the account must sign in with a second factor, which this way to sign in cannot ask for",
        "Sign in with -Device or in a browser, with a refresh token that was got with the second factor, or as an application.",
    ),
    meaning(
        &[50126, 50056],
        Authentication,
        "the user name or the password is wrong",
        "Check both; a federated account may have to sign in with -Device.",
    ),
    meaning(
        &[50173, 70043, 50133, 700_081],
        Authentication,
        "the sign-in was revoked, as by a change of the password",
        "Sign in once more to get a new refresh token.",
    ),
    meaning(
        &[700_082, 70008],
        Authentication,
        "the refresh token has expired: it was not used for 90 days, or its sign-in has ended",
        "Sign in once more to get a new refresh token.",
    ),
    meaning(
        &[70000],
        Authentication,
        "the grant is not valid: the refresh token or code is malformed, revoked, or of another application",
        "Check that the refresh token is whole, and that -AppId is the application that got it.",
    ),
    meaning(
        &[53003, 530_003, 53000, 53001, 53004],
        AccessDenied,
        "Conditional Access of the tenant blocks the sign-in",
        "The customer's Conditional Access policies must let service providers in, or the sign-in must meet them (device, place, second factor).",
    ),
    meaning(
        &[500_213, 500_212],
        AccessDenied,
        "the tenant's cross-tenant access settings do not let this account in",
        "The customer must allow the partner's tenant in its cross-tenant access settings.",
    ),
    meaning(
        &[65001, 65004, 90094, 90008],
        AccessDenied,
        "the application has no consent in this tenant",
        "Have an administrator of the tenant consent to the application, or give consent through Partner Center (applicationconsents).",
    ),
    meaning(
        &[650_051, 650_052, 500_011, 50001],
        AccessDenied,
        "the tenant has no service principal for the application or for Exchange Online yet",
        "Wait a few minutes after a consent; otherwise check that the tenant has Exchange Online and that consent was given.",
    ),
    meaning(
        &[700_016, 7_000_112],
        Authentication,
        "the application is not known in this tenant, or is disabled there",
        "Check -AppId, and that the application was consented to in the tenant.",
    ),
    meaning(
        &[7_000_215],
        Authentication,
        "the client secret is wrong",
        "Give the secret's value, not its id, and check that it is of this application.",
    ),
    meaning(&[7_000_222], Authentication, "the client secret has expired", "Make a new secret for the application."),
    meaning(
        &[7_000_218],
        Authentication,
        "the application is confidential and must show a secret or a certificate",
        "Give the client secret or the certificate of the application, or allow public client flows for it.",
    ),
    meaning(
        &[700_027, 700_023, 700_030],
        Authentication,
        "the certificate is not one that the application is registered with",
        "Upload the certificate to the application, and check -AppId.",
    ),
    meaning(
        &[700_024],
        Authentication,
        "the client's assertion is not within its time",
        "Check this computer's clock, and that the assertion is a new one.",
    ),
    meaning(
        &[70021, 700_211, 700_212, 700_213],
        Authentication,
        "the application trusts no such assertion: none of its federated credentials has this issuer, subject and audience",
        "Compare the federated credential of the application with the claims iss, sub and aud of the assertion.",
    ),
    meaning(
        &[700_003, 700_007],
        AccessDenied,
        "the device is not one that the tenant trusts",
        "Sign in from a device that the tenant's policies allow.",
    ),
    meaning(
        &[70016],
        Authentication,
        "the sign-in on the other device is not done yet",
        "Enter the code on the page named, then try again.",
    ),
    meaning(&[70020, 70019], Authentication, "the code for the other device has expired", "Connect again, and enter the new code in time."),
    meaning(&[501_481, 50148], Authentication, "the sign-in was not finished by whom it was begun", "Connect again."),
    meaning(
        &[90002, 90072, 900_023, 5_000_224, 50059, 90051],
        TenantNotFound,
        "there is no such tenant, or it is not available any more",
        "Check the organization: the initial .onmicrosoft.com name or the tenant id are sure, and the environment must be the tenant's cloud.",
    ),
    meaning(&[900_144, 90014], InvalidArgument, "the authority lacks something that it needs", "Give what the authority names."),
    meaning(&[50196], ErrorKind::Throttled, "the authority sees too many requests alike", "Wait before the next attempt."),
    meaning(&[90033, 90036, 90098, 10001], Service, "the authority has a passing trouble", "Try again in a while."),
];

/// The authority's no.
pub(super) struct Refusal {
    status: u16,
    /// The name in OAuth.
    pub(super) error: String,
    pub(super) code: Option<u32>,
    text: String,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    host: String,
}

/// Text of the authority's for people: its first lines, without ids, and of a length.
fn shown(text: &str) -> String {
    let text = text.split(" Trace ID:").next().unwrap_or_default();
    let text = text.split("\r\n").next().unwrap_or_default();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect::<String>().trim().trim_end_matches('.').to_owned()
}

impl Refusal {
    /// Out of an answer that is no token.
    pub(super) fn of(url: &Url, reply: &HttpResponse) -> Self {
        let json: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
        let description = json["error_description"].as_str().unwrap_or_default();
        Self::new(url, reply, json["error"].as_str().unwrap_or_default(), description, &json["error_codes"])
    }

    fn new(url: &Url, reply: &HttpResponse, error: &str, description: &str, codes: &Json) -> Self {
        let in_text = || {
            let digits = description.strip_prefix("AADSTS")?;
            digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse().ok()
        };
        let code = codes[0].as_u64().and_then(|c| u32::try_from(c).ok()).or_else(in_text);
        Self {
            status: reply.status,
            error: shown(error),
            code,
            text: shown(description),
            retry_after: reply.retry_after,
            request_id: reply.request_id.clone(),
            host: url.host_str().unwrap_or_default().to_owned(),
        }
    }

    /// Out of what a browser brought back.
    pub(super) fn brought(url: &Url, error: &str, description: &str) -> Self {
        Self::new(url, &HttpResponse { status: 400, ..HttpResponse::default() }, error, description, &Json::Null)
    }

    /// Whether a refresh token is of no use any more, so that another may be.
    pub(super) fn is_spent(&self) -> bool {
        self.error == "invalid_grant" && matches!(self.code, None | Some(70000 | 70008 | 70043 | 50173 | 50133 | 700_081 | 700_082))
    }

    /// Whether the authority has a trouble of its own that will pass.
    pub(super) fn is_passing(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    /// The error for a sign-in at this tenant.
    pub(super) fn error(&self, tenant: &str) -> Error {
        let known = self.code.and_then(|code| MEANINGS.iter().find(|m| m.codes.contains(&code)));
        let number = self.code.map(|code| format!("AADSTS{code}"));
        let (kind, text, remedy) = match known {
            Some(m) => (m.kind, m.sentence.to_owned(), Some(m.remedy)),
            None => {
                let text = self.text.split_once(": ").filter(|(head, _)| head.starts_with("AADSTS")).map_or(self.text.as_str(), |t| t.1);
                let text = if self.error == "authorization_declined" {
                    "the sign-in was declined on the other device".to_owned()
                } else if !text.is_empty() {
                    format!("the authority refuses the sign-in: {text}")
                } else if self.error.is_empty() {
                    format!("the authority answers with http status {}", self.status)
                } else {
                    format!("the authority refuses the sign-in ({})", self.error)
                };
                (self.kind(), text, None)
            }
        };
        let kind = if self.status == 429 { ErrorKind::Throttled } else { kind };
        let text = number.as_ref().map_or_else(|| text.clone(), |n| format!("{text} ({n})"));
        let mut error = Error::new(kind, CONTEXT, text).with_fact(fact::HOST, &self.host).with_fact(fact::HTTP_STATUS, self.status);
        if tenant != super::clouds::ANY_TENANT {
            error = error.with_fact(fact::TENANT, tenant);
        }
        if let Some(number) = number {
            error = error.with_fact(fact::AUTHORITY_CODE, number);
        }
        if let Some(id) = &self.request_id {
            error = error.with_fact(fact::REQUEST_ID, id);
        }
        if let Some(after) = self.retry_after {
            error = error.with_fact(fact::RETRY_AFTER_MS, after.as_millis());
        }
        match remedy {
            Some(remedy) => error.with_fact(fact::REMEDY, remedy),
            None => error,
        }
    }

    /// By the name in OAuth and the status, where the number says nothing.
    fn kind(&self) -> ErrorKind {
        match (self.error.as_str(), self.status) {
            (_, 429) => ErrorKind::Throttled,
            ("temporarily_unavailable" | "server_error", _) | (_, 500..) => ErrorKind::Service,
            ("invalid_tenant", _) => ErrorKind::TenantNotFound,
            ("access_denied" | "consent_required" | "authorization_declined" | "unauthorized_client" | "invalid_resource", _) => {
                ErrorKind::AccessDenied
            }
            ("invalid_request" | "invalid_scope" | "unsupported_grant_type", _) => ErrorKind::InvalidArgument,
            ("", 300..400) => ErrorKind::Protocol,
            _ => ErrorKind::Authentication,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        let reply = HttpResponse { status, body: body.to_owned().into(), ..HttpResponse::default() };
        Refusal::of(&Url::parse("https://login.example.com/").unwrap(), &reply)
    }

    #[test]
    fn no_number_has_two_meanings() {
        let mut all: Vec<_> = MEANINGS.iter().flat_map(|m| m.codes).collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|w| w[0] != w[1]), "{all:?}");
    }

    #[test]
    fn an_unknown_number_keeps_its_words_and_a_known_one_gets_ours() {
        let text = r#"{"error":"invalid_grant","error_description":"AADSTS4711: Something\u0007 odd. Trace ID: x Timestamp: y","error_codes":[4711]}"#;
        let e = refusal(400, text).error("a.com");
        assert_eq!(e.to_string(), "get token: the authority refuses the sign-in: Something  odd (AADSTS4711)");
        assert_eq!((e.kind(), e.fact(fact::TENANT), e.fact(fact::REMEDY)), (ErrorKind::Authentication, Some("a.com"), None));
        // The number is read out of the text where there is no list.
        let e = refusal(400, r#"{"error":"invalid_grant","error_description":"AADSTS50126: x"}"#).error("organizations");
        assert_eq!(e.to_string(), "get token: the user name or the password is wrong (AADSTS50126)");
        assert_eq!((e.fact(fact::AUTHORITY_CODE), e.fact(fact::TENANT)), (Some("AADSTS50126"), None));
    }

    #[test]
    fn what_is_no_oauth_is_told_by_its_status() {
        for (status, body, kind) in [
            (503, "<html>", ErrorKind::Service),
            (429, "", ErrorKind::Throttled),
            (302, "", ErrorKind::Protocol),
            (400, "[1]", ErrorKind::Authentication),
            (400, r#"{"error":"invalid_tenant"}"#, ErrorKind::TenantNotFound),
            (400, r#"{"error":7,"error_codes":["x"]}"#, ErrorKind::Authentication),
        ] {
            assert_eq!(refusal(status, body).error("t").kind(), kind, "{status} {body}");
        }
    }
}
