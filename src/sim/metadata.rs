//! GET_COMMAND_METADATA (MS-PSRP 2.2.2.14) and Get-Command: the cmdlets that run here with their real parameters, and some
//! eight hundred more by name, so that importing a session costs what it costs on Exchange.

use super::binder::{COMMON, CONFIRMING, Kind};
use super::cmdlets::{self, matches};
use super::organization::mix;
use super::records::typed;
use super::runspace::{Run, Runspace};
use crate::clixml::{self, Content, Object, Property, Value, type_names};
use crate::psrp::{MetadataQuery, Stream};
use std::sync::LazyLock;

/// A command as Get-Command describes it.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: String,
    parameters: Vec<(String, String, Vec<String>)>,
}

const MODULE: &str = "Microsoft.Exchange.Management.PowerShell.E2010";

/// Nouns with the verbs they go with, a letter each: Get, Set, New, Remove, Enable, Disable, Test, Add.
const NOUNS: &str = "AcceptedDomain:gsnr AccessRule:gsnr ActiveSyncDevice:gr ActiveSyncDeviceAccessRule:gsnr ActiveSyncDeviceClass:gr ActiveSyncMailboxPolicy:gsnr ActiveSyncOrganizationSettings:gs AddressBookPolicy:gsnr AddressList:gsnr AdminAuditLogConfig:gs AdminAuditLogSearch:n AgentLog:g AntiPhishPolicy:gsnred AntiPhishRule:gsnred ApplicationAccessPolicy:gsnrt App:gsnred AtpPolicyForO365:gs AuditConfig:gs AuditLogSearch:gn AuthConfig:gst AuthServer:gsnr AuthenticationPolicy:gsnr AutoSensitivityLabelPolicy:gsnr AutoSensitivityLabelRule:gsnr AvailabilityAddressSpace:gnra AvailabilityConfig:gsnr BlockedConnector:gr BlockedSenderAddress:gr CalendarDiagnosticAnalysis:g CalendarDiagnosticLog:g CalendarDiagnosticObjects:g CalendarNotification:gs CalendarProcessing:gs CaseHoldPolicy:gsnr CaseHoldRule:gsnr CASMailboxPlan:gs ClientAccessRule:gsnrt Clutter:gs ComplianceCase:gsnr ComplianceCaseMember:gra ComplianceSearch:gsnr ComplianceSearchAction:gnr ComplianceSecurityFilter:gsnr ComplianceTag:gsnred Contact:gs DataClassification:gsnr DataClassificationConfig:gs DataEncryptionPolicy:gsnt DetailsTemplate:gs DeviceConditionalAccessPolicy:gsnr DeviceConfigurationPolicy:gsnr DeviceTenantPolicy:gsnr DistributionGroup:snrd DistributionGroupMemberList:sra DkimSigningConfig:gsn DlpCompliancePolicy:gsnr DlpComplianceRule:gsnr DlpPolicy:gsnr DlpSensitiveInformationType:gsnr DynamicDistributionGroup:gsnr DynamicDistributionGroupMember:g ElevatedAccessRequest:gn EligibleDistributionGroupForMigration:g EmailAddressPolicy:gsnr EventsFromEmailConfiguration:gs ExchangeAssistanceConfig:gs ExoInformationBarrierPolicy:g ExoInformationBarrierRelationship:g FederatedDomain:ra FederatedOrganizationIdentifier:gs FederationInformation:g FederationTrust:gsnrt FilePlanPropertyAuthority:gnr FilePlanPropertyCategory:gnr FocusedInbox:gs Fingerprint:gn GlobalAddressList:gsnr Group:gs HoldCompliancePolicy:gsnr HoldComplianceRule:gsnr HostedConnectionFilterPolicy:gsnr HostedContentFilterPolicy:gsnr HostedContentFilterRule:gsnred HostedOutboundSpamFilterPolicy:gsnr HostedOutboundSpamFilterRule:gsnred HybridConfiguration:gsnr HybridMailflow:gs HybridMailflowDatacenterIPs:g ImapSubscription:gsnr InboundConnector:gsnr InboxRule:gsnred InformationBarrierPolicy:gsnr InsiderRiskPolicy:gsnr IntraOrganizationConfiguration:g IntraOrganizationConnector:gsnrt IPAllowListConfig:gs IPBlockListConfig:gs IPBlockListEntry:gra IRMConfiguration:gst JournalRule:gsnred Label:gsnr LabelPolicy:gsnr LinkedUser:gs LogonStatistics:g MailboxAnalysisRequest:gn MailboxAuditBypassAssociation:gs MailboxAutoReplyConfiguration:gs MailboxCalendarConfiguration:gs MailboxCalendarFolder:gs MailboxExportRequest:gsnr MailboxExportRequestStatistics:g MailboxFolder:gnr MailboxFolderPermission:gsra MailboxFolderStatistics:g MailboxImportRequest:gsnr MailboxImportRequestStatistics:g MailboxJunkEmailConfiguration:gs MailboxLocation:gr MailboxMessageConfiguration:gs MailboxPlan:gsed MailboxRegionalConfiguration:gs MailboxRestoreRequest:gsnr MailboxRestoreRequestStatistics:g MailboxSearch:gsnr MailboxSpellingConfiguration:gs MailboxUserConfiguration:gnr MailContact:gsnred MailDetailDlpPolicyReport:g MailDetailMalwareReport:g MailDetailSpamReport:g MailDetailTransportRuleReport:g MailFilterListReport:g MailFlowStatusReport:g MailPublicFolder:gsed MailTrafficPolicyReport:g MailTrafficReport:g MailTrafficTopReport:g MailUser:gsnred MalwareFilterPolicy:gsnr MalwareFilterRule:gsnred ManagedContentSettings:gsnr ManagedFolder:gsnr ManagementRole:gnr ManagementRoleAssignment:gsnr ManagementRoleEntry:gsra ManagementScope:gsnr MessageCategory:g MessageClassification:gsnr MessageTrace:g MessageTraceDetail:g MessageTrackingReport:g MigrationBatch:gsnr MigrationConfig:gs MigrationEndpoint:gsnr MigrationServerAvailability:t MigrationStatistics:g MigrationUser:gsr MigrationUserStatistics:g MobileDevice:gr MobileDeviceMailboxPolicy:gsnr MobileDeviceStatistics:g MoveRequest:gsnr MoveRequestStatistics:g MxRecordReport:g Notification:gs OAuthConnectivity:t OfflineAddressBook:gsnr OMEConfiguration:gsnr OMEMessageStatus:g OnPremisesOrganization:gsnr OrganizationalUnit:g OrganizationRelationship:gsnrt OrganizationSegment:gsnr OutboundConnector:gsnr OutboundConnectorReport:g OutlookProtectionRule:gsnred OwaMailboxPolicy:gsnr PartnerApplication:gsnr PendingFederatedDomain:gs PerimeterConfig:gs Place:gs PolicyTipConfig:gsnr PopSubscription:gsnr ProtectionAlert:gsnred PublicFolder:gsnr PublicFolderClientPermission:gra PublicFolderItemStatistics:g PublicFolderMailboxDiagnostics:g PublicFolderMailboxMigrationRequest:gsnr PublicFolderMigrationRequest:gsnr PublicFolderStatistics:g QuarantineMessage:gr QuarantinePolicy:gsnr RbacDiagnosticInfo:g RecipientPermission:gra RecipientStatisticsReport:g RegulatoryComplianceUI:gs RemoteDomain:gsnr RemoteMailbox:gsnred ReportExecutionInstance:g ReportSchedule:gsnr ReportScheduleList:g ResourceConfig:gs RetentionCompliancePolicy:gsnr RetentionComplianceRule:gsnr RetentionEvent:gn RetentionPolicy:gsnr RetentionPolicyTag:gsnr RMSTemplate:gs RoleAssignmentPolicy:gsnr RoleGroup:gsnr RoleGroupMember:gra RulePackage:gnr SafeAttachmentPolicy:gsnr SafeAttachmentRule:gsnred SafeLinksPolicy:gsnr SafeLinksRule:gsnred SCInsights:g SearchDocumentFormat:gsnr SecOpsOverridePolicy:gsnr SecOpsOverrideRule:gsnr SecurityPrincipal:g SensitivityLabelActivityReport:g ServicePrincipal:gsnr SharingPolicy:gsnr SiteMailbox:gsnt SiteMailboxDiagnostics:g SiteMailboxProvisioningPolicy:gsnr SmimeConfig:gs SpoofIntelligenceInsight:g SpoofMailReport:g Subscription:gr SupervisoryReviewPolicyV2:gsnr SupervisoryReviewRule:gsn SweepRule:gsnred SyncConfig:gs SyncMailPublicFolder:snr SyncRequest:gsnr SyncRequestStatistics:g SystemMessage:gsnr TeamsProtectionPolicy:gsn TenantAllowBlockListItems:gsnr TenantAllowBlockListSpoofItems:gsnr TextMessagingAccount:gs ThrottlingPolicy:gsnr ThrottlingPolicyAssociation:gs ToolInformation:g TransportConfig:gs TransportRule:gsnred TransportRuleAction:g TransportRulePredicate:g Trust:g UMAutoAttendant:gsnred UMCallAnsweringRule:gsnred UMCallDataRecord:g UMDialPlan:gsnr UMHuntGroup:gnr UMIPGateway:gsnred UMMailbox:gsed UMMailboxPIN:gs UMMailboxPolicy:gsnr UMPrompt:g UnifiedAuditSetting:gs UnifiedGroup:gsnr UnifiedGroupLinks:gra UserBriefingConfig:gs UserPhoto:gsr UserSubmission:gs VivaInsightsSettings:gs WebDnsRecord:g X400AuthoritativeDomain:gsnr";

