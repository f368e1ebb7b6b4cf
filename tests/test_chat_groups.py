"""Groups: what their members are told, and what somebody sees who is removed meanwhile."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from parts import ALICE, BOB, Worker, a_worker, parse_frames
from polling import until
from redises import RedisProcess
from ssechat.chat.edits import Edit
from ssechat.chat.groups import Draft
from ssechat.chat.messages import Extras
from ssechat.errors import Forbidden, NotFound, RequestError, TooMany
from ssechat.events import frames
from ssechat.events.kinds import LARGEST_FACT
from ssechat.ids import ConversationId, UserId
from ssechat.logs.actions import new_message
from ssechat.logs.membership import Precondition
from ssechat.logs.refused import MembersChanged
from ssechat.redis import keys

pytestmark = pytest.mark.anyio

CAROL = UserId("carol")


async def a_group(worker: Worker, *members: str, history: Any = "all", topic: str = "") -> ConversationId:
    """A group of alice and others."""
    group, is_new = await worker.chat.groups.make(ALICE, Draft("Lunch", topic, history, members), None)
    assert is_new
    return group


async def told(worker: Worker, user: str) -> list[tuple[str, dict[str, Any]]]:
    """The kinds and data of the user's events."""
    read = [parse_frames(frames.unchunk(event.chunk))[0] for event in await worker.events(user) if event.chunk]
    return [(frame["event"], json.loads(frame["data"])) for frame in read]


async def test_a_new_group_is_one_event_for_all_its_members(worker: Worker) -> None:
    group = await a_group(worker, "bob", "carol")
    for user in ("alice", "bob", "carol"):
        assert await told(worker, user) == [
            (
                "member",
                {
                    "conversation_id": group,
                    "users": [
                        {"user": "alice", "role": "owner"},
                        {"user": "bob", "role": "member"},
                        {"user": "carol", "role": "member"},
                    ],
                    "by": "alice",
                    "member_count": 3,
                    "name": "Lunch",
                },
            )
        ]


async def test_who_is_added_appointed_and_removed_is_told_to_all(worker: Worker) -> None:
    group = await a_group(worker, "bob")
    await worker.chat.members.add(ALICE, group, ["carol", "bob"])
    await worker.chat.members.put(ALICE, group, "bob", "admin")
    await worker.chat.members.put(ALICE, group, "bob", "admin")
    await worker.chat.members.remove(BOB, group, "carol")
    await worker.chat.members.remove(BOB, group, "carol")
    await worker.say("without carol", conversation=group)
    await worker.chat.members.remove(BOB, group, "bob")
    of_group = {"conversation_id": group}
    joined = {**of_group, "users": [{"user": "carol", "role": "member"}], "by": "alice", "member_count": 3,
              "name": "Lunch"}  # fmt: skip
    appointed = {**of_group, "users": [{"user": "bob", "role": "admin"}], "by": "alice", "member_count": 3}
    removed = {**of_group, "users": [{"user": "carol", "role": "member"}], "by": "bob", "member_count": 2, "left": True}
    left = {**of_group, "users": [{"user": "bob", "role": "admin"}], "by": "bob", "member_count": 1, "left": True}
    events = [data for kind, data in await told(worker, "alice") if kind == "member"]
    assert events[1:] == [joined, appointed, removed, left]
    assert [data for _, data in await told(worker, "carol")] == [joined, appointed, removed]
    assert (await told(worker, "bob"))[-1] == ("member", left)


async def test_a_group_is_told_as_it_stands_when_it_changes(worker: Worker) -> None:
    group = await a_group(worker, "bob", history="from_join")
    await worker.chat.groups.change(ALICE, group, "Dinner", "where?")
    await worker.chat.groups.change(ALICE, group, "Dinner", None)
    await worker.chat.groups.change(ALICE, group, None, "")
    await worker.chat.groups.end(ALICE, group)
    await worker.chat.groups.end(ALICE, group)
    of_group = {"conversation_id": group, "name": "Dinner", "history": "from_join"}
    assert (await told(worker, "bob"))[1:] == [
        ("conversation", {**of_group, "topic": "where?"}),
        ("conversation", of_group),
        ("conversation", {**of_group, "ended": True}),
    ]


