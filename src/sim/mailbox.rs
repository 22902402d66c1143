//! A mailbox as Exchange serializes it: some hundred properties, all of them `Props`, rendered from a template because
//! building and writing ten thousand value trees would make the simulator the slow end of every measurement.

use super::organization::{Organization, Person, mix};
use super::records::{DOMAIN_CONTROLLER, typed};
use crate::clixml::{self, Content, Object, Property, Value, date_time, type_names};
use uuid::Uuid;

/// The kinds of mailboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person's.
    User,
    /// Several persons'.
    Shared,
    /// A meeting room's.
    Room,
}

impl Kind {
    /// In the order of their numbers.
    pub const ALL: [Self; 3] = [Self::User, Self::Shared, Self::Room];

    /// Every eighth made-up mailbox is shared and every sixteenth a room's.
    pub fn of(index: usize, size: usize) -> Self {
        match index {
            i if i >= size => Self::User,
            i if i % 16 == 15 => Self::Room,
            i if i % 8 == 7 => Self::Shared,
            _ => Self::User,
        }
    }

    /// RecipientTypeDetails: its name and number.
    pub fn details(self) -> (&'static str, i64) {
        match self {
            Self::User => ("UserMailbox", 1),
            Self::Shared => ("SharedMailbox", 4),
            Self::Room => ("RoomMailbox", 16),
        }
    }
}

/// CLIXML with gaps. A gap is a private-use character pair around the slot's number, which no writer escapes.
#[derive(Debug)]
pub struct Template {
    parts: Vec<(String, Option<usize>)>,
    length: usize,
}

const MARK: char = '\u{f8ff}';

/// What differs between mailboxes of one kind, each already escaped.
pub const SLOTS: usize = 13;

fn gap(slot: usize) -> String {
    format!("{MARK}{slot}{MARK}")
}

fn guid_gap(slot: usize) -> Uuid {
    Uuid::from_u128(0xf8ff_f8ff_f8ff_f8ff_f8ff_f8ff_0000_0000 + slot as u128)
}

impl Template {
    /// Out of a value whose strings and ids hold gaps.
    pub fn new(value: &Value) -> Self {
        let mut text = clixml::write(value);
        for slot in 0..SLOTS {
            text = text.replace(&guid_gap(slot).to_string(), &gap(slot));
        }
        let mut pieces = text.split(MARK);
        let mut parts = Vec::new();
        while let Some(literal) = pieces.next() {
            parts.push((literal.to_owned(), pieces.next().and_then(|n| n.parse().ok())));
        }
        Self { length: text.len() + 1024, parts }
    }

    /// Appends the text with the gaps filled.
    pub fn render(&self, slots: &[String; SLOTS], text: &mut String) {
        text.reserve(self.length);
        for (literal, slot) in &self.parts {
            text.push_str(literal);
            if let Some(slot) = slot {
                text.push_str(&slots[*slot]);
            }
        }
    }
}

const ALIAS: usize = 0;
const DISPLAY: usize = 1;
const GUID: usize = 2;
const EXCHANGE_GUID: usize = 3;
const ARCHIVE_GUID: usize = 4;
const CREATED: usize = 5;
const CHANGED: usize = 6;
const DATABASE: usize = 7;
const QUOTA: usize = 8;
const OFFICE: usize = 9;
const LEGACY_DN: usize = 10;
const SID: usize = 11;
const NOTE: usize = 12;

/// The slots of one mailbox.
pub fn slots(organization: &Organization, person: &Person) -> [String; SLOTS] {
    let noise = person.noise;
    let created = 1_400_000_000 + noise % 300_000_000;
    let other = |n: u64| Uuid::from_u64_pair(mix(noise ^ n), mix(noise ^ n ^ 0xffff)).to_string();
    let gigabytes = 30 + noise % 70;
    [
        person.alias.clone(),
        escaped(&person.display_name),
        person.guid.to_string(),
        other(2),
        other(3),
        date_time(created) + "Z",
        format!("{}.{:07}+02:00", date_time(created + noise % 90_000_000), noise % 10_000_000),
        format!("EURPR01DG{:03}-db{:03}", noise % 300, noise % 40),
        format!("{gigabytes} GB ({} bytes)", grouped(gigabytes << 30)),
        format!("Building {}, room {}", noise % 20, noise % 900),
        format!(
            "/o=ExchangeLabs/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={:016x}-{}",
            mix(noise ^ 4),
            person.alias
        ),
        format!(
            "S-1-5-21-{}-{}-{}-{}",
            noise % 4_000_000_000,
            mix(noise) % 4_000_000_000,
            organization.guid(9).as_u128() % 4_000_000_000,
            person.index + 1000
        ),
        escaped(&format!("Moved here on wave {} by <migration> & checked;\nsee ticket_x{:04X}_", noise % 12, noise % 65_536)),
    ]
}

