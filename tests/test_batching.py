import asyncio
from typing import Any

import pytest

from parts import Worker
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.redis.batching import BUDGET, MAX_ITEMS, SIBLINGS, ScriptBatch, ScriptError
from ssechat.redis.client import Redis
from ssechat.redis.connection import NOTHING
from ssechat.redis.lua import load_script
from ssechat.redis.packed import Packed
from ssechat.redis.refusals import RedisRefused
from ssechat.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

COUNT = """
local answers = {}
redis.call('INCR', 'calls')
for i = 1, #KEYS do
  if ARGV[i] == 'bad' then answers[i] = redis.error_reply('ERR bad item') else answers[i] = KEYS[i] .. ARGV[i] end
end
return answers
"""


async def test_group_commit_items_of_one_loop_iteration_share_a_call(worker: Worker) -> None:
    batch = ScriptBatch(worker.redis, COUNT)
    answers = await asyncio.gather(*[batch.submit([f"k{i}"], [i]) for i in range(10)])
    assert answers == [f"k{i}{i}".encode() for i in range(10)]
    assert await worker.redis.call("GET", "calls") == b"1"


async def test_group_commit_items_during_a_call_share_the_next(worker: Worker) -> None:
    batch = ScriptBatch(worker.redis, COUNT)
    first = batch.submit(["a"], [1])
    await asyncio.sleep(0)
    later = [batch.submit(["b"], [i]) for i in range(5)]
    await asyncio.gather(first, *later)
    assert await worker.redis.call("GET", "calls") == b"2"


async def test_group_commit_waits_a_little_for_more_items(worker: Worker) -> None:
    batch = ScriptBatch(worker.redis, COUNT)
    first = batch.submit(["a"], [1])
    await asyncio.sleep(0)
    waiting = [batch.submit(["b"], [i]) for i in range(SIBLINGS)]
    await first
    later = [batch.submit(["c"], [i]) for i in range(5)]
    await asyncio.gather(*waiting, *later)
    assert await worker.redis.call("GET", "calls") == b"2"


