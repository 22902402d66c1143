"""pypsrp, which we did not write, as a client of the simulated tenant: python pypsrp_judge.py PORT

Each check is a function; a failed one prints its name and what it saw, and the process ends with 1.
"""

import sys
import traceback
import uuid

from pypsrp.complex_objects import PSInvocationState, RunspacePoolState
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.serializer import ObjectMeta
from pypsrp.wsman import WSMan

PORT = int(sys.argv[1])


def wsman(organization="fabrikam.com", password="secret", operation_timeout=2):
    # The path in the cookie's case: pypsrp's cookie jar minds case, which is its own known trouble with Exchange.
    path = "PowerShell-LiveID?DelegatedOrg=" + organization
    return WSMan("127.0.0.1", port=PORT, ssl=False, auth="basic", username="admin@partner.com", password=password,
                 path=path, encryption="never", no_proxy=True, operation_timeout=operation_timeout, read_timeout=20)


def pool(host=None, **settings):
    return RunspacePool(wsman(**settings), configuration_name="Microsoft.Exchange", host=host)


def run(session, *cmdlets, input=None):
    shell = PowerShell(session)
    for name, parameters in cmdlets:
        shell.add_cmdlet(name)
        if parameters:
            shell.add_parameters(parameters)
    return shell, shell.invoke(input=input)


def equal(seen, expected):
    assert seen == expected, f"saw {seen!r}, expected {expected!r}"


def open_run_close():
    with pool() as session:
        equal(session.state, RunspacePoolState.OPENED)
        shell, output = run(session, ("Get-Mailbox", {"ResultSize": 7}))
        equal(shell.state, PSInvocationState.COMPLETED)
        equal(len(output), 7)
        equal(len({m.adapted_properties["Guid"] for m in output}), 7)
        first = output[0]
        assert len(first.adapted_properties) >= 100, len(first.adapted_properties)
        equal(first.types[0], "Microsoft.Exchange.Data.Directory.Management.Mailbox")
        assert isinstance(first.adapted_properties["Guid"], uuid.UUID)
        # pypsrp leaves a list of a type that it does not know as its XML.
        address = "<S>SMTP:" + first.adapted_properties["PrimarySmtpAddress"] + "</S>"
        assert address in first.adapted_properties["EmailAddresses"].property_sets[0]
        equal(first.adapted_properties["ProhibitSendReceiveQuota"], "100 GB (107,374,182,400 bytes)")
        equal(len(shell.streams.warning), 1)
    equal(session.state, RunspacePoolState.CLOSED)


def pipelines_of_several_commands():
    with pool() as session:
        _, output = run(session, ("Get-Mailbox", None), ("Select-Object", {"Property": ["Alias", "Guid"], "First": 4}))
        equal(len(output), 4)
        equal(set(output[0].extended_properties), {"Alias", "Guid"})
        _, count = run(session, ("Get-Mailbox", None), ("Measure-Object", None))
        equal(count[0].adapted_properties["Count"], 25)
        shell, statistics = run(session, ("Get-Mailbox", {"ResultSize": 2}), ("Get-MailboxStatistics", None))
        equal((len(statistics), shell.streams.error), (2, []))


def large_results():
    with pool() as session:
        shell = PowerShell(session)
        shell.add_cmdlet("Test-Size").add_parameters({"Length": 3_000_000, "Count": 2})
        output = shell.invoke()
        equal([len(o) for o in output], [3_000_000, 3_000_000])


def large_arguments():
    with pool() as session:
        text = "0123456789\u00f8\U0001f680" * 60_000
        _, output = run(session, ("Test-Echo", {"InputObject": text}))
        assert output[0] == text, "the argument came back changed"


def input_objects():
    with pool() as session:
        _, output = run(session, ("Test-Echo", None), input=[1, "two", {"k": "v"}, True])
        equal(output[:2] + output[3:], [1, "two", True])
        equal(dict(output[2]), {"k": "v"})


def every_type():
    with pool() as session:
        _, output = run(session, ("Test-Everything", None))
        properties = output[0].extended_properties
        equal(properties["String"], "R&D <x> \U0001f680 _x0041_\r\n\ttab")
        equal(properties["U64"], 2**64 - 1)
        equal(properties["I64"], -(2**63))
        equal(properties["Decimal"], "79228162514264337593543950335")
        equal(properties["Bytes"], b"\x00\x01\xfe\xff")
        equal(properties["Guid"], uuid.UUID("792e5b37-4505-47ef-b7d2-8711bb7affa8"))
        equal(list(properties["List"])[:2], [1, "a"])


def every_stream():
    with pool() as session:
        shell = PowerShell(session)
        shell.add_cmdlet("Test-Stream").add_parameters({"Verbose": True, "Debug": True})
        equal(shell.invoke(), ["output 1", "output 2"])
        equal(str(shell.streams.warning[0]), "a warning")
        equal(str(shell.streams.verbose[0]), "a verbose message")
        equal(str(shell.streams.debug[0]), "a debug message")
        equal(shell.streams.information[0].message_data, "an information message")
        equal([p.percent_complete for p in shell.streams.progress], [50, 100])
        error = shell.streams.error[0]
        equal((str(error), error.fq_error, error.target_object), ("an error", "StreamError,Test-Stream", "target"))
        equal(shell.state, PSInvocationState.COMPLETED)