/// What such cmdlets have besides -Identity.
const OWN: &[(&str, &str)] = &[
    ("Name", "System.String"),
    ("DomainController", "Microsoft.Exchange.Data.Fqdn"),
    ("Enabled", "System.Boolean"),
    ("Priority", "System.Int32"),
    ("Comments", "System.String"),
    ("Force", "System.Management.Automation.SwitchParameter"),
    ("ResultSize", "Microsoft.Exchange.Data.Unlimited`1[System.UInt32]"),
    ("Filter", "System.String"),
    ("Organization", "Microsoft.Exchange.Configuration.Tasks.OrganizationIdParameter"),
    ("DisplayName", "System.String"),
    ("StartDate", "System.Nullable`1[System.DateTime]"),
    ("EndDate", "System.Nullable`1[System.DateTime]"),
    ("Mailbox", "Microsoft.Exchange.Configuration.Tasks.MailboxIdParameter"),
    ("Members", "Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Configuration.Tasks.RecipientIdParameter]"),
    ("ExternalEmailAddress", "Microsoft.Exchange.Data.ProxyAddress"),
    ("PrimarySmtpAddress", "Microsoft.Exchange.Data.SmtpAddress"),
    ("Quota", "Microsoft.Exchange.Data.ByteQuantifiedSize"),
    ("Policy", "Microsoft.Exchange.Configuration.Tasks.MailboxPolicyIdParameter"),
    ("IgnoreDefaultScope", "System.Management.Automation.SwitchParameter"),
    ("BypassValidation", "System.Management.Automation.SwitchParameter"),
];

