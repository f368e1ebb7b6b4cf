"""What Redis refuses in the middle of a change of a group or of reactions leaves nothing half done."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from parts import ALICE, BOB, Worker, a_worker
from redises import RedisProcess
from ssechat.chat.groups import Draft
from ssechat.ids import ConversationId, UserId, number_of
from ssechat.logs.delivery import AT_ONCE
from ssechat.redis import keys
from ssechat.redis.refusals import RedisRefused
from test_half_done import without

pytestmark = pytest.mark.anyio

CAROL = UserId("carol")


@pytest.fixture(params=[AT_ONCE, 0], ids=["one-script", "two-steps"])
async def worker(
    request: pytest.FixtureRequest, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Worker]:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    async with a_worker(redis.url, at_once=request.param) as parts:
        yield parts


@dataclass
class Scene:
    """A group of Alice's with Bob, who has reacted to its message, and an invitation."""

    worker: Worker
    group: ConversationId
    secret: str

    async def removal(self) -> None:
        await self.worker.chat.members.remove(ALICE, self.group, "bob")

    async def end(self) -> None:
        await self.worker.chat.groups.end(ALICE, self.group)

    async def rename(self) -> None:
        await self.worker.chat.groups.change(ALICE, self.group, "Dinner", None)

    async def role(self) -> None:
        await self.worker.chat.members.put(ALICE, self.group, "bob", "admin")

    async def joining(self) -> None:
        await self.worker.chat.joins.join(CAROL, self.secret)

    async def reaction(self) -> None:
        await self.worker.chat.reactions.put(ALICE, self.group, 1, "👍", wanted=True)

    async def no_reaction(self) -> None:
        await self.worker.chat.reactions.put(BOB, self.group, 1, "👍", wanted=False)

    async def deletion(self) -> None:
        await self.worker.chat.edits.delete(ALICE, self.group, 1, None)

    async def message(self) -> None:
        await self.worker.say("two", conversation=self.group)


async def a_scene(worker: Worker) -> Scene:
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", ["bob"]), None)
    await worker.say("one", conversation=group)
    await worker.chat.reactions.put(BOB, group, 1, "👍", wanted=True)
    _, secret = await worker.chat.invites.make(ALICE, group, 1000, None)
    return Scene(worker, group, secret)


async def is_whole(there: Scene) -> None:
    """Checks that the log has each number once, up to its head, and that everybody has what concerns him."""
    log = keys.of_conversation(there.group).log
    entries = [entry.decode() for entry, _ in await there.worker.redis.call("XRANGE", log, "-", "+")]
    assert [number_of(entry) for entry in entries] == list(range(1, len(entries) + 1))
    assert await there.worker.conversations.newest_entry(there.group) == entries[-1]
    for user in ("alice", "bob", "carol"):
        assert "reset" not in [event.kind for event in await there.worker.events(user)]


@pytest.mark.parametrize(
    "change",
    [
        Scene.removal, Scene.end, Scene.rename, Scene.role, Scene.joining, Scene.reaction, Scene.no_reaction,
        Scene.deletion, Scene.message,
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "command",
    ["hget", "hset", "hdel", "hlen", "hgetall", "expire", "zadd", "zrem", "zremrangebylex", "xadd"],
)
async def test_a_change_is_made_once_when_redis_allows_its_commands_again(
    worker: Worker, redis: RedisProcess, command: str, change: Callable[[Scene], Awaitable[None]]
) -> None:
    there = await a_scene(worker)
    with without(redis, command), suppress(RedisRefused):
        await change(there)
    await change(there)
    await is_whole(there)


@pytest.mark.parametrize("what", ["members", "left", "leavers", "invites", "reactions"])
async def test_a_key_of_another_type_leaves_the_log_as_it_was(worker: Worker, what: str) -> None:
    there = await a_scene(worker)
    key = keys.reactions(there.group) if what == "reactions" else getattr(keys.of_group(there.group), what)
    before = await worker.conversations.newest_entry(there.group)
    await worker.redis.call("SET", key, "of another type")
    change = there.deletion if what == "reactions" else there.role
    with pytest.raises(Exception, match="WRONGTYPE"):
        await change()
    assert await worker.conversations.newest_entry(there.group) == before
    await worker.redis.call("DEL", key)
    await is_whole(there)
