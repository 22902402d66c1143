//! Made-up organizations of any size. Everything about a mailbox follows from the organization's domain and the mailbox's
//! number, so that nothing is kept in memory but what cmdlets changed.

use super::mailbox::{self, Kind, Template};
use crate::clixml::{self, Property, Value};
use std::collections::{HashMap, HashSet};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use uuid::Uuid;

/// One customer's organization.
#[derive(Debug)]
pub struct Organization {
    domain: String,
    size: usize,
    seed: u64,
    templates: OnceLock<[Template; 3]>,
    overlay: RwLock<Overlay>,
}

/// What cmdlets changed since the organization was made.
#[derive(Debug, Default)]
struct Overlay {
    created: Vec<(String, String)>,
    changed: HashMap<usize, Vec<Property>>,
    removed: HashSet<usize>,
    permissions: HashMap<usize, Vec<(String, String)>>,
}

/// What is needed of one mailbox before it is rendered.
#[derive(Debug, Clone)]
pub struct Person {
    /// From 0; new mailboxes come after the made-up ones.
    pub index: usize,
    /// Unique in the organization.
    pub alias: String,
    /// For people, of any script.
    pub display_name: String,
    /// The object's id, out of which the number can be told.
    pub guid: Uuid,
    /// What it is.
    pub kind: Kind,
    /// Noise for sizes and dates.
    pub noise: u64,
}

const FIRST: [(&str, &str); 24] = [
    ("adele", "Adele"),
    ("soren", "Søren"),
    ("jose", "José"),
    ("misaki", "美咲"),
    ("vladimir", "Владимир"),
    ("zoe", "Zoë"),
    ("alex", "Alex"),
    ("diego", "Diego"),
    ("isaiah", "Isaiah"),
    ("joni", "Joni"),
    ("lynne", "Lynne"),
    ("megan", "Megan"),
    ("nestor", "Nestor"),
    ("patti", "Patti"),
    ("pradeep", "Pradeep"),
    ("francoise", "Françoise"),
    ("grady", "Grady"),
    ("henrietta", "Henrietta"),
    ("lidia", "Lidia"),
    ("miriam", "Miriam"),
    ("noam", "נועם"),
    ("layla", "ليلى"),
    ("bjork", "Björk"),
    ("emily", "Emily"),
];
const LAST: [(&str, &str); 21] = [
    ("vance", "Vance"),
    ("wilber", "Wilber"),
    ("obrien", "O'Brien"),
    ("langer", "Langer"),
    ("sherman", "Sherman"),
    ("yoshino", "𠮷野"),
    ("bowen", "Bowen"),
    ("wilke", "Wilke"),
    ("fernandez", "Fernández"),
    ("gupta", "Gupta"),
    ("mueller", "Müller"),
    ("ivanov", "Иванов"),
    ("smith", "Smith & Sons"),
    ("graham", "Graham"),
    ("johnson", "Johnson <ext>"),
    ("holm", "Hølm"),
    ("cohen", "Cohen"),
    ("archie", "Archie _x0041_ \"Ace\""),
    ("dupont", "Dupont"),
    ("rocket", "Rocket 🚀"),
    ("tanaka", "田中"),
];

impl Organization {
    /// An organization of this domain with so many mailboxes.
    pub fn new(domain: &str, size: usize) -> Self {
        let domain = domain.to_ascii_lowercase();
        let seed = domain.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Self { domain, size, seed, templates: OnceLock::new(), overlay: RwLock::default() }
    }

    /// The domain, in lower case.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The tenant's name, e.g. `fabrikam.onmicrosoft.com`.
    pub fn tenant(&self) -> String {
        format!("{}.onmicrosoft.com", self.domain.split('.').next().unwrap_or_default())
    }

    /// An id that belongs to the organization, a different one for each `what`.
    pub fn guid(&self, what: u64) -> Uuid {
        Uuid::from_u64_pair(mix(self.seed ^ what), mix(self.seed.rotate_left(17) ^ what))
    }

    /// The first mailbox from `next` on; `next` goes behind it.
    pub fn next_person(&self, next: &mut usize) -> Option<Person> {
        let end = self.size + self.read().created.len();
        let found = (*next..end).find_map(|i| self.person(i));
        *next = found.as_ref().map_or(end, |p| p.index + 1);
        found
    }

    /// The mailbox of this number, unless it was removed.
    pub fn person(&self, index: usize) -> Option<Person> {
        let overlay = self.read();
        if overlay.removed.contains(&index) {
            return None;
        }
        let noise = mix(self.seed ^ index as u64);
        let (alias, display_name) = if index < self.size {
            let (first, last) = (FIRST[noise as usize % FIRST.len()], LAST[(noise >> 16) as usize % LAST.len()]);
            let (alias, display) = (format!("{}.{}{index}", first.0, last.0), format!("{} {}", first.1, last.1));
            (alias, display)
        } else {
            overlay.created.get(index - self.size)?.clone()
        };
        let guid = Uuid::from_u64_pair(mix(noise), mix(noise ^ 1) & !0xffff_ffff | (index as u64 ^ self.seed & 0xffff_ffff) & 0xffff_ffff);
        Some(Person { index, alias, display_name, guid, kind: Kind::of(index, self.size), noise })
    }

