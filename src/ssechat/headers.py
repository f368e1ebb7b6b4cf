"""A request's headers by name."""

from starlette.types import Scope

KEY = "ssechat.headers"
"""Where a scope has them, once somebody has asked. A server that knows a head already gives them with it."""


def header(scope: Scope, name: bytes) -> str | None:
    """The value of a header, the first if there are several; `name` is in lower case."""
    headers: dict[bytes, str] | None = scope.get(KEY)
    if headers is None:
        headers = scope[KEY] = {each: str(value, "latin-1") for each, value in reversed(scope["headers"])}
    return headers.get(name)
