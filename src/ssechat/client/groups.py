"""Groups: their names, members and invitations, as a client asks for them."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from ssechat.client.calls import Calls
from ssechat.client.errors import Doubt
from ssechat.client.models import Addition, Conversation, Invite, Member
from ssechat.client.pages import listed, pages
from ssechat.client.transport import path


class Groups:
    """What a user can do with groups. A group is given by its id; errors are those of `Client`.

    Owners do all; admins rename, invite, add, remove and moderate members; members write and leave.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def make(
        self,
        name: str,
        members: Sequence[str] = (),
        *,
        topic: str | None = None,
        history: str | None = None,
        client_msg_id: str | None = None,
    ) -> Conversation:
        """Makes a group, once however many attempts there are, and returns it.

        `history` is what new members may read: `all`, or `from_join`.
        """
        body: dict[str, Any] = {"name": name, "members": list(members)}
        body["client_msg_id"] = uuid.uuid4().hex if client_msg_id is None else client_msg_id
        body |= _given(topic=topic, history=history)
        return await self._one("POST", "/v1/conversations", body, doubt=Doubt.GROUP)

    async def show(self, group: str) -> Conversation:
        """A group as it stands."""
        return await self._one("GET", _group(group), None, doubt=Doubt.NOTHING)

    async def change(self, group: str, *, name: str | None = None, topic: str | None = None) -> Conversation:
        """Renames a group or sets its topic (empty: takes it away), and returns the group."""
        return await self._one("PATCH", _group(group), _given(name=name, topic=topic))

    async def end(self, group: str) -> None:
        """Ends a group for all: nobody can write to it any more."""
        await self._do("DELETE", _group(group))

    def members(self, group: str) -> AsyncIterator[Member]:
        """Yields each member with their role, by name."""
        return pages(self._calls, _group(group) + "/members", "members", "after", Member)

    async def add(self, group: str, users: Sequence[str]) -> Addition:
        """Adds users; who is a member already stays one, in the role that they have."""
        body = {"users": list(users)}
        return Addition.read(
            await self._calls.object("POST", _group(group) + "/members", body=body, doubt=Doubt.CHANGE)
        )

    async def set_role(self, group: str, user: str, role: str) -> Member:
        """Makes a member an `owner`, `admin` or `member`; adds who is none."""
        where = _group(group) + path("members", user)
        return Member.read(await self._calls.object("PUT", where, body={"role": role}, doubt=Doubt.CHANGE))

    async def remove(self, group: str, user: str) -> None:
        """Removes a member; oneself: leaves."""
        await self._do("DELETE", _group(group) + path("members", user))

    async def invite(self, group: str, *, expires_in: int | None = None, max_uses: int | None = None) -> Invite:
        """Makes an invitation, and returns it with its `secret`. `expires_in` is in seconds; by default a week.

        It is not asked for again where it may have been made: a second attempt would make a second one.
        """
        made = await self._calls.object(
            "POST",
            _group(group) + "/invites",
            body=_given(expires_in=expires_in, max_uses=max_uses),
            repeatable=False,
            doubt=Doubt.INVITE,
        )
        return Invite.read(made)

    async def invites(self, group: str) -> list[Invite]:
        """The invitations of a group that can be used, without their secrets."""
        return listed(await self._calls.object("GET", _group(group) + "/invites"), "invites", Invite)

    async def revoke(self, group: str, invite: str) -> None:
        """Takes an invitation back; `invite` is its id."""
        await self._do("DELETE", _group(group) + path("invites", invite))

    async def join(self, secret: str) -> Conversation:
        """Joins the group of an invitation, and returns the group."""
        return await self._one("POST", "/v1/invites/join", {"secret": secret})

    async def _one(
        self, method: str, where: str, body: Mapping[str, Any] | None, doubt: Doubt = Doubt.CHANGE
    ) -> Conversation:
        return Conversation.read(await self._calls.object(method, where, body=body, doubt=doubt))

    async def _do(self, method: str, where: str) -> None:
        await self._calls.ask(method, where, doubt=Doubt.CHANGE)


def _group(group: str) -> str:
    return path("v1", "conversations", group)


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
