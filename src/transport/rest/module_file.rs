//! The module that the service hands out (EXOModuleFile): Microsoft's asks for it when it connects, this library when something is
//! in doubt that only it can tell. It holds the metadata of commands and the key for secure strings.

use super::bind::{COMMON, CONFIRMING};
use super::call::Call;
use super::proxy::{Description, SWITCH, functions};
use super::select::matches;
use super::{Road, address, errors, records};
use crate::clixml::{Content, Object, Property, TypeNames, Value, type_names};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::psrp::MetadataQuery;
use crate::transport::http::HttpResponse;
use crate::transport::{Channel, RecordKind};
use bytes::Bytes;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

const CONTEXT: &str = "read the service's module";

/// The module of eight hundred cmdlets takes the service a while.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Records that go to the reader at once.
const BATCH: usize = 64;

/// What a session has learnt of the service's cmdlets. Each is asked about once at most.
#[derive(Default)]
pub(super) struct Cmdlets {
    /// By names in small letters; None where the module does not hold it.
    known: Mutex<HashMap<String, Option<Arc<Description>>>>,
    /// Held by who asks.
    turn: AsyncMutex<()>,
}

impl Cmdlets {
    /// What is known of a cmdlet; None where that was never asked.
    fn known(&self, cmdlet: &str) -> Option<Option<Arc<Description>>> {
        lock(&self.known).get(&cmdlet.to_ascii_lowercase()).cloned()
    }

    fn learn(&self, told: &[Arc<Description>]) {
        let mut known = lock(&self.known);
        known.extend(told.iter().map(|d| (d.name.to_ascii_lowercase(), Some(d.clone()))));
    }
}

#[derive(Deserialize)]
struct Files {
    value: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "fileName", default)]
    name: String,
    #[serde(rename = "fileContent", default)]
    content: String,
}

impl Road {
    /// What the service answers for these commands (names and wildcards, with commas).
    async fn module_file(&self, commands: &str) -> Result<HttpResponse> {
        let base = lock(&self.base).clone();
        let tenant = self.tenant.get().map_or("", String::as_str);
        let mut url = address::join(&base, &["AdminApi", "v1.0", tenant, "EXOModuleFile"]);
        url.set_query(Some("Version=3.9.0"));
        let mut headers = self.common_headers(Uuid::new_v4());
        headers.extend([
            ("X-AnchorMailbox", self.anchor("")),
            ("CommandName", commands.to_owned()),
            ("ps-version", String::from("7.4")),
            ("exomodule-version", String::from("3.9.0")),
            ("is-cloud-shell-environment", String::from("False")),
            ("X-InitializeConnectionContextObjectIdDynamic", String::from("true")),
        ]);
        self.ask(Call::get(url, headers, TIMEOUT, CONTEXT)).await
    }

    /// The script of the service's module, for these commands.
    pub(super) async fn module_script(&self, commands: &str) -> Result<String> {
        let reply = self.module_file(commands).await?;
        if (200..300).contains(&reply.status) { script(&reply.body) } else { Err(errors::refusal(&reply, CONTEXT)) }
    }

    /// What is known of a cmdlet without asking.
    pub(super) fn known(&self, cmdlet: &str) -> Option<Arc<Description>> {
        self.cmdlets.known(cmdlet).flatten()
    }

