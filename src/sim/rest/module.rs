//! What clients read when they connect: EXOModuleFile, EXOBanner, $metadata, the service document.

use super::super::binder::{Kind, Parameter, Piped};
use super::super::cmdlets::{self, matches};
use super::super::surface;
use super::super::tenant::Service;
use super::secrets::Secrets;
use super::{Allowed, Answer, Asked, errors};
use serde_json::json;
use std::sync::Arc;

/// Answers a GET.
pub fn get(service: &Arc<Service>, asked: &Asked, allowed: &Allowed) -> Answer {
    let (tenant, action) = asked.place().unwrap_or_default();
    let action = action.replace("%27", "'").replace("%24", "$").to_ascii_lowercase();
    let base = format!("http://{}/adminapi/beta/{tenant}", asked.host());
    match action.as_str() {
        "exomodulefile" => module_file(service, asked, &base),
        "exobanner('autogensession')" => {
            let text = format!(
                "This V3 EXO PowerShell module contains new REST API backed Exchange Online cmdlets. You are on {}.",
                allowed.organization.tenant()
            );
            Answer::json(200, json!({"@odata.context": format!("{base}/$metadata#EXOBanner"), "value": [text]}).to_string())
        }
        "$metadata" => {
            let mut answer = Answer::json(200, METADATA.to_owned());
            answer.headers = vec![("Content-Type", "application/xml".to_owned())];
            answer
        }
        "" => {
            let sets = ["Mailbox", "Recipient", "CasMailbox"].map(|n| json!({"name": n, "kind": "EntitySet", "url": n}));
            Answer::json(200, json!({"@odata.context": format!("{base}/$metadata"), "value": sets}).to_string())
        }
        _ => errors::service(404, "NotFound", "Resource not found for the segment."),
    }
}

fn module_file(service: &Arc<Service>, asked: &Asked, base: &str) -> Answer {
    let wanted: Vec<_> = asked.header("commandname").unwrap_or("*").split(',').map(|n| n.trim().to_owned()).collect();
    let shown =
        |name: &str| !service.options.hidden.iter().any(|h| h.eq_ignore_ascii_case(name)) && wanted.iter().any(|w| matches(w, name));
    let real: Vec<_> = cmdlets::all().filter(|c| cmdlets::is_exchange(c)).collect();
    let made_up = surface::made_up().filter(|(name, ..)| !real.iter().any(|c| c.name.eq_ignore_ascii_case(name)));
    let made_up = made_up.take(service.options.cmdlets.saturating_sub(real.len()));
    let secrets = service.rest.secrets.get_or_init(Secrets::new);
    let mut script = format!("$script:PublicKey = '{}'\r\n", secrets.public_xml());
    let mut names = Vec::new();
    for info in real.iter().filter(|c| shown(c.name)) {
        function(&mut script, info.name, info.confirms, info.parameters.iter().map(|p| (p.name, declared(p))));
        names.push(info.name.to_owned());
    }
    for (name, parameters, confirms) in made_up.filter(|(name, ..)| shown(name)) {
        function(&mut script, &name, confirms, parameters.iter().map(|(n, kind, aliases)| (n.as_str(), told(n, kind, aliases))));
        names.push(name);
    }
    let names = names.join(",");
    let files = json!([
        {"fileName": "ExchangeOnline.psm1", "fileContent": script, "exportedCmdlets": names},
        {"fileName": "ExchangeOnline.psd1", "fileContent": "@{ ModuleVersion = '1.0' }\r\n", "exportedCmdlets": names},
    ]);
    Answer::json(200, json!({"@odata.context": format!("{base}/$metadata#EXOModuleFile"), "value": files}).to_string())
}

/// One proxy function; the impact is high where something goes.
fn function<'a>(script: &mut String, name: &str, confirms: bool, parameters: impl Iterator<Item = (&'a str, String)>) {
    let impact = if name.starts_with("Remove-") || name.starts_with("Disable-") { "High" } else { "Medium" };
    let confirms = if confirms { format!("SupportsShouldProcess=$true, ConfirmImpact='{impact}'") } else { String::new() };
    let parameters = parameters.map(|(name, declared)| format!("{declared} ${{{name}}}")).collect::<Vec<_>>().join(",\r\n\r\n");
    script.push_str(&format!("function script:{name}\r\n{{\r\n  [CmdletBinding({confirms})]\r\n  param(\r\n{parameters}\r\n  )\r\n}}\r\n"));
}

/// The attributes and the type of a parameter.
fn declared(parameter: &Parameter) -> String {
    let kind = match parameter.kind {
        Kind::Switch => "switch",
        Kind::Bool => "bool",
        Kind::Int => "int",
        Kind::Text => "string",
        Kind::Texts => "string[]",
        Kind::Secure => "SecureString",
        Kind::Credential => "pscredential",
        Kind::Unlimited | Kind::Identity(_) | Kind::Any => "System.Object",
    };
    attributes(parameter.mandatory, parameter.position, parameter.piped, parameter.aliases.iter().copied()) + &format!("    [{kind}]")
}

/// The same for a made-up one, whose only position is Identity's.
fn told(name: &str, kind: &str, aliases: &[String]) -> String {
    let (position, piped) = if name == "Identity" { (Some(0), Piped::Both) } else { (None, Piped::No) };
    let kind = if *kind == Kind::Switch.type_name() { "switch" } else { "System.Object" };
    attributes(false, position, piped, aliases.iter().map(String::as_str)) + &format!("    [{kind}]")
}

fn attributes<'a>(mandatory: bool, position: Option<usize>, piped: Piped, aliases: impl Iterator<Item = &'a str>) -> String {
    let mut parts = vec![format!("Mandatory=${mandatory}")];
    parts.extend(position.map(|p| format!("Position={p}")));
    if matches!(piped, Piped::Value | Piped::Both) {
        parts.push("ValueFromPipeline=$true".to_owned());
    }
    if matches!(piped, Piped::Name | Piped::Both) {
        parts.push("ValueFromPipelineByPropertyName=$true".to_owned());
    }
    let mut text = format!("    [Parameter({})]\r\n", parts.join(", "));
    let aliases = aliases.map(|a| format!("'{a}'")).collect::<Vec<_>>().join(", ");
    if !aliases.is_empty() {
        text.push_str(&format!("    [Alias({aliases})]\r\n"));
    }
    text
}

const METADATA: &str = r#"<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices><Schema Namespace="Exchange" xmlns="http://docs.oasis-open.org/odata/ns/edm"><ComplexType Name="GenericHashTable" OpenType="true"/><ComplexType Name="ByteArrayType"><Property Name="Data" Type="Collection(Edm.Byte)" Nullable="false"/></ComplexType><ComplexType Name="StringFieldDeltaUpdateData"><Property Name="Add" Type="Collection(Edm.String)"/><Property Name="Remove" Type="Collection(Edm.String)"/></ComplexType><ComplexType Name="CmdletInvokeInputType"><Property Name="CmdletName" Type="Edm.String" Nullable="false"/><Property Name="Parameters" Type="Exchange.GenericHashTable"/></ComplexType><Action Name="InvokeCommand"><Parameter Name="CmdletInput" Type="Exchange.CmdletInvokeInputType" Nullable="false"/><ReturnType Type="Collection(Exchange.GenericHashTable)"/></Action><EntityContainer Name="Container"><ActionImport Name="InvokeCommand" Action="Exchange.InvokeCommand"/></EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"#;
