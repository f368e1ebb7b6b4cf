"""CORS (WHATWG Fetch §3.3): the pages of which other origins may read responses. guard.py decides which may write."""

import re

from ssechat.http.exchange import Header, Request, Response
from ssechat.texts.origins import Origins

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

EXPOSED = b"etag, ratelimit, ratelimit-policy, retry-after, x-request-id"
"""Response headers that scripts may read."""

MAX_AGE = b"600"
"""Seconds for which a browser caches a preflight."""

OPEN = re.compile(r"/v1/feeds/[^/]+(?:/events)?").fullmatch
"""Paths that a page of any origin may ask for, without credentials. What is public there says itself that it may be
read; the answers about all else do not."""

PRINTABLE = re.compile(rb"[\x20-\x7e]*").fullmatch

ASKED_WITH = (
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"
)


class Cors:
    """Answers preflight requests, and adds the CORS headers to responses."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._allows_any = len(origins) > 0

    def is_preflight(self, request: Request) -> bool:
        """Whether a request is a CORS preflight that is answered here."""
        return (
            request.scope["method"] == "OPTIONS"
            and _given(request, b"origin") is not None
            and _given(request, b"access-control-request-method") is not None
            and (self._allows_any or _is_open(request))
        )

    def answer(self, request: Request) -> Response:
        """The response to a preflight."""
        headers: tuple[Header, ...] = (
            (b"vary", ASKED_WITH),
            (b"access-control-max-age", MAX_AGE),
            (b"content-type", b"text/plain; charset=utf-8"),
        )
        wrong = []
        origin = _given(request, b"origin") or b""
        is_allowed = self._is_allowed(origin)
        is_stranger = not is_allowed and _is_open(request)
        if is_stranger:
            headers += ((b"access-control-allow-origin", b"*"), (b"access-control-allow-methods", b"GET"))
        else:
            headers += (
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-allow-methods", ", ".join(METHODS).encode()),
            )
            if is_allowed:
                headers += ((b"access-control-allow-origin", origin),)
            else:
                wrong.append(b"origin")
        if (_given(request, b"access-control-request-method") or b"").decode("latin-1") not in METHODS:
            wrong.append(b"method")
        asked = _given(request, b"access-control-request-headers")
        if asked is not None and PRINTABLE(asked):
            # Any header that a client library adds is allowed (cache-control, x-requested-with, traces): none grants
            # access.
            headers += ((b"access-control-allow-headers", asked),)
        if not is_stranger and _given(request, b"access-control-request-private-network") is not None:
            # Chromium sends this for a server in a private network: what is public there is so for the pages there.
            headers += ((b"access-control-allow-private-network", b"true"),)
        if wrong:
            return Response(400, b"Disallowed CORS " + b", ".join(wrong), headers)
        return Response(200, b"OK", headers)

    def mark(self, request: Request, response: Response) -> None:
        """Adds the headers that let the page read the response."""
        if not self._allows_any:
            return
        origin = _given(request, b"origin")
        if any(name == b"access-control-allow-origin" for name, _ in response.headers):
            # Any origin may read it; one that is allowed to send credentials wants to see itself named.
            if origin is not None and self._is_allowed(origin):
                response.headers = tuple(
                    each for each in response.headers if not each[0].startswith(b"access-control-")
                )
            else:
                origin = None
        if origin is not None:
            response.headers += (
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", EXPOSED),
            )
            if self._is_allowed(origin):
                response.headers += ((b"access-control-allow-origin", origin),)
        response.headers += ((b"vary", b"Origin"),)

    def _is_allowed(self, origin: bytes) -> bool:
        return origin.decode("latin-1") in self._origins


def _is_open(request: Request) -> bool:
    method = _given(request, b"access-control-request-method")
    return method == b"GET" and OPEN(request.scope["path"]) is not None


def _given(request: Request, name: bytes) -> bytes | None:
    """Returns the value of a header, the first if there are several: browsers send each of these headers once."""
    return next((value for each, value in request.scope["headers"] if each == name), None)
