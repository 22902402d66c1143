//! MS-PSRP at both ends: against each other, against what PowerShell said, against psrpcore, against hostile bytes.

mod engine;
mod hostile;
mod live;
mod pair;
mod psrpcore;

use bytes::Bytes;
use delegated_tenant::clixml::Value;
use delegated_tenant::psrp::*;
use uuid::Uuid;

const LIMIT: usize = 10 << 20;

fn config(fragment_size: usize) -> PoolConfig {
    PoolConfig {
        id: Uuid::new_v4(),
        min_runspaces: 1,
        max_runspaces: 1,
        host: HostInfo::console(120, 50, "test"),
        application_arguments: Value::Nil,
        fragment_size,
        object_limit: LIMIT,
        pipeline_limit: None,
    }
}

fn command(text: &str) -> Command {
    Command {
        text: text.into(),
        is_script: false,
        use_local_scope: None,
        arguments: vec![],
        merge: Merge::default(),
        end_of_statement: false,
    }
}

fn powershell(commands: Vec<Command>) -> PowerShell {
    PowerShell { commands, history: None, no_input: true, add_to_history: true, redirect_error: true, stream_options: 0, host: None }
}

/// The events of these fragments, pushed one by one.
fn pool_events(pool: &mut ClientPool, fragments: &[Bytes]) -> Vec<PoolEvent> {
    fragments.iter().flat_map(|f| pool.receive(f).expect("the server speaks PSRP")).collect()
}

fn pipeline_events(pipeline: &mut ClientPipeline, fragments: &[Bytes]) -> Vec<PipelineEvent> {
    let mut events = Vec::new();
    for fragment in fragments {
        let pushed = pipeline.receive(fragment, &mut |e| {
            events.push(e);
            Ok(())
        });
        pushed.expect("the server speaks PSRP");
    }
    events
}

/// A pool at each end, opened.
fn opened(fragment_size: usize, private_data: Value) -> (ClientPool, ServerPool) {
    let mut client = ClientPool::new(config(fragment_size));
    let mut server = ServerPool::new(private_data, fragment_size, LIMIT);
    for fragment in client.open() {
        server.receive(&fragment).expect("the client speaks PSRP");
    }
    server.set_state(PoolState::Opened, None);
    pool_events(&mut client, &server.take_output());
    assert_eq!(client.state(), PoolState::Opened);
    (client, server)
}

/// The CLIXML of the one message in these fragments.
fn text_of(fragments: &[Bytes]) -> String {
    let mut objects = objects_of(fragments);
    assert_eq!(objects.len(), 1);
    let message = Message::decode(&objects.remove(0)).unwrap();
    String::from_utf8(message.data.to_vec()).unwrap()
}

fn objects_of(fragments: &[Bytes]) -> Vec<Bytes> {
    let mut defragmenter = Defragmenter::new(LIMIT);
    let mut objects = Vec::new();
    for fragment in fragments {
        let pushed = defragmenter.push(fragment, &mut |o| {
            objects.push(o);
            Ok(())
        });
        pushed.unwrap();
    }
    assert!(!defragmenter.in_object());
    objects
}
