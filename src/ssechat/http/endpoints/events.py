"""Receiving."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from ssechat.errors import RedisUnavailable, Unauthorized
from ssechat.http.event_stream import HEADER_LINES, HEADERS, StreamResponse
from ssechat.http.fast_path import NO_ROOM, Answer, Endpoint
from ssechat.http.guard import Guard
from ssechat.http.headers import header
from ssechat.http.requests import EventsQuery, Nothing
from ssechat.http.responses import JSON, parse
from ssechat.identity.auth import TICKET_SECONDS, Auth
from ssechat.identity.quotas import Quotas
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.logs.inbox import Inbox
from ssechat.streams.hub import Hub
from ssechat.streams.stream import FULL, UNAVAILABLE

NOBODY = Identity(UserId(""), 0)
"""Whose stream it is that ends before that is known."""


class Events:
    """`/v1/events` and the tickets for it."""

    def __init__(self, guard: Guard, auth: Auth, quotas: Quotas, inbox: Inbox, hub: Hub, buffer: int) -> None:
        self._guard = guard
        self._auth = auth
        self._quotas = quotas
        self._inbox = inbox
        self._hub = hub
        self._buffer = buffer

    def routes(self) -> list[Route]:
        return [
            Route("/v1/events", self.stream, methods=["GET"]),
            Route("/v1/tickets", self.issue_ticket, methods=["POST"]),
        ]

    def direct(self) -> dict[tuple[bytes, bytes], Endpoint]:
        """What can be answered without ASGI."""
        return {(b"GET", b"/v1/events"): self.answer}

    async def stream(self, request: Request) -> Response | ASGIApp:
        """`GET`, as a route."""
        response = await self._admit(request)
        return Response(headers=HEADERS) if request.method == "HEAD" else response

    async def answer(self, scope: Scope, _: bytes) -> Answer:
        """`GET`, without ASGI."""
        response = await self._admit(Request(scope))
        return Answer(200, b"", HEADER_LINES, response.open)

    async def _admit(self, request: Request) -> StreamResponse:
        """The stream; where what is in the way may pass, one that says so and ends.

        Raises:
            BadRequest: the page has an error in it, and had better hear of that now.
            Unauthorized: with this credential it is useless to come back.
        """
        query = parse(EventsQuery, request.query_params)
        # The header wins: EventSource connects again with the URL it began with.
        cursor = header(request.scope, b"last-event-id") or query.cursor
        identity, refusal = NOBODY, None
        source = self._inbox.source(identity.user)
        sign_outs = self._auth.sign_outs
        try:
            identity = await self._identify(request, query.ticket)
            source = self._inbox.source(identity.user)
            if NO_ROOM in request.scope or not self._hub.has_room(source):
                refusal = FULL
        except RedisUnavailable:
            refusal = UNAVAILABLE
        return StreamResponse(self._hub, identity, source, cursor, self._buffer, refusal=refusal, sign_outs=sign_outs)

    async def issue_ticket(self, request: Request) -> Response:
        """`POST`: what an EventSource that cannot send a cookie puts into its URL."""
        identity = await self._guard.identify(request.scope)
        await self._guard.read(request, Nothing)
        await self._quotas.ticket(identity.user)
        return JSON({"ticket": await self._auth.issue_ticket(identity), "expires_in": TICKET_SECONDS}, 201)

    async def _identify(self, request: Request, ticket: str | None) -> Identity:
        if ticket is None:
            return await self._guard.identify(request.scope, remember=False)
        if request.method == "HEAD":
            raise Unauthorized("invalid_ticket", "A ticket is for one GET.")
        return await self._auth.redeem_ticket(ticket)
