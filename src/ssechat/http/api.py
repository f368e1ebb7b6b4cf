"""Request handling that all endpoints share, whether a request arrives over ASGI or over the server's own protocol.

It gives each request an id, finds its route, turns exceptions into responses, counts the responses, and writes the
access log.
"""

import logging
import re
import secrets
import time
from collections.abc import Iterable
from itertools import count

from ssechat.errors import TooManyWaiting
from ssechat.http.cors import Cors
from ssechat.http.exchange import Request, Response
from ssechat.http.responses import failure, is_bug
from ssechat.http.routing import UNMATCHED, Route, RouteTable
from ssechat.telemetry.metrics import Metrics

logger = logging.getLogger("ssechat.access")

HEADER = b"x-request-id"

WELL_FORMED = re.compile(r"[A-Za-z0-9_.:-]{1,128}").fullmatch

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""All other methods are counted under one label."""


class Api:
    """The whole API as one endpoint."""

    def __init__(self, routes: Iterable[Route], cors: Cors, metrics: Metrics, *, log_all: bool) -> None:
        """`log_all` logs every request; otherwise only server errors (5xx) are logged."""
        self.table = RouteTable(routes)
        self._cors = cors
        self._metrics = metrics
        self._log_all = log_all
        self._prefix = f"{secrets.token_hex(6)}-"
        self._numbers = count(1)

    async def answer(self, request: Request) -> Response:
        """The endpoint, which never raises. A method of a name: to call an object costs 500 instructions more."""
        began = time.perf_counter()
        request.id = self._id(request)
        route, bug, is_logged = UNMATCHED, None, False
        if self._cors.is_preflight(request):
            response = self._cors.answer(request)
        else:
            endpoint, route = self.table.find(request)
            try:
                response = await endpoint(request)
            except Exception as error:
                if request.allowance is not None:  # before the pause that a refusal has
                    request.allowance.done()
                    request.allowance = None
                response = await failure(request, error)
                bug = error if is_bug(error) else None
                is_logged = isinstance(error, TooManyWaiting)
            finally:
                if request.allowance is not None:
                    request.allowance.done()
            self._cors.mark(request, response)
        response.request_id = request.id.encode()
        method: str = request.scope["method"]
        if method not in METHODS:
            method = "other"
        self._metrics.requests[method, route, response.status] += 1
        # What refuses more requests than there may be logs that itself, once in a while.
        if bug is not None or ((self._log_all or response.status >= 500) and not (is_logged or request.server_is_full)):
            self._log(request.id, method, route, response.status, time.perf_counter() - began, bug)
        return response

    def _id(self, request: Request) -> str:
        given = request.header(HEADER)
        return given if given is not None and WELL_FORMED(given) else f"{self._prefix}{next(self._numbers)}"

    def _log(
        self, request_id: str, method: str, route: str, status: int, seconds: float, bug: Exception | None
    ) -> None:
        level = logging.INFO if status < 500 and bug is None else logging.WARNING if status == 503 else logging.ERROR
        fields = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
        }
        text = "%s %s %d in %.1f ms, request %s"
        arguments = (method, route, status, fields["duration_ms"], request_id)
        logger.log(level, text, *arguments, exc_info=bug, extra=fields)
