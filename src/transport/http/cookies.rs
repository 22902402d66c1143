//! The cookies of one session: what keeps its requests on one back end (RFC 6265, with one deviation).

use std::time::{Duration, SystemTime};
use url::Url;

const MAX_COOKIES: usize = 64;
const MAX_COOKIE: usize = 8192;

/// Cookies belong to the host that set them; Domain is passed over, since affinity is a matter of one host and a wider
/// cookie would follow a redirect. The path's case counts for nothing: Exchange sets `/PowerShell-LiveID` for
/// `/powershell-liveid`.
#[derive(Default)]
pub(super) struct Jar(Vec<Cookie>);

struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
    secure: bool,
    expires: Option<SystemTime>,
}

impl Jar {
    /// Takes one Set-Cookie in. A cookie that is already over deletes the one it names.
    pub(super) fn store(&mut self, url: &Url, set_cookie: &[u8], now: SystemTime) {
        let (Some(host), Ok(text)) = (url.host_str(), std::str::from_utf8(set_cookie)) else { return };
        // Control characters would split the header that the cookie is sent back in.
        if text.len() > MAX_COOKIE || text.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return;
        }
        let mut parts = text.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return;
        }
        let (mut path, mut secure, mut expires, mut max_age) = (default_path(url), false, None, None);
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => path = value.to_ascii_lowercase(),
                "secure" => secure = true,
                "expires" => expires = parse_date(value),
                "max-age" => max_age = value.parse::<i64>().ok(),
                _ => {}
            }
        }
        if let Some(seconds) = max_age {
            expires = match u64::try_from(seconds) {
                Ok(seconds) => now.checked_add(Duration::from_secs(seconds)),
                Err(_) => Some(SystemTime::UNIX_EPOCH),
            };
        }
        self.0.retain(|c| !(c.host == host && c.path == path && c.name == name) && c.expires.is_none_or(|at| at > now));
        if expires.is_some_and(|at| at <= now) {
            return;
        }
        if self.0.len() == MAX_COOKIES {
            self.0.remove(0);
        }
        self.0.push(Cookie { host: host.to_owned(), path, name: name.to_owned(), value: value.to_owned(), secure, expires });
    }

    /// The Cookie header for a request, or None. Longer paths come first.
    pub(super) fn header(&self, url: &Url, now: SystemTime) -> Option<String> {
        let host = url.host_str()?;
        let path = url.path().to_ascii_lowercase();
        let mut chosen: Vec<&Cookie> = self
            .0
            .iter()
            .filter(|c| c.host == host && (!c.secure || url.scheme() == "https"))
            .filter(|c| c.expires.is_none_or(|at| at > now) && path_matches(&path, &c.path))
            .collect();
        chosen.sort_by_key(|c| std::cmp::Reverse(c.path.len()));
        let pairs: Vec<String> = chosen.iter().map(|c| format!("{}={}", c.name, c.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// RFC 6265, 5.1.4; both sides are in lower case.
fn path_matches(request: &str, cookie: &str) -> bool {
    request.strip_prefix(cookie).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie.ends_with('/'))
}

fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some(("", _)) | None => "/".to_owned(),
        Some((directory, _)) => directory.to_ascii_lowercase(),
    }
}

