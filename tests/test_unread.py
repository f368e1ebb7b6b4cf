"""What an event tells its reader of what is unread."""

import json

import pytest

from ssechat.events.unread import with_mark
from ssechat.events.wake_ups import decode

DATA = b'{"conversation_id":"dm:a:b"}'


@pytest.mark.parametrize(
    ("place", "mark"),
    [
        ("7", {"read_up_to": 0, "muted": False, "unread": 7, "mentions": []}),
        ("7 5 1 ", {"read_up_to": 5, "muted": True, "unread": 2, "mentions": []}),
        ("120 5 0 ,7,103,20 110", {"read_up_to": 5, "muted": False, "unread": 115, "mentions": [7, 20, 103]}),
        ("4 9 0 ", {"read_up_to": 9, "muted": False, "unread": 0, "mentions": []}),
    ],
    ids=["nothing was read", "muted", "mentions, in the order of messages", "joined after the newest message it has"],
)
def test_a_message_has_its_readers_mark_and_a_mark_has_what_is_left(place: str, mark: dict[str, object]) -> None:
    told = {"conversation_id": "dm:a:b"}
    assert json.loads(with_mark("message", DATA, place)) == {**told, "mark": mark}
    left = {name: mark[name] for name in ("unread", "mentions")}
    assert json.loads(with_mark("mark", DATA, place)) == {**told, **left}


def test_a_wake_up_has_the_place_or_not_and_a_large_event_no_data() -> None:
    assert decode(b"message 9 2-1 1-1 7 5 0 ,7\n" + DATA).data == with_mark("message", DATA, "7 5 0 ,7")
    assert decode(b"member 9 2-1 1-1\n" + DATA).data == DATA
    large = decode(b"message 9 2-1 1-1 7 5 0 ,7")
    assert (large.id, large.before, large.n, large.data) == ("2-1", "1-1", 2, b"")
