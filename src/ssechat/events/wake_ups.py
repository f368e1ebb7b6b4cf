"""A wake-up: what is published on a user's channel, for the streams that are open.

It is a hint: an event that is durable is in the inbox, and an ephemeral one may be missed. Its form is a line of values
with a space between them, a line feed, and the event's data (JSON on one line):

    durable    <kind> <at> <id> <id of the event before it>     made by logs/inbox.lua; no data where it is large
               … <seq> <read> <muted> <mentions>                the reader's place, if the event may change what is
                                                                unread
    ephemeral  <kind> <at>

One wake-up is for the worker alone: `watch` says that what the user watches, or may see, has changed.
"""

from dataclasses import dataclass

from ssechat.events.unread import with_mark

WATCH = "watch"
"""The kind, which no event has, of the wake-up that is for the worker alone."""


@dataclass(slots=True)
class WakeUp:
    """An event that has come. No tuple: to make one of those takes half as long again."""

    kind: str
    at: int
    """When it was made: milliseconds since 1970 by the clock of the worker that made it, 0 if not known."""
    id: str
    """Its id in the inbox; empty for an ephemeral one."""
    before: str
    """The id of the event before it."""
    data: bytes
    """JSON on one line; empty where it is too large to be carried."""
    n: int = 0
    """The number in its id; 0 for an ephemeral one."""


def encode_ephemeral(kind: str, at: int, data: bytes) -> bytes:
    """The wake-up for an event that no log has."""
    return b"%b %d\n%b" % (kind.encode(), at, data)


def decode(payload: bytes) -> WakeUp:
    """
    Raises:
        ValueError: this is no wake-up.
    """
    first, _, data = payload.partition(b"\n")
    values = first.decode().split(" ", 4)
    if len(values) == 5:
        kind, at, entry, before, place = values
        if data:
            data = with_mark(kind, data, place)
    elif len(values) == 4:
        kind, at, entry, before = values
    else:
        kind, at = values
        return WakeUp(kind, int(at), "", "", data)
    number, _, tag = entry.partition("-")
    if not tag:
        raise ValueError("this is no id")
    return WakeUp(kind, int(at), entry, before, data, int(number))
