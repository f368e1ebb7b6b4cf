"""Endpoints of invitations to groups."""

from typing import Any

from ssechat.chat.rules import Chat
from ssechat.http.contract import invites
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.requests import InviteSecret, NewInvite
from ssechat.http.responses import json_response
from ssechat.http.routing import Route
from ssechat.logs.invites import Invite
from ssechat.texts.timestamps import timestamp


class InvitesEndpoint:
    """The invitations of a group, and `/v1/invites/join`."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [
            Route.of(invites.MAKE, self.make),
            Route.of(invites.LIST, self.list),
            Route.of(invites.REVOKE, self.revoke),
            Route.of(invites.JOIN, self.join),
        ]

    async def make(self, request: Request) -> Response:
        """`POST`: 201 with the secret, which is never shown again."""
        user = (await self._guard.identify(request)).user
        new = await self._guard.read_or_nothing(request, NewInvite)
        invite, secret = await self._chat.invites.make(user, request.parameters["id"], new.expires_in, new.max_uses)
        return json_response({"secret": secret, **_fields(invite)}, 201)

    async def list(self, request: Request) -> Response:
        """`GET`: the invitations that can be used."""
        user = (await self._guard.identify(request)).user
        invites = await self._chat.invites.all(user, request.parameters["id"])
        return json_response({"invites": [_fields(invite) for invite in invites]})

    async def revoke(self, request: Request) -> Response:
        """`DELETE`: makes an invitation useless."""
        self._guard.check_origin(request)
        user = (await self._guard.identify(request)).user
        await self._chat.invites.revoke(user, request.parameters["id"], request.parameters["invite"])
        return Response(204)

    async def join(self, request: Request) -> Response:
        """`POST`: joins the group that the secret is for; the secret stands in the body, where no log has it."""
        user = (await self._guard.identify(request)).user
        given = await self._guard.read(request, InviteSecret)
        group = await self._chat.joins.join(user, given.secret)
        return json_response((await self._chat.conversations.one(user, group)).json)


def _fields(invite: Invite) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": invite.id,
        "expires_at": timestamp(invite.expires_at),
        "uses": invite.uses,
        "by": invite.by,
    }
    if invite.max_uses is not None:
        fields["max_uses"] = invite.max_uses
    return fields
