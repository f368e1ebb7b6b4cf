"""Endpoints of reactions to messages."""

from ssechat.chat.rules import Chat
from ssechat.http.contract import reactions
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.messages import message_response, seq_of
from ssechat.http.requests import ReactionsQuery
from ssechat.http.responses import json_response, parse
from ssechat.http.routing import Route
from ssechat.ids import UserId


class ReactionsEndpoint:
    """The reactions to a message."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [
            Route.of(reactions.LIST, self.list),
            Route.of(reactions.ADD, self.add),
            Route.of(reactions.REMOVE, self.remove),
        ]

    async def list(self, request: Request) -> Response:
        """`GET`: who has reacted how, or how one user has."""
        user = (await self._guard.identify(request)).user
        query = parse(ReactionsQuery, request.query)
        of = None if query.user is None else UserId(query.user)
        reactions, following = await self._chat.reactions.page(
            user, request.parameters["id"], seq_of(request), query.after, query.limit, of
        )
        listed = [{"emoji": one.emoji, "user": one.user} for one in reactions]
        return json_response({"reactions": listed, "next": following})

    async def add(self, request: Request) -> Response:
        """`PUT`: reacts with an emoji."""
        return await self._put(request, wanted=True)

    async def remove(self, request: Request) -> Response:
        """`DELETE`: takes one's own reaction away."""
        return await self._put(request, wanted=False)

    async def _put(self, request: Request, *, wanted: bool) -> Response:
        self._guard.check_origin(request)
        user = (await self._guard.identify(request)).user
        message = await self._chat.reactions.put(
            user, request.parameters["id"], seq_of(request), request.parameters["emoji"], wanted=wanted
        )
        return message_response(message)
