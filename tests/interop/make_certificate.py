"""Writes into the folder given an application's certificate as ExchangeOnlineManagement's users have it: app.pem (with its key,
PKCS #8), app1.pem (PKCS #1), app.pfx and legacy.pfx (password `hunter2`), cert.pem (alone)."""
import datetime
import pathlib
import sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization as s
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

folder, now = pathlib.Path(sys.argv[1]), datetime.datetime.now(datetime.timezone.utc)
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "DelegatedTenant")])
cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256()))
pem = cert.public_bytes(s.Encoding.PEM)
(folder / "cert.pem").write_bytes(pem)
for file, form in [("app.pem", s.PrivateFormat.PKCS8), ("app1.pem", s.PrivateFormat.TraditionalOpenSSL)]:
    (folder / file).write_bytes(pem + key.private_bytes(s.Encoding.PEM, form, s.NoEncryption()))
legacy = (s.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2000)
          .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1()).build(b"hunter2"))
for file, how in [("app.pfx", s.BestAvailableEncryption(b"hunter2")), ("legacy.pfx", legacy)]:
    (folder / file).write_bytes(pkcs12.serialize_key_and_certificates(b"app", key, cert, None, how))
