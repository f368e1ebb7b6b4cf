import asyncio
import json
import re

import pytest

from parts import ALICE, BOB, DM, Worker, a_worker, draft
from redises import RedisProcess
from ssechat.errors import Conflict
from ssechat.events.kinds import KINDS, Kind, Kinds, Replay
from ssechat.events.models import Message
from ssechat.ids import ConversationId, UserId
from ssechat.logs.actions import changed_message
from ssechat.logs.delivery import WEEK, Appended
from ssechat.redis import keys
from ssechat.redis.batching import ScriptBatch, ScriptError

pytestmark = pytest.mark.anyio


async def test_messages_get_contiguous_places_in_the_order_of_their_arrival(worker: Worker) -> None:
    sent = await asyncio.gather(*[worker.append(draft(f"m{i}")) for i in range(5)])
    messages = [json.loads(one.message) for one in sent]
    assert [message["seq"] for message in messages] == [1, 2, 3, 4, 5]
    assert [message["text"] for message in messages] == ["m0", "m1", "m2", "m3", "m4"]
    entries = [one.entry for one in sent if one.entry is not None]
    assert entries[0].before == "0-0"
    assert [entry.before for entry in entries[1:]] == [entry.id for entry in entries[:-1]]


async def test_a_message_holds_what_was_sent_and_where_it_stands(worker: Worker) -> None:
    sent = await worker.append(draft('"\n\\ é 😀 data: x', key="k"))
    assert json.loads(sent.message) == {
        "conversation_id": DM,
        "seq": 1,
        "version": 1,
        "sender": "alice",
        "text": '"\n\\ é 😀 data: x',
        "client_msg_id": "k",
        "created_at": "2026-01-01T00:00:00.000Z",
    }


async def test_two_workers_give_one_order(worker: Worker, other_worker: Worker) -> None:
    both = [worker, other_worker]
    sent = await asyncio.gather(*[both[i % 2].append(draft(f"m{i}")) for i in range(40)])
    assert sorted(json.loads(one.message)["seq"] for one in sent) == list(range(1, 41))


async def test_idempotency_a_retry_returns_the_first_message(worker: Worker, other_worker: Worker) -> None:
    first = await worker.append(draft("hi", key="k"))
    again = await other_worker.append(draft("hi", key="k"))
    assert again.entry is None
    assert again.message == first.message
    assert await worker.conversations.newest_seq(DM) == 1


async def test_idempotency_concurrent_retries_on_two_workers_give_one_message(
    worker: Worker, other_worker: Worker
) -> None:
    both = [worker, other_worker]
    sent = await asyncio.gather(*[both[i % 2].append(draft("hi", key="k")) for i in range(20)])
    assert len({one.message for one in sent}) == 1
    assert len([one for one in sent if one.entry is not None]) == 1


async def test_idempotency_a_client_msg_id_reused_for_another_message_is_refused(worker: Worker) -> None:
    await worker.append(draft("hi", key="k"))
    with pytest.raises(Conflict, match="client_msg_id"):
        await worker.append(draft("something else", key="k"))
    assert worker.redis.metrics.conflicts == 1
    assert await worker.conversations.newest_seq(DM) == 1


async def test_idempotency_a_client_msg_id_belongs_to_one_sender_and_conversation(worker: Worker) -> None:
    await worker.append(draft("hi", key="k"))
    other_sender = await worker.append(draft("yo", sender="bob", key="k"))
    elsewhere = await worker.append(draft("hm", key="k", conversation="dm:alice:carol"))
    assert other_sender.entry is not None
    assert elsewhere.entry is not None


async def at_week(worker: Worker, week: float) -> None:
    """Sets the clock of Redis that the scripts read at their start."""
    source = worker.delivery._append._source
    second = int(week * WEEK)
    scripted = re.sub(r"tonumber\(.*?\)\[1\]\)|tonumber\('\d+'\)", f"tonumber('{second}')", source, count=1)
    assert str(second) in scripted
    worker.delivery._append = ScriptBatch(worker.redis, scripted)


@pytest.mark.parametrize("days", [0, 1, 6.9, 7])
async def test_idempotency_lasts_seven_days(worker: Worker, days: float) -> None:
    await at_week(worker, 100 + 6 / 7)
    first = await worker.append(draft("hi", key="k"))
    await at_week(worker, 100 + (6 + days) / 7)
    again = await worker.append(draft("hi", key="k"))
    assert again.message == first.message
    assert again.entry is None
    ttl = await worker.redis.call("TTL", keys.sent(DM, 100)[1])
    assert 14 * 24 * 3600 < ttl <= 21 * 24 * 3600


