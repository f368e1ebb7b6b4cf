import asyncio

import pytest

from parts import Worker
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.redis.batching import MAX_ITEMS, SIBLINGS, ScriptBatch, ScriptError, load_script

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
