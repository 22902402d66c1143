//! Refusals of host calls, as PowerShell's own server reads them.

use crate::clixml::{Object, Property, Value, type_names};
use crate::transport::Refusal;

/// An ErrorRecord for the server (MS-PSRP 2.2.3.15): every property that PowerShell's reader asks for.
pub(super) fn error_record(message: &str, error_id: &str) -> Value {
    const PERMISSION_DENIED: i32 = 18;
    let exception = Object {
        type_names: Some(type_names(&[
            "System.Management.Automation.Host.HostException",
            "System.Management.Automation.RuntimeException",
            "System.SystemException",
            "System.Exception",
            "System.Object",
        ])),
        to_string: Some(message.into()),
        adapted: Some(vec![Property::new("Message", message)]),
        ..Object::new()
    };
    let properties = vec![
        Property::new("Exception", exception),
        Property::new("TargetObject", Value::Nil),
        Property::new("FullyQualifiedErrorId", error_id),
        Property::new("InvocationInfo", Value::Nil),
        Property::new("ErrorCategory_Category", PERMISSION_DENIED),
        Property::new("ErrorCategory_Activity", ""),
        Property::new("ErrorCategory_Reason", "HostException"),
        Property::new("ErrorCategory_TargetName", ""),
        Property::new("ErrorCategory_TargetType", ""),
        Property::new("ErrorCategory_Message", "PermissionDenied: (:) [], HostException"),
        Property::new("SerializeExtendedInfo", false),
    ];
    Value::from(Object {
        type_names: Some(type_names(&["System.Management.Automation.ErrorRecord", "System.Object"])),
        to_string: Some(message.into()),
        ..Object::bag(properties)
    })
}

/// Why a call is refused where nobody can be asked.
pub(super) fn refusal(method: &str) -> Refusal {
    Refusal {
        message: format!("The session has no user who could answer {method}: Read and Prompt functionality is not available."),
        error_id: String::from("HostCallRefused"),
    }
}
