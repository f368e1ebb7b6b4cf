"""Checks a request: its credential, its origin, and its body."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

from ssechat.errors import BadRequest, Forbidden, IssuerUnavailable, Unauthorized
from ssechat.http.cookies import SessionCookie
from ssechat.http.exchange import USER, Request
from ssechat.http.forwarded import TrustedProxies
from ssechat.http.requests import IdempotencyKey
from ssechat.http.responses import parse
from ssechat.identity.auth import Auth
from ssechat.identity.leases import AT_LEAST, Leases
from ssechat.identity.tokens import Identity
from ssechat.texts.origins import Origins, is_same_origin

Model = TypeVar("Model", bound=BaseModel)

MAY_WRITE = "ssechat.may_write"
"""The key in the scope of a write that is allowed by its headers alone, whoever sends it. The header cache keeps it, so
that headers that are known need not be checked again: that saves 3,000 instructions of a request."""


READS = frozenset(("GET", "HEAD"))
"""Methods that change nothing."""


class Guard:
    """Authenticates requests and checks writes."""

    def __init__(
        self,
        auth: Auth,
        cookie: SessionCookie,
        proxies: TrustedProxies,
        body_limit: int,
        origins: Origins,
        leases: Leases,
    ) -> None:
        """`origins` are allowed to write, in addition to the server's own."""
        self._auth = auth
        self._leases = leases
        self._cookie = cookie
        self._proxies = proxies
        self._body_limit = body_limit
        self._origins = origins

    async def identify(self, request: Request) -> Identity:
        """Returns the identity of who sent the request, as `authenticate` does, when the user's quota lets it in.

        A write counts as `AT_LEAST` deliveries here; what else it reaches is counted by who delivers it.

        Raises:
            Unauthorized, IssuerUnavailable: as `authenticate` does.
            QuotaExceeded: the user has no deliveries left.
            TooManyWaiting: too many of the user's requests wait.
            BadRequest: 413 `too_large`.
        """
        token = request.bearer()
        # The tokens of senders are usually cached: then no await is needed.
        identity = None if token is None else self._auth.cached_identity(token)
        if identity is None:
            identity = await self.authenticate(request)
        user = request.scope[USER] = identity.user
        deliveries = 0 if request.scope["method"] in READS else AT_LEAST
        if deliveries and request.whole is None:
            await request.body(self._body_limit)  # first, so that no slow client takes up what its user may do at once
        request.allowance = self._leases.begin(user, deliveries) or await self._leases.wait(user, deliveries)
        return identity

    async def authenticate(self, request: Request, *, remember: bool = True) -> Identity:
        """Returns the identity of the bearer token (RFC 6750 §2.1), else of the session cookie, whatever quotas say.

        `remember` is that of `Auth.identify`.

        Raises:
            Unauthorized: the request has neither, or the token is not valid.
            IssuerUnavailable: whether it is valid is not known.
        """
        token = request.bearer()
        if token is not None:
            identity = self._auth.cached_identity(token) or await self._auth.identify(token, remember=remember)
        else:
            identity = await self._identify_cookie(request, remember)
        request.scope[USER] = identity.user
        return identity

    async def _identify_cookie(self, request: Request, remember: bool) -> Identity:
        refused: Unauthorized | IssuerUnavailable | None = None
        for token in self._cookie_tokens(request):
            try:
                return self._auth.cached_identity(token) or await self._auth.identify(token, remember=remember)
            except (Unauthorized, IssuerUnavailable) as error:
                refused = error  # a stale cookie, or one that an attacker set, must not hide a valid one
        raise refused or Unauthorized("unauthorized", "Sign in, or send a token: `Authorization: Bearer …`.")

    def _cookie_tokens(self, request: Request) -> Sequence[str]:
        line = request.header(b"cookie")
        if not line:
            return ()
        guarded, plain = self._cookie.read(line)
        return guarded if not plain or self._proxies.scheme(request.scope) == "https" else guarded + plain

    async def read(self, request: Request, model: type[Model]) -> Model:
        """Returns the parsed body of a write; raises the errors of `check_write`, `Request.body` and `parse`."""
        self.check_write(request)
        whole = request.whole  # as most are: then nothing need be awaited
        if whole is None or len(whole) > self._body_limit:
            whole = await request.body(self._body_limit)
        return parse(model, whole)

    async def read_or_nothing(self, request: Request, model: type[Model]) -> Model:
        """As `read`; no body is as good as an empty object."""
        body = await request.body(self._body_limit)
        if not body:
            self.check_origin(request)
            return parse(model, {})
        self.check_write(request)
        return parse(model, body)

    def check_write(self, request: Request) -> None:
        """Checks that a write is JSON and comes from an allowed origin.

        Raises:
            Forbidden: `forbidden_origin`.
            BadRequest: 415 `unsupported_media_type`.
        """
        if MAY_WRITE in request.scope:
            return
        self.check_origin(request)
        content_type = request.header(b"content-type") or ""
        if content_type != "application/json" and not _is_json(content_type):
            raise BadRequest("unsupported_media_type", "Send JSON: `Content-Type: application/json`.", status=415)
        if request.header(b"origin") is None:  # else it can depend on the client's address whether the origin is ours
            request.scope[MAY_WRITE] = True

    def check_origin(self, request: Request) -> None:
        """Checks that a write with a browser's cookie comes from a page of this server or of an allowed origin.

        Raises:
            Forbidden: `forbidden_origin`.
        """
        origin, site = request.header(b"origin"), request.header(b"sec-fetch-site")
        if site == "same-origin":
            # Only the browser sets this header, not the page (Fetch Metadata §2.3); it is right even if a proxy changed
            # `Host`.
            allowed = True
        elif origin is None:
            allowed = site in (None, "none")
        else:
            allowed = origin in self._origins or (site in (None, "none") and self._is_ours(origin, request))
        if not allowed:
            raise Forbidden("forbidden_origin", "Pages of this origin may not use this server.")

    def _is_ours(self, origin: str, request: Request) -> bool:
        """Whether the origin is this server's own, under the host name that the browser uses."""
        scheme = self._proxies.scheme(request.scope)
        if is_same_origin(origin, request.header(b"host") or "", scheme):
            return True
        forwarded = self._proxies.host(request.scope)
        return forwarded is not None and is_same_origin(origin, forwarded, scheme)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def client_msg_id(request: Request, given: str | None) -> str | None:
    """The client_msg_id of the body (`given`) or of the header `Idempotency-Key`; None: neither has one.

    Raises:
        BadRequest: they differ, or the header's is not valid.
    """
    header = request.header(b"idempotency-key")
    if header is None:
        return given
    if given not in (None, header):
        raise BadRequest("invalid_request", "Idempotency-Key and client_msg_id differ; send one of them.")
    return parse(IdempotencyKey, {"client_msg_id": header}).client_msg_id
