"""Endpoints of blocks."""

from ssechat.chat.rules import Chat
from ssechat.http.contract import blocks
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.requests import BlocksQuery
from ssechat.http.responses import json_response, parse
from ssechat.http.routing import Route


class BlocksEndpoint:
    """`/v1/blocks`, and each of them."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [
            Route.of(blocks.LIST, self.list),
            Route.of(blocks.BLOCK, self.block),
            Route.of(blocks.UNBLOCK, self.unblock),
        ]

    async def list(self, request: Request) -> Response:
        """`GET`: those whom the user has blocked, by name."""
        user = (await self._guard.identify(request)).user
        query = parse(BlocksQuery, request.query)
        page = await self._chat.blocks.page(user, query.after, query.limit)
        following = page.users[-1] if page.more else None
        return json_response({"blocks": [{"user": name} for name in page.users], "next": following})

    async def block(self, request: Request) -> Response:
        """`PUT`: blocks somebody."""
        self._guard.check_origin(request)
        user = (await self._guard.identify(request)).user
        return json_response({"user": await self._chat.blocks.block(user, request.parameters["user"])})

    async def unblock(self, request: Request) -> Response:
        """`DELETE`: takes a block back."""
        self._guard.check_origin(request)
        user = (await self._guard.identify(request)).user
        await self._chat.blocks.unblock(user, request.parameters["user"])
        return Response(204)
