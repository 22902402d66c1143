//! The surface of an Exchange organization beyond what runs here: some eight hundred cmdlets by name, with seven thousand
//! parameters, made up but always the same; and names that no honest server sends.

use super::organization::mix;

/// A parameter that metadata tells of: name, .NET type, other names.
pub type Told = (String, String, Vec<String>);

/// Nouns with the verbs they go with, a letter each: Get, Set, New, Remove, Enable, Disable, Test, Add.
const NOUNS: &str = "AcceptedDomain:gsnr AccessRule:gsnr ActiveSyncDevice:gr ActiveSyncDeviceAccessRule:gsnr ActiveSyncDeviceClass:gr ActiveSyncMailboxPolicy:gsnr ActiveSyncOrganizationSettings:gs AddressBookPolicy:gsnr AddressList:gsnr AdminAuditLogConfig:gs AdminAuditLogSearch:n AgentLog:g AntiPhishPolicy:gsnred AntiPhishRule:gsnred ApplicationAccessPolicy:gsnrt App:gsnred AtpPolicyForO365:gs AuditConfig:gs AuditLogSearch:gn AuthConfig:gst AuthServer:gsnr AuthenticationPolicy:gsnr AutoSensitivityLabelPolicy:gsnr AutoSensitivityLabelRule:gsnr AvailabilityAddressSpace:gnra AvailabilityConfig:gsnr BlockedConnector:gr BlockedSenderAddress:gr CalendarDiagnosticAnalysis:g CalendarDiagnosticLog:g CalendarDiagnosticObjects:g CalendarNotification:gs CalendarProcessing:gs CaseHoldPolicy:gsnr CaseHoldRule:gsnr CASMailboxPlan:gs ClientAccessRule:gsnrt Clutter:gs ComplianceCase:gsnr ComplianceCaseMember:gra ComplianceSearch:gsnr ComplianceSearchAction:gnr ComplianceSecurityFilter:gsnr ComplianceTag:gsnred Contact:gs DataClassification:gsnr DataClassificationConfig:gs DataEncryptionPolicy:gsnt DetailsTemplate:gs DeviceConditionalAccessPolicy:gsnr DeviceConfigurationPolicy:gsnr DeviceTenantPolicy:gsnr DistributionGroup:snrd DistributionGroupMemberList:sra DkimSigningConfig:gsn DlpCompliancePolicy:gsnr DlpComplianceRule:gsnr DlpPolicy:gsnr DlpSensitiveInformationType:gsnr DynamicDistributionGroup:gsnr DynamicDistributionGroupMember:g ElevatedAccessRequest:gn EligibleDistributionGroupForMigration:g EmailAddressPolicy:gsnr EventsFromEmailConfiguration:gs ExchangeAssistanceConfig:gs ExoInformationBarrierPolicy:g ExoInformationBarrierRelationship:g FederatedDomain:ra FederatedOrganizationIdentifier:gs FederationInformation:g FederationTrust:gsnrt FilePlanPropertyAuthority:gnr FilePlanPropertyCategory:gnr FocusedInbox:gs Fingerprint:gn GlobalAddressList:gsnr Group:gs HoldCompliancePolicy:gsnr HoldComplianceRule:gsnr HostedConnectionFilterPolicy:gsnr HostedContentFilterPolicy:gsnr HostedContentFilterRule:gsnred HostedOutboundSpamFilterPolicy:gsnr HostedOutboundSpamFilterRule:gsnred HybridConfiguration:gsnr HybridMailflow:gs HybridMailflowDatacenterIPs:g ImapSubscription:gsnr InboundConnector:gsnr InboxRule:gsnred InformationBarrierPolicy:gsnr InsiderRiskPolicy:gsnr IntraOrganizationConfiguration:g IntraOrganizationConnector:gsnrt IPAllowListConfig:gs IPBlockListConfig:gs IPBlockListEntry:gra IRMConfiguration:gst JournalRule:gsnred Label:gsnr LabelPolicy:gsnr LinkedUser:gs LogonStatistics:g MailboxAnalysisRequest:gn MailboxAuditBypassAssociation:gs MailboxAutoReplyConfiguration:gs MailboxCalendarConfiguration:gs MailboxCalendarFolder:gs MailboxExportRequest:gsnr MailboxExportRequestStatistics:g MailboxFolder:gnr MailboxFolderPermission:gsra MailboxFolderStatistics:g MailboxImportRequest:gsnr MailboxImportRequestStatistics:g MailboxJunkEmailConfiguration:gs MailboxLocation:gr MailboxMessageConfiguration:gs MailboxPlan:gsed MailboxRegionalConfiguration:gs MailboxRestoreRequest:gsnr MailboxRestoreRequestStatistics:g MailboxSearch:gsnr MailboxSpellingConfiguration:gs MailboxUserConfiguration:gnr MailContact:gsnred MailDetailDlpPolicyReport:g MailDetailMalwareReport:g MailDetailSpamReport:g MailDetailTransportRuleReport:g MailFilterListReport:g MailFlowStatusReport:g MailPublicFolder:gsed MailTrafficPolicyReport:g MailTrafficReport:g MailTrafficTopReport:g MailUser:gsnred MalwareFilterPolicy:gsnr MalwareFilterRule:gsnred ManagedContentSettings:gsnr ManagedFolder:gsnr ManagementRole:gnr ManagementRoleAssignment:gsnr ManagementRoleEntry:gsra ManagementScope:gsnr MessageCategory:g MessageClassification:gsnr MessageTrace:g MessageTraceDetail:g MessageTrackingReport:g MigrationBatch:gsnr MigrationConfig:gs MigrationEndpoint:gsnr MigrationServerAvailability:t MigrationStatistics:g MigrationUser:gsr MigrationUserStatistics:g MobileDevice:gr MobileDeviceMailboxPolicy:gsnr MobileDeviceStatistics:g MoveRequest:gsnr MoveRequestStatistics:g MxRecordReport:g Notification:gs OAuthConnectivity:t OfflineAddressBook:gsnr OMEConfiguration:gsnr OMEMessageStatus:g OnPremisesOrganization:gsnr OrganizationalUnit:g OrganizationRelationship:gsnrt OrganizationSegment:gsnr OutboundConnector:gsnr OutboundConnectorReport:g OutlookProtectionRule:gsnred OwaMailboxPolicy:gsnr PartnerApplication:gsnr PendingFederatedDomain:gs PerimeterConfig:gs Place:gs PolicyTipConfig:gsnr PopSubscription:gsnr ProtectionAlert:gsnred PublicFolder:gsnr PublicFolderClientPermission:gra PublicFolderItemStatistics:g PublicFolderMailboxDiagnostics:g PublicFolderMailboxMigrationRequest:gsnr PublicFolderMigrationRequest:gsnr PublicFolderStatistics:g QuarantineMessage:gr QuarantinePolicy:gsnr RbacDiagnosticInfo:g RecipientPermission:gra RecipientStatisticsReport:g RegulatoryComplianceUI:gs RemoteDomain:gsnr RemoteMailbox:gsnred ReportExecutionInstance:g ReportSchedule:gsnr ReportScheduleList:g ResourceConfig:gs RetentionCompliancePolicy:gsnr RetentionComplianceRule:gsnr RetentionEvent:gn RetentionPolicy:gsnr RetentionPolicyTag:gsnr RMSTemplate:gs RoleAssignmentPolicy:gsnr RoleGroup:gsnr RoleGroupMember:gra RulePackage:gnr SafeAttachmentPolicy:gsnr SafeAttachmentRule:gsnred SafeLinksPolicy:gsnr SafeLinksRule:gsnred SCInsights:g SearchDocumentFormat:gsnr SecOpsOverridePolicy:gsnr SecOpsOverrideRule:gsnr SecurityPrincipal:g SensitivityLabelActivityReport:g ServicePrincipal:gsnr SharingPolicy:gsnr SiteMailbox:gsnt SiteMailboxDiagnostics:g SiteMailboxProvisioningPolicy:gsnr SmimeConfig:gs SpoofIntelligenceInsight:g SpoofMailReport:g Subscription:gr SupervisoryReviewPolicyV2:gsnr SupervisoryReviewRule:gsn SweepRule:gsnred SyncConfig:gs SyncMailPublicFolder:snr SyncRequest:gsnr SyncRequestStatistics:g SystemMessage:gsnr TeamsProtectionPolicy:gsn TenantAllowBlockListItems:gsnr TenantAllowBlockListSpoofItems:gsnr TextMessagingAccount:gs ThrottlingPolicy:gsnr ThrottlingPolicyAssociation:gs ToolInformation:g TransportConfig:gs TransportRule:gsnred TransportRuleAction:g TransportRulePredicate:g Trust:g UMAutoAttendant:gsnred UMCallAnsweringRule:gsnred UMCallDataRecord:g UMDialPlan:gsnr UMHuntGroup:gnr UMIPGateway:gsnred UMMailbox:gsed UMMailboxPIN:gs UMMailboxPolicy:gsnr UMPrompt:g UnifiedAuditSetting:gs UnifiedGroup:gsnr UnifiedGroupLinks:gra UserBriefingConfig:gs UserPhoto:gsr UserSubmission:gs VivaInsightsSettings:gs WebDnsRecord:g X400AuthoritativeDomain:gsnr";

