"""A token endpoint that lets in whom PyJWT lets in: argument is the certificate. Prints its URL; ends with its standard input."""
import base64
import hashlib
import http.server
import json
import sys
import threading
import urllib.parse
import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

certificate = x509.load_pem_x509_certificate(open(sys.argv[1], "rb").read())
thumbprint = base64.urlsafe_b64encode(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()).decode().rstrip("=")
seen = set()


class Judge(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        try:
            assertion, here = form["client_assertion"], f"http://127.0.0.1:{server.server_port}{self.path}"
            assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", form
            header = jwt.get_unverified_header(assertion)
            assert (header["x5t#S256"], header["typ"]) == (thumbprint, "JWT"), header
            claims = jwt.decode(assertion, certificate.public_key(), algorithms=["PS256"], audience=here, issuer=form["client_id"],
                                subject=form["client_id"], options={"require": ["exp", "nbf", "iat", "jti", "sub"]})
            assert claims["exp"] - claims["iat"] <= 600 and claims["jti"] not in seen, claims
            seen.add(claims["jti"])
            status, body = 200, {"token_type": "Bearer", "expires_in": 0, "access_token": f"judged-{len(seen)}"}
        except Exception as error:
            status, body = 401, {"error": "invalid_client", "error_description": f"AADSTS700027: {error!r}"}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Judge)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
