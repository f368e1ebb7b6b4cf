"""Who is there, on a real server: over workers that die and are replaced."""

import contextlib
import selectors
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import psutil
import pytest

from e2e.api import HOST, Person, Reader, fresh, mint, serve
from serving import Server, until

PEOPLE = 1000
WATCHERS = 10
OFFLINE_SECONDS = 45.0
"""Upper bound of the time until somebody who has gone counts as offline: lingering, grace, and what a busy machine
takes."""

WRITTEN_SECONDS = 2.0
"""Seconds after which it is written whose streams a worker has."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path, "--drain-seconds", "1") as running:
        yield running


def accepted(*workers: psutil.Process) -> set[int]:
    """The clients' ports of the connections that these workers have accepted."""
    return {each.raddr.port for worker in workers for each in worker.net_connections("tcp") if each.raddr}


def have_accepted(ports: set[int], *workers: psutil.Process) -> bool:
    """Whether they have accepted all of these connections."""
    return ports <= accepted(*workers)


class Crowd:
    """People with a stream each, of which only the connection is kept."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sockets: dict[str, socket.socket] = {}

    def connections_to(self, worker: psutil.Process, count: int) -> list[socket.socket]:
        """So many new connections that this worker has accepted."""
        found: list[socket.socket] = []
        while len(found) < count:
            some = [socket.create_connection((HOST, self.server.port)) for _ in range(100)]
            ports = {each.getsockname()[1] for each in some}
            others = [each for each in self.server.workers() if each.pid != worker.pid]
            until(partial(have_accepted, ports, worker, *others))
            there = accepted(worker)
            for each in some:
                if each.getsockname()[1] in there and len(found) < count:
                    found.append(each)
                else:
                    each.close()
        return found

    def open(self, names: Sequence[str], connections: Sequence[socket.socket] | None = None) -> None:
        """A stream for each of these, on these connections or on new ones; returns once all are live."""
        if connections is None:
            connections = [socket.create_connection((HOST, self.server.port)) for _ in names]
        with selectors.DefaultSelector() as waiting:
            for name, connection in zip(names, connections, strict=True):
                head = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mint(self.server, name)}\r\n\r\n"
                connection.sendall(head.encode())
                self.sockets[name] = connection
                waiting.register(connection, selectors.EVENT_READ, bytearray())
            deadline = time.monotonic() + 60
            while waiting.get_map():
                assert time.monotonic() < deadline
                for each, _ in waiting.select(1):
                    connection = self.sockets_of(each.fileobj)
                    each.data.extend(connection.recv(65536))
                    if b"event: hello" in each.data:
                        waiting.unregister(connection)

    @staticmethod
    def sockets_of(given: object) -> socket.socket:
        assert isinstance(given, socket.socket)
        return given

    def close(self, names: Sequence[str]) -> None:
        for name in names:
            self.sockets.pop(name).close()


@pytest.fixture
def three_workers(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path, "--workers", "3", "--deliveries-per-user", "0") as running:
        yield running


@pytest.fixture
def crowd(server: Server) -> Iterator[Crowd]:
    crowd = Crowd(server)
    yield crowd
    crowd.close([*crowd.sockets])


def told(reader: Reader) -> list[tuple[str, bool]]:
    """What a stream was told, in order."""
    return [(each["user"], each["online"]) for event in reader.named("presence") for each in event.data["users"]]


def now(reader: Reader) -> dict[str, bool]:
    """What a client knows by its events."""
    return dict(told(reader))


def knows(count: int, reader: Reader) -> bool:
    """Whether a client knows of so many people."""
    return len(now(reader)) == count


def knows_gone(names: set[str], reader: Reader) -> bool:
    """Whether a client knows that these are offline."""
    return names <= {name for name, online in now(reader).items() if not online}


def watch(person: Person, names: Sequence[str], **more: str) -> dict[str, bool]:
    """Gives a list; the answer."""
    answer = person.http.put("/v1/presence", json={"watch": [*names], **more})
    assert answer.status_code == 200, answer.text
    return {each["user"]: each["online"] for each in answer.json()["users"]}


@pytest.mark.alone("a thousand clients must be back within a time that a busy machine would take from them")
def test_the_death_of_a_worker_is_told_once_of_those_who_stay_away_and_never_of_those_who_come_back(
    server: Server, crowd: Crowd
) -> None:
    survivor, victim = server.workers()
    names = [f"p{number:03}" for number in range(PEOPLE)]
    crowd.open(names, crowd.connections_to(victim, PEOPLE))
    with contextlib.ExitStack() as stack:
        watchers = [stack.enter_context(Person(server, fresh("watcher"))) for _ in range(WATCHERS)]
        for watcher in watchers:
            assert watcher.on(survivor).http.get("/v1/session").status_code == 200
        members = names + [watcher.user for watcher in watchers[1:]]
        group = watchers[0].http.post("/v1/conversations", json={"name": "All", "members": members}).json()["id"]
        shares = [names[at::WATCHERS] for at in range(WATCHERS)]
        readers = [stack.enter_context(watcher.listen_on(survivor)) for watcher in watchers]
        for watcher, reader, share in zip(watchers, readers, shares, strict=True):
            assert watch(watcher, share, **{"in": group}) == dict.fromkeys(share, True)
            reader.until(partial(knows, len(share)))
            assert now(reader) == dict.fromkeys(share, True)
        victim.kill()
        died = time.monotonic()
        away = {name for name in names if int(name[1:]) % 10 < 3 and int(name[1:]) % 7}
        back = [name for name in names if name not in away]
        crowd.close(names)
        for at in range(0, len(back), 100):  # in the course of some seconds, as `retry` has it
            crowd.open(back[at : at + 100])
        assert time.monotonic() - died < 10, "this machine was too busy to come back in time"
        # A client that asks meanwhile is not told otherwise, by the worker that knows.
        assert watch(watchers[1].on(survivor), shares[1], **{"in": group}) == dict.fromkeys(shares[1], True)
        for reader, share in zip(readers, shares, strict=True):
            reader.until(partial(knows_gone, away & {*share}), OFFLINE_SECONDS)
        offline = Counter(name for reader in readers for name, online in told(reader) if not online)
        assert offline == dict.fromkeys(away, 1)
        crowd.open(sorted(away))
        for reader in readers:
            reader.until(lambda it: all(now(it).values()))
        assert Counter(name for reader in readers for name, online in told(reader) if not online) == offline
        seen = watchers[0].http.get(f"/v1/users/{sorted(away)[0]}").json()
        assert "last_seen" not in seen, "they share a group only, which is not named here"


class Asking:
    """Asks again and again whether these are there, of a worker that knows nothing of them."""

    def __init__(self, person: Person, group: str, names: Sequence[str]) -> None:
        self.person = person
        self.group = group
        self.lists = [names[at : at + 100] for at in range(0, len(names), 100)]
        self.said: dict[str, list[bool]] = {name: [] for name in names}
        """What was said of each, without repetitions."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self.ask()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def ask(self) -> None:
        for names in self.lists:
            for name, online in watch(self.person, names, **{"in": self.group}).items():
                if self.said[name][-1:] != [online]:
                    self.said[name].append(online)

    def _ask(self) -> None:
        while not self._stop.wait(0.05):
            self.ask()


