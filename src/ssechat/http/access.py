"""Around all endpoints: an id for each request, the count of the answers, and the log of them."""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ssechat.http.fast_path import NO_ROOM, Answer, Endpoint
from ssechat.http.headers import header
from ssechat.telemetry.metrics import Metrics

logger = logging.getLogger("ssechat.access")

REQUEST_ID = "ssechat.request_id"
"""Where a request's scope has its id."""

HEADER = b"x-request-id"

WELL_FORMED = re.compile(r"[A-Za-z0-9_.:-]{1,128}").fullmatch

UNMATCHED = "unmatched"
"""What stands for the route of a request that has none."""

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Others are anybody's invention, and count as one."""


class Access:
    """ASGI middleware: the outermost, so that it sees the answer to everything, a bug included."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, log_all: bool) -> None:
        """`log_all`: log each request, rather than only what the server could not do (5xx)."""
        self._app = app
        self._metrics = metrics
        self._log_all = log_all
        self._prefix = f"{secrets.token_hex(6)}-"
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = self._identify(scope)
        status = 500

        def send_with_id(message: Message) -> Awaitable[None]:  # no coroutine of its own: this is on every path
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, request_id.encode())]
            return send(message)

        bug: Exception | None = None
        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            # It has been answered; logged here, where the request's id is known, it need not go on.
            bug = error
        method = scope["method"] if scope["method"] in METHODS else "other"
        found = scope.get("route")
        route = UNMATCHED if found is None else found.path  # as the code has it, never as the request had it
        if NO_ROOM in scope and bug is None:
            self._metrics.requests[method, route, status] += (
                1  # that there is no room is said once, in the server's log
            )
        else:
            self._note(request_id, method, route, status, began, bug)

    def direct(
        self, method: bytes, route: bytes, endpoint: Endpoint, failed: Callable[[Scope, Exception], Answer]
    ) -> Endpoint:
        """The same around an endpoint that answers without ASGI; `failed` makes an answer of an error."""
        named = method.decode(), route.decode()

        async def identified(scope: Scope, body: bytes) -> Answer:
            began = time.perf_counter()
            request_id = self._identify(scope)
            try:
                answer = await endpoint(scope, body)
            except Exception as error:
                answer = failed(scope, error)
            self._note(request_id, *named, answer.status, began, None)
            answer.headers += b"%b: %b\r\n" % (HEADER, request_id.encode())
            return answer

        return identified

    def _identify(self, scope: Scope) -> str:
        request_id = header(scope, HEADER)
        if request_id is None or not WELL_FORMED(request_id):
            request_id = f"{self._prefix}{next(self._numbers):x}"
        scope[REQUEST_ID] = request_id
        return request_id

    def _note(self, request_id: str, method: str, route: str, status: int, began: float, bug: Exception | None) -> None:
        self._metrics.requests[method, route, status] += 1
        if self._log_all or status >= 500 or bug is not None:
            self._log(request_id, method, route, status, time.perf_counter() - began, bug)

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
