"""The benchmark of the fronts: that it works and that its figures agree with each other."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.fronting import KINDS
from serving import ROOT, environment


def test_it_reports_the_memory_of_a_stream_and_the_cpu_of_an_event_of_each_front(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    load = ("--streams", "40", "--seconds", "1", "--workers", "1", "--rate", "50")
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "fronts", *load, "--json", str(result)],
        capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "memory per stream (PSS), KB: front" in done.stdout
    figures = json.loads(result.read_text())["fronts"]
    assert [one["front"] for one in figures] == list(KINDS)
    for one in figures:
        assert one["streams"] == 40
        assert one["front_bytes_each"] == pytest.approx(one["front_memory"]["pss"] / 40)
        if one["front"] != "caddy":  # whose collector can return more than so few streams take
            assert one["front_bytes_each"] > 0
        assert 0 < one["events"] <= 60
        assert one["front_microseconds_each"] == pytest.approx(one["front_cpu"] * 1e6 / one["events"])
