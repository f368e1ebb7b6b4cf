"""A request's headers by name."""

from collections import Counter
from collections.abc import Sequence

from starlette.types import Scope

from ssechat.errors import BadRequest

KEY = "ssechat.headers"
"""The key in a scope under which the headers are cached by name. The header cache fills it in advance."""

SINGLETON_FIELDS = frozenset(
    {b"authorization", b"content-type", b"host", b"idempotency-key", b"origin", b"sec-fetch-site", b"last-event-id"}
)
"""Headers that decide on access and may occur only once (singleton fields): of two different values a proxy could check
the other one."""

REPEATED = "\0 given more than once"
"""A marker in the place of a repeated header's value; no value can have a zero byte (RFC 9110 §5.5)."""


def header(scope: Scope, name: bytes) -> str | None:
    """Returns the value of a header, the first if there are several; `name` is in lower case.

    Raises:
        BadRequest: 400 `repeated_header`: a singleton field is given more than once.
    """
    value = by_name(scope).get(name)
    if value is REPEATED:
        raise repeated(name)
    return value


def repeated(name: bytes) -> BadRequest:
    """Returns the error for a header that is given more than once."""
    return BadRequest("repeated_header", f"The header {name.decode()} is repeated; send it once.", status=400)


def by_name(scope: Scope) -> dict[bytes, str]:
    """Returns the headers by name, in lower case; the scope caches them."""
    headers: dict[bytes, str] | None = scope.get(KEY)
    if headers is None:
        headers = scope[KEY] = _by_name(scope["headers"])
    return headers


def _by_name(lines: Sequence[tuple[bytes, bytes]]) -> dict[bytes, str]:
    headers = {name: str(value, "latin-1") for name, value in reversed(lines)}
    if len(headers) < len(lines):
        repeated = [name for name, count in Counter(name for name, _ in lines).items() if count > 1]
        headers.update((name, REPEATED) for name in repeated if name in SINGLETON_FIELDS)
        if b"cookie" in repeated:  # split, as HTTP/2 allows (RFC 9113 §8.2.3)
            headers[b"cookie"] = "; ".join(str(value, "latin-1") for name, value in lines if name == b"cookie")
    return headers
