"""The benchmarks run, and their figures are consistent. Speed is not tested."""

import json
import resource
import signal
import subprocess
import sys
from math import inf
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from serving import ROOT, environment
from stopping import SIGNALS, leaves_no_process_behind

BENCH = (sys.executable, "-m", "tests.bench")
SECONDS = 300.0
"""Upper bound of a run. Alone each takes less than a minute; other tests may run at the same time."""


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
        assert one["bytes_each"] == pytest.approx(grown / (one["streams"] - one["first"]))
        # So few streams may fit into memory that the start has freed.
        assert one["private_bytes_each"] < 200_000
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
    others = [] if "nchan: not installed" in done.stdout else ["nchan inboxes", "nchan"]
    assert [one["server"] for one in runs] == ["ssechat", *others]
    for figures in runs:
        assert 0 < figures["acknowledged"] <= figures["all_acknowledged"]
        assert figures["acknowledged_a_second"] == pytest.approx(figures["acknowledged"] / figures["seconds"])
        # Two deliveries per message, except at the edges: 8 connections with 2 requests in flight, at either edge.
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
    # 60 per second from the start to the command `stop`.
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
        for latency in (one["to_stream"], one["to_last"], *one["others"].values()):
            assert 0 < latency["p50"] <= latency["p99"]
        assert one["to_stream"]["p50"] <= one["to_last"]["p99"]


