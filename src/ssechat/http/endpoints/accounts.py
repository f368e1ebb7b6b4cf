"""Endpoints of accounts: sign-up, sign-in, sign-out."""

import logging
from contextlib import suppress
from datetime import timedelta

from ssechat import __version__
from ssechat.errors import Forbidden, RedisUnavailable, Unauthorized
from ssechat.http.contract import accounts
from ssechat.http.cookies import SessionCookie
from ssechat.http.exchange import Request, Response
from ssechat.http.forwarded import TrustedProxies
from ssechat.http.guard import Guard
from ssechat.http.requests import Credentials, NewUser
from ssechat.http.responses import json_response
from ssechat.http.routing import Route
from ssechat.identity.auth import Auth
from ssechat.identity.profiles import Profiles
from ssechat.identity.quotas import Quotas
from ssechat.identity.users import Users
from ssechat.ids import UserId
from ssechat.settings import Settings

logger = logging.getLogger(__name__)


class AccountsEndpoint:
    """`/v1/users`, `/v1/session`, and `/v1/server`, which the page reads before a sign-in."""

    def __init__(
        self,
        guard: Guard,
        auth: Auth,
        cookie: SessionCookie,
        users: Users,
        profiles: Profiles,
        quotas: Quotas,
        proxies: TrustedProxies,
        settings: Settings,
    ) -> None:
        self._guard = guard
        self._auth = auth
        self._cookie = cookie
        self._users = users
        self._profiles = profiles
        self._quotas = quotas
        self._proxies = proxies
        self._directory, self._avatars = settings.directory == "on", settings.avatars == "on"
        self._banner = {} if settings.banner is None else {"banner": settings.banner}
        self._sign_in_allowed = not settings.external_identity
        self._sign_up_allowed = self._sign_in_allowed and settings.signup == "open"
        self._session_lifetime = timedelta(days=settings.session_days)

    def routes(self) -> list[Route]:
        return [
            Route.of(accounts.SHOW_SERVER, self.describe_server),
            Route.of(accounts.SIGN_UP, self.sign_up),
            Route.of(accounts.SHOW_SESSION, self.show_session),
            Route.of(accounts.SIGN_IN, self.sign_in),
            Route.of(accounts.SIGN_OUT, self.sign_out),
        ]

    async def describe_server(self, _: Request) -> Response:
        """`GET /v1/server`: the server's version, and whether sign-up and sign-in are open."""
        return json_response(
            {
                "name": "ssechat",
                "version": __version__,
                "sign_up": self._sign_up_allowed,
                "sign_in": self._sign_in_allowed,
                "directory": self._directory,
                "avatars": self._avatars,
                **self._banner,
            }
        )

    async def sign_up(self, request: Request) -> Response:
        """`POST /v1/users`: creates an account and signs in."""
        new = await self._guard.read(request, NewUser)
        if not self._sign_up_allowed:
            raise Forbidden("sign_up_closed", "Sign-up is closed on this server; ask its administrator for an account.")
        user = UserId(new.name)
        async with self._quotas.sign_up(self._proxies.client(request.scope), new.name) as group:
            await self._users.sign_up(user, new.password.get_secret_value(), group)
        return await self._signed_in(request, user, 201)

    async def show_session(self, request: Request) -> Response:
        """`GET /v1/session`: the user who is signed in."""
        user = (await self._guard.identify(request)).user
        name = None
        with suppress(RedisUnavailable):  # who is signed in is known all the same
            name = (await self._profiles.of(user)).display_name
        return json_response({"user": user, **_named(name)})

    async def sign_in(self, request: Request) -> Response:
        """`POST /v1/session`: signs in."""
        given = await self._guard.read(request, Credentials)
        if not self._sign_in_allowed:
            raise Forbidden(
                "sign_in_closed", "Sign-in is closed: this server accepts only the tokens of another system."
            )
        user = UserId(given.name)
        address = self._proxies.client(request.scope)
        try:
            async with self._quotas.sign_in(address, given.name) as group:
                checked = await self._users.check_password(user, given.password.get_secret_value(), group)
        except Unauthorized:
            # For tools that watch for password guessing. The name is not logged: it may be a password in the wrong
            # field.
            logger.warning("wrong name or password from %s", address)
            raise
        return await self._signed_in(request, user, 200, checked)

    async def sign_out(self, request: Request) -> Response:
        """`DELETE /v1/session`: ends the session and its streams."""
        self._guard.check_origin(request)
        await self._auth.sign_out(await self._guard.authenticate(request))  # who sends too much, too
        response = Response(204)
        self._cookie.remove(response, https=self._proxies.scheme(request.scope) == "https")
        return response

    async def _signed_in(self, request: Request, user: UserId, status: int, checked: str = "") -> Response:
        token = await self._auth.sign_in(user, request.header(b"user-agent") or "", checked)
        response = json_response({"token": token, "user": user}, status)
        https = self._proxies.scheme(request.scope) == "https"
        self._cookie.put(response, token, int(self._session_lifetime.total_seconds()), https=https)
        return response


def _named(display_name: str | None) -> dict[str, str]:
    return {} if display_name is None else {"display_name": display_name}
