//! Get-FormatData: how Exchange shows its objects, in the shape in which PowerShell sends view definitions.

use super::binder::Bound;
use super::cmdlets::matches;
use super::records::typed;
use super::runspace::{Context, Run};
use crate::clixml::{Content, Object, Property, Value};
use uuid::Uuid;

/// A column or an item: what it is called, the property (or the script, where it begins with `$`), its width.
type Column = (&'static str, &'static str, i32);

enum View {
    Table(&'static [Column]),
    List(&'static [Column]),
}

const VIEWS: &[(&str, View)] = &[
    (
        "Microsoft.Exchange.Data.Directory.Management.Mailbox",
        View::Table(&[
            ("Name", "Name", 25),
            ("", "Alias", 20),
            ("Database", "Database", 20),
            ("ProhibitSendQuota", "ProhibitSendQuota", 0),
        ]),
    ),
    (
        "Microsoft.Exchange.Management.MapiTasks.Presentation.MailboxStatistics",
        View::Table(&[("", "DisplayName", 25), ("", "ItemCount", 12), ("", "StorageLimitStatus", 20), ("", "LastLogonTime", 0)]),
    ),
    (
        "Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomain",
        View::Table(&[("", "Name", 30), ("", "DomainName", 30), ("", "DomainType", 15), ("", "Default", 0)]),
    ),
    ("Microsoft.Exchange.Data.Directory.Management.OrganizationConfig", View::List(&[("Name", "Name", 0), ("", "Guid", 0)])),
];

const HOSTILE: &[(&str, View)] = &[
    ("Microsoft.Exchange.Data.Directory.Management.User", View::Table(&[("Name", "$global:Owned = 1; $_.Name", 25)])),
    ("Microsoft.Exchange.Data.Directory.Management.MailUser", View::List(&[("Name", "$global:Owned = 1; $_.Name", 25)])),
];

/// The cmdlet.
pub fn get_format_data(context: &mut Context<'_>, bound: &Bound) -> Run {
    let wanted = bound.texts("TypeName");
    let asked = |name: &str| wanted.is_empty() || wanted.iter().any(|w| matches(w, name));
    for (name, view) in VIEWS.iter().filter(|(name, _)| asked(name)) {
        context.write(definition(name, view))?;
    }
    if context.runspace().options().hostile {
        HOSTILE.iter().try_for_each(|(name, view)| context.write(definition(name, view)))?;
        context.write("no definition at all")?;
    }
    Ok(())
}

fn of(class: &str, properties: Vec<Property>) -> Value {
    let name = format!("System.Management.Automation.{class}");
    let base = class.ends_with("Control").then_some("System.Management.Automation.PSControl");
    let names: Vec<&str> = std::iter::once(name.as_str()).chain(base).collect();
    Object { to_string: Some(name.as_str().into()), adapted: Some(properties), ..typed(&names) }.into()
}

fn list(of: &str, items: Vec<Value>) -> Object {
    let name = format!(
        "System.Collections.Generic.List`1[[{of}, System.Management.Automation, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]"
    );
    Object { content: Content::List(items), ..typed(&[&name]) }
}

fn entry(shown: &str) -> Value {
    let kind = if shown.starts_with('$') { "ScriptBlock" } else { "Property" };
    of("DisplayEntry", vec![Property::new("ValueType", kind), Property::new("Value", shown)])
}

fn label(name: &str) -> Value {
    if name.is_empty() { Value::Nil } else { name.into() }
}

fn table(columns: &[Column]) -> Value {
    let header = |(name, _, width): &Column| {
        let properties = vec![Property::new("Label", label(name)), Property::new("Alignment", "Undefined"), Property::new("Width", *width)];
        of("TableControlColumnHeader", properties)
    };
    let column = |(_, shown, _): &Column| {
        let properties = vec![
            Property::new("Alignment", "Undefined"),
            Property::new("DisplayEntry", entry(shown)),
            Property::new("FormatString", Value::Nil),
        ];
        of("TableControlColumn", properties)
    };
    let row = of(
        "TableControlRow",
        vec![
            Property::new("Columns", list("System.Management.Automation.TableControlColumn", columns.iter().map(column).collect())),
            Property::new("SelectedBy", Value::Nil),
            Property::new("Wrap", false),
        ],
    );
    let properties = vec![
        Property::new("Headers", list("System.Management.Automation.TableControlColumnHeader", columns.iter().map(header).collect())),
        Property::new("Rows", list("System.Management.Automation.TableControlRow", vec![row])),
        Property::new("AutoSize", false),
        Property::new("HideTableHeaders", false),
        Property::new("GroupBy", Value::Nil),
        Property::new("OutOfBand", false),
    ];
    of("TableControl", properties)
}

fn items(columns: &[Column]) -> Value {
    let item = |(name, shown, _): &Column| {
        let properties = vec![
            Property::new("Label", label(name)),
            Property::new("DisplayEntry", entry(shown)),
            Property::new("ItemSelectionCondition", Value::Nil),
            Property::new("FormatString", Value::Nil),
        ];
        of("ListControlEntryItem", properties)
    };
    let properties = vec![
        Property::new("Items", list("System.Management.Automation.ListControlEntryItem", columns.iter().map(item).collect())),
        Property::new("SelectedBy", Value::Nil),
        Property::new("EntrySelectedBy", Value::Nil),
    ];
    let entries = list("System.Management.Automation.ListControlEntry", vec![of("ListControlEntry", properties)]);
    of("ListControl", vec![Property::new("Entries", entries), Property::new("GroupBy", Value::Nil), Property::new("OutOfBand", false)])
}

fn definition(name: &str, view: &View) -> Value {
    let control = match view {
        View::Table(columns) => table(columns),
        View::List(columns) => items(columns),
    };
    let view = Object {
        to_string: Some("System.Management.Automation.FormatViewDefinition".into()),
        adapted: Some(vec![Property::new("Name", name), Property::new("Control", control)]),
        extended: Some(vec![Property::new("InstanceId", Uuid::new_v4())]),
        ..typed(&["System.Management.Automation.FormatViewDefinition"])
    };
    let views = list("System.Management.Automation.FormatViewDefinition", vec![view.into()]);
    let properties = vec![
        Property::new("TypeName", name),
        Property::new("TypeNames", list("System.String", vec![name.into()])),
        Property::new("FormatViewDefinition", views),
    ];
    let object = typed(&["System.Management.Automation.ExtendedTypeDefinition"]);
    Object { to_string: Some(name.into()), adapted: Some(properties), ..object }.into()
}
