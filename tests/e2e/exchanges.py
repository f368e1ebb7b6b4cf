"""Requests and responses as bytes, one on a connection."""

import contextlib
import re
import socket

from contract.watch import watch
from e2e.api import HOST, PATIENCE
from serving import Server


def exchange(server: Server, request: bytes, seconds: float = PATIENCE) -> bytes:
    """Sends bytes and returns the response until the server closes; the request should have `Connection: close`."""
    with socket.create_connection((HOST, server.port), timeout=seconds) as connection:
        got = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while data := connection.recv(65536):
                got += data
        watch().exchange(request, got)
        return got


def request_bytes(
    method: str, target: str, *headers: str | bytes, body: bytes | None = None, version: str = "1.1"
) -> bytes:
    """Returns the bytes of a request with `Connection: close`; Content-Length is added."""
    lines = [f"{method} {target} HTTP/{version}".encode("latin-1"), b"Host: chat.example", b"Connection: close"]
    lines += [header if isinstance(header, bytes) else header.encode("latin-1") for header in headers]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def status(answer: bytes) -> int:
    """The status of a raw response; 0 if there is none."""
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else 0
