"""The upper half of a connection: requests in, one at a time; answers out; streams handed over.

A stream that is handed over costs its transport and two small objects. The protocol, the parser, the scope
and the ASGI task that made it are let go (`python -m tests.bench idle` prints what that saves). What is answered
without ASGI is said in http/fast_path.py, and what without the parser in http/header_cache.py.

While a request is answered nothing behind it is parsed: one read of it is kept at most, and no more is read.
"""

import asyncio
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.utils import is_ssl
from uvicorn.server import ServerState

from ssechat.http.event_stream import HANDOVER, Handover
from ssechat.http.fast_path import NO_ROOM, USER, Direct, KnownHead, header_lines
from ssechat.server.asgi_request import ASGIRequest
from ssechat.server.connection import CLOSING_SECONDS, Connection
from ssechat.server.direct_request import DirectRequest
from ssechat.server.eager import Eager
from ssechat.server.handed_over import StreamProtocol, UnchunkedStreamProtocol
from ssechat.server.limits import Limits
from ssechat.server.request_parser import Head, Refused, RequestParser
from ssechat.streams.stream import Stream

HEAD_SECONDS = 30.0
"""Time that a new connection has to begin its first request, and each request for its head."""

BODY_SECONDS = 30.0
"""Time that a request has for its body."""

LAST_SECONDS = 2.0
"""Time that a stopping server waits for the rest of a request, and then for its client to read the answer."""

LINGER_SECONDS = 0.5
"""Time that a connection without a request stays open when the server stops: one may be on its way already."""


