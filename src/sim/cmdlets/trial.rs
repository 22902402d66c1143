//! `Test-*`: what a client must cope with and Exchange's own cmdlets seldom do.

use super::super::binder::{Bound, Kind, Piped, parameter};
use super::super::records::{Category, Failure, Progress, text_of, typed};
use super::super::runspace::{CmdletInfo, Context, Run};
use super::core::Simple;
use crate::clixml::{Content, Object, Property, Text, Value};
use std::time::Duration;
use uuid::Uuid;

macro_rules! cmdlet {
    ($name:literal, [$($parameter:expr),* $(,)?], $run:expr) => {
        CmdletInfo { name: $name, class: "", parameters: &[$($parameter),*], confirms: false, make: || Box::new($run as Simple) }
    };
}

/// The cmdlets.
pub const CMDLETS: &[CmdletInfo] = &[
    cmdlet!("Test-Everything", [parameter("LoneSurrogate", Kind::Switch)], everything),
    cmdlet!("Test-Stream", [], streams),
    cmdlet!("Test-Echo", [parameter("InputObject", Kind::Any).at(0).from(Piped::Value)], echo),
    cmdlet!("Test-Slow", [parameter("Count", Kind::Int).at(0), parameter("Milliseconds", Kind::Int).at(1)], slow),
    cmdlet!(
        "Test-Failure",
        [
            parameter("Message", Kind::Text).at(0),
            parameter("After", Kind::Int),
            parameter("Terminating", Kind::Switch),
            parameter("Throw", Kind::Switch),
        ],
        failure
    ),
    cmdlet!("Test-Size", [parameter("Length", Kind::Int).at(0), parameter("Count", Kind::Int).at(1)], size),
    cmdlet!("Test-Secret", [parameter("Secret", Kind::Secure).at(0), parameter("Credential", Kind::Credential)], secret),
    cmdlet!("Test-Prompt", [parameter("Kind", Kind::Text).at(0)], prompt),
    cmdlet!("Test-Mandatory", [parameter("First", Kind::Text).required(), parameter("Second", Kind::Int).required()], mandatory),
];

/// A value of every type that CLIXML has, in one object, and containers with references.
fn everything(context: &mut Context<'_>, bound: &Bound) -> Run {
    let shared = Value::from(Object::bag(vec![Property::new("Shared", true)]));
    let date = |d: &str| Value::DateTime(d.to_owned());
    let queue = Object { content: Content::Queue(vec![1.into(), "two".into()]), ..typed(&["System.Collections.Queue"]) };
    let stack = Object { content: Content::Stack(vec![Value::Nil, "top".into()]), ..typed(&["System.Collections.Stack"]) };
    let noted = Object {
        content: Content::Primitive("with a note".into()),
        extended: Some(vec![Property::new("Note", 7)]),
        ..typed(&["System.String"])
    };
    let mut properties = vec![
        Property::new("String", "R&D <x> \u{1f680} _x0041_\r\n\ttab"),
        Property::new("Empty", ""),
        Property::new("Null", Value::Nil),
        Property::new("Char", Value::Char(0x263a)),
        Property::new("Bool", true),
        Property::new("Utc", date("2024-02-29T23:59:59.9999999Z")),
        Property::new("Local", date("2024-07-01T12:00:00+02:00")),
        Property::new("Unspecified", date("0001-01-01T00:00:00")),
        Property::new("Duration", Value::Duration("P14DT1H2M3.5S".into())),
        Property::new("U8", Value::U8(255)),
        Property::new("I8", Value::I8(-128)),
        Property::new("U16", Value::U16(65535)),
        Property::new("I16", Value::I16(-32768)),
        Property::new("U32", Value::U32(u32::MAX)),
        Property::new("I32", i32::MIN),
        Property::new("U64", Value::U64(u64::MAX)),
        Property::new("I64", i64::MIN),
        Property::new("Single", Value::F32(1.5)),
        Property::new("Double", Value::F64(f64::NEG_INFINITY)),
        Property::new("Decimal", Value::Decimal("79228162514264337593543950335".into())),
        Property::new("Bytes", Value::Bytes(vec![0, 1, 254, 255])),
        Property::new("Guid", Uuid::from_u128(0x792e_5b37_4505_47ef_b7d2_8711_bb7a_ffa8)),
        Property::new("Uri", Value::Uri("https://example.com/a?b=c&d=e".into())),
        Property::new("Version", Value::Version("15.20.7409.29".into())),
        Property::new("Xml", Value::Xml("<a><b c=\"d\"/></a>".into())),
        Property::new("ScriptBlock", Value::ScriptBlock("Get-Mailbox | Select-Object Name".into())),
        Property::new("Enum", Object::enumeration("System.DayOfWeek", "Friday", 5)),
        Property::new("List", Object::list(vec![1.into(), "a".into(), shared.clone(), Value::Nil])),
        Property::new("Dictionary", Object::dictionary(vec![("key".into(), shared.clone()), (2.into(), Value::Nil)])),
        Property::new("Queue", queue),
        Property::new("Stack", stack),
        Property::new("Noted", noted),
        Property::new("Nested", Object::bag(vec![Property::new("Deeper", Object::bag(vec![Property::new("Deepest", shared)]))])),
    ];
    if bound.is_on("LoneSurrogate") {
        // Legal in .NET, and too much for readers that know only whole characters.
        properties.push(Property::new("LoneSurrogate", Value::String(Text::from_units(&[0x61, 0xd83d, 0x62]))));
    }
    context
        .write(Object { to_string: Some("everything".into()), ..Object { extended: Some(properties), ..typed(&["Simulated.Everything"]) } })
}

