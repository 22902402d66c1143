//! What a server tells of one command when it is asked for metadata, in short: a command's CLIXML is ten times its names.

use crate::clixml::{self, Content, Object, Value};
use std::borrow::Cow;
use std::collections::HashSet;

/// One line for the command and one for each parameter, ended by line feeds, their fields parted by tabs:
///
/// ```text
/// name, type of the command, command behind an alias or nothing
/// name, "switch" or "value", .NET type, and then each alias
/// ```
///
/// None where this is no description, as the count that comes first. What could be taken for a separator, and any other
/// control character, stands as U+FFFD. Of two parameters or aliases of one name, case ignored, the first stays.
pub(super) fn describe(document: &[u8]) -> Option<String> {
    let value = clixml::read(document).ok()?;
    let name = value.property("Name")?.as_str()?;
    let parameters = value.property("Parameters")?;
    let kind = value.property("CommandType").and_then(shown).unwrap_or_default();
    let behind = value.property("ResolvedCommandName").and_then(Value::as_str).unwrap_or_default();
    let mut text = String::with_capacity(1024);
    line(&mut text, [clean(name), clean(&kind), clean(behind)].into_iter());
    let parameters: Vec<&Value> = match parameters.as_object().map(|o| &o.content) {
        Some(Content::Dictionary(entries)) => entries.iter().map(|(_, v)| v).collect(),
        Some(_) => return None,
        None => Vec::new(),
    };
    let names = |v: &Value| v.property("Name").and_then(Value::as_str).map(str::to_owned);
    let mut kept = HashSet::new();
    let parameters = parameters.into_iter().map(|p| names(p).map(|n| (n, p))).collect::<Option<Vec<_>>>()?;
    let parameters: Vec<_> = parameters.into_iter().filter(|(n, _)| kept.insert(n.to_lowercase())).collect();
    for (name, parameter) in &parameters {
        let is_switch = parameter.property("SwitchParameter").and_then(Value::as_bool)?;
        let kind = parameter.property("ParameterType").and_then(shown).unwrap_or_default();
        let aliases = parameter.property("Aliases").and_then(Value::as_list).unwrap_or_default();
        let aliases = aliases.iter().filter_map(Value::as_str).filter(|a| kept.insert(a.to_lowercase())).map(clean);
        let fields = [clean(name), if is_switch { "switch" } else { "value" }.into(), clean(&kind)];
        line(&mut text, fields.into_iter().chain(aliases));
    }
    Some(text)
}

fn line<'a>(text: &mut String, fields: impl Iterator<Item = Cow<'a, str>>) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            text.push('\t');
        }
        text.push_str(&field);
    }
    text.push('\n');
}

/// The text of a string, or of an object that is shown as one.
fn shown(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_object().and_then(|o: &Object| Some(o.to_string.as_ref()?.to_string())))
}

fn clean(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.contains(breaks) { text.replace(breaks, "\u{FFFD}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clixml::Property;

    fn parameter(name: &str, switch: bool, aliases: &[&str]) -> (Value, Value) {
        let aliases = Object::list(aliases.iter().map(|a| Value::from(*a)).collect());
        let properties = vec![
            Property::new("Name", name),
            Property::new("ParameterType", if switch { "System.Management.Automation.SwitchParameter" } else { "System.String" }),
            Property::new("Aliases", aliases),
            Property::new("SwitchParameter", switch),
        ];
        (name.into(), Object { adapted: Some(properties), ..Object::new() }.into())
    }

    fn command(name: &str, parameters: Vec<(Value, Value)>) -> String {
        let properties = vec![
            Property::new("Name", name),
            Property::new("CommandType", Object::enumeration("System.Management.Automation.CommandTypes", "Cmdlet", 8)),
            Property::new("ResolvedCommandName", Value::Nil),
            Property::new("Parameters", Object::dictionary(parameters)),
        ];
        clixml::write(&Object::bag(properties).into())
    }

    #[test]
    fn a_command_is_a_line_and_one_for_each_parameter() {
        let text = command("Get-Mailbox", vec![parameter("Identity", false, &["Alias", "Upn"]), parameter("Archive", true, &[])]);
        let expected = "Get-Mailbox\tCmdlet\t\nIdentity\tvalue\tSystem.String\tAlias\tUpn\nArchive\tswitch\tSystem.Management.Automation.SwitchParameter\n";
        assert_eq!(describe(text.as_bytes()).as_deref(), Some(expected));
    }

    #[test]
    fn a_name_forges_no_line_and_no_field() {
        let text = command("Get-X\nGet-Y\t8\t", vec![parameter("a\nb\tvalue\tx\t", false, &["c\td", "e\u{2028}f\r"])]);
        let described = describe(text.as_bytes()).expect("a description");
        assert_eq!(described.lines().count(), 2, "{described:?}");
        assert_eq!(described.matches('\t').count(), 6, "{described:?}");
        assert!(described.ends_with("\tc\u{FFFD}d\te\u{FFFD}f\u{FFFD}\n"), "{described:?}");
    }

    #[test]
    fn of_two_names_the_first_stays() {
        let text = command(
            "Get-X",
            vec![parameter("Name", false, &["n", "FILTER"]), parameter("NAME", true, &[]), parameter("Filter", true, &["N", "f"])],
        );
        let described = describe(text.as_bytes()).expect("a description");
        assert_eq!(
            described,
            "Get-X\tCmdlet\t\nName\tvalue\tSystem.String\tn\nFilter\tswitch\tSystem.Management.Automation.SwitchParameter\tf\n"
        );
    }

    #[test]
    fn what_is_no_description_is_none() {
        for text in [
            "<Obj RefId=\"0\"><MS><I32 N=\"Count\">3</I32></MS></Obj>",
            "<S>x</S>",
            "<Nil/>",
            "<Obj",
            "",
            "<Obj RefId=\"0\"><MS><S N=\"Name\">x</S><S N=\"Parameters\">y</S></MS></Obj>",
        ] {
            let expected = text.contains("Parameters").then(|| "x\t\t\n".to_owned());
            assert_eq!(describe(text.as_bytes()), expected, "{text}");
        }
    }
}
