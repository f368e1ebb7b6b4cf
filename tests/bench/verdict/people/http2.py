"""People who use ssechat over HTTP/2, behind a front: the stream and all they send share one connection."""

import asyncio
from typing import Any, cast

import h2.config
import h2.connection
import h2.events

from .http1 import SsechatPerson, Stream
from .person import CONNECT_SECONDS, Refused, Spec


class Connection2(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._transport: asyncio.Transport | None = None
        self._answers: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._statuses: dict[int, int] = {}
        self._bodies: dict[int, list[bytes]] = {}
        self._streams: dict[int, Stream] = {}

    @classmethod
    async def open(cls, spec: Spec, source: tuple[str, int]) -> "Connection2":
        """Connects with TLS."""
        context = spec.context("h2")
        assert context is not None
        async with asyncio.timeout(CONNECT_SECONDS):
            _, made = await asyncio.get_running_loop().create_connection(
                cls, *spec.address, ssl=context, server_hostname="localhost", local_addr=source
            )
        return made

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._http.initiate_connection()
        # As browsers do: their windows are large, so that no answer waits for one.
        self._http.increment_flow_control_window(2**24)
        self._flush()

    def request(self, headers: list[tuple[str, str]], body: bytes, stream: Stream | None = None) -> int:
        """Sends a request; returns its number."""
        number = self._http.get_next_available_stream_id()
        self._http.send_headers(number, headers, end_stream=not body)
        if body:
            self._http.send_data(number, body, end_stream=True)
        if stream is not None:
            self._streams[number] = stream
        self._flush()
        return number

    async def ask(self, headers: list[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        """Sends a request; returns the status and the body of the answer.

        Raises:
            ConnectionError: the connection was closed before it.
        """
        if self.closed:
            raise ConnectionResetError("the connection is closed")
        number = self.request(headers, body)
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            return await answer
        finally:
            del self._answers[number]

    def data_received(self, data: bytes) -> None:
        for event in self._http.receive_data(data):
            self._take(event)
        self._flush()

    def _take(self, event: Any) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            status = int(dict(event.headers or ())[b":status"])
            self._statuses[event.stream_id] = status
            if event.stream_id in self._streams and status != 200:
                self._streams[event.stream_id].fail(Refused(f"the stream was answered {status}"))
        elif isinstance(event, h2.events.DataReceived):
            data = event.data or b""
            self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
            if event.stream_id in self._streams:
                self._streams[event.stream_id].feed(data)
            else:
                self._bodies.setdefault(event.stream_id, []).append(data)
        elif isinstance(event, h2.events.StreamEnded):
            answer = self._answers.get(event.stream_id)
            body = b"".join(self._bodies.pop(event.stream_id, ()))
            if answer is not None and not answer.done():
                answer.set_result((self._statuses.pop(event.stream_id, 0), body))
        elif isinstance(event, h2.events.StreamReset):
            self._fail(event.stream_id, Refused("a request was reset"))
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.abort()

    def _fail(self, number: int, error: ConnectionError) -> None:
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_exception(error)
        if number in self._streams:
            self._streams[number].fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        for number in {*self._answers, *self._streams}:
            self._fail(number, ConnectionResetError(f"the connection was closed: {exc}"))

    def _flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._http.data_to_send())

    def abort(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()


class Http2Person(SsechatPerson):
    """One connection for everything."""

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        super().__init__(spec, number, source, scene)
        self._connection: Connection2 | None = None

    async def connect(self) -> None:
        self._connection = await Connection2.open(self.spec, self.source)
        stream = Stream(self)
        cursor = [("last-event-id", self.cursor)] if self.cursor else []
        self._connection.request([*self._headers("GET", "/v1/events"), ("accept", "text/event-stream"), *cursor], b"",
                                 stream)  # fmt: skip
        await stream.wait(CONNECT_SECONDS)

    async def send(self, to: str, text: str) -> None:
        if self._connection is None:
            raise ConnectionResetError("there is no connection")
        headers = [*self._headers("POST", "/v1/messages"), ("content-type", "application/json")]
        status, answer = await self._connection.ask(headers, self.body(to, text))
        if status not in (200, 201):
            raise Refused(f"a message was answered {status}: {answer[:200]!r}")

    def _headers(self, method: str, path: str) -> list[tuple[str, str]]:
        return [
            (":method", method), (":scheme", "https"), (":authority", f"localhost:{self.spec.address[1]}"),
            (":path", path), ("authorization", f"Bearer {self.token}"),
        ]  # fmt: skip

    def drop(self) -> None:
        if self._connection is not None:
            self._connection.abort()
