//! Our client against our server in memory.

use super::*;
use delegated_tenant::clixml::{self, Object, Property, Text};
use delegated_tenant::secret::Secret;
use delegated_tenant::{Error, ErrorKind};

/// Strings that have broken serializers.
fn nasty() -> Vec<Value> {
    let texts = [
        "",
        " ",
        "\0",
        "\t\r\n",
        "_x000A_",
        "_",
        "__x",
        "_X000a_",
        "]]>",
        "<S>&amp;</S>",
        "'\"",
        "é",
        "日本語",
        "😀",
        "\u{FFFE}",
        "\u{FEFF}a",
    ];
    let mut values: Vec<Value> = texts.iter().map(|t| (*t).into()).collect();
    values.push(Value::String(Text::from_units(&[0xD83D])));
    values.push(Value::String(Text::from_units(&[0xDE00, 0x61, 0xD83D])));
    values.push("x".repeat(100_000).into());
    values
}

#[test]
fn a_pool_opens_at_any_fragment_size() {
    for size in [22, 100, 32768] {
        let private_data: Value = Object::dictionary(vec![("PSVersionTable".into(), Value::Version("5.1".into()))]).into();
        let mut client = ClientPool::new(config(size));
        let mut server = ServerPool::new(private_data.clone(), size, LIMIT);
        assert_eq!(client.state(), PoolState::BeforeOpen);
        let events: Vec<_> = client.open().iter().flat_map(|f| server.receive(f).unwrap()).collect();
        let [ServerPoolEvent::Opening(Value::Nil, host)] = &events[..] else { panic!("{events:?}") };
        assert!(!host.is_host_null && host.default_data.is_some());
        assert_eq!((client.state(), server.state(), server.id()), (PoolState::Opening, PoolState::Opening, client.id()));
        server.set_state(PoolState::Opened, None);
        let events = pool_events(&mut client, &server.take_output());
        let [PoolEvent::Capability(..), PoolEvent::PrivateData(data), PoolEvent::State(PoolState::Opened, None)] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(clixml::write(data), clixml::write(&private_data));
        assert!(server.take_output().is_empty());
    }
}

#[test]
fn a_pool_that_breaks_says_why() {
    let mut client = ClientPool::new(config(100));
    let mut server = ServerPool::new(Value::Nil, 100, LIMIT);
    for fragment in client.open() {
        server.receive(&fragment).unwrap();
    }
    server.set_state(PoolState::Broken, Some("no room".into()));
    let events = pool_events(&mut client, &server.take_output());
    assert!(matches!(events.last(), Some(PoolEvent::State(PoolState::Broken, Some(reason))) if reason.as_str() == Some("no room")));
    assert_eq!(client.create_pipeline(&powershell(vec![command("a")])).unwrap_err().kind(), ErrorKind::InvalidState);
}

#[test]
fn values_and_nasty_strings_arrive_whole_both_ways_and_cut_anywhere() {
    for size in [23, 64, 32768] {
        let (mut client, server) = opened(size, Value::Nil);
        let mut run = command("Get-Mailbox");
        run.arguments = nasty().into_iter().map(|value| Argument { name: Some("-Name:".into()), value }).collect();
        let (mut pipeline, fragments) = client.create_pipeline(&powershell(vec![run])).unwrap();
        let mut remote = ServerPipeline::new(&server, pipeline.id());
        let mut events: Vec<_> = fragments.iter().flat_map(|f| remote.receive(f).unwrap()).collect();
        let Some(ServerPipelineEvent::Create(read)) = events.pop() else { panic!("a command comes") };
        assert_eq!(read.commands[0].arguments.iter().map(|a| a.value.clone()).collect::<Vec<_>>(), nasty());

        for value in nasty() {
            let events: Vec<_> = pipeline.input(&value).iter().flat_map(|f| remote.receive(f).unwrap()).collect();
            assert!(matches!(&events[..], [ServerPipelineEvent::Input(v)] if *v == value), "{events:?}");
            let text = clixml::write(&value);
            let events = pipeline_events(&mut pipeline, &remote.record(Stream::Output, &text));
            assert!(matches!(&events[..], [PipelineEvent::Record(Stream::Output, t)] if *t == text), "{events:?}");
        }
        let events: Vec<_> = pipeline.end_input().iter().flat_map(|f| remote.receive(f).unwrap()).collect();
        assert!(matches!(&events[..], [ServerPipelineEvent::EndInput]));
    }
}

