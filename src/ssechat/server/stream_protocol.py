"""What is left of a connection that was handed over to a stream: its transport, and this."""

import asyncio
from typing import Any

from ssechat.events import frames
from ssechat.streams.stream import LAST_WORD_SECONDS, Stream

PROBES = (0.005, 0.1, 1.0)
"""Seconds after which the reset of a connection may have come, from near and from far."""


class StreamProtocol(asyncio.Protocol):
    """What is left of a connection that carries a stream."""

    __slots__ = ("_connections", "_stream", "_transport")

    def __init__(self, transport: asyncio.Transport, stream: Stream, connections: set[Any]) -> None:
        self._transport = transport
        self._stream = stream
        self._connections = connections
        connections.add(self)

    # What the transport calls. What a reader sends after its request is of no interest.

    def eof_received(self) -> bool:
        # A reader may have sent all it has to say, or be gone. One that is gone resets the connection when it is
        # written to, and the write after that fails.
        self._stream.ping()
        for seconds in PROBES:
            asyncio.get_running_loop().call_later(seconds, self._stream.ping)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._stream.lost()

    def pause_writing(self) -> None:
        self._stream.pause()

    def resume_writing(self) -> None:
        self._stream.resume()

    # What uvicorn calls when the server stops.

    def shutdown(self) -> None:
        self._stream.drain()

    # What the stream calls.

    def write(self, chunk: bytes) -> None:
        self._transport.write(chunk)

    def end(self, *, final: bool) -> None:
        if final:
            self._transport.write(frames.LAST_CHUNK)
        self._close()

    def _close(self) -> None:
        self._transport.close()  # which waits for the reader to take what was written, for as long as it likes
        asyncio.get_running_loop().call_later(LAST_WORD_SECONDS, self._transport.abort)

    def abort(self) -> None:
        self._transport.abort()


class UnchunkedStreamProtocol(StreamProtocol):
    """The same for a reader of HTTP/1.0, which knows no chunks (RFC 9112 §6.1)."""

    __slots__ = ()

    def write(self, chunk: bytes) -> None:
        self._transport.write(frames.unchunk(chunk))

    def end(self, *, final: bool) -> None:
        self._close()
