"""The components of a worker, connected for tests as `create_app` connects them for the server."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher

from contract.watch import watch
from ssechat.chat.rules import Chat
from ssechat.errors import RedisUnavailable
from ssechat.events import frames
from ssechat.events.kinds import KINDS, Kinds
from ssechat.events.source import START, Event
from ssechat.identity.auth import Auth
from ssechat.identity.hashing import HashingPool
from ssechat.identity.key_file import SigningKey, SigningKeys
from ssechat.identity.roll import Roll
from ssechat.identity.sessions import Sessions
from ssechat.identity.sightings import Sightings
from ssechat.identity.tokens import Identity, Tokens
from ssechat.identity.users import Users
from ssechat.ids import ConversationId, UserId
from ssechat.logs.actions import Action, new_message
from ssechat.logs.conversations import Conversations, Entry
from ssechat.logs.delivery import AT_ONCE, Appended, Delivery
from ssechat.logs.inbox import Inbox, Run
from ssechat.logs.members import Members
from ssechat.redis.client import Redis
from ssechat.settings import Settings
from ssechat.streams.hub import Hub
from ssechat.streams.people import People
from ssechat.streams.stream import Stream
from ssechat.telemetry.metrics import Metrics

SECRET = "a secret for tests, of 32 characters"
FOR_EVER = 4e9
MARK = re.compile(r',"mark":{[^}]*}}$')
"""The end of a message in an event: what its reader has read."""
DM = ConversationId("dm:alice:bob")
ALICE, BOB = UserId("alice"), UserId("bob")


class FakeClock:
    """A clock that advances only on demand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class FakeSink:
    """Records the chunks that a stream writes."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.ended = False
        self.final = False
        """Whether the response ended complete."""
        self.aborted = False

    def write(self, chunk: bytes) -> None:
        assert not self.ended, "a write after the end"
        self.chunks.append(chunk)

    def end(self, *, final: bool) -> None:
        self.ended, self.final = True, final

    def abort(self) -> None:
        self.aborted = True

    def events(self) -> list[dict[str, str]]:
        """The written frames, each as its fields."""
        return parse_frames(b"".join(map(frames.unchunk, self.chunks)))

    def checked(self, path: str = "/v1/events") -> list[dict[str, str]]:
        """As `events`, each held against the contract of the stream at this path."""
        found = self.events()
        for event in found:
            watch().event_at(path)(event)
        return found

    def names(self) -> list[str]:
        """The names of the written events, except the one that opens the stream."""
        return [event["event"] for event in self.events() if event["event"] != "retry"]

    def ids(self) -> list[str]:
        """The ids of the written events of the inbox."""
        return [event["id"] for event in self.events() if event.get("event") == "message"]

    def texts(self) -> list[str]:
        """The texts of the messages written."""
        return [json.loads(event["data"])["text"] for event in self.events() if event["event"] == "message"]


def parse_frames(text: bytes) -> list[dict[str, str]]:
    """Parses frames into their fields. The server sends each field once, on one line."""
    frames_of_text = filter(None, text.decode().split("\n\n"))
    return [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in frames_of_text]


@dataclass
class Worker:
    """The components of one worker process."""

    redis: Redis
    conversations: Conversations
    inbox: Inbox
    members: Members
    delivery: Delivery
    users: Users
    auth: Auth
    chat: Chat
    hub: Hub
    clock: FakeClock
    sinks: list[FakeSink] = field(default_factory=list)

    def open_stream(self, user: str, cursor: str | None = None, **identity: Any) -> tuple[Stream, FakeSink]:
        """Opens a stream as a response does."""
        who = Identity(UserId(user), **{"expires_at": FOR_EVER, **identity})
        stream, sink = Stream(self.hub, who, self.inbox.source(who.user)), FakeSink()
        stream.opened(sink, cursor)
        self.hub.attach(stream, cursor, self.auth.sign_outs)
        return stream, sink

    async def say(self, text: str, sender: str = "alice", conversation: str = DM, key: str = "") -> bytes:
        """Sends a message, and returns its JSON."""
        message, _ = await self.chat.messages.send(UserId(sender), conversation, text, key or f"key of {text}")
        return message

    async def say_until_taken(self, text: str, conversation: str = DM) -> int:
        """Retries a send with the same client_msg_id, as a client does; returns the number of refusals."""
        for refused in range(1000):
            try:
                await self.say(text, conversation=conversation)
                return refused
            except RedisUnavailable:
                await asyncio.sleep(0.01)
        raise AssertionError("it was never taken")

    async def append(self, action: Action) -> Appended:
        """Appends an action to its conversation's log, and delivers it to no inbox."""
        return await self.delivery.append(action, ())

    async def deliver(self, runs: Mapping[UserId, Sequence[Entry]]) -> dict[UserId, str]:
        """Delivers to each of these users entries that follow one another in their log."""
        return await self.inbox.deliver([(Run(entries, entries[0].before), [user]) for user, entries in runs.items()])

    async def events(self, user: str, cursor: str = START) -> list[Event]:
        """The events in the user's inbox after the cursor."""
        found: list[Event] = []
        while page := (await self.inbox.read(UserId(user), cursor, 10_000, 1_000_000)).events:
            found += page
            cursor = page[-1].id
        return found

    async def texts(self, user: str) -> list[str]:
        """The data of the user's events, of messages without the user's mark."""
        events = [parse_frames(frames.unchunk(event.chunk))[0]["data"] for event in await self.events(user)]
        return [MARK.sub("}", data) for data in events]


