//! The proxy functions of the module that the service hands out (EXOModuleFile): what their parameter blocks tell of each
//! cmdlet. They hold what the engine's binder needs: types, aliases, positions, what the pipeline feeds, and the impact.

/// The type of a switch.
pub(super) const SWITCH: &str = "System.Management.Automation.SwitchParameter";

/// Parameter sets, a bit for each; all of them where none is named.
pub(super) type Sets = u64;
pub(super) const ALL_SETS: Sets = u64::MAX;

/// What is known of a cmdlet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) name: Box<str>,
    /// Without the common ones.
    pub(super) parameters: Vec<Parameter>,
    /// The default parameter set; all where there is none.
    pub(super) default_set: Sets,
    /// It has -WhatIf and -Confirm.
    pub(super) confirms: bool,
    /// Whether its impact is high, where that is told.
    pub(super) is_high_impact: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: Box<str>,
    /// The .NET type.
    pub(super) type_name: Box<str>,
    pub(super) aliases: Vec<Box<str>>,
    /// One for each parameter set that is named; at least one.
    pub(super) places: Vec<Place>,
}

/// What a parameter is in a parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sets: Sets,
    pub(super) mandatory: bool,
    pub(super) position: Option<u32>,
    /// ValueFromPipeline.
    pub(super) by_value: bool,
    /// ValueFromPipelineByPropertyName.
    pub(super) by_name: bool,
}

const ANYWHERE: Place = Place { sets: ALL_SETS, mandatory: false, position: None, by_value: false, by_name: false };

impl Description {
    /// The parameter of this name, case ignored.
    pub(super) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }
}

impl Parameter {
    pub(super) fn is_switch(&self) -> bool {
        &*self.type_name == SWITCH
    }

    /// Its name and its aliases.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.name).chain(self.aliases.iter().map(|a| &**a))
    }

    /// The sets that it is in.
    pub(super) fn sets(&self) -> Sets {
        self.places.iter().fold(0, |sets, place| sets | place.sets)
    }

    /// What it is in some of these sets.
    pub(super) fn places_in(&self, sets: Sets) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(move |p| p.sets & sets != 0)
    }
}

/// The proxy functions: `function script:Verb-Noun` with a parameter block.
pub(super) fn functions(script: &str) -> impl Iterator<Item = Description> {
    const HEAD: &str = "function script:";
    let starts: Vec<usize> = memchr::memmem::find_iter(script.as_bytes(), HEAD).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([script.len()]).collect();
    starts.into_iter().zip(ends).filter_map(|(start, end)| {
        let text = &script[start + HEAD.len()..end];
        let name = &text[..text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))?];
        name.contains('-').then(|| function(name, text))
    })
}

fn function(name: &str, text: &str) -> Description {
    let mut sets = Names::default();
    let begins = |at: &usize| text[*at..].trim_start().starts_with('(');
    let words = text.match_indices("param").chain(text.match_indices("Param")).map(|(at, word)| at + word.len());
    let begin = words.filter(begins).min();
    let (default_set, confirms, is_high_impact) = binding(&text[..begin.unwrap_or(text.len())], &mut sets);
    let parameters = begin.and_then(|at| parameters(&text[at..], &mut sets)).unwrap_or_default();
    Description { name: name.into(), parameters, default_set, confirms, is_high_impact }
}

/// The names of a function's parameter sets, each with its bit.
#[derive(Default)]
struct Names<'a>(Vec<&'a str>);

impl<'a> Names<'a> {
    fn bit(&mut self, name: &'a str) -> Sets {
        if name.is_empty() || name.eq_ignore_ascii_case("__AllParameterSets") {
            return ALL_SETS;
        }
        let at = self.0.iter().position(|n| n.eq_ignore_ascii_case(name)).unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        });
        u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(ALL_SETS)
    }
}

