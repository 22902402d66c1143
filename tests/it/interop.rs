//! Our client against psrpcore's server, which we did not write, behind `tests/interop/wsman_shim.py`.

use crate::support;
use delegated_tenant::clixml::{self, Content, Object, Property, Text, Value, type_names};
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Command, Invocation, Next, Options, Record, RecordKind, Session, State, Wait};
use delegated_tenant::{Error, ErrorKind};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{self, Child, Stdio};
use std::time::Duration;

const FOREVER: Duration = Duration::MAX;

/// The shim as a process, for as long as this lives: it ends with its standard input.
struct Shim {
    child: Child,
    url: String,
}

impl Shim {
    fn start(arguments: &[&str]) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/wsman_shim.py");
        let mut child = process::Command::new(support::python()?)
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the shim starts");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut url).expect("the shim tells its URL");
        Some(Self { child, url: url.trim().to_owned() })
    }

    fn options(&self) -> Options {
        let mut options = Options::new();
        for (key, value) in [("uri", self.url.as_str()), ("user", "admin@partner.com"), ("allow_unencrypted", "true"), ("proxy", "none")] {
            options.set(key, value).unwrap();
        }
        options.set("interactive", "true").unwrap();
        options.set_secret("password", Secret::new("secret".into())).unwrap();
        options
    }

    fn connect(&self) -> Session {
        Session::connect(&self.options(), None).expect("the session opens")
    }

    /// One of the counts of /stats: `open`, or the name of an operation.
    fn count(&self, name: &str) -> u64 {
        let authority = self.url.split('/').nth(2).expect("a URL has one");
        let mut stream = TcpStream::connect(authority).unwrap();
        write!(stream, "GET /stats HTTP/1.0\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn command(name: &str) -> Command {
    let mut command = Command::new();
    command.add(name).unwrap();
    command
}

/// The next record, or None at the end.
fn next(invocation: &Invocation) -> Result<Option<Record>, Error> {
    match invocation.next(FOREVER)? {
        Next::Record(record) => Ok(Some(record)),
        Next::End => Ok(None),
        Next::Pending => panic!("nothing came for ever"),
    }
}

/// Every record and, where it ended with one, the error.
fn drain(invocation: &Invocation) -> (Vec<Record>, Option<Error>) {
    let (mut records, mut error) = (Vec::new(), None);
    loop {
        match next(invocation) {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return (records, error),
            Err(e) => assert!(error.replace(e).is_none(), "one error and then the end"),
        }
    }
}

fn run(session: &Session, command: &Command) -> (Vec<Record>, Option<Error>) {
    drain(&session.invoke(command).expect("the session takes a command"))
}

/// The values of a command that gives output alone.
fn output(session: &Session, command: &Command) -> Vec<Value> {
    let (records, error) = run(session, command);
    assert!(error.is_none(), "{error:?}");
    records.iter().inspect(|r| assert_eq!(r.kind, RecordKind::Output)).map(value).collect()
}

fn value(record: &Record) -> Value {
    clixml::read(record.clixml()).expect("a record is readable")
}

fn text(record: &Record) -> &str {
    record.text().expect("a record of this kind has a text").to_str().unwrap()
}

fn nasty() -> Text {
    let mut units: Vec<u16> = "tab\tnew\r\nline _x000A_ _X000a_ <&>\"' \0\u{1b} \u{1F600} ".encode_utf16().collect();
    units.push(0xD83D);
    units.extend(" ü".encode_utf16());
    Text::from_units(&units)
}

/// A value of every primitive type, as the shim makes them.
fn primitives() -> Vec<Value> {
    vec![
        "plain".into(),
        "".into(),
        nasty().into(),
        Value::Char(0xE4),
        true.into(),
        false.into(),
        Value::Nil,
        Value::U8(255),
        Value::I8(-128),
        Value::U16(65535),
        Value::I16(-32768),
        Value::U32(u32::MAX),
        Value::I32(i32::MIN),
        Value::U64(u64::MAX),
        Value::I64(i64::MIN),
        Value::F32(1.5),
        Value::F64(-2.25e-300),
        Value::Decimal("79228162514264337593543950335".into()),
        Value::Bytes(b"\0\xff bytes".to_vec()),
        Value::Guid("00112233-4455-6677-8899-aabbccddeeff".parse().unwrap()),
        Value::Uri("https://example.org/?a=1&b=2".into()),
        Value::Version("15.20.1.2".into()),
        Value::Xml("<a b=\"c\">text</a>".into()),
        Value::ScriptBlock("Get-Mailbox | Select-Object Name".into()),
        Value::DateTime("2023-10-01T12:34:56.1234567Z".into()),
        Value::Duration("-PT23H59M55S".into()),
    ]
}

#[test]
fn a_value_of_every_type_arrives() {
    let Some(shim) = Shim::start(&[]) else { return };
    let values = output(&shim.connect(), &command("Get-Everything"));
    let expected = primitives();
    let (simple, rest) = values.split_at(expected.len());
    assert_eq!(simple, expected);

    let [list, dictionary, stack, number, object, twice] = rest else { panic!("{rest:?}") };
    let items = list.as_list().unwrap();
    assert_eq!((&items[0], &items[1], items[2].as_list().unwrap()), (&1.into(), &"two".into(), &[3.into()][..]));
    let Content::Dictionary(entries) = &dictionary.as_object().unwrap().content else { panic!("{dictionary:?}") };
    assert_eq!(entries, &[("k".into(), 1.into()), ("v".into(), Value::Nil)]);
    assert!(matches!(stack.as_object().unwrap().content, Content::Stack(_)));
    assert!(number.as_object().unwrap().is_a("System.Management.Automation.ErrorCategory"));
    let inner = object.property("Nested").and_then(|n| n.property("Inner")).and_then(Value::as_list).unwrap();
    assert_eq!(inner[0].property("Deep"), Some(&1.into()));
    let [first, Value::Reference(id)] = twice.as_list().unwrap() else { panic!("{twice:?}") };
    assert_eq!(first.as_object().unwrap().id, *id);
}

#[test]
fn arguments_of_every_type_are_understood() {
    let Some(shim) = Shim::start(&[]) else { return };
    let session = shim.connect();
    let mut echo = command("Get-Echo");
    for (i, v) in primitives().into_iter().enumerate() {
        echo.add_argument(Some(format!("p{i}")), v).unwrap();
    }
    echo.add_argument(None, Object::list(vec![1.into(), "two".into()]).into()).unwrap();
    echo.add_argument(None, Object::dictionary(vec![("k".into(), Value::Nil)]).into()).unwrap();
    let bag = Object { type_names: Some(type_names(&["My.Type", "System.Object"])), ..Object::bag(vec![Property::new("A", true)]) };
    echo.add_argument(None, bag.into()).unwrap();

    let echoed = output(&session, &echo);
    let values: Vec<&Value> = echoed.iter().map(|o| o.property("Value").unwrap()).collect();
    let simple = primitives();
    for (i, v) in simple.iter().enumerate() {
        assert_eq!((echoed[i].property("Name"), values[i]), (Some(&format!("p{i}").into()), v));
    }
    let [list, dictionary, bag] = &values[simple.len()..] else { panic!("{values:?}") };
    assert_eq!(list.as_list(), Some(&[1.into(), "two".into()][..]));
    assert!(matches!(&dictionary.as_object().unwrap().content, Content::Dictionary(d) if d == &[("k".into(), Value::Nil)]));
    assert_eq!((bag.as_object().unwrap().is_a("My.Type"), bag.property("A")), (true, Some(&true.into())));
}

#[test]
fn the_command_line_is_understood_as_it_was_built() {
    let Some(shim) = Shim::start(&[]) else { return };
    let mut c = command("Get-CommandLine");
    c.add_argument(Some("-ResultSize".into()), Value::Nil).unwrap();
    c.add_argument(None, "Unlimited".into()).unwrap();
    c.add_argument(Some("-Confirm:".into()), false.into()).unwrap();
    c.merge(RecordKind::Error).unwrap();
    c.add("Out-Nowhere").unwrap();
    c.merge_all().unwrap();
    c.end_statement().unwrap();
    c.add("Out-Nowhere").unwrap();
    let told = output(&shim.connect(), &c);
    let commands = told[0].property("Commands").and_then(Value::as_list).unwrap();
    let column = |name: &str| commands.iter().map(|c| c.property(name).unwrap().clone()).collect::<Vec<_>>();
    assert_eq!(column("Name"), ["Get-CommandLine".into(), "Out-Nowhere".into(), "Out-Nowhere".into()]);
    assert_eq!(column("EndOfStatement"), [false.into(), true.into(), true.into()]);
    assert_eq!(column("MergeError"), ["Output".into(), "Output".into(), "none".into()]);
    assert_eq!(column("MergeInformation"), ["none".into(), "Output".into(), "none".into()]);
    assert_eq!(commands[0].property("Names").unwrap().as_list(), Some(&["-ResultSize".into(), Value::Nil, "-Confirm:".into()][..]));
    assert_eq!(commands[0].property("Values").unwrap().as_list(), Some(&[Value::Nil, "Unlimited".into(), false.into()][..]));
    assert_eq!(told[0].property("NoInput"), Some(&true.into()));
}

#[test]
fn every_stream_arrives_in_the_order_of_the_server() {
    use RecordKind::*;
    let Some(shim) = Shim::start(&[]) else { return };
    let (records, error) = run(&shim.connect(), &command("Write-AllStreams"));
    assert!(error.is_none(), "{error:?}");
    let kinds: Vec<RecordKind> = records.iter().map(|r| r.kind).collect();
    assert_eq!(kinds, [Output, Verbose, Debug, Warning, Information, Progress, Error, Progress, Output]);
    assert_eq!(text(&records[1]), "a verbose word");
    assert_eq!(text(&records[2]), "a debug word");
    assert_eq!(text(&records[3]), "a warning: ünïcode & <brackets>");
    assert_eq!(value(&records[4]).property("MessageData"), Some(&"an information".into()));
    assert_eq!(text(&records[5]), "working");
    assert_eq!(value(&records[5]).property("PercentComplete"), Some(&50.into()));
    assert_eq!(text(&records[6]), "told otherwise");
    assert_eq!(value(&records[6]).property("FullyQualifiedErrorId"), Some(&"[Server=SHIM] 882BD051,GetMailbox".into()));
}

#[test]
fn a_terminating_error_comes_with_its_record() {
    let Some(shim) = Shim::start(&[]) else { return };
    let session = shim.connect();
    let (records, error) = run(&session, &command("Stop-Everything"));
    let error = error.expect("it ends with an error");
    assert_eq!((records.len(), error.kind()), (1, ErrorKind::CommandFailed));
    let record = clixml::read(error.record().expect("the record is there").as_bytes()).unwrap();
    assert_eq!(record.property("FullyQualifiedErrorId"), Some(&"EndOfAll,Stop-Everything".into()));
    assert_eq!(record.property("Exception").and_then(|e| e.property("Message")), Some(&"The end.".into()));

    let mut script = Command::new();
    script.add_script("1 + 1").unwrap();
    for (command, id) in [(command("Get-Nothing"), "CommandNotFoundException"), (script, "ScriptsNotAllowed")] {
        let (_, error) = run(&session, &command);
        let error = error.expect("it is refused");
        let record = clixml::read(error.record().expect("the record is there").as_bytes()).unwrap();
        assert_eq!(record.property("FullyQualifiedErrorId"), Some(&id.into()));
    }
    assert_eq!(output(&session, &command("Out-Nowhere")), [], "the session goes on");
}

#[test]
fn input_is_sent_while_the_command_runs() {
    let Some(shim) = Shim::start(&["--hold", "0.2"]) else { return };
    let session = shim.connect();
    let mut c = command("Write-Input");
    c.set("input", "true").unwrap();
    let invocation = session.invoke(&c).unwrap();
    // Meanwhile several Receives time out at the server, of which nothing is seen here.
    while shim.count("Receive") < 8 {
        assert!(matches!(invocation.next(Duration::from_millis(50)).unwrap(), Next::Pending));
    }
    // No $null: PowerShell sends it as a message without data, which psrpcore's server does not read.
    let sent: Vec<Value> = vec![1.into(), "zwei".into(), "x".repeat(1_000_000).into()];
    for v in sent.clone() {
        assert_eq!(invocation.send(v, FOREVER).unwrap(), Wait::Ready(()));
    }
    invocation.end_input().unwrap();
    let (records, error) = drain(&invocation);
    assert!(error.is_none(), "{error:?}");
    let mut got: Vec<Value> = records.iter().map(value).collect();
    assert_eq!(got.pop(), Some("end of input".into()));
    assert_eq!(got, sent);
}

#[test]
fn host_calls_are_answered_and_refused() {
    let Some(shim) = Shim::start(&[]) else { return };
    let session = shim.connect();

    let asked = session.invoke(&command("Read-Answer")).unwrap();
    let line = next(&asked).unwrap().unwrap();
    let head = line.call.as_ref().unwrap();
    assert_eq!((text(&line), head.method, head.wants_reply()), ("WriteLine2", 16, false));
    assert_eq!(value(&line).as_list(), Some(&["a question:".into()][..]));
    let question = next(&asked).unwrap().unwrap();
    let head = question.call.as_ref().unwrap();
    assert_eq!((head.method, head.wants_reply()), (11, true));
    asked.reply(head.call_id, Some("an answer".into())).unwrap();
    let (records, error) = drain(&asked);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records.iter().map(value).collect::<Vec<_>>(), ["an answer".into()]);

    let asked = session.invoke(&command("Select-Choice")).unwrap();
    let question = next(&asked).unwrap().unwrap();
    let head = question.call.as_ref().unwrap();
    let parameters = value(&question);
    let parameters = parameters.as_list().unwrap();
    assert_eq!((head.method, &parameters[0], parameters[3].as_i64()), (26, &"Confirm".into(), Some(1)));
    assert_eq!(parameters[2].as_list().map(<[Value]>::len), Some(2));
    asked.reply(head.call_id, Some(0.into())).unwrap();
    let (records, _) = drain(&asked);
    assert_eq!(value(&records[0]), 0.into());

    let asked = session.invoke(&command("Select-Choice")).unwrap();
    let question = next(&asked).unwrap().unwrap();
    asked.reply_error(question.call.unwrap().call_id, "nobody is there", "NobodyThere").unwrap();
    let (_, error) = drain(&asked);
    let error = error.expect("the command ends with the refusal");
    let record = clixml::read(error.record().unwrap().as_bytes()).unwrap();
    assert_eq!(record.property("FullyQualifiedErrorId"), Some(&"NobodyThere".into()));
    assert_eq!(record.property("Exception").and_then(|e| e.property("Message")), Some(&"nobody is there".into()));
}

