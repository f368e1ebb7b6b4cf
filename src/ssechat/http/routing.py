"""Routing: finds the endpoint by path and method."""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, Self, TypeAlias

from ssechat.http.contract.operation import Operation
from ssechat.http.exchange import Endpoint, Request, Response
from ssechat.http.responses import problem

UNMATCHED = "unmatched"
"""The route label of a request that matches no route."""

AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]").search
"""Characters that a proxy and the app could read differently: as the end of the path, or as a slash."""

ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE).search
"""An encoded slash is data; after decoding it would look like a separator (RFC 3986 §2.2)."""

LONGEST = 4096
"""Upper bound of a path's characters; the longest valid path has less than half of that."""

ROUTE = "ssechat.route"
"""The key in a scope under which the endpoint and template of a path without parameters are stored: the header cache
keeps them for requests with the same line, and to find them again costs 4,000 instructions."""

STREAM = re.compile(r"/v1/(?:events|feeds/[^/]+/events)").fullmatch
"""These endpoints send `bye` themselves when the server is full: EventSource does not reconnect after an error."""

READS = ("GET", "HEAD")

Methods: TypeAlias = dict[str, Endpoint]


class Route(NamedTuple):
    """A route. A `{name}` in its path matches one segment; a slash at the end matches all paths below."""

    method: str
    path: str
    endpoint: Endpoint
    operation: Operation | None = None
    """What the contract says of it; None for files."""

    @classmethod
    def of(cls, operation: Operation, endpoint: Endpoint) -> Self:
        """The route on which this endpoint does an operation of the contract."""
        return cls(operation.method, operation.path, endpoint, operation)


class RouteTable:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)
        self._plain: dict[str, Methods] = {}
        self._patterns: list[tuple[Callable[[str], re.Match[str] | None], str, Methods]] = []
        by_path: dict[str, Methods] = {}
        for method, path, endpoint, _ in self.routes:
            by_path.setdefault(path, {})[method] = endpoint
        for path, methods in by_path.items():
            if "GET" in methods:
                methods.setdefault("HEAD", methods["GET"])
            if "{" in path or (path.endswith("/") and path != "/"):
                pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + (".*" if path.endswith("/") else "")
                self._patterns.append((re.compile(pattern).fullmatch, path.rstrip("/"), methods))
            else:
                self._plain[path] = methods

    def find(self, request: Request) -> tuple[Endpoint, str]:
        """Returns the endpoint, and the path template of the route as a label for logs and metrics."""
        scope = request.scope
        known: tuple[Endpoint, str] | None = scope.get(ROUTE)
        if known is not None:
            return known
        path: str = scope["path"]
        if request.server_is_full and (scope["method"] not in READS or STREAM(path) is None):
            return _full, UNMATCHED
        raw_path: bytes = scope.get("raw_path") or b""
        if b"%" not in raw_path or not ENCODED_SLASH(raw_path):
            methods = self._plain.get(path)
            if methods is not None:
                scope[ROUTE] = known = (methods.get(scope["method"]) or _other(methods), path)
                return known
            if len(path) > LONGEST:
                return _too_long, UNMATCHED
            for match, template, methods in () if AMBIGUOUS(path) else self._patterns:
                found = match(path)
                if found is not None:
                    request.parameters = found.groupdict()
                    return methods.get(scope["method"]) or _other(methods), template
        return _nothing_here, UNMATCHED


def _other(methods: Methods) -> Endpoint:
    """Returns the endpoint that refuses all other methods."""

    async def refuse(request: Request) -> Response:
        detail = "This path does not support that method; the Allow header lists the methods that it supports."
        response = problem(request, 405, "method_not_allowed", detail)
        response.headers += ((b"allow", ", ".join(methods).encode()),)
        return response

    return refuse


async def _full(request: Request) -> Response:
    return problem(request, 503, "full", "The server is full; try again later.", retry_after=5)


async def _too_long(request: Request) -> Response:
    return problem(request, 414, "path_too_long", f"A path has {LONGEST} characters at most.")


async def _nothing_here(request: Request) -> Response:
    return problem(request, 404, "not_found", "This path does not exist; GET /docs lists all paths.")
