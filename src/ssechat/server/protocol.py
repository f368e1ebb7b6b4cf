"""The one file that knows uvicorn's internals: its HTTP protocol, with streams that can be handed over.

A stream that is handed over costs its transport and two small objects. The protocol, the parser, the scope
and the ASGI task that made it are let go (`tests/bench` prints what that saves).
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ssechat import frames
from ssechat.response import HANDOVER
from ssechat.stream import Stream

HEADER_LIMIT = 65536
"""Bytes of a request's line and headers; the parser itself has no limit."""


class StreamProtocol(asyncio.Protocol):
    """What is left of a connection that carries a stream."""

    __slots__ = ("_connections", "_stream", "_transport")

    def __init__(self, transport: asyncio.Transport, stream: Stream, connections: set[Any]) -> None:
        self._transport = transport
        self._stream = stream
        self._connections = connections
        connections.add(self)

    # What the transport calls. What a reader sends after its request is of no interest.

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

    def end(self) -> None:
        self._transport.write(frames.LAST_CHUNK)
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()


class ChatProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools that offers the hand-over in the scope."""

    server_state: ServerState

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count_header(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count_header(len(name) + len(value))

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADER_LIMIT:
            raise ValueError("the request's headers are too large")  # the parser makes it a 400

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.scope["http_version"] == "1.1":
            self.scope["extensions"] = cast(Any, {HANDOVER: self.hand_over})

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn leaves the timer of a connection that was reset, and with it all of this, until it fires.
        self._unset_keepalive_if_required()
        self._let_go()

    def hand_over(self, stream: Stream, buffer: int) -> StreamProtocol | None:
        """Gives the connection, whose response has started, to the stream for good.

        `buffer` is how many bytes may wait before the stream is told to pause. None: the reader has gone.
        """
        if self.transport.is_closing() or self.cycle is None or self.cycle.disconnected:
            return None
        self._unset_keepalive_if_required()
        self.flow.resume_reading()  # or the end of the connection would not be seen
        self.transport.set_write_buffer_limits(high=buffer)
        remains = StreamProtocol(self.transport, stream, self.connections)
        self.transport.set_protocol(remains)
        self.connections.discard(self)
        self.cycle.response_complete = True  # so that uvicorn does not miss the end of it
        self._let_go()
        return remains

    def _let_go(self) -> None:
        """Breaks the circles between protocol, parser, scope and request, so that all go at once."""
        self.parser = None  # type: ignore[assignment]
        self.cycle = None  # type: ignore[assignment]
        self.scope = None  # type: ignore[assignment]
        self.headers = None  # type: ignore[assignment]
        self.pipeline.clear()
