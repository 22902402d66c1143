//! The simulator's REST road and token endpoint, asked by clients that are not ours. (rest.md)

use crate::support;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use delegated_tenant::clixml::{self, Limits};
use delegated_tenant::secret::Secret;
use delegated_tenant::sim::{App, Builder, Redirect, Tenant};
use delegated_tenant::transport::http::{HttpClient, HttpOptions, HttpRequest, HttpResponse, Method, Proxy};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use url::Url;

const ORGANIZATION: &str = "fabrikam.com";

/// A tenant and one who asks it, with cookies and a token.
struct Asker {
    tenant: Tenant,
    http: HttpClient,
    token: Secret<String>,
}

impl Asker {
    async fn of(builder: Builder) -> Self {
        let tenant = builder.start().unwrap();
        let http = HttpClient::new(&HttpOptions { proxy: Proxy::None, ..HttpOptions::default() }).unwrap();
        let mut asker = Self { tenant, http, token: Secret::default() };
        asker.token = asker.signed_in(ORGANIZATION, "https://outlook.office365.com").await;
        asker
    }

    async fn signed_in(&self, organization: &str, resource: &str) -> Secret<String> {
        let form = format!(
            "grant_type=refresh_token&client_id=a0c73c16-a7e3-4564-9a95-2bdf47383716&refresh_token=partner-refresh-token&scope={resource}/.default"
        );
        let reply = self.send(Method::Post, &format!("/{organization}/oauth2/v2.0/token"), &[], &form).await;
        let told: Json = serde_json::from_slice(&reply.body).unwrap();
        Secret::new(told["access_token"].as_str().expect("a token").to_owned())
    }

    async fn send(&self, method: Method, place: &str, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        let text = if place.starts_with("http") { place.to_owned() } else { format!("{}{place}", self.tenant.rest_uri()) };
        let url = Url::parse(&text).unwrap();
        let bearer = (!self.token.reveal().is_empty()).then_some(&self.token);
        let request = HttpRequest { method, url: &url, headers, bearer, body: body.to_owned().into(), timeout: Duration::from_secs(20) };
        self.http.send(request).await.unwrap()
    }

