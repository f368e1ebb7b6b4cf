from types import SimpleNamespace
from typing import Any

from ssechat.streams.sweep import PARTS, SMALL, Sweep
from ssechat.telemetry.metrics import Metrics


def stream(slow: bool = False, live: bool = True, closed: bool = False) -> Any:
    return SimpleNamespace(paused_at=1.0 if slow else None, live=live, closed=closed)


def test_each_sweep_visits_all_streams_if_they_are_few() -> None:
    streams = [stream() for _ in range(SMALL)]
    sweep = Sweep(lambda: iter(streams), Metrics())
    for _ in range(3):
        assert sweep.next_part(len(streams)) == streams


def test_many_streams_are_visited_once_per_round_of_sweeps() -> None:
    streams = [stream() for _ in range(10 * SMALL + 3)]
    sweep = Sweep(lambda: iter(streams), Metrics())
    parts = [sweep.next_part(len(streams)) for _ in range(PARTS)]
    assert max(map(len, parts)) < len(streams) / PARTS + 2
    assert [id(one) for part in parts for one in part] == [id(one) for one in streams]
    assert sweep.next_part(len(streams)) == parts[0]


def test_slow_and_behind_streams_are_counted_over_a_round_of_sweeps() -> None:
    streams = [stream() for _ in range(5 * SMALL)]
    streams[3] = stream(slow=True, live=False)
    streams[-1] = stream(live=False)
    streams[7] = stream(live=False, closed=True)
    metrics = Metrics()
    sweep = Sweep(lambda: iter(streams), metrics)
    for _ in range(PARTS - 1):
        sweep.next_part(len(streams))
        assert (metrics.slow_readers, metrics.streams_behind) == (0, 0)
    sweep.next_part(len(streams))
    assert (metrics.slow_readers, metrics.streams_behind) == (1, 2)
    streams[3] = streams[-1] = stream()
    for _ in range(PARTS):
        sweep.next_part(len(streams))
    assert (metrics.slow_readers, metrics.streams_behind) == (0, 0)
