"""Who gets what of a group's log, in both forms of delivery: everybody what was done in its time, once, and no more."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from parts import Worker, a_worker
from polling import until
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.events.kinds import MEMBER, MESSAGE_UPDATED
from ssechat.events.models import HistoryOf
from ssechat.ids import UserId, group_id
from ssechat.logs.actions import Action, changed_message, fact, new_message
from ssechat.logs.delivery import AT_ONCE
from ssechat.logs.membership import Change, Join, Leave, NewRole, Precondition, SetField
from ssechat.logs.refused import Absent, GroupEnded, GroupExists, MembersChanged, NoSuchGroup
from ssechat.redis import keys
from ssechat.redis.batching import BUDGET, ScriptBatch

pytestmark = pytest.mark.anyio

G = group_id(b"0123456789abcdef")
ANN, BEN, CAT, DAN = map(UserId, ("ann", "ben", "cat", "dan"))
CROWD = [UserId(f"u{number}") for number in range(AT_ONCE + 6)]

numbers = count(1)


def membership(*changes: Change, version: str | None = None, new: bool = False, left: bool = False) -> Action:
    users = [
        {"user": change.user, "role": getattr(change, "role", "member")}
        for change in changes
        if isinstance(change, Join | NewRole | Leave)
    ]
    data: dict[str, Any] = {"conversation_id": G, "users": users[:3], "by": "ann", "member_count": 1}
    if left:
        data["left"] = True
    return fact(MEMBER, G, data, precondition=Precondition(list_version=version, new=new, changes=changes))


def made(*users: UserId, history: HistoryOf = "all") -> Action:
    fields = {"type": "group", "name": "Team", "history": history, "made": "ab12"}
    changes = [SetField(field, value) for field, value in fields.items()]
    return membership(*changes, *(Join(user) for user in users), new=True)


def said(text: str, sender: UserId = ANN) -> Action:
    return new_message(G, sender, f"k{next(numbers)}", text, precondition=Precondition(present=(sender,)))


def left(user: UserId, *, removed: bool = False) -> Action:
    return membership(Leave(user, removed, "Team"), left=True)


async def edit(worker: Worker, seq: int, text: str) -> Action:
    [message] = await worker.conversations.messages(G, [seq])
    assert message is not None
    return changed_message(
        MESSAGE_UPDATED, message, {**json.loads(message), "text": text}, precondition=Precondition(present=(ANN,))
    )


async def do(worker: Worker, *actions: Action) -> None:
    for action in actions:
        await worker.delivery.send(action, None)


async def got(worker: Worker, user: UserId) -> list[str]:
    """What a reader of everything that the inbox keeps gets: texts, and `+` or `-` with names."""
    found = []
    for data in map(json.loads, await worker.texts(user)):
        if "users" in data:
            found.append(("-" if data.get("left") else "+") + ",".join(one["user"] for one in data["users"]))
        else:
            found.append(data.get("text") or data.get("reason") or "deleted")
    return found


async def half_done(worker: Worker, *actions: Action) -> None:
    """Appends, and dies before it delivers."""
    for action in actions:
        await worker.delivery.append(action, None)


async def test_everybody_in_the_group_gets_what_is_said(workers: list[Worker]) -> None:
    one, other = workers
    await do(one, made(ANN, BEN, CAT), said("hi"))
    await do(other, said("there", BEN))
    for user in (ANN, BEN, CAT):
        assert await got(one, user) == ["+ann,ben,cat", "hi", "there"]


async def test_a_repeat_of_what_all_have_reads_nobodys_place(
    redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_worker(redis.url, at_once=0) as worker:
        action = said("hi")
        await do(worker, made(ANN, BEN), action)
        async with asyncio.timeout(8):
            while await worker.members.lag(G):  # until it is marked as delivered
                await asyncio.sleep(0.005)
        monkeypatch.setattr(worker.inbox, "newest_of", None)  # a thousand members' places
        assert not (await worker.delivery.send(action, None))[1]


async def test_groups_with_many_members_are_made_in_a_call_each(worker: Worker) -> None:
    joins = [Join(UserId(f"u{number}")) for number in range(1000)]
    made = [
        fact(
            MEMBER,
            group_id(bytes([number] * 16)),
            {"conversation_id": G, "users": [], "by": "ann", "member_count": 1000},
            precondition=Precondition(new=True, changes=joins),
        )
        for number in range(4)
    ]
    await asyncio.gather(*(worker.delivery.append(action, None) for action in made))
    assert sum(worker.redis.metrics.batch_items.counts) == 4, "together they would hold everybody else up"


async def test_a_joiner_gets_what_is_said_from_the_join_on(workers: list[Worker]) -> None:
    await do(workers[0], made(ANN), said("before"), membership(Join(BEN)), said("after"))
    assert await got(workers[0], BEN) == ["+ben", "after"]


async def test_one_who_left_gets_the_leave_and_nothing_more(workers: list[Worker]) -> None:
    await do(workers[0], made(ANN, BEN), said("one"), left(BEN), said("two"))
    assert await got(workers[0], BEN) == ["+ann,ben", "one", "-ben"]
    assert await got(workers[0], ANN) == ["+ann,ben", "one", "-ben", "two"]
    with pytest.raises(Absent) as refused:
        await do(workers[0], said("three", BEN))
    assert refused.value.users == [BEN]


async def test_one_who_comes_back_gets_nothing_of_the_time_between(workers: list[Worker]) -> None:
    await do(workers[0], made(ANN, BEN), left(BEN), said("between"), membership(Join(BEN)), said("after"))
    assert await got(workers[0], BEN) == ["+ann,ben", "-ben", "+ben", "after"]


@pytest.mark.parametrize("reader", ["finish", "send"])
async def test_what_a_worker_that_died_left_is_delivered_to_everybody_for_their_time(
    workers: list[Worker], reader: str
) -> None:
    one, other = workers
    await do(one, made(ANN, BEN, CAT))
    await half_done(
        one, said("one"), membership(Join(DAN)), said("two"), left(BEN), said("three"), left(DAN), said("four")
    )
    if reader == "finish":
        await other.delivery.finish(G, None)
    else:
        await do(other, said("five"))
    last = [] if reader == "finish" else ["five"]
    assert await got(other, CAT) == ["+ann,ben,cat", "one", "+dan", "two", "-ben", "three", "-dan", "four", *last]
    assert await got(other, BEN) == ["+ann,ben,cat", "one", "+dan", "two", "-ben"]
    assert await got(other, DAN) == ["+dan", "two", "-ben", "three", "-dan"]
    await other.delivery.finish(G, None)  # once more changes nothing
    assert len(await got(other, DAN)) == 5
    roster = await other.members.roster(G)
    assert roster is not None
    assert not roster.leavers


async def test_one_who_joins_again_has_first_the_last_leave(redis: RedisProcess) -> None:
    async with a_worker(redis.url, at_once=0) as worker:
        await do(worker, made(ANN, BEN))
        await half_done(worker, said("one"), left(BEN), said("between"))
        await do(worker, membership(Join(BEN)), said("after"))
        assert await got(worker, BEN) == ["+ann,ben", "one", "-ben", "+ben", "after"]


async def test_changes_of_what_one_may_not_read_are_passed(workers: list[Worker]) -> None:
    worker = workers[0]
    await do(worker, made(ANN, history="from_join"), said("old"), membership(Join(BEN)), said("new"))
    [place_before] = await worker.inbox.places(BEN)
    await do(worker, await edit(worker, 1, "old, edited"))
    assert await got(worker, BEN) == ["+ben", "new"]
    assert await got(worker, ANN) == ["+ann", "old, edited", "+ben", "new", "old, edited"]
    [place] = await worker.inbox.places(BEN)
    assert place.entry != place_before.entry
    assert place[2:] == place_before[2:], "only the place moves on"
    await do(worker, await edit(worker, 2, "new, edited"), said("last"))
    assert await got(worker, BEN) == ["+ben", "new, edited", "new, edited", "last"]


async def test_pending_changes_of_what_one_may_not_read_are_passed_for_one_who_left(redis: RedisProcess) -> None:
    async with a_worker(redis.url, at_once=0) as worker:
        await do(worker, made(ANN, history="from_join"), said("old"), membership(Join(BEN)))
        _, sink = worker.open_stream(BEN, "0-0")
        await half_done(worker, await edit(worker, 1, "secret"))
        await half_done(worker, left(BEN))
        await worker.delivery.finish(G, None)
        assert await got(worker, BEN) == ["+ben", "-ben"]
        await until(lambda: sink.names().count("member") == 2)
        assert b"secret" not in b"".join(sink.chunks)


async def test_one_who_left_is_not_woken_with_what_was_changed_later(redis: RedisProcess) -> None:
    async with a_worker(redis.url, at_once=0) as worker:
        await do(worker, made(ANN, BEN))
        stream, sink = worker.open_stream(BEN)
        await until(lambda: stream.live)
        await half_done(worker, said("one"), left(BEN))
        await half_done(worker, await edit(worker, 1, "secret"))
        await worker.delivery.finish(G, None)
        await until(lambda: "member" in sink.names())
        assert b"secret" not in b"".join(sink.chunks)
        assert await got(worker, BEN) == ["+ann,ben", "deleted", "-ben"]


async def test_a_group_that_is_too_large_for_one_script_is_delivered_in_chunks(workers: list[Worker]) -> None:
    one, other = workers
    await do(one, made(*CROWD), said("hi", CROWD[0]))
    await do(other, left(CROWD[1]), said("bye", CROWD[0]))
    for user in (CROWD[0], CROWD[-1]):
        assert (await got(other, user))[1:] == ["hi", "-u1", "bye"]
    assert (await got(other, CROWD[1]))[1:] == ["hi", "-u1"]
    assert not await other.members.lag(G) or not await _settled(other)


async def _settled(worker: Worker) -> bool:
    worker.conversations._flush_marks()
    await worker.redis.call("PING")
    await asyncio.sleep(0)
    return await worker.members.lag(G)


async def test_a_large_group_is_delivered_to_those_who_are_in_it_now(workers: list[Worker]) -> None:
    one, other = workers
    await do(one, made(*CROWD), said("one", CROWD[0]))
    await do(other, membership(Join(BEN)), left(CROWD[1]))
    await do(one, said("two", CROWD[0]))
    assert await got(one, BEN) == ["+ben", "-u1", "two"]
    assert (await got(one, CROWD[1]))[-1] == "-u1"
    assert await got(one, CROWD[2]) == [(await got(one, CROWD[0]))[0], "one", "+ben", "-u1", "two"]


async def test_sends_of_two_workers_to_a_large_group_have_one_order(workers: list[Worker]) -> None:
    await do(workers[0], made(*CROWD))
    await asyncio.gather(*[do(workers[i % 2], said(f"m{i}", CROWD[i])) for i in range(30)])
    first = await got(workers[0], CROWD[0])
    assert sorted(first[1:]) == sorted(f"m{i}" for i in range(30))
    for user in CROWD[1:]:
        assert await got(workers[0], user) == first


async def test_a_call_delivers_no_more_than_its_budget_at_once(
    redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_worker(redis.url) as worker:
        groups = [group_id(bytes([number]) * 16) for number in range(8)]
        for group in groups:
            action = replace(made(*CROWD[:AT_ONCE]), conversation=group)
            await worker.delivery.send(action, None)
        answers: list[Sequence[bytes]] = []
        appended = worker.delivery._submit

        def noted(action: Action, members: Sequence[UserId] | None) -> Any:
            future = appended(action, members)
            future.add_done_callback(lambda done: answers.append(done.result()))
            return future

        monkeypatch.setattr(worker.delivery, "_submit", noted)
        sends = [replace(said("hi", CROWD[0]), conversation=group) for group in groups]
        await asyncio.gather(*(worker.delivery.send(send, None) for send in sends))
        at_once = [answer for answer in answers if isinstance(answer, bytes)]
        assert 0 < len(at_once) < len(groups), "some are delivered in chunks"
        assert BUDGET // (AT_ONCE + 1) >= 3
        for user in CROWD[:AT_ONCE]:
            assert len(await worker.events(user)) == 2 * len(groups)


async def test_an_inbox_whose_place_is_not_in_the_log_gets_a_reset(workers: list[Worker]) -> None:
    worker = workers[0]
    await do(worker, made(ANN, BEN), said("one"))
    await worker.redis.call("HSET", keys.of_user(BEN).places, G, "2-777 2 1")
    await do(worker, said("two"))
    assert (await got(worker, BEN))[-1] == "lost"
    await do(worker, said("three"))
    assert (await got(worker, BEN))[-2:] == ["lost", "three"]
    assert await got(worker, ANN) == ["+ann,ben", "one", "two", "three"]


async def test_a_leaver_whose_place_is_not_in_the_log_gets_a_reset_and_no_more(workers: list[Worker]) -> None:
    worker = workers[0]
    await do(worker, made(ANN, BEN), said("one"))
    await worker.redis.call("HSET", keys.of_user(BEN).places, G, "2-777 2 1")
    await do(worker, left(BEN), said("two"))
    assert (await got(worker, BEN))[-1] == "lost"
    roster = await worker.members.roster(G)
    assert roster is not None
    assert not roster.leavers


async def test_a_group_is_made_once(workers: list[Worker]) -> None:
    await do(workers[0], made(ANN, BEN))
    with pytest.raises(GroupExists) as refused:
        await do(workers[1], made(ANN, CAT))
    assert refused.value.made == "ab12"
    assert await got(workers[0], CAT) == []


async def test_what_was_decided_from_an_older_list_is_refused(workers: list[Worker]) -> None:
    await do(workers[0], made(ANN, BEN))
    roster = await workers[0].members.roster(G)
    assert roster is not None
    version = roster.group.list_version
    await do(workers[0], membership(Join(CAT), version=version))
    with pytest.raises(MembersChanged):
        await do(workers[1], membership(NewRole(BEN, "admin"), version=version))
    await do(workers[1], said("hi"))  # what is said needs no version
    roster = await workers[1].members.roster(G)
    assert roster is not None
    assert roster.members[BEN].role == "member"


async def test_nothing_is_said_where_there_is_no_group_or_in_one_that_has_ended(workers: list[Worker]) -> None:
    with pytest.raises(NoSuchGroup):
        await do(workers[0], said("hi"))
    await do(workers[0], made(ANN, BEN), said("hi"), membership(SetField("ended", "1")))
    with pytest.raises(GroupEnded):
        await do(workers[0], said("late"))
    assert len(await got(workers[0], BEN)) == 3


async def test_idempotency_a_repeat_by_one_who_left_is_what_it_was(workers: list[Worker]) -> None:
    await do(workers[0], made(ANN, BEN))
    action = said("hi", BEN)
    await do(workers[0], action, left(BEN))
    message, is_new = await workers[1].delivery.send(action, None)
    assert not is_new
    assert json.loads(message)["text"] == "hi"
    assert await got(workers[0], ANN) == ["+ann,ben", "hi", "-ben"]


async def test_idempotency_a_repeat_finishes_the_delivery(redis: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_worker(redis.url, at_once=0) as worker:
        await do(worker, made(ANN, BEN))
        action = said("hi")
        submit = ScriptBatch.submit_packed

        def away(self: ScriptBatch, *arguments: Any) -> Any:
            if self is worker.inbox._deliver:
                future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                future.set_exception(RedisUnavailable("away"))
                return future
            return submit(self, *arguments)

        monkeypatch.setattr(ScriptBatch, "submit_packed", away)
        with pytest.raises(RedisUnavailable):
            await do(worker, action)
        assert await got(worker, BEN) == ["+ann,ben"]
        monkeypatch.setattr(ScriptBatch, "submit_packed", submit)
        assert not (await worker.delivery.send(action, None))[1]
        assert await got(worker, BEN) == ["+ann,ben", "hi"]


async def test_ids_of_the_inboxes_of_a_group_differ(workers: list[Worker]) -> None:
    await do(workers[0], made(ANN, BEN))
    assert [event.id for event in await workers[0].events(ANN)] != [event.id for event in await workers[0].events(BEN)]