#[test]
fn several_fragments_in_one_push_and_one_in_several_give_the_same() {
    let (mut client, server) = opened(60, Value::Nil);
    let (mut pipeline, _) = client.create_pipeline(&powershell(vec![command("Get-Mailbox")])).unwrap();
    let remote = ServerPipeline::new(&server, pipeline.id());
    let text = clixml::write(&"Søn 日本 😀".repeat(20).into());
    let mut stream = Vec::new();
    for s in [Stream::Output, Stream::Error, Stream::Warning, Stream::Verbose, Stream::Debug, Stream::Information, Stream::Progress] {
        stream.extend(remote.record(s, &text).concat());
        server.fragmenter().cut(b"an object that goes to another stream: ids have gaps");
    }
    stream.extend(remote.state(PipelineState::Completed, None).concat());
    let stream = Bytes::from(stream);
    for step in [1, 7, 21, 60, 1000, stream.len()] {
        let pushes: Vec<Bytes> = stream.chunks(step).map(|c| stream.slice_ref(c)).collect();
        let events = pipeline_events(&mut pipeline, &pushes);
        assert_eq!(events.len(), 8);
        assert!(events[..7].iter().all(|e| matches!(e, PipelineEvent::Record(_, t) if *t == text)));
        assert_eq!(pipeline.state(), PipelineState::Completed);
    }
}

#[test]
fn a_failure_and_a_stop_carry_the_record() {
    let (mut client, server) = opened(100, Value::Nil);
    for state in [PipelineState::Failed, PipelineState::Stopped] {
        let (mut pipeline, _) = client.create_pipeline(&powershell(vec![command("a")])).unwrap();
        assert_eq!(pipeline.state(), PipelineState::Running);
        let remote = ServerPipeline::new(&server, pipeline.id());
        let events = pipeline_events(&mut pipeline, &remote.state(state, Some(&"why".into())));
        assert!(matches!(&events[..], [PipelineEvent::State(s, Some(r))] if *s == state && r.as_str() == Some("why")));
        assert!(pipeline.state().is_final());
    }
}

