"""Blocks: stored in two places, of which one enforces, and what a worker that died has left is finished."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from parts import ALICE, BOB, DM, Worker
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.ids import UserId
from ssechat.logs.blocks import ASKED_AT_ONCE, Blocks
from ssechat.redis import keys

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

CAROL = UserId("carol")


def enforced(redis: RedisProcess) -> str | None:
    """The field of the conversation of alice and bob that enforces blocks."""
    with redis.client() as client:
        value = client.hget(keys.conversation(DM), "blocks")
        return None if value is None else value.decode()


@pytest.fixture
def blocks(worker: Worker) -> Blocks:
    return Blocks(worker.redis, 100)


async def test_a_block_counts_both_ways_until_it_is_taken_back(blocks: Blocks) -> None:
    assert await blocks.between(ALICE, [BOB, CAROL]) == frozenset()
    await blocks.block(ALICE, BOB)
    assert await blocks.between(ALICE, [ALICE, BOB, CAROL]) == {BOB}
    assert await blocks.between(BOB, [ALICE, CAROL]) == {ALICE}
    assert await blocks.between(CAROL, [ALICE, BOB]) == frozenset()
    assert await blocks.by([BOB, CAROL], ALICE) == frozenset()
    assert await blocks.by([ALICE, CAROL], BOB) == {ALICE}
    assert await blocks.listed(ALICE, [BOB, CAROL]) == {BOB}
    assert await blocks.listed(BOB, [ALICE]) == frozenset()
    await blocks.unblock(ALICE, BOB)
    assert await blocks.between(ALICE, [BOB]) == await blocks.between(BOB, [ALICE]) == frozenset()
    assert await blocks.listed(ALICE, [BOB]) == frozenset()


async def test_each_of_two_has_a_block_of_its_own(blocks: Blocks, redis: RedisProcess) -> None:
    await blocks.block(ALICE, BOB)
    await blocks.block(BOB, ALICE)
    await blocks.block(BOB, ALICE)
    assert enforced(redis) == "alice bob"
    await blocks.unblock(ALICE, BOB)
    assert await blocks.by([BOB], ALICE) == {BOB}
    assert await blocks.by([ALICE], BOB) == frozenset()
    assert await blocks.between(ALICE, [BOB]) == {BOB}
    await blocks.unblock(BOB, ALICE)
    assert enforced(redis) is None


async def test_it_is_asked_of_many_in_one_call(blocks: Blocks) -> None:
    many = [UserId(f"u{number}") for number in range(ASKED_AT_ONCE + 2)]
    await blocks.block(many[0], ALICE)
    await blocks.block(many[-1], ALICE)
    await blocks.block(ALICE, many[1])
    assert await blocks.between(ALICE, many) == {many[0], many[1], many[-1]}
    assert await blocks.by(many, ALICE) == {many[0], many[-1]}
    assert await blocks.listed(ALICE, many) == {many[1]}
    assert await blocks.listed(ALICE, ()) == frozenset()


async def test_those_whom_one_has_blocked_are_listed_by_name_in_pages(blocks: Blocks) -> None:
    for name in ("d", "b", "a", "c"):
        await blocks.block(ALICE, UserId(name))
    assert await blocks.page(ALICE, "", 2) == (["a", "b"], True)
    assert await blocks.page(ALICE, "b", 2) == (["c", "d"], False)
    assert await blocks.page(ALICE, "d", 2) == ([], False)
    assert await blocks.count(ALICE) == 4
    assert await blocks.count(BOB) == 0


@pytest.mark.parametrize("wanted", [True, False], ids=["block", "unblock"])
async def test_a_repeat_finishes_what_a_worker_that_died_between_the_two_writes_has_left(
    blocks: Blocks, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    change = blocks.block if wanted else blocks.unblock
    if not wanted:
        await blocks.block(ALICE, BOB)
    with monkeypatch.context() as patched:

        async def die(*_: object, **__: object) -> None:
            raise RedisUnavailable("the worker is killed here")

        patched.setattr(blocks, "_list" if wanted else "_reconcile", die)
        with pytest.raises(RedisUnavailable):
            await change(ALICE, BOB)
    # Both ways it errs on the same side: it is enforced, and not listed.
    assert enforced(redis) == "alice"
    assert await blocks.listed(ALICE, [BOB]) == frozenset()
    await change(ALICE, BOB)
    assert (enforced(redis) == "alice") is wanted
    assert bool(await blocks.listed(ALICE, [BOB])) is wanted


class Steps(Blocks):
    """Blocks of one pair, whose two places are two values, and whose steps others' come between by chance."""

    enforced = is_listed = False

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    async def _others(self) -> None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    async def _enforce(self, user: UserId, other: UserId, *, blocked: bool) -> None:
        await self._others()
        Steps.enforced = blocked

    async def _list(self, user: UserId, other: UserId, *, blocked: bool) -> None:
        await self._others()
        Steps.is_listed = blocked

    async def listed(self, user: UserId, others: Sequence[UserId]) -> frozenset[UserId]:
        await self._others()
        found = frozenset([BOB] if Steps.is_listed else [])
        await self._others()
        return found


async def test_devices_that_block_and_unblock_at_the_same_time_leave_what_is_listed_enforced() -> None:
    chance = random.Random(7)
    blocks = Steps(chance)
    for _ in range(2000):
        changes = [chance.choice([blocks.block, blocks.unblock]) for _ in range(chance.randint(2, 4))]
        await asyncio.gather(*(change(ALICE, BOB) for change in changes))
        assert Steps.enforced is Steps.is_listed


async def test_who_changes_the_same_block_for_ever_is_told_that_the_outcome_is_unknown(
    blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    flips = iter(range(1000))

    async def flip(*_: object) -> frozenset[UserId]:
        return frozenset([BOB] * (next(flips) % 2))

    monkeypatch.setattr(blocks, "listed", flip)
    with pytest.raises(RedisUnavailable, match="again and again"):
        await blocks.block(ALICE, BOB)