/// Every command, by name.
pub fn commands() -> &'static [Command] {
    static COMMANDS: LazyLock<Vec<Command>> = LazyLock::new(|| {
        let mut all: Vec<Command> = cmdlets::all().map(real).collect();
        for (noun, verbs) in NOUNS.split(' ').filter_map(|n| n.split_once(':')) {
            for verb in verbs.chars() {
                let command = named(noun, verb);
                if !all.iter().any(|c| c.name.eq_ignore_ascii_case(&command.name)) {
                    all.push(command);
                }
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    });
    &COMMANDS
}

fn common(confirms: bool) -> impl Iterator<Item = (String, String, Vec<String>)> {
    let confirming = if confirms { CONFIRMING } else { &[] };
    COMMON.iter().chain(confirming).map(|p| (p.name.to_owned(), p.kind.type_name(), p.aliases.iter().map(|a| (*a).to_owned()).collect()))
}

fn real(info: &super::runspace::CmdletInfo) -> Command {
    let own = info.parameters.iter().map(|p| (p.name.to_owned(), p.kind.type_name(), p.aliases.iter().map(|a| (*a).to_owned()).collect()));
    Command { name: info.name.to_owned(), parameters: own.chain(common(info.confirms)).collect() }
}

fn named(noun: &str, verb: char) -> Command {
    let verb = match verb {
        'g' => "Get",
        's' => "Set",
        'n' => "New",
        'r' => "Remove",
        'e' => "Enable",
        'd' => "Disable",
        't' => "Test",
        _ => "Add",
    };
    let name = format!("{verb}-{noun}");
    let noise = name.bytes().fold(7, |h, b| mix(h ^ u64::from(b)));
    let identity = ("Identity".to_owned(), format!("Microsoft.Exchange.Configuration.Tasks.{noun}IdParameter"), Vec::new());
    let chance = if matches!(verb, "Set" | "New") { 2 } else { 4 };
    let own = OWN.iter().enumerate().filter(|(i, _)| (noise >> (2 * i)) % 8 < 8 / chance);
    let own = own.map(|(_, (n, t))| ((*n).to_owned(), (*t).to_owned(), Vec::new()));
    Command { parameters: std::iter::once(identity).chain(own).chain(common(!matches!(verb, "Get" | "Test"))).collect(), name }
}

impl Command {
    fn properties(&self) -> Vec<Property> {
        let namespace = Property::new("Namespace", MODULE);
        let parameter = |(name, kind, aliases): &(String, String, Vec<String>)| {
            let names = Object {
                content: Content::List(aliases.iter().map(|a| Value::from(a.as_str())).collect()),
                ..typed(&[
                    "System.Collections.ObjectModel.Collection`1[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089]]",
                ])
            };
            let metadata = Object {
                to_string: Some("System.Management.Automation.ParameterMetadata".into()),
                adapted: Some(vec![
                    Property::new("Name", name.as_str()),
                    Property::new("ParameterType", kind.as_str()),
                    Property::new("Aliases", names),
                    Property::new("IsDynamic", false),
                    Property::new("SwitchParameter", *kind == Kind::Switch.type_name()),
                ]),
                ..typed(&["System.Management.Automation.ParameterMetadata"])
            };
            (Value::from(name.as_str()), Value::from(metadata))
        };
        let parameters = Object {
            content: Content::Dictionary(self.parameters.iter().map(parameter).collect()),
            ..typed(&[
                "System.Collections.Generic.Dictionary`2[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089],[System.Management.Automation.ParameterMetadata, System.Management.Automation, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]",
            ])
        };
        let output = Object {
            content: Content::List(Vec::new()),
            ..typed(&[
                "System.Collections.ObjectModel.ReadOnlyCollection`1[[System.Management.Automation.PSTypeName, System.Management.Automation, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]",
            ])
        };
        vec![
            Property::new("Name", self.name.as_str()),
            namespace,
            Property::new("HelpUri", format!("https://learn.microsoft.com/powershell/module/exchange/{}", self.name.to_lowercase())),
            Property::new("CommandType", Object::enumeration("System.Management.Automation.CommandTypes", "Cmdlet", 8)),
            Property::new("ResolvedCommandName", Value::Nil),
            Property::new("OutputType", output),
            Property::new("Parameters", parameters),
        ]
    }

    /// As GET_COMMAND_METADATA gives it.
    pub fn selected(&self) -> Value {
        let names = ["Selected.System.Management.Automation.CmdletInfo", "System.Management.Automation.PSCustomObject", "System.Object"];
        Value::from(Object { type_names: Some(type_names(&names)), ..Object::bag(self.properties()) })
    }

    /// As Get-Command gives it.
    pub fn full(&self) -> Value {
        let (verb, noun) = self.name.split_once('-').unwrap_or((&self.name, ""));
        let mut properties = vec![Property::new("Verb", verb), Property::new("Noun", noun), Property::new("ModuleName", MODULE)];
        properties.extend(self.properties());
        let object = typed(&["System.Management.Automation.CmdletInfo", "System.Management.Automation.CommandInfo"]);
        Value::from(Object { to_string: Some(self.name.as_str().into()), adapted: Some(properties), ..object })
    }
}

/// Answers GET_COMMAND_METADATA: the count, then the commands.
pub fn answer(runspace: &Runspace, query: &MetadataQuery) -> Run {
    let wants = |c: &&Command| {
        let named = query.names.is_empty() || query.names.iter().any(|n| matches(n, &c.name));
        let cmdlets = query.command_types == 0 || query.command_types & 8 != 0;
        let here = query.modules.is_empty() || query.modules.iter().any(|m| matches(m, MODULE));
        named && cmdlets && here && runspace.allows(&c.name)
    };
    let found: Vec<_> = commands().iter().filter(wants).collect();
    let names =
        ["Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo", "System.Management.Automation.PSCustomObject", "System.Object"];
    let count = Object { type_names: Some(type_names(&names)), ..Object::bag(vec![Property::new("Count", found.len() as i32)]) };
    runspace.send_text(Stream::Output, &clixml::write(&count.into()))?;
    found.iter().try_for_each(|c| runspace.send_text(Stream::Output, &clixml::write(&c.selected())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_some_eight_hundred_commands() {
        let all = commands();
        assert!((750..900).contains(&all.len()), "{}", all.len());
        assert!(all.windows(2).all(|w| w[0].name < w[1].name));
    }
}
