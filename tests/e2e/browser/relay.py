"""A relay between browser and server that notes what is on the wire: also what workers ask for, which Playwright does
not see."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from typing import Self

REQUEST = re.compile(rb"^[A-Z]+ (\S+) HTTP/1\.1\r\n", re.MULTILINE)


class Relay:
    """Forwards connections to a port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.asked: list[str] = []
        """The targets of the requests, in order."""
        self.received = 0
        """Bytes that went to the browser, with the heads of the answers."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                browser, _ = self._listener.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(("127.0.0.1", self._port))
            self._open += [browser, server]
            for source, sink, note in ((browser, server, self._note_requests), (server, browser, self._note_answers)):
                threading.Thread(target=self._pass, args=(source, sink, note), daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket, note: Callable[[bytes], None]) -> None:
        try:
            while data := source.recv(65536):
                note(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one of them is closed

    def _note_requests(self, data: bytes) -> None:
        self.asked += [target.decode() for target in REQUEST.findall(data)]

    def _note_answers(self, data: bytes) -> None:
        self.received += len(data)
