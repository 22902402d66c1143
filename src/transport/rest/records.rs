//! Errors and warnings as the WSMan road's server would have sent them, so that whoever reads records needs no second way.

use crate::clixml::{self, Object, Property, Value, type_names};
use crate::transport::{HostCallHead, Record, RecordKind};

/// An error before it becomes an ErrorRecord.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure {
    /// What people read.
    pub(super) message: String,
    /// The exception's full type name, where the service tells it.
    pub(super) exception: Option<String>,
    /// FullyQualifiedErrorId.
    pub(super) id: String,
    /// ErrorCategory by its number.
    pub(super) category: i32,
    /// The cmdlet.
    pub(super) activity: String,
    /// The exception's short name.
    pub(super) reason: String,
    pub(super) target_name: String,
    pub(super) target_type: String,
    /// What to do about it, where this library knows.
    pub(super) remedy: Option<String>,
}

/// The number of a category.
pub(super) fn category(name: &str) -> i32 {
    crate::error::CATEGORIES.iter().position(|c| *c == name).unwrap_or(0) as i32
}

impl Failure {
    /// An error of the engine's own, which on this road is raised here.
    pub(super) fn engine(exception: &str, message: impl Into<String>, id: impl Into<String>, category_name: &str, activity: &str) -> Self {
        Self {
            message: message.into(),
            exception: Some(format!("System.Management.Automation.{exception}")),
            id: id.into(),
            category: category(category_name),
            activity: activity.to_owned(),
            reason: exception.to_owned(),
            ..Self::default()
        }
    }

    /// The same about a target that is a text.
    pub(super) fn about(mut self, target: &str) -> Self {
        self.target_name = target.to_owned();
        self.target_type = String::from("String");
        self
    }

    /// The ErrorRecord.
    pub(super) fn record(&self) -> Value {
        let exception = self.exception.as_deref().unwrap_or("System.Exception");
        let mut chain = vec![exception];
        if exception.starts_with("System.Management.Automation.") {
            chain.push("System.Management.Automation.RuntimeException");
        }
        chain.extend(["System.Exception", "System.Object"]);
        chain.dedup();
        let exception = Object {
            type_names: Some(type_names(&chain)),
            to_string: Some(format!("{exception}: {}", self.message).into()),
            adapted: Some(vec![Property::new("Message", self.message.as_str()), Property::new("HResult", -2_146_233_088)]),
            ..Object::new()
        };
        let target = if self.target_name.is_empty() { Value::Nil } else { Value::from(self.target_name.as_str()) };
        let shown = match self.target_name.char_indices().nth(40) {
            Some(_) => format!("{}...", self.target_name.chars().take(37).collect::<String>()),
            None => self.target_name.clone(),
        };
        let name = crate::error::CATEGORIES.get(self.category as usize).unwrap_or(&"NotSpecified");
        let mut properties = vec![
            Property::new("Exception", exception),
            Property::new("TargetObject", target),
            Property::new("FullyQualifiedErrorId", self.id.as_str()),
            Property::new("InvocationInfo", Value::Nil),
            Property::new("ErrorCategory_Category", self.category),
            Property::new("ErrorCategory_Activity", self.activity.as_str()),
            Property::new("ErrorCategory_Reason", self.reason.as_str()),
            Property::new("ErrorCategory_TargetName", self.target_name.as_str()),
            Property::new("ErrorCategory_TargetType", self.target_type.as_str()),
            Property::new("ErrorCategory_Message", format!("{name}: ({shown}:{}) [{}], {}", self.target_type, self.activity, self.reason)),
        ];
        if let Some(remedy) = &self.remedy {
            let joint = if self.message.ends_with(['.', '!', '?']) { "" } else { "." };
            properties.push(Property::new("ErrorDetails_Message", format!("{}{joint} {remedy}", self.message)));
            properties.push(Property::new("ErrorDetails_RecommendedAction", Value::Nil));
        }
        properties.push(Property::new("SerializeExtendedInfo", false));
        Value::from(Object {
            type_names: Some(type_names(&["System.Management.Automation.ErrorRecord", "System.Object"])),
            to_string: Some(self.message.as_str().into()),
            ..Object::bag(properties)
        })
    }
}

/// A record of one value.
pub(super) fn of(kind: RecordKind, value: &Value) -> Record {
    Record::new(kind, clixml::write(value).as_bytes())
}

/// A warning, verbose or debug record.
pub(super) fn informational(message: &str) -> Value {
    let properties =
        vec![Property::new("InformationalRecord_Message", message), Property::new("InformationalRecord_SerializeInvocationInfo", false)];
    Value::from(Object { to_string: Some(message.into()), ..Object::bag(properties) })
}

/// A line for the host, which answers nothing: what -WhatIf says.
pub(super) fn host_line(text: &str) -> Record {
    let head = HostCallHead { call_id: -100, method: 16, method_name: String::from("WriteLine2") };
    Record::host_call(head, vec![text.into()])
}

/// What PromptForChoice is given by ShouldProcess, in the words of the engine.
pub(super) fn confirmation(question: &str) -> Vec<Value> {
    let choice =
        |label: &str, help: &str| Value::from(Object::bag(vec![Property::new("label", label), Property::new("helpMessage", help)]));
    let choices = Object::list(vec![
        choice("&Yes", "Continue with only the next step of the operation."),
        choice("Yes to &All", "Continue with all the steps of the operation."),
        choice("&No", "Skip this operation and proceed with the next operation."),
        choice("No to A&ll", "Skip this operation and all subsequent operations."),
    ]);
    let message = format!("Are you sure you want to perform this action?\n{question}");
    vec!["Confirm".into(), message.into(), choices.into(), 0.into()]
}
