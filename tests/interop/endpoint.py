"""The genuine endpoint (../shared/endpoint/endpoint.py), but closing as the native client's server does.

As it stands it answers a Delete only when its child has ended or two seconds have passed, and the child, whose standard
input stays open, never ends by itself: every close would take those two seconds. Here Delete is answered when the engine
has acknowledged the close (or, as it sometimes does not while a pipeline is being released, after a second), and the
child is seen off in the background.

    endpoint.py FOLDER [options of the genuine one]
"""

import signal
import subprocess
import sys
import threading

folder = sys.argv.pop(1)
sys.path.insert(0, folder)
sys.modules.pop("endpoint", None)
import endpoint  # noqa: E402: it is in the folder that was given


def close(shell):
    try:
        shell.say("Close", endpoint.POOL)
    except endpoint.Fault:
        pass
    with shell.changed:
        shell.changed.wait_for(lambda: shell.acks["CloseAck", endpoint.POOL] or shell.closed, 1)

    def see_off():
        try:
            shell.child.stdin.close()
            shell.child.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            shell.child.kill()
            shell.child.wait()

    threading.Thread(target=see_off, daemon=True).start()


class Endpoint(endpoint.Endpoint):
    def __init__(self, options):
        super().__init__(options)
        # Loses every shell, as a server does that starts anew.
        if hasattr(signal, "SIGUSR1"):
            signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=self.lose).start())

    def lose(self):
        for shell in list(self.shells.values()):
            self.remove_shell(shell)


endpoint.Shell.close = close
endpoint.Endpoint = Endpoint
# A shell that starts this in the background may have it ignore the interrupt that is to end it.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(endpoint.main())
