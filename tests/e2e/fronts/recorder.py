"""An app server that is none: it notes what a front sends to it, byte for byte, and says 200."""

import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self


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


class Recorder:
    """Listens on a free port, in threads."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.on_request: Callable[[Request], bytes | None] = lambda request: b""
        """Gives the answer's body; None closes the connection without an answer."""
        recorder = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                recorder.connections += 1
                recorder._serve(self, recorder.connections)

        class Threads(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            block_on_close = False

        self._server = Threads(("127.0.0.1", 0), Handler)
        self.address = "{}:{}".format(*self._server.server_address)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def asked(self) -> list[Request]:
        """The requests, without the front's own questions whether we live."""
        return [request for request in self.requests if request.target != "/healthz/live"]

    def _serve(self, handler: socketserver.StreamRequestHandler, connection: int) -> None:
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
