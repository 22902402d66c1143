//! Against a server that answers with recorded shapes, and with what no service should.

use super::{connect, of, outputs, run, text};
use crate::http::server::{Answer, Server, reply};
use delegated_tenant::clixml::Value;
use delegated_tenant::error::fact;
use delegated_tenant::session::{RecordKind, State};
use delegated_tenant::{Error, ErrorKind};
use std::sync::LazyLock;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A server whose answers to InvokeCommand are given by their number, from 0.
fn server(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Server {
    RUNTIME.block_on(Server::start(move |number, seen| {
        if seen.line.contains("EXOBanner") {
            return reply(200, "", b"{}");
        }
        answer(number - 1, &seen.line)
    }))
}

fn api(server: &Server) -> String {
    format!("http://127.0.0.1:{}/adminapi/beta", server.port)
}

/// One Get-Mailbox with these parameters and what came of it.
fn asked(server: &Server, arguments: &[(&str, Value)]) -> (Vec<delegated_tenant::session::Record>, Option<Error>) {
    let session = connect(&api(server), &[]).unwrap();
    let outcome = run(&session, &[("Get-Mailbox", arguments)]);
    assert_eq!(session.state(), State::Opened, "a command ends no session");
    outcome
}

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(crate::support::root().join("tests/wire/rest").join(name)).unwrap()
}

#[test]
fn json_has_the_types_of_its_companions() {
    let server = server(|_, _| reply(200, "Content-Type: application/json\r\n", &recorded("success.json")));
    let (records, error) = asked(&server, &[]);
    assert!(error.is_none(), "{error:?}");
    let object = outputs(&records).remove(0);
    for (name, value) in [
        ("Name", Value::from("a")),
        ("Guid", Value::Guid("792e5b37-4505-47ef-b7d2-8711bb7affa8".parse().unwrap())),
        ("WhenCreated", Value::DateTime("2024-03-01T00:30:00.0000000Z".into())),
        ("Priority", Value::I32(3)),
        ("Odd", Value::U16(7)),
        ("RetainDeletedItemsFor", Value::Duration("P14D".into())),
        ("ProhibitSendQuota", "99 GB (106,300,440,576 bytes)".into()),
        ("IssueWarningQuota", "Unlimited".into()),
        ("Hidden", false.into()),
        ("Nothing", Value::Nil),
        ("LastUsedDate(DateTime])", "x".into()),
    ] {
        assert_eq!(object.property(name), Some(&value), "{name}");
    }
    assert_eq!(object.property("EmailAddresses").and_then(Value::as_list).map(<[Value]>::len), Some(2));
    assert_eq!(text(&of(&records, RecordKind::Warning)[0], "InformationalRecord_Message"), "Mind the gap.");
}

#[test]
fn clixml_is_handed_on_one_object_at_a_time() {
    let server = server(|_, _| reply(200, "", &recorded("clixml.json")));
    let (records, error) = asked(&server, &[]);
    assert!(error.is_none(), "{error:?}");
    let found = outputs(&records);
    assert_eq!(found.iter().map(|o| text(o, "Name")).collect::<Vec<_>>(), ["one", "two", "three"]);
    assert!(found.iter().all(|o| o.as_object().unwrap().is_a("Microsoft.Exchange.Data.X")));
    let beside = &of(&records, RecordKind::Error)[0];
    assert_eq!(text(beside, "ErrorCategory_Reason"), "ArgumentException");
}

