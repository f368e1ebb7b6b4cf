"""Invitations that are made and revoked while a group changes."""

from collections.abc import Awaitable, Callable

import pytest

from parts import ALICE, BOB, Worker
from ssechat.chat.groups import Draft
from ssechat.errors import Forbidden, RequestError
from ssechat.ids import ConversationId, UserId
from ssechat.logs.members import Standing
from ssechat.redis import keys

pytestmark = pytest.mark.anyio


@pytest.fixture
async def group(worker: Worker) -> ConversationId:
    """A group of alice and bob, an admin."""
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", ["bob"]), None)
    await worker.chat.members.put(ALICE, group, "bob", "admin")
    return group


def after_reading(worker: Worker, patch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[object]]) -> None:
    """Lets something happen after a user's rights were read the next time."""
    read = worker.members.standing

    async def standing(user: UserId, conversation: ConversationId) -> Standing | None:
        patch.setattr(worker.members, "standing", read)
        found = await read(user, conversation)
        await happens()
        return found

    patch.setattr(worker.members, "standing", standing)


async def test_one_who_is_no_admin_any_more_makes_and_revokes_none(
    worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch
) -> None:
    invite, _ = await worker.chat.invites.make(ALICE, group, 60, None)
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: worker.chat.invites.make(BOB, group, 60, None),
        lambda: worker.chat.invites.revoke(BOB, group, invite.id),
    ]
    for attempt in attempts:
        after_reading(worker, monkeypatch, lambda: worker.chat.members.put(ALICE, group, "bob", "member"))
        with pytest.raises(Forbidden, match="Only owners and admins"):
            await attempt()
        await worker.chat.members.put(ALICE, group, "bob", "admin")
    assert [one.id for one in await worker.chat.invites.all(BOB, group)] == [invite.id]


async def test_who_stays_an_admin_makes_and_revokes_though_the_group_changes_meanwhile(
    worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_reading(worker, monkeypatch, lambda: worker.chat.members.add(ALICE, group, ["carol"]))
    invite, _ = await worker.chat.invites.make(BOB, group, 60, None)
    after_reading(worker, monkeypatch, lambda: worker.chat.members.add(ALICE, group, ["dave"]))
    await worker.chat.invites.revoke(BOB, group, invite.id)
    assert await worker.chat.invites.all(BOB, group) == []


async def test_a_group_that_ends_meanwhile_gets_no_invitation(
    worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_reading(worker, monkeypatch, lambda: worker.chat.groups.end(ALICE, group))
    with pytest.raises(Forbidden) as refused:
        await worker.chat.invites.make(BOB, group, 60, None)
    assert refused.value.code == "ended"
    assert await worker.redis.call("HLEN", keys.of_group(group).invites) == 0


async def test_a_group_that_others_change_each_time_is_503(
    worker: Worker, group: ConversationId, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = worker.members.standing

    async def standing(user: UserId, conversation: ConversationId) -> Standing | None:
        found = await read(user, conversation)
        assert found is not None
        return found._replace(group=found.group._replace(list_version="0-0"))

    monkeypatch.setattr(worker.members, "standing", standing)
    for attempt in (worker.chat.invites.make(BOB, group, 60, None), worker.chat.invites.revoke(BOB, group, "x")):
        with pytest.raises(RequestError) as refused:
            await attempt
        assert (refused.value.status, refused.value.code) == (503, "busy")
