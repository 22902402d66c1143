/*
 * DelegatedTenant: sessions on a customer's Exchange organization, on behalf of a partner.
 *
 * The API conventions, which hold for every function unless its own text says otherwise
 * =====================================================================================
 *
 * Names. dt_<noun>_<verb> belongs to the noun, which is its first argument. After the subject come the inputs, then the
 * outputs, then the place for the error.
 *
 * Handles. Every dt_<noun> * is a handle: its struct is opaque, made and destroyed by this library alone. What a function
 * hands out through a dt_<noun> ** belongs to the caller, who frees it once by dt_<noun>_free. Freeing takes NULL, never
 * fails and never waits for the network. Handles may be freed in any order: an invocation keeps its session alive, an item
 * needs neither. A handle that is freed must not be used again. The library tries to notice that, and a handle passed as
 * another noun, but cannot always.
 *
 * Strings. They are UTF-8 and end with a zero byte; where a length goes with one, it does not count that byte. Strings
 * passed in are copied, and a string that is not UTF-8 is an error. Strings handed out as const char * are borrowed: they
 * belong to the handle that was asked, stay the same and where they are until it is freed, and are never freed by the caller.
 *
 * Errors. A function that can fail returns a dt_status. On DT_STATUS_OK its outputs are filled, on any other status every
 * handle output is NULL. Where the status is an error (100 and above) and the last argument is not NULL, an error handle is
 * stored there, which the caller frees; on every other status NULL is stored there, so that it can be freed in any case.
 * A function that cannot fail answers NULL, 0 or -1 for a handle that is NULL. A panic inside the library comes back as
 * DT_STATUS_PANIC; the handles used in that call are then unusable, but are freed as always.
 *
 * NULL. Where a pointer is needed, NULL is DT_STATUS_INVALID_ARGUMENT, not a crash. It is allowed for the place of an error,
 * for that of a length, and where the text of the function says so.
 *
 * Threads. A handle taken as const may be used by several threads at once; any other by one thread at a time, which need not
 * always be the same one. dt_cancel_trigger and dt_invocation_stop may be called from any thread at any time. The library
 * has threads of its own, and calls nothing of the caller's: there are no callbacks. Its threads live as long as the process:
 * do not unload it (on Linux it stays loaded in any case), and do not use handles in a forked child.
 *
 * Waiting. A function that may wait for the network takes wait_ms, returns DT_STATUS_PENDING when the time is up, and is then
 * called again; 0 only looks, DT_WAIT_FOREVER waits on. Nothing is lost by a PENDING. How long the server may take before
 * that is an error, the options say. dt_session_connect alone waits without wait_ms, and takes a dt_cancel instead.
 *
 * Values. Objects of PowerShell travel as CLIXML in both directions, so that they keep their types.
 *
 * Secrets. Passwords go in by dt_options_set_secret, SecureStrings by dt_session_protect and dt_session_unprotect. The
 * library wipes its copies, and tells no secret in any error. What is done with what dt_text_data shows is the caller's.
 *
 * Versions. Functions, option keys, facts, items and status numbers may be added; none is changed, and no number is used
 * again, while DT_ABI_VERSION stays. A program that finds the library at run time compares dt_abi_version() with
 * DT_ABI_VERSION. DT_VERSION is the version of the library this header came with, dt_version() that of the one found.
 *
 * The end. A session that is left open on the server counts against its account for a quarter of an hour: call
 * dt_session_disconnect, or dt_library_shutdown for all of them, before the process ends.
 */


#ifndef DELEGATED_TENANT_H
#define DELEGATED_TENANT_H

/* Generated from src/ffi by build.rs: change those, not this. */

#include <stddef.h>
#include <stdint.h>

/**
 * The version of the library that this header came with.
 */
#define DT_VERSION "0.1.0"
#define DT_VERSION_MAJOR 0
#define DT_VERSION_MINOR 1
#define DT_VERSION_PATCH 0

/**
 * For a `wait_ms`: until it is there, however long that takes. 0 only looks.
 */
#define DT_WAIT_FOREVER UINT32_MAX

/**
 * What `dt_abi_version` answers for the library that this header belongs to.
 */
#define DT_ABI_VERSION 1

/**
 * PowerShell's RunspaceState, as `dt_session_state` gives it: not begun.
 */
#define DT_SESSION_STATE_BEFORE_OPEN 0

/**
 * Opening.
 */
#define DT_SESSION_STATE_OPENING 1

/**
 * Open.
 */
#define DT_SESSION_STATE_OPENED 2

/**
 * Closed.
 */
#define DT_SESSION_STATE_CLOSED 3

/**
 * Closing.
 */
#define DT_SESSION_STATE_CLOSING 4

/**
 * Lost, or never opened.
 */
#define DT_SESSION_STATE_BROKEN 5

/**
 * PowerShell's RunspaceAvailability, as `dt_session_availability` gives it: the session is not open.
 */
#define DT_AVAILABILITY_NONE 0

/**
 * Nothing runs.
 */
#define DT_AVAILABILITY_AVAILABLE 1

/**
 * Not used by this library.
 */
#define DT_AVAILABILITY_AVAILABLE_FOR_NESTED_COMMAND 2

/**
 * A command runs.
 */
#define DT_AVAILABILITY_BUSY 3

/**
 * What became of a step, as `dt_step_result` gives it: it is well.
 */
#define DT_STEP_PASSED 1

/**
 * It is the one that fails.
 */
#define DT_STEP_FAILED 2

/**
 * There was nothing to do, or it was not reached.
 */
#define DT_STEP_SKIPPED 3

/**
 * For `dt_command_merge`: every stream that can be merged.
 */
#define DT_STREAM_ALL 100

/**
 * What an item is, as `dt_item_kind` gives it; the first six are PowerShell's stream numbers: an object of the output.
 */
#define DT_ITEM_OUTPUT 1

/**
 * An ErrorRecord that did not end the command.
 */
#define DT_ITEM_ERROR 2

