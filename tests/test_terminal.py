"""The lines for people: what they say, and that nobody's text can look like another line or part of one."""

from typing import Any

import pytest

from ssechat.cli.terminal import (
    addition_line,
    conversation_line,
    day_and_time,
    event_line,
    group_line,
    group_lines,
    invite_line,
    mark_line,
    member_line,
    message_line,
    receipt_line,
)
from ssechat.texts.printable import printable

GROUP = "g:" + "a" * 26
MESSAGE = {"conversation_id": GROUP, "seq": 7, "version": 1, "sender": "bob", "text": "hi"}
DIRECT = {"conversation_id": "dm:a:b", "seq": 1, "sender": "a", "text": "hi", "created_at": "no time"}
MEMBERS = {"conversation_id": GROUP, "by": "alice", "member_count": 5}
EVIL = 'x" #9  bob: lies\n\x1b[2J\r\u202e\u2028'


def user(name: str, role: str = "member") -> dict[str, str]:
    return {"user": name, "role": role}


RECEIPT = {"conversation_id": "dm:a:b", "user": "b", "read_up_to": 7, "delivered_up_to": 7}


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({}, "#7  bob: hi"),
        ({"edited_at": "2026-11-22T08:20:17Z"}, "#7 (edited)  bob: hi"),
        ({"reply_to": 3}, "#7 (reply to #3)  bob: hi"),
        ({"mentions": ["al", "carol"]}, "#7 (mentions al and carol)  bob: hi"),
        ({"reactions": [{"emoji": "👍", "count": 2, "users": ["a"]}]}, "#7 (👍 2)  bob: hi"),
        ({"reply_to": 3, "edited_at": "x", "mentions": []}, "#7 (edited; reply to #3)  bob: hi"),
        ({"text": None, "deleted": True, "reply_to": 3}, "#7 (deleted)  bob"),
        ({"text": None, "sender": None, "deleted": True}, "#7 (deleted)"),
        ({"mentions": "nobody", "reactions": {"a": 1}}, "#7  bob: hi"),
        ({"reactions": ["nonsense"]}, "#7  bob: hi"),
    ],
)
def test_a_message_is_a_line_with_what_is_to_be_said_of_it(more: dict[str, Any], line: str) -> None:
    assert message_line({**MESSAGE, **more}) == f"{GROUP} {line}"
    assert message_line({**MESSAGE, **more}, "Lunch") == f'{GROUP} "Lunch" {line}'


@pytest.mark.parametrize(
    ("event", "data", "line"),
    [
        ("message.updated", {**MESSAGE, "edited_at": "x"}, '"Lunch" #7 (edited)  bob: hi'),
        ("message.updated", MESSAGE, '"Lunch" #7 (changed)  bob: hi'),
        ("message.deleted", {**MESSAGE, "text": None, "deleted": True}, '"Lunch" #7 (deleted)  bob'),
        ("message", {"conversation_id": GROUP, "seq": 7, "deleted": True}, '"Lunch" #7 (deleted)'),
        (
            "member",
            {**MEMBERS, "users": [user("alice", "owner"), user("bob"), user("carol")], "name": "Lunch"},
            '"Lunch"  alice made the group, with bob and carol, 5 members',
        ),
        (
            "member",
            {**MEMBERS, "users": [user("alice", "owner")], "name": "Lunch", "member_count": 1},
            '"Lunch"  alice made the group, 1 member',
        ),
        (
            "member",
            {**MEMBERS, "users": [user("bob"), user("carol", "admin")], "name": "Lunch", "more": True},
            '"Lunch"  alice added bob, carol (admin), …, 5 members',
        ),
        ("member", {**MEMBERS, "by": "bob", "users": [user("bob")], "name": "L"}, '"Lunch"  bob joined, 5 members'),
        ("member", {**MEMBERS, "by": "bob", "users": [user("bob")], "left": True}, '"Lunch"  bob left, 5 members'),
        ("member", {**MEMBERS, "users": [user("bob")], "left": True}, '"Lunch"  alice removed bob, 5 members'),
        (
            "member",
            {**MEMBERS, "users": [user("bob", "admin"), user("al")]},
            '"Lunch"  alice made bob an admin and al a member, 5 members',
        ),
        ("member", {"conversation_id": GROUP, "users": [], "name": "x"}, '"Lunch"  None joined'),
        ("conversation", {"conversation_id": GROUP, "name": "Dinner"}, '"Lunch"  is named "Dinner", no topic'),
        (
            "conversation",
            {"conversation_id": GROUP, "name": "Dinner", "topic": "food"},
            '"Lunch"  is named "Dinner", topic "food"',
        ),
        ("conversation", {"conversation_id": GROUP, "name": "Dinner", "ended": True}, '"Lunch"  has ended'),
    ],
)
def test_events_of_a_group_are_lines_with_its_id_and_name(event: str, data: Any, line: str) -> None:
    assert event_line(event, data, "Lunch") == f"{GROUP} {line}"