async def test_each_weeks_record_of_client_msg_ids_expires(worker: Worker) -> None:
    for week in (100, 101, 103):
        await at_week(worker, week)
        await worker.append(draft(f"in {week}"))
        await worker.append(draft(f"again in {week}"))
        ttl = await worker.redis.call("TTL", keys.sent(DM, week)[1])
        assert 14 * 24 * 3600 < ttl <= 21 * 24 * 3600


@pytest.mark.parametrize("week", [0, 99, 5000])
async def test_the_week_of_a_record_is_redis_and_no_workers_clock(worker: Worker, week: int) -> None:
    worker.delivery._week = week
    await worker.append(draft("hi", key="k"))
    now, _ = await worker.redis.call("TIME")
    assert worker.delivery._week == int(now) // WEEK
    assert await worker.redis.call("EXISTS", keys.sent(DM, int(now) // WEEK)[1])
    assert (await worker.append(draft("hi", key="k"))).entry is None


async def test_idempotency_survives_a_redis_whose_clock_is_a_week_behind(worker: Worker) -> None:
    await at_week(worker, 101.01)
    first = await worker.append(draft("hi", key="k"))
    await at_week(worker, 100.99)  # the promoted replica
    await worker.append(draft("meanwhile"))
    assert (await worker.append(draft("hi", key="k"))).message == first.message
    assert await worker.redis.call("TTL", keys.sent(DM, 100)[1]) > 0, "this week's record expires, too"


async def test_idempotency_survives_newer_messages_of_the_next_week(worker: Worker) -> None:
    await at_week(worker, 100.99)
    first = await worker.append(draft("hi", key="k"))
    await at_week(worker, 101.01)
    await worker.append(draft("newer"))
    assert (await worker.append(draft("hi", key="k"))).message == first.message


async def test_idempotency_survives_a_clock_that_was_set_back_and_forward_again(worker: Worker) -> None:
    await at_week(worker, 101.01)
    await worker.append(draft("before"))
    await at_week(worker, 100.99)
    first = await worker.append(draft("hi", key="k"))
    await at_week(worker, 101.02)
    assert (await worker.append(draft("hi", key="k"))).message == first.message


async def test_idempotency_survives_an_older_server_that_did_not_note_the_weeks_of_its_records(worker: Worker) -> None:
    await at_week(worker, 100.99)
    first = await worker.append(draft("hi", key="k"))
    await worker.redis.call("HDEL", keys.of_conversation(DM).conversation, "sent_in")
    await at_week(worker, 101.01)
    for text in ("newer", "newest"):
        assert (await worker.append(draft("hi", key="k"))).message == first.message
        await worker.append(draft(text))


async def test_last_weeks_records_are_looked_for_only_where_there_may_be_some(worker: Worker) -> None:
    async def noted(week: float) -> str:
        await at_week(worker, week)
        await worker.append(draft(f"in {week}"))
        value = await worker.redis.call("HGET", keys.of_conversation(DM).conversation, "sent_in")
        return str(value.decode())

    assert [await noted(week) for week in (100, 100.5, 101, 101.5, 103)] == ["100", "100", "101+", "101+", "103"]


async def test_a_conversation_tells_what_it_is(worker: Worker) -> None:
    await worker.append(draft("hi"))
    assert await worker.redis.call("HGET", keys.of_conversation(DM).conversation, "type") == b"dm"


async def test_a_log_that_went_back_refuses_one_item_and_not_its_neighbours(worker: Worker) -> None:
    await worker.append(draft("one"))
    await worker.redis.call(
        "HDEL", keys.of_conversation(DM).conversation, "head"
    )  # now the next id is not above the last
    broken, sound = await asyncio.gather(
        worker.append(draft("two")),
        worker.append(draft("x", conversation="dm:alice:carol")),
        return_exceptions=True,
    )
    assert isinstance(sound, Appended)
    # With a tag above the old one Redis accepts the entry; otherwise it refuses only that item.
    if isinstance(broken, BaseException):
        assert "equal or smaller" in str(broken)


async def test_a_change_that_the_log_refuses_leaves_the_message_as_it_was(redis: RedisProcess) -> None:
    kind = Kind("made_up.edit", Message, Replay.CHANGED_MESSAGE)
    async with a_worker(redis.url, kinds=Kinds([*KINDS, kind])) as worker:
        for text in ("one", "two"):
            await worker.say(text)
        [message] = await worker.conversations.messages(DM, [1])
        assert message is not None
        change = changed_message(kind, message, {**json.loads(message), "text": "changed"})
        await worker.redis.call("HSET", keys.of_conversation(DM).conversation, "head", "0-0")  # as after a roll back
        with pytest.raises(ScriptError, match="equal or smaller"):
            await worker.delivery.send(change, (ALICE, BOB))
        assert await worker.conversations.messages(DM, [1]) == [message]


async def test_a_message_is_in_every_members_inbox_when_its_sender_is_answered(worker: Worker) -> None:
    sent = await worker.delivery.append(draft("hi"), (ALICE, BOB))
    assert not sent.has
    assert [await worker.texts(user) for user in (ALICE, BOB)] == [[sent.message.decode()]] * 2
    assert await worker.conversations.unfinished(DM) is None
    again = await worker.delivery.append(draft("hi"), (ALICE, BOB))
    assert not again.undelivered
    assert [len(await worker.events(user)) for user in (ALICE, BOB)] == [1, 1]


async def test_no_two_inboxes_share_an_id(worker: Worker) -> None:
    sent = await worker.delivery.append(draft("hi"), (ALICE, BOB))
    assert sent.entry is not None
    [(_, alices, _, _)], [(_, bobs, _, _)] = [await worker.events(user) for user in (ALICE, BOB)]
    assert len({alices, bobs, sent.entry.id}) == 3


async def test_an_inbox_that_lacks_an_older_entry_does_not_take_a_newer_one(worker: Worker) -> None:
    first = await worker.append(draft("one"))
    assert first.entry is not None
    await worker.deliver({ALICE: [first.entry]})
    second = await worker.delivery.append(draft("two"), (ALICE, BOB))
    assert second.entry is not None
    assert second.has == {ALICE: second.entry.id, BOB: "0-0"}
    assert await worker.events("bob") == []
    assert first.entry is not None
    assert second.entry is not None
    assert second.entry.before == first.entry.id
    assert await worker.conversations.unfinished(DM) == second.entry.id


async def test_an_entry_not_delivered_to_all_members_counts_as_unfinished(worker: Worker) -> None:
    sent = await worker.append(draft("one"))
    assert sent.entry is not None
    await worker.deliver({ALICE: [sent.entry]})
    assert await worker.conversations.unfinished(DM) == sent.entry.id
    assert (await worker.delivery.append(draft("one"), (ALICE, BOB))).undelivered


async def test_messages_of_one_batch_with_different_numbers_of_members_keep_apart(worker: Worker) -> None:
    note = ConversationId("dm:bob:bob")
    both, self_, none = await asyncio.gather(
        worker.delivery.append(draft("to both"), (ALICE, BOB)),
        worker.delivery.append(draft("to myself", sender="bob", conversation=note), (BOB,)),
        worker.delivery.append(draft("to nobody yet", key="k"), ()),
    )
    assert [len(await worker.events(user)) for user in (ALICE, BOB)] == [1, 2]
    assert not both.has
    assert not self_.has
    assert none.entry is not None
    assert none.entry.before == (both.entry and both.entry.id)


async def test_an_inbox_that_refuses_spoils_neither_the_log_nor_the_neighbours(worker: Worker) -> None:
    await worker.redis.call("SET", keys.of_user(BOB).inbox, "not a stream")
    broken, sound = await asyncio.gather(
        worker.delivery.append(draft("one"), (ALICE, BOB)),
        worker.delivery.append(draft("x", conversation="dm:alice:carol"), (ALICE, UserId("carol"))),
        return_exceptions=True,
    )
    assert isinstance(broken, ScriptError)
    assert isinstance(sound, Appended)
    await worker.redis.call("DEL", keys.of_user(BOB).inbox)
    assert (await worker.delivery.append(draft("one"), (ALICE, BOB))).undelivered
    await worker.delivery.finish(DM, (ALICE, BOB))
    assert len(await worker.texts("bob")) == 1
