import asyncio
import json

import pytest

from parts import ALICE, BOB, DM, Worker, draft
from ssechat.errors import Forbidden, NotFound
from ssechat.ids import UserId
from ssechat.redis import keys

pytestmark = pytest.mark.anyio


async def texts(worker: Worker, user: str) -> list[str]:
    """The texts in the user's inbox, in order."""
    return [json.loads(data).get("text", data) for data in await worker.texts(user)]


async def test_a_message_reaches_both_inboxes_before_it_is_acknowledged(worker: Worker) -> None:
    await worker.say("hi")
    assert await texts(worker, "alice") == await texts(worker, "bob") == ["hi"]


async def test_a_note_to_oneself_comes_once(worker: Worker) -> None:
    await worker.say("note", conversation="dm:alice:alice")
    assert await texts(worker, "alice") == ["note"]


async def test_idempotency_a_retry_delivers_nothing_twice(worker: Worker, other_worker: Worker) -> None:
    message, is_new = await worker.chat.messages.send(ALICE, DM, "hi", "k")
    again, is_new_again = await other_worker.chat.messages.send(ALICE, DM, "hi", "k")
    assert (is_new, is_new_again) == (True, False)
    assert again == message
    assert await texts(worker, "bob") == ["hi"]


async def test_repair_a_retry_delivers_what_a_dead_worker_had_appended(worker: Worker, other_worker: Worker) -> None:
    await worker.say("one")
    message, is_new = await worker.chat.messages.send(ALICE, DM, "two", "k")
    assert is_new
    # The state after a worker died between append and deliver: both inboxes lack the entry.
    for user in ("alice", "bob"):
        await forget_last(worker, user)
    assert await texts(worker, "bob") == ["one"]
    again, is_new = await other_worker.chat.messages.send(ALICE, DM, "two", "k")
    assert (again, is_new) == (message, False)
    assert await texts(worker, "bob") == ["one", "two"]
    assert await texts(worker, "alice") == ["one", "two"]


async def forget_last(worker: Worker, user: str) -> None:
    """Removes the newest event from an inbox, as if it had not been delivered."""
    [(newest, _)] = await worker.redis.call("XREVRANGE", keys.of_user(user).inbox, "+", "-", "COUNT", 1)
    await worker.redis.call("DEL", keys.of_user(user).inbox + "copy")
    kept = await worker.redis.call("XRANGE", keys.of_user(user).inbox, "-", "+")
    await worker.redis.call("DEL", keys.of_user(user).inbox)
    for entry, fields in kept[:-1]:
        await worker.redis.call("XADD", keys.of_user(user).inbox, entry, *fields)
    head = kept[-2][0] if len(kept) > 1 else b"0-0"
    await worker.redis.call("HSET", keys.user(user), "head", head)
    log = await worker.conversations.entries(DM, "-", "+", 1000)
    seq = len(kept) - 1
    last = f"{log[seq - 1].id} {seq} {seq}" if seq else ""
    if last:
        await worker.redis.call("HSET", keys.of_user(user).places, DM, last)
    else:
        await worker.redis.call("HDEL", keys.of_user(user).places, DM)
    await worker.redis.call("HSET", keys.of_conversation(DM).conversation, "delivered", seq)
    assert newest


async def test_repair_the_next_message_delivers_undelivered_entries(worker: Worker, other_worker: Worker) -> None:
    for text in ("one", "two", "three"):
        await worker.append(draft(text))
    await other_worker.say("four")
    assert await texts(worker, "bob") == await texts(worker, "alice") == ["one", "two", "three", "four"]


async def test_repair_delivers_more_than_a_page_of_undelivered_messages(worker: Worker) -> None:
    for i in range(250):
        await worker.append(draft(f"m{i}"))
    await worker.say("last")
    assert await texts(worker, "bob") == [f"m{i}" for i in range(250)] + ["last"]


async def test_repair_runs_when_a_conversation_is_opened_or_listed(worker: Worker) -> None:
    await worker.say("one")
    await worker.append(draft("two"))
    await worker.chat.history.page(BOB, DM, 50)
    assert await texts(worker, "bob") == ["one", "two"]
    await worker.append(draft("three"))
    await worker.chat.conversations.list(BOB, None, 50)
    assert await texts(worker, "alice") == ["one", "two", "three"]


