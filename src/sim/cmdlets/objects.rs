//! The objects that Exchange cmdlets give besides mailboxes.

use super::super::mailbox::{addresses, chain, grouped, multi_valued, recipient_type_details};
use super::super::organization::{Organization, Person, mix};
use super::super::records::{DOMAIN_CONTROLLER, typed};
use crate::clixml::{Object, Property, Value, date_time};

fn directory_object(types: &[&str], name: &str, properties: Vec<Property>) -> Value {
    Value::from(Object { type_names: Some(chain(types)), to_string: Some(name.into()), adapted: Some(properties), ..Object::new() })
}

fn path(organization: &Organization, name: &str) -> String {
    format!("eurprd01.prod.outlook.com/Microsoft Exchange Hosted Organizations/{}/{name}", organization.tenant())
}

fn common(organization: &Organization, name: &str, guid: uuid::Uuid) -> Vec<Property> {
    let tenant = organization.tenant();
    vec![
        Property::new("Identity", path(organization, name)),
        Property::new("Id", path(organization, name)),
        Property::new("IsValid", true),
        Property::new("ExchangeVersion", "0.20 (15.0.0.0)"),
        Property::new("Name", name),
        Property::new(
            "DistinguishedName",
            format!("CN={name},OU={tenant},OU=Microsoft Exchange Hosted Organizations,DC=EURPRD01,DC=PROD,DC=OUTLOOK,DC=COM"),
        ),
        Property::new("Guid", guid),
        Property::new("WhenChangedUTC", Value::DateTime("2023-02-03T04:05:06.0000000Z".into())),
        Property::new("WhenCreated", Value::DateTime("2021-03-28T03:30:00+02:00".into())),
        Property::new("OrganizationId", format!("EURPRD01.PROD.OUTLOOK.COM/Microsoft Exchange Hosted Organizations/{tenant}")),
        Property::new("OriginatingServer", DOMAIN_CONTROLLER.to_ascii_lowercase()),
        Property::new("ObjectState", Object::enumeration("Microsoft.Exchange.Data.ObjectState", "Unchanged", 1)),
    ]
}

/// Get-MailboxStatistics.
pub fn statistics(organization: &Organization, person: &Person) -> Value {
    let items = person.noise % 90_000;
    let bytes = 4096 * items + person.noise % 4096;
    let size = |bytes: u64| match bytes {
        b if b >= 1 << 30 => format!("{:.2} GB ({} bytes)", b as f64 / f64::from(1 << 30), grouped(b)),
        b => format!("{:.1} MB ({} bytes)", b as f64 / f64::from(1 << 20), grouped(b)),
    };
    let logon = if person.noise.is_multiple_of(9) {
        Value::Nil
    } else {
        Value::DateTime(date_time(1_690_000_000 + person.noise % 9_000_000) + "+02:00")
    };
    let properties = vec![
        Property::new("AssociatedItemCount", Value::U32((mix(person.noise) % 900) as u32)),
        Property::new("DeletedItemCount", Value::U32((person.noise % 700) as u32)),
        Property::new("DisconnectDate", Value::Nil),
        Property::new("DisplayName", person.display_name.as_str()),
        Property::new("ItemCount", Value::U32(items as u32)),
        Property::new("LastLogoffTime", Value::Nil),
        Property::new("LastLogonTime", logon),
        Property::new(
            "LegacyDN",
            format!("/O=EXCHANGELABS/OU=EXCHANGE ADMINISTRATIVE GROUP (FYDIBOHF23SPDLT)/CN=RECIPIENTS/CN={}", person.alias.to_uppercase()),
        ),
        Property::new("MailboxGuid", person.guid),
        Property::new("StorageLimitStatus", Value::Nil),
        Property::new("TotalDeletedItemSize", size(bytes / 50)),
        Property::new("TotalItemSize", size(bytes)),
        Property::new("Database", "EURPR01DG110-db031"),
        Property::new("ServerName", "AM0PR01MB0220"),
        Property::new("IsQuarantined", false),
        Property::new("IsValid", true),
        Property::new("Identity", person.guid.to_string()),
        Property::new("OrganizationId", organization.tenant()),
    ];
    let types = [
        "Microsoft.Exchange.Management.MapiTasks.Presentation.MailboxStatistics",
        "Microsoft.Exchange.Data.Mapi.MailboxStatistics",
        "Microsoft.Exchange.Data.Mapi.MapiObject",
        "Microsoft.Exchange.Data.ConfigurableObject",
    ];
    Value::from(Object { to_string: Some(person.guid.to_string().into()), adapted: Some(properties), ..typed(&types) })
}