fn escaped(text: &str) -> String {
    let element = clixml::write(&Value::from(text));
    element.strip_prefix("<S>").and_then(|e| e.strip_suffix("</S>")).map_or_else(String::new, str::to_owned)
}

/// A number with commas, as .NET's N0.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// A multi-valued property, as a list.
pub fn multi_valued(of: &str, items: &[String]) -> Object {
    Object {
        content: Content::List(items.iter().map(|i| Value::from(i.as_str())).collect()),
        ..typed(&[
            &format!(
                "Microsoft.Exchange.Data.MultiValuedProperty`1[[{of}, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089]]"
            ),
            "Microsoft.Exchange.Data.MultiValuedPropertyBase",
        ])
    }
}

/// The addresses of a recipient.
pub fn addresses(items: &[String]) -> Object {
    Object {
        content: Content::List(items.iter().map(|i| Value::from(i.as_str())).collect()),
        ..typed(&[
            "Microsoft.Exchange.Data.ProxyAddressCollection",
            "Microsoft.Exchange.Data.ProxyAddressBaseCollection`1[[Microsoft.Exchange.Data.ProxyAddress, Microsoft.Exchange.Data]]",
            "Microsoft.Exchange.Data.MultiValuedProperty`1[[Microsoft.Exchange.Data.ProxyAddress, Microsoft.Exchange.Data]]",
            "Microsoft.Exchange.Data.MultiValuedPropertyBase",
        ])
    }
}

/// RecipientTypeDetails, an enum of 64 bits.
pub fn recipient_type_details(kind: Kind) -> Object {
    let (name, number) = kind.details();
    Object {
        to_string: Some(name.into()),
        content: Content::Primitive(Value::I64(number)),
        ..typed(&["Microsoft.Exchange.Data.Directory.Recipient.RecipientTypeDetails", "System.Enum", "System.ValueType"])
    }
}

/// The type names that every directory object of Exchange ends with.
pub fn chain(first: &[&str]) -> crate::clixml::TypeNames {
    let mut names = first.to_vec();
    names.extend([
        "Microsoft.Exchange.Data.Directory.ADPresentationObject",
        "Microsoft.Exchange.Data.Directory.ADObject",
        "Microsoft.Exchange.Data.Directory.ADRawEntry",
        "Microsoft.Exchange.Data.ConfigurableObject",
        "System.Object",
    ]);
    type_names(&names)
}

