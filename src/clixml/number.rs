//! The text forms of numbers, dates and durations: which are right, and how .NET writes floating point.

/// `xs:dateTime` as .NET's round-trip form has it.
pub(super) fn is_date_time(text: &str) -> bool {
    let b = text.as_bytes();
    let number = |from: usize, len: usize| -> Option<u32> {
        let digits = text.get(from..from + len)?;
        digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let fixed = || {
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|&(at, c)| b.get(at) != Some(&c)) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        (year > 0 && (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60).then_some(())
    };
    if fixed().is_none() {
        return false;
    }
    let mut rest = &b[19..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|c| c.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        rest = &fraction[digits..];
    }
    match rest {
        b"" | b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            [h1, h2, m1, m2].iter().all(|c| c.is_ascii_digit()) && (*h1, *h2) <= (b'1', b'4') && *m1 < b'6'
        }
        _ => false,
    }
}

/// `xs:duration`.
pub(super) fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let Some(text) = text.strip_prefix('P') else { return false };
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let has_date = !date.is_empty();
    parts(date, "YMD", false) && time.map_or(has_date, |t| !t.is_empty() && parts(t, "HMS", true))
}

fn parts(mut text: &str, units: &str, fraction: bool) -> bool {
    for unit in units.chars() {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut rest = &text[digits..];
        if fraction
            && unit == 'S'
            && let Some(after) = rest.strip_prefix('.')
        {
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == after.len() {
                return false;
            }
        }
        // As many digits as the largest TimeSpan needs in any unit.
        if let (Some(rest), 1..=12) = (rest.strip_prefix(unit), digits) {
            text = rest;
        }
    }
    text.is_empty()
}

/// System.Decimal: no exponent, 96 bits before the point.
pub(super) fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|c| c.is_ascii_digit());
    let significant = whole.trim_start_matches('0');
    all_digits
        && whole.len() + fraction.len() > 0
        && text.len() <= 64
        && significant.len() <= 29
        && (significant.is_empty() || significant.parse::<u128>().is_ok_and(|n| n < 1 << 96))
}

/// System.Version: two to four numbers.
pub(super) fn is_version(text: &str) -> bool {
    let ok = |part: &str| part.bytes().all(|c| c.is_ascii_digit()) && part.parse::<i32>().is_ok();
    text.len() <= 64 && (2..=4).contains(&text.split('.').count()) && text.split('.').all(ok)
}

/// System.Management.Automation.SemanticVersion: numbers, then labels.
pub(super) fn is_semantic_version(text: &str) -> bool {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let ok = |part: &str| part.bytes().all(|c| c.is_ascii_digit()) && part.parse::<i32>().is_ok();
    (1..=3).contains(&numbers.split('.').count())
        && numbers.split('.').all(ok)
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'+'))
}

/// A floating-point number as XmlConvert reads it: no `Infinity`, no hexadecimal.
pub(super) fn parse_float<T: std::str::FromStr + From<f32>>(text: &str) -> Option<T> {
    match text {
        "INF" => Some(f32::INFINITY.into()),
        "-INF" => Some(f32::NEG_INFINITY.into()),
        "NaN" => Some(f32::NAN.into()),
        _ if text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E')) => text.parse().ok(),
        _ => None,
    }
}

/// `R` of .NET: the fewest digits that read back the same, with an exponent from 1E+17.
pub(super) fn format_f64(n: f64) -> String {
    format_float(n, &format!("{n:e}"), 17)
}

/// `R` of .NET: the fewest digits that read back the same, with an exponent from 1E+09.
pub(super) fn format_f32(n: f32) -> String {
    format_float(n.into(), &format!("{n:e}"), 9)
}

