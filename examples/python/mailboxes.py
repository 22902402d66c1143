"""Lists an organization's mailboxes through the C library; no package is needed.

DT_PASSWORD=... python3 mailboxes.py https://mail.hoster.example/PowerShell fabrikam.com admin@partner.com
DT_LIBRARY_PATH names the library where the system does not find it by its name.
"""
import os, sys
from xml.etree import ElementTree
from ctypes import CDLL, byref, c_char_p, c_int64, c_size_t, c_uint32, c_void_p

names = {"win32": "delegated_tenant.dll", "darwin": "libdelegated_tenant.dylib"}
dt = CDLL(os.environ.get("DT_LIBRARY_PATH", names.get(sys.platform, "libdelegated_tenant.so")))
for function in "dt_error_message", "dt_error_id", "dt_error_fact", "dt_item_text", "dt_item_clixml":
    getattr(dt, function).restype = c_char_p
FOREVER, END, OUTPUT, ERROR, WARNING = c_uint32(0xFFFFFFFF), 2, 1, 2, 3

def call(function, *arguments):
    """Every function that can fail ends with a place for the error."""
    error = c_void_p()
    status = getattr(dt, function)(*arguments, byref(error))
    if status < 100:
        return status
    remedy = dt.dt_error_fact(error, b"remedy") or b""
    text = f"{dt.dt_error_message(error).decode()} ({dt.dt_error_id(error).decode()})\n{remedy.decode()}"
    dt.dt_error_free(error)
    raise SystemExit(text)

uri, organization, user = (argument.encode() for argument in sys.argv[1:])
options, session, command, invocation, item = (c_void_p() for _ in range(5))
call("dt_options_new", byref(options))
insecure = b"true" if uri.startswith(b"http://127.0.0.1") else b"false"  # a simulated tenant on this machine
for setting in (b"uri", uri), (b"organization", organization), (b"user", user), (b"allow_unencrypted", insecure):
    call("dt_options_set", options, *setting)
password = os.environ["DT_PASSWORD"].encode()
call("dt_options_set_secret", options, b"password", password, c_size_t(len(password)))
call("dt_session_connect", options, None, byref(session))
try:
    call("dt_command_new", byref(command))
    call("dt_command_add", command, b"Get-Mailbox")
    call("dt_command_add_int", command, b"ResultSize", c_int64(10))
    call("dt_session_invoke", session, command, byref(invocation))
    while call("dt_invocation_next", invocation, FOREVER, byref(item)) != END:
        if dt.dt_item_kind(item) == OUTPUT:
            record = ElementTree.fromstring(dt.dt_item_clixml(item, None))
            print(record.findtext(".//{*}S[@N='PrimarySmtpAddress']"))
        elif dt.dt_item_kind(item) in (ERROR, WARNING):
            print((dt.dt_item_text(item) or dt.dt_item_clixml(item, None)).decode(), file=sys.stderr)
        dt.dt_item_free(item)
finally:
    call("dt_session_disconnect", session, FOREVER)
