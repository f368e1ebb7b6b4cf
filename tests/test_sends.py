import asyncio
import json

import pytest

from parts import ALICE, BOB, DM, Worker, draft
from ssechat.errors import Conflict
from ssechat.ids import ConversationId, UserId
from ssechat.logs.delivery import WEEK, Sent
from ssechat.redis import keys
from ssechat.redis.batching import ScriptError

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


async def test_a_repeat_is_the_message_that_it_was(worker: Worker, other_worker: Worker) -> None:
    first = await worker.append(draft("hi", key="k"))
    again = await other_worker.append(draft("hi", key="k"))
    assert again.entry is None
    assert again.message == first.message
    assert await worker.conversations.newest_seq(DM) == 1


async def test_retries_under_way_on_two_workers_give_one_message(worker: Worker, other_worker: Worker) -> None:
    both = [worker, other_worker]
    sent = await asyncio.gather(*[both[i % 2].append(draft("hi", key="k")) for i in range(20)])
    assert len({one.message for one in sent}) == 1
    assert len([one for one in sent if one.entry is not None]) == 1


async def test_another_message_under_the_same_key_is_refused(worker: Worker) -> None:
    await worker.append(draft("hi", key="k"))
    with pytest.raises(Conflict, match="client_msg_id"):
        await worker.append(draft("something else", key="k"))
    assert await worker.conversations.newest_seq(DM) == 1


async def test_a_key_is_one_senders_in_one_conversation(worker: Worker) -> None:
    await worker.append(draft("hi", key="k"))
    other_sender = await worker.append(draft("yo", sender="bob", key="k"))
    elsewhere = await worker.append(draft("hm", key="k", conversation="dm:alice:carol"))
    assert other_sender.entry is not None
    assert elsewhere.entry is not None


@pytest.mark.parametrize("days", [-8, 0, 6.9, 7])
async def test_a_key_is_remembered_for_seven_days_and_whatever_the_skew_of_clocks(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, days: float
) -> None:
    now = 100 * WEEK + (6 if days > 0 else 1) * 24 * 3600
    monkeypatch.setattr("ssechat.logs.delivery.time.time", lambda: now)
    first = await worker.append(draft("hi", key="k"))
    monkeypatch.setattr("ssechat.logs.delivery.time.time", lambda: now + max(days, -6) * 24 * 3600)
    again = await worker.append(draft("hi", key="k"))
    assert again.message == first.message
    ttl = await worker.redis.call("TTL", keys.sent(DM, 100))
    assert 14 * 24 * 3600 < ttl <= 21 * 24 * 3600


def at_week(monkeypatch: pytest.MonkeyPatch, week: float) -> None:
    monkeypatch.setattr("ssechat.logs.delivery.time.time", lambda: week * WEEK + 5)