async def test_what_two_workers_change_at_once_ends_in_what_was_told_last(worker: Worker, other_worker: Worker) -> None:
    group = await a_group(worker, "bob")
    for number in range(5):
        await asyncio.gather(
            worker.chat.groups.change(ALICE, group, f"Name {number}", None),
            other_worker.chat.groups.change(ALICE, group, None, f"Topic {number}"),
            worker.chat.members.add(ALICE, group, [f"user{number}"]),
        )
        described = (await worker.chat.conversations.one(BOB, group)).fields
        assert (described["name"], described["topic"]) == (f"Name {number}", f"Topic {number}")
        changes = [data for kind, data in await told(worker, "bob") if kind == "conversation"]
        assert (changes[-1]["name"], changes[-1]["topic"]) == (f"Name {number}", f"Topic {number}")
        names = [data["name"] for _, data in await told(worker, "bob") if "name" in data]
        assert names[-1] == f"Name {number}"


async def test_an_event_with_many_members_says_that_it_has_not_all(worker: Worker) -> None:
    names = [f"{'x' * 100}{number}" for number in range(100)]
    group = await a_group(worker, *names)
    await worker.chat.members.remove(ALICE, group, names[0])
    long = UserId("y" * 128)
    await worker.chat.groups.change(ALICE, group, "n" * 128, "t" * 256)
    await worker.chat.members.add(ALICE, group, [long])
    await worker.chat.members.put(ALICE, group, long, "owner")
    await worker.chat.members.remove(long, group, long)
    made, left, renamed, joined, appointed, gone = await told(worker, "alice")
    assert made[1]["more"] is True
    assert 2 < len(made[1]["users"]) < 10
    assert made[1]["member_count"] == 101
    assert "more" not in left[1]
    assert renamed[1]["topic"] == "t" * 256
    for _, data in (joined, appointed, gone):
        assert [user["user"] for user in data["users"]] == [long], "one is always named"
    sizes = [len(frames.encode(data)) for _, data in await told(worker, "alice")]
    assert LARGEST_FACT - 200 < max(sizes) <= LARGEST_FACT


async def test_messages_tell_all_members_what_has_become_of_them(worker: Worker) -> None:
    group = await a_group(worker, "bob")
    await worker.say("one", conversation=group)
    await worker.chat.edits.edit(ALICE, group, 1, Edit("two"), None)
    await worker.chat.edits.edit(ALICE, group, 1, Edit("two"), None)
    await worker.chat.edits.delete(ALICE, group, 1, None)
    await worker.chat.edits.delete(ALICE, group, 1, None)
    # What a later change supersedes is left out of a replay.
    assert [kind for kind, _ in await told(worker, "bob")] == ["member", "message", "message.deleted"]
    log = await worker.conversations.entries(group, "-", "+", 100)
    assert [entry.kind for entry in log] == ["member", "message", "message.updated", "message.deleted"]


