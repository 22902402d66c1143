//! The way to Exchange Online, step by step, where each step in turn is the one that fails.

use super::LONG;
use delegated_tenant::ErrorKind;
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Check, Options, Outcome, Session, Step};
use delegated_tenant::sim::{Builder, Tenant};

fn tenant(change: impl FnOnce(Builder) -> Builder) -> Tenant {
    change(Tenant::builder().token("token-of-a-test")).start().unwrap()
}

/// A partner's application; keys that begin with `!` are secrets.
fn options(tenant: &Tenant, more: &[(&str, &str)]) -> Options {
    let (uri, authority) = (format!("{}/adminapi/beta", tenant.rest_uri()), tenant.authority());
    let ours = [
        ("uri", uri.as_str()),
        ("authority", authority.as_str()),
        ("organization", "fabrikam.com"),
        ("allow_unencrypted", "true"),
        ("proxy", "none"),
    ];
    let app = [("app_id", "11111111-2222-3333-4444-555555555555"), ("!client_secret", "app-secret")];
    let mut options = Options::new();
    // Microsoft's own client has no secret.
    let app = app.iter().filter(|_| !more.contains(&("device", "true")));
    for (key, value) in ours.iter().chain(app).chain(more) {
        match key.strip_prefix('!') {
            Some(secret) => options.set_secret(secret, Secret::new((*value).to_owned())).unwrap(),
            None => options.set(key, value).unwrap(),
        }
    }
    options
}

fn walk(options: &Options) -> (Vec<Step>, Vec<String>) {
    let check = Check::start(options).unwrap();
    let steps = crate::support::steps(&check, LONG);
    let names: Vec<_> = steps.iter().map(|s| s.name).collect();
    assert_eq!(names, ["Name", "TCP", "TLS", "HTTP", "SignIn", "Service", "Organization"], "each step is told once");
    let warnings = (0..).map_while(|at| check.warning(at)).map(|text| text.to_str().unwrap().to_owned()).collect();
    (steps, warnings)
}

/// The step that fails; those before it did not, and those behind it were not reached.
#[track_caller]
fn fails(options: &Options, name: &str, kind: ErrorKind, words: &str, remedy: &str) {
    let (steps, _) = walk(options);
    let at = steps.iter().position(|s| s.outcome == Outcome::Failed).unwrap_or_else(|| panic!("nothing failed: {steps:#?}"));
    let step = &steps[at];
    assert!(steps[at + 1..].iter().all(|s| s.outcome == Outcome::Skipped && s.detail == "not reached"), "{steps:#?}");
    assert_eq!((step.name, step.error.as_ref().unwrap().kind()), (name, kind), "{step:?}");
    assert!(step.detail.contains(words) && step.remedy.as_deref().unwrap_or_default().contains(remedy), "{step:?}");
    assert!(!format!("{step:?}").contains("app-secret"), "{step:?}");
}

#[test]
fn a_walk_that_leads_to_the_organization_tells_who_was_let_in_where() {
    let tenant = tenant(|b| b);
    let (steps, warnings) = walk(&options(&tenant, &[("!refresh_token", "partner-refresh-token")]));
    use Outcome::{Passed, Skipped};
    let outcomes: Vec<_> = steps.iter().map(|s| s.outcome).collect();
    assert_eq!(outcomes, [Skipped, Passed, Skipped, Passed, Passed, Passed, Passed], "{steps:#?}");
    assert!(steps[4].detail.starts_with("the authority gives admin@partner.com a token in the tenant "), "{:?}", steps[4]);
    assert_eq!(steps[5].detail, "127.0.0.1 takes the token");
    assert!(steps[6].detail.contains("fabrikam.onmicrosoft.com"), "{:?}", steps[6]);
    assert!(warnings.is_empty(), "{warnings:?}");
    let (steps, _) = walk(&options(&tenant, &[("!access_token", "token-of-a-test")]));
    assert!(steps[4].outcome == Skipped && steps[4].detail.contains("no authority is asked"), "{:?}", steps[4]);
}

#[test]
fn each_cause_of_the_authoritys_is_told_at_the_sign_in() {
    use ErrorKind::{AccessDenied, Authentication, TenantNotFound};
    let tenant = tenant(|b| b.without_relation("tailspintoys.com"));
    // A token of an earlier sign-in proves nothing of this one.
    walk(&options(&tenant, &[]));
    let token = [("!refresh_token", "partner-refresh-token")];
    for (code, kind, words, remedy) in [
        ("7000215", Authentication, "the client secret is wrong (AADSTS7000215)", "not its id"),
        ("65001", AccessDenied, "no consent in this tenant", "Partner Center"),
        ("700016", Authentication, "not known in this tenant", "-AppId"),
        ("50076", Authentication, "second factor", "-Device"),
        ("53003", AccessDenied, "Conditional Access", "service providers"),
    ] {
        tenant.arm(format!("aadsts={code}@token").parse().unwrap());
        fails(&options(&tenant, &token), "SignIn", kind, words, remedy);
    }
    let away = |organization| options(&tenant, &[("organization", organization), token[0]]);
    fails(&away("tailspintoys.com"), "SignIn", AccessDenied, "no delegated relation", "GDAP");
    fails(&away("nowhere.example"), "SignIn", TenantNotFound, "no such tenant", ".onmicrosoft.com");
    let unreachable = options(&tenant, &[("authority", "http://127.0.0.1:1/")]);
    fails(&unreachable, "SignIn", ErrorKind::Connect, "127.0.0.1:1", "");
}

#[test]
fn the_service_fails_where_the_token_is_of_no_use_there() {
    use ErrorKind::{AccessDenied, Authentication, TenantNotFound};
    let tenant = tenant(|b| b);
    let mine = |more: &[(&str, &str)]| options(&tenant, more);
    fails(&mine(&[("!access_token", "of-another-tenant")]), "Service", Authentication, "is not taken", "access token");
    for (fault, kind, words, remedy) in [
        ("403@module:2", AccessDenied, "no role in this organization", "GDAP relation"),
        ("404@module:2", TenantNotFound, "no such organization", ".onmicrosoft.com"),
        ("throttled=3600@module:2", ErrorKind::Throttled, "too many requests", "Try again"),
    ] {
        // The first is the walk's own, without a token.
        tenant.arm(fault.parse().unwrap());
        fails(&mine(&[]), "Service", kind, words, remedy);
    }
}

#[test]
fn a_sign_in_by_hand_is_told_while_it_lasts() {
    let tenant = tenant(|b| b.device(2, 0));
    let by_hand = options(&tenant, &[("device", "true")]);
    let (steps, warnings) = walk(&by_hand);
    assert_eq!(steps[6].outcome, Outcome::Passed, "{steps:#?}");
    assert!(warnings.len() == 1 && warnings[0].contains("enter the code"), "{warnings:?}");
}

#[test]
fn a_sign_in_that_takes_too_long_says_who_kept_it() {
    let tenant = tenant(|b| b.device(1000, 1));
    let open = |more: &[(&str, &str)]| {
        let limit = ("open_timeout_ms", "300");
        let error = Session::connect(&options(&tenant, &[more, &[limit]].concat()), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        error.detail().to_owned()
    };
    assert_eq!(open(&[("device", "true")]), "nobody signed in within 300 ms");
    tenant.arm("stall@token".parse().unwrap());
    assert_eq!(open(&[]), "the authority gave no token within 300 ms");
}
