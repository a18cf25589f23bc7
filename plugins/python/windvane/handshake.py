"""How a plugin and its host find each other: the handshake of HashiCorp's go-plugin."""

import base64
import datetime
import os
import secrets
import sys
import tempfile

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

COOKIE = ("WINDVANE_PLUGIN", "windvane.policy.v1")
LIFELINE = "WINDVANE_PLUGIN_LIFELINE"
PROTOCOL = "1"


def started_by_host():
    return os.environ.get(COOKIE[0]) == COOKIE[1]


def speaks_ours():
    return PROTOCOL in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", PROTOCOL).split(",")


def listen(server):
    """Has the server listen in the host's directory for sockets, and returns the line that
    says so. The host's certificate, where it sent one, is the only one admitted."""
    directory = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.gettempdir()
    path = os.path.join(directory, "plugin" + secrets.token_hex(4))
    line = f"1|{PROTOCOL}|unix|{path}|grpc"
    client = os.environ.get("PLUGIN_CLIENT_CERT")
    if not client:
        server.add_insecure_port("unix:" + path)
        return line
    key, certificate = own_certificate()
    server.add_secure_port(
        "unix:" + path,
        grpc.ssl_server_credentials(
            [(_pem(key), certificate.public_bytes(serialization.Encoding.PEM))],
            root_certificates=client.encode(),
            require_client_auth=True,
        ),
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return line + "|" + base64.b64encode(der).decode().rstrip("=")


def _pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def own_certificate():
    """A key and a certificate for one run, as go-plugin makes them, but for the curve."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=365 * 30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def say(line):
    """Writes the handshake to standard output, and has what is printed afterwards go to
    standard error: a host reads nothing else of the former."""
    print(line, flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout.reconfigure(line_buffering=True)


def wait_for_end_of_host():
    """Returns when the pipe that the host holds ends, which it does however the host ends."""
    pipe = int(os.environ[LIFELINE])
    while os.read(pipe, 1):
        pass
