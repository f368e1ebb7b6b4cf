"""Profiles, as a client says and asks them."""

from collections.abc import Iterable, Mapping
from typing import TypedDict, Unpack

from ssechat.client.calls import Calls
from ssechat.client.errors import Doubt
from ssechat.client.models import Me, PresenceNow, Profile, User
from ssechat.client.objects import object_of
from ssechat.client.transport import path

# Users who are asked for in one request.
AT_ONCE = 100


class ProfileFields(TypedDict, total=False):
    """What can be changed in a profile; None takes it away."""

    display_name: str | None
    avatar_url: str | None
    receipts: bool | None


class People:
    """What a user can ask about people, and say of itself."""

    _calls: Calls

    async def me(self) -> Me:
        """The user, and what is unread in all conversations that are not muted."""
        return Me.read(await self._calls.object("GET", "/v1/me"))

    async def change_profile(self, **fields: Unpack[ProfileFields]) -> Profile:
        """Changes the user's profile, and returns it. What is not given stays; None takes it away."""
        return Profile.read(await self._calls.object("PATCH", "/v1/me", body=fields, doubt=Doubt.CHANGE))

    async def watch(self, users: Iterable[str], *, group: str | None = None, device: str = "") -> PresenceNow:
        """Says of whom one wants to know whether they are there, instead of those before, and returns what is so now.

        From then on `events()` has a `PresenceEvent` when that changes, on all of the user's streams, and with all of
        it when a stream begins. Watching nobody ends it. Up to 100 users: those with whom one shares a direct
        conversation, or `group`; all others are offline. `device`: a name of the program's own, if several of the user
        watch.

        Raises:
            Refused: `unknown_conversation`, `not_a_member`, `not_a_group`, `ended`.
        """
        fields = {"in": group} if group is not None else {}
        return await self._put_presence({"watch": list(users), "device": device, **fields})

    async def set_visible(self, visible: bool) -> None:
        """Lets others see whether the user is there, or has it look offline to all. It holds for all devices."""
        await self._put_presence({"visible": visible})

    async def _put_presence(self, body: Mapping[str, object]) -> PresenceNow:
        return PresenceNow.read(await self._calls.object("PUT", "/v1/presence", body=body, doubt=Doubt.CHANGE))

    async def show_user(self, user: str) -> User:
        """What one may know of a user.

        Raises:
            Refused: `unknown_user`.
        """
        return User.read(await self._calls.object("GET", path("v1", "users", user)))

    async def show_users(self, users: Iterable[str]) -> list[User]:
        """What everybody may know of these users; those who do not exist are left out."""
        wanted = list(users)
        return [
            each for at in range(0, len(wanted), AT_ONCE) for each in await self._users(ids=wanted[at : at + AT_ONCE])
        ]

    async def find_users(self, prefix: str) -> list[User]:
        """Up to ten users whose names begin with these three letters or more, where the server has a directory.

        Raises:
            Refused: `directory_off`.
        """
        return await self._users(prefix=[prefix])

    async def _users(self, **query: list[str]) -> list[User]:
        text = {name: ",".join(values) for name, values in query.items()}
        answer = object_of(await self._calls.ask("GET", "/v1/users", query=text))
        return [User.read(each) for each in answer.get("users", ())]
