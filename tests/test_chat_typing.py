"""Who is writing is told to those who have a stream, and to nobody else; it is stored nowhere."""

import json

import pytest

from parts import ALICE, BOB, DM, FakeSink, Worker
from polling import until
from redises import RedisProcess
from ssechat.chat.groups import Draft
from ssechat.chat.typing import MAX_MEMBERS
from ssechat.errors import Forbidden, RequestError
from ssechat.ids import ConversationId, UserId

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


async def live(worker: Worker, user: str) -> FakeSink:
    """A stream of this user that is live."""
    stream, sink = worker.open_stream(user)
    await until(lambda: stream.live)
    return sink


def told(sink: FakeSink) -> list[tuple[str, str]]:
    """Of whom, and where, a stream was told that they are writing."""
    found = [json.loads(event["data"]) for event in sink.events() if event["event"] == "typing"]
    return [(one["user"], one["conversation_id"]) for one in found]


async def group_of(worker: Worker, count: int) -> ConversationId:
    names = [f"user{number:02}" for number in range(count - 1)]
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", names), None)
    return group


async def test_the_other_one_is_told_on_all_devices_and_workers_and_oneself_is_not(
    worker: Worker, other_worker: Worker
) -> None:
    sinks = [await live(worker, "bob"), await live(worker, "bob"), await live(other_worker, "bob")]
    own = await live(worker, "alice")
    await worker.chat.typing.start(ALICE, DM)
    await until(lambda: all(told(sink) for sink in sinks))
    assert [told(sink) for sink in sinks] == [[("alice", DM)]] * 3
    [event] = [event for event in sinks[0].events() if event["event"] == "typing"]
    assert "id" not in event
    assert json.loads(event["data"]) == {"conversation_id": DM, "user": "alice", "expires_in": 15}
    await worker.say("hi")
    await until(lambda: own.texts() == ["hi"])
    assert told(own) == []


async def test_nothing_of_it_is_stored(worker: Worker, redis: RedisProcess) -> None:
    await worker.say("hi")
    with redis.client() as client:
        before = {key: client.dump(key) for key in client.scan_iter()}
        await worker.chat.typing.start(BOB, DM)
        assert {key: client.dump(key) for key in client.scan_iter()} == before


async def test_all_members_of_a_group_are_told_unless_they_are_too_many(worker: Worker) -> None:
    most, more = await group_of(worker, MAX_MEMBERS), await group_of(worker, MAX_MEMBERS + 1)
    sink = await live(worker, "user30")
    await worker.chat.typing.start(ALICE, most)
    await until(lambda: told(sink) == [("alice", most)])
    with pytest.raises(Forbidden, match="more than 32 members") as refused:
        await worker.chat.typing.start(ALICE, more)
    assert refused.value.code == "too_many_members"


async def test_it_is_for_those_who_may_write_there(worker: Worker) -> None:
    group = await group_of(worker, 3)
    sink = await live(worker, "user01")

    async def refusal(user: str, conversation: str) -> str:
        with pytest.raises(RequestError) as refused:
            await worker.chat.typing.start(UserId(user), conversation)
        return refused.value.code

    assert await refusal("mallory", group) == "not_a_member"
    assert await refusal("mallory", DM) == "not_a_member"
    assert await refusal("alice", "g:" + "a" * 26) == "unknown_conversation"
    assert await refusal("alice", "nonsense") == "unknown_conversation"
    await worker.chat.members.remove(UserId("user00"), group, "user00")
    assert await refusal("user00", group) == "not_a_member"
    await worker.chat.groups.end(ALICE, group)
    assert await refusal("alice", group) == "ended"
    assert told(sink) == []
