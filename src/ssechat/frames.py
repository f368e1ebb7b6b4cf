"""An event as the bytes that go over the wire: encoded once, for however many streams.

The format of a frame is WHATWG HTML §9.2.6, that of a chunk RFC 9112 §7.1. A frame's data is one line of
JSON: its encoder escapes every control character, so no text can end a line or a frame.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

HELLO = "hello"
CAUGHT_UP = "caught_up"
RESET = "reset"
MESSAGE = "message"
PING = "ping"
BYE = "bye"

LAST_CHUNK = b"0\r\n\r\n"


def chunk(frame: bytes) -> bytes:
    """A frame in the envelope of chunked transfer coding, ready to be written to a transport."""
    return b"%x\r\n%b\r\n" % (len(frame), frame)


def unchunk(chunked: bytes) -> bytes:
    """The frames in one chunk, for a server that makes the envelope itself."""
    return chunked[chunked.index(b"\r\n") + 2 : -2]


def event(name: str, data: Mapping[str, Any], entry: str | None = None, retry: int | None = None) -> bytes:
    """A chunk with one event. `entry` is its id, if it is durable; `retry` is in milliseconds."""
    head = b"" if entry is None else b"id: %b\n" % entry.encode()
    if retry is not None:
        head += b"retry: %d\n" % retry
    return chunk(b"%bevent: %b\ndata: %b\n\n" % (head, name.encode(), encode(data)))


def durable(entry: str, name: str, data: bytes) -> bytes:
    """A chunk with one event of an inbox; `data` is JSON on one line."""
    return chunk(b"id: %b\nevent: %b\ndata: %b\n\n" % (entry.encode(), name.encode(), data))


def first_bytes(retry: int) -> bytes:
    """The chunk that opens a stream: how long to wait, in milliseconds, before connecting again."""
    return chunk(b"retry: %d\n\n" % retry)


def encode(data: Any) -> bytes:
    """JSON on one line, in UTF-8."""
    return to_json(data)
