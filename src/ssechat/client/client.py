"""A client of one user: who it is, its conversations, and the stream of events."""

import logging
import os
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import httpx

from ssechat.client.acks import WITHIN, Acks
from ssechat.client.blocks import Blocks
from ssechat.client.bookmark import Bookmark
from ssechat.client.calls import Calls
from ssechat.client.credentials import Credential, Given, Password, Stranger, Token
from ssechat.client.errors import ANOTHER_FORM, ClientError, Doubt, Refused
from ssechat.client.events import Event, parse_event
from ssechat.client.feeds import Feeds
from ssechat.client.groups import Groups
from ssechat.client.marks import Marks
from ssechat.client.messages import Messages
from ssechat.client.models import Conversation, Limits, Server, Ticket
from ssechat.client.objects import object_of
from ssechat.client.pages import pages
from ssechat.client.pauses import Pauses
from ssechat.client.people import People
from ssechat.client.sessions import Sessions
from ssechat.client.stream import EventStream, Parse
from ssechat.client.transport import Transport, path
from ssechat.errors import SettingsError
from ssechat.ids import UserId, user_id

logger = logging.getLogger("ssechat.client")


class Client(Messages, Marks, Blocks, People, Sessions):
    """A client of one user at one server.

    ::

        async with Client("http://127.0.0.1:8000", token) as chat:
            await chat.send("bob", "hi")
            async for event in chat.events():
                print(event)

    `token` is a bearer token, or a function, asynchronous or not, that returns one: it is called for each request, so
    it may make a fresh one; if it raises ConnectionError, TimeoutError or an error of httpx's requests, it is called
    again like a server that cannot be reached. Instead of a token, `name` and `password` sign in when it is needed, and
    again when the session has ended. `await Client.sign_up(…)` makes the account first. A `stranger` has none of these,
    and reads public feeds; whoever administers feeds gives the admin token as the `token`.

    Whatever asks the server retries for at most `patience` seconds while the server is unavailable; `math.inf` is for
    ever. It raises `Refused` if the server says no, and `NotConfirmed` if it did not answer within that time; both are
    `ClientError`, with a `code`, the `status` and `retry_after`. What cannot be asked at all is a `SettingsError`.

    `note` is called with a sentence for a person at each retry and reconnect; by default that is logged (`INFO` of the
    logger `ssechat.client`). `transport` and `pauses` are for tests.

    Many tasks can use one client at the same time, in one event loop.
    """

    def __init__(
        self,
        server: str,
        token: Token | None = None,
        *,
        name: str | None = None,
        password: str | None = None,
        stranger: bool = False,
        patience: float = 30.0,
        note: Callable[[str], None] = logger.info,
        transport: httpx.AsyncBaseTransport | None = None,
        pauses: Pauses | None = None,
    ) -> None:
        """
        Raises:
            SettingsError: `server` is not an http or https address, it is not clear who signs in, or the environment
                names a proxy or a certificate file that cannot be used.
        """
        self._credential: Credential
        self._transport = Transport(server, transport)
        if stranger and token is None and name is None and password is None:
            self._credential = Stranger()
        elif not stranger and token is not None and name is None and password is None:
            self._credential = Given(token)
        elif not stranger and token is None and name is not None and password is not None:
            self._credential = Password(self._transport, name, password)
        else:
            raise SettingsError("give a token, or a name and a password")
        self._pauses = pauses or Pauses()
        self._note = note
        super().__init__(Calls(self._transport, self._credential, self._pauses, note, patience))
        self.groups = Groups(self._calls)
        """What can be done with groups."""
        self.feeds = Feeds(self._calls, self._stream)
        """What can be done with feeds."""
        self._streams: weakref.WeakSet[EventStream[Any]] = weakref.WeakSet()
        self._user: UserId | None = None

    @classmethod
    async def sign_up(
        cls,
        server: str,
        name: str,
        password: str,
        *,
        patience: float = 30.0,
        note: Callable[[str], None] = logger.info,
        transport: httpx.AsyncBaseTransport | None = None,
        pauses: Pauses | None = None,
    ) -> Self:
        """Makes an account and returns its client, which is signed in; it does so as well if the account is there with
        this password.

        ::

            async with await Client.sign_up("http://127.0.0.1:8000", "echo", "correct horse") as chat:
        """
        chat = cls(
            server, name=name, password=password, patience=patience, note=note, transport=transport, pauses=pauses
        )
        try:
            if isinstance(chat._credential, Password):
                credential = chat._credential
                await chat._calls.repeat(lambda left: credential.sign_up())
        except BaseException:
            await chat.aclose()
            raise
        return chat

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends all streams of events, and closes all connections."""
        for stream in list(self._streams):
            await stream.aclose()
        await self._transport.close()

    def __repr__(self) -> str:
        return f"<Client of {self._user or 'a user'} at {self._transport.server}>"

    def events(
        self, since: str | None = None, *, bookmark: str | os.PathLike[str] | None = None, ack: bool = False
    ) -> EventStream[Event]:
        """The events of the user, each once and in order, for ever, over any number of connections.

        ::

            async for event in chat.events(bookmark="bot.bookmark", since="0-0"):
                if isinstance(event, MessageEvent):
                    print(event.data.sender, event.data.text)

        `since` is the id of the last event that the caller has, `0-0` for all that the server keeps; by default only
        new events come. `bookmark` is a file that keeps the id of the last event that was handled, and is where the
        next run goes on; `since` counts as long as it does not exist.

        An event counts as handled when the next one is asked for. A program that is killed gets the event that it was
        at once more: what it does then must be something that does no harm twice, as a `send` with a `client_msg_id`
        made from `event.id`.

        With `ack` those who wrote see that their messages were delivered: what was handled is acknowledged in the
        background, once a second at most.

        After a `reset` (`ResetEvent`), what is known must be read anew: events are missing that the server no longer
        has. All others come without a gap. Kinds that are new come as `OtherEvent`.

        Raises (while it is iterated over):
            Refused: the server refused the stream for good: the token is not valid, for example.
            ClientError: this is not a chat server.
        """
        acks = Acks(self._ack_once, self._pauses) if ack else None
        return self._stream("/v1/events", parse_event, since, bookmark, acks)

    def _stream(
        self,
        path: str,
        parse: Parse[Any],
        since: str | None,
        bookmark: str | os.PathLike[str] | None,
        acks: Acks | None = None,
    ) -> EventStream[Any]:
        kept = None if bookmark is None else Bookmark(bookmark)
        stream = EventStream(
            self._transport, self._credential, self._pauses, self._note, since, kept, acks, path, parse
        )
        self._streams.add(stream)
        return stream

    async def _ack_once(self, id: str) -> None:
        await self._calls.once("/v1/ack", timeout=WITHIN, method="POST", body={"id": id})

    @property
    def in_doubt(self) -> tuple[Doubt, str] | None:
        """What a request may have done that was cancelled, and the id to repeat it with; None if nothing."""
        return self._calls.in_doubt

    async def user(self) -> UserId:
        """The id of the user that the credential names. It is asked for once."""
        if self._user is None:
            answer = await self._calls.object("GET", "/v1/session")
            self._user = user_id(str(answer.get("user", "")))
        if self._user is None:
            raise ClientError(ANOTHER_FORM)
        return self._user

    async def exists(self, user: str) -> bool:
        """Whether there is a user of this name."""
        try:
            await self._calls.ask("GET", path("v1", "users", user))
        except Refused as error:
            if error.code != "unknown_user":
                raise
            return False
        return True

    def conversations(self) -> AsyncIterator[Conversation]:
        """Yields the user's conversations, the one with the newest event first."""
        return pages(self._calls, "/v1/conversations", "conversations", "before", Conversation)

    async def conversation(self, conversation: str, *, timeout: float | None = None) -> Conversation:
        """One conversation as it stands. With `timeout` it is asked for once, for so many seconds."""
        where = path("v1", "conversations", conversation)
        if timeout is None:
            return Conversation.read(await self._calls.object("GET", where))
        return Conversation.read(object_of(await self._calls.once(where, timeout=timeout)))

    async def server(self) -> Server:
        """What the server is."""
        return Server.read(await self._calls.object("GET", "/v1/server"))

    async def limits(self) -> Limits:
        """The limits of the server."""
        return Limits.read(await self._calls.object("GET", "/v1/limits"))

    async def ticket(self) -> Ticket:
        """A ticket for a browser, which opens a stream of this user's with it, once."""
        return Ticket.read(await self._calls.object("POST", "/v1/tickets", body={}))

    async def sign_out(self) -> None:
        """Ends the session that the token is of, and all of its streams."""
        try:
            await self._calls.ask("DELETE", "/v1/session", doubt=Doubt.CHANGE)
        except Refused as error:
            if error.code != "signed_out":  # by an attempt whose answer was lost
                raise
