"""Heads of requests that were parsed before: who keeps a connection sends nearly the same one again and again.

The heads of a client's messages differ in nothing but the length of the body. Where all other bytes are those of a
head that the parser has taken, it would only find the same again, and so it is not asked
(`python -m tests.bench sends` prints what a send costs).
"""

from collections import OrderedDict
from typing import Generic, TypeVar

Found = TypeVar("Found")

MOST_HEADS = 4096
"""Of the newest so many is kept what was found in them: a few KB each."""

BIGGEST_REQUEST = 65536

LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
"""What stands before the length, as clients of HTTP/1.1 write it, and fronts that got it by HTTP/2."""


class Heads(Generic[Found]):
    """What was found in the heads of requests that came whole, in one piece and alone."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Found] = OrderedDict()

    def find(self, data: bytes) -> tuple[Found, bytes] | None:
        """What was found in this head before, and the body, if `data` is one whole request."""
        parts = _split(data)
        if parts is None:
            return None
        found = self._known.get(parts[0])
        return None if found is None else (found, data[parts[1] :])

    def remember(self, data: bytes, found: Found) -> None:
        """Keeps what was found in the head of this request, if it is one that can be found again."""
        parts = _split(data)
        if parts is not None:
            self._known[parts[0]] = found
            if len(self._known) > MOST_HEADS:
                self._known.popitem(last=False)


def _split(data: bytes) -> tuple[bytes, int] | None:
    """All of the head but the body's length, and where the body begins; None if there is more, or less, than it."""
    end = data.find(b"\r\n\r\n")
    if end < 0 or len(data) > BIGGEST_REQUEST:
        return None
    for name in LENGTHS:
        at = data.find(name, 0, end)
        if at >= 0:
            at += len(name)
            rest = data.find(b"\r\n", at)
            digits = data[at:rest]
            if digits.isdigit() and int(digits) == len(data) - end - 4:
                return data[:at] + data[rest:end], end + 4
            return None
    return None
