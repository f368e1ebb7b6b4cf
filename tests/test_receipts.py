"""Receipts are what the others' places say, told as they change, and to those who give their own."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_client import client_of, code
from losing import lose_all_but_one
from parts import ALICE, BOB, DM, FakeSink, Worker, a_worker
from people import direct, people
from polling import until
from redises import RedisProcess
from ssechat.chat.groups import Draft
from ssechat.chat.receipts import MAX_MEMBERS
from ssechat.errors import NotFound
from ssechat.ids import ConversationId, UserId
from ssechat.logs.blocks import Blocks
from ssechat.logs.marks import Mark

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

Fields = dict[str, Any]


@pytest.fixture(autouse=True)
def _told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes within so many seconds, and not within one, is told once."""
    monkeypatch.setattr("ssechat.chat.receipts.PAUSE", 0.2)


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


async def live(worker: Worker, user: str) -> FakeSink:
    """A stream of this user that is live."""
    stream, sink = worker.open_stream(user)
    await until(lambda: stream.live)
    return sink


def told(sink: FakeSink) -> list[tuple[str, int, int]]:
    """What a stream was told: of whom, read and delivered up to where."""
    found = [json.loads(event["data"]) for event in sink.checked() if event["event"] == "receipt"]
    return [(one["user"], one["read_up_to"], one["delivered_up_to"]) for one in found]


async def shown(worker: Worker, user: str, conversation: str = DM) -> list[tuple[str, int, int]] | None:
    """The receipts that a user sees in a conversation."""
    fields = (await worker.chat.conversations.one(UserId(user), conversation)).fields
    receipts: list[Fields] | None = fields.get("receipts")
    if receipts is None:
        return None
    return [(one["user"], one["read_up_to"], one["delivered_up_to"]) for one in receipts]


async def has(worker: Worker, user: str) -> None:
    """A device of this user acks all that there is."""
    await worker.chat.receipts.ack(UserId(user), await worker.inbox.head(UserId(user)))


async def group_of(worker: Worker, *names: str, history: Any = "all") -> ConversationId:
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", history, [UserId(name) for name in names]), None)
    return group


async def test_a_message_is_sent_then_delivered_then_read(worker: Worker) -> None:
    for number in range(3):
        await worker.say(f"m{number}")
    assert await shown(worker, "alice") == [("bob", 0, 0)]
    assert await shown(worker, "bob") == [("alice", 3, 3)], "who sends has read"
    await has(worker, "bob")
    assert await shown(worker, "alice") == [("bob", 0, 3)]
    await worker.chat.marks.read(BOB, DM, 2)
    assert await shown(worker, "alice") == [("bob", 2, 3)]
    await worker.chat.marks.read(BOB, DM, 1)
    await worker.chat.marks.mute(BOB, DM, muted=True)
    assert await shown(worker, "alice") == [("bob", 2, 3)], "it rises only"
    await worker.say("m3")
    await worker.chat.marks.read(BOB, DM, 4)
    assert await shown(worker, "alice") == [("bob", 4, 4)], "what is read is delivered"
    await worker.say("yes", "bob")
    assert await shown(worker, "alice") == [("bob", 5, 5)]
    assert await shown(worker, "bob") == [("alice", 4, 4)]
    assert await shown(worker, "bob", "dm:bob:bob") == [], "notes have no receipts"


async def test_the_others_are_told_on_all_devices_and_workers_without_an_id(
    worker: Worker, other_worker: Worker
) -> None:
    await worker.say("hi")
    sinks = [await live(worker, "alice"), await live(worker, "alice"), await live(other_worker, "alice")]
    own = await live(worker, "bob")
    await has(worker, "bob")
    await until(lambda: all(told(sink) == [("bob", 0, 1)] for sink in sinks))
    [event] = [event for event in sinks[0].events() if event["event"] == "receipt"]
    assert "id" not in event
    assert json.loads(event["data"])["conversation_id"] == DM
    await other_worker.chat.marks.read(BOB, DM, 1)
    await until(lambda: all(told(sink) == [("bob", 0, 1), ("bob", 1, 1)] for sink in sinks))
    await has(worker, "bob")
    await worker.chat.marks.read(BOB, DM, 1)
    await worker.say("ho", "bob")
    await until(lambda: own.texts() == ["ho"])
    assert told(own) == [], "one's own other devices have the mark"
    assert told(sinks[0]) == [("bob", 0, 1), ("bob", 1, 1)], "what changes nothing is not told, nor is a send"


