"""Metrics: which events are counted, and latencies under a fake clock."""

import asyncio

import pytest

from parts import Worker
from polling import until
from redises import RedisProcess
from ssechat.telemetry.histogram import Histogram
from ssechat.telemetry.metrics import KIND_NAMES, TIMED, Metrics, add

pytestmark = pytest.mark.anyio


def test_an_observation_falls_into_the_bucket_whose_bound_it_does_not_exceed() -> None:
    histogram = Histogram((1, 2, 4))
    for value in (0.5, 1, 1.5, 4, 4.1):
        histogram.observe(value)
    assert histogram.counts == [2, 1, 1, 1]
    assert histogram.sum == pytest.approx(11.1)


def test_a_time_before_its_beginning_counts_as_none_at_all() -> None:
    histogram = Histogram((1, 2))
    histogram.observe(-3, times=2)
    assert (histogram.counts, histogram.sum) == ([2, 0, 0], 0)


def test_an_increment_of_a_metric_writes_to_a_slot() -> None:
    assert not hasattr(Metrics(), "__dict__")


def test_under_load_some_wake_ups_are_timed_evenly_and_all_of_them_when_it_is_over() -> None:
    metrics = Metrics()
    metrics.wake_ups = 10 * TIMED
    metrics.pace()
    assert metrics.stride == 10
    metrics.wake_ups += 3
    metrics.pace()
    assert metrics.stride == 1


def test_a_kind_of_event_appears_in_the_snapshot_when_it_is_first_counted() -> None:
    metrics = Metrics()
    none = dict.fromkeys(KIND_NAMES, 0)
    assert metrics.snapshot()["events_live"] == none
    metrics.events_live["made up"] += 1
    metrics.events_from_log["reset"] += 2
    total = add([metrics.snapshot(), metrics.snapshot()])
    assert total["events_live"] == {**none, "made up": 2}
    assert total["events_from_log"] == {**none, "reset": 4}


def test_snapshots_add_up_name_by_name() -> None:
    one = {"a": 1, "b": {"x": 1, "y": 2}, "c": [1, 2.5]}
    other = {"a": 2, "b": {"y": 3, "z": 4}, "c": [10, 0.5]}
    assert add([one, other, {}]) == {"a": 3, "b": {"x": 1, "y": 5, "z": 4}, "c": [11, 3.0]}
    assert one == {"a": 1, "b": {"x": 1, "y": 2}, "c": [1, 2.5]}


async def test_a_stream_is_counted_when_it_opens_resumes_and_closes(worker: Worker) -> None:
    metrics = worker.hub.metrics
    await worker.say("missed")
    stream, _ = worker.open_stream("bob", "0-0")
    await until(lambda: stream.live)
    assert (metrics.connects, metrics.resumes, metrics.streams) == (1, 1, 1)
    assert (metrics.events_live["message"], metrics.events_from_log["message"]) == (0, 1)
    assert sum(metrics.latency_from_log.counts) == 0, "a reader who was away is not a late delivery"
    await worker.say("live")
    await until(lambda: metrics.events_live["message"] == 1)
    assert sum(metrics.latency_live.counts) == 1
    assert metrics.latency_live.sum < 5
    assert metrics.wake_ups == 1
    stream.bye("token_expired")
    stream.lost()  # the later end of the connection is not counted again
    assert metrics.streams == 0
    assert metrics.closes["token_expired"] == sum(metrics.closes.values()) == 1
    left, _ = worker.open_stream("bob", "9-9")
    await until(lambda: left.live)
    left.lost()
    assert metrics.resets["unknown"] == metrics.closes["gone"] == 1
    assert (metrics.connects, metrics.resumes, metrics.streams) == (2, 1, 0)


async def test_a_hole_is_counted_once_by_what_showed_it_and_what_fills_it_is_timed(worker: Worker) -> None:
    metrics, subscriptions = worker.hub.metrics, worker.hub.subscriptions
    stream, sink = worker.open_stream("bob")
    await until(lambda: stream.live)
    hear, unheard = subscriptions._on_message, []
    subscriptions._on_message = lambda *wake_up: unheard.append(wake_up)
    await worker.say("lost")
    await until(lambda: unheard)
    subscriptions._on_message = hear
    await worker.say("shows the hole")
    await until(lambda: len(sink.ids()) == 2 and stream.live)
    assert metrics.holes == {"wake_up": 1, "audit": 0}
    assert metrics.events_from_log == {**dict.fromkeys(KIND_NAMES, 0), "message": 2}
    assert sum(metrics.latency_from_log.counts) == 1  # the time of the event without a wake-up is unknown
    subscriptions._on_message = lambda *_: None
    await worker.say("lost as well")
    worker.clock.time += 60
    await worker.hub.sweep()
    await until(lambda: len(sink.ids()) == 3)
    assert metrics.holes == {"wake_up": 1, "audit": 1}


async def test_a_sweep_sees_who_is_slow(worker: Worker) -> None:
    stream, _ = worker.open_stream("bob")
    await until(lambda: stream.live)
    stream.pause()
    await worker.hub.sweep()
    assert (worker.hub.metrics.slow_readers, worker.hub.metrics.streams_behind) == (1, 1)
    stream.resume()
    await until(lambda: stream.live)
    await worker.hub.sweep()
    assert (worker.hub.metrics.slow_readers, worker.hub.metrics.streams_behind) == (0, 0)


async def test_calls_to_redis_are_timed_and_what_shares_one_is_counted(worker: Worker) -> None:
    metrics = worker.redis.metrics
    before = sum(metrics.redis_seconds.counts)
    await asyncio.gather(*[worker.say(f"m{number}") for number in range(8)])
    assert sum(metrics.redis_seconds.counts) > before
    assert metrics.batch_items.sum == 8, "a send is one item, its deliveries included"
    assert sum(metrics.batch_items.counts) < metrics.batch_items.sum


async def test_a_lost_connection_to_redis_is_counted_and_the_next_one_is_up(
    worker: Worker, redis: RedisProcess
) -> None:
    commands, heard = worker.redis.metrics, worker.hub.metrics
    await until(lambda: commands.redis_connected["commands"] and heard.redis_connected["subscriptions"])
    assert commands.redis_lost["commands"] == heard.redis_lost["subscriptions"] == 0
    with redis.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
        client.client_kill_filter(_type="pubsub", skipme=True)
    await until(lambda: commands.redis_lost["commands"] == heard.redis_lost["subscriptions"] == 1)
    await until(lambda: commands.redis_connected["commands"] and heard.redis_connected["subscriptions"])


async def test_the_lag_of_pub_sub_is_the_pings_round_trip(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.redis.subscriptions.TICK", 0.02)
    monkeypatch.setattr("ssechat.redis.subscriptions.PING_SECONDS", 0.05)
    worker.hub.subscriptions._wake.set()
    await until(lambda: sum(worker.hub.metrics.pubsub_lag.counts) >= 2)
    assert worker.hub.metrics.pubsub_lag.sum < 2
