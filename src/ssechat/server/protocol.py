"""The HTTP side of a connection: parses requests one at a time, writes responses, hands connections over to streams.

uvicorn's server creates it; tests/test_uvicorn.py lists the attributes that uvicorn uses. It calls the app's
`state.answer`, an endpoint (http/exchange.py), and does not go through ASGI: no event dictionaries, no nested
middleware, one write per response. Cached headers are not parsed (header_cache.py). Medians of three rounds of one run,
one worker on two cores (`python -m tests.bench ways --rounds 3 --streams 18000 --readers 2`; of 20,000 descriptors a
worker keeps some free):

                            µs of CPU a send  sends a second  µs of CPU a stream  ms until 18,000 streams are back
    ASGI                           97              5,970             802                   14,936
    this protocol                  83              6,236             413                    8,112
    … with eager tasks             89              5,530             409                    7,912
    … with the header cache        68              6,332             418                    8,145

Eager tasks (the request begins at once, not in the next loop iteration) gained nothing, and are not used.

A stream after its handover costs its transport and two small objects. The protocol, the parser, the scope and the task
of the request are freed (`python -m tests.bench idle` prints the saving).

While a request is processed, pipelined requests behind it are not parsed: at most one read is buffered, then reading
pauses.
"""

import asyncio
import logging
from typing import Any, NamedTuple, Self, cast
from weakref import ref

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.server import ServerState

from ssechat.http.exchange import SERVER_FULL, USER, Endpoint, Request, Response, header_lines
from ssechat.http.responses import JSON_HEADERS, JSON_LINES
from ssechat.server.connection import CLOSING_SECONDS, STATUS_LINE, Connection, DefaultLines
from ssechat.server.connection_limits import ConnectionLimits
from ssechat.server.header_cache import CachedHeaders, HeaderCache
from ssechat.server.incoming_request import IncomingRequest
from ssechat.server.request_parser import RequestHeaders, RequestParser, RequestRefused
from ssechat.server.sockets import LITTLE, keep_little_unsent
from ssechat.server.stream_protocol import StreamProtocol, UnchunkedStreamProtocol
from ssechat.streams.stream import Stream

logger = logging.getLogger(__name__)

HEADERS_SECONDS = 30.0
"""Seconds in which the headers of a request must arrive; on a new connection, from its start."""

BODY_SECONDS = 30.0
"""Seconds in which the body of a request must arrive."""

LAST_SECONDS = 2.0
"""Seconds that a stopping server waits for the rest of a request, and then until the client has read the response."""

LINGER_SECONDS = 0.5
"""Seconds that an idle connection stays open when the server stops: a request may be on its way."""


class Shared(NamedTuple):
    """The objects that all connections of a worker share."""

    limits: ConnectionLimits
    header_cache: HeaderCache
    default_lines: DefaultLines

    @classmethod
    def of(cls, limits: ConnectionLimits) -> Self:
        """For connections with these limits."""
        return cls(limits, HeaderCache(), DefaultLines())


