//! What a session is opened with.

use super::handle::{borrow, free};
use super::text::dt_text;
use super::*;
use crate::lock::lock;
use crate::secret::Secret;
use crate::session::{Options, token_endpoint};
use std::sync::Mutex;

/// What a session is opened with. Used any number of times; a session takes a copy.
pub struct dt_options {
    _opaque: [u8; 0],
}

impl Noun for dt_options {
    const NAME: &'static str = "dt_options";
    const MAGIC: u64 = u64::from_be_bytes(*b"dtoption");
    type Content = Mutex<Options>;
}

/// Options at their defaults.
///
/// **Ownership:** the caller's, to be freed by `dt_options_free`.
///
/// **Returns:** `DT_STATUS_OK`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_options_new(options: *mut *mut dt_options, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        // No thread starts without options.
        #[cfg(windows)]
        library::stay();
        unsafe { Output::<dt_options>::new(options)? }.fill(Mutex::new(Options::new()));
        Ok(DT_STATUS_OK)
    })
}

/// Sets one option. A later value replaces an earlier one; an empty value takes an option back to its default where it has
/// no meaning of its own.
///
/// | key | value |
/// |-----|-------|
/// | `uri` | the endpoint; absent: Exchange Online, by its REST road |
/// | `organization` | a domain of the customer; goes into the URI as `DelegatedOrg` |
/// | `user` | the account; its password is a secret option |
/// | `authentication` | `Basic`, the default; any other is `DT_STATUS_UNSUPPORTED` |
/// | `configuration_name` | default `Microsoft.Exchange` |
/// | `max_redirections` | 0, the default: none without consent; negative: unlimited |
/// | `redirect_hosts` | further domains that a redirection may lead to, with commas between |
/// | `allow_unencrypted` | `true`: Basic may go over http; default `false` |
/// | `skip_ca_check` | `true`: any authority may have signed the certificate |
/// | `skip_cn_check` | `true`: the certificate may be for another name |
/// | `skip_revocation_check` | `true`: the certificate may be revoked |
/// | `ca_file` | path of a PEM file with further authorities |
/// | `proxy` | empty, the default: as the environment says; `none`; or a URL |
/// | `proxy_user` | the account at the proxy; its password is a secret option |
/// | `proxy_authentication` | how to sign in at the proxy |
/// | `open_timeout_ms` | for opening altogether; default 180000 |
/// | `operation_timeout_ms` | for one answer of the server; default 180000 |
/// | `cancel_timeout_ms` | for stopping and for closing; default 60000 |
/// | `idle_timeout_ms` | after which the server closes the unused session; absent: as the server has it |
/// | `culture`, `ui_culture` | such as `en-US` |
/// | `no_machine_profile` | `true`: the server loads no profile |
/// | `max_object_size` | bytes of one received object at most |
/// | `max_command_size` | bytes of all that one command sends at most; empty, the default: any number |
/// | `ps_version` | `PSVersion` in the URI, default `5.1.22621.4391`; empty: not there |
/// | `application_arguments` | CLIXML of a dictionary for the server |
/// | `host_name` | name of the host, for the server |
/// | `interactive` | `true`: the host can be asked, and host calls come as items; `false`, the default: commands that would ask fail |
/// | `host_data` | CLIXML of the host's default data |
/// | `environment` | the cloud: `O365Default`, `O365USGovGCCHigh`, `O365USGovDoD`, `O365China`, `O365GermanyCloud` |
/// | `authority` | URL of who issues tokens; absent: the cloud's own |
/// | `token_resource` | URL of what tokens are for; absent: the cloud's Exchange, or Security & Compliance where `uri` names it |
/// | `app_id` | the application that signs in; absent: Microsoft's own |
/// | `certificate_file` | path of a .pfx or PEM file with the application's certificate and key |
/// | `client_assertion_file` | path of a file with an assertion of a workload that the application trusts (federated credentials), such as `AZURE_FEDERATED_TOKEN_FILE` names; read anew each time that a token is got |
/// | `managed_identity` | `true`: sign in as the machine this runs on |
/// | `managed_identity_account_id` | which of its identities; absent: the machine's own |
/// | `device` | `true`: sign in on another device; the page and the code come as a warning of the session |
/// | `road` | `wsman` or `rest`; absent: `rest` without a `uri` and for those of Exchange Online, whose remote PowerShell ended, else `wsman` |
/// | `page_size` | REST road: objects in one page, 1 to 1000, the default |
/// | `response_format` | REST road: `clixml`, the default, or `json`, which tells less of types; items are CLIXML either way |
/// | `secure_string_key` | REST road: the service's public key for secure strings, an RSAKeyValue or PEM; absent: the one it tells |
/// | `verify_organization` | `true`: opens only where the server names the organization asked for as its own; fails otherwise with `DT_STATUS_WRONG_ORGANIZATION` |
/// | `renewable` | `true`: a request of the open session whose sign-in is refused, which did nothing, waits for `dt_session_set_secret` and then goes out again (`dt_session_wants_secret`). Where tokens are got by `client_assertion`, each further one is asked for so, at the open too |
/// | `ledger` | the folder where open sessions are told of, for other processes of the user and for the next after one was killed; `none`: nowhere; absent: the environment's `DT_LEDGER`, or the user's own place (`~/.local/state/delegated-tenant`, `%LOCALAPPDATA%\DelegatedTenant`) |
/// | `wait_for_session_ms` | for another session of the account to end, where it has as many as it may; beside `open_timeout_ms`; default 0: fails with `DT_STATUS_QUOTA` |
/// | `session_budget` | how many sessions an account may have at a time, for those who wait; default 3 |
///
/// **Ownership:** key and value are copied.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` at once for an unknown key or an unusable value, and the
/// options stay as they were.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_options_set(
    options: *mut dt_options,
    key: *const c_char,
    value: *const c_char,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let options = unsafe { borrow(options)? };
        let (key, value) = unsafe { (string("key", key)?, string("value", value)?) };
        lock(&options).set(key, value)?;
        Ok(DT_STATUS_OK)
    })
}

