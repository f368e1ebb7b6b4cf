"""The benchmark of feeds runs, and its figures are consistent. Speed is not tested."""

import json
from array import array
from pathlib import Path

import pytest

from bench.feed_schedule import Schedule, following, newest
from test_bench import run

SMALL = ("--streams", "120", "--events", "2", "--quiet", "0.5", "--clients", "1")
CHANGES = ("--readers", "40", "--slow", "10", "--narrow-bytes", "5000", "--keys", "20", "--rate", "100")


def test_feeds_reports_who_got_what_how_late_and_at_what_cost(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    done = run("feeds", *SMALL, *CHANGES, "--seconds", "5", "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    figures = json.loads(result.read_text())["feeds"]
    assert figures["good"] is True
    others = [name for name in ("nchan", "pushpin") if f"{name}: not installed" not in done.stdout]
    assert [one["server"] for one in figures["announcements"]] == ["ssechat", *others]
    for one in figures["announcements"]:
        assert one["streams"] == 120 - one["ended"]
        assert one["delivered"] == 2 * one["streams"]
        assert 0 < one["to_stream"]["p50"] <= one["to_last"]["p99"]
        assert one["verdict"]["good"] is True, one["verdict"]
    changes = figures["changes"]
    assert (changes["behind"], changes["stale"]) == ({"quick": 0, "narrow": 0, "dozing": 0}, 0)
    alone, beside = changes["phases"]
    counts = [{kind: seen["readers"] for kind, seen in phase["seen"].items()} for phase in (alone, beside)]
    assert counts == [{"quick": 30, "narrow": 0, "dozing": 0}, {"quick": 30, "narrow": 5, "dozing": 5}]
    for phase in (alone, beside):
        assert phase["changes"] > 0
        assert phase["refusals"] == phase["others"] == []
        assert 0 < phase["readers_lag"] < 60_000
        assert phase["reads_per_change"] == pytest.approx(phase["reads"] / phase["changes"])
        for seen in phase["seen"].values():
            if seen["readers"]:
                assert 0 < seen["delay"]["p50"] <= seen["delay"]["p99"] <= seen["longest"]
                assert seen["values_a_second"] > 0
                assert seen["older"] == 0
    assert alone["reads_per_change"] < 0.5, "who is level reads the log for nothing"


def test_feeds_without_slow_readers_and_peers_has_one_phase(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    few = ("--readers", "10", "--slow", "0", "--rate", "50", "--seconds", "1")
    done = run("feeds", "--no-peers", *SMALL, *few, "--json", str(result))
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(result.read_text())["feeds"]
    assert len(figures["announcements"]) == len(figures["changes"]["phases"]) == 1
    wrong = run("feeds", "--readers", "5", "--slow", "5")
    assert (wrong.returncode, "some readers must be quick" in wrong.stderr) == (2, True)
    wrong = run("feeds", "--keep", "--json", str(result))
    assert (wrong.returncode, "says where the result goes" in wrong.stderr) == (2, True)


def test_a_schedule_says_which_change_of_a_key_comes_next_and_when() -> None:
    keys = array("i", [3, 1, 3, 3, 1])
    assert [*following(keys)] == [2, 4, 3, 5, 5]
    assert newest(keys) == {3: 3, 1: 4}
    schedule = Schedule(keys=4, rate=100, count=50)
    assert schedule.of_keys() == schedule.of_keys()
    assert {*schedule.of_keys()} == {0, 1, 2, 3}
    assert [schedule.due(change, 7) for change in (0, 1, 100)] == [7, 10_000_007, 1_000_000_007]
