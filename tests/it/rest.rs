//! The REST road: against the simulated tenant, and against a server that answers with recorded shapes. (rest.md)

mod binding;
mod compliance;
mod renewal;
mod shapes;
mod tenant;
mod way;

use delegated_tenant::clixml::{self, Value};
use delegated_tenant::error::Error;
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{Command, Invocation, Next, Options, Record, RecordKind, Session};
use std::time::Duration;

pub const LONG: Duration = Duration::from_secs(60);

pub fn options(uri: &str, more: &[(&str, &str)]) -> Options {
    let mut o = Options::new();
    let first = [("uri", uri), ("organization", "fabrikam.com"), ("allow_unencrypted", "true"), ("proxy", "none")];
    for (key, value) in first.iter().chain(more) {
        o.set(key, value).unwrap();
    }
    o.set_secret("access_token", Secret::new("token-of-a-test".into())).unwrap();
    o
}

pub fn connect(uri: &str, more: &[(&str, &str)]) -> Result<Session, Error> {
    Session::connect(&options(uri, more), None)
}

/// A pipeline of commands with arguments as typed.
pub fn pipeline(commands: &[(&str, &[(&str, Value)])]) -> Command {
    let mut c = Command::new();
    for (name, arguments) in commands {
        c.add(name).unwrap();
        for (name, value) in *arguments {
            c.add_argument((!name.is_empty()).then(|| (*name).to_owned()), value.clone()).unwrap();
        }
    }
    c
}

pub fn collect(invocation: &Invocation) -> (Vec<Record>, Option<Error>) {
    let (mut records, mut error) = (Vec::new(), None);
    loop {
        match invocation.next(LONG) {
            Ok(Next::Record(r)) => records.push(r),
            Ok(Next::End) => return (records, error),
            Ok(Next::Pending) => panic!("nothing came in time"),
            Err(e) => error = Some(e),
        }
    }
}

pub fn run(session: &Session, commands: &[(&str, &[(&str, Value)])]) -> (Vec<Record>, Option<Error>) {
    collect(&session.invoke(&pipeline(commands)).unwrap())
}

pub fn outputs(records: &[Record]) -> Vec<Value> {
    of(records, RecordKind::Output)
}

pub fn of(records: &[Record], kind: RecordKind) -> Vec<Value> {
    records.iter().filter(|r| r.kind == kind).map(|r| clixml::read(r.clixml()).unwrap()).collect()
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.property(name).and_then(Value::as_str).unwrap_or_default()
}
