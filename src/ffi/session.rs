//! A session on one tenant.

use super::handle::{borrow, borrow_optional, free};
use super::*;
use crate::lock::lock;
use crate::secret::Secret;
use crate::session::{Session, TextList};
use std::sync::OnceLock;

/// A session on one tenant. It runs one command at a time.
pub struct dt_session {
    _opaque: [u8; 0],
}

/// The session, and the strings of it that C has asked for: kept, because C may hold them until the handle is freed.
pub(super) struct SessionContent {
    session: Session,
    id: OnceLock<CString>,
    computer_name: OnceLock<CString>,
    organization: OnceLock<CString>,
    verified_organization: OnceLock<CString>,
    configuration_name: OnceLock<CString>,
    private_data: OnceLock<CString>,
    /// What properties have been told: few, since they seldom change.
    properties: TextList,
}

impl From<Session> for SessionContent {
    fn from(session: Session) -> Self {
        Self {
            session,
            id: OnceLock::new(),
            computer_name: OnceLock::new(),
            organization: OnceLock::new(),
            verified_organization: OnceLock::new(),
            configuration_name: OnceLock::new(),
            private_data: OnceLock::new(),
            properties: TextList::default(),
        }
    }
}

impl Noun for dt_session {
    const NAME: &'static str = "dt_session";
    const MAGIC: u64 = u64::from_be_bytes(*b"dtsessio");
    type Content = SessionContent;
}

fn kept(place: &OnceLock<CString>, text: &str) -> *const c_char {
    place.get_or_init(|| c_string(text)).as_ptr()
}

/// PowerShell's RunspaceState, as `dt_session_state` gives it: not begun.
pub const DT_SESSION_STATE_BEFORE_OPEN: i32 = 0;
/// Opening.
pub const DT_SESSION_STATE_OPENING: i32 = 1;
/// Open.
pub const DT_SESSION_STATE_OPENED: i32 = 2;
/// Closed.
pub const DT_SESSION_STATE_CLOSED: i32 = 3;
/// Closing.
pub const DT_SESSION_STATE_CLOSING: i32 = 4;
/// Lost, or never opened.
pub const DT_SESSION_STATE_BROKEN: i32 = 5;

/// PowerShell's RunspaceAvailability, as `dt_session_availability` gives it: the session is not open.
pub const DT_AVAILABILITY_NONE: i32 = 0;
/// Nothing runs.
pub const DT_AVAILABILITY_AVAILABLE: i32 = 1;
/// Not used by this library.
pub const DT_AVAILABILITY_AVAILABLE_FOR_NESTED_COMMAND: i32 = 2;
/// A command runs.
pub const DT_AVAILABILITY_BUSY: i32 = 3;

/// Opens a session and waits for it, at most for the options `open_timeout_ms` and `wait_for_session_ms` together.
///
/// Where it fails or is cancelled, what may have come to be on the server is deleted in the background.
///
/// **Ownership:** the session is the caller's, to be freed by `dt_session_free`. Options and cancel stay the caller's and
/// are not needed afterwards; `cancel` may be NULL.
///
/// **Threads:** any; the options must not change meanwhile.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_CANCELLED`; any other error of connecting, with its facts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_connect(
    options: *const dt_options,
    cancel: *const dt_cancel,
    session: *mut *mut dt_session,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_session>::new(session)? };
        let options = lock(&*unsafe { borrow(options)? }).clone();
        let cancel = unsafe { borrow_optional(cancel)? };
        out.fill(Session::connect(&options, cancel.as_deref())?.into());
        Ok(DT_STATUS_OK)
    })
}

/// Begins to open a session and never waits for the network: `dt_session_wait` tells what becomes of it.
///
/// **Ownership:** the session is the caller's, to be freed by `dt_session_free`, also where opening fails later.
///
/// **Threads:** any; the options must not change meanwhile.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` where the options do not make sense together.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_open(
    options: *const dt_options,
    session: *mut *mut dt_session,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_session>::new(session)? };
        let options = lock(&*unsafe { borrow(options)? }).clone();
        out.fill(Session::open(&options)?.into());
        Ok(DT_STATUS_OK)
    })
}

