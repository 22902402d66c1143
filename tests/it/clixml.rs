//! CLIXML against what PowerShell's own serializer wrote, writes and reads.

use crate::support;
use delegated_tenant::ErrorKind;
use delegated_tenant::clixml::{
    Content, Limits, Object, ObjectId, Property, Text, Value, contains_secure_string, read, read_document, type_names, write,
    write_document, write_property,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

fn wire(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "xml"));
    files.sort();
    files.into_iter().map(|f| (f.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(f).unwrap())).collect()
}

fn sample(name: &str) -> Value {
    let (_, text) = wire("clixml").into_iter().find(|(n, _)| n == name).unwrap();
    read(&text).unwrap()
}

/// Without PowerShell's indentation. A line feed inside a text would be escaped, so none is lost.
fn dense(text: &str) -> String {
    text.lines().map(str::trim_start).collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_list().unwrap()
}

#[test]
fn every_recorded_sample_reads_and_writes_back_to_the_byte() {
    let samples = wire("clixml");
    assert!(samples.len() >= 17);
    for (name, text) in samples {
        let text = String::from_utf8(text).unwrap();
        let values = read_document(text.as_bytes(), Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(write_document(&values), dense(&text), "{name}");
        // As a message has it: no root, no namespace.
        for value in &values {
            let message = write(value);
            assert!(dense(&text).contains(&message), "{name}");
            assert_eq!(write(&read(message.as_bytes()).unwrap()), message, "{name}");
        }
    }
}

#[test]
fn a_value_of_every_type() {
    let value = sample("everything");
    let property = |name| value.property(name).unwrap().clone();
    assert!(value.as_object().unwrap().is_a("Tenant.Everything"));
    assert_eq!(property("Null"), Value::Nil);
    assert_eq!(property("True"), Value::Bool(true));
    assert_eq!(property("Byte"), Value::U8(7));
    assert_eq!(property("SByte"), Value::I8(-7));
    assert_eq!(property("Int16"), Value::I16(-300));
    assert_eq!(property("UInt16"), Value::U16(300));
    assert_eq!(property("Int32"), Value::I32(-70000));
    assert_eq!(property("UInt32"), Value::U32(70000));
    assert_eq!(property("Int64"), Value::I64(-5_000_000_000));
    assert_eq!(property("UInt64"), Value::U64(u64::MAX));
    assert_eq!(property("Single"), Value::F32(1.5));
    assert_eq!(property("Double"), Value::F64(-2.25e100));
    assert_eq!(property("Decimal"), Value::Decimal("79228162514264337593543950335".into()));
    assert_eq!(property("Char"), Value::Char(0xE9));
    assert_eq!(property("String"), Value::from("line1\r\nline2\ttab <&> \"quoted\" _x0041_ \u{1} 日本 😀"));
    assert_eq!(property("Empty"), Value::from(""));
    assert_eq!(property("Guid"), Value::Guid(uuid::Uuid::try_parse("12345678-1234-1234-1234-123456789abc").unwrap()));
    assert_eq!(property("DateTime"), Value::DateTime("2024-02-29T23:59:59.123Z".into()));
    assert_eq!(property("TimeSpan"), Value::Duration("P1DT2H3M4.005S".into()));
    assert_eq!(property("Version"), Value::Version("1.2.3.4".into()));
    assert_eq!(property("Uri"), Value::Uri("https://ps.outlook.com/powershell-liveid?DelegatedOrg=contoso.com".into()));
    assert_eq!(property("Bytes"), Value::Bytes(vec![0, 1, 254, 255]));
    assert_eq!(property("Xml"), Value::Xml("<a b=\"c\">d</a>".into()));
    assert_eq!(property("ScriptBlock"), Value::ScriptBlock(" Get-Mailbox | Select-Object Name ".into()));
    assert_eq!(property("Infinity"), Value::F64(f64::INFINITY));
    assert!(matches!(property("NaN"), Value::F64(n) if n.is_nan()));
    assert!(matches!(property("SecureString"), Value::SecureString(_)));

    let kind = property("Enum");
    assert_eq!((kind.as_i64(), kind.as_object().unwrap().to_string.as_ref().unwrap().as_str()), (Some(4), Some("SharedMailbox")));
    let array = property("Array");
    assert_eq!(items(&array)[..3], [Value::I32(1), Value::from("two"), Value::Nil]);
    assert_eq!(items(&items(&array)[3]), [Value::I32(3), Value::I32(4)]);
    assert!(Arc::ptr_eq(
        array.as_object().unwrap().type_names.as_ref().unwrap(),
        items(&array)[3].as_object().unwrap().type_names.as_ref().unwrap()
    ));
    let Content::Dictionary(entries) = property("Hashtable").as_object().unwrap().content.clone() else { panic!() };
    assert_eq!(entries[0], (Value::from("one"), Value::I32(1)));
    assert_eq!(property("Nested").property("Inner").unwrap().property("Value"), Some(&Value::I32(42)));
    let address = property("Address");
    let address = address.as_object().unwrap();
    assert_eq!(address.adapted.as_ref().unwrap().last(), Some(&Property::new("Address", 16_908_480_i64)));
    assert_eq!(address.extended.as_deref(), Some(&[Property::new("IPAddressToString", "192.0.2.1")][..]));
    assert!(property("Credential").property("Password").is_some_and(|p| matches!(p, Value::SecureString(_))));
}

#[test]
fn nasty_strings_are_what_the_engine_meant() {
    let expected = [
        "",
        " ",
        "a\nb\r\tc",
        "_x000a_ _X _y __x x_",
        "<&>\"'",
        "日本 é",
        "\u{1F600}",
        "\u{7f}\u{80}\u{85}\u{9f}\u{a0}",
        "\0\u{1}",
        "",
        "",
        "]]>",
        "  blanks  ",
    ];
    let value = sample("strings");
    for (at, (value, expected)) in items(&value).iter().zip(expected).enumerate() {
        let Value::String(text) = value else { panic!("{value:?}") };
        match at {
            9 => assert_eq!(text.to_units(), [0xD800, 0x78, 0xDC00]),
            10 => assert_eq!(text.to_units(), [0xDC00, 0xD800]),
            _ => assert_eq!(text, expected),
        }
    }
    assert_eq!(items(&value).len(), expected.len());

    let names = sample("names");
    let object = names.as_object().unwrap();
    assert_eq!(object.type_names.as_ref().unwrap()[0], "Some_x0041_.Type\n`1[[<a>]]");
    let members = object.extended.as_ref().unwrap();
    assert_eq!(members[0].name, "a\nb_x000a_\u{1F600}<>\"&'");
    assert_eq!(members[1].name.to_units(), [0xD800]);
}

#[test]
fn references_and_members_are_kept() {
    let circle = sample("cycle");
    let object = circle.as_object().unwrap();
    assert_eq!(items(&circle), [Value::Reference(object.id)]);

    let value = sample("references");
    let list = items(&value);
    assert_eq!(list[1], Value::Reference(list[0].as_object().unwrap().id));

    let value = sample("members");
    let list = items(&value);
    assert_eq!(list[0].as_i64(), Some(5));
    assert_eq!(list[0].property("note"), Some(&Value::from("text")));
    assert_eq!(list[1].property("Set"), Some(&Value::MemberSet(vec![Property::new("in", "side")])));
    assert_eq!(list[2].as_object().unwrap().type_names, None);
    assert_eq!(list[3].as_object().unwrap().extended, None);

    let value = sample("progress");
    let Value::Progress(fields) = &items(&value)[1] else { panic!() };
    let operation = [Property::new("S", "c\t"), Property::new("PI", -1), Property::new("PC", 50)];
    assert_eq!(fields[2..5], operation);
}

#[test]
fn ids_are_unique_over_documents() {
    let (a, b) = (sample("cycle"), sample("cycle"));
    assert_ne!(a.as_object().unwrap().id, b.as_object().unwrap().id);
    let both = write(&Object::list(vec![a.clone(), b, a]).into());
    let list = r#"<LST><Ref RefId="1" /></LST></Obj><Obj RefId="2"><TNRef RefId="0" /><LST><Ref RefId="2" /></LST></Obj><Ref RefId="1" />"#;
    assert!(both.contains(list), "{both}");
}

#[test]
fn a_ref_id_that_comes_again_names_the_later_object() {
    let value = read(br#"<Obj RefId="0"><LST><Obj RefId="1"/><Obj RefId="1"/><Ref RefId="1"/></LST></Obj>"#).unwrap();
    let list = items(&value);
    assert_eq!(list[2], Value::Reference(list[1].as_object().unwrap().id));
}

#[test]
fn blanks_comments_marks_and_other_attributes_are_passed_over() {
    let text = "\u{FEFF}<?xml version=\"1.0\"?>\r\n<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">\r\n\
                <!-- a -->\t<Obj S=\"Error\" RefId=\"0\" X=\"1\">\n<MS> <I32 N=\"a\"> 1 </I32><S N=\"b\"> <!-- -->1<![CDATA[<]]> </S>\n</MS></Obj>\n</Objs>\n";
    let value = read(text.as_bytes()).unwrap();
    assert_eq!(value.property("A"), Some(&Value::I32(1)));
    assert_eq!(value.property("b"), Some(&Value::from(" 1< ")));
    let prefixed = r#"<p:Obj xmlns:p="http://schemas.microsoft.com/powershell/2004/04" RefId="0"><p:LST><p:Nil/></p:LST></p:Obj>"#;
    assert_eq!(items(&read(prefixed.as_bytes()).unwrap()), [Value::Nil]);
}

#[test]
fn several_values_with_and_without_a_root() {
    assert_eq!(read_document(b"<S>a</S><Nil/>", Limits::default()).unwrap(), [Value::from("a"), Value::Nil]);
    assert_eq!(read_document(b"<Objs><S>a</S><Nil/></Objs>", Limits::default()).unwrap(), [Value::from("a"), Value::Nil]);
    assert_eq!(read_document(b"<Objs/>", Limits::default()).unwrap(), []);
    assert!(read(b"<S>a</S><Nil/>").is_err());
    assert!(read(b"<Objs/>").is_err());
    assert_eq!(write_document(&[]), r#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04" />"#);
}

#[test]
fn every_defect_is_one_clean_error() {
    let files = wire("malformed");
    assert!(files.len() >= 100);
    for (name, text) in files {
        let error = read(&text).expect_err(&name);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{name}");
        let text = error.to_string();
        assert!(text.starts_with("read clixml: ") && text.contains("byte ") && text.len() < 120, "{name}: {text}");
        assert!(!text.contains(char::is_control), "{name}: {text}");
    }
}

#[test]
fn errors_tell_what_is_wrong() {
    for (name, because) in [
        ("cut-in-an-element", "the document ends inside an element"),
        ("html", "an element `html` that does not belong there"),
        ("json", "text outside the root element"),
        ("document-type", "a document type is not allowed"),
        ("empty", "no value"),
        ("number-with-text", "a malformed number"),
        ("date-impossible", "a malformed date"),
        ("reference-forward", "a reference to an object that did not come before"),
        ("property-without-name", "a property without a name"),
        ("entry-turned-round", "a dictionary entry without its Key"),
        ("not-utf-8", "xml is not utf-8 at byte 6"),
    ] {
        let (_, text) = wire("malformed").into_iter().find(|(n, _)| n == name).unwrap();
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(because), "{name}: {error}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |n: usize| format!("{}{}", r#"<Obj RefId="0"><LST>"#.repeat(n), "</LST></Obj>".repeat(n));
    let limits = Limits { depth: 20, size: 1000 };
    assert!(read_document(nested(10).as_bytes(), limits).is_ok());
    assert!(read_document(nested(11).as_bytes(), limits).unwrap_err().to_string().contains("deeper than 20"));
    assert!(read_document(nested(100).as_bytes(), limits).unwrap_err().to_string().contains("limit of 1000"));
    assert!(read(nested(100_000).as_bytes()).is_err());
    assert!(read("<Obj RefId='0'><MS><MS N='a'>".repeat(100_000).as_bytes()).is_err());
    // The most recursion for the least text.
    let text = format!("{}{}", "<Obj>".repeat(256), "</Obj>".repeat(256));
    assert!(format!("{:?}", read(text.as_bytes()).unwrap()).len() > 256);
    // As deep as PowerShell itself can nest what is deepest in elements.
    let deepest = format!("{}<Nil N='Value'/>{}", "<Obj N='Value'><DCT><En><S N='Key'>a</S>".repeat(50), "</En></DCT></Obj>".repeat(50));
    let value = read(deepest.as_bytes()).unwrap();
    assert_eq!(write(&read(write(&value).as_bytes()).unwrap()), write(&value));
}

/// Anything quadratic here would not end within the patience of a test run.
#[test]
fn large_documents_are_read_in_linear_time() {
    let repeat = |n: usize, item: &str| format!(r#"<Obj RefId="0"><TN RefId="0"><T>a</T></TN><LST>{}</LST></Obj>"#, item.repeat(n));
    for (n, item) in [
        (1_000_000, r#"<Ref RefId="0" />"#),
        (100_000, r#"<Obj RefId="1"><TNRef RefId="0" /></Obj>"#),
        (100_000, r#"<S>an ordinary string of text_x000A_</S>"#),
    ] {
        let text = repeat(n, item);
        let value = read(text.as_bytes()).unwrap();
        assert_eq!(items(&value).len(), n);
        assert_eq!(items(&read(write(&value).as_bytes()).unwrap()).len(), n);
    }
    for text in ["&lt;", "_x000A_", "_x", "_", "<!---->", "<![CDATA[a]]>", "\r\n", "_xD800_"] {
        let text = format!("<S>{}</S>", text.repeat(200_000));
        let value = read(text.as_bytes()).unwrap();
        assert_eq!(read(write(&value).as_bytes()).unwrap(), value);
    }
    let bytes = Value::Bytes(vec![0xA5; 8_000_000]);
    assert_eq!(read(write(&bytes).as_bytes()).unwrap(), bytes);
    assert!(read("<S>".repeat(5_000_000).as_bytes()).is_err());
}

#[test]
fn an_object_that_stands_twice_is_written_once() {
    let shared = Value::from(Object::bag(vec![Property::new("a", 1)]));
    let text = write(&Object::list(vec![shared.clone(), shared]).into());
    assert!(text.ends_with(r#"<Obj RefId="1"><MS><I32 N="a">1</I32></MS></Obj><Ref RefId="1" /></LST></Obj>"#), "{text}");

    // Copies with one id but contents of their own stay two objects.
    let first = Object::bag(vec![Property::new("a", 1)]);
    let second = Object { extended: Some(vec![Property::new("a", 2)]), ..first.clone() };
    let text = write(&Object::list(vec![first.into(), second.into()]).into());
    assert!(text.contains(r#"<I32 N="a">1</I32>"#) && text.contains(r#"<Obj RefId="2"><MS><I32 N="a">2</I32>"#), "{text}");

    // A web of shared lists has one text of its own size, not two to the power of its height.
    let mut web = Value::from(Object::list(vec![]));
    for _ in 0..60 {
        web = Object::list(vec![web.clone(), web]).into();
    }
    assert!(write(&web).len() < 10_000);

    assert_eq!(write(&Value::Reference(ObjectId::new())), "<Nil />");
}

#[test]
fn equal_type_names_are_written_once() {
    let typed = |names: &[&str]| Value::from(Object { type_names: Some(type_names(names)), ..Object::new() });
    let list = Value::from(Object {
        content: Content::List(vec![typed(&["a"]), typed(&[]), typed(&["a"]), typed(&[]), typed(&["b"])]),
        ..Object::new()
    });
    let text = write(&list);
    assert_eq!(
        text,
        "<Obj RefId=\"0\"><LST><Obj RefId=\"1\"><TN RefId=\"0\"><T>a</T></TN></Obj><Obj RefId=\"2\"><TN RefId=\"1\" /></Obj>\
         <Obj RefId=\"3\"><TNRef RefId=\"0\" /></Obj><Obj RefId=\"4\"><TNRef RefId=\"1\" /></Obj>\
         <Obj RefId=\"5\"><TN RefId=\"2\"><T>b</T></TN></Obj></LST></Obj>"
    );
    assert_eq!(write(&read(text.as_bytes()).unwrap()), text);
}

#[test]
fn one_property() {
    assert_eq!(write_property("PSComputerName", &"host".into()), r#"<S N="PSComputerName">host</S>"#);
    assert_eq!(write_property("a\"\n_x", &true.into()), r#"<B N="a&quot;_x000A__x005F_x">true</B>"#);
    assert_eq!(write_property("a", &Value::Nil), r#"<Nil N="a" />"#);
    assert_eq!(write_property("a", &Object::new().into()), r#"<Obj N="a" RefId="0" />"#);
}

#[test]
fn secure_strings_are_found_by_their_bytes() {
    for yes in ["<Obj><MS><SS N=\"a\">b</SS></MS></Obj>", "<SS>a</SS>", "<S>a</S><SS/>", "<SSS/><SS\n>"] {
        assert!(contains_secure_string(yes.as_bytes()), "{yes}");
    }
    for no in ["", "<S>&lt;SS&gt;</S>", "<SSS>", "<SS", "</SS>", "< SS>"] {
        assert!(!contains_secure_string(no.as_bytes()), "{no}");
    }
    let (_, everything) = wire("clixml").into_iter().find(|(n, _)| n == "everything").unwrap();
    assert!(contains_secure_string(&everything));
}

/// Splitmix64: a fixed seed, so that what fails once fails again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

#[test]
fn any_units_come_back() {
    let mut chance = Chance(1);
    let alphabet: Vec<u16> =
        "_xX0041dD8_&<>\"'\r\n\t é日".encode_utf16().chain([0, 0x1F, 0x7F, 0x9F, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xFFFE, 0xFFFF]).collect();
    for _ in 0..20_000 {
        let units: Vec<u16> = (0..chance.below(12)).map(|_| alphabet[chance.below(alphabet.len())]).collect();
        let text = Text::from_units(&units);
        let object = Object {
            type_names: Some(Arc::new([text.clone()])),
            to_string: Some(text.clone()),
            extended: Some(vec![Property::new(text.clone(), text.clone())]),
            ..Object::new()
        };
        let written = write(&object.into());
        let value = read(written.as_bytes()).unwrap_or_else(|e| panic!("{units:X?}: {e}: {written}"));
        let read = value.as_object().unwrap();
        assert_eq!(read.extended.as_ref().unwrap()[0], Property::new(text.clone(), text.clone()), "{written}");
        assert_eq!((read.to_string.as_ref(), &read.type_names.as_ref().unwrap()[0]), (Some(&text), &text), "{written}");
    }
}

#[test]
fn mutated_documents_never_panic_and_what_is_read_is_written_back() {
    let seeds: Vec<Vec<u8>> = ["clixml", "clixml", "clixml", "malformed"].into_iter().flat_map(wire).map(|(_, text)| text).collect();
    let pieces: Vec<&[u8]> = [
        "<",
        ">",
        "/",
        "\"",
        "&",
        ";",
        "&#x",
        "&#0;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "<!DOCTYPE",
        "_x",
        "_xD800_",
        "<Obj RefId=\"0\">",
        "</Obj>",
        "<LST>",
        "</LST>",
        "<MS>",
        "<DCT>",
        "<En>",
        "<Ref RefId=\"0\"/>",
        "<TNRef RefId=\"0\"/>",
        "<S>",
        "</S>",
        "<BA>",
        "<DT>",
        "<Db>",
        "xmlns:a='b'",
        "N=\"a\"",
        "\0",
        "\u{FEFF}",
        "é",
        "\u{1F600}",
        "9",
        "-",
        "1e999",
        "T",
    ]
    .map(str::as_bytes)
    .to_vec();
    let mut chance = Chance(2);
    let mut readable = 0;
    for _ in 0..30_000 {
        let mut text = seeds[chance.below(seeds.len())].clone();
        for _ in 0..=chance.below(3) {
            let at = chance.below(text.len() + 1);
            let end = (at + chance.below(24)).min(text.len());
            match chance.below(6) {
                0 => drop(text.drain(at..end)),
                1 => text.truncate(at),
                2 if at < text.len() => text[at] = chance.below(256) as u8,
                3 if at < text.len() => text[at] ^= 1 << chance.below(8),
                4 => {
                    let other = &seeds[chance.below(seeds.len())];
                    let from = chance.below(other.len() + 1);
                    let to = (from + chance.below(200)).min(other.len());
                    text.splice(at..end, other[from..to].iter().copied());
                }
                _ => drop(text.splice(at..at, pieces[chance.below(pieces.len())].iter().copied())),
            }
        }
        match read_document(&text, Limits::default()) {
            Ok(values) => {
                readable += 1;
                let written = write_document(&values);
                let again = read_document(written.as_bytes(), Limits::default()).unwrap_or_else(|e| panic!("{e}: {written}"));
                assert_eq!(write_document(&again), written);
            }
            Err(e) => assert_eq!(e.kind(), ErrorKind::Protocol, "{e}"),
        }
    }
    assert!(readable > 500, "only {readable} of the mutated documents were readable");
}

/// Each value, the .NET type that the engine has to make of it, and how the engine prints it.
fn for_the_engine() -> Vec<(Value, &'static str, String)> {
    let units = |units: &[u16]| units.iter().map(|u| format!("{u:04X}")).collect::<String>();
    let text = |t: &str| (Value::from(t), "System.String", units(&t.encode_utf16().collect::<Vec<_>>()));
    let half = [0xD800, 0x5F, 0x78, 0xDC00, 0xDE00];
    let guid = uuid::Uuid::try_parse("12345678-1234-1234-1234-123456789abc").unwrap();
    let object = Object {
        type_names: Some(type_names(&["Some\u{1F600}_x0041_Type", "System.Object"])),
        to_string: Some("as\ntext".into()),
        adapted: Some(vec![Property::new("Adapted_x0041_", 1)]),
        extended: Some(vec![Property::new("Ex\ntended", "2")]),
        ..Object::new()
    };
    let list =
        |content: fn(Vec<Value>) -> Content| Value::from(Object { content: content(vec![Value::I32(1), Value::I32(2)]), ..Object::new() });
    let shared = Value::from(Object::bag(vec![Property::new("a", 1)]));
    vec![
        (Value::Nil, "null", String::new()),
        text(""),
        text("a\nb\r\tc _x000a_ _X _y __x <&>\"' ]]> \u{85}\u{A0} 日本 \u{1F600}\0"),
        (Value::String(Text::from_units(&half)), "System.String", units(&half)),
        (Value::Char(0xD800), "System.Char", "55296".into()),
        (Value::Bool(true), "System.Boolean", "True".into()),
        (Value::DateTime("2024-02-29T23:59:59.123Z".into()), "System.DateTime", "2024-02-29T23:59:59.1230000Z".into()),
        (Value::DateTime("2024-02-29T23:59:59.1234567".into()), "System.DateTime", "2024-02-29T23:59:59.1234567".into()),
        (Value::Duration("-P1DT2H3M4.005S".into()), "System.TimeSpan", "-1.02:03:04.0050000".into()),
        (Value::U8(255), "System.Byte", "255".into()),
        (Value::I8(-128), "System.SByte", "-128".into()),
        (Value::U16(65535), "System.UInt16", "65535".into()),
        (Value::I16(-32768), "System.Int16", "-32768".into()),
        (Value::U32(u32::MAX), "System.UInt32", "4294967295".into()),
        (Value::I32(i32::MIN), "System.Int32", "-2147483648".into()),
        (Value::U64(u64::MAX), "System.UInt64", "18446744073709551615".into()),
        (Value::I64(i64::MIN), "System.Int64", "-9223372036854775808".into()),
        (Value::F32(0.1), "System.Single", "0.1".into()),
        (Value::F32(f32::MAX), "System.Single", "3.4028235E+38".into()),
        (Value::F64(f64::MAX), "System.Double", "1.7976931348623157E+308".into()),
        (Value::F64(5e-324), "System.Double", "5E-324".into()),
        (Value::F64(f64::NEG_INFINITY), "System.Double", "-Infinity".into()),
        (Value::F64(f64::NAN), "System.Double", "NaN".into()),
        (Value::Decimal("-1.10".into()), "System.Decimal", "-1.10".into()),
        (Value::Bytes(vec![]), "System.Byte[]", String::new()),
        (Value::Bytes(vec![0, 171, 255]), "System.Byte[]", "00ABFF".into()),
        (Value::Guid(guid), "System.Guid", guid.to_string()),
        (Value::Uri("https://a.example/b?c=_x0041_&d".into()), "System.Uri", "https://a.example/b?c=_x0041_&d".into()),
        (Value::Version("1.2.3.4".into()), "System.Version", "1.2.3.4".into()),
        (Value::Xml("<a b=\"c\">d</a>".into()), "System.Xml.XmlDocument", "<a b=\"c\">d</a>".into()),
        // Without being asked to, the engine makes text of a script block.
        (Value::ScriptBlock("Get-Mailbox".into()), "System.String", units(&"Get-Mailbox".encode_utf16().collect::<Vec<_>>())),
        (object.into(), "Deserialized.Some\u{1F600}_x0041_Type", "as\ntext|Ex\ntended=2|Adapted_x0041_=1".into()),
        (Object::enumeration("System.DayOfWeek", "Monday", 1).into(), "Deserialized.System.DayOfWeek", "Monday|value=1".into()),
        (list(Content::List), "System.Collections.ArrayList", "1,2".into()),
        (list(Content::Enumerable), "System.Collections.ArrayList", "1,2".into()),
        (list(Content::Queue), "System.Collections.Queue", "1,2".into()),
        (list(Content::Stack), "System.Collections.Stack", "1,2".into()),
        (Object::dictionary(vec![("k".into(), 5.into())]).into(), "System.Collections.Hashtable", "k=5".into()),
        (shared.clone(), "System.Management.Automation.PSCustomObject", "|a=1".into()),
        (shared, "the same as the one before", String::new()),
    ]
}

const SHOW: &str = r#"
param([string] $File)
function Units([string] $Text) { -join ($Text.ToCharArray().ForEach({ '{0:X4}' -f [int]$_ })) }
function Members($Value) { -join ($Value.psobject.Properties.ForEach({ '|' + $_.Name + '=' + $_.Value })) }
$before = $null
$values = [System.Management.Automation.PSSerializer]::Deserialize([System.IO.File]::ReadAllText($File))
foreach ($value in $values) {
    $base = $null
    if ($null -ne $value) { $base = $value.psobject.BaseObject }
    $type = if ($null -eq $value) { 'null' } else { $base.GetType().FullName }
    $shown = switch ($type) {
        'null' { '' }
        'System.String' { Units $value }
        'System.Char' { [int]$base }
        'System.DateTime' { $base.ToString('o') }
        'System.Single' { $base.ToString('R', [cultureinfo]::InvariantCulture) }
        'System.Double' { $base.ToString('R', [cultureinfo]::InvariantCulture) }
        'System.Byte[]' { -join $base.ForEach({ '{0:X2}' -f $_ }) }
        'System.Xml.XmlDocument' { $base.OuterXml }
        'System.Collections.Hashtable' { -join $base.GetEnumerator().ForEach({ $_.Key + '=' + $_.Value }) }
        'System.Int32' { if ($value.psobject.TypeNames[0] -like 'Deserialized.*') { $type = $value.psobject.TypeNames[0]; $value.psobject.ToString() + "|value=$base" } else { $base } }
        'System.Management.Automation.PSCustomObject' {
            if ($null -ne $before -and [object]::ReferenceEquals($before, $value)) { $type = 'the same as the one before'; '' }
            else { if ($value.psobject.TypeNames[0] -like 'Deserialized.*') { $type = $value.psobject.TypeNames[0]; $text = $value.ToString() } else { $text = '' }; $text + (Members $value) }
        }
        default { if ($type -match 'ArrayList|Queue|Stack') { $base -join ',' } else { [string]$base } }
    }
    $before = $value
    [Console]::Out.Write((Units $type) + ' ' + (Units ([string]$shown)) + "`n")
}
"#;

#[test]
fn the_engine_reads_what_we_write() {
    let Some(pwsh) = support::pwsh() else { return };
    let expected = for_the_engine();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clixml-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let document = write_document(&[Object::list(expected.iter().map(|(v, ..)| v.clone()).collect()).into()]);
    fs::write(folder.join("values.xml"), &document).unwrap();
    fs::write(folder.join("show.ps1"), SHOW).unwrap();
    let output = Command::new(pwsh)
        .args(["-NoProfile", "-NonInteractive", "-File"])
        .args([folder.join("show.ps1"), folder.join("values.xml")])
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{err}\n{document}");
    let units = |hex: &str| -> String {
        let units: Vec<u16> = hex.as_bytes().chunks(4).map(|c| u16::from_str_radix(std::str::from_utf8(c).unwrap(), 16).unwrap()).collect();
        String::from_utf16_lossy(&units)
    };
    let shown: Vec<(String, String)> = out.lines().map(|l| l.split_once(' ').map(|(t, v)| (units(t), units(v))).unwrap()).collect();
    assert_eq!(shown.len(), expected.len(), "{out}");
    for ((type_name, text), (value, expected_type, expected_text)) in shown.iter().zip(&expected) {
        assert_eq!((type_name.as_str(), text), (*expected_type, expected_text), "{value:?}");
    }
}

#[test]
fn we_read_what_the_engine_writes_today() {
    let Some(pwsh) = support::pwsh() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clixml-record-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/clixml/record.ps1"), folder.join("record.ps1")).unwrap();
    let output = Command::new(pwsh)
        .args(["-NoProfile", "-NonInteractive", "-File"])
        .arg(folder.join("record.ps1"))
        .env_remove("DT_TENANT_MODULE")
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "xml")) {
        let text = fs::read_to_string(&entry).unwrap();
        let values = read_document(text.as_bytes(), Limits::default()).unwrap_or_else(|e| panic!("{}: {e}", entry.display()));
        assert_eq!(write_document(&values), dense(&text), "{}", entry.display());
        count += 1;
    }
    assert_eq!(count, wire("clixml").len() - 1, "all samples but the one of the shared module");
    fs::remove_dir_all(&folder).unwrap();
}
