"""People who watch whether others are there, in tests of presence: time passes when the test says so."""

import asyncio
import json
from typing import Any

from parts import FakeSink, Worker
from polling import until
from redises import RedisProcess
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.streams.presence import GRACE_SECONDS, ROUND_SECONDS, TICK_SECONDS
from ssechat.streams.stream import Stream


async def live(worker: Worker, user: str) -> tuple[Stream, FakeSink]:
    """A stream of this user that is live."""
    stream, sink = worker.open_stream(user)
    await until(lambda: stream.live)
    return stream, sink


async def friends(worker: Worker, *names: str) -> None:
    """Alice has written to each of these."""
    for name in names:
        await worker.say("hi", conversation=":".join(["dm", *sorted(("alice", name))]))


async def watch(worker: Worker, user: str, *names: str, device: str = "", group: str | None = None) -> None:
    await worker.chat.presence.watch(UserId(user), device, [UserId(name) for name in names], group)


async def ticks(*workers: Worker, seconds: float = TICK_SECONDS) -> None:
    """So much time passes on these workers."""
    await asyncio.sleep(0.02)  # what was published arrives
    for _ in range(round(seconds / TICK_SECONDS)):
        for worker in workers:
            worker.clock.time += TICK_SECONDS
            await worker.hub.presence.tick()


async def grace(*workers: Worker) -> None:
    await ticks(*workers, seconds=GRACE_SECONDS + 2 * ROUND_SECONDS)


def told(sink: FakeSink) -> list[tuple[str, bool]]:
    """What a stream was told, in order."""
    return [(one["user"], one["online"]) for one in all_told(sink)]


def all_told(sink: FakeSink) -> list[dict[str, Any]]:
    events = [json.loads(event["data"]) for event in sink.checked() if event["event"] == "presence"]
    assert all("id" not in event for event in sink.events() if event["event"] == "presence")
    return [one for event in events for one in event["users"]]


def leave(worker: Worker, *streams: Stream) -> None:
    """These streams end, and the worker does not linger on their channels."""
    for stream in streams:
        stream.lost()
        worker.hub.subscriptions._leaving[stream.channel] = 0.0
    worker.hub.subscriptions._wake.set()


async def gone(redis: RedisProcess, *names: str) -> None:
    """Waits until no worker is subscribed to the channels of these."""
    with redis.client() as client:
        await until(lambda: not any(count for _, count in client.pubsub_numsub(*map(keys.live, names))))


async def kill(worker: Worker) -> None:
    """Ends all that Redis knows of the worker, as its death does."""
    await worker.hub.subscriptions.close()


async def now(worker: Worker, user: str, *names: str, group: str | None = None) -> list[tuple[str, bool]]:
    found = await worker.chat.presence.now(UserId(user), [UserId(name) for name in names], group)
    return [(one.user, one.online) for one in found]


async def last_seen(worker: Worker, user: str, name: str) -> int | None:
    [seen] = await worker.chat.presence.now(UserId(user), (UserId(name),))
    return seen.last_seen
