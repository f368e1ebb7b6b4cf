"""A wire before a front that counts the connections, and keeps each one's TLS handshake in view."""

import contextlib
import socket
import socketserver
import threading
from dataclasses import dataclass

from .listener import Listener

HELLO = 0x16
"""The first byte of a TLS handshake (RFC 8446 §5.1)."""


@dataclass
class Connection:
    """One that came."""

    first: bytes = b""
    """How it began."""
    open: bool = True


class Wire(Listener):
    """Passes bytes on to a port of this machine."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.connections: list[Connection] = []
        self._target = ("127.0.0.1", port)

    @property
    def handshakes(self) -> int:
        """Connections on which a TLS handshake was begun; a browser also opens some that it does not use."""
        return sum(connection.first[:1] == bytes([HELLO]) for connection in self.connections)

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return sum(connection.open for connection in self.connections)

    def serve(self, handler: socketserver.StreamRequestHandler) -> None:
        client = handler.connection
        connection = Connection()
        self.connections.append(connection)
        with socket.create_connection(self._target) as server:
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while part := client.recv(65536):
                    connection.first = connection.first or part
                    server.sendall(part)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join()
        connection.open = False


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
