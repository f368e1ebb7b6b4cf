"""Deliveries a minute, leased from a real Redis by several workers; and requests of one user at a time."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from parts import Worker, settings
from redises import RedisProcess
from ssechat.errors import QuotaExceeded, RedisUnavailable, TooManyWaiting
from ssechat.identity import leases as leases_module
from ssechat.identity.leases import AT_LEAST, AT_ONCE, MAX_WAITING, SHARE, Allowance, Leases
from ssechat.ids import UserId
from ssechat.recent import Recent
from ssechat.redis import keys

pytestmark = pytest.mark.anyio

ALICE, BOB = UserId("alice"), UserId("bob")
KEY = keys.quota("deliveries", ALICE)


def make(worker: Worker, limit: int, workers: int = 1) -> Leases:
    chosen = settings(None, deliveries_per_user=limit).model_copy(update={"workers": workers})
    return Leases(worker.redis, chosen, worker.clock)


async def enter(leases: Leases, user: UserId = ALICE, deliveries: int = AT_LEAST) -> Allowance:
    """As the guard does it."""
    return leases.begin(user, deliveries) or await leases.wait(user, deliveries)


async def ask(leases: Leases, user: UserId = ALICE, reached: int = AT_LEAST) -> bool:
    """A request that reaches so many inboxes; returns whether it was let in."""
    try:
        allowance = await enter(leases, user)
    except QuotaExceeded:
        return False
    leases.charge((user,), reached)
    allowance.done()
    return True


async def settled(*each: Leases) -> None:
    """Waits for leases that are asked for."""
    for leases in each:
        for allowance in (leases._allowances[user] for user in (ALICE, BOB)):
            if allowance.lease is not None:
                await asyncio.wait([allowance.lease])


def later(redis: RedisProcess, seconds: float) -> None:
    """Advances time in Redis for alice."""
    with redis.client() as client:
        at = client.get(KEY)
        if at is not None:
            client.set(KEY, int(at) - int(seconds * 1e6), px=3_600_000)


def commands(redis: RedisProcess) -> int:
    with redis.client() as client:
        return int(client.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"])


async def let_through(each: Sequence[Leases], requests: int, reached: int = AT_LEAST) -> int:
    """Deliveries of a flooder who sends as fast as it goes over many connections to all workers."""
    through = 0
    for _ in range(requests):
        answers = await asyncio.gather(*[ask(leases, reached=reached) for leases in each for _ in range(16)])
        through += reached * sum(answers)
        if not any(answers):
            break
    return through


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_a_flooder_gets_the_limit_and_an_eighth_through_all_workers_and_no_more(
    worker: Worker, other_worker: Worker, count: int
) -> None:
    each = [make((worker, other_worker)[i % 2], 2400, count) for i in range(count)]
    through = await let_through(each, 5000)
    assert 2400 <= through <= 2400 + 2400 / SHARE + 200, "and what comes back meanwhile"
    assert not await ask(each[0])


@pytest.mark.parametrize("count", [1, 4])
async def test_a_flooder_of_groups_goes_over_the_limit_by_what_is_under_way_and_pays_for_it_later(
    worker: Worker, redis: RedisProcess, count: int
) -> None:
    each = [make(worker, 2400, count) for _ in range(count)]
    through = await let_through(each, 5000, reached=1000)
    assert through <= 2400 + 2400 / SHARE + count * AT_ONCE * 1000 + 200
    later(redis, 50)
    worker.clock.time += 50
    if through > 2 * 2400 + 2400 / SHARE:
        assert not await ask(each[0]), "a debt is paid before anything else"
    later(redis, 1000)
    worker.clock.time += 1000
    assert await ask(each[0])


async def test_a_user_who_may_send_the_limit_gets_it_on_one_worker_of_many(worker: Worker) -> None:
    leases = make(worker, 2400, workers=64)
    for sent in range(1200):
        assert await ask(leases), sent
        if sent % 2 == 0:
            await settled(leases)


async def test_what_is_used_comes_back_evenly_by_the_clock_of_redis(worker: Worker, redis: RedisProcess) -> None:
    leases = make(worker, 240)
    await let_through([leases], 5000)
    with pytest.raises(QuotaExceeded) as caught:
        await enter(leases)
    assert caught.value.policies == [("deliveries", 240, 60)]
    assert caught.value.retry_after == 1
    assert str(caught.value) == "You have sent too much; try again in 1 s."
    worker.clock.time += 3600  # the worker's own clock brings nothing back
    assert not await ask(leases)
    later(redis, 30)
    worker.clock.time += 30
    assert 119 <= await let_through([leases], 5000) <= 125


async def test_an_accepted_request_waits_for_no_call_and_few_are_made(worker: Worker, redis: RedisProcess) -> None:
    leases = make(worker, 80_000)  # a block has 10,000
    before = commands(redis)
    for number in range(20_000):
        allowance = leases.begin(ALICE, 1)
        assert allowance is not None, number
        allowance.done()
        if number % 1000 == 0:
            await settled(leases)
    assert commands(redis) - before <= 5
    assert commands(redis) > before


async def test_who_sends_little_costs_redis_nothing(worker: Worker, redis: RedisProcess) -> None:
    leases, before = make(worker, 30_000, workers=2), commands(redis)
    for _ in range(200):
        assert await ask(leases, reached=2)
    await settled(leases)
    assert commands(redis) == before
    with redis.client() as client:
        assert not client.exists(KEY)


async def test_one_user_uses_up_nothing_of_anothers(worker: Worker) -> None:
    leases = make(worker, 240)
    await let_through([leases], 5000)
    assert not await ask(leases)
    assert await ask(leases, BOB)


async def test_reading_is_refused_to_nobody(worker: Worker) -> None:
    leases = make(worker, 8)
    await let_through([leases], 100)
    for _ in range(20):
        allowance = await enter(leases, deliveries=0)
        allowance.done()


async def test_with_a_limit_of_0_everything_is_let_in_and_redis_not_asked(worker: Worker, redis: RedisProcess) -> None:
    leases, before = make(worker, 0), commands(redis)
    for _ in range(1000):
        assert await ask(leases, reached=100_000)
    assert commands(redis) == before
    assert not leases.quota.limit


@pytest.mark.parametrize("limit", [1, 2, 7, 9])
async def test_the_smallest_limits_let_through_what_they_say(worker: Worker, limit: int) -> None:
    leases = make(worker, limit, workers=4)
    through = await let_through([leases], 100)
    assert limit <= through <= limit + 1 + 2 * AT_LEAST
    assert not await ask(leases)


async def test_who_did_something_together_shares_it_and_what_reached_few_counts_no_more(worker: Worker) -> None:
    leases = make(worker, 80_000)
    full = leases.block
    for user in (ALICE, BOB):
        (await enter(leases, user)).done()
    leases.charge((ALICE, BOB), 7)  # four each, two of which are counted
    assert [leases._allowances[user].balance for user in (ALICE, BOB)] == [full - 4, full - 4]
    for reached in (0, 1, 2):
        leases.charge((ALICE,), reached)
    leases.charge((ALICE, BOB), 3)
    leases.charge((), 100)
    assert leases._allowances[ALICE].balance == full - 4


async def test_a_debt_at_one_worker_is_known_to_the_others_though_the_user_does_not_come_back_there(
    worker: Worker, other_worker: Worker
) -> None:
    here, there = make(worker, 2400, 2), make(other_worker, 2400, 2)
    assert await ask(here, reached=10_000)
    await settled(here)
    through = await let_through([there], 5000)
    assert through <= there.block + 2 * AT_ONCE


async def test_a_worker_never_holds_more_than_a_block(worker: Worker) -> None:
    leases = make(worker, 8000)
    for number in range(3000):
        assert await ask(leases, reached=2 + number % 3)
        assert leases._allowances[ALICE].balance <= leases.block
        if number % 7 == 0:
            await settled(leases)


async def test_a_worker_does_not_ask_again_before_there_can_be_something(
    worker: Worker, other_worker: Worker, redis: RedisProcess
) -> None:
    here, there = make(worker, 800, 1), make(other_worker, 800, 1)
    await let_through([there], 5000)
    before = commands(redis)
    while leases_left := here.begin(ALICE, AT_LEAST):
        leases_left.done()
        await settled(here)
    assert commands(redis) - before <= 3


async def test_with_redis_away_nobody_is_told_to_have_sent_too_much(worker: Worker) -> None:
    leases = make(worker, 80)
    await worker.redis.close()
    for _ in range(5):
        (await enter(leases)).done()
    with pytest.raises(RedisUnavailable):
        await enter(leases)
    assert leases._allowances[ALICE].running == 0


async def test_a_lease_whose_answer_is_lost_locks_nobody_out(worker: Worker, redis: RedisProcess) -> None:
    leases = make(worker, 80)
    await let_through([leases], 2)
    with contextlib.suppress(RedisUnavailable):
        for _ in range(20):
            await ask(leases)
            worker.redis.reconnect()
            await worker.redis.wait_connected(5)
    assert await worker.redis.wait_connected(5)
    later(redis, 60)
    worker.clock.time += 60
    assert await ask(leases)


async def test_a_clock_of_redis_that_was_set_back_locks_out_for_no_longer_than_a_debt_may(
    worker: Worker, redis: RedisProcess
) -> None:
    leases = make(worker, 80)
    await let_through([leases], 5000)
    later(redis, -36_000)
    worker.clock.time += 60
    with pytest.raises(QuotaExceeded) as caught:
        await enter(leases)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after <= 16 * 60


async def test_no_more_than_some_requests_of_a_user_are_under_way_and_the_others_have_their_turns(
    worker: Worker,
) -> None:
    leases = make(worker, 0)
    running = [await enter(leases) for _ in range(AT_ONCE)]
    began: list[int] = []

    async def one(number: int) -> Allowance:
        allowance = await enter(leases, deliveries=number % 2)
        began.append(number)
        return allowance

    waiting = [asyncio.create_task(one(number)) for number in range(5)]
    await asyncio.sleep(0)
    (await enter(leases, BOB)).done()
    assert not began
    waiting[1].cancel()
    for allowance in running[:2]:
        allowance.done()
    await asyncio.wait(waiting[:3:2], timeout=5)
    assert began == [0, 2]
    for allowance in running[2:]:
        allowance.done()
    for task in (waiting[0], *waiting[2:]):
        (await task).done()
    assert leases._allowances[ALICE].running == 0


async def test_a_request_whose_client_goes_away_as_its_turn_comes_passes_it_on(worker: Worker) -> None:
    leases = make(worker, 0)
    running = [await enter(leases) for _ in range(AT_ONCE)]
    gone, stays = asyncio.create_task(enter(leases)), asyncio.create_task(enter(leases))
    await asyncio.sleep(0)
    running[0].done()
    gone.cancel()
    async with asyncio.timeout(5):
        (await stays).done()
    for allowance in running[1:]:
        allowance.done()
    assert leases._allowances[ALICE].running == 0


async def test_requests_that_wait_are_bounded_too(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    leases = make(worker, 0)
    running = [await enter(leases) for _ in range(AT_ONCE)]
    waiting = [asyncio.create_task(enter(leases)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with caplog.at_level(logging.WARNING), pytest.raises(TooManyWaiting) as refused:
        await enter(leases, deliveries=0)
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (503, "full", 1)
    assert f"(requests, {AT_ONCE} under way and {MAX_WAITING} waiting): alice" in caplog.text
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    for allowance in running:
        allowance.done()
    (await enter(leases)).done()


async def test_refusals_are_counted_and_logged_once_a_minute(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    leases = make(worker, 8)
    with caplog.at_level(logging.WARNING):
        await let_through([leases], 100)
        for _ in range(10):
            assert not await ask(leases)
    [line] = caplog.messages
    assert line.startswith("over a quota (deliveries, 8 in 60 s): alice; ")
    assert worker.redis.metrics.over_quota["deliveries"] >= 10


async def test_the_allowances_of_a_million_users_take_no_more_room_than_those_of_some_thousand(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_module, "MAX_USERS", 100)
    leases = make(worker, 80)
    for _ in range(6):
        await ask(leases)
    for number in range(1000):
        await ask(leases, UserId(f"user{number}"))
        if number % 50 == 0:
            assert leases._allowances[ALICE].balance < leases.block, "who goes on is not forgotten"
    assert leases._allowances.kept <= 200


def test_what_is_used_often_is_kept_however_much_else_comes() -> None:
    recent: Recent[int, list[int]] = Recent(4, lambda key: [key])
    often = recent[0]
    for key in range(1, 100):
        recent[key]
        assert recent[0] is often
        assert recent.kept <= 8
    first = recent[500]
    for key in range(600, 610):
        recent[key]
    assert recent[500] is not first


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    limit=st.integers(1, 500),
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.integers(AT_LEAST, 60), st.integers(0, 20)), min_size=1, max_size=40
    ),
)
async def test_whatever_four_workers_are_asked_no_user_gets_more_than_is_promised(
    worker: Worker, redis: RedisProcess, limit: int, steps: list[tuple[int, int, int]]
) -> None:
    with redis.client() as client:
        client.delete(KEY)
    each = [make(worker, limit, 4) for _ in range(4)]
    through = seconds = 0
    debt = 0
    for which, reached, wait in steps:
        if await ask(each[which], reached=reached):
            through += reached
            debt = max(debt, reached)
        later(redis, wait)
        worker.clock.time += wait
        seconds += wait
    bound = limit * (1 + (seconds + 5) / 60) + max(limit / SHARE, 4) + 4 * debt
    assert through <= math.ceil(bound)
