"""A cache of parsed request headers: a client sends nearly the same request line and headers each time.

Those of a client's messages differ only in Content-Length. If all other bytes are in the cache, the parser is skipped.
This saves a tenth to a fifth of the CPU of a send (`python -m tests.bench ways`; server/protocol.py has the figures).
"""

from collections import OrderedDict
from weakref import ref

from starlette.types import Scope

from ssechat.http.exchange import USER

OF_ONE_REQUEST = frozenset(("client", "server", USER))
"""Keys of a scope that depend on the request, not on its headers."""

MAX_HEADERS_BYTES = 4096
"""Upper bound of the bytes of cached request headers; most have a tenth of that."""

MAX_BYTES = 2 * 1024 * 1024
"""Upper bound of the bytes of all cached request headers. Their parsed form takes several times as much."""

MAX_REQUEST = 65536
"""Upper bound of the bytes of a body and of the digits of its length."""

LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
"""The header before the body's length, as HTTP/1.1 clients write it, and as proxies forward it from HTTP/2."""


class CachedHeaders:
    """Request headers that are known, with the scope of a request that has them."""

    __slots__ = ("__weakref__", "key", "ref", "scope", "size", "used")

    def __init__(self, key: tuple[bytes, bytes], scope: Scope) -> None:
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
        size = len(data) - self.size
        if not 0 < size <= MAX_REQUEST:
            return None
        length = size - 1 - (size > 10) - (size > 101) - (size > 1002) - (size > 10003)
        before, after = self.key
        headers = b"%b%d%b" % (before, length, after)
        at = len(headers)
        return data[at:] if data[:at] == headers and len(data) == at + length else None


class HeaderCache:
    """Scopes of requests that arrived whole in one packet, with their headers by name (http/headers.py)."""

    def __init__(self) -> None:
        # Ordered: to find the first of a dict takes long after many others were dropped.
        self._known: OrderedDict[tuple[bytes, bytes], CachedHeaders] = OrderedDict()
        self._bytes = 0

    def find(self, data: bytes, last: "ref[CachedHeaders] | None" = None) -> tuple[CachedHeaders, bytes] | None:
        """Returns the cached headers and the body, if `data` is one whole request with such headers.

        `last`: those of the last request on the same connection. To compare the bytes with these costs 4,000
        instructions; to look for the length in them, and then for the rest in the cache, 18,000.
        """
        found = None if last is None else last()
        body = None if found is None else found.body_of(data)
        if body is None:
            key = _split(data)
            found = None if key is None else self._known.get(key)
            body = None if found is None else found.body_of(data)
        if found is None or body is None:
            return None
        found.used = True
        return found, body

    def remember(self, data: bytes, scope: Scope) -> None:
        """Stores the scope of a request, if `find` could find it again.

        Over the limit the oldest are dropped; those that were used meanwhile get a second chance.
        """
        key = _split(data)
        if key is None or key in self._known:
            return
        cached = CachedHeaders(key, {name: value for name, value in scope.items() if name not in OF_ONE_REQUEST})
        if cached.body_of(data) is None:
            return
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


def _split(data: bytes) -> tuple[bytes, bytes] | None:
    """Returns the request headers up to the body's length, and those behind it; None if they are no headers that are
    cached."""
    end = data.find(b"\r\n\r\n", 0, MAX_HEADERS_BYTES)
    if end < 0:
        return None
    for name in LENGTHS:
        at = data.find(name, 0, end)
        if at >= 0:
            at += len(name)
            return data[:at], data[data.find(b"\r\n", at) : end + 4]
    return None
