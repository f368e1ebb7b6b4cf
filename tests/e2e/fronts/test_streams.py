"""Streams through the proxies: no buffering, no timeout while idle, and Last-Event-ID."""

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from bench.fronting import CONFIGURATIONS, KINDS, Front
from e2e.api import fresh, mint
from e2e.frames import Event, Frames
from e2e.fronts.conftest import Apps, some_apps
from e2e.fronts.crowd import client
from ssechat.settings import Settings

pytestmark = pytest.mark.anyio

AT_ONCE = 5.0
"""Seconds within which an event must come. A front that held it back would do so until the next ping, or for ever."""

SILENT_SECONDS = 2
"""The time-outs of fronts in the test of silence."""


@pytest.fixture(scope="module")
def silent_apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """Whose streams get no ping for as long as a test may last."""
    with some_apps(tmp_path_factory.mktemp("silent"), ping_seconds=60) as running:
        yield running


@asynccontextmanager
async def stream(http: httpx.AsyncClient, cursor: str | None = None) -> AsyncIterator[AsyncIterator[Event]]:
    """The events of a stream."""
    headers = {"Accept-Encoding": "gzip, br, zstd", **({} if cursor is None else {"Last-Event-ID": cursor})}
    async with http.stream("GET", "/v1/events", headers=headers, timeout=30) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store, no-transform"
        assert "content-encoding" not in answer.headers
        frames = Frames()

        async def events() -> AsyncGenerator[Event, None]:
            async for part in answer.aiter_raw():
                for event in frames.feed(part):
                    yield event

        generator = events()
        async with aclosing(generator):
            yield generator


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("http2", [True, False], ids=["HTTP/2", "HTTP/1.1"])
async def test_a_proxy_does_not_buffer_an_event(kind: str, http2: bool, silent_apps: Apps, tmp_path: Path) -> None:
    user = fresh("alice")
    took = []
    with Front(kind, tmp_path / kind, silent_apps.addresses) as front:
        async with client(front, mint(silent_apps.first, user), http2=http2) as http, stream(http) as events:
            with anyio.fail_after(AT_ONCE):
                assert (await anext(events)).name == "hello"
            for number in range(20):
                began = time.monotonic()
                body = {"to": user, "text": f"{number}"}
                assert (await http.post("/v1/messages", json=body)).status_code == 201
                with anyio.fail_after(AT_ONCE):
                    assert (await anext(events)).data["text"] == f"{number}"
                took.append(time.monotonic() - began)
    took.sort()
    print(f"\n{kind}: POST to event, ms: median {1000 * took[10]:.1f}, slowest {1000 * took[-1]:.1f}")


async def test_reconnect_through_a_proxy_resumes_from_the_last_event_id(front: Front, apps: Apps) -> None:
    user = fresh("alice")
    async with client(front, mint(apps.first, user)) as http:
        async with stream(http) as events:
            head = (await anext(events)).id
        for number in range(3):
            await http.post("/v1/messages", json={"to": user, "text": f"{number}"})
        async with stream(http, head) as events:
            hello = await anext(events)
            assert (hello.data["resumed"], hello.data["missed"]) == (True, 3)
            assert [(await anext(events)).data["text"] for _ in range(3)] == ["0", "1", "2"]


@pytest.mark.parametrize("kind", KINDS)
async def test_pings_keep_a_stream_beyond_the_proxys_timeouts(kind: str, apps: Apps, tmp_path: Path) -> None:
    async def stays(http2: bool) -> None:
        async with client(front, mint(apps.first, fresh("alice")), http2=http2) as http, stream(http) as events:
            assert (await anext(events)).name == "hello"
            began = time.monotonic()
            while time.monotonic() - began < 3 * SILENT_SECONDS:
                assert (await anext(events)).name == "ping"

    with Front(kind, tmp_path / kind, apps.addresses, seconds=SILENT_SECONDS) as front:
        async with anyio.create_task_group() as group:
            for http2 in (True, False):
                group.start_soon(stays, http2)


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
async def test_a_front_takes_a_stream_for_dead_that_is_silent_for_longer(
    kind: str, silent_apps: Apps, tmp_path: Path
) -> None:
    """So the time-outs count, and the test before this one can fail. Caddy has none on an answer's silence."""
    with Front(kind, tmp_path / kind, silent_apps.addresses, seconds=SILENT_SECONDS) as front:
        token = mint(silent_apps.first, fresh("alice"))
        async with client(front, token, http2=False) as http, stream(http) as events:
            assert (await anext(events)).name == "hello"
            with pytest.raises((StopAsyncIteration, httpx.RemoteProtocolError)):
                await anext(events)


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("nginx.conf", r"FRONT_SECONDS=(\d+)"),
        ("haproxy.cfg", r"presetenv FRONT_SECONDS (\d+)"),
        ("Caddyfile", r"\{\$FRONT_SECONDS:(\d+)\}"),
    ],
)
def test_the_time_outs_as_shipped_are_longer_than_twice_the_longest_silence(file: str, pattern: str) -> None:
    [seconds] = set(re.findall(pattern, (CONFIGURATIONS / file).read_text()))
    # A ping comes after ping_seconds at least, and twice that at most.
    assert int(seconds) > 2 * 2 * Settings().ping_seconds
    assert int(seconds) < Settings().keep_alive_seconds
