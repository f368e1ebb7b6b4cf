"""The guarantees of a delivery in both forms: one script, or two steps."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from parts import ALICE, BOB, DM, Worker, a_worker, draft
from polling import until
from redises import RedisProcess
from ssechat.errors import Conflict, RedisUnavailable
from ssechat.events.source import START
from ssechat.ids import ConversationId, UserId, number_of
from ssechat.logs.actions import new_message
from ssechat.logs.delivery import AT_ONCE, Delivery
from ssechat.logs.inbox import WAKE_UP_LIMIT
from ssechat.logs.repair import following
from ssechat.redis import keys
from ssechat.redis.batching import BUDGET, ScriptBatch

pytestmark = pytest.mark.anyio

BOTH = (ALICE, BOB)
CROWD = tuple(UserId(f"u{number}") for number in range(3 * AT_ONCE + 5))
GROUP = ConversationId("g:crowd")


@pytest.fixture(params=[AT_ONCE, 0], ids=["one-script", "two-steps"])
async def workers(request: pytest.FixtureRequest, redis: RedisProcess) -> AsyncIterator[list[Worker]]:
    """Two workers whose deliveries have the same form."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(a_worker(redis.url, at_once=request.param)) for _ in range(2)]


async def texts(worker: Worker, user: str) -> list[str]:
    return [json.loads(data).get("text", data) for data in await worker.texts(user)]


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
    await one.inbox.deliver({BOB: [appended.entry]})  # and not to alice
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


