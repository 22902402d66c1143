//! How arguments and input find their parameters, and when the service's module is asked for that.

use super::{LONG, collect, connect, of, outputs, pipeline, run, text};
use crate::http::server::{Answer, Server, reply};
use delegated_tenant::clixml::{Object, Property, Value};
use delegated_tenant::session::{RecordKind, Session, Wait};
use serde_json::{Value as Json, json};
use std::sync::LazyLock;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

const NONE: Value = Value::Nil;

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(crate::support::root().join("tests/wire/rest").join(name)).unwrap()
}

/// A service with this answer for its module, and one for each command, or for a batch.
fn service(module: u16, answer: impl Fn(&Json) -> Answer + Send + Sync + 'static) -> (Server, Session) {
    let server = RUNTIME.block_on(Server::start(move |_, seen| {
        if seen.line.contains("EXOBanner") {
            return reply(200, "", b"{}");
        }
        if seen.line.contains("EXOModuleFile") {
            return reply(module, "", &if module == 200 { recorded("module.json") } else { Vec::new() });
        }
        answer(&serde_json::from_slice(&seen.body).unwrap())
    }));
    let session = connect(&format!("http://127.0.0.1:{}/adminapi/beta", server.port), &[]).unwrap();
    (server, session)
}

fn nothing(_: &Json) -> Answer {
    reply(200, "", br#"{"value":[]}"#)
}

/// What was asked since: `module NAMES`, or a command's name with its parameters.
fn asked(server: &Server) -> Vec<String> {
    let line = |seen: crate::http::server::Seen| {
        if seen.line.contains("EXOModuleFile") {
            return format!("module {}", seen.header("commandname").unwrap_or_default());
        }
        let body: Json = serde_json::from_slice(&seen.body).unwrap();
        format!("{} {}", body["CmdletInput"]["CmdletName"].as_str().unwrap(), body["CmdletInput"]["Parameters"])
    };
    server.seen().into_iter().skip(1).map(line).collect()
}

fn refusal(session: &Session, commands: &[(&str, &[(&str, Value)])]) -> String {
    let (records, error) = run(session, commands);
    assert!(records.is_empty(), "{records:?}");
    error.unwrap().record().unwrap_or_default().to_owned()
}

#[test]
fn the_module_is_asked_for_once_and_only_where_it_is_needed() {
    let (server, session) = service(200, nothing);
    let get = |arguments: &[(&str, Value)]| {
        let (_, error) = run(&session, &[("Get-Thing", arguments)]);
        assert!(error.is_none(), "{error:?}");
    };
    get(&[("-ResultSize", NONE), ("", 100.into())]);
    get(&[("", "a".into()), ("-Archive", NONE), ("-Whatever:", 1.into())]);
    assert_eq!(asked(&server), [r#"Get-Thing {"ResultSize":100}"#, r#"Get-Thing {"Archive":true,"Identity":"a","Whatever":1}"#]);
    get(&[("-Ident", NONE), ("", "a".into())]);
    get(&[("-Unheard", NONE), ("", "b".into()), ("-colo", NONE), ("", 1.into())]
        .map(|(n, v)| if n == "-colo" { ("-colour", v) } else { (n, v) }));
    for (arguments, id) in [
        (&[("-Col", NONE), ("", 1.into())][..], "AmbiguousParameter,Get-Thing"),
        (&[("-Nothing", NONE)], "NamedParameterNotFound,Get-Thing"),
        (&[("-WhatIf", NONE)], "NamedParameterNotFound,Get-Thing"),
        (&[("-Anr", NONE)], "MissingArgument,Get-Thing"),
        (&[("", "a".into()), ("", "b".into())], "PositionalParameterNotFound,Get-Thing"),
    ] {
        let record = refusal(&session, &[("Get-Thing", arguments)]);
        assert!(record.contains(id), "{arguments:?}: {record}");
    }
    assert_eq!(
        asked(&server)[2..],
        ["module Get-Thing", r#"Get-Thing {"Identity":"a"}"#, r#"Get-Thing {"Color":1,"Identity":"b","Unheard":true}"#]
    );
}

#[test]
fn a_pipeline_is_bound_before_any_of_it_runs() {
    let (server, session) = service(200, nothing);
    let record =
        refusal(&session, &[("Set-Thing", &[("", "a".into()), ("-Loud", NONE), ("", true.into())]), ("Stop-Thing", &[("-Nothing", NONE)])]);
    assert!(record.contains("NamedParameterNotFound,Stop-Thing"), "{record}");
    let record = refusal(&session, &[("Get-Thing", &[]), ("Select-Object", &[("-E", NONE), ("", "Name".into())])]);
    assert!(record.contains("AmbiguousParameter,Microsoft.PowerShell.Commands.SelectObjectCommand"), "{record}");
    assert_eq!(asked(&server), ["module Set-Thing,Stop-Thing"]);
    let (_, error) = run(&session, &[("Get-Thing", &[]), ("Select", &[("-Exp", NONE), ("", "Name".into()), ("-F", NONE), ("", 1.into())])]);
    assert!(error.is_none(), "{error:?}");
}

#[test]
fn the_impact_is_what_the_module_says() {
    let (server, session) = service(200, nothing);
    let (_, error) = run(&session, &[("Remove-Thing", &[("", "a".into())])]);
    assert!(error.is_none(), "its impact is low: {error:?}");
    let record = refusal(&session, &[("Stop-Thing", &[("", "a".into())])]);
    assert!(record.contains("asks for confirmation"), "{record}");
    let (_, error) = run(&session, &[("Stop-Thing", &[("", "a".into()), ("-Conf:", false.into())])]);
    assert!(error.is_none(), "{error:?}");
    let sent = ["module Remove-Thing", r#"Remove-Thing {"Identity":"a"}"#, r#"Stop-Thing {"Confirm":false,"Identity":"a"}"#];
    assert_eq!(asked(&server), sent, "the first answer held them all");
    let (server, session) = service(200, nothing);
    let (_, error) = run(&session, &[("Set-Thing", &[("", "a".into()), ("-Name", NONE), ("", "b".into())])]);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        asked(&server),
        [r#"Set-Thing {"Identity":"a","Name":"b"}"#],
        "one that by all accounts does not ask is not worth the question"
    );
}

#[test]
fn without_a_module_it_is_as_good_as_the_names_that_are_known() {
    for status in [403, 404] {
        let (server, session) = service(status, nothing);
        for _ in 0..2 {
            let (_, error) = run(&session, &[("Get-Thing", &[("-Unheard", NONE), ("-Foo", NONE), ("", "x".into())])]);
            assert!(error.is_none(), "{error:?}");
        }
        let record = refusal(&session, &[("Remove-Thing", &[("", "a".into())])]);
        assert!(record.contains("asks for confirmation"), "{record}");
        let sent = r#"Get-Thing {"Foo":"x","Unheard":true}"#;
        assert_eq!(asked(&server), ["module Get-Thing", sent, sent, "module Remove-Thing"], "{status}");
    }
    let (server, session) = service(500, nothing);
    let (_, error) = run(&session, &[("Set-Thing", &[("-Unheard", NONE)])]);
    assert!(error.unwrap().to_string().contains("module"));
    assert_eq!(asked(&server), ["module Set-Thing"], "what is in doubt is not sent");
}

#[test]
fn a_name_that_the_service_refuses_is_looked_up() {
    let (server, session) = service(200, |body| match &body["CmdletInput"]["Parameters"] {
        Json::Object(p) if p.contains_key("Member") || p.contains_key("Anything") => {
            let message = "|Microsoft.Exchange.Management.PSDirectInvoke.AmbiguousParameterSetException|A parameter cannot be found.";
            reply(400, "", json!({"error": {"code": "BadRequest", "details": [{"message": message}]}}).to_string().as_bytes())
        }
        _ => nothing(body),
    });
    let (records, error) = run(&session, &[("Set-Thing", &[("", "a".into()), ("-Member", NONE), ("", "b".into())])]);
    assert!(error.is_none() && records.is_empty(), "{error:?} {records:?}");
    let sent = [r#"Set-Thing {"Identity":"a","Member":"b"}"#, "module Set-Thing", r#"Set-Thing {"Identity":"a","Members":"b"}"#];
    assert_eq!(asked(&server), sent);
    let (server, session) = service(404, |_| {
        let message = "|Microsoft.Exchange.Management.PSDirectInvoke.AmbiguousParameterSetException|A parameter cannot be found.";
        reply(400, "", json!({"error": {"details": [{"message": message}]}}).to_string().as_bytes())
    });
    let (records, error) = run(&session, &[("Set-Thing", &[("Anything", "b".into())])]);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text(&of(&records, RecordKind::Error)[0], "ErrorCategory_Reason"), "AmbiguousParameterSetException");
    assert_eq!(asked(&server).len(), 2);
}

/// Sends values down the pipeline into a command.
fn piped(session: &Session, name: &str, arguments: &[(&str, Value)], values: &[Value]) -> Vec<delegated_tenant::session::Record> {
    let mut command = pipeline(&[(name, arguments)]);
    command.set("input", "true").unwrap();
    let invocation = session.invoke(&command).unwrap();
    for value in values {
        assert_eq!(invocation.send(value.clone(), LONG).unwrap(), Wait::Ready(()));
    }
    invocation.end_input().unwrap();
    let (records, error) = collect(&invocation);
    assert!(error.is_none(), "{error:?}");
    records
}

fn bag(type_name: &str, properties: &[(&str, &str)]) -> Value {
    let properties = properties.iter().map(|(n, v)| Property::new(*n, *v)).collect();
    Object { type_names: Some(delegated_tenant::clixml::type_names(&[type_name, "System.Object"])), ..Object::bag(properties) }.into()
}

#[test]
fn input_binds_by_value_and_by_property_name() {
    const ROW: &str = "System.Management.Automation.PSCustomObject";
    let (server, session) = service(200, nothing);
    let mailbox = bag("Deserialized.Microsoft.Exchange.Data.Mailbox", &[("Name", "n"), ("guid", "g")]);
    piped(&session, "Get-Thing", &[], &[mailbox]);
    piped(&session, "Get-Thing", &[("Anr", "x".into())], &["a".into()]);
    assert_eq!(asked(&server), [r#"Get-Thing {"Identity":"g"}"#, r#"Get-Thing {"Anr":"x","Identity":"a"}"#], "no need of the module");
    let rows =
        [bag(ROW, &[("identity", "a"), ("USER", "u"), ("Loud", "x")]), bag(ROW, &[("Name", "nobody's")]), bag(ROW, &[("User", "v")])];
    let records = piped(&session, "Set-Thing", &[("Identity", "given".into())], &rows[..2]);
    let errors = of(&records, RecordKind::Error);
    assert_eq!(errors.iter().map(|e| text(e, "FullyQualifiedErrorId")).collect::<Vec<_>>(), ["InputObjectNotBound,Set-Thing"]);
    let records = piped(&session, "Set-Thing", &[], &[rows[0].clone()]);
    assert!(records.is_empty(), "{records:?}");
    assert_eq!(
        asked(&server)[2..],
        ["module Set-Thing", r#"Set-Thing {"Identity":"given","User":"u"}"#, r#"Set-Thing {"Identity":"a","User":"u"}"#]
    );
    // The name of a row is not who is meant.
    let (server, session) = service(404, nothing);
    let records = piped(&session, "Remove-Thing", &[("-Confirm:", false.into())], &rows[1..2]);
    assert_eq!((of(&records, RecordKind::Error).len(), asked(&server)), (1, vec![String::from("module Remove-Thing")]));
}

#[test]
fn a_batch_is_what_the_service_reads_and_each_answer_finds_its_place() {
    // A batch takes what has come; on a busy machine that is not always all three.
    let whole = (0..50).find_map(|_| {
        let (server, session) = service(200, |_| reply(200, "", &recorded("batch.json")));
        let records = piped(&session, "Get-Thing", &[], &["a".into(), "b".into(), "c".into()]);
        let members = serde_json::from_slice::<Json>(&server.seen()[1].body).unwrap()["requests"].as_array().map_or(0, Vec::len);
        (members == 3).then_some((server, records))
    });
    let (server, records) = whole.expect("a batch of three");
    let told: Vec<_> = records.iter().map(|r| (r.kind, String::from_utf8_lossy(r.clixml()).into_owned())).collect();
    let order = [
        (RecordKind::Output, ">a<"),
        (RecordKind::Error, "object 'b' couldn"),
        (RecordKind::Output, ">c<"),
        (RecordKind::Warning, "Mind c."),
    ];
    assert_eq!(told.len(), order.len(), "{told:?}");
    for ((kind, text), (expected, part)) in told.iter().zip(order) {
        assert!(*kind == expected && text.contains(part), "{text}");
    }
    assert_eq!(text(&of(&records, RecordKind::Error)[0], "ErrorCategory_TargetName"), "b");
    assert!(outputs(&records).len() == 2);
    let seen = server.seen();
    assert_eq!((seen.len(), seen[1].header("prefer")), (2, Some("odata.maxpagesize=1000;odata.continue-on-error")));
    let body: Json = serde_json::from_slice(&seen[1].body).unwrap();
    let url = format!("http://127.0.0.1:{}/adminapi/beta/fabrikam.com/InvokeCommand", server.port);
    for (at, name) in ["a", "b", "c"].iter().enumerate() {
        let member = &body["requests"][at];
        assert_eq!(
            *member,
            json!({"id": at.to_string(), "method": "POST", "url": url, "headers": member["headers"], "body": {"CmdletInput": {"CmdletName": "Get-Thing", "Parameters": {"Identity": name}}}})
        );
        assert_eq!(member["headers"]["Authorization"], "Bearer token-of-a-test");
        for name in ["X-AnchorMailbox", "client-request-id", "connection-id"] {
            let outer = seen[1].header(&name.to_ascii_lowercase());
            assert!(outer.is_some() && member["headers"][name].as_str() == outer, "{name}");
        }
    }
}

#[test]
fn a_service_without_batches_is_asked_one_by_one() {
    // On a busy machine the second comes when the first has gone alone: then there is no batch that could be refused.
    let refused = (0..50).any(|_| {
        let (server, session) = service(200, |body| if body["requests"].is_array() { reply(404, "", b"") } else { nothing(body) });
        let records = piped(&session, "Get-Thing", &[], &["a".into(), "b".into()]);
        assert!(records.is_empty(), "{records:?}");
        let seen = server.seen();
        let batches = seen.iter().filter(|s| s.line.contains("$batch")).count();
        assert_eq!(seen.iter().filter(|s| s.line.contains("InvokeCommand")).count(), 2);
        assert_eq!(seen.len(), 3 + batches);
        batches == 1
    });
    assert!(refused);
}

#[test]
fn what_may_be_the_last_to_run_goes_alone() {
    let refused = json!({"error": {"details": [{"message": "|System.ArgumentException|No."}]}}).to_string();
    let (server, session) = service(200, move |_| reply(400, "", refused.as_bytes()));
    let mut command = pipeline(&[("Set-Thing", &[("-ErrorAction", NONE), ("", "Stop".into())])]);
    command.set("input", "true").unwrap();
    let invocation = session.invoke(&command).unwrap();
    for value in ["a", "b", "c"] {
        // The command may have ended before.
        let _ = invocation.send(value.into(), LONG);
    }
    let _ = invocation.end_input();
    let (_, error) = collect(&invocation);
    assert!(error.is_some());
    assert_eq!(asked(&server), ["module Set-Thing", r#"Set-Thing {"Identity":"a"}"#]);
}
