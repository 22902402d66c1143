//! Whether a session is where it was meant to be: the organization that the server itself names, against the one asked for.

use super::{Command, Core, RecordKind, Session};
use crate::clixml::{self, Value};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::transport::{Channel, Passage, Taken};
use std::sync::Arc;
use url::Host;

/// Names and domains kept of one answer; the largest organizations have a few thousand domains.
const MOST_NAMES: usize = 10_000;

const CONTEXT: &str = "verify organization";

/// What of Get-OrganizationConfig names the organization. Not DisplayName, which its administrators make up.
const OF_CONFIG: &[&str] = &["Name", "Identity", "Guid", "ExchangeObjectId", "ExternalDirectoryOrganizationId"];

/// The organization that the server says it serves.
#[derive(Debug, Default)]
pub(super) struct Reported {
    name: Option<String>,
    names: Vec<String>,
}

impl Core {
    /// Asks the server which organization this session is on: by Get-OrganizationConfig, and where that does not name
    /// what was asked for, by its accepted domains. A server on which the account may run neither tells nothing.
    pub(super) async fn reported(&self) -> Result<Reported> {
        let mut reported = Reported::default();
        for config in self.outputs("Get-OrganizationConfig").await? {
            reported.names.extend(OF_CONFIG.iter().filter_map(|p| text(config.property(p)?)));
            reported.name = reported.name.or_else(|| text(config.property("Name")?));
        }
        if self.organization.as_deref().is_none_or(|asked| !reported.is(asked)) {
            for domain in self.outputs("Get-AcceptedDomain").await? {
                let Some(name) = domain.property("DomainName").and_then(text) else { continue };
                if reported.name.is_none() && domain.property("Default").and_then(Value::as_bool) == Some(true) {
                    reported.name = Some(name.clone());
                }
                reported.names.push(name);
            }
        }
        Ok(reported)
    }

    /// The verified organization's own name; an error where it is not the one asked for.
    pub(super) async fn verify(&self) -> Result<String> {
        let reported = self.reported().await?;
        reported.verified(self.organization.as_deref().unwrap_or_default(), self.road.host())
    }

    /// The server did not answer the question in time.
    pub(super) fn no_word(&self) -> Error {
        let limit = self.options.open_timeout.as_millis();
        Error::new(ErrorKind::Timeout, CONTEXT, format!("the server did not tell its organization within {limit} ms"))
            .with_fact(fact::HOST, self.road.host())
            .with_fact(fact::REMEDY, "Try again, or allow more time to open the session.")
    }

    /// What a command without arguments gives. Nothing where the server does not know it, as where no role has it.
    async fn outputs(&self, name: &str) -> Result<Vec<Value>> {
        let mut command = Command::new();
        command.add(name)?;
        let (channel, intake) = Channel::new(false, Arc::clone(&self.turns));
        let reading = async {
            let mut values = Vec::new();
            loop {
                match channel.take().await {
                    Taken::Batch(batch) => {
                        for record in batch.iter().filter(|r| r.kind == RecordKind::Output) {
                            if values.len() < MOST_NAMES {
                                values.push(clixml::read(record.clixml())?);
                            }
                        }
                    }
                    Taken::Failed(error) if error.kind() == ErrorKind::CommandFailed => {}
                    Taken::Failed(error) => return Err(error),
                    Taken::End => return Ok(values),
                }
            }
        };
        let running = self.road.invoke(command.work()?, &channel, intake);
        // A reader that gives up must not leave the command waiting for it.
        let reading = async {
            let read = reading.await;
            channel.abandon();
            read
        };
        tokio::join!(running, reading).1
    }
}

impl Reported {
    /// Whether `asked`, a domain, name or id, is this organization's.
    fn is(&self, asked: &str) -> bool {
        let asked = normal(asked);
        self.names.iter().any(|name| {
            let name = normal(name);
            // An accepted domain may stand for all below it.
            name == asked || name.strip_prefix("*.").is_some_and(|d| asked == d || asked.strip_suffix(d).is_some_and(|a| a.ends_with('.')))
        })
    }