/**
 * A warning.
 */
#define DT_ITEM_WARNING 3

/**
 * A verbose message.
 */
#define DT_ITEM_VERBOSE 4

/**
 * A debug message.
 */
#define DT_ITEM_DEBUG 5

/**
 * An InformationRecord, as Write-Information and Write-Host make them.
 */
#define DT_ITEM_INFORMATION 6

/**
 * A ProgressRecord.
 */
#define DT_ITEM_PROGRESS 7

/**
 * The server calls the host; unless `dt_item_call_id` is `DT_CALL_WITHOUT_REPLY` it waits for an answer.
 */
#define DT_ITEM_HOST_CALL 8

/**
 * The call id of host calls that want no answer.
 */
#define DT_CALL_WITHOUT_REPLY -100

/**
 * Whether trying again can help, as `dt_error_retry` gives it. Advice: the library never sends a command again by itself.
 * It gives the same error.
 */
#define DT_RETRY_NO 0

/**
 * It may work.
 */
#define DT_RETRY_YES 1

/**
 * With another credential.
 */
#define DT_RETRY_NEW_CREDENTIAL 2

/**
 * With consent to the redirection: the option `max_redirections`, or `redirect_hosts`.
 */
#define DT_RETRY_WITH_CONSENT 3

/**
 * After the delay that the fact `retry_after_ms` tells.
 */
#define DT_RETRY_AFTER_DELAY 4

/**
 * After closing another session of the account.
 */
#define DT_RETRY_AFTER_CLOSING 5

/**
 * In a new session. A command may have run.
 */
#define DT_RETRY_RECONNECT 6

/**
 * A command may have run: only the caller can know.
 */
#define DT_RETRY_CALLER_DECIDES 7

/**
 * A way to end a `dt_session_connect` from another thread. It is triggered once and for all.
 */
typedef struct dt_cancel dt_cancel;

/**
 * A walk to a tenant: name, TCP, TLS, HTTP, sign-in, shell, and the organization that the server names.
 */
typedef struct dt_check dt_check;

/**
 * What is to run: statements of commands with arguments, or a question for command metadata. Built once, invoked any
 * number of times.
 */
typedef struct dt_command dt_command;

/**
 * What went wrong in one call.
 */
typedef struct dt_error dt_error;

/**
 * A running command.
 */
typedef struct dt_invocation dt_invocation;

/**
 * One thing that a command gave: a record of one of its streams, or a call to the host.
 */
typedef struct dt_item dt_item;

/**
 * What a session is opened with. Used any number of times; a session takes a copy.
 */
typedef struct dt_options dt_options;

/**
 * A session on one tenant. It runs one command at a time.
 */
typedef struct dt_session dt_session;

/**
 * One step of a check.
 */
typedef struct dt_step dt_step;

/**
 * A string handed out as a handle of its own, wiped when freed.
 */
typedef struct dt_text dt_text;

/**
 * What a fallible function answers. `DT_STATUS_OK`, `DT_STATUS_PENDING` and `DT_STATUS_END` are not errors; from
 * `DT_STATUS_INVALID_ARGUMENT` on, every number is one. Numbers are never reused and new ones may come: treat one that
 * you do not know as an error.
 */
typedef int32_t dt_status;

/**
 * Done. The outputs are filled.
 */
#define DT_STATUS_OK 0

/**
 * Not yet: the time to wait was up. Nothing is lost; call again.
 */
#define DT_STATUS_PENDING 1

/**
 * There is nothing more.
 */
#define DT_STATUS_END 2

/**
 * An argument or option cannot be used as given.
 */
#define DT_STATUS_INVALID_ARGUMENT 100

/**
 * The handle is not in a state that allows the call.
 */
#define DT_STATUS_INVALID_STATE 101

/**
 * The library or the server cannot do this.
 */
#define DT_STATUS_UNSUPPORTED 102

/**
 * The server does not accept the credential.
 */
#define DT_STATUS_AUTHENTICATION 200

/**
 * The credential is good, but is not allowed to do this in this tenant.
 */
#define DT_STATUS_ACCESS_DENIED 201

/**
 * The server knows no such tenant, host or endpoint.
 */
#define DT_STATUS_TENANT_NOT_FOUND 202

/**
 * The server sends the caller elsewhere, and the caller has not consented.
 */
#define DT_STATUS_REDIRECTED 203

/**
 * The session is on another organization than the one asked for, or the server does not tell on which.
 */
#define DT_STATUS_WRONG_ORGANIZATION 204

/**
 * No connection could be made.
 */
#define DT_STATUS_CONNECT 300

/**
 * The connection cannot be trusted: certificate, name or protocol.
 */
#define DT_STATUS_TLS 301

/**
 * Nothing came within the time allowed by the options. A command may have run nevertheless.
 */
#define DT_STATUS_TIMEOUT 302

/**
 * The session was lost. A command may have run nevertheless.
 */
#define DT_STATUS_DISCONNECTED 303

/**
 * The service asks for patience; the fact `retry_after_ms` says how much, where the service does.
 */
#define DT_STATUS_THROTTLED 400

/**
 * Too many sessions are open for this account.
 */
#define DT_STATUS_QUOTA 401

/**
 * The service failed.
 */
#define DT_STATUS_SERVICE 402

/**
 * The other side does not speak the protocol.
 */
#define DT_STATUS_PROTOCOL 500

/**
 * The remote command ended with a terminating error; `dt_error_record` gives it.
 */
#define DT_STATUS_COMMAND_FAILED 600

/**
 * Cancelled or stopped, as the caller asked.
 */
#define DT_STATUS_CANCELLED 700

/**
 * A defect of this library.
 */
#define DT_STATUS_INTERNAL 900

/**
 * A panic of this library, caught. The handles used in the call are unusable from now on but for freeing them.
 */
#define DT_STATUS_PANIC 901

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the ABI that the library offers.
 *
 * Compare it with `DT_ABI_VERSION` once, before anything else, where the library is found at run time: it moves only when
 * something that was there has changed.
 *
 * **Threads:** any.
 */
