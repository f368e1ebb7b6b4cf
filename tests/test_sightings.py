"""What a listener remembers: names of groups, and versions of messages."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from scripted import Script, problem
from ssechat.cli.running import Run, running
from ssechat.cli.sightings import MOST_NAMES, Sightings
from ssechat.client import Event
from ssechat.client.events import parse_event

GROUP = "g:" + "a" * 26
MESSAGE = {"conversation_id": GROUP, "seq": 7, "version": 1, "sender": "bob", "text": "hi"}


@pytest.fixture
def run() -> Iterator[Run]:
    with running() as run:
        yield run


def event(name: str, /, **data: Any) -> Event:
    return of(name, "1-1", {"conversation_id": GROUP, **data})


def of(name: str, id: str, data: Any) -> Event:
    return parse_event(name, id, json.dumps(data))


def test_a_message_is_printed_again_only_when_it_is_newer_than_what_was_printed(run: Run) -> None:
    sightings = Sightings(Script(httpx.Response(404)).client(), run)
    assert sightings.is_news(event("message", seq=7, version=3))
    assert not sightings.is_news(event("message.updated", seq=7, version=2)), "what was read late is as it stands"
    assert not sightings.is_news(event("message.updated", seq=7, version=3))
    assert sightings.is_news(event("message.updated", seq=7, version=4))
    assert sightings.is_news(event("message", seq=8, version=1))
    assert sightings.is_news(event("message.deleted", seq=7, version=5))
    for other in (event("member", seq=7, version=1), event("message", seq=7), of("message", "", "text")):
        assert sightings.is_news(other)
        assert sightings.is_news(other)


def test_after_a_reset_the_versions_of_what_it_names_are_forgotten(run: Run) -> None:
    sightings = Sightings(Script(httpx.Response(404)).client(), run)
    mine, direct = event("message", seq=7, version=3), of("message", "", {**MESSAGE, "conversation_id": "dm:a:b"})
    for each in (mine, direct):
        sightings.is_news(each)
    assert sightings.is_news(event("reset", reason="lost"))
    assert sightings.is_news(mine)
    assert not sightings.is_news(direct)
    assert sightings.is_news(of("reset", "", {"reason": "lost"}))
    assert sightings.is_news(mine)
    assert sightings.is_news(direct)


def test_a_receipt_is_news_if_somebody_has_more_than_was_printed(run: Run) -> None:
    sightings = Sightings(Script(httpx.Response(404)).client(), run)

    def is_news(read: int, delivered: int, user: str = "bob") -> bool:
        return sightings.is_news(event("receipt", user=user, read_up_to=read, delivered_up_to=delivered))

    assert [is_news(0, 3), is_news(0, 3), is_news(3, 3), is_news(2, 3), is_news(3, 4)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert is_news(1, 1, "carol")
    assert not sightings.is_news(event("receipt", user="bob", read_up_to="7", delivered_up_to=None))
    assert sightings.is_news(event("reset", reason="lost"))
    assert is_news(1, 1)


def test_the_name_of_a_group_is_asked_for_once_and_then_told_by_events(run: Run) -> None:
    script = Script(httpx.Response(200, json={"id": GROUP, "name": "Lunch"}))
    sightings = Sightings(script.client(), run)
    assert [sightings.name(event("message")) for _ in "12"] == ["Lunch", "Lunch"]
    assert sightings.name(event("conversation", name="Dinner")) == "Lunch", "the line says what it was named before"
    assert sightings.name(event("message")) == "Dinner"
    assert sightings.name(event("member", users=[])) == "Dinner"
    assert len(script.requests) == 1
    assert sightings.is_news(of("reset", "", {"reason": "lost"}))
    assert sightings.name(event("message")) == "Lunch", "the server may have lost the other name"


def test_a_name_that_an_event_tells_is_not_asked_for(run: Run) -> None:
    script = Script(problem(404, "unknown_conversation", "no"))
    sightings = Sightings(script.client(), run)
    assert sightings.name(event("member", users=[], name="Lunch")) == "Lunch"
    assert sightings.name(event("message")) == "Lunch"
    for other in (of("message", "", MESSAGE | {"conversation_id": "dm:a:b"}), event("reset"), of("x", "", 7)):
        assert sightings.name(other) is None
    assert script.requests == []


@pytest.mark.parametrize("answer", [problem(503, "unavailable", "away"), httpx.Response(200, json={"name": 7})])
def test_a_line_goes_without_a_name_that_the_server_does_not_tell(run: Run, answer: httpx.Response) -> None:
    script = Script(answer)
    sightings = Sightings(script.client(), run)
    assert [sightings.name(event("message")) for _ in "12"] == [None, None]
    assert len(script.requests) == 1


def test_no_more_names_are_kept_than_there_is_room_for(run: Run) -> None:
    script = Script(httpx.Response(200, json={"id": GROUP, "name": "new"}))
    sightings = Sightings(script.client(), run)
    ids = [f"g:{number:026d}".translate(str.maketrans("0189", "abcd")) for number in range(2 * MOST_NAMES)]
    for each in dict.fromkeys(ids):
        sightings.name(of("member", "", {"conversation_id": each, "name": "told"}))
    assert sightings.name(of("message", "", {"conversation_id": ids[0]})) == "new"
    assert sightings.name(of("message", "", {"conversation_id": ids[-1]})) == "told"
