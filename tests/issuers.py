"""A stand-in for the system that signs tokens: it publishes a key set over HTTP, rotates its keys, lies, hangs and is
away as a test tells it."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Mapping
from copy import copy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


class IssuerKey:
    """A private key under an id."""

    def __init__(self, key_id: str | None, algorithm: str = "ES256", bits: int = 2048) -> None:
        self.id = key_id
        self.algorithm = algorithm
        self.private: Any
        if algorithm in CURVES:
            self.private = ec.generate_private_key(CURVES[algorithm])
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(65537, bits)

    def renamed(self, key_id: str | None) -> "IssuerKey":
        """The same key under another id."""
        other = copy(self)
        other.id = key_id
        return other

    def jwk(self, **more: object) -> dict[str, Any]:
        """The public key as an issuer publishes it; a value of None takes a member away."""
        made = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        full = {"use": "sig", "alg": self.algorithm, "kid": self.id, **made, **more}
        full.pop("key_ops", None) if "key_ops" not in more else None
        return {name: value for name, value in full.items() if value is not None}

    def sign(self, user: str = "ann", *, head: Mapping[str, Any] | None = None, **claims: object) -> str:
        """A token; a claim of None is left out."""
        full = {"sub": user, "exp": int(time.time()) + 3600, **claims}
        headers = {"kid": self.id} if self.id is not None else {}
        return jwt.encode(
            {name: value for name, value in full.items() if value is not None},
            self.private,
            self.algorithm,
            headers={**headers, **(head or {})},
        )


def key_set(*keys: IssuerKey | dict[str, Any] | object) -> bytes:
    """A key set as JSON."""
    return json.dumps({"keys": [key.jwk() if isinstance(key, IssuerKey) else key for key in keys]}).encode()


def unpadded(number: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(number).rstrip(b"=").decode()


class _Quiet(ThreadingHTTPServer):
    """Ignores handshakes that fail, and clients that leave."""

    def handle_error(self, *_: object) -> None:
        """Logs nothing."""


class Issuer:
    """An HTTP server with a key set at `url`. What it answers can be changed at any time."""

    def __init__(self, *keys: IssuerKey, certificate: Path | None = None) -> None:
        """With a `certificate` (PEM, with its key) it is at https://localhost."""
        self._certificate = certificate
        self.body = key_set(*keys)
        self.status = 200
        self.headers: dict[str, str] = {"Content-Type": "application/json"}
        self.requests = 0
        self.heads: list[dict[str, str]] = []
        self.hangs = False
        self.drips = False
        self._going_on = threading.Event()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._handler = Handler
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._address = ("127.0.0.1", 0)
        self.start()

    @property
    def url(self) -> str:
        """Where the key set is."""
        if self._certificate is not None:
            return f"https://localhost:{self._address[1]}/certs"
        return f"http://127.0.0.1:{self._address[1]}/certs"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def publish(self, *keys: IssuerKey | dict[str, Any] | object) -> None:
        """Replaces the key set."""
        self.body = key_set(*keys)

    def start(self) -> None:
        """Comes (back) at its address."""
        self._server = _Quiet(self._address, self._handler)
        if self._certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self._address = ("127.0.0.1", self._server.server_port)
        self._going_on.clear()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Goes away: its address refuses connections."""
        if self._server is not None and self._thread is not None:
            self._going_on.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests += 1
        self.heads.append({name.lower(): value for name, value in handler.headers.items()})
        if self.hangs:
            self._going_on.wait(60)
            handler.close_connection = True
            return
        body = self.body
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        try:
            if self.drips:
                for byte in body:
                    handler.wfile.write(bytes((byte,)))
                    if self._going_on.wait(0.05):
                        break
            else:
                handler.wfile.write(body)
        except OSError:
            handler.close_connection = True
