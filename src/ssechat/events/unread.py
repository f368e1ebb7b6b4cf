"""What an event tells its reader of the conversation that it is in: up to where it is read, and what is left."""

from functools import lru_cache

CACHED = 1024
"""Marks whose JSON is remembered: of a message to many who have read all before it there is one."""


def with_mark(kind: str, data: bytes, place: str) -> bytes:
    """The data of an event (JSON), with the reader's mark as it is with the event.

    `place`: the end of the reader's place in the conversation, from the seq on (logs/inbox.lua). A `mark` has what is
    unread among its fields, any other event has all of it in the field `mark`.
    """
    return data[:-1] + (_of_a_mark if kind == "mark" else _mark)(place)


@lru_cache(CACHED)
def _mark(place: str) -> bytes:
    read, muted, unread = _parse(place)
    return f',"mark":{{"read_up_to":{read},"muted":{"true" if muted == "1" else "false"}{unread}}}}}'.encode()


def _of_a_mark(place: str) -> bytes:
    return f"{_parse(place)[2]}}}".encode()


def _parse(place: str) -> tuple[str, str, str]:
    """What is read, whether it is muted, and the JSON of what is unread."""
    seq, *mark = place.split(" ")
    read, muted, mentions, *_ = mark or ("0", "0", "")
    ordered = ",".join(sorted(mentions[1:].split(","), key=int)) if mentions else ""
    return read, muted, f',"unread":{max(0, int(seq) - int(read))},"mentions":[{ordered}]'
