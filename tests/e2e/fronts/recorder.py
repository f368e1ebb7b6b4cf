"""An app server that is none: it notes what a front sends to it, byte for byte, and says 200."""

import socketserver
from collections.abc import Callable
from dataclasses import dataclass

from .listener import Listener


@dataclass(frozen=True)
class Request:
    """What came: the line, and the headers with their names in small letters."""

    line: str
    headers: list[tuple[str, str]]
    connection: int
    """Which connection it came on, counted from 1."""

    @property
    def target(self) -> str:
        """The path with the query."""
        return self.line.split()[1]

    def values(self, name: str) -> list[str]:
        """All lines of a header."""
        return [value for each, value in self.headers if each == name]


class Recorder(Listener):
    """Notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.connections = 0
        self.on_request: Callable[[Request], bytes | None] = lambda request: b""
        """Gives the answer's body; None closes the connection without an answer."""
        self.address = f"127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[Request]:
        """The requests, without the front's own questions whether we live."""
        return [request for request in self.requests if request.target != "/healthz/live"]

    def serve(self, handler: socketserver.StreamRequestHandler) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while line := handler.rfile.readline().decode("latin-1").strip():
                headers = []
                while header := handler.rfile.readline().decode("latin-1").strip():
                    name, _, value = header.partition(":")
                    headers.append((name.lower(), value.strip()))
                request = Request(line, headers, connection)
                handler.rfile.read(int((request.values("content-length") or ["0"])[0]))
                self.requests.append(request)
                body = b"" if request.target == "/healthz/live" else self.on_request(request)
                if body is None:
                    return
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except ConnectionError:
            return
