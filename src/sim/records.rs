//! Records as a server sends them: errors with Exchange's ids, warnings and the rest (MS-PSRP 2.2.2.20 to 2.2.2.26).

use crate::clixml::{Content, Object, Property, Value, civil, date_time, type_names};
use uuid::Uuid;

/// ErrorCategory, as far as this server uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are PowerShell's")]
pub enum Category {
    NotSpecified = 0,
    InvalidArgument = 5,
    InvalidData = 6,
    InvalidOperation = 7,
    ObjectNotFound = 13,
    OperationStopped = 14,
    ParserError = 17,
}

/// An error before it becomes an ErrorRecord.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The exception's full type name.
    pub exception: String,
    /// What people read.
    pub message: String,
    /// FullyQualifiedErrorId.
    pub id: String,
    /// The category.
    pub category: Category,
    /// The cmdlet, or nothing.
    pub activity: String,
    /// TargetObject.
    pub target: Value,
    /// ErrorDetails.Message, where it says more than the exception.
    pub details: Option<String>,
    /// Whether a `throw` statement raised it.
    pub thrown: bool,
}

impl Failure {
    /// An error of PowerShell's own.
    pub fn new(exception: &str, message: impl Into<String>, id: impl Into<String>, category: Category, activity: &str) -> Self {
        Self {
            exception: exception.to_owned(),
            message: message.into(),
            id: id.into(),
            category,
            activity: activity.to_owned(),
            target: Value::Nil,
            details: None,
            thrown: false,
        }
    }

    /// An error in Exchange's form: the id holds server, request, time, failure category, a hash and the cmdlet's class.
    pub fn exchange(exception: &str, message: impl Into<String>, category: Category, activity: &str, class: &str) -> Self {
        let message = message.into();
        let hash = message.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        let id = format!(
            "[Server={SERVER},RequestId={},TimeStamp={}] [FailureCategory=Cmdlet-{exception}] {hash:X},Microsoft.Exchange.Management.{class}",
            Uuid::new_v4(),
            time_stamp(),
        );
        let namespace = match exception {
            "ManagementObjectNotFoundException" | "ManagementObjectAmbiguousException" => "Microsoft.Exchange.Configuration.Tasks",
            _ => "Microsoft.Exchange.Data",
        };
        Self::new(&format!("{namespace}.{exception}"), message, id, category, activity)
    }

    /// The same about this object.
    #[must_use]
    pub fn about(mut self, target: Value) -> Self {
        self.target = target;
        self
    }

    /// The ErrorRecord. `invocation` is there when the client asked for the invocation's data (RemoteStreamOptions).
    pub fn record(&self, invocation: Option<&Invocation>) -> Value {
        let reason = self.exception.rsplit('.').next().unwrap_or_default();
        let target_name = match self.target.unwrapped() {
            Value::Nil => String::new(),
            v => text_of(v),
        };
        let target_type = match &self.target {
            Value::Nil => "",
            Value::String(_) => "String",
            _ => "PSObject",
        };
        let category = format!("{:?}", self.category);
        let shown =
            if target_name.len() > 40 { format!("{}...", target_name.chars().take(37).collect::<String>()) } else { target_name.clone() };
        let mut properties = vec![
            Property::new("Exception", self.exception_object()),
            Property::new("TargetObject", self.target.clone()),
            Property::new("FullyQualifiedErrorId", self.id.as_str()),
            Property::new("InvocationInfo", Value::Nil),
            Property::new("ErrorCategory_Category", self.category as i32),
            Property::new("ErrorCategory_Activity", self.activity.as_str()),
            Property::new("ErrorCategory_Reason", reason),
            Property::new("ErrorCategory_TargetName", target_name.as_str()),
            Property::new("ErrorCategory_TargetType", target_type),
            Property::new("ErrorCategory_Message", format!("{category}: ({shown}:{target_type}) [{}], {reason}", self.activity)),
        ];
        if let Some(details) = &self.details {
            properties.push(Property::new("ErrorDetails_Message", details.as_str()));
            properties.push(Property::new("ErrorDetails_RecommendedAction", Value::Nil));
        }
        properties.push(Property::new("SerializeExtendedInfo", invocation.is_some()));
        if let Some(invocation) = invocation {
            invocation.add_to(&mut properties);
        }
        Value::from(Object {
            type_names: Some(type_names(&["System.Management.Automation.ErrorRecord", "System.Object"])),
            to_string: Some(self.details.as_deref().unwrap_or(&self.message).into()),
            ..Object::bag(properties)
        })
    }

