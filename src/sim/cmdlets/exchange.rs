//! Exchange's cmdlets over a made-up organization.

use super::super::binder::{Bound, Kind, Parameter, Piped, parameter};
use super::super::organization::Person;
use super::super::records::{DOMAIN_CONTROLLER, text_of};
use super::super::runspace::{CmdletInfo, Context, Halt, Item, Run};
use super::core::Simple;
use super::{matches, objects};
use crate::clixml::{Content, Property, Value};

const MAILBOX: Parameter = parameter("Identity", Kind::Identity("Mailbox")).at(0).from(Piped::Both);
const REQUIRED_MAILBOX: Parameter = MAILBOX.required();
const DOMAIN_CONTROLLER_PARAMETER: Parameter = parameter("DomainController", Kind::Text);
const RESULT_SIZE: Parameter = parameter("ResultSize", Kind::Unlimited);
const FILTER: Parameter = parameter("Filter", Kind::Text);
const ANR: Parameter = parameter("Anr", Kind::Text);
const SORT_BY: Parameter = parameter("SortBy", Kind::Text);
const DETAILS: Parameter = parameter("RecipientTypeDetails", Kind::Texts);
const UNIT: Parameter = parameter("OrganizationalUnit", Kind::Text);

/// What Set-Mailbox can change, as strings.
const SETTABLE: &[&str] =
    &["DisplayName", "CustomAttribute1", "CustomAttribute2", "Office", "ForwardingSmtpAddress", "ProhibitSendQuota", "RetentionComment"];
/// What Set-Mailbox can change, as Booleans.
const SETTABLE_FLAGS: &[&str] = &["HiddenFromAddressListsEnabled", "LitigationHoldEnabled", "AuditEnabled", "DeliverToMailboxAndForward"];

macro_rules! cmdlet {
    ($name:literal, $class:literal, $confirms:literal, [$($parameter:expr),* $(,)?], $run:expr) => {
        CmdletInfo { name: $name, class: $class, parameters: &[$($parameter),*], confirms: $confirms, make: || Box::new($run as Simple) }
    };
}

