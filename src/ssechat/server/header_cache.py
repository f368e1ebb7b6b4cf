"""A cache of parsed request headers: a client sends nearly the same request line and headers each time.

Those of a client's messages differ only in Content-Length. If all other bytes are in the cache, the parser is skipped.
This saves a tenth to a fifth of the CPU of a send (`python -m tests.bench ways`; server/protocol.py has the figures).
"""

from collections import OrderedDict
from typing import Any
from weakref import ref

from starlette.types import Scope

from ssechat.http.exchange import USER

OF_ONE_REQUEST = frozenset(("client", "server", USER))
"""Keys of a scope that depend on the request, not on its headers."""

MAX_HEADERS_BYTES = 4096
"""Upper bound of the bytes of cached request headers; most have a tenth of that."""

MAX_BYTES = 2 * 1024 * 1024
"""Upper bound of the bytes of all cached request headers. Their parsed form takes several times as much."""

MAX_BODY = 65535
"""Upper bound of the bytes of a body."""

MAX_DIGITS = 5
"""Digits of the length of such a body."""

LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
"""The header before the body's length, as HTTP/1.1 clients write it, and as proxies forward it from HTTP/2."""


class CachedHeaders:
    """Request headers that are known, with the scope of a request that has them."""

    __slots__ = ("__weakref__", "key", "ref", "scope", "size", "used")

    def __init__(self, key: tuple[bytes, bytes], scope: dict[str, Any]) -> None:
        self.key = key
        """The bytes up to the body's length, and those behind it."""
        self.size = sum(map(len, key))
        """Bytes of the two."""
        self.scope = scope
        """It must be copied for each request."""
        self.ref = ref(self)
        self.used = False
        """Whether a request has had them since they were stored, or got their second chance."""

    def body_of(self, data: bytes) -> bytes | None:
        """The body, if `data` is one whole request with these headers."""
        before, after = self.key
        at, size = len(before), len(data) - self.size
        # Slices: `startswith` costs a thousand instructions more.
        if not 0 < size <= MAX_BODY + MAX_DIGITS or data[:at] != before:
            return None
        length = size - 1 - (size > 10) - (size > 101) - (size > 1002) - (size > 10003)
        rest = b"%d%b" % (length, after)
        begins = at + len(rest)
        return data[begins:] if data[at:begins] == rest and len(data) == begins + length else None


class HeaderCache:
    """Scopes of requests that arrived whole in one packet, with their headers by name (http/headers.py)."""

    def __init__(self) -> None:
        # Ordered: to find the first of a dict takes long after many others were dropped.
        self._known: OrderedDict[tuple[bytes, bytes], CachedHeaders] = OrderedDict()
        self._bytes = 0

    def find(self, data: bytes, last: "ref[CachedHeaders] | None" = None) -> tuple[CachedHeaders, bytes] | None:
        """Returns the cached headers and the body, if `data` is one whole request with such headers.

        `last`: those of the last request on the same connection. To compare the bytes with these takes half the
        instructions of looking for the length in them, and then for the rest in the cache.
        """
        found = None if last is None else last()
        body = None if found is None else found.body_of(data)
        if body is None:
            key, body = _split(data) or (None, None)
            found = None if key is None else self._known.get(key)
        if found is None or body is None:
            return None
        found.used = True
        return found, body

    def remember(self, data: bytes, scope: Scope) -> None:
        """Stores the scope of a request, if `find` could find it again.

        Over the limit the oldest are dropped; those that were used meanwhile get a second chance.
        """
        key, _ = _split(data) or (None, None)
        if key is None or key in self._known:
            return
        cached = CachedHeaders(key, {name: value for name, value in scope.items() if name not in OF_ONE_REQUEST})
        self._known[key] = cached
        self._bytes += cached.size
        while self._bytes > MAX_BYTES:
            self._drop_one()

    def _drop_one(self) -> None:
        while True:
            key, cached = self._known.popitem(last=False)
            if not cached.used:
                self._bytes -= cached.size
                return
            cached.used = False
            self._known[key] = cached


def _split(data: bytes) -> tuple[tuple[bytes, bytes], bytes] | None:
    """Returns a whole request's headers up to the body's length, and those behind it; and the body. None if it has none
    that are cached, or is not whole."""
    end = data.find(b"\r\n\r\n", 0, MAX_HEADERS_BYTES) + 4
    if end < 4:
        return None
    for name in LENGTHS:
        at = data.find(name, 0, end)
        if at >= 0:
            at += len(name)
            stop = data.find(b"\r\n", at)
            body = _body(data, at, stop, end)
            return None if body is None else ((data[:at], data[stop:end]), body)
    return None


def _body(data: bytes, at: int, stop: int, begins: int) -> bytes | None:
    """The body that begins at `begins`, if that is as long as the digits from `at` to `stop` say."""
    size = len(data) - begins
    return data[begins:] if size <= MAX_BODY and data[at:stop] == b"%d" % size else None