    async fn raw(&self, place: Option<&str>, cmdlet: &str, parameters: &Json, headers: &[(&str, &str)]) -> HttpResponse {
        let body = json!({"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}).to_string();
        let first = format!("/adminapi/beta/{ORGANIZATION}/InvokeCommand");
        self.send(Method::Post, place.unwrap_or(&first), headers, &body).await
    }

    async fn call(&self, cmdlet: &str, parameters: Json) -> (u16, Json) {
        let reply = self.raw(None, cmdlet, &parameters, &[]).await;
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
    }

    async fn good(&self, cmdlet: &str, parameters: Json) -> Json {
        let (status, body) = self.call(cmdlet, parameters).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

/// Runs a Python judge and gives what it printed.
pub fn judge(python: &Path, script: &str, arguments: &[&str]) -> String {
    let run = Command::new(python).arg(support::root().join("tests/interop").join(script)).args(arguments).output().expect("python runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(run.status.success(), "{script}: {}{}", text(&run.stdout), text(&run.stderr));
    text(&run.stdout)
}

#[tokio::test]
async fn errors_come_in_every_shape_that_was_seen() {
    let asker = Asker::of(Tenant::builder()).await;
    let kind = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException";
    for (shape, begins) in [("hex", "Ex"), ("bar", "|Microsoft"), ("json", "{"), ("localized", "{"), ("inner", "")] {
        asker.tenant.arm(format!("error-shape={shape}@rest").parse().unwrap());
        let reply = asker.raw(None, "Get-Mailbox", &json!({"Identity": "nobody"}), &[]).await;
        assert_eq!((reply.status, reply.headers.get("x-ExceptionType").as_deref()), (404, kind.rsplit('.').next()));
        assert!(reply.request_id.is_some() && reply.server.is_some());
        let error = &serde_json::from_slice::<Json>(&reply.body).unwrap()["error"];
        let message = error["details"][0]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(begins), "{shape}: {message}");
        if shape != "inner" {
            assert!(message.contains(kind) && message.contains("'nobody' couldn't be found"), "{message}");
            assert_eq!(error["details"][0]["code"], "NotSpecified");
        }
        if begins == "{" {
            assert!(serde_json::from_str::<Json>(message).unwrap()["Message"].is_string());
        }
        assert_eq!(error["innererror"]["internalexception"]["type"], kind);
    }
    for (parameters, exception) in
        [(json!({"Foo": 1}), "AmbiguousParameterSetException"), (json!({"ResultSize": "many"}), "ParameterTransformationException")]
    {
        let (status, body) = asker.call("Get-Mailbox", parameters).await;
        assert!(status == 400 && body.to_string().contains(exception), "{body}");
    }
    // Errors beside output stand in the answer.
    let body = asker.good("Test-Stream", json!({})).await;
    assert_eq!(body["@adminapi.errors"], json!(["|System.InvalidOperationException|an error"]));
    assert_eq!((&body["@adminapi.warnings"], body["value"].as_array().unwrap().len()), (&json!(["a warning"]), 2));
    let quiet = asker.raw(None, "Test-Stream", &json!({}), &[("WarningAction", "SilentlyContinue")]).await;
    assert_eq!(serde_json::from_slice::<Json>(&quiet.body).unwrap()["@adminapi.warnings"], json!([]));
    for body in [
        "",
        "[]",
        "{}",
        r#"{"CmdletInput":{"CmdletName":"Get-Mailbox"}}"#,
        r#"{"CmdletInput":{"CmdletName":"Get-Mailbox","Parameters":null}}"#,
    ] {
        let reply = asker.send(Method::Post, &format!("/adminapi/beta/{ORGANIZATION}/InvokeCommand"), &[], body).await;
        assert_eq!(reply.status, 400, "{body}");
    }
}

#[tokio::test]
async fn what_is_only_asked_about_is_not_done() {
    let asker = Asker::of(Tenant::builder()).await;
    let alias = asker.good("Get-Mailbox", json!({"ResultSize": 1})).await["value"][0]["Alias"].clone();
    for asks in ["Confirm", "WhatIf"] {
        let body = asker.good("Remove-Mailbox", json!({"Identity": alias, asks: true})).await;
        assert!(body["@adminapi.confirmationmessage"].as_str().unwrap().contains(alias.as_str().unwrap()), "{body}");
        asker.good("Get-Mailbox", json!({"Identity": alias})).await;
    }
    let body = asker.good("Remove-Mailbox", json!({"Identity": alias, "Confirm": false})).await;
    assert_eq!((body.get("@adminapi.confirmationmessage"), &body["value"]), (None, &json!([])));
    assert_eq!(asker.call("Get-Mailbox", json!({"Identity": alias})).await.0, 404);
}

#[tokio::test]
async fn parameters_arrive_with_their_types() {
    let asker = Asker::of(Tenant::builder()).await;
    let mailbox = asker.good("Get-Mailbox", json!({"ResultSize": 1})).await["value"][0].clone();
    let (alias, before) = (&mailbox["Alias"], mailbox["EmailAddresses"].as_array().unwrap());
    let delta = json!({"@odata.type": "#Exchange.GenericHashTable", "Add": ["smtp:new@fabrikam.com"], "Remove": [before[1]]});
    asker
        .good("Set-Mailbox", json!({"Identity": alias, "EmailAddresses": delta, "HiddenFromAddressListsEnabled": true, "Confirm": false}))
        .await;
    let after = asker.good("Get-Mailbox", json!({"Identity": alias})).await["value"][0].clone();
    let mut expected = before.clone();
    expected.remove(1);
    expected.push("smtp:new@fabrikam.com".into());
    assert_eq!((&after["EmailAddresses"], &after["HiddenFromAddressListsEnabled"]), (&json!(expected), &json!(true)));
    let (status, body) = asker.call("Set-Mailbox", json!({"Identity": alias, "EmailAddresses": {"Add": ["x"]}})).await;
    assert!(status == 400 && body.to_string().contains("without a type name"), "{body}");
    let bytes = json!({"InputObject": {"@odata.type": "#Exchange.ByteArrayType", "Data": [0, 255]}});
    let echoed = asker.good("Test-Echo", bytes).await;
    assert_eq!(echoed["value"][0], json!({"value@data.type": "System.Byte[]", "value": "AP8="}));
}

#[tokio::test]
async fn a_password_comes_under_the_published_key() {
    let asker = Asker::of(Tenant::builder()).await;
    let reply = asker
        .send(Method::Get, &format!("/AdminApi/v1.0/{ORGANIZATION}/EXOModuleFile?Version=3.9.0"), &[("CommandName", "New-Mailbo?")], "")
        .await;
    let files: Json = serde_json::from_slice(&reply.body).unwrap();
    let (file, script) = (&files["value"][0], files["value"][0]["fileContent"].as_str().unwrap());
    assert_eq!((&file["fileName"], &file["exportedCmdlets"]), (&json!("ExchangeOnline.psm1"), &json!("New-Mailbox")));
    assert!(script.contains("function script:New-Mailbox"), "{script}");
    let number = |name: &str| {
        let text = script.split(&format!("<{name}>")).nth(1).and_then(|t| t.split('<').next()).unwrap();
        let bytes = BASE64_STANDARD.decode(text).unwrap();
        rsa::BoxedUint::from_be_slice(&bytes, bytes.len() as u32 * 8).unwrap()
    };
    let key = rsa::PublicKey::new(number("Modulus"), number("Exponent")).unwrap();
    let encrypted = BASE64_STANDARD.encode(key.pkcs1v15_encrypt("pa\u{df}word-long".as_bytes()).unwrap());
    let created = asker.good("New-Mailbox", json!({"Name": "newone", "Password": encrypted, "Confirm": false})).await;
    assert_eq!(created["value"][0]["Alias"], "newone");
    assert_eq!(asker.call("New-Mailbox", json!({"Name": "other", "Password": "plain-text-password"})).await.0, 400);
    let banner =
        asker.send(Method::Get, &format!("/adminapi/v1.0/{ORGANIZATION}/EXOBanner('AutogenSession')?Version=3.9.0"), &[], "").await;
    let schema = asker.send(Method::Get, &format!("/adminapi/beta/{ORGANIZATION}/$metadata"), &[], "").await;
    assert_eq!((banner.status, schema.status), (200, 200));
    assert!(String::from_utf8_lossy(&schema.body).contains("InvokeCommand"));
}

#[tokio::test]
async fn pages_lead_on_for_whom_they_were_made() {
    let asker = Asker::of(Tenant::builder().mailboxes(25)).await;
    let all = json!({"ResultSize": "Unlimited"});
    let headers = [("Prefer", "odata.maxpagesize=10"), ("X-AnchorMailbox", "UPN:a@fabrikam.com"), ("X-ResponseFormat", "clixml")];
    let read = |reply: &HttpResponse| serde_json::from_slice::<Json>(&reply.body).unwrap();
    let page = read(&asker.raw(None, "Get-Mailbox", &all, &headers).await);
    let link = page["@odata.nextLink"].as_str().unwrap().to_owned();
    assert_eq!((page["value"].as_array().unwrap().len(), &page["@adminapi.warnings"]), (10, &json!([])));
    let text = page["value"][0]["_clixml"].as_str().unwrap();
    let value = clixml::read_document(text.as_bytes(), Limits::default()).unwrap().remove(0);
    assert!(value.as_object().unwrap().is_a("Microsoft.Exchange.Data.Directory.Management.Mailbox"));
    let second = asker.raw(Some(&link), "Get-Mailbox", &all, &headers).await;
    let again = asker.raw(Some(&link), "Get-Mailbox", &all, &headers).await;
    assert_eq!((second.status, &second.body), (200, &again.body), "a page may be asked for twice");
    let third = read(&asker.raw(read(&second)["@odata.nextLink"].as_str(), "Get-Mailbox", &all, &headers).await);
    assert_eq!((third["value"].as_array().unwrap().len(), third.get("@odata.nextLink")), (5, None));
    let stranger = HttpClient::new(&HttpOptions { proxy: Proxy::None, ..HttpOptions::default() }).unwrap();
    for (http, headers, input) in
        [(&stranger, &headers[..], &all), (&asker.http, &headers[..1], &all), (&asker.http, &headers[..], &json!({"ResultSize": 3}))]
    {
        let body = json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": input}}).to_string();
        let url = Url::parse(&link).unwrap();
        let request = HttpRequest {
            method: Method::Post,
            url: &url,
            headers,
            bearer: Some(&asker.token),
            body: body.into(),
            timeout: Duration::from_secs(20),
        };
        let reply = http.send(request).await.unwrap();
        assert_eq!(reply.status, 400);
        assert!(String::from_utf8_lossy(&reply.body).contains("Expired or Invalid pagination request"));
    }
    asker.tenant.arm("expired-page@page".parse().unwrap());
    assert_eq!(asker.raw(Some(&link), "Get-Mailbox", &all, &headers).await.status, 400);
    // A size below the total is a page with a warning, and leads on.
    let few = asker.good("Get-Mailbox", json!({"ResultSize": 3})).await;
    assert_eq!((few["value"].as_array().unwrap().len(), few["@odata.nextLink"].is_string()), (3, true));
    assert!(few["@adminapi.warnings"][0].as_str().unwrap().starts_with("There are more results available"));
    let cut = asker
        .send(
            Method::Post,
            &format!("/adminapi/beta/{ORGANIZATION}/InvokeCommand?$select=Alias,Guid"),
            &[],
            &json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {}}}).to_string(),
        )
        .await;
    assert_eq!(read(&cut)["value"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["Alias", "Guid", "Guid@data.type"]);
    let odd = Asker::of(Tenant::builder().port_446(true)).await;
    assert!(odd.good("Get-Mailbox", json!({"ResultSize": 1})).await["@odata.nextLink"].as_str().unwrap().contains("127.0.0.1:446/"));
}

#[tokio::test]
async fn without_a_size_a_thousand_come_with_a_warning() {
    let asker = Asker::of(Tenant::builder().mailboxes(1001)).await;
    let body = asker.good("Get-Mailbox", json!({})).await;
    assert_eq!(body["value"].as_array().unwrap().len(), 1000);
    assert!(body["@adminapi.warnings"][0].as_str().unwrap().starts_with("By default, only the first 1000 items"));
}

#[tokio::test]
async fn who_may_not_is_told_in_the_services_own_ways() {
    let mut asker = Asker::of(Tenant::builder().hide("Get-User").token("given").max_concurrent(1)).await;
    for (cmdlet, why) in [("Get-User", true), ("Get-Nonesuch", true), ("Select-Object", true)] {
        let reply = asker.raw(None, cmdlet, &json!({}), &[]).await;
        assert!(reply.status == 403 && reply.body.len() > 4000 && reply.body.iter().all(|b| *b == 0), "{cmdlet}");
        assert_eq!(reply.headers.get("x-ms-diagnostics").is_some(), why);
    }
    asker.tenant.arm("nul-403@rest".parse().unwrap());
    assert_eq!(asker.raw(None, "Get-Mailbox", &json!({}), &[]).await.headers.get("x-ms-diagnostics"), None);
    for (fault, status, after) in
        [("throttled=7@rest", 429, Some(7)), ("throttled@rest", 429, None), ("unavailable@rest", 503, None), ("504@rest", 504, None)]
    {
        asker.tenant.arm(fault.parse().unwrap());
        let reply = asker.raw(None, "Get-Mailbox", &json!({}), &[]).await;
        assert_eq!((reply.status, reply.retry_after), (status, after.map(Duration::from_secs)), "{fault}");
    }
    asker.tenant.arm("gzip-lie@rest".parse().unwrap());
    let lied = asker.raw(None, "Get-OrganizationConfig", &json!({}), &[]).await;
    assert!(lied.headers.get("content-encoding").as_deref() == Some("gzip") && lied.body.starts_with(b"{"));
    let slow = json!({"Count": 1, "Milliseconds": 300});
    let (one, other) = tokio::join!(asker.raw(None, "Test-Slow", &slow, &[]), asker.raw(None, "Test-Slow", &slow, &[]));
    let statuses = [one.status.min(other.status), one.status.max(other.status)];
    assert_eq!(statuses, [200, 429]);
    let good = asker.token.clone();
    for token in [
        Secret::new("made-up".to_owned()),
        asker.signed_in(ORGANIZATION, "https://graph.microsoft.com").await,
        asker.signed_in("contoso.com", "https://outlook.office365.com").await,
    ] {
        asker.token = token;
        let reply = asker.raw(None, "Get-Mailbox", &json!({}), &[]).await;
        assert_eq!(reply.status, 401);
        assert!(reply.headers.get("WWW-Authenticate").unwrap().contains("invalid_token"));
    }
    asker.token = Secret::new("given".to_owned());
    assert_eq!(asker.call("Get-OrganizationConfig", json!({})).await.0, 200);
    asker.token = good;
    asker.tenant.arm("token-expiry@rest".parse().unwrap());
    for _ in 0..2 {
        assert_eq!(asker.call("Get-OrganizationConfig", json!({})).await.0, 401);
    }
}

#[tokio::test]
async fn a_front_door_sends_to_a_pod() {
    let asker = Asker::of(Tenant::builder().redirect(Redirect::Pod)).await;
    let reply = asker.raw(None, "Get-Mailbox", &json!({"ResultSize": 1}), &[]).await;
    assert_eq!(reply.status, 302);
    let pod = reply.location.unwrap();
    let body: Json = serde_json::from_slice(&asker.raw(Some(&pod), "Get-Mailbox", &json!({"ResultSize": 1}), &[]).await.body).unwrap();
    let host = |text: &str| Url::parse(text).unwrap().port();
    assert_eq!(host(body["@odata.nextLink"].as_str().unwrap()), host(&pod), "the pod leads on to itself");
}

#[test]
fn a_script_of_a_few_lines_reads_the_rest_road() {
    let Some(python) = support::python() else { return };
    let tenant = Tenant::builder().start().unwrap();
    assert_eq!(judge(&python, "rest_client.py", &[&tenant.rest_uri()]), "25 mailboxes\n");
    let stats = tenant.stats();
    assert_eq!((stats.tokens, stats.operations["page"], stats.operations["batch"]), (1, 2, 1));
}

#[test]
fn microsofts_own_library_signs_in_by_every_flow() {
    let Some(python) = support::python_with("msal, cryptography") else { return };
    let folder = support::scratch("msal");
    judge(&python, "make_certificate.py", &[folder.to_str().unwrap()]);
    let certificate = std::fs::read_to_string(folder.join("cert.pem")).unwrap();
    let (secret, certified) = ("11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000");
    let tenant = Tenant::builder()
        .device(1, 1)
        .app(App { id: secret.into(), secret: Some("app-secret".into()), certificate: None })
        .app(App { id: certified.into(), secret: None, certificate: Some(certificate) })
        .start()
        .unwrap();
    assert_eq!(judge(&python, "msal_judge.py", &[&tenant.rest_uri(), folder.to_str().unwrap(), certified]), "every flow\n");
    assert_eq!(tenant.stats().tokens, 6);
}
