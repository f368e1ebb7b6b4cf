"""Paths: proxy and app agree on them, and no spelling of /metrics is reachable from outside."""

from collections.abc import Iterator

import pytest

from bench.fronting import NAME, Front
from e2e.fronts.conftest import Apps
from e2e.fronts.raw import Http1, Http2
from e2e.fronts.recorder import Recorder
from e2e.fronts.stack_front import EVERY, make_front

METRICS = (
    *("/metrics", "/metrics?x=1", "/metrics?", "/metrics/", "/metrics/x", "//metrics", "///metrics", "/metrics//"),
    *("/%6detrics", "/%6D%65trics", "/%6d%65%74%72%69%63%73", "/metric%73", "%2fmetrics", "/%2fmetrics", "/metrics%2f"),
    *("/./metrics", "/%2e/metrics", "/x/../metrics", "/x/%2e%2e/metrics", "/x/..%2fmetrics", "/v1/../metrics"),
    *("/metrics/.", "/metrics/../metrics", "/metrics/x/..", "/../metrics", "/x/y/../../metrics"),
    *("/metrics%0a", "/metrics%0d", "/metrics%0d%0a", "/metrics%0A", "/%6detrics%0a", "/metrics%0ax", "/metrics%0a%0a"),
    *("/metrics%00", "/metrics%00.html", "/metrics%09", "/metrics%20", "/metrics%7f", "/metrics%85", "/metrics%0b"),
    *("/metrics;x", "/metrics;", "/metrics%3bx", "/metrics%3f", "/metrics%23", "/metrics#", "/metrics#x", "/metrics&x"),
    "/metrics%250a",
    *("/metrics%e2%80%a8", "/metrics%c2%85", "/metrics.", "/metrics%2e", "/metrics%5c", "/metrics\\", "/%5cmetrics"),
    *("/METRICS", "/Metrics", "/%4detrics", "/METRICS%0a", "/metrics%zz", "/%6detrics%", "/%256detrics"),
    *("/\\metrics", "/x\\..\\metrics", "/x/..;/metrics", "/metrics:8000", "/.//metrics", "/;/metrics", "/%0ametrics"),
    *(f"https://{NAME}/metrics", f"http://{NAME}/metrics%0a", f"https://{NAME}//metrics", "http://app:8000/metrics"),
    *("metrics", "*", "app:8000", "@app/metrics", "?/metrics", "#/metrics", "/?/../metrics", "/%3f/../metrics"),
)
PASSING = ("/?/../metrics", "/metrics%250a", "/%256detrics", "/;/metrics", "/x/..;/metrics")
"""What is another path to everybody."""

CONTROL = ("%00", "%01", "%09", "%0a", "%0A", "%0d", "%0d%0a", "%1f", "%7f")


@pytest.fixture(scope="module", params=EVERY)
def recorded(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Front, Recorder]]:
    """A front before an app that notes what it gets."""
    folder = tmp_path_factory.mktemp("paths") / request.param
    with Recorder() as recorder, make_front(request.param, folder, [recorder.address]) as front:
        yield front, recorder


@pytest.fixture(scope="module", params=EVERY)
def real(apps: Apps, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Front]:
    """A front before the server."""
    folder = tmp_path_factory.mktemp("real") / request.param
    with make_front(request.param, folder, apps.addresses) as front:
        yield front


def status(front: Front, target: str) -> int:
    """What a GET of exactly this target is answered; no metrics, in any case."""
    with Http1(front) as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: {NAME}:{front.port}\r\n\r\n".encode("latin-1"))
        answer = client.answer("GET")
    assert b"ssechat_" not in answer.body, target
    assert answer.status, target
    return answer.status


def status_over_2(front: Front, target: str) -> int:
    """The same over HTTP/2; 0 when the stream was reset."""
    with Http2(front) as client:
        pseudo = {":method": "GET", ":scheme": "https", ":authority": f"{NAME}:{front.port}", ":path": target}
        answer = client.answer(client.ask(pseudo.items()))
    assert b"ssechat_" not in answer.body, target
    assert answer.ended
    return answer.status


@pytest.mark.parametrize("ask", [status, status_over_2], ids=["HTTP/1.1", "HTTP/2"])
def test_no_spelling_of_metrics_reaches_the_app(recorded: tuple[Front, Recorder], ask: object) -> None:
    front, recorder = recorded
    assert callable(ask)
    before = len(recorder.asked)
    for path in METRICS:
        assert path in PASSING or ask(front, path) in (0, 200, 400, 404), path
    # What does come there is a path that the app knows nothing of: it is spelt otherwise also after decoding it once.
    targets = {request.target for request in recorder.asked[before:]}
    assert targets <= {"/", "/%5cmetrics", "/%5Cmetrics", "/\\metrics", "/x%5C..%5Cmetrics", "/x\\..\\metrics"}


def test_no_spelling_of_metrics_shows_them(real: Front, apps: Apps) -> None:
    for path in METRICS:
        assert status(real, path) in (200, 400, 404), path
        assert status_over_2(real, path) in (0, 200, 400, 404), path


@pytest.mark.parametrize("path", ["/v1/server{}", "/v1/{}server", "/{}", "/v1/users/a{}b", "/v1/events{}"])
def test_a_path_with_a_control_character_does_not_reach_the_app(recorded: tuple[Front, Recorder], path: str) -> None:
    front, recorder = recorded
    before = len(recorder.asked)
    for control in CONTROL:
        assert status(front, path.format(control)) in (400, 404), control
        assert status_over_2(front, path.format(control)) in (0, 400, 404), control
    assert recorder.asked[before:] == []


def test_a_control_character_in_a_query_is_passed_on_as_it_is(recorded: tuple[Front, Recorder]) -> None:
    front, recorder = recorded
    assert status(front, "/v1/server?x=%0a%00") == 200
    assert recorder.asked[-1].target == "/v1/server?x=%0a%00"


def test_a_target_in_absolute_form_is_passed_on_as_its_path(recorded: tuple[Front, Recorder]) -> None:
    front, recorder = recorded
    for scheme in ("http", "https", "HTTPS"):
        assert status(front, f"{scheme}://{NAME}:{front.port}/v1/server?x=1") == 200
        assert recorder.asked[-1].line == "GET /v1/server?x=1 HTTP/1.1"
        assert recorder.asked[-1].values("host") == [f"{NAME}:{front.port}"]


@pytest.mark.parametrize("target", ["*", "v1/server", "?x", f"{NAME}:80", "//", "/v1/server#x", f"https://{NAME}"])
def test_a_target_that_is_no_path_does_not_come_as_anything_else(recorded: tuple[Front, Recorder], target: str) -> None:
    front, recorder = recorded
    before = len(recorder.asked)
    assert status(front, target) in (200, 400, 404)
    assert {request.target for request in recorder.asked[before:]} <= {"/", "//", "/v1/server%23x"}
