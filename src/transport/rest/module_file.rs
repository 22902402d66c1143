//! The module that the service hands out at connect time (EXOModuleFile): the metadata of commands, read from the parameter
//! blocks of its proxy functions, and the key for secure strings.

use super::call::Call;
use super::select::matches;
use super::{Road, address, errors, records};
use crate::clixml::{Content, Object, Property, TypeNames, Value, type_names};
use crate::error::{Error, ErrorKind, Result};
use crate::psrp::MetadataQuery;
use crate::transport::{Channel, RecordKind, lock};
use serde::Deserialize;
use std::sync::LazyLock;
use std::time::Duration;
use uuid::Uuid;

const CONTEXT: &str = "read the service's module";

/// The module of eight hundred cmdlets takes the service a while.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Records that go to the reader at once.
const BATCH: usize = 64;

/// The script file of the module.
pub(super) struct ModuleFile {
    pub(super) script: String,
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
    /// The script of the service's module, for these commands (names and wildcards, with commas).
    pub(super) async fn module_file(&self, commands: &str) -> Result<ModuleFile> {
        let base = lock(&self.base).clone();
        let tenant = self.tenant.get().map_or("", String::as_str);
        let mut url = address::join(&base, &["AdminApi", "v1.0", tenant, "EXOModuleFile"]);
        url.set_query(Some("Version=3.9.0"));
        let mut headers = self.common_headers(Uuid::new_v4());
        headers.extend([
            ("CommandName", commands.to_owned()),
            ("ps-version", String::from("7.4")),
            ("exomodule-version", String::from("3.9.0")),
            ("is-cloud-shell-environment", String::from("False")),
            ("X-InitializeConnectionContextObjectIdDynamic", String::from("true")),
        ]);
        let reply = self.ask(Call::get(url, headers, TIMEOUT, CONTEXT)).await?;
        if !(200..300).contains(&reply.status) {
            return Err(errors::refusal(&reply, CONTEXT));
        }
        let files: Files = serde_json::from_slice(&reply.body)
            .map_err(|e| Error::new(ErrorKind::Protocol, CONTEXT, "the answer is not the JSON of EXOModuleFile").with_source(e))?;
        let script = files.value.into_iter().find(|f| f.name.to_ascii_lowercase().ends_with(".psm1"));
        let script = script.ok_or_else(|| Error::new(ErrorKind::Protocol, CONTEXT, "the answer holds no script module"))?;
        Ok(ModuleFile { script: script.content })
    }

    /// Answers as GET_COMMAND_METADATA does: the count, then the commands.
    pub(super) async fn describe(&self, query: &MetadataQuery, channel: &Channel) -> Result<()> {
        let wanted = if query.names.is_empty() { String::from("*") } else { query.names.join(",") };
        let module = self.module_file(&wanted).await?;
        let asked = |name: &str| query.names.is_empty() || query.names.iter().any(|n| matches(n, name));
        let commands: Vec<Function> = functions(&module.script).filter(|f| asked(f.name)).collect();
        let names =
            ["Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo", "System.Management.Automation.PSCustomObject", "System.Object"];
        let count = Object { type_names: Some(type_names(&names)), ..Object::bag(vec![Property::new("Count", commands.len() as i32)]) };
        channel.push(vec![records::of(RecordKind::Output, &count.into())]).await;
        for some in commands.chunks(BATCH) {
            channel.push(some.iter().map(|f| records::of(RecordKind::Output, &f.metadata())).collect()).await;
        }
        Ok(())
    }
}

/// A proxy function of the module.
#[derive(Debug)]
struct Function<'a> {
    name: &'a str,
    /// Names, types and aliases.
    parameters: Vec<(&'a str, String, Vec<&'a str>)>,
}

/// The proxy functions: `function script:Verb-Noun` with a parameter block.
fn functions(script: &str) -> impl Iterator<Item = Function<'_>> {
    const HEAD: &str = "function script:";
    let starts: Vec<usize> = memchr::memmem::find_iter(script.as_bytes(), HEAD).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([script.len()]).collect();
    starts.into_iter().zip(ends).filter_map(|(start, end)| {
        let text = &script[start + HEAD.len()..end];
        let name = &text[..text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))?];
        name.contains('-').then(|| Function { name, parameters: parameters(text).unwrap_or_default() })
    })
}

/// The parameters of the first `param(…)`: attributes and a type in brackets before each `${Name}`.
fn parameters(text: &str) -> Option<Vec<(&str, String, Vec<&str>)>> {
    let begin = text.match_indices("param").map(|(at, word)| at + word.len()).find(|at| text[*at..].trim_start().starts_with('('))?;
    let mut found = Vec::new();
    let (mut type_name, mut aliases) = (String::from("System.Object"), Vec::new());
    let mut depth = 0_usize;
    let mut at = begin;
    while at < text.len() {
        let rest = &text[at..];
        match rest.as_bytes()[0] {
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(found);
                }
            }
            b'\'' | b'"' => at += text_length(rest)? - 1,
            b'#' => at += rest.find('\n').unwrap_or(rest.len()) - 1,
            b'[' if depth == 1 => {
                let length = bracket_length(rest)?;
                let inside = rest[1..length - 1].trim();
                match inside.split_once('(') {
                    None => type_name = full_name(inside),
                    Some((attribute, values)) if attribute.trim().eq_ignore_ascii_case("Alias") => {
                        let values = values.trim_end().trim_end_matches(')');
                        aliases = values.split(',').map(|a| a.trim().trim_matches(['\'', '"'])).filter(|a| !a.is_empty()).collect();
                    }
                    Some(_) => {}
                }
                at += length - 1;
            }
            b'$' if depth == 1 => {
                let name = rest[1..].strip_prefix('{').map_or_else(
                    || rest[1..].split(|c: char| !(c.is_alphanumeric() || c == '_')).next(),
                    |braced| braced.split('}').next(),
                )?;
                found.push((name, std::mem::replace(&mut type_name, String::from("System.Object")), std::mem::take(&mut aliases)));
                at += name.len();
            }
            _ => {}
        }
        at += 1;
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    None
}

