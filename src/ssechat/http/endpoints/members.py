"""Endpoints of the members of groups."""

from ssechat.chat.rules import Chat
from ssechat.http.contract import members
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.requests import MemberRole, MembersQuery, NewMembers
from ssechat.http.responses import json_response, parse
from ssechat.http.routing import Route


class MembersEndpoint:
    """The members of a group."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [
            Route.of(members.LIST, self.list),
            Route.of(members.ADD, self.add),
            Route.of(members.PUT, self.put),
            Route.of(members.REMOVE, self.remove),
        ]

    async def list(self, request: Request) -> Response:
        """`GET`: members and their roles, by name."""
        user = (await self._guard.identify(request)).user
        query = parse(MembersQuery, request.query)
        page = await self._chat.members.page(user, request.parameters["id"], query.after, query.limit)
        members = [{"user": name, "role": role} for name, role in page.members]
        return json_response({"members": members, "next": page.next})

    async def add(self, request: Request) -> Response:
        """`POST`: adds many at once."""
        user = (await self._guard.identify(request)).user
        new = await self._guard.read(request, NewMembers)
        added, count = await self._chat.members.add(user, request.parameters["id"], new.users)
        return json_response({"added": added, "member_count": count})

    async def put(self, request: Request) -> Response:
        """`PUT`: adds one, or sets a member's role."""
        user = (await self._guard.identify(request)).user
        wanted = await self._guard.read_or_nothing(request, MemberRole)
        id, name = request.parameters["id"], request.parameters["user"]
        member, role = await self._chat.members.put(user, id, name, wanted.role)
        return json_response({"user": member, "role": role})

    async def remove(self, request: Request) -> Response:
        """`DELETE`: removes one; oneself: leaves."""
        self._guard.check_origin(request)
        user = (await self._guard.identify(request)).user
        await self._chat.members.remove(user, request.parameters["id"], request.parameters["user"])
        return Response(204)