uint32_t dt_abi_version(void);

/**
 * The version of the library, such as "0.1.0".
 *
 * **Ownership:** the string is static.
 *
 * **Threads:** any.
 */
const char *dt_version(void);

/**
 * Closes every session of this process, also those whose handles are freed and which still close in the background.
 *
 * Call it before the process ends: a session that is not closed counts against the account until the server notices,
 * which takes it a quarter of an hour. Handles stay valid and are freed as always. The
 * library can be used again afterwards.
 *
 * **Threads:** any.
 *
 * **Returns:** `DT_STATUS_OK` when all are closed; `DT_STATUS_PENDING` when some are not within `wait_ms`, which closing
 * goes on with.
 */
dt_status dt_library_shutdown(uint32_t wait_ms, dt_error **error);

/**
 * The sessions that processes of this user have open on servers, as far as the ledger tells: those of this library in
 * every process, also in one that was killed, whose sessions the next connect of the account closes.
 *
 * The text is CLIXML: an object for each, with the properties ProcessId, ProcessName, IsAlive, IsAbandoned (its process
 * goes on without it, and could not close it), Account, ComputerName, ConnectionUri, ConfigurationName, Organization,
 * InstanceId and OpenedAt (UTC).
 *
 * **Ownership:** `text` is the caller's, to be freed by `dt_text_free`. The options, of which `ledger` alone counts, may be
 * NULL.
 *
 * **Threads:** any; the options must not change meanwhile.
 *
 * **Returns:** `DT_STATUS_OK`, also where there is none.
 */
dt_status dt_library_ledger(const dt_options *options, dt_text **text, dt_error **error);

/**
 * Options at their defaults.
 *
 * **Ownership:** the caller's, to be freed by `dt_options_free`.
 *
 * **Returns:** `DT_STATUS_OK`.
 */
dt_status dt_options_new(dt_options **options, dt_error **error);

/**
 * Sets one option. A later value replaces an earlier one; an empty value takes an option back to its default where it has
 * no meaning of its own.
 *
 * | key | value |
 * |-----|-------|
 * | `uri` | the endpoint; absent: Exchange Online, by its REST road |
 * | `organization` | a domain of the customer; goes into the URI as `DelegatedOrg` |
 * | `user` | the account; its password is a secret option |
 * | `authentication` | `Basic`, the default; any other is `DT_STATUS_UNSUPPORTED` |
 * | `configuration_name` | default `Microsoft.Exchange` |
 * | `max_redirections` | 0, the default: none without consent; negative: unlimited |
 * | `redirect_hosts` | further domains that a redirection may lead to, with commas between |
 * | `allow_unencrypted` | `true`: Basic may go over http; default `false` |
 * | `skip_ca_check` | `true`: any authority may have signed the certificate |
 * | `skip_cn_check` | `true`: the certificate may be for another name |
 * | `skip_revocation_check` | `true`: the certificate may be revoked |
 * | `ca_file` | path of a PEM file with further authorities |
 * | `proxy` | empty, the default: as the environment says; `none`; or a URL |
 * | `proxy_user` | the account at the proxy; its password is a secret option |
 * | `proxy_authentication` | how to sign in at the proxy |
 * | `open_timeout_ms` | for opening altogether; default 180000 |
 * | `operation_timeout_ms` | for one answer of the server; default 180000 |
 * | `cancel_timeout_ms` | for stopping and for closing; default 60000 |
 * | `idle_timeout_ms` | after which the server closes the unused session; absent: as the server has it |
 * | `culture`, `ui_culture` | such as `en-US` |
 * | `no_machine_profile` | `true`: the server loads no profile |
 * | `max_object_size` | bytes of one received object at most |
 * | `max_command_size` | bytes of all that one command sends at most; empty, the default: any number |
 * | `ps_version` | `PSVersion` in the URI, default `5.1.22621.4391`; empty: not there |
 * | `application_arguments` | CLIXML of a dictionary for the server |
 * | `host_name` | name of the host, for the server |
 * | `interactive` | `true`: the host can be asked, and host calls come as items; `false`, the default: commands that would ask fail |
 * | `host_data` | CLIXML of the host's default data |
 * | `environment` | the cloud: `O365Default`, `O365USGovGCCHigh`, `O365USGovDoD`, `O365China`, `O365GermanyCloud` |
 * | `authority` | URL of who issues tokens; absent: the cloud's own |
 * | `token_resource` | URL of what tokens are for; absent: the cloud's Exchange, or Security & Compliance where `uri` names it |
 * | `app_id` | the application that signs in; absent: Microsoft's own |
 * | `certificate_file` | path of a .pfx or PEM file with the application's certificate and key |
 * | `client_assertion_file` | path of a file with an assertion of a workload that the application trusts (federated credentials), such as `AZURE_FEDERATED_TOKEN_FILE` names; read anew each time that a token is got |
 * | `managed_identity` | `true`: sign in as the machine this runs on |
 * | `managed_identity_account_id` | which of its identities; absent: the machine's own |
 * | `device` | `true`: sign in on another device; the page and the code come as a warning of the session |
 * | `road` | `wsman` or `rest`; absent: `rest` without a `uri` and for those of Exchange Online, whose remote PowerShell ended, else `wsman` |
 * | `page_size` | REST road: objects in one page, 1 to 1000, the default |
 * | `response_format` | REST road: `clixml`, the default, or `json`, which tells less of types; items are CLIXML either way |
 * | `secure_string_key` | REST road: the service's public key for secure strings, an RSAKeyValue or PEM; absent: the one it tells |
 * | `verify_organization` | `true`: opens only where the server names the organization asked for as its own; fails otherwise with `DT_STATUS_WRONG_ORGANIZATION` |
 * | `renewable` | `true`: a request of the open session whose sign-in is refused, which did nothing, waits for `dt_session_set_secret` and then goes out again (`dt_session_wants_secret`). Where tokens are got by `client_assertion`, each further one is asked for so, at the open too |
 * | `ledger` | the folder where open sessions are told of, for other processes of the user and for the next after one was killed; `none`: nowhere; absent: the environment's `DT_LEDGER`, or the user's own place (`~/.local/state/delegated-tenant`, `%LOCALAPPDATA%\DelegatedTenant`) |
 * | `wait_for_session_ms` | for another session of the account to end, where it has as many as it may; beside `open_timeout_ms`; default 0: fails with `DT_STATUS_QUOTA` |
 * | `session_budget` | how many sessions an account may have at a time, for those who wait; default 3 |
 *
 * **Ownership:** key and value are copied.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` at once for an unknown key or an unusable value, and the
 * options stay as they were.
 */
