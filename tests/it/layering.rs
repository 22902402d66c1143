//! The directions of dependency and the other rules of the house that a compiler does not hold.

use crate::header::functions_of_the_abi;
use crate::support::root;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom, downward only. A module belongs to the longest name here that its path begins with; what stands below
/// may be used by what stands above and names it. `error`, `secret` and `lock` are for all.
const LAYERS: [(&str, &[&str]); 19] = [
    ("ffi", &["session", "clixml"]),
    ("session", &["transport", "ledger", "clixml", "runtime"]),
    // The contract names its roads, and a road the contract it keeps.
    ("transport", &["transport::wsman", "transport::rest", "transport::soap", "transport::http", "ledger", "psrp", "clixml"]),
    // Below the roads, which share it.
    ("transport::reach", &["transport"]),
    ("transport::wsman", &["transport", "transport::reach", "transport::soap", "transport::http", "ledger", "psrp", "clixml"]),
    // Of psrp it knows only what a command is made of.
    ("transport::rest", &["transport", "transport::reach", "transport::oauth", "transport::http", "psrp", "clixml"]),
    // Payloads are opaque to it.
    ("transport::soap", &["xml"]),
    ("transport::oauth", &["transport", "transport::http"]),
    ("transport::http", &[]),
    ("sim", &["psrp", "transport::soap", "clixml"]),
    ("psrp", &["clixml"]),
    ("clixml", &["xml"]),
    ("xml", &[]),
    ("ledger", &[]),
    ("runtime", &[]),
    ("error", &[]),
    ("secret", &[]),
    ("lock", &[]),
    // The map: it names all and is used by none.
    ("", &["ffi", "session", "transport", "sim", "ledger", "psrp", "clixml", "xml", "runtime", "error", "secret", "lock"]),
];

/// What only some layers may name: the word, and where.
const WORDS: [(&str, &[&str]); 3] = [
    ("reqwest", &["transport::http"]),
    (
        "tokio",
        &[
            "transport::http",
            "transport::oauth",
            "transport::rest",
            "transport::wsman",
            "transport::channel",
            "transport::renewal",
            "transport::road",
            "transport::status",
            "session",
            "runtime",
            "sim",
        ],
    ),
    ("unsafe", &["ffi", "secret"]),
];

/// A file of src: its module's path and its code without comments, the contents of strings, and tests.
struct Module {
    file: PathBuf,
    path: Vec<String>,
    code: String,
}

fn modules() -> Vec<Module> {
    fn walk(folder: &Path, found: &mut Vec<Module>) {
        for entry in fs::read_dir(folder).expect("src is read") {
            let file = entry.expect("src is read").path();
            if file.is_dir() {
                walk(&file, found);
            } else if file.extension().is_some_and(|e| e == "rs") {
                let inside = file.strip_prefix(root().join("src")).expect("in src").with_extension("");
                let mut path: Vec<String> = inside.iter().map(|p| p.to_str().expect("UTF-8").to_owned()).collect();
                if path.first().is_some_and(|p| p == "bin") {
                    continue;
                }
                if path.last().is_some_and(|p| p == "mod" || p == "lib") {
                    path.pop();
                }
                let code = code_of(&fs::read_to_string(&file).expect("src is read"));
                found.push(Module { file, path, code });
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    found
}

/// Rust without its comments, without what stands in literals, and without the tests at the end of a file.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let raw = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r').filter(|r| r.trim_start_matches('#').starts_with('"'));
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let (Some(raw), false) = (raw, code.ends_with(|c: char| c.is_alphanumeric() || c == '_')) {
            let hashes = raw.len() - raw.trim_start_matches('#').len();
            let begin = rest.len() - raw.len() + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
        } else if c == '"' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|&(_, c)| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |(at, _)| at + 1)
        } else if let Some(character) = rest.strip_prefix('\'') {
            // A lifetime has no second quote behind one character.
            let length = if character.starts_with('\\') {
                character.get(2..).and_then(|r| r.find('\'')).map(|at| at + 2)
            } else {
                character.chars().next().map(char::len_utf8).filter(|&l| character[l..].starts_with('\''))
            };
            length.map_or(0, |l| l + 2)
        } else {
            0
        };
        if skipped > 0 {
            code.push(' ');
            rest = &rest[skipped..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    let tests = code.find("#[cfg(test)]\nmod ").unwrap_or(code.len());
    code.truncate(tests);
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where a word stands by itself.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .filter(|&(at, _)| !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word))
        .map(|(at, _)| at)
}

/// The paths that begin here, with the groups in braces taken apart.
fn paths(code: &str) -> Vec<Vec<String>> {
    let code = code.trim_start();
    if let Some(group) = code.strip_prefix('{') {
        let mut depth = 1;
        let mut begin = 0;
        let mut found = Vec::new();
        for (at, c) in group.char_indices() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if depth == 0 || (depth == 1 && c == ',') {
                found.extend(paths(&group[begin..at]));
                begin = at + 1;
            }
            if depth == 0 {
                break;
            }
        }
        return found;
    }
    let name: String = code.chars().take_while(|&c| is_word(c)).collect();
    if name.is_empty() {
        return vec![Vec::new()];
    }
    let Some(rest) = code[name.len()..].strip_prefix("::") else { return vec![vec![name]] };
    paths(rest).into_iter().map(|p| [vec![name.clone()], p].concat()).collect()
}

