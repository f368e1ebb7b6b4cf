"""Parts of the benchmarks: detection of faults, parsing of streams, and reports."""

import ctypes
import socket
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import Pipe

import pytest

from bench import nchan, pushpin
from bench.arrivals import Arrival, Checking, Received, StreamPlan, Tally
from bench.deliveries import compare, judge, percentile
from bench.dialects import Dialect
from bench.errors import BenchError
from bench.events import parse
from bench.generator import GAUGES, Gauges
from bench.peers import measure_peer, present
from bench.reconnecting import ReconnectingHolder, ReconnectingStream
from bench.saturation import Shares, saturation
from bench.senders import Count, Send
from bench.server import Subject, Textbook


def test_a_stream_that_was_cut_comes_back_after_the_pause_that_the_server_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gauges: Gauges = (ctypes.c_longlong * GAUGES)()
    ours, theirs = Pipe()
    with socket.create_server(("127.0.0.1", 0)) as server, ours, theirs:
        plan = StreamPlan(server.getsockname(), Dialect("/", greeting=b"hello"), Checking.COUNTING)
        holder = ReconnectingHolder(theirs, gauges, plan)
        holder.coming_back = True
        pauses: list[float] = []
        monkeypatch.setattr(holder, "pause", lambda stream, seconds: pauses.append(seconds))
        stream = ReconnectingStream(holder, 0)
        for said in (b"retry: 200\n\n", b"", b""):
            connection, _ = server.accept()
            stream._connected()
            assert connection.recv(4096).startswith(b"GET /")
            if said:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + said)
                stream._resumed()
            connection.close()
            stream._resumed()
            stream.come_back()
        stream.close()
    # No greeting arrived: each failure doubles the pause.
    assert pauses == pytest.approx([0.4, 0.8, 1.6])
    assert holder.storm.refused == 3


def test_a_peer_that_is_not_installed_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bench.peers.missing", list)
    able, sentences = present(["nchan", "sse-starlette"])
    assert able == ["sse-starlette"]
    assert sentences == [f"nchan: not installed (nginx, redis-server missing): {nchan.INSTALL}"]


@pytest.mark.parametrize("error", [BenchError("it ended"), TimeoutError("timed out")])
def test_a_peer_that_fails_costs_its_own_figures_only(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Textbook, "start", lambda server: None)

    def measure(server: Subject) -> str:
        if server.name == "websocket":
            raise error
        return server.name

    absent: list[str] = []
    figures = [one for name in ("websocket", "sse-starlette") for one in measure_peer(name, 1, measure, absent)]
    assert figures == ["sse-starlette"]
    assert absent == [f"websocket: could not be measured: {error}"]


def test_pushpin_is_asked_again_when_it_keeps_a_request_while_it_starts() -> None:
    requests = []

    def answer(server: socket.socket) -> None:
        kept, _ = server.accept()
        for answered in (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
            connection, _ = server.accept()
            with connection:
                requests.append(connection.recv(4096))
                connection.sendall(answered)
        kept.close()

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        server.settimeout(10)
        answering = pool.submit(answer, server)
        pushpin.wait_open(server.getsockname())
        answering.result(10)
    assert len(requests) == 2


def test_events_are_found_however_the_bytes_were_cut() -> None:
    frames = [
        "retry: 1000\n\n",
        'id: 0-7\nevent: hello\ndata: {"user":"ä"}\n\n',
        "id: 1-9\ndata: 5\n\nevent: x\ndata: 6\n\n",
    ]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(frame.encode()), frame.encode()) for frame in frames)
    everything = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks
    for size in (1, 7, len(everything)):
        parts = [everything[at : at + size] for at in range(0, len(everything), size)]
        found = list(parse(parts, list(range(len(parts)))))
        assert [(event.name, event.id, event.data) for event in found] == [
            ("hello", "0-7", {"user": "ä"}), ("message", "1-9", 5), ("x", "", 6)
        ]  # fmt: skip
        assert [event.arrived_at for event in found] == sorted(event.arrived_at for event in found)
        assert found[-1].arrived_at >= len(parts) - 3


