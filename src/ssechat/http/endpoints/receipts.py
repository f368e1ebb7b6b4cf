"""The endpoint of what a device has."""

from ssechat.chat.rules import Chat
from ssechat.http.contract import receipts
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.requests import Ack
from ssechat.http.routing import Route


class ReceiptsEndpoint:
    """`/v1/ack`."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [Route.of(receipts.ACK, self.ack)]

    async def ack(self, request: Request) -> Response:
        """`POST`: notes which events a device of the user has."""
        user = (await self._guard.identify(request)).user
        given = await self._guard.read(request, Ack)
        await self._chat.receipts.ack(user, given.id)
        return Response(204)
