"""Feeds in tests: made and filled without HTTP, and read by streams of a worker."""

import json
from pathlib import Path
from typing import Any

from app_client import client_of
from parts import FOR_EVER, FakeSink, Worker
from redises import RedisProcess
from ssechat.chat.feeds import NewEvent
from ssechat.events.source import START
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.logs.feed_terms import Terms
from ssechat.streams.stream import Stream

ADMIN_TOKEN = "an-admin-token-for-tests"
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
ROOM = 1_000_000
EVENTS = "/v1/feeds/ticks/events"


async def make(worker: Worker, name: str = "ticks", *, keyed: bool = False, keep: int = 1000) -> Terms:
    terms, made = await worker.chat.feeds.put(None, name, "public", None, keep, (), keyed=keyed)
    assert made
    return terms


async def publish(
    worker: Worker, data: Any, key: str | None = None, *, name: str = "ticks", id: str | None = None
) -> str:
    event, _ = await worker.chat.feeds.publish(None, name, NewEvent("tick", data, key, id))
    return event.id


async def kept(worker: Worker, cursor: str = START, name: str = "ticks") -> list[Any]:
    """The data of what is kept after the cursor."""
    _, stored = await worker.chat.feeds.feeds.stored(name, cursor, 5000, 8 * ROOM)
    return [json.loads(one.data)["data"] for one in stored]


def opened(
    worker: Worker,
    cursor: str | None = None,
    since: str | None = None,
    name: str = "ticks",
    user: str = "",
    identity: Identity | None = None,
) -> tuple[Stream, FakeSink]:
    source = worker.chat.feeds.feeds.source(name)
    stream, sink = Stream(worker.hub, identity or Identity(UserId(user), FOR_EVER), source), FakeSink()
    stream.opened(sink, cursor)
    worker.hub.attach(stream, cursor, worker.auth.sign_outs, since)
    return stream, sink


def values(sink: FakeSink) -> list[Any]:
    return [json.loads(event["data"])["data"] for event in sink.events() if event["event"] == "tick"]


def app_of(redis: RedisProcess, folder: Path, **more: Any) -> Any:
    (folder / "admin").write_text(f"{ADMIN_TOKEN}\n")
    return client_of(redis.url, folder, admin_token_file=folder / "admin", **more)