/// `[CmdletBinding(…)]`: the default set, whether it confirms, and whether its impact is high.
fn binding<'a>(head: &'a str, sets: &mut Names<'a>) -> (Sets, bool, Option<bool>) {
    let mut told = (ALL_SETS, false, None);
    let Some(at) = head.find("[CmdletBinding") else { return told };
    let Some(length) = bracket_length(&head[at..]) else { return told };
    let Some((_, inside)) = head[at + 1..at + length - 1].split_once('(') else { return told };
    for (name, value) in named(inside) {
        match name.to_ascii_lowercase().as_str() {
            "defaultparametersetname" => told.0 = sets.bit(value.unwrap_or_default()),
            "supportsshouldprocess" => told.1 = is_true(value),
            "confirmimpact" => {
                let impact = value.unwrap_or_default();
                told.2 = Some(impact.rsplit(':').next().unwrap_or_default().trim_end_matches(']').trim().eq_ignore_ascii_case("High"));
            }
            _ => {}
        }
    }
    told
}

/// The arguments of an attribute that have names, up to its end; a name alone is true.
fn named(inside: &str) -> Vec<(&str, Option<&str>)> {
    let mut parts = Vec::new();
    let (mut at, mut from) = (0, 0);
    let bytes = inside.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => at += text_length(&inside[at..]).unwrap_or(bytes.len() - at) - 1,
            b',' => {
                parts.push(&inside[from..at]);
                from = at + 1;
            }
            b')' => break,
            _ => {}
        }
        at += 1;
    }
    parts.push(&inside[from.min(at)..at.min(inside.len())]);
    parts.into_iter().map(named_one).collect()
}

fn named_one(part: &str) -> (&str, Option<&str>) {
    match part.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim().trim_matches(['\'', '"']))),
        None => (part.trim(), None),
    }
}

fn is_true(value: Option<&str>) -> bool {
    value.is_none_or(|v| !(v.eq_ignore_ascii_case("$false") || v == "0"))
}

/// What `[Parameter(…)]` says.
fn place<'a>(inside: &'a str, sets: &mut Names<'a>) -> Place {
    let mut place = ANYWHERE;
    for (name, value) in named(inside) {
        match name.to_ascii_lowercase().as_str() {
            "parametersetname" => place.sets = sets.bit(value.unwrap_or_default()),
            "mandatory" => place.mandatory = is_true(value),
            "position" => place.position = value.and_then(|v| v.trim().parse().ok()),
            "valuefrompipeline" => place.by_value = is_true(value),
            "valuefrompipelinebypropertyname" => place.by_name = is_true(value),
            _ => {}
        }
    }
    place
}

