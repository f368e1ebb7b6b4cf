"""Encodes events as server-sent events in HTTP chunks, once for all streams.

The format of a frame is WHATWG HTML §9.2.6, that of a chunk RFC 9112 §7.1. The data of a frame is one line of JSON in
which every character is escaped that a client could take for a line end.

A frame's fields are in the order `event`, `retry`, `data`, `id`. Many clients store an id as soon as they have its
line: if `id` came before `data`, a client that is cut off in between would skip the event.
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
"""Events about the stream itself. A `reset` of one conversation is an event of the inbox."""

LAST_CHUNK = b"0\r\n\r\n"


def chunk(frame: bytes) -> bytes:
    """Wraps a frame as a chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(frame), frame)


def unchunk(chunked: bytes) -> bytes:
    """Returns the frames in a chunk, for a server that applies the chunked coding itself."""
    return chunked[chunked.index(b"\r\n") + 2 : -2]


def event(name: str, data: Mapping[str, Any], entry: str | None = None, retry: int | None = None) -> bytes:
    """A chunk with one event of a stream's own. `entry` is its id, if it has one; `retry` is in milliseconds."""
    wait = b"" if retry is None else b"retry: %d\n" % retry
    tail = b"" if entry is None else b"id: %b\n" % entry.encode()
    return chunk(b"event: %b\n%bdata: %b\n%b\n" % (name.encode(), wait, encode(data), tail))


DURABLE = len("event: \ndata: \nid: \n\n")
"""Bytes of an event of an inbox around its kind, its data and its id."""


def durable(entry: str, name: str, data: bytes) -> bytes:
    """A chunk with one event of an inbox; `data` is JSON on one line."""
    size = DURABLE + len(name) + len(data) + len(entry)
    return b"%x\r\nevent: %b\ndata: %b\nid: %b\n\n\r\n" % (size, name.encode(), data, entry.encode())


def ephemeral(name: str, data: bytes) -> bytes:
    """A chunk with one event that no log has; `data` is JSON on one line."""
    return chunk(b"event: %b\ndata: %b\n\n" % (name.encode(), data))


def first_bytes(retry: int, entry: str | None) -> bytes:
    """The first chunk of a stream: an event with `retry` in milliseconds.

    It is an event of its own because of clients that deviate from the standard. Some take a `retry` without data for an
    empty message. Others keep a partial event over a reconnect, and the next blank line completes it: here it completes
    under a name that nobody handles. Others clear the last event id at an event without one: so this event repeats the
    id that the client sent (`entry`).
    """
    return event(RETRY, {}, entry, retry)


def encode(data: Any) -> bytes:
    """JSON on one line, in UTF-8."""
    return one_line(to_json(data))


def one_line(data: bytes) -> bytes:
    """Escapes U+0085, U+2028 and U+2029 in JSON: some clients take them for line ends.

    Such clients split lines as Python's `str.splitlines` does. Its other separators are control characters, which JSON
    encoders escape (RFC 8259 §7).
    """
    if data.isascii():
        return data
    # A search for one byte is far faster than for two.
    if b"\xe2" in data:
        data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return data.replace(b"\xc2\x85", b"\\u0085") if b"\xc2" in data else data
