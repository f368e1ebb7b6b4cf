"""Profiles, as a client says and asks them."""

from typing import TypedDict, Unpack

from ssechat.client.calls import Calls
from ssechat.client.errors import Doubt
from ssechat.client.models import Me, Profile, User
from ssechat.client.transport import path


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

    async def show_user(self, user: str) -> User:
        """What everybody may know of a user.

        Raises:
            Refused: `unknown_user`.
        """
        return User.read(await self._calls.object("GET", path("v1", "users", user)))
