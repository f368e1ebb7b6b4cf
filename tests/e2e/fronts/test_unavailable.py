"""EventSource gives up for good on any status but 200: what fronts answer to it when no app does.

And what they make of a stream that ends: whole, it is one that may be over; without its last chunk, one that was cut.
"""

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from bench.fronting import KINDS, NAME, Front
from e2e.browser.visitor import ARGUMENTS, CHROMIUM
from e2e.fronts.raw import Answer, Http1, Http2
from e2e.fronts.recorder import Recorder, Request, Whole
from e2e.fronts.stack_front import EVERY, make_front
from serving import until

PATHS = ("/v1/events", "/v1/events?ticket=abc", "/v1/events?last_event_id=7-1")
GOODBYE = re.compile(r'event: bye\nretry: (\d{4,5})\ndata: {"reason":"unavailable"}\n\n')
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"event: retry\nretry: 50\ndata: {}\nid: 7-1\n\n"
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
LAST = b"0\r\n\r\n"


def over_1(front: Front, target: str, accept: str = "text/event-stream") -> Answer:
    """A GET over HTTP/1.1."""
    with Http1(front, 30) as client:
        head = f"GET {target} HTTP/1.1\r\nHost: {NAME}:{front.port}\r\nAccept: {accept}\r\n\r\n"
        client.send(head.encode())
        return client.answer("GET", 30)


def over_2(front: Front, target: str) -> Answer:
    """A GET over HTTP/2."""
    with Http2(front, 30) as client:
        pseudo = {":method": "GET", ":scheme": "https", ":authority": f"{NAME}:{front.port}", ":path": target}
        return client.answer(client.ask([*pseudo.items(), ("accept", "text/event-stream")]), 30)


def check_goodbye(answer: Answer) -> None:
    """It is a stream that says goodbye, and no error's traces are left in it."""
    assert (answer.status, answer.ended) == (200, "whole"), answer
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "no-store" in answer.headers["cache-control"]
    assert not {"retry-after", "www-authenticate", "ratelimit", "content-encoding"} & set(answer.headers)
    assert GOODBYE.fullmatch(answer.body.decode()), answer.body


def check(front: Front) -> None:
    """Every way to ask for a stream gets the goodbye."""
    for path in PATHS:
        check_goodbye(over_1(front, path))
        check_goodbye(over_2(front, path))


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
    with make_front(kind, tmp_path / kind, [address]) as front:
        check_goodbye(over_2(front, PATHS[0]))
        check_goodbye(over_1(front, PATHS[1]))
        assert over_2(front, "/v1/server").status in (502, 503)


@pytest.mark.parametrize("kind", EVERY)
def test_a_stream_is_told_to_come_back_when_the_app_takes_no_connections(kind: str, tmp_path: Path) -> None:
    with deaf() as address, make_front(kind, tmp_path / kind, [address]) as front:
        check_goodbye(over_2(front, PATHS[1]))
        assert over_1(front, "/v1/server").status in (502, 503, 504)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_told_to_come_back_when_the_app_does_not_answer_in_time(kind: str, tmp_path: Path) -> None:
    with Recorder() as recorder, make_front(kind, tmp_path / kind, [recorder.address], seconds=1) as front:

        def silent(request: Request) -> bytes | None:
            until(lambda: False, 8) if request.target.startswith("/v1/") else None
            return None

        recorder.on_request = lambda request: with_patience(silent, request)
        check_goodbye(over_2(front, PATHS[0]))
        assert over_1(front, "/v1/server").status in (502, 503, 504)


def with_patience(act: Callable[[Request], bytes | None], request: Request) -> bytes | None:
    """Acts, and does not mind that it takes too long."""
    with contextlib.suppress(TimeoutError):
        return act(request)
    return None


@pytest.fixture(scope="module", params=EVERY)
def recorded(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Front, Recorder]]:
    """A front before an app that answers as it is told."""
    folder = tmp_path_factory.mktemp("unavailable") / request.param
    with Recorder() as recorder, make_front(request.param, folder, [recorder.address]) as front:
        yield front, recorder


BROKEN = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "no HTTP": b"hello\r\n\r\n",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_stream_is_told_to_come_back_when_the_app_goes_away_before_an_answer(
    recorded: tuple[Front, Recorder], broken: bytes
) -> None:
    front, recorder = recorded
    recorder.on_request = lambda request: Whole(broken)
    check_goodbye(over_2(front, PATHS[1]))
    check_goodbye(over_1(front, PATHS[0]))


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
    # To anybody else it is what the app said.
    for other in (over_1(front, "/v1/conversations"), over_2(front, "/v1/messages")):
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


def test_readers_who_are_told_to_come_back_do_not_all_come_in_the_same_moment(
    recorded: tuple[Front, Recorder],
) -> None:
    front, recorder = recorded
    recorder.on_request = lambda request: Whole(b"")
    pauses = set()
    for _ in range(12):
        found = GOODBYE.fullmatch(over_1(front, PATHS[0]).body.decode())
        assert found
        pauses.add(int(found[1]))
    assert len(pauses) > 1
    assert min(pauses) >= 2000
    assert max(pauses) <= 10000


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
    assert cut.ended == "closed" or cut.ended.startswith("RST_STREAM"), cut
    print(f"\n{front.kind}: {cut.ended}")


PAGE = """<script>
window.opened = 0;
window.source = new EventSource("/v1/events");
source.onopen = () => opened++;
</script>"""


@pytest.mark.parametrize("http2", [True, False], ids=["HTTP/2", "HTTP/1.1"])
@pytest.mark.parametrize("end", [b"", LAST], ids=["cut", "whole"])
def test_a_browser_comes_back_with_the_last_id_however_a_stream_ends(
    recorded: tuple[Front, Recorder], http2: bool, end: bytes
) -> None:
    front, recorder = recorded

    def answer(request: Request) -> bytes:
        if request.target == "/v1/events":
            return Whole(HEAD + CHUNK + end)
        return Whole(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (len(PAGE), PAGE.encode())
        )

    recorder.on_request = answer
    before = len(recorder.asked)
    with sync_playwright() as playwright:
        arguments = [*ARGUMENTS, "--ignore-certificate-errors", *([] if http2 else ["--disable-http2"])]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = chromium.new_page()
        page.goto(front.url)
        page.wait_for_function("opened >= 4", timeout=15_000)
        chromium.close()
    asked = [request for request in recorder.asked[before:] if request.target == "/v1/events"]
    assert [request.values("last-event-id") for request in asked[:4]] == [[], ["7-1"], ["7-1"], ["7-1"]]
