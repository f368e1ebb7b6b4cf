import asyncio
import json

import pytest

from parts import DM, Worker, draft
from ssechat import conversations as module
from ssechat.conversations import WEEK
from ssechat.errors import Conflict
from ssechat.ids import ConversationId
from ssechat.redis import keys

pytestmark = pytest.mark.anyio


async def test_messages_get_contiguous_places_in_the_order_of_their_arrival(worker: Worker) -> None:
    sent = await asyncio.gather(*[worker.conversations.append(draft(f"m{i}")) for i in range(5)])
    messages = [json.loads(one.message) for one in sent]
    assert [message["seq"] for message in messages] == [1, 2, 3, 4, 5]
    assert [message["text"] for message in messages] == ["m0", "m1", "m2", "m3", "m4"]
    entries = [one.entry for one in sent if one.entry is not None]
    assert entries[0].before == "0-0"
    assert [entry.before for entry in entries[1:]] == [entry.id for entry in entries[:-1]]


async def test_a_message_holds_what_was_sent_and_where_it_stands(worker: Worker) -> None:
    sent = await worker.conversations.append(draft('"\n\\ é 😀 data: x', key="k"))
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
    both = [worker.conversations, other_worker.conversations]
    sent = await asyncio.gather(*[both[i % 2].append(draft(f"m{i}")) for i in range(40)])
    assert sorted(json.loads(one.message)["seq"] for one in sent) == list(range(1, 41))


async def test_a_repeat_is_the_message_that_it_was(worker: Worker, other_worker: Worker) -> None:
    first = await worker.conversations.append(draft("hi", key="k"))
    again = await other_worker.conversations.append(draft("hi", key="k"))
    assert again.entry is None
    assert again.message == first.message
    assert await worker.conversations.newest_seq(DM) == 1


async def test_retries_under_way_on_two_workers_give_one_message(worker: Worker, other_worker: Worker) -> None:
    both = [worker.conversations, other_worker.conversations]
    sent = await asyncio.gather(*[both[i % 2].append(draft("hi", key="k")) for i in range(20)])
    assert len({one.message for one in sent}) == 1
    assert len([one for one in sent if one.entry is not None]) == 1


async def test_another_message_under_the_same_key_is_refused(worker: Worker) -> None:
    await worker.conversations.append(draft("hi", key="k"))
    with pytest.raises(Conflict, match="client_msg_id"):
        await worker.conversations.append(draft("something else", key="k"))
    assert await worker.conversations.newest_seq(DM) == 1


async def test_a_key_is_one_senders_in_one_conversation(worker: Worker) -> None:
    await worker.conversations.append(draft("hi", key="k"))
    other_sender = await worker.conversations.append(draft("yo", sender="bob", key="k"))
    elsewhere = await worker.conversations.append(draft("hm", key="k", conversation="dm:alice:carol"))
    assert other_sender.entry is not None
    assert elsewhere.entry is not None


@pytest.mark.parametrize("days", [-8, 0, 6.9, 7])
async def test_a_key_is_remembered_for_seven_days_and_whatever_the_skew_of_clocks(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, days: float
) -> None:
    now = 100 * WEEK + (6 if days > 0 else 1) * 24 * 3600
    monkeypatch.setattr("ssechat.conversations.time.time", lambda: now)
    first = await worker.conversations.append(draft("hi", key="k"))
    monkeypatch.setattr("ssechat.conversations.time.time", lambda: now + max(days, -6) * 24 * 3600)
    again = await worker.conversations.append(draft("hi", key="k"))
    assert again.message == first.message
    ttl = await worker.redis.call("TTL", keys.sent(DM, 100))
    assert 14 * 24 * 3600 < ttl <= 21 * 24 * 3600


async def test_a_log_that_went_back_refuses_one_item_and_not_its_neighbours(worker: Worker) -> None:
    await worker.conversations.append(draft("one"))
    await worker.redis.call("HDEL", keys.conversation(DM), "head")  # now the next id is not above the last
    broken, sound = await asyncio.gather(
        worker.conversations.append(draft("two")),
        worker.conversations.append(draft("x", conversation="dm:alice:carol")),
        return_exceptions=True,
    )
    assert isinstance(sound, module.Sent)
    # With a tag above the old one Redis takes the entry; else that item alone is refused.
    if isinstance(broken, BaseException):
        assert "equal or smaller" in str(broken)


async def test_entries_are_read_back_as_they_were_appended(worker: Worker) -> None:
    sent = [await worker.conversations.append(draft(f"m{i}")) for i in range(3)]
    appended = [one.entry for one in sent if one.entry is not None]
    assert await worker.conversations.entries(DM, "0-0", "+", 10) == appended
    later = await worker.conversations.entries(DM, appended[1].id, appended[2].id, 10)
    assert [entry.id for entry in later] == [appended[1].id, appended[2].id]
    assert later[1] == appended[2]


async def test_a_message_that_is_gone_leaves_a_tombstone(worker: Worker) -> None:
    await worker.conversations.append(draft("m"))
    await worker.redis.call("DEL", keys.messages(DM))
    [entry] = await worker.conversations.entries(DM, "0-0", "+", 10)
    assert b'{"conversation_id":"dm:alice:bob","seq":1,"deleted":true}' in entry.frame


async def test_what_was_delivered_is_noted_and_never_goes_down(worker: Worker) -> None:
    sent = [await worker.conversations.append(draft(f"m{i}")) for i in range(3)]
    appended = [one.entry for one in sent if one.entry is not None]
    assert await worker.conversations.unfinished(DM) == appended[2].id
    for entry in (appended[2], appended[0]):
        worker.conversations.mark_delivered(entry)
        worker.conversations._flush_marks()
        await asyncio.sleep(0)  # the batch leaves
    await worker.redis.call("PING")
    assert await worker.conversations.unfinished(DM) is None
    assert not (await worker.conversations.append(draft("m0"))).undelivered


async def test_a_list_shows_the_last_message_of_each_conversation(worker: Worker) -> None:
    await worker.conversations.append(draft("one"))
    last = await worker.conversations.append(draft("two"))
    empty = ConversationId("dm:alice:carol")
    found = await worker.conversations.summaries([DM, empty])
    assert [(one.id, one.newest_seq, one.last_message) for one in found] == [(DM, 2, last.message), (empty, 0, None)]
    assert await worker.conversations.summaries([]) == []


async def test_messages_are_read_by_their_seq(worker: Worker) -> None:
    for i in range(1, 6):
        await worker.conversations.append(draft(f"m{i}"))
    found = await worker.conversations.messages(DM, 2, 4)
    assert [json.loads(message)["text"] for message in found] == ["m2", "m3", "m4"]
    assert await worker.conversations.messages(DM, 3, 2) == []
    assert await worker.conversations.messages(DM, 9, 12) == []