#[test]
fn the_host_is_called_and_answers() {
    let (mut client, mut server) = opened(100, Value::Nil);
    let (mut pipeline, _) = client.create_pipeline(&powershell(vec![command("a")])).unwrap();
    let mut remote = ServerPipeline::new(&server, pipeline.id());
    let call = HostCall::new(3, 26, vec!["caption".into(), "message".into(), Object::list(vec![]).into(), 0.into()]);
    let events = pipeline_events(&mut pipeline, &remote.host_call(&call));
    let [PipelineEvent::HostCall(read, _)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((read.call_id, read.method, read.method_name.as_str()), (3, 26, "PromptForChoice"));
    assert_eq!(read.parameters.len(), 4);

    // The answer comes amid the fragments of an input, on its own stream.
    let input = pipeline.input(&"y".repeat(500).into());
    let answer = pipeline.host_response(&HostResponse { call_id: 3, method: 26, result: Ok(Some(2.into())) });
    assert!(remote.receive(&input[0]).unwrap().is_empty());
    let events: Vec<_> = answer.iter().flat_map(|f| remote.receive_responses(f).unwrap()).collect();
    assert!(matches!(&events[..], [ServerPipelineEvent::HostResponse(r)] if r.result == Ok(Some(2.into()))), "{events:?}");
    let events: Vec<_> = input[1..].iter().flat_map(|f| remote.receive(f).unwrap()).collect();
    assert!(matches!(&events[..], [ServerPipelineEvent::Input(_)]));

    server.host_call(&HostCall::new(9, 11, vec![]));
    let events = pool_events(&mut client, &server.take_output());
    assert!(matches!(&events[..], [PoolEvent::HostCall(c)] if c.wants_response() && c.method_name == "ReadLine"));
    let answer = client.host_response(&HostResponse { call_id: 9, method: 11, result: Err("no".into()) });
    let events: Vec<_> = answer.iter().flat_map(|f| server.receive_responses(f).unwrap()).collect();
    assert!(matches!(&events[..], [ServerPoolEvent::HostResponse(r)] if r.result == Err("no".into())), "{events:?}");
}

#[test]
fn the_session_key_is_exchanged_once_and_secrets_travel_under_it() {
    let (mut client, mut server) = opened(1000, Value::Nil);
    server.request_key();
    let events = pool_events(&mut client, &server.take_output());
    assert!(matches!(&events[..], [PoolEvent::KeyRequested]));
    let request = client.request_key().unwrap().expect("no key is there");
    assert!(client.request_key().unwrap().is_none(), "asked for already");
    let events: Vec<_> = request.iter().flat_map(|f| server.receive(f).unwrap()).collect();
    assert!(matches!(&events[..], [ServerPoolEvent::KeyReady]));
    let answer = server.take_output();
    assert!(Message::decode(&objects_of(&answer)[0]).unwrap().pool.is_nil(), "as Windows servers answer");
    let events = pool_events(&mut client, &answer);
    assert!(matches!(&events[..], [PoolEvent::KeyReady]));
    assert!(client.request_key().unwrap().is_none(), "there already");
    let (ours, theirs) = (client.key().unwrap(), server.key().unwrap());
    assert_eq!(theirs.unprotect(&ours.protect(&Secret::new("Pa55w.rd 日本".into()))).unwrap().reveal(), "Pa55w.rd 日本");
    // A key that nobody asked for.
    assert_eq!(answer.iter().find_map(|f| client.receive(f).err()).unwrap().kind(), ErrorKind::Protocol);
}

#[test]
fn runspaces_are_counted_and_reset() {
    let (mut client, mut server) = opened(1000, Value::Nil);
    let mut ask = |client: &mut ClientPool, (id, fragments): (i64, Vec<Bytes>)| {
        let events: Vec<_> = fragments.iter().flat_map(|f| server.receive(f).unwrap()).collect();
        assert!(matches!(&events[..], [ServerPoolEvent::Availability] | [ServerPoolEvent::Reset]), "{events:?}");
        let mut answers = pool_events(client, &server.take_output());
        let Some(PoolEvent::Availability(answered, value)) = answers.pop() else { panic!("an answer comes") };
        assert_eq!(answered, id);
        value
    };
    let mut calls = Vec::new();
    for (call, expected) in [
        (client.get_available_runspaces(), Value::I64(1)),
        (client.set_min_runspaces(3), false.into()),
        (client.set_max_runspaces(3), true.into()),
        (client.set_min_runspaces(2), true.into()),
        (client.set_max_runspaces(1), false.into()),
        (client.get_available_runspaces(), Value::I64(3)),
        (client.reset_runspace_state(), true.into()),
    ] {
        let call = call.unwrap();
        calls.push(call.0);
        assert_eq!(ask(&mut client, call), expected);
    }
    assert!(calls.windows(2).all(|c| c[0] < c[1]));
}

#[test]
fn a_running_pipeline_takes_a_runspace() {
    let (mut client, mut server) = opened(1000, Value::Nil);
    let pipeline = ServerPipeline::new(&server, Uuid::new_v4());
    let mut available = |client: &mut ClientPool| {
        for fragment in client.get_available_runspaces().unwrap().1 {
            server.receive(&fragment).unwrap();
        }
        match pool_events(client, &server.take_output()).pop() {
            Some(PoolEvent::Availability(_, n)) => n,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(available(&mut client), Value::I64(0));
    drop(pipeline);
    assert_eq!(available(&mut client), Value::I64(1));
}

#[test]
fn metadata_and_events_pass() {
    let (mut client, mut server) = opened(1000, Value::Nil);
    let query = MetadataQuery { names: vec!["Get-*".into()], command_types: 15, modules: vec![], arguments: vec![] };
    let (pipeline, fragments) = client.get_command_metadata(&query).unwrap();
    let mut remote = ServerPipeline::new(&server, pipeline.id());
    let events: Vec<_> = fragments.iter().flat_map(|f| remote.receive(f).unwrap()).collect();
    assert!(matches!(&events[..], [ServerPipelineEvent::Metadata(q)] if q.names == ["Get-*"] && q.command_types == 15));

    server.user_event(&Object::bag(vec![Property::new("PSEventArgs.EventIdentifier", 4)]).into());
    let events = pool_events(&mut client, &server.take_output());
    assert!(matches!(&events[..], [PoolEvent::UserEvent(e)] if e.property("PSEventArgs.EventIdentifier") == Some(&4.into())));
}

#[test]
fn a_disconnected_pool_is_joined_again() {
    let (client, mut server) = opened(1000, Value::Nil);
    let mut again = ClientPool::new(PoolConfig { id: client.id(), ..config(1000) });
    let events: Vec<_> = again.connect().iter().flat_map(|f| server.receive(f).unwrap()).collect();
    assert!(matches!(&events[..], [ServerPoolEvent::Connecting]));
    server.set_state(PoolState::Opened, None);
    let events = pool_events(&mut again, &server.take_output());
    assert!(
        matches!(
            &events[..],
            [PoolEvent::Capability(..), PoolEvent::InitData(1, 1), PoolEvent::PrivateData(_), PoolEvent::State(PoolState::Opened, None)]
        ),
        "{events:?}"
    );
    assert_eq!(again.state(), PoolState::Opened);
}

#[test]
fn the_version_of_each_client_is_echoed_and_a_later_one_gets_ours() {
    for (said, answered) in [("2.0", "2.0"), ("2.1", "2.1"), ("2.2", "2.2"), ("2.3", "2.3"), ("2.4", "2.3")] {
        let mut client = ClientPool::new(config(100_000));
        let mut server = ServerPool::new(Value::Nil, 100_000, LIMIT);
        let object = objects_of(&client.open()).remove(0);
        let message = Message::decode(&object).unwrap();
        let data = String::from_utf8(message.data.to_vec()).unwrap().replace(">2.3<", &format!(">{said}<"));
        let message = Message { data: data.into(), ..message };
        server.receive(&Fragmenter::new(100_000).cut(&message.encode())[0]).unwrap();
        let events = pool_events(&mut client, &server.take_output());
        assert!(matches!(&events[..], [PoolEvent::Capability(protocol, ..)] if protocol == answered), "{events:?}");
    }
}

#[test]
fn what_does_not_belong_is_refused() {
    let (mut client, mut server) = opened(100_000, Value::Nil);
    let (pipeline, create) = client.create_pipeline(&powershell(vec![command("a")])).unwrap();
    let (mut other, _) = client.create_pipeline(&powershell(vec![command("a")])).unwrap();
    let remote = ServerPipeline::new(&server, pipeline.id());
    let refused = |text: &str, error: Option<Error>| {
        let error = error.expect(text);
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.to_string().contains(text), "{error}");
    };
    let output = remote.record(Stream::Output, "<Nil />");
    refused("another pipeline", other.receive(&output[0], &mut |_| Ok(())).err());
    refused("another pipeline", client.receive(&output[0]).err());
    refused("for the other side", client.receive(&create[0]).err());
    refused("another pipeline", server.receive(&create[0]).err());
    let (mut stranger, _) = opened(100_000, Value::Nil);
    server.set_state(PoolState::Closed, None);
    refused("another runspace pool", stranger.receive(&server.take_output()[0]).err());
    let mut fresh = ClientPool::new(PoolConfig { id: server.id(), ..config(100_000) });
    fresh.open();
    server.set_state(PoolState::Opened, None);
    refused("before the server's capability", fresh.receive(&server.take_output()[0]).err());
    let mut new = ServerPool::new(Value::Nil, 100_000, LIMIT);
    refused("not the client's capability", new.receive(&create[0]).err());
}

#[test]
fn an_error_of_the_reader_stops_the_stream() {
    let (mut client, server) = opened(1000, Value::Nil);
    let (mut pipeline, _) = client.create_pipeline(&powershell(vec![command("a")])).unwrap();
    let remote = ServerPipeline::new(&server, pipeline.id());
    let two = Bytes::from([remote.record(Stream::Output, "<Nil />"), remote.record(Stream::Output, "<Nil />")].concat().concat());
    let mut seen = 0;
    let result = pipeline.receive(&two, &mut |_| {
        seen += 1;
        Err(Error::new(ErrorKind::Cancelled, "read records", "enough"))
    });
    assert_eq!((result.unwrap_err().kind(), seen), (ErrorKind::Cancelled, 1));
}

#[test]
fn a_record_above_the_limit_is_refused_with_the_native_text() {
    let mut client = ClientPool::new(PoolConfig { object_limit: 1000, ..config(500) });
    let mut server = ServerPool::new(Value::Nil, 500, LIMIT);
    for fragment in client.open() {
        server.receive(&fragment).unwrap();
    }
    server.set_state(PoolState::Opened, None);
    pool_events(&mut client, &server.take_output());
    let (mut pipeline, _) = client.create_pipeline(&powershell(vec![command("a")])).unwrap();
    let remote = ServerPipeline::new(&server, pipeline.id());
    let fragments = remote.record(Stream::Output, &clixml::write(&"x".repeat(1000).into()));
    let errors: Vec<_> = fragments.iter().filter_map(|f| pipeline.receive(f, &mut |_| Ok(())).err()).collect();
    assert_eq!(errors[0].kind(), ErrorKind::Protocol);
    let native = errors[0].fact(delegated_tenant::error::fact::NATIVE_MESSAGE).unwrap();
    assert!(native.starts_with("The current deserialized object size of the data received from the remote server exceeded"));
}