/// Get-User.
pub fn user(organization: &Organization, person: &Person) -> Value {
    let address = format!("{}@{}", person.alias, organization.domain());
    let (first, last) = person.display_name.split_once(' ').unwrap_or((&person.display_name, ""));
    let department = ["Sales", "Finance", "Research & Development", "Legal", "Operations"][person.noise as usize % 5];
    let mut properties = vec![
        Property::new("IsSecurityPrincipal", true),
        Property::new("SamAccountName", format!("${}", person.alias)),
        Property::new("UserPrincipalName", address.as_str()),
        Property::new("WindowsEmailAddress", address.as_str()),
        Property::new("FirstName", first),
        Property::new("LastName", last),
        Property::new("DisplayName", person.display_name.as_str()),
        Property::new("Department", department),
        Property::new("City", ""),
        Property::new("RemotePowerShellEnabled", true),
        Property::new("RecipientTypeDetails", recipient_type_details(person.kind)),
    ];
    properties.extend(common(organization, &person.alias, person.guid));
    directory_object(
        &["Microsoft.Exchange.Data.Directory.Management.User", "Microsoft.Exchange.Data.Directory.Management.OrgPersonPresentationObject"],
        &person.alias,
        properties,
    )
}

/// Get-Recipient.
pub fn recipient(organization: &Organization, person: &Person) -> Value {
    let address = format!("{}@{}", person.alias, organization.domain());
    let mut properties = vec![
        Property::new("Alias", person.alias.as_str()),
        Property::new("DisplayName", person.display_name.as_str()),
        Property::new("EmailAddresses", addresses(&[format!("SMTP:{address}")])),
        Property::new("PrimarySmtpAddress", address.as_str()),
        Property::new("RecipientType", Object::enumeration("Microsoft.Exchange.Data.Directory.Recipient.RecipientType", "UserMailbox", 1)),
        Property::new("RecipientTypeDetails", recipient_type_details(person.kind)),
        Property::new("HiddenFromAddressListsEnabled", false),
    ];
    properties.extend(common(organization, &person.alias, person.guid));
    directory_object(&["Microsoft.Exchange.Data.Directory.Management.ReducedRecipient"], &person.alias, properties)
}

/// Get-CASMailbox.
pub fn cas_mailbox(organization: &Organization, person: &Person) -> Value {
    let flag = |name: &str, bit: u64| Property::new(name, person.noise >> bit & 3 != 0);
    let mut properties = vec![
        Property::new("PrimarySmtpAddress", format!("{}@{}", person.alias, organization.domain())),
        flag("ActiveSyncEnabled", 1),
        flag("OWAEnabled", 2),
        flag("PopEnabled", 3),
        flag("ImapEnabled", 4),
        flag("MAPIEnabled", 5),
        Property::new("ECPEnabled", true),
        Property::new("ActiveSyncAllowedDeviceIDs", multi_valued("System.String", &[])),
    ];
    properties.extend(common(organization, &person.alias, person.guid));
    directory_object(&["Microsoft.Exchange.Data.Directory.Management.CASMailbox"], &person.alias, properties)
}

