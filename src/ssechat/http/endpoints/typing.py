"""The endpoint for “is writing”."""

from ssechat.chat.rules import Chat
from ssechat.http.contract import typing
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.requests import EmptyBody
from ssechat.http.responses import json_response
from ssechat.http.routing import Route


class TypingEndpoint:
    """`/v1/conversations/{id}/typing`."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [Route.of(typing.START, self.start)]

    async def start(self, request: Request) -> Response:
        """`POST`: says that the user is writing."""
        user = (await self._guard.identify(request)).user
        await self._guard.read_or_nothing(request, EmptyBody)
        await self._chat.typing.start(user, request.parameters["id"])
        return json_response({}, 202)
