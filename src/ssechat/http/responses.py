"""Responses of the endpoints: JSON, and problem+json (RFC 9457); parsing of bodies and queries."""

import json
import logging
from asyncio import sleep
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from http import HTTPStatus
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ssechat.errors import BadRequest, QuotaExceeded, RedisUnavailable, RequestError, TooMany
from ssechat.events import frames
from ssechat.http.exchange import ClientGone, Header, Request, Response, header_lines
from ssechat.redis.refusals import RedisRefused
from ssechat.texts.validation_errors import sentence

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
QUOTA_TITLE = "Request cannot be satisfied as assigned quota has been exceeded"
"""The problem type and its title (draft-ietf-httpapi-ratelimit-headers)."""

REFUSAL_DELAY = 1.0
"""Seconds before a response that tells the client to retry: many clients that retry at once would delay all others."""

NO_STORE = (b"cache-control", b"no-store")
JSON_HEADERS = ((b"content-type", b"application/json"), NO_STORE)
JSON_LINES = header_lines(JSON_HEADERS)
"""`JSON_HEADERS` as bytes of HTTP/1.1: most responses have just these."""

MAX_FIELDS = 20
"""Upper bound of the invalid fields that a problem names."""

LONGEST_QUOTE = 300
"""Upper bound of the characters of a request that a problem quotes."""


def shortened(text: str) -> str:
    """Returns the text, shortened if it is too long to be quoted."""
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def json_response(content: Any, status: int = 200) -> Response:
    """Returns a JSON response that must not be cached; bytes are JSON already."""
    return Response(status, content if isinstance(content, bytes) else frames.encode(content), JSON_HEADERS)


def tagged_response(request: Request, body: bytes, content_type: Header, headers: Sequence[Header]) -> Response:
    """Returns a response with an entity tag, or 304 if the client has this body (RFC 9110 §13.1.2)."""
    tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
    headers = (*headers, (b"etag", tag.encode()))
    if is_known(request, tag):
        return Response(304, b"", headers)
    return Response(200, body, (content_type, *headers))


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has what has this entity tag."""
    known = request.header(b"if-none-match") or ""
    return tag in known or known.strip() == "*"


def parse(model: type[Model], given: bytes | Mapping[str, str]) -> Model:
    """Parses a body (JSON) or a query into its model.

    Raises:
        BadRequest: 422 `invalid_request`, with the invalid fields.
    """
    try:
        if isinstance(given, bytes):
            # What `model_validate_json` calls; that looks at arguments that nobody gives, for 5,000 instructions.
            parsed: Model = model.__pydantic_validator__.validate_json(given)
            return parsed
        return model.model_validate(given)
    except ValidationError as error:
        fields = [
            {"field": shortened(".".join(map(str, one["loc"]))), "message": sentence(one)}
            for one in islice(error.errors(include_url=False, include_input=False), MAX_FIELDS)
        ]
        first = fields[0]
        detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
        raise BadRequest("invalid_request", detail, fields=fields) from None


def problem(
    request: Request, status: int, code: str, detail: str, *, retry_after: int | None = None, **members: Any
) -> Response:
    """Returns an error as application/problem+json (RFC 9457)."""
    headers: tuple[Header, ...] = ((b"content-type", b"application/problem+json"), NO_STORE)
    if status == 401:
        headers += ((b"www-authenticate", b"Bearer"),)
    if retry_after is not None:
        headers += ((b"retry-after", b"%d" % retry_after),)
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": shortened(detail),
        "request_id": request.id,
        **members,
    }
    # A quoted value can hold lone surrogates, which cannot be encoded: they become question marks.
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(status, body, headers)


async def failure(request: Request, error: Exception) -> Response:
    """Returns the problem response for any exception of an endpoint."""
    if isinstance(error, TooMany):
        await sleep(REFUSAL_DELAY)
    if isinstance(error, RequestError):
        return _refusal(request, error)
    if isinstance(error, RedisUnavailable):
        return _unavailable(request, error)
    if isinstance(error, ClientGone):
        return Response(400)  # for the metrics: nobody is there to read it
    # The text goes to the log, not to the client.
    return problem(request, 500, "internal_error", "Something went wrong in the server; its log says more.")


def is_bug(error: Exception) -> bool:
    """Whether the exception is a bug: anything but an error of the request, of Redis or of the client."""
    return not isinstance(error, RequestError | RedisUnavailable | ClientGone)


def _refusal(request: Request, error: RequestError) -> Response:
    members: dict[str, Any] = {} if error.fields is None else {"fields": error.fields}
    if isinstance(error, QuotaExceeded):
        members |= {"type": QUOTA_EXCEEDED, "title": QUOTA_TITLE, "violated-policies": [error.quota]}
    response = problem(request, error.status, error.code, error.detail, retry_after=error.retry_after, **members)
    if isinstance(error, QuotaExceeded):
        # draft-ietf-httpapi-ratelimit-headers-10 §3 and §4: lists of strings with parameters (RFC 9651).
        policies = [f'"{name}";q={limit};w={seconds}' for name, limit, seconds in error.policies]
        response.headers += (
            (b"ratelimit-policy", ", ".join(policies).encode()),
            (b"ratelimit", f'"{error.quota}";r=0;t={error.retry_after}'.encode()),
        )
    return response


def _unavailable(request: Request, error: RedisUnavailable) -> Response:
    """Returns 503. The outcome of a write is unknown."""
    if isinstance(error, RedisRefused):
        # Only the code of Redis's error is shown: its text can quote a command.
        code = error.refusal.code
        logger.debug("request %s: Redis refused it: %s", request.id, code)
        why = f"The server's storage refuses this ({code}); the server's log has the reason."
    else:
        logger.debug("request %s: Redis is away: %s", request.id, error)
        why = "The server cannot reach its storage."
    detail = f"{why} Repeat the request, a message or a new group with the same client_msg_id."
    return problem(request, 503, "unavailable", detail, retry_after=1)