async def test_an_event_of_a_device_that_is_behind_delivers_what_it_has_only(worker: Worker) -> None:
    ids = []
    for number in range(6):
        await worker.say(f"m{number}", conversation=DM if number % 2 == 0 else "dm:alice:carol")
        await worker.say(f"to bob {number}", "carol", conversation="dm:bob:carol")
    ids = [event.id for event in await worker.events("bob")]
    assert len(ids) == 9
    seen = []
    for id in [ids[0], ids[2], ids[1], ids[8]]:
        await worker.chat.receipts.ack(BOB, id)
        [(_, _, from_alice)] = await shown(worker, "alice") or []
        [_, (_, _, from_carol)] = [("", 0, 0), *(await shown(worker, "carol", "dm:bob:carol") or [])]
        seen.append((from_alice, from_carol))
    assert seen == [(1, 0), (1, 2), (1, 2), (3, 6)], "an older id changes nothing"


async def test_changes_marks_and_facts_in_between_deliver_what_was_before_them(worker: Worker) -> None:
    group = await group_of(worker, "bob")
    await worker.say("one", conversation=group)
    await has(worker, "bob")
    await worker.say("two", conversation=group)
    await worker.chat.groups.change(ALICE, group, "Tea", None)
    [*_, (_, _, delivered)] = await shown(worker, "alice", group) or []
    assert delivered == 1
    await worker.chat.reactions.put(ALICE, group, 1, "👍", wanted=True)
    await has(worker, "bob")
    assert await shown(worker, "alice", group) == [("bob", 0, 2)]


