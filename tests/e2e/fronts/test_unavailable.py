"""Responses of the proxies to an EventSource when no app responds: EventSource gives up on any status but 200.

And what they make of a stream that ends: whole, it is one that may be over; without its last chunk, one that was cut.
"""

import contextlib
import itertools
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from bench.fronting import CONFIGURATIONS, KINDS, NAME, Front
from e2e.browser.visitor import ARGUMENTS, CHROMIUM
from e2e.fronts.raw import Answer, Http1, Http2
from e2e.fronts.recorder import Recorder, Request, Whole
from e2e.fronts.stack_front import EVERY, make_front
from serving import until

PATHS = ("/v1/events", "/v1/events?ticket=abc", "/v1/feeds/scores/events?last_event_id=7-1")
GOODBYE = re.compile(r'event: bye\nretry: \d{4,5}\ndata: {"reason":"unavailable"}\n\n')
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"event: retry\nretry: 50\ndata: {}\nid: 7-1\n\n"
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
LAST = b"0\r\n\r\n"


def over_1(front: Front, target: str, accept: str = "text/event-stream", method: str = "GET") -> Answer:
    """A request over HTTP/1.1; a POST has a body."""
    length, body = ("Content-Length: 2\r\n", "{}") if method == "POST" else ("", "")
    with Http1(front, 30) as client:
        head = f"{method} {target} HTTP/1.1\r\nHost: {NAME}:{front.port}\r\nAccept: {accept}\r\n{length}\r\n{body}"
        client.send(head.encode())
        return client.answer(method, 30)


def over_2(front: Front, target: str) -> Answer:
    """A GET over HTTP/2."""
    with Http2(front, 30) as client:
        pseudo = {":method": "GET", ":scheme": "https", ":authority": f"{NAME}:{front.port}", ":path": target}
        return client.answer(client.ask([*pseudo.items(), ("accept", "text/event-stream")]), 30)


CUT = {("nginx", over_1), ("nginx", over_2), ("haproxy", over_1)}
"""Who passes on that a stream was cut."""


def check_goodbye(answer: Answer) -> None:
    """It is a stream that says goodbye, and no error's traces are left in it."""
    assert (answer.status, answer.ended) == (200, "whole"), answer
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["access-control-allow-origin"] == "*", "a page of another origin would give up"
    assert not {"retry-after", "www-authenticate", "ratelimit", "content-encoding"} & set(answer.headers)
    assert GOODBYE.fullmatch(answer.body.decode()), answer.body


def check(front: Front, *paths: str) -> list[Answer]:
    """Every way to ask for a stream gets the goodbye."""
    ways = [(ask, path) for ask in (over_1, over_2) for path in paths or PATHS]
    with ThreadPoolExecutor(len(ways)) as threads:
        answers = list(threads.map(lambda way: way[0](front, way[1]), ways))
    # Over HTTP/2 HAProxy resets a stream instead, if the connection to the app broke (haproxy/haproxy#3414). That is no
    # status, and browsers come back.
    refused = "RST_STREAM 7" if front.kind == "haproxy" else "none"
    answers = [answer for answer in answers if answer.ended != refused]
    for answer in answers:
        check_goodbye(answer)
    assert answers
    return answers


@contextlib.contextmanager
def deaf() -> Iterator[str]:
    """An address at which nobody accepts, and no more connections are begun."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("kind", EVERY)
def test_a_stream_is_told_to_come_back_when_the_app_refuses_connections(kind: str, tmp_path: Path) -> None:
    with Recorder() as recorder:
        address = recorder.address
    with make_front(kind, tmp_path / kind, [address]) as front, ThreadPoolExecutor(1) as thread:
        other = thread.submit(over_2, front, "/v1/server")
        answers = check(front, *PATHS * 3)
        assert other.result().status in (502, 503)
    # Not all of them in the same moment.
    pauses = {int(answer.body.split(b"retry: ")[1].split()[0]) for answer in answers}
    assert len(pauses) > 1
    assert 2000 <= min(pauses) <= max(pauses) <= 10000


@pytest.mark.parametrize("kind", EVERY)
def test_a_stream_is_told_to_come_back_when_the_app_takes_no_connections(kind: str, tmp_path: Path) -> None:
    with deaf() as address, make_front(kind, tmp_path / kind, [address]) as front:
        check(front)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_told_to_come_back_when_the_app_does_not_answer_in_time(kind: str, tmp_path: Path) -> None:
    over = threading.Event()

    def silent(request: Request) -> None:
        over.wait(30)

    with Recorder() as recorder, make_front(kind, tmp_path / kind, [recorder.address], seconds=1) as front:
        recorder.on_request = silent
        try:
            check(front)
        finally:
            over.set()


def test_the_stacks_front_waits_for_an_answer_no_longer_than_the_others() -> None:
    """Which it does not read from the environment, so that this is all that can be asked in a test's time."""
    shipped = (CONFIGURATIONS.parent / "Caddyfile").read_text()
    assert re.findall(r"response_header_timeout (\d+)s", shipped) == ["75", "75"]


@pytest.fixture(scope="module", params=EVERY)
def before_app(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Front, Recorder]]:
    """A front before an app that answers as it is told."""
    folder = tmp_path_factory.mktemp("unavailable") / request.param
    with Recorder() as recorder, make_front(request.param, folder, [recorder.address]) as front:
        yield front, recorder


