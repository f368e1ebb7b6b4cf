"""What every endpoint does with a request and a response: its body, its answer, problem+json."""

import json
import logging
from asyncio import sleep
from collections.abc import Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from ssechat.errors import BadRequest, QuotaExceeded, RedisUnavailable, RequestError, TooMany
from ssechat.events import frames
from ssechat.http.access import REQUEST_ID
from ssechat.http.fast_path import Answer, header_lines
from ssechat.redis.link import RedisRefused
from ssechat.texts.faults import sentence

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
QUOTA_TITLE = "Request cannot be satisfied as assigned quota has been exceeded"
"""The problem type and its title, as draft-ietf-httpapi-ratelimit-headers has them."""

LATE = 1.0
"""Seconds."""

NO_STORE = {"cache-control": "no-store"}

REFUSED = {
    404: ("not_found", "There is nothing here; GET /docs shows what there is."),
    405: ("method_not_allowed", "This path does not take that method; the header Allow names those that it takes."),
}
"""The code and the detail of what Starlette refuses, by its status."""


MOST_FIELDS = 20
"""Fields at fault that an answer names, of however many."""

LONGEST_QUOTE = 300
"""Characters that an answer repeats of what was sent."""


def shortened(text: str) -> str:
    """The text, or the beginning of one that is too long to be repeated."""
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


class JSON(Response):
    """JSON that nobody may keep."""

    media_type = "application/json"

    def __init__(self, content: Any, status: int = 200, headers: Mapping[str, str] = NO_STORE) -> None:
        body = content if isinstance(content, bytes) else frames.encode(content)
        super().__init__(body, status, headers)


def parse(model: type[Model], given: bytes | Mapping[str, str]) -> Model:
    """A body (JSON) or a query as its model.

    Raises:
        BadRequest: 422 `invalid_request`, with the fields at fault.
    """
    try:
        if isinstance(given, bytes):
            return model.model_validate_json(given)
        return model.model_validate(given)
    except ValidationError as error:
        fields = [
            {"field": shortened(".".join(map(str, one["loc"]))), "message": sentence(one)}
            for one in islice(error.errors(include_url=False, include_input=False), MOST_FIELDS)
        ]
        first = fields[0]
        detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
        raise BadRequest("invalid_request", detail, fields=fields) from None


def problem(
    scope: Scope, status: int, code: str, detail: str, *, retry_after: int | None = None, **members: Any
) -> Response:
    """An error as application/problem+json (RFC 9457)."""
    headers = {**NO_STORE}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": shortened(detail),
        "request_id": scope.get(REQUEST_ID),
        **members,
    }
    # What is quoted of a request need not be encodable: a lone surrogate becomes a question mark.
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(body, status, headers, media_type="application/problem+json")


def refusal(scope: Scope, error: RequestError | RedisUnavailable) -> Response:
    """The answer to a request that was in vain. Of a change, when Redis is away, the outcome is unknown."""
    if isinstance(error, RequestError):
        members: dict[str, Any] = {} if error.fields is None else {"fields": error.fields}
        if isinstance(error, QuotaExceeded):
            members |= {"type": QUOTA_EXCEEDED, "title": QUOTA_TITLE, "violated-policies": [error.quota]}
        response = problem(scope, error.status, error.code, error.detail, retry_after=error.retry_after, **members)
        if isinstance(error, QuotaExceeded):
            # draft-ietf-httpapi-ratelimit-headers-10 §3 and §4: lists of strings with parameters (RFC 9651).
            policies = [f'"{name}";q={limit};w={seconds}' for name, limit, seconds in error.policies]
            response.headers["ratelimit-policy"] = ", ".join(policies)
            response.headers["ratelimit"] = f'"{error.quota}";r=0;t={error.retry_after}'
        return response
    if isinstance(error, RedisRefused):
        # Of what Redis says only its code: the rest may quote a command.
        code = error.refusal.code
        logger.debug("request %s: Redis refused it: %s", scope.get(REQUEST_ID), code)
        why = f"The server's storage refuses this ({code}); whoever runs the server finds the reason in its log."
    else:
        logger.debug("request %s: Redis is away: %s", scope.get(REQUEST_ID), error)
        why = "The server cannot reach its storage."
    detail = f"{why} Repeat the request, a message with the same client_msg_id."
    return problem(scope, 503, "unavailable", detail, retry_after=1)


def failed(scope: Scope, error: Exception) -> Answer:
    """The answer to what failed without ASGI."""
    if isinstance(error, RequestError | RedisUnavailable):
        response = refusal(scope, error)
    else:
        logger.error("request %s failed", scope.get(REQUEST_ID), exc_info=error)
        response = apology(scope)
    headers = [pair for pair in response.raw_headers if pair[0] != b"content-length"]
    return Answer(response.status_code, bytes(response.body), header_lines(headers))


async def on_request_error(request: Request, error: Exception) -> Response:
    """Our own errors. Who is to come later is told so late: many who ask again at once would hold up everybody."""
    if isinstance(error, TooMany):
        await sleep(LATE)
    assert isinstance(error, RequestError | RedisUnavailable)
    return refusal(request.scope, error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """What Starlette refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    code, detail = REFUSED.get(error.status_code, ("bad_request", error.detail))
    response = problem(request.scope, error.status_code, code, detail)
    response.headers.update(error.headers or {})
    return response


async def on_client_gone(request: Request, error: Exception) -> Response:
    """The client left in the middle of its body: nobody reads this answer."""
    return problem(request.scope, 400, "client_disconnected", "The request ended before its body did.")


async def on_bug(request: Request, error: Exception) -> Response:
    """What should not happen."""
    return apology(request.scope)


def apology(scope: Scope) -> Response:
    """The answer to what should not happen. The text goes to the log, not to the client."""
    return problem(scope, 500, "internal_error", "Something went wrong in the server; its log says more.")


HANDLERS: Mapping[Any, Any] = {
    RequestError: on_request_error,
    RedisUnavailable: on_request_error,
    HTTPException: on_http_exception,
    ClientDisconnect: on_client_gone,
    Exception: on_bug,
}
