"""The lines for people: what they say, and that nobody's text can look like another line or part of one."""

from typing import Any

import httpx
import pytest

from scripted import Script, problem
from ssechat.cli.sightings import MOST_NAMES, Sightings
from ssechat.cli.terminal import (
    addition_line,
    day_and_time,
    event_line,
    group_line,
    group_lines,
    invite_line,
    member_line,
    message_line,
)
from ssechat.client import Event

GROUP = "g:" + "a" * 26
MESSAGE = {"conversation_id": GROUP, "seq": 7, "version": 1, "sender": "bob", "text": "hi"}
MEMBERS = {"conversation_id": GROUP, "by": "alice", "member_count": 5}
EVIL = 'x" #9  bob: lies\n\x1b[2J\r\u202e\u2028'


def user(name: str, role: str = "member") -> dict[str, str]:
    return {"user": name, "role": role}


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
    assert invite_line({**invite, "max_uses": 5}) == "i1  by alice, used 2 of 5 times, until soon"
    assert day_and_time("2026-11-22T12:20:17Z").startswith("2026-11-2")


def event(name: str, /, **data: Any) -> Event:
    return Event(name, "1-1", {"conversation_id": GROUP, **data})


def test_a_message_is_printed_again_only_when_it_is_newer_than_what_was_printed() -> None:
    sightings = Sightings(Script(httpx.Response(404)).client())
    assert sightings.is_news(event("message", seq=7, version=3))
    assert not sightings.is_news(event("message.updated", seq=7, version=2)), "what was read late is as it stands"
    assert not sightings.is_news(event("message.updated", seq=7, version=3))
    assert sightings.is_news(event("message.updated", seq=7, version=4))
    assert sightings.is_news(event("message", seq=8, version=1))
    assert sightings.is_news(event("message.deleted", seq=7, version=5))
    for other in (event("member", seq=7, version=1), event("message", seq=7), Event("message", "", "text")):
        assert sightings.is_news(other)
        assert sightings.is_news(other)


def test_after_a_reset_the_versions_of_what_it_names_are_forgotten() -> None:
    sightings = Sightings(Script(httpx.Response(404)).client())
    mine, direct = event("message", seq=7, version=3), Event("message", "", {**MESSAGE, "conversation_id": "dm:a:b"})
    for each in (mine, direct):
        sightings.is_news(each)
    assert sightings.is_news(event("reset", reason="lost"))
    assert sightings.is_news(mine)
    assert not sightings.is_news(direct)
    assert sightings.is_news(Event("reset", "", {"reason": "lost"}))
    assert sightings.is_news(mine)
    assert sightings.is_news(direct)


def test_the_name_of_a_group_is_asked_for_once_and_then_told_by_events() -> None:
    script = Script(httpx.Response(200, json={"id": GROUP, "name": "Lunch"}))
    sightings = Sightings(script.client())
    assert [sightings.name(event("message")) for _ in "12"] == ["Lunch", "Lunch"]
    assert sightings.name(event("conversation", name="Dinner")) == "Lunch", "the line says what it was named before"
    assert sightings.name(event("message")) == "Dinner"
    assert sightings.name(event("member", users=[])) == "Dinner"
    assert len(script.requests) == 1


def test_a_name_that_an_event_tells_is_not_asked_for() -> None:
    script = Script(problem(404, "unknown_conversation", "no"))
    sightings = Sightings(script.client())
    assert sightings.name(event("member", users=[], name="Lunch")) == "Lunch"
    assert sightings.name(event("message")) == "Lunch"
    for other in (Event("message", "", MESSAGE | {"conversation_id": "dm:a:b"}), event("reset"), Event("x", "", 7)):
        assert sightings.name(other) is None
    assert script.requests == []


@pytest.mark.parametrize("answer", [problem(503, "unavailable", "away"), httpx.Response(200, json={"name": 7})])
def test_a_line_goes_without_a_name_that_the_server_does_not_tell(answer: httpx.Response) -> None:
    script = Script(answer)
    sightings = Sightings(script.client())
    assert [sightings.name(event("message")) for _ in "12"] == [None, None]
    assert len(script.requests) == 1


def test_no_more_names_are_kept_than_there_is_room_for() -> None:
    script = Script(httpx.Response(200, json={"name": "new"}))
    sightings = Sightings(script.client())
    ids = [f"g:{number:026d}".translate(str.maketrans("0189", "abcd")) for number in range(2 * MOST_NAMES)]
    for each in dict.fromkeys(ids):
        sightings.name(Event("member", "", {"conversation_id": each, "name": "told"}))
    assert sightings.name(Event("message", "", {"conversation_id": ids[0]})) == "new"
    assert sightings.name(Event("message", "", {"conversation_id": ids[-1]})) == "told"
