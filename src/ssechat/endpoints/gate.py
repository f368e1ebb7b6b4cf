"""Lets a request in: its credential, its origin, its body."""

from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel
from starlette.requests import Request, cookie_parser
from starlette.types import Scope

from ssechat.auth import COOKIE, Auth
from ssechat.direct import USER
from ssechat.endpoints.http import parse
from ssechat.errors import BadRequest, Forbidden, Unauthorized
from ssechat.forwarded import TrustedProxies
from ssechat.headers import header
from ssechat.tokens import Identity

Model = TypeVar("Model", bound=BaseModel)


class Gate:
    """Lets a request in."""

    def __init__(self, auth: Auth, proxies: TrustedProxies, body_limit: int, allowed_origins: tuple[str, ...]) -> None:
        self._auth = auth
        self._proxies = proxies
        self._body_limit = body_limit
        self._allowed_origins = frozenset(allowed_origins)

    async def identify(self, scope: Scope, *, remember: bool = True) -> Identity:
        """Who sends it: a bearer token (RFC 6750 §2.1), else the session's cookie.

        `remember` as `Auth.identify` has it.

        Raises:
            Unauthorized: there is neither, or it does not count.
        """
        scheme, _, bearer = (header(scope, b"authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and bearer:
            token = bearer.strip()
        else:
            token = cookie_parser(header(scope, b"cookie") or "").get(COOKIE, "")
            if not token:
                raise Unauthorized("unauthorized", "Sign in, or send a token: `Authorization: Bearer …`.")
        # A send's is known, as a rule, and then nothing need be waited for.
        identity = self._auth.recognize(token) or await self._auth.identify(token, remember=remember)
        scope[USER] = identity.user
        return identity

    async def read(self, request: Request, model: type[Model]) -> Model:
        """The body of a write; raises as `check_write`, `body` and `parse` do."""
        self.check_write(request.scope)
        return parse(model, await self.body(request))

    def check_write(self, scope: Scope) -> None:
        """Lets only JSON in, and only from pages that may write.

        Raises:
            Forbidden: `forbidden_origin`.
            BadRequest: 415 `unsupported_media_type`.
        """
        self.check_origin(scope)
        content_type = header(scope, b"content-type") or ""
        if content_type != "application/json" and not _is_json(content_type):
            raise BadRequest("unsupported_media_type", "Send JSON: `Content-Type: application/json`.", status=415)

    def check_origin(self, scope: Scope) -> None:
        """Lets only this server's pages, and those of allowed origins, write with a browser's cookie.

        Raises:
            Forbidden: `forbidden_origin`.
        """
        origin = header(scope, b"origin")
        if origin is not None:
            allowed = self._is_ours(origin, scope) or origin in self._allowed_origins
        else:
            allowed = header(scope, b"sec-fetch-site") in (None, "same-origin", "none")
        if not allowed:
            raise Forbidden("forbidden_origin", "Pages of this origin may not use this server.")

    def _is_ours(self, origin: str, scope: Scope) -> bool:
        """Whether a page of this origin is this server's.

        Under https a page of the same host that came over http is not: whoever is on the way could have
        written it, and not all browsers keep the cookie from it. The other way round nothing is wrong, and
        a front that does not say that it speaks https shuts nobody out.
        """
        if _host_of(origin) != header(scope, b"host"):
            return False
        return origin.startswith("https:") or self._proxies.scheme(scope) != "https"

    async def body(self, request: Request) -> bytes:
        """The request's body.

        Raises:
            BadRequest: 413 `too_large`.
        """
        announced = header(request.scope, b"content-length") or ""
        self.check_size(int(announced) if announced.isdecimal() else 0)
        body = bytearray()
        async for part in request.stream():
            body += part
            self.check_size(len(body))
        return bytes(body)

    def check_size(self, size: int) -> None:
        """Refuses a body that is too large.

        Raises:
            BadRequest: 413 `too_large`.
        """
        if size > self._body_limit:
            limit = f"{self._body_limit / 1024:g} KiB"
            raise BadRequest("too_large", f"This is too large: a request may have {limit} at most.", status=413)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _host_of(origin: str) -> str:
    """The host and port in an `Origin` header; nothing for one that names none, such as `null`."""
    try:
        return urlsplit(origin).netloc or "-"
    except ValueError:
        return "-"