def send(number: int, seq: int, status: int = 201) -> Send:
    return Send(number, "a", "b", 0, 1, status, "dm:a:b", seq)


def stream(user: str, *seen: tuple[int, int, int]) -> Received:
    """A stream with messages (number, n, seq)."""
    return Received(user, 0, [Arrival(number, n, "dm:a:b", seq, n) for number, n, seq in seen])


GOOD = ((11, 1, 1), (12, 2, 2))


@pytest.mark.parametrize(
    ("seen", "faults"),
    [
        (GOOD, (0, 0, 0, 0)),
        (GOOD[:1], (1, 0, 0, 0)),
        ((*GOOD, (12, 3, 2)), (0, 1, 0, 0)),
        (((12, 1, 2), (11, 2, 1)), (0, 0, 2, 0)),
        (((11, 1, 1), (12, 3, 2)), (0, 0, 1, 0)),
        (((12, 1, 1), (11, 2, 2)), (0, 0, 2, 0)),
        ((*GOOD, (99, 3, 3)), (0, 0, 0, 1)),
    ],
    ids=["as promised", "lost", "doubled", "swapped", "hole", "not where acknowledged", "from nowhere"],
)
def test_each_kind_of_fault_is_counted(
    seen: tuple[tuple[int, int, int], ...], faults: tuple[int, int, int, int]
) -> None:
    verdict = judge([send(11, 1), send(12, 2)], [stream("a", *GOOD), stream("b", *seen)])
    assert (verdict.lost, verdict.doubled, verdict.misordered, verdict.unexpected) == faults
    assert verdict.good is (faults == (0, 0, 0, 0))
    assert bool(verdict.examples) is not verdict.good


def test_a_send_without_an_answer_may_arrive_or_not_but_is_reported() -> None:
    for seen in (GOOD[:1], GOOD):
        verdict = judge([send(11, 1), send(12, 0, status=0)], [stream("a", *seen), stream("b", *seen)])
        assert (verdict.lost, verdict.misordered, verdict.unexpected) == (0, 0, 1)


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 51), (99, 100), (100, 100)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert percentile([float(each) for each in range(1, 101)], percent) == value


@pytest.mark.parametrize(
    ("expected", "jumps", "came", "faults"),
    [
        ([2, 2], 0, [2, 2], (0, 0, 0)),
        ([2, 2], 0, [2, 1], (1, 0, 0)),
        ([2, 1], 0, [2, 2], (0, 1, 0)),
        ([2, 2], 1, [2, 2], (0, 0, 1)),
    ],
    ids=["as promised", "lost", "doubled", "jumped"],
)
def test_faults_are_found_by_counting_too(
    expected: list[int], jumps: int, came: list[int], faults: tuple[int, int, int]
) -> None:
    sent = Count(array("q", expected), array("q"), unanswered=0, refusals=[])
    verdict = compare([sent], [Tally(array("q", came[:1]), array("q"), jumps), Tally(array("q", came[1:]), array("q"))])
    assert (verdict.lost, verdict.doubled, verdict.misordered) == faults
    assert verdict.good is (faults == (0, 0, 0))


def test_what_was_saturated_is_named() -> None:
    calm = Shares(worker=0.5, redis=0.2, client=0.5, machine=0.5, others=0.0)
    assert "Nothing" in saturation(calm)
    assert "GENERATOR" in saturation(replace(calm, client=0.95))
    assert "processes had 95%" in saturation(replace(calm, client=0.95, worker=0.95))
    assert "Redis was" in saturation(replace(calm, redis=0.95))
    assert "machine was" in saturation(replace(calm, machine=0.95))
    assert "OTHER PROGRAMS" in saturation(replace(calm, others=0.4))
