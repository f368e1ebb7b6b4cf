"""The protocol of a connection that carries a stream: it has only a transport and this object."""

import asyncio
from typing import Any

from ssechat.events import frames
from ssechat.streams.stream import LAST_WORD_SECONDS, Stream

PROBES = (0.005, 0.1, 1.0)
"""Seconds after which a half-closed connection is pinged: a client that has disconnected responds with a reset."""


class StreamProtocol(asyncio.Protocol):
    """The protocol of a connection that carries a stream."""

    __slots__ = ("_connections", "_stream", "_transport")

    def __init__(self, transport: asyncio.Transport, stream: Stream, connections: set[Any]) -> None:
        self._transport = transport
        self._stream = stream
        self._connections = connections
        connections.add(self)

    # Callbacks of the transport. Input after the request is ignored.

    def eof_received(self) -> bool:
        # The client has closed its side, or has disconnected. After a disconnect the kernel of the client responds to
        # the next write with a reset, and the write after that fails.
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

    # Callback of uvicorn, when the server stops.

    def shutdown(self) -> None:
        self._stream.drain()

    # Interface to the stream (Sink).

    def write(self, chunk: bytes) -> None:
        self._transport.write(chunk)

    def end(self, *, final: bool) -> None:
        if final:
            self._transport.write(frames.LAST_CHUNK)
        self._close()

    def _close(self) -> None:
        self._transport.close()  # waits without a limit until the client has read the buffer
        asyncio.get_running_loop().call_later(LAST_WORD_SECONDS, self._transport.abort)

    def abort(self) -> None:
        self._transport.abort()


class UnchunkedStreamProtocol(StreamProtocol):
    """The same without chunked coding, for HTTP/1.0 (RFC 9112 §6.1)."""

    __slots__ = ()

    def write(self, chunk: bytes) -> None:
        self._transport.write(frames.unchunk(chunk))

    def end(self, *, final: bool) -> None:
        self._close()
