//! The escapes `_xHHHH_` that CLIXML lays over XML's own, for what XML cannot hold (MS-PSRP 2.2.5.3.2).

use super::Text;
use std::borrow::Cow;
use std::fmt::Write;

/// The text that was meant: escapes of four or eight hexadecimal digits resolved from left to right, two halves of a
/// surrogate pair joined. What only looks like an escape stays.
pub(super) fn decode(text: Cow<'_, str>) -> Text {
    if next_escape(&text, 0).is_none() {
        return Text::from(text.into_owned());
    }
    // UTF-8 first, since lone halves are rare; only they need the units.
    decode_utf8(&text).map_or_else(|| decode_units(&text), Text::from)
}

fn decode_utf8(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(escape) = next_escape(text, done) {
        out.push_str(&text[done..escape.start]);
        done = escape.end;
        match char::from_u32(escape.code) {
            Some(c) => out.push(c),
            None => {
                let low = escape_at(text, done)?;
                let pair = [u16::try_from(escape.code).ok()?, u16::try_from(low.code).ok()?];
                out.push(char::decode_utf16(pair).next()?.ok()?);
                done = low.end;
            }
        }
    }
    out.push_str(&text[done..]);
    Some(out)
}

fn decode_units(text: &str) -> Text {
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    while let Some(escape) = next_escape(text, done) {
        out.extend(text[done..escape.start].encode_utf16());
        done = escape.end;
        match u16::try_from(escape.code) {
            Ok(unit) => out.push(unit),
            Err(_) => out.extend(char::from_u32(escape.code).into_iter().flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec())),
        }
    }
    out.extend(text[done..].encode_utf16());
    Text::from_units(&out)
}

struct Escape {
    start: usize,
    end: usize,
    code: u32,
}

fn next_escape(text: &str, from: usize) -> Option<Escape> {
    memchr::memchr_iter(b'_', text.get(from..)?.as_bytes()).find_map(|at| escape_at(text, from + at))
}

fn escape_at(text: &str, start: usize) -> Option<Escape> {
    let rest = text.as_bytes().get(start..)?;
    if rest.first() != Some(&b'_') || !matches!(rest.get(1), Some(b'x' | b'X')) {
        return None;
    }
    let digits = rest[2..].iter().take(9).take_while(|b| b.is_ascii_hexdigit()).count();
    if !matches!(digits, 4 | 8) || rest.get(2 + digits) != Some(&b'_') {
        return None;
    }
    let code = u32::from_str_radix(text.get(start + 2..start + 2 + digits)?, 16).ok()?;
    (code <= 0x10FFFF).then_some(Escape { start, end: start + digits + 3, code })
}

/// The text with escapes for control characters, surrogate halves, and an underscore that would begin an escape: just
/// those that PowerShell escapes.
pub(super) fn encode(text: &Text) -> Cow<'_, str> {
    match text.as_str() {
        Some(text) => encode_utf8(text),
        None => Cow::Owned(encode_units(&text.to_units())),
    }
}

pub(super) fn encode_utf8(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    for (at, c) in text.char_indices() {
        if !must_escape(c, text.as_bytes().get(at + 1).copied()) {
            continue;
        }
        out.push_str(&text[done..at]);
        for unit in c.encode_utf16(&mut [0; 2]) {
            push_escape(&mut out, *unit);
        }
        done = at + c.len_utf8();
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

fn encode_units(units: &[u16]) -> String {
    let mut out = String::with_capacity(units.len() * 2);
    for (at, &unit) in units.iter().enumerate() {
        let next = units.get(at + 1).and_then(|&u| u8::try_from(u).ok());
        match char::from_u32(unit.into()) {
            Some(c) if !must_escape(c, next) => out.push(c),
            _ => push_escape(&mut out, unit),
        }
    }
    out
}

fn must_escape(c: char, next: Option<u8>) -> bool {
    match c {
        '\0'..='\x1F' | '\x7F'..='\u{9F}' | '\u{10000}'.. => true,
        '_' => matches!(next, Some(b'x' | b'X')),
        _ => false,
    }
}

fn push_escape(out: &mut String, unit: u16) {
    let _ = write!(out, "_x{unit:04X}_");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn both(plain: &str, escaped: &str) {
        assert_eq!(encode(&plain.into()), escaped);
        assert_eq!(decode(escaped.into()), plain);
    }

    #[test]
    fn escapes_are_powershells() {
        both("a\nb_x000a_ _X _y", "a_x000A_b_x005F_x000a_ _x005F_X _y");
        both("\u{1F600}\t\u{85}\u{7F}\u{80}\u{9F}\u{A0}", "_xD83D__xDE00__x0009__x0085__x007F__x0080__x009F_\u{A0}");
        both("_ __x x_ \r\0", "_ __x005F_x x_ _x000D__x0000_");
        both("\u{FFFE}é日", "\u{FFFE}é日");
        both("", "");
    }

    #[test]
    fn what_only_looks_like_an_escape_stays() {
        for text in
            ["_x", "_x_", "_x12_", "_x12345_", "_x123456789_", "_xGHIJ_", "x0041_", "_x0041", "_x00110000_", "_xFFFFFFFF_", "_xé041_"]
        {
            assert_eq!(decode(text.into()), text);
        }
        assert_eq!(decode("_x0041_x0042_".into()), "Ax0042_");
        assert_eq!(decode("__x0041__X0042_".into()), "_AB");
        assert_eq!(decode("_x0001F600_|_x00000041_".into()), "\u{1F600}|A");
    }

    #[test]
    fn lone_halves_are_kept() {
        for (units, escaped) in [
            (&[0xD800u16, 0x78, 0xDC00][..], "_xD800_x_xDC00_"),
            (&[0xDC00, 0xD800], "_xDC00__xD800_"),
            (&[0xD800], "_xD800_"),
            (&[0xD83D, 0xD83D, 0xDE00], "_xD83D__xD83D__xDE00_"),
            (&[0xD800, 0x5F, 0x78], "_xD800__x005F_x"),
        ] {
            let text = decode(escaped.into());
            assert_eq!(text.to_units(), units);
            assert_eq!(text, Text::from_units(units));
            assert_eq!(encode(&text), escaped);
        }
        let mixed = decode("_xD800_\u{1F600}_x0001F600_".into());
        assert_eq!(mixed.to_units(), [0xD800, 0xD83D, 0xDE00, 0xD83D, 0xDE00]);
    }
}