@pytest.mark.parametrize("event", ["member", "conversation", "message", "message.updated"])
@pytest.mark.parametrize("data", [None, [], "text", {}, {"users": 7}, {"name": None}, {"seq": 1}])
def test_an_event_of_another_form_is_shown_as_it_is(event: str, data: Any) -> None:
    assert event_line(event, data).startswith(f"{event}  ")


def harmless(line: str) -> bool:
    return all(each.isprintable() for each in line.replace("\n    ", ""))


def test_no_text_of_a_stranger_can_drive_the_terminal_or_look_like_a_line() -> None:
    group = {"id": EVIL, "name": EVIL, "topic": EVIL, "role": EVIL, "members": [EVIL] * 30, "last_message": MESSAGE}
    invite = {"id": EVIL, "by": EVIL, "uses": EVIL, "max_uses": EVIL, "expires_at": EVIL}
    one_line = [
        group_line(group),
        member_line({"user": EVIL, "role": EVIL}),
        addition_line({"added": [EVIL], "member_count": 3}),
        invite_line(invite),
        event_line("conversation", {"conversation_id": EVIL, "name": EVIL, "topic": EVIL}, EVIL),
        event_line("member", {"conversation_id": EVIL, "by": EVIL, "users": [user(EVIL, EVIL)], "left": True}, EVIL),
        event_line("member", {"conversation_id": EVIL, "by": EVIL, "users": [user(EVIL, EVIL)]}, EVIL),
        event_line("member", {"conversation_id": EVIL, "by": "x", "users": [user(EVIL, EVIL)], "name": EVIL}, EVIL),
        message_line({**MESSAGE, "mentions": [EVIL], "reactions": [{"emoji": EVIL, "count": EVIL}]}, EVIL),
    ]
    for line in one_line:
        assert "\n" not in line
        assert harmless(line)
    assert harmless(message_line(dict.fromkeys(MESSAGE, EVIL), EVIL))
    assert harmless(group_lines({**group, "last_message": {**MESSAGE, "text": EVIL}}))


def test_where_a_groups_name_ends_is_beyond_doubt() -> None:
    line = message_line(MESSAGE, 'x" #9  bob: lies')
    assert line == f'{GROUP} "x\\" #9  bob: lies" #7  bob: hi'


def test_a_group_is_a_line_and_more_lines() -> None:
    group = {
        "id": GROUP,
        "name": "Lunch",
        "topic": "food",
        "history": "from_join",
        "role": "owner",
        "member_count": 3,
        "members": ["alice", "bob"],
        "last_message": MESSAGE,
    }
    assert group_line(group) == f'{GROUP}  "Lunch"  (owner, 3 members)  food'
    assert group_lines(group).splitlines() == [
        f'{GROUP}  "Lunch"  (owner, 3 members)',
        "    topic    food",
        "    history  new members read on from their joining",
        "    members  alice, bob, …",
        f"    newest   {GROUP} #7  bob: hi",
    ]
    assert group_line({"id": GROUP, "name": "Lunch", "left": True}) == f'{GROUP}  "Lunch"  (left)'
    assert group_lines({"id": GROUP, "name": "L", "ended": True, "last_message": None}) == f'{GROUP}  "L"  (ended)'
    assert group_line({}) == 'None  "None"'


def test_answers_are_lines() -> None:
    assert addition_line({"added": ["bob", "carol"], "member_count": 3}) == "added bob, carol (3 members)"
    assert addition_line({"added": [], "member_count": 1}) == "all are members already (1 member)"
    assert addition_line({}) == "all are members already"
    assert member_line({"user": "bob", "role": "admin"}) == "bob  admin"
    invite = {"id": "i1", "by": "alice", "uses": 2, "expires_at": "soon"}
    assert invite_line(invite) == "i1  by alice, used 2 times, until soon"
    assert invite_line({**invite, "uses": 1}) == "i1  by alice, used 1 time, until soon"
    assert invite_line({**invite, "max_uses": 5}) == "i1  by alice, used 2 of 5 times, until soon"
    assert day_and_time("2026-11-22T12:20:17Z").startswith("2026-11-2")


def test_no_text_can_drive_the_readers_terminal() -> None:
    evil = "\x1b[2J\r\x07\x9b31m\u202e\ud800ok\ttab\x7f\u2028"
    assert printable(evil) == "\\x1b[2J\\r\\x07\\x9b31m\\u202e\\ud800ok\ttab\\x7f\\u2028"
    for line in (
        message_line({**DIRECT, "text": evil, "sender": evil}),
        event_line("member", {"name": evil}),
        event_line("x\x1b", evil),
    ):
        assert not [character for character in line if character < " " and character != "\t"]


