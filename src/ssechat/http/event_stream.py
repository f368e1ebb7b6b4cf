"""The response that is a stream: handed over to the bare connection where the server can do that.

A server that can (see server/protocol.py) puts `HANDOVER` into the scope's extensions. On any other ASGI
server, and for HTTP/1.0, sse-starlette carries the stream, at five tasks apiece.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import anyio
from starlette.types import Receive, Scope, Send

from ssechat.events import frames
from ssechat.events.source import Source
from ssechat.http.fast_path import HandOver, header_lines
from ssechat.identity.tokens import Identity
from ssechat.streams.hub import Hub
from ssechat.streams.stream import Sink, Stream

HANDOVER = "ssechat.handover"
"""ASGI extension: a `Handover`."""


class Handover(NamedTuple):
    """How a server gives a stream its connection."""

    prepare: Callable[[], None]
    """To be called before the response starts: it will be a stream."""
    take: HandOver
    """To be called once it has."""


HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",  # some readers take it for Latin-1 else
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
}
RAW_HEADERS = tuple((name.encode(), value.encode()) for name, value in HEADERS.items())
HEADER_LINES = header_lines(RAW_HEADERS)


class StreamResponse:
    """A source's events, from a cursor on; or, with a `refusal`, no more than the goodbye that says why.

    That is no status, for EventSource never comes back from one (WHATWG HTML §9.2.3).
    """

    def __init__(
        self,
        hub: Hub,
        identity: Identity,
        source: Source,
        cursor: str | None,
        buffer: int,
        *,
        refusal: str | None = None,
        sign_outs: int | None = None,
    ) -> None:
        """`sign_outs`: what `Auth.sign_outs` was before the identity was asked for."""
        self._sign_outs = sign_outs
        self._hub = hub
        self._identity = identity
        self._source = source
        self._cursor = cursor
        self._buffer = buffer
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hand_over: Handover | None = scope.get("extensions", {}).get(HANDOVER)
        if hand_over is None:
            await self._carry(scope, receive, send)
            return
        hand_over.prepare()
        await send({"type": "http.response.start", "status": 200, "headers": RAW_HEADERS})
        self.open(hand_over.take)

    def open(self, hand_over: HandOver) -> None:
        """Begins the stream on a connection whose response has started."""
        stream = Stream(self._hub, self._identity, self._source)
        sink = hand_over(stream, self._buffer)
        if sink is not None:
            self._attach(stream, sink)

    def _attach(self, stream: Stream, sink: Sink) -> None:
        stream.opened(sink, self._cursor)
        if self._refusal is None:
            self._hub.attach(stream, self._cursor, self._sign_outs)
        else:
            self._hub.metrics.connects += 1
            stream.bye(self._refusal)

    async def _carry(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Imported late: it replaces a method of uvicorn's server on import.
        from sse_starlette.sse import EventSourceResponse

        stream = Stream(self._hub, self._identity, self._source)
        sink = QueueSink(stream, self._buffer)
        stopping = anyio.Event()
        response = EventSourceResponse(
            sink.frames(stopping),
            headers=HEADERS,
            ping=0,
            shutdown_event=stopping,
            shutdown_grace_period=10,
        )
        # HTTP/2 forbids this header, and browsers drop a stream that has it (RFC 9113 §8.2.2).
        response.raw_headers = [header for header in response.raw_headers if header[0] != b"connection"]
        self._attach(stream, sink)
        try:
            await response(scope, receive, send)
        finally:
            stream.lost()


class QueueSink:
    """A sink for a server that asks for the next bytes rather than taking them."""

    def __init__(self, stream: Stream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._wake = asyncio.Event()

    def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._wake.set()
        if self._size > self._limit and self._stream.paused_at is None:
            self._stream.pause()

    def end(self, *, final: bool) -> None:
        # In good order in any case: over ASGI, only a failure of the app breaks a response off, and is logged as one.
        self._ended = True
        self._wake.set()

    def abort(self) -> None:
        self._chunks.clear()
        self.end(final=False)

    async def frames(self, stopping: anyio.Event) -> AsyncIterator[bytes]:
        """What was written, as it is taken. When the server stops, the stream is told to say goodbye."""
        watcher = asyncio.create_task(self._drain_when(stopping))
        try:
            while True:
                while self._chunks:
                    chunk = self._chunks.popleft()
                    yield frames.unchunk(chunk)
                    self._size -= len(chunk)
                if self._stream.paused_at is not None:
                    self._stream.resume()
                if self._ended:
                    return
                self._wake.clear()
                if not self._chunks:
                    await self._wake.wait()
        finally:
            watcher.cancel()

    async def _drain_when(self, stopping: anyio.Event) -> None:
        await stopping.wait()
        self._stream.drain()
