//! The library as a whole: what its functions answer, its versions, its end.

use super::handle::borrow_optional;
use super::*;
use crate::clixml::{Object, Property, Value, date_time, type_names, write_document};
use crate::lock::lock;
use crate::session::{self, Holder, Options, Wait};
use uuid::Uuid;

/// What a fallible function answers. `DT_STATUS_OK`, `DT_STATUS_PENDING` and `DT_STATUS_END` are not errors; from
/// `DT_STATUS_INVALID_ARGUMENT` on, every number is one. Numbers are never reused and new ones may come: treat one that
/// you do not know as an error.
pub type dt_status = i32;

/// Done. The outputs are filled.
pub const DT_STATUS_OK: dt_status = 0;
/// Not yet: the time to wait was up. Nothing is lost; call again.
pub const DT_STATUS_PENDING: dt_status = 1;
/// There is nothing more.
pub const DT_STATUS_END: dt_status = 2;
/// An argument or option cannot be used as given.
pub const DT_STATUS_INVALID_ARGUMENT: dt_status = 100;
/// The handle is not in a state that allows the call.
pub const DT_STATUS_INVALID_STATE: dt_status = 101;
/// The library or the server cannot do this.
pub const DT_STATUS_UNSUPPORTED: dt_status = 102;
/// The server does not accept the credential.
pub const DT_STATUS_AUTHENTICATION: dt_status = 200;
/// The credential is good, but is not allowed to do this in this tenant.
pub const DT_STATUS_ACCESS_DENIED: dt_status = 201;
/// The server knows no such tenant, host or endpoint.
pub const DT_STATUS_TENANT_NOT_FOUND: dt_status = 202;
/// The server sends the caller elsewhere, and the caller has not consented.
pub const DT_STATUS_REDIRECTED: dt_status = 203;
/// The session is on another organization than the one asked for, or the server does not tell on which.
pub const DT_STATUS_WRONG_ORGANIZATION: dt_status = 204;
/// No connection could be made.
pub const DT_STATUS_CONNECT: dt_status = 300;
/// The connection cannot be trusted: certificate, name or protocol.
pub const DT_STATUS_TLS: dt_status = 301;
/// Nothing came within the time allowed by the options. A command may have run nevertheless.
pub const DT_STATUS_TIMEOUT: dt_status = 302;
/// The session was lost. A command may have run nevertheless.
pub const DT_STATUS_DISCONNECTED: dt_status = 303;
/// The service asks for patience; the fact `retry_after_ms` says how much, where the service does.
pub const DT_STATUS_THROTTLED: dt_status = 400;
/// Too many sessions are open for this account.
pub const DT_STATUS_QUOTA: dt_status = 401;
/// The service failed.
pub const DT_STATUS_SERVICE: dt_status = 402;
/// The other side does not speak the protocol.
pub const DT_STATUS_PROTOCOL: dt_status = 500;
/// The remote command ended with a terminating error; `dt_error_record` gives it.
pub const DT_STATUS_COMMAND_FAILED: dt_status = 600;
/// Cancelled or stopped, as the caller asked.
pub const DT_STATUS_CANCELLED: dt_status = 700;
/// A defect of this library.
pub const DT_STATUS_INTERNAL: dt_status = 900;
/// A panic of this library, caught. The handles used in the call are unusable from now on but for freeing them.
pub const DT_STATUS_PANIC: dt_status = 901;

/// For a `wait_ms`: until it is there, however long that takes. 0 only looks.
pub const DT_WAIT_FOREVER: u32 = u32::MAX;

/// What `dt_abi_version` answers for the library that this header belongs to.
pub const DT_ABI_VERSION: u32 = 1;

/// The version of the ABI that the library offers.
///
/// Compare it with `DT_ABI_VERSION` once, before anything else, where the library is found at run time: it moves only when
/// something that was there has changed.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_abi_version() -> u32 {
    guard(Or(0), || Ok(DT_ABI_VERSION))
}

/// The version of the library, such as "0.1.0".
///
/// **Ownership:** the string is static.
///
/// **Threads:** any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_version() -> *const c_char {
    guard(Or(ptr::null()), || Ok(concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()))
}

/// Closes every session of this process, also those whose handles are freed and which still close in the background.
///
/// Call it before the process ends: a session that is not closed counts against the account until the server notices,
/// which takes it a quarter of an hour. Handles stay valid and are freed as always. The
/// library can be used again afterwards.
///
/// **Threads:** any.
///
/// **Returns:** `DT_STATUS_OK` when all are closed; `DT_STATUS_PENDING` when some are not within `wait_ms`, which closing
/// goes on with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_library_shutdown(wait_ms: u32, error: *mut *mut dt_error) -> dt_status {
    guard(error, || session::shutdown(wait_of(wait_ms)).map(status_of))
}

