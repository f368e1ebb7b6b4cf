"""Lets a request in: its credential, its origin, its body."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Scope

from ssechat.errors import BadRequest, Forbidden, Unauthorized
from ssechat.http.cookies import SessionCookie
from ssechat.http.fast_path import USER
from ssechat.http.forwarded import TrustedProxies
from ssechat.http.headers import header
from ssechat.http.responses import parse
from ssechat.identity.auth import Auth
from ssechat.identity.tokens import Identity
from ssechat.texts.origins import Origins, is_same_origin

Model = TypeVar("Model", bound=BaseModel)


class Guard:
    """Lets a request in."""

    def __init__(
        self, auth: Auth, cookie: SessionCookie, proxies: TrustedProxies, body_limit: int, origins: Origins
    ) -> None:
        """`origins`: those whose pages may write, besides the server's own."""
        self._auth = auth
        self._cookie = cookie
        self._proxies = proxies
        self._body_limit = body_limit
        self._origins = origins

    async def identify(self, scope: Scope, *, remember: bool = True) -> Identity:
        """Who sends it: a bearer token (RFC 6750 §2.1), else the session's cookie.

        `remember` as `Auth.identify` has it.

        Raises:
            Unauthorized: there is neither, or it does not count.
        """
        scheme, _, bearer = (header(scope, b"authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and bearer:
            token = bearer.strip()
            # Tokens of senders are usually cached, so no await is needed.
            identity = self._auth.recognize(token) or await self._auth.identify(token, remember=remember)
        else:
            identity = await self._identify_cookie(scope, remember)
        scope[USER] = identity.user
        return identity

    async def _identify_cookie(self, scope: Scope, remember: bool) -> Identity:
        refused: Unauthorized | None = None
        for token in self._cookie_tokens(scope):
            try:
                return self._auth.recognize(token) or await self._auth.identify(token, remember=remember)
            except Unauthorized as error:
                refused = error  # one that somebody planted, or that was left over, locks nobody out
        raise refused or Unauthorized("unauthorized", "Sign in, or send a token: `Authorization: Bearer …`.")

    def _cookie_tokens(self, scope: Scope) -> Sequence[str]:
        line = header(scope, b"cookie")
        if not line:
            return ()
        guarded, plain = self._cookie.read(line)
        return guarded if not plain or self._proxies.scheme(scope) == "https" else guarded + plain

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
        origin, site = header(scope, b"origin"), header(scope, b"sec-fetch-site")
        if site == "same-origin":
            # A browser says so, and no page can (Fetch Metadata §2.3), whatever a front has made of `Host`.
            allowed = True
        elif origin is None:
            allowed = site in (None, "none")
        else:
            allowed = origin in self._origins or (site in (None, "none") and self._is_ours(origin, scope))
        if not allowed:
            raise Forbidden("forbidden_origin", "Pages of this origin may not use this server.")

    def _is_ours(self, origin: str, scope: Scope) -> bool:
        """Whether a page of this origin is this server's, by the name that the browser knows it by."""
        scheme = self._proxies.scheme(scope)
        if is_same_origin(origin, header(scope, b"host") or "", scheme):
            return True
        forwarded = self._proxies.host(scope)
        return forwarded is not None and is_same_origin(origin, forwarded, scheme)

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
