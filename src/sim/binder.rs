//! Parameter binding as PowerShell's server does it: both argument shapes, abbreviated names, aliases, switches, positions,
//! the pipeline by value and by property name.

use super::records::{Category, Failure, text_of};
use crate::clixml::{Content, Value};
use crate::psrp::Argument;

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A switch.
    Switch,
    /// A Boolean, which takes a value.
    Bool,
    /// A whole number.
    Int,
    /// A whole number or `Unlimited`.
    Unlimited,
    /// Whatever names an object of this Exchange type.
    Identity(&'static str),
    /// One string or several.
    Texts,
    /// A SecureString.
    Secure,
    /// A PSCredential.
    Credential,
    /// Anything.
    Any,
}

impl Kind {
    /// The .NET type, as metadata, prompts and errors name it.
    pub fn type_name(self) -> String {
        match self {
            Self::Text => "System.String".into(),
            Self::Switch => "System.Management.Automation.SwitchParameter".into(),
            Self::Bool => "System.Boolean".into(),
            Self::Int => "System.Int32".into(),
            Self::Unlimited => "Microsoft.Exchange.Data.Unlimited`1[System.UInt32]".into(),
            Self::Identity(of) => format!("Microsoft.Exchange.Configuration.Tasks.{of}IdParameter"),
            Self::Texts => "Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]".into(),
            Self::Secure => "System.Security.SecureString".into(),
            Self::Credential => "System.Management.Automation.PSCredential".into(),
            Self::Any => "System.Object".into(),
        }
    }

    fn convert(self, value: Value) -> Result<Value, String> {
        let fails = |why: &str| Err(why.to_owned());
        let flag = |v: &Value| match v.unwrapped() {
            Value::Bool(b) => Some(*b),
            v => v.as_i64().map(|n| n != 0).or_else(|| match text_of(v).to_ascii_lowercase().as_str() {
                "$true" => Some(true),
                "$false" => Some(false),
                _ => v.property("IsPresent").and_then(Value::as_bool),
            }),
        };
        match self {
            Self::Any => Ok(value),
            Self::Secure => match value.unwrapped() {
                Value::SecureString(_) => Ok(value.unwrapped().clone()),
                _ => fails(&format!("Cannot convert the value of type \"{}\" to type \"System.Security.SecureString\".", type_of(&value))),
            },
            Self::Credential => match value.property("Password") {
                Some(_) => Ok(value),
                None => fails(
                    "A command that prompts the user failed because the host program or the command type does not support user interaction.",
                ),
            },
            Self::Switch | Self::Bool => match flag(&value) {
                Some(b) => Ok(b.into()),
                None => fails("Boolean parameters accept only Boolean values and numbers, such as $True, $False, 1 or 0."),
            },
            Self::Int | Self::Unlimited => {
                let number = value.as_i64().or_else(|| text_of(&value).trim().parse().ok());
                match number.and_then(|n| i32::try_from(n).ok()) {
                    Some(n) if self == Self::Int || n >= 0 => Ok(n.into()),
                    _ if self == Self::Unlimited && text_of(&value).eq_ignore_ascii_case("Unlimited") => Ok("Unlimited".into()),
                    _ => fails("Input string was not in a correct format."),
                }
            }
            Self::Identity(_) => {
                let named = ["Guid", "PrimarySmtpAddress", "Identity", "Name"].iter().find_map(|n| value.property(n));
                let text = text_of(named.unwrap_or(&value));
                if text.is_empty() { fails("The identity is empty.") } else { Ok(text.into()) }
            }
            Self::Text => match &value {
                Value::Object(o) if matches!(o.content, Content::Dictionary(_)) => fails("Specified method is not supported."),
                v => Ok(text_of(v).into()),
            },
            Self::Texts => Ok(value),
        }
    }
}

/// How a parameter takes pipeline input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piped {
    /// Not at all.
    No,
    /// The whole object.
    Value,
    /// The object's property of this name or an alias.
    Name,
    /// Either.
    Both,
}

/// One parameter of a cmdlet.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
    /// Where a value without a name goes.
    pub position: Option<usize>,
    /// It must be there.
    pub mandatory: bool,
    /// Whether the pipeline feeds it.
    pub piped: Piped,
}