/// Get-MailboxPermission: one right of one user.
pub fn permission(organization: &Organization, person: &Person, user: &str, rights: &str) -> Value {
    let identity = path(organization, &person.alias);
    let rights = multi_valued("Microsoft.Exchange.Management.RecipientTasks.MailboxRights", &[rights.to_owned()]);
    let properties = vec![
        Property::new("AccessRights", rights),
        Property::new("Deny", false),
        Property::new("InheritanceType", Object::enumeration("System.DirectoryServices.ActiveDirectorySecurityInheritance", "All", 1)),
        Property::new("User", user),
        Property::new("Identity", identity.as_str()),
        Property::new("IsInherited", false),
        Property::new("IsValid", true),
        Property::new("ObjectState", Object::enumeration("Microsoft.Exchange.Data.ObjectState", "New", 0)),
    ];
    let types = [
        "Microsoft.Exchange.Management.RecipientTasks.MailboxAcePresentationObject",
        "Microsoft.Exchange.Management.RecipientTasks.AcePresentationObject",
        "Microsoft.Exchange.Data.ConfigurableObject",
    ];
    Value::from(Object { to_string: Some(identity.into()), adapted: Some(properties), ..typed(&types) })
}

/// The groups of every organization.
pub const GROUPS: [&str; 4] = ["All Staff", "Sales", "Research & Development", "Board"];

/// Get-DistributionGroup.
pub fn group(organization: &Organization, place: usize) -> Value {
    let name = GROUPS[place];
    let alias: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let address = format!("{alias}@{}", organization.domain());
    let mut properties = vec![
        Property::new("GroupType", "Universal"),
        Property::new("Alias", alias.as_str()),
        Property::new("DisplayName", name),
        Property::new("PrimarySmtpAddress", address.as_str()),
        Property::new("EmailAddresses", addresses(&[format!("SMTP:{address}")])),
        Property::new("ManagedBy", multi_valued("Microsoft.Exchange.Data.Directory.ADObjectId", &["Organization Management".to_owned()])),
        Property::new("RequireSenderAuthenticationEnabled", place != 1),
        Property::new(
            "MemberJoinRestriction",
            Object::enumeration("Microsoft.Exchange.Data.Directory.Recipient.MemberUpdateType", "Closed", 1),
        ),
    ];
    properties.extend(common(organization, name, organization.guid(100 + place as u64)));
    directory_object(
        &[
            "Microsoft.Exchange.Data.Directory.Management.DistributionGroup",
            "Microsoft.Exchange.Data.Directory.Management.DistributionGroupBase",
            "Microsoft.Exchange.Data.Directory.Management.MailEnabledRecipient",
        ],
        name,
        properties,
    )
}

/// Get-AcceptedDomain.
pub fn accepted_domain(organization: &Organization, domain: &str, default: bool) -> Value {
    let mut properties = vec![
        Property::new("DomainName", domain),
        Property::new(
            "DomainType",
            Object::enumeration("Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomainType", "Authoritative", 0),
        ),
        Property::new("Default", default),
        Property::new("InitialDomain", !default),
        Property::new("MatchSubDomains", false),
    ];
    properties.extend(common(organization, domain, organization.guid(if default { 1 } else { 2 })));
    directory_object(
        &[
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomain",
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ADConfigurationObject",
        ],
        domain,
        properties,
    )
}

/// Get-OrganizationConfig.
pub fn configuration(organization: &Organization) -> Value {
    let tenant = organization.tenant();
    let mut properties = vec![
        Property::new("DisplayName", organization.domain().split('.').next().unwrap_or_default()),
        Property::new("AdminDisplayVersion", "0.20 (15.20.7409.29)"),
        Property::new("IsDehydrated", false),
        Property::new("DefaultPublicFolderAgeLimit", Value::Nil),
        Property::new("MailTipsLargeAudienceThreshold", Value::U32(25)),
        Property::new("OAuth2ClientProfileEnabled", true),
        Property::new("ActivityBasedAuthenticationTimeoutInterval", "06:00:00"),
        Property::new("RemotePublicFolderMailboxes", multi_valued("System.String", &[])),
    ];
    properties.extend(common(organization, &tenant, organization.guid(0)));
    directory_object(
        &[
            "Microsoft.Exchange.Data.Directory.Management.OrganizationConfig",
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ADOrganizationConfig",
        ],
        &tenant,
        properties,
    )
}
