"""The roll of a worker: whom another worker takes for online after its death, though it knows nobody."""

from typing import Any

import pytest

from parts import BOB, Worker, a_worker
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.identity.roll import KEEP_SECONDS, Roll
from ssechat.identity.sightings import ASKED_AT_ONCE, GRACE_SECONDS
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.redis.connection import Reply
from ssechat.streams.stream import RETRY_AFTER_TROUBLE
from watching import friends, gone, kill, leave, live, now, ticks

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

MS = 1000


async def write(worker: Worker) -> None:
    await worker.hub._roll.write(worker.hub._users)


def rolls(redis: RedisProcess) -> dict[bytes, list[bytes]]:
    with redis.client() as client:
        return {key: sorted(client.hkeys(key)) for key in client.hkeys(keys.ROLLS)}


def expire(redis: RedisProcess) -> None:
    """The grace after the death of all workers passes."""
    with redis.client() as client:
        client.delete(*client.hkeys(keys.ROLLS))


async def test_of_a_worker_that_dies_all_are_there_to_one_that_does_not_know_them_until_the_grace_is_over(
    worker: Worker, redis: RedisProcess
) -> None:
    await friends(worker, "bob", "carol", "dave")
    async with a_worker(redis.url) as dying:
        await live(dying, "bob")
        await live(dying, "carol")
        await write(dying)
        await worker.chat.presence.set_visible(UserId("carol"), visible=False)
        await kill(dying)
        await gone(redis, "bob", "carol")
        answer = [("bob", True), ("carol", False), ("dave", False)]
        assert await now(worker, "alice", "bob", "carol", "dave") == answer, "carol does not want to be seen"
        with redis.client() as client:
            [roll] = rolls(redis)
            assert 0 < client.ttl(roll) <= GRACE_SECONDS
        expire(redis)
        assert await now(worker, "alice", "bob") == [("bob", False)]
        assert rolls(redis) == {}, "what has expired is forgotten"


async def test_who_was_told_to_be_offline_is_so_whatever_is_on_a_roll(worker: Worker, redis: RedisProcess) -> None:
    await friends(worker, "bob")
    async with a_worker(redis.url) as dying:
        await live(dying, "bob")
        await write(dying)
        await kill(dying)
        await gone(redis, "bob")
        worker.chat.presence._known = lambda user: False
        assert await now(worker, "alice", "bob") == [("bob", False)]


async def test_who_leaves_is_taken_off_the_roll_once_it_is_noted_and_who_comes_back_stays(
    worker: Worker, redis: RedisProcess
) -> None:
    await live(worker, "alice")
    theirs, _ = await live(worker, "bob")
    await write(worker)
    [roll] = rolls(redis)
    assert roll.startswith(keys.ROLLS.encode())
    leave(worker, theirs)
    await gone(redis, "bob")
    await write(worker)
    assert rolls(redis) == {roll: [b"alice", b"bob"]}, "nobody knows yet when bob was seen"
    await ticks(worker)
    await write(worker)
    assert rolls(redis) == {roll: [b"alice"]}
    theirs, _ = await live(worker, "bob")
    leave(worker, theirs)
    await gone(redis, "bob")
    await live(worker, "bob")
    await ticks(worker)
    await write(worker)
    assert rolls(redis) == {roll: [b"alice", b"bob"]}


async def test_a_roll_that_redis_has_lost_is_written_anew(worker: Worker, redis: RedisProcess) -> None:
    await live(worker, "alice")
    await write(worker)
    before = rolls(redis)
    with redis.client() as client:
        client.flushall()
    await live(worker, "bob")
    await write(worker)
    assert rolls(redis) == {roll: [b"alice", b"bob"] for roll in before}
    with redis.client() as client:
        client.flushall()
    await write(worker)
    assert rolls(redis) == {}, "nothing has changed, and it is not due"
    worker.clock.time += KEEP_SECONDS
    await write(worker)
    assert rolls(redis) == {roll: [b"alice", b"bob"] for roll in before}


async def test_a_worker_without_streams_has_no_roll(worker: Worker, redis: RedisProcess) -> None:
    await write(worker)
    assert rolls(redis) == {}
    with redis.client() as client:
        assert client.keys() == []


class Refusing:
    """Redis that has all rolls, and counts; it may be away."""

    def __init__(self) -> None:
        self.away = False
        self.calls: list[tuple[object, ...]] = []

    async def call(self, *command: object) -> Reply:
        if self.away:
            raise RedisUnavailable("away")
        self.calls.append(command[5:])
        return 1


def a_roll(redis: Refusing, time: list[float]) -> Roll:
    stand_in: Any = redis
    return Roll(stand_in, lambda: time[0])


async def test_what_could_not_be_written_is_written_later_and_the_last_word_counts() -> None:
    redis, time = Refusing(), [0.0]
    roll = a_roll(redis, time)
    carol = UserId("carol")
    roll.came((BOB, carol))
    redis.away = True
    with pytest.raises(RedisUnavailable):
        await roll.write(list)
    roll.left((BOB,))
    redis.away = False
    await roll.write(list)
    assert redis.calls == [(12, 1, carol, "", BOB)]


async def test_many_who_come_cost_a_command_for_hundreds_and_an_idle_worker_one_in_two_seconds() -> None:
    redis, time = Refusing(), [0.0]
    roll = a_roll(redis, time)
    roll.came(UserId(f"user{number}") for number in range(2 * ASKED_AT_ONCE))
    await roll.write(list)
    assert [len(call) for call in redis.calls] == [2 + 2 * ASKED_AT_ONCE] * 2
    for _ in range(10):
        time[0] += 1
        await roll.write(list)
    assert redis.calls[2:] == [(12, 0)] * 5


def test_a_roll_counts_longer_than_a_client_takes_to_come_back() -> None:
    assert RETRY_AFTER_TROUBLE[1] / MS + 2 <= GRACE_SECONDS - KEEP_SECONDS
