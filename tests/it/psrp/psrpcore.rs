//! psrpcore (PyPI), which we did not write, at the other end: `tests/interop/psrpcore_peer.py`.

use super::*;
use crate::support;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delegated_tenant::clixml::{self, Object, Property, type_names};
use delegated_tenant::secret::Secret;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

/// psrpcore as a process, for as long as this lives: it ends with its standard input.
struct Peer {
    child: Child,
    replies: BufReader<ChildStdout>,
}

/// What one request led to.
#[derive(Debug, Default)]
struct Answer {
    events: Vec<Json>,
    /// For the pool.
    pool: Vec<Bytes>,
    /// For a pipeline.
    pipeline: Vec<Bytes>,
    streams: Vec<String>,
}

impl Answer {
    fn event(&self, class: &str) -> &Json {
        self.events.iter().find(|e| e["event"] == class).unwrap_or_else(|| panic!("no {class} in {:?}", self.events))
    }
}

impl Peer {
    fn start(end: &str) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/psrpcore_peer.py");
        let mut command = std::process::Command::new(support::python()?);
        let mut child = command.arg(script).arg(end).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psrpcore starts");
        let replies = BufReader::new(child.stdout.take().expect("it is piped"));
        Some(Self { child, replies })
    }

    fn ask(&mut self, request: Json) -> Answer {
        writeln!(self.child.stdin.as_mut().expect("it is piped"), "{request}").unwrap();
        let mut answer = Answer::default();
        loop {
            let mut line = String::new();
            self.replies.read_line(&mut line).unwrap();
            let reply: Json = serde_json::from_str(&line).expect("the peer answers");
            if reply["event"].is_string() {
                answer.events.push(reply);
            } else if let Some(data) = reply["data"].as_str() {
                let to = if reply["pipeline"].is_null() { &mut answer.pool } else { &mut answer.pipeline };
                to.push(STANDARD.decode(data).unwrap().into());
                answer.streams.push(reply["stream"].as_str().unwrap().to_owned());
            } else if reply["end"] == true {
                return answer;
            } else {
                panic!("psrpcore refused: {reply}");
            }
        }
    }

    /// Gives bytes that go to the pool, or to one pipeline.
    fn give(&mut self, pipeline: Option<Uuid>, fragments: &[Bytes]) -> Answer {
        let data = STANDARD.encode(fragments.concat());
        self.ask(json!({ "data": data, "pipeline": pipeline.map(|p| p.to_string()) }))
    }

    fn act(&mut self, what: &str, pipeline: Option<Uuid>, mut more: Json) -> Answer {
        more["do"] = what.into();
        more["pipeline"] = pipeline.map(|p| p.to_string()).into();
        self.ask(more)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn dictionary(entries: Vec<(Value, Value)>) -> Value {
    let types = type_names(&["System.Management.Automation.PSPrimitiveDictionary", "System.Collections.Hashtable", "System.Object"]);
    Object { type_names: Some(types), content: clixml::Content::Dictionary(entries), ..Object::new() }.into()
}

/// Our client, open on psrpcore's server, and what the server saw of the opening.
fn client() -> Option<(Peer, ClientPool, Answer)> {
    let mut peer = Peer::start("server")?;
    let mut client = ClientPool::new(PoolConfig { application_arguments: dictionary(vec![("Who".into(), "us".into())]), ..config(300) });
    let answer = peer.give(None, &client.open());
    let events = pool_events(&mut client, &answer.pool);
    let [PoolEvent::Capability(protocol, ..), PoolEvent::PrivateData(data), PoolEvent::State(PoolState::Opened, None)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(protocol, "2.3");
    let text = clixml::write(data);
    assert!(text.contains("hello") && text.contains("PSVersionTable"), "{text}");
    Some((peer, client, answer))
}

/// A pipeline that psrpcore's server runs, and what it saw of it.
fn running(peer: &mut Peer, client: &mut ClientPool, powershell: &PowerShell) -> (ClientPipeline, Answer) {
    let (pipeline, fragments) = client.create_pipeline(powershell).unwrap();
    peer.act("pipeline", Some(pipeline.id()), json!({}));
    let answer = peer.give(Some(pipeline.id()), &fragments);
    peer.act("start", Some(pipeline.id()), json!({}));
    (pipeline, answer)
}

#[test]
fn its_server_opens_for_our_client() {
    let Some((_peer, client, answer)) = client() else { return };
    let init = answer.event("InitRunspacePoolEvent");
    assert_eq!((&init["min_runspaces"], &init["max_runspaces"]), (&json!(1), &json!(1)));
    assert_eq!(init["application_arguments"]["Who"], "us");
    assert_eq!((&init["apartment_state"], &init["ps_thread_options"]), (&json!(2), &json!(0)));
    let host = &init["host_info"];
    assert_eq!((&host["IsHostNull"], &host["UseRunspaceHost"]), (&json!(false), &json!(false)));
    assert_eq!(host["HostDefaultData"]["WindowSize"], json!({ "Width": 120, "Height": 50 }));
    assert_eq!(host["HostDefaultData"]["WindowTitle"], "test");
    let capability = answer.event("SessionCapabilityEvent");
    assert_eq!((&capability["protocol_version"], &capability["ps_version"]), (&json!("2.3"), &json!("2.0")));
    assert_eq!(client.protocol(), Some((2, 3)));
}

#[test]
fn its_server_understands_our_commands() {
    let Some((mut peer, mut client, _)) = client() else { return };
    let argument = |name: Option<&str>, value: Value| Argument { name: name.map(str::to_owned), value };
    let mut first = command("Get-Mailbox");
    first.arguments = vec![argument(Some("-Identity"), Value::Nil), argument(None, "Søn 日本 😀\n_x000A_".into())];
    first.merge = Merge { warning: 1, ..Merge::default() };
    let second = Command { use_local_scope: Some(true), end_of_statement: true, ..command("Select-Object") };
    let third = Command { is_script: true, arguments: vec![argument(Some("-First:"), 5.into())], ..command("$x = 1") };
    let run = PowerShell {
        history: Some("Get-Mailbox …".into()),
        no_input: false,
        stream_options: 15,
        host: Some(HostInfo::console(80, 25, "own")),
        ..powershell(vec![first, second, third])
    };
    let (_, answer) = running(&mut peer, &mut client, &run);
    let seen = &answer.event("CreatePipelineEvent")["pipeline"];
    assert_eq!((&seen["no_input"], &seen["add_to_history"], &seen["remote_stream_options"]), (&json!(false), &json!(true), &json!(15)));
    assert_eq!((&seen["history"], &seen["redirect_shell_error_to_out"]), (&json!("Get-Mailbox …"), &json!(true)));
    assert_eq!(seen["host"]["HostDefaultData"]["WindowTitle"], "own");
    let commands = seen["commands"].as_array().unwrap();
    let column = |name: &str| commands.iter().map(|c| c[name].clone()).collect::<Json>();
    assert_eq!(column("command_text"), json!(["Get-Mailbox", "Select-Object", "$x = 1"]));
    assert_eq!(column("is_script"), json!([false, false, true]));
    assert_eq!(column("use_local_scope"), json!([null, true, null]));
    assert_eq!(column("end_of_statement"), json!([false, true, true]), "psrpcore ends the last statement too");
    assert_eq!(column("merge_warning"), json!([1, 0, 0]));
    assert_eq!(commands[0]["parameters"], json!([["-Identity", null], [null, "Søn 日本 😀\n_x000A_"]]));
    assert_eq!(commands[2]["parameters"], json!([["-First:", 5]]));
}

#[test]
fn its_server_takes_our_input_and_our_query() {
    let Some((mut peer, mut client, _)) = client() else { return };
    let run = PowerShell { no_input: false, ..powershell(vec![command("Set-Mailbox")]) };
    let (pipeline, _) = running(&mut peer, &mut client, &run);
    let bag = Object::bag(vec![Property::new("Name", "a"), Property::new("Size", 3i64)]).into();
    let fragments = [pipeline.input(&"eins".into()), pipeline.input(&bag), pipeline.end_input()].concat();
    let mut events = Vec::new();
    for fragment in fragments {
        events.extend(peer.give(Some(pipeline.id()), &[fragment]).events);
    }
    let data: Json = events.iter().map(|e| e["data"].clone()).collect();
    assert_eq!(data, json!(["eins", { "Name": "a", "Size": 3 }, null]));
    assert_eq!(events[2]["event"], "EndOfPipelineInputEvent");

    let query = MetadataQuery { names: vec!["Get-*".into()], command_types: 10, modules: vec!["Exchange*".into()], arguments: vec![] };
    let (pipeline, fragments) = client.get_command_metadata(&query).unwrap();
    peer.act("pipeline", Some(pipeline.id()), json!({}));
    let answer = peer.give(Some(pipeline.id()), &fragments);
    let seen = &answer.event("GetCommandMetadataEvent")["pipeline"];
    assert_eq!(seen, &json!({ "name": ["Get-*"], "command_type": 10, "namespace": ["Exchange*"], "arguments": null }));
}

#[test]
fn our_client_reads_every_stream_of_its_server() {
    let Some((mut peer, mut client, _)) = client() else { return };
    let (mut pipeline, _) = running(&mut peer, &mut client, &powershell(vec![command("Get-Mailbox")]));
    let text = "Søn 日本 😀 _x000A_ ".repeat(60);
    let answer = peer.act("streams", Some(pipeline.id()), json!({ "text": text }));
    assert!(answer.pipeline.len() > 20, "the records are cut");
    let mut texts = Vec::new();
    for event in pipeline_events(&mut pipeline, &answer.pipeline) {
        let PipelineEvent::Record(stream, data) = event else { panic!("{event:?}") };
        let value = clixml::read(&data).unwrap();
        let name = match stream {
            Stream::Output => "",
            Stream::Error => "Exception",
            Stream::Debug | Stream::Verbose | Stream::Warning => "InformationalRecord_Message",
            Stream::Progress => "Activity",
            Stream::Information => "MessageData",
        };
        let said = value.property(name).unwrap_or(&value);
        let said = said.property("Message").unwrap_or(said);
        texts.push((stream, said.as_str().map(str::to_owned)));
    }
    let said = Some(text);
    let expected = [
        (Stream::Output, said.clone()),
        (Stream::Output, None),
        (Stream::Error, said.clone()),
        (Stream::Debug, said.clone()),
        (Stream::Verbose, said.clone()),
        (Stream::Warning, said.clone()),
        (Stream::Progress, said.clone()),
        (Stream::Information, said),
    ];
    assert_eq!(texts, expected);
    let answer = peer.act("complete", Some(pipeline.id()), json!({}));
    let events = pipeline_events(&mut pipeline, &answer.pipeline);
    assert!(matches!(&events[..], [PipelineEvent::State(PipelineState::Completed, None)]), "{events:?}");

    let (mut pipeline, _) = running(&mut peer, &mut client, &powershell(vec![command("Get-Mailbox")]));
    let answer = peer.act("stop", Some(pipeline.id()), json!({}));
    let events = pipeline_events(&mut pipeline, &answer.pipeline);
    let [PipelineEvent::State(PipelineState::Stopped, Some(record))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(record.property("FullyQualifiedErrorId").and_then(Value::as_str), Some("PipelineStopped"));
}

#[test]
fn our_client_answers_the_host_calls_of_its_server() {
    let Some((mut peer, mut client, _)) = client() else { return };
    let (mut pipeline, _) = running(&mut peer, &mut client, &powershell(vec![command("Remove-Mailbox")]));
    let call = json!({ "method": 26, "parameters": ["Confirm", "Sure?", [], 0] });
    let answer = peer.act("host_call", Some(pipeline.id()), call);
    let events = pipeline_events(&mut pipeline, &answer.pipeline);
    let [PipelineEvent::HostCall(call, _)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((call.method_name.as_str(), call.wants_response(), &call.parameters[1]), ("PromptForChoice", true, &"Sure?".into()));
    let response = HostResponse { call_id: call.call_id, method: call.method, result: Ok(Some(2.into())) };
    let answer = peer.give(Some(pipeline.id()), &pipeline.host_response(&response));
    let seen = answer.event("PipelineHostResponseEvent");
    assert_eq!((&seen["ci"], &seen["method_identifier"], &seen["result"]), (&json!(call.call_id), &json!(26), &json!(2)));

    let answer = peer.act("host_call", None, json!({ "method": 22, "parameters": ["careful"] }));
    let events = pool_events(&mut client, &answer.pool);
    assert!(matches!(&events[..], [PoolEvent::HostCall(c)] if !c.wants_response() && c.parameters == ["careful".into()]), "{events:?}");
    let answer = peer.act("host_call", None, json!({ "method": 11, "parameters": [] }));
    let events = pool_events(&mut client, &answer.pool);
    let [PoolEvent::HostCall(call)] = &events[..] else { panic!("{events:?}") };
    let response = HostResponse { call_id: call.call_id, method: call.method, result: Ok(Some("typed".into())) };
    let answer = peer.give(None, &client.host_response(&response));
    assert_eq!(answer.event("RunspacePoolHostResponseEvent")["result"], "typed");
}

#[test]
fn a_secret_passes_between_our_client_and_its_server() {
    let Some((mut peer, mut client, _)) = client() else { return };
    let answer = peer.act("request_key", None, json!({}));
    let events = pool_events(&mut client, &answer.pool);
    assert!(matches!(&events[..], [PoolEvent::KeyRequested]));
    let request = client.request_key().unwrap().unwrap();
    let answer = peer.give(None, &request);
    let events = pool_events(&mut client, &answer.pool);
    assert!(matches!(&events[..], [PoolEvent::KeyReady]));
    let key = client.key().unwrap().clone();
    let mut run = command("New-Mailbox");
    let secret = Value::SecureString(key.protect(&Secret::new("Pa55w.rd 日本".into())));
    run.arguments = vec![Argument { name: Some("Password".into()), value: secret }];
    let (mut pipeline, answer) = running(&mut peer, &mut client, &powershell(vec![run]));
    let seen = &answer.event("CreatePipelineEvent")["pipeline"]["commands"][0]["parameters"];
    assert_eq!(seen, &json!([["Password", { "secret": "Pa55w.rd 日本" }]]));
    let answer = peer.act("secret", Some(pipeline.id()), json!({ "text": "geheim" }));
    let events = pipeline_events(&mut pipeline, &answer.pipeline);
    let [PipelineEvent::Record(Stream::Output, data)] = &events[..] else { panic!("{events:?}") };
    let Value::SecureString(encrypted) = clixml::read(data).unwrap() else { panic!("{data:?}") };
    assert_eq!(key.unprotect(&encrypted).unwrap().reveal(), "geheim");
}

#[test]
fn our_client_manages_the_runspaces_of_its_server() {
    let Some((mut peer, mut client, _)) = client() else { return };
    type Call = fn(&mut ClientPool) -> delegated_tenant::Result<(i64, Vec<Bytes>)>;
    let calls: [(&str, Call, Json, Value); 4] = [
        ("GetAvailableRunspacesEvent", |c| c.get_available_runspaces(), json!(1), 1.into()),
        ("SetMaxRunspacesEvent", |c| c.set_max_runspaces(3), json!(true), true.into()),
        ("SetMinRunspacesEvent", |c| c.set_min_runspaces(9), json!(false), false.into()),
        ("ResetRunspaceStateEvent", |c| c.reset_runspace_state(), json!(true), true.into()),
    ];
    for (class, call, response, expected) in calls {
        let (id, fragments) = call(&mut client).unwrap();
        let answer = peer.give(None, &fragments);
        assert_eq!(answer.event(class)["ci"], id);
        let answer = peer.act("answer", None, json!({ "ci": id, "response": response }));
        let events = pool_events(&mut client, &answer.pool);
        let [PoolEvent::Availability(answered, value)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((*answered, value.as_i64(), value.as_bool()), (id, expected.as_i64(), expected.as_bool()));
    }
    let answer = peer.act("user_event", None, json!({ "text": "news" }));
    let events = pool_events(&mut client, &answer.pool);
    let [PoolEvent::UserEvent(event)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.property("PSEventArgs.MessageData").and_then(Value::as_str), Some("news"));
    let answer = peer.act("broken", None, json!({ "text": "no more" }));
    let events = pool_events(&mut client, &answer.pool);
    let [PoolEvent::State(PoolState::Broken, Some(reason))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(reason.property("FullyQualifiedErrorId").and_then(Value::as_str), Some("PoolBroke"));
}

/// psrpcore's client, open on our server.
fn server() -> Option<(Peer, ServerPool, Vec<ServerPoolEvent>)> {
    let mut peer = Peer::start("client")?;
    let mut server = ServerPool::new(dictionary(vec![("Greeting".into(), "hello".into())]), 300, LIMIT);
    let answer = peer.act("open", None, json!({}));
    let events = answer.pool.iter().flat_map(|f| server.receive(f).unwrap()).collect();
    server.set_state(PoolState::Opened, None);
    let answer = peer.give(None, &server.take_output());
    assert_eq!(answer.event("SessionCapabilityEvent")["protocol_version"], "2.3");
    assert_eq!(answer.event("ApplicationPrivateDataEvent")["data"], json!({ "Greeting": "hello" }));
    assert_eq!(answer.event("RunspacePoolStateEvent")["state"], PoolState::Opened as i32);
    Some((peer, server, events))
}

/// What psrpcore's client asked, given to a pipeline of ours.
fn asked(server: &ServerPool, id: Uuid, answer: &Answer) -> (ServerPipeline, Vec<ServerPipelineEvent>) {
    let mut pipeline = ServerPipeline::new(server, id);
    let events = answer.pipeline.iter().flat_map(|f| pipeline.receive(f).unwrap()).collect();
    (pipeline, events)
}

fn run(peer: &mut Peer, server: &ServerPool, commands: Json) -> (ServerPipeline, Vec<ServerPipelineEvent>) {
    let id = Uuid::new_v4();
    let answer = peer.act("run", Some(id), json!({ "no_input": false, "commands": commands }));
    asked(server, id, &answer)
}

#[test]
fn our_server_opens_for_its_client() {
    let Some((_peer, _, events)) = server() else { return };
    let [ServerPoolEvent::Opening(arguments, host)] = &events[..] else { panic!("{events:?}") };
    assert!(clixml::write(arguments).contains("psrpcore"));
    assert_eq!((host.is_host_null, host.is_host_ui_null, host.is_host_raw_ui_null), (false, false, true));
}

#[test]
fn our_server_understands_its_commands_input_and_query() {
    let Some((mut peer, server, _)) = server() else { return };
    let commands = json!([
        ["Get-Mailbox", false, [["Identity", "Søn 日本"], [null, 5]], false],
        ["Select-Object", false, [], true],
        ["$x = 1", true, [], false]
    ]);
    let (mut pipeline, events) = run(&mut peer, &server, commands);
    let [ServerPipelineEvent::Create(powershell)] = &events[..] else { panic!("{events:?}") };
    let seen: Vec<_> = powershell.commands.iter().map(|c| (c.text.as_str(), c.is_script, c.end_of_statement)).collect();
    assert_eq!(seen, [("Get-Mailbox", false, false), ("Select-Object", false, true), ("$x = 1", true, false)]);
    let merge = &powershell.commands[0].merge;
    assert_eq!((merge.my_result, merge.to_result, merge.error, merge.warning, merge.information), (2, 1, 1, 1, 1));
    let arguments: Vec<_> = powershell.commands[0].arguments.iter().map(|a| (a.name.as_deref(), a.value.clone())).collect();
    assert_eq!(arguments, [(Some("Identity"), "Søn 日本".into()), (None, 5.into())]);
    assert_eq!(powershell.history.as_deref(), Some("a history"));

    let id = Some(pipeline.id());
    let sent = peer.act("send", id, json!({ "value": "eins" }));
    let end = peer.act("end", id, json!({}));
    let events: Vec<_> = [sent.pipeline, end.pipeline].concat().iter().flat_map(|f| pipeline.receive(f).unwrap()).collect();
    assert!(matches!(&events[..], [ServerPipelineEvent::Input(v), ServerPipelineEvent::EndInput] if v.as_str() == Some("eins")));

    let id = Uuid::new_v4();
    let answer = peer.act("metadata", Some(id), json!({ "names": ["Get-*", "Set-*"] }));
    let (_, events) = asked(&server, id, &answer);
    let [ServerPipelineEvent::Metadata(query)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((query.names.as_slice(), query.command_types), (&["Get-*".to_owned(), "Set-*".to_owned()][..], 10));
}

#[test]
fn its_client_reads_our_records_calls_and_states() {
    let Some((mut peer, mut server, _)) = server() else { return };
    let (mut pipeline, _) = run(&mut peer, &server, json!([["Get-Mailbox", false, [], false]]));
    let id = Some(pipeline.id());
    let output = pipeline.record(Stream::Output, &clixml::write(&"Søn 日本 😀".repeat(40).into()));
    assert!(output.len() > 1);
    let record = Object::bag(vec![
        Property::new("InformationalRecord_Message", "careful"),
        Property::new("InformationalRecord_SerializeInvocationInfo", false),
    ]);
    let warning = pipeline.record(Stream::Warning, &clixml::write(&record.into()));
    let answer = peer.give(id, &[output, warning].concat());
    let mut events = answer.events;
    events.extend(peer.give(id, &[]).events);
    assert_eq!(events[0]["data"], "Søn 日本 😀".repeat(40));
    assert_eq!(events[1]["event"], "WarningRecordEvent");

    let answer = peer.give(id, &pipeline.host_call(&HostCall::new(5, 11, vec![])));
    let call = answer.event("PipelineHostCallEvent");
    assert_eq!((&call["ci"], &call["method_identifier"]), (&json!(5), &json!(11)));
    let answer = peer.act("host_response", id, json!({ "ci": 5, "value": "typed" }));
    assert_eq!(answer.streams, ["prompt_response"]);
    let events: Vec<_> = answer.pipeline.iter().flat_map(|f| pipeline.receive_responses(f).unwrap()).collect();
    assert!(matches!(&events[..], [ServerPipelineEvent::HostResponse(r)] if r.call_id == 5 && r.result == Ok(Some("typed".into()))));

    server.host_call(&HostCall::new(6, 11, vec![]));
    peer.give(None, &server.take_output());
    let answer = peer.act("host_response", None, json!({ "ci": 6, "error": "no keyboard" }));
    let events: Vec<_> = answer.pool.iter().flat_map(|f| server.receive_responses(f).unwrap()).collect();
    let [ServerPoolEvent::HostResponse(HostResponse { result: Err(error), .. })] = &events[..] else { panic!("{events:?}") };
    assert_eq!(error.property("FullyQualifiedErrorId").and_then(Value::as_str), Some("HostFailed"));

    let answer = peer.give(id, &pipeline.state(PipelineState::Completed, None));
    assert_eq!(answer.event("PipelineStateEvent")["state"], PipelineState::Completed as i32);
}

#[test]
fn a_secret_passes_between_its_client_and_our_server() {
    let Some((mut peer, mut server, _)) = server() else { return };
    server.request_key();
    let request = peer.give(None, &server.take_output());
    let events: Vec<_> = request.pool.iter().flat_map(|f| server.receive(f).unwrap()).collect();
    assert!(matches!(&events[..], [ServerPoolEvent::KeyReady]), "{events:?}");
    peer.give(None, &server.take_output());
    let key = server.key().unwrap().clone();
    let commands = json!([["New-Mailbox", false, [["Password", { "secret": "Pa55w.rd 日本" }]], false]]);
    let (pipeline, events) = run(&mut peer, &server, commands);
    let [ServerPipelineEvent::Create(powershell)] = &events[..] else { panic!("{events:?}") };
    let Value::SecureString(encrypted) = &powershell.commands[0].arguments[0].value else { panic!("{powershell:?}") };
    assert_eq!(key.unprotect(encrypted).unwrap().reveal(), "Pa55w.rd 日本");
    let record = clixml::write(&Value::SecureString(key.protect(&Secret::new("geheim".into()))));
    let answer = peer.give(Some(pipeline.id()), &pipeline.record(Stream::Output, &record));
    assert_eq!(answer.event("PipelineOutputEvent")["data"], json!({ "secret": "geheim" }));
}

#[test]
fn our_server_answers_its_client_about_runspaces() {
    let Some((mut peer, mut server, _)) = server() else { return };
    let answer = peer.act("availability", None, json!({}));
    for fragment in &answer.pool {
        server.receive(fragment).unwrap();
    }
    let mut events = Vec::new();
    for fragment in server.take_output() {
        events.extend(peer.give(None, &[fragment]).events);
    }
    let answers: Json = events.iter().map(|e| if e["count"].is_null() { e["success"].clone() } else { e["count"].clone() }).collect();
    assert_eq!(answers, json!([1, true, false, true]), "{events:?}");
}