/// The cmdlets.
pub const CMDLETS: &[CmdletInfo] = &[
    cmdlet!(
        "Get-Mailbox",
        "RecipientTasks.GetMailbox",
        false,
        [
            MAILBOX,
            ANR,
            DOMAIN_CONTROLLER_PARAMETER,
            FILTER,
            UNIT,
            DETAILS,
            RESULT_SIZE,
            SORT_BY,
            parameter("Archive", Kind::Switch),
            parameter("Arbitration", Kind::Switch),
            parameter("InactiveMailboxOnly", Kind::Switch),
            parameter("SoftDeletedMailbox", Kind::Switch),
            parameter("ReadFromDomainController", Kind::Switch),
            parameter("Credential", Kind::Credential),
        ],
        get_mailbox
    ),
    cmdlet!(
        "Set-Mailbox",
        "RecipientTasks.SetMailbox",
        true,
        [
            REQUIRED_MAILBOX,
            DOMAIN_CONTROLLER_PARAMETER,
            parameter("DisplayName", Kind::Text),
            parameter("CustomAttribute1", Kind::Text),
            parameter("CustomAttribute2", Kind::Text),
            parameter("Office", Kind::Text),
            parameter("ForwardingSmtpAddress", Kind::Text),
            parameter("ProhibitSendQuota", Kind::Text),
            parameter("RetentionComment", Kind::Text),
            parameter("EmailAddresses", Kind::Texts),
            parameter("Password", Kind::Secure),
            parameter("HiddenFromAddressListsEnabled", Kind::Bool),
            parameter("LitigationHoldEnabled", Kind::Bool),
            parameter("AuditEnabled", Kind::Bool),
            parameter("DeliverToMailboxAndForward", Kind::Bool),
            parameter("Force", Kind::Switch),
        ],
        set_mailbox
    ),
    cmdlet!(
        "New-Mailbox",
        "RecipientTasks.NewMailbox",
        true,
        [
            parameter("Name", Kind::Text).at(0).required(),
            parameter("Password", Kind::Secure).required(),
            parameter("Alias", Kind::Text),
            parameter("DisplayName", Kind::Text),
            parameter("MicrosoftOnlineServicesID", Kind::Text).or(&["UserPrincipalName"]),
            parameter("FirstName", Kind::Text),
            parameter("LastName", Kind::Text),
            parameter("ResetPasswordOnNextLogon", Kind::Bool),
            UNIT,
        ],
        new_mailbox
    ),
    cmdlet!(
        "Remove-Mailbox",
        "RecipientTasks.RemoveMailbox",
        true,
        [REQUIRED_MAILBOX, DOMAIN_CONTROLLER_PARAMETER, parameter("PermanentlyDelete", Kind::Switch), parameter("Force", Kind::Switch),],
        remove_mailbox
    ),
    cmdlet!(
        "Get-MailboxStatistics",
        "MapiTasks.GetMailboxStatistics",
        false,
        [REQUIRED_MAILBOX, DOMAIN_CONTROLLER_PARAMETER, parameter("Archive", Kind::Switch), parameter("IncludeMoveHistory", Kind::Switch),],
        get_mailbox_statistics
    ),
    cmdlet!(
        "Get-MailboxPermission",
        "RecipientTasks.GetMailboxPermission",
        false,
        [REQUIRED_MAILBOX, DOMAIN_CONTROLLER_PARAMETER, RESULT_SIZE, parameter("User", Kind::Text), parameter("Owner", Kind::Switch),],
        get_mailbox_permission
    ),
    cmdlet!(
        "Add-MailboxPermission",
        "RecipientTasks.AddMailboxPermission",
        true,
        [
            REQUIRED_MAILBOX.from(Piped::Name),
            parameter("User", Kind::Text).required(),
            parameter("AccessRights", Kind::Texts).required(),
            parameter("InheritanceType", Kind::Text),
            parameter("AutoMapping", Kind::Bool),
        ],
        add_mailbox_permission
    ),
    cmdlet!(
        "Remove-MailboxPermission",
        "RecipientTasks.RemoveMailboxPermission",
        true,
        [
            REQUIRED_MAILBOX,
            parameter("User", Kind::Text).required(),
            parameter("AccessRights", Kind::Texts),
            parameter("InheritanceType", Kind::Text),
        ],
        remove_mailbox_permission
    ),
    cmdlet!(
        "Get-User",
        "RecipientTasks.GetUser",
        false,
        [parameter("Identity", Kind::Identity("User")).at(0).from(Piped::Both), ANR, FILTER, DETAILS, RESULT_SIZE, SORT_BY,],
        get_user
    ),
    cmdlet!(
        "Get-Recipient",
        "RecipientTasks.GetRecipient",
        false,
        [
            parameter("Identity", Kind::Identity("Recipient")).at(0).from(Piped::Both),
            ANR,
            FILTER,
            DETAILS,
            RESULT_SIZE,
            SORT_BY,
            parameter("PropertySet", Kind::Text),
        ],
        get_recipient
    ),
    cmdlet!(
        "Get-CASMailbox",
        "RecipientTasks.GetCASMailbox",
        false,
        [parameter("Identity", Kind::Identity("Mailbox")).at(0).from(Piped::Both), ANR, FILTER, RESULT_SIZE, SORT_BY,],
        get_cas_mailbox
    ),
    cmdlet!(
        "Get-DistributionGroup",
        "RecipientTasks.GetDistributionGroup",
        false,
        [parameter("Identity", Kind::Identity("DistributionGroup")).at(0).from(Piped::Both), ANR, FILTER, RESULT_SIZE, SORT_BY,],
        get_distribution_group
    ),
    cmdlet!(
        "Get-DistributionGroupMember",
        "RecipientTasks.GetDistributionGroupMember",
        false,
        [parameter("Identity", Kind::Identity("DistributionGroup")).at(0).required().from(Piped::Both), RESULT_SIZE,],
        get_distribution_group_member
    ),
    cmdlet!(
        "Get-AcceptedDomain",
        "SystemConfigurationTasks.GetAcceptedDomain",
        false,
        [parameter("Identity", Kind::Identity("AcceptedDomain")).at(0).from(Piped::Both), RESULT_SIZE,],
        get_accepted_domain
    ),
    cmdlet!("Get-OrganizationConfig", "SystemConfigurationTasks.GetOrganizationConfig", false, [], get_organization_config),
];

