//! What PowerShell 7.6's own client and server said to each other, recorded: read and, where it can be, written again.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delegated_tenant::clixml;

/// The messages of one side and place ("pool", "pipeline-1", …) in order.
fn recorded(from: &str, place: &str) -> Vec<Message> {
    let lines = include_str!("../../wire/psrp/engine.txt").lines().filter(|l| !l.starts_with('#'));
    let fields = lines.map(|l| l.split(' ').collect::<Vec<_>>()).filter(|f| f[0] == from && f[1] == place);
    let fragments: Vec<Bytes> = fields.map(|f| STANDARD.decode(f[3]).unwrap().into()).collect();
    objects_of(&fragments).iter().map(|o| Message::decode(o).unwrap()).collect()
}

fn kinds(messages: &[Message]) -> Vec<MessageType> {
    messages.iter().map(|m| m.kind).collect()
}

/// The text of a message as it would be at Windows: there the assembly has another version.
fn as_windows(message: &Message) -> String {
    std::str::from_utf8(&message.data).unwrap().replace("Version=7.6.0.500", "Version=3.0.0.0")
}

/// The recorded pool, opened by our server out of the client's messages.
fn server() -> (ServerPool, Value, HostInfo) {
    let mut server = ServerPool::new(Value::Nil, 32768, LIMIT);
    let cutter = Fragmenter::new(32768);
    let mut events = Vec::new();
    for message in recorded("client", "pool") {
        for fragment in cutter.cut(&message.encode()) {
            events.extend(server.receive(&fragment).unwrap());
        }
    }
    let Some(ServerPoolEvent::Opening(arguments, host)) = events.pop() else { panic!("the pool opens") };
    (server, arguments, host)
}

/// The recorded client's pipeline as our server reads it.
fn server_events(place: &str) -> Vec<ServerPipelineEvent> {
    let (pool, ..) = server();
    let messages = recorded("client", place);
    let mut pipeline = ServerPipeline::new(&pool, messages[0].pipeline);
    let cutter = Fragmenter::new(32768);
    let fragments = messages.iter().flat_map(|m| cutter.cut(&m.encode()));
    fragments.flat_map(|f| pipeline.receive(&f).unwrap()).collect()
}

/// The recorded server's records as our client reads them.
fn client_events(place: &str) -> Vec<PipelineEvent> {
    let (mut client, _) = opened(32768, Value::Nil);
    let (mut pipeline, _) = client.create_pipeline(&powershell(vec![command("Get-Mailbox")])).unwrap();
    let cutter = Fragmenter::new(32768);
    let readdressed = |m: Message| Message { pool: client.id(), pipeline: pipeline.id(), ..m };
    let fragments: Vec<Bytes> = recorded("server", place).into_iter().flat_map(|m| cutter.cut(&readdressed(m).encode())).collect();
    pipeline_events(&mut pipeline, &fragments)
}

#[test]
fn the_opening_is_written_as_the_engine_writes_it() {
    let (server, arguments, host) = server();
    let theirs = recorded("client", "pool");
    assert_eq!(kinds(&theirs), [MessageType::SessionCapability, MessageType::InitRunspacePool]);
    assert_eq!(server.id(), theirs[0].pool);
    assert!(!host.use_runspace_host);
    assert!(arguments.as_object().unwrap().is_a("System.Management.Automation.PSPrimitiveDictionary"));

    let host = HostInfo::console(120, 3000, "pwsh");
    let mut client = ClientPool::new(PoolConfig { application_arguments: arguments, host, ..config(32768) });
    let ours: Vec<Message> = objects_of(&client.open()).iter().map(|o| Message::decode(o).unwrap()).collect();
    assert_eq!(as_windows(&theirs[0]).replace("2.4", "2.3"), as_windows(&ours[0]));
    assert_eq!(as_windows(&theirs[1]), as_windows(&ours[1]));
}

#[test]
fn commands_are_written_as_the_engine_writes_them() {
    let (mut client, _) = opened(32768, Value::Nil);
    for n in 1..=6 {
        let place = format!("pipeline-{n}");
        let theirs = recorded("client", &place).remove(0);
        let Some(ServerPipelineEvent::Create(powershell)) = server_events(&place).into_iter().next() else { panic!("a command comes") };
        let (_, fragments) = client.create_pipeline(&powershell).unwrap();
        assert_eq!(as_windows(&theirs), text_of(&fragments), "{place}");
    }
}

