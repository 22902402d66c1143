"""The REST road as a script of today's Exchange Online reads it, with `requests` and nothing of ours: argument is the base URI."""
import sys
import requests

base, tenant = sys.argv[1], "fabrikam.onmicrosoft.com"
form = {"grant_type": "refresh_token", "client_id": "a0c73c16-a7e3-4564-9a95-2bdf47383716",
        "refresh_token": "partner-refresh-token", "scope": "https://outlook.office365.com/.default"}
token = requests.post(f"{base}/{tenant}/oauth2/v2.0/token", data=form).json()["access_token"]
session = requests.Session()
session.headers.update({"Authorization": f"Bearer {token}", "X-AnchorMailbox": f"UPN:admin@{tenant}", "Prefer": "odata.maxpagesize=10"})


def call(cmdlet, url=f"{base}/adminapi/beta/{tenant}/InvokeCommand", **parameters):
    return session.post(url, json={"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}})


page, found = call("Get-Mailbox", ResultSize="Unlimited").json(), []
while True:
    found += [{name: value for name, value in item.items() if "@" not in name} for item in page["value"]]
    if "@odata.nextLink" not in page:
        break
    page = call("Get-Mailbox", url=page["@odata.nextLink"], ResultSize="Unlimited").json()
assert len(found) == 25 and len({m["Guid"] for m in found}) == 25, len(found)
assert call("Get-Mailbox", Identity=found[3]["Guid"]).json()["value"][0]["Alias"] == found[3]["Alias"]
error = call("Get-Mailbox", Identity="nobody")
assert error.status_code == 404 and "|" in error.json()["error"]["details"][0]["message"], error.text
assert call("Get-Nonesuch").status_code == 403
batch = {"requests": [{"id": str(i), "method": "POST", "url": f"{base}/adminapi/beta/{tenant}/InvokeCommand",
                       "headers": {"Authorization": f"Bearer {token}"},
                       "body": {"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {"Identity": found[i]["Alias"]}}}} for i in range(3)]}
answers = session.post(f"{base}/adminapi/beta/{tenant}/$batch", json=batch, headers={"Prefer": "odata.continue-on-error"}).json()["responses"]
assert [(a["id"], a["status"], a["body"]["value"][0]["Alias"]) for a in answers] == [(str(i), 200, found[i]["Alias"]) for i in range(3)]
print(f"{len(found)} mailboxes")