def test_no_message_can_look_like_two() -> None:
    assert message_line({**DIRECT, "text": "hi\nb: lies"}) == "dm:a:b #1  a: hi\n    b: lies"


@pytest.mark.parametrize(
    ("event", "data", "line"),
    [
        ("message", DIRECT, "dm:a:b #1  a: hi"),
        ("message", {**DIRECT, "text": None}, "dm:a:b #1 (deleted)  a"),
        ("message.updated", DIRECT, "dm:a:b #1 (changed)  a: hi"),
        ("typing", {"conversation_id": "dm:a:b", "user": "b", "expires_in": 15}, "dm:a:b  b is writing …"),
        ("block", {"conversation_id": "dm:a:b", "user": "b", "blocked": True}, "dm:a:b  you have blocked b"),
        ("block", {"conversation_id": "dm:a:b", "user": "b", "blocked": False}, "dm:a:b  you have unblocked b"),
        (
            "message",
            {
                **{"conversation_id": "dm:a:b", "seq": 3, "sender": "a", "text": "hi", "reply_to": 1},
                "mark": {"read_up_to": 1, "muted": True, "unread": 2, "mentions": [3]},
            },
            "dm:a:b #3 (reply to #1; 2 unread, 1 mentions you)  a: hi",
        ),
        (
            "message",
            {"conversation_id": "dm:a:b", "seq": 3, "sender": "a", "text": "hi", "mark": {"unread": 0, "mentions": []}},
            "dm:a:b #3  a: hi",
        ),
        ("message", {"conversation_id": "dm:a:b", "seq": 3, "text": "hi", "mark": 7}, "dm:a:b #3  hi"),
        ("mark", {"conversation_id": "dm:a:b", "read_up_to": 7, "muted": False}, "dm:a:b  read up to #7"),
        ("mark", {"conversation_id": "dm:a:b", "read_up_to": 7, "muted": True}, "dm:a:b  read up to #7  (muted)"),
        ("profile", {"version": 3}, "your profile was changed"),
        ("receipt", RECEIPT, "dm:a:b  read by b up to #7"),
        ("receipt", {**RECEIPT, "read_up_to": 0}, "dm:a:b  delivered to b up to #7"),
        ("receipt", {**RECEIPT, "read_up_to": 5}, "dm:a:b  delivered to b up to #7, read up to #5"),
        ("made_up", {"user": "b"}, 'made_up  {"user": "b"}'),
        ("reset", {"reason": "expired"}, "reset (expired): events of your inbox are missing here"),
        ("reset", {"reason": "lost", "conversation_id": "g:1"}, "reset (lost): events of g:1 are missing here"),
    ],
)
def test_events_are_lines_for_people(event: str, data: Any, line: str) -> None:
    assert event_line(event, data).startswith(line)


def test_times_are_shown_in_the_readers_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert message_line({**DIRECT, "created_at": "2026-11-22T08:20:17.619Z"})[:6].count(":") == 1
    assert message_line({**DIRECT, "created_at": 0})[:6].count(":") == 1


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"unread": 0, "mentions": [], "muted": False}, ""),
        ({"unread": 3, "mentions": [7], "muted": False}, "  (3 unread, 1 mentions you)"),
        ({"unread": 3, "mentions": [7, 8], "muted": True}, "  (3 unread, 2 mention you; muted)"),
        ({"unread": 0, "mentions": [], "muted": True}, "  (muted)"),
        ({"unread": 1, "mentions": [], "muted": True, "blocked": True}, "  (1 unread; muted; blocked)"),
    ],
)
def test_a_conversation_is_listed_with_what_is_unread(counts: dict[str, Any], said: str) -> None:
    line = conversation_line(
        {"id": "g:1", "name": "Lunch", **counts, "last_message": {"sender": "a", "text": "hi\nho"}}
    )
    assert line == f'g:1 "Lunch"{said}  a: hi ho'
    assert conversation_line({"id": "dm:a:b", **counts, "last_message": None}) == f"dm:a:b{said}"


def test_a_mark_says_what_is_left() -> None:
    mark = {"conversation_id": "dm:a:b", "read_up_to": 7, "unread": 0, "mentions": [], "muted": False}
    assert mark_line(mark) == "dm:a:b  read up to #7  (nothing is unread)"
    assert mark_line({**mark, "unread": 2}) == "dm:a:b  read up to #7  (2 unread)"


@pytest.mark.parametrize(
    ("read", "delivered", "line"),
    [
        (7, 7, "b  read up to #7"),
        (7, 9, "b  read up to #7, delivered up to #9"),
        (0, 9, "b  delivered up to #9"),
        (0, 0, "b  nothing yet"),
    ],
)
def test_a_receipt_is_a_line(read: int, delivered: int, line: str) -> None:
    assert receipt_line({**RECEIPT, "read_up_to": read, "delivered_up_to": delivered}) == line