def test_groups_reports_what_a_delivery_costs_and_checks_each_of_them(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    # 70 are too many for one script: they are delivered to in two steps.
    load = ("--people", "70", "--streams", "10", "--size", "70", "--rate", "0", "--connections", "4")
    quick = ("--others", "4", "--others-rate", "20", "--seconds", "1", "--warm-up", "0.2")
    done = run("groups", *load, "--reactions", "60", *quick, "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(result.read_text())["groups"]
    sends, reactions, building = figures["sends"], figures["reactions"], figures["building"]
    assert [(one["name"], one["groups"]) for one in sends] == [("direct", 35), ("groups of 70", 1)]
    for one in sends:
        assert 0 < one["acknowledged"] <= one["all_acknowledged"]
        assert one["delivered"] == one["acknowledged"] * one["members"]
        assert one["milliseconds_a_send"] == pytest.approx(one["microseconds_each"]["server"] * one["members"] / 1000)
    # Reactions that wait for each other share an entry.
    assert 0 < reactions["entries"] < 60
    assert reactions["seen"] == [reactions["entries"]] * 2
    assert 0 < reactions["to_answer"]["p50"] <= 1000 * reactions["seconds"]
    assert [(one["way"], one["requests"]) for one in building] == [("one request", 1), ("single joins", 69)]
    assert (building[0]["entries"], building[0]["deliveries"]) == (1, 70)
    # People who join at once may share an entry.
    assert 0 < building[1]["entries"] <= 69
    assert 70 <= building[1]["deliveries"] <= sum(range(2, 71))
    for one in (*sends, reactions, *building):
        assert one["verdict"]["good"] is True, one["verdict"]
        assert one["complaints"] == []
        assert 0 < one["others"]["stream_alone"]["p50"] <= one["others"]["stream_alone"]["p99"]
        assert one["cpu"]["workers"] > 0
        assert one["saturation"] in done.stdout


def test_flood_reports_what_one_user_at_full_speed_is_allowed_and_what_honest_people_notice(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    load = ("--members", "100", "--connections", "6", "--limit", "1000", "--others", "10", "--others-rate", "20")
    done = run("flood", *load, "--seconds", "1.5", "--workers", "2", "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "p99, times that without" in done.stdout
    figures = json.loads(result.read_text())["flood"]
    assert [(one["target"], one["limit"]) for one in figures] == [
        ("one person", 1000), ("a group of 100", 1000), ("one person", 0), ("a group of 100", 0),
    ]  # fmt: skip
    for one in figures:
        assert one["verdict"]["good"] is True, one["verdict"]
        assert 0 < one["accepted"] <= one["stored"]
        assert one["deliveries"] == one["accepted"] * one["members"]
        if one["limit"]:  # as identity/leases.py promises
            most = 1000 * (1 + (one["seconds"] + 5) / 60) + 1000 / 8 + 2 * 6 * one["members"]
            assert one["deliveries"] <= most
        else:
            assert one["refused"] == 0
        honest = one["others"]
        assert one["answers_later"] == pytest.approx(honest["answer_during"]["p99"] / honest["answer_alone"]["p99"])
        assert one["streams_later"] == pytest.approx(honest["stream_during"]["p99"] / honest["stream_alone"]["p99"])


def test_state_reports_what_marks_typing_and_presence_cost_and_that_each_was_told(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    load = ("--people", "20", "--rounds", "3", "--streams", "42", "--watched", "20", "--readers", "1")
    done = run("state", *load, "--seconds", "1", "--workers", "2", "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(result.read_text())["state"]
    assert [(one["requests"], one["told"]) for one in figures["acts"]["acts"]] == [(30, 60), (30, 30), (30, 30)]
    for one in figures["acts"]["acts"]:
        assert one["due"] == one["told"]
        assert 0 < one["to_answer"]["p50"] <= one["to_answer"]["p99"]
    presence = figures["presence"]
    assert (presence["streams"], presence["gone"], presence["flickers"]) == (42, 2, 0)
    for listed in (presence["listed"], presence["anew"]):
        assert (listed["told"], listed["due"]) == (840, 840)
        assert listed["seconds"] < 10
    assert (presence["left"]["told"], presence["left"]["due"]) == (40, 40)
    assert 12 < presence["left"]["seconds"] < 60, "after the grace"


def test_capacity_reports_memory_and_latency_and_draws_it(tmp_path: Path) -> None:
    result, plot = tmp_path / "result.json", tmp_path / "plot.svg"
    load = ("--streams", "100", "--rate", "50", "--connections", "8", "--warm-up", "0.5", "--seconds", "2.5")
    done = run("capacity", *load, "--workers", "2", "--json", str(result), "--plot", str(plot))
    assert done.returncode == 0, done.stdout + done.stderr
    (figures,) = json.loads(result.read_text())["capacity"]["runs"]
    assert (figures["streams"], figures["workers"], figures["checking"]) == (100, 2, "counting")
    assert min(figures["memory_open"]["pss"], figures["memory_before"]["pss"]) > 0
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


def test_ways_reports_what_each_way_of_a_request_costs(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    done = run("ways", "--rounds", "2", "--seconds", "0.5", "--streams", "50", "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    ways = json.loads(result.read_text())["ways"]["ways"]
    assert [way["way"] for way in ways] == ["ASGI", "protocol", "protocol, eager tasks", "protocol, header cache"]
    for way in ways:
        assert way["way"] in done.stdout
        for name in ("send_microseconds", "sends_a_second", "back_milliseconds"):
            assert len(way[name]) == 2
            assert min(way[name]) > 0


def test_bytecode_counts_the_same_instructions_of_a_send_each_time(tmp_path: Path) -> None:
    runs = []
    for sends in ("20", "50"):
        result = tmp_path / f"{sends}.json"
        done = run("bytecode", "--sends", sends, "--functions", "5", "--json", str(result))
        assert done.returncode == 0, done.stdout + done.stderr
        figures = json.loads(result.read_text())["bytecode"]
        assert figures["sends"] == int(sends)
        assert figures["instructions"] == sum(one["instructions"] for one in figures["functions"])
        calls = {one["name"]: one["calls"] for one in figures["functions"]}
        assert calls["http/endpoints/messages.py: MessagesEndpoint.send"] == 2, "one call, and one after the await"
        assert calls["streams/stream.py: Stream.offer"] == 2, "of the sender's and the recipient's stream"
        for one in figures["functions"][:5]:
            assert one["name"] in done.stdout
        runs.append(figures["instructions"])
    assert runs[0] == pytest.approx(runs[1], rel=0.01)


def test_churn_reports_memory_and_pauses(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    load = ("--connects", "100", "--users", "10", "--held", "20", "--settle", "0.2", "--watch", "3")
    done = run("churn", *load, "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(result.read_text())["churn"]
    grown = figures["after"]["pss"] - figures["before"]["pss"]
    assert figures["bytes_each"] == pytest.approx(grown / 100)
    for name in ("held_pauses", "churn_pauses"):
        assert figures[name]["asked"] > 0
        assert figures[name]["latency"]["p99"] <= figures[name]["longest"]
    assert figures["connects_a_second"] > 0
    assert figures["held_collections"]["count"] > 0
    assert 0 < figures["held_collections"]["longest_below"] < inf
    assert "garbage collections" in done.stdout


def test_it_says_so_when_descriptors_do_not_suffice() -> None:
    done = run(
        "idle", "--streams", "5000", "--no-peers",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500)),
    )  # fmt: skip
    assert done.returncode == 2
    assert "file descriptors" in done.stderr
    assert "500" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), SIGNALS.values(), ids=SIGNALS)
def test_stopped_halfway_it_leaves_no_process_behind(number: signal.Signals, code: int) -> None:
    # The server, its Redis and its worker, and two clients.
    leaves_no_process_behind(
        [*BENCH, "sends", "--streams", "20", "--connections", "4", "--workers", "1", "--no-peers"], 5, number, code
    )


def test_help_shows_examples() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "python -m tests.bench all --json" in done.stdout


def test_page_reports_what_a_key_costs_and_that_only_some_messages_have_elements(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    done = run("page", "--messages", "20", "--messages", "250", "--keys", "5", "--json", str(result))
    assert done.returncode == 0, done.stderr
    assert "a key, ms of CPU" in done.stdout
    few, many = json.loads(result.read_text())["page"]
    assert (few["messages"], many["messages"]) == (20, 250)
    assert few["in_page"] == 30, "ten more have arrived"
    assert many["in_page"] < 160
    for figures in (few, many):
        assert figures["elements"] > figures["in_page"]
        assert figures["arrival"] > 0