class ChatProtocol(Connection):
    """The protocol that uvicorn creates for each connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        state = cast(Any, config.app).state
        shared: Shared = getattr(state, "shared", None) or Shared.of(ConnectionLimits(10**9))
        super().__init__(_loop or asyncio.get_running_loop(), shared.limits)
        self._endpoint: Endpoint = state.answer
        self._header_cache = shared.header_cache
        self._default_lines = shared.default_lines
        self._server_state = server_state
        self.connections: set[Any] = server_state.connections
        self.tasks: set[Any] = server_state.tasks
        self.keep_alive_seconds: float = config.timeout_keep_alive

    # Callbacks of the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.connections.add(self)
        self._scheme = "http" if transport.get_extra_info("sslcontext") is None else "https"
        self.request: IncomingRequest | None = None
        """The request that is being processed, or whose response is not read yet."""
        self._parser = RequestParser(self)
        self._last_headers: ref[CachedHeaders] | None = None
        """The headers of the last request, if they were cached: a reference that does not keep them in memory."""
        self._behind = b""
        """Bytes behind the current request (pipelined)."""
        self._patient_for = ""
        """The part of an incomplete request that the deadline is for: "headers", "body" or ""."""
        self._stopping = False
        self._linger_timer: asyncio.TimerHandle | None = None
        count = len(self.connections)
        self._full = not self._limits.admit(self, count)
        if self._full and self._limits.is_overfull(count):
            self.evict()
        else:
            self.set_deadline(self.patience(HEADERS_SECONDS, count))

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self.discard(len(data))
            return
        if self.flow.write_paused or self._behind or (self.request is not None and self.is_answering):
            self._hold(self._behind + data)
            return
        cached = None
        if not self._parser.begun and not self._full:
            cached = self._header_cache.find(data, self._last_headers)
        if cached is None:
            self._take(data)
        else:
            self._take_cached(*cached)

    def eof_received(self) -> bool:
        # A half-closed client may still read (RFC 9112 §9.6): a complete request is answered.
        self._end_of_input = True
        if self._closing or self.request is None or not self.is_answering:
            return False
        self.request.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self.request is not None:
            self.request.disconnect()
        super().connection_lost(exc)

    # Callbacks of uvicorn.

    def shutdown(self) -> None:
        """Called when the server stops."""
        self._stopping = True
        if self._closing:
            self.end(LAST_SECONDS)
        elif self.request is None or self.request.response_complete:
            # An immediate close could reset a request that a proxy is sending, and only the client knows whether it may
            # be retried (RFC 9112 §9.3.1).
            self._linger_timer = self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        else:
            self.request.keep_alive = False
            if self.is_receiving:
                self.set_deadline(LAST_SECONDS)

    def _close_if_idle(self) -> None:
        if self._is_idle():
            self.end(LAST_SECONDS)

    # State.

    @property
    def default_lines(self) -> bytes:
        """The headers of each response as bytes of HTTP/1.1; uvicorn updates Date once a second."""
        return self._default_lines.of(self._server_state.default_headers)

    @property
    def is_answering(self) -> bool:
        """Whether a complete request waits for its response."""
        return not (self._is_idle() or self._parser.under_way)

    @property
    def is_receiving(self) -> bool:
        """Whether a request has begun and is incomplete."""
        return self._parser.under_way

    def _is_idle(self) -> bool:
        """Whether every request whose headers have arrived is answered."""
        return self.request is None or self.request.response_complete

    # Parsing.

    def _take_cached(self, cached: CachedHeaders, body: bytes) -> None:
        """Begins a complete request whose headers are cached."""
        self._last_headers = cached.ref
        scope = cached.scope.copy()  # twice as fast as `{**…}`
        scope["client"], scope["server"] = self.client, self.server
        self._begin(scope, keep_alive=not self._stopping, body=body)

    def _take(self, data: bytes) -> None:
        is_first = not self._parser.begun
        try:
            rest = self._parser.feed(data)
        except RequestRefused as refusal:
            self._refuse(refusal)
            return
        if self._parser.under_way:
            self._wait_for_more(len(data))
            return
        if self._patient_for:
            self._patient_for = ""
            self._limits.finish(self)
        request = self.request
        if rest:
            self._hold(rest)
        elif is_first and request is not None and request.keep_alive:
            request.packet = data

    def _take_behind(self) -> None:
        """Parses the pipelined bytes behind an answered request."""
        if self.is_closing() or self.flow.write_paused or self.is_answering:
            return
        data, self._behind = self._behind, b""
        self._limits.finish(self)
        self._take(data)
        if not self._behind:
            self.flow.release()

    def _hold(self, data: bytes) -> None:
        """Buffers pipelined bytes and pauses reading."""
        self._limits.begin(self, len(data) - len(self._behind))
        self._behind = data
        self.flow.hold()

    def _wait_for_more(self, size: int) -> None:
        part = "headers" if self._parser.in_headers else "body"
        if part != self._patient_for:
            self._patient_for = part
            seconds = HEADERS_SECONDS if part == "headers" else BODY_SECONDS
            self.set_deadline(self.patience(seconds, len(self.connections)))
        self._limits.begin(self, size)

    def evict(self) -> None:
        """Closes the connection now, to make room for another one."""
        if self.is_answering or self.is_closing() or self.flow.write_paused:
            self.transport.abort()
        else:
            if self._parser.under_way or self._full:
                self._refuse(RequestRefused(503, "full", "The server is full; try again later."))
            self.end(CLOSING_SECONDS)

    def on_too_slow(self) -> None:
        """Refuses a request that was not complete in time."""
        self._refuse(RequestRefused(408, "too_slow", "The request was not complete in time; send it again."))
        if self._stopping:
            self.set_deadline(LAST_SECONDS)

    def _refuse(self, refusal: RequestRefused) -> None:
        """Drops the request and its pipelined bytes, and sends the refusal."""
        if self.request is not None:
            self.request.disconnect()
            self.request = None
        self._behind = b""
        self.refuse(refusal)

    # Callbacks of the parser.

    def on_headers(self, head: RequestHeaders) -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": head.version,
            "method": head.method,
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": head.headers,
            "client": self.client,
            "server": self.server,
            "scheme": self._scheme,
        }
        if self._full:
            scope[SERVER_FULL] = True
        keep_alive = head.keep_alive and not self._stopping and not self._full
        self._begin(scope, keep_alive, head.expects_continue)

    def _begin(self, scope: Scope, keep_alive: bool, expects_continue: bool = False, body: bytes | None = None) -> None:
        self.request = request = IncomingRequest(self, scope, expects_continue, keep_alive, body)
        # uvicorn waits for these tasks when it stops, and cancels those that take too long.
        request.task = self.loop.create_task(self._answer(request))
        self.tasks.add(request.task)

    def on_body(self, part: bytes) -> None:
        if self.request is not None:
            self.request.take(part)

    def on_end(self) -> None:
        if self.request is not None:
            self.request.end()

    # Responses.

    async def _answer(self, request: IncomingRequest) -> None:
        try:
            endpoint = self._endpoint  # called by a local name: see src/README.md
            response = await endpoint(Request(request.scope, request.receive, request.whole()))
            if self.flow.write_paused:
                await self.flow.drain()
        except Exception:  # the API never raises: this is a bug
            logger.exception("the API raised an exception; the connection is closed")
            self.transport.abort()
            return
        finally:
            self.tasks.discard(request.task)  # cheaper than a done callback of the task
            request.task = None
        if request.packet is not None and response.status < 300:
            # Only after a success: unauthenticated requests must not fill the cache.
            self._header_cache.remember(request.packet, request.scope)
        if request.disconnected or self.is_closing():
            return
        # After a response to an incomplete request the connection closes: the rest of the body may never come.
        if request.more_body or not self.belongs_to(request.scope.get(USER)):
            request.keep_alive = False
        self._write(request, response)

    def _write(self, request: IncomingRequest, response: Response) -> None:
        is_head = request.scope["method"] == "HEAD"
        headers = response.headers
        # Joined, not formatted: that and the JSON lines, made once, save most of what this costs.
        lines = [
            STATUS_LINE[response.status],
            self._default_lines.of(self._server_state.default_headers),
            JSON_LINES if headers is JSON_HEADERS else header_lines(headers),
        ]
        if response.request_id:
            lines += (b"x-request-id: ", response.request_id, b"\r\n")
        if response.stream is not None and not is_head:
            if request.scope["http_version"] != "1.0":  # HTTP/1.0 has no chunks (RFC 9112 §6.1)
                lines.append(b"transfer-encoding: chunked\r\n")
        elif (length := response.length()) is not None:
            lines += (b"content-length: ", str(length).encode(), b"\r\n")
        lines.append(b"\r\n" if request.keep_alive else b"connection: close\r\n\r\n")
        if response.stream is not None and not is_head:
            self.transport.write(b"".join(lines))
            response.stream(self.hand_over)
            return
        if not is_head:
            lines.append(response.body)
        self.transport.write(b"".join(lines))
        request.response_complete = True
        if not request.keep_alive:
            self.close()
        self._server_state.total_requests += 1
        if not self.is_closing() and not self.flow.write_paused:
            self._go_on()

    def on_taken(self) -> None:
        """Called when the client has read what was written."""
        if self._parser.under_way:
            if self._behind:
                self.loop.call_soon(self._take_behind)
        elif self._is_idle():
            self._go_on()

    def _go_on(self) -> None:
        """Continues after a response: with the next pipelined request, or by waiting for one."""
        self.flow.resume_reading()
        self.request = None  # frees the request while the connection is idle
        if self._parser.begun:
            self._parser.proceed()
        if self._behind:
            self.loop.call_soon(self._take_behind)  # in the next loop iteration: otherwise requests would nest
        elif self._end_of_input:
            self.end()
        else:
            self.set_deadline(self.patience(self.keep_alive_seconds, len(self.connections)))

    # Streams.

    def hand_over(self, stream: Stream, buffer: int) -> StreamProtocol | None:
        """Hands the connection over to the stream for good, after the response headers are written.

        The stream is paused when more than `buffer` bytes are unsent. Where that is little, the kernel has no more.
        Returns None if the client has disconnected.
        """
        request = self.request
        if request is None or request.disconnected or self.is_closing():
            return None
        self.flow.release()  # asyncio notices a lost connection only while it reads
        self.transport.set_write_buffer_limits(high=buffer)
        if buffer <= LITTLE:
            keep_little_unsent(self.transport, buffer)
        kind = UnchunkedStreamProtocol if request.scope["http_version"] == "1.0" else StreamProtocol
        remains = kind(self.transport, stream, self.connections)
        self.transport.set_protocol(remains)
        if self.flow.write_paused:  # the transport does not repeat its call of pause_writing
            stream.pause()
        if self._stopping:  # uvicorn has called shutdown already, and will not repeat it
            self.loop.call_soon(remains.shutdown)
        self.let_go()
        return remains

    def let_go(self) -> None:
        """Breaks the reference cycles between protocol, parser and request, so that they are freed at once."""
        super().let_go()
        self.connections.discard(self)
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        self._limits.finish(self)
        self._behind = b""
        self._parser.close()
        self.request = None
