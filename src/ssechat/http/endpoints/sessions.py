"""Endpoints of one's sessions, and of the password that begins them."""

import logging
from typing import Any

from ssechat.errors import Forbidden
from ssechat.http.contract import sessions
from ssechat.http.exchange import Request, Response
from ssechat.http.forwarded import TrustedProxies
from ssechat.http.guard import Guard
from ssechat.http.requests import PasswordChange
from ssechat.http.responses import json_response
from ssechat.http.routing import Route
from ssechat.identity.auth import Auth
from ssechat.identity.quotas import Quotas
from ssechat.identity.sessions import SEEN_SECONDS, Session, Sessions
from ssechat.identity.users import Users
from ssechat.settings import Settings
from ssechat.texts.timestamps import timestamp

logger = logging.getLogger(__name__)


class SessionsEndpoint:
    """`/v1/me/password` and `/v1/me/sessions`."""

    def __init__(
        self,
        guard: Guard,
        auth: Auth,
        users: Users,
        sessions: Sessions,
        quotas: Quotas,
        proxies: TrustedProxies,
        settings: Settings,
    ) -> None:
        self._guard = guard
        self._auth = auth
        self._users = users
        self._sessions = sessions
        self._quotas = quotas
        self._proxies = proxies
        self._sign_in_allowed = not settings.external_identity

    def routes(self) -> list[Route]:
        return [
            Route.of(sessions.LIST_SESSIONS, self.list),
            Route.of(sessions.END_SESSION, self.end),
            Route.of(sessions.CHANGE_PASSWORD, self.change_password),
        ]

    async def change_password(self, request: Request) -> Response:
        """`PUT /v1/me/password`: changes the password, and ends the other sessions."""
        identity = await self._guard.authenticate(request)  # whoever else has a session must not be able to prevent it
        given = await self._guard.read(request, PasswordChange)
        if not self._sign_in_allowed:
            raise Forbidden(
                "sign_in_closed", "There are no passwords here: this server accepts only the tokens of another system."
            )
        old, new = given.old.get_secret_value(), given.new.get_secret_value()
        address = self._proxies.client(request.scope)
        try:
            # Who has found an open session must not guess the password with it.
            async with self._quotas.sign_in(address, identity.user) as group:
                ended = await self._users.change_password(identity.user, old, new, group, identity.session)
        except Forbidden as refused:
            if refused.code == "wrong_password":
                logger.warning("wrong password from %s", address)
            raise
        await self._auth.announce_ended(ended)
        return Response(204)

    async def list(self, request: Request) -> Response:
        """`GET /v1/me/sessions`: where the user is signed in."""
        identity = await self._guard.identify(request)
        found = await self._sessions.of(identity.user)
        return json_response({"sessions": [_shown(each, current=each.id == identity.session) for each in found]})

    async def end(self, request: Request) -> Response:
        """`DELETE /v1/me/sessions/{id}`: signs a browser or program out."""
        self._guard.check_origin(request)
        user = (await self._guard.authenticate(request)).user
        await self._auth.end_session(user, request.parameters["id"])
        return Response(204)


def _shown(session: Session, *, current: bool) -> dict[str, Any]:
    hour = SEEN_SECONDS * 1000
    return {
        "id": session.id,
        "created_at": timestamp(session.begun),
        "last_seen_at": timestamp(max(session.begun, session.seen // hour * hour)),
        "expires_at": timestamp(session.expires),
        "user_agent": session.agent,
        **({"current": True} if current else {}),
    }
