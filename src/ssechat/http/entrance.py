"""What is answered before any endpoint is asked: there is no room, or no path can be meant."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from ssechat.http.fast_path import NO_ROOM
from ssechat.http.responses import problem

AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]").search
"""What a front and an app may take for the end of a path, or for a slash."""

ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE).search
"""A slash that separates nothing; decoded it would look like one that does (RFC 3986 §2.2)."""

LONGEST = 4096
"""Bytes of a path; the longest that means something has less than half of that."""

STREAM = "/v1/events"
"""Says itself that there is no room: with a status its reader would never come back."""


class Entrance:
    """ASGI middleware, inside of what adds headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            if NO_ROOM in scope and scope["path"] != STREAM:
                app = problem(scope, 503, "full", "This server has no room for more just now.", retry_after=5)
            elif len(scope["path"]) > LONGEST:
                app = problem(scope, 414, "path_too_long", f"A path has {LONGEST} characters at most.")
            elif AMBIGUOUS(scope["path"]) or ENCODED_SLASH(scope.get("raw_path", b"")):
                app = problem(scope, 404, "not_found", "There is no such path.")
        await app(scope, receive, send)