/// Sets one secret option: `password`, which may also be "Bearer " and a token, `proxy_password`,
/// `proxy_variables` (`HTTPS_PROXY=…`, `NO_PROXY=…` and the like, one a line, in place of the process's own variables), or, for
/// Exchange Online, `client_secret`, `certificate` (the content of `certificate_file`: PEM, or a .pfx in base64), `certificate_password`,
/// `client_assertion`, `access_token` or `refresh_token`. A refresh token of the partner's is redeemed in
/// the tenant of each session's organization. A client assertion (RFC 7521) is a JSON Web Token that shows the application
/// `app_id` to the authority, signed by a key of yours for `dt_options_token_endpoint`, or by a workload's own issuer.
///
/// **Ownership:** the value, `length` bytes of UTF-8, is copied to memory that is wiped before it is given back. Wiping the
/// caller's own copy is the caller's business.
///
/// **Threads:** one at a time.
///
/// **Returns:** as `dt_options_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_options_set_secret(
    options: *mut dt_options,
    key: *const c_char,
    value: *const u8,
    length: usize,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let options = unsafe { borrow(options)? };
        let key = unsafe { string("key", key)? };
        let value = Secret::new(unsafe { counted_string("value", value, length)? }.to_owned());
        lock(&options).set_secret(key, value)?;
        Ok(DT_STATUS_OK)
    })
}

/// The address where a session of these options gets its tokens, on the REST road: the audience (`aud`) of a
/// `client_assertion` that is signed for it, whose issuer and subject are `app_id`. Nothing is sent.
///
/// **Ownership:** `endpoint` is the caller's, to be freed by `dt_text_free`.
///
/// **Threads:** one at a time.
///
/// **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` where the options lead nowhere, or to no such address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_options_token_endpoint(
    options: *const dt_options,
    endpoint: *mut *mut dt_text,
    error: *mut *mut dt_error,
) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_text>::new(endpoint)? };
        let options = lock(&*unsafe { borrow(options)? }).clone();
        out.fill(token_endpoint(&options)?.as_str().into());
        Ok(DT_STATUS_OK)
    })
}

/// Frees options. NULL is allowed. Sessions opened with them are not touched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_options_free(options: *mut dt_options) {
    guard(Or(()), || unsafe { free(options) })
}
