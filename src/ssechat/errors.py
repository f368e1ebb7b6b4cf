"""Everything that can go wrong, as one tree.

ChatError
├── SettingsError            the server was told something it cannot do; it does not start
├── RedisUnavailable         Redis did not answer: the outcome of a change is unknown
├── MessageChanged           logs/delivery.py: a change was made from a message that has been changed meanwhile
└── RequestError             the request cannot be met; its `code` is stable and part of the API
    ├── BadRequest           400, 405, 413, 415, 422
    ├── Unauthorized         401
    ├── Forbidden            403
    ├── NotFound             404
    ├── Conflict             409; 422 where the request contradicts its own repeat
    └── TooMany              429, 503: try again later
        └── QuotaExceeded    429, with the quota and when there will be some of it again
"""

from collections.abc import Mapping, Sequence
from typing import Any


class ChatError(Exception):
    """Base of every error of ours."""


class SettingsError(ChatError):
    """The server cannot start as it was told to; the text says what to do."""


class RedisUnavailable(ChatError):
    """Redis was not there, or did not answer in time. A change may or may not have happened."""


class RequestError(ChatError):
    """A request that cannot be met: becomes application/problem+json (RFC 9457)."""

    status = 400

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        fields: Sequence[Mapping[str, Any]] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status or type(self).status
        self.fields = fields
        self.retry_after = retry_after


class BadRequest(RequestError):
    """The request itself is at fault."""

    status = 422


class Unauthorized(RequestError):
    """No credential, or one that does not count."""

    status = 401


class Forbidden(RequestError):
    """The credential counts, but not for this."""

    status = 403


class NotFound(RequestError):
    """There is no such thing."""

    status = 404


class Conflict(RequestError):
    """It contradicts something that is already so."""

    status = 409


class TooMany(RequestError):
    """Too much at once: the same request will be taken later."""

    status = 429


class QuotaExceeded(TooMany):
    """More than somebody may do within some time (draft-ietf-httpapi-ratelimit-headers)."""

    def __init__(self, quota: str, policies: Sequence[tuple[str, int, int]], refusal: str, seconds: int) -> None:
        """`quota` is the one that is used up, `policies` the name, the limit and the seconds of all that applied."""
        wait = f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} minutes"
        super().__init__("quota_exceeded", f"{refusal}; try again in {wait}.", retry_after=seconds)
        self.quota = quota
        self.policies = policies
