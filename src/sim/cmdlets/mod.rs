//! The cmdlets that a session shows: Exchange's, PowerShell's own few, and `Test-*` for trying what Exchange seldom does.

mod core;
mod exchange;
mod objects;
mod trial;

use super::runspace::CmdletInfo;
pub use exchange::{MORE, MORE_BY_DEFAULT};

/// What the restricted runspace knows under a second name.
const ALIASES: &[(&str, &str)] = &[("select", "Select-Object"), ("measure", "Measure-Object"), ("gcm", "Get-Command")];

/// Every cmdlet there is.
pub fn all() -> impl Iterator<Item = &'static CmdletInfo> {
    core::CMDLETS.iter().chain(exchange::CMDLETS).chain(trial::CMDLETS)
}

/// Whether it is more than PowerShell's own.
pub fn is_exchange(info: &CmdletInfo) -> bool {
    !core::CMDLETS.iter().any(|c| c.name == info.name)
}

/// The cmdlet of this name or alias.
pub fn find(name: &str) -> Option<&'static CmdletInfo> {
    let name = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map_or(name, |(_, n)| n);
    let name = name.rsplit('\\').next().unwrap_or(name);
    all().find(|c| c.name.eq_ignore_ascii_case(name))
}

/// Whether a name matches a pattern with `*` and `?`, case ignored.
pub fn matches(pattern: &str, name: &str) -> bool {
    let lower = |s: &str| s.to_lowercase().chars().collect::<Vec<_>>();
    let (pattern, name) = (lower(pattern), lower(name));
    // The last star is where a mismatch goes back to, so the time is at most the product of the lengths.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_powershells() {
        for (pattern, name, expected) in [
            ("Get-*", "get-mailbox", true),
            ("*box", "Get-Mailbox", true),
            ("g?t*x", "Get-Mailbox", true),
            ("Get-", "Get-Mailbox", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn names_are_unique_and_found_in_any_case() {
        let names: std::collections::HashSet<_> = all().map(|c| c.name.to_lowercase()).collect();
        assert_eq!(names.len(), all().count());
        assert_eq!(find("GET-mailbox").map(|c| c.name), Some("Get-Mailbox"));
        assert_eq!(find("select").map(|c| c.name), Some("Select-Object"));
        assert!(find("Where-Object").is_none());
    }
}