async def test_racing_sends_on_two_workers_give_every_reader_the_same_order(
    worker: Worker, other_worker: Worker
) -> None:
    await asyncio.gather(
        *[(worker, other_worker)[i % 2].say(f"m{i}", sender=("alice", "bob")[i // 2 % 2]) for i in range(100)]
    )
    for_alice, for_bob = await texts(worker, "alice"), await texts(worker, "bob")
    assert for_alice == for_bob
    assert sorted(for_bob) == sorted(f"m{i}" for i in range(100))
    numbers = [event.n for event in await worker.events("bob")]
    assert numbers == list(range(1, 101))


async def test_an_entry_that_the_inbox_is_past_is_not_delivered_again(worker: Worker) -> None:
    first = await worker.append(draft("one"))
    await worker.say("two")
    assert first.entry is not None
    await worker.deliver({ALICE: [first.entry], BOB: [first.entry]})
    assert await texts(worker, "bob") == ["one", "two"]


async def roll_back(worker: Worker, entries: int) -> None:
    """The conversation's log loses its newest entries, as in a failover; the inboxes keep them."""
    log = await worker.redis.call("XREVRANGE", keys.of_conversation(DM).log, "+", "-")
    kept = log[entries:][::-1]
    await worker.redis.call("DEL", keys.of_conversation(DM).log)
    for entry, fields in kept:
        await worker.redis.call("XADD", keys.of_conversation(DM).log, entry, *fields)
    head = kept[-1][0] if kept else b"0-0"
    await worker.redis.call("HSET", keys.of_conversation(DM).conversation, "head", head, "seq", len(kept))


async def test_repair_a_rolled_back_log_is_a_reset_and_delivery_goes_on(worker: Worker) -> None:
    for text in ("one", "two", "three"):
        await worker.say(text)
    await roll_back(worker, 2)
    await worker.say("other two", key="k2")
    reset = (await texts(worker, "bob"))[3]
    assert json.loads(reset) == {"reason": "lost", "conversation_id": DM}
    await worker.say("other three", key="k3")
    assert (await texts(worker, "bob"))[-1] == "other three"
    assert (await texts(worker, "alice"))[3:] == (await texts(worker, "bob"))[3:]


async def test_the_same_place_in_another_history_is_not_taken_for_the_old_one(worker: Worker) -> None:
    await worker.say("one")
    await worker.say("two")
    await roll_back(worker, 1)
    await worker.say("other two", key="k2")  # same pos as "two", another tag
    assert json.loads((await texts(worker, "bob"))[-1])["reason"] == "lost"


async def test_repair_a_log_trimmed_past_an_inbox_is_a_reset(worker: Worker) -> None:
    await worker.say("one")
    for text in ("two", "three", "four"):
        await worker.append(draft(text))
    await worker.redis.call("XTRIM", keys.of_conversation(DM).log, "MAXLEN", 1)
    await worker.say("five")
    assert json.loads((await texts(worker, "bob"))[-1]) == {"reason": "expired", "conversation_id": DM}
    await worker.say("six")
    assert (await texts(worker, "bob"))[-1] == "six"


async def test_the_list_has_the_conversation_with_the_newest_event_first(worker: Worker) -> None:
    for other in ("bob", "carol", "dave", "bob"):
        await worker.say(f"to {other}", conversation=f"dm:alice:{other}", key=str(id(other)) + other)
        await worker.say(f"again to {other}", conversation=f"dm:alice:{other}")
    first = await worker.chat.conversations.list(ALICE, None, 2)
    assert [one.fields["id"] for one in first.conversations] == [
        "dm:alice:bob",
        "dm:alice:dave",
    ] or first.next is not None
    second = await worker.chat.conversations.list(ALICE, first.next, 2)
    assert len({one.fields["id"] for one in (*first.conversations, *second.conversations)}) == 3
    assert second.next is None


async def test_history_is_paged_in_both_directions(worker: Worker) -> None:
    for i in range(1, 8):
        await worker.say(f"m{i}")

    async def seqs(before: int | None, after: int | None) -> tuple[list[int], bool]:
        history = await worker.chat.history.page(ALICE, DM, 3, before=before, after=after)
        return [json.loads(message)["seq"] for message in history.messages], history.more

    assert await seqs(None, None) == ([5, 6, 7], True)
    assert await seqs(5, None) == ([2, 3, 4], True)
    assert await seqs(2, None) == ([1], False)
    assert await seqs(1, None) == ([], False)
    assert await seqs(None, 0) == ([1, 2, 3], True)
    assert await seqs(None, 4) == ([5, 6, 7], False)
    assert await seqs(None, 7) == ([], False)
    assert await seqs(100, None) == ([5, 6, 7], True)


async def test_only_members_of_a_conversation_that_can_be_may_use_it(worker: Worker) -> None:
    worker.users._anyone_exists = False
    with pytest.raises(NotFound, match="no conversation"):
        await worker.chat.conversations.one(ALICE, "dm:bob:alice")
    with pytest.raises(Forbidden):
        await worker.chat.conversations.one(UserId("carol"), DM)
    with pytest.raises(NotFound, match="no user 'bob'"):
        await worker.chat.conversations.one(ALICE, DM)
    with pytest.raises(NotFound, match="no user"):
        await worker.chat.messages.send_to(ALICE, "bob", "hi", "k")
    with pytest.raises(NotFound, match="no user"):
        await worker.chat.messages.send_to(ALICE, "no:name", "hi", "k")
    await worker.users.create_if_missing(BOB)
    assert (await worker.chat.conversations.one(ALICE, DM)).fields["members"] == (ALICE, BOB)
    message, _ = await worker.chat.messages.send_to(ALICE, "bob", "hi", "k")
    assert json.loads(message)["conversation_id"] == DM


async def test_idempotency_a_repeat_of_a_message_that_is_gone_is_its_tombstone(worker: Worker) -> None:
    await worker.say("before")
    await worker.say("hi", key="k")
    await worker.redis.call("HDEL", keys.of_conversation(DM).messages, "2")
    assert json.loads(await worker.say("hi", key="k")) == {"conversation_id": DM, "seq": 2, "deleted": True}
