"""Endpoints of conversations: all of a user's, one, and the making, renaming and ending of groups."""

from ssechat.chat.groups import Draft
from ssechat.chat.rules import Chat
from ssechat.http.contract import conversations
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard, client_msg_id
from ssechat.http.messages import array
from ssechat.http.requests import GroupChange, ListQuery, NewGroup
from ssechat.http.responses import json_response, parse
from ssechat.http.routing import Route


class ConversationsEndpoint:
    """`/v1/conversations`, and each of them."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [
            Route.of(conversations.LIST, self.list),
            Route.of(conversations.MAKE, self.make_group),
            Route.of(conversations.SHOW, self.show),
            Route.of(conversations.CHANGE, self.change_group),
            Route.of(conversations.END, self.end_group),
        ]

    async def list(self, request: Request) -> Response:
        """`GET`: the user's conversations, the one with the newest event first."""
        user = (await self._guard.identify(request)).user
        query = parse(ListQuery, request.query)
        listing = await self._chat.conversations.list(user, query.before, query.limit)
        following = b"null" if listing.next is None else b'"%d"' % listing.next
        conversations = array(one.json for one in listing.conversations)
        return json_response(b'{"conversations":%b,"next":%b}' % (conversations, following))

    async def show(self, request: Request) -> Response:
        """`GET`: one conversation."""
        user = (await self._guard.identify(request)).user
        return json_response((await self._chat.conversations.one(user, request.parameters["id"])).json)

    async def make_group(self, request: Request) -> Response:
        """`POST`: 201 with the new group, or 200 with the one that was made with this client_msg_id before."""
        user = (await self._guard.identify(request)).user
        new = await self._guard.read(request, NewGroup)
        draft = Draft(new.name, new.topic, new.history, new.members)
        group, is_new = await self._chat.groups.make(user, draft, client_msg_id(request, new.client_msg_id))
        return json_response((await self._chat.conversations.one(user, group)).json, 201 if is_new else 200)

    async def change_group(self, request: Request) -> Response:
        """`PATCH`: renames a group, or sets its topic."""
        user = (await self._guard.identify(request)).user
        change = await self._guard.read(request, GroupChange)
        await self._chat.groups.change(user, request.parameters["id"], change.name, change.topic)
        return json_response((await self._chat.conversations.one(user, request.parameters["id"])).json)

    async def end_group(self, request: Request) -> Response:
        """`DELETE`: ends a group."""
        self._guard.check_origin(request)
        user = (await self._guard.identify(request)).user
        await self._chat.groups.end(user, request.parameters["id"])
        return Response(204)
