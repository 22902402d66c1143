//! Arguments as typed, bound to parameters by name: the API takes names and values, and there is no engine behind it. Where the
//! service's module is at hand it is done as the engine does it; else by what is known of Exchange's cmdlets, or not at all.

use super::proxy::{ALL_SETS, Description, Parameter, Sets};
use super::records::Failure;
use super::{encode, tables};
use crate::clixml::Value;
use crate::psrp::{Argument, Command};
use std::iter::Peekable;
use std::slice::Iter;
use std::sync::Arc;
use uuid::Uuid;

/// What becomes of errors and warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Silent,
    Stop,
    Continue,
}

/// One cmdlet ready to be posted.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// The cmdlet's name.
    pub(super) name: String,
    /// Names without dash.
    pub(super) parameters: Vec<(String, Value)>,
    pub(super) error_action: Action,
    pub(super) warning_action: Action,
    /// The preference's text, for the header; Ignore, which the service does not know, as SilentlyContinue.
    pub(super) warning_text: String,
    pub(super) what_if: bool,
    pub(super) confirm: Option<bool>,
    /// What the service's module tells of the cmdlet, where it was asked.
    pub(super) description: Option<Arc<Description>>,
    /// The parameter sets that are left.
    pub(super) sets: Sets,
    /// One for all the requests of a cmdlet, as Microsoft's module has it: its question, its pages, its members of a batch.
    pub(super) request_id: Uuid,
    /// As it was written, and what was piped in: to bind it anew where the service does not take it.
    pub(super) written: Arc<Command>,
    pub(super) input: Option<Box<Value>>,
}

