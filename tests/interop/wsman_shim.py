#!/usr/bin/env python3
"""A WS-Management service in front of psrpcore's server half, for the tests.

Every PSRP byte that leaves here is psrpcore's (PyPI), so a client that agrees with it agrees with something that
was not written beside it. Only WS-Management and a handful of pretend cmdlets are ours.

    wsman_shim.py [--user NAME:PASSWORD] [--fragment BYTES] [--hold SECONDS]

Prints its URL and serves until its standard input ends, so that it cannot outlive the test that started it.
GET /stats tells how many shells are open and how often each operation came.
"""

import argparse
import base64
import collections
import datetime
import decimal
import queue
import re
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import psrpcore
import psrpcore.types as ps

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
POWERSHELL = "http://schemas.microsoft.com/powershell"
PREFIXES = {"s": SOAP, "a": ADDRESSING, "x": TRANSFER, "w": WSMAN, "rsp": SHELL, "f": FAULT, "c": POWERSHELL}
DECLARATIONS = " ".join(f"xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in PREFIXES.items())
STOP, RELEASE = "powershell/signal/crtl_c", SHELL + "/signal/Terminate"


class WSManFault(Exception):
    """Becomes an HTTP 500 with a SOAP fault."""

    def __init__(self, number, subcode, reason):
        super().__init__(reason)
        self.number, self.subcode, self.reason = number, subcode, reason


class Stopped(Exception):
    """The client asked the pipeline to stop."""


class Failed(Exception):
    """The cmdlet ends with a terminating error."""

    def __init__(self, record):
        super().__init__(record.FullyQualifiedErrorId)
        self.record = record


# What the pretend cmdlets have to work with.


def error_record(message, error_id, category, type_name, target=None, activity=None, details=None):
    exception = ps.NETException(Message=message, HResult=-2146233088)
    exception.PSObject.type_names = [type_name, "System.Exception", "System.Object"]
    return ps.ErrorRecord(
        Exception=exception,
        CategoryInfo=ps.ErrorCategoryInfo(
            Category=category,
            Activity=activity,
            Reason=type_name.rsplit(".", 1)[-1],
            TargetName=None if target is None else str(target),
            TargetType=None if target is None else "String",
        ),
        TargetObject=target,
        FullyQualifiedErrorId=error_id,
        ErrorDetails=details,
    )


class Running:
    """One pipeline at work on its own thread."""

    def __init__(self, shell, pipeline):
        self.shell, self.pipeline = shell, pipeline
        self.inbox = queue.SimpleQueue()
        self.answers = queue.SimpleQueue()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            metadata = self.pipeline.metadata
            if isinstance(metadata, psrpcore.GetMetadata):
                self._describe(metadata)
            else:
                self._statements(metadata)
            ending = self.pipeline.complete
        except Stopped:
            ending = self.pipeline.stop
        except Failed as failure:
            record = failure.record
            # psrpcore offers no verb for this state, only the message.
            ending = lambda: self.pipeline._change_state(ps.PSInvocationState.Failed, error=record)
        except Exception as bug:
            print(f"wsman_shim: {bug!r}", file=sys.stderr, flush=True)
            record = error_record(repr(bug), "ShimBug", ps.ErrorCategory.InvalidResult, "System.InvalidOperationException")
            ending = lambda: self.pipeline._change_state(ps.PSInvocationState.Failed, error=record)
        self.shell.emit(ending, self.pipeline.pipeline_id, last=True)

    def _statements(self, metadata):
        for command in metadata.commands:
            if command.is_script:
                raise Failed(error_record(
                    "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
                    "ScriptsNotAllowed", ps.ErrorCategory.ParserError, "System.Management.Automation.ParseException"))
            _, function = CMDLETS.get(command.command_text.lower(), (None, None))
            if function is None:
                name = command.command_text
                raise Failed(error_record(
                    f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program.",
                    "CommandNotFoundException", ps.ErrorCategory.ObjectNotFound,
                    "System.Management.Automation.CommandNotFoundException", target=name))
            function(self, command)

    def _describe(self, query):
        patterns = [re.compile(re.escape(n).replace(r"\*", ".*"), re.I) for n in query.name]
        names = [name for name, _ in CMDLETS.values() if any(p.fullmatch(name) for p in patterns)]
        count = ps.CommandMetadataCount()
        count.Count = len(names)
        self.write(count)
        for name in names:
            parameter = ps.PSCustomObject(Name="Value", ParameterType="System.Object", Aliases=ps.PSList(["V"]), IsDynamic=False, SwitchParameter=False)
            self.write(ps.PSCustomObject(
                Name=name, Namespace="", HelpUri="", CommandType=ps.CommandTypes.Cmdlet, ResolvedCommandName=None,
                OutputType=ps.PSList(["System.Object"]), Parameters=ps.PSDict({"Value": parameter})))

    def write(self, value):
        self._emit(lambda: self.pipeline.write_output(value))

    def stream(self, name, *args, **kwargs):
        self._emit(lambda: getattr(self.pipeline, "write_" + name)(*args, **kwargs))

    def error(self, record):
        self._emit(lambda: self.pipeline.write_error(
            record.Exception, record.CategoryInfo, record.TargetObject, record.FullyQualifiedErrorId, record.ErrorDetails))

    def host(self, call):
        """Runs call(requestor) and, where it wants an answer, waits for it."""
        box = []
        self._emit(lambda: box.append(call(psrpcore.ServerHostRequestor(self.pipeline))))
        if box[0] is None:
            return None
        answer = self._take(self.answers)
        if answer.ci != box[0]:
            raise AssertionError(f"answer to call {answer.ci}, asked {box[0]}")
        if answer.error is not None:
            raise Failed(answer.error)
        return answer.result

    def input(self):
        """The input objects, until the client ends them."""
        while True:
            event = self._take(self.inbox)
            if isinstance(event, psrpcore.EndOfPipelineInputEvent):
                return
            yield event.data

    def wait_for_stop(self):
        self.stopping.wait()
        raise Stopped

    def _take(self, source):
        value = source.get()
        if value is Stopped:
            raise Stopped
        return value

    def _emit(self, act):
        if self.stopping.is_set():
            raise Stopped
        self.shell.emit(act, self.pipeline.pipeline_id)

    def stop(self):
        self.stopping.set()
        self.inbox.put(Stopped)
        self.answers.put(Stopped)


def argument(command, name, default=None):
    for given, value in command.parameters:
        # Remote names come with or without the dash and the colon of the source text.
        if given is not None and given.strip("-:").lower() == name.lower():
            return value
    return default


# The pretend cmdlets.

CMDLETS = {}


def cmdlet(name):
    def register(function):
        CMDLETS[name.lower()] = name, function
        return function

    return register


MOMENT = ps.PSDateTime(2023, 10, 1, 12, 34, 56, 123456, tzinfo=datetime.timezone.utc, nanosecond=700)
NASTY = "tab\tnew\r\nline _x000A_ _X000a_ <&>\"' \x00\x1b \U0001f600 \ud83d ü"


@cmdlet("Get-Everything")
def get_everything(run, command):
    for value in (
        ps.PSString("plain"), ps.PSString(""), ps.PSString(NASTY), ps.PSChar("\u00e4"), True, False, None,
        ps.PSByte(255), ps.PSSByte(-128), ps.PSUInt16(65535), ps.PSInt16(-32768), ps.PSUInt(4294967295), ps.PSInt(-2147483648),
        ps.PSUInt64(18446744073709551615), ps.PSInt64(-9223372036854775808), ps.PSSingle(1.5), ps.PSDouble(-2.25e-300),
        ps.PSDecimal(decimal.Decimal("79228162514264337593543950335")), ps.PSByteArray(b"\x00\xff bytes"),
        ps.PSGuid("00112233-4455-6677-8899-aabbccddeeff"), ps.PSUri("https://example.org/?a=1&b=2"), ps.PSVersion("15.20.1.2"),
        ps.PSXml("<a b=\"c\">text</a>"), ps.PSScriptBlock("Get-Mailbox | Select-Object Name"), MOMENT,
        ps.PSDuration(days=-1, seconds=5), ps.PSList([1, "two", ps.PSList([3])]), ps.PSDict({"k": 1, "v": None}),
        ps.PSStack([1, 2]), ps.ErrorCategory.LimitsExceeded,
        ps.PSCustomObject(Name="box", Nested=ps.PSCustomObject(Inner=ps.PSList([ps.PSCustomObject(Deep=1)]))),
    ):
        run.write(value)
    shared = ps.PSCustomObject(Name="seen twice")
    run.write(ps.PSList([shared, shared]))


@cmdlet("Write-AllStreams")
def write_allstreams(run, command):
    run.write("one")
    run.stream("verbose", "a verbose word")
    run.stream("debug", "a debug word")
    run.stream("warning", "a warning: ünïcode & <brackets>")
    run.stream("information", "an information", "Write-AllStreams", tags=["t1", "t2"], computer="shim", user="nobody", process_id=1)
    run.stream("progress", "working", 7, "half way", percent_complete=50)
    run.error(error_record(
        "The operation couldn't be performed because object 'nobody' couldn't be found.", "[Server=SHIM] 882BD051,GetMailbox",
        ps.ErrorCategory.NotSpecified, "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException",
        target="nobody", activity="Get-Mailbox", details=ps.ErrorDetails(Message="told otherwise", RecommendedAction="look again")))
    run.stream("progress", "working", 7, "done", record_type=ps.ProgressRecordType.Completed)
    run.write("two")


@cmdlet("Stop-Everything")
def stop_everything(run, command):
    run.write("before the end")
    raise Failed(error_record(
        "The end.", "EndOfAll,Stop-Everything", ps.ErrorCategory.LimitsExceeded, "System.InvalidOperationException",
        target="target", activity="Stop-Everything"))


@cmdlet("Get-Echo")
def get_echo(run, command):
    for name, value in command.parameters:
        run.write(ps.PSCustomObject(Name=name, Value=value))


@cmdlet("Get-CommandLine")
def get_commandline(run, command):
    """Tells what was asked for, so that the client's side of the encoding is seen by something else."""
    metadata = run.pipeline.metadata
    run.write(ps.PSCustomObject(
        NoInput=metadata.no_input, AddToHistory=metadata.add_to_history, History=metadata.history,
        Commands=ps.PSList([
            ps.PSCustomObject(
                Name=c.command_text, EndOfStatement=c.end_of_statement, Script=c.is_script,
                MergeError=c.merge_error.name, MergeWarning=c.merge_warning.name, MergeVerbose=c.merge_verbose.name,
                MergeDebug=c.merge_debug.name, MergeInformation=c.merge_information.name,
                Names=ps.PSList([n for n, _ in c.parameters]), Values=ps.PSList([v for _, v in c.parameters]))
            for c in metadata.commands])))


@cmdlet("Out-Nowhere")
def out_nowhere(run, command):
    """A second command of a pipeline that has nothing to add."""


@cmdlet("Write-Input")
def write_input(run, command):
    for value in run.input():
        run.write(value)
    run.write("end of input")


@cmdlet("Read-Answer")
def read_answer(run, command):
    run.host(lambda h: h.write_line("a question:"))
    run.write(run.host(lambda h: h.read_line()))


@cmdlet("Select-Choice")
def select_choice(run, command):
    choices = [ps.ChoiceDescription("&Yes", "do it"), ps.ChoiceDescription("&No", "leave it")]
    run.write(run.host(lambda h: h.prompt_for_choice("Confirm", "Are you sure?", choices, 1)))


@cmdlet("Get-Secret")
def get_secret(run, command):
    run.write(ps.PSCustomObject(Name="admin", Password=ps.PSSecureString("correct horse \u00e4\U0001f600")))


@cmdlet("Test-Secret")
def test_secret(run, command):
    value = argument(command, "Password")
    if isinstance(value, ps.PSCredential):
        run.write(value.UserName)
        value = value.Password
    run.write(type(value).__name__)
    run.write(value.decrypt())


@cmdlet("Read-Secret")
def read_secret(run, command):
    run.write(run.host(lambda h: h.read_line_as_secure_string()).decrypt())


@cmdlet("Get-Slowly")
def get_slowly(run, command):
    run.write("first")
    run.wait_for_stop()


@cmdlet("Get-Many")
def get_many(run, command):
    size = int(argument(command, "Size", 10))
    for number in range(int(argument(command, "Count", 1000))):
        run.write(ps.PSCustomObject(Number=number, Text="x" * size))


@cmdlet("Break-Pool")
def break_pool(run, command):
    run.shell.emit(lambda: run.shell.pool.set_broken(error_record(
        "The pool broke.", "PoolBroken", ps.ErrorCategory.ResourceUnavailable, "System.InvalidOperationException")), None)
    run.wait_for_stop()


# Shells.


class Outbox:
    def __init__(self):
        self.fragments = collections.deque()
        self.ended = False


class Shell:
    """A runspace pool of psrpcore, and what it has still to say to the client, by pipeline (None: the pool)."""

    def __init__(self, identifier, owner, fragment):
        self.identifier, self.owner, self.fragment = identifier, owner, fragment
        self.pool = psrpcore.ServerRunspacePool(application_private_data={"BoundParameters": {"Shim": "psrpcore"}})
        self.changed = threading.Condition(threading.RLock())
        self.outboxes = {None: Outbox()}
        self.running = {}
        self.gone = False

    def emit(self, act, pipeline_id, last=False):
        """Runs act on the pool and puts what it made where Receive finds it."""
        with self.changed:
            act()
            while True:
                payload = self.pool.data_to_send(self.fragment)
                if payload is None:
                    break
                outbox = self.outboxes.get(payload.pipeline_id)
                if outbox is not None:
                    outbox.fragments.append(payload.data)
            if last and pipeline_id in self.outboxes:
                self.outboxes[pipeline_id].ended = True
            self.changed.notify_all()

    def take(self, data):
        """Feeds the client's bytes to psrpcore and hands its events on."""
        with self.changed:
            try:
                self.pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, None))
                while (event := self.pool.next_event()) is not None:
                    self._on(event)
            except WSManFault:
                raise
            except Exception as error:
                # What psrpcore refuses, the test must see.
                print(f"wsman_shim: refused: {error!r}", file=sys.stderr, flush=True)
                raise WSManFault(2150858817, "w:SchemaValidationError", f"psrpcore: {error!r}") from error
            self.emit(lambda: None, None)

    def _on(self, event):
        running = self.running.get(event.pipeline_id)
        if isinstance(event, (psrpcore.CreatePipelineEvent, psrpcore.GetCommandMetadataEvent)):
            running.pipeline.start()
            running.thread.start()
        elif isinstance(event, psrpcore.PipelineHostResponseEvent):
            running.answers.put(event)
        elif isinstance(event, (psrpcore.PipelineInputEvent, psrpcore.EndOfPipelineInputEvent)):
            running.inbox.put(event)

    def command(self, pipeline_id, data):
        with self.changed:
            self.outboxes[pipeline_id] = Outbox()
            self.running[pipeline_id] = Running(self, psrpcore.ServerPipeline(self.pool, pipeline_id))
        self.take(data)

    def receive(self, pipeline_id, room, seconds):
        """What there is to say, at most `room` bytes of base64, and whether it is the last."""
        with self.changed:
            outbox = self.outboxes.get(pipeline_id)
            if outbox is None:
                raise no_command()
            self.changed.wait_for(lambda: outbox.fragments or outbox.ended or self.gone, seconds)
            if self.gone:
                raise WSManFault(995, "w:InternalError", "The I/O operation has been aborted because of either a thread exit or an application request.")
            if not outbox.fragments and not outbox.ended:
                raise WSManFault(2150858793, "w:TimedOut", "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.")
            pieces = []
            while outbox.fragments and (not pieces or room >= len(outbox.fragments[0]) * 2):
                piece = outbox.fragments.popleft()
                room -= len(piece) * 2
                pieces.append(piece)
            return pieces, outbox.ended and not outbox.fragments

    def signal(self, pipeline_id, code):
        with self.changed:
            running = self.running.get(pipeline_id)
            if running is None:
                raise no_command()
            running.stop()
            if code != STOP:
                # Any other code closes the command, as on Windows: nothing more is said about it.
                self.running.pop(pipeline_id)
                self.outboxes.pop(pipeline_id)
                self.pool.pipeline_table.pop(pipeline_id, None)
                self.changed.notify_all()

    def close(self):
        with self.changed:
            self.gone = True
            for running in self.running.values():
                running.stop()
            self.changed.notify_all()