#[test]
fn secure_strings_travel_both_ways() {
    let Some(shim) = Shim::start(&[]) else { return };
    let session = shim.connect();
    let (records, _) = run(&session, &command("Get-Secret"));
    assert!(records[0].secure);
    assert_eq!(session.exchange_key(FOREVER).unwrap(), Wait::Ready(()));
    let Some(Value::SecureString(encrypted)) = value(&records[0]).property("Password").cloned() else { panic!() };
    assert_eq!(session.unprotect(&encrypted).unwrap().reveal(), "correct horse ä😀");

    for plain in ["", "a", "correct horse ä😀", "sixteen units!!!"] {
        let encrypted = Value::SecureString(session.protect(&Secret::new(plain.into())).unwrap());
        let mut c = command("Test-Secret");
        c.add_argument(Some("Password".into()), encrypted.clone()).unwrap();
        assert_eq!(output(&session, &c), ["PSSecureString".into(), plain.into()]);
        if plain.is_empty() {
            continue;
        }
        let asked = session.invoke(&command("Read-Secret")).unwrap();
        let question = next(&asked).unwrap().unwrap().call.unwrap();
        assert_eq!(question.method, 12);
        asked.reply(question.call_id, Some(encrypted)).unwrap();
        let (records, _) = drain(&asked);
        assert_eq!(value(&records[0]), plain.into());
    }
}

