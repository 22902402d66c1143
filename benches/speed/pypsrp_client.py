"""Reads mailboxes with pypsrp and prints how many and in how many seconds, for benches/speed.

    pypsrp_client.py URL USER PASSWORD COUNT
"""

import sys
import time
import urllib.parse

from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

url, user, password, count = sys.argv[1:]
at = urllib.parse.urlsplit(url)
path = at.path.strip("/") + (f"?{at.query}" if at.query else "")
wsman = WSMan(at.hostname, port=at.port, path=path, ssl=False, auth="basic", username=user, password=password, encryption="never")
with wsman, RunspacePool(wsman, configuration_name="Microsoft.Exchange") as pool:
    shell = PowerShell(pool).add_cmdlet("Get-Mailbox").add_parameter("ResultSize", int(count))
    begin = time.perf_counter()
    found = len(shell.invoke())
    print(found, time.perf_counter() - begin)
