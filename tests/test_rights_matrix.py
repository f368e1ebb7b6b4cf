"""The matrix of rights: each route, asked by everybody at every time, answers what the person may read and no more."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parts import SECRET, settings
from redises import RedisProcess
from rights.door import Door
from rights.model import History
from rights.story import Story
from rights.table import ROWS
from rights.walk import Walk
from ssechat.app import create_app

pytestmark = pytest.mark.anyio

SHOWN = 20
"""Findings that a failure shows."""


@pytest.fixture
async def door(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[Door]:
    (tmp_path / "jwt.key").write_text(SECRET)
    app = create_app(settings(redis.url, data=tmp_path, redis_timeout=5, sign_ups_per_address=0))
    async with app.router.lifespan_context(app):
        yield Door(app)


def template(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_route_has_a_line_in_the_table(tmp_path: Path) -> None:
    (tmp_path / "jwt.key").write_text(SECRET)
    app = create_app(settings("redis://nowhere", data=tmp_path))
    routes = {(method, template(path)) for method, path, _ in app.state.api.table.routes}
    assert {(row.method, template(row.path)) for row in ROWS} == routes


@pytest.mark.parametrize("history", ["all", "from_join"])
async def test_everybody_gets_what_is_his_and_nothing_else(door: Door, history: History) -> None:
    walk = Walk(Story(door, history))
    findings = await walk.go()
    assert not findings, "\n".join([f"{len(findings)} of {walk.asked} answers:", *findings[:SHOWN]])