#[test]
fn a_stopped_command_leaves_the_session_usable() {
    let Some(shim) = Shim::start(&[]) else { return };
    let session = shim.connect();
    for _ in 0..3 {
        let slow = session.invoke(&command("Get-Slowly")).unwrap();
        assert_eq!(value(&next(&slow).unwrap().unwrap()), "first".into());
        slow.stop();
        let (records, error) = drain(&slow);
        assert_eq!((records.len(), error.map(|e| e.kind())), (0, Some(ErrorKind::Cancelled)));
    }
    // Let go of in the middle: stopped in the background.
    let slow = session.invoke(&command("Get-Slowly")).unwrap();
    assert!(next(&slow).unwrap().is_some());
    drop(slow);
    assert_eq!(output(&session, &command("Out-Nowhere")), []);
    assert_eq!(session.state(), State::Opened);
}

#[test]
fn metadata_is_told() {
    let Some(shim) = Shim::start(&[]) else { return };
    let mut question = Command::new();
    question.describe("Get-S*").unwrap();
    question.describe("read-answer").unwrap();
    let told = output(&shim.connect(), &question);
    assert_eq!(told[0].property("Count").and_then(Value::as_i64), Some(3));
    let names: Vec<_> = told[1..].iter().map(|c| c.property("Name").and_then(Value::as_str).unwrap()).collect();
    assert_eq!(names, ["Read-Answer", "Get-Secret", "Get-Slowly"]);
}