/// What Get-Mailbox gives when nobody says how many.
const DEFAULT_SIZE: usize = 1000;
/// The warning where there is more than the usual number.
pub const MORE_BY_DEFAULT: &str = "By default, only the first 1000 items are returned. Use the ResultSize parameter to specify the number of items returned. To return all items, specify \"-ResultSize Unlimited\". Be aware that, depending on the actual number of items, returning all items can take a long time and consume a large amount of memory. Also, we don't recommend storing the results in a variable. Instead, pipe the results to another task or script to perform batch changes.";
/// The warning where there is more than was asked for.
pub const MORE: &str =
    "There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter.";

fn not_found(context: &Context<'_>, identity: &str) -> super::super::records::Failure {
    let message = format!("The operation couldn't be performed because object '{identity}' couldn't be found on '{DOMAIN_CONTROLLER}'.");
    context.exchange_error("ManagementObjectNotFoundException", message)
}

/// The mailbox that -Identity names; where there is none the error is written.
fn named(context: &mut Context<'_>, bound: &Bound) -> Result<Option<Person>, Halt> {
    let identity = bound.text("Identity").unwrap_or_default();
    match context.organization().find(&identity) {
        Some(person) => Ok(Some(person)),
        None => {
            let failure = not_found(context, &identity);
            context.error(failure).map(|()| None)
        }
    }
}

/// A filter of comparisons joined by -and: property, operator, value.
fn read_filter(text: &str) -> Option<Vec<(String, String, String)>> {
    let lower = text.to_ascii_lowercase();
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(at) = lower[from..].find(" -and ") {
        parts.push(&text[from..from + at]);
        from += at + 6;
    }
    parts.push(&text[from..]);
    let comparison = |part: &str| {
        let part = part.trim().trim_start_matches(['(', '{', ' ']).trim_end_matches([')', '}', ' ']);
        let (property, rest) = part.split_once(char::is_whitespace)?;
        let (operator, value) = rest.trim_start().split_once(char::is_whitespace)?;
        let operator = operator.to_ascii_lowercase();
        let value = value.trim().trim_matches(['\'', '"']).trim_start_matches('$').to_owned();
        matches!(operator.as_str(), "-eq" | "-ne" | "-like" | "-notlike").then(|| (property.to_owned(), operator, value))
    };
    parts.into_iter().map(comparison).collect()
}

