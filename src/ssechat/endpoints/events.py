"""Receiving."""

import random

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from ssechat import frames
from ssechat.auth import TICKET_SECONDS, Auth
from ssechat.direct import Answer, Endpoint
from ssechat.endpoints.gate import Gate
from ssechat.endpoints.http import JSON
from ssechat.errors import RedisUnavailable, Unauthorized
from ssechat.hub import Hub
from ssechat.models import Nothing
from ssechat.quotas import Quotas
from ssechat.response import HEADER_LINES, HEADERS, StreamResponse
from ssechat.stream import RETRY_AFTER_TROUBLE
from ssechat.tokens import Identity


class Events:
    """`/v1/events` and the tickets for it."""

    def __init__(self, gate: Gate, auth: Auth, quotas: Quotas, hub: Hub, buffer: int) -> None:
        self._gate = gate
        self._auth = auth
        self._quotas = quotas
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
        if response is None:
            return Response(self._goodbye(), headers=HEADERS)
        return Response(headers=HEADERS) if request.method == "HEAD" else response

    async def answer(self, scope: Scope, _: bytes) -> Answer:
        """`GET`, without ASGI."""
        response = await self._admit(Request(scope))
        if response is None:
            return Answer(200, self._goodbye(), HEADER_LINES)
        return Answer(200, b"", HEADER_LINES, response.open)

    async def _admit(self, request: Request) -> StreamResponse | None:
        """The stream. A refusal is a status; None: what may pass is a stream that ends at once.

        Raises:
            Unauthorized, TooMany: the refusals.
        """
        try:
            identity = await self._identify(request)
        except RedisUnavailable:
            # EventSource never comes back from a status (WHATWG HTML §9.2.3), so this must not be one.
            return None
        self._hub.check_room(identity.user)
        # The header wins: EventSource connects again with the URL it began with.
        cursor = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
        return StreamResponse(self._hub, identity, cursor or None, self._buffer)

    async def issue_ticket(self, request: Request) -> Response:
        """`POST`: what an EventSource that cannot send a cookie puts into its URL."""
        identity = await self._gate.identify(request.scope)
        await self._gate.read(request, Nothing)
        await self._quotas.ticket(identity.user)
        return JSON({"ticket": await self._auth.issue_ticket(identity), "expires_in": TICKET_SECONDS}, 201)

    async def _identify(self, request: Request) -> Identity:
        ticket = request.query_params.get("ticket")
        if ticket is None:
            return await self._gate.identify(request.scope, remember=False)
        if request.method == "HEAD":
            raise Unauthorized("invalid_ticket", "A ticket is for one GET.")
        return await self._auth.redeem_ticket(ticket)

    def _goodbye(self) -> bytes:
        """All that a stream has that ends at once."""
        self._hub.metrics.connects += 1
        self._hub.metrics.closes["unavailable"] += 1
        retry = random.randint(*RETRY_AFTER_TROUBLE)
        return frames.unchunk(frames.event(frames.BYE, {"reason": "unavailable"}, retry=retry))