def no_command():
    return WSManFault(2150858843, "w:InvalidSelectors", "The Windows Remote Shell received a request to perform an operation on a command identifier that does not exist.")


class Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, options):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.options = options
        self.shells = {}
        self.lock = threading.Lock()
        self.counts = collections.Counter()

    def shell(self, identifier, owner):
        with self.lock:
            shell = self.shells.get((identifier or "").upper())
        if shell is None or shell.owner != owner:
            raise WSManFault(2150858843, "w:InvalidSelectors", f"The request for the Windows Remote Shell with ShellId {identifier} failed because the shell was not found on the server.")
        return shell


class Exchange(BaseHTTPRequestHandler):
    """One HTTP exchange: an envelope in, an envelope out."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_GET(self):
        with self.server.lock:
            lines = [f"open {len(self.server.shells)}"] + [f"{k} {v}" for k, v in sorted(self.server.counts.items())]
        self._reply(200, "text/plain", "\n".join(lines) + "\n")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        expected = base64.b64encode(self.server.options.user.encode()).decode()
        if self.headers.get("Authorization") != "Basic " + expected:
            self._reply(401, "text/plain", "", ("WWW-Authenticate", 'Basic realm="shim"'))
            return
        message_id, action = "", ""
        try:
            envelope = ElementTree.fromstring(body)
            self.header, self.body = envelope.find("s:Header", PREFIXES), envelope.find("s:Body", PREFIXES)
            message_id, action = self._head("a:MessageID"), self._head("a:Action")
            verb = action.rsplit("/", 1)[-1]
            operation = getattr(self, "_" + verb.lower(), None) if verb in ("Create", "Command", "Send", "Receive", "Signal", "Delete") else None
            if operation is None:
                raise WSManFault(2150858752, "a:ActionNotSupported", f"The action {action} is not supported.")
            with self.server.lock:
                self.server.counts[verb] += 1
            self._envelope(200, action + "Response", message_id, operation())
        except WSManFault as fault:
            detail = f'<f:WSManFault Code="{fault.number}" Machine="127.0.0.1"><f:Message>{escape(fault.reason)}</f:Message></f:WSManFault>'
            self._envelope(500, WSMAN.replace("/wsman.xsd", "/wsman/fault"), message_id, (
                f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode></s:Code>"
                f'<s:Reason><s:Text xml:lang="">{escape(fault.reason)}</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>'))

    def _head(self, path):
        return (self.header.findtext(path, "", PREFIXES) or "").strip()

    def _shell(self):
        selectors = {s.get("Name"): s.text for s in self.header.iterfind("w:SelectorSet/w:Selector", PREFIXES)}
        return self.server.shell(selectors.get("ShellId"), self.server.options.user)

    def _create(self):
        element = self.body.find("rsp:Shell", PREFIXES)
        identifier = element.get("ShellId") or str(uuid.uuid4()).upper()
        shell = Shell(identifier, self.server.options.user, self.server.options.fragment)
        shell.take(base64.b64decode(element.findtext("c:creationXml", "", PREFIXES)))
        with self.server.lock:
            self.server.shells[identifier.upper()] = shell
        resource = escape(self._head("w:ResourceURI"))
        selectors = f'<w:SelectorSet><w:Selector Name="ShellId">{identifier}</w:Selector></w:SelectorSet>'
        return (
            f"<x:ResourceCreated><a:Address>{escape(self.path)}</a:Address><a:ReferenceParameters><w:ResourceURI>{resource}</w:ResourceURI>{selectors}"
            f"</a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>{identifier}</rsp:ShellId></rsp:Shell>")

    def _command(self):
        line = self.body.find("rsp:CommandLine", PREFIXES)
        pipeline_id = uuid.UUID(line.get("CommandId"))
        self._shell().command(pipeline_id, base64.b64decode("".join(a.text or "" for a in line.iterfind("rsp:Arguments", PREFIXES))))
        return f"<rsp:CommandResponse><rsp:CommandId>{str(pipeline_id).upper()}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self):
        shell = self._shell()
        for stream in self.body.iterfind("rsp:Send/rsp:Stream", PREFIXES):
            shell.take(base64.b64decode(stream.text or ""))
        return "<rsp:SendResponse/>"

    def _receive(self):
        desired = self.body.find("rsp:Receive/rsp:DesiredStream", PREFIXES)
        name = desired.get("CommandId")
        room = int(self._head("w:MaxEnvelopeSize") or 153600) - 4096
        pieces, ended = self._shell().receive(name and uuid.UUID(name), room, self.server.options.hold)
        of = f' CommandId="{name}"' if name else ""
        text = "".join(f'<rsp:Stream Name="stdout"{of}>{base64.b64encode(piece).decode()}</rsp:Stream>' for piece in pieces)
        if ended:
            text += f'<rsp:CommandState{of} State="{SHELL}/CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState>'
        return f"<rsp:ReceiveResponse>{text}</rsp:ReceiveResponse>"

    def _signal(self):
        signal = self.body.find("rsp:Signal", PREFIXES)
        self._shell().signal(uuid.UUID(signal.get("CommandId")), signal.findtext("rsp:Code", "", PREFIXES).strip())
        return "<rsp:SignalResponse/>"

    def _delete(self):
        shell = self._shell()
        with self.server.lock:
            self.server.shells.pop(shell.identifier.upper(), None)
        shell.close()
        return ""

    def _envelope(self, status, action, message_id, body):
        self._reply(status, "application/soap+xml;charset=UTF-8", (
            f"<s:Envelope {DECLARATIONS}><s:Header><a:Action>{escape(action)}</a:Action><a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>"
            f"<a:RelatesTo>{escape(message_id)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"))

    def _reply(self, status, kind, text, *headers):
        data = text.encode()
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(data))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--user", default="admin@partner.com:secret")
    parser.add_argument("--fragment", type=int, help="bytes of PSRP in one stream element (all there is)")
    parser.add_argument("--hold", type=float, default=20, help="seconds until a Receive with nothing to say times out")
    service = Service(parser.parse_args())
    threading.Thread(target=service.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{service.server_address[1]}/powershell-liveid", flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