/// Waits until a session is open.
///
/// **Threads:** any, several at once.
///
/// **Returns:** `DT_STATUS_OK` open; `DT_STATUS_PENDING` not within `wait_ms`; or, at every call again, the error
/// of opening, or that by which an open session was lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_wait(session: *const dt_session, wait_ms: u32, error: *mut *mut dt_error) -> dt_status {
    guard(error, || unsafe { borrow(session)? }.session.wait(wait_of(wait_ms)).map(status_of))
}

/// What a session that opens waits for before it begins, where the option `wait_for_session_ms` has it wait for another
/// session of its account to end: in words, who has them.
///
/// **Ownership:** `text` is the caller's, to be freed by `dt_text_free`.
///
/// **Threads:** any.
///
/// **Returns:** `DT_STATUS_OK` it waits, and `text` says for whom; `DT_STATUS_END` it does not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_waiting(session: *const dt_session, text: *mut *mut dt_text, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_text>::new(text)? };
        Ok(match unsafe { borrow(session)? }.session.waiting() {
            Some(words) => {
                out.fill(words.as_str().into());
                DT_STATUS_OK
            }
            None => DT_STATUS_END,
        })
    })
}

/// Closes a session on the server, also while it opens, runs a command or is broken. The handle stays valid.
///
/// The first call begins it; each waits for its end. Invocations that still run end with an error.
///
/// **Threads:** any, several at once.
///
/// **Returns:** `DT_STATUS_OK` closed, however often it is called; `DT_STATUS_PENDING` not within `wait_ms`, which closing
/// goes on with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_disconnect(session: *const dt_session, wait_ms: u32, error: *mut *mut dt_error) -> dt_status {
    guard(error, || unsafe { borrow(session)? }.session.disconnect(wait_of(wait_ms)).map(status_of))
}

/// Lets go of a session. NULL is allowed.
///
/// Never waits: where it is not closed it closes in the background, once its invocations are freed too.
/// `dt_library_shutdown` waits for such sessions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_free(session: *mut dt_session) {
    guard(Or(()), || unsafe { free(session) })
}

/// The text of the warning of this index, from 0, such as that of a redirection. More may come while the session opens.
///
/// **Ownership:** borrowed from the session.
///
/// **Threads:** any.
///
/// **Returns:** NULL where there is no such warning so far.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_warning(session: *const dt_session, index: usize) -> *const c_char {
    guard(Or(ptr::null()), || Ok(borrowed(unsafe { borrow(session)? }.session.warnings().get(index))))
}

/// The GUID of the runspace pool, in lower case with dashes: the InstanceId of a PSSession.
///
/// **Ownership:** borrowed from the session.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_id(session: *const dt_session) -> *const c_char {
    guard(Or(ptr::null()), || {
        let content = unsafe { borrow(session)? };
        Ok(kept(&content.id, &content.session.id().to_string()))
    })
}

/// The host of the first URI, which redirections do not change.
///
/// **Ownership:** borrowed from the session.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_computer_name(session: *const dt_session) -> *const c_char {
    guard(Or(ptr::null()), || {
        let content = unsafe { borrow(session)? };
        Ok(kept(&content.computer_name, content.session.computer_name()))
    })
}

/// The URI now talked to, after redirections.
///
/// **Ownership:** borrowed from the session, also after another has taken its place.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_uri(session: *const dt_session) -> *const c_char {
    guard(Or(ptr::null()), || Ok(borrowed(unsafe { borrow(session)? }.session.uris().last())))
}

/// The delegated organization.
///
/// **Ownership:** borrowed from the session.
///
/// **Threads:** any.
///
/// **Returns:** NULL where none was asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_organization(session: *const dt_session) -> *const c_char {
    guard(Or(ptr::null()), || {
        let content = unsafe { borrow(session)? };
        Ok(content.session.organization().map_or(ptr::null(), |text| kept(&content.organization, text)))
    })
}

