"""A fake app server that records the bytes that a proxy sends and responds 200."""

import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedIOBase

from .listener import Listener


@dataclass(frozen=True)
class Request:
    """A recorded request: its line, its headers with names in lower case, and its body without framing."""

    line: str
    headers: list[tuple[str, str]]
    connection: int
    """The number of its connection, from 1."""
    body: bytes = b""
    trailers: list[tuple[str, str]] | None = None
    """The trailers of a chunked body; None if the body is not chunked."""

    @property
    def target(self) -> str:
        """The path with the query."""
        return self.line.split()[1]

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for each, value in self.headers if each == name]


class Whole(bytes):
    """The bytes of a complete response, after which the connection is closed."""


class Recorder(Listener):
    """Records requests. It reads bodies by RFC 9112 §6.3, whatever other headers say."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.connections = 0
        self.on_request: Callable[[Request], bytes | None] = lambda request: b""
        """Returns the response's body, or a `Whole` response; None closes the connection without a response."""
        self.address = f"127.0.0.1:{self.port}"
        self._reading = 0
        self._lock = threading.Lock()

    @property
    def at_rest(self) -> bool:
        """Whether every request that has begun is recorded."""
        return self._reading == 0

    @property
    def asked(self) -> list[Request]:
        """The requests, without the proxy's health checks."""
        return [request for request in self.requests if request.target != "/healthz/live"]

    def serve(self, handler: socketserver.StreamRequestHandler) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while line := handler.rfile.readline():
                with self._lock:
                    self._reading += 1
                try:
                    request = _read(line, handler.rfile, connection)
                    self.requests.append(request)
                finally:
                    with self._lock:
                        self._reading -= 1
                body = b"" if request.target == "/healthz/live" else self.on_request(request)
                if body is None:
                    return
                if isinstance(body, Whole):
                    handler.wfile.write(body)
                    return
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except ConnectionError:
            return


def _read(first: bytes, file: BufferedIOBase, connection: int) -> Request:
    line = first.decode("latin-1").removesuffix("\r\n")
    headers = header_lines(file)
    request = Request(line, headers, connection)
    if request.values("transfer-encoding"):
        body = b""
        while size := int(file.readline() or b"0", 16):  # the client may disconnect in the middle
            body += file.read(size + 2)[:-2]
        return Request(line, headers, connection, body, header_lines(file))
    return Request(line, headers, connection, file.read(int((request.values("content-length") or ["0"])[0])))


def header_lines(file: BufferedIOBase) -> list[tuple[str, str]]:
    """Reads header lines up to the empty line; names in lower case."""
    found = []
    while line := file.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        found.append((name.lower(), value.strip()))
    return found