/// A parameter that is optional and named.
pub const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, aliases: &[], kind, position: None, mandatory: false, piped: Piped::No }
}

impl Parameter {
    /// The same with other names.
    pub const fn or(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
    /// The same at a position.
    pub const fn at(self, position: usize) -> Self {
        Self { position: Some(position), ..self }
    }
    /// The same, required.
    pub const fn required(self) -> Self {
        Self { mandatory: true, ..self }
    }
    /// The same, fed by the pipeline.
    pub const fn from(self, piped: Piped) -> Self {
        Self { piped, ..self }
    }
}

/// What every cmdlet takes.
pub const COMMON: &[Parameter] = &[
    parameter("Verbose", Kind::Switch).or(&["vb"]),
    parameter("Debug", Kind::Switch).or(&["db"]),
    parameter("ErrorAction", Kind::Text).or(&["ea"]),
    parameter("WarningAction", Kind::Text).or(&["wa"]),
    parameter("InformationAction", Kind::Text).or(&["infa"]),
    parameter("ErrorVariable", Kind::Text).or(&["ev"]),
    parameter("WarningVariable", Kind::Text).or(&["wv"]),
    parameter("InformationVariable", Kind::Text).or(&["iv"]),
    parameter("OutVariable", Kind::Text).or(&["ov"]),
    parameter("OutBuffer", Kind::Int).or(&["ob"]),
    parameter("PipelineVariable", Kind::Text).or(&["pv"]),
];

/// What cmdlets that change something take besides.
pub const CONFIRMING: &[Parameter] = &[parameter("WhatIf", Kind::Switch).or(&["wi"]), parameter("Confirm", Kind::Switch).or(&["cf"])];

/// Parameters with their values.
#[derive(Debug, Clone, Default)]
pub struct Bound(Vec<(&'static str, Value)>);

impl Bound {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
    /// Its text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|v| !matches!(v, Value::Nil)).map(text_of)
    }
    /// Its items, where it takes several; one is as good as a list of one.
    pub fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            None | Some(Value::Nil) => Vec::new(),
            Some(v) => v.as_list().map_or_else(|| vec![text_of(v)], |l| l.iter().map(text_of).collect()),
        }
    }
    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.flag(name).unwrap_or(false)
    }
    /// A Boolean, where it was given.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }
    /// A whole number, where it was given and is not `Unlimited`.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_i64)
    }
    /// Every value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(n, v)| (*n, v))
    }

    fn set(&mut self, name: &'static str, value: Value) {
        self.0.retain(|(n, _)| *n != name);
        self.0.push((name, value));
    }
}

const BINDING: &str = "System.Management.Automation.ParameterBindingException";
const VALIDATION: &str = "System.Management.Automation.ParameterBindingValidationException";

/// The parameters that one command has.
#[derive(Debug, Clone)]
pub struct Binder {
    cmdlet: &'static str,
    parameters: Vec<&'static Parameter>,
}

#[allow(clippy::result_large_err, reason = "a failure to bind is rare and ends its command")]
impl Binder {
    /// For a cmdlet with these parameters and the common ones.
    pub fn new(cmdlet: &'static str, own: &'static [Parameter], confirms: bool) -> Self {
        let confirming = if confirms { CONFIRMING } else { &[] };
        Self { cmdlet, parameters: own.iter().chain(COMMON).chain(confirming).collect() }
    }

    fn failure(&self, message: String, id: &str) -> Failure {
        Failure::new(BINDING, message, format!("{id},{}", self.cmdlet), Category::InvalidArgument, self.cmdlet)
    }

