//! The client's host as the wire has it (MS-PSRP 2.2.3.14 to 2.2.3.17): what it can do, calls on it and their answers.

use super::message::{required, typed};
use super::types::{enumeration, enumeration_types};
use crate::clixml::{Object, Property, TypeNames, Value};
use crate::error::{Error, ErrorKind, Result};
use std::sync::LazyLock;

/// MS-PSRP 2.2.3.14: what the client's host can do.
#[derive(Debug, Clone)]
pub struct HostInfo {
    /// No host at all: nothing can be asked, and cmdlets that must ask fail.
    pub is_host_null: bool,
    /// No user interface.
    pub is_host_ui_null: bool,
    /// No raw user interface.
    pub is_host_raw_ui_null: bool,
    /// Use the pool's host for the pipeline.
    pub use_runspace_host: bool,
    /// `_hostDefaultData`, where the client has a console: what PowerShell itself would send.
    pub default_data: Option<Value>,
}

impl HostInfo {
    /// No host: for a pool, nothing can be asked; for a pipeline, the pool's host is asked.
    pub fn none() -> Self {
        Self { is_host_null: true, is_host_ui_null: true, is_host_raw_ui_null: true, use_runspace_host: true, default_data: None }
    }

    /// A host with a console of this many cells under this title, light grey on black.
    pub fn console(width: i32, height: i32, title: &str) -> Self {
        let coordinates = || Object::bag(vec![Property::new("x", 0), Property::new("y", 0)]).into();
        let size = || Object::bag(vec![Property::new("width", width), Property::new("height", height)]).into();
        // The keys are PowerShell's HostDefaultDataId.
        let data: [(&str, Value); 10] = [
            ("System.ConsoleColor", Value::I32(7)),
            ("System.ConsoleColor", Value::I32(0)),
            ("System.Management.Automation.Host.Coordinates", coordinates()),
            ("System.Management.Automation.Host.Coordinates", coordinates()),
            ("System.Int32", Value::I32(25)),
            ("System.Management.Automation.Host.Size", size()),
            ("System.Management.Automation.Host.Size", size()),
            ("System.Management.Automation.Host.Size", size()),
            ("System.Management.Automation.Host.Size", size()),
            ("System.String", title.into()),
        ];
        let entry =
            |(key, (t, v)): (i32, (&str, Value))| (Value::I32(key), Object::bag(vec![Property::new("T", t), Property::new("V", v)]).into());
        // From the last to the first, as a .NET hashtable lists them.
        let data = Object::dictionary((0..10).zip(data).map(entry).rev().collect());
        Self {
            is_host_null: false,
            is_host_ui_null: false,
            is_host_raw_ui_null: false,
            use_runspace_host: false,
            default_data: Some(Object::bag(vec![Property::new("data", data)]).into()),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        let mut properties = vec![
            Property::new("_isHostUINull", self.is_host_ui_null),
            Property::new("_isHostRawUINull", self.is_host_raw_ui_null),
            Property::new("_isHostNull", self.is_host_null),
        ];
        properties.extend(self.default_data.clone().map(|d| Property::new("_hostDefaultData", d)));
        properties.push(Property::new("_useRunspaceHost", self.use_runspace_host));
        Object::bag(properties).into()
    }

    pub(super) fn from_value(value: &Value) -> Result<Self> {
        Ok(Self {
            is_host_null: typed(value, "_isHostNull", Value::as_bool)?,
            is_host_ui_null: typed(value, "_isHostUINull", Value::as_bool)?,
            is_host_raw_ui_null: typed(value, "_isHostRawUINull", Value::as_bool)?,
            use_runspace_host: typed(value, "_useRunspaceHost", Value::as_bool)?,
            default_data: value.property("_hostDefaultData").filter(|d| **d != Value::Nil).cloned(),
        })
    }
}

/// A call of the server on the client's host (MS-PSRP 2.2.2.15, 2.2.2.27).
#[derive(Debug, Clone)]
pub struct HostCall {
    /// Repeated in the response; -100 where none is wanted.
    pub call_id: i64,
    /// The method's number (MS-PSRP 2.2.3.17).
    pub method: i32,
    /// The method's name, as the enum's text.
    pub method_name: String,
    /// The arguments.
    pub parameters: Vec<Value>,
}

/// The call id of a call whose method gives nothing back.
const NO_RESPONSE: i64 = -100;

impl HostCall {
    /// A call of the method with this number. `call_id` is taken where the method gives something back.
    pub fn new(call_id: i64, method: i32, parameters: Vec<Value>) -> Self {
        let known = HOST_METHODS.iter().find(|m| m.0 == method);
        let call_id = if known.is_some_and(|m| !m.2) { NO_RESPONSE } else { call_id };
        Self { call_id, method, method_name: method_name(method), parameters }
    }

