"""Who a client is: a token, a function that gives tokens, or a name and a password."""

import asyncio
import base64
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import httpx

from ssechat.client.attempts import Unavailable, attempt
from ssechat.client.errors import ANOTHER_FORM, ClientError, Refused
from ssechat.client.objects import object_of
from ssechat.client.transport import Transport
from ssechat.errors import SettingsError
from ssechat.problem_details import shortened

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A bearer token, or a function, asynchronous or not, that returns one."""

# Passwords are hashed slowly on purpose, one after the other.
SIGN_IN_SECONDS = 30.0


class Credential(Protocol):
    """What gives the bearer token of each request."""

    async def token(self) -> str | None:
        """It; None: requests have none.

        Raises:
            Unavailable: there is none just now.
            ClientError: there will be none.
        """

    def renew(self, token: str | None) -> bool:
        """The server did not take this token; returns whether there can be another one."""

    def password_changes(self, new: str, *, certain: bool) -> None:
        """The user's password is another one now, or may be if it is not `certain`."""


class Stranger:
    """Nobody: what asks for no credential can be asked for."""

    async def token(self) -> None:
        """None."""

    def renew(self, token: str | None) -> bool:
        """There is no other."""
        return False

    def password_changes(self, new: str, *, certain: bool) -> None:
        """Strangers have none."""


class Given:
    """A token, or a function that returns one for each request."""

    def __init__(self, source: Token) -> None:
        self._source = source
        self._subject: str | None = None

    async def token(self) -> str:
        """The token, of a function a fresh one.

        Raises:
            ClientError: it is another user's than those before. What is repeated must not be done in that user's name.
        """
        if isinstance(self._source, str):
            return self._source
        try:
            token = self._source()
            token = await token if inspect.isawaitable(token) else token
        except (ConnectionError, TimeoutError, httpx.RequestError) as error:
            reason = f"no token ({shortened(str(error)) or type(error).__name__})"
            raise Unavailable(reason, unmet=True) from error
        if not isinstance(token, str):
            raise SettingsError(f"the function that gives tokens returned {type(token).__name__}, and no text")
        subject = _subject(token)
        if subject is not None and subject != (self._subject or subject):
            raise ClientError(
                "the function that gives tokens gave one of another user: make another client for that user"
            )
        self._subject = subject or self._subject
        return token

    def renew(self, token: str | None) -> bool:
        """A function has had its chance: it is called for each request."""
        return False

    def password_changes(self, new: str, *, certain: bool) -> None:
        """Tokens do not depend on it."""


class Password:
    """A name and a password: signs in when a token is needed, and again when the session has ended."""

    def __init__(self, transport: Transport, name: str, password: str) -> None:
        self._transport = transport
        self.name = name
        self._password = password
        self._other_password: str | None = None
        """The one that may count in place of `_password`."""
        self._token: str | None = None
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """The token of the session."""
        async with self._lock:
            if self._token is None:
                self._token = await self._sign_in()
            return self._token

    async def _sign_in(self) -> str:
        try:
            return await self._begin("/v1/session", 200)
        except Refused as refused:
            if refused.status != 401 or self._other_password is None:
                raise
        self._password, self._other_password = self._other_password, self._password
        return await self._begin("/v1/session", 200)

    def password_changes(self, new: str, *, certain: bool) -> None:
        """The next session is begun with it."""
        if certain:
            self._password, self._other_password = new, None
        else:
            self._other_password = new

    def renew(self, token: str | None) -> bool:
        """Has the next request sign in."""
        if self._token == token:
            self._token = None
        return True

    async def sign_up(self) -> None:
        """Creates the account, unless it is there with this password: so it can be done again and again.

        Raises:
            Unavailable: the server does not answer just now.
            ClientError: the server refused.
        """
        try:
            await self.token()
        except Refused as unknown:
            if unknown.status != 401:
                raise
            async with self._lock:
                try:
                    self._token = await self._begin("/v1/users", 201)
                except Refused as taken:
                    # An attempt whose answer was lost may have made it.
                    if taken.code != "name_taken":
                        raise
                    self._token = await self._begin("/v1/session", 200)

    async def _begin(self, path: str, success: int) -> str:
        """Begins a session, and returns its token."""
        body = {"name": self.name, "password": self._password}
        try:
            response = await attempt(
                self._transport, "POST", path, body=body, timeout=SIGN_IN_SECONDS, within=SIGN_IN_SECONDS
            )
        except Unavailable as failure:
            failure.unmet = True  # of the request that the token is for
            raise
        if response.status_code != success:
            raise Refused.by(response)
        token = object_of(response).get("token")
        if not isinstance(token, str):
            raise ClientError(ANOTHER_FORM)
        return token


def _subject(token: str) -> str | None:
    """Whom a JSON Web Token names, unchecked; None if it is none, or names nobody."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return None
    subject = claims.get("sub") if isinstance(claims, dict) else None
    return subject if isinstance(subject, str) else None