    /// By its name, an alias, or the beginning of one that is not the beginning of another.
    fn find(&self, name: &str) -> Result<&'static Parameter, Failure> {
        let names = |p: &'static Parameter| std::iter::once(p.name).chain(p.aliases.iter().copied());
        if let Some(p) = self.parameters.iter().find(|p| names(p).any(|n| n.eq_ignore_ascii_case(name))) {
            return Ok(p);
        }
        let begins = |n: &str| n.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let found: Vec<_> = self.parameters.iter().filter(|p| names(p).any(begins)).collect();
        // The cmdlet's own go before the common ones.
        let is_common = |p: &&Parameter| COMMON.iter().chain(CONFIRMING).any(|c| c.name == p.name);
        let mut own = found.iter().copied().filter(|p| !is_common(p));
        if let (Some(p), None, false) = (own.next(), own.next(), name.is_empty()) {
            return Ok(p);
        }
        match found[..] {
            [p] if !name.is_empty() => Ok(p),
            [_, _, ..] if !name.is_empty() => {
                let candidates = found.iter().map(|p| format!(" -{}", p.name)).collect::<String>();
                let message = format!(
                    "Parameter cannot be processed because the parameter name '{name}' is ambiguous. Possible matches include:{candidates}."
                );
                Err(self.failure(message, "AmbiguousParameter"))
            }
            _ => Err(self.not_found(name)),
        }
    }

    fn not_found(&self, name: &str) -> Failure {
        self.failure(format!("A parameter cannot be found that matches parameter name '{name}'."), "NamedParameterNotFound")
    }

    /// The error for a name that is none in full, nor an alias: the REST road takes no beginnings.
    pub fn unknown(&self, name: &str) -> Option<Failure> {
        let is = |p: &&Parameter| std::iter::once(&p.name).chain(p.aliases).any(|n| n.eq_ignore_ascii_case(name));
        (!self.parameters.iter().copied().any(|p| is(&p))).then(|| self.not_found(name))
    }

    /// Binds what the command line gives.
    pub fn bind(&self, arguments: &[Argument]) -> Result<Bound, Failure> {
        let mut bound = Bound::default();
        let mut loose = Vec::new();
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            let Some(typed) = argument.name.as_deref().filter(|n| !n.trim().is_empty()) else {
                loose.push(argument.value.clone());
                continue;
            };
            let has_dash = typed.starts_with(['-', '\u{2013}', '\u{2014}', '\u{2015}']);
            let trimmed = typed.trim_end();
            let name = trimmed.trim_start_matches(['-', '\u{2013}', '\u{2014}', '\u{2015}']).trim_end_matches(':');
            let parameter = self.find(name)?;
            if bound.get(parameter.name).is_some() {
                let message = format!(
                    "Cannot bind parameter because parameter '{}' is specified more than once. To provide multiple values to parameters that can accept multiple values, use the array syntax. For example, \"-parameter value1,value2,value3\".",
                    parameter.name
                );
                return Err(self.failure(message, "ParameterAlreadyBound"));
            }
            // With a dash, no value and no colon the value, if there is one, is the next argument without a name.
            let stands_alone = has_dash && matches!(argument.value, Value::Nil);
            let value = if !stands_alone {
                argument.value.clone()
            } else if parameter.kind == Kind::Switch && !trimmed.ends_with(':') {
                true.into()
            } else {
                match rest.next_if(|next| next.name.as_deref().is_none_or(|n| n.trim().is_empty())) {
                    Some(next) => next.value.clone(),
                    None if trimmed.ends_with(':') => Value::Nil,
                    None => {
                        let message = format!(
                            "Missing an argument for parameter '{}'. Specify a parameter of type '{}' and try again.",
                            parameter.name,
                            parameter.kind.type_name()
                        );
                        return Err(self.failure(message, "MissingArgument"));
                    }
                }
            };
            self.set(&mut bound, parameter, value)?;
        }
        let mut positions: Vec<_> = self.parameters.iter().filter(|p| p.position.is_some() && bound.get(p.name).is_none()).collect();
        positions.sort_by_key(|p| p.position);
        let mut positions = positions.into_iter();
        for value in loose {
            match positions.next() {
                Some(parameter) => self.set(&mut bound, parameter, value)?,
                None => {
                    let message = format!("A positional parameter cannot be found that accepts argument '{}'.", text_of(&value));
                    return Err(self.failure(message, "PositionalParameterNotFound"));
                }
            }
        }
        Ok(bound)
    }

    /// Gives one parameter its value, converted.
    pub fn set(&self, bound: &mut Bound, parameter: &'static Parameter, value: Value) -> Result<(), Failure> {
        if matches!(value, Value::Nil) && matches!(parameter.kind, Kind::Identity(_) | Kind::Int | Kind::Unlimited | Kind::Secure) {
            if parameter.mandatory || matches!(parameter.kind, Kind::Identity(_)) {
                let message = format!("Cannot bind argument to parameter '{}' because it is null.", parameter.name);
                let id = format!("ParameterArgumentValidationErrorNullNotAllowed,{}", self.cmdlet);
                return Err(Failure::new(VALIDATION, message, id, Category::InvalidData, self.cmdlet));
            }
            return Ok(());
        }
        if parameter.mandatory && matches!(&value, Value::String(_)) && text_of(&value).is_empty() {
            let message = format!("Cannot bind argument to parameter '{}' because it is an empty string.", parameter.name);
            let id = format!("ParameterArgumentValidationErrorEmptyStringNotAllowed,{}", self.cmdlet);
            return Err(Failure::new(VALIDATION, message, id, Category::InvalidData, self.cmdlet));
        }
        if matches!(value, Value::Nil) && !matches!(parameter.kind, Kind::Switch | Kind::Bool) {
            bound.set(parameter.name, value);
            return Ok(());
        }
        let shown = text_of(&value);
        match parameter.kind.convert(value) {
            Ok(value) => bound.set(parameter.name, value),
            Err(why) => {
                let message = format!(
                    "Cannot bind parameter '{}'. Cannot convert value \"{shown}\" to type \"{}\". Error: \"{why}\"",
                    parameter.name,
                    parameter.kind.type_name()
                );
                return Err(self.failure(message, "CannotConvertArgumentNoMessage"));
            }
        }
        Ok(())
    }

    /// The mandatory parameters still without a value, but those that the pipeline can feed when there is one.
    pub fn missing(&self, bound: &Bound, piped: bool) -> Vec<&'static Parameter> {
        let lacks = |p: &&&'static Parameter| p.mandatory && bound.get(p.name).is_none() && !(piped && p.piped != Piped::No);
        self.parameters.iter().filter(lacks).copied().collect()
    }

    /// The error for mandatory parameters that nobody can be asked for.
    pub fn missing_error(&self, missing: &[&Parameter]) -> Failure {
        let names = missing.iter().map(|p| p.name).collect::<Vec<_>>().join(" ");
        let message = format!("Cannot process command because of one or more missing mandatory parameters: {names}.");
        self.failure(message, "MissingMandatoryParameter")
    }

    /// Binds an object from the pipeline, by value before by property name, to parameters the command line left free.
    pub fn bind_input(&self, given: &Bound, input: &Value) -> Result<Bound, Failure> {
        let mut bound = given.clone();
        let mut taken = false;
        let free: Vec<_> = self.parameters.iter().filter(|p| p.piped != Piped::No && given.get(p.name).is_none()).collect();
        for parameter in &free {
            let fits = match parameter.kind {
                Kind::Identity(_) => matches!(input.unwrapped(), Value::String(_) | Value::Guid(_)) || is_exchange(input),
                _ => true,
            };
            if matches!(parameter.piped, Piped::Value | Piped::Both) && fits && !matches!(input, Value::Nil) {
                taken |= self.set(&mut bound, parameter, input.clone()).is_ok();
            }
        }
        if !taken {
            for parameter in &free {
                let mut names = std::iter::once(parameter.name).chain(parameter.aliases.iter().copied());
                if matches!(parameter.piped, Piped::Name | Piped::Both)
                    && let Some(value) = names.find_map(|n| input.property(n))
                {
                    taken |= self.set(&mut bound, parameter, value.clone()).is_ok();
                }
            }
        }
        if !taken {
            let message = "The input object cannot be bound to any parameters for the command either because the command does not take pipeline input or the input and its properties do not match any of the parameters that take pipeline input.";
            return Err(self.failure(message.to_owned(), "InputObjectNotBound").about(input.clone()));
        }
        match self.missing(&bound, false)[..] {
            [] => Ok(bound),
            ref missing => Err(self.missing_error(missing)),
        }
    }
}