/// The parameters of a `(…)`: attributes and a type in brackets before each `${Name}`.
fn parameters<'a>(text: &'a str, sets: &mut Names<'a>) -> Option<Vec<Parameter>> {
    let mut found = Vec::new();
    let object = || Box::<str>::from("System.Object");
    let (mut type_name, mut aliases, mut places) = (object(), Vec::new(), Vec::new());
    let mut depth = 0_usize;
    let mut at = 0;
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
                    None => type_name = full_name(inside).into(),
                    Some((attribute, values)) if attribute.trim().eq_ignore_ascii_case("Alias") => {
                        let values = values.trim_end().trim_end_matches(')');
                        let values = values.split(',').map(|a| a.trim().trim_matches(['\'', '"'])).filter(|a| !a.is_empty());
                        aliases = values.map(Box::from).collect();
                    }
                    Some((attribute, values)) if attribute.trim().eq_ignore_ascii_case("Parameter") => places.push(place(values, sets)),
                    Some(_) => {}
                }
                at += length - 1;
            }
            b'$' if depth == 1 => {
                let name = rest[1..].strip_prefix('{').map_or_else(
                    || rest[1..].split(|c: char| !(c.is_alphanumeric() || c == '_')).next(),
                    |braced| braced.split('}').next(),
                )?;
                if places.is_empty() {
                    places.push(ANYWHERE);
                }
                found.push(Parameter {
                    name: name.into(),
                    type_name: std::mem::replace(&mut type_name, object()),
                    aliases: std::mem::take(&mut aliases),
                    places: std::mem::take(&mut places),
                });
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

fn full_name(accelerator: &str) -> &str {
    let known = [
        ("switch", SWITCH),
        ("string", "System.String"),
        ("string[]", "System.String[]"),
        ("object", "System.Object"),
        ("object[]", "System.Object[]"),
        ("bool", "System.Boolean"),
        ("int", "System.Int32"),
        ("uint", "System.UInt32"),
        ("uri", "System.Uri"),
        ("hashtable", "System.Collections.Hashtable"),
        ("pscredential", "System.Management.Automation.PSCredential"),
        ("securestring", "System.Security.SecureString"),
    ];
    known.iter().find(|(short, _)| short.eq_ignore_ascii_case(accelerator)).map_or(accelerator, |(_, full)| full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_blocks_are_read() {
        let script = "$x = 1\r\nfunction script:Get-Mailbox\r\n{\r\n[CmdletBinding(DefaultParameterSetName='Identity (]', SupportsShouldProcess, ConfirmImpact = 'High')]\r\n  param(\r\n\
            [Parameter(ParameterSetName='A', Mandatory=$true, Position=0, ValueFromPipeline=$true)]\r\n[Parameter(ParameterSetName='Identity (]', ValueFromPipelineByPropertyName, HelpMessage='a, Position=7')]\r\n\
            [Alias('Id','Guid')]\r\n    [System.Object]\r\n    # The (mailbox\r\n    ${Identity},\r\n\r\n\
            [Parameter(Mandatory=$false)]\r\n [ValidateSet('a)', 'b')]\r\n [switch] $Archive,\r\n [string[]] ${Properties}\r\n  )\r\n}\r\n\
            function script:Execute { param($a) }\r\nfunction script:Set-X\r\n{ [CmdletBinding(SupportsShouldProcess=$true, ConfirmImpact=[System.Management.Automation.ConfirmImpact]::Medium)] param( ) }\r\nfunction script:Broken-One { param( [x\
            \nfunction script:No-Block { 1 }";
        let all: Vec<_> = functions(script).collect();
        assert_eq!(all.iter().map(|f| &*f.name).collect::<Vec<_>>(), ["Get-Mailbox", "Set-X", "Broken-One", "No-Block"]);
        let told = |p: &Parameter| (p.name.to_string(), p.type_name.to_string(), p.aliases.join(" "));
        let text = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        let expected =
            [text("Identity", "System.Object", "Id Guid"), text("Archive", SWITCH, ""), text("Properties", "System.String[]", "")];
        assert_eq!(all[0].parameters.iter().map(told).collect::<Vec<_>>(), expected);
        let place = |sets, mandatory, position, by_value, by_name| Place { sets, mandatory, position, by_value, by_name };
        assert_eq!(all[0].parameters[0].places, [place(2, true, Some(0), true, false), place(1, false, None, false, true)]);
        assert_eq!(all[0].parameters[1].places, [ANYWHERE]);
        assert_eq!((all[0].default_set, all[0].confirms, all[0].is_high_impact), (1, true, Some(true)));
        assert_eq!((all[1].default_set, all[1].confirms, all[1].is_high_impact), (ALL_SETS, true, Some(false)));
        assert!(all[1..].iter().all(|f| f.parameters.is_empty()) && !all[3].confirms);
    }

    #[test]
    fn any_number_of_parameter_sets_has_bits() {
        let many: String = (0..200).map(|n| format!("[Parameter(ParameterSetName='S{n}')] ${{P{n}}},")).collect();
        let script = format!("function script:Get-X {{ param({many} $Z) }}");
        let told = functions(&script).next().unwrap();
        assert_eq!((told.parameters.len(), told.parameters[63].sets(), told.parameters[64].sets()), (201, 1 << 63, ALL_SETS));
    }
}
