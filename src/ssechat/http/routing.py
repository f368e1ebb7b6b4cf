"""Which endpoint answers a request: by its path and its method."""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from ssechat.http.exchange import Endpoint, Request, Response
from ssechat.http.responses import problem

UNMATCHED = "unmatched"
"""What stands for the route of a request that has none."""

AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]").search
"""What a front and an app may take for the end of a path, or for a slash."""

ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE).search
"""A slash that separates nothing; decoded it would look like one that does (RFC 3986 §2.2)."""

LONGEST = 4096
"""Characters of a path; the longest that means something has less than half of that."""

STREAM = "/v1/events"
"""Says itself that there is no room: with a status its reader would never come back."""

Methods: TypeAlias = dict[str, Endpoint]


class Route(NamedTuple):
    """A row of the table. A `{name}` in a path stands for one part of it; a slash at the end for all that is below."""

    method: str
    path: str
    endpoint: Endpoint


class RouteTable:
    """All routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)
        self._plain: dict[str, Methods] = {}
        self._patterns: list[tuple[Callable[[str], re.Match[str] | None], str, Methods]] = []
        by_path: dict[str, Methods] = {}
        for method, path, endpoint in self.routes:
            by_path.setdefault(path, {})[method] = endpoint
        for path, methods in by_path.items():
            if "{" in path or (path.endswith("/") and path != "/"):
                pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + (".*" if path.endswith("/") else "")
                self._patterns.append((re.compile(pattern).fullmatch, path.rstrip("/"), methods))
            else:
                self._plain[path] = methods

    def find(self, request: Request) -> tuple[Endpoint, str]:
        """The endpoint, and the route's path as the table has it: never as the request had it."""
        path: str = request.scope["path"]
        if not request.has_room and path != STREAM:
            return _full, UNMATCHED
        if len(path) > LONGEST:
            return _too_long, UNMATCHED
        raw_path: bytes = request.scope.get("raw_path") or b""
        if not (b"%" in raw_path and ENCODED_SLASH(raw_path)):
            methods = self._plain.get(path)
            if methods is not None:
                return _of(methods, request.method), path
            for match, template, methods in () if AMBIGUOUS(path) else self._patterns:
                found = match(path)
                if found is not None:
                    request.parameters = found.groupdict()
                    return _of(methods, request.method), template
        return _nothing_here, UNMATCHED


def _of(methods: Methods, method: str) -> Endpoint:
    endpoint = methods.get("GET" if method == "HEAD" else method)
    if endpoint is not None:
        return endpoint
    allowed = [*methods, "HEAD"] if "GET" in methods else [*methods]

    async def refuse(request: Request) -> Response:
        detail = "This path does not take that method; the header Allow names those that it takes."
        response = problem(request, 405, "method_not_allowed", detail)
        response.headers += ((b"allow", ", ".join(allowed).encode()),)
        return response

    return refuse


async def _full(request: Request) -> Response:
    return problem(request, 503, "full", "This server has no room for more just now.", retry_after=5)


async def _too_long(request: Request) -> Response:
    return problem(request, 414, "path_too_long", f"A path has {LONGEST} characters at most.")


async def _nothing_here(request: Request) -> Response:
    return problem(request, 404, "not_found", "There is nothing here; GET /docs shows what there is.")