async def test_no_call_delivers_more_than_its_budget(workers: list[Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    weights: list[int] = []
    call = ScriptBatch._call

    def counted(self: ScriptBatch, verb: str, script: str, items: Any) -> None:
        if len(items[0].keys) > 1:  # else it marks
            # Of a delivery the entries, of an action the members.
            counts = [item.arguments[3] if len(item.keys) == 3 else item.arguments[8] for item in items]
            weights.append(sum(map(int, counts)))
        call(self, verb, script, items)

    monkeypatch.setattr(ScriptBatch, "_call", counted)
    some = CROWD[:AT_ONCE]
    sends = [new_message(GROUP, ALICE, f"k{number}", f"m{number}") for number in range(20)]
    for send in sends[:10]:
        await workers[0].append(send)
    await asyncio.gather(*[workers[0].delivery.send(send, some) for send in sends])
    assert max(weights) <= BUDGET
    assert len(await workers[0].events(some[-1])) == len(sends)


async def test_repair_reads_the_log_once_for_all_that_lack_it_and_one_repair_works_at_a_time(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = workers[0]
    for number in range(50):
        await worker.append(new_message(GROUP, ALICE, f"k{number}", f"m{number}"))
    read, readings, under_way, most = worker.conversations.entries, 0, 0, 0

    async def counted(*arguments: Any) -> Any:
        nonlocal readings, under_way, most
        readings += 1
        under_way += 1
        most = max(most, under_way)
        try:
            return await read(*arguments)
        finally:
            under_way -= 1

    monkeypatch.setattr(worker.conversations, "entries", counted)
    sends = [new_message(GROUP, ALICE, f"s{number}", f"s{number}") for number in range(8)]
    await asyncio.gather(*[worker.delivery.send(send, CROWD[:AT_ONCE]) for send in sends])
    assert most == 1
    assert readings <= 2, "64 inboxes and 8 sends, of two calls, lack the same 50 entries"
    for user in CROWD[:AT_ONCE]:
        assert len(await worker.events(user)) == 58
    assert not worker.delivery._repair._turns


async def test_inboxes_at_different_places_are_repaired_from_the_same_pages(workers: list[Worker]) -> None:
    worker = workers[0]
    entries = []
    for number in range(30):
        appended = await worker.append(new_message(GROUP, ALICE, f"k{number}", f"m{number}"))
        assert appended.entry is not None
        entries.append(appended.entry)
    for number, user in enumerate(CROWD[:30]):
        if number:
            await worker.inbox.deliver({user: entries[:number]})
    await worker.delivery.finish(GROUP, CROWD[:30])
    assert not sum(worker.redis.metrics.conversation_resets.values())
    for user in CROWD[:30]:
        assert await texts(worker, user) == [f"m{number}" for number in range(30)]


async def test_a_run_is_taken_from_where_the_inbox_is_and_not_twice(workers: list[Worker]) -> None:
    worker = workers[0]
    appended = [await worker.append(draft(f"m{number}")) for number in range(4)]
    entries = [one.entry for one in appended if one.entry is not None]
    assert await worker.inbox.deliver({BOB: entries[:2]}) == {BOB: entries[1].id}
    assert await worker.inbox.deliver({BOB: entries}) == {BOB: entries[3].id}
    assert await worker.inbox.deliver({BOB: entries[1:3]}) == {BOB: entries[3].id}
    assert await worker.inbox.deliver({ALICE: entries[1:]}) == {ALICE: "0-0"}
    assert await texts(worker, "bob") == ["m0", "m1", "m2", "m3"]
    [place] = await worker.inbox.places(BOB)
    assert place == (DM, entries[3].id, 4, 4)


async def test_resets_one_inbox_of_a_lost_history_and_repairs_another(workers: list[Worker]) -> None:
    worker = workers[0]
    for number in range(3):
        await worker.append(draft(f"m{number}"))
    conversation, log, _ = keys.of_conversation(DM)
    await worker.redis.call("HSET", keys.of_user(BOB).places, DM, "2-999 0 2")  # a failover lost that entry
    await worker.delivery.finish(DM, BOTH)
    assert await texts(worker, "alice") == ["m0", "m1", "m2"]
    [reset] = await worker.texts("bob")
    assert json.loads(reset) == {"reason": "lost", "conversation_id": DM}
    await worker.redis.call("DEL", log)
    await worker.redis.call("HSET", conversation, "head", "0-0")
    await worker.delivery.send(draft("another history"), BOTH)
    for user in BOTH:
        assert json.loads((await worker.texts(user))[-1])["reason"] == "lost"
    await worker.delivery.send(draft("goes on"), BOTH)
    assert [(await texts(worker, user))[-1] for user in BOTH] == ["goes on"] * 2


async def test_a_log_keeps_twice_what_an_inbox_keeps(redis: RedisProcess) -> None:
    async with a_worker(redis.url, inbox_limit=100) as worker:
        for number in range(600):
            await worker.append(draft(f"m{number}"))
        kept = await worker.redis.call("XLEN", keys.of_conversation(DM).log)
        assert 200 <= kept < 400
        await worker.say("last")
        assert json.loads((await worker.texts("bob"))[0])["reason"] == "expired"


async def test_a_waiting_repair_whose_request_is_cancelled_leaves_the_turn_to_others(workers: list[Worker]) -> None:
    worker = workers[0]
    for number in range(10):
        await worker.append(draft(f"m{number}"))
    sends = [asyncio.ensure_future(worker.delivery.send(draft(f"s{number}"), BOTH)) for number in range(5)]
    await asyncio.sleep(0.005)
    sends[0].cancel()
    await asyncio.gather(*sends, return_exceptions=True)
    await worker.delivery.finish(DM, BOTH)
    assert sorted(await texts(worker, "bob")) == sorted([*(f"m{i}" for i in range(10)), *(f"s{i}" for i in range(5))])
    assert not worker.delivery._repair._turns


async def test_what_follows_a_place_on_a_page(worker: Worker) -> None:
    appended = [await worker.append(draft(f"m{number}")) for number in range(4)]
    entries = [one.entry for one in appended if one.entry is not None]
    assert following(entries, "0-0") == entries
    assert following(entries, entries[1].id) == entries[2:]
    assert following(entries[1:], "9-9") == ()
    assert following(entries, "2-9") is None
    assert following([], "2-9") is None
    assert following((await worker.conversations.entries(DM, entries[2].id, "+", 10)), entries[2].id) == entries[3:]


async def test_at_most_so_many_members_are_in_one_script(redis: RedisProcess) -> None:
    async with a_worker(redis.url) as worker:
        submitted: list[int] = []
        submit = worker.delivery._append.submit

        def noted(keys_: Any, arguments: Any, weight: int = 1) -> Any:
            submitted.append(weight)
            return submit(keys_, arguments, weight)

        worker.delivery._append.submit = noted  # type: ignore[assignment,method-assign]
        await worker.delivery.send(new_message(GROUP, ALICE, "k1", "to 64"), CROWD[:AT_ONCE])
        await worker.delivery.send(new_message(GROUP, ALICE, "k2", "to 65"), CROWD[: AT_ONCE + 1])
        assert submitted == [AT_ONCE, 1]
        assert number_of((await worker.inbox.read(CROWD[AT_ONCE], START, 5, 9999)).head) == 2
        assert isinstance(worker.delivery, Delivery)


async def test_a_log_that_ends_below_its_newest_entry_is_a_reset_and_no_endless_repair(workers: list[Worker]) -> None:
    worker = workers[0]
    await worker.delivery.send(draft("one"), BOTH)
    lost = await worker.append(draft("two"))
    assert lost.entry is not None
    await worker.redis.call("XDEL", keys.of_conversation(DM).log, lost.entry.id)
    async with asyncio.timeout(5):
        await worker.delivery.send(draft("three"), BOTH)
        await worker.redis.call("XTRIM", keys.of_conversation(DM).log, "MAXLEN", 1)
        await worker.append(draft("four"))
        last = await worker.append(draft("five"))
        assert last.entry is not None
        await worker.redis.call("XDEL", keys.of_conversation(DM).log, last.entry.id)
        await worker.delivery._complete(
            DM, last.entry.id, dict.fromkeys(BOTH, (await worker.inbox.places(BOB))[0].entry)
        )
    for user in BOTH:
        reasons = [json.loads(data).get("reason") for data in await worker.texts(user)]
        assert reasons[-1] == "lost"


async def test_an_inbox_of_a_lost_history_is_no_reason_for_a_reset_of_another(workers: list[Worker]) -> None:
    worker = workers[0]
    entries = [(await worker.append(draft(f"m{number}"))).entry for number in range(3)]
    assert entries[1] is not None
    place = await worker.inbox.deliver({ALICE: [entry for entry in entries[:2] if entry is not None]})
    number, tag = place[ALICE].split("-")
    await worker.redis.call("HSET", keys.of_user(BOB).places, DM, f"{number}-{int(tag) + 1} 0 2")
    for members in (BOTH[::-1], BOTH):
        await worker.delivery.finish(DM, members)
    assert await texts(worker, "alice") == ["m0", "m1", "m2"]
    assert [json.loads(data)["reason"] for data in await worker.texts("bob")] == ["lost"]


async def test_what_a_repair_saw_in_a_redis_that_failed_is_not_believed(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [await worker.append(draft(f"m{number}")) for number in range(5)]
    entries = [one.entry for one in sent if one.entry is not None]
    newest_entry, asked = worker.conversations.newest_entry, 0

    async def fail_over(conversation: ConversationId) -> str:
        nonlocal asked
        asked += 1
        if asked != 3:
            return await newest_entry(conversation)
        for key in keys.of_user(BOB):
            await worker.redis.call("DEL", key)
        await worker.redis.call("XDEL", keys.of_conversation(DM).log, entries[3].id, entries[4].id)
        await worker.redis.call("HSET", keys.of_conversation(DM).conversation, "head", entries[2].id)
        raise RedisUnavailable("the connection to Redis was lost")

    monkeypatch.setattr(worker.conversations, "newest_entry", fail_over)
    repair = worker.delivery._repair
    one, failed, late = await asyncio.gather(
        repair.bring_to(DM, entries[4].id, {BOB: "0-0"}),
        repair.bring_to(DM, entries[4].id, {ALICE: "0-0"}),
        repair.bring_to(DM, entries[2].id, {BOB: "0-0"}),
        return_exceptions=True,
    )
    assert (one, type(failed), late) == (None, RedisUnavailable, None)
    assert await texts(worker, "bob") == ["m0", "m1", "m2"]


async def test_a_live_stream_gets_a_run_without_reading_its_inbox(workers: list[Worker]) -> None:
    worker = workers[0]
    stream, sink = worker.open_stream("bob")
    await until(lambda: stream.live)
    appended = [await worker.append(draft(f"m{number}")) for number in range(4)]
    await worker.inbox.deliver({BOB: [one.entry for one in appended if one.entry is not None]})
    await until(lambda: len(sink.ids()) == 4)
    assert worker.hub.metrics.events_live["message"] == 4
    assert not worker.hub.metrics.holes["wake_up"]


async def test_a_hole_in_a_log_is_a_reset_and_not_passed_over(workers: list[Worker]) -> None:
    worker = workers[0]
    appended = [await worker.append(draft(f"m{number}")) for number in range(5)]
    entries = [one.entry for one in appended if one.entry is not None]
    await worker.redis.call("XDEL", keys.of_conversation(DM).log, entries[2].id)
    await worker.inbox.deliver({ALICE: entries[:2]})
    await worker.delivery.finish(DM, BOTH)
    for user in BOTH:
        first, second, reset = await texts(worker, user)
        assert (first, second, json.loads(reset)["reason"]) == ("m0", "m1", "lost")
    assert worker.redis.metrics.conversation_resets["lost"] == len(BOTH)
    await worker.delivery.send(draft("goes on"), BOTH)
    assert [(await texts(worker, user))[3:] for user in BOTH] == [["goes on"]] * 2


async def test_what_a_repair_saw_is_not_enough_for_a_newer_entry(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [(await worker.append(draft(f"m{number}"))).entry for number in range(3)]
    last, repair, asked = entries[-1], worker.delivery._repair, 0
    assert last is not None
    newest_entry, late = worker.conversations.newest_entry, []

    async def another_comes(conversation: ConversationId) -> str:
        nonlocal asked
        asked += 1
        if asked == 3:  # the second repair begins; the first one is done with bob's inbox
            newer = (await worker.append(draft("newer"))).entry
            assert newer is not None
            late.append(asyncio.ensure_future(repair.bring_to(DM, newer.id, {BOB: newer.before})))
            await asyncio.sleep(0)
        return await newest_entry(conversation)

    monkeypatch.setattr(worker.conversations, "newest_entry", another_comes)
    await asyncio.gather(repair.bring_to(DM, last.id, {BOB: "0-0"}), repair.bring_to(DM, last.id, {ALICE: "0-0"}))
    await late[0]
    assert await texts(worker, "bob") == ["m0", "m1", "m2", "newer"]


async def test_an_inbox_that_stands_on_a_later_page_of_the_log_waits_for_it(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.logs.repair.READ_AT_ONCE", 4)
    worker = workers[0]
    appended = [await worker.append(draft(f"m{number}")) for number in range(15)]
    entries = [one.entry for one in appended if one.entry is not None]
    for stand in (4, 5, 10):
        await worker.redis.call("DEL", *keys.of_user(ALICE), *keys.of_user(BOB))
        has = await worker.inbox.deliver({BOB: entries[:stand]})
        await worker.delivery._repair.bring_to(DM, entries[-1].id, {ALICE: "0-0", **has})
        assert await texts(worker, "alice") == await texts(worker, "bob") == [f"m{number}" for number in range(15)]


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
    has = await worker.inbox.deliver({ALICE: entries[:1], BOB: entries[:2], carol: entries[:1]})
    assert has == {ALICE: entries[0].id, BOB: entries[1].id, carol: entries[0].id}
    ids = [event.id for user in (ALICE, BOB, carol) for event in await worker.events(user)]
    assert len({event.partition("-")[2] for event in ids}) == 3


async def test_an_inbox_that_is_ahead_of_what_was_read_of_the_log_gets_no_reset(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended = [await worker.append(draft(f"m{number}")) for number in range(3)]
    entries = [one.entry for one in appended if one.entry is not None]
    await worker.inbox.deliver({BOB: entries})  # another worker did, meanwhile

    async def a_little_ago(conversation: ConversationId) -> str:
        return entries[1].id

    monkeypatch.setattr(worker.conversations, "newest_entry", a_little_ago)
    await worker.delivery._repair.bring_to(DM, entries[1].id, {BOB: entries[2].id})
    assert await texts(worker, "bob") == ["m0", "m1", "m2"]


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
    await worker.inbox.deliver(dict.fromkeys(BOTH, (appended.entry,)))
    assert sizes
    assert max(sizes) < WAKE_UP_LIMIT
    assert len((await texts(worker, "bob"))[0]) == 2 * WAKE_UP_LIMIT