/// The organization's own name, such as `fabrikam.onmicrosoft.com`, where the option `verify_organization` had the server
/// name it.
///
/// **Ownership:** borrowed from the session.
///
/// **Threads:** any.
///
/// **Returns:** NULL where it was not verified.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_verified_organization(session: *const dt_session) -> *const c_char {
    guard(Or(ptr::null()), || {
        let content = unsafe { borrow(session)? };
        Ok(content.session.verified_organization().map_or(ptr::null(), |text| kept(&content.verified_organization, text)))
    })
}

/// Replaces a secret of a session, from its next request on: `password`, where the token in it has been renewed, and on the
/// REST road `access_token` or `client_assertion`. Nothing is sent, and what is on its way keeps the old one. It makes no lost session whole again.
///
/// **Ownership:** the value, `length` bytes of UTF-8, is copied to memory that is wiped before it is given back. Wiping the
/// caller's own copy is the caller's business.
///
/// **Threads:** any, also while a command runs.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for another key, or where the session has no user.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_set_secret(
    session: *const dt_session,
    key: *const c_char,
    value: *const u8,
    length: usize,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let content = unsafe { borrow(session)? };
        let key = unsafe { string("key", key)? };
        let value = Secret::new(unsafe { counted_string("value", value, length)? }.to_owned());
        content.session.set_secret(key, value)?;
        Ok(DT_STATUS_OK)
    })
}

/// Whether the session wants a new secret by `dt_session_set_secret`, as the option `renewable` has it: a request waits for
/// one, or, on the REST road, a ready access token that tells its end has less than a tenth of its time left, at most five
/// minutes. The property `wanted_secret` is its key. Worth asking where `dt_invocation_next` gives `DT_STATUS_PENDING`.
///
/// **Threads:** any.
///
/// **Returns:** 1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_wants_secret(session: *const dt_session) -> i32 {
    guard(Or(0), || Ok(unsafe { borrow(session)? }.session.wants_secret().into()))
}

/// What else is known of the session, by name:
///
/// | name | what it is |
/// |------|------------|
/// | `transport` | `WSMan` or `REST` |
/// | `user_principal_name`, `app_id`, `tenant_id` | REST road: whose token it is, once one tells it |
/// | `token_expiry_time_utc` | REST road: when the token ends (ISO 8601) |
/// | `wanted_secret` | the key of the secret that `dt_session_wants_secret` is about: `password`, `access_token` or `client_assertion` |
/// | `token_endpoint` | REST road: where tokens are got, and so the audience of the assertion that is wanted |
/// | `wanted_claims` | the claims that the service asks for in an access token (Continuous Access Evaluation), as JSON |
///
/// **Ownership:** borrowed from the session.
///
/// **Threads:** any.
///
/// **Returns:** NULL where it is not known, or there is no such name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_property(session: *const dt_session, name: *const c_char) -> *const c_char {
    guard(Or(ptr::null()), || {
        let content = unsafe { borrow(session)? };
        let text = content.session.property(unsafe { string("name", name)? });
        Ok(text.map_or(ptr::null(), |text| borrowed(Some(content.properties.keep(&text)))))
    })
}

/// The name of the configuration, such as `Microsoft.Exchange`.
///
/// **Ownership:** borrowed from the session.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_configuration_name(session: *const dt_session) -> *const c_char {
    guard(Or(ptr::null()), || {
        let content = unsafe { borrow(session)? };
        Ok(kept(&content.configuration_name, content.session.configuration_name()))
    })
}

/// What the server tells about itself, as CLIXML: PowerShell's ApplicationPrivateData.
///
/// **Ownership:** borrowed from the session.
///
/// **Threads:** any.
///
/// **Returns:** NULL before it came, which it has where the session is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_private_data(session: *const dt_session) -> *const c_char {
    guard(Or(ptr::null()), || {
        let content = unsafe { borrow(session)? };
        Ok(content.session.private_data().map_or(ptr::null(), |text| kept(&content.private_data, text)))
    })
}