    /// What the service's module tells of these cmdlets is known after this, as far as it tells it: asked for once at most. Where
    /// the service hands out no module (403, 404 and the like) nothing is; any other failure is an error.
    pub(super) async fn learn(&self, cmdlets: &[&str]) -> Result<()> {
        let _turn = self.cmdlets.turn.lock().await;
        let unknown: Vec<&str> = cmdlets.iter().copied().filter(|c| self.cmdlets.known(c).is_none()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let reply = self.module_file(&unknown.join(",")).await?;
        match reply.status {
            200..300 => self.cmdlets.learn(&descriptions(reply.body).await?),
            400..500 => {}
            _ => return Err(errors::refusal(&reply, CONTEXT)),
        }
        let mut known = lock(&self.cmdlets.known);
        for cmdlet in unknown {
            known.entry(cmdlet.to_ascii_lowercase()).or_insert(None);
        }
        Ok(())
    }

    /// Answers as GET_COMMAND_METADATA does: the count, then the commands.
    pub(super) async fn describe(&self, query: &MetadataQuery, channel: &Channel) -> Result<()> {
        let wanted = if query.names.is_empty() { String::from("*") } else { query.names.join(",") };
        let reply = self.module_file(&wanted).await?;
        if !(200..300).contains(&reply.status) {
            return Err(errors::refusal(&reply, CONTEXT));
        }
        let mut commands = descriptions(reply.body).await?;
        self.cmdlets.learn(&commands);
        commands.retain(|c| query.names.is_empty() || query.names.iter().any(|n| matches(n, &c.name)));
        let names =
            ["Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo", "System.Management.Automation.PSCustomObject", "System.Object"];
        let count = Object { type_names: Some(type_names(&names)), ..Object::bag(vec![Property::new("Count", commands.len() as i32)]) };
        channel.push(vec![records::of(RecordKind::Output, &count.into())]).await;
        for some in commands.chunks(BATCH) {
            channel.push(some.iter().map(|c| records::of(RecordKind::Output, &metadata(c))).collect()).await;
        }
        Ok(())
    }
}

fn script(body: &[u8]) -> Result<String> {
    let malformed = |text: &'static str| Error::new(ErrorKind::Protocol, CONTEXT, text);
    let files: Files = serde_json::from_slice(body).map_err(|e| malformed("the answer is not the JSON of EXOModuleFile").with_source(e))?;
    let script = files.value.into_iter().find(|f| f.name.to_ascii_lowercase().ends_with(".psm1"));
    Ok(script.ok_or_else(|| malformed("the answer holds no script module"))?.content)
}

/// Of eight hundred cmdlets the module is some megabytes, which are read aside.
async fn descriptions(body: Bytes) -> Result<Vec<Arc<Description>>> {
    let read = tokio::task::spawn_blocking(move || Ok(functions(&script(&body)?).map(Arc::new).collect())).await;
    read.map_err(|e| Error::new(ErrorKind::Internal, CONTEXT, "the task that reads ended").with_source(e))?
}

fn types(names: &[&str]) -> TypeNames {
    type_names(&[names, &["System.Object"]].concat())
}

/// As Get-Command with Select-Object gives it.
fn metadata(told: &Description) -> Value {
    static METADATA: LazyLock<TypeNames> = LazyLock::new(|| types(&["System.Management.Automation.ParameterMetadata"]));
    static ALIASES: LazyLock<TypeNames> = LazyLock::new(|| types(&["System.Collections.ObjectModel.Collection`1[[System.String]]"]));
    static SELECTED: LazyLock<TypeNames> = LazyLock::new(|| {
        type_names(&["Selected.System.Management.Automation.CmdletInfo", "System.Management.Automation.PSCustomObject", "System.Object"])
    });
    let list =
        |type_names: &TypeNames, items| Object { type_names: Some(type_names.clone()), content: Content::List(items), ..Object::new() };
    let parameter = |name: &str, type_name: &str, aliases: &mut dyn Iterator<Item = &str>| {
        let properties = vec![
            Property::new("Name", name),
            Property::new("ParameterType", type_name),
            Property::new("Aliases", list(&ALIASES, aliases.map(Value::from).collect())),
            Property::new("IsDynamic", false),
            Property::new("SwitchParameter", type_name == SWITCH),
        ];
        let metadata = Object {
            type_names: Some(METADATA.clone()),
            to_string: Some("System.Management.Automation.ParameterMetadata".into()),
            adapted: Some(properties),
            ..Object::new()
        };
        (Value::from(name), Value::from(metadata))
    };
    let own = told.parameters.iter().map(|p| parameter(&p.name, &p.type_name, &mut p.aliases.iter().map(|a| &**a)));
    let common = COMMON.iter().chain(CONFIRMING.iter().filter(|_| told.confirms)).filter(|c| told.parameter(c.0).is_none());
    let common = common.map(|(name, alias, has_value)| {
        let type_name = if *has_value { "System.Object" } else { SWITCH };
        parameter(name, type_name, &mut std::iter::once(*alias))
    });
    let parameters = Object { content: Content::Dictionary(own.chain(common).collect()), ..Object::dictionary(Vec::new()) };
    let properties = vec![
        Property::new("Name", &*told.name),
        Property::new("Namespace", "ExchangeOnline"),
        Property::new("HelpUri", format!("https://learn.microsoft.com/powershell/module/exchange/{}", told.name.to_lowercase())),
        Property::new("CommandType", Object::enumeration("System.Management.Automation.CommandTypes", "Cmdlet", 8)),
        Property::new("ResolvedCommandName", Value::Nil),
        Property::new("OutputType", list(&ALIASES, Vec::new())),
        Property::new("Parameters", parameters),
    ];
    Object { type_names: Some(SELECTED.clone()), ..Object::bag(properties) }.into()
}