async def test_records_of_keys_are_looked_for_in_the_weeks_that_have_some(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = []
    for week in (100, 101, 103, 104):
        if week == 104:
            await worker.redis.call("DEL", keys.sent(DM, 100))  # as Redis does in time
        at_week(monkeypatch, week)
        await worker.append(draft(f"in {week}"))
        noted.append(await worker.redis.call("HGET", keys.conversation(DM), "weeks"))
    assert noted == [b"100", b"101 100", b"103 101 100", b"104 103 101"]


async def test_what_an_older_version_recorded_is_found_and_does_not_stay_for_ever(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_week(monkeypatch, 100)
    await worker.append(draft("first"))
    await worker.redis.call("HDEL", keys.conversation(DM), "weeks")  # it noted none
    assert (await worker.append(draft("first"))).entry is None
    await worker.append(draft("second"))
    at_week(monkeypatch, 101)
    assert (await worker.append(draft("first"))).entry is None
    await worker.append(draft("third"))
    assert await worker.redis.call("TTL", keys.sent(DM, 101)) > 2 * WEEK


async def test_a_record_without_a_note_is_found_when_a_roll_back_left_it(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_week(monkeypatch, 100)
    await worker.append(draft("first"))
    at_week(monkeypatch, 101)
    await worker.append(draft("second"))
    await worker.redis.call("HSET", keys.conversation(DM), "weeks", "100")  # the older version did not say so
    assert (await worker.append(draft("second"))).entry is None


@pytest.mark.parametrize("ahead", [0.99, 2, 5])
async def test_a_worker_whose_clock_is_ahead_makes_nobody_forget(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    at_week(monkeypatch, 99.01)
    await worker.append(draft("a week ago"))
    at_week(monkeypatch, 100.01)
    await worker.append(draft("now"))
    at_week(monkeypatch, 100.01 + ahead)
    await worker.append(draft("from the future"))
    at_week(monkeypatch, 100.01)
    assert (await worker.append(draft("now"))).entry is None
    assert (await worker.append(draft("a week ago"))).entry is None
    assert (await worker.append(draft("from the future"))).entry is None


async def test_a_log_that_went_back_refuses_one_item_and_not_its_neighbours(worker: Worker) -> None:
    await worker.append(draft("one"))
    await worker.redis.call("HDEL", keys.conversation(DM), "head")  # now the next id is not above the last
    broken, sound = await asyncio.gather(
        worker.append(draft("two")),
        worker.append(draft("x", conversation="dm:alice:carol")),
        return_exceptions=True,
    )
    assert isinstance(sound, Sent)
    # With a tag above the old one Redis takes the entry; else that item alone is refused.
    if isinstance(broken, BaseException):
        assert "equal or smaller" in str(broken)


async def test_a_message_is_in_every_members_inbox_when_its_sender_is_answered(worker: Worker) -> None:
    sent = await worker.sends.send(draft("hi"), (ALICE, BOB))
    assert not sent.lacking
    assert [await worker.texts(user) for user in (ALICE, BOB)] == [[sent.message.decode()]] * 2
    assert await worker.conversations.unfinished(DM) is None
    again = await worker.sends.send(draft("hi"), (ALICE, BOB))
    assert not again.undelivered
    assert [len(await worker.events(user)) for user in (ALICE, BOB)] == [1, 1]


async def test_no_two_inboxes_share_an_id(worker: Worker) -> None:
    sent = await worker.sends.send(draft("hi"), (ALICE, BOB))
    assert sent.entry is not None
    [(_, alices, _)], [(_, bobs, _)] = [await worker.events(user) for user in (ALICE, BOB)]
    assert len({alices, bobs, sent.entry.id}) == 3


async def test_an_inbox_that_lacks_an_older_entry_does_not_take_a_newer_one(worker: Worker) -> None:
    first = await worker.sends.send(draft("one"), (ALICE,), to_all=False)
    second = await worker.sends.send(draft("two"), (ALICE, BOB))
    assert second.lacking == [(BOB, "0-0")]
    assert await worker.events("bob") == []
    assert first.entry is not None
    assert second.entry is not None
    assert second.entry.before == first.entry.id
    assert await worker.conversations.unfinished(DM) == second.entry.id


async def test_what_not_all_members_were_sent_counts_as_unfinished(worker: Worker) -> None:
    sent = await worker.sends.send(draft("one"), (ALICE,), to_all=False)
    assert sent.entry is not None
    assert await worker.conversations.unfinished(DM) == sent.entry.id
    assert (await worker.sends.send(draft("one"), (ALICE, BOB))).undelivered


async def test_messages_of_one_batch_with_different_numbers_of_members_keep_apart(worker: Worker) -> None:
    note = ConversationId("dm:bob:bob")
    both, self_, none = await asyncio.gather(
        worker.sends.send(draft("to both"), (ALICE, BOB)),
        worker.sends.send(draft("to myself", sender="bob", conversation=note), (BOB,)),
        worker.sends.send(draft("to nobody yet", key="k"), (), to_all=False),
    )
    assert [len(await worker.events(user)) for user in (ALICE, BOB)] == [1, 2]
    assert not both.lacking
    assert not self_.lacking
    assert none.entry is not None
    assert none.entry.before == (both.entry and both.entry.id)


async def test_an_inbox_that_refuses_spoils_neither_the_log_nor_the_neighbours(worker: Worker) -> None:
    await worker.redis.call("SET", keys.inbox(BOB), "not a stream")
    broken, sound = await asyncio.gather(
        worker.sends.send(draft("one"), (ALICE, BOB)),
        worker.sends.send(draft("x", conversation="dm:alice:carol"), (ALICE, UserId("carol"))),
        return_exceptions=True,
    )
    assert isinstance(broken, ScriptError)
    assert isinstance(sound, Sent)
    await worker.redis.call("DEL", keys.inbox(BOB))
    assert (await worker.sends.send(draft("one"), (ALICE, BOB))).undelivered
    await worker.chat.finish(DM, (ALICE, BOB))
    assert len(await worker.texts("bob")) == 1
