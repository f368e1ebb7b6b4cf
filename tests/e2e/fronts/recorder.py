"""A fake app server that records the bytes that a proxy sends and responds 200."""

import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedIOBase

from .listener import Listener


@dataclass(frozen=True)
class Request:
    """What came: the line, the headers with their names in small letters, and the body without its framing."""

    line: str
    headers: list[tuple[str, str]]
    connection: int
    """Which connection it came on, counted from 1."""
    body: bytes = b""
    trailers: list[tuple[str, str]] | None = None
    """What stood behind the last chunk; None when there were no chunks."""

    @property
    def target(self) -> str:
        """The path with the query."""
        return self.line.split()[1]

    def values(self, name: str) -> list[str]:
        """All lines of a header."""
        return [value for each, value in self.headers if each == name]


class Whole(bytes):
    """An answer from the first byte to the last, after which the connection is closed."""


class Recorder(Listener):
    """Notes what it is asked. It reads bodies as RFC 9112 §6.3 says, whatever else a head asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.connections = 0
        self.on_request: Callable[[Request], bytes | None] = lambda request: b""
        """Gives the answer's body, or the `Whole` answer; None closes the connection without one."""
        self.address = f"127.0.0.1:{self.port}"
        self._reading = 0
        self._lock = threading.Lock()

    @property
    def at_rest(self) -> bool:
        """Whether every request that has begun to come was noted."""
        return self._reading == 0

    @property
    def asked(self) -> list[Request]:
        """The requests, without the front's own questions whether we live."""
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
        while size := int(file.readline() or b"0", 16):  # it may be given up in the middle
            body += file.read(size + 2)[:-2]
        return Request(line, headers, connection, body, header_lines(file))
    return Request(line, headers, connection, file.read(int((request.values("content-length") or ["0"])[0])))


def header_lines(file: BufferedIOBase) -> list[tuple[str, str]]:
    """Fields up to the empty line, their names in small letters."""
    found = []
    while line := file.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        found.append((name.lower(), value.strip()))
    return found