impl Bound {
    fn new(command: &Arc<Command>, description: Option<Arc<Description>>) -> Self {
        Self {
            name: command.text.trim().to_owned(),
            parameters: Vec::new(),
            error_action: Action::Continue,
            warning_action: Action::Continue,
            warning_text: String::new(),
            what_if: false,
            confirm: None,
            description,
            sets: ALL_SETS,
            request_id: Uuid::new_v4(),
            written: command.clone(),
            input: None,
        }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&Value> {
        self.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// Whether the cmdlet only reads: it may be sent again where nothing came back.
    pub(super) fn reads(&self) -> bool {
        tables::reads(&self.name)
    }

    /// Whether the engine would ask before running it without being told to; None where only the module can tell.
    pub(super) fn is_high_impact(&self) -> Option<bool> {
        match self.description.as_deref() {
            Some(told) if !told.confirms => Some(false),
            Some(told) => told.is_high_impact.or_else(|| tables::is_high_impact(&self.name)),
            None => tables::is_high_impact(&self.name),
        }
    }

    /// Whether the user is asked, or told, before it runs.
    pub(super) fn asks(&self) -> bool {
        self.what_if || self.confirm.unwrap_or_else(|| self.is_high_impact() == Some(true))
    }

    /// Whether the service did not take the parameters as they are named, though the module was not asked. Nothing ran then.
    pub(super) fn is_refused_by(&self, failure: &Failure) -> bool {
        let short = failure.exception.as_deref().unwrap_or_default().rsplit('.').next();
        self.description.is_none() && matches!(short, Some("AmbiguousParameterSetException" | "ParameterBindingException"))
    }

    /// An error where a text was given for a SecureString: the engine does not take it, and it is not to go out readable.
    pub(super) fn hides_secrets(&self) -> Result<(), Failure> {
        let is_secret = |name: &str| match self.description.as_deref().and_then(|told| told.parameter(name)) {
            Some(parameter) => parameter.type_name.to_ascii_lowercase().ends_with("securestring"),
            None => name.eq_ignore_ascii_case("Password"),
        };
        match self.parameters.iter().find(|(name, value)| matches!(value.unwrapped(), Value::String(_)) && is_secret(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let message = format!(
                    "Cannot bind parameter '{name}'. A text cannot be converted to type \"System.Security.SecureString\": make one of it with ConvertTo-SecureString."
                );
                Err(refused(&self.name, message, "CannotConvertArgumentNoMessage"))
            }
        }
    }

    /// The mandatory parameters that have no value, by what the module tells; with `fed` not those that take what is piped in. As in
    /// the engine the default set decides, where it is left; where several others are, nothing is certain.
    pub(super) fn missing(&self, fed: bool) -> Vec<&Parameter> {
        let Some(told) = self.description.as_deref() else { return Vec::new() };
        let named = told.parameters.iter().flat_map(|p| &p.places).map(|p| p.sets).filter(|s| *s != ALL_SETS).fold(0, |all, s| all | s);
        let left = named & self.sets;
        let set = match told.default_set & left {
            default if default != 0 && told.default_set != ALL_SETS => default,
            _ if named == 0 => ALL_SETS,
            _ if left.count_ones() == 1 => left,
            _ => return Vec::new(),
        };
        let lacks = |p: &&Parameter| {
            let places = || p.places_in(set);
            places().any(|place| place.mandatory) && !(fed && places().any(|place| place.by_value || place.by_name))
        };
        told.parameters.iter().filter(|p| self.parameter(&p.name).is_none()).filter(lacks).collect()
    }

    /// Gives a parameter that is known its value, and leaves the sets that it is in.
    pub(super) fn give(&mut self, parameter: &Parameter, value: Value) {
        let left = self.sets & parameter.sets();
        if left != 0 {
            self.sets = left;
        }
        // A switch takes a number as the engine does.
        let value = match value.as_i64().filter(|_| parameter.is_switch()) {
            Some(number) => Value::Bool(number != 0),
            None => value,
        };
        self.parameters.push((parameter.name.to_string(), value));
    }
}

/// The common parameters, which the engine takes and the cmdlet never sees; with their aliases. True: takes a value.
pub(super) const COMMON: [Common; 12] = [
    ("Verbose", "vb", false),
    ("Debug", "db", false),
    ("ErrorAction", "ea", true),
    ("WarningAction", "wa", true),
    ("InformationAction", "infa", true),
    ("ProgressAction", "proga", true),
    ("ErrorVariable", "ev", true),
    ("WarningVariable", "wv", true),
    ("InformationVariable", "iv", true),
    ("OutVariable", "ov", true),
    ("OutBuffer", "ob", true),
    ("PipelineVariable", "pv", true),
];

/// What a cmdlet has that confirms.
pub(super) const CONFIRMING: [Common; 2] = [("WhatIf", "wi", false), ("Confirm", "cf", false)];

type Common = (&'static str, &'static str, bool);

fn is_called(common: &Common, name: &str) -> bool {
    common.0.eq_ignore_ascii_case(name) || common.1.eq_ignore_ascii_case(name)
}

fn begins_with(name: &str, beginning: &str) -> bool {
    !beginning.is_empty() && name.get(..beginning.len()).is_some_and(|b| b.eq_ignore_ascii_case(beginning))
}

/// An error of the engine's binder. In its ids the engine's own cmdlets go by their classes.
pub(super) fn refused(cmdlet: &str, message: String, id: &str) -> Failure {
    let of = match cmdlet {
        "Select-Object" | "Measure-Object" => format!("Microsoft.PowerShell.Commands.{}Command", cmdlet.replace('-', "")),
        _ => cmdlet.to_owned(),
    };
    Failure::engine("ParameterBindingException", message, format!("{id},{of}"), "InvalidArgument", cmdlet)
}

/// A name as typed: without dash and colon, and whether a value comes with it.
fn name_of(argument: &Argument) -> Option<(&str, bool)> {
    let bare = argument.name.as_deref()?.trim();
    let (name, has_value) = match bare.strip_prefix(['-', '\u{2013}', '\u{2014}', '\u{2015}']) {
        Some(name) => name.strip_suffix(':').map_or((name, false), |name| (name, true)),
        // Bare names come from a table, which has a value for each.
        None => (bare, true),
    };
    Some((name, has_value || argument.value != Value::Nil))
}

type Arguments<'a> = Peekable<Iter<'a, Argument>>;

/// The value of a parameter that takes one; None where there is none.
fn value_of(argument: &Argument, has_value: bool, rest: &mut Arguments<'_>) -> Option<Value> {
    if has_value {
        return Some(argument.value.clone());
    }
    rest.next_if(|next| next.name.is_none()).map(|next| next.value.clone())
}

fn missing(cmdlet: &str, name: &str, type_name: &str) -> Failure {
    let message = format!("Missing an argument for parameter '{name}'. Specify a parameter of type '{type_name}' and try again.");
    refused(cmdlet, message, "MissingArgument")
}

fn misplaced(cmdlet: &str, value: &Value, why: &str) -> Failure {
    let message = format!("A positional parameter cannot be found that accepts argument '{}'.{why}", encode::text(value));
    refused(cmdlet, message, "PositionalParameterNotFound")
}

/// The only common parameter that begins so, where it is more than a few letters.
fn beginning(name: &str) -> Option<&'static Common> {
    let mut found = COMMON.iter().filter(|c| name.len() > 3 && begins_with(c.0, name));
    found.next().filter(|_| found.next().is_none())
}

/// Binds by what is known of Exchange's cmdlets. None where that leaves a doubt, which only the module can remove.
pub(super) fn by_tables(command: &Arc<Command>) -> Result<Option<Bound>, Failure> {
    bind(command, true)
}

/// Binds where there is no module to ask: an unknown name followed by a value takes it, and is a switch otherwise.
pub(super) fn by_guess(command: &Arc<Command>) -> Result<Bound, Failure> {
    bind(command, false).map(|bound| bound.unwrap_or_else(|| Bound::new(command, None)))
}

fn bind(command: &Arc<Command>, surely: bool) -> Result<Option<Bound>, Failure> {
    let mut bound = Bound::new(command, None);
    let mut loose: Vec<&Value> = Vec::new();
    let mut rest = command.arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        let Some((name, has_value)) = name_of(argument) else {
            loose.push(&argument.value);
            continue;
        };
        let known = COMMON.iter().chain(&CONFIRMING).find(|c| is_called(c, name)).or_else(|| beginning(name).filter(|_| !surely));
        let is_switch = known.map(|c| !c.2).or_else(|| tables::is_switch(name));
        let value = match is_switch {
            Some(true) if !has_value => Value::Bool(true),
            // A beginning, an alias, a switch, a parameter that lacks its value: all look alike.
            None if surely && !has_value => return Ok(None),
            Some(_) => match value_of(argument, has_value, &mut rest) {
                Some(value) => value,
                None if surely => return Ok(None),
                None => return Err(missing(&bound.name, name, "System.Object")),
            },
            None => value_of(argument, has_value, &mut rest).unwrap_or(Value::Bool(true)),
        };
        let confirms = CONFIRMING.iter().any(|c| is_called(c, name));
        if surely && confirms && bound.reads() {
            return Ok(None);
        }
        match known {
            Some(common) => bound.take_common(common, &value),
            None => bound.take(name, value)?,
        }
    }
    let position = tables::position_0(&bound.name);
    for value in loose {
        match position.filter(|p| bound.parameter(p).is_none()) {
            Some(name) => bound.parameters.push((name.to_owned(), value.clone())),
            None if surely => return Ok(None),
            None => {
                let why = " Only the parameter of the first position is known without its name here: write -Name value.";
                return Err(misplaced(&bound.name, value, why));
            }
        }
    }
    Ok(Some(bound))
}