class ChatProtocol(Connection):
    """What uvicorn runs for each connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        limits = getattr(getattr(config.app, "state", None), "limits", None) or Limits(10**9)
        super().__init__(_loop or asyncio.get_running_loop(), server_state.default_headers, limits)
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self.connections: set[Any] = server_state.connections
        self.tasks: set[Any] = server_state.tasks
        self.keep_alive_seconds: float = config.timeout_keep_alive

    # What the transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.connections.add(self)
        self._scheme = "https" if is_ssl(transport) else "http"
        self._direct: Direct | None = getattr(getattr(self._config.app, "state", None), "direct", None)
        self.request: ASGIRequest | DirectRequest | None = None
        """The one that is under way, or was answered last and not read yet."""
        self._parser = RequestParser(self)
        self._behind = b""
        """What came behind a request that is being answered."""
        self._complete: DirectRequest | None = None
        self._patient_for = ""
        """What of an unfinished request the deadline is for: its head, its body, or nothing."""
        self._stopping = False
        self._linger_timer: asyncio.TimerHandle | None = None
        count = len(self.connections)
        self._full = not self._limits.admit(self, count)
        if self._full and self._limits.is_overfull(count):
            self.evict()
        else:
            self.set_deadline(self.patience(HEAD_SECONDS, count))

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self.discard(len(data))
            return
        if self.flow.write_paused or self._behind or self.is_answering:
            self._hold(self._behind + data)
            return
        direct = self._direct
        if direct is not None and not self._parser.begun and not self._full:
            found = direct.heads.find(data)
            if found is not None:
                self._take_known(*found)
                return
        self._take(data)

    def eof_received(self) -> bool:
        # A client that sends no more may still read (RFC 9112 §9.6): what came whole is answered.
        self._end_of_input = True
        if self._closing or not self.is_answering:
            return False
        cast(Any, self.request).keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_idle():
            self._disconnect()
        super().connection_lost(exc)

    # What uvicorn calls.

    def shutdown(self) -> None:
        """The server stops."""
        self._stopping = True
        if self._closing:
            self.end(LAST_SECONDS)
        elif self._is_idle():
            # Closed at once, it would reset a request that a front is just sending, of which only the client knows
            # whether it may be sent again (RFC 9112 §9.3.1).
            self._linger_timer = self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        else:
            cast(Any, self.request).keep_alive = False
            if self.is_receiving:
                self.set_deadline(LAST_SECONDS)

    def _close_if_idle(self) -> None:
        if self._is_idle():
            self.end(LAST_SECONDS)

    # Whose turn it is.

    @property
    def is_answering(self) -> bool:
        """Whether there is a request that is whole and not answered."""
        return not (self._is_idle() or self._parser.under_way)

    @property
    def is_receiving(self) -> bool:
        """Whether a request has begun and is not whole."""
        return self._parser.under_way

    def _is_idle(self) -> bool:
        """Whether every request of which the head came was answered."""
        return self.request is None or self.request.response_complete

    # Parsing.

    def _take(self, data: bytes) -> None:
        is_first = not self._parser.begun
        try:
            rest = self._parser.feed(data)
        except Refused as refusal:
            self._refuse(refusal)
            return
        if self._parser.under_way:
            self._wait_for_more(len(data))
            return
        if self._patient_for:
            self._patient_for = ""
            self._limits.finish(self)
        if rest:
            self._hold(rest)
        request, self._complete = self._complete, None
        if request is not None:
            if is_first and not rest and request.keep_alive:
                request.packet = data
            self._answer(request)

    def _take_behind(self) -> None:
        """Goes on with what came behind a request that was answered."""
        if self.is_closing() or self.flow.write_paused or self.is_answering:
            return
        data, self._behind = self._behind, b""
        self._limits.finish(self)
        self._take(data)
        if not self._behind:
            self.flow.release()

    def _hold(self, data: bytes) -> None:
        """Keeps what waits for its turn, and reads no more."""
        self._limits.begin(self, len(data) - len(self._behind))
        self._behind = data
        self.flow.hold()

    def _wait_for_more(self, size: int) -> None:
        part = "head" if self._parser.in_head else "body"
        if part != self._patient_for:
            self._patient_for = part
            seconds = HEAD_SECONDS if part == "head" else BODY_SECONDS
            self.set_deadline(self.patience(seconds, len(self.connections)))
        self._limits.begin(self, size)

    def evict(self) -> None:
        """Ends it now: its room is needed."""
        if self.is_answering or self.is_closing() or self.flow.write_paused:
            self.transport.abort()
        else:
            if self._parser.under_way or self._full:
                self._refuse(Refused(503, "full", "This server has no room for more just now; try again."))
            self.end(CLOSING_SECONDS)

    def on_too_slow(self) -> None:
        """The request did not come in time."""
        self._refuse(Refused(408, "too_slow", "The request did not come in time."))
        if self._stopping:
            self.set_deadline(LAST_SECONDS)

    def _refuse(self, refusal: Refused) -> None:
        """Takes no more, and says why unless an answer has begun."""
        has_begun = False
        if not self._is_idle():
            has_begun = cast(Any, self.request).response_started
            self._disconnect()
        self.request = None
        self._behind = b""
        if has_begun:
            self.close_when_read()
        else:
            self.refuse(refusal)

    def _disconnect(self) -> None:
        """Tells whoever answers that nobody listens."""
        request = cast(Any, self.request)
        request.disconnected = True
        request.message_event.set()

    # What the parser calls.

    def on_head(self, head: Head) -> None:
        if self._take_directly(head):
            return
        scope = {
            **self._scope(head),
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.3"},
            "http_version": head.version,
            "raw_path": head.raw_path,
            "root_path": self._config.root_path,
            "extensions": {HANDOVER: Handover(self.prepare_stream, self.hand_over)},
        }
        if self._full:
            scope[NO_ROOM] = True
        keep_alive = head.keep_alive and not self._stopping and not self._full
        request = ASGIRequest(self, scope, expects_continue=head.expects_continue, keep_alive=keep_alive)
        self.request = request
        task = self.loop.create_task(request.run_asgi(self._config.loaded_app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def on_body(self, part: bytes) -> None:
        request = cast(Any, self.request)
        if not request.response_complete:
            request.body += part
            if len(request.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            request.message_event.set()

    def on_end(self) -> None:
        request = cast(Any, self.request)
        request.more_body = False
        request.message_event.set()
        if type(request) is DirectRequest:
            self._complete = request  # answered when the parser has come back: a stream takes it away from under it

    # Answering.

    def _scope(self, head: Head) -> dict[str, Any]:
        return {
            "type": "http",
            "method": head.method,
            "path": head.path,
            "query_string": head.query,
            "headers": head.headers,
            "client": self.client,
            "server": self.server,
            "scheme": self._scheme,
            "state": self._app_state.copy(),
        }

    def _take_directly(self, head: Head) -> bool:
        """Takes a request in the ordinary case; what is unusual in any way goes through ASGI."""
        if self._direct is None or self._full or head.version != "1.1" or head.expects_continue:
            return False
        endpoint = self._direct.find(head.method.encode(), head.raw_path, head.headers)
        if endpoint is None or head.length is None or head.length > HIGH_WATER_LIMIT or head.offers_upgrade:
            return False
        self.request = DirectRequest(endpoint, self._scope(head), head.keep_alive and not self._stopping)
        return True

    def _take_known(self, head: KnownHead, body: bytes) -> None:
        scope = {**head.scope}
        scope["client"], scope["server"] = self.client, self.server
        self.request = request = DirectRequest(head.endpoint, scope, not self._stopping, whole_body=body)
        self._answer(request)

    def _answer(self, request: DirectRequest) -> None:
        answering: Any = Eager(self._write_answer(request), self.tasks.discard)
        self.tasks.add(answering)  # uvicorn waits for these when it stops, and cancels what takes too long
        answering.start()

    async def _write_answer(self, request: DirectRequest) -> None:
        answer = await request.endpoint(request.scope, request.body)
        if request.packet is not None and self._direct is not None and answer.status < 300:
            # Only now: what strangers send must not take up room.
            self._direct.heads.remember(request.packet, KnownHead(request.endpoint, request.scope))
        if self.transport.is_closing():
            return
        if not self.belongs_to(request.scope.get(USER)):
            request.keep_alive = False
        lines = [STATUS_LINE[answer.status], header_lines(self.default_headers), answer.headers]
        if not request.keep_alive:
            lines.append(b"connection: close\r\n")
        if answer.stream is not None:
            lines.append(b"transfer-encoding: chunked\r\n\r\n")
            self.transport.write(b"".join(lines))
            answer.stream(self.hand_over)
            return
        lines.append(b"content-length: %d\r\n\r\n" % len(answer.body))
        lines.append(answer.body)
        self.transport.write(b"".join(lines))
        request.response_complete = True
        if not request.keep_alive:
            self.close()
        self.on_response_complete()

    def on_response_complete(self) -> None:
        """The answer is written."""
        self._server_state.total_requests += 1
        if not self.is_closing() and not self.flow.write_paused:
            self._go_on()

    def on_taken(self) -> None:
        """The client has taken what was written."""
        if self._parser.under_way:
            if self._behind:
                self.loop.call_soon(self._take_behind)
        elif self._is_idle():
            self._go_on()

    def _go_on(self) -> None:
        """The request before is done with: begins with the next one, or waits for it."""
        self.flow.resume_reading()
        self.request = None  # of all that it held nothing stays while the connection is idle
        self._parser.proceed()
        if self._behind:
            self.loop.call_soon(self._take_behind)  # a turn of its own, or one would begin within the one before
        elif self._end_of_input:
            self.end()
        else:
            self.set_deadline(self.patience(self.keep_alive_seconds, len(self.connections)))

    # Streams.

    def prepare_stream(self) -> None:
        """Has the response that is about to start go without chunks if its reader knows none."""
        if self.request is not None and self.request.scope["http_version"] == "1.0":
            self.request.chunked_encoding = False  # which uvicorn would choose for want of a length

    def hand_over(self, stream: Stream, buffer: int) -> StreamProtocol | None:
        """Gives the connection, whose response has started, to the stream for good.

        `buffer` is how many bytes may wait before the stream is told to pause. None: the reader has gone.
        """
        if self.request is None or self.request.disconnected:
            return None
        if self.is_closing():
            self.request.disconnected = True  # or uvicorn would miss the end of the response
            return None
        self.flow.release()  # or the end of the connection would not be seen
        self.transport.set_write_buffer_limits(high=buffer)
        kind = StreamProtocol if self.request.chunked_encoding else UnchunkedStreamProtocol
        remains = kind(self.transport, stream, self.connections)
        self.transport.set_protocol(remains)
        if self.flow.write_paused:  # of which the transport tells nobody twice
            stream.pause()
        self.connections.discard(self)
        self.request.response_complete = True  # so that uvicorn does not miss the end of it
        if self._stopping:  # uvicorn has told this connection already, and will not tell it again
            self.loop.call_soon(remains.shutdown)
        self.let_go()
        return remains

    def let_go(self) -> None:
        """Breaks the circles between protocol, parser, scope and request, so that all go at once."""
        super().let_go()
        self.connections.discard(self)
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        self._limits.finish(self)
        self._limits.is_known(self)
        self._behind = b""
        self._parser.close()
        self.request = None
