"""A fake Redis for the hub's model tests: the test controls its time, channels and replies."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ssechat.errors import RedisUnavailable
from ssechat.events.source import Page, Source
from ssechat.identity.sightings import Sight
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.redis import keys
from stepped import Reading, SteppedInbox


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop with a fake clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        """The fake clock, in seconds."""
        return self.now


class FakeConnection:
    """A fake of the connection that `Subscriptions` uses."""

    def __init__(self, broker: "Broker", on_push: Callable[[list[Any]], None]) -> None:
        self.broker = broker
        self.on_push = on_push
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard_at = broker.loop.time()

    def write(self, *command: Any) -> None:
        if not self.lost.done():
            self.broker.commands.append(command)

    def abort(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
            self.broker.link_is_lost()


class Broker:
    """A fake of Redis's Pub/Sub: its channels, and one connection that subscribes to some of them."""

    def __init__(self, loop: SteppedLoop) -> None:
        self.loop = loop
        self.connection: FakeConnection | None = None
        self.up = asyncio.Event()
        self.up.set()
        self.commands: deque[Sequence[Any]] = deque()
        """Commands in flight to Redis."""
        self.pushes: deque[list[Any]] = deque()
        """Pushes in flight from Redis."""
        self.subscribed: set[bytes] = set()
        self.losses = 0

    def make_connection(
        self, on_push: Callable[[list[Any]], None], on_refused: Callable[[str], None]
    ) -> FakeConnection:
        """Replaces `_PubSubConnection`."""
        self.connection = FakeConnection(self, on_push)
        return self.connection

    async def reconnecting(
        self, url: str, make_connection: Callable[[], FakeConnection], timeout: float
    ) -> AsyncGenerator[FakeConnection, None]:
        """Replaces `reconnecting`: connects when the broker is up."""
        while True:
            await self.up.wait()
            connection = make_connection()
            try:
                yield connection
            finally:
                connection.abort()

    def link_is_lost(self) -> None:
        """Drops the bytes in flight in both directions."""
        self.connection = None
        self.losses += 1
        self.commands.clear()
        self.pushes.clear()
        self.subscribed.clear()

    def publish(self, channel: str, payload: bytes) -> None:
        if channel.encode() in self.subscribed:
            self.pushes.append([b"message", channel.encode(), payload])

    def run_command(self) -> None:
        """Runs the next command in flight."""
        name, *channels = self.commands.popleft()
        for channel in channels:
            (self.subscribed.add if name == "SUBSCRIBE" else self.subscribed.discard)(channel)
            self.pushes.append([name.lower().encode(), channel, 1])
        if name == "PING":
            self.pushes.append([b"pong", b""])

    def deliver_push(self) -> list[Any]:
        """Delivers the next push in flight, and returns it."""
        assert self.connection is not None
        push = self.pushes.popleft()
        self.connection.heard_at = self.loop.time()
        self.connection.on_push(push)
        return push


@dataclass
class Question:
    """A request to Redis. Its execution and the arrival of its reply are two steps."""

    ask: Callable[[], Any]
    reply: "asyncio.Future[Any]"
    asked: bool = False
    answer: Any = None

    def run(self) -> None:
        """Executes the request in Redis."""
        if not self.asked:
            self.asked, self.answer = True, self.ask()

    def arrive(self) -> None:
        """Delivers the reply, unless the caller has been cancelled."""
        if not self.reply.done():
            self.reply.set_result(self.answer)


class Inboxes:
    """The inboxes of several users and the ended sessions, behind one connection."""

    def __init__(self, users: Sequence[UserId]) -> None:
        self.of = {user: SteppedInbox(birth=f"0-{7 + number}") for number, user in enumerate(users)}
        self.ended: set[str] = set()
        self.away = False
        self.sign_outs = 0
        self.keys_can_be_withdrawn = False
        self.questions: list[Question] = []

    skips = False
    sort = "user"

    def source(self, user: str) -> Source:
        """The source of a user's streams."""
        return Source(self, user, keys.live(user).encode())

    async def _ask(self, ask: Callable[[], Any]) -> Any:
        if self.away:
            raise RedisUnavailable("away")
        question = Question(ask, asyncio.get_running_loop().create_future())
        self.questions.append(question)
        return await question.reply

    def fail(self) -> None:
        """Loses the connection: all pending requests fail."""
        questions, self.questions = self.questions, []
        for question in questions:
            if not question.reply.done():
                question.reply.set_exception(RedisUnavailable("lost"))

    # Called by the hub, its presence and its streams.

    async def note(self, seen: Mapping[UserId, int]) -> list[Sight]:
        return [Sight(True, at) for at in seen.values()]

    async def head(self, user: str) -> str:
        return str(await self._ask(lambda: self.of[UserId(user)].newest))

    async def heads(self, users: Sequence[str]) -> list[str]:
        heads: list[str] = await self._ask(lambda: [self.of[UserId(user)].newest for user in users])
        return heads

    async def read(self, user: str, cursor: str, count: int, room: int) -> Page:
        inbox, unused = self.of[UserId(user)], asyncio.get_running_loop().create_future()

        def page() -> Page:
            kept = inbox.entries[inbox.trimmed :]
            oldest = kept[0] if kept else inbox.newest
            reading = Reading(cursor, count, unused, inbox.newest, inbox.birth, oldest)
            return inbox.page(reading, kept)

        found: Page = await self._ask(page)
        return found

    # Called by the hub for sessions.

    async def ended_sessions(self, identities: Iterable[Identity]) -> set[str]:
        sessions = {each.session for each in identities}
        ended: set[str] = await self._ask(lambda: self.ended & sessions)
        return ended

    def forget(self, sessions: Collection[str]) -> None:
        pass


def wake_up(inbox: SteppedInbox, entry: str) -> bytes:
    """The wake-up that logs/inbox.lua publishes: kind, time, id, the id before it, and the data."""
    return f"message 0 {entry} {inbox.before[entry]}\n{{}}".encode()


def large_wake_up(inbox: SteppedInbox, entry: str) -> bytes:
    """The wake-up of an event that is too large for its data to be included."""
    return f"message 0 {entry} {inbox.before[entry]}".encode()