/// Every path of the crate that a module's code names, from the root.
fn uses(module: &[String], code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate", "super", "self"] {
        for at in words(code, start) {
            let before = code[..at].trim_end();
            if !code[at + start.len()..].starts_with("::") || before.ends_with("::") {
                continue;
            }
            for path in paths(&code[at..]) {
                let mut base = if start == "crate" { Vec::new() } else { module.to_vec() };
                let mut names = path.into_iter().skip(usize::from(start != "super")).peekable();
                while names.next_if(|n| n == "super").is_some() {
                    base.pop();
                }
                found.push(base.into_iter().chain(names.filter(|n| n != "self")).collect());
            }
        }
    }
    // `use child::…` of a child declared here.
    for at in words(code, "use") {
        for path in paths(&code[at + 3..]) {
            if path.first().is_some_and(|first| code.contains(&format!("mod {first};"))) {
                found.push(module.iter().cloned().chain(path).collect());
            }
        }
    }
    found
}

/// The layer of a path: the longest that it begins with.
fn layer(path: &[String]) -> &'static str {
    let begins = |name: &str| name.is_empty() || name.split("::").zip(path).filter(|(n, p)| n == p).count() == name.split("::").count();
    LAYERS.iter().map(|(name, _)| *name).filter(|name| begins(name)).max_by_key(|name| name.len()).expect("the last begins all")
}

fn forbidden(module: &[String], code: &str) -> Vec<String> {
    let own = layer(module);
    let (_, allowed) = LAYERS.iter().find(|(name, _)| *name == own).expect("a layer");
    let refused = |path: &Vec<String>| {
        let used = layer(path);
        // From the root come its re-exports of `error`.
        used != own && !used.is_empty() && !["error", "secret", "lock"].contains(&used) && !allowed.contains(&used)
    };
    uses(module, code).into_iter().filter(refused).map(|p| p.join("::")).collect()
}

fn path(text: &str) -> Vec<String> {
    text.split("::").map(str::to_owned).collect()
}

#[test]
fn modules_use_only_what_stands_below_them() {
    let modules = modules();
    assert!(modules.len() > 30 && modules.iter().map(|m| uses(&m.path, &m.code).len()).sum::<usize>() > 150, "src was not read");
    for module in modules {
        let forbidden = forbidden(&module.path, &module.code);
        assert!(forbidden.is_empty(), "{} uses {forbidden:?}: see LAYERS", module.file.display());
    }
}

#[test]
fn the_table_is_read_as_it_is_meant() {
    let refused = |module: &str, code: &str| forbidden(&path(module), &code_of(code));
    assert_eq!(refused("psrp::pool", "use crate::{clixml::Value, transport::{soap::Fault}};"), ["transport::soap::Fault"]);
    assert_eq!(refused("transport::soap::request", "use super::super::http::HttpClient;"), ["transport::http::HttpClient"]);
    assert_eq!(refused("transport::soap", "fn f() { crate::psrp::x() }"), ["psrp::x"]);
    assert_eq!(refused("clixml", "use crate::{self, error::Result, secret::Secret};"), [""; 0]);
    assert_eq!(refused("session::invocation", "use super::Session; use crate::ffi::dt_session;"), ["ffi::dt_session"]);
    assert_eq!(refused("transport", "mod oauth; pub use oauth::TokenSource;"), ["transport::oauth::TokenSource"]);
    let hidden =
        "// crate::ffi\n/* crate::ffi */ \"crate::ffi\" r#\"crate::ffi\"# 'a' '\\'' &'a str\n#[cfg(test)]\nmod tests { use crate::ffi; }";
    assert_eq!(refused("xml", hidden), [""; 0]);
}

#[test]
fn words_stay_in_their_layers() {
    for module in modules() {
        for (word, allowed) in WORDS {
            let inside = |layer: &&str| path(layer).iter().zip(&module.path).filter(|(a, b)| a == b).count() == path(layer).len();
            let named = words(&module.code, word).next().is_some();
            assert!(!named || allowed.iter().any(inside), "{} names {word}", module.file.display());
        }
    }
}

#[test]
fn every_exported_function_is_one_guard() {
    for module in modules() {
        let exported = words(&module.code, "no_mangle").count();
        if layer(&module.path) != "ffi" {
            assert_eq!(exported, 0, "{} exports", module.file.display());
            continue;
        }
        let mut guarded = 0;
        for function in module.code.split("#[unsafe(no_mangle)]").skip(1) {
            let name = function.split("fn ").nth(1).and_then(|f| f.split('(').next()).expect("a function").to_owned();
            assert!(function.trim_start().starts_with("pub unsafe extern"), "{name}");
            let body = function.split_once('{').expect("a body").1.trim_start();
            assert!(body.starts_with("guard("), "{name} does not begin with guard");
            let mut depth = 0;
            let end = body.char_indices().find_map(|(at, c)| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                (c == ')' && depth == 0).then_some(at)
            });
            assert!(body[end.expect("guard ends") + 1..].trim_start().starts_with('}'), "{name} does more than guard");
            guarded += 1;
        }
        assert_eq!(guarded, exported, "{}", module.file.display());
    }
    assert!(functions_of_the_abi().len() > 60);
}

#[test]
fn a_panic_unwinds_to_the_guard() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml is read");
    let set = manifest.lines().map(|l| l.split('#').next().unwrap_or_default()).any(|l| l.trim_start().starts_with("panic"));
    assert!(!set, "a profile sets panic: with abort the guard is useless");
}
