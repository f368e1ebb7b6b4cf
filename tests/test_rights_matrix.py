"""The matrix of rights: each route, asked by everybody at every time, answers what the person may read and no more."""

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from parts import SECRET, settings
from redises import RedisProcess
from rights.door import Door, door_of
from rights.late import Hold, in_two_steps, late_deliveries
from rights.model import History
from rights.story import MIA, OFTEN, OLGA, SELDOM, STEN, Story
from rights.table import MESSAGE, ROWS, Row
from rights.walk import Walk, marks_in
from ssechat.app import create_app

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

SHOWN = 12
"""Findings that a failure shows."""


@pytest.fixture
async def door(redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    async with door_of(redis.url, tmp_path) as door:
        yield door


def template(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_route_has_a_line_in_the_table(tmp_path: Path) -> None:
    (tmp_path / "jwt.key").write_text(SECRET)
    app = create_app(settings("redis://nowhere", data=tmp_path))
    routes = {(method, template(path)) for method, path, *_ in app.state.api.table.routes}
    assert {(row.method, template(row.path)) for row in ROWS} == routes


@pytest.fixture(params=["all", "from_join"])
def history(request: pytest.FixtureRequest) -> History:
    chosen: History = request.param
    return chosen


async def passes(walk: Walk) -> None:
    findings = await walk.go()
    assert not findings, "\n".join([f"{len(findings)} of {walk.asked} answers:", *findings[:SHOWN]])


async def test_everybody_gets_what_is_his_and_nothing_else(
    door: Door, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "ssechat")
    await passes(Walk(Story(door, history)))
    assert not marks_in(caplog.text.encode()), "logs quote nobody"


def of_streams(row: Row) -> bool:
    """Whether the row is asked after deliveries in another form, which streams and histories show."""
    return row.method == "GET" and row.path.endswith(("/messages", "/conversations"))


@pytest.fixture
def _two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    in_two_steps(monkeypatch)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Hold:
    return late_deliveries(monkeypatch)


@pytest.mark.usefixtures("_two_steps")
async def test_deliveries_in_two_steps_bring_nobody_more(door: Door, history: History) -> None:
    await passes(Walk(Story(door, history), of_streams))


@pytest.mark.parametrize("repaired_after", [OFTEN, SELDOM], ids=["often", "seldom"])
async def test_a_repair_brings_nobody_what_was_not_of_his_time(
    late: Hold, door: Door, history: History, repaired_after: Sequence[str]
) -> None:
    await passes(Walk(Story(door, history, late, repaired_after), of_streams))


BODIES: dict[str, object] = {
    "PATCH /v1/conversations/{id}": {"name": "x"},
    "POST /v1/conversations/{id}/members": {"users": [MIA]},
    "PUT /v1/conversations/{id}/members/{user}": {},
    "POST /v1/conversations/{id}/invites": {},
    "PUT /v1/conversations/{id}/read": {"up_to": 1},
    "PUT /v1/conversations/{id}/mute": {"muted": True},
    f"PATCH {MESSAGE}": {"text": "x"},
}


async def test_a_direct_conversation_is_nobody_elses(door: Door) -> None:
    story = Story(door, "all")
    await story.sign_up()
    story.group.id = f"dm:{MIA}:{OLGA}"
    await story.say(MIA)
    await story.edit(await story.say(OLGA, reply_to=1, mentions=[MIA]))
    await story.react(MIA, 1)
    below = [row for row in ROWS if row.path.startswith("/v1/conversations/{id}")]
    for who, refusal in (("", (401, "unauthorized")), (STEN, (403, "not_a_member"))):
        for method, path in dict.fromkeys((row.method, row.path) for row in below):
            for seq in (1, 2, 3):
                values = {"id": story.group.id, "user": MIA, "invite": "x", "seq": seq, "emoji": quote("🐀")}
                body = BODIES.get(f"{method} {path}")
                answer = await door.ask(method, path.format(**values), story.tokens[who], body)
                assert (answer.status, answer.code) == refusal, (method, path)
                assert not marks_in(answer.body), answer
        for more in ({}, {"reply_to": 1}, {"client_msg_id": story.sent[MIA]["client_msg_id"]}):
            new: dict[str, Any] = {"conversation_id": story.group.id, "text": "x", **more}
            answer = await door.ask("POST", "/v1/messages", story.tokens[who], new)
            assert (answer.status, answer.code) == refusal
    assert not marks_in(await door.replay(story.tokens[STEN], "0-0") + bytes(story.streams[STEN].raw))
    assert marks_in(await door.replay(story.tokens[MIA], "0-0"))
    await story.close()
