"""A cache of parsed request headers: a client sends nearly the same request line and headers each time.

Those of a client's messages differ only in Content-Length. If all other bytes are in the cache, the parser is skipped.
This saves a tenth to a fifth of the CPU of a send (`python -m tests.bench ways`; server/protocol.py has the figures).
"""

from collections import OrderedDict

from starlette.types import Scope

from ssechat.http.exchange import USER

OF_ONE_REQUEST = frozenset(("client", "server", USER))
"""Keys of a scope that depend on the request, not on its headers."""

MAX_HEADERS_BYTES = 4096
"""Upper bound of the bytes of cached request headers; most have a tenth of that."""

MAX_BYTES = 2 * 1024 * 1024
"""Upper bound of the bytes of all cached request headers. Their parsed form takes several times as much."""

MAX_REQUEST = 65536
MAX_DIGITS = 5

LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
"""The header before the body's length, as HTTP/1.1 clients write it, and as proxies forward it from HTTP/2."""


class HeaderCache:
    """Scopes of requests that arrived whole in one packet, with their headers by name (http/headers.py)."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Scope] = OrderedDict()
        self._bytes = 0

    def find(self, data: bytes) -> tuple[Scope, bytes] | None:
        """Returns the cached scope, which must be copied, and the body, if `data` is one whole request with cached
        headers."""
        parts = _split(data)
        if parts is None:
            return None
        found = self._known.get(parts[0])
        if found is None:
            return None
        self._known.move_to_end(parts[0])
        return found, data[parts[1] :]

    def remember(self, data: bytes, scope: Scope) -> None:
        """Stores the scope of a request, if `find` could find it again. The least recently used entries are dropped
        over the limit.
        """
        parts = _split(data)
        if parts is None or parts[0] in self._known:
            return
        self._known[parts[0]] = {name: value for name, value in scope.items() if name not in OF_ONE_REQUEST}
        self._bytes += len(parts[0])
        while self._bytes > MAX_BYTES:
            key, _ = self._known.popitem(last=False)
            self._bytes -= len(key)


def _split(data: bytes) -> tuple[bytes, int] | None:
    """Returns the request headers without the body's length, and the offset of the body; None unless `data` is exactly
    one request."""
    end = data.find(b"\r\n\r\n", 0, MAX_HEADERS_BYTES)
    if end < 0 or len(data) > MAX_REQUEST:
        return None
    for name in LENGTHS:
        at = data.find(name, 0, end)
        if at >= 0:
            at += len(name)
            rest = data.find(b"\r\n", at)
            digits = data[at:rest]
            if len(digits) <= MAX_DIGITS and digits.isdigit() and int(digits) == len(data) - end - 4:
                return data[:at] + data[rest:end], end + 4
            return None
    return None
