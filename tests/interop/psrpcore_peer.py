#!/usr/bin/env python3
"""psrpcore (PyPI) as the other end of PSRP, for the tests: no transport, one request a line.

    psrpcore_peer.py server|client

Standard input has JSON objects, one a line: either bytes that came ({"data": base64, "pipeline": id or null}) or
something to do ({"do": name, …}). Each is answered by the events it led to ({"event": class, …}), the bytes to send
({"data", "pipeline", "stream"}) and {"end": true}; {"error": text} where psrpcore refused.
"""

import base64
import datetime
import enum
import json
import sys
import uuid

import psrpcore
import psrpcore.types as ps

FRAGMENT = 400


def plain(value):
    """What JSON can hold of a value."""
    if isinstance(value, ps.PSSecureString):
        return {"secret": str(value.decrypt())}
    if isinstance(value, (psrpcore.PowerShell, psrpcore.Command, psrpcore.GetMetadata)):
        return {name.lstrip("_"): plain(v) for name, v in vars(value).items() if name != "PSObject"}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, ps.PSBool):
        return bool(value)
    if isinstance(value, (enum.Enum, int)):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (uuid.UUID, datetime.datetime, datetime.timedelta, float)):
        return str(value)
    if isinstance(value, ps.PSVersion):
        return str(value)
    if isinstance(value, ps.PSObject):
        meta = value.PSObject
        return {p.name: plain(p.get_value(value)) for p in [*meta.adapted_properties, *meta.extended_properties]}
    return repr(value)


def shown(event):
    """The event with each of its properties."""
    names = [n for n in dir(type(event)) if isinstance(getattr(type(event), n), property)]
    return {"event": type(event).__name__, **{n: plain(getattr(event, n)) for n in names}}


def error_record(message, error_id):
    return ps.ErrorRecord(
        Exception=ps.NETException(Message=message),
        CategoryInfo=ps.ErrorCategoryInfo(Category=ps.ErrorCategory.InvalidOperation, Activity="Get-Mailbox", Reason="Exception"),
        FullyQualifiedErrorId=error_id,
    )


class Server:
    """psrpcore's server. `pipeline` in a request names the pipeline that acts."""

    def __init__(self):
        self.pool = psrpcore.ServerRunspacePool({"Greeting": "hello", "Nested": {"Number": 3}})

    def pipeline(self, request):
        return self.pool.pipeline_table[uuid.UUID(request["pipeline"])]

    def do_pipeline(self, request):
        psrpcore.ServerPipeline(self.pool, uuid.UUID(request["pipeline"]))

    def do_start(self, request):
        self.pipeline(request).start()

    def do_streams(self, request):
        pipeline = self.pipeline(request)
        pipeline.write_output(request["text"])
        pipeline.write_output(None)
        pipeline.write_error(ps.NETException(Message=request["text"]), fully_qualified_error_id="ErrorId,Get-Mailbox")
        pipeline.write_debug(request["text"])
        pipeline.write_verbose(request["text"])
        pipeline.write_warning(request["text"])
        pipeline.write_progress(request["text"], 1, "half", percent_complete=50)
        pipeline.write_information(request["text"], "source")

    def do_secret(self, request):
        self.pipeline(request).write_output(ps.PSSecureString(request["text"]))

    def do_complete(self, request):
        self.pipeline(request).complete()

    def do_stop(self, request):
        self.pipeline(request).stop()

    def do_host_call(self, request):
        method = ps.HostMethodIdentifier(request["method"])
        if request.get("pipeline"):
            self.pipeline(request).host_call(method, request["parameters"])
        else:
            self.pool.host_call(method, request["parameters"])

    def do_request_key(self, request):
        self.pool.request_key()

    def do_answer(self, request):
        self.pool.runspace_availability_response(request["ci"], request["response"])

    def do_user_event(self, request):
        self.pool.send_event(7, "source", message_data=request["text"])

    def do_broken(self, request):
        self.pool.set_broken(error_record(request["text"], "PoolBroke"))


class Client:
    """psrpcore's client."""

    def __init__(self):
        host = ps.HostInfo(IsHostNull=False, IsHostUINull=False, IsHostRawUINull=True, UseRunspaceHost=False)
        self.pool = psrpcore.ClientRunspacePool(application_arguments={"Who": "psrpcore"}, host=host)

    def pipeline(self, request):
        return self.pool.pipeline_table[uuid.UUID(request["pipeline"])]

    def do_open(self, request):
        self.pool.open()

    def do_run(self, request):
        pipeline = psrpcore.ClientPowerShell(
            self.pool, no_input=request["no_input"], pipeline_id=uuid.UUID(request["pipeline"]), history="a history"
        )
        for name, script, parameters, end_of_statement in request["commands"]:
            command = psrpcore.Command(name, script)
            for key, value in parameters:
                command.add_parameter(key, ps.PSSecureString(value["secret"]) if isinstance(value, dict) else value)
            command.redirect_all()
            pipeline.add_command(command)
            if end_of_statement:
                pipeline.add_statement()
        pipeline.start()

    def do_metadata(self, request):
        psrpcore.ClientGetCommandMetadata(
            self.pool, request["names"], ps.CommandTypes.Cmdlet | ps.CommandTypes.Function, pipeline_id=uuid.UUID(request["pipeline"])
        ).start()

    def do_send(self, request):
        self.pipeline(request).send(request["value"])

    def do_end(self, request):
        self.pipeline(request).send_eof()

    def do_host_response(self, request):
        responder = self.pipeline(request) if request.get("pipeline") else self.pool
        if "error" in request:
            responder.host_response(request["ci"], error_record=error_record(request["error"], "HostFailed"))
        else:
            responder.host_response(request["ci"], request["value"])

    def do_exchange_key(self, request):
        self.pool.exchange_key()

    def do_availability(self, request):
        self.pool.get_available_runspaces()
        self.pool.set_max_runspaces(4)
        self.pool.set_min_runspaces(9)
        self.pool.reset_runspace_state()


def main():
    end = {"server": Server, "client": Client}[sys.argv[1]]()

    def reply(message):
        print(json.dumps(message), flush=True)

    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "do" in request:
                getattr(end, "do_" + request["do"])(request)
            else:
                pipeline = request["pipeline"] and uuid.UUID(request["pipeline"])
                end.pool.receive_data(psrpcore.PSRPPayload(base64.b64decode(request["data"]), psrpcore.StreamType.default, pipeline))
                while event := end.pool.next_event():
                    reply(shown(event))
            while payload := end.pool.data_to_send(FRAGMENT):
                reply({
                    "data": base64.b64encode(payload.data).decode(),
                    "pipeline": payload.pipeline_id and str(payload.pipeline_id),
                    "stream": payload.stream_type.name,
                })
        except Exception as error:
            reply({"error": repr(error)})
        reply({"end": True})


main()
