"""Presence cannot drift: whatever happens, what a stream was told comes to what a fresh answer says."""

import asyncio
import json
import random
from contextlib import suppress

import pytest

from parts import FakeSink, Worker
from polling import until
from redises import RedisProcess
from ssechat.chat.groups import Draft
from ssechat.errors import RequestError
from ssechat.ids import ConversationId, UserId
from ssechat.redis import keys
from ssechat.streams.presence import GRACE_SECONDS, ROUND_SECONDS
from ssechat.streams.stream import Stream
from watching import leave, ticks

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

NAMES = [UserId(name) for name in ("alice", "bob", "carol", "dave", "erin")]
STEPS = 40

WHAT = (
    *("open", "open", "close", "watch", "watch", "hide", "show", "block", "unblock"),
    *("write", "go", "add", "pause", "deaf", "time"),
)
"""What happens, the more often the more frequent."""


class World:
    """People with devices on two workers."""

    def __init__(self, workers: tuple[Worker, Worker], redis: RedisProcess, seed: int) -> None:
        self.workers = workers
        self.redis = redis
        self.chance = random.Random(seed)
        self.streams: list[tuple[Worker, Stream, FakeSink, dict[str, bool]]] = []
        self.watches: dict[str, tuple[list[UserId], ConversationId | None]] = {}
        self.group = ConversationId("")
        self.history: list[str] = []

    async def start(self) -> None:
        self.group, _ = await self.workers[0].chat.groups.make(NAMES[0], Draft("All", "", "all", NAMES[1:]), None)

    async def open(self, name: UserId) -> None:
        worker = self.chance.choice(self.workers)
        stream, sink = worker.open_stream(name)
        await until(lambda: stream.live)
        self.streams.append((worker, stream, sink, {}))

    async def close(self, name: UserId) -> None:
        mine = [each for each in self.streams if each[1].identity.user == name]
        if mine:
            worker, stream, *_ = self.chance.choice(mine)
            self.streams = [each for each in self.streams if each[1] is not stream]
            stream.lost()
            if not worker.hub.has(stream.channel):
                leave(worker, stream)

    async def watch(self, name: UserId) -> None:
        names = self.chance.sample(NAMES, self.chance.randint(0, len(NAMES)))
        group = self.chance.choice([None, self.group])
        with suppress(RequestError):
            await self.chance.choice(self.workers).chat.presence.watch(name, "", names, group)
            self.watches[name] = names, group

    async def step(self) -> None:
        """One thing that happens."""
        name, other = self.chance.sample(NAMES, 2)
        worker = self.chance.choice(self.workers)
        what = self.chance.choice(WHAT)
        self.history.append(f"{what} {name} {other}")
        match what:
            case "open":
                await self.open(name)
            case "close":
                await self.close(name)
            case "watch":
                await self.watch(name)
            case "hide" | "show":
                await worker.chat.presence.set_visible(name, visible=what == "show")
            case "block":
                await worker.chat.blocks.block(name, other)
            case "unblock":
                await worker.chat.blocks.unblock(name, other)
            case "write":
                with suppress(RequestError):
                    await worker.say("hi", sender=name, conversation=":".join(["dm", *sorted((name, other))]),
                                     key=str(self.chance.random()))  # fmt: skip
            case "go":
                with suppress(RequestError):
                    await worker.chat.members.remove(name, self.group, name)
            case "add":
                with suppress(RequestError):
                    await worker.chat.members.add(name, self.group, [other])
            case "pause" if self.streams:
                stream = self.chance.choice(self.streams)[1]
                stream.pause()
                await ticks(*self.workers)
                stream.resume()
            case "deaf":
                with self.redis.client() as client:
                    client.client_kill_filter(_type="pubsub")
            case _:
                await ticks(*self.workers, seconds=self.chance.randint(1, 10))

    async def settle(self) -> None:
        await until(lambda: all(worker.hub.subscriptions.all_heard for worker in self.workers))
        await until(lambda: all(not stream.busy for _, stream, *_ in self.streams))
        await asyncio.sleep(0.1)  # what was published arrives on a busy machine, too
        for _ in range(3):  # those who are told of each other's changes are told of their own first
            await ticks(*self.workers, seconds=GRACE_SECONDS + 3 * ROUND_SECONDS)

    async def agree(self) -> None:
        for worker, stream, sink, known in self.streams:
            user = stream.identity.user
            for event in sink.events():
                if event["event"] == "presence":
                    known.update({each["user"]: each["online"] for each in json.loads(event["data"])["users"]})
            names, group = self.watches.get(user, ([], None))
            try:
                fresh = await worker.chat.presence.now(user, names, group)
            except RequestError:
                fresh = await worker.chat.presence.now(user, names)  # of the group it may know nothing any more
            said = {each.user: each.online for each in fresh}
            assert {name: known.get(name) for name in names} == said, (user, self.history)
            for each in fresh:
                if each.online:
                    with self.redis.client() as client:
                        assert client.pubsub_numsub(keys.live(each.user))[0][1] > 0


@pytest.mark.seeds(6, fast=2)
async def test_what_streams_were_told_is_what_a_fresh_answer_says(
    worker: Worker, other_worker: Worker, redis: RedisProcess, seed: int
) -> None:
    world = World((worker, other_worker), redis, seed)
    await world.start()
    for name in NAMES:
        await world.open(name)
        await world.watch(name)
    for at in range(STEPS):
        await world.step()
        if at % 10 == 9:
            await world.settle()
            await world.agree()
    await asyncio.sleep(0)
