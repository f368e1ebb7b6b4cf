"""Endpoints of event streams and their tickets."""

from ssechat.errors import IssuerUnavailable, RedisUnavailable, Unauthorized
from ssechat.http.contract import events
from ssechat.http.event_stream import stream_response
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.requests import EmptyBody, EventsQuery
from ssechat.http.responses import json_response, parse
from ssechat.http.routing import Route
from ssechat.identity.auth import TICKET_SECONDS, Auth
from ssechat.identity.quotas import Quotas
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.logs.inbox import Inbox
from ssechat.streams.hub import Hub
from ssechat.streams.stream import FULL, UNAVAILABLE

ANONYMOUS = Identity(UserId(""), 0)
"""The identity of a stream that ends before its user is known."""


class EventsEndpoint:
    """`/v1/events` and its tickets."""

    def __init__(self, guard: Guard, auth: Auth, quotas: Quotas, inbox: Inbox, hub: Hub, buffer: int) -> None:
        self._guard = guard
        self._auth = auth
        self._quotas = quotas
        self._inbox = inbox
        self._hub = hub
        self._buffer = buffer

    def routes(self) -> list[Route]:
        return [
            Route.of(events.STREAM, self.stream),
            Route.of(events.ISSUE_TICKET, self.issue_ticket),
        ]

    async def stream(self, request: Request) -> Response:
        """`GET`: the stream, or, if the obstacle is temporary, a stream that names it in a `bye` event and ends.

        Raises:
            BadRequest: a parameter is not valid.
            Unauthorized: the credential is not valid; a reconnect with it is pointless.
        """
        query = parse(EventsQuery, request.query)
        # The header takes precedence: EventSource reconnects with its first URL, and so with an old query parameter.
        cursor = request.header(b"last-event-id") or query.cursor
        refusal = None
        sign_outs = self._auth.sign_outs
        try:
            identity = await self._identify(request, query.ticket)
            source = self._inbox.source(identity.user)
            if request.server_is_full or not self._hub.has_room(source):
                refusal = FULL
        except (RedisUnavailable, IssuerUnavailable):
            identity, refusal = ANONYMOUS, UNAVAILABLE
            source = self._inbox.source(identity.user)
        return stream_response(self._hub, identity, source, cursor, self._buffer, refusal=refusal, sign_outs=sign_outs)

    async def issue_ticket(self, request: Request) -> Response:
        """`POST`: issues a ticket for the URL of an EventSource that cannot send a cookie."""
        identity = await self._guard.authenticate(request)  # who sends too much can go on to receive
        await self._guard.read(request, EmptyBody)
        await self._quotas.ticket(identity.user)
        return json_response({"ticket": await self._auth.issue_ticket(identity), "expires_in": TICKET_SECONDS}, 201)

    async def _identify(self, request: Request, ticket: str | None) -> Identity:
        if ticket is None:
            return await self._guard.authenticate(request, remember=False)
        if request.method == "HEAD":
            raise Unauthorized("invalid_ticket", "A ticket is valid for GET only.")
        return await self._auth.redeem_ticket(ticket)