def errors():
    with pool() as session:
        shell, _ = run(session, ("Get-Mailbox", {"Identity": "nobody"}))
        equal(shell.state, PSInvocationState.COMPLETED)
        assert "couldn't be found on" in str(shell.streams.error[0])
        assert "[FailureCategory=Cmdlet-ManagementObjectNotFoundException]" in shell.streams.error[0].fq_error
        for name, parameters, expected in [
            ("Get-Nonesuch", {}, "CommandNotFoundException"),
            ("Get-Mailbox", {"Nonesuch": 1}, "NamedParameterNotFound,Get-Mailbox"),
            ("Test-Failure", {"Terminating": True, "After": 2}, "TestFailure,Test-Failure"),
        ]:
            shell, output = run(session, (name, parameters))
            equal((shell.state, shell.streams.error[-1].fq_error), (PSInvocationState.FAILED, expected))
        equal(output, [1, 2])
        shell = PowerShell(session)
        shell.add_script("1 + 1")
        equal(shell.invoke(), [])
        equal((shell.state, shell.streams.error[0].fq_error), (PSInvocationState.FAILED, "ScriptsNotAllowed"))
        assert "no-language mode" in str(shell.streams.error[0])


class Interface(PSHostUserInterface):
    def __init__(self):
        super().__init__()
        self.asked = []

    def ReadLine(self, runspace, pipeline):
        self.asked.append("ReadLine")
        return "typed"

    def PromptForChoice(self, runspace, pipeline, caption, message, choices, default):
        self.asked.append((caption, message, [c.extended_properties["label"] for c in choices], default))
        return 0

    def Prompt(self, runspace, pipeline, caption, message, descriptions):
        self.asked.append((caption, [d.extended_properties["name"] for d in descriptions]))
        return {"First": "one", "Second": 2}

    def WriteLine2(self, runspace, pipeline, value):
        self.asked.append(value)


def host_calls():
    interface = Interface()
    with pool(host=PSHost(None, None, False, "judge", None, interface, "1.0")) as session:
        equal(run(session, ("Test-Prompt", None))[1], ["typed"])
        equal(run(session, ("Test-Prompt", {"Kind": "Choice"}))[1], [0])
        equal(run(session, ("Test-Mandatory", None))[1], ["one/2"])
        alias = run(session, ("Get-Mailbox", {"ResultSize": 1}))[1][0].adapted_properties["Alias"]
        run(session, ("Remove-Mailbox", {"Identity": alias, "WhatIf": True}))
        equal(run(session, ("Get-Mailbox", {"Identity": alias}))[0].streams.error, [])
        run(session, ("Remove-Mailbox", {"Identity": alias}))
        equal(len(run(session, ("Get-Mailbox", {"Identity": alias}))[0].streams.error), 1)
        asked = interface.asked
        equal(asked[0], "ReadLine")
        equal(asked[1], ("Colors", "Which one?", ["&Red", "&Green"], 1))
        equal(asked[2], ("cmdlet Test-Mandatory at command pipeline position 1", ["First", "Second"]))
        assert asked[3].startswith("What if: Removing mailbox Identity:"), asked[3]
        equal(asked[4][0], "Confirm")


def no_host():
    with pool() as session:
        shell, _ = run(session, ("Test-Mandatory", None))
        equal(shell.state, PSInvocationState.FAILED)
        assert "missing mandatory parameters: First Second" in str(shell.streams.error[0])


def secrets():
    with pool() as session:
        session.exchange_keys()
        secure = lambda text: session.serialize(text, ObjectMeta("SS"))
        equal(run(session, ("Test-Secret", {"Secret": secure("p\u00e4ssword")}))[1], ["p\u00e4ssword"])
        created = run(session, ("New-Mailbox", {"Name": "judged", "Password": secure("longpassword")}))[1]
        equal(created[0].adapted_properties["Alias"], "judged")
        equal(run(session, ("Test-Secret", None))[1][0], "correct horse \U0001f40e battery staple")


def metadata():
    with pool() as session:
        (one,) = session.get_command_metadata("Get-Mailbox")
        equal((one.name, one.command_type.value), ("Get-Mailbox", 8))
        assert {"Identity", "ResultSize", "ErrorAction"} <= set(one.parameters), list(one.parameters)
        parameter = one.parameters["ErrorAction"]
        equal((parameter.parameter_type, list(parameter.aliases)), ("System.String", ["ea"]))
        assert len(session.get_command_metadata("Get-M*")) > 20
        equal([c.name for c in session.get_command_metadata(["Out-Default", "Exit-PSSession"])], ["Exit-PSSession", "Out-Default"])


def stop():
    with pool() as session:
        shell = PowerShell(session)
        shell.add_cmdlet("Test-Slow").add_parameters({"Count": 10_000, "Milliseconds": 20})
        shell.begin_invoke()
        shell.poll_invoke(timeout=2)
        shell.stop()
        equal(shell.state, PSInvocationState.STOPPED)
        equal(run(session, ("Test-Echo", {"InputObject": "still here"}))[1], ["still here"])


def longer_than_the_operation_timeout():
    with pool(operation_timeout=1) as session:
        equal(run(session, ("Test-Slow", {"Count": 2, "Milliseconds": 1500}))[1], [1, 2])


def wrong_password():
    try:
        pool(password="wrong").open()
    except AuthenticationError:
        return
    raise AssertionError("a wrong password was good")


def too_many_sessions():
    with pool(), pool(), pool():
        fourth = pool()
        try:
            fourth.open()
        except WSManFaultError as fault:
            assert "maximum number of connections allowed : 3" in fault.reason, fault.reason
        else:
            raise AssertionError("a fourth session opened")
        finally:
            fourth.shell.close()


CHECKS = [open_run_close, pipelines_of_several_commands, large_results, large_arguments, input_objects, every_type, every_stream, errors,
          host_calls, no_host, secrets, metadata, stop, longer_than_the_operation_timeout, wrong_password, too_many_sessions]


def main():
    failed = 0
    for check in CHECKS:
        try:
            check()
            print("ok", check.__name__, flush=True)
        except Exception:
            failed += 1
            print("FAILED", check.__name__, flush=True)
            traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)


main()
