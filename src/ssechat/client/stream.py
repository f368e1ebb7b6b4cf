"""The stream of a user's events, over any number of connections."""

import asyncio
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from ssechat.client.acks import Acks
from ssechat.client.attempts import Unavailable
from ssechat.client.bookmark import Bookmark, is_id
from ssechat.client.connection import Connection
from ssechat.client.credentials import Credential
from ssechat.client.errors import Refused
from ssechat.client.events import MessageEvent
from ssechat.client.pauses import FIRST_PAUSE, RETRY_STATUSES, Pauses
from ssechat.client.transport import Transport
from ssechat.errors import SettingsError
from ssechat.problem_details import MAX_RETRY_AFTER

# Events that are for the client itself.
RETRY, PING = "retry", "ping"


Item = TypeVar("Item")

Parse = Callable[[str, str, str], Item]
"""Makes an event of its name, id and data."""


class EventStream(Generic[Item]):
    """The events of a user, or of a feed, each once and in order, for as long as one asks for the next one.

    An event counts as handled when the next one is asked for. After a reconnect, the first event is the one after the
    last that was handled. It reconnects as often as needed; waiting for an event can be cancelled (`asyncio.timeout`),
    and gone on with. One task at a time may wait for its events.

    Raises (while it is iterated over):
        Refused: the server refused the stream for good: the token is not valid, for example.
        ClientError: this is not a chat server.
        OSError: the bookmark cannot be read or written.
    """

    def __init__(
        self,
        transport: Transport,
        credential: Credential,
        pauses: Pauses,
        note: Callable[[str], None],
        since: str | None,
        bookmark: Bookmark | None,
        acks: Acks | None,
        path: str,
        parse: Parse[Item],
    ) -> None:
        """
        Raises:
            SettingsError: `since` cannot be an id.
        """
        if since is not None and not is_id(since):
            raise SettingsError("this is not the id of an event")
        self._transport = transport
        self._credential = credential
        self._pauses = pauses
        self._note = note
        self._bookmark = bookmark
        self._acks = acks
        self._path = path
        self._parse = parse
        self._begun = False
        self._handled = since or None
        self._given = ""
        """The id of the event that was returned last, which is not handled yet."""
        self._has_message = False
        """Whether that event is a message."""
        self._retry = FIRST_PAUSE
        self._backoff = pauses.backoff()
        self._earliest = 0.0
        """The next connection is not opened before."""
        self._renewed = False
        self._connection: Connection | None = None
        self._waiting = False
        self._closed = asyncio.Event()

    @property
    def last_id(self) -> str | None:
        """The id of the last event that was handled; None before the first one."""
        return self._handled

    def __repr__(self) -> str:
        return f"<EventStream of {self._transport.server}, after {self._handled or 'nothing'}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        if self._waiting:
            raise RuntimeError("two tasks wait for the events of one stream: let each have its own `events()`")
        self._waiting = True
        try:
            self._mark_handled()
            return await self._next()
        except BaseException:
            await self._hang_up()
            raise
        finally:
            self._waiting = False

    async def aclose(self) -> None:
        """Closes the connection, which ends the iteration. The event that was returned last is not handled by that."""
        self._closed.set()
        await self._hang_up()
        if self._acks is not None:
            await self._acks.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def _mark_handled(self) -> None:
        """Who asks for the next event has handled the one before."""
        if not self._begun:
            self._handled = (self._bookmark and self._bookmark.read()) or self._handled
            self._begun = True
        self._pass(self._given)
        if self._acks is not None and self._has_message:
            self._acks.handled(self._given)
        self._given, self._has_message = "", False

    def _pass(self, id: str) -> None:
        if id:
            self._handled = id
            if self._bookmark is not None:
                self._bookmark.keep(id)

    async def _next(self) -> Item:
        while not self._closed.is_set():
            try:
                if self._connection is None:
                    self._connection = await self._connect()
                found = await self._event_of(self._connection)
                if found is not None:
                    self._given, self._has_message = found[0], isinstance(found[1], MessageEvent)
                    return found[1]
                reason, retry_in = "the stream ended", 0.0
            except Unavailable as failure:
                reason, retry_in = failure.reason, failure.retry_in or 0.0
            await self._hang_up()
            if not self._closed.is_set():
                pause = max(retry_in, self._pauses.seconds(self._retry, self._backoff))
                self._note(f"{reason}; reconnecting in {pause:.1f} s …")
                self._earliest = self._pauses.clock() + pause
                await self._pauses.sleep(pause, self._closed)
        raise StopAsyncIteration

    async def _event_of(self, connection: Connection) -> tuple[str, Item] | None:
        """The next event of a connection that is for the caller, behind its id; None if the connection has ended."""
        while (said := await connection.read()) is not None:
            if said.retry is not None:
                self._retry = max(0, min(said.retry, int(MAX_RETRY_AFTER * 1000))) / 1000
            if said.event == RETRY:
                continue  # the event that opens a stream: it has no data, and the id that was sent
            self._backoff.reset()
            self._renewed = False
            if not said.data:
                self._pass(said.id)
            elif said.event != PING:
                return said.id, self._parse(said.event, said.id, said.data)
        return None

    async def _connect(self) -> Connection:
        left = self._earliest - self._pauses.clock()
        if left > 0:  # the pause was cancelled
            await self._pauses.sleep(left, self._closed)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._handled is not None:
            headers["Last-Event-ID"] = self._handled
        while True:
            token = await self._credential.token()
            connection = await Connection.open(self._transport, self._path, token, headers)
            if isinstance(connection, Connection):
                return connection
            if connection.status_code == 401 and not self._renewed and self._credential.renew(token):
                self._renewed = True
            elif connection.status_code in RETRY_STATUSES or connection.status_code >= 500:
                raise Unavailable.by(connection)
            else:
                raise Refused.by(connection)

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