/// Whether the object is a directory object of Exchange's own, fresh or come back.
fn is_exchange(value: &Value) -> bool {
    let object = value.as_object();
    object.is_some_and(|o| o.is_a("Microsoft.Exchange.Data.Directory.ADObject") || o.is_a("Microsoft.Exchange.Data.Directory.ADObjectId"))
}

fn type_of(value: &Value) -> String {
    match value {
        Value::String(_) => "System.String".into(),
        Value::I32(_) => "System.Int32".into(),
        Value::Bool(_) => "System.Boolean".into(),
        Value::Object(o) => o.type_names.iter().flat_map(|t| t.iter()).next().map_or_else(|| "System.Object".into(), ToString::to_string),
        _ => "System.Object".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clixml::{Object, Property};

    const OWN: &[Parameter] = &[
        parameter("Identity", Kind::Identity("Mailbox")).at(0).from(Piped::Both),
        parameter("ResultSize", Kind::Unlimited),
        parameter("Archive", Kind::Switch),
        parameter("Anr", Kind::Text),
        parameter("HiddenFromAddressListsEnabled", Kind::Bool),
    ];

    fn binder() -> Binder {
        Binder::new("Get-Mailbox", OWN, false)
    }

    fn named(name: &str, value: impl Into<Value>) -> Argument {
        Argument { name: Some(name.into()), value: value.into() }
    }

    fn bare(value: impl Into<Value>) -> Argument {
        Argument { name: None, value: value.into() }
    }

    fn id_of(arguments: &[Argument]) -> String {
        binder().bind(arguments).map_or_else(|f| f.id, |b| format!("bound {b:?}"))
    }

    #[test]
    fn both_shapes_bind_alike() {
        for arguments in [
            vec![named("Identity", "a"), named("ResultSize", 5)],
            vec![named("-Identity", Value::Nil), bare("a"), named("-ResultSize", Value::Nil), bare("5")],
            vec![named("-Identity:", "a"), named("-ResultSize: ", 5)],
            vec![bare("a"), named("-Res", Value::Nil), bare(5)],
            vec![named("-res ", Value::Nil), bare(5), bare("a")],
        ] {
            let bound = binder().bind(&arguments).unwrap_or_else(|f| panic!("{arguments:?}: {}", f.message));
            assert_eq!((bound.text("Identity"), bound.number("ResultSize")), (Some("a".into()), Some(5)), "{arguments:?}");
        }
    }

    #[test]
    fn a_switch_takes_no_value_but_after_a_colon() {
        let bound = binder().bind(&[named("-Archive", Value::Nil), bare("a")]).unwrap();
        assert!(bound.is_on("Archive"));
        assert_eq!(bound.text("Identity").as_deref(), Some("a"));
        let bound = binder().bind(&[named("-Archive:", false), named("-HiddenFrom", Value::Nil), bare(true)]).unwrap();
        assert_eq!((bound.flag("Archive"), bound.flag("HiddenFromAddressListsEnabled")), (Some(false), Some(true)));
    }

    #[test]
    fn what_does_not_bind_says_why() {
        assert_eq!(id_of(&[named("-Nonesuch", Value::Nil)]), "NamedParameterNotFound,Get-Mailbox");
        assert_eq!(id_of(&[named("-A", Value::Nil)]), "AmbiguousParameter,Get-Mailbox");
        assert_eq!(id_of(&[named("-Err", Value::Nil)]), "AmbiguousParameter,Get-Mailbox");
        assert_eq!(id_of(&[named("-Anr", Value::Nil)]), "MissingArgument,Get-Mailbox");
        assert_eq!(id_of(&[bare("a"), bare("b")]), "PositionalParameterNotFound,Get-Mailbox");
        assert_eq!(id_of(&[named("ResultSize", "many")]), "CannotConvertArgumentNoMessage,Get-Mailbox");
        assert_eq!(id_of(&[named("Anr", "a"), named("-anr:", "b")]), "ParameterAlreadyBound,Get-Mailbox");
        assert_eq!(id_of(&[named("-Identity:", Value::Nil)]), "ParameterArgumentValidationErrorNullNotAllowed,Get-Mailbox");
    }

    #[test]
    fn the_pipeline_binds_by_value_and_by_name() {
        let by_value = binder().bind_input(&Bound::default(), &"a".into()).unwrap();
        assert_eq!(by_value.text("Identity").as_deref(), Some("a"));
        let bag = Value::from(Object::bag(vec![Property::new("identity", "b")]));
        assert_eq!(binder().bind_input(&Bound::default(), &bag).unwrap().text("Identity").as_deref(), Some("b"));
        let other = Value::from(Object::bag(vec![Property::new("Color", "red")]));
        assert_eq!(binder().bind_input(&Bound::default(), &other).unwrap_err().id, "InputObjectNotBound,Get-Mailbox");
    }
}
