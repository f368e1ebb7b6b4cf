"""Who may know who is there: those who share a conversation, and only for as long."""

from collections.abc import Sequence
from typing import Any

import pytest

from parts import ALICE, BOB, FakeSink, Worker
from ssechat.chat.groups import Draft
from ssechat.errors import RequestError
from ssechat.ids import ConversationId, UserId
from ssechat.streams.presence import ANEW_SECONDS
from watching import all_told, friends, grace, last_seen, live, now, ticks, told, watch

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


async def test_one_may_know_of_those_with_whom_one_shares_a_conversation(worker: Worker) -> None:
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", ["bob"]), None)
    await friends(worker, "carol")
    for name in ("alice", "bob", "carol", "dave"):
        await live(worker, name)
    names = ("bob", "carol", "dave", "nobody", "alice")
    assert await now(worker, "alice", *names) == [
        ("bob", False),  # shares a group, which is not named
        ("carol", True),
        ("dave", False),
        ("nobody", False),
        ("alice", True),
    ]
    assert await now(worker, "alice", *names, group=group) == [
        ("bob", True),
        ("carol", True),
        ("dave", False),
        ("nobody", False),
        ("alice", True),
    ]
    assert await last_seen(worker, "alice", "dave") is None


async def test_each_command_names_keys_of_one_slot(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    await friends(worker, "bob", "carol")
    sent: list[Sequence[Any]] = []
    send = worker.redis.send

    def recorded(*command: Any, **rest: Any) -> Any:
        sent.append(command)
        return send(*command, **rest)

    monkeypatch.setattr(worker.redis, "send", recorded)
    assert await now(worker, "alice", "bob", "carol") == [("bob", False), ("carol", False)]
    await worker.hub.presence._sightings.note({ALICE: 1, BOB: 2})
    scripts = [command for command in sent if command[0] == "EVAL"]
    assert len(scripts) == 2
    for _, _, count, *words in scripts:
        assert len({key.partition("}")[0] for key in words[:count]}) == 1


@pytest.mark.parametrize(
    ("group", "code"),
    [("dm:alice:bob", "not_a_group"), ("dm:bob:carol", "not_a_member"), ("g:" + "a" * 26, "unknown_conversation")],
)
async def test_only_a_group_of_ones_own_can_be_named(worker: Worker, group: str, code: str) -> None:
    for attempt in (watch(worker, "alice", "bob", group=group), now(worker, "alice", "bob", group=group)):
        with pytest.raises(RequestError) as refused:
            await attempt
        assert refused.value.code == code


async def test_a_group_that_one_is_not_in_or_that_has_ended_tells_nothing(worker: Worker) -> None:
    group, _ = await worker.chat.groups.make(BOB, Draft("Lunch", "", "all", ["carol"]), None)
    for code in ("not_a_member", "ended"):
        with pytest.raises(RequestError) as refused:
            await watch(worker, "alice" if code == "not_a_member" else "carol", "bob", group=group)
        assert refused.value.code == code
        await worker.chat.groups.end(BOB, group)


async def grouped(worker: Worker) -> tuple[ConversationId, FakeSink]:
    """Alice watches Bob, who is there, in a group."""
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", ["bob", "carol"]), None)
    _, sink = await live(worker, "alice")
    await live(worker, "bob")
    await watch(worker, "alice", "bob", group=group)
    await ticks(worker)
    assert told(sink) == [("bob", True)]
    return group, sink


@pytest.mark.parametrize("who", ["bob", "alice"])
async def test_a_leave_takes_the_right_away_within_a_second(worker: Worker, who: str) -> None:
    group, sink = await grouped(worker)
    if who == "alice":
        await worker.chat.members.put(ALICE, group, "carol", "owner")
    await worker.chat.members.remove(UserId(who), group, who)
    await ticks(worker)
    assert told(sink) == [("bob", True), ("bob", False)]
    assert "last_seen" not in all_told(sink)[-1]
    await grace(worker)
    assert len(told(sink)) == 2


async def test_the_end_of_a_group_takes_the_right_away(worker: Worker) -> None:
    group, sink = await grouped(worker)
    await worker.chat.groups.end(ALICE, group)
    await ticks(worker)
    assert told(sink) == [("bob", True), ("bob", False)]


@pytest.mark.parametrize(("blocks", "other"), [("alice", "bob"), ("bob", "alice")])
async def test_a_block_hides_either_from_the_other_within_a_second(
    worker: Worker, other_worker: Worker, blocks: str, other: str
) -> None:
    await friends(worker, "bob")
    sinks = {name: (await live(worker, name))[1] for name in ("alice", "bob")}
    for name, watched in (("alice", "bob"), ("bob", "alice")):
        await watch(worker, name, watched)
    await ticks(worker)
    assert [told(sink)[-1][1] for sink in sinks.values()] == [True, True]
    await other_worker.chat.blocks.block(UserId(blocks), other)
    await ticks(worker)
    assert told(sinks["alice"]) == [("bob", True), ("bob", False)]
    assert told(sinks["bob"]) == [("alice", True), ("alice", False)]
    for name, watched in (("alice", "bob"), ("bob", "alice")):
        assert await now(other_worker, name, watched) == [(watched, False)]
        assert "last_seen" not in all_told(sinks[name])[-1]
    await other_worker.chat.blocks.unblock(UserId(blocks), other)
    await ticks(worker)
    assert [told(sink)[-1][1] for sink in sinks.values()] == [True, True]


async def test_the_first_direct_message_gives_the_right(worker: Worker) -> None:
    _, sink = await live(worker, "alice")
    await live(worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    assert told(sink) == [("bob", False)]
    await worker.say("hi", sender="bob")
    await ticks(worker)
    assert told(sink) == [("bob", False), ("bob", True)]


async def test_a_first_direct_message_too_long_for_a_wake_up_gives_the_right_too(worker: Worker) -> None:
    _, sink = await live(worker, "alice")
    await live(worker, "bob")
    await watch(worker, "alice", "bob")
    await ticks(worker)
    await worker.say("long " * 1000, sender="bob")
    await ticks(worker)
    assert told(sink) == [("bob", False), ("bob", True)]


async def test_nobody_is_seen_by_who_could_not_hear_that_the_right_is_gone(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published on a connection that was lost is not heard: rights are read anew from time to time."""
    group, sink = await grouped(worker)
    presence = worker.hub.presence
    monkeypatch.setattr(presence, "heard", lambda channel, event: None)
    await worker.chat.members.remove(BOB, group, "bob")
    await ticks(worker, seconds=ANEW_SECONDS + 2)
    assert told(sink) == [("bob", True), ("bob", False)]
