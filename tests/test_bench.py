"""The measuring tool: that it works and that its figures agree with each other. Speed is not tested."""

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from array import array
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import nchan, processes
from bench.deliveries import compare, judge, percentile
from bench.dialects import Dialect
from bench.events import parse
from bench.generator import GAUGES, Gauges
from bench.peers import present
from bench.reconnecting import ReconnectingHolder, ReconnectingStream
from bench.saturation import Shares, saturation
from bench.senders import Count, Send
from bench.streams import Arrival, Checking, Received, StreamPlan, Tally
from serving import ROOT, environment, until

BENCH = (sys.executable, "-m", "tests.bench")
SECONDS = 120.0


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, *arguments],
        capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=environment(), check=False, **options,
    )  # fmt: skip


def test_idle_reports_the_memory_of_a_stream_and_its_ratio_to_those_of_peers(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    done = run("idle", "--streams", "200", "--peer-streams", "200", "--workers", "2", "--json", str(result))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no progress line where there is no terminal"
    assert "memory per stream (PSS), KB" in done.stdout
    ours, *peers = json.loads(result.read_text())["idle"]
    known = ["nchan", "pushpin", "sse-starlette", "websocket"]
    present = [name for name in known if f"{name}: not installed" not in done.stdout]
    assert present[-2:] == known[-2:], "these come with the test environment"
    assert [one["server"] for one in (ours, *peers)] == ["ssechat", *present]
    assert (ours["streams"], ours["workers"]) == (200, 2)
    for one in (ours, *peers):
        grown = one["after"]["pss"] - one["before"]["pss"]
        assert one["bytes_each"] == pytest.approx(grown / one["streams"])
        assert 0 < one["private_bytes_each"] < 200_000
        assert one["opened_a_second"] > 0
        assert one["complaints"] == []
    assert ours["bytes_each"] < min(peer["bytes_each"] for peer in peers)


@pytest.mark.parametrize("checking", ["exact", "counting"])
def test_sends_reports_rates_latencies_and_cpu_that_agree_with_each_other(checking: str, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    load = ("--streams", "50", "--connections", "8", "--senders", "2", "--pipelining", "2", "--checking", checking)
    done = run("sends", *load, "--rate", "0", "--warm-up", "0.2", "--seconds", "1", "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sends acknowledged a second" in done.stdout
    document = json.loads(result.read_text())
    assert document["machine"]["cores"] >= 1
    runs = document["sends"]["runs"]
    others = [] if "nchan: not installed" in done.stdout else ["nchan"]
    assert [one["server"] for one in runs] == ["ssechat", *others]
    for figures in runs:
        assert 0 < figures["acknowledged"] <= figures["all_acknowledged"]
        assert figures["acknowledged_a_second"] == pytest.approx(figures["acknowledged"] / figures["seconds"])
        # Two deliveries each, but for those at the edges: 8 connections with 2 under way, at either edge.
        assert abs(figures["delivered"] - 2 * figures["acknowledged"]) <= 4 * 16
        for latency in (figures["to_answer"], figures["to_arrival"]):
            assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] < 1000 * SECONDS
        assert sum(second["messages"] for second in figures["series"]) > 0
        assert figures["cpu"]["workers"] > 0
        assert figures["microseconds_each"]["workers"] == pytest.approx(
            figures["cpu"]["workers"] * 1e6 / figures["delivered"]
        )
        verdict = figures["verdict"]
        assert (verdict["lost"], verdict["doubled"], verdict["misordered"], verdict["unexpected"]) == (0, 0, 0, 0)
        assert verdict["good"] is True
        assert figures["saturation"]
    assert runs[0]["checking"] == checking


def test_sends_at_a_rate_leave_evenly(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    load = ("--streams", "50", "--connections", "8", "--rate", "60", "--no-peers")
    done = run("sends", *load, "--warm-up", "0.5", "--seconds", "2", "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    (figures,) = json.loads(result.read_text())["sends"]["runs"]
    # 60 a second from the start until it is told to stop.
    assert 150 <= figures["all_acknowledged"] <= 60 * SECONDS
    assert figures["verdict"]["good"] is True


def test_fanout_reports_what_an_event_to_many_costs_and_what_others_notice(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    load = ("--streams", "100", "--others", "10", "--rate", "10", "--seconds", "1.5")
    done = run("fanout", *load, "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(result.read_text())["fanout"]
    others = [] if "nchan: not installed" in done.stdout else ["nchan"]
    assert [one["server"] for one in figures] == ["ssechat", *others]
    for one in figures:
        assert one["events"] > 0
        assert one["delivered"] >= 100
        assert one["verdict"]["good"] is True, one["verdict"]
        for name in ("to_stream", "to_last", "others_alone", "others_during"):
            assert 0 < one[name]["p50"] <= one[name]["p99"]
        assert one["to_stream"]["p50"] <= one["to_last"]["p99"]


def test_capacity_reports_memory_and_latency_and_draws_it(tmp_path: Path) -> None:
    result, plot = tmp_path / "result.json", tmp_path / "plot.svg"
    load = ("--streams", "100", "--rate", "50", "--connections", "8", "--warm-up", "0.5", "--seconds", "2.5")
    done = run("capacity", *load, "--workers", "2", "--json", str(result), "--plot", str(plot))
    assert done.returncode == 0, done.stdout + done.stderr
    (figures,) = json.loads(result.read_text())["capacity"]["runs"]
    assert (figures["streams"], figures["workers"], figures["checking"]) == (100, 2, "counting")
    assert figures["memory_open"]["pss"] > figures["memory_before"]["pss"]
    assert figures["verdict"]["good"] is True
    lines = ElementTree.parse(plot).getroot().findall(".//{http://www.w3.org/2000/svg}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [len(figures["series"])] * 3
    assert len(figures["series"]) >= 2


def test_after_a_storm_every_stream_is_back_with_all_it_missed(tmp_path: Path) -> None:
    result, plot = tmp_path / "result.json", tmp_path / "plot.svg"
    load = ("--streams", "60", "--workers", "2", "--quiet", "0.5")
    done = run("storm", *load, "--json", str(result), "--plot", str(plot))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(result.read_text())["storm"]
    assert sum(figures["level"]) == 60
    assert 0 < figures["first"] <= figures["half"] <= figures["last"]
    assert figures["attempts"] >= 60
    assert figures["acknowledged"] > 0
    assert figures["given_up"] == figures["resets"] == 0
    assert figures["good"] is True
    assert any("SIGKILL" in line for line in figures["complaints"])
    assert ElementTree.parse(plot).getroot().tag.endswith("svg")


def test_churn_reports_memory_and_pauses(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    load = ("--connects", "100", "--users", "10", "--held", "20", "--settle", "0.2", "--watch", "0.5")
    done = run("churn", *load, "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(result.read_text())["churn"]
    grown = figures["after"]["pss"] - figures["before"]["pss"]
    assert figures["bytes_each"] == pytest.approx(grown / 100)
    for name in ("held_pauses", "churn_pauses"):
        assert figures[name]["asked"] > 0
        assert figures[name]["latency"]["p99"] <= figures[name]["longest"]
    assert figures["connects_a_second"] > 0


def test_a_stream_that_was_cut_comes_back_after_the_pause_that_the_server_asked_for() -> None:
    gauges: Gauges = (ctypes.c_longlong * GAUGES)()
    ours, theirs = Pipe()
    with socket.create_server(("127.0.0.1", 0)) as server, ours, theirs:
        plan = StreamPlan(server.getsockname(), Dialect("/", greeting=b"hello"), Checking.COUNTING)
        holder = ReconnectingHolder(theirs, gauges, plan)
        holder.coming_back = True
        pauses: list[float] = []
        holder.pause = lambda stream, seconds: pauses.append(seconds)  # type: ignore[method-assign]
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
    # Nothing was greeted: each failure doubles it.
    assert pauses == pytest.approx([0.4, 0.8, 1.6])
    assert holder.storm.refused == 3


def test_a_peer_that_is_not_installed_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bench.peers.missing", list)
    able, sentences = present(["nchan", "sse-starlette"])
    assert able == ["sse-starlette"]
    assert sentences == [f"nchan: not installed (nginx, redis-server missing): {nchan.INSTALL}"]


def test_it_says_so_when_descriptors_do_not_suffice() -> None:
    done = run(
        "idle", "--streams", "5000", "--no-peers",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500)),
    )  # fmt: skip
    assert done.returncode == 2
    assert "file descriptors" in done.stderr
    assert "500" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupted", "terminated"]
)
def test_stopped_halfway_it_leaves_no_process_behind(number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [*BENCH, "sends", "--streams", "20", "--connections", "4", "--workers", "1", "--no-peers"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment(),
    )  # fmt: skip
    family: dict[int, str] = {}

    def left() -> list[int]:
        return [pid for pid, was in family.items() if was and processes.command(pid) == was]

    try:
        # The server, its Redis and its worker, and two clients.
        until(lambda: len(processes.descendants(process.pid)) >= 5, 60)
        time.sleep(0.5)
        family = {pid: processes.command(pid) for pid in processes.descendants(process.pid)}
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code
        assert "Traceback" not in errors
        until(lambda: not left())
    finally:
        process.kill()
        process.communicate()
        for pid in left():
            os.kill(pid, signal.SIGKILL)


def test_help_shows_examples() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "python -m tests.bench all --json" in done.stdout


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