CREATED_AT = 1_767_225_600_000
"""2026-01-01T00:00:00.000Z"""


def draft(text: str, sender: str = "alice", key: str = "", conversation: str = DM) -> Action:
    """An action that appends a message."""
    return new_message(ConversationId(conversation), UserId(sender), key or text, text, CREATED_AT)


def settings(redis_url: str | None, **more: Any) -> Settings:
    """Settings with the tests' secret."""
    return Settings(redis_url=redis_url, workers=1, **more)


@asynccontextmanager
async def a_worker(
    redis_url: str, *, kinds: Kinds = KINDS, at_once: int = AT_ONCE, **more: Any
) -> AsyncIterator[Worker]:
    """Connects the components of a worker, and closes them at the end."""
    chosen = settings(redis_url, **{"redis_timeout": 2, **more})
    metrics = Metrics()
    redis = Redis(redis_url, chosen.redis_timeout, metrics)
    conversations, members = Conversations(redis), Members(redis)
    inbox = Inbox(redis, conversations, members, chosen.inbox_limit, kinds)
    delivery = Delivery(redis, conversations, inbox, members, chosen.inbox_limit, kinds, at_once=at_once)
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    users = Users(
        redis,
        all_users_exist=True,
        pool=HashingPool(),
        change_profile=inbox.accounts.change_profile,
        hasher=hasher,
    )
    tokens = Tokens.of_our_own(SigningKeys(SigningKey(SECRET)))
    clock = FakeClock()
    auth = Auth(redis, tokens, users, Sessions(redis, timedelta(days=1)), clock)
    people, receipts = People(), chosen.receipts == "on"
    chat = Chat.of(redis, conversations, members, inbox, delivery, users, known=people.known, receipts=receipts)
    watched, may_read = chat.presence.watched, chat.feeds.may_read
    hub = Hub(auth, chosen, metrics, kinds, people, Sightings(redis), Roll(redis, clock), watched, clock, may_read)
    redis.start()
    hub.subscriptions.start()  # the sweep is not started: tests call it
    assert await redis.wait_connected(5)
    try:
        yield Worker(redis, conversations, inbox, members, delivery, users, auth, chat, hub, clock)
    finally:
        await chat.receipts.close()
        await hub.close()
        await redis.close()
        users.close()