@pytest.fixture
def recorded(before_app: tuple[Front, Recorder]) -> tuple[Front, Recorder]:
    """The same, and the front has forgotten how the app failed before."""
    front, recorder = before_app
    recorder.on_request = lambda request: b""
    until(lambda: over_1(front, "/v1/events").body == over_1(front, "/v1/server").body == b"", 15)
    return front, recorder


BROKEN = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Ty",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_stream_is_told_to_come_back_when_the_app_goes_away_before_an_answer(
    recorded: tuple[Front, Recorder], broken: bytes
) -> None:
    front, recorder = recorded
    recorder.on_request = lambda request: Whole(broken)
    check(front, PATHS[1])


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_stream_is_told_to_come_back_when_the_app_itself_says_later(
    recorded: tuple[Front, Recorder], status: int
) -> None:
    front, recorder = recorded
    body = json.dumps({"code": "unavailable", "detail": f"answered {status}"}).encode()
    refusal = Whole(
        b"HTTP/1.1 %d Later\r\nContent-Type: application/problem+json\r\nRetry-After: 3\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (status, len(body), body)
    )
    recorder.on_request = lambda request: refusal
    check(front)
    # To anybody else it is what the app said, and to who publishes.
    published = over_1(front, "/v1/feeds/scores/events", method="POST")
    for other in (over_1(front, "/v1/conversations"), over_2(front, "/v1/messages"), published):
        assert (other.status, other.body, other.headers["retry-after"]) == (status, body, "3")
        assert other.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_stream_that_is_refused_for_good_is_refused(recorded: tuple[Front, Recorder], status: int) -> None:
    front, recorder = recorded
    recorder.on_request = lambda request: Whole(
        b"HTTP/1.1 %d No\r\nWWW-Authenticate: Bearer\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" % status
    )
    for answer in (over_1(front, PATHS[1]), over_2(front, PATHS[0])):
        assert (answer.status, answer.body) == (status, b"{}")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("ask", [over_1, over_2], ids=["HTTP/1.1", "HTTP/2"])
def test_a_stream_that_ends_is_over_and_one_without_its_last_chunk_is_cut(
    recorded: tuple[Front, Recorder], ask: Callable[[Front, str], Answer]
) -> None:
    front, recorder = recorded
    recorder.on_request = lambda request: Whole(HEAD + CHUNK + LAST)
    whole = ask(front, PATHS[0])
    assert (whole.status, whole.body, whole.ended) == (200, EVENT, "whole")
    recorder.on_request = lambda request: Whole(HEAD + CHUNK)
    cut = ask(front, PATHS[0])
    assert (cut.status, cut.body) == (200, EVENT)
    # Caddy 2.6, and HAProxy 2.6 over HTTP/2, make a proper end of it.
    expected = "closed|RST_STREAM.*" if (front.kind, ask) in CUT else "closed|RST_STREAM.*|whole"
    assert re.fullmatch(expected, cut.ended), cut


SCRIPT = b"""<script>
window.opened = window.events = 0;
window.source = new EventSource("/v1/events");
source.onopen = () => opened++;
source.addEventListener("retry", () => events++);
</script>"""
PAGE = Whole(
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
    % (len(SCRIPT), SCRIPT)
)


@pytest.fixture(scope="module", params=[True, False], ids=["HTTP/2", "HTTP/1.1"])
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A Chromium that believes any certificate."""
    with sync_playwright() as playwright:
        arguments = [*ARGUMENTS, "--ignore-certificate-errors", *([] if request.param else ["--disable-http2"])]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


def test_a_browser_comes_back_with_the_last_id_however_a_stream_ends(
    recorded: tuple[Front, Recorder], browser: Browser
) -> None:
    front, recorder = recorded
    ends = itertools.cycle((b"", LAST))

    def answer(request: Request) -> bytes:
        return Whole(HEAD + CHUNK + next(ends)) if request.target == "/v1/events" else PAGE

    recorder.on_request = answer
    before = len(recorder.asked)
    page = browser.new_page()
    page.goto(front.url)
    page.wait_for_function("opened >= 4", timeout=20_000)
    page.close()
    asked = [request for request in recorder.asked[before:] if request.target == "/v1/events"]
    # What came right before a cut may not have reached the page, which then comes back for it.
    cursors = [request.values("last-event-id") for request in asked[:4]]
    assert cursors == sorted(cursors)
    assert (cursors[0], cursors[-1]) == ([], ["7-1"])


def test_a_browser_comes_back_when_the_app_went_away_before_an_answer(
    recorded: tuple[Front, Recorder], browser: Browser
) -> None:
    front, recorder = recorded
    if front.kind != "haproxy":
        pytest.skip("the others answer with the goodbye")
    streams = itertools.count(1)

    def answer(request: Request) -> bytes:
        if request.target == "/v1/events":  # four times for each time that the browser asks
            return Whole(HEAD + CHUNK if next(streams) > 24 else b"")
        return PAGE

    recorder.on_request = answer
    page = browser.new_page()
    page.goto(front.url)
    page.wait_for_function("events >= 1", timeout=60_000)
    page.close()
