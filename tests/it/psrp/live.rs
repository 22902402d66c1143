//! PowerShell's own server, which speaks PSRP over its standard streams when it is started with `-s`.

use super::*;
use crate::support;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delegated_tenant::clixml::{self, Content, Object};
use delegated_tenant::secret::Secret;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};

/// A server process and our client's pool on it. Each message travels as one line of XML: `Data` with fragments,
/// `Command`, `Signal` and `Close` for what WSMan does by operations.
struct Engine7 {
    child: Child,
    lines: BufReader<ChildStdout>,
    came: VecDeque<(Uuid, Bytes)>,
    pool: ClientPool,
}

impl Engine7 {
    fn start() -> Option<Self> {
        let mut command = std::process::Command::new(support::pwsh()?);
        command.args(["-NoProfile", "-NoLogo", "-s"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("pwsh starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut engine = Self { child, lines, came: VecDeque::new(), pool: ClientPool::new(config(32768)) };
        let fragments = engine.pool.open();
        engine.data(Uuid::nil(), "Default", &fragments);
        let events = engine.pool_until(|e| matches!(e, PoolEvent::State(..)));
        assert!(matches!(events.last(), Some(PoolEvent::State(PoolState::Opened, None))), "{events:?}");
        Some(engine)
    }

    /// Says one thing and waits until the server has taken it, as the engine's client does: it handles what comes
    /// sooner in any order.
    fn say(&mut self, what: &str, id: Uuid, stream: &str, content: &str) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "<{what}{stream} PSGuid='{id}'>{content}</{what}>").expect("pwsh reads");
        let answer = format!("<{what}Ack PSGuid='{id}'");
        while !self.line().starts_with(&answer) {}
    }

    fn data(&mut self, id: Uuid, stream: &str, fragments: &[Bytes]) {
        for fragment in fragments {
            self.say("Data", id, &format!(" Stream='{stream}'"), &STANDARD.encode(fragment));
        }
    }

    /// The next line; what it brings of data waits in `came`.
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).expect("pwsh writes") > 0, "pwsh ended");
        if line.starts_with("<Data ") {
            let (head, rest) = line.split_once('>').unwrap();
            let id = head.split('\'').nth(3).unwrap().parse().unwrap();
            self.came.push_back((id, STANDARD.decode(&rest[..rest.find('<').unwrap()]).unwrap().into()));
        }
        line
    }

    /// The next bytes for this id.
    fn next(&mut self, id: Uuid) -> Bytes {
        loop {
            if let Some(at) = self.came.iter().position(|(to, _)| *to == id) {
                return self.came.remove(at).expect("it is there").1;
            }
            self.line();
        }
    }

    fn pool_until(&mut self, last: impl Fn(&PoolEvent) -> bool) -> Vec<PoolEvent> {
        let mut events = Vec::new();
        while !events.last().is_some_and(&last) {
            let bytes = self.next(Uuid::nil());
            events.extend(self.pool.receive(&bytes).expect("the engine speaks PSRP"));
        }
        events
    }

    fn pipeline_until(&mut self, pipeline: &mut ClientPipeline, last: impl Fn(&PipelineEvent) -> bool) -> Vec<PipelineEvent> {
        let mut events = Vec::new();
        while !events.last().is_some_and(&last) {
            let bytes = self.next(pipeline.id());
            events.extend(pipeline_events(pipeline, &[bytes]));
        }
        events
    }

    fn begin(&mut self, (pipeline, fragments): (ClientPipeline, Vec<Bytes>)) -> ClientPipeline {
        self.say("Command", pipeline.id(), "", "");
        self.data(pipeline.id(), "Default", &fragments);
        pipeline
    }

    fn invoke(&mut self, run: &PowerShell) -> ClientPipeline {
        let started = self.pool.create_pipeline(run).unwrap();
        self.begin(started)
    }

    /// Everything to the final state.
    fn finish(&mut self, mut pipeline: ClientPipeline) -> Vec<PipelineEvent> {
        let events = self.pipeline_until(&mut pipeline, |e| matches!(e, PipelineEvent::State(s, _) if s.is_final()));
        self.say("Close", pipeline.id(), "", "");
        events
    }

    /// The output of a command that has to succeed.
    fn output(&mut self, run: &PowerShell) -> Vec<Value> {
        let pipeline = self.invoke(run);
        let events = self.finish(pipeline);
        assert!(matches!(events.last(), Some(PipelineEvent::State(PipelineState::Completed, _))), "{events:?}");
        outputs(&events)
    }
}

