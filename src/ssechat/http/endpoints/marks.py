"""Endpoints of what a user has read."""

from ssechat.chat.rules import Chat
from ssechat.http.contract import marks
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.requests import Mute, ReadMark
from ssechat.http.responses import json_response
from ssechat.http.routing import Route
from ssechat.logs.marks import Marked


class MarksEndpoint:
    """`/v1/conversations/{id}/read` and `/mute`."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [
            Route.of(marks.READ, self.read),
            Route.of(marks.MUTE, self.mute),
        ]

    async def read(self, request: Request) -> Response:
        """`PUT …/read`: marks messages as read."""
        user = (await self._guard.identify(request)).user
        given = await self._guard.read(request, ReadMark)
        return _response(await self._chat.marks.read(user, request.parameters["id"], given.up_to))

    async def mute(self, request: Request) -> Response:
        """`PUT …/mute`: mutes the conversation, or unmutes it."""
        user = (await self._guard.identify(request)).user
        given = await self._guard.read(request, Mute)
        return _response(await self._chat.marks.mute(user, request.parameters["id"], muted=given.muted))


def _response(marked: Marked) -> Response:
    return json_response({"conversation_id": marked.conversation, **marked.mark.counts(marked.newest)})