#[test]
fn fragments_of_any_size_are_joined_and_cut() {
    for fragment in ["30", "1000", "100000"] {
        let Some(shim) = Shim::start(&["--fragment", fragment]) else { return };
        let session = shim.connect();
        let mut many = command("Get-Many");
        many.add_argument(Some("Count".into()), 300.into()).unwrap();
        let got = output(&session, &many);
        assert!(got.iter().map(|o| o.property("Number").and_then(Value::as_i64)).eq((0..300).map(Some)), "fragment {fragment}");
    }
    let Some(shim) = Shim::start(&[]) else { return };
    let session = shim.connect();
    let large = "ü<&".repeat(400_000);
    let mut echo = command("Get-Echo");
    echo.add_argument(None, large.as_str().into()).unwrap();
    assert_eq!(output(&session, &echo)[0].property("Value"), Some(&large.into()));
    assert!(shim.count("Send") > 0, "it did not fit one envelope");
}

#[test]
fn a_broken_pool_ends_command_and_session_and_leaves_no_shell() {
    let Some(shim) = Shim::start(&[]) else { return };
    let session = shim.connect();
    let (_, error) = run(&session, &command("Break-Pool"));
    assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Disconnected));
    assert_eq!(session.state(), State::Broken);
    let refused = session.invoke(&command("Out-Nowhere")).map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidState);
    assert_eq!(session.disconnect(FOREVER).unwrap(), Wait::Ready(()));
    assert_eq!(shim.count("open"), 0);
}

#[test]
fn sessions_open_and_close_side_by_side() {
    let Some(shim) = Shim::start(&[]) else { return };
    let sessions: Vec<Session> = (0..3).map(|_| shim.connect()).collect();
    assert_eq!(shim.count("open"), 3);
    let private = sessions[0].private_data().expect("it came before the session was open");
    let private = clixml::read(private.as_bytes()).unwrap();
    assert!(
        matches!(&private.as_object().unwrap().content, Content::Dictionary(d) if d.iter().any(|(k, _)| *k == "BoundParameters".into()))
    );
    for session in sessions {
        assert_eq!(session.disconnect(FOREVER).unwrap(), Wait::Ready(()));
        assert_eq!(session.state(), State::Closed);
    }
    assert_eq!((shim.count("open"), shim.count("Delete")), (0, 3));

    let mut wrong = shim.options();
    wrong.set_secret("password", Secret::new("wrong".into())).unwrap();
    let error = Session::connect(&wrong, None).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!((shim.count("open"), shim.count("Create")), (0, 3));
}
