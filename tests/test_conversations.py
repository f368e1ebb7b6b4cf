import asyncio
import json

import pytest

from parts import DM, Worker, draft
from ssechat.ids import ConversationId
from ssechat.logs.conversations import SUMMARY
from ssechat.logs.pages import PAGE_BYTES
from ssechat.redis import keys

pytestmark = pytest.mark.anyio

OTHER = ConversationId("dm:alice:carol")


async def test_entries_are_read_back_as_they_were_appended(worker: Worker) -> None:
    sent = [await worker.append(draft(f"m{i}")) for i in range(3)]
    appended = [one.entry for one in sent if one.entry is not None]
    assert await worker.conversations.entries(DM, "0-0", "+", 10) == appended
    later = await worker.conversations.entries(DM, appended[1].id, appended[2].id, 10)
    assert [entry.id for entry in later] == [appended[1].id, appended[2].id]
    assert later[1] == appended[2]


async def test_a_message_that_is_gone_leaves_a_tombstone(worker: Worker) -> None:
    await worker.append(draft("m"))
    await worker.redis.call("DEL", keys.of_conversation(DM).messages)
    [entry] = await worker.conversations.entries(DM, "0-0", "+", 10)
    assert b'{"conversation_id":"dm:alice:bob","seq":1,"deleted":true}' in entry.data


async def test_what_was_delivered_is_noted_and_never_goes_down(worker: Worker) -> None:
    sent = [await worker.append(draft(f"m{i}")) for i in range(3)]
    appended = [one.entry for one in sent if one.entry is not None]
    assert await worker.conversations.unfinished(DM) == appended[2].id
    for entries in ((appended[2], appended[0]), (appended[0],)):
        for entry in entries:
            worker.conversations.mark_delivered(DM, entry.id)
        worker.conversations._flush_marks()
        await asyncio.sleep(0)  # the batch is sent
    await worker.redis.call("PING")
    assert await worker.conversations.unfinished(DM) is None
    assert not (await worker.append(draft("m0"))).undelivered


async def test_a_list_shows_the_last_message_of_each_conversation(worker: Worker) -> None:
    await worker.append(draft("one"))
    last = await worker.append(draft("two"))
    empty = ConversationId("dm:alice:carol")
    found = await worker.conversations.summaries([DM, empty])
    assert [(one.id, one.newest_seq, one.last_message) for one in found] == [(DM, 2, last.message), (empty, 0, None)]
    assert await worker.conversations.summaries([]) == []


async def test_messages_are_read_by_their_seq(worker: Worker) -> None:
    for i in range(1, 6):
        await worker.append(draft(f"m{i}"))
    found = await worker.conversations.messages(DM, [4, 2, 3])
    assert [json.loads(message or b"")["text"] for message in found] == ["m4", "m2", "m3"]
    assert await worker.conversations.messages(DM, []) == []
    assert await worker.conversations.messages(DM, [9, 5]) == [None, found[0] and found[0].replace(b"4", b"5")]


async def test_a_note_of_what_was_delivered_goes_no_further_than_the_log(worker: Worker) -> None:
    for at in range(3):
        await worker.append(draft(f"m{at}"))
    for conversation, entry in ((DM, "4-1"), (OTHER, "1-1")):  # "4-1": the log has lost it since
        worker.conversations.mark_delivered(conversation, entry)
    worker.conversations._flush_marks()
    await asyncio.sleep(0)  # the batch leaves
    assert await worker.redis.call("HGET", keys.of_conversation(DM).conversation, "delivered") is None
    assert not await worker.redis.call("EXISTS", keys.of_conversation(OTHER).conversation)


async def test_a_note_that_redis_refuses_is_nobody_elses(worker: Worker) -> None:
    sent = await worker.append(draft("m"))
    assert sent.entry is not None
    await worker.redis.call("SET", keys.of_conversation(OTHER).conversation, "of another type")
    for conversation in (OTHER, DM):
        worker.conversations.mark_delivered(conversation, sent.entry.id)
    worker.conversations._flush_marks()
    await asyncio.sleep(0)  # the batch leaves
    await worker.redis.call("PING")
    assert await worker.conversations.unfinished(DM) is None


async def test_a_list_has_room_for_what_stands_around_its_messages(worker: Worker) -> None:
    await worker.append(draft("x"))
    found = await worker.conversations.summaries([DM] * 2000)
    size = sum(2 * len(one.id) + SUMMARY + len(one.last_message or b"") for one in found)
    assert 0.99 * PAGE_BYTES < size <= PAGE_BYTES