/// The sessions that processes of this user have open on servers, as far as the ledger tells: those of this library in
/// every process, also in one that was killed, whose sessions the next connect of the account closes.
///
/// The text is CLIXML: an object for each, with the properties ProcessId, ProcessName, IsAlive, IsAbandoned (its process
/// goes on without it, and could not close it), Account, ComputerName, ConnectionUri, ConfigurationName, Organization,
/// InstanceId and OpenedAt (UTC).
///
/// **Ownership:** `text` is the caller's, to be freed by `dt_text_free`. The options, of which `ledger` alone counts, may be
/// NULL.
///
/// **Threads:** any; the options must not change meanwhile.
///
/// **Returns:** `DT_STATUS_OK`, also where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dt_library_ledger(options: *const dt_options, text: *mut *mut dt_text, error: *mut *mut dt_error) -> dt_status {
    guard(error, || {
        let out = unsafe { Output::<dt_text>::new(text)? };
        let options = match unsafe { borrow_optional(options)? } {
            Some(options) => lock(&options).clone(),
            None => Options::new(),
        };
        let values: Vec<Value> = session::ledger(&options).iter().map(told).collect();
        out.fill(write_document(&values).as_str().into());
        Ok(DT_STATUS_OK)
    })
}

fn told(holder: &Holder) -> Value {
    let entry = &holder.entry;
    let host = entry.account.endpoint.rsplit_once(':').map_or(entry.account.endpoint.as_str(), |(host, _)| host);
    Object {
        type_names: Some(type_names(&["DelegatedTenant.LedgerEntry", "System.Object"])),
        ..Object::bag(vec![
            Property::new("ProcessId", i64::from(holder.process)),
            Property::new("ProcessName", holder.name.as_str()),
            Property::new("IsAlive", holder.lives),
            Property::new("IsAbandoned", entry.abandoned.is_some()),
            Property::new("Account", entry.account.user.as_str()),
            Property::new("ComputerName", host),
            Property::new("ConnectionUri", entry.uri.as_str()),
            Property::new("ConfigurationName", entry.configuration.as_str()),
            Property::new("Organization", entry.organization.as_deref()),
            Property::new("InstanceId", Uuid::try_parse(&entry.shell).unwrap_or_default()),
            Property::new("OpenedAt", Value::DateTime(date_time(entry.opened) + "Z")),
        ])
    }
    .into()
}

/// The runtime's threads run in the library's code until the process ends: unloading it would pull that away. Linux is told by the
/// linker (build.rs), Windows here.
#[cfg(windows)]
pub(super) fn stay() {
    use std::sync::Once;
    const PIN: u32 = 1;
    const FROM_ADDRESS: u32 = 4;
    unsafe extern "system" {
        fn GetModuleHandleExW(flags: u32, address: *const c_char, module: *mut *mut c_char) -> i32;
    }
    static ONCE: Once = Once::new();
    // A static of this very module is an address within it. Where the call fails, all is as it would be without it.
    ONCE.call_once(|| {
        let mut module = ptr::null_mut();
        // SAFETY: the address lies in the module that is running, and the place is writable.
        unsafe { GetModuleHandleExW(PIN | FROM_ADDRESS, (&raw const ONCE).cast(), &raw mut module) };
    });
}

pub(super) fn status_of(wait: Wait) -> dt_status {
    match wait {
        Wait::Ready(()) => DT_STATUS_OK,
        Wait::Pending => DT_STATUS_PENDING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_status() {
        let statuses = [
            DT_STATUS_INVALID_ARGUMENT,
            DT_STATUS_INVALID_STATE,
            DT_STATUS_UNSUPPORTED,
            DT_STATUS_AUTHENTICATION,
            DT_STATUS_ACCESS_DENIED,
            DT_STATUS_TENANT_NOT_FOUND,
            DT_STATUS_REDIRECTED,
            DT_STATUS_WRONG_ORGANIZATION,
            DT_STATUS_CONNECT,
            DT_STATUS_TLS,
            DT_STATUS_TIMEOUT,
            DT_STATUS_DISCONNECTED,
            DT_STATUS_THROTTLED,
            DT_STATUS_QUOTA,
            DT_STATUS_SERVICE,
            DT_STATUS_PROTOCOL,
            DT_STATUS_COMMAND_FAILED,
            DT_STATUS_CANCELLED,
            DT_STATUS_INTERNAL,
            DT_STATUS_PANIC,
        ];
        assert_eq!(ErrorKind::ALL.map(ErrorKind::status), statuses);
    }
}