    /// Whether the server waits for a response.
    pub fn wants_response(&self) -> bool {
        self.call_id != NO_RESPONSE
    }

    pub(super) fn to_value(&self) -> Value {
        Object::bag(vec![
            Property::new("ci", self.call_id),
            Property::new("mi", enumeration(&METHOD_ID, &self.method_name, self.method)),
            Property::new("mp", Object::list(self.parameters.clone())),
        ])
        .into()
    }

    pub(super) fn from_value(value: &Value) -> Result<Self> {
        let (method, name) = method_of(value)?;
        let parameters = match required(value, "mp")? {
            Value::Nil => Vec::new(),
            _ => typed(value, "mp", Value::as_list)?.to_vec(),
        };
        Ok(Self { call_id: typed(value, "ci", Value::as_i64)?, method, method_name: name, parameters })
    }
}

/// The answer to a host call (MS-PSRP 2.2.2.16, 2.2.2.28).
#[derive(Debug, Clone)]
pub struct HostResponse {
    /// The call's id.
    pub call_id: i64,
    /// The call's method.
    pub method: i32,
    /// The result, or the ErrorRecord of its failure.
    pub result: std::result::Result<Option<Value>, Value>,
}

impl HostResponse {
    pub(super) fn to_value(&self) -> Value {
        let result = match &self.result {
            Ok(Some(value)) => Some(Property::new("mr", value.clone())),
            Ok(None) => None,
            Err(record) => Some(Property::new("me", record.clone())),
        };
        let call =
            [Property::new("ci", self.call_id), Property::new("mi", enumeration(&METHOD_ID, &method_name(self.method), self.method))];
        Object::bag(result.into_iter().chain(call).collect()).into()
    }