dt_status dt_options_set(dt_options *options,
                         const char *key,
                         const char *value,
                         dt_error **error);

/**
 * Sets one secret option: `password`, which may also be "Bearer " and a token, `proxy_password`,
 * `proxy_variables` (`HTTPS_PROXY=…`, `NO_PROXY=…` and the like, one a line, in place of the process's own variables), or, for
 * Exchange Online, `client_secret`, `certificate` (the content of `certificate_file`: PEM, or a .pfx in base64), `certificate_password`,
 * `client_assertion`, `access_token` or `refresh_token`. A refresh token of the partner's is redeemed in
 * the tenant of each session's organization. A client assertion (RFC 7521) is a JSON Web Token that shows the application
 * `app_id` to the authority, signed by a key of yours for `dt_options_token_endpoint`, or by a workload's own issuer.
 *
 * **Ownership:** the value, `length` bytes of UTF-8, is copied to memory that is wiped before it is given back. Wiping the
 * caller's own copy is the caller's business.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** as `dt_options_set`.
 */
dt_status dt_options_set_secret(dt_options *options,
                                const char *key,
                                const uint8_t *value,
                                size_t length,
                                dt_error **error);

/**
 * The address where a session of these options gets its tokens, on the REST road: the audience (`aud`) of a
 * `client_assertion` that is signed for it, whose issuer and subject are `app_id`. Nothing is sent.
 *
 * **Ownership:** `endpoint` is the caller's, to be freed by `dt_text_free`.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` where the options lead nowhere, or to no such address.
 */
dt_status dt_options_token_endpoint(const dt_options *options, dt_text **endpoint, dt_error **error);

/**
 * Frees options. NULL is allowed. Sessions opened with them are not touched.
 */
void dt_options_free(dt_options *options);

/**
 * A cancel that is not triggered.
 *
 * **Ownership:** the caller's, to be freed by `dt_cancel_free`.
 *
 * **Returns:** `DT_STATUS_OK`.
 */
dt_status dt_cancel_new(dt_cancel **cancel, dt_error **error);

/**
 * Ends the connects it was given to, those that run and those still to begin, with `DT_STATUS_CANCELLED`.
 *
 * **Threads:** any, at any time. Not for signal handlers.
 */
void dt_cancel_trigger(const dt_cancel *cancel);

/**
 * Frees a cancel, without triggering it. NULL is allowed, and so is one that a connect still waits with.
 */
void dt_cancel_free(dt_cancel *cancel);

/**
 * Opens a session and waits for it, at most for the options `open_timeout_ms` and `wait_for_session_ms` together.
 *
 * Where it fails or is cancelled, what may have come to be on the server is deleted in the background.
 *
 * **Ownership:** the session is the caller's, to be freed by `dt_session_free`. Options and cancel stay the caller's and
 * are not needed afterwards; `cancel` may be NULL.
 *
 * **Threads:** any; the options must not change meanwhile.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_CANCELLED`; any other error of connecting, with its facts.
 */
dt_status dt_session_connect(const dt_options *options, const dt_cancel *cancel, dt_session **session, dt_error **error);

/**
 * Begins to open a session and never waits for the network: `dt_session_wait` tells what becomes of it.
 *
 * **Ownership:** the session is the caller's, to be freed by `dt_session_free`, also where opening fails later.
 *
 * **Threads:** any; the options must not change meanwhile.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` where the options do not make sense together.
 */
dt_status dt_session_open(const dt_options *options, dt_session **session, dt_error **error);

/**
 * Waits until a session is open.
 *
 * **Threads:** any, several at once.
 *
 * **Returns:** `DT_STATUS_OK` open; `DT_STATUS_PENDING` not within `wait_ms`; or, at every call again, the error
 * of opening, or that by which an open session was lost.
 */
dt_status dt_session_wait(const dt_session *session, uint32_t wait_ms, dt_error **error);

/**
 * What a session that opens waits for before it begins, where the option `wait_for_session_ms` has it wait for another
 * session of its account to end: in words, who has them.
 *
 * **Ownership:** `text` is the caller's, to be freed by `dt_text_free`.
 *
 * **Threads:** any.
 *
 * **Returns:** `DT_STATUS_OK` it waits, and `text` says for whom; `DT_STATUS_END` it does not.
 */
dt_status dt_session_waiting(const dt_session *session, dt_text **text, dt_error **error);

/**
 * Closes a session on the server, also while it opens, runs a command or is broken. The handle stays valid.
 *
 * The first call begins it; each waits for its end. Invocations that still run end with an error.
 *
 * **Threads:** any, several at once.
 *
 * **Returns:** `DT_STATUS_OK` closed, however often it is called; `DT_STATUS_PENDING` not within `wait_ms`, which closing
 * goes on with.
 */
dt_status dt_session_disconnect(const dt_session *session, uint32_t wait_ms, dt_error **error);

/**
 * Lets go of a session. NULL is allowed.
 *
 * Never waits: where it is not closed it closes in the background, once its invocations are freed too.
 * `dt_library_shutdown` waits for such sessions.
 */
void dt_session_free(dt_session *session);

