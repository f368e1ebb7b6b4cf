"""Repair: inboxes that lack entries of a log get them, or a reset."""

import asyncio
import json
from typing import Any

import pytest

from crowd import BOTH, CROWD, GROUP, texts
from parts import ALICE, BOB, DM, Worker, draft
from ssechat.errors import RedisUnavailable
from ssechat.ids import ConversationId
from ssechat.logs.actions import new_message
from ssechat.logs.delivery import AT_ONCE
from ssechat.logs.repair import following
from ssechat.redis import keys

pytestmark = pytest.mark.anyio


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
            await worker.deliver({user: entries[:number]})
    await worker.delivery.finish(GROUP, CROWD[:30])
    assert not sum(worker.redis.metrics.conversation_resets.values())
    for user in CROWD[:30]:
        assert await texts(worker, user) == [f"m{number}" for number in range(30)]


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
    place = await worker.deliver({ALICE: [entry for entry in entries[:2] if entry is not None]})
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


async def test_a_hole_in_a_log_is_a_reset_and_not_passed_over(workers: list[Worker]) -> None:
    worker = workers[0]
    appended = [await worker.append(draft(f"m{number}")) for number in range(5)]
    entries = [one.entry for one in appended if one.entry is not None]
    await worker.redis.call("XDEL", keys.of_conversation(DM).log, entries[2].id)
    await worker.deliver({ALICE: entries[:2]})
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
        has = await worker.deliver({BOB: entries[:stand]})
        await worker.delivery._repair.bring_to(DM, entries[-1].id, {ALICE: "0-0", **has})
        assert await texts(worker, "alice") == await texts(worker, "bob") == [f"m{number}" for number in range(15)]


async def test_an_inbox_that_is_ahead_of_what_was_read_of_the_log_gets_no_reset(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended = [await worker.append(draft(f"m{number}")) for number in range(3)]
    entries = [one.entry for one in appended if one.entry is not None]
    await worker.deliver({BOB: entries})  # another worker did, meanwhile

    async def a_little_ago(conversation: ConversationId) -> str:
        return entries[1].id

    monkeypatch.setattr(worker.conversations, "newest_entry", a_little_ago)
    await worker.delivery._repair.bring_to(DM, entries[1].id, {BOB: entries[2].id})
    assert await texts(worker, "bob") == ["m0", "m1", "m2"]