@pytest.mark.alone("a thousand clients must be back within a time that a busy machine would take from them")
def test_a_worker_that_knows_nobody_of_a_dead_one_answers_that_they_are_there_until_they_are_back_or_the_grace_is_over(
    three_workers: Server,
) -> None:
    victim, stranger, _ = three_workers.workers()
    crowd, names = Crowd(three_workers), [f"p{number:03}" for number in range(PEOPLE)]
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: crowd.close([*crowd.sockets]))
        crowd.open(names, crowd.connections_to(victim, PEOPLE))
        alice = stack.enter_context(Person(three_workers, "alice"))
        group = alice.http.post("/v1/conversations", json={"name": "All", "members": names}).json()["id"]
        asking = stack.enter_context(Asking(alice.on(stranger), group, names))
        time.sleep(WRITTEN_SECONDS)
        victim.kill()
        died = time.monotonic()
        away = {name for name in names if int(name[1:]) % 10 < 3}
        back = [name for name in names if name not in away]
        crowd.close(names)
        time.sleep(3)
        for at in range(0, len(back), 100):
            crowd.open(back[at : at + 100])
            time.sleep(0.5)
        assert time.monotonic() - died < 10, "this machine was too busy to come back in time"
        until(lambda: all(asking.said[name] == [True, False] for name in away), OFFLINE_SECONDS)
        crowd.open(sorted(away))
        until(lambda: all(asking.said[name] == [True, False, True] for name in away))
        assert all(asking.said[name] == [True] for name in back)


class Staying:
    """A client that opens a new stream when one ends, and gives no list again."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.readers = [person.listen().live()]

    def stay(self) -> None:
        if self.readers[-1].ended:
            self.readers.append(self.person.listen().live())

    def knows(self, people: dict[str, bool]) -> bool:
        """Whether this is what the stream that is open has told."""
        self.stay()
        return now(self.readers[-1]) == people

    @property
    def told(self) -> list[tuple[str, bool]]:
        return [each for reader in self.readers for each in told(reader)]

    def close(self) -> None:
        for reader in self.readers:
            reader.close()


def test_workers_that_are_replaced_show_nowhere_and_a_watch_goes_on_on_the_new_ones(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        alice, bob = (stack.enter_context(Person(server, fresh(name))) for name in ("alice", "bob"))
        assert bob.http.get("/v1/session").status_code == 200
        alice.say("hi", bob.user)
        theirs, mine = Staying(bob), Staying(alice)
        stack.callback(mine.close)
        assert watch(alice, [bob.user]) == {bob.user: True}
        mine.readers[0].until(lambda it: now(it) == {bob.user: True})
        old = {worker.pid for worker in server.workers()}
        server.process.send_signal(signal.SIGHUP)

        def replaced() -> bool:
            theirs.stay()
            mine.stay()
            return not old & {worker.pid for worker in server.workers()}

        until(replaced, 60)
        until(lambda: replaced() and mine.knows({bob.user: True}))
        assert len(mine.readers) > 1
        assert {*mine.told} == {(bob.user, True)}
        theirs.close()
        until(lambda: mine.knows({bob.user: False}), OFFLINE_SECONDS)
        assert mine.told.count((bob.user, False)) == 1
        last = mine.readers[-1].named("presence")[-1].data["users"][0]["last_seen"]
        assert alice.http.get(f"/v1/users/{bob.user}").json()["last_seen"] == last
