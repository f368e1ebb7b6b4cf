"""An event as the bytes that go over the wire: encoded once, for however many streams.

The format of a frame is WHATWG HTML §9.2.6, that of a chunk RFC 9112 §7.1. A frame's data is one line of
JSON, whatever a reader takes for the end of a line, so no text can end a line or a frame.

A frame's fields are in the order `event`, `retry`, `data`, `id`. Many readers keep an id as soon as they have its
line; cut off before the data came, they would ask for what follows an event that they never had.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

RETRY = "retry"
HELLO = "hello"
CAUGHT_UP = "caught_up"
RESET = "reset"
PING = "ping"
BYE = "bye"

OF_A_STREAM = frozenset({RETRY, HELLO, CAUGHT_UP, RESET, PING, BYE})
"""What a stream says of itself. A `reset` can be one conversation's, too, and is then an event of the inbox."""

LAST_CHUNK = b"0\r\n\r\n"


def chunk(frame: bytes) -> bytes:
    """A frame in the envelope of chunked transfer coding, ready to be written to a transport."""
    return b"%x\r\n%b\r\n" % (len(frame), frame)


def unchunk(chunked: bytes) -> bytes:
    """The frames in one chunk, for a server that makes the envelope itself."""
    return chunked[chunked.index(b"\r\n") + 2 : -2]


def event(name: str, data: Mapping[str, Any], entry: str | None = None, retry: int | None = None) -> bytes:
    """A chunk with one event of a stream's own. `entry` is its id, if it has one; `retry` is in milliseconds."""
    wait = b"" if retry is None else b"retry: %d\n" % retry
    tail = b"" if entry is None else b"id: %b\n" % entry.encode()
    return chunk(b"event: %b\n%bdata: %b\n%b\n" % (name.encode(), wait, encode(data), tail))


def durable(entry: str, name: str, data: bytes) -> bytes:
    """A chunk with one event of an inbox; `data` is JSON on one line."""
    return chunk(b"event: %b\ndata: %b\nid: %b\n\n" % (name.encode(), data, entry.encode()))


def ephemeral(name: str, data: bytes) -> bytes:
    """A chunk with one event that no log has; `data` is JSON on one line."""
    return chunk(b"event: %b\ndata: %b\n\n" % (name.encode(), data))


def first_bytes(retry: int, entry: str | None) -> bytes:
    """The chunk that opens a stream: how long to wait, in milliseconds, before connecting again.

    An event of its own, for readers that do not go by the standard. A `retry` without data is an empty message to
    some. Others keep what they had of an event when the connection was lost, and the next blank line completes it:
    this one does, under a name that nobody listens to. And those that keep the id of each event, none included, have
    here the one that they came with (`entry`).
    """
    return event(RETRY, {}, entry, retry)


def encode(data: Any) -> bytes:
    """JSON on one line, in UTF-8."""
    return one_line(to_json(data))


def one_line(data: bytes) -> bytes:
    """JSON without what some readers take for the end of a line: U+0085, U+2028 and U+2029 are escaped.

    Such readers split the text as Python's `str.splitlines` does. What else that splits at is a control character to
    JSON, and escaped by every encoder (RFC 8259 §7).
    """
    if data.isascii():
        return data
    # One byte is looked for far more quickly than two.
    if b"\xe2" in data:
        data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return data.replace(b"\xc2\x85", b"\\u0085") if b"\xc2" in data else data
