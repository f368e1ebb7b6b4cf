"""Reactions of many to one message: they are few changes, in which nobody's reaction is lost."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from parts import ALICE, Worker
from ssechat.chat.edits import Edit
from ssechat.chat.groups import Draft
from ssechat.errors import Conflict, Forbidden, NotFound, RedisUnavailable, TooMany
from ssechat.ids import ConversationId, UserId
from ssechat.logs.reactions import Reactions
from ssechat.logs.refused import MessageChanged
from ssechat.redis import keys

pytestmark = pytest.mark.anyio

NAMES = [f"user{number:02}" for number in range(30)]
DM = ConversationId("dm:alice:bob")


@pytest.fixture
async def group(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> ConversationId:
    """A group with a message, to which reactions are changed again only when the test says so."""
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 3600)
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", NAMES), None)
    await worker.say("hi", conversation=group)
    return group


def react(
    worker: Worker, group: ConversationId, names: Iterable[str], emoji: str = "👍", *, wanted: bool = True
) -> list["asyncio.Task[bytes]"]:
    """Begins the requests of these users."""
    rules = worker.chat.reactions
    return [asyncio.create_task(rules.put(UserId(name), group, 1, emoji, wanted=wanted)) for name in names]


async def a_second_later(worker: Worker) -> None:
    """Lets the next changes be made, of all messages for which reactions wait."""
    rules = worker.chat.reactions
    for key, queue in list(rules._queues.items()):
        assert queue.resting
        rules._rested(key, queue)


async def all_wait(worker: Worker, count: int) -> None:
    """Until so many reactions wait."""
    async with asyncio.timeout(5):
        while sum(len(queue.waiting) for queue in worker.chat.reactions._queues.values()) < count:
            await asyncio.sleep(0.001)


async def changes(worker: Worker, group: ConversationId) -> int:
    """How often the message was changed."""
    entries = await worker.conversations.entries(group, "-", "+", 1000)
    return sum(entry.kind == "message.updated" for entry in entries)


async def test_the_first_is_changed_at_once_and_those_of_a_second_together(
    worker: Worker, group: ConversationId
) -> None:
    [first] = await asyncio.gather(*react(worker, group, NAMES[:1]))
    assert json.loads(first)["reactions"] == [{"emoji": "👍", "count": 1, "users": NAMES[:1]}]
    waiting = react(worker, group, NAMES[::-1])
    waiting += react(worker, group, NAMES[5:10], wanted=False)
    waiting += react(worker, group, NAMES[:2], "🎉")
    await all_wait(worker, 37)
    assert not any(task.done() for task in waiting)
    await a_second_later(worker)
    answers = await asyncio.gather(*waiting)
    assert len(set(answers)) == 1
    assert json.loads(answers[0])["reactions"] == [
        {"emoji": "👍", "count": 25, "users": NAMES[:3]},
        {"emoji": "🎉", "count": 2, "users": NAMES[:2]},
    ]
    assert await changes(worker, group) == 2
    listed, _ = await worker.chat.reactions.page(ALICE, group, 1, "", 200, None)
    assert sorted(one.user for one in listed if one.emoji == "👍") == [*NAMES[:5], *NAMES[10:]]
    # What changes nothing is answered, makes no event, and need not wait for a second afterwards.
    await a_second_later(worker)
    assert worker.chat.reactions._queues == {}
    assert set(await asyncio.gather(*react(worker, group, NAMES[:5]))) == set(answers)
    assert await changes(worker, group) == 2
    assert worker.chat.reactions._queues == {}


async def test_the_names_shown_are_those_left_when_many_take_their_reactions_away(
    worker: Worker, group: ConversationId
) -> None:
    await asyncio.gather(*react(worker, group, NAMES[:1]))
    added = react(worker, group, NAMES)
    await all_wait(worker, len(NAMES))
    await a_second_later(worker)
    await asyncio.gather(*added)
    removed = react(worker, group, NAMES[:20], wanted=False)
    await all_wait(worker, 20)
    await a_second_later(worker)
    [message] = set(await asyncio.gather(*removed))
    assert json.loads(message)["reactions"] == [{"emoji": "👍", "count": 10, "users": NAMES[20:23]}]


async def test_there_and_back_within_a_second_is_no_event(worker: Worker, group: ConversationId) -> None:
    await asyncio.gather(*react(worker, group, NAMES[:1]))
    back = [*react(worker, group, NAMES[1:2]), *react(worker, group, NAMES[1:2], wanted=False)]
    await all_wait(worker, 2)
    await a_second_later(worker)
    await asyncio.gather(*back)
    assert await changes(worker, group) == 1


async def test_who_disconnects_takes_no_other_reaction_along(worker: Worker, group: ConversationId) -> None:
    await asyncio.gather(*react(worker, group, NAMES[:1]))
    waiting = react(worker, group, NAMES[1:4])
    await all_wait(worker, 3)
    waiting[0].cancel()
    await a_second_later(worker)
    _, *answers = await asyncio.gather(*waiting, return_exceptions=True)
    [message] = set(answers)
    assert isinstance(message, bytes)
    assert json.loads(message)["reactions"][0]["users"] == [NAMES[0], NAMES[2], NAMES[3]]


async def test_who_is_removed_before_the_change_is_refused_and_the_others_are_not(
    worker: Worker, group: ConversationId
) -> None:
    await asyncio.gather(*react(worker, group, NAMES[:1]))
    waiting = react(worker, group, NAMES[1:5])
    await all_wait(worker, 4)
    await worker.chat.members.remove(ALICE, group, NAMES[2])
    await a_second_later(worker)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[1], Forbidden)
    assert answers[1].code == "not_a_member"
    del answers[1]
    [message] = {answer for answer in answers if isinstance(answer, bytes)}
    assert json.loads(message)["reactions"][0] == {"emoji": "👍", "count": 4, "users": [NAMES[0], NAMES[1], NAMES[3]]}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda worker, group: worker.chat.edits.delete(ALICE, group, 1, None), "deleted"),
        (lambda worker, group: worker.chat.groups.end(ALICE, group), "ended"),
    ],
)
async def test_reactions_that_came_too_late_are_refused(
    worker: Worker, group: ConversationId, change: Callable[[Worker, ConversationId], Any], code: str
) -> None:
    await asyncio.gather(*react(worker, group, NAMES[:1]))
    waiting = react(worker, group, NAMES[1:5])
    await all_wait(worker, 4)
    await change(worker, group)
    await a_second_later(worker)
    for answer in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(answer, Conflict | Forbidden)
        assert answer.code == code


async def test_two_workers_and_an_edit_at_the_same_time_lose_nothing(
    worker: Worker, other_worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    for round in range(5):
        halves = (NAMES[round * 4 : round * 4 + 2], NAMES[round * 4 + 2 : round * 4 + 4])
        await asyncio.gather(
            *react(worker, group, halves[0]),
            *react(other_worker, group, halves[1]),
            worker.chat.edits.edit(ALICE, group, 1, Edit(f"text {round}"), None),
        )
        stands = json.loads(await worker.chat.messages.one(ALICE, group, 1))
        assert stands["text"] == f"text {round}"
        assert stands["reactions"][0]["count"] == 4 * round + 4


async def test_with_redis_away_all_who_wait_are_told_and_the_next_are_not(
    worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.gather(*react(worker, group, NAMES[:1]))
    waiting = react(worker, group, NAMES[1:5])
    await all_wait(worker, 4)

    async def away(*_: object, **named: object) -> tuple[bytes, bool]:
        raise RedisUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(worker.delivery, "send", away)
        await a_second_later(worker)
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, RedisUnavailable) for answer in answers)
    await a_second_later(worker)
    [message] = await asyncio.gather(*react(worker, group, NAMES[5:6]))
    assert json.loads(message)["reactions"][0]["count"] == 2


async def test_what_waits_is_bounded(worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.chat.reactions.MAX_AT_ONCE", 3)
    monkeypatch.setattr("ssechat.chat.reactions.MAX_MESSAGES", 1)
    await asyncio.gather(*react(worker, group, NAMES[:1]))
    waiting = react(worker, group, NAMES[1:4])
    await all_wait(worker, 3)
    for message in ((group, 1), (DM, 1)):
        await worker.say("hi")
        with pytest.raises(TooMany):
            await worker.chat.reactions.put(ALICE, *message, "👍", wanted=True)
    await a_second_later(worker)
    await asyncio.gather(*waiting)


async def test_the_set_of_reactions_is_what_the_message_says(
    worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    emojis = "👍🎉🍜"
    steps: Sequence[tuple[str, str, bool]] = [
        (NAMES[number * 7 % 11], emojis[number % 3], number % 5 != 0) for number in range(80)
    ]
    expected: set[tuple[str, str]] = set()
    for user, emoji, wanted in steps:
        await asyncio.gather(*react(worker, group, [user], emoji, wanted=wanted))
        (expected.add if wanted else expected.discard)((emoji, user))
    listed, _ = await worker.chat.reactions.page(ALICE, group, 1, "", 200, None)
    assert {(one.emoji, str(one.user)) for one in listed} == expected
    for kind in json.loads(await worker.chat.messages.one(ALICE, group, 1))["reactions"]:
        users = sorted(user for emoji, user in expected if emoji == kind["emoji"])
        assert kind == {"emoji": kind["emoji"], "count": len(users), "users": users[:3]}
    await worker.chat.edits.delete(ALICE, group, 1, None)
    assert await Reactions(worker.redis).page(group, 1, "", 10) == []


@pytest.mark.parametrize("meanwhile", ["edited", "removed", "again", "deleted"])
async def test_what_happens_between_reading_and_changing_is_taken_into_account(
    worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    read = Reactions.given
    rules = worker.chat

    async def happens() -> None:
        if meanwhile == "edited":
            await rules.edits.edit(ALICE, group, 1, Edit("edited"), None)
        elif meanwhile == "deleted":
            await rules.edits.delete(ALICE, group, 1, None)
        else:
            await rules.members.remove(ALICE, group, NAMES[0])
            if meanwhile == "again":
                await rules.members.add(ALICE, group, NAMES[:1])

    async def given(self: Reactions, *asked: Any) -> list[bool]:
        monkeypatch.setattr(Reactions, "given", read)
        found = await read(self, *asked)
        await happens()
        return found

    await asyncio.gather(*react(worker, group, NAMES[2:3]))
    monkeypatch.setattr(Reactions, "given", given)
    tasks = react(worker, group, NAMES[:2])
    await all_wait(worker, 2)
    await a_second_later(worker)
    one, other = await asyncio.gather(*tasks, return_exceptions=True)
    if meanwhile == "deleted":
        assert [getattr(answer, "code", "") for answer in (one, other)] == ["deleted", "deleted"]
        return
    assert isinstance(other, bytes)
    stands = json.loads(other)
    assert stands["text"] == ("edited" if meanwhile == "edited" else "hi")
    if meanwhile == "removed":
        assert getattr(one, "code", "") == "not_a_member"
    assert stands["reactions"][0]["users"] == (NAMES[1:3] if meanwhile == "removed" else NAMES[:3])


async def test_a_message_that_others_change_each_time_is_503(
    worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(*_: object, **named: object) -> tuple[bytes, bool]:
        raise MessageChanged(b"{}")

    monkeypatch.setattr(worker.delivery, "send", too_late)
    [refused] = await asyncio.gather(*react(worker, group, NAMES[:1]), return_exceptions=True)
    assert isinstance(refused, TooMany)
    assert (refused.status, refused.code) == (503, "busy")


async def test_a_message_that_is_not_there_takes_no_reaction(worker: Worker, group: ConversationId) -> None:
    await worker.redis.call("HDEL", keys.of_conversation(group).messages, "1")
    for seq in (1, 2):
        with pytest.raises(NotFound):
            await worker.chat.reactions.put(ALICE, group, seq, "👍", wanted=True)