const SWITCH: &str = "System.Management.Automation.SwitchParameter";

/// What such cmdlets have besides -Identity: name, type, aliases parted by commas, the verbs it goes with.
const OWN: &[(&str, &str, &str, &str)] = &[
    ("Name", "System.String", "", "snae"),
    ("DomainController", "Microsoft.Exchange.Data.Fqdn", "", "gsnraedt"),
    ("Organization", "Microsoft.Exchange.Configuration.Tasks.OrganizationIdParameter", "", "gna"),
    ("ResultSize", "Microsoft.Exchange.Data.Unlimited`1[System.UInt32]", "", "g"),
    ("Filter", "System.String", "", "g"),
    ("Anr", "System.String", "", "g"),
    ("SortBy", "System.String", "", "g"),
    ("OrganizationalUnit", "Microsoft.Exchange.Configuration.Tasks.OrganizationalUnitIdParameter", "", "gn"),
    ("ReadFromDomainController", SWITCH, "", "g"),
    ("IgnoreDefaultScope", SWITCH, "", "gsr"),
    ("IncludeSystemObjects", SWITCH, "", "g"),
    ("AccountPartition", "Microsoft.Exchange.Configuration.Tasks.AccountPartitionIdParameter", "", "g"),
    ("StartDate", "System.Nullable`1[Microsoft.Exchange.ExchangeSystem.ExDateTime]", "Start", "gn"),
    ("EndDate", "System.Nullable`1[Microsoft.Exchange.ExchangeSystem.ExDateTime]", "End", "gn"),
    ("Page", "System.Int32", "", "g"),
    ("PageSize", "System.Int32", "", "g"),
    ("Force", SWITCH, "", "snrd"),
    ("BypassValidation", SWITCH, "", "snr"),
    ("BypassOwnerManagerSecurityCheck", SWITCH, "", "sra"),
    ("Enabled", "System.Boolean", "", "sn"),
    ("Priority", "System.Int32", "", "sne"),
    ("Comments", "System.String", "", "sn"),
    ("Description", "System.String", "AdminDescription", "sn"),
    ("DisplayName", "System.String", "", "sn"),
    ("Notes", "System.String", "", "sn"),
    ("Mode", "Microsoft.Exchange.MessagingPolicies.Rules.RuleMode", "", "sn"),
    ("Mailbox", "Microsoft.Exchange.Configuration.Tasks.MailboxIdParameter", "MailboxId", "gsnra"),
    ("Members", "Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Configuration.Tasks.RecipientIdParameter]", "", "sn"),
    (
        "ManagedBy",
        "Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Configuration.Tasks.GeneralRecipientIdParameter]",
        "Owners",
        "sn",
    ),
    ("ExternalEmailAddress", "Microsoft.Exchange.Data.ProxyAddress", "", "sne"),
    ("PrimarySmtpAddress", "Microsoft.Exchange.Data.SmtpAddress", "", "sne"),
    ("WindowsEmailAddress", "Microsoft.Exchange.Data.SmtpAddress", "", "s"),
    ("EmailAddresses", "Microsoft.Exchange.Data.ProxyAddressCollection", "", "s"),
    ("EmailAddressPolicyEnabled", "System.Boolean", "", "s"),
    ("HiddenFromAddressListsEnabled", "System.Boolean", "", "sn"),
    ("ModerationEnabled", "System.Boolean", "", "sn"),
    ("ModeratedBy", "Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Configuration.Tasks.ModeratorIDParameter]", "", "sn"),
    ("RequireSenderAuthenticationEnabled", "System.Boolean", "", "sn"),
    ("MaxSendSize", "Microsoft.Exchange.Data.Unlimited`1[Microsoft.Exchange.Data.ByteQuantifiedSize]", "", "s"),
    ("MaxReceiveSize", "Microsoft.Exchange.Data.Unlimited`1[Microsoft.Exchange.Data.ByteQuantifiedSize]", "", "s"),
    ("Quota", "Microsoft.Exchange.Data.Unlimited`1[Microsoft.Exchange.Data.ByteQuantifiedSize]", "", "sn"),
    ("Policy", "Microsoft.Exchange.Configuration.Tasks.MailboxPolicyIdParameter", "", "sn"),
    ("Languages", "Microsoft.Exchange.Data.MultiValuedProperty`1[System.Globalization.CultureInfo]", "", "sn"),
    ("SenderDomainIs", "Microsoft.Exchange.Data.Word[]", "", "sn"),
    ("SentTo", "Microsoft.Exchange.Configuration.Tasks.RecipientIdParameter[]", "", "sn"),
    ("SentToMemberOf", "Microsoft.Exchange.Configuration.Tasks.RecipientIdParameter[]", "", "sn"),
    ("ExceptIfSentTo", "Microsoft.Exchange.Configuration.Tasks.RecipientIdParameter[]", "", "sn"),
    ("RecipientDomainIs", "Microsoft.Exchange.Data.Word[]", "", "sn"),
    ("ExpiryDate", "System.Nullable`1[System.DateTime]", "", "sn"),
    ("RetentionDuration", "Microsoft.Exchange.Data.Unlimited`1[Microsoft.Exchange.Data.EnhancedTimeSpan]", "", "sn"),
    ("Password", "System.Security.SecureString", "", "n"),
    ("Credential", "System.Management.Automation.PSCredential", "Cred", "n"),
    ("FileData", "System.Byte[]", "", "sn"),
    ("User", "Microsoft.Exchange.Configuration.Tasks.SecurityPrincipalIdParameter", "", "gra"),
    ("AccessRights", "Microsoft.Exchange.Management.RecipientTasks.MailboxRights[]", "", "ra"),
    ("InheritanceType", "System.DirectoryServices.ActiveDirectorySecurityInheritance", "", "ra"),
    ("Alias", "System.String", "", "sne"),
    ("CustomAttribute1", "System.String", "", "s"),
    ("CustomAttribute2", "System.String", "", "s"),
    ("ExtensionCustomAttribute1", "Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]", "", "s"),
    ("MonitoringContext", SWITCH, "", "t"),
    ("TargetEmailAddress", "Microsoft.Exchange.Data.SmtpAddress", "", "t"),
];