fn text_length(rest: &str) -> Option<usize> {
    let quote = rest.as_bytes()[0];
    Some(memchr::memchr(quote, &rest.as_bytes()[1..])? + 2)
}

fn bracket_length(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'[' => depth += 1,
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'\'' | b'"' => at += text_length(&rest[at..])? - 1,
            _ => {}
        }
        at += 1;
    }
    None
}

fn full_name(accelerator: &str) -> String {
    let known = [
        ("switch", "System.Management.Automation.SwitchParameter"),
        ("string", "System.String"),
        ("string[]", "System.String[]"),
        ("object", "System.Object"),
        ("bool", "System.Boolean"),
        ("int", "System.Int32"),
        ("hashtable", "System.Collections.Hashtable"),
        ("securestring", "System.Security.SecureString"),
    ];
    let found = known.iter().find(|(short, _)| short.eq_ignore_ascii_case(accelerator));
    found.map_or_else(|| accelerator.to_owned(), |(_, full)| (*full).to_owned())
}

fn types(names: &[&str]) -> TypeNames {
    type_names(&[names, &["System.Object"]].concat())
}

impl Function<'_> {
    /// As Get-Command with Select-Object gives it.
    fn metadata(&self) -> Value {
        static METADATA: LazyLock<TypeNames> = LazyLock::new(|| types(&["System.Management.Automation.ParameterMetadata"]));
        static ALIASES: LazyLock<TypeNames> = LazyLock::new(|| types(&["System.Collections.ObjectModel.Collection`1[[System.String]]"]));
        static SELECTED: LazyLock<TypeNames> = LazyLock::new(|| {
            type_names(&[
                "Selected.System.Management.Automation.CmdletInfo",
                "System.Management.Automation.PSCustomObject",
                "System.Object",
            ])
        });
        const SWITCH: &str = "System.Management.Automation.SwitchParameter";
        let list =
            |type_names: &TypeNames, items| Object { type_names: Some(type_names.clone()), content: Content::List(items), ..Object::new() };
        let parameter = |(name, type_name, aliases): &(&str, String, Vec<&str>)| {
            let properties = vec![
                Property::new("Name", *name),
                Property::new("ParameterType", type_name.as_str()),
                Property::new("Aliases", list(&ALIASES, aliases.iter().map(|a| Value::from(*a)).collect())),
                Property::new("IsDynamic", false),
                Property::new("SwitchParameter", type_name == SWITCH),
            ];
            let metadata = Object {
                type_names: Some(METADATA.clone()),
                to_string: Some("System.Management.Automation.ParameterMetadata".into()),
                adapted: Some(properties),
                ..Object::new()
            };
            (Value::from(*name), Value::from(metadata))
        };
        let parameters =
            Object { content: Content::Dictionary(self.parameters.iter().map(parameter).collect()), ..Object::dictionary(Vec::new()) };
        let properties = vec![
            Property::new("Name", self.name),
            Property::new("Namespace", "ExchangeOnline"),
            Property::new("HelpUri", format!("https://learn.microsoft.com/powershell/module/exchange/{}", self.name.to_lowercase())),
            Property::new("CommandType", Object::enumeration("System.Management.Automation.CommandTypes", "Cmdlet", 8)),
            Property::new("ResolvedCommandName", Value::Nil),
            Property::new("OutputType", list(&ALIASES, Vec::new())),
            Property::new("Parameters", parameters),
        ];
        Object { type_names: Some(SELECTED.clone()), ..Object::bag(properties) }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_blocks_are_read() {
        let script = "$x = 1\r\nfunction script:Get-Mailbox\r\n{\r\n[CmdletBinding(DefaultParameterSetName='Identity (]')]\r\n  param(\r\n\
            [Parameter(ParameterSetName='A', Mandatory=$true, ValueFromPipeline=$true)]\r\n    [Alias('Id','Guid')]\r\n    [System.Object]\r\n    # The (mailbox\r\n    ${Identity},\r\n\r\n\
            [Parameter(Mandatory=$false)]\r\n [ValidateSet('a)', 'b')]\r\n [switch] $Archive,\r\n [string[]] ${Properties}\r\n  )\r\n}\r\n\
            function script:Execute { param($a) }\r\nfunction script:Set-X\r\n{ param( ) }\r\nfunction script:Broken-One { param( [x";
        let all: Vec<_> = functions(script).collect();
        assert_eq!(all.iter().map(|f| f.name).collect::<Vec<_>>(), ["Get-Mailbox", "Set-X", "Broken-One"]);
        let expected = vec![
            ("Identity", String::from("System.Object"), vec!["Id", "Guid"]),
            ("Archive", String::from("System.Management.Automation.SwitchParameter"), vec![]),
            ("Properties", String::from("System.String[]"), vec![]),
        ];
        assert_eq!(all[0].parameters, expected);
        assert!(all[1].parameters.is_empty() && all[2].parameters.is_empty());
    }
}
