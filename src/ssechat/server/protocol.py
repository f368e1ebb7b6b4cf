"""The one file that knows uvicorn's internals: its HTTP protocol, with streams that can be handed over, and
requests that are answered without ASGI, or even without the parser (heads.py).

A stream that is handed over costs its transport and two small objects. The protocol, the parser, the scope
and the ASGI task that made it are let go (`python -m tests.bench idle` prints what that saves). What is answered
directly is said in direct.py.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.utils import is_ssl

from ssechat.direct import Direct, Head, header_lines
from ssechat.response import HANDOVER, Handover
from ssechat.server.direct_request import DirectRequest
from ssechat.server.eager import Eager
from ssechat.server.handed_over import StreamProtocol, UnchunkedStreamProtocol
from ssechat.stream import Stream

HEAD_LIMIT = 65536
"""Bytes of a request's line and headers; the parser itself has no limit."""

HEAD_SECONDS = 30.0
"""Time that a new connection has for the head of its first request."""

LINGER_SECONDS = 0.5
"""Time that a connection without a request stays open when the server stops: one may be on its way already."""


class ChatProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools that offers the hand-over in the scope, and answers directly."""

    # asyncio declares any transport here; uvicorn narrows it in the same way.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # As uvicorn does it, but for one thing: it asks for the socket, an object that uvloop makes and then keeps.
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = _address(transport.get_extra_info("sockname"))
        self.client = cast(Any, _address(transport.get_extra_info("peername")))
        self.scheme = "https" if is_ssl(transport) else "http"
        self._head_bytes = 0
        self._in_head = True
        self._between = True
        self._stopping = False
        self._complete: DirectRequest | None = None
        self._answered_at = 0.0
        self._linger_timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(HEAD_SECONDS, transport.close)
        state = getattr(self.config.app, "state", None)
        self._direct: Direct | None = getattr(state, "direct", None)

    def data_received(self, data: bytes) -> None:
        direct = self._direct if self._between and self._is_idle() else None
        if direct is not None:
            found = direct.heads.find(data)
            if found is not None:
                self._take_known(*found)
                return
        if self._in_head:
            # Counted here, for the parser tells of a header only when it is complete.
            self._head_bytes += len(data)
        super().data_received(data)
        if self._complete is not None:
            # Not from within the parser: the answer may be a stream, which takes all of this away from under it.
            request, self._complete = self._complete, None
            if direct is not None and request.keep_alive:
                request.packet = data
            self._answer(request)
        if self._in_head and self._head_bytes > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("The request's line and headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._between = False

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._cancel_head_timer()
        if self._take_directly():
            return
        super().on_headers_complete()
        self.scope["extensions"] = cast(Any, {HANDOVER: Handover(self.prepare_stream, self.hand_over)})
        if self._stopping:
            self.cycle.keep_alive = False  # the answer says so, and a front puts no other request on this connection

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._between = True
        request: Any = self.cycle
        if type(request) is DirectRequest and request.its_turn:
            self._complete = request

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn leaves the timer of a connection that was reset, and with it all of this, until it fires.
        self._let_go()

    def shutdown(self) -> None:
        self._stopping = True
        if self._is_idle():
            # Closed at once, it would reset a request that a front is just sending, of which only the client knows
            # whether it may be sent again (RFC 9112 §9.3.1).
            self._linger_timer = self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        else:
            super().shutdown()

    def _close_if_idle(self) -> None:
        if self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        """Whether every request that came was answered."""
        return self.cycle is None or self.cycle.response_complete

    # As uvicorn has these, but for the timer: setting one for each answer costs more than looking at the clock.

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _unset_keepalive_if_required(self) -> None:
        """Called when something comes: the timer stays, or what is no request would keep the connection for ever."""

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if not self._is_idle():
            return  # the answer sets another one
        patience = self.timeout_keep_alive + (0 if self._between else HEAD_SECONDS)
        left = self._answered_at + patience - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    # Requests that are answered without ASGI.

    def _take_directly(self) -> bool:
        """Takes a request in the ordinary case; what is unusual in any way is left to uvicorn."""
        if self._direct is None:
            return False
        method = self.parser.get_method()
        path, _, query = self.url.partition(b"?")
        endpoint = self._direct.find(method, path, self.headers)
        if endpoint is None or not self._is_ordinary(method):
            return False
        self.scope["method"], self.scope["path"], self.scope["query_string"] = method.decode(), path.decode(), query
        keep_alive = self.parser.should_keep_alive() and not self._stopping
        its_turn = self._is_idle()
        request = DirectRequest(endpoint, self.scope, keep_alive, its_turn)
        self.cycle = cast(Any, request)
        if not its_turn:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
        return True

    def _take_known(self, head: Head, body: bytes) -> None:
        self._cancel_head_timer()
        scope = {**head.scope}
        scope["client"], scope["server"] = self.client, self.server
        request = DirectRequest(head.endpoint, scope, not self._stopping, its_turn=True, whole_body=body)
        self.cycle = cast(Any, request)
        self._answer(request)

    def _is_ordinary(self, method: bytes) -> bool:
        if self.expect_100_continue or self.parser.should_upgrade() or self.parser.get_http_version() != "1.1":
            return False
        for name, value in self.headers:
            if name == b"content-length":
                # Of more than that uvicorn stops to read until somebody asks.
                return value.isdigit() and int(value) <= HIGH_WATER_LIMIT
            if name == b"transfer-encoding":
                return False
        return method == b"GET"

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if type(cycle) is not DirectRequest:
            super()._start_asgi_task(cycle, app)
            return
        cycle.its_turn = True
        if not cycle.more_body:
            self._answer(cycle, at_once=False)

    def _answer(self, request: DirectRequest, *, at_once: bool = True) -> None:
        answering: Any = Eager(self._write_answer(request), self.tasks.discard)
        self.tasks.add(answering)  # uvicorn waits for these when it stops, and cancels what takes too long
        if at_once:
            answering.start()
        else:  # in a turn of its own: of thousands in one packet each would begin within the one before
            self.loop.call_soon(answering.start)

    async def _write_answer(self, request: DirectRequest) -> None:
        answer = await request.endpoint(request.scope, request.body)
        if request.packet is not None and self._direct is not None and answer.status < 300:
            # Only now: what strangers send must not take up room.
            self._direct.heads.remember(request.packet, Head(request.endpoint, request.scope))
        if self.flow.write_paused:
            await self.flow.drain()
        if self.transport.is_closing():
            return
        lines = [STATUS_LINE[answer.status], header_lines(self.server_state.default_headers), answer.headers]
        if not request.keep_alive:
            lines.append(b"connection: close\r\n")
        if answer.stream is not None:
            lines.append(b"transfer-encoding: chunked\r\n\r\n")
            self.transport.write(b"".join(lines))
            self.cycle = cast(Any, request)  # of what stands behind it, nothing counts any more
            answer.stream(self.hand_over)
            return
        lines.append(b"content-length: %d\r\n\r\n" % len(answer.body))
        lines.append(answer.body)
        self.transport.write(b"".join(lines))
        request.response_complete = True
        if not request.keep_alive:
            self.transport.close()
        self.on_response_complete()

    # Streams.

    def prepare_stream(self) -> None:
        """Has the response that is about to start go without chunks if its reader knows none."""
        if self.cycle is not None and self.cycle.scope["http_version"] == "1.0":
            self.cycle.chunked_encoding = False  # which uvicorn would choose for want of a length

    def hand_over(self, stream: Stream, buffer: int) -> StreamProtocol | None:
        """Gives the connection, whose response has started, to the stream for good.

        `buffer` is how many bytes may wait before the stream is told to pause. None: the reader has gone.
        """
        if self.transport.is_closing() or self.cycle is None or self.cycle.disconnected:
            return None
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
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        if self._linger_timer is not None:
            self._linger_timer.cancel()
        # As uvicorn does with its parser: declared without None, for nothing looks at them after this.
        self.parser = None  # type: ignore[assignment]
        self.cycle = None  # type: ignore[assignment]
        self.scope = None  # type: ignore[assignment]
        self.headers = None  # type: ignore[assignment]
        self.pipeline.clear()


def _address(name: Any) -> tuple[str, int | None] | None:
    """What the socket's address looks like in a scope: host and port, or the path of a Unix socket."""
    if isinstance(name, tuple):
        return str(name[0]), int(name[1])
    return (name, None) if isinstance(name, str) and name else None
