"""The verdict's tools work and their figures agree with each other; speed is not tested."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench import processes
from bench.errors import BenchError
from bench.progress import Progress
from bench.report import as_document
from bench.verdict import claims, text
from bench.verdict.command import KEPT
from bench.verdict.far import Place
from bench.verdict.line import Line
from bench.verdict.measures import Result
from bench.verdict.namespaces import why_not
from bench.verdict.page import page
from bench.verdict.people import mqtt
from bench.verdict.rivals import running
from bench.verdict.rivals.kinds import KINDS
from bench.verdict.rivals.rival import Kind
from bench.verdict.scenes import Scene, Times
from bench.verdict.stacks import STACKS
from bench.verdict.wire import Conditions, Traffic
from serving import ROOT, environment, until
from ssechat.cli.main import commands
from ssechat.sizing.figures import MEASURED
from stopping import SIGNALS, leaves_no_process_behind

BENCH = (sys.executable, "-m", "tests.bench", "verdict")
SECONDS = 400.0
README = (ROOT / "README.md").read_text()
REAL = pytest.param(True, id="namespaces", marks=pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"))
KINDS_OF_LINE = [REAL, pytest.param(False, id="proxy")]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, *arguments], capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=environment(), check=False
    )


async def visit(place: Place, address: tuple[str, int], sources: tuple[int, ...]) -> list[tuple[float, float] | None]:
    """Connects, says a word and hears it again; returns the seconds of both, or None where nothing came in time."""
    found: list[tuple[float, float] | None] = []
    for source in sources:
        began = time.monotonic()
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(*address, local_addr=(place.sources[source], 0))
                connected = time.monotonic()
                writer.write(b"word")
                if await reader.readexactly(4) == b"word":
                    found.append((connected - began, time.monotonic() - connected))
                writer.transport.abort()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            found.append(None)
    return found


ECHO = """
import socket, threading
def serve(client):
    while word := client.recv(100): client.sendall(word)
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


@pytest.fixture
def namespace() -> str:
    return str(Path("/proc/self/ns/net").readlink())


@pytest.mark.parametrize("real", KINDS_OF_LINE)
def test_a_line_delays_counts_cuts_and_leaves_nothing_behind(real: bool, namespace: str) -> None:
    with Line(real=real) as line:
        assert line.real is real
        assert (str(Path("/proc/self/ns/net").readlink()) != namespace) is real
        children = processes.descendants(os.getpid())
        with subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE) as server:
            try:
                assert server.stdout is not None
                address = line.reach(("127.0.0.1", int(server.stdout.readline())))
                line.set(Conditions(60))
                before = line.wire.traffic
                [found] = line.run(20, visit, address, (0,))
                assert found is not None
                # Each takes a round trip; a proxy opens connections at once.
                assert found[1] >= 0.06
                assert (found[0] >= 0.06) is real
                went = line.wire.traffic - before
                assert went.connections == 1
                assert went.packets >= (4 if real else 2)
                assert went.bytes >= (8 + 40 * 4 if real else 8)
                line.wire.cut(True)
                whole, cut = line.run(20, visit, address, (0, 1))
                assert whole is not None
                assert cut is None
                line.wire.cut(False)
                [mended] = line.run(20, visit, address, (1,))
                assert mended is not None
            finally:
                server.kill()
    assert str(Path("/proc/self/ns/net").readlink()) == namespace
    until(lambda: not [pid for pid in children if "multiprocessing" in processes.command(pid) and "spawn_main" in
                       processes.command(pid)])  # fmt: skip


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_packets_are_lost_in_the_share_that_is_asked_for() -> None:
    with Line(real=True) as line:
        line.set(Conditions(0, 1.0))
        assert line.run(20, visit, ("127.0.0.1", 9), (0,)) == [None]
        assert line.wire.traffic.packets > 0
        assert line.wire.traffic.connections == 1, "a SYN that is sent again opens no second connection"


def test_a_line_says_why_it_is_only_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.verdict.line.why_not", lambda: "no right to")
    line = Line()
    assert not line.real
    assert "no right to" in line.note
    assert "handshakes of TCP cost nothing" in line.note


def agree(each: Any) -> None:
    """Figures of a scene fit together."""
    scene = each["scene"]
    assert scene["sent"] > 0
    assert scene["doubled"] == 0
    times = scene["to_other"]
    assert 0 < times["p50"] <= times["p90"] <= times["p99"] <= times["longest"]
    assert scene["bytes_each"] == pytest.approx(scene["traffic"]["bytes"] / scene["delivered"])
    assert scene["connections_per_10_000"] == pytest.approx(scene["traffic"]["connections"] * 10_000 / scene["sent"])
    assert scene["microseconds_each"] == pytest.approx(scene["cpu"] * 1e6 / scene["delivered"])


