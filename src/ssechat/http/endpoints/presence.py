"""The endpoint of who is there."""

from ssechat.chat.rules import Chat
from ssechat.http.contract import presence
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.presence import there
from ssechat.http.requests import PresenceFields
from ssechat.http.responses import json_response
from ssechat.http.routing import Route
from ssechat.ids import UserId


class PresenceEndpoint:
    """`/v1/presence`."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [Route.of(presence.WATCH, self.watch)]

    async def watch(self, request: Request) -> Response:
        """`PUT`: says whom a device of the user watches, and whether the user is seen."""
        user = (await self._guard.identify(request)).user
        given = await self._guard.read(request, PresenceFields)
        rules = self._chat.presence
        names = [UserId(name) for name in given.watch or ()]
        # The list first: what is so now would miss who comes in between.
        if given.watch is not None:
            await rules.watch(user, given.device, names, given.in_)
        if given.visible is not None:
            await rules.set_visible(user, visible=given.visible)
        people = [{"user": seen.user, **there(seen)} for seen in await rules.now(user, names, given.in_)]
        return json_response({"users": people, "visible": (await self._chat.profiles.of(user)).visible})