/// A mailbox of this kind with gaps for all that differs.
pub fn template(organization: &Organization, kind: Kind) -> Value {
    let (domain, tenant) = (organization.domain(), organization.tenant());
    let alias = gap(ALIAS);
    let address = format!("{alias}@{domain}");
    let unit = format!("{domain}/Users");
    let enumeration = |t: &str, text: &str, n: i32| Object::enumeration(&format!("Microsoft.Exchange.Data.{t}"), text, n);
    let strings = |items: &[&str]| multi_valued("System.String", &items.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
    let none = || strings(&[]);
    let unlimited = "Unlimited";
    let mut p: Vec<Property> = Vec::with_capacity(128);
    let mut add = |name: &str, value: Value| p.push(Property::new(name, value));

    add("Database", format!("EURPR01/{}", gap(DATABASE)).into());
    add("MailboxProvisioningConstraint", Value::Nil);
    add("MailboxRegion", "EUR".into());
    add("DeletedItemFlags", "DatabaseDefault".into());
    add("UseDatabaseRetentionDefaults", false.into());
    add("RetainDeletedItemsUntilBackup", false.into());
    add("DeliverToMailboxAndForward", false.into());
    add("IsExcludedFromServingHierarchy", false.into());
    add("IsHierarchyReady", true.into());
    add("LitigationHoldEnabled", (kind == Kind::Shared).into());
    add("SingleItemRecoveryEnabled", true.into());
    add("RetentionHoldEnabled", false.into());
    add("EndDateForRetentionHold", Value::Nil);
    add("StartDateForRetentionHold", Value::Nil);
    add("RetentionComment", gap(NOTE).into());
    add("RetentionUrl", Value::Uri("https://compliance.contoso.example/retention?id=1&lang=en".into()));
    add("LitigationHoldDate", Value::DateTime(gap(CHANGED)));
    add("LitigationHoldDuration", unlimited.into());
    add("ManagedFolderMailboxPolicy", Value::Nil);
    add("RetentionPolicy", "Default MRM Policy".into());
    add("AddressBookPolicy", Value::Nil);
    add("CalendarRepairDisabled", false.into());
    add("ExchangeGuid", guid_gap(EXCHANGE_GUID).into());
    add("MailboxContainerGuid", Value::Nil);
    add("UnifiedMailbox", Value::Nil);
    add("MailboxLocations", strings(&[&format!("1;{};Primary;eurprd01.prod.outlook.com;{}", gap(EXCHANGE_GUID), gap(GUID))]).into());
    add("ExchangeSecurityDescriptor", "System.Security.AccessControl.RawSecurityDescriptor".into());
    add("ExchangeUserAccountControl", "None".into());
    add("AdminDisplayVersion", "Version 15.20 (Build 7409.29)".into());
    add("MessageTrackingReadStatusEnabled", true.into());
    add("ExternalOofOptions", "External".into());
    add("ForwardingAddress", Value::Nil);
    add("ForwardingSmtpAddress", Value::Nil);
    add("RetainDeletedItemsFor", "14.00:00:00".into());
    add("IsMailboxEnabled", true.into());
    add("Languages", strings(&["en-US", "da-DK"]).into());
    add("OfflineAddressBook", Value::Nil);
    add("ProhibitSendQuota", gap(QUOTA).into());
    add("ProhibitSendReceiveQuota", "100 GB (107,374,182,400 bytes)".into());
    add("RecoverableItemsQuota", "30 GB (32,212,254,720 bytes)".into());
    add("RecoverableItemsWarningQuota", "20 GB (21,474,836,480 bytes)".into());
    add("CalendarLoggingQuota", "6 GB (6,442,450,944 bytes)".into());
    add("DowngradeHighPriorityMessagesEnabled", false.into());
    add("ProtocolSettings", strings(&["RemotePowerShell§1", "HTTP§1§1§§§§§§"]).into());
    add("RecipientLimits", "500".into());
    add("ImListMigrationCompleted", false.into());
    add("IsResource", (kind == Kind::Room).into());
    add("IsLinked", false.into());
    add("IsShared", (kind == Kind::Shared).into());
    add("IsRootPublicFolderMailbox", false.into());
    add("LinkedMasterAccount", "".into());
    add("ResetPasswordOnNextLogon", false.into());
    add("ResourceCapacity", if kind == Kind::Room { 12.into() } else { Value::Nil });
    add("ResourceCustom", if kind == Kind::Room { strings(&["Projector", "Whiteboard"]) } else { none() }.into());
    add(
        "ResourceType",
        if kind == Kind::Room { enumeration("Directory.Recipient.ExchangeResourceType", "Room", 0).into() } else { Value::Nil },
    );
    add("RoomMailboxAccountEnabled", if kind == Kind::Room { false.into() } else { Value::Nil });
    add("SamAccountName", format!("${alias}").into());
    add("SCLDeleteThreshold", Value::Nil);
    add("SCLJunkThreshold", Value::U8(4));
    add("AntispamBypassEnabled", false.into());
    add(
        "ServerLegacyDN",
        "/o=ExchangeLabs/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn=AM0PR01MB0220".into(),
    );
    add("ServerName", "am0pr01mb0220".into());
    add("UseDatabaseQuotaDefaults", false.into());
    add("IssueWarningQuota", "98 GB (105,226,698,752 bytes)".into());
    add("RulesQuota", "256 KB (262,144 bytes)".into());
    add("Office", gap(OFFICE).into());
    add("UserPrincipalName", address.as_str().into());
    add("UMEnabled", false.into());
    add("MaxSafeSenders", Value::Nil);
    add("MaxBlockedSenders", Value::I32(500));
    add("ReconciliationId", Value::Nil);
    add("WindowsLiveID", address.as_str().into());
    add("MicrosoftOnlineServicesID", address.as_str().into());
    add("RoleAssignmentPolicy", "Default Role Assignment Policy".into());
    add("EffectivePublicFolderMailbox", Value::Nil);
    add("SharingPolicy", "Default Sharing Policy".into());
    add("ArchiveGuid", guid_gap(ARCHIVE_GUID).into());
    add("ArchiveName", strings(&[&format!("In-Place Archive -{}", gap(DISPLAY))]).into());
    add("ArchiveQuota", "100 GB (107,374,182,400 bytes)".into());
    add("ArchiveStatus", "Active".into());
    add("AuditEnabled", true.into());
    add("AuditLogAgeLimit", "90.00:00:00".into());
    add(
        "AuditAdmin",
        strings(&["Update", "MoveToDeletedItems", "SoftDelete", "HardDelete", "FolderBind", "SendAs", "SendOnBehalf"]).into(),
    );
    add("WhenMailboxCreated", Value::DateTime(gap(CREATED)));
    add("UsageLocation", "Denmark".into());
    add("IsInactiveMailbox", false.into());
    add("AccountDisabled", (kind != Kind::User).into());
    add("PersistedCapabilities", strings(&["BPOS_S_Enterprise"]).into());
    add("SourceAnchor", Value::Bytes((0..24).collect()));
    add("QueryBaseDNRestrictionEnabled", false.into());
    add("TotalDeletedItems", Value::U32(3_000_000_000));
    add("MailboxMoveFlags", "None".into());
    add("MailboxMoveProgress", Value::F64(0.5));
    add("MailboxMoveElapsed", Value::Duration("PT1H2M3.5S".into()));
    add("Extensions", none().into());
    add("HasPicture", false.into());
    add("CustomAttribute1", "".into());
    add("CustomAttribute2", "Wave 2".into());
    add("ExtensionCustomAttribute1", none().into());
    add("Alias", alias.as_str().into());
    add("OrganizationalUnit", unit.as_str().into());
    add("DisplayName", gap(DISPLAY).into());
    let all = [format!("SMTP:{address}"), format!("smtp:{alias}@{tenant}"), format!("SIP:{address}"), format!("X500:{}", gap(LEGACY_DN))];
    add("EmailAddresses", addresses(&all).into());
    add("ExternalDirectoryObjectId", gap(ARCHIVE_GUID).into());
    add("HiddenFromAddressListsEnabled", (kind == Kind::Shared).into());
    add("LegacyExchangeDN", gap(LEGACY_DN).into());
    add("MaxSendSize", "35 MB (36,700,160 bytes)".into());
    add("MaxReceiveSize", "36 MB (37,748,736 bytes)".into());
    add("EmailAddressPolicyEnabled", false.into());
    add("PrimarySmtpAddress", address.as_str().into());
    add("RecipientType", enumeration("Directory.Recipient.RecipientType", "UserMailbox", 1).into());
    add("RecipientTypeDetails", recipient_type_details(kind).into());
    add("Identity", format!("{unit}/{alias}").into());
    add("Id", format!("{unit}/{alias}").into());
    add("IsValid", true.into());
    add("ExchangeVersion", "0.20 (15.0.0.0)".into());
    add("Name", alias.as_str().into());
    add(
        "DistinguishedName",
        format!("CN={alias},OU={tenant},OU=Microsoft Exchange Hosted Organizations,DC=EURPR01A001,DC=PROD,DC=OUTLOOK,DC=COM").into(),
    );
    add("SidHistory", none().into());
    add("Sid", gap(SID).into());
    add("Guid", guid_gap(GUID).into());
    add("WhenChanged", Value::DateTime(gap(CHANGED)));
    add("WhenCreated", Value::DateTime("2021-03-28T01:30:00+01:00".into()));
    add("WhenChangedUTC", Value::DateTime(gap(CREATED)));
    add("WhenCreatedUTC", Value::DateTime(gap(CREATED)));
    add("LastDirSyncTime", Value::DateTime("2023-05-06T07:08:09".into()));
    add("OrganizationId", format!("EURPR01A001.PROD.OUTLOOK.COM/Microsoft Exchange Hosted Organizations/{tenant}").into());
    add("OriginatingServer", DOMAIN_CONTROLLER.to_ascii_lowercase().into());
    add("ObjectState", enumeration("ObjectState", "Unchanged", 1).into());

    Value::from(Object {
        type_names: Some(chain(&[
            "Microsoft.Exchange.Data.Directory.Management.Mailbox",
            "Microsoft.Exchange.Data.Directory.Management.MailEnabledOrgPerson",
            "Microsoft.Exchange.Data.Directory.Management.MailEnabledRecipient",
        ])),
        to_string: Some(alias.into()),
        adapted: Some(p),
        ..Object::new()
    })
}
