//! Streams that were tampered with: an error or an event comes, never a panic, and nothing is held beyond the limit.

use super::*;
use delegated_tenant::clixml;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const ROUNDS: u64 = 400;

/// The bytes with a few bits turned, pieces lost, doubled or put elsewhere; then cut into pushes.
fn tampered(random: &mut StdRng, stream: &[u8]) -> Vec<Bytes> {
    let mut bytes = stream.to_vec();
    for _ in 0..random.random_range(1..6) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        let length = random.random_range(0..40).min(bytes.len() - at);
        match random.random_range(0..5) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = random.random(),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let piece = bytes[at..at + length].to_vec();
                let to = random.random_range(0..=bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes.truncate(at),
        }
    }
    let bytes = Bytes::from(bytes);
    let step = random.random_range(1..=bytes.len().max(1));
    bytes.chunks(step).map(|c| bytes.slice_ref(c)).collect()
}

#[test]
fn a_client_survives_a_hostile_server() {
    let private_data = clixml::Object::dictionary(vec![("a".into(), "b".into())]).into();
    let mut server = ServerPool::new(private_data, 90, LIMIT);
    let template = config(90);
    let mut probe = ClientPool::new(template.clone());
    for fragment in probe.open() {
        server.receive(&fragment).unwrap();
    }
    server.set_state(PoolState::Opened, None);
    server.host_call(&HostCall::new(1, 11, vec!["a".into()]));
    server.request_key();
    let pool_stream = server.take_output().concat();

    let (mut client, server) = opened(90, Value::Nil);
    for seed in 0..ROUNDS {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut pool = ClientPool::new(template.clone());
        pool.open();
        for push in tampered(random, &pool_stream) {
            if pool.receive(&push).is_err() {
                break;
            }
        }
        let (mut pipeline, _) = client.create_pipeline(&powershell(vec![command("a")])).unwrap();
        let remote = ServerPipeline::new(&server, pipeline.id());
        let mut stream = remote.record(Stream::Output, &clixml::write(&"Søn".repeat(50).into())).concat();
        stream.extend(remote.host_call(&HostCall::new(4, 26, vec!["caption".into(), Value::Nil])).concat());
        stream.extend(remote.state(PipelineState::Failed, Some(&"why".into())).concat());
        for push in tampered(random, &stream) {
            let pushed = pipeline.receive(&push, &mut |event| {
                if let PipelineEvent::Record(_, text) = event {
                    assert!(text.len() <= 2 * stream.len());
                }
                Ok(())
            });
            if pushed.is_err() {
                break;
            }
        }
    }
}

#[test]
fn a_server_survives_a_hostile_client() {
    for seed in 0..ROUNDS {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut client = ClientPool::new(config(90));
        let mut pool = ServerPool::new(Value::Nil, 90, LIMIT);
        for push in tampered(random, &client.open().concat()) {
            if pool.receive(&push).is_err() {
                break;
            }
        }
    }
    let (mut client, pool) = opened(90, Value::Nil);
    let mut run = command("Set-Mailbox");
    run.arguments = vec![Argument { name: Some("-Identity".into()), value: Value::Nil }, Argument { name: None, value: "x".into() }];
    let query = MetadataQuery { names: vec!["*".into()], command_types: 8, modules: vec!["a".into()], arguments: vec![] };
    for seed in 0..ROUNDS {
        let random = &mut StdRng::seed_from_u64(seed);
        let (pipeline, fragments) = if seed % 2 == 0 {
            client.create_pipeline(&powershell(vec![run.clone()])).unwrap()
        } else {
            client.get_command_metadata(&query).unwrap()
        };
        let mut stream = fragments.concat();
        stream.extend(pipeline.input(&"text".into()).concat());
        stream.extend(pipeline.host_response(&HostResponse { call_id: 1, method: 26, result: Ok(Some(1.into())) }).concat());
        stream.extend(pipeline.end_input().concat());
        let mut remote = ServerPipeline::new(&pool, pipeline.id());
        for push in tampered(random, &stream) {
            if remote.receive(&push).is_err() {
                break;
            }
        }
    }
}

#[test]
fn random_bytes_are_refused() {
    for seed in 0..ROUNDS {
        let random = &mut StdRng::seed_from_u64(seed);
        let bytes: Vec<u8> = (0..random.random_range(0..300)).map(|_| random.random()).collect();
        let bytes = Bytes::from(bytes);
        let _ = Message::decode(&bytes);
        let _ = ClientPool::new(config(90)).receive(&bytes);
        let _ = ServerPool::new(Value::Nil, 90, LIMIT).receive(&bytes);
    }
}