/**
 * The text of the warning of this index, from 0, such as that of a redirection. More may come while the session opens.
 *
 * **Ownership:** borrowed from the session.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL where there is no such warning so far.
 */
const char *dt_session_warning(const dt_session *session, size_t index);

/**
 * The GUID of the runspace pool, in lower case with dashes: the InstanceId of a PSSession.
 *
 * **Ownership:** borrowed from the session.
 *
 * **Threads:** any.
 */
const char *dt_session_id(const dt_session *session);

/**
 * The host of the first URI, which redirections do not change.
 *
 * **Ownership:** borrowed from the session.
 *
 * **Threads:** any.
 */
const char *dt_session_computer_name(const dt_session *session);

/**
 * The URI now talked to, after redirections.
 *
 * **Ownership:** borrowed from the session, also after another has taken its place.
 *
 * **Threads:** any.
 */
const char *dt_session_uri(const dt_session *session);

/**
 * The delegated organization.
 *
 * **Ownership:** borrowed from the session.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL where none was asked for.
 */
const char *dt_session_organization(const dt_session *session);

/**
 * The organization's own name, such as `fabrikam.onmicrosoft.com`, where the option `verify_organization` had the server
 * name it.
 *
 * **Ownership:** borrowed from the session.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL where it was not verified.
 */
const char *dt_session_verified_organization(const dt_session *session);

/**
 * Replaces a secret of a session, from its next request on: `password`, where the token in it has been renewed, and on the
 * REST road `access_token` or `client_assertion`. Nothing is sent, and what is on its way keeps the old one. It makes no lost session whole again.
 *
 * **Ownership:** the value, `length` bytes of UTF-8, is copied to memory that is wiped before it is given back. Wiping the
 * caller's own copy is the caller's business.
 *
 * **Threads:** any, also while a command runs.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for another key, or where the session has no user.
 */
dt_status dt_session_set_secret(const dt_session *session,
                                const char *key,
                                const uint8_t *value,
                                size_t length,
                                dt_error **error);

/**
 * Whether the session wants a new secret by `dt_session_set_secret`, as the option `renewable` has it: a request waits for
 * one, or, on the REST road, a ready access token that tells its end has less than a tenth of its time left, at most five
 * minutes. The property `wanted_secret` is its key. Worth asking where `dt_invocation_next` gives `DT_STATUS_PENDING`.
 *
 * **Threads:** any.
 *
 * **Returns:** 1 or 0.
 */
int32_t dt_session_wants_secret(const dt_session *session);

/**
 * What else is known of the session, by name:
 *
 * | name | what it is |
 * |------|------------|
 * | `transport` | `WSMan` or `REST` |
 * | `user_principal_name`, `app_id`, `tenant_id` | REST road: whose token it is, once one tells it |
 * | `token_expiry_time_utc` | REST road: when the token ends (ISO 8601) |
 * | `wanted_secret` | the key of the secret that `dt_session_wants_secret` is about: `password`, `access_token` or `client_assertion` |
 * | `token_endpoint` | REST road: where tokens are got, and so the audience of the assertion that is wanted |
 * | `wanted_claims` | the claims that the service asks for in an access token (Continuous Access Evaluation), as JSON |
 *
 * **Ownership:** borrowed from the session.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL where it is not known, or there is no such name.
 */
const char *dt_session_property(const dt_session *session,
                                const char *name);

/**
 * The name of the configuration, such as `Microsoft.Exchange`.
 *
 * **Ownership:** borrowed from the session.
 *
 * **Threads:** any.
 */
const char *dt_session_configuration_name(const dt_session *session);

/**
 * What the server tells about itself, as CLIXML: PowerShell's ApplicationPrivateData.
 *
 * **Ownership:** borrowed from the session.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL before it came, which it has where the session is open.
 */
const char *dt_session_private_data(const dt_session *session);

/**
 * The state now.
 *
 * **Threads:** any.
 *
 * **Returns:** one of `DT_SESSION_STATE_*`; -1 where the handle is none.
 */
int32_t dt_session_state(const dt_session *session);

/**
 * Whether a command runs now.
 *
 * **Threads:** any.
 *
 * **Returns:** one of `DT_AVAILABILITY_*`; -1 where the handle is none.
 */
int32_t dt_session_availability(const dt_session *session);

/**
 * After how many milliseconds unused the server closes the session, as the server told it.
 *
 * **Threads:** any.
 *
 * **Returns:** 0 where the server has not told.
 */
uint64_t dt_session_idle_timeout_ms(const dt_session *session);

/**
 * Makes sure of the session's key, which `dt_session_protect` and `dt_session_unprotect` need. The first call asks the
 * server for it.
 *
 * **Threads:** any, several at once.
 *
 * **Returns:** `DT_STATUS_OK` it is there; `DT_STATUS_PENDING` not within `wait_ms`.
 */
dt_status dt_session_exchange_key(const dt_session *session, uint32_t wait_ms, dt_error **error);

/**
 * Encrypts a text for the server: what stands in an `<SS>` element of CLIXML, a SecureString.
 *
 * **Ownership:** `encrypted` is the caller's, to be freed by `dt_text_free`. The text, `length` bytes of UTF-8, is not kept.
 *
 * **Threads:** any, several at once.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_STATE` without the session's key.
 */
dt_status dt_session_protect(const dt_session *session,
                             const uint8_t *text,
                             size_t length,
                             dt_text **encrypted,
                             dt_error **error);

/**
 * Decrypts what stands in an `<SS>` element of CLIXML from the server.
 *
 * **Ownership:** `text` is the caller's, to be freed by `dt_text_free`, which wipes it.
 *
 * **Threads:** any, several at once.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_STATE` without the session's key; `DT_STATUS_INVALID_ARGUMENT` or
 * `DT_STATUS_PROTOCOL` for what was not encrypted with it.
 */
dt_status dt_session_unprotect(const dt_session *session, const char *encrypted, dt_text **text, dt_error **error);

