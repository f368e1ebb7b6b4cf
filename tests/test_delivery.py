"""The guarantees of a delivery in both forms: one script, or two steps."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import hiredis
import pytest

from crowd import BOTH, CROWD, GROUP, texts
from parts import ALICE, BOB, DM, Worker, a_worker, draft
from polling import until
from redises import RedisProcess
from ssechat.errors import Conflict, RedisUnavailable
from ssechat.events.source import START
from ssechat.ids import UserId, number_of
from ssechat.logs.actions import new_message
from ssechat.logs.delivery import AT_ONCE, Delivery
from ssechat.logs.inbox import WAKE_UP_LIMIT
from ssechat.redis import keys
from ssechat.redis.batching import BUDGET, ScriptBatch
from ssechat.redis.packed import Packed, join

pytestmark = pytest.mark.anyio


async def test_what_is_acknowledged_is_in_every_members_inbox(workers: list[Worker]) -> None:
    one, other = workers
    _, is_new = await one.delivery.send(draft("hi"), BOTH)
    assert is_new
    assert await texts(other, "alice") == await texts(other, "bob") == ["hi"]
    one.conversations._flush_marks()
    await asyncio.sleep(0)  # the batch is sent
    await one.redis.call("PING")
    assert await other.conversations.unfinished(DM) is None


async def test_idempotency_a_repeat_is_the_message_that_it_was_and_finishes_its_delivery(workers: list[Worker]) -> None:
    one, other = workers
    await one.append(draft("hi", key="k"))
    _, is_new = await other.delivery.send(draft("hi", key="k"), BOTH)
    assert not is_new
    assert await texts(one, "bob") == ["hi"]
    with pytest.raises(Conflict):
        await other.delivery.send(draft("something else", key="k"), BOTH)


async def test_sends_of_two_workers_have_one_order_without_a_gap(workers: list[Worker]) -> None:
    await asyncio.gather(*[workers[i % 2].delivery.send(draft(f"m{i}"), BOTH) for i in range(60)])
    for_alice, for_bob = await texts(workers[0], "alice"), await texts(workers[1], "bob")
    assert for_alice == for_bob
    assert sorted(for_bob) == sorted(f"m{i}" for i in range(60))
    assert [event.n for event in await workers[0].events("bob")] == list(range(1, 61))


async def test_an_inbox_that_lacks_a_run_of_entries_gets_it_first(workers: list[Worker]) -> None:
    one, other = workers
    for number in range(250):
        await one.append(draft(f"m{number}"))
    await other.delivery.send(draft("last"), BOTH)
    for user in BOTH:
        assert await texts(one, user) == [*(f"m{number}" for number in range(250)), "last"]


async def test_a_worker_that_dies_between_two_members_loses_nothing(workers: list[Worker]) -> None:
    one, other = workers
    appended = await one.append(draft("one"))
    assert appended.entry is not None
    await one.deliver({BOB: [appended.entry]})  # and not to alice
    await other.delivery.send(draft("two"), BOTH)
    for user in BOTH:
        assert await texts(other, user) == ["one", "two"]


async def test_redis_away_says_that_the_outcome_is_unknown_and_a_repeat_delivers(
    workers: list[Worker], redis: RedisProcess
) -> None:
    one, _ = workers
    assert one.redis._connection is not None
    sending = asyncio.ensure_future(one.delivery.send(draft("hi", key="k"), BOTH))
    await asyncio.sleep(0)
    one.redis._connection.abort()
    with pytest.raises(RedisUnavailable):
        await sending
    assert await one.redis.wait_connected(5)
    await one.delivery.send(draft("hi", key="k"), BOTH)
    assert await texts(one, "alice") == await texts(one, "bob") == ["hi"]


async def test_a_crowd_gets_everything_once_and_in_order(workers: list[Worker]) -> None:
    sends = [new_message(GROUP, ALICE, f"k{number}", f"m{number}") for number in range(6)]
    await asyncio.gather(*[workers[i % 2].delivery.send(send, CROWD) for i, send in enumerate(sends)])
    told = {tuple(await texts(workers[0], user)) for user in CROWD}
    assert len(told) == 1
    assert sorted(told.pop()) == [f"m{number}" for number in range(6)]


def unpack(parts: Iterable[Packed]) -> list[bytes]:
    """The arguments of these parts."""
    reader = hiredis.Reader()
    reader.feed(b"*%d\r\n%b" % join(parts))
    arguments: list[bytes] = reader.gets()
    return arguments


async def test_no_call_delivers_more_than_its_budget(workers: list[Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    weights: list[int] = []
    call = ScriptBatch._call

    def counted(self: ScriptBatch, verb: str, script: str, items: Any) -> None:
        unpacked = [(unpack(item.keys), unpack(item.arguments)) for item in items]
        if len(unpacked[0][0]) > 1:  # else it marks
            # Of a delivery the users and the entries, of an action the members.
            delivers = self in [worker.inbox._deliver for worker in workers]
            counts = [arguments[4:6] if delivers else (arguments[7], 1) for _, arguments in unpacked]
            weights.append(sum(int(users) * int(entries) for users, entries in counts))
        call(self, verb, script, items)

    monkeypatch.setattr(ScriptBatch, "_call", counted)
    some = CROWD[:AT_ONCE]
    sends = [new_message(GROUP, ALICE, f"k{number}", f"m{number}") for number in range(20)]
    for send in sends[:10]:
        await workers[0].append(send)
    await asyncio.gather(*[workers[0].delivery.send(send, some) for send in sends])
    assert max(weights) <= BUDGET
    assert len(await workers[0].events(some[-1])) == len(sends)


async def test_a_run_is_taken_from_where_the_inbox_is_and_not_twice(workers: list[Worker]) -> None:
    worker = workers[0]
    appended = [await worker.append(draft(f"m{number}")) for number in range(4)]
    entries = [one.entry for one in appended if one.entry is not None]
    assert await worker.deliver({BOB: entries[:2]}) == {BOB: entries[1].id}
    assert await worker.deliver({BOB: entries}) == {BOB: entries[3].id}
    assert await worker.deliver({BOB: entries[1:3]}) == {BOB: entries[3].id}
    assert await worker.deliver({ALICE: entries[1:]}) == {ALICE: "0-0"}
    assert await texts(worker, "bob") == ["m0", "m1", "m2", "m3"]
    [place] = await worker.inbox.places(BOB)
    assert place[:4] == (DM, entries[3].id, 4, 4)


async def test_a_log_keeps_twice_what_an_inbox_keeps(redis: RedisProcess) -> None:
    async with a_worker(redis.url, inbox_limit=100) as worker:
        for number in range(600):
            await worker.append(draft(f"m{number}"))
        kept = await worker.redis.call("XLEN", keys.of_conversation(DM).log)
        assert 200 <= kept < 400
        await worker.say("last")
        assert json.loads((await worker.texts("bob"))[0])["reason"] == "expired"


async def test_at_most_so_many_members_are_in_one_script(redis: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_worker(redis.url) as worker:
        submitted: list[int] = []
        submit = worker.delivery._append.submit_packed

        def noted(keys_: Any, arguments: Any, weight: int = 1) -> Any:
            submitted.append(weight)
            return submit(keys_, arguments, weight)

        monkeypatch.setattr(worker.delivery._append, "submit_packed", noted)
        await worker.delivery.send(new_message(GROUP, ALICE, "k1", "to 64"), CROWD[:AT_ONCE])
        await worker.delivery.send(new_message(GROUP, ALICE, "k2", "to 65"), CROWD[: AT_ONCE + 1])
        assert submitted == [AT_ONCE, 1]
        assert number_of((await worker.inbox.read(CROWD[AT_ONCE], START, 5, 9999)).head) == 2
        assert isinstance(worker.delivery, Delivery)


async def test_a_live_stream_gets_a_run_without_reading_its_inbox(workers: list[Worker]) -> None:
    worker = workers[0]
    stream, sink = worker.open_stream("bob")
    await until(lambda: stream.live)
    appended = [await worker.append(draft(f"m{number}")) for number in range(4)]
    await worker.deliver({BOB: [one.entry for one in appended if one.entry is not None]})
    await until(lambda: len(sink.ids()) == 4)
    assert worker.hub.metrics.events_live["message"] == 4
    assert not worker.hub.metrics.holes["wake_up"]


async def test_a_delivery_that_all_inboxes_take_needs_no_repair(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers[0].conversations, "newest_entry", None)
    for number in range(3):
        assert (await workers[0].delivery.send(draft(f"m{number}"), BOTH))[1]


async def test_a_repeat_is_not_answered_before_the_inboxes_have_it_or_a_reset(workers: list[Worker]) -> None:
    worker = workers[0]
    await worker.delivery.send(draft("one"), BOTH)
    lost = await worker.append(draft("two"))
    assert lost.entry is not None
    await worker.redis.call("XDEL", keys.of_conversation(DM).log, lost.entry.id)
    assert not (await worker.delivery.send(draft("two"), BOTH))[1]
    for user in BOTH:
        assert json.loads((await worker.texts(user))[-1]) == {"reason": "lost", "conversation_id": DM}


async def test_each_inbox_gets_its_own_run_under_its_own_ids(worker: Worker) -> None:
    appended = [await worker.append(draft(f"m{number}")) for number in range(3)]
    entries = [one.entry for one in appended if one.entry is not None]
    carol = UserId("carol")
    has = await worker.deliver({ALICE: entries[:1], BOB: entries[:2], carol: entries[:1]})
    assert has == {ALICE: entries[0].id, BOB: entries[1].id, carol: entries[0].id}
    ids = [event.id for user in (ALICE, BOB, carol) for event in await worker.events(user)]
    assert len({event.partition("-")[2] for event in ids}) == 3


async def test_a_large_message_is_not_sent_to_redis_again_for_each_inbox(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended = await worker.append(draft("x" * 2 * WAKE_UP_LIMIT))
    call, sizes = ScriptBatch._call, list[int]()

    def measured(self: ScriptBatch, verb: str, script: str, items: Any) -> None:
        sizes.extend(len(str(argument)) for item in items for argument in item.arguments)
        call(self, verb, script, items)

    monkeypatch.setattr(ScriptBatch, "_call", measured)
    assert appended.entry is not None
    await worker.deliver(dict.fromkeys(BOTH, (appended.entry,)))
    assert sizes
    assert max(sizes) < WAKE_UP_LIMIT
    assert len((await texts(worker, "bob"))[0]) == 2 * WAKE_UP_LIMIT