/// Binds as the engine does, by what the module tells of the cmdlet.
pub(super) fn by_description(command: &Arc<Command>, description: &Arc<Description>) -> Result<Bound, Failure> {
    let mut bound = Bound::new(command, Some(description.clone()));
    let mut loose: Vec<&Value> = Vec::new();
    let mut rest = command.arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        let Some((typed, has_value)) = name_of(argument) else {
            loose.push(&argument.value);
            continue;
        };
        let found = find(description, &bound.name, typed)?;
        let (name, type_name, is_switch) = match found {
            Found::Own(p) => (&*p.name, &*p.type_name, p.is_switch()),
            Found::Common(c) => (c.0, "System.Object", !c.2),
        };
        let value = match value_of(argument, has_value || is_switch, &mut rest) {
            Some(_) if is_switch && !has_value => Value::Bool(true),
            Some(value) => value,
            None => return Err(missing(&bound.name, name, type_name)),
        };
        match found {
            Found::Common(common) => bound.take_common(common, &value),
            Found::Own(p) if CONFIRMING.iter().any(|c| c.0.eq_ignore_ascii_case(&p.name)) => bound.take(&p.name, value)?,
            Found::Own(p) => {
                bound.is_new(&p.name)?;
                if value == Value::Nil && p.places_in(bound.sets).any(|place| place.mandatory) {
                    return Err(null(&bound.name, &p.name));
                }
                bound.give(p, value);
            }
        }
    }
    for value in loose {
        let Some(parameter) = next_position(description, &bound) else { return Err(misplaced(&bound.name, value, "")) };
        bound.give(parameter, value.clone());
    }
    Ok(bound)
}

