//! What is known of Exchange's cmdlets without asking: enough for what scripts use every day, so that it costs no request
//! but its own. Of what is not here the service's module tells.

/// Parameters that take no value in whichever cmdlet has them.
#[rustfmt::skip]
const SWITCHES: &[&str] = &[
    "Arbitration", "Archive", "AuditLog", "AutoExpandingArchive", "AuxAuditLog", "BypassModerationFromSendersOrMembers",
    "BypassSecurityGroupManagerCheck", "CalculateAccessLevel", "Discovery", "Equipment", "EstimateResultOnly",
    "ExcludeDumpsters", "Force", "ForceUpgrade", "GetChildren", "GetEffectiveUsers", "GetMailboxLog", "GroupMailbox",
    "IgnoreDefaultScope", "IgnoreNamingPolicy", "InactiveMailboxOnly", "IncludeAcls", "IncludeAllFolders",
    "IncludeAnalysis", "IncludeGrantSendOnBehalfToOwners", "IncludeInactiveMailbox", "IncludeMoveReport",
    "IncludeOldestAndNewestItems", "IncludeReport", "IncludeSoftDeletedObjects", "IncludeSoftDeletedRecipients",
    "IncludeUnlimitedRecipients", "IncludeUnsearchableItems", "LogOnly", "MigrateToGroup", "Migration", "Monitoring",
    "PermanentlyDelete", "PublicFolder", "PublicFolderClient", "ReadFromDomainController", "Recurse", "RemoteArchive",
    "RemovePicture", "RemoveSpokenName", "Room", "SearchDumpster", "Shared", "ShowDependents", "ShowPartial",
    "SoftDeletedMailbox", "SoftDeletedMailUser", "SoftDeletedRecipient",
];

/// Parameters that take a value in whichever cmdlet has them.
#[rustfmt::skip]
const VALUES: &[&str] = &[
    "AccessRights", "AddressBookPolicy", "Alias", "Anr", "AuditEnabled", "AutoMapping",
    "AutoReplyState", "City", "Comments", "Company", "CountryOrRegion", "CustomAttribute1", "CustomAttribute2",
    "CustomAttribute3", "CustomAttribute4", "CustomAttribute5", "CustomAttribute6", "CustomAttribute7",
    "CustomAttribute8", "CustomAttribute9", "CustomAttribute10", "CustomAttribute11", "CustomAttribute12",
    "CustomAttribute13", "CustomAttribute14", "CustomAttribute15", "DateFormat", "DeliverToMailboxAndForward",
    "Department", "DisplayName", "Domain", "DomainController", "EmailAddresses", "EmailAddressPolicyEnabled",
    "Enabled", "EndDate", "EndTime", "ExtensionCustomAttribute1", "ExtensionCustomAttribute2",
    "ExtensionCustomAttribute3", "ExtensionCustomAttribute4", "ExtensionCustomAttribute5", "ExternalAudience",
    "ExternalEmailAddress", "ExternalMessage", "Fax", "Filter", "FirstName", "FolderScope", "ForwardingAddress",
    "ForwardingSmtpAddress", "GrantSendOnBehalfTo", "HiddenFromAddressListsEnabled", "HomePhone", "Identity",
    "ImmutableId", "InheritanceType", "Initials", "InternalMessage", "IssueWarningQuota", "Language", "LastName",
    "LitigationHoldDuration", "LitigationHoldEnabled", "MailboxPlan", "MailTip", "ManagedBy", "Manager",
    "MaxReceiveSize", "MaxSendSize", "Member", "MemberJoinRestriction", "Members",
    "MessageCopyForSendOnBehalfEnabled", "MessageCopyForSentAsEnabled", "MessageTraceId", "MicrosoftOnlineServicesID",
    "MobilePhone", "Name", "Notes", "ObjectIds", "Office", "Operations", "Organization", "OrganizationalUnit",
    "OwaMailboxPolicy", "Page", "PageSize", "Password", "Phone", "PostalCode", "PrimarySmtpAddress", "Priority",
    "ProhibitSendQuota", "ProhibitSendReceiveQuota", "RecipientAddress", "RecipientType", "RecipientTypeDetails",
    "RecordType", "RequireSenderAuthenticationEnabled", "ResultSize", "RetainDeletedItemsFor", "RetentionComment",
    "RetentionHoldEnabled", "RetentionPolicy", "RetentionUrl", "RoleAssignmentPolicy", "SenderAddress",
    "SessionCommand", "SessionId", "SharingPolicy", "SimpleDisplayName", "SortBy", "StartDate", "StartTime",
    "StateOrProvince", "Status", "StreetAddress", "TimeFormat", "TimeZone", "Title", "Trustee", "User", "UserIds",
    "WebPage", "WindowsEmailAddress",
];

/// Whether a parameter of this very name is a switch; None where that is not known.
pub(super) fn is_switch(name: &str) -> Option<bool> {
    let holds = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    if holds(SWITCHES) { Some(true) } else { holds(VALUES).then_some(false) }
}

fn verb(cmdlet: &str) -> &str {
    cmdlet.split('-').next().unwrap_or_default()
}

fn is_one_of(verbs: &[&str], cmdlet: &str) -> bool {
    verbs.iter().any(|v| verb(cmdlet).eq_ignore_ascii_case(v))
}

/// Whether the cmdlet only reads: it may be sent again where nothing came back, and it never asks.
pub(super) fn reads(cmdlet: &str) -> bool {
    is_one_of(&["Get", "Test", "Search"], cmdlet)
}

/// Whether the engine would ask before it runs the cmdlet without being told to. The documentation has it of each cmdlet that
/// destructive ones (Remove) pause and others (New, Set) do not; None for verbs of which that does not tell.
pub(super) fn is_high_impact(cmdlet: &str) -> Option<bool> {
    if reads(cmdlet) || is_one_of(&["Add", "Enable", "New", "Resume", "Set", "Start", "Update"], cmdlet) {
        return Some(false);
    }
    is_one_of(&["Remove", "Disable", "Clear", "Uninstall"], cmdlet).then_some(true)
}

/// Where a first value without a name goes; None where the module has to tell.
pub(super) fn position_0(cmdlet: &str) -> Option<&'static str> {
    const NAMED: &[&str] = &[
        "New-AcceptedDomain",
        "New-AddressList",
        "New-ApplicationAccessPolicy",
        "New-DistributionGroup",
        "New-DynamicDistributionGroup",
        "New-InboundConnector",
        "New-InboxRule",
        "New-JournalRule",
        "New-Mailbox",
        "New-MailContact",
        "New-MailUser",
        "New-ManagementRole",
        "New-MigrationBatch",
        "New-OutboundConnector",
        "New-OwaMailboxPolicy",
        "New-RemoteDomain",
        "New-RetentionPolicy",
        "New-RoleGroup",
        "New-TransportRule",
    ];
    const NOT_BY_IDENTITY: &[&str] = &[
        "Enable-OrganizationCustomization",
        "Get-MessageTrace",
        "Get-MessageTraceV2",
        "Search-AdminAuditLog",
        "Search-UnifiedAuditLog",
        "Start-HistoricalSearch",
    ];
    let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(cmdlet));
    if is(NAMED) {
        return Some("Name");
    }
    let lower = cmdlet.to_ascii_lowercase();
    let known = ["Add", "Clear", "Disable", "Enable", "Get", "Remove", "Set", "Test"];
    (is_one_of(&known, cmdlet) && !lower.ends_with("report") && !is(NOT_BY_IDENTITY)).then_some("Identity")
}
