"""What Redis refuses in the middle of a script leaves nothing half done, and harms nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from parts import ALICE, BOB, DM, Worker, a_worker, draft
from redises import RedisProcess
from ssechat.events.kinds import KINDS, Kind, Kinds, Replay
from ssechat.events.models import EventData, Message
from ssechat.ids import ConversationId, UserId, number_of
from ssechat.logs.actions import Action, changed_message, fact
from ssechat.logs.delivery import AT_ONCE
from ssechat.logs.refused import MessageChanged
from ssechat.redis import keys
from ssechat.redis.batching import ScriptError
from ssechat.redis.refusals import parse_refusal

pytestmark = pytest.mark.anyio

CAROL, DAVE = UserId("carol"), UserId("dave")
GROUP = ConversationId("g:four")
FOUR = (ALICE, BOB, CAROL, DAVE)


class Word(EventData):
    word: str


NOTE = Kind("note", Word, Replay.FACT)
EDIT = Kind("edit", Message, Replay.CHANGED_MESSAGE)


@pytest.fixture(params=[AT_ONCE, 0], ids=["one-script", "two-steps"])
async def worker(request: pytest.FixtureRequest, redis: RedisProcess) -> AsyncIterator[Worker]:
    async with a_worker(redis.url, at_once=request.param, kinds=Kinds([*KINDS, NOTE, EDIT])) as parts:
        yield parts


@contextmanager
def without(redis: RedisProcess, *commands: str) -> Iterator[None]:
    """The right to these commands is taken away for a while."""
    with redis.client() as client:
        client.acl_setuser("default", enabled=True, nopass=True, commands=[f"-{command}" for command in commands])
        try:
            yield
        finally:
            client.acl_setuser("default", enabled=True, nopass=True, commands=["+@all"])


def everything(redis: RedisProcess) -> dict[bytes, Any]:
    """All that is stored, but for a message that no log leads to, which nobody reads."""
    with redis.client() as client:
        found: dict[bytes, Any] = {}
        for key in sorted(client.keys("*")):
            kind = client.type(key)
            if kind == b"stream":
                found[key] = client.xrange(key)
            elif kind == b"hash" and not key.endswith(b"/messages"):
                found[key] = client.hgetall(key)
        return found


async def an_edit(worker: Worker, text: str) -> Action:
    [message] = await worker.conversations.messages(DM, [1])
    assert message is not None
    return changed_message(EDIT, message, {**json.loads(message), "text": text})


@pytest.mark.parametrize("command", ["hset", "xadd", "hget", "hmget", "time"])
@pytest.mark.parametrize("what", ["message", "fact", "edit"])
@pytest.mark.parametrize("begun", [False, True])
async def test_without_the_right_to_a_command_nothing_is_half_done(
    worker: Worker, redis: RedisProcess, command: str, what: str, begun: bool
) -> None:
    if begun or what == "edit":
        await worker.say("before")
    action = {"message": draft("x"), "fact": fact(NOTE, DM, {"word": "x"})}.get(what) or await an_edit(worker, "x")
    before = {user: len(await worker.events(user)) for user in (ALICE, BOB)}
    with without(redis, command), pytest.raises(ScriptError if command != "time" else Exception):
        await worker.delivery.send(action, (ALICE, BOB))
    # What is in the log is delivered by the next action; what is in an inbox is there as a whole.
    await worker.delivery.finish(DM, (ALICE, BOB))
    for number in range(5):
        await worker.say(f"after {number}")
    for user, count in before.items():
        events = await worker.events(user)
        assert [event.n for event in events] == list(range(1, len(events) + 1)), "once, and without a gap"
        assert len(events) - count - 5 in (0, 1)
    assert await worker.conversations.unfinished(DM) is None or worker.delivery._at_once == 0
    log = [number_of(entry.id) for entry in await worker.conversations.entries(DM, "-", "+", 100)]
    assert log == list(range(1, len(log) + 1))


@pytest.mark.parametrize("command", ["publish", "expire"])
async def test_what_is_not_needed_may_be_refused(worker: Worker, redis: RedisProcess, command: str) -> None:
    refused: list[str] = []
    worker.redis.on_refused = refused.append
    with without(redis, command):
        assert (await worker.delivery.send(draft("x"), (ALICE, BOB)))[1]
    assert "NOPERM" in {parse_refusal(text).code for text in refused}
    assert [len(await worker.events(user)) for user in (ALICE, BOB)] == [1, 1]


@pytest.mark.parametrize("what", ["user", "inbox", "places"])
async def test_an_inbox_that_cannot_be_written_keeps_nothing_from_the_others(
    worker: Worker, what: str, redis: RedisProcess
) -> None:
    key = getattr(keys.of_user(BOB), what)
    await worker.redis.call("SET", key, "of another type")
    refusals: list[str] = []
    worker.redis.on_refused = refusals.append
    with pytest.raises(ScriptError) as refused:
        await worker.delivery.send(draft("hi", conversation=GROUP), FOUR)
    assert refused.value.refusal.code == "WRONGTYPE"
    assert "WRONGTYPE" in {parse_refusal(text).code for text in refusals}
    for user in (ALICE, CAROL, DAVE):
        assert len(await worker.events(user)) == 1
    if what != "inbox":
        assert not await worker.redis.call("EXISTS", keys.of_user(BOB).inbox)
    await worker.redis.call("DEL", key)
    assert not (await worker.delivery.send(draft("hi", conversation=GROUP), FOUR))[1]
    for user in FOUR:
        assert [event.n for event in await worker.events(user)] == [1]


@pytest.mark.parametrize("what", ["conversation", "log", "messages", "sent"])
async def test_a_log_that_cannot_be_written_leaves_the_inboxes_as_they_were(
    worker: Worker, redis: RedisProcess, what: str
) -> None:
    week = int((await worker.redis.call("TIME"))[0]) // (7 * 24 * 3600)
    key = keys.sent(DM, week)[1] if what == "sent" else getattr(keys.of_conversation(DM), what)
    await worker.redis.call("SET", key, "of another type")
    before = everything(redis)
    broken, sound = await asyncio.gather(
        worker.delivery.send(draft("x"), (ALICE, BOB)),
        worker.delivery.send(draft("x", conversation="dm:carol:dave"), (CAROL, DAVE)),
        return_exceptions=True,
    )
    assert isinstance(broken, ScriptError)
    assert not isinstance(sound, BaseException)
    assert {key for key in everything(redis) if b"alice" in key or b"bob" in key} == set(before)


async def test_a_redis_without_memory_refuses_all_of_a_send(worker: Worker, redis: RedisProcess) -> None:
    await worker.say("before")
    before = everything(redis)
    with redis.client() as client:
        client.config_set("maxmemory", 1)
        try:
            for action in (draft("x"), fact(NOTE, DM, {"word": "x"})):
                with pytest.raises(ScriptError) as refused:
                    await worker.delivery.send(action, (ALICE, BOB))
                assert refused.value.refusal.code == "OOM"
        finally:
            client.config_set("maxmemory", 0)
    assert everything(redis) == before


async def test_a_message_that_the_log_refused_cannot_be_changed(worker: Worker, redis: RedisProcess) -> None:
    with without(redis, "xadd"), pytest.raises(ScriptError):
        await worker.say("refused")
    with pytest.raises(MessageChanged) as gone:
        await worker.delivery.send(await an_edit(worker, "x"), (ALICE, BOB))
    assert gone.value.message is None
    await worker.say("hi")
    assert (await worker.delivery.send(await an_edit(worker, "x"), (ALICE, BOB)))[1]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_delivery_without_the_right_to_note_it_leaves_the_inbox_as_it_was(
    worker: Worker, redis: RedisProcess, begun: bool
) -> None:
    if begun:
        await worker.say("before")
    entry = (await worker.append(draft("x"))).entry
    assert entry is not None
    before = everything(redis)
    with without(redis, "hset"), pytest.raises(ScriptError):
        await worker.deliver({BOB: [entry]})
    assert everything(redis) == before
    await worker.deliver({BOB: [entry]})
    assert [event.n for event in await worker.events("bob")] == list(range(1, begun + 2))


async def test_an_inbox_keeps_its_birth_tag_whoever_makes_its_head(worker: Worker) -> None:
    await worker.redis.call("HSET", keys.of_user(BOB).user, "birth", "7")  # its head is about to be made from it
    entry = (await worker.append(draft("x"))).entry
    assert entry is not None
    await worker.deliver({BOB: [entry]})
    page = await worker.inbox.read(BOB, "0-7", 10, 9999)
    assert page.continuous
    assert len(page.events) == 1