/**
 * Begins to run a command and never waits for the network: `dt_invocation_next` tells what becomes of it.
 *
 * A session runs one command at a time. Where an earlier one has not ended the new one waits for its turn, and the earlier
 * one's items are collected meanwhile; so a command may be invoked between two items of another.
 *
 * **Ownership:** the invocation is the caller's, to be freed by `dt_invocation_free`; it keeps the session. The command
 * stays the caller's and may be used again.
 *
 * **Threads:** any; the command must not change meanwhile.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_STATE` where the session is not open, or an earlier command waits for its
 * caller; `DT_STATUS_INVALID_ARGUMENT` where the command is empty.
 */
dt_status dt_session_invoke(const dt_session *session, const dt_command *command, dt_invocation **invocation, dt_error **error);

/**
 * Begins to walk the way of a session with these options, as far as it leads, and never waits for the network. It opens a
 * session of its own, which counts among those of the account while it lasts, and closes it.
 *
 * **Ownership:** the check is the caller's, to be freed by `dt_check_free`. The options stay the caller's and are not needed
 * afterwards.
 *
 * **Threads:** any; the options must not change meanwhile.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` where the options do not make sense together.
 */
dt_status dt_check_start(const dt_options *options, dt_check **check, dt_error **error);

/**
 * The next step, in the order of the walk: `Name`, `TCP`, `TLS`, `HTTP`, `SignIn`, `Shell`, `Organization`, each once; on the
 * REST road `Service` in the place of `Shell`.
 * Those behind one that failed are skipped.
 *
 * **Ownership:** the step is the caller's, to be freed by `dt_step_free`; it does not need the check.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK` with a step, also where that failed; `DT_STATUS_PENDING` none within `wait_ms`;
 * `DT_STATUS_END` after the last one, when nothing of the walk is left at the server as far as it can be helped.
 */
dt_status dt_check_next(const dt_check *check, uint32_t wait_ms, dt_step **step, dt_error **error);

/**
 * The text of the warning of this index, from 0: a redirection, or, for a sign-in by hand, where and with what code. To be
 * looked for while a step is pending.
 *
 * **Ownership:** borrowed from the check.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL where there is no such warning so far.
 */
const char *dt_check_warning(const dt_check *check, size_t index);

/**
 * Frees a check and ends it, if it has not ended: what it has opened is deleted in the background. NULL is allowed.
 */
void dt_check_free(dt_check *check);

/**
 * The step's name, such as `TLS`.
 *
 * **Ownership:** borrowed from the step.
 *
 * **Threads:** any.
 */
const char *dt_step_name(const dt_step *step);

/**
 * What became of it.
 *
 * **Threads:** any.
 *
 * **Returns:** one of `DT_STEP_*`; 0 where the handle is none.
 */
int32_t dt_step_result(const dt_step *step);

/**
 * What was found, in one clause.
 *
 * **Ownership:** borrowed from the step.
 *
 * **Threads:** any.
 */
const char *dt_step_detail(const dt_step *step);

/**
 * What to do about it, for people.
 *
 * **Ownership:** borrowed from the step.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL where the step did not fail, or nothing is known to help.
 */
const char *dt_step_remedy(const dt_step *step);

/**
 * The id of the error, as `dt_error_id` would give it.
 *
 * **Ownership:** borrowed from the step.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL where the step did not fail.
 */
const char *dt_step_error_id(const dt_step *step);

/**
 * How long it took, in milliseconds.
 *
 * **Threads:** any.
 */
uint64_t dt_step_duration_ms(const dt_step *step);

/**
 * Frees a step. NULL is allowed.
 */
void dt_step_free(dt_step *step);

/**
 * An empty command.
 *
 * **Ownership:** the caller's, to be freed by `dt_command_free`.
 *
 * **Returns:** `DT_STATUS_OK`.
 */
dt_status dt_command_new(dt_command **command, dt_error **error);

/**
 * Adds a cmdlet, which the output of the one before it goes into.
 *
 * **Ownership:** the name is copied.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for an empty name, and after `dt_command_describe`.
 */
dt_status dt_command_add(dt_command *command, const char *name, dt_error **error);

/**
 * Adds script text, which the output of the command before it goes into. Exchange's endpoints refuse scripts.
 *
 * **Ownership:** the text is copied.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** as `dt_command_add`.
 */
dt_status dt_command_add_script(dt_command *command, const char *text, dt_error **error);

/**
 * Adds an argument to the last command, exactly as typed: `name` NULL is a value by its position, `clixml` NULL is $null,
 * and a name that ends without a value, such as "-Identity", takes the argument that follows unless it is a switch.
 *
 * **Ownership:** name and value, a CLIXML document with one object, are copied.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for what is not such a document, and where there is no command.
 */
dt_status dt_command_add_argument(dt_command *command, const char *name, const char *clixml, dt_error **error);

/**
 * Adds a string argument to the last command. `name` NULL: by its position.
 *
 * **Ownership:** name and value are copied.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** as `dt_command_add_argument`.
 */
dt_status dt_command_add_string(dt_command *command, const char *name, const char *value, dt_error **error);

/**
 * Adds a whole number to the last command, an Int32 where it fits and an Int64 otherwise. `name` NULL: by its position.
 *
 * **Ownership:** the name is copied.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** as `dt_command_add_argument`.
 */
dt_status dt_command_add_int(dt_command *command, const char *name, int64_t value, dt_error **error);

/**
 * Adds a truth value to the last command, also for a switch; 0 is false, all else true. `name` NULL: by its position.
 *
 * **Ownership:** the name is copied.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** as `dt_command_add_argument`.
 */
dt_status dt_command_add_bool(dt_command *command, const char *name, int32_t value, dt_error **error);

/**
 * Merges a stream of the last command into its output, as `2>&1` does: one of `DT_ITEM_ERROR`, `DT_ITEM_WARNING`,
 * `DT_ITEM_VERBOSE`, `DT_ITEM_DEBUG`, `DT_ITEM_INFORMATION`, or `DT_STREAM_ALL`. Repeatable.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for another stream, and where there is no command.
 */
