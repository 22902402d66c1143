//! Whether a session can be had, told step by step: the way to the server, the sign-in, the shell, the organization.

use super::{Core, Options, Session, Wait};
use crate::error::{Error, Result, fact};
use crate::runtime;
use crate::transport::{Part, Passage, Road, TextList};
use std::ffi::CStr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

/// The steps on either road, in the order of the walk.
const WSMAN: [&str; 7] = ["Name", "TCP", "TLS", "HTTP", SIGN_IN, "Shell", ORGANIZATION];
const REST: [&str; 7] = ["Name", "TCP", "TLS", "HTTP", SIGN_IN, "Service", ORGANIZATION];
const SIGN_IN: &str = "SignIn";
const ORGANIZATION: &str = "Organization";

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Outcome {
    /// It is well.
    Passed = 1,
    /// It is the one that fails.
    Failed = 2,
    /// There was nothing to do, or it was not reached.
    Skipped = 3,
}

/// One step of a [`Check`].
#[derive(Debug)]
pub struct Step {
    /// `Name`, `TCP`, `TLS`, `HTTP`, `SignIn`, `Shell` (on the REST road `Service`) or `Organization`.
    pub name: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// What was found, in one sentence.
    pub detail: String,
    /// What to do, where it failed.
    pub remedy: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// The error, where it failed.
    pub error: Option<Error>,
}

/// A walk to a tenant that tells each step as it is done and leaves nothing open. Dropped before its end, it stops, and
/// a shell that it has opened is deleted in the background.
#[derive(Debug)]
pub struct Check {
    steps: Mutex<mpsc::UnboundedReceiver<Step>>,
    warnings: Arc<OnceLock<Arc<TextList>>>,
    task: JoinHandle<()>,
}

impl Drop for Check {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Check {
    /// Begins the walk that a session of these options would go; never waits for the network. An error at once where the
    /// options can lead nowhere.
    pub fn start(options: &Options) -> Result<Self> {
        let mut options = options.clone();
        // The walk asks by itself, and tells what it hears.
        options.verify_organization = false;
        options.sign_in_anew = true;
        // Nobody sees what it asks for.
        options.renewable = false;
        let road = Road::new(Uuid::new_v4(), &options)?;
        let (sender, steps) = mpsc::unbounded_channel();
        let warnings = Arc::<OnceLock<Arc<TextList>>>::default();
        let texts = Arc::clone(&warnings);
        let task = runtime::spawn(async move {
            let mut walk = Walk { names: if road.is_rest() { &REST } else { &WSMAN }, steps: sender, told: 0, warnings: texts };
            if road.reach(&mut |part, passage, took| walk.tell(name(part), passage, took)).await {
                walk.session(&options).await;
            }
            walk.skip_the_rest();
        })?;
        Ok(Self { steps: Mutex::new(steps), warnings, task })
    }

    /// A text for the user so far, from index 0: a redirection, or how to sign in by hand.
    pub fn warning(&self, index: usize) -> Option<&CStr> {
        self.warnings.get()?.get(index)
    }

    /// The next step; None after the last, when nothing of the walk is left at the server as far as it can be helped.
    pub fn next(&self, wait: Duration) -> Wait<Option<Step>> {
        let next = async { self.steps.lock().await.recv().await };
        runtime::wait(next, wait).map_or(Wait::Pending, Wait::Ready)
    }
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Name => "Name",
        Part::Tcp => "TCP",
        Part::Tls => "TLS",
        Part::Http => "HTTP",
    }
}

/// Whom the authority has given a token, and where.
fn granted(core: &Core) -> String {
    let told = |name| core.road.property(name);
    let whom = match (told("user_principal_name"), told("app_id")) {
        (Some(user), _) => user,
        (None, Some(app)) => format!("the application {app}"),
        (None, None) => String::from("the caller"),
    };
    let tenant = told("tenant_id").map(|t| format!(" in the tenant {t}")).unwrap_or_default();
    format!("the authority gives {whom} a token{tenant}")
}

struct Walk {
    names: &'static [&'static str; 7],
    warnings: Arc<OnceLock<Arc<TextList>>>,
    steps: mpsc::UnboundedSender<Step>,
    told: usize,
}

impl Walk {
    fn tell(&mut self, name: &'static str, passage: Passage, took: Duration) {
        let (outcome, detail, error) = match passage {
            Passage::Passed(detail) => (Outcome::Passed, detail, None),
            Passage::Skipped(detail) => (Outcome::Skipped, detail, None),
            Passage::Failed(error) => {
                let shown = error.fact(fact::CERTIFICATE).map(|c| format!("; it is {c}")).unwrap_or_default();
                (Outcome::Failed, format!("{}{shown}", error.detail()), Some(error))
            }
        };
        let remedy = error.as_ref().and_then(|e| e.fact(fact::REMEDY)).map(str::to_owned);
        self.told += 1;
        // Nobody listens any more where the check was dropped.
        let _ = self.steps.send(Step { name, outcome, detail, remedy, took, error });
    }

    fn skip_the_rest(&mut self) {
        for name in self.names.iter().skip(self.told) {
            self.tell(name, Passage::Skipped("not reached".into()), Duration::ZERO);
        }
    }

    /// A session of its own, for the steps behind the sign-in.
    async fn session(&mut self, options: &Options) {
        let begun = Instant::now();
        let session = match Session::open(options) {
            Ok(session) => session,
            Err(error) => return self.tell(SIGN_IN, Passage::Failed(error), begun.elapsed()),
        };
        let _ = self.warnings.set(Arc::clone(&session.core().road.status().warnings));
        self.open(&session, begun).await;
        session.core().close();
        session.core().wait_end().await;
    }

    async fn open(&mut self, session: &Session, begun: Instant) {
        let core = session.core();
        let mut signed_in = core.road.status().signed_in.subscribe();
        let refused = tokio::select! {
            biased;
            _ = signed_in.wait_for(|s| *s) => None,
            opened = session.opened() => opened.err(),
        };
        if let Some(error) = refused {
            return self.tell(SIGN_IN, Passage::Failed(error), begun.elapsed());
        }
        let passage = if core.road.has_ready_token() {
            Passage::Skipped("the token that was given is tried: no authority is asked".into())
        } else if core.road.is_rest() {
            Passage::Passed(granted(core))
        } else {
            let user = core.options.user.as_deref().unwrap_or("a caller without a name");
            let on = if session.uris().len() > 1 { format!(" at {}", session.uri()) } else { String::new() };
            Passage::Passed(format!("the server takes {user}{on}"))
        };
        self.tell(SIGN_IN, passage, begun.elapsed());

        let begun = Instant::now();
        if let Err(error) = session.opened().await {
            return self.tell(self.names[5], Passage::Failed(error), begun.elapsed());
        }
        let detail = match session.idle_timeout() {
            _ if core.road.is_rest() => format!("{} takes the token", session.computer_name()),
            Some(idle) => format!("a session opens; unused, the server closes it after {} min", idle.as_secs().div_ceil(60)),
            None => String::from("a session opens"),
        };
        self.tell(self.names[5], Passage::Passed(detail), begun.elapsed());

        let begun = Instant::now();
        let reported = tokio::select! {
            biased;
            error = core.road.status().over("verify organization") => Err(error),
            reported = timeout(core.options.open_timeout, core.reported()) => reported.unwrap_or_else(|_| Err(core.no_word())),
        };
        let passage = match reported.and_then(|reported| reported.passage(session)) {
            Ok(passage) => passage,
            Err(error) => Passage::Failed(core.named(error)),
        };
        self.tell(ORGANIZATION, passage, begun.elapsed());
    }
}
