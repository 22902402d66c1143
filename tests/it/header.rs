//! The C header: what the source says, documented, and what its callers take it for.

use crate::support::root;
use std::fs;

/// The committed C header.
pub fn header() -> String {
    fs::read_to_string(root().join("include/delegated_tenant.h")).expect("the header is read")
}

/// A function as the C header declares it.
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Its type.
    pub returns: String,
    /// Type and name of each parameter.
    pub parameters: Vec<String>,
    /// The comment before it.
    pub docs: String,
}

/// The functions of the C header, in its order.
pub fn functions_of_the_abi() -> Vec<Declared> {
    let text = header();
    let (_, declarations) = text.split_once("extern \"C\" {").expect("the declarations");
    let mut found = Vec::new();
    for chunk in declarations.split(");") {
        let (docs, declaration) = chunk.rsplit_once("*/").unwrap_or(("", chunk));
        let Some((head, parameters)) = declaration.split_once('(') else { continue };
        let head: Vec<&str> = head.lines().filter(|l| !l.starts_with('#')).collect();
        let head = head.join(" ");
        let at = head.rfind("dt_").expect("a name");
        let parameters = parameters.split(',').map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
        found.push(Declared {
            name: head[at..].trim().to_owned(),
            returns: head[..at].trim().to_owned(),
            parameters: parameters.filter(|p| p != "void").collect(),
            docs: docs.rsplit_once("/**").map_or(String::new(), |(_, d)| d.to_owned()),
        });
    }
    found
}

#[test]
fn the_committed_header_is_what_the_source_says() {
    assert!(header() == include_str!(concat!(env!("OUT_DIR"), "/delegated_tenant.h")), "include/delegated_tenant.h: build and commit it");
}

#[test]
fn it_declares_what_the_library_exports() {
    let mut exported = Vec::new();
    for file in fs::read_dir(root().join("src/ffi")).expect("src/ffi is read") {
        let text = fs::read_to_string(file.expect("src/ffi is read").path()).expect("src/ffi is read");
        let names = text.split("#[unsafe(no_mangle)]").skip(1).filter_map(|f| f.split("fn ").nth(1)?.split('(').next());
        exported.extend(names.map(str::to_owned));
    }
    let mut declared: Vec<String> = functions_of_the_abi().into_iter().map(|f| f.name).collect();
    exported.sort();
    declared.sort();
    assert_eq!(declared, exported);
}

#[test]
fn everything_is_documented_for_readers_of_c() {
    for function in functions_of_the_abi() {
        let (name, docs) = (&function.name, &function.docs);
        assert!(docs.lines().any(|l| l.len() > 20), "{name} has no docs");
        assert!(!docs.contains("# Safety") && !docs.contains("[`"), "{name} is documented for readers of Rust");
        if function.returns.trim() == "dt_status" && name != "dt_error_status" {
            assert!(docs.contains("**Returns:**"), "{name} does not tell what it returns");
        }
        let hands_out = function.parameters.iter().any(|p| p.contains("**") && !p.contains("dt_error"));
        if hands_out || function.returns.contains('*') {
            assert!(docs.contains("**Ownership:**"), "{name} does not tell whose its output is");
        }
        if !name.ends_with("_free") && !name.ends_with("_new") {
            assert!(docs.contains("**Threads:**"), "{name} does not tell from which threads it may be called");
        }
    }
    let text = header();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, l)| l.starts_with("typedef ") || l.starts_with("#define DT_")) {
        let one_of_a_group = lines[at - 1].starts_with("#define DT_VERSION");
        assert!(lines[at - 1] == " */" || one_of_a_group, "{line} has no docs");
    }
    assert!(text.starts_with("/*\n * DelegatedTenant") && text.contains("The API conventions"), "the conventions open it");
}

/// The strings that stand in a source as `"name"`, where the text after begins so.
fn names(source: &str, begin: &str, end: &str, after: &[&str]) -> Vec<String> {
    let text = fs::read_to_string(root().join(source)).expect("the source is read");
    let part = text.split(begin).nth(1).and_then(|t| t.split(end).next()).expect("the part is there");
    let quoted: Vec<&str> = part.split('"').collect();
    let pairs = quoted.iter().skip(1).step_by(2).zip(quoted.iter().skip(2).step_by(2));
    pairs.filter(|(_, rest)| after.iter().any(|a| rest.starts_with(a))).map(|(name, _)| (*name).to_owned()).collect()
}

#[test]
fn every_option_key_and_fact_name_is_told() {
    let docs = |function: &str| functions_of_the_abi().into_iter().find(|f| f.name == function).expect("declared").docs;
    let told = |function: &str, names: Vec<String>, least: usize| {
        let docs = docs(function);
        assert!(names.len() >= least, "{names:?}");
        for name in names {
            assert!(docs.contains(&format!("`{name}`")), "{function} does not tell of {name}");
        }
    };
    told("dt_options_set", names("src/transport/options.rs", "match key {", "\"password\" | \"proxy_password\"", &[" =>"]), 25);
    told("dt_options_set_secret", names("src/transport/options.rs", "pub fn set_secret", "_ => return", &[" =>"]), 2);
    told("dt_command_set", names("src/transport/command.rs", "match key {", "_ => return", &[" =>"]), 3);
    told("dt_error_fact", names("src/error.rs", "pub mod fact {", "\n}", &[";"]), 12);
}

/// The module binds by name, and a wrong count of arguments would be found only by a crash.
#[test]
fn the_module_binds_what_is_there() {
    let table = fs::read_to_string(root().join("module/DelegatedTenant/Private/Native.ps1")).expect("the module's table is read");
    let functions = functions_of_the_abi();
    let rows: Vec<Vec<&str>> = table.lines().filter(|l| l.starts_with("dt_")).map(|l| l.split_whitespace().collect()).collect();
    assert!(rows.len() > 40, "the table was not read");
    for row in rows {
        let function = functions.iter().find(|f| f.name == row[0]).unwrap_or_else(|| panic!("{} is not declared", row[0]));
        let kind = |c: &str| match c {
            "void" => "void",
            c if c.contains("**") || (c.contains("size_t") && c.contains('*')) => "place",
            c if c.contains('*') => "pointer",
            c if c.starts_with("uint32_t") => "uint",
            c if c.starts_with("uint64_t") => "ulong",
            c if c.starts_with("int64_t") => "long",
            c if c.starts_with("int32_t") || c.starts_with("dt_status") => "int",
            c if c.starts_with("size_t") => "size",
            c => panic!("{c} is new to this test"),
        };
        let bound = |word: &str| match word {
            "void" => "void",
            "ref" | "refsize" => "place",
            "ptr" | "string" | "bytes" | "handles" => "pointer",
            "uint" => "uint",
            "ulong" => "ulong",
            "long" => "long",
            "int" => "int",
            "size" => "size",
            word => panic!("{word} is new to this test"),
        };
        let declared: Vec<&str> = std::iter::once(kind(&function.returns)).chain(function.parameters.iter().map(|p| kind(p))).collect();
        let mut given: Vec<&str> = row[1..].iter().map(|w| bound(w)).collect();
        // A pointer is as wide as a size, and an index is bound so.
        for (given, declared) in given.iter_mut().zip(&declared) {
            if (*given, *declared) == ("pointer", "size") {
                *given = "size";
            }
        }
        assert_eq!(given, declared, "{}", row[0]);
    }
}
