"""Many who join a group by invitation at the same time: they come in together."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from parts import ALICE, BOB, Worker
from ssechat.chat.groups import Draft
from ssechat.chat.joins import MAX_AT_ONCE
from ssechat.errors import Forbidden, NotFound, RedisUnavailable, TooMany
from ssechat.ids import ConversationId, UserId
from ssechat.logs.invites import Invites
from ssechat.logs.members import Standing

pytestmark = pytest.mark.anyio

NAMES = [UserId(f"user{number:02}") for number in range(30)]


async def a_group(worker: Worker, *members: str) -> ConversationId:
    """A group of alice, its owner, bob, another one, and others."""
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", ["bob", *members]), None)
    await worker.chat.members.put(ALICE, group, "bob", "owner")
    return group


async def joins_of(worker: Worker, group: ConversationId) -> list[tuple[str, int]]:
    """By whose invitations members came in, and how many there were then."""
    entries = await worker.conversations.entries(group, "-", "+", 1000)
    events = [json.loads(entry.data) for entry in entries if entry.kind == "member"]
    return [(event["by"], event["member_count"]) for event in events[2:]]


async def uses(worker: Worker, group: ConversationId) -> list[int]:
    """How often the group's invitations were used."""
    return sorted(invite.uses for invite in await Invites(worker.redis).all(group))


async def test_those_who_wait_come_in_with_one_event(worker: Worker) -> None:
    group = await a_group(worker)
    _, secret = await worker.chat.invites.make(ALICE, group, 60, None)
    await asyncio.gather(*[worker.chat.joins.join(name, secret) for name in (*NAMES, *NAMES)])
    assert (await worker.chat.conversations.one(NAMES[7], group)).fields["member_count"] == 32
    assert await joins_of(worker, group) == [("alice", 32)]
    assert await uses(worker, group) == [30]
    await asyncio.gather(*[worker.chat.joins.join(name, secret) for name in NAMES])
    assert (await uses(worker, group), len(await joins_of(worker, group))) == ([30], 1)


async def test_of_thousands_who_wait_a_thousand_are_decided_at_once(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, asked, standings = await a_group(worker), [], worker.members.standings

    async def counted(users: Sequence[tuple[UserId, ConversationId]]) -> list[Standing | None]:
        asked.append(len(users))
        return await standings(users)

    monkeypatch.setattr(worker.members, "standings", counted)
    wishes = [worker.chat.joins.join(UserId(f"u{number}"), f"{group}.wrong") for number in range(MAX_AT_ONCE + 100)]
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    assert {type(answer) for answer in answers} == {NotFound}
    assert sorted(asked) == [100, MAX_AT_ONCE]
    assert not worker.chat.joins._waiting


async def test_the_invitations_of_two_people_are_two_events(worker: Worker, other_worker: Worker) -> None:
    group = await a_group(worker)
    secrets = [(await worker.chat.invites.make(who, group, 60, uses))[1] for who, uses in
               ((ALICE, None), (BOB, 5), (ALICE, 4), (BOB, None))]  # fmt: skip
    workers = (worker, other_worker)
    answers = await asyncio.gather(
        *[workers[at // 4 % 2].chat.joins.join(name, secrets[at % 4]) for at, name in enumerate(NAMES)],
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Forbidden)]
    assert {error.code for error in refused} == {"invite_used_up"}
    assert len(refused) == 8 - 5 + 7 - 4
    assert await uses(worker, group) == [4, 5, 7, 8]
    events = await joins_of(worker, group)
    assert {by for by, _ in events} == {"alice", "bob"}
    assert events[-1][1] == 2 + 24
    for each in workers:
        assert each.chat.joins._waiting == {}


async def test_one_who_may_not_come_in_keeps_nobody_out(worker: Worker) -> None:
    group = await a_group(worker, *NAMES[:2])
    _, secret = await worker.chat.invites.make(ALICE, group, 60, None)
    await worker.chat.members.remove(ALICE, group, NAMES[0])
    await worker.chat.members.remove(NAMES[1], group, NAMES[1])
    answers = await asyncio.gather(
        *[worker.chat.joins.join(name, secret) for name in NAMES],
        worker.chat.joins.join(UserId("eve"), f"{group}.nonsense"),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Forbidden, *[str] * 29, NotFound]
    assert isinstance(answers[0], Forbidden)
    assert answers[0].code == "removed"


async def test_a_full_group_lets_in_as_many_as_fit(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.chat.groups.MAX_MEMBERS", 12)
    group = await a_group(worker)
    _, secret = await worker.chat.invites.make(ALICE, group, 60, None)
    answers = await asyncio.gather(*[worker.chat.joins.join(name, secret) for name in NAMES], return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in answers) == 10
    assert {answer.code for answer in answers if isinstance(answer, Forbidden)} == {"group_full"}


async def test_who_disconnects_keeps_nobody_out(worker: Worker) -> None:
    group = await a_group(worker)
    _, secret = await worker.chat.invites.make(ALICE, group, 60, None)
    first, *others = [asyncio.create_task(worker.chat.joins.join(name, secret)) for name in NAMES]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == [group] * 29


async def test_with_redis_away_all_who_wait_are_told_and_the_next_are_not(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await a_group(worker)
    _, secret = await worker.chat.invites.make(ALICE, group, 60, None)

    async def away(*_: object, **named: object) -> tuple[bytes, bool]:
        raise RedisUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(worker.delivery, "send", away)
        answers = await asyncio.gather(
            *[worker.chat.joins.join(name, secret) for name in NAMES], return_exceptions=True
        )
    assert all(isinstance(answer, RedisUnavailable) for answer in answers)
    assert await worker.chat.joins.join(NAMES[0], secret) == group
    await asyncio.sleep(0)
    assert worker.chat.joins._waiting == {}


async def test_how_many_wait_is_bounded(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.chat.joins.MAX_WAITING", 3)
    group = await a_group(worker)
    _, secret = await worker.chat.invites.make(ALICE, group, 60, None)
    answers = await asyncio.gather(
        *[worker.chat.joins.join(name, secret) for name in NAMES[:5]], return_exceptions=True
    )
    assert sum(isinstance(answer, TooMany) for answer in answers) == 2