/// The parameter that the next value without a name goes to: the lowest position that is free, in the default set before others.
fn next_position<'a>(description: &'a Description, bound: &Bound) -> Option<&'a Parameter> {
    let free = description.parameters.iter().filter(|p| bound.parameter(&p.name).is_none());
    let places = free.flat_map(|p| p.places_in(bound.sets).filter_map(move |place| Some((place.position?, place.sets, p))));
    let by_default = |sets: Sets| sets & description.default_set & bound.sets != 0;
    places.min_by_key(|(position, sets, _)| (*position, !by_default(*sets))).map(|(_, _, p)| p)
}

enum Found<'a> {
    Own(&'a Parameter),
    Common(&'static Common),
}

/// The parameter of this name or alias, or the only one that begins so; the cmdlet's own go before the common ones.
fn find<'a>(description: &'a Description, cmdlet: &str, name: &str) -> Result<Found<'a>, Failure> {
    let own = &description.parameters;
    let common = || COMMON.iter().chain(CONFIRMING.iter().filter(|_| description.confirms));
    if let Some(p) = own.iter().find(|p| p.names().any(|n| n.eq_ignore_ascii_case(name))) {
        return Ok(Found::Own(p));
    }
    if let Some(c) = common().find(|c| is_called(c, name)) {
        return Ok(Found::Common(c));
    }
    let own: Vec<_> = own.iter().filter(|p| p.names().any(|n| begins_with(n, name))).collect();
    let common: Vec<_> = common().filter(|c| begins_with(c.0, name) || begins_with(c.1, name)).collect();
    match (&own[..], &common[..]) {
        ([p], _) => Ok(Found::Own(p)),
        ([], [c]) => Ok(Found::Common(c)),
        ([], []) => {
            Err(refused(cmdlet, format!("A parameter cannot be found that matches parameter name '{name}'."), "NamedParameterNotFound"))
        }
        _ => {
            let names = own.iter().map(|p| &*p.name).chain(common.iter().map(|c| c.0));
            let candidates = names.map(|n| format!(" -{n}")).collect::<String>();
            let message = format!(
                "Parameter cannot be processed because the parameter name '{name}' is ambiguous. Possible matches include:{candidates}."
            );
            Err(refused(cmdlet, message, "AmbiguousParameter"))
        }
    }
}