/// Everyone that the command's parameters select, each given to `each`, with the warning where more there are.
fn select(context: &mut Context<'_>, bound: &Bound, mut each: impl FnMut(&mut Context<'_>, &Person) -> Run) -> Run {
    if let Some(identity) = bound.text("Identity").filter(|i| !i.contains('*')) {
        return match context.organization().find(&identity) {
            Some(person) => each(context, &person),
            None => {
                let failure = not_found(context, &identity);
                context.error(failure)
            }
        };
    }
    let filter = match bound.text("Filter").map(|f| (read_filter(&f), f)) {
        None => Vec::new(),
        Some((Some(filter), _)) => filter,
        Some((None, text)) => {
            let message = format!(
                "Cannot bind parameter 'Filter' to the target. Exception setting \"Filter\": \"Invalid filter syntax. For a description of the filter parameter syntax see the command help.\r\n\"{text}\" at position 1.\""
            );
            return Err(context.exchange_error("ParsingException", message).into());
        }
    };
    let pattern = bound.text("Identity");
    let anr = bound.text("Anr").map(|a| a.to_lowercase());
    let details = bound.texts("RecipientTypeDetails");
    let limit = match bound.get("ResultSize") {
        None => DEFAULT_SIZE,
        Some(size) => size.as_i64().map_or(usize::MAX, |n| n as usize),
    };
    let (mut given, mut next) = (0, 0);
    let organization = std::sync::Arc::clone(context.organization());
    while let Some(person) = organization.next_person(&mut next) {
        let is = |pattern: &str| matches(pattern, &person.alias) || matches(pattern, &person.display_name);
        if pattern.as_deref().is_some_and(|p| !is(p))
            || !details.is_empty() && !details.iter().any(|d| d.eq_ignore_ascii_case(person.kind.details().0))
        {
            continue;
        }
        if anr.as_deref().is_some_and(|a| !person.alias.starts_with(a) && !person.display_name.to_lowercase().starts_with(a)) {
            continue;
        }
        if !filter.is_empty() {
            let item = Item::Text(organization.render(&person));
            let value = item.value();
            let holds = |(property, operator, wanted): &(String, String, String)| {
                let text = value.property(property).map(text_of).unwrap_or_default();
                let same = if operator.ends_with("like") { matches(wanted, &text) } else { wanted.eq_ignore_ascii_case(&text) };
                same != operator.starts_with("-n")
            };
            if !filter.iter().all(holds) {
                continue;
            }
        }
        if given == limit {
            return context.warning(if bound.get("ResultSize").is_none() { MORE_BY_DEFAULT } else { MORE });
        }
        given += 1;
        each(context, &person)?;
    }
    Ok(())
}

fn get_mailbox(context: &mut Context<'_>, bound: &Bound) -> Run {
    context.verbose(
        "Active Directory session settings for 'Get-Mailbox' are: View Entire Forest: 'False', Default Scope: the organization.",
    )?;
    if let Some(credential) = bound.get("Credential").and_then(|c| c.property("Password")).cloned() {
        context.unprotect(&credential)?;
    }
    select(context, bound, |context, person| {
        let text = context.organization().render(person);
        context.write_text(text)
    })
}

fn set_mailbox(context: &mut Context<'_>, bound: &Bound) -> Run {
    let Some(person) = named(context, bound)? else { return Ok(()) };
    if let Some(password) = bound.get("Password") {
        context.unprotect(password)?;
    }
    let what = format!("Setting mailbox Identity:\"{}/Users/{}\".", context.organization().domain(), person.alias);
    if !context.should_process(&what, &what, false)? {
        return Ok(());
    }
    let mut changes = Vec::new();
    for (name, value) in bound.iter() {
        if SETTABLE.contains(&name) || SETTABLE_FLAGS.contains(&name) {
            changes.push(Property::new(name, value.clone()));
        }
    }
    let addresses = match bound.get("EmailAddresses").and_then(Value::as_object).map(|o| &o.content) {
        Some(Content::Dictionary(delta)) => changed_addresses(context, &person, delta),
        _ => bound.texts("EmailAddresses"),
    };
    if !addresses.is_empty() {
        changes.push(Property::new("EmailAddresses", super::super::mailbox::addresses(&addresses)));
    }
    if changes.is_empty() {
        return context.warning(&format!(
            "The command completed successfully but no settings of '{}/Users/{}' have been modified.",
            context.organization().domain(),
            person.alias
        ));
    }
    context.organization().change(&person, changes);
    Ok(())
}

