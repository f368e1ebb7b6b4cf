"""The errors of ssechat, as one tree.

ChatError
├── SettingsError            a setting or an argument is not valid: the server does not start
├── RedisUnavailable         Redis did not answer: the outcome of a change is unknown
├── NotAppended              logs/refused.py: the log did not take an action; each sort says why
└── RequestError             the request cannot be met; its `code` is stable and part of the API
    ├── BadRequest           400, 405, 413, 415, 422
    ├── Unauthorized         401
    ├── Forbidden            403
    ├── NotFound             404
    ├── Conflict             409; 422 if an idempotency key is reused for another request
    └── TooMany              429, 503: the same request can succeed later
        ├── QuotaExceeded    429, with the quota and the seconds until it has an attempt again
        ├── TooManyWaiting   503: too many requests of this user wait for others of the same user
        └── IssuerUnavailable  503: nobody can say now whether a token is valid
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any


class ChatError(Exception):
    """Base of all errors of ssechat."""


class SettingsError(ChatError):
    """A setting or an argument is not valid; the message says what to do."""


class RedisUnavailable(ChatError):
    """Redis was not connected, or did not answer in time. A write may or may not have happened."""


class RequestError(ChatError):
    """A request is refused: the response is application/problem+json (RFC 9457)."""

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
    """The request is not valid."""

    status = 422


class Unauthorized(RequestError):
    """The request has no credential, or one that is not valid."""

    status = 401


class Forbidden(RequestError):
    """The credential is valid, and does not allow this request."""

    status = 403


class NotFound(RequestError):
    """The resource does not exist."""

    status = 404


class Conflict(RequestError):
    """The request contradicts the present state of a resource."""

    status = 409


class TooMany(RequestError):
    """The server is over a limit: the same request can succeed later."""

    status = 429


class QuotaExceeded(TooMany):
    """A quota is used up (draft-ietf-httpapi-ratelimit-headers)."""

    def __init__(self, quota: str, policies: Sequence[tuple[str, int, int]], refusal: str, seconds: int) -> None:
        """`quota` names the used-up quota; `policies` has the name, limit and window (seconds) of each that applied."""
        wait = f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} minutes"
        super().__init__("quota_exceeded", f"{refusal}; try again in {wait}.", retry_after=seconds)
        self.quota = quota
        self.policies = policies


class TooManyWaiting(TooMany):
    """As many requests of one user wait in this worker as may wait; what refuses it logs that, once in a while."""

    def __init__(self) -> None:
        text = "Too many of your requests wait for others of yours: await answers before you send more."
        super().__init__("full", text, status=503, retry_after=1)


class IssuerUnavailable(TooMany):
    """The keys that verify a token cannot be fetched: whether it is valid is not known."""

    def __init__(self, seconds: float) -> None:
        """`seconds` until they are asked for again."""
        super().__init__(
            "issuer_unavailable",
            "The server cannot fetch the keys of the system that signs the tokens, so it cannot check this one; repeat "
            "the request.",
            status=503,
            retry_after=max(1, math.ceil(seconds)),
        )
