"""Endpoints of profiles and of the directory."""

from collections.abc import Sequence
from typing import Any

from ssechat.chat.rules import Chat
from ssechat.errors import Forbidden, NotFound
from ssechat.http.contract import people
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.presence import there
from ssechat.http.requests import ProfileFields, UsersQuery
from ssechat.http.responses import json_response, parse
from ssechat.http.routing import Route
from ssechat.identity.directory import Directory
from ssechat.identity.profiles import Profile
from ssechat.identity.quotas import Quotas
from ssechat.identity.users import Users
from ssechat.ids import UserId, user_id


class PeopleEndpoint:
    """`/v1/me`, `/v1/users` and `/v1/users/{id}`."""

    def __init__(self, guard: Guard, chat: Chat, users: Users, directory: Directory | None, quotas: Quotas) -> None:
        """`directory` is None where there is none."""
        self._guard = guard
        self._chat = chat
        self._users = users
        self._directory = directory
        self._quotas = quotas

    def routes(self) -> list[Route]:
        return [
            Route.of(people.ME, self.show_me),
            Route.of(people.CHANGE_ME, self.change_me),
            Route.of(people.SHOW_USER, self.show_user),
            Route.of(people.LIST_USERS, self.list_users),
        ]

    async def show_me(self, request: Request) -> Response:
        """`GET /v1/me`: the user, and what is unread."""
        user = (await self._guard.identify(request)).user
        profile = await self._chat.profiles.of(user)
        sums = await self._chat.marks.sums(user)
        return json_response({**_own(user, profile), "unread": sums.unread, "mentions": sums.mentions})

    async def change_me(self, request: Request) -> Response:
        """`PATCH /v1/me`: changes the user's profile."""
        user = (await self._guard.identify(request)).user
        given = await self._guard.read(request, ProfileFields)
        return json_response(_own(user, await self._chat.profiles.change(user, given.fields)))

    async def show_user(self, request: Request) -> Response:
        """`GET /v1/users/{id}`: whether the user exists, what it is called, and whether it is there."""
        asks = (await self._guard.identify(request)).user
        name = request.parameters["id"]
        user = user_id(name)
        if user is None or not await self._users.exists(user):
            raise NotFound("unknown_user", f"There is no user {name!r}.")
        profile = await self._chat.profiles.of(user)
        [seen] = await self._chat.presence.now(asks, (user,))
        return json_response({"id": user, **profile.shown, **there(seen)})

    async def list_users(self, request: Request) -> Response:
        """`GET /v1/users`: what many are called; or who has a name that begins so."""
        user = (await self._guard.identify(request)).user
        query = parse(UsersQuery, request.query)
        if query.ids is not None:
            await self._quotas.profiles(user)
            missing = {*await self._users.missing(query.ids)}
            return json_response({"users": await self._described([one for one in query.ids if one not in missing])})
        if self._directory is None:
            raise Forbidden("directory_off", "There is no directory on this server: ask people for their names.")
        await self._quotas.search(user)
        found = await self._directory.search(UserId(query.prefix or ""))
        shown = await self._chat.profiles.findable(user, found.users)
        return json_response({"users": await self._described(shown), "has_more": found.more})

    async def _described(self, users: Sequence[UserId]) -> list[dict[str, str]]:
        profiles = await self._chat.profiles.of_each(users)
        return [{"id": one, **profile.shown} for one, profile in zip(users, profiles, strict=True)]


def _own(user: UserId, profile: Profile) -> dict[str, Any]:
    told = {"receipts": profile.receipts, "visible": profile.visible, "version": profile.version}
    return {"user": user, **profile.shown, **told}
