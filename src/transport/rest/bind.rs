//! Arguments as typed, paired into parameters by name: the API takes names and values, and there is no server to bind them.

use super::encode;
use super::records::Failure;
use crate::clixml::Value;
use crate::psrp::Command;

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
}

impl Bound {
    pub(super) fn parameter(&self, name: &str) -> Option<&Value> {
        self.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// Whether the cmdlet only reads: it may be sent again where nothing came back.
    pub(super) fn reads(&self) -> bool {
        let verb = self.name.split('-').next().unwrap_or_default();
        ["Get", "Test", "Search"].iter().any(|v| verb.eq_ignore_ascii_case(v))
    }

    /// Whether the engine would ask before running it without being told to.
    pub(super) fn is_high_impact(&self) -> bool {
        let verb = self.name.split('-').next().unwrap_or_default();
        ["Remove", "Disable", "Clear", "Uninstall"].iter().any(|v| verb.eq_ignore_ascii_case(v))
    }
}

/// Parameters of Exchange's cmdlets that take no value of their own.
const SWITCHES: &[&str] = &[
    "AllowClobber",
    "Arbitration",
    "Archive",
    "AsJob",
    "AuditLog",
    "AutoExpandingArchive",
    "AuxAuditLog",
    "BypassModerationFromSendersOrMembers",
    "BypassSecurityGroupManagerCheck",
    "CalculateAccessLevel",
    "Compress",
    "Confirm",
    "Debug",
    "DisableLitigationHold",
    "EstimateResultOnly",
    "ExcludeDumpsters",
    "Force",
    "ForceUpgrade",
    "GetChildren",
    "GetEffectiveUsers",
    "GetMailboxLog",
    "GroupMailbox",
    "IgnoreDefaultScope",
    "IgnoreNamingPolicy",
    "InactiveMailboxOnly",
    "IncludeAcls",
    "IncludeAllFolders",
    "IncludeAnalysis",
    "IncludeGrantSendOnBehalfToOwners",
    "IncludeInactiveMailbox",
    "IncludeMoveReport",
    "IncludeOldestAndNewestItems",
    "IncludeReport",
    "IncludeSoftDeletedObjects",
    "IncludeSoftDeletedRecipients",
    "IncludeUnlimitedRecipients",
    "IncludeUnsearchableItems",
    "LogOnly",
    "Migration",
    "MigrateToGroup",
    "Monitoring",
    "NoMeta",
    "PermanentlyDelete",
    "PublicFolder",
    "PublicFolderClient",
    "ReadFromDomainController",
    "Recurse",
    "RemoteArchive",
    "RemovePicture",
    "RemoveSpokenName",
    "Room",
    "SearchDumpster",
    "Shared",
    "ShowDependents",
    "ShowPartial",
    "SoftDeletedMailbox",
    "SoftDeletedMailUser",
    "SoftDeletedRecipient",
    "SoftDeleted",
    "Verbose",
    "WhatIf",
    "Equipment",
    "Discovery",
    "Unique",
    "Wait",
    "Sum",
    "Average",
    "Maximum",
    "Minimum",
    "AllStats",
];

/// The common parameters, which the engine takes and the cmdlet never sees; with their aliases. True: takes a value.
const COMMON: &[(&str, &str, bool)] = &[
    ("ErrorAction", "ea", true),
    ("WarningAction", "wa", true),
    ("InformationAction", "infa", true),
    ("ProgressAction", "proga", true),
    ("Verbose", "vb", false),
    ("Debug", "db", false),
    ("ErrorVariable", "ev", true),
    ("WarningVariable", "wv", true),
    ("InformationVariable", "iv", true),
    ("OutVariable", "ov", true),
    ("OutBuffer", "ob", true),
    ("PipelineVariable", "pv", true),
];

/// Where a value without a name goes: the parameter of position 0, where it is not Identity. None: there is none.
fn position_0(cmdlet: &str) -> Option<&'static str> {
    let lower = cmdlet.to_ascii_lowercase();
    match lower.as_str() {
        "select-object" | "measure-object" => Some("Property"),
        "new-mailboxpermission" | "new-mailboxfolderpermission" | "new-mailboxexportrequest" => Some("Identity"),
        "new-moverequest" | "new-mailboxrestorerequest" => Some("Identity"),
        "new-app" | "new-serviceprincipal" => None,
        "search-unifiedauditlog"
        | "search-adminauditlog"
        | "start-historicalsearch"
        | "get-messagetrace"
        | "get-messagetracev2"
        | "enable-organizationcustomization"
        | "get-recipientstatisticsreport" => None,
        _ if lower.ends_with("report") => None,
        _ if lower.starts_with("new-") => Some("Name"),
        _ => Some("Identity"),
    }
}

fn refused(cmdlet: &str, message: String, id: &str) -> Failure {
    Failure::engine("ParameterBindingException", message, format!("{id},{cmdlet}"), "InvalidArgument", cmdlet)
}

/// A name as typed: without dash and colon, and whether a value comes with it.
fn name_of(typed: &str) -> (&str, bool) {
    let bare = typed.trim();
    match bare.strip_prefix(['-', '\u{2013}', '\u{2014}', '\u{2015}']) {
        Some(name) => name.strip_suffix(':').map_or((name, false), |name| (name, true)),
        // Bare names come from a table, which has a value for each.
        None => (bare, true),
    }
}

fn is_switch(name: &str) -> bool {
    SWITCHES.iter().any(|s| s.eq_ignore_ascii_case(name))
}

