"""What every endpoint does with a request and a response: who sends it, its body, problem+json."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response

from ssechat import frames
from ssechat.auth import COOKIE, Auth
from ssechat.endpoints.access import REQUEST_ID
from ssechat.errors import BadRequest, Forbidden, RedisUnavailable, RequestError, Unauthorized
from ssechat.redis.link import RedisRefused
from ssechat.tokens import Identity

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)

NO_STORE = {"cache-control": "no-store"}


class JSON(Response):
    """JSON that nobody may keep."""

    media_type = "application/json"

    def __init__(self, content: Any, status: int = 200, headers: Mapping[str, str] = NO_STORE) -> None:
        body = content if isinstance(content, bytes) else frames.encode(content)
        super().__init__(body, status, headers)


class Gate:
    """Lets a request in: its credential, its origin, its body."""

    def __init__(self, auth: Auth, body_limit: int, allowed_origins: tuple[str, ...]) -> None:
        self._auth = auth
        self._body_limit = body_limit
        self._allowed_origins = frozenset(allowed_origins)

    async def identify(self, request: HTTPConnection) -> Identity:
        """Who sends it: a bearer token (RFC 6750 §2.1), else the session's cookie.

        Raises:
            Unauthorized: there is neither, or it does not count.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return await self._auth.identify(token.strip())
        cookie = request.cookies.get(COOKIE)
        if cookie:
            return await self._auth.identify(cookie)
        raise Unauthorized("unauthorized", "Sign in, or send a token: `Authorization: Bearer …`.")

    async def read(self, request: Request, model: type[Model]) -> Model:
        """The body of a write.

        Raises:
            Forbidden: `forbidden_origin`.
            BadRequest: 415 `unsupported_media_type`, 413 `too_large`, 422 `invalid_request` with the fields.
        """
        self.check_origin(request)
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise BadRequest("unsupported_media_type", "Send JSON: `Content-Type: application/json`.", status=415)
        return parse(model, await self._body(request))

    def check_origin(self, request: Request) -> None:
        """Lets only this server's pages, and those of allowed origins, write with a browser's cookie.

        Raises:
            Forbidden: `forbidden_origin`.
        """
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        if origin is not None:
            allowed = _host_of(origin) == request.headers.get("host") or origin in self._allowed_origins
        else:
            allowed = site in (None, "same-origin", "none")
        if not allowed:
            raise Forbidden("forbidden_origin", "Pages of this origin may not use this server.")

    async def _body(self, request: Request) -> bytes:
        announced = request.headers.get("content-length", "")
        self._check_size(int(announced) if announced.isdecimal() else 0)
        body = bytearray()
        async for part in request.stream():
            body += part
            self._check_size(len(body))
        return bytes(body)

    def _check_size(self, size: int) -> None:
        if size > self._body_limit:
            limit = f"{self._body_limit / 1024:g} KiB"
            raise BadRequest("too_large", f"This is too large: a request may have {limit} at most.", status=413)


def _host_of(origin: str) -> str:
    """The host and port in an `Origin` header; nothing for one that names none, such as `null`."""
    try:
        return urlsplit(origin).netloc or "-"
    except ValueError:
        return "-"


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
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"].removeprefix("Value error, ")}
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = fields[0]
        detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
        raise BadRequest("invalid_request", detail, fields=fields) from None


def problem(
    request: Request, status: int, code: str, detail: str, *, retry_after: int | None = None, **members: Any
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
        "detail": detail,
        "request_id": request.scope.get(REQUEST_ID),
        **members,
    }
    # What is quoted of a request need not be encodable: a lone surrogate becomes a question mark.
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(body, status, headers, media_type="application/problem+json")


async def on_request_error(request: Request, error: Exception) -> Response:
    """Our own errors."""
    assert isinstance(error, RequestError)
    members = {} if error.fields is None else {"fields": error.fields}
    return problem(request, error.status, error.code, error.detail, retry_after=error.retry_after, **members)


async def on_redis_unavailable(request: Request, error: Exception) -> Response:
    """Redis is away: the outcome of a change is unknown, and the same request may be repeated."""
    # Of what Redis says only the first word, its code: the rest may quote a command.
    why = str(error).partition(" ")[0] if isinstance(error, RedisRefused) else error
    logger.debug("request %s: Redis is away: %s", request.scope.get(REQUEST_ID), why)
    detail = "The server cannot reach its storage. Repeat the request, a message with the same client_msg_id."
    return problem(request, 503, "unavailable", detail, retry_after=1)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """What Starlette refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    response = problem(request, error.status_code, codes.get(error.status_code, "bad_request"), error.detail)
    response.headers.update(error.headers or {})
    return response


async def on_client_gone(request: Request, error: Exception) -> Response:
    """The client left in the middle of its body: nobody reads this answer."""
    return problem(request, 400, "client_disconnected", "The request ended before its body did.")


async def on_bug(request: Request, error: Exception) -> Response:
    """What should not happen. The text goes to the log, not to the client."""
    return problem(request, 500, "internal_error", "Something went wrong in the server; its log says more.")


HANDLERS: Mapping[Any, Any] = {
    RequestError: on_request_error,
    RedisUnavailable: on_redis_unavailable,
    HTTPException: on_http_exception,
    ClientDisconnect: on_client_gone,
    Exception: on_bug,
}