    fn exception_object(&self) -> Object {
        let mut chain = vec![self.exception.as_str()];
        if self.exception.starts_with("Microsoft.Exchange.") {
            chain.push("Microsoft.Exchange.Data.LocalizedException");
        } else if self.exception.starts_with("System.Management.Automation.") {
            chain.push("System.Management.Automation.RuntimeException");
        }
        chain.extend(["System.SystemException", "System.Exception", "System.Object"]);
        let mut properties = Vec::new();
        if self.exception.starts_with("System.Management.Automation.") {
            properties.push(Property::new("WasThrownFromThrowStatement", self.thrown));
        }
        properties.extend([
            Property::new("Message", self.message.as_str()),
            Property::new(
                "Data",
                Object { content: Content::Dictionary(Vec::new()), ..typed(&["System.Collections.ListDictionaryInternal"]) },
            ),
            Property::new("InnerException", Value::Nil),
            Property::new("TargetSite", Value::Nil),
            Property::new("StackTrace", Value::Nil),
            Property::new("HelpLink", Value::Nil),
            Property::new("Source", Value::Nil),
            Property::new("HResult", -2_146_233_088),
        ]);
        Object {
            type_names: Some(type_names(&chain)),
            to_string: Some(format!("{}: {}", self.exception, self.message).into()),
            adapted: Some(properties),
            ..Object::new()
        }
    }
}

/// What a record tells of the command it came from.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The command's name.
    pub name: String,
    /// Its place in the pipeline, from 1.
    pub position: i32,
    /// Commands in the pipeline.
    pub length: i32,
}

impl Invocation {
    fn add_to(&self, properties: &mut Vec<Property>) {
        // Each list has the type PowerShell gives it: pypsrp reads them in an order of its own and trips over a TNRef.
        let list = |names: &[&str]| Object { content: Content::List(Vec::new()), ..typed(names) };
        let empty_bag = Object {
            content: Content::Dictionary(Vec::new()),
            ..typed(&[
                "System.Management.Automation.PSBoundParametersDictionary",
                "System.Collections.Generic.Dictionary`2[[System.String],[System.Object]]",
            ])
        };
        properties.extend([
            Property::new("InvocationInfo_BoundParameters", empty_bag),
            Property::new("InvocationInfo_CommandOrigin", Object::enumeration("System.Management.Automation.CommandOrigin", "Runspace", 0)),
            Property::new("InvocationInfo_ExpectingInput", false),
            Property::new("InvocationInfo_InvocationName", self.name.as_str()),
            Property::new("InvocationInfo_Line", ""),
            Property::new("InvocationInfo_OffsetInLine", 0),
            Property::new("InvocationInfo_HistoryId", Value::I64(1)),
            Property::new("InvocationInfo_PipelineIterationInfo", list(&["System.Int32[]", "System.Array"])),
            Property::new("InvocationInfo_PipelineLength", self.length),
            Property::new("InvocationInfo_PipelinePosition", self.position),
            Property::new("InvocationInfo_PositionMessage", ""),
            Property::new("InvocationInfo_ScriptLineNumber", 0),
            Property::new("InvocationInfo_ScriptName", ""),
            Property::new("InvocationInfo_UnboundArguments", list(&[OBJECTS])),
            Property::new("SerializeExtent", false),
            Property::new("CommandInfo_CommandType", Object::enumeration("System.Management.Automation.CommandTypes", "Cmdlet", 8)),
            Property::new("CommandInfo_Name", self.name.as_str()),
            Property::new("CommandInfo_Definition", self.name.as_str()),
            Property::new(
                "CommandInfo_Visibility",
                Object::enumeration("System.Management.Automation.SessionStateEntryVisibility", "Public", 0),
            ),
        ]);
    }
}

const OBJECTS: &str =
    "System.Collections.Generic.List`1[[System.Object, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089]]";
const NUMBERS: &str = "System.Collections.ObjectModel.ReadOnlyCollection`1[[System.Int32, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089]]";

/// The server that ids name.
pub const SERVER: &str = "AM0PR01MB0220";

/// The domain controller that messages name.
pub const DOMAIN_CONTROLLER: &str = "AM0PR01A01DC01.EURPRD01.PROD.OUTLOOK.COM";

/// A warning, verbose or debug record.
pub fn informational(message: &str, invocation: Option<&Invocation>) -> Value {
    let list = |names: &[&str]| Object { content: Content::List(Vec::new()), ..typed(names) };
    let mut properties = vec![
        Property::new("InformationalRecord_Message", message),
        Property::new("InformationalRecord_SerializeInvocationInfo", invocation.is_some()),
    ];
    if let Some(invocation) = invocation {
        invocation.add_to(&mut properties);
        properties.push(Property::new("InformationalRecord_PipelineIterationInfo", list(&[NUMBERS])));
    }
    Value::from(Object { to_string: Some(message.into()), ..Object::bag(properties) })
}