/// The name and the parameters of each made-up cmdlet, without the common parameters; whether it has -WhatIf and -Confirm.
pub fn made_up() -> impl Iterator<Item = (String, Vec<Told>, bool)> {
    let nouns = NOUNS.split(' ').filter_map(|n| n.split_once(':'));
    nouns.flat_map(|(noun, verbs)| verbs.chars().map(move |verb| named(noun, verb)))
}

fn named(noun: &str, letter: char) -> (String, Vec<Told>, bool) {
    let (verb, share) = match letter {
        'g' => ("Get", 23),
        's' => ("Set", 35),
        'n' => ("New", 32),
        'r' => ("Remove", 45),
        'e' => ("Enable", 50),
        'd' => ("Disable", 60),
        't' => ("Test", 80),
        _ => ("Add", 60),
    };
    let name = format!("{verb}-{noun}");
    let noise = name.bytes().fold(7, |h, b| mix(h ^ u64::from(b)));
    let identity = ("Identity".to_owned(), format!("Microsoft.Exchange.Configuration.Tasks.{noun}IdParameter"), Vec::new());
    let own = OWN.iter().zip(0_u64..).filter(|((_, _, _, verbs), at)| verbs.contains(letter) && mix(noise ^ at) % 100 < share);
    let own = own.map(|((name, kind, aliases, _), _)| {
        ((*name).to_owned(), (*kind).to_owned(), aliases.split(',').filter(|a| !a.is_empty()).map(str::to_owned).collect())
    });
    (name, std::iter::once(identity).chain(own).collect(), !matches!(letter, 'g' | 't'))
}