fn null(cmdlet: &str, name: &str) -> Failure {
    let message = format!("Cannot bind argument to parameter '{name}' because it is null.");
    let id = format!("ParameterArgumentValidationErrorNullNotAllowed,{cmdlet}");
    Failure::engine("ParameterBindingValidationException", message, id, "InvalidData", cmdlet)
}

impl Bound {
    fn is_new(&self, name: &str) -> Result<(), Failure> {
        if self.parameter(name).is_none() {
            return Ok(());
        }
        let message = format!(
            "Cannot bind parameter because parameter '{name}' is specified more than once. To provide multiple values to parameters that can accept multiple values, use the array syntax. For example, \"-parameter value1,value2,value3\"."
        );
        Err(refused(&self.name, message, "ParameterAlreadyBound"))
    }

    fn take(&mut self, name: &str, value: Value) -> Result<(), Failure> {
        if let Some(confirming) = CONFIRMING.iter().find(|c| c.0.eq_ignore_ascii_case(name)) {
            self.take_common(confirming, &value);
            return Ok(());
        }
        self.is_new(name)?;
        self.parameters.push((name.to_owned(), value));
        Ok(())
    }

    fn take_common(&mut self, common: &Common, value: &Value) {
        let truth = || value.as_bool().or_else(|| value.property("IsPresent").and_then(Value::as_bool)).unwrap_or(true);
        match common.0 {
            "ErrorAction" => self.error_action = action(value).0,
            "WarningAction" => (self.warning_action, self.warning_text) = action(value),
            "WhatIf" => self.what_if = truth(),
            "Confirm" => self.confirm = Some(truth()),
            // The rest concerns an engine that is not there: variables, buffers, streams that the service does not send.
            _ => {}
        }
    }
}