dt_status dt_command_merge(dt_command *command, int32_t stream, dt_error **error);

/**
 * Ends a statement: the next command begins another one, as after `;`.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` where there is no command.
 */
dt_status dt_command_end_statement(dt_command *command, dt_error **error);

/**
 * Asks, instead of running, for the metadata of the commands of this name or wildcard. Repeatable; not mixed with commands.
 *
 * The answer is a count and then one output item for each command, as PowerShell's Import-PSSession reads them;
 * `dt_item_command` gives each in short.
 *
 * **Ownership:** the name is copied.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` after `dt_command_add`.
 */
dt_status dt_command_describe(dt_command *command, const char *name, dt_error **error);

/**
 * Sets one property of the whole command.
 *
 * | key | value |
 * |-----|-------|
 * | `input` | `true`: input will be sent by `dt_invocation_send`; default `false` |
 * | `history` | the text by which the server remembers the command |
 * | `invocation_info` | `true`: errors, warnings, verbose and debug records tell where they came from |
 * | `command_types` | of a question for metadata: `Alias`, `Function`, `Filter`, `Cmdlet`, parted by commas; default `All` of them |
 * | `modules` | of a question for metadata: modules or wildcards, parted by commas, whose commands alone are told |
 *
 * **Ownership:** key and value are copied.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK`; `DT_STATUS_INVALID_ARGUMENT` for an unknown key or an unusable value.
 */
dt_status dt_command_set(dt_command *command,
                         const char *key,
                         const char *value,
                         dt_error **error);

/**
 * Frees a command. NULL is allowed. Invocations of it go on.
 */
void dt_command_free(dt_command *command);

/**
 * The next item, in the order in which the server sent them.
 *
 * **Ownership:** the item is the caller's, to be freed by `dt_item_free`; it needs neither invocation nor session.
 *
 * **Threads:** one at a time.
 *
 * **Returns:** `DT_STATUS_OK` with an item; `DT_STATUS_PENDING` none within `wait_ms`; `DT_STATUS_END` after the last one,
 * at every call again. An error comes once, and then the end: `DT_STATUS_COMMAND_FAILED` where the command ended with a
 * terminating error, `DT_STATUS_CANCELLED` after a stop, `DT_STATUS_DISCONNECTED` where the session was lost,
 * `DT_STATUS_INVALID_STATE` where its turn could not come, because an earlier command waits for its caller.
 */
dt_status dt_invocation_next(dt_invocation *invocation, uint32_t wait_ms, dt_item **item, dt_error **error);

/**
 * Waits until `dt_invocation_next` of one of several invocations would give something other than `DT_STATUS_PENDING`, and
 * gives its place in the array: the first that has something. It takes nothing: call `dt_invocation_next` with a wait of 0
 * then. Who wants each to have its turn moves the one that had it to the end of the array.
 *
 * **Ownership:** the array is read before the call returns.
 *
 * **Threads:** any, also while another one waits in `dt_invocation_next`, which may then have taken what there was.
 *
 * **Returns:** `DT_STATUS_OK` with the place; `DT_STATUS_PENDING` where none had anything within `wait_ms`;
 * `DT_STATUS_INVALID_ARGUMENT` where there are none.
 */
dt_status dt_invocation_wait_any(const dt_invocation *const *invocations,
                                 size_t count,
                                 uint32_t wait_ms,
                                 size_t *place,
                                 dt_error **error);

/**
 * Sends one input object, for a command whose property `input` is true. `clixml` NULL is $null.
 *
 * **Ownership:** the object, a CLIXML document with one object, is copied.
 *
 * **Threads:** any, also while another one waits in `dt_invocation_next`.
 *
 * **Returns:** `DT_STATUS_OK` taken; `DT_STATUS_PENDING` not taken, because the server has not kept up within `wait_ms`:
 * read items, then send it again; `DT_STATUS_INVALID_STATE` where the command takes no input, or its input has ended. What
 * a command that has ended would not read any more is taken and dropped.
 */
dt_status dt_invocation_send(const dt_invocation *invocation, const char *clixml, uint32_t wait_ms, dt_error **error);

/**
 * Tells that no more input will come. Without it, a command that takes input does not end.
 *
 * **Threads:** any, also while another one waits in `dt_invocation_next`.
 *
 * **Returns:** `DT_STATUS_OK`, also when called again.
 */
dt_status dt_invocation_end_input(const dt_invocation *invocation, dt_error **error);

/**
 * Answers a host call that wants an answer. The server waits for it.
 *
 * **Ownership:** the answer, a CLIXML document with one object, is copied. `clixml` NULL: the method has no result.
 *
 * **Threads:** any, also while another one waits in `dt_invocation_next`.
 *
 * **Returns:** `DT_STATUS_OK`, also when the command has ended; `DT_STATUS_INVALID_ARGUMENT` where no call of this id waits for an
 * answer.
 */
dt_status dt_invocation_reply(const dt_invocation *invocation,
                              int64_t call_id,
                              const char *clixml,
                              dt_error **error);

/**
 * Refuses a host call: the command sees an exception of this message and error id.
 *
 * **Ownership:** the strings are copied.
 *
 * **Threads:** any, also while another one waits in `dt_invocation_next`.
 *
 * **Returns:** as `dt_invocation_reply`.
 */
dt_status dt_invocation_reply_error(const dt_invocation *invocation,
                                    int64_t call_id,
                                    const char *message,
                                    const char *error_id,
                                    dt_error **error);

/**
 * Asks the server to stop the command, and returns at once. `dt_invocation_next` goes on to the end, also when a thread
 * waits in it now. What the command has done stays done.
 *
 * **Threads:** any, at any time before the handle is freed.
 *
 * **Returns:** `DT_STATUS_OK`, also when the command has ended.
 */
dt_status dt_invocation_stop(const dt_invocation *invocation, dt_error **error);

