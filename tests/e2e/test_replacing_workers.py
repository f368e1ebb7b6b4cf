"""Replacement of workers while clients chat: workers that hang, and rolling restarts."""

import contextlib
import http.client
import itertools
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from e2e.api import HOST, SERIES, Person, search_path, serve
from e2e.frames import numbers
from serving import Server, until

MISSED_BEATS = 3


def hanging(folder: Path, *arguments: str) -> Server:
    """A server whose workers hang on SIGUSR1 and are detected after `MISSED_BEATS`."""
    extra = {**search_path(folder, SERIES[0]), "MISSED_BEATS": str(MISSED_BEATS)}
    return Server(folder / "data", *arguments, program=("-m", "hanging", "serve"), extra_environment=extra)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGSTOP])
def test_streams_of_a_worker_that_hangs_come_back_on_its_replacement_and_nothing_acknowledged_is_lost(
    tmp_path: Path, number: signal.Signals
) -> None:
    with hanging(tmp_path, "--workers", "2") as server, contextlib.ExitStack() as stack:
        alice, bob = (stack.enter_context(Person(server, name)) for name in ("alice", "bob"))
        for person in (alice, bob):
            assert person.http.get("/v1/session").status_code == 200
        one, other = server.workers()
        before = [f"before {count}" for count in range(20)]
        meanwhile: list[str] = []
        with bob.listen_on(one) as stream:
            stream.first("hello")
            alice.on(other)
            for text in before:
                alice.say(text, "bob")
            stream.messages(20)
            one.send_signal(number)
            # The other worker continues; messages that it acknowledges meanwhile reach the reader later.
            while not stream.ended:
                meanwhile.append(f"meanwhile {len(meanwhile)}")
                alice.say(meanwhile[-1], "bob")
                time.sleep(0.02)
            cursor = stream.cursor
        with bob.listen(cursor) as stream:
            assert stream.first("hello").data["resumed"]
            alice.say("after", "bob")
            stream.messages(len(meanwhile) + 1)
            assert stream.texts == [*meanwhile, "after"]
            assert numbers(stream.events) == list(range(21, 22 + len(meanwhile)))
        until(lambda: not one.is_running())
        assert len(server.workers()) == 2
        assert f"worker {one.pid} has not answered for" in server.errors
        assert f"worker {other.pid} " not in server.errors


class Visitors:
    """Clients that request on new connections, one after another, until `stop`."""

    def __init__(self, server: Server, count: int) -> None:
        self._port = server.port
        self._done = threading.Event()
        self._pool = ThreadPoolExecutor(count)
        self._asking = [self._pool.submit(self._ask) for _ in range(count)]

    def stop(self) -> list[float]:
        """Stops the clients; returns the seconds of each request, or raises the error of one."""
        self._done.set()
        try:
            return list(itertools.chain.from_iterable(each.result() for each in self._asking))
        finally:
            self._pool.shutdown()

    def _ask(self) -> list[float]:
        waited = []
        while not self._done.is_set():
            began = time.monotonic()
            connection = http.client.HTTPConnection(HOST, self._port, timeout=20)
            connection.request("GET", "/healthz/live")
            assert connection.getresponse().read() == b'{"status":"live"}'
            connection.close()
            waited.append(time.monotonic() - began)
            time.sleep(0.002)
        return waited


@pytest.mark.alone("it measures how long the slowest of many requests waits")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_during_a_rolling_restart_no_new_connection_is_refused_or_waits(tmp_path: Path, workers: str) -> None:
    with serve(tmp_path, "--workers", workers, "--drain-seconds", "0") as server:
        before = {worker.pid for worker in server.workers()}
        visitors = Visitors(server, 3)
        try:
            server.send_signal(signal.SIGHUP)
            until(lambda: "rolling restart done" in server.errors, 40)
        finally:
            waited = visitors.stop()
        assert before.isdisjoint(worker.pid for worker in server.workers())
        assert len(waited) > 200
        assert max(waited) < 1


def test_a_rolling_restart_whose_workers_cannot_start_keeps_those_that_serve_and_says_why(tmp_path: Path) -> None:
    with serve(tmp_path, "--workers", "2") as server, Person(server, "alice") as alice:
        before = {worker.pid for worker in server.workers()}
        key = server.data / "jwt.key"
        kept: Any = key.read_bytes()
        key.write_bytes(b"no key")
        server.send_signal(signal.SIGHUP)
        until(lambda: "rolling restart given up; the current workers continue" in server.errors, 20)
        key.write_bytes(kept)
        assert {worker.pid for worker in server.workers()} == before
        assert alice.http.get("/v1/session").status_code == 200