#[test]
fn statements_and_both_shapes_of_arguments_are_read() {
    let events = server_events("pipeline-1");
    let [ServerPipelineEvent::Create(powershell)] = &events[..] else { panic!("{events:?}") };
    let commands: Vec<_> = powershell.commands.iter().map(|c| (c.text.as_str(), c.end_of_statement)).collect();
    assert_eq!(commands, [("Get-AcceptedDomain", true), ("Get-Mailbox", false), ("Select-Object", false)]);
    let arguments: Vec<_> = powershell.commands[1].arguments.iter().map(|a| (a.name.as_deref(), &a.value)).collect();
    let (identity, five) = (Value::from("user00001"), Value::I32(1));
    assert_eq!(arguments, [(Some("-Identity"), &Value::Nil), (None, &identity), (Some("-ResultSize:"), &five)]);
    assert_eq!(powershell.commands[1].merge.warning, 1);
    assert!(powershell.no_input && powershell.add_to_history && powershell.redirect_error && powershell.host.is_none());
}

#[test]
fn input_and_scripts_are_read() {
    let events = server_events("pipeline-2");
    let [
        ServerPipelineEvent::Create(powershell),
        ServerPipelineEvent::Input(a),
        ServerPipelineEvent::Input(b),
        ServerPipelineEvent::EndInput,
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert!(!powershell.no_input);
    assert_eq!((a.as_str(), b.as_str()), (Some("user00001"), Some("user00002")));
    let events = server_events("pipeline-5");
    let [ServerPipelineEvent::Create(powershell)] = &events[..] else { panic!("{events:?}") };
    assert!(powershell.commands[0].is_script);
}

#[test]
fn the_pool_opens_and_closes() {
    let theirs = recorded("server", "pool");
    assert!(theirs[0].pool.is_nil(), "the capability names no pool");
    let mut client = ClientPool::new(PoolConfig { id: theirs[1].pool, ..config(32768) });
    client.open();
    let cutter = Fragmenter::new(32768);
    let fragments: Vec<Bytes> = theirs.iter().flat_map(|m| cutter.cut(&m.encode())).collect();
    let events = pool_events(&mut client, &fragments);
    let [PoolEvent::Capability(protocol, ps, serialization), PoolEvent::PrivateData(data), PoolEvent::State(PoolState::Opened, None), ..] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((protocol.as_str(), ps.as_str(), serialization.as_str()), ("2.4", "2.0", "1.1.0.1"));
    assert!(clixml::write(data).contains("PSVersionTable"));
    assert_eq!(client.protocol(), Some((2, 3)), "we stay at the version with the session key");
    assert_eq!(client.state(), PoolState::Closed);
}

#[test]
fn every_stream_comes_in_order_and_unread() {
    let events = client_events("pipeline-3");
    let streams: Vec<_> = events.iter().filter_map(|e| if let PipelineEvent::Record(s, _) = e { Some(*s) } else { None }).collect();
    assert_eq!(streams, [Stream::Output, Stream::Warning, Stream::Information, Stream::Error, Stream::Output]);
    assert!(matches!(&events[0], PipelineEvent::Record(Stream::Output, text) if text == "<S>output</S>"));
    let Some(PipelineEvent::HostCall(call, raw)) = events.iter().find(|e| matches!(e, PipelineEvent::HostCall(..))) else {
        panic!("{events:?}")
    };
    assert_eq!((call.method, call.method_name.as_str(), call.wants_response()), (22, "WriteWarningLine", false));
    assert_eq!(call.parameters, [Value::from("warning text")]);
    assert!(raw.starts_with(b"<Obj"));
    assert!(matches!(events.last(), Some(PipelineEvent::State(PipelineState::Completed, None))));
}

#[test]
fn a_terminating_error_comes_with_its_record() {
    for (place, id) in [("pipeline-4", "StoppedEverything,Stop-Everything"), ("pipeline-5", "ScriptsNotAllowed")] {
        let events = client_events(place);
        let Some(PipelineEvent::State(PipelineState::Failed, Some(record))) = events.last() else { panic!("{events:?}") };
        assert_eq!(record.property("FullyQualifiedErrorId").and_then(Value::as_str), Some(id));
    }
}

#[test]
fn a_question_is_answered_in_the_engines_words() {
    let events = client_events("pipeline-6");
    let PipelineEvent::HostCall(call, _) = &events[0] else { panic!("{events:?}") };
    assert_eq!((call.method_name.as_str(), call.wants_response()), ("ReadLine", true));
    let (mut client, _) = opened(32768, Value::Nil);
    let (pipeline, _) = client.create_pipeline(&powershell(vec![command("Read-Answer")])).unwrap();
    let response = HostResponse { call_id: call.call_id, method: call.method, result: Ok(Some("blue".into())) };
    let theirs = recorded("client", "pipeline-6").remove(1);
    assert_eq!(as_windows(&theirs), text_of(&pipeline.host_response(&response)));
}