/// A date of HTTP or of a cookie, in any of the forms that RFC 6265, 5.1.1 accepts.
pub(super) fn parse_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':')).filter(|t| !t.is_empty()) {
        if time.is_none() && token.contains(':') {
            let mut fields = token.split(':').map(|f| f.parse::<u64>().ok());
            let (h, m, s) = (fields.next()??, fields.next()??, fields.next()??);
            if h > 23 || m > 59 || s > 60 {
                return None;
            }
            time = Some(h * 3600 + m * 60 + s);
        } else if let Some(number) = token.parse::<i64>().ok().filter(|_| token.len() <= 4) {
            match (day, year) {
                (None, _) if token.len() <= 2 => day = Some(number),
                (_, None) => year = Some(number),
                _ => {}
            }
        } else if let (None, Some(start)) = (month, token.get(..3)) {
            month = MONTHS.iter().position(|m| start.eq_ignore_ascii_case(m));
        }
    }
    let year = match year? {
        y @ 0..=69 => y + 2000,
        y @ 70..=99 => y + 1900,
        y @ 1601.. => y,
        _ => return None,
    };
    let (month, day) = (month? as i64, day.filter(|d| (1..=31).contains(d))?);
    // Days since 1970-03-01 of a calendar that begins in March, so that leap days come last.
    let (y, m) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 1 - 719_468;
    let since = days * 86_400 + i64::try_from(time?).ok()?;
    let epoch = SystemTime::UNIX_EPOCH;
    let span = Duration::from_secs(since.unsigned_abs());
    if since < 0 { epoch.checked_sub(span) } else { epoch.checked_add(span) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn jar(url: &str, set: &[&str]) -> Jar {
        let mut jar = Jar::default();
        for cookie in set {
            jar.store(&Url::parse(url).unwrap(), cookie.as_bytes(), at(NOW));
        }
        jar
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn sent(jar: &Jar, url: &str) -> Option<String> {
        jar.header(&Url::parse(url).unwrap(), at(NOW))
    }

    #[test]
    fn the_case_of_the_path_counts_for_nothing() {
        let jar = jar(
            "https://a.example/powershell-liveid?x",
            &["MS-WSMAN=u=1==; expires=Fri, 01-Jan-2100 00:00:00 GMT; path=/PowerShell-LiveID; secure; HttpOnly"],
        );
        assert_eq!(sent(&jar, "https://a.example/POWERSHELL-liveid/?y").as_deref(), Some("MS-WSMAN=u=1=="));
        assert_eq!(sent(&jar, "https://a.example/powershell-liveid-not"), None);
        assert_eq!(sent(&jar, "https://b.example/powershell-liveid"), None);
        assert_eq!(sent(&jar, "http://a.example/powershell-liveid"), None);
    }

    #[test]
    fn an_empty_cookie_with_an_old_date_deletes() {
        let deleted = "MS-WSMAN=; expires=Tue, 26-Apr-1988 10:20:30 GMT; path=/powershell-LIVEID; secure";
        let jar = jar("https://a/powershell-liveid", &["MS-WSMAN=1; path=/PowerShell-LiveID; secure", deleted]);
        assert_eq!(sent(&jar, "https://a/powershell-liveid"), None);
        assert!(jar.0.is_empty());
    }

    #[test]
    fn max_age_goes_before_expires_and_cookies_end() {
        let jar = jar(
            "http://a/",
            &["a=1; Max-Age=10; Expires=Tue, 26-Apr-1988 10:20:30 GMT", "b=2; Max-Age=-1", "c=3; max-age=99999999999999999"],
        );
        let url = Url::parse("http://a/").unwrap();
        assert_eq!(jar.header(&url, at(NOW + 9)).as_deref(), Some("a=1; c=3"));
        assert_eq!(jar.header(&url, at(NOW + 10)).as_deref(), Some("c=3"));
    }

    #[test]
    fn the_default_path_is_the_directory_and_longer_paths_come_first() {
        let jar = jar("https://a/one/two", &["root=1; Path=/", "here=2", "no=3; path=/three"]);
        assert_eq!(sent(&jar, "https://a/one/x").as_deref(), Some("here=2; root=1"));
        assert_eq!(sent(&jar, "https://a/onex").as_deref(), Some("root=1"));
    }

    #[test]
    fn a_flood_is_bounded_and_nonsense_is_passed_over() {
        let mut jar = jar("https://a/", &["", "x", "=y", "a=b\r\nInjected: 1", "é=1; Path", "ok=1;;;=;"]);
        assert_eq!(sent(&jar, "https://a/").as_deref(), Some("é=1; ok=1"));
        for n in 0..1000 {
            jar.store(&Url::parse("https://a/").unwrap(), format!("c{n}=1").as_bytes(), at(NOW));
        }
        jar.store(&Url::parse("https://a/").unwrap(), format!("long={}", "x".repeat(MAX_COOKIE)).as_bytes(), at(NOW));
        assert_eq!(jar.0.len(), MAX_COOKIES);
    }

    #[test]
    fn dates_are_read_in_every_form() {
        let expected = Some(at(784_111_777));
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06-Nov-1994 08:49:37 GMT"]
        {
            assert_eq!(parse_date(text), expected, "{text}");
        }
        assert_eq!(parse_date("Thu, 29 Feb 2024 23:59:59 GMT"), Some(at(1_709_251_199)));
        for text in ["", "Sun", "06 Nov 1994", "06 Nov 1994 25:00:00", "32 Nov 1994 01:00:00", "06 Nov 1200 01:00:00", "1:2", "€€ 1:1:1"]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