fn format_float(n: f64, scientific: &str, digits_at_most: i32) -> String {
    if n.is_nan() {
        return "NaN".into();
    }
    if n.is_infinite() {
        return if n > 0.0 { "INF".into() } else { "-INF".into() };
    }
    let (sign, unsigned) = scientific.strip_prefix('-').map_or(("", scientific), |u| ("-", u));
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if exponent >= digits_at_most || exponent < -4 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}E{direction}{:02}", exponent.abs());
    }
    let before = exponent + 1;
    if before <= 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(before.unsigned_abs() as usize));
    }
    let before = before as usize;
    match digits.split_at_checked(before) {
        Some((whole, "")) => format!("{sign}{whole}"),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{digits}{}", "0".repeat(before - digits.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_dotnet_does() {
        for (n, text) in [
            (1.5, "1.5"),
            (f64::MAX, "1.7976931348623157E+308"),
            (-0.0, "-0"),
            (0.0, "0"),
            (1e21, "1E+21"),
            (1e-7, "1E-07"),
            (1e15, "1000000000000000"),
            (1e16, "10000000000000000"),
            (1e17, "1E+17"),
            (123_456_789_012_345_680.0, "1.2345678901234568E+17"),
            (0.0001, "0.0001"),
            (0.00001, "1E-05"),
            (0.000_123, "0.000123"),
            (5e-324, "5E-324"),
            (123_456_789_012_345.6, "123456789012345.6"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (-2.25e100, "-2.25E+100"),
            (f64::INFINITY, "INF"),
            (f64::NEG_INFINITY, "-INF"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_f64(n), text);
            assert_eq!(parse_float::<f64>(text).unwrap().to_bits() << 1, n.to_bits() << 1, "{text}");
        }
        for (n, text) in [
            (0.1f32, "0.1"),
            (1e10, "1E+10"),
            (16_777_216.0, "16777216"),
            (1e8, "100000000"),
            (123_456_789.0, "123456790"),
            (1e-5, "1E-05"),
        ] {
            assert_eq!(format_f32(n), text);
            assert_eq!(parse_float::<f32>(text), Some(n));
        }
        assert!(["inf", "Infinity", "nan", "", "0x1", "1,5", "+-1", "1e"].iter().all(|t| parse_float::<f64>(t).is_none()));
    }

    #[test]
    fn dates() {
        for ok in [
            "2020-01-01T00:00:00",
            "2024-02-29T23:59:59.123Z",
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59.9999999+14:00",
            "2000-02-29T00:00:00.1-07:30",
        ] {
            assert!(is_date_time(ok), "{ok}");
        }
        for bad in [
            "",
            "2020-01-01",
            "2023-02-29T00:00:00",
            "1900-02-29T00:00:00",
            "2020-13-01T00:00:00",
            "2020-01-01T24:00:00",
            "2020-01-01T00:00:60",
            "2020-01-01T00:00:00.",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00+0200",
            "2020-01-01T00:00:00+19:00",
            "2020-01-01T00:00:00+02:60",
            "2020-01-01 00:00:00",
            "0000-01-01T00:00:00",
            "2020-01-01T00:00:00Zx",
            "é020-01-01T00:00:00",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for ok in ["PT0S", "P1DT2H3M4.005S", "-P10675199DT2H48M5.4775808S", "PT0.0000001S", "P1Y2M", "PT5M", "P3D"] {
            assert!(is_duration(ok), "{ok}");
        }
        for bad in ["", "P", "PT", "P1DT", "1D", "PT1", "PT1.S", "PT.5S", "P1H", "PT1D", "PT1S1M", "--PT1S", "PT1234567890123S", "PT1.5M"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }

    #[test]
    fn decimals_and_versions() {
        assert!(["0", "-1.10", "79228162514264337593543950335", "000.5", ".5", "5."].iter().all(|t| is_decimal(t)));
        assert!(["", ".", "-", "1e5", "79228162514264337593543950336", "1.2.3", "0x1", "1 "].iter().all(|t| !is_decimal(t)));
        assert!(["1.2", "1.2.3.4", "0.0.0"].iter().all(|t| is_version(t)));
        assert!(["1", "", "1.2.3.4.5", "1.", "1.-2", "1.99999999999", "+1.2"].iter().all(|t| !is_version(t)));
        assert!(["7", "7.4", "7.4.0-rc.1+build.5"].iter().all(|t| is_semantic_version(t)));
        assert!(["", "7.4.0.1", "a", "7.4 ", "7.4.0-é"].iter().all(|t| !is_semantic_version(t)));
    }
}