impl Drop for Engine7 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn outputs(events: &[PipelineEvent]) -> Vec<Value> {
    let output = |e: &PipelineEvent| if let PipelineEvent::Record(Stream::Output, t) = e { Some(clixml::read(t).unwrap()) } else { None };
    events.iter().filter_map(output).collect()
}

fn script(text: &str, arguments: Vec<Value>) -> Command {
    let arguments = arguments.into_iter().map(|value| Argument { name: None, value }).collect();
    Command { is_script: true, arguments, ..command(text) }
}

#[test]
fn commands_statements_and_arguments_arrive_as_they_are() {
    let Some(mut engine) = Engine7::start() else { return };
    assert_eq!(engine.pool.protocol(), Some((2, 3)), "the engine speaks 2.4 and takes our version");
    let nasty: Vec<Value> = ["", "Søn 日本 😀", "_x000A_", "\0\r\n", "<&>"].map(Value::from).to_vec();
    let echo = script("$args[0]", vec![Object::list(nasty.clone()).into()]);
    assert_eq!(engine.output(&powershell(vec![echo])), nasty);

    // Three statements, the second a pipeline; a parameter in both shapes.
    let argument = |name: &str, value: Value| Argument { name: (!name.is_empty()).then(|| name.to_owned()), value };
    let first = Command { end_of_statement: true, ..script("'one'", vec![]) };
    let second = script("1..5", vec![]);
    let arguments = vec![argument("-InputObject:", Object::list(vec![1.into(), 2.into()]).into())];
    let third = Command { arguments: arguments.clone(), end_of_statement: true, ..command("Write-Output") };
    let fourth = Command { arguments: vec![argument("-InputObject", Value::Nil), argument("", "end".into())], ..command("Write-Output") };
    let run = powershell(vec![first, Command { end_of_statement: true, ..second }, third, fourth]);
    let said: Vec<_> = engine.output(&run).iter().map(clixml::write).collect();
    assert_eq!(said.first().map(String::as_str), Some("<S>one</S>"));
    assert_eq!(said.last().map(String::as_str), Some("<S>end</S>"));
    assert_eq!(said.iter().filter(|s| s.starts_with("<I32>")).count(), 7, "{said:?}");

    // An object twice in one message: the second is a reference.
    let shared: Value = Object::list(vec!["x".into()]).into();
    let both = script("param($a, $b) \"$a$b\"", vec![shared.clone(), shared]);
    assert_eq!(engine.output(&powershell(vec![both])), ["xx".into()]);
}

#[test]
fn input_goes_in_and_records_come_out_of_every_stream() {
    let Some(mut engine) = Engine7::start() else { return };
    let run = PowerShell { no_input: false, ..powershell(vec![script("foreach ($i in $input) { $i * 2 }", vec![])]) };
    let pipeline = engine.invoke(&run);
    for n in [3, 4] {
        engine.data(pipeline.id(), "Default", &pipeline.input(&n.into()));
    }
    engine.data(pipeline.id(), "Default", &pipeline.end_input());
    assert_eq!(outputs(&engine.finish(pipeline)), [6.into(), 8.into()]);

    let text = "$VerbosePreference = $DebugPreference = 'Continue'; 'out'; Write-Error bad; Write-Warning w; Write-Verbose v; \
                Write-Debug d; Write-Information i; Write-Progress p; throw 'over'";
    let pipeline = engine.invoke(&powershell(vec![script(text, vec![])]));
    let events = engine.finish(pipeline);
    for stream in [Stream::Output, Stream::Error, Stream::Warning, Stream::Verbose, Stream::Debug, Stream::Information, Stream::Progress] {
        assert!(events.iter().any(|e| matches!(e, PipelineEvent::Record(s, _) if *s == stream)), "{stream:?}");
    }
    let Some(PipelineEvent::State(PipelineState::Failed, Some(record))) = events.last() else { panic!("{events:?}") };
    assert_eq!(record.property("FullyQualifiedErrorId").and_then(Value::as_str), Some("over"));
}