async def test_group_commit_does_not_delay_a_single_item(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.redis.batching.PAUSE", 3600)
    batch = ScriptBatch(worker.redis, COUNT)
    first = batch.submit(["a"], [1])
    await asyncio.sleep(0)
    alone = batch.submit(["b"], [2])
    async with asyncio.timeout(5):
        assert [await first, await alone] == [b"a1", b"b2"]


async def test_group_commit_does_not_delay_a_full_batch(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.redis.batching.PAUSE", 3600)
    batch = ScriptBatch(worker.redis, COUNT)
    first = batch.submit(["a"], [1])
    await asyncio.sleep(0)
    full = [batch.submit(["b"], [i]) for i in range(MAX_ITEMS)]
    async with asyncio.timeout(5):
        await asyncio.gather(first, *full)


async def test_group_commit_batches_are_bounded(worker: Worker) -> None:
    batch = ScriptBatch(worker.redis, COUNT)
    answers = await asyncio.gather(*[batch.submit(["k"], [i]) for i in range(2 * MAX_ITEMS + 1)])
    assert answers == [f"k{i}".encode() for i in range(2 * MAX_ITEMS + 1)]
    assert await worker.redis.call("GET", "calls") == b"3"


async def test_group_commit_an_error_fails_only_its_item(worker: Worker) -> None:
    batch = ScriptBatch(worker.redis, COUNT)
    before, bad, after = batch.submit(["a"], ["x"]), batch.submit(["b"], ["bad"]), batch.submit(["c"], ["y"])
    assert await before == b"ax"
    with pytest.raises(ScriptError, match="bad item"):
        await bad
    assert await after == b"cy"


async def test_noscript_sends_the_script_again(worker: Worker) -> None:
    batch = ScriptBatch(worker.redis, COUNT)
    assert await batch.submit(["a"], ["1"]) == b"a1"
    await worker.redis.call("SCRIPT", "FLUSH")
    assert await batch.submit(["b"], ["2"]) == b"b2"
    assert await worker.redis.call("GET", "calls") == b"2"


async def test_a_caller_that_has_gone_leaves_the_others_their_answers(worker: Worker) -> None:
    batch = ScriptBatch(worker.redis, COUNT)
    gone, stays = batch.submit(["a"], ["1"]), batch.submit(["b"], ["2"])
    gone.cancel()
    assert await stays == b"b2"


async def test_without_redis_every_item_fails_and_the_next_one_is_tried(worker: Worker, redis: RedisProcess) -> None:
    batch = ScriptBatch(worker.redis, COUNT)
    redis.kill()
    while worker.redis.connected:
        await asyncio.sleep(0.01)
    failed = await asyncio.gather(*[batch.submit(["a"], ["1"]) for _ in range(3)], return_exceptions=True)
    assert [type(error) for error in failed] == [RedisUnavailable] * 3
    redis.start()
    assert await worker.redis.wait_connected(5)
    assert await batch.submit(["a"], ["1"]) == b"a1"


def test_a_script_stands_beside_its_module() -> None:
    assert "XADD" in load_script("ssechat.logs.delivery", "common.lua", "append.lua")


async def test_an_item_that_cannot_be_sent_fails_alone_and_holds_up_nobody(worker: Worker) -> None:
    batch = ScriptBatch(worker.redis, COUNT)
    wrong: list[Any] = [object(), "\ud800"]
    before = batch.submit(["a"], ["x"])
    items = [batch.submit(["b"], [argument]) for argument in wrong]
    async with asyncio.timeout(2):
        outcomes = await asyncio.gather(before, *items, return_exceptions=True)
        assert all(isinstance(outcome, Exception) for outcome in outcomes[1:])
        assert await batch.submit(["c"], ["y"]) == b"cy"
        heavy = batch.submit(["b"], wrong[:1], BUDGET)
        assert await batch.submit(["c"], ["z"]) == b"cz", "it was in another call"
        assert heavy.exception() is not None


class SilentRedis(Redis):
    """Answers when it is told to, and as it is told."""

    def __init__(self) -> None:
        super().__init__("redis://nowhere", 1, Metrics())
        self.calls: list[tuple[Any, ...]] = []
        self.answers: list[asyncio.Future[Any]] = []

    def send(self, *command: Any, rest: Packed = NOTHING) -> "asyncio.Future[Any]":
        self.calls.append(command)
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


async def test_more_items_than_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.redis.batching.MAX_WAITING", 3)
    batch = ScriptBatch(SilentRedis(), COUNT)
    waiting = [batch.submit(["k"], [i]) for i in range(3)]
    refused = batch.submit(["k"], [3])
    assert not any(item.done() for item in waiting)
    assert isinstance(refused.exception(), RedisUnavailable)


async def test_those_behind_a_call_that_was_not_answered_are_told_with_it() -> None:
    redis = SilentRedis()
    batch = ScriptBatch(redis, COUNT)
    first = batch.submit(["a"], [1])
    await asyncio.sleep(0)
    behind = [batch.submit(["b"], [i]) for i in range(MAX_ITEMS + 1)]
    redis.answers[0].set_exception(RedisUnavailable("Redis did not answer"))
    outcomes = await asyncio.wait_for(asyncio.gather(first, *behind, return_exceptions=True), 5)
    assert all(isinstance(outcome, RedisUnavailable) for outcome in outcomes)
    assert len(redis.calls) == 1
    last = batch.submit(["c"], [2])
    await asyncio.sleep(0)
    redis.answers[1].set_result([b"c2"])
    assert await last == b"c2"


async def test_a_redis_that_forgets_a_script_it_was_just_given_is_not_given_it_for_ever() -> None:
    redis = SilentRedis()
    batch = ScriptBatch(redis, COUNT)
    item = batch.submit(["a"], [1])
    for verb in ("EVALSHA", "EVAL"):
        await asyncio.sleep(0)
        assert redis.calls[-1][0] == verb
        redis.answers[-1].set_exception(RedisRefused("NOSCRIPT No matching script."))
        await asyncio.sleep(0)
    with pytest.raises(RedisRefused, match="NOSCRIPT"):
        await asyncio.wait_for(item, 5)
    assert len(redis.calls) == 2