/// What a hostile server says its commands are called, and their parameters: a name, a parameter, an alias. Wherever one of
/// them reached a script as text, it would set $global:Owned.
pub const HOSTILE: &[(&str, &str, &str)] = &[
    ("Get-A{};$global:Owned=1;function Get-B", "Identity", "Id"),
    ("Get-C\n$global:Owned=1", "Identity", "Id"),
    ("Get-D`n;$global:Owned=1#", "Identity", "Id"),
    ("Get-E$($global:Owned=1)", "Identity", "Id"),
    ("Get-F'+($global:Owned=1)+'", "Identity", "Id"),
    ("Get-G\u{2019}+($global:Owned=1)+\u{2019}", "Identity", "Id"),
    ("Get-H\u{201D};$global:Owned=1;\u{201D}", "Identity", "Id"),
    ("Get-I\u{2028}$global:Owned=1", "Identity", "Id"),
    ("Get-J\tCmdlet\t\nGet-K", "Identity", "Id"),
    ("global:Get-Owned", "Identity", "Id"),
    ("function:global:Get-Owned", "Identity", "Id"),
    ("..\\..\\Get-Owned", "Identity", "Id"),
    ("Get-L", "a}=($global:Owned=1),${b", "Id"),
    ("Get-M", "a`}=($global:Owned=1),${b", "Id"),
    ("Get-N", "a\n)$global:Owned=1#", "Id"),
    ("Get-O", "global:Owned", "Id"),
    ("Get-P", "env:Owned", "Id"),
    ("Get-Q", "Identity", "x')]$y=($global:Owned=1),[Alias('z"),
    ("Get-R", "Identity", "x\u{2018})]$y=($global:Owned=1),[Alias(\u{2018}z"),
    ("Get-S", "Identity\tswitch\t\t\nb}=($global:Owned=1),${c", "Id"),
    ("Get-T", "PSBoundParameters", "args"),
    ("Get-U", "ExecutionContext", "MyInvocation"),
    ("Get-V", "true", "null"),
    ("", "Identity", "Id"),
    ("Get-W", "", ""),
];