fn action(value: &Value) -> (Action, String) {
    let text = encode::text(value);
    match (text.to_ascii_lowercase().as_str(), value.as_i64()) {
        ("silentlycontinue" | "ignore", _) | (_, Some(0 | 4)) => (Action::Silent, String::from("SilentlyContinue")),
        ("stop", _) | (_, Some(1)) => (Action::Stop, String::from("Stop")),
        _ => (Action::Continue, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psrp::Merge;
    use crate::transport::rest::proxy::functions;

    fn command(cmdlet: &str, arguments: &[(&str, Value)]) -> Arc<Command> {
        let argument =
            |(name, value): &(&str, Value)| Argument { name: (!name.is_empty()).then(|| (*name).to_owned()), value: value.clone() };
        Arc::new(Command {
            text: cmdlet.into(),
            is_script: false,
            use_local_scope: None,
            arguments: arguments.iter().map(argument).collect(),
            merge: Merge::default(),
            end_of_statement: false,
        })
    }

    fn shown(bound: &Bound) -> String {
        bound.parameters.iter().map(|(n, v)| format!("{n}={} ", encode::text(v))).collect()
    }

    const NONE: Value = Value::Nil;

    #[test]
    fn what_scripts_use_every_day_needs_no_module() {
        let b = by_tables(&command(
            "Get-Mailbox",
            &[
                ("-Archive", NONE),
                ("", "a@b".into()),
                ("-ResultSize", NONE),
                ("", 5.into()),
                ("-ea", NONE),
                ("", "SilentlyContinue".into()),
                ("Filter", NONE),
                ("-Unheard:", true.into()),
                ("-WarningAction:", "Ignore".into()),
            ],
        ));
        let b = b.unwrap().unwrap();
        assert_eq!(shown(&b), "Archive=True ResultSize=5 Filter= Unheard=True Identity=a@b ");
        assert_eq!((b.error_action, b.warning_text.as_str()), (Action::Silent, "SilentlyContinue"));
        let b = by_tables(&command("New-Mailbox", &[("", "x".into()), ("-Confirm:", false.into())])).unwrap().unwrap();
        assert_eq!((shown(&b).as_str(), b.confirm), ("Name=x ", Some(false)));
    }

    #[test]
    fn what_is_in_doubt_is_left_to_the_module() {
        for (cmdlet, arguments) in [
            ("Get-Mailbox", &[("-Res", NONE), ("", 5.into())][..]),
            ("Get-Mailbox", &[("-Unheard", NONE)]),
            ("Get-Mailbox", &[("-Filter", NONE)]),
            ("Get-Mailbox", &[("", "a".into()), ("", "b".into())]),
            ("Get-Mailbox", &[("-WhatIf", NONE)]),
            ("Get-MessageTraceV2", &[("", "a".into())]),
            ("New-Whatever", &[("", "a".into())]),
        ] {
            assert!(by_tables(&command(cmdlet, arguments)).unwrap().is_none(), "{cmdlet} {arguments:?}");
        }
        let guessed =
            by_guess(&command("Set-X", &[("-Unheard", NONE), ("-Other", NONE), ("", 1.into()), ("-ErrorA", NONE), ("", "Stop".into())]));
        let guessed = guessed.unwrap();
        assert_eq!((shown(&guessed).as_str(), guessed.error_action), ("Unheard=True Other=1 ", Action::Stop));
        for (cmdlet, arguments) in [
            ("Get-Mailbox", &[("", Value::from("a")), ("", "b".into())][..]),
            ("Get-Mailbox", &[("-Filter", NONE)]),
            ("Get-Mailbox", &[("-Identity:", "a".into()), ("identity", "b".into())]),
        ] {
            assert!(by_guess(&command(cmdlet, arguments)).unwrap_err().id.ends_with(cmdlet), "{arguments:?}");
        }
    }

    #[test]
    fn what_is_mandatory_and_missing_is_what_the_engine_asks_for() {
        // Each as PowerShell 7.6 names it for the same function.
        let script = "function script:New-Thing { param([Parameter(Mandatory,Position=0)] $Name, [Parameter(Mandatory)] $Password, $Other) }
            function script:Set-Thing { [CmdletBinding(DefaultParameterSetName='A')] param(\
            [Parameter(Mandatory,ValueFromPipeline,Position=0)] $Identity, [Parameter(Mandatory,ValueFromPipelineByPropertyName)] $User,\
            [Parameter(ParameterSetName='A')] $A, [Parameter(ParameterSetName='B',Mandatory)] $B) }
            function script:Two-Sets { [CmdletBinding(DefaultParameterSetName='A')] param([Parameter(ParameterSetName='A',Mandatory)] $A,\
            [Parameter(ParameterSetName='B')] $B) }
            function script:No-Default { param([Parameter(ParameterSetName='A',Mandatory)] $A, [Parameter(ParameterSetName='B',Mandatory)] $B,\
            [Parameter(Mandatory)] $C) }";
        for (cmdlet, arguments, fed, expected) in [
            ("New-Thing", &[][..], false, "Name Password"),
            ("New-Thing", &[("", Value::from("a"))], false, "Password"),
            ("New-Thing", &[], true, "Name Password"),
            ("Set-Thing", &[], false, "Identity User"),
            ("Set-Thing", &[], true, ""),
            ("Set-Thing", &[("", "x".into())], false, "User"),
            ("Set-Thing", &[("-B:", 1.into()), ("-User:", 1.into()), ("-Identity:", 1.into())], false, ""),
            ("Two-Sets", &[], false, "A"),
            ("Two-Sets", &[("-B:", 1.into())], false, ""),
            // Which set is meant is not certain: the service is to say.
            ("No-Default", &[], false, ""),
            ("No-Default", &[("-A:", 1.into())], false, "C"),
        ] {
            let told = Arc::new(functions(script).find(|d| &*d.name == cmdlet).unwrap());
            let bound = by_description(&command(cmdlet, arguments), &told).map_err(|f| f.message).unwrap();
            let names: Vec<&str> = bound.missing(fed).into_iter().map(|p| &*p.name).collect();
            assert_eq!(names.join(" "), expected, "{cmdlet} {arguments:?} {fed}");
        }
        let told = Arc::new(functions(script).find(|d| &*d.name == "Set-Thing").unwrap());
        let bound = by_description(&command("Set-Thing", &[]), &told).map_err(|f| f.message).unwrap();
        let lacking = crate::transport::rest::input::bind(&bound, &"x".into()).unwrap_err();
        assert_eq!((lacking.id.as_str(), lacking.target_name.as_str()), ("InputObjectMissingMandatory,Set-Thing", "x"));
        assert!(lacking.message.ends_with("to bind all mandatory parameters:  User"), "{}", lacking.message);
    }

    #[test]
    fn the_module_tells_what_the_engine_knows() {
        let script = "function script:Set-Thing { [CmdletBinding(SupportsShouldProcess, DefaultParameterSetName='B')] param(\
            [Parameter(Position=0, Mandatory)] [Alias('Key')] $Identity, [switch] $Warm, $ArchiveName, $ArchiveGuid, $ConfirmMessage,\
            [Parameter(Position=1, ParameterSetName='A')] $First, [Parameter(Position=1, ParameterSetName='B')] $Second,\
            [Parameter(ParameterSetName='A')] $OnlyA ) }";
        let told = Arc::new(functions(script).next().unwrap());
        let bound = |arguments: &[(&str, Value)]| match by_description(&command("Set-Thing", arguments), &told) {
            Ok(b) => format!("{}{:?}{}", shown(&b), b.confirm, if b.what_if { " what if" } else { "" }),
            Err(f) => format!("{} {}", f.id, f.message),
        };
        for (arguments, expected) in [
            (&[("-id", NONE), ("", "x".into()), ("-War", NONE), ("-WARM:", 0.into())][..], "ParameterAlreadyBound,Set-Thing"),
            (&[("-ke", NONE), ("", "x".into()), ("-warm", NONE), ("", "y".into())], "Identity=x Warm=True Second=y None"),
            (&[("", "x".into()), ("", "y".into()), ("-Only", NONE), ("", 1.into())], "OnlyA=1 Identity=x First=y None"),
            (&[("-Warm:", 0.into()), ("-Conf:", false.into()), ("", "x".into())], "Warm=False ConfirmMessage=False Identity=x None"),
            (&[("-cf:", false.into()), ("-Wh", NONE)], "Some(false) what if"),
            (
                &[("-Archive", NONE), ("", 1.into())],
                "AmbiguousParameter,Set-Thing Parameter cannot be processed because the parameter name 'Archive' is ambiguous. Possible matches include: -ArchiveName -ArchiveGuid.",
            ),
            (
                &[("-Err", NONE), ("", 1.into())],
                "AmbiguousParameter,Set-Thing Parameter cannot be processed because the parameter name 'Err' is ambiguous. Possible matches include: -ErrorAction -ErrorVariable.",
            ),
            (&[("-No", NONE)], "NamedParameterNotFound,Set-Thing A parameter cannot be found that matches parameter name 'No'."),
            (&[("-", NONE)], "NamedParameterNotFound,Set-Thing"),
            (
                &[("-ArchiveG", NONE), ("-Warm", NONE)],
                "MissingArgument,Set-Thing Missing an argument for parameter 'ArchiveGuid'. Specify a parameter of type 'System.Object' and try again.",
            ),
            (&[("-Identity:", NONE)], "ParameterArgumentValidationErrorNullNotAllowed,Set-Thing"),
            (&[("ArchiveGuid", NONE)], "ArchiveGuid= None"),
            (
                &[("", 1.into()), ("", 2.into()), ("", 3.into())],
                "PositionalParameterNotFound,Set-Thing A positional parameter cannot be found that accepts argument '3'.",
            ),
        ] {
            let got = bound(arguments);
            assert!(got.starts_with(expected), "{arguments:?}: {got}");
        }
    }
}