/// The common parameter of this name, alias or unmistakable beginning.
fn common(name: &str) -> Option<&'static (&'static str, &'static str, bool)> {
    let begins = |c: &&(&str, &str, bool)| name.len() > 3 && c.0.get(..name.len()).is_some_and(|b| b.eq_ignore_ascii_case(name));
    COMMON.iter().find(|c| c.0.eq_ignore_ascii_case(name) || c.1.eq_ignore_ascii_case(name)).or_else(|| {
        let mut found = COMMON.iter().filter(begins);
        found.next().filter(|_| found.next().is_none())
    })
}

/// Pairs the arguments of a command.
pub(super) fn bind(command: &Command) -> Result<Bound, Failure> {
    let cmdlet = command.text.trim();
    let mut bound = Bound {
        name: cmdlet.to_owned(),
        parameters: Vec::new(),
        error_action: Action::Continue,
        warning_action: Action::Continue,
        warning_text: String::new(),
        what_if: false,
        confirm: None,
    };
    let mut loose: Vec<Value> = Vec::new();
    let mut arguments = command.arguments.iter().peekable();
    while let Some(argument) = arguments.next() {
        let Some(typed) = &argument.name else {
            loose.push(argument.value.clone());
            continue;
        };
        let (name, has_value) = name_of(typed);
        let value = if has_value || argument.value != Value::Nil {
            argument.value.clone()
        } else if is_switch(name) || common(name).is_some_and(|c| !c.2) {
            Value::Bool(true)
        } else {
            // A name that nothing follows, or another name, is a switch.
            arguments.next_if(|next| next.name.is_none()).map_or(Value::Bool(true), |next| next.value.clone())
        };
        bound.take(name, value)?;
    }
    for value in loose {
        let target = position_0(cmdlet).filter(|p| bound.parameter(p).is_none());
        let Some(target) = target else {
            let text = encode::text(&value);
            let message = format!(
                "A positional parameter cannot be found that accepts argument '{text}'. On the REST road only the parameter of the first position is known without its name: write -Name value."
            );
            return Err(refused(cmdlet, message, "PositionalParameterNotFound"));
        };
        bound.parameters.push((target.to_owned(), value));
    }
    Ok(bound)
}

impl Bound {
    fn take(&mut self, name: &str, value: Value) -> Result<(), Failure> {
        if let Some((common, ..)) = common(name) {
            match *common {
                "ErrorAction" => self.error_action = action(&value).0,
                "WarningAction" => (self.warning_action, self.warning_text) = action(&value),
                // The rest concerns an engine that is not there: variables, buffers, streams that the service does not send.
                _ => {}
            }
            return Ok(());
        }
        let truth = || value.as_bool().or_else(|| value.property("IsPresent").and_then(Value::as_bool)).unwrap_or(true);
        if name.eq_ignore_ascii_case("WhatIf") || name.eq_ignore_ascii_case("wi") {
            self.what_if = truth();
        } else if name.eq_ignore_ascii_case("Confirm") || name.eq_ignore_ascii_case("cf") {
            self.confirm = Some(truth());
        } else if self.parameter(name).is_some() {
            let message = format!("Cannot bind parameter because parameter '{name}' is specified more than once.");
            return Err(refused(&self.name, message, "ParameterAlreadyBound"));
        } else {
            self.parameters.push((name.to_owned(), value));
        }
        Ok(())
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
    use crate::psrp::{Argument, Merge};

    fn bound(cmdlet: &str, arguments: &[(&str, Value)]) -> Result<Bound, Failure> {
        let argument =
            |(name, value): &(&str, Value)| Argument { name: (!name.is_empty()).then(|| (*name).to_owned()), value: value.clone() };
        bind(&Command {
            text: cmdlet.into(),
            is_script: false,
            use_local_scope: None,
            arguments: arguments.iter().map(argument).collect(),
            merge: Merge::default(),
            end_of_statement: false,
        })
    }

    #[test]
    fn arguments_pair_as_the_engine_pairs_them() {
        let b = bound(
            "Get-Mailbox",
            &[
                ("-Archive", Value::Nil),
                ("", "a@b".into()),
                ("-ResultSize", Value::Nil),
                ("", 5.into()),
                ("-Confirm:", false.into()),
                ("-ea", Value::Nil),
                ("", "SilentlyContinue".into()),
                ("Filter", Value::Nil),
                ("-SomeSwitch", Value::Nil),
                ("-WarningAction:", "Ignore".into()),
                ("-OtherSwitch", Value::Nil),
            ],
        )
        .unwrap();
        let names: Vec<_> = b.parameters.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
        let on = Value::Bool(true);
        let expected = [
            ("Archive", on.clone()),
            ("ResultSize", 5.into()),
            ("Filter", Value::Nil),
            ("SomeSwitch", on.clone()),
            ("OtherSwitch", on),
            ("Identity", "a@b".into()),
        ];
        assert_eq!(names, expected);
        assert_eq!((b.confirm, b.error_action, b.warning_text.as_str()), (Some(false), Action::Silent, "SilentlyContinue"));
        assert_eq!(bound("New-Mailbox", &[("", "x".into())]).unwrap().parameters, [("Name".into(), "x".into())]);
    }

    #[test]
    fn what_cannot_be_placed_is_refused() {
        for (cmdlet, arguments) in [
            ("Get-Mailbox", &[("", Value::from("a")), ("", "b".into())][..]),
            ("Get-MessageTraceV2", &[("", "a".into())]),
            ("Get-Mailbox", &[("-Identity:", "a".into()), ("identity", "b".into())]),
        ] {
            let failure = bound(cmdlet, arguments).unwrap_err();
            assert!(failure.id.ends_with(cmdlet), "{failure:?}");
        }
    }
}