/// A mailbox's addresses after `@{Add = …; Remove = …}`.
fn changed_addresses(context: &Context<'_>, person: &Person, delta: &[(Value, Value)]) -> Vec<String> {
    let item = Item::Text(context.organization().render(person));
    let mut addresses: Vec<String> =
        item.value().property("EmailAddresses").and_then(Value::as_list).map(|l| l.iter().map(text_of).collect()).unwrap_or_default();
    for (key, values) in delta {
        let values = values.as_list().map_or_else(|| vec![text_of(values)], |l| l.iter().map(text_of).collect());
        match text_of(key).to_ascii_lowercase().as_str() {
            "add" => addresses.extend(values.into_iter().map(|v| if v.contains(':') { v } else { format!("smtp:{v}") })),
            "remove" => addresses.retain(|a| {
                let bare = a.split_once(':').map_or(a.as_str(), |p| p.1);
                !values.iter().any(|v| v.eq_ignore_ascii_case(a) || v.eq_ignore_ascii_case(bare))
            }),
            _ => {}
        }
    }
    addresses
}

fn new_mailbox(context: &mut Context<'_>, bound: &Bound) -> Run {
    let name = bound.text("Name").unwrap_or_default();
    let password = match bound.get("Password") {
        Some(password) => context.unprotect(password)?,
        None => return Ok(()),
    };
    let alias: String = bound.text("Alias").unwrap_or_else(|| name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect());
    if context.organization().find(&alias).is_some() {
        let message = format!("The name \"{name}\" is already being used. Please try another name.");
        return Err(context.exchange_error("ProxyAddressExistsException", message).into());
    }
    if password.reveal().chars().count() < 8 {
        let message = "The password provided is too short. It must be at least 8 characters long.";
        return Err(context.exchange_error("WLCDPasswordTooShortException", message).into());
    }
    let what = format!("Creating mailbox \"{name}\".");
    if !context.should_process(&what, &what, false)? {
        return Ok(());
    }
    let display_name = bound.text("DisplayName").unwrap_or(name);
    let person = context.organization().create(&alias, &display_name);
    let text = context.organization().render(&person);
    context.write_text(text)
}

fn remove_mailbox(context: &mut Context<'_>, bound: &Bound) -> Run {
    let Some(person) = named(context, bound)? else { return Ok(()) };
    let identity = format!("{}/Users/{}", context.organization().domain(), person.alias);
    let what = format!("Removing mailbox Identity:\"{identity}\".");
    let question = format!(
        "Removing mailbox \"{identity}\" will remove the Active Directory user object and mark the mailbox and the archive (if present) in the database for removal."
    );
    if context.should_process(&what, &question, !bound.is_on("Force"))? {
        context.organization().remove(&person);
    }
    Ok(())
}

fn get_mailbox_statistics(context: &mut Context<'_>, bound: &Bound) -> Run {
    let Some(person) = named(context, bound)? else { return Ok(()) };
    if person.noise.is_multiple_of(9) {
        context.warning(&format!("The user hasn't logged on to mailbox '{}/Users/{}' ('{}'), so there is no data to return. After the user logs on, this warning will no longer appear.", context.organization().domain(), person.alias, person.guid))?;
    }
    let object = objects::statistics(context.organization(), &person);
    context.write(object)
}

fn get_mailbox_permission(context: &mut Context<'_>, bound: &Bound) -> Run {
    let Some(person) = named(context, bound)? else { return Ok(()) };
    let mut all = vec![("NT AUTHORITY\\SELF".to_owned(), "FullAccess, ReadPermission".to_owned())];
    all.extend(context.organization().permissions(&person));
    let user = bound.text("User");
    for (who, rights) in all.iter().filter(|(who, _)| user.as_deref().is_none_or(|u| u.eq_ignore_ascii_case(who))) {
        let object = objects::permission(context.organization(), &person, who, rights);
        context.write(object)?;
    }
    Ok(())
}

fn add_mailbox_permission(context: &mut Context<'_>, bound: &Bound) -> Run {
    let Some(person) = named(context, bound)? else { return Ok(()) };
    let (user, rights) = (bound.text("User").unwrap_or_default(), bound.texts("AccessRights").join(", "));
    let what = format!("Adding mailbox permission for user \"{user}\" with access rights \"{rights}\" on \"{}\".", person.alias);
    if !context.should_process(&what, &what, false)? {
        return Ok(());
    }
    context.organization().grant(&person, &user, &rights);
    let object = objects::permission(context.organization(), &person, &user, &rights);
    context.write(object)
}

