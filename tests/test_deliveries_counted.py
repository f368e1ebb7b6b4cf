"""What is counted to whom: the inboxes that an action has reached."""

import asyncio
from collections.abc import Sequence

import pytest

from parts import ALICE, BOB, Worker
from ssechat.chat.edits import Edit
from ssechat.chat.groups import Draft
from ssechat.errors import RequestError
from ssechat.ids import ConversationId, UserId
from ssechat.logs.delivery import AT_ONCE

pytestmark = pytest.mark.anyio

DAVE = UserId("dave")
Charged = list[tuple[Sequence[UserId], int]]


@pytest.fixture
def charged(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Charged:
    """What is counted, in order."""
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    found: Charged = []

    def charge(users: Sequence[UserId], reached: int) -> None:
        found.append((tuple(users), reached))

    monkeypatch.setattr(worker.delivery, "charge", charge)
    monkeypatch.setattr(worker.chat.typing, "_charge", charge)
    return found


async def made(worker: Worker, members: int, maker: UserId = ALICE) -> ConversationId:
    others = ["bob", *(f"m{number}" for number in range(members - 2))]
    group, _ = await worker.chat.groups.make(maker, Draft("Lunch", "", "all", others), None)
    return group


async def test_a_direct_message_counts_no_more_than_any_change(worker: Worker, charged: Charged) -> None:
    messages = worker.chat.messages
    await messages.send_to(ALICE, "bob", "hi", "k1")
    await messages.send_to(ALICE, "alice", "a note", "k1")
    await messages.send_to(ALICE, "bob", "hi", "k1")
    await worker.chat.edits.edit(ALICE, "dm:alice:bob", 1, Edit("hello"), None)
    assert charged == []
    group = await made(worker, 3)
    for _ in range(2):
        await messages.send(ALICE, group, "hi", "k1")
    assert charged == [((ALICE,), 3), ((ALICE,), 3)], "the making, and the message; no repeat"


@pytest.mark.parametrize("size", [3, AT_ONCE, AT_ONCE + 1, 200])
async def test_what_is_done_in_a_group_counts_as_many_as_it_has_members(
    worker: Worker, charged: Charged, size: int
) -> None:
    chat, group = worker.chat, await made(worker, size)
    assert charged.pop() == ((ALICE,), size), "the making"
    await chat.messages.send(ALICE, group, "hi", "k1")
    await chat.edits.edit(ALICE, group, 1, Edit("hello"), None)
    await chat.reactions.put(BOB, group, 1, "👍", wanted=True)
    await chat.groups.change(ALICE, group, "Dinner", None)
    await chat.members.put(ALICE, group, "bob", "admin")
    await chat.edits.delete(ALICE, group, 1, None)
    assert charged == [((user,), size) for user in (ALICE, ALICE, BOB, ALICE, ALICE, ALICE)]
    charged.clear()
    await chat.members.add(ALICE, group, ["carol", "dave"])
    await chat.members.remove(DAVE, group, "dave")
    await chat.groups.end(ALICE, group)
    assert charged == [((ALICE,), size + 2), ((DAVE,), size + 1), ((ALICE,), size + 1)]


async def test_a_change_that_nothing_comes_of_and_a_refused_one_reach_nobody(worker: Worker, charged: Charged) -> None:
    chat, group = worker.chat, await made(worker, 5)
    await chat.messages.send(ALICE, group, "hi", "k1")
    charged.clear()
    await chat.edits.edit(ALICE, group, 1, Edit("hi"), None)
    await chat.groups.change(ALICE, group, "Lunch", None)
    for refused in (
        chat.messages.send(UserId("eve"), group, "hi", "k1"),
        chat.members.put(BOB, group, "eve", None),
        chat.messages.send(ALICE, group, "something else", "k1"),
    ):
        with pytest.raises(RequestError):
            await refused
    assert charged == []


async def test_those_who_react_or_join_together_share_what_that_reaches(worker: Worker, charged: Charged) -> None:
    chat, group = worker.chat, await made(worker, 5)
    await chat.messages.send(ALICE, group, "hi", "k1")
    secret = (await chat.invites.make(ALICE, group, 3600, None))[1]
    charged.clear()
    await chat.joins.join(DAVE, secret)
    assert charged == [((DAVE,), 6)]
    charged.clear()
    wishes = [chat.reactions.put(user, group, 1, "👍", wanted=True) for user in (ALICE, BOB, DAVE)]
    await asyncio.gather(*wishes)
    assert sorted(user for users, _ in charged for user in users) == [ALICE, BOB, DAVE]
    assert {reached for _, reached in charged} == {6}


async def test_typing_counts_those_who_are_told(worker: Worker, charged: Charged) -> None:
    group = await made(worker, 5)
    charged.clear()
    await worker.chat.typing.start(ALICE, group)
    await worker.chat.typing.start(ALICE, "dm:alice:bob")
    assert charged == [((ALICE,), 4), ((ALICE,), 1)]