/// The state now.
///
/// **Threads:** any.
///
/// **Returns:** one of `DT_SESSION_STATE_*`; -1 where the handle is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_state(session: *const dt_session) -> i32 {
    guard(Or(-1), || Ok(unsafe { borrow(session)? }.session.state() as i32))
}

/// Whether a command runs now.
///
/// **Threads:** any.
///
/// **Returns:** one of `DT_AVAILABILITY_*`; -1 where the handle is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_availability(session: *const dt_session) -> i32 {
    guard(Or(-1), || Ok(unsafe { borrow(session)? }.session.availability() as i32))
}

/// After how many milliseconds unused the server closes the session, as the server told it.
///
/// **Threads:** any.
///
/// **Returns:** 0 where the server has not told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_idle_timeout_ms(session: *const dt_session) -> u64 {
    guard(Or(0), || {
        let timeout = unsafe { borrow(session)? }.session.idle_timeout();
        Ok(timeout.map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)))
    })
}

/// Makes sure of the session's key, which `dt_session_protect` and `dt_session_unprotect` need. The first call asks the
/// server for it.
///
/// **Threads:** any, several at once.
///
/// **Returns:** `DT_STATUS_OK` it is there; `DT_STATUS_PENDING` not within `wait_ms`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_exchange_key(session: *const dt_session, wait_ms: u32, error: *mut *mut dt_error) -> dt_status {
    guard(error, || unsafe { borrow(session)? }.session.exchange_key(wait_of(wait_ms)).map(status_of))
}

/// Encrypts a text for the server: what stands in an `<SS>` element of CLIXML, a SecureString.
///
/// **Ownership:** `encrypted` is the caller's, to be freed by `dt_text_free`. The text, `length` bytes of UTF-8, is not kept.
///
/// **Threads:** any, several at once.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_STATE` without the session's key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_protect(
    session: *const dt_session,
    text: *const u8,
    length: usize,
    encrypted: *mut *mut dt_text,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_text>::new(encrypted)? };
        let content = unsafe { borrow(session)? };
        let text = Secret::new(unsafe { counted_string("text", text, length)? }.to_owned());
        out.fill(content.session.protect(&text)?.as_str().into());
        Ok(DT_STATUS_OK)
    })
}

/// Decrypts what stands in an `<SS>` element of CLIXML from the server.
///
/// **Ownership:** `text` is the caller's, to be freed by `dt_text_free`, which wipes it.
///
/// **Threads:** any, several at once.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_STATE` without the session's key; `DT_STATUS_INVALID_ARGUMENT` or
/// `DT_STATUS_PROTOCOL` for what was not encrypted with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_unprotect(
    session: *const dt_session,
    encrypted: *const c_char,
    text: *mut *mut dt_text,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_text>::new(text)? };
        let content = unsafe { borrow(session)? };
        let secret = content.session.unprotect(unsafe { string("encrypted", encrypted)? })?;
        out.fill(secret.reveal().as_str().into());
        Ok(DT_STATUS_OK)
    })
}

/// Begins to run a command and never waits for the network: `dt_invocation_next` tells what becomes of it.
///
/// A session runs one command at a time. Where an earlier one has not ended the new one waits for its turn, and the earlier
/// one's items are collected meanwhile; so a command may be invoked between two items of another.
///
/// **Ownership:** the invocation is the caller's, to be freed by `dt_invocation_free`; it keeps the session. The command
/// stays the caller's and may be used again.
///
/// **Threads:** any; the command must not change meanwhile.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_STATE` where the session is not open, or an earlier command waits for its
/// caller; `DT_STATUS_INVALID_ARGUMENT` where the command is empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_session_invoke(
    session: *const dt_session,
    command: *const dt_command,
    invocation: *mut *mut dt_invocation,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_invocation>::new(invocation)? };
        let content = unsafe { borrow(session)? };
        let command = unsafe { borrow(command)? };
        out.fill(content.session.invoke(&lock(&command))?);
        Ok(DT_STATUS_OK)
    })
}