fn remove_mailbox_permission(context: &mut Context<'_>, bound: &Bound) -> Run {
    let Some(person) = named(context, bound)? else { return Ok(()) };
    let user = bound.text("User").unwrap_or_default();
    let what = format!("Removing mailbox permission \"{}\" for user \"{user}\".", person.alias);
    if !context.should_process(&what, &what, true)? {
        return Ok(());
    }
    if context.organization().revoke(&person, &user) {
        return Ok(());
    }
    context.warning(&format!(
        "Can't remove the access control entry on the object \"{}\" for the user account \"{user}\" because the ACE isn't present.",
        person.alias
    ))
}

fn get_user(context: &mut Context<'_>, bound: &Bound) -> Run {
    select(context, bound, |context, person| {
        let object = objects::user(context.organization(), person);
        context.write(object)
    })
}

fn get_recipient(context: &mut Context<'_>, bound: &Bound) -> Run {
    select(context, bound, |context, person| {
        let object = objects::recipient(context.organization(), person);
        context.write(object)
    })
}

fn get_cas_mailbox(context: &mut Context<'_>, bound: &Bound) -> Run {
    select(context, bound, |context, person| {
        let object = objects::cas_mailbox(context.organization(), person);
        context.write(object)
    })
}

/// The places of the groups that -Identity names.
fn groups(context: &mut Context<'_>, bound: &Bound) -> Result<Vec<usize>, Halt> {
    let Some(identity) = bound.text("Identity") else { return Ok((0..objects::GROUPS.len()).collect()) };
    let name = identity.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    let is = |group: &str| {
        matches(&name, group) || group.chars().filter(char::is_ascii_alphanumeric).collect::<String>().eq_ignore_ascii_case(&name)
    };
    let by_id = (0..objects::GROUPS.len()).find(|i| context.organization().guid(100 + *i as u64).to_string() == identity);
    let found: Vec<_> = by_id.map_or_else(|| (0..objects::GROUPS.len()).filter(|i| is(objects::GROUPS[*i])).collect(), |i| vec![i]);
    if found.is_empty() && !name.contains('*') {
        let failure = not_found(context, &identity);
        context.error(failure)?;
    }
    Ok(found)
}

fn get_distribution_group(context: &mut Context<'_>, bound: &Bound) -> Run {
    for place in groups(context, bound)? {
        let object = objects::group(context.organization(), place);
        context.write(object)?;
    }
    Ok(())
}

fn get_distribution_group_member(context: &mut Context<'_>, bound: &Bound) -> Run {
    for place in groups(context, bound)? {
        let organization = std::sync::Arc::clone(context.organization());
        let (mut next, mut given, limit) = (0, 0, bound.number("ResultSize").unwrap_or(i64::MAX));
        while let Some(person) = organization.next_person(&mut next) {
            if place > 0 && person.index % (place + 2) != 0 {
                continue;
            }
            if given == limit {
                context.warning(MORE)?;
                break;
            }
            given += 1;
            context.write(objects::recipient(&organization, &person))?;
        }
    }
    Ok(())
}

fn get_accepted_domain(context: &mut Context<'_>, bound: &Bound) -> Run {
    let (domain, tenant) = (context.organization().domain().to_owned(), context.organization().tenant());
    let wanted = bound.text("Identity");
    let mut found = false;
    for (name, default) in [(&domain, true), (&tenant, false)] {
        if wanted.as_deref().is_none_or(|w| matches(w, name)) {
            found = true;
            let object = objects::accepted_domain(context.organization(), name, default);
            context.write(object)?;
        }
    }
    match wanted {
        Some(identity) if !found && !identity.contains('*') => {
            let failure = not_found(context, &identity);
            context.error(failure)
        }
        _ => Ok(()),
    }
}

fn get_organization_config(context: &mut Context<'_>, _: &Bound) -> Run {
    let object: Value = objects::configuration(context.organization());
    context.write(object)
}
