//! AADSTS errors in the authority's words.

use super::Answer;
use crate::clixml::date_time;
use crate::sim::records::seconds_now;
use serde_json::json;
use uuid::Uuid;

/// Code, OAuth error, text.
const CODES: &[(u32, &str, &str)] = &[
    (
        50020,
        "invalid_grant",
        "User account 'admin@partner.com' from identity provider 'https://sts.windows.net/' does not exist in tenant 'Customer' and cannot access the application in that tenant. The account needs to be added as an external user in the tenant first.",
    ),
    (
        50034,
        "invalid_grant",
        "The user account does not exist in the directory. To sign into this application, the account must be added to the directory.",
    ),
    (50053, "invalid_grant", "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."),
    (50055, "invalid_grant", "The password is expired."),
    (50057, "invalid_grant", "The user account is disabled."),
    (
        50076,
        "invalid_grant",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000002-0000-0ff1-ce00-000000000000'.",
    ),
    (
        50079,
        "invalid_grant",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '00000002-0000-0ff1-ce00-000000000000'.",
    ),
    (50126, "invalid_grant", "Error validating credentials due to invalid username or password."),
    (50173, "invalid_grant", "The provided grant has expired due to it being revoked, a fresh auth token is needed."),
    (
        50177,
        "invalid_grant",
        "User account 'admin@partner.com' from identity provider 'https://sts.windows.net/' does not exist in tenant 'Customer' and cannot access the application in that tenant.",
    ),
    (50196, "invalid_grant", "The server terminated an operation because it encountered a client request loop."),
    (
        53000,
        "invalid_grant",
        "Device is not in required device state. Conditional Access policy requires a compliant device, and the device is not compliant.",
    ),
    (
        53003,
        "interaction_required",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    ),
    (
        65001,
        "invalid_grant",
        "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.",
    ),
    (70000, "invalid_grant", "Provided grant is invalid or malformed."),
    (70008, "invalid_grant", "The provided authorization code or refresh token has expired due to inactivity."),
    (70016, "authorization_pending", "OAuth 2.0 device flow error. Authorization is pending. Continue polling."),
    (70018, "invalid_grant", "Invalid verification code due to User typing in wrong user code for device code flow."),
    (70020, "expired_token", "The provided value for the input parameter 'device_code' is not valid. This device code has expired."),
    (90002, "invalid_tenant", "Tenant not found."),
    (90023, "invalid_request", "Request is malformed or invalid."),
    (90094, "consent_required", "The grant requires administrator permission."),
    (500011, "invalid_resource", "The resource principal named was not found in the tenant."),
    (500213, "invalid_grant", "The resource tenant's cross-tenant access policy does not allow this user to access this tenant."),
    (530003, "interaction_required", "Your device is required to be managed to access this resource."),
    (
        650051,
        "invalid_client",
        "Application is requesting permissions to the application, but the service principal is already present or not there yet.",
    ),
    (650052, "invalid_client", "The app is trying to access a service that your organization lacks a service principal for."),
    (700003, "invalid_grant", "Device object was not found in the tenant."),
    (700016, "unauthorized_client", "Application with the identifier was not found in the directory."),
    (700024, "invalid_client", "Client assertion is not within its valid time range."),
    (700027, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application."),
    (700213, "invalid_client", "No matching federated identity record found for presented assertion subject."),
    (
        700082,
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on 2026-01-01 and was inactive for 90.00:00:00.",
    ),
    (
        7000215,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.",
    ),
    (7000218, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."),
    (7000222, "invalid_client", "The provided client secret keys are expired."),
    (900023, "invalid_request", "Specified tenant identifier is neither a valid DNS name, nor a valid external domain."),
    (900144, "invalid_request", "The request body must contain the following parameter."),
    (501481, "invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the authorization request."),
    (
        5000224,
        "invalid_grant",
        "We are sorry, this resource is not available. If you are seeing this message by mistake, please contact Microsoft support.",
    ),
];

/// Whether a code is known here.
pub fn known(code: u32) -> bool {
    CODES.iter().any(|c| c.0 == code)
}

/// An error of the authority.
pub struct Trouble {
    code: u32,
    error: &'static str,
    text: String,
}

impl Trouble {
    /// By its number.
    pub fn code(code: u32) -> Self {
        let known = CODES.iter().find(|c| c.0 == code);
        let (error, text) = known.map_or(("invalid_request", "The request failed."), |c| (c.1, c.2));
        Self { code, error, text: text.to_owned() }
    }

    /// By its name in OAuth.
    pub fn named(error: &'static str) -> Self {
        match CODES.iter().find(|c| c.1 == error) {
            Some(known) => Self::code(known.0),
            None => Self { code: 0, error, text: String::new() },
        }
    }

    /// With another text.
    #[must_use]
    pub fn about(self, text: &str) -> Self {
        Self { text: text.to_owned(), ..self }
    }

    /// Its OAuth error.
    pub fn error(&self) -> &'static str {
        self.error
    }

    /// As error_description has it.
    pub fn description(&self) -> String {
        if self.code == 0 {
            return String::new();
        }
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        format!("AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {}", self.code, self.text, stamp())
    }

    /// The answer.
    pub fn answer(&self) -> Answer {
        let status = if self.error == "invalid_client" { 401 } else { 400 };
        let mut body = json!({
            "error": self.error, "error_description": self.description(), "error_codes": [self.code], "timestamp": stamp(),
            "trace_id": Uuid::new_v4().to_string(), "correlation_id": Uuid::new_v4().to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        match self.code {
            // Not every error has a number.
            0 => body["error_codes"] = json!([]),
            50126 | 700082 | 70008 => body["suberror"] = "bad_token".into(),
            50076 | 50079 => body["suberror"] = "basic_action".into(),
            53003 | 53000 | 530003 => {
                body["suberror"] = "message_only".into();
                body["claims"] = r#"{"access_token":{"capolids":{"essential":true,"values":["1d5b3f64"]}}}"#.into();
            }
            _ => {}
        }
        Answer { status, headers: Vec::new(), body }
    }
}

fn stamp() -> String {
    date_time(seconds_now()).replace('T', " ") + "Z"
}