#[test]
fn our_host_is_asked_and_answers() {
    let Some(mut engine) = Engine7::start() else { return };
    let mut pipeline = engine.invoke(&powershell(vec![script("'you said ' + $Host.UI.ReadLine(); $Host.UI.RawUI.WindowTitle", vec![])]));
    let events = engine.pipeline_until(&mut pipeline, |e| matches!(e, PipelineEvent::HostCall(c, _) if c.wants_response()));
    let Some(PipelineEvent::HostCall(call, _)) = events.last() else { unreachable!() };
    assert_eq!((call.method, call.method_name.as_str()), (11, "ReadLine"));
    let answer = HostResponse { call_id: call.call_id, method: call.method, result: Ok(Some("blue".into())) };
    let fragments = pipeline.host_response(&answer);
    engine.data(pipeline.id(), "PromptResponse", &fragments);
    // The window's title is of the default data: nobody has to be asked for it.
    assert_eq!(outputs(&engine.finish(pipeline)), ["you said blue".into(), "test".into()]);
}

#[test]
fn a_secret_passes_both_ways_under_the_session_key() {
    let Some(mut engine) = Engine7::start() else { return };
    let request = engine.pool.request_key().unwrap().unwrap();
    engine.data(Uuid::nil(), "Default", &request);
    engine.pool_until(|e| matches!(e, PoolEvent::KeyReady));
    let key = engine.pool.key().unwrap().clone();
    let secret = Value::SecureString(key.protect(&Secret::new("Pa55w.rd 日本".into())));
    let text = "param($s) [Net.NetworkCredential]::new('', $s).Password; , $s";
    let output = engine.output(&powershell(vec![script(text, vec![secret])]));
    assert_eq!(output[0], "Pa55w.rd 日本".into());
    let Value::SecureString(encrypted) = &output[1] else { panic!("{output:?}") };
    assert_eq!(key.unprotect(encrypted).unwrap().reveal(), "Pa55w.rd 日本");
}

#[test]
fn a_stop_is_confirmed() {
    let Some(mut engine) = Engine7::start() else { return };
    let mut pipeline = engine.invoke(&powershell(vec![script("'begun'; for (;;) { $null = 1 }", vec![])]));
    engine.pipeline_until(&mut pipeline, |e| matches!(e, PipelineEvent::Record(Stream::Output, _)));
    engine.say("Signal", pipeline.id(), "", "");
    let events = engine.finish(pipeline);
    assert!(matches!(events.last(), Some(PipelineEvent::State(PipelineState::Stopped, _))), "{events:?}");
}

#[test]
fn metadata_and_runspaces_are_told() {
    let Some(mut engine) = Engine7::start() else { return };
    let query = MetadataQuery { names: vec!["Get-Command".into()], command_types: 8, modules: vec![], arguments: vec![] };
    let started = engine.pool.get_command_metadata(&query).unwrap();
    let pipeline = engine.begin(started);
    let output = outputs(&engine.finish(pipeline));
    assert_eq!(output[0].property("Count").and_then(Value::as_i64), Some(1));
    assert_eq!(output[1].property("Name").and_then(Value::as_str), Some("Get-Command"));
    let parameters = output[1].property("Parameters").and_then(Value::as_object).unwrap();
    assert!(matches!(&parameters.content, Content::Dictionary(entries) if entries.len() > 5));

    let (id, fragments) = engine.pool.get_available_runspaces().unwrap();
    engine.data(Uuid::nil(), "Default", &fragments);
    let events = engine.pool_until(|e| matches!(e, PoolEvent::Availability(..)));
    assert!(matches!(events.last(), Some(PoolEvent::Availability(answered, n)) if *answered == id && n.as_i64() == Some(1)), "{events:?}");
    let (id, fragments) = engine.pool.reset_runspace_state().unwrap();
    engine.data(Uuid::nil(), "Default", &fragments);
    let events = engine.pool_until(|e| matches!(e, PoolEvent::Availability(..)));
    assert!(
        matches!(events.last(), Some(PoolEvent::Availability(answered, done)) if *answered == id && done.as_bool() == Some(true)),
        "{events:?}"
    );
}