    /// What a check tells of it.
    pub(super) fn passage(&self, session: &Session) -> Result<Passage> {
        Ok(match (session.organization(), &self.name) {
            (Some(asked), _) => {
                let name = self.verified(asked, session.computer_name())?;
                Passage::Passed(format!("the server is on {name}, as asked for by {asked}"))
            }
            (None, Some(name)) => Passage::Passed(format!("the server is on {name}; none was asked for")),
            (None, None) => Passage::Skipped("none was asked for, and the server does not tell on which it is".into()),
        })
    }

    fn verified(&self, asked: &str, host: &str) -> Result<String> {
        if self.is(asked) {
            return Ok(self.name.clone().unwrap_or_else(|| asked.to_owned()));
        }
        let (detail, remedy) = match &self.name {
            Some(name) => (
                format!("{host} opened the session in the organization {name}, not in {asked}"),
                "Check the organization's name, and that the customer has granted this account delegated administration: \
                 a server that cannot go where it was sent may stay in the account's own organization.",
            ),
            None => (
                format!("{host} does not tell which organization it serves, so that it cannot be shown to be {asked}"),
                "The account needs a role with Get-OrganizationConfig or Get-AcceptedDomain for this; \
                 connect without verification where it must do without.",
            ),
        };
        Err(Error::new(ErrorKind::WrongOrganization, CONTEXT, detail)
            .with_fact(fact::NATIVE_ID, ErrorKind::WrongOrganization.error_id())
            .with_fact(fact::REMEDY, remedy)
            .with_fact(fact::HOST, host))
    }
}

/// A text, an id, or an object by its text.
fn text(value: &Value) -> Option<String> {
    let found = match value {
        Value::Guid(id) => Some(id.to_string()),
        value => match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => value.as_object().and_then(|o| o.to_string.as_ref()).map(|t| t.to_str_lossy().into_owned()),
        },
    };
    found.filter(|t| !t.is_empty())
}

/// Domains in the form in which they are compared, others in lower case.
fn normal(name: &str) -> String {
    let name = name.trim().trim_end_matches('.');
    match Host::parse(name) {
        Ok(Host::Domain(domain)) => domain,
        _ => name.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(names: &[&str]) -> Reported {
        Reported { name: names.first().map(|n| (*n).to_owned()), names: names.iter().map(|n| (*n).to_owned()).collect() }
    }

    #[test]
    fn an_organization_is_known_by_each_of_its_names_and_by_no_other() {
        let r =
            reported(&["Fabrikam.onmicrosoft.com", "fabrikam.com", "*.fabrikam.net", "müller.de", "0A1B2C3D-0000-4000-8000-000000000001"]);
        for asked in [
            "fabrikam.com",
            " FABRIKAM.com.",
            "fabrikam.onmicrosoft.com",
            "a.b.fabrikam.net",
            "fabrikam.net",
            "xn--mller-kva.de",
            "0a1b2c3d-0000-4000-8000-000000000001",
        ] {
            assert_eq!(r.verified(asked, "h").unwrap(), "Fabrikam.onmicrosoft.com", "{asked}");
        }
        for other in ["a.fabrikam.com", "abrikam.com", "evilfabrikam.net", "fabrikam", "contoso.com", ""] {
            let e = r.verified(other, "h").unwrap_err();
            assert_eq!(e.kind(), ErrorKind::WrongOrganization, "{other}");
            assert!(e.to_string().contains("Fabrikam.onmicrosoft.com"));
        }
    }

    #[test]
    fn a_server_that_tells_nothing_verifies_nothing() {
        let e = reported(&[]).verified("a.com", "h").unwrap_err();
        assert!(e.kind() == ErrorKind::WrongOrganization && e.to_string().contains("does not tell"), "{e}");
    }
}