    pub(super) fn from_value(value: &Value) -> Result<Self> {
        let (method, _) = method_of(value)?;
        let result = match value.property("me").filter(|e| **e != Value::Nil) {
            Some(error) => Err(error.clone()),
            None => Ok(value.property("mr").cloned()),
        };
        Ok(Self { call_id: typed(value, "ci", Value::as_i64)?, method, result })
    }
}

fn method_of(value: &Value) -> Result<(i32, String)> {
    let mi = required(value, "mi")?;
    let number = mi.as_i64().and_then(|n| i32::try_from(n).ok());
    let number = number.ok_or_else(|| Error::new(ErrorKind::Protocol, "read host call", "the method has no number"))?;
    let given = mi.as_object().and_then(|o| o.to_string.as_ref());
    Ok((number, given.map_or_else(|| method_name(number), |t| t.to_str_lossy().into_owned())))
}

/// The text that PowerShell's enum has for the method; the number where it knows no such method.
fn method_name(method: i32) -> String {
    HOST_METHODS.iter().find(|m| m.0 == method).map_or_else(|| method.to_string(), |m| m.1.to_owned())
}

static METHOD_ID: LazyLock<TypeNames> = LazyLock::new(|| enumeration_types("System.Management.Automation.Remoting.RemoteHostMethodId"));

/// MS-PSRP 2.2.3.17: number, name, whether something comes back.
pub const HOST_METHODS: [(i32, &str, bool); 56] = [
    (1, "GetName", true),
    (2, "GetVersion", true),
    (3, "GetInstanceId", true),
    (4, "GetCurrentCulture", true),
    (5, "GetCurrentUICulture", true),
    (6, "SetShouldExit", false),
    (7, "EnterNestedPrompt", false),
    (8, "ExitNestedPrompt", false),
    (9, "NotifyBeginApplication", false),
    (10, "NotifyEndApplication", false),
    (11, "ReadLine", true),
    (12, "ReadLineAsSecureString", true),
    (13, "Write1", false),
    (14, "Write2", false),
    (15, "WriteLine1", false),
    (16, "WriteLine2", false),
    (17, "WriteLine3", false),
    (18, "WriteErrorLine", false),
    (19, "WriteDebugLine", false),
    (20, "WriteProgress", false),
    (21, "WriteVerboseLine", false),
    (22, "WriteWarningLine", false),
    (23, "Prompt", true),
    (24, "PromptForCredential1", true),
    (25, "PromptForCredential2", true),
    (26, "PromptForChoice", true),
    (27, "GetForegroundColor", true),
    (28, "SetForegroundColor", false),
    (29, "GetBackgroundColor", true),
    (30, "SetBackgroundColor", false),
    (31, "GetCursorPosition", true),
    (32, "SetCursorPosition", false),
    (33, "GetWindowPosition", true),
    (34, "SetWindowPosition", false),
    (35, "GetCursorSize", true),
    (36, "SetCursorSize", false),
    (37, "GetBufferSize", true),
    (38, "SetBufferSize", false),
    (39, "GetWindowSize", true),
    (40, "SetWindowSize", false),
    (41, "GetWindowTitle", true),
    (42, "SetWindowTitle", false),
    (43, "GetMaxWindowSize", true),
    (44, "GetMaxPhysicalWindowSize", true),
    (45, "GetKeyAvailable", true),
    (46, "ReadKey", true),
    (47, "FlushInputBuffer", false),
    (48, "SetBufferContents1", false),
    (49, "SetBufferContents2", false),
    (50, "GetBufferContents", true),
    (51, "ScrollBufferContents", false),
    (52, "PushRunspace", false),
    (53, "PopRunspace", false),
    (54, "GetIsRunspacePushed", true),
    (55, "GetRunspace", true),
    (56, "PromptForChoiceMultipleSelection", true),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clixml::Content;

    #[test]
    fn methods_are_numbered_without_gaps() {
        assert!(HOST_METHODS.iter().zip(1..).all(|(m, n)| m.0 == n));
    }

    #[test]
    fn a_method_that_gives_nothing_back_wants_no_response() {
        assert!(!HostCall::new(7, 22, vec!["careful".into()]).wants_response());
        assert_eq!(HostCall::new(7, 26, vec![]).call_id, 7);
    }

    #[test]
    fn a_response_without_a_value_is_told_from_one_with_null() {
        for result in [Ok(None), Ok(Some(Value::Nil)), Ok(Some(Value::I32(2))), Err(Value::from("no"))] {
            let response = HostResponse { call_id: 4, method: 26, result: result.clone() };
            assert_eq!(HostResponse::from_value(&response.to_value()).unwrap().result, result);
        }
    }

    #[test]
    fn a_method_without_text_or_of_a_later_version_is_kept() {
        let bag = |mi: Value| {
            let properties = vec![Property::new("ci", 1i64), Property::new("mi", mi), Property::new("mp", Value::Nil)];
            HostCall::from_value(&Object::bag(properties).into()).unwrap()
        };
        let named = |n| Value::from(Object { content: Content::Primitive(Value::I32(n)), ..Object::new() });
        assert_eq!(bag(named(11)).method_name, "ReadLine");
        assert_eq!(bag(Value::I32(99)).method_name, "99");
    }
}
