"""A worker that lags behind Redis until Redis drops its subscriptions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py

from e2e.api import PATIENCE, SERIES, Person, serve
from e2e.frames import numbers
from serving import Server, until

LIMIT = 64 * 1024
"""Bytes that Redis buffers for a subscriber in this test. Sockets buffer some 200 KB more."""

LENGTH = 3_500
"""Characters of a text: its wake-up has the whole message, some 4 KB."""

DROPPED = "overcoming of output buffer limits"
"""A part of Redis's log line for a client that it disconnects for lag."""


@pytest.fixture(params=SERIES)
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    # The longest audit interval: a stream gets events because the loss of the subscriptions was noticed.
    with serve(tmp_path, "--audit-seconds", "60", series=request.param) as running:
        yield running


def subscribers(redis: "redis_py.Redis") -> set[str]:
    """The ids of the subscribed connections."""
    clients: list[dict[str, str]] = redis.client_list(_type="pubsub")
    return {client["id"] for client in clients}


def test_a_worker_that_redis_drops_for_lag_catches_all_its_streams_up(
    server: Server, alice: Person, bob: Person
) -> None:
    lagging, other = server.workers()
    log = server.data / "redis" / "redis.log"
    with (
        redis_py.Redis(unix_socket_path=str(server.data / "redis" / "redis.sock"), protocol=2) as redis,
        alice.listen_on(lagging) as own,
        bob.listen_on(lagging) as there,
        bob.listen_on(other) as here,
    ):
        readers = (own, there, here)
        for reader in readers:
            reader.first("hello")
        listening = subscribers(redis)
        assert len(listening) == 2
        redis.config_set("client-output-buffer-limit", f"pubsub {LIMIT} 0 0")
        sent = [alice.say("before", bob.user)]
        until(lambda: all(len(reader.texts) == 1 for reader in readers))
        alice.on(other)  # not earlier: an idle connection is closed soon
        lagging.suspend()
        try:
            while subscribers(redis) == listening:
                assert len(sent) < 2_000, "Redis does not drop the worker"
                sent.append(alice.say(f"{len(sent)} ".ljust(LENGTH, "x"), bob.user))
            # No stream hears of these: the worker has lost its subscriptions, and has not noticed.
            sent += [alice.say(f"unheard {number}", bob.user) for number in range(20)]
            here.messages(len(sent))
        finally:
            lagging.resume()
        assert len(subscribers(redis) & listening) == 1
        assert DROPPED in log.read_text()
        for reader in readers:
            reader.messages(len(sent), PATIENCE)
        until(lambda: len(subscribers(redis)) == 2)
        sent.append(alice.say("after", bob.user))
        for reader in readers:
            assert reader.messages(len(sent)) == sent
            assert numbers(reader.events) == list(range(1, len(sent) + 1))
            assert {event.name for event in reader.events} <= {"hello", "message", "ping"}
            assert not reader.ended
