//! The session ledger: what a killed process left is closed by the next connect of its account, those who live are left
//! alone, and sessions of one account are shared between processes.

use delegated_tenant::ErrorKind;
use delegated_tenant::error::{Error, fact};
use delegated_tenant::secret::Secret;
use delegated_tenant::session::{self, Cancel, Holder, Options, Session, State, Wait};
use delegated_tenant::sim::{Account, Builder, LimitForm, Redirect, Tenant};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(60);

/// A folder of its own for a ledger, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ledger-{}", Uuid::new_v4())))
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn files(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(&self.0) else { return Vec::new() };
        let mut names: Vec<_> = files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Without the load balancer's cookie, which a process that was killed takes with it.
fn tenant(change: impl FnOnce(Builder) -> Builder) -> Tenant {
    change(Tenant::builder().cookie(false)).start().unwrap()
}

fn options(uri: &str, ledger: &str, more: &[(&str, &str)]) -> Options {
    let mut o = Options::new();
    let first = [("uri", uri), ("user", "Admin@partner.com"), ("allow_unencrypted", "true"), ("proxy", "none"), ("ledger", ledger)];
    for (key, value) in first.iter().chain(more) {
        o.set(key, value).unwrap();
    }
    o.set_secret("password", Secret::new("secret".into())).unwrap();
    o
}

fn connect(tenant: &Tenant, folder: &Folder, more: &[(&str, &str)]) -> Result<Session, Error> {
    Session::connect(&options(&tenant.uri(), folder.name(), more), None)
}

fn holders(folder: &Folder) -> Vec<Holder> {
    let mut o = Options::new();
    o.set("ledger", folder.name()).unwrap();
    session::ledger(&o)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to be that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Another process with sessions, which it closes one by one as it is told to.
struct Other {
    child: Child,
}

impl Other {
    fn start(uri: &str, folder: &Folder, sessions: usize) -> Self {
        let mut other = Self::begin(uri, folder, sessions);
        let lines = BufReader::new(other.child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|l| l.contains("they are open")), "it opened none");
        other
    }

    fn begin(uri: &str, folder: &Folder, sessions: usize) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "ledger::other", "--ignored", "--nocapture"])
            .env("DT_TEST_OTHER", format!("{uri} {sessions} {}", folder.name()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child }
    }

    fn close_one(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// As kill -9 does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "what the other process does"]
fn other() {
    let Ok(what) = env::var("DT_TEST_OTHER") else { return };
    let mut words = what.splitn(3, ' ');
    let mut next = || words.next().unwrap();
    let (uri, count, folder) = (next(), next(), next());
    let o = options(uri, folder, &[("organization", "contoso.com"), ("max_redirections", "5")]);
    let mut sessions: Vec<_> = (0..count.parse().unwrap()).map(|_| Session::connect(&o, None).unwrap()).collect();
    println!("they are open");
    for line in std::io::stdin().lines() {
        line.unwrap();
        sessions.pop().unwrap().disconnect(LONG).unwrap();
    }
}

#[test]
fn what_a_killed_process_left_is_closed_by_the_next_connect() {
    let accounts = [Account::new("admin@partner.com", "secret"), Account::new("stranger@partner.com", "secret")];
    let (tenant, folder) = (tenant(|b| accounts.into_iter().fold(b.redirect(Redirect::Pod), Builder::account)), Folder::new());
    let other = Other::start(&tenant.uri(), &folder, 3);
    assert_eq!((tenant.stats().open, holders(&folder).len()), (3, 3));
    other.kill();
    assert!(holders(&folder).iter().all(|h| !h.lives && !h.here));
    // Another account has no claim on them, nor has this one without consent to go where they are.
    let stranger = connect(&tenant, &folder, &[("user", "stranger@partner.com"), ("max_redirections", "5")]).unwrap();
    stranger.disconnect(LONG).unwrap();
    assert_eq!(connect(&tenant, &folder, &[]).unwrap_err().kind(), ErrorKind::Redirected);
    assert_eq!(tenant.stats().open, 3);
    let session = connect(&tenant, &folder, &[("max_redirections", "5")]).unwrap();
    assert_eq!((tenant.stats().open, tenant.stats().closed), (1, 4));
    let told = holders(&folder);
    assert!(told.len() == 1 && told[0].here && told[0].entry.uri == session.uri() && session.uris().len() == 2, "{told:?}");
    session.disconnect(LONG).unwrap();
    assert_eq!(folder.files(), [""; 0]);
}

#[test]
fn what_a_process_left_that_was_killed_as_it_opened_is_closed_too() {
    // The shell is there, but its process never learns it.
    let (tenant, folder) = (tenant(|b| b.fault("length@create".parse().unwrap())), Folder::new());
    let other = Other::begin(&tenant.uri(), &folder, 1);
    until("the shell is there", || tenant.stats().open == 1);
    other.kill();
    let session = connect(&tenant, &folder, &[]).unwrap();
    assert_eq!((tenant.stats().open, tenant.stats().closed), (1, 1));
    session.disconnect(LONG).unwrap();
    assert_eq!(folder.files(), [""; 0]);
}

#[test]
fn sessions_of_a_living_process_are_left_alone_and_named() {
    let (tenant, folder) = (tenant(|b| b), Folder::new());
    let mut other = Other::start(&tenant.uri(), &folder, 2);
    let third = connect(&tenant, &folder, &[("organization", "fabrikam.com")]).unwrap();
    let error = connect(&tenant, &folder, &[]).unwrap_err();
    let remedy = error.fact(fact::REMEDY).unwrap();
    assert_eq!(error.kind(), ErrorKind::Quota);
    let named = format!("process {} (it", other.child.id());
    assert!(remedy.contains("this process on fabrikam.com for ") && remedy.contains(&named), "{remedy}");
    assert!(remedy.contains("on contoso.com"), "{remedy}");
    until("the refused one is gone", || tenant.stats().open == 3);
    // The budget is free again when the other process closes one: it lives and its sessions did.
    let waiting = Session::open(&options(&tenant.uri(), folder.name(), &[("wait_for_session_ms", "60000")])).unwrap();
    until("it waits", || waiting.waiting().is_some_and(|w| w.contains(&named)));
    assert_eq!((waiting.wait(Duration::ZERO).unwrap(), waiting.state(), tenant.stats().open), (Wait::Pending, State::Opening, 3));
    other.close_one();
    assert_eq!(waiting.wait(LONG).unwrap(), Wait::Ready(()));
    assert!(waiting.waiting().is_none());
    drop(third);
}

#[test]
fn those_who_wait_open_in_order_and_as_soon_as_one_closes() {
    let (tenant, folder) = (tenant(|b| b), Folder::new());
    let wait = &[("wait_for_session_ms", "60000")];
    let mut open: Vec<_> = (0..3).map(|_| connect(&tenant, &folder, wait).unwrap()).collect();
    let mut waiting: Vec<Session> = Vec::new();
    for _ in 0..3 {
        let session = Session::open(&options(&tenant.uri(), folder.name(), wait)).unwrap();
        until("it waits", || session.waiting().is_some());
        waiting.push(session);
    }
    // One that gives up is out of the way at once, and leaves nothing.
    let begun = Instant::now();
    let given_up = waiting.remove(0);
    given_up.disconnect(LONG).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((given_up.wait(LONG).unwrap_err().kind(), tenant.stats().opened, holders(&folder).len()), (ErrorKind::Cancelled, 3, 3));
    for (nth, session) in waiting.iter().enumerate() {
        open.remove(0).disconnect(LONG).unwrap();
        assert_eq!(session.wait(LONG).unwrap(), Wait::Ready(()));
        assert!(waiting[nth + 1..].iter().all(|later| later.state() == State::Opening));
    }
    assert_eq!((tenant.stats().opened, tenant.stats().operations["create"]), (5, 5), "nobody asked in vain");
}

#[test]
fn a_session_that_no_ledger_knows_is_waited_for_too() {
    for form in [LimitForm::Create, LimitForm::Receive] {
        let (tenant, folder, elsewhere) = (tenant(|b| b.max_shells(1).limit(form)), Folder::new(), Folder::new());
        let foreign = connect(&tenant, &elsewhere, &[]).unwrap();
        let waiting = Session::open(&options(&tenant.uri(), folder.name(), &[("wait_for_session_ms", "60000")])).unwrap();
        until("it waits", || waiting.waiting().is_some_and(|w| w.contains("none is known")));
        // The one that was refused at its first Receive is not left there.
        assert_eq!((tenant.stats().open, holders(&folder).len()), (1, 0));
        foreign.disconnect(LONG).unwrap();
        assert_eq!(waiting.wait(LONG).unwrap(), Wait::Ready(()));
        assert_eq!((tenant.stats().open, holders(&folder).len()), (1, 1));
    }
}

#[test]
fn a_wait_has_an_end_and_can_be_cancelled() {
    let (tenant, folder) = (tenant(|b| b.max_shells(1)), Folder::new());
    let held = connect(&tenant, &folder, &[]).unwrap();
    let short = &[("wait_for_session_ms", "300"), ("session_budget", "1")];
    let error = connect(&tenant, &folder, short).unwrap_err();
    assert_eq!((error.kind(), tenant.stats().operations["create"]), (ErrorKind::Quota, 2), "the server has the last word");
    let cancel = Cancel::new();
    let long = options(&tenant.uri(), folder.name(), &[("wait_for_session_ms", "600000"), ("session_budget", "1")]);
    thread::scope(|s| {
        let connecting = s.spawn(|| Session::connect(&long, Some(&cancel)));
        thread::sleep(Duration::from_millis(100));
        cancel.trigger();
        assert_eq!(connecting.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    });
    until("nothing is left of it", || holders(&folder).len() == 1 && tenant.stats().open == 1);
    held.disconnect(LONG).unwrap();
    // Nobody stands in the way of the next.
    connect(&tenant, &folder, &[("wait_for_session_ms", "60000"), ("session_budget", "1")]).unwrap();
}

#[test]
fn a_delete_that_was_not_confirmed_is_made_up_for() {
    let (tenant, folder) = (tenant(|b| b), Folder::new());
    let session = connect(&tenant, &folder, &[("cancel_timeout_ms", "300")]).unwrap();
    tenant.arm("stall@delete:1+".parse().unwrap());
    session.disconnect(LONG).unwrap();
    assert_eq!((tenant.stats().open, holders(&folder).len()), (1, 1));
    assert!(holders(&folder)[0].entry.abandoned.is_some());
    tenant.disarm();
    let next = connect(&tenant, &folder, &[]).unwrap();
    assert_eq!((tenant.stats().open, holders(&folder).len()), (1, 1));
    next.disconnect(LONG).unwrap();
    assert_eq!(folder.files(), [""; 0]);
}

#[test]
fn a_delete_that_was_not_confirmed_is_sent_again_in_the_background() {
    let (tenant, folder) = (tenant(|b| b), Folder::new());
    let session = connect(&tenant, &folder, &[("cancel_timeout_ms", "300")]).unwrap();
    tenant.arm("stall@delete:1+".parse().unwrap());
    assert_eq!(session.disconnect(LONG).unwrap(), Wait::Ready(()));
    assert_eq!((tenant.stats().open, session.state()), (1, State::Closed));
    drop(session);
    tenant.disarm();
    until("the server was told", || tenant.stats().open == 0 && holders(&folder).is_empty());
    assert_eq!(folder.files(), [""; 0]);
}

#[test]
fn a_delete_that_overtook_its_create_is_sent_again() {
    let (tenant, folder) = (tenant(|b| b), Folder::new());
    // It opens the shell when the open has been given up and the Delete has been answered that there is none.
    tenant.arm("delay=1200@create:1".parse().unwrap());
    let error = connect(&tenant, &folder, &[("open_timeout_ms", "200"), ("cancel_timeout_ms", "300")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    until("the shell is opened all the same", || tenant.stats().opened == 1);
    until("it is closed", || tenant.stats().open == 0 && holders(&folder).is_empty());
}

#[test]
fn a_credential_that_is_refused_at_the_close_is_not_shown_again_and_again() {
    let (tenant, folder) = (tenant(|b| b), Folder::new());
    let session = connect(&tenant, &folder, &[]).unwrap();
    tenant.arm("401@delete:1+".parse().unwrap());
    session.disconnect(Duration::MAX).unwrap();
    assert_eq!(tenant.stats().operations.get("delete"), Some(&2));
    tenant.disarm();
}

#[test]
fn a_ledger_that_cannot_be_written_is_told_once_and_keeps_nobody_from_connecting() {
    let (tenant, folder) = (tenant(|b| b), Folder::new());
    fs::write(&folder.0, "a file where the folder should be").unwrap();
    let warnings =
        |session: &Session| (0..).map_while(|n| session.warnings().get(n)).map(|w| w.to_str().unwrap().to_owned()).collect::<Vec<_>>();
    let first = connect(&tenant, &folder, &[]).unwrap();
    let told = warnings(&first);
    assert!(told.len() == 1 && told[0].starts_with("The list of open sessions cannot be kept"), "{told:?}");
    let second = connect(&tenant, &folder, &[]).unwrap();
    assert_eq!(warnings(&second), [""; 0]);
    // This process knows of its own all the same.
    assert_eq!(holders(&folder).len(), 2);
    fs::remove_file(&folder.0).unwrap();
}

#[cfg(unix)]
#[test]
fn the_files_are_the_users_alone_and_what_others_put_there_is_harmless() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (tenant, folder) = (tenant(|b| b), Folder::new());
    let session = connect(&tenant, &folder, &[]).unwrap();
    let files = folder.files();
    assert_eq!((files.len(), mode(&folder.0)), (2, 0o700), "{files:?}");
    assert!(files.iter().all(|f| mode(&folder.0.join(f)) == 0o600));
    let page = files.iter().find(|f| f.ends_with(".json")).unwrap();
    let text = fs::read_to_string(folder.0.join(page)).unwrap();
    assert!(!text.contains("secret"), "{text}");

    // Somebody's machine that wants our password, in a page whose process is dead, beside other rubbish.
    let evil = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    evil.set_nonblocking(true).unwrap();
    let port = evil.local_addr().unwrap().port();
    let lured = text.replace(&tenant.uri(), &format!("https://localhost:{port}/powershell"));
    assert!(lured.contains("localhost"), "{text}");
    let place = |name: &str| folder.0.join(name);
    let put = |id: u32, page: &[u8]| {
        let name = format!("1-{:032x}", id);
        fs::write(place(&format!("{name}.json")), page).unwrap();
        fs::write(place(&format!("{name}.lock")), "").unwrap();
    };
    put(1, lured.as_bytes());
    put(2, b"\xff\xfe{{{");
    put(3, &vec![b'['; 5 << 20]);
    put(4, text.replace("admin@partner.com", &"a".repeat(10_000)).as_bytes());
    // Of another machine that shares the home, where locks do not reach: this very session, which lives.
    let (before, after) = text.split_once("\"machine\":\"").unwrap();
    put(9, format!("{before}\"machine\":\"elsewhere-{after}").as_bytes());
    symlink("/dev/zero", place(&format!("1-{:032x}.json", 5))).unwrap();
    symlink(place(page), place(&format!("1-{:032x}.lock", 5))).unwrap();
    let fifo = Command::new("mkfifo").arg(place(&format!("1-{:032x}.json", 6))).arg(place(&format!("1-{:032x}.lock", 6))).status();
    assert!(fifo.unwrap().success());
    // A lock that lost its page, as where a process was killed between the two.
    fs::write(place(&format!("1-{:032x}.lock", 7)), "").unwrap();
    fs::create_dir(place(&format!("1-{:032x}.json", 8))).unwrap();

    let second = connect(&tenant, &folder, &[]).unwrap();
    assert_eq!((second.warnings().len(), tenant.stats().closed), (0, 0));
    assert!(evil.accept().is_err(), "the credential went where a file said");
    assert!(!place(&format!("1-{:032x}.lock", 7)).exists() && place(page).exists());
    drop((session, second));
    until("both are closed", || tenant.stats().open == 0);

    // A folder that others may write to is not used.
    let open = Folder::new();
    fs::create_dir(&open.0).unwrap();
    fs::set_permissions(&open.0, fs::Permissions::from_mode(0o777)).unwrap();
    let session = connect(&tenant, &open, &[]).unwrap();
    assert!(session.warnings().get(0).unwrap().to_str().unwrap().contains("others may write to it"));
    assert_eq!(open.files(), [""; 0]);
}
