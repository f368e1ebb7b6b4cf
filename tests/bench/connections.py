"""Keep-alive connections of client processes: whole requests go out, whole responses come in."""

import os
import time
from socket import SO_ERROR, SOL_SOCKET, socket

from .errors import BenchError
from .generator import READ, WRITE, Player, open_socket

HEAD_END = b"\r\n\r\n"
LENGTH = b"ength: "
"""The end of `Content-Length: `, the only header that is read; the case of its beginning does not matter."""
MAX_READ = 65536


class HttpConnection:
    """One connection. A subclass says what happens when it is open, has read a response, or was closed."""

    __slots__ = ("_buffer", "_handle", "_player")

    def __init__(self, player: Player, address: tuple[str, int], number: int) -> None:
        """Connects; `number` determines the local address (generator.py)."""
        self._player = player
        self._handle = open_socket(address, number)
        self._buffer = b""
        player.watch(self._handle.fileno(), WRITE, self._connected)

    def opened(self) -> None:
        """Called when the connection is open."""

    def answered(self, response: bytes, now: int) -> None:
        """Called with each response, and the time when it was read (nanoseconds of the monotonic clock)."""

    def has_read(self, count: int, now: int) -> None:
        """Called after each read, with the number of responses that it completed."""

    def ended(self) -> None:
        """Called when the server has closed the connection.

        Raises:
            BenchError: unless a subclass goes on without it.
        """
        raise BenchError("the server has closed a connection")

    def write(self, requests: bytes) -> None:
        """Sends one or more requests.

        Raises:
            BenchError: the socket does not take all of them.
        """
        if self._handle.send(requests) != len(requests):
            raise BenchError("a connection does not accept whole requests; reduce --pipelining")

    def close(self) -> None:
        """Closes the connection."""
        self._player.unwatch(self._handle.fileno())
        self._handle.close()

    def _connected(self) -> None:
        check_connected(self._handle)
        self._player.change(self._handle.fileno(), READ, self._readable)
        self.opened()

    def _readable(self) -> None:
        part = self._handle.recv(MAX_READ)
        now = time.monotonic_ns()
        if not part:
            self.close()
            self.ended()
            return
        buffer = self._buffer + part if self._buffer else part
        at = count = 0
        while (end := response_end(buffer, at)) is not None:
            self.answered(buffer[at:end], now)
            at = end
            count += 1
        self._buffer = buffer[at:]
        self.has_read(count, now)


def check_connected(handle: socket) -> None:
    """Checks the outcome of a connect.

    Raises:
        BenchError: it failed.
    """
    error = handle.getsockopt(SOL_SOCKET, SO_ERROR)
    if error:
        raise BenchError(f"cannot connect to the server: {os.strerror(error)}")


def response_end(buffer: bytes, at: int) -> int | None:
    """Returns the end of the response that begins at this offset; None if it is incomplete."""
    head_end = buffer.find(HEAD_END, at)
    if head_end < 0:
        return None
    start = buffer.find(LENGTH, at, head_end) + len(LENGTH)
    end = head_end + len(HEAD_END) + int(buffer[start : buffer.index(b"\r", start)])
    return end if end <= len(buffer) else None
