"""Heads of requests that were parsed before: who keeps a connection sends nearly the same one again and again.

The heads of a client's messages differ in nothing but the length of the body. Where all other bytes are those of a
head that the parser has taken, it would only find the same again, and so it is not asked
(`python -m tests.bench ways` measures what that saves: a tenth to a fifth of a send's CPU, see protocol.py).
"""

from collections import OrderedDict

from starlette.types import Scope

from ssechat.http.exchange import USER

OF_ONE_REQUEST = frozenset(("client", "server", USER))
"""Keys of a scope that depend on the request, not on its headers."""

MAX_HEAD = 4096
"""Bytes; most have a tenth of that."""

MAX_BYTES = 2 * 1024 * 1024
"""Of all heads together. What was found in them takes several times as much."""

MAX_REQUEST = 65536
MAX_DIGITS = 5

LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
"""What stands before the length, as clients of HTTP/1.1 write it, and fronts that got it by HTTP/2."""


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
        """Keeps what the head of this request says, if it is one that can be found again.

        Those that were asked for least lately go when there are too many.
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
    """All of the head but the body's length, and where the body begins; None if there is more, or less, than it."""
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
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
