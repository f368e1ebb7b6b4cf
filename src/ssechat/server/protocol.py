"""The one file that knows uvicorn's internals: its HTTP protocol, with streams that can be handed over.

A stream that is handed over costs its transport and two small objects. The protocol, the parser, the scope
and the ASGI task that made it are let go (`python -m tests.bench idle` prints what that saves).
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ssechat import frames
from ssechat.response import HANDOVER
from ssechat.stream import Stream

HEAD_LIMIT = 65536
"""Bytes of a request's line and headers; the parser itself has no limit."""

HEAD_SECONDS = 30.0
"""Time that a new connection has for the head of its first request."""

LINGER_SECONDS = 0.5
"""Time that a connection without a request stays open when the server stops: one may be on its way already."""


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


class UnchunkedStreamProtocol(StreamProtocol):
    """The same for a reader of HTTP/1.0, which knows no chunks (RFC 9112 §6.1)."""

    __slots__ = ()

    def write(self, chunk: bytes) -> None:
        self._transport.write(frames.unchunk(chunk))

    def end(self) -> None:
        self._transport.close()


class ChatProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools that offers the hand-over in the scope."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_bytes = 0
        self._in_head = True
        self._stopping = False
        self._linger_timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(HEAD_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            # Counted here, for the parser tells of a header only when it is complete.
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("The request's line and headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._cancel_head_timer()
        super().on_headers_complete()
        self.scope["extensions"] = cast(Any, {HANDOVER: self.hand_over})
        if self._stopping:
            self.cycle.keep_alive = False  # the answer says so, and a front puts no other request on this connection
        if self.scope["http_version"] == "1.0":
            self.cycle.chunked_encoding = False  # which uvicorn would choose for want of a length

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn leaves the timer of a connection that was reset, and with it all of this, until it fires.
        self._unset_keepalive_if_required()
        self._let_go()

    def shutdown(self) -> None:
        self._stopping = True
        if self.cycle is None or self.cycle.response_complete:
            # Closed at once, it would reset a request that a front is just sending, of which only the client knows
            # whether it may be sent again (RFC 9112 §9.3.1).
            self._linger_timer = self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        else:
            super().shutdown()

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def hand_over(self, stream: Stream, buffer: int) -> StreamProtocol | None:
        """Gives the connection, whose response has started, to the stream for good.

        `buffer` is how many bytes may wait before the stream is told to pause. None: the reader has gone.
        """
        if self.transport.is_closing() or self.cycle is None or self.cycle.disconnected:
            return None
        self._unset_keepalive_if_required()
        self.flow.resume_reading()  # or the end of the connection would not be seen
        self.transport.set_write_buffer_limits(high=buffer)
        kind = StreamProtocol if self.cycle.chunked_encoding else UnchunkedStreamProtocol
        remains = kind(self.transport, stream, self.connections)
        self.transport.set_protocol(remains)
        self.connections.discard(self)
        self.cycle.response_complete = True  # so that uvicorn does not miss the end of it
        if self._stopping:  # uvicorn has told this connection already, and will not tell it again
            self.loop.call_soon(remains.shutdown)
        self._let_go()
        return remains

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _let_go(self) -> None:
        """Breaks the circles between protocol, parser, scope and request, so that all go at once."""
        self._cancel_head_timer()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        self.parser = None  # type: ignore[assignment]
        self.cycle = None  # type: ignore[assignment]
        self.scope = None  # type: ignore[assignment]
        self.headers = None  # type: ignore[assignment]
        self.pipeline.clear()
