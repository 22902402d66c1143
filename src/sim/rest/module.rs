//! What clients read when they connect: EXOModuleFile, EXOBanner, $metadata, the service document.

use super::super::binder::Kind;
use super::super::cmdlets::{self, matches};
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
    let hidden = |name: &str| service.options.hidden.iter().any(|h| h.eq_ignore_ascii_case(name));
    let shown = cmdlets::all().filter(|c| cmdlets::is_exchange(c) && !hidden(c.name) && wanted.iter().any(|w| matches(w, c.name)));
    let shown: Vec<_> = shown.collect();
    let secrets = service.rest.secrets.get_or_init(Secrets::new);
    let mut script = format!("$script:PublicKey = '{}'\r\n", secrets.public_xml());
    for info in &shown {
        let parameters: Vec<_> = info
            .parameters
            .iter()
            .map(|p| {
                let mandatory = if p.mandatory { "Mandatory=$true" } else { "Mandatory=$false" };
                let kind = match p.kind {
                    Kind::Switch => "switch",
                    Kind::Texts => "string[]",
                    Kind::Secure => "SecureString",
                    _ => "Object",
                };
                format!("    [Parameter({mandatory})]\r\n    [{kind}] ${{{}}}", p.name)
            })
            .collect();
        script.push_str(&format!("function script:{}\r\n{{\r\n  param(\r\n{}\r\n  )\r\n}}\r\n", info.name, parameters.join(",\r\n\r\n")));
    }
    let names = shown.iter().map(|c| c.name).collect::<Vec<_>>().join(",");
    let files = json!([
        {"fileName": "ExchangeOnline.psm1", "fileContent": script, "exportedCmdlets": names},
        {"fileName": "ExchangeOnline.psd1", "fileContent": "@{ ModuleVersion = '1.0' }\r\n", "exportedCmdlets": names},
    ]);
    Answer::json(200, json!({"@odata.context": format!("{base}/$metadata#EXOModuleFile"), "value": files}).to_string())
}

const METADATA: &str = r#"<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices><Schema Namespace="Exchange" xmlns="http://docs.oasis-open.org/odata/ns/edm"><ComplexType Name="GenericHashTable" OpenType="true"/><ComplexType Name="ByteArrayType"><Property Name="Data" Type="Collection(Edm.Byte)" Nullable="false"/></ComplexType><ComplexType Name="StringFieldDeltaUpdateData"><Property Name="Add" Type="Collection(Edm.String)"/><Property Name="Remove" Type="Collection(Edm.String)"/></ComplexType><ComplexType Name="CmdletInvokeInputType"><Property Name="CmdletName" Type="Edm.String" Nullable="false"/><Property Name="Parameters" Type="Exchange.GenericHashTable"/></ComplexType><Action Name="InvokeCommand"><Parameter Name="CmdletInput" Type="Exchange.CmdletInvokeInputType" Nullable="false"/><ReturnType Type="Collection(Exchange.GenericHashTable)"/></Action><EntityContainer Name="Container"><ActionImport Name="InvokeCommand" Action="Exchange.InvokeCommand"/></EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"#;