fn streams(context: &mut Context<'_>, _: &Bound) -> Run {
    context.progress(&Progress { activity: "Writing to every stream", id: 1, status: "half way", percent: 50, completed: false })?;
    context.write("output 1")?;
    context.warning("a warning")?;
    context.error(
        Failure::new("System.InvalidOperationException", "an error", "StreamError,Test-Stream", Category::InvalidOperation, "Test-Stream")
            .about("target".into()),
    )?;
    context.verbose("a verbose message")?;
    context.debug("a debug message")?;
    context.information("an information message".into(), &["tag"])?;
    context.write("output 2")?;
    context.progress(&Progress { activity: "Writing to every stream", id: 1, status: "done", percent: 100, completed: true })
}

/// What came, as it came, with its type's name beside it.
fn echo(context: &mut Context<'_>, bound: &Bound) -> Run {
    let value = bound.get("InputObject").cloned().unwrap_or(Value::Nil);
    context.write(value)
}

fn slow(context: &mut Context<'_>, bound: &Bound) -> Run {
    let pause = Duration::from_millis(bound.number("Milliseconds").unwrap_or(100).max(0) as u64);
    for number in 1..=bound.number("Count").unwrap_or(10) {
        context.sleep(pause)?;
        context.write(number as i32)?;
    }
    Ok(())
}

fn failure(context: &mut Context<'_>, bound: &Bound) -> Run {
    let message = bound.text("Message").unwrap_or_else(|| "it failed".to_owned());
    for number in 1..=bound.number("After").unwrap_or(0) {
        context.write(number as i32)?;
    }
    if bound.is_on("Throw") {
        let failure = Failure::new(
            "System.Management.Automation.RuntimeException",
            message.as_str(),
            message.as_str(),
            Category::OperationStopped,
            "",
        );
        return Err(Failure { thrown: true, ..failure.about(message.as_str().into()) }.into());
    }
    let failure =
        Failure::new("System.InvalidOperationException", message, "TestFailure,Test-Failure", Category::InvalidOperation, "Test-Failure");
    if bound.is_on("Terminating") { Err(failure.into()) } else { context.error(failure) }
}

/// Strings of this length: objects of many fragments.
fn size(context: &mut Context<'_>, bound: &Bound) -> Run {
    let length = bound.number("Length").unwrap_or(1_000_000).clamp(0, 256 * 1024 * 1024) as usize;
    for _ in 0..bound.number("Count").unwrap_or(1) {
        context.write("0123456789".repeat(length / 10 + 1)[..length].to_owned())?;
    }
    Ok(())
}

/// The lengths and texts of secrets that came, or a SecureString and a PSCredential where none did.
fn secret(context: &mut Context<'_>, bound: &Bound) -> Run {
    if let Some(secret) = bound.get("Secret") {
        let text = context.unprotect(secret)?;
        return context.write(text.reveal().clone());
    }
    if let Some(credential) = bound.get("Credential").cloned() {
        let password = context.unprotect(credential.property("Password").unwrap_or(&Value::Nil))?;
        return context.write(format!("{}:{}", credential.property("UserName").map(text_of).unwrap_or_default(), password.reveal()));
    }
    let secret = context.protect("correct horse \u{1f40e} battery staple")?;
    context.write(secret.clone())?;
    context.write(Object {
        to_string: Some("System.Management.Automation.PSCredential".into()),
        adapted: Some(vec![Property::new("UserName", "someone@fabrikam.com"), Property::new("Password", secret)]),
        ..typed(&["System.Management.Automation.PSCredential"])
    })
}

/// One host call of each kind that asks something; the answer comes back as output.
fn prompt(context: &mut Context<'_>, bound: &Bound) -> Run {
    let kind = bound.text("Kind").unwrap_or_else(|| "ReadLine".to_owned());
    let answer = match kind.to_ascii_lowercase().as_str() {
        "name" => context.call_host(1, "GetName", Vec::new())?,
        "secure" => {
            // The answer comes encrypted, so there must be a key first.
            context.protect("")?;
            let answer = context.call_host(12, "ReadLineAsSecureString", Vec::new())?;
            let text = context.unprotect(&answer)?;
            text.reveal().as_str().into()
        }
        "credential" => {
            context.protect("")?;
            let parameters = vec!["Sign in".into(), "Who are you?".into(), "someone".into(), "fabrikam.com".into()];
            let answer = context.call_host(24, "PromptForCredential1", parameters)?;
            let password = context.unprotect(answer.property("Password").unwrap_or(&Value::Nil))?;
            format!("{}:{}", answer.property("UserName").map(text_of).unwrap_or_default(), password.reveal()).into()
        }
        "choice" => {
            let choice =
                |label: &str, help: &str| Value::from(Object::bag(vec![Property::new("label", label), Property::new("helpMessage", help)]));
            let choices = Object::list(vec![choice("&Red", "stop"), choice("&Green", "go")]);
            context.call_host(26, "PromptForChoice", vec!["Colors".into(), "Which one?".into(), choices.into(), 1.into()])?
        }
        "writeline" => {
            context.write_host_line("a line for the host")?;
            Value::Nil
        }
        _ => context.call_host(11, "ReadLine", Vec::new())?,
    };
    context.write(answer)
}

fn mandatory(context: &mut Context<'_>, bound: &Bound) -> Run {
    context.write(format!("{}/{}", bound.text("First").unwrap_or_default(), bound.number("Second").unwrap_or_default()))
}