#[test]
fn an_error_has_the_identity_that_the_service_gives() {
    let head = "request-id: 11111111-2222-3333-4444-555555555555\r\nX-CalculatedBETarget: am0pr01.eurprd01.prod.outlook.com\r\nDate: Tue, 03 Mar 2026 10:00:00 GMT\r\nx-ExceptionTargetType: MailboxIdParameter\r\n";
    let server = server(move |n, _| reply([400, 500][n % 2], head, &recorded(["error.json", "inner.json"][n % 2])));
    let session = connect(&api(&server), &[]).unwrap();
    let error = || of(&run(&session, &[("Get-Mailbox", &[])]).0, RecordKind::Error).remove(0);
    let record = error();
    let id = "[Server=am0pr01,RequestId=11111111-2222-3333-4444-555555555555,TimeStamp=Tue, 03 Mar 2026 10:00:00 GMT],Write-ErrorMessage";
    for (name, value) in [
        ("FullyQualifiedErrorId", id),
        ("ErrorCategory_Reason", "ManagementObjectNotFoundException"),
        ("ErrorCategory_TargetName", "nobody"),
        ("ErrorCategory_TargetType", "MailboxIdParameter"),
        ("ErrorCategory_Activity", "Get-Mailbox"),
    ] {
        assert_eq!(text(&record, name), value);
    }
    assert_eq!(record.property("ErrorCategory_Category"), Some(&Value::I32(13)));
    assert!(text(record.property("Exception").unwrap(), "Message").ends_with("object 'nobody' couldn't be found."));
    let record = error();
    assert_eq!(
        (text(&record, "ErrorCategory_Reason"), text(record.property("Exception").unwrap(), "Message")),
        ("ADTransientException", "The server is busy.")
    );
}

#[test]
fn a_token_goes_to_no_other_host_and_pages_end() {
    let all: &[(&str, Value)] = &[("ResultSize", Value::String("Unlimited".into()))];
    let foreign = server(|_, _| reply(200, "", br#"{"@odata.nextLink":"https://evil.example/InvokeCommand?x","value":[{"a":1}]}"#));
    let (records, error) = asked(&foreign, all);
    let error = error.unwrap();
    assert_eq!((error.kind(), error.fact(fact::REDIRECT_LOCATION)), (ErrorKind::Protocol, Some("https://evil.example/InvokeCommand?x")));
    assert!(records.is_empty());

    let circle = server(|n, _| reply(200, "", format!(r#"{{"@odata.nextLink":"/x?{}","value":[{{"a":1}}]}}"#, n.min(3)).as_bytes()));
    let (_, error) = asked(&circle, all);
    assert_eq!(error.unwrap().kind(), ErrorKind::Protocol);

    let empty = server(|n, _| reply(200, "", format!(r#"{{"@odata.nextLink":"/x?{n}","value":[]}}"#).as_bytes()));
    let (_, error) = asked(&empty, all);
    assert_eq!(error.unwrap().kind(), ErrorKind::Protocol);
    assert!(empty.seen().len() < 150);

    let elsewhere = server(|_, _| reply(302, "Location: https://evil.example/adminapi/beta\r\n", b""));
    let (_, error) = asked(&elsewhere, &[]);
    assert_eq!(error.unwrap().kind(), ErrorKind::Redirected);
}

#[test]
fn hostile_answers_are_bounded() {
    let deep = format!(r#"{{"value":[{{"a":{}1{}}}]}}"#, "[".repeat(200_000), "]".repeat(200_000));
    let nested = format!(r#"{{"value":[{{"_clixml":"{}"}}]}}"#, r#"<Obj RefId=\"0\"><LST>"#.repeat(50_000));
    let answers = [
        deep,
        nested,
        r#"{"value":[{"a":1}"#.into(),
        r#"{"value":[{"_clixml":5}]}"#.into(),
        r#"{"@odata.nextLink":5,"value":[]}"#.into(),
        "null".into(),
    ];
    let count = answers.len();
    let server = server(move |n, _| reply(200, "", answers[n % count].as_bytes()));
    let session = connect(&api(&server), &[]).unwrap();
    for n in 0..count {
        let (records, error) = run(&session, &[("Get-Mailbox", &[])]);
        assert!(error.as_ref().is_some_and(|e| e.kind() == ErrorKind::Protocol) || outputs(&records).len() == 1, "{n}: {error:?}");
    }
    assert_eq!(session.state(), State::Opened);
}

#[test]
fn a_claims_challenge_and_a_refusal_are_told() {
    let refused = server(|_, _| reply(401, "WWW-Authenticate: Bearer error=\"insufficient_claims\", claims=\"eyJhIjoxfQ==\"\r\n", b""));
    let (_, error) = asked(&refused, &[]);
    let error = error.unwrap();
    assert!(error.kind() == ErrorKind::Authentication && !format!("{error:?}").contains("token-of-a-test"), "{error:?}");
    let nothing = server(|_, _| reply(204, "", b""));
    let (records, error) = asked(&nothing, &[]);
    assert!(records.is_empty() && error.is_none(), "{error:?}");
}