async def test_one_who_is_removed_while_reading_sees_nothing_that_was_written_since(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = worker.conversations.messages
    group = ConversationId("")

    async def meanwhile(conversation: ConversationId, seqs: Sequence[int]) -> list[bytes | None]:
        monkeypatch.setattr(worker.conversations, "messages", read)
        await worker.chat.members.remove(ALICE, group, "bob")
        await worker.chat.edits.edit(ALICE, group, 1, Edit("secret"), None)
        return await read(conversation, seqs)

    async def history() -> list[bytes]:
        return list((await worker.chat.history.page(BOB, group, 50)).messages)

    async def one() -> list[bytes]:
        return [await worker.chat.messages.one(BOB, group, 1)]

    async def described() -> list[bytes]:
        return [(await worker.chat.conversations.one(BOB, group)).last_message or b""]

    for reading in (history, one, described):
        group = await a_group(worker, "bob")
        await worker.say("first", conversation=group)
        monkeypatch.setattr(worker.conversations, "messages", meanwhile)
        [seen] = await reading()
        assert json.loads(seen) == {"conversation_id": group, "seq": 1, "deleted": True}


async def test_one_who_is_removed_while_the_list_is_made_is_not_shown_the_group(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await a_group(worker, "bob")
    await worker.say("first", conversation=group)
    await worker.say("hi", sender="bob")
    read = worker.conversations.summaries

    async def meanwhile(conversations: Sequence[ConversationId]) -> Any:
        await worker.chat.members.remove(ALICE, group, "bob")
        await worker.chat.edits.edit(ALICE, group, 1, Edit("secret"), None)
        return await read(conversations)

    monkeypatch.setattr(worker.conversations, "summaries", meanwhile)
    listing = await worker.chat.conversations.list(BOB, None, 50)
    assert [one.fields["type"] for one in listing.conversations] == ["dm"]


async def test_the_list_of_one_who_has_left_many_groups_asks_for_few_at_a_time(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.chat.conversations.ASKED_AT_ONCE", 2)
    monkeypatch.setattr("ssechat.chat.conversations.MOST_ASKED", 3)
    for _ in range(2):
        await worker.say("hi", sender="bob")
        for _ in range(4):
            group = await a_group(worker, "bob")
            await worker.chat.members.remove(BOB, group, "bob")
        kept = await a_group(worker, "bob")
    found: list[str] = []
    pages, before = 0, None
    while True:
        listing = await worker.chat.conversations.list(BOB, before, 50)
        found += [one.fields["id"] for one in listing.conversations]
        pages += 1
        if listing.next is None:
            break
        before = listing.next
    assert pages == 4
    assert found[0] == kept
    assert len(found) == 3


async def test_a_group_that_was_emptied_is_ended(worker: Worker) -> None:
    group = await a_group(worker)
    await worker.say("to myself", conversation=group)
    _, secret = await worker.chat.invites.make(ALICE, group, 3600, None)
    await worker.chat.members.remove(ALICE, group, "alice")
    await worker.chat.members.remove(ALICE, group, "alice")
    with pytest.raises(Forbidden) as refused:
        await worker.chat.joins.join(BOB, secret)
    assert refused.value.code == "ended"
    [text] = (await worker.chat.history.page(ALICE, group, 50)).messages
    assert json.loads(text)["text"] == "to myself"


Decide = Callable[[Worker, ConversationId], Awaitable[object]]

CHANGES: dict[str, Decide] = {
    "add": lambda worker, group: worker.chat.members.add(ALICE, group, ["dave"]),
    "rename": lambda worker, group: worker.chat.groups.change(ALICE, group, "New", None),
    "end": lambda worker, group: worker.chat.groups.end(ALICE, group),
    "delete": lambda worker, group: worker.chat.edits.delete(ALICE, group, 1, None),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_decision_for_which_others_are_too_quick_each_time_is_503(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    group = await a_group(worker, "bob")
    await worker.say("hi", sender="bob", conversation=group)

    async def too_late(*_: object, **named: object) -> tuple[bytes, bool]:
        raise MembersChanged

    monkeypatch.setattr(worker.delivery, "send", too_late)
    with pytest.raises(TooMany) as refused:
        await CHANGES[change](worker, group)
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (503, "busy", 1)


async def test_a_thousand_decisions_in_one_group_leave_nothing_behind(worker: Worker) -> None:
    group = await a_group(worker, "bob")
    await asyncio.gather(*[worker.chat.members.put(ALICE, group, "bob", None) for _ in range(1000)])
    assert not worker.chat.members._decisions._turns


async def test_a_group_that_was_large_names_all_its_members_while_redis_writes_its_file(
    worker: Worker, redis: RedisProcess
) -> None:
    many = [f"u{number}" for number in range(1000)]
    group = await a_group(worker, "bob", "carol", "dave", *many)
    with redis.client() as client:
        client.config_set("rdb-key-save-delay", 100_000)  # µs: the file is not done before the test is
        client.bgsave()
        try:
            client.hdel(keys.of_group(group).members, *many)  # does not shrink its table now
            described = await worker.chat.conversations.one(ALICE, group)
            assert client.info("persistence")["rdb_bgsave_in_progress"]
        finally:
            client.config_set("rdb-key-save-delay", 0)
            client.flushall()  # ends it
    assert described.fields["members"] == ["alice", "bob", "carol", "dave"]


async def test_strangers_take_no_turns(worker: Worker) -> None:
    group = await a_group(worker)
    turns = worker.chat.groups._decisions._turns

    async def try_all() -> None:
        for attempt in (
            worker.chat.groups.change(BOB, group, "Mine", None),
            worker.chat.groups.end(BOB, group),
            worker.chat.members.add(BOB, group, ["carol"]),
            worker.chat.members.put(BOB, group, "carol", None),
            worker.chat.members.remove(BOB, group, "alice"),
            worker.chat.members.remove(BOB, group, "bob"),
        ):
            with pytest.raises(Forbidden) as refused:
                await attempt
            assert refused.value.code == "not_a_member"

    busy = asyncio.create_task(_in_a_turn(worker, group))
    await until(lambda: turns)
    async with asyncio.timeout(8):
        await try_all()
    assert not busy.done()
    busy.cancel()


async def _in_a_turn(worker: Worker, group: ConversationId) -> None:
    """Takes a turn in a group, and never ends it."""
    forever: Any = asyncio.Event().wait  # in the place of what decides
    await worker.chat.groups._decisions.make(ALICE, group, forever)


async def test_more_requests_than_can_wait_in_one_group_are_503(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.chat.decisions.MAX_WAITING", 3)
    group = await a_group(worker, "bob")
    requests = [worker.chat.members.put(ALICE, group, "bob", None) for _ in range(5)]
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert sum(isinstance(answer, TooMany) for answer in answers) == 2


async def test_who_is_mentioned_must_be_there_when_the_message_is_sent(worker: Worker) -> None:
    group = await a_group(worker, "bob", "carol")
    sent, _ = await worker.chat.messages.send(ALICE, group, "hi", "k", Extras(mentions=(BOB, ALICE)))
    assert json.loads(sent)["mentions"] == ["bob", "alice"]
    await worker.chat.members.remove(ALICE, group, "bob")
    with pytest.raises(RequestError, match="'bob'"):
        await worker.chat.messages.send(CAROL, group, "hi", "k", Extras(mentions=(BOB,)))
    # Who was mentioned before need not be there any more.
    edited = await worker.chat.edits.edit(ALICE, group, 1, Edit("hello", mentions=(BOB, CAROL)), None)
    assert json.loads(edited)["mentions"] == ["bob", "carol"]
    with pytest.raises(NotFound):
        await worker.chat.messages.send(ALICE, f"g:{'a' * 26}", "hi", "k", Extras(mentions=(BOB,)))


async def test_repair_a_repeat_or_a_no_op_delivers_what_a_dead_worker_had_appended(
    worker: Worker, redis: RedisProcess
) -> None:
    group = await a_group(worker, "bob")
    await worker.say("one", conversation=group)
    before = len(await told(worker, "bob"))
    no_ops: list[Callable[[], Awaitable[object]]] = [
        lambda: worker.chat.members.add(ALICE, group, ["bob"]),
        lambda: worker.chat.members.remove(ALICE, group, "dave"),
        lambda: worker.chat.groups.change(ALICE, group, "Lunch", None),
        lambda: worker.chat.edits.edit(ALICE, group, 1, Edit("one"), None),
        lambda: worker.chat.reactions.put(BOB, group, 1, "👍", wanted=False),
        lambda: worker.chat.history.page(BOB, group, 50),
        lambda: worker.chat.conversations.one(BOB, group),
        lambda: worker.chat.conversations.list(BOB, None, 50),
    ]
    async with a_worker(redis.url, at_once=0) as dying:
        for number, no_op in enumerate(no_ops):
            action = new_message(group, ALICE, f"k{number}", "lost", precondition=Precondition(present=(ALICE,)))
            assert (await dying.delivery.append(action, None)).undelivered
            assert len(await told(worker, "bob")) == before + number
            await no_op()
            assert len(await told(worker, "bob")) == before + number + 1, number
