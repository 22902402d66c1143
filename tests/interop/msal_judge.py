"""Microsoft's own client library against the simulated authority. MSAL takes https alone, so that the simulator stands behind a
proxy with a certificate of its own. Arguments: base URI, folder of make_certificate.py, id of the application with the certificate."""
import os
import pathlib
import ssl
import sys
import threading
import http.server
import urllib.parse
import msal
import requests
import urllib3

base, folder, certified = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
urllib3.disable_warnings()
# They would go before verify=False.
for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
    os.environ.pop(name, None)
plain = requests.Session()


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {**self.headers, "X-Forwarded-Proto": "https", "Accept-Encoding": "identity"}
        reply = requests.request(self.command, base + self.path, data=body, headers=headers, allow_redirects=False)
        self.send_response(reply.status_code)
        for name in ("Content-Type", "Location"):
            if name in reply.headers:
                self.send_header(name, reply.headers[name])
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    do_POST = do_GET


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "app.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
SCOPES, PUBLIC = ["https://outlook.office365.com/.default"], "fb78d390-0c51-40cd-8e17-fdbfab77341b"


def options(tenant):
    authority = f"https://localhost:{server.server_port}/{tenant}"
    return {"authority": authority, "instance_discovery": False, "verify": False}


def good(result, tenant):
    token = result.get("access_token")
    assert token, result
    body = {"CmdletInput": {"CmdletName": "Get-OrganizationConfig", "Parameters": {}}}
    reply = plain.post(f"{base}/adminapi/beta/{tenant}/InvokeCommand", json=body, headers={"Authorization": f"Bearer {token}"})
    assert reply.status_code == 200, (reply.status_code, reply.text)


# Its look for a federated sign-in forgets the port.
msal.authority.Authority._domains_without_user_realm_discovery.add("localhost")
user = msal.PublicClientApplication(PUBLIC, **options("partner.com"))
good(user.acquire_token_by_username_password("admin@partner.com", "secret", SCOPES), "partner.com")
wrong = user.acquire_token_by_username_password("admin@partner.com", "wrong", SCOPES)
assert wrong["error"] == "invalid_grant" and wrong["error_codes"] == [50126], wrong
customer = msal.PublicClientApplication(PUBLIC, **options("fabrikam.com"))
good(customer.acquire_token_by_refresh_token("partner-refresh-token", SCOPES), "fabrikam.com")
flow = user.initiate_device_flow(SCOPES)
assert flow["user_code"] in flow["message"], flow
good(user.acquire_token_by_device_flow(flow), "partner.com")
flow = user.initiate_auth_code_flow(SCOPES, redirect_uri="http://localhost:1", login_hint="admin@partner.com")
back = requests.get(flow["auth_uri"], verify=False, allow_redirects=False).headers["Location"]
good(user.acquire_token_by_auth_code_flow(flow, dict(urllib.parse.parse_qsl(urllib.parse.urlparse(back).query))), "partner.com")
application = msal.ConfidentialClientApplication("11111111-2222-3333-4444-555555555555", client_credential="app-secret", **options("fabrikam.com"))
good(application.acquire_token_for_client(SCOPES), "fabrikam.com")
credential = {"private_key": (folder / "app.pem").read_text().split("-----END CERTIFICATE-----\n")[1], "public_certificate": (folder / "cert.pem").read_text()}
application = msal.ConfidentialClientApplication(certified, client_credential=credential, **options("fabrikam.com"))
good(application.acquire_token_for_client(SCOPES), "fabrikam.com")
print("every flow")
