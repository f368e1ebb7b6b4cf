"""The ASGI adapter: runs the API on any other ASGI server, and in tests.

sse-starlette sends the streams; it uses five tasks per stream.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from ssechat.events import frames
from ssechat.http.exchange import Endpoint, Request, Response
from ssechat.streams.stream import Stream


class ASGIAdapter:
    """An ASGI app around an endpoint."""

    def __init__(self, endpoint: Endpoint, others: ASGIApp) -> None:
        """`others` is the app for scopes other than HTTP, such as the lifespan."""
        self._endpoint = endpoint
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        response = await self._endpoint(Request(scope, receive))
        is_head = scope["method"] == "HEAD"
        if response.stream is not None and not is_head:
            await _carry(response, scope, receive, send)
            return
        headers = [*response.all_headers]
        if (length := response.length()) is not None:
            headers.append((b"content-length", b"%d" % length))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if is_head else response.body})


async def _carry(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    # Imported late: the import replaces a method of uvicorn's server.
    from sse_starlette.sse import EventSourceResponse

    assert response.stream is not None
    sinks: list[QueueSink] = []

    def take(stream: Stream, limit: int) -> QueueSink:
        sinks.append(QueueSink(stream, limit))
        return sinks[-1]

    response.stream(take)
    [sink] = sinks
    stopping = anyio.Event()
    carried = EventSourceResponse(sink.frames(stopping), ping=0, shutdown_event=stopping, shutdown_grace_period=10)
    # sse-starlette's own headers include `Connection`, which HTTP/2 forbids: browsers drop such a stream (RFC 9113
    # §8.2.2).
    carried.raw_headers = [*response.all_headers]
    try:
        await carried(scope, receive, send)
    finally:
        sink.lost()


class QueueSink:
    """A sink for servers that pull the next chunk, as ASGI response iterators do."""

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
        # The response always ends complete: over ASGI only an exception truncates it, and would be logged as an error.
        self._ended = True
        self._wake.set()

    def abort(self) -> None:
        self._chunks.clear()
        self.end(final=False)

    def lost(self) -> None:
        """Tells the stream that the client has disconnected."""
        self._stream.lost()

    async def frames(self, stopping: anyio.Event) -> AsyncIterator[bytes]:
        """Yields the chunks that were written. When the server stops, the stream drains: it sends `bye`."""
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
