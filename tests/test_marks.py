"""What is read, unread and muted follows from one mark, which is the same on all devices."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_client import client_of, code
from losing import lose_all_but_one
from parts import ALICE, BOB, DM, Worker, parse_frames
from people import Person, direct, people
from polling import until
from redises import RedisProcess
from ssechat.chat.edits import Edit
from ssechat.chat.groups import Draft
from ssechat.chat.messages import Extras
from ssechat.errors import RedisUnavailable
from ssechat.events import frames
from ssechat.ids import UserId
from ssechat.logs.actions import new_message
from ssechat.logs.marks import Mark
from ssechat.redis import keys

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


def counts(found: dict[str, Any]) -> tuple[int, int, list[int], bool]:
    return found["read_up_to"], found["unread"], found["mentions"], found["muted"]


async def sums(person: Person) -> tuple[int, int]:
    me = await person.done("GET", "/me")
    return me["unread"], me["mentions"]


async def test_unread_is_what_was_sent_since_the_mark_which_rises_only(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = direct(alice, bob)
    for number in range(5):
        await alice.say(where, f"m{number}")
    assert counts(await bob.done("GET", where)) == (0, 5, [], False)
    assert counts(await alice.done("GET", where)) == (5, 0, [], False), "one has read what one has sent"
    read = await bob.done("PUT", f"{where}/read", {"up_to": 3})
    assert read == {"conversation_id": "dm:alice:bob", "read_up_to": 3, "unread": 2, "mentions": [], "muted": False}
    assert counts(await bob.done("PUT", f"{where}/read", {"up_to": 2})) == (3, 2, [], False)
    assert counts(await bob.done("PUT", f"{where}/read", {"up_to": 2**53 - 1})) == (5, 0, [], False), "no further"
    await alice.say(where, "m5")
    [listed] = (await bob.done("GET", "/conversations"))["conversations"]
    assert counts(listed) == (5, 1, [], False)
    await bob.say(where, "yes")
    assert counts(await bob.done("GET", where)) == (7, 0, [], False)
    assert counts(await alice.done("GET", where)) == (6, 1, [], False)


async def test_a_mark_is_for_who_takes_part(client: httpx.AsyncClient) -> None:
    alice, bob, eve = await people(client, "alice", "bob", "eve")
    where = await alice.make(bob)
    for path in (where, direct(alice, bob)):
        for what, body in (("read", {"up_to": 1}), ("mute", {"muted": True})):
            assert code(await eve.ask("PUT", f"{path}/{what}", body)) == (403, "not_a_member")
    nobodys = f"/conversations/g:{'a' * 26}"
    assert code(await eve.ask("PUT", f"{nobodys}/read", {"up_to": 1})) == (404, "unknown_conversation")
    await bob.done("DELETE", f"{where}/members/bob")
    assert code(await bob.ask("PUT", f"{where}/mute", {"muted": True})) == (403, "not_a_member")
    for up_to in (-1, 2**53, "1", 1.5, None):
        assert code(await alice.ask("PUT", f"{where}/read", {"up_to": up_to})) == (422, "invalid_request")
    assert code(await alice.ask("PUT", f"{where}/mute", {"muted": 1})) == (422, "invalid_request")


async def test_me_sums_up_what_is_not_muted_and_nothing_of_groups_that_one_has_left(client: httpx.AsyncClient) -> None:
    alice, bob, carol = await people(client, "alice", "bob", "carol")
    group, other = await alice.make(bob), await alice.make(bob)
    for where in (direct(alice, bob), group, other):
        await alice.say(where, "hi", mentions=["bob"])
        await alice.say(where, "ho")
    assert await sums(bob) == (6, 3)
    await bob.done("PUT", f"{other}/mute", {"muted": True})
    assert await sums(bob) == (4, 2)
    await bob.done("DELETE", f"{group}/members/bob")
    assert await sums(bob) == (2, 1)
    assert await sums(carol) == (0, 0)


async def test_what_was_written_before_one_joined_is_not_unread(client: httpx.AsyncClient) -> None:
    alice, bob, carol = await people(client, "alice", "bob", "carol")
    where = await alice.make(bob, carol)
    await alice.say(where, "one", mentions=["bob"])
    assert counts(await bob.done("GET", where)) == (0, 1, [1], False)
    await bob.done("DELETE", f"{where}/members/bob")
    await alice.say(where, "two")
    await alice.done("PUT", f"{where}/members/bob", {})
    assert counts(await bob.done("GET", where)) == (2, 0, [], False)
    await alice.say(where, "three", mentions=["bob"])
    assert counts(await bob.done("GET", where)) == (2, 1, [3], False)
    assert await sums(bob) == (1, 1)


async def test_mentions_come_and_go_with_what_the_messages_say(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    for where in (await alice.make(bob), direct(alice, bob)):
        for number in range(4):
            await alice.say(where, f"m{number}", mentions=["bob"] if number != 1 else [])
        assert (await bob.done("GET", where))["mentions"] == [1, 3, 4]
        await alice.done("DELETE", f"{where}/messages/3")
        assert (await bob.done("GET", where))["mentions"] == [1, 4]
        await alice.done("PATCH", f"{where}/messages/2", {"mentions": ["bob"]})
        await alice.done("PATCH", f"{where}/messages/4", {"mentions": []})
        assert (await bob.done("GET", where))["mentions"] == [1, 2]
        assert (await alice.done("GET", where))["mentions"] == []
        await bob.done("PUT", f"{where}/read", {"up_to": 1})
        await alice.done("PATCH", f"{where}/messages/1", {"text": "again"})
        assert (await bob.done("GET", where))["mentions"] == [2]


async def test_other_devices_are_told_live_and_when_they_resume(worker: Worker, other_worker: Worker) -> None:
    await worker.say("hi")
    stream, sink = other_worker.open_stream("bob")
    await until(lambda: stream.live)
    cursor = stream.cursor
    await worker.chat.marks.read(BOB, DM, 1)
    await worker.chat.marks.read(BOB, DM, 1)
    await worker.chat.marks.mute(BOB, DM, muted=True)
    await worker.chat.marks.mute(BOB, DM, muted=True)
    read = {"conversation_id": DM, "read_up_to": 1, "muted": False, "unread": 0, "mentions": []}
    wanted = [read, {**read, "muted": True}]
    await until(lambda: sink.names().count("mark") == 2)
    assert [json.loads(event["data"]) for event in sink.checked() if event["event"] == "mark"] == wanted
    replayed = await worker.events("bob", cursor)
    assert [(event.kind, json.loads(parse_frames(frames.unchunk(event.chunk))[0]["data"])) for event in replayed] == [
        ("mark", wanted[-1])
    ] * 2, "as it stands now"
    assert [event.kind for event in await worker.events("alice")] == ["message"], "nobody else is told"


async def test_a_mark_moves_no_conversation_up_in_the_list(worker: Worker) -> None:
    await worker.say("hi", "bob")
    await worker.chat.messages.send_to(UserId("bob"), "carol", "ho", "k")
    await worker.chat.marks.read(BOB, DM, 1)
    await worker.chat.marks.mute(BOB, DM, muted=True)
    listing = await worker.chat.conversations.list(BOB, None, 10)
    assert [one.fields["id"] for one in listing.conversations] == ["dm:bob:carol", DM]


async def test_the_newest_hundred_mentions_are_kept(worker: Worker) -> None:
    for number in range(103):
        await worker.chat.messages.send(ALICE, DM, "hi", f"k{number}", Extras(None, (BOB,), None))
    place = await worker.inbox.place(BOB, DM)
    assert place.mark == Mark(0, False, list(range(4, 104)))


async def test_messages_whose_seqs_were_given_before_a_rollback_are_unread(worker: Worker) -> None:
    for number in range(3):
        await worker.chat.messages.send(ALICE, DM, f"m{number}", f"k{number}", Extras(None, (BOB,), None))
    await worker.chat.marks.read(BOB, DM, 3)
    await lose_all_but_one(worker)
    await worker.say("in the place of a lost one: bob's inbox gets a reset")
    await worker.say("after it")
    [conversation_now] = (await worker.chat.conversations.list(BOB, None, 1)).conversations
    assert conversation_now.fields["newest_seq"] == 3
    assert conversation_now.fields["unread"] == 1
    assert conversation_now.fields["mentions"] == []


async def test_a_mark_survives_the_delivery_of_a_run_and_a_change_that_is_passed(workers: list[Worker]) -> None:
    worker = workers[0]
    await worker.say("one")
    await worker.chat.marks.mute(BOB, DM, muted=True)
    await worker.chat.marks.read(BOB, DM, 1)
    await worker.say("two", "bob")
    await worker.chat.edits.edit(ALICE, DM, 1, Edit("one!", None, None, False), None)
    assert (await worker.inbox.place(BOB, DM)).mark == Mark(2, True, [])


async def test_a_conversation_muted_before_its_first_message_is_on_a_page_of_the_list(
    client: httpx.AsyncClient,
) -> None:
    alice, *others = await people(client, "alice", "bob", "carol", "dave")
    for other in others:
        await alice.done("PUT", f"{direct(alice, other)}/mute", {"muted": True})
    found, query = [], "?limit=1"
    while query:
        page = await alice.done("GET", f"/conversations{query}")
        found += [one["id"] for one in page["conversations"]]
        query = f"?limit=1&before={page['next']}" if page["next"] else ""
    assert found == ["dm:alice:dave", "dm:alice:carol", "dm:alice:bob"]


async def test_what_a_reset_stands_for_can_be_read(worker: Worker) -> None:
    for number in range(3):
        await worker.say(f"m{number}")
    # Bob's inbox is lost, and the log keeps too little to make it anew.
    user, inbox, places = keys.of_user(BOB)
    await worker.redis.call("DEL", user)
    await worker.redis.call("DEL", inbox)
    await worker.redis.call("DEL", places)
    log = keys.of_conversation(DM).log
    for entry, _ in (await worker.redis.call("XRANGE", log, "-", "+"))[:2]:
        await worker.redis.call("XDEL", log, entry)
    await worker.say("m3")
    assert [event.kind for event in await worker.events("bob")] == ["reset"]
    assert await worker.chat.marks.sums(BOB) == (4, 0)
    marked = await worker.chat.marks.read(BOB, DM, 4)
    assert (marked.mark.read_up_to, marked.newest) == (4, 4)
    described = await worker.chat.conversations.one(BOB, DM)
    assert described.fields["unread"] == 0
    assert await worker.chat.marks.sums(BOB) == (0, 0)


async def test_mentions_in_messages_that_were_lost_are_gone(worker: Worker) -> None:
    for number in range(4):
        await worker.chat.messages.send(ALICE, DM, f"m{number}", f"k{number}", Extras(None, (BOB,), None))
    await lose_all_but_one(worker)
    await worker.say("in the place of a lost one: bob's inbox gets a reset")
    assert (await worker.chat.marks.read(BOB, DM, 4)).mark.read_up_to == 2, "up to the newest message"
    await worker.say("after it")
    assert (await worker.inbox.place(BOB, DM)).mark.mentions == []


async def test_a_mark_says_the_same_as_an_event_as_when_it_is_fetched(
    client: httpx.AsyncClient, worker: Worker
) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = await alice.make()
    for number in range(3):
        await alice.say(where, f"m{number}")
    await alice.done("PUT", f"{where}/members/bob", {})
    muted = await bob.done("PUT", f"{where}/mute", {"muted": True})
    assert counts(muted) == (3, 0, [], True)
    *_, event = await worker.texts("bob")
    assert json.loads(event) == muted


async def test_a_mark_is_not_half_changed_where_redis_refuses_a_command(worker: Worker, redis: RedisProcess) -> None:
    await worker.say("hi")
    with redis.client() as client:
        before = {key: client.dump(key) for key in client.scan_iter()}
        client.execute_command("ACL", "SETUSER", "default", "-hset")
        try:
            with pytest.raises(RedisUnavailable):
                await worker.chat.marks.read(BOB, DM, 1)
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+hset")
        assert {key: client.dump(key) for key in client.scan_iter()} == before
    assert (await worker.chat.marks.read(BOB, DM, 1)).mark.read_up_to == 1
    assert [event.kind for event in await worker.events("bob")] == ["message", "mark"]


async def test_an_edit_that_mentions_takes_no_newer_mention_away(worker: Worker) -> None:
    await worker.say("one")
    for number in range(100):
        await worker.chat.messages.send(ALICE, DM, "hi", f"k{number}", Extras(None, (BOB,), None))
    await worker.chat.edits.edit(ALICE, DM, 1, Edit("one", (BOB,), None, False), None)
    await worker.chat.edits.edit(ALICE, DM, 2, Edit("two", (BOB,), None, False), None)
    await worker.chat.messages.send(ALICE, DM, "hi", "the last", Extras(None, (BOB,), None))
    assert (await worker.inbox.place(BOB, DM)).mark.mentions == list(range(3, 103))


async def test_ones_own_message_is_read_however_it_reaches_ones_inbox(worker: Worker) -> None:
    await worker.say("one")
    for key in ("k1", "k2", "k3"):
        await worker.append(new_message(DM, BOB, key, "mine"))
    await worker.chat.edits.delete(BOB, DM, 4, None)
    place = await worker.inbox.place(BOB, DM)
    assert (place.seq, place.mark.read_up_to) == (4, 4)


async def test_names_that_are_parts_of_others_or_patterns_are_told_apart(worker: Worker) -> None:
    names = [UserId(name) for name in ("b", "ab", "a.b", "axb", "a-b", "ab-", "a|b", "a+b", "aab", "a~b", "b@b")]
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", names), None)
    for number, name in enumerate(names, 1):
        await worker.chat.messages.send(ALICE, group, "hi", f"k{number}", Extras(None, (name,), None))
    for number, name in enumerate(names, 1):
        mark = (await worker.inbox.place(name, group)).mark
        assert (name, mark.read_up_to, mark.mentions) == (name, 0, [number])
    await worker.chat.messages.send(UserId("a.b"), group, "mine", "k", Extras(None, (), None))
    last = len(names) + 1
    for name in names:
        assert (await worker.inbox.place(name, group)).mark.read_up_to == (last if name == "a.b" else 0)


async def test_others_get_their_turn_while_thousands_of_places_are_parsed(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = [part for n in range(10_000) for part in (b"dm:bob:u%d" % n, b"%d-1 %d 1 1 0 " % (n + 1, n + 1))]
    turns = 0

    async def answered(*_: object) -> list[bytes]:
        return reply

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(worker.redis, "call", answered)
    other = asyncio.create_task(others())
    assert await worker.chat.marks.sums(BOB) == (0, 0)
    other.cancel()
    assert turns >= 20
