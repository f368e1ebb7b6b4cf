import json

import pytest

from parts import BOB, DM, MARK, Worker, a_worker
from redises import RedisProcess
from ssechat.events.source import START
from ssechat.events.wake_ups import decode
from ssechat.ids import entry_number, number_of
from ssechat.logs.inbox import WAKE_UP_LIMIT
from ssechat.redis import keys
from ssechat.texts.timestamps import timestamp

pytestmark = pytest.mark.anyio


async def test_events_are_numbered_without_a_gap_over_all_conversations(worker: Worker) -> None:
    for i in range(3):
        await worker.say(f"a{i}")
        await worker.say(f"c{i}", conversation="dm:bob:carol", sender="carol")
    assert [event.n for event in await worker.events("bob")] == [1, 2, 3, 4, 5, 6]


async def test_reading_after_a_last_event_id_returns_what_follows_it(worker: Worker) -> None:
    for i in range(4):
        await worker.say(f"m{i}")
    events = await worker.events("bob")
    page = await worker.inbox.read(BOB, events[1][1], 10, 65536)
    assert page.continuous
    assert list(page.events) == events[2:]
    assert page.head == events[3][1]
    last = await worker.inbox.read(BOB, page.head, 10, 65536)
    assert last.continuous
    assert not last.events


async def test_a_page_has_no_more_than_asked_for(worker: Worker) -> None:
    for i in range(5):
        await worker.say(f"m{i}")
    events = await worker.events("bob")
    assert list((await worker.inbox.read(BOB, START, 2, 65536)).events) == events[:2]
    assert list((await worker.inbox.read(BOB, events[0][1], 2, 65536)).events) == events[1:3]


async def test_a_last_event_id_from_before_a_data_loss_is_not_valid(worker: Worker) -> None:
    for i in range(3):
        await worker.say(f"m{i}")
    page = await worker.inbox.read(BOB, "2-12345", 10, 65536)
    assert not page.continuous
    assert not page.events
    assert not (await worker.inbox.read(BOB, "99-1", 10, 65536)).continuous


async def test_the_newest_id_of_an_empty_inbox_stays_a_valid_last_event_id(worker: Worker) -> None:
    head = await worker.inbox.head(BOB)
    assert entry_number(head) == 0
    assert head != "0-0"
    assert await worker.inbox.head(BOB) == head
    assert (await worker.inbox.read(BOB, head, 10, 65536)).continuous
    await worker.say("one")
    page = await worker.inbox.read(BOB, head, 10, 65536)
    assert page.continuous
    assert len(page.events) == 1


async def test_the_first_tag_of_an_inbox_lost_since_is_not_a_valid_last_event_id(worker: Worker) -> None:
    await worker.inbox.head(BOB)
    assert not (await worker.inbox.read(BOB, "0-1", 10, 65536)).continuous
    await worker.say("one")
    assert not (await worker.inbox.read(BOB, "0-1", 10, 65536)).continuous


async def test_reading_an_inbox_that_nobody_has_written_to_makes_its_head(worker: Worker) -> None:
    page = await worker.inbox.read(BOB, START, 10, 65536)
    assert page.continuous
    assert page.head == await worker.inbox.head(BOB)
    assert page.before_oldest == page.head


async def test_a_last_event_id_older_than_what_is_kept_is_not_valid(worker: Worker) -> None:
    birth = await worker.inbox.head(BOB)
    for i in range(6):
        await worker.say(f"m{i}")
    events = await worker.events("bob")
    await worker.redis.call("XTRIM", keys.of_user(BOB).inbox, "MAXLEN", 2)
    page = await worker.inbox.read(BOB, events[1][1], 10, 65536)
    assert not page.continuous
    assert page.oldest == events[4][1]
    assert not (await worker.inbox.read(BOB, birth, 10, 65536)).continuous
    assert (await worker.inbox.read(BOB, START, 10, 65536)).before_oldest == "4-0"


async def test_an_inbox_is_kept_to_its_limit(redis: RedisProcess) -> None:
    async with a_worker(redis.url, inbox_limit=100) as worker:
        for i in range(400):
            await worker.say(f"m{i}")
        assert 100 <= len(await worker.events("bob")) < 200, "Redis trims whole nodes of 100 entries"
        assert (await worker.events("bob"))[-1].n == 400


async def test_a_message_shows_as_it_stands_now_or_as_a_tombstone(worker: Worker) -> None:
    await worker.say("one")
    await worker.say("two")
    await worker.redis.call("HDEL", keys.of_conversation(DM).messages, "1")
    await worker.redis.call("HSET", keys.of_conversation(DM).messages, "2", '{"text":"edited"}')
    first, second = await worker.texts("bob")
    assert first == '{"conversation_id":"dm:alice:bob","seq":1,"deleted":true}'
    assert second == '{"text":"edited"}'


async def test_messages_stored_by_an_older_version_are_escaped_when_read(worker: Worker) -> None:
    await worker.say("one")
    await worker.redis.call("HSET", keys.of_conversation(DM).messages, "1", '{"text":"a\u2028b\x85c"}')
    assert await worker.texts("bob") == [r'{"text":"a\u2028b\u0085c"}']


async def test_the_wake_up_carries_the_event_or_if_it_is_large_its_id(worker: Worker) -> None:
    heard: list[bytes] = []
    worker.hub.subscriptions._on_message = lambda _, payload: heard.append(payload)
    await worker.hub.subscriptions.add(keys.live(BOB).encode())
    room = WAKE_UP_LIMIT - len(await worker.say("", key="0"))
    for key, text in enumerate(("small", "x" * room, "x" * (room + 1)), 1):
        await worker.say(text, key=str(key))
    await worker.hub.subscriptions.add(b"another")  # acknowledged after all earlier publications
    empty, small, largest, large = map(decode, heard)
    assert (empty.kind, empty.before, number_of(empty.id)) == ("message", "0-0", 1)
    assert b'"text":"small"' in small.data
    assert json.loads(small.data)["created_at"] == timestamp(small.at)
    assert json.loads(small.data)["mark"] == {"read_up_to": 0, "muted": False, "unread": 2, "mentions": []}
    assert len(MARK.sub("}", largest.data.decode())) == WAKE_UP_LIMIT
    assert (large.kind, large.before, number_of(large.id), large.data) == ("message", largest.id, 4, b"")


async def test_the_heads_of_many_inboxes_come_at_once(worker: Worker) -> None:
    await worker.say("one")
    heads = await worker.inbox.heads([BOB, BOB])
    assert [entry_number(head) for head in heads] == [1, 1]
    assert await worker.inbox.heads([]) == []