/**
 * Lets go of an invocation. NULL is allowed. Never waits: where the command still runs it is stopped in the background.
 */
void dt_invocation_free(dt_invocation *invocation);

/**
 * What an item is.
 *
 * **Threads:** any.
 *
 * **Returns:** one of `DT_ITEM_*`, to which more may be added; 0 where the handle is none.
 */
int32_t dt_item_kind(const dt_item *item);

/**
 * An item as a whole CLIXML document with an `Objs` root, UTF-8, ending with a zero byte, which PowerShell's PSSerializer
 * reads; of a host call, the list of its parameters. `length` counts the bytes before the zero byte.
 *
 * **Ownership:** borrowed from the item. `length` may be NULL.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL, and a length of 0, where the handle is none.
 */
const char *dt_item_clixml(const dt_item *item, size_t *length);

/**
 * The message of an error, warning, verbose or debug record, the activity of progress, the method's name of a host call.
 *
 * **Ownership:** borrowed from the item.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL for items of other kinds, and for records that hold no such text.
 */
const char *dt_item_text(const dt_item *item);

/**
 * The command that an item of the answer to `dt_command_describe` tells of, as lines that end with a line feed, their
 * fields parted by tabs. The first line is the command: its name, its type (such as Cmdlet), the command behind an alias
 * or nothing. Each line after it is a parameter: its name, "switch" or "value", its .NET type, and then each of its
 * aliases. A name is the server's word for it and may be anything; but what would part fields, and any other control
 * character, stands as U+FFFD.
 *
 * **Ownership:** borrowed from the item.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL for items that tell of no command, as the count that comes first.
 */
const char *dt_item_command(const dt_item *item);

/**
 * Whether a SecureString may stand in the item: an `<SS>` element, whose content `dt_session_unprotect` reads.
 *
 * **Threads:** any.
 *
 * **Returns:** 1 or 0.
 */
int32_t dt_item_has_secure_string(const dt_item *item);

/**
 * The id of a host call, which `dt_invocation_reply` repeats.
 *
 * **Threads:** any.
 *
 * **Returns:** `DT_CALL_WITHOUT_REPLY` where no answer is wanted, and for items of other kinds.
 */
int64_t dt_item_call_id(const dt_item *item);

/**
 * The number of the method that a host call calls (MS-PSRP 2.2.3.17), such as 11 for ReadLine or 26 for PromptForChoice.
 *
 * **Threads:** any.
 *
 * **Returns:** 0 for items of other kinds.
 */
int32_t dt_item_call_method(const dt_item *item);

/**
 * Frees an item. NULL is allowed.
 */
void dt_item_free(dt_item *item);

/**
 * The string, UTF-8, ending with a zero byte. It may hold further zero bytes: `length` counts all but the last.
 *
 * **Ownership:** borrowed from the text. `length` may be NULL.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL, and a length of 0, where the handle is none.
 */
const char *dt_text_data(const dt_text *text, size_t *length);

/**
 * Wipes and frees a text. NULL is allowed.
 */
void dt_text_free(dt_text *text);

/**
 * The status that came with the error.
 *
 * **Threads:** any.
 *
 * **Returns:** `DT_STATUS_OK` for NULL, which is no error.
 */
dt_status dt_error_status(const dt_error *error);

/**
 * What was being done, what came, and what lies beneath it, in one line of English. For people: it may change.
 *
 * **Ownership:** borrowed from the error.
 *
 * **Threads:** any.
 */
const char *dt_error_message(const dt_error *error);

/**
 * A name for programs: the FullyQualifiedErrorId of the remote record where there is one, else the library's own, such as
 * `AuthenticationFailed`.
 *
 * **Ownership:** borrowed from the error.
 *
 * **Threads:** any.
 */
const char *dt_error_id(const dt_error *error);

/**
 * The name of a PowerShell ErrorCategory: of the remote record where there is one.
 *
 * **Ownership:** borrowed from the error.
 *
 * **Threads:** any.
 */
const char *dt_error_category(const dt_error *error);

/**
 * Whether trying again can help.
 *
 * **Threads:** any.
 *
 * **Returns:** one of `DT_RETRY_*`.
 */
int32_t dt_error_retry(const dt_error *error);

/**
 * One fact about the error, as text.
 *
 * | name | fact |
 * |------|------|
 * | `tenant` | the delegated organization asked for |
 * | `host` | the host talked to |
 * | `http_status` | the HTTP status, in decimal |
 * | `request_id` | the server's own id of the request, for its operators |
 * | `request_sent` | `no`: the request did not reach the server; `maybe`: it may have |
 * | `fault_code` | the code of the WSManFault, in decimal |
 * | `authority_code` | the number of Microsoft Entra ID's error, such as `AADSTS50126` |
 * | `certificate` | the certificate that the check of the way to a server was shown and did not take |
 * | `retry_after_ms` | how many milliseconds the service asks to wait |
 * | `redirect_location` | where the server redirects to |
 * | `native_id` | what PowerShell's own cmdlets put before ",PSSessionOpenFailed" |
 * | `native_code` | the ErrorCode of the exception of PowerShell's own cmdlets, in decimal |
 * | `native_message` | the message in the words of PowerShell's own cmdlets |
 * | `remedy` | one sentence for the user: what to do about it |
 *
 * **Ownership:** borrowed from the error.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL where the error has no such fact.
 */
const char *dt_error_fact(const dt_error *error, const char *name);

/**
 * The remote ErrorRecord that ended a command, as a CLIXML document. `length` counts the bytes before its zero byte.
 *
 * **Ownership:** borrowed from the error. `length` may be NULL.
 *
 * **Threads:** any.
 *
 * **Returns:** NULL, and a length of 0, where the remote side sent none.
 */
const char *dt_error_record(const dt_error *error, size_t *length);

/**
 * Frees an error. NULL is allowed.
 */
void dt_error_free(dt_error *error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DELEGATED_TENANT_H */