/// What a progress record tells.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    /// What is being done.
    pub activity: &'a str,
    /// Tells activities apart.
    pub id: i32,
    /// How far it is.
    pub status: &'a str,
    /// -1 where unknown.
    pub percent: i32,
    /// The last of its activity.
    pub completed: bool,
}

impl Progress<'_> {
    /// The record.
    pub fn record(&self) -> Value {
        let (kind, number) = if self.completed { ("Completed", 1) } else { ("Processing", 0) };
        Value::from(Object::bag(vec![
            Property::new("Activity", self.activity),
            Property::new("ActivityId", self.id),
            Property::new("StatusDescription", self.status),
            Property::new("CurrentOperation", Value::Nil),
            Property::new("ParentActivityId", -1),
            Property::new("PercentComplete", self.percent),
            Property::new("Type", Object::enumeration("System.Management.Automation.ProgressRecordType", kind, number)),
            Property::new("SecondsRemaining", -1),
        ]))
    }
}

/// An information record, as Write-Information makes it.
pub fn information(data: Value, source: &str, tags: &[&str], user: &str) -> Value {
    let tags = Object {
        content: Content::List(tags.iter().map(|t| Value::from(*t)).collect()),
        ..typed(&[
            "System.Collections.Generic.List`1[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089]]",
        ])
    };
    let properties = vec![
        Property::new("MessageData", data.clone()),
        Property::new("Source", source),
        Property::new("TimeGenerated", Value::DateTime(now())),
        Property::new("Tags", tags),
        Property::new("User", user),
        Property::new("Computer", SERVER),
        Property::new("ProcessId", Value::U32(std::process::id())),
        Property::new("NativeThreadId", Value::U32(4242)),
        Property::new("ManagedThreadId", Value::U32(7)),
    ];
    Value::from(Object {
        type_names: Some(type_names(&["System.Management.Automation.InformationRecord", "System.Object"])),
        to_string: Some(text_of(&data).into()),
        ..Object::bag(properties)
    })
}

/// An object of these types (System.Object is added) with nothing in it yet.
pub fn typed(names: &[&str]) -> Object {
    let mut chain = names.to_vec();
    chain.push("System.Object");
    Object { type_names: Some(type_names(&chain)), ..Object::new() }
}

/// A value as PowerShell would write it into a message.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(t) | Value::Uri(t) | Value::Xml(t) | Value::ScriptBlock(t) => t.to_string(),
        Value::Bool(b) => if *b { "True" } else { "False" }.to_owned(),
        Value::Guid(g) => g.to_string(),
        Value::DateTime(s) | Value::Duration(s) | Value::Decimal(s) | Value::Version(s) | Value::SemanticVersion(s) => s.clone(),
        Value::U64(n) => n.to_string(),
        Value::F32(n) => n.to_string(),
        Value::F64(n) => n.to_string(),
        Value::Char(c) => String::from_utf16_lossy(&[*c]),
        Value::Nil => String::new(),
        Value::Object(o) => match (&o.to_string, &o.content) {
            (Some(t), _) => t.to_string(),
            (None, Content::Primitive(v)) => text_of(v),
            (None, Content::List(v)) => v.iter().map(text_of).collect::<Vec<_>>().join(" "),
            _ => o.type_names.iter().flat_map(|t| t.iter()).next().map_or_else(|| "System.Object".to_owned(), ToString::to_string),
        },
        v => v.as_i64().map_or_else(String::new, |n| n.to_string()),
    }
}

/// The time in Exchange's ids, e.g. `9/19/2018 7:38:34 PM`.
pub fn time_stamp() -> String {
    let (y, mo, d, h, mi, s) = civil(seconds_now());
    let (h12, half) = (if h % 12 == 0 { 12 } else { h % 12 }, if h < 12 { "AM" } else { "PM" });
    format!("{mo}/{d}/{y} {h12}:{mi:02}:{s:02} {half}")
}

/// Now, in round-trip form.
pub fn now() -> String {
    date_time(seconds_now()) + "Z"
}

/// Now, in seconds since 1970.
pub fn seconds_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_id_names_the_server_and_the_class() {
        let f = Failure::exchange(
            "ManagementObjectNotFoundException",
            "gone",
            Category::NotSpecified,
            "Get-Mailbox",
            "RecipientTasks.GetMailbox",
        );
        assert!(f.id.starts_with("[Server=AM0PR01MB0220,RequestId="), "{}", f.id);
        assert!(f.id.contains("] [FailureCategory=Cmdlet-ManagementObjectNotFoundException] "), "{}", f.id);
        assert!(f.id.ends_with(",Microsoft.Exchange.Management.RecipientTasks.GetMailbox"), "{}", f.id);
        let record = f.record(None);
        assert_eq!(record.property("ErrorCategory_Reason").and_then(Value::as_str), Some("ManagementObjectNotFoundException"));
    }
}
