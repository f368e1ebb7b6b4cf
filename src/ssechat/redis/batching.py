"""Group commit: items that are submitted during a call to Redis share the next call."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import hiredis

from ssechat.errors import RedisUnavailable
from ssechat.redis.client import Redis
from ssechat.redis.connection import Reply
from ssechat.redis.lua import with_values
from ssechat.redis.packed import Argument, Packed, join, pack
from ssechat.redis.refusals import RedisRefused

MAX_ITEMS = 128
BUDGET = 256
"""Items in one call, and deliveries: more would hold up everybody else's commands in Redis."""

PAUSE = 0.001
SIBLINGS = 4
"""If at least `SIBLINGS` items wait when a call ends, more are likely to follow, also from the callers that just got
their replies: the next call is delayed by `PAUSE` seconds. A call costs as much as several items, its fsync included
(`python -m tests.bench sends --rate 0`). A single item is not delayed."""

MAX_WAITING = 20_000
"""Upper bound of the waiting items; more are refused at once."""


class ScriptError(RedisRefused):
    """The script failed for this item only."""


@dataclass(slots=True)
class _Item:
    keys: Sequence[Packed]
    arguments: Sequence[Packed]
    weight: int
    future: "asyncio.Future[Reply]"


class ScriptBatch:
    """A Lua script that takes a list of items, each with its keys and arguments, and finds where one ends.

    The script returns one reply per item. An error reply concerns only its item. An additional reply at the end is an
    error of an optional command. One call is under way at a time, so batches grow with the load and an fsync is shared
    by all that waited for it.
    """

    def __init__(self, redis: Redis, source: str) -> None:
        self._redis = redis
        self._source = source = with_values(source)
        self._digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._waiting: deque[_Item] = deque()
        self._busy = False
        """Whether a call is under way, or about to begin."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, keys: Sequence[str], arguments: Sequence[Argument], weight: int = 1) -> "asyncio.Future[Reply]":
        """Queues one item, of so many deliveries; the future gets its reply, or RedisUnavailable; TypeError or
        ValueError, if the item cannot be sent."""
        try:
            packed = (pack(keys),), (pack(arguments),)
        except (TypeError, ValueError) as error:
            future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            future.set_exception(error)
            return future
        return self.submit_packed(*packed, weight)

    def submit_packed(
        self, keys: Sequence[Packed], arguments: Sequence[Packed], weight: int = 1
    ) -> "asyncio.Future[Reply]":
        """Queues one item, as `submit` does, whose keys and arguments are packed, in one part or several."""
        loop = self._loop
        if loop is None:  # cached: get_running_loop() costs a system call
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        if len(self._waiting) >= MAX_WAITING:
            future.set_exception(RedisUnavailable("too many items wait for Redis"))
            return future
        if not self._busy:
            self._busy = True
            loop.call_soon(self._next_call)
        self._waiting.append(_Item(keys, arguments, weight, future))
        return future

    def _next_call(self) -> None:
        self._busy = bool(self._waiting)
        if not self._busy:
            return
        items = [self._waiting.popleft()]
        weight = items[0].weight
        while self._waiting and len(items) < MAX_ITEMS and weight + self._waiting[0].weight <= BUDGET:
            items.append(self._waiting.popleft())
            weight += items[-1].weight
        self._redis.metrics.batch_items.observe(len(items))
        self._call("EVALSHA", self._digest, items)

    def _call(self, verb: str, script: str, items: list[_Item]) -> None:
        keys = join([part for item in items for part in item.keys])
        arguments = join([part for item in items for part in item.arguments])
        number, _ = keys
        call = self._redis.send(verb, script, number, rest=join((keys, arguments)))
        call.add_done_callback(lambda done: self._answered(verb, items, done))

    def _answered(self, verb: str, items: list[_Item], call: "asyncio.Future[Reply]") -> None:
        error = call.exception()
        if isinstance(error, RedisRefused) and str(error).startswith("NOSCRIPT") and verb == "EVALSHA":
            # Redis was restarted, or its scripts were flushed. Nothing has run; EVAL stores the script again.
            self._call("EVAL", self._source, items)
            return
        if isinstance(error, RedisUnavailable) and not isinstance(error, RedisRefused):
            # Redis is away: the waiting items fail now, instead of each after its timeout.
            items += self._waiting
            self._waiting.clear()
        replies = call.result() if error is None else [error] * len(items)
        if len(replies) > len(items):
            # An optional command (PUBLISH) was refused; the items succeeded.
            self._redis.on_refused(str(replies.pop()))
        for item, reply in zip(items, replies, strict=True):
            future = item.future
            if future.done():
                continue
            if isinstance(reply, hiredis.ReplyError):
                self._redis.on_refused(str(reply))
                future.set_exception(ScriptError(str(reply)))
            elif isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(reply)
        if SIBLINGS <= len(self._waiting) < MAX_ITEMS:
            call.get_loop().call_later(PAUSE, self._next_call)
        else:
            self._next_call()
