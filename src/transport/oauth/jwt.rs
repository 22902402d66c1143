//! What a token tells of itself. Nothing is decided by it: a resource reads its own tokens.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value as Json;

/// A token longer than this tells nothing.
const LIMIT: usize = 64 * 1024;

/// The claims that are facts of a session.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) user: Option<String>,
    pub(super) app: Option<String>,
    pub(super) tenant: Option<String>,
    /// Seconds since 1970.
    pub(super) exp: Option<u64>,
    roles: bool,
}

impl Claims {
    /// Of a JWT; of anything else there are none.
    pub(super) fn of(token: &str) -> Self {
        let body = token.split('.').nth(1).filter(|b| b.len() <= LIMIT);
        let body = body.and_then(|b| BASE64_URL_SAFE_NO_PAD.decode(b.trim_end_matches('=')).ok());
        let Some(Json::Object(body)) = body.and_then(|b| serde_json::from_slice(&b).ok()) else { return Self::default() };
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|n| body.get(*n)?.as_str()).filter(|t| t.len() <= 1024 && !t.contains(char::is_control));
            found.map(str::to_owned)
        };
        Self {
            user: text(&["upn", "unique_name", "preferred_username", "email"]),
            app: text(&["appid", "azp"]),
            tenant: text(&["tid"]),
            exp: body.get("exp").and_then(Json::as_u64),
            roles: body.contains_key("roles") && !body.contains_key("scp"),
        }
    }

    /// What is missing, out of an id_token.
    pub(super) fn fill(&mut self, id_token: Option<&str>) {
        let other = id_token.map(Self::of).unwrap_or_default();
        self.user = self.user.take().or(other.user);
        self.tenant = self.tenant.take().or(other.tenant);
    }

    /// Whether no user stands behind the token.
    pub(super) fn is_application(&self) -> bool {
        self.roles && self.user.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_what_it_can() {
        let body = BASE64_URL_SAFE_NO_PAD.encode(r#"{"upn":"a@b.c","appid":"x","tid":"t","exp":7,"scp":"s","roles":[]}"#);
        let claims = Claims::of(&format!("e30.{body}.sig"));
        assert_eq!((claims.user.as_deref(), claims.tenant.as_deref(), claims.exp), (Some("a@b.c"), Some("t"), Some(7)));
        assert!(!claims.is_application());
        for nothing in ["", "opaque", "a.b.c", "a.W10.c", "..."] {
            assert!(Claims::of(nothing).tenant.is_none(), "{nothing}");
        }
    }
}
