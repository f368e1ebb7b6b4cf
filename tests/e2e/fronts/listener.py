"""A threaded server on a free port, the base of the recorder and others."""

import socketserver
import threading
from abc import ABC, abstractmethod
from typing import Self


class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


class Listener(ABC):
    """Calls `serve` for each connection, in a thread of its own."""

    def __init__(self) -> None:
        listener = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                listener.serve(self)

        self._server = _Threads(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @abstractmethod
    def serve(self, connection: socketserver.StreamRequestHandler) -> None:
        """Handles a connection; it is closed afterwards."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
