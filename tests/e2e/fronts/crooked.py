"""A small front in Python for what nginx, HAProxy and Caddy cannot do wrong."""

import contextlib
import re
import socket
import socketserver
import threading
from typing import Literal

from .listener import Listener

Habit = Literal[
    "smuggles",
    "tunnels",
    "switches",
    "says nothing",
    "is old",
    "is late",
    "holds all back",
    "encodes twice",
]

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Crooked(Listener):
    """Passes requests on to an app, each over a connection of its own, and has a bad habit. /metrics is forbidden."""

    def __init__(self, app: str, habit: Habit) -> None:
        super().__init__()
        host, _, port = app.partition(":")
        self._app = (host, int(port))
        self._habit = habit
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests = 0

    def serve(self, handler: socketserver.StreamRequestHandler) -> None:
        with contextlib.suppress(OSError, ValueError):
            while self._serve_one(handler):
                pass

    def _serve_one(self, handler: socketserver.StreamRequestHandler) -> bool:
        """Answers a request; returns whether the connection stays open."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = handler.rfile.readline(65536)
            if not line:
                return False
            head += line
        self.requests += 1
        if b" /metrics" in head.split(b"\r\n")[0]:
            handler.wfile.write(NOT_FOUND)
            return True
        upgrades = b"\r\nupgrade:" in head.lower()
        if upgrades and self._habit == "switches":
            handler.wfile.write(SWITCHING)
            return False
        if upgrades and self._habit == "says nothing":
            handler.rfile.read()
            return False
        if upgrades and self._habit == "tunnels":
            self._tunnel(handler, head)
            return False
        if upgrades and self._habit == "smuggles":
            # For this front the request ends with its head; what follows is the next one.
            head, body = re.sub(rb"(?i)content-length: *\d+", b"Content-Length: 0", head), b""
        else:
            body = self._body(handler, head)
        return self._pass(handler, head, body)

    def _body(self, handler: socketserver.StreamRequestHandler, head: bytes) -> bytes:
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length is not None:
            return handler.rfile.read(int(length[1]))
        body = b""
        if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
            while not body.endswith(b"0\r\n\r\n"):
                body += handler.rfile.readline(65536)
        return body

    def _pass(self, handler: socketserver.StreamRequestHandler, head: bytes, body: bytes) -> bool:
        head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)
        if self._habit == "encodes twice":
            line, end, rest = head.partition(b" HTTP/1.1\r\n")
            head = line.replace(b"%", b"%25") + end + rest
        with socket.create_connection(self._app, 10) as app:
            app.settimeout(30)
            app.sendall(head[:-2] + b"Connection: close\r\n\r\n" + body)
            answer = app.makefile("rb")
            first = b""
            while not first.endswith(b"\r\n\r\n"):
                line = answer.readline(65536)
                if not line:
                    return False
                first += line
            first = re.sub(rb"(?i)\r\nconnection: *close", b"", first)
            if self._habit == "is late":
                first = re.sub(rb"(?i)\r\ndate:[^\r]*", b"\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT", first)
            if self._habit == "is old":
                first = first.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
            if self._habit == "holds all back":
                handler.wfile.write(first + answer.read())
            else:
                handler.wfile.write(first)
                while part := answer.read1(65536):
                    handler.wfile.write(part)
        return self._habit != "is old"

    def _tunnel(self, handler: socketserver.StreamRequestHandler, head: bytes) -> None:
        """Bytes go both ways from here on, whatever they are."""
        with socket.create_connection(self._app, 10) as app:
            app.sendall(head)

            def back() -> None:
                with contextlib.suppress(OSError):
                    while part := app.recv(65536):
                        handler.connection.sendall(part)
                with contextlib.suppress(OSError):
                    handler.connection.shutdown(socket.SHUT_RDWR)

            thread = threading.Thread(target=back, daemon=True)
            thread.start()
            with contextlib.suppress(OSError):
                while part := handler.rfile.read1(65536):
                    app.sendall(part)
            with contextlib.suppress(OSError):
                app.shutdown(socket.SHUT_RDWR)
            thread.join(10)