    /// Whom this identity names: alias, address, id, distinguished name, path, or display name.
    pub fn find(&self, identity: &str) -> Option<Person> {
        let wanted = identity.trim();
        if let Ok(guid) = Uuid::parse_str(wanted) {
            let index = (guid.as_u64_pair().1 ^ self.seed) & 0xffff_ffff;
            return self.person(index as usize).filter(|p| p.guid == guid);
        }
        let name = match wanted.rsplit_once('@') {
            Some((local, domain)) if domain.eq_ignore_ascii_case(&self.domain) || domain.eq_ignore_ascii_case(&self.tenant()) => local,
            Some(_) => return None,
            None => wanted,
        };
        let name = name.strip_prefix("CN=").map_or(name, |n| n.split(',').next().unwrap_or(n));
        let name = name.rsplit('/').next().unwrap_or(name);
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let by_number = name[name.len() - digits..].parse().ok().and_then(|i| self.person(i));
        if let Some(person) = by_number.filter(|p| p.alias.eq_ignore_ascii_case(name)) {
            return Some(person);
        }
        let created = self.size..self.size + self.read().created.len();
        let mut created = created.filter_map(|i| self.person(i));
        let found = created.find(|p| p.alias.eq_ignore_ascii_case(name) || p.display_name.eq_ignore_ascii_case(name));
        // Names are not unique in a large organization, and looking through it is slow: only the first thousand are known by name.
        found.or_else(|| (0..self.size.min(1000)).filter_map(|i| self.person(i)).find(|p| p.display_name.eq_ignore_ascii_case(name)))
    }

    /// The mailbox as CLIXML.
    pub fn render(&self, person: &Person) -> String {
        let mut text = String::new();
        let templates = self.templates.get_or_init(|| Kind::ALL.map(|k| Template::new(&mailbox::template(self, k))));
        templates[person.kind as usize].render(&mailbox::slots(self, person), &mut text);
        let overlay = self.read();
        match overlay.changed.get(&person.index) {
            Some(changes) => match clixml::read(text.as_bytes()) {
                Ok(value) => clixml::write(&replaced(value, changes)),
                Err(_) => text,
            },
            None => text,
        }
    }

    /// Sets properties of a mailbox.
    pub fn change(&self, person: &Person, changes: Vec<Property>) {
        let mut overlay = self.write();
        let known = overlay.changed.entry(person.index).or_default();
        for change in changes {
            known.retain(|p| p.name != change.name);
            known.push(change);
        }
    }

    /// Adds a mailbox.
    pub fn create(&self, alias: &str, display_name: &str) -> Person {
        let index = {
            let mut overlay = self.write();
            overlay.created.push((alias.to_owned(), display_name.to_owned()));
            self.size + overlay.created.len() - 1
        };
        let fallback = || unreachable!("a mailbox just created is there");
        self.person(index).unwrap_or_else(fallback)
    }

    /// Removes a mailbox.
    pub fn remove(&self, person: &Person) {
        self.write().removed.insert(person.index);
    }

    /// Grants a user a right on a mailbox.
    pub fn grant(&self, person: &Person, user: &str, rights: &str) {
        self.write().permissions.entry(person.index).or_default().push((user.to_owned(), rights.to_owned()));
    }

    /// Takes a user's rights on a mailbox away; false where there are none.
    pub fn revoke(&self, person: &Person, user: &str) -> bool {
        let mut overlay = self.write();
        let Some(known) = overlay.permissions.get_mut(&person.index) else { return false };
        let before = known.len();
        known.retain(|(u, _)| !u.eq_ignore_ascii_case(user));
        known.len() < before
    }

    /// Who has rights on a mailbox besides its owner.
    pub fn permissions(&self, person: &Person) -> Vec<(String, String)> {
        self.read().permissions.get(&person.index).cloned().unwrap_or_default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Overlay> {
        self.overlay.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Overlay> {
        self.overlay.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn replaced(value: Value, changes: &[Property]) -> Value {
    let Value::Object(object) = value else { return value };
    let mut object = (*object).clone();
    for property in object.adapted.iter_mut().flatten() {
        if let Some(change) = changes.iter().find(|c| c.name == property.name) {
            property.value = change.value.clone();
        }
    }
    Value::from(object)
}

/// Scatters a number (splitmix64).
pub fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(organization: &Organization) -> impl Iterator<Item = Person> {
        let mut next = 0;
        std::iter::from_fn(|| organization.next_person(&mut next)).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn a_mailbox_is_found_by_everything_that_names_it() {
        let organization = Organization::new("Fabrikam.com", 2000);
        for person in people(&organization).step_by(379) {
            let dn = format!("CN={},OU=fabrikam.onmicrosoft.com,DC=EURPRD01", person.alias);
            let address = format!("{}@fabrikam.com", person.alias.to_uppercase());
            for identity in [&person.alias, &address, &person.guid.to_string(), &dn, &format!("fabrikam.com/Users/{}", person.alias)] {
                assert_eq!(organization.find(identity).map(|p| p.index), Some(person.index), "{identity}");
            }
        }
        assert!(organization.find("nobody@fabrikam.com").is_none());
        assert!(organization.find("adele.vance0@contoso.com").is_none());
    }

    #[test]
    fn two_organizations_of_one_name_are_equal_and_of_two_are_not() {
        let aliases = |d: &str| people(&Organization::new(d, 50)).map(|p| p.alias).collect::<Vec<_>>();
        assert_eq!(aliases("contoso.com"), aliases("contoso.com"));
        assert_ne!(aliases("contoso.com"), aliases("fabrikam.com"));
    }

    #[test]
    fn what_is_created_and_removed_shows() {
        let organization = Organization::new("contoso.com", 3);
        let new = organization.create("newone", "New One");
        assert_eq!(people(&organization).count(), 4);
        assert_eq!(organization.find("New One").map(|p| p.guid), Some(new.guid));
        organization.remove(&new);
        assert!(organization.find("newone").is_none());
        assert_eq!(people(&organization).count(), 3);
    }
}
