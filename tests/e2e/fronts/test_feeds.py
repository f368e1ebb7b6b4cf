"""Feeds through the proxies: published, streamed, resumed and read as JSON."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from bench.fronting import Front
from contract.watch import Frames
from e2e.api import fresh
from e2e.fronts.conftest import Apps, some_apps
from e2e.fronts.crowd import client
from e2e.fronts.stack_front import EVERY, make_front
from e2e.fronts.test_streams import AT_ONCE

pytestmark = pytest.mark.anyio

TOKEN = "the-token-of-the-admin"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def feeding_apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """With an admin, and without pings: what a front holds back does not come with one."""
    folder = tmp_path_factory.mktemp("feeding")
    (folder / "admin.token").write_text(TOKEN)
    with some_apps(folder, 60, "--admin-token-file", str(folder / "admin.token")) as running:
        yield running


@pytest.fixture(scope="module", params=EVERY)
def front(
    feeding_apps: Apps, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Front]:
    """Each proxy, and that of the stack."""
    folder = tmp_path_factory.mktemp("front") / request.param
    with make_front(request.param, folder, feeding_apps.addresses) as running:
        yield running


@asynccontextmanager
async def stream(http: httpx.AsyncClient, path: str, cursor: str | None = None) -> AsyncIterator[Any]:
    """The events of a feed: name, id and data of each."""
    headers = {"Accept-Encoding": "gzip, br, zstd", **({} if cursor is None else {"Last-Event-ID": cursor})}
    async with http.stream("GET", path, headers=headers, timeout=30) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store, no-transform"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "content-encoding" not in answer.headers
        come: list[dict[str, str]] = []
        frames = Frames(come.append)

        async def events() -> AsyncGenerator[tuple[str, str | None, Any], None]:
            async for part in answer.aiter_raw():
                frames.feed(part)
                for fields in come:
                    if fields["event"] != "retry":
                        yield fields["event"], fields.get("id"), json.loads(fields["data"])
                come.clear()

        generator = events()
        async with aclosing(generator):
            yield generator


@pytest.mark.parametrize("http2", [True, False], ids=["HTTP/2", "HTTP/1.1"])
async def test_a_front_passes_on_each_event_of_a_feed_as_it_is_published(front: Front, http2: bool) -> None:
    path = f"/v1/feeds/{fresh('feed')}"
    async with client(front, http2=http2) as http, client(front, http2=http2) as admin:
        admin.headers.update(ADMIN)
        assert (await admin.put(path, json={"read": "public"})).status_code == 201
        async with stream(http, f"{path}/events") as events:
            with anyio.fail_after(AT_ONCE):
                assert (await anext(events))[0] == "hello"
            for number in range(20):
                published = await admin.post(f"{path}/events", json={"data": number, "event": "score"})
                assert published.status_code == 201, published.text
                with anyio.fail_after(AT_ONCE):
                    name, cursor, data = await anext(events)
                assert (name, cursor, data["data"]) == ("score", published.json()["id"], number)
        for number in range(20, 23):
            await admin.post(f"{path}/events", json={"data": number})
        async with stream(http, f"{path}/events", cursor) as events:
            with anyio.fail_after(AT_ONCE):
                assert (await anext(events))[2]["missed"] == 3
                assert [(await anext(events))[2]["data"] for _ in range(3)] == [20, 21, 22]
        shown = await http.get(path, headers={"origin": "https://elsewhere.example"})
        assert [event["data"] for event in shown.json()["events"]] == [*range(3, 23)]
        assert shown.headers["access-control-allow-origin"] == "*"
        assert (await http.get(path, headers={"if-none-match": shown.headers["etag"]})).status_code == 304
        asked = {
            "Origin": "https://elsewhere.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "last-event-id",
        }
        assert (await http.options(f"{path}/events", headers=asked)).headers["access-control-allow-origin"] == "*"


async def test_a_stranger_who_publishes_through_a_front_is_told_so(front: Front) -> None:
    path = f"/v1/feeds/{fresh('feed')}"
    async with client(front) as http:
        await http.put(path, json={"read": "public"}, headers=ADMIN)
        refused = await http.post(f"{path}/events", json={"data": 1})
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert "text/event-stream" not in refused.headers["content-type"]


async def test_a_large_feed_comes_whole_through_a_front(front: Front) -> None:
    path = f"/v1/feeds/{fresh('feed')}"
    async with client(front) as http:
        http.headers.update(ADMIN)
        await http.put(path, json={"read": "public", "keyed": True})
        for number in range(50):
            body = {"data": f"{number}".ljust(16_000, "x"), "key": f"k{number}"}
            assert (await http.post(f"{path}/events", json=body)).status_code == 201
        shown = (await http.get(path)).json()
        assert [int(event["data"].rstrip("x")) for event in shown["events"]] == [*range(50)]