async def test_after_thousands_of_events_one_ack_delivers_all_in_a_few_calls(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.logs.receipts.EVENTS", 20)
    monkeypatch.setattr("ssechat.logs.receipts.AT_ONCE", 10)
    names = [f"user{number:02}" for number in range(35)]
    for round in range(4):
        await asyncio.gather(
            *(worker.say(f"{name} {round}", name, f"dm:bob:{name}" if name > "bob" else "") for name in names)
        )
    calls: list[str] = []
    send = worker.redis.send

    def counted(*command: Any, **rest: Any) -> Any:
        calls.append(str(command[0]))
        return send(*command, **rest)

    monkeypatch.setattr(worker.redis, "send", counted)
    await has(worker, "bob")
    assert len(calls) <= 10, calls
    monkeypatch.undo()
    for name in names:
        assert await shown(worker, name, f"dm:bob:{name}") == [("bob", 0, 4)]
    await has(worker, "bob")


async def test_a_conversation_that_goes_on_meanwhile_is_delivered_with_the_next_ack(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.logs.receipts.EVENTS", 2)
    await worker.say("one")
    for number in range(5):
        await worker.say(f"other {number}", "carol", "dm:bob:carol")
    head = await worker.inbox.head(BOB)
    await worker.say("two")
    await worker.chat.receipts.ack(BOB, head)
    assert await shown(worker, "carol", "dm:bob:carol") == [("bob", 0, 5)]
    assert await shown(worker, "alice") == [("bob", 0, 0)], "alice's first message is too far back to look at"
    await has(worker, "bob")
    assert await shown(worker, "alice") == [("bob", 0, 2)]


async def test_events_without_messages_that_are_many_are_acked_once(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.logs.receipts.EVENTS", 2)
    for number in range(6):
        await worker.chat.marks.mute(BOB, DM, muted=number % 2 == 0)
    await has(worker, "bob")
    calls: list[Any] = []
    monkeypatch.setattr(worker.inbox, "places", lambda user: calls.append(user))
    await has(worker, "bob")
    assert not calls


async def test_only_an_event_of_ones_own_inbox_can_be_acked(worker: Worker) -> None:
    await worker.say("hi")
    await worker.say("to carol", "bob", "dm:bob:carol")
    foreign = await worker.inbox.head(ALICE)
    number, _, tag = (await worker.inbox.head(BOB)).partition("-")
    for id in (
        "",
        "nonsense",
        "1",
        "0-0",
        foreign,
        f"{number}-7",
        f"{int(number) + 1}-{tag}",
        f"{'9' * 18}-{'9' * 19}",
        "-",
        "+",
    ):
        with pytest.raises(NotFound, match="no event") as refused:
            await worker.chat.receipts.ack(BOB, id)
        assert refused.value.code == "unknown_event"
    await has(worker, "nobody")  # the birth of an empty inbox
    assert await shown(worker, "alice") == [("bob", 0, 0)]


async def test_receipts_are_for_groups_of_up_to_32(worker: Worker) -> None:
    names = [f"user{number:02}" for number in range(MAX_MEMBERS)]
    most, more = await group_of(worker, *names[1:]), await group_of(worker, *names)
    for group in (most, more):
        await worker.say(f"hi {group}", conversation=group)
    sink = await live(worker, "alice")
    for group in (more, most):
        await worker.chat.marks.read(UserId("user05"), group, 1)
    await until(lambda: told(sink))
    assert told(sink) == [("user05", 1, 1)]
    receipts = await shown(worker, "alice", most)
    assert receipts is not None
    assert [user for user, _, _ in receipts] == names[1:]
    assert {user: read for user, read, _ in receipts} == {name: int(name == "user05") for name in names[1:]}
    assert await shown(worker, "alice", more) is None
    await worker.chat.members.remove(ALICE, more, "user31")
    assert await shown(worker, "alice", more) is not None


async def test_who_joins_later_is_asked_for_what_came_after(worker: Worker) -> None:
    group = await group_of(worker, "bob", history="from_join")
    await worker.say("one", conversation=group)
    await worker.chat.marks.read(BOB, group, 1)
    await worker.chat.members.put(ALICE, group, UserId("carol"), None)
    description = await worker.chat.conversations.one(ALICE, group)
    assert description.fields["receipts"] == [
        {"user": "bob", "read_up_to": 1, "delivered_up_to": 1},
        {"user": "carol", "since": 1, "read_up_to": 1, "delivered_up_to": 1},
    ]
    await worker.chat.members.remove(BOB, group, BOB)
    assert await shown(worker, "alice", group) == [("carol", 1, 1)], "who has left has none"
    assert await shown(worker, "bob", group) is None
    await worker.say("two", conversation=group)
    await worker.say("three", conversation=group)
    await worker.chat.members.put(ALICE, group, BOB, None)
    description = await worker.chat.conversations.one(ALICE, group)
    assert description.fields["receipts"][0] == {"user": "bob", "since": 3, "read_up_to": 3, "delivered_up_to": 3}


async def test_nothing_is_told_of_or_to_who_is_not_there_any_more(worker: Worker) -> None:
    group = await group_of(worker, "bob", "carol")
    await worker.say("one", conversation=group)
    left, there = await live(worker, "carol"), await live(worker, "alice")
    await worker.chat.members.remove(ALICE, group, UserId("carol"))
    worker.chat.receipts.changed(UserId("carol"), group)
    await worker.chat.marks.read(BOB, group, 1)
    await until(lambda: told(there))
    assert told(there) == [("bob", 1, 1)]
    assert told(left) == []


async def test_who_switches_them_off_gives_none_and_gets_none(worker: Worker) -> None:
    group = await group_of(worker, "bob", "carol")
    await worker.say("one", conversation=group)
    await worker.say("hi")
    sinks = {name: await live(worker, name) for name in ("alice", "bob", "carol")}
    await worker.chat.profiles.change(BOB, {"receipts": "0"})
    for user in (BOB, UserId("carol")):
        await worker.chat.marks.read(user, group, 1)
    await worker.chat.marks.read(BOB, DM, 1)
    await until(lambda: told(sinks["alice"]))
    assert {name: told(sink) for name, sink in sinks.items()} == {"alice": [("carol", 1, 1)], "bob": [], "carol": []}
    assert await shown(worker, "alice", group) == [("carol", 1, 1)]
    assert await shown(worker, "carol", group) == [("alice", 1, 1)]
    assert await shown(worker, "bob", group) is None
    assert await shown(worker, "alice") == []
    await worker.chat.profiles.change(BOB, {"receipts": ""})
    assert await shown(worker, "alice", group) == [("bob", 1, 1), ("carol", 1, 1)], "what is so by then"
    assert await shown(worker, "bob", group) == [("alice", 1, 1), ("carol", 1, 1)]


async def test_there_are_none_across_a_block(worker: Worker) -> None:
    group = await group_of(worker, "bob", "carol")
    await worker.say("one", conversation=group)
    await worker.say("hi")
    sinks = {name: await live(worker, name) for name in ("alice", "bob", "carol")}
    await Blocks(worker.redis, 100).block(ALICE, BOB)
    await worker.chat.marks.read(BOB, group, 1)
    await worker.chat.marks.read(BOB, DM, 1)
    await until(lambda: told(sinks["carol"]))
    assert {name: told(sink) for name, sink in sinks.items()} == {"alice": [], "bob": [], "carol": [("bob", 1, 1)]}
    assert await shown(worker, "alice", group) == [("carol", 0, 0)]
    assert await shown(worker, "bob", group) == [("carol", 0, 0)]
    assert await shown(worker, "carol", group) == [("alice", 1, 1), ("bob", 1, 1)]
    assert await shown(worker, "alice") == []


async def test_a_server_without_receipts_shows_and_tells_none_and_takes_acks(redis: RedisProcess) -> None:
    async with a_worker(redis.url, receipts="off") as worker, a_worker(redis.url) as other:
        await worker.say("hi")
        sink = await live(worker, "alice")
        await worker.chat.receipts.ack(BOB, "nonsense")
        await has(worker, "bob")
        await worker.chat.marks.read(BOB, DM, 1)
        assert await shown(worker, "alice") is None
        await other.chat.receipts.ack(BOB, await worker.inbox.head(BOB))
        await worker.say("ho")
        await until(lambda: sink.texts() == ["ho"])
        assert told(sink) == []
        assert len(worker.chat.receipts.coalescing) == 0


async def test_what_has_changed_within_a_second_is_told_once_as_it_stands(worker: Worker) -> None:
    group = await group_of(worker, "bob", "carol")
    for number in range(6):
        await worker.say(f"m{number}", conversation=group)
    sink = await live(worker, "alice")
    for seq in range(1, 7):
        await worker.chat.marks.read(BOB, group, seq)
        await worker.chat.marks.read(UserId("carol"), group, seq - 1)
    await until(lambda: {("bob", 6, 6), ("carol", 5, 5)} <= {*told(sink)})
    assert len(told(sink)) <= 4


async def test_messages_in_the_place_of_lost_ones_are_not_delivered(worker: Worker) -> None:
    for number in range(4):
        await worker.say(f"m{number}")
    await has(worker, "bob")
    assert (await worker.inbox.place(BOB, DM)).mark == Mark(0, False, [], 4)
    await lose_all_but_one(worker)
    await worker.say("in the place of a lost one: bob's inbox gets a reset")
    await worker.say("after it")
    assert (await worker.inbox.place(BOB, DM)).seq == 3
    assert await shown(worker, "alice") == [("bob", 0, 2)]
    await worker.say("mentioned", key="k")
    await worker.chat.marks.mute(BOB, DM, muted=True)
    assert await shown(worker, "alice") == [("bob", 0, 2)], "what changes the mark keeps what is delivered"
    await worker.chat.marks.read(BOB, DM, 1)
    assert await shown(worker, "alice") == [("bob", 1, 2)]


async def test_over_http_an_ack_is_204_and_a_wrong_one_says_what_to_do(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = direct(alice, bob)
    await alice.say(where, "hi")
    assert code(await bob.ask("POST", "/ack", {"id": "7-7"})) == (404, "unknown_event")
    for wrong in ({}, {"id": 1}, {"id": ""}, {"id": "1" * 101}, {"id": None}, {"id": "1-1", "more": 1}):
        assert code(await bob.ask("POST", "/ack", wrong)) == (422, "invalid_request")
    for odd in ("\n", "1-1\n", "é", "*", "$", "(1-1"):
        assert code(await bob.ask("POST", "/ack", {"id": odd})) == (404, "unknown_event")
    assert (await client.post("/v1/ack", json={"id": "1-1"})).status_code == 401
    await bob.done("PUT", f"{where}/read", {"up_to": 1})
    assert (await alice.done("GET", where))["receipts"] == [{"user": "bob", "read_up_to": 1, "delivered_up_to": 1}]
    [listed] = (await alice.done("GET", "/conversations"))["conversations"]
    assert "receipts" not in listed
