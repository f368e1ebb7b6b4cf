"""What a reader of a feed with keys knows from its events is what the feed has, whatever became of its connections."""

import json
import random
from typing import Any

import pytest

from parts import FOR_EVER, FakeSink, Worker
from polling import until
from ssechat.chat.feeds import NewEvent
from ssechat.events.source import START
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.streams.stream import ALL, Stream

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

FEED = "prices"
KEYS = "abcdefg"


class Reader:
    """A client: the newest value that it knows of each key, over any number of connections."""

    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers
        self.known: dict[str, Any] = {}
        self.cursor: str | None = None
        self.taken = 0

    def connect(self, on: int) -> None:
        worker = self._workers[on]
        source = worker.chat.feeds.feeds.source(FEED)
        self.stream, self.sink = Stream(worker.hub, Identity(UserId(""), FOR_EVER), source), FakeSink()
        self.taken = 0
        self.stream.opened(self.sink, self.cursor)
        worker.hub.attach(self.stream, self.cursor, worker.auth.sign_outs, ALL)

    def read(self) -> None:
        """Takes what has come."""
        events = self.sink.events()
        for event in events[self.taken :]:
            assert event["event"] != "reset", "nothing was lost"
            if event["event"] == "price":
                item = json.loads(event["data"])
                if item["data"] is None:
                    self.known.pop(item["key"], None)
                else:
                    self.known[item["key"]] = item["data"]
            self.cursor = event.get("id", self.cursor)
        self.taken = len(events)

    def cut(self) -> None:
        """The connection is lost, and with it what was not read."""
        self.stream.lost()


async def publish(worker: Worker, data: Any, key: str) -> None:
    await worker.chat.feeds.publish(None, FEED, NewEvent("price", data, key, None))


@pytest.mark.seeds(30, fast=6)
async def test_what_readers_know_is_what_the_feed_has(worker: Worker, other_worker: Worker, seed: int) -> None:
    chance = random.Random(seed)
    workers = [worker, other_worker]
    await worker.chat.feeds.put(None, FEED, "public", None, 0, (), keyed=True)
    readers = [Reader(workers) for _ in range(6)]
    for reader in readers:
        reader.connect(chance.randrange(2))
    for number in range(150):
        await publish(chance.choice(workers), chance.choice([number, number, number, None]), chance.choice(KEYS))
        reader = chance.choice(readers)
        match chance.randrange(8):
            case 0 if not reader.stream.closed and reader.stream.paused_at is None:
                reader.stream.pause()
            case 1 if reader.stream.paused_at is not None and not reader.stream.closed:
                reader.stream.resume()
            case 2:
                if chance.random() < 0.5:
                    reader.read()
                reader.cut()
            case 3 if reader.stream.closed:
                reader.connect(chance.randrange(2))
            case 4:
                reader.read()
    for reader in readers:
        if reader.stream.closed:
            reader.connect(chance.randrange(2))
        elif reader.stream.paused_at is not None:
            reader.stream.resume()
    head = await worker.chat.feeds.feeds.head(FEED)
    await until(lambda: all(reader.stream.live and reader.stream.cursor == head for reader in readers))
    _, stored = await worker.chat.feeds.feeds.stored(FEED, START, 1000, 1_000_000)
    has = {item["key"]: item["data"] for item in (json.loads(one.data) for one in stored) if item["data"] is not None}
    for reader in readers:
        reader.read()
        assert reader.known == has