KEYS = ("http1", "websocket", "websocket-nginx", "polling", "careless")
"""Of ways, in the order of the report; the last one is not asked for the hard cases."""


def test_sends_and_hard_cases_are_measured_over_the_line(tmp_path: Path) -> None:
    result, html = tmp_path / "result.json", tmp_path / "result.html"
    only = [word for key in KEYS for word in ("--only", key)]
    done = run(
        "--part", "sends", "--part", "hard", *only, "--seconds", "0.6", "--json", str(result), "--html", str(html)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(result.read_text())
    line = document["line"]
    assert line["real"] is not bool(why_not())
    assert line["absent"] == []
    for what, keys in (
        ("sends", [*KEYS]),
        *((name, [*KEYS[:-1]]) for name in ("typing", "ticks")),
    ):
        assert [(each["key"], each["line"]) for each in line[what]] == [
            (key, name) for key in keys for name in (claims.FAST, claims.LOSSY)
        ]
        for each in line[what]:
            agree(each)
            assert each["scene"]["lost"] == 0
            least = 30 if each["line"] == claims.FAST else 100
            # A handshake of TCP costs a round trip, but with the proxy.
            careless = each["key"] == "careless" and line["real"]
            assert each["scene"]["to_other"]["p50"] >= least * (2 if careless else 1)
    careless = claims.find(document, "sends", "careless")["scene"]
    assert careless["traffic"]["connections"] >= careless["sent"]
    assert claims.find(document, "sends", "websocket")["scene"]["traffic"]["connections"] == 0
    for what in ("cut", "burst"):
        ours = claims.find(document, what, "http1")["scene"]
        assert (ours["lost"], ours["refused"], ours["delivered"]) == (0, 0, ours["sent"])
        for key in ("websocket", "websocket-nginx"):
            theirs = claims.find(document, what, key)["scene"]
            assert theirs["lost"] > 0, "what a WebSocket without a log was to carry meanwhile is gone"
            assert theirs["lost"] + theirs["delivered"] == theirs["sent"]
    shown = html.read_text()
    assert "<svg" in shown
    assert re.findall(r'(?:src|href)="http', shown) == []
    assert "They say: It is no better than long polling." in done.stdout
    section = claims.readme_section({**document, "size": json.loads(MEASURED.read_text())})
    assert len(section) <= 13
    assert max(map(len, section)) <= 120
    for key in ("http1", "websocket", "polling"):
        shown_time = f"{claims.find(document, 'sends', key)['scene']['to_other']['p50']:.1f} ms"
        assert any(dict(claims.ROWS)[key] in line and shown_time in line for line in section)


def test_the_sizing_is_that_of_the_command_and_leaves_out_no_machine() -> None:
    printed = json.loads(CliRunner().invoke(commands, ["size", "--json"], catch_exceptions=False).output)
    assert printed["plan"] == asdict(claims.TEXTBOOK)
    results = {"at": "2026-01-02T03:04:05", "size": printed["figures"]}
    section, sizing = " ".join(claims.readme_section(results)), printed["size"]
    assert f"(a textbook: {sizing['textbook_machines']})" in section
    for said in (section, claims.claims(results)[-1].measured):
        for machines in ("stream_machines", "worker_machines", "redis_machines"):
            assert re.search(rf"\b{sizing[machines]:,} (machines|with|for Redis)", said), machines


def test_rivals_are_measured_or_said_to_be_missing(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    only = ("ssechat", "mosquitto", "nchan")
    words = [word for key in only for word in ("--only", key)]
    done = run("--part", "rivals", *words, "--seconds", "0.5", "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(result.read_text())
    missing = [kind.key for kind in KINDS if kind.key in only and kind.absent]
    assert len(document["absent"]) == len(missing)
    assert all("apt-get install" in sentence for sentence in document["absent"])
    assert [each["key"] for each in document["rivals"]] == [
        kind.key for kind in KINDS if kind.key in only and kind.key not in missing
    ]
    for each in document["rivals"]:
        assert each["lost"] == 0
        assert 0 <= each["missing"] <= each["acknowledged"]
        assert each["acknowledged"] > 0
        assert each["deliveries_a_second"] > 0
        assert 0 < each["to_other"]["p50"] <= each["to_other"]["p99"]
    assert document["rivals"][0]["missing"] == 0


@pytest.mark.parametrize("error", [BenchError("it ended"), TimeoutError("timed out")])
def test_a_rival_that_fails_is_said_to_be_missing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(kind: Kind, seconds: float, progress: Progress) -> Any:
        if kind.key == "pushpin":
            raise error
        return kind.key

    monkeypatch.setattr(running, "_measure", measure)
    monkeypatch.setattr(Kind, "absent", "")
    figures, absent = running.measure_rivals(1, ["nchan", "pushpin"], Progress())
    shown: list[Any] = [*figures]
    assert shown == ["nchan"]
    assert absent == [f"Pushpin: could not be measured: {type(error).__name__}: {error}"]


def test_the_figures_of_size_are_measured_and_written(tmp_path: Path) -> None:
    file, result = tmp_path / "figures.json", tmp_path / "result.json"
    done = run("--part", "size", "--seconds", "0.5", "--figures", str(file), "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(file.read_text())
    assert figures == json.loads(result.read_text())["size"]
    assert figures["worker_microseconds"] > 0
    assert figures["redis_microseconds"] > 0
    # A message has its text once, and an entry in the inboxes of both.
    assert 20 < figures["entry_bytes"] < figures["message_bytes"] / 2
    assert figures["message_bytes"] > 80
    # A line has more of a send than its text, and more of that than of an event.
    assert figures["send_wire_bytes"] + figures["event_wire_bytes"] > 200
    sized = subprocess.run(
        [sys.executable, "-m", "ssechat", "size", "--figures", str(file), "--explain"],
        capture_output=True, text=True, timeout=60, env=environment(), check=True,
    )  # fmt: skip
    assert figures["at"][:10] in sized.stdout


@pytest.mark.parametrize(("number", "code"), SIGNALS.values(), ids=SIGNALS)
def test_stopped_halfway_it_leaves_no_process_behind(number: signal.Signals, code: int) -> None:
    # The clients, the line, the server, its Redis and two workers.
    leaves_no_process_behind([*BENCH, "--part", "sends", "--only", "http1"], 6, number, code)


def test_parts_cannot_be_kept_for_the_whole() -> None:
    done = run("--keep", "--part", "sends")
    assert done.returncode == 2
    assert "leave out --part" in done.stderr


def test_what_is_not_installed_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.verdict.stacks.missing", list)
    assert STACKS["caddy-http2"].absent.endswith("(caddy missing): apt-get install caddy")
    monkeypatch.setattr("bench.verdict.rivals.rival.missing", list)
    programs = [kind for kind in KINDS if kind.programs]
    assert len(programs) >= 5
    for kind in programs:
        assert kind.absent.endswith(kind.install)


@pytest.mark.parametrize(
    ("key", "websocket"),
    [("http1", "websocket"), ("nginx-http2", "websocket-nginx"), ("caddy-http1", "websocket-caddy")],
)
def test_a_way_is_compared_with_a_websocket_through_the_same_front(key: str, websocket: str) -> None:
    def result(key: str, p50: float) -> Result:
        times = Times(p50, p50, p50, p50)
        return Result(key, key, claims.FAST, Scene(1, 1, 0, 0, 0, times, 1.0, 0.1, Traffic(0, 0, 0), 0.0))

    others = [each for each in STACKS if each.startswith("websocket")]
    results = [result(key, 33.0), *(result(each, 30.0 if each == websocket else 50.0) for each in others)]
    assert text.rows(results, text.SEND_COLUMNS)[1][-1] == "1.10"
    document = json.loads(KEPT.read_text())
    document["line"]["sends"] = as_document({"sends": results})["sends"]
    assert '<td class="n">1.10</td></tr>' in page(document)


def test_numbers_of_mqtt_packets_are_encoded_as_the_standard_says() -> None:
    for length, size in ((0, b"\0"), (127, b"\x7f"), (128, b"\x80\1"), (16_383, b"\xff\x7f"), (16_384, b"\x80\x80\1")):
        assert mqtt.packet(3, 2, b"x" * length)[: 1 + len(size)] == b"\x32" + size


def test_traffic_is_counted_between_two_moments() -> None:
    assert Traffic(10, 3, 2) - Traffic(4, 1, 2) == Traffic(6, 2, 0)


def test_the_readme_shows_what_the_benchmark_wrote() -> None:
    if not KEPT.exists():
        # Without a file there is no figure to show.
        assert "tests.bench verdict" not in README
        return
    document = json.loads(KEPT.read_text())
    section = claims.readme_section(document)
    assert len(section) <= 13
    assert max(map(len, section)) <= 120
    assert document["size"] == json.loads(MEASURED.read_text()), "ssechat size has the figures of this run"
    assert KEPT.with_suffix(".html").read_text() == page(document)
    assert min(value for value in document["size"].values() if isinstance(value, float)) > 0
    assert claims.HEADING in README
    there = README[README.index(claims.HEADING) :].partition("\n## ")[0].strip().splitlines()
    assert there == section


def test_sockets_of_this_process_are_where_they_were() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 2):
        pass
