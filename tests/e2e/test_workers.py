"""Several workers as one server, and crashes of workers and Redis."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from e2e.api import PATIENCE, SERIES, Person, Reader, message_of, serve
from e2e.frames import numbers
from serving import Server, until


@pytest.fixture(scope="module", params=SERIES[:1])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("workers")
    # The longest audit interval: a stream gets events from wake-ups, or by a repair of its own.
    options = ("--drain-seconds", "1", "--audit-seconds", "60")
    with serve(folder, *options, series=request.param) as running:
        yield running


def kill(process: psutil.Process) -> None:
    """Kills a process as the kernel's out-of-memory killer does."""
    process.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        process.wait(PATIENCE)


def insist(person: Person, to: str, text: str, client_msg_id: str) -> tuple[dict[str, Any], set[int]]:
    """Retries with one client_msg_id until it is acknowledged; returns the message and all statuses."""
    statuses = set()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            answer = person.post(text, to, client_msg_id)
        except httpx.TransportError:
            statuses.add(0)
        else:
            statuses.add(answer.status_code)
            if answer.status_code in (200, 201):
                message: dict[str, Any] = answer.json()
                return message, statuses
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["code"] == "unavailable"
        # shorter than Retry-After, to keep the test short
        threading.Event().wait(0.02)
    raise AssertionError(f"not acknowledged: {statuses}")


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_a_message_crosses_from_one_worker_to_the_other_and_to_all_devices_of_both(
    server: Server, alice: Person, bob: Person
) -> None:
    one, other = server.workers()
    alice.on(one)
    with contextlib.ExitStack() as stack:
        # The sender's other devices get the message, too.
        readers = [stack.enter_context(person.listen_on(worker)) for person in (alice, bob) for worker in (one, other)]
        for reader in readers:
            reader.first("hello")
        sent = [alice.say("over", bob.user)]
        bob.on(other)
        sent.append(bob.say("and out", alice.user))
        for reader in readers:
            assert reader.messages(2) == sent


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_all_readers_see_the_messages_of_both_in_one_order_and_once(server: Server, alice: Person, bob: Person) -> None:
    one, other = server.workers()
    each = 200
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(person.listen_on(worker)) for person in (alice, bob) for worker in (one, other)]
        for reader in readers:
            reader.first("hello")

        def talk(person: Person, worker: psutil.Process, to: str, share: range) -> list[dict[str, Any]]:
            with Person(server, person.user) as speaker:
                speaker.on(worker)
                return [speaker.say(f"{person.user} {number}", to) for number in share]

        # Each user sends through both workers at once.
        halves = (range(each // 2), range(each // 2, each))
        with ThreadPoolExecutor(4) as pool:
            talks = [
                pool.submit(talk, person, worker, to, share)
                for person, to in ((alice, bob.user), (bob, alice.user))
                for worker, share in zip((one, other), halves, strict=True)
            ]
            sent = [message for talking in talks for message in talking.result()]
        sent.sort(key=lambda message: int(message["seq"]))
        assert [message["seq"] for message in sent] == list(range(1, 2 * each + 1))
        for reader in readers:
            assert reader.messages(2 * each) == sent
            assert numbers(reader.events) == list(range(1, 2 * each + 1))
            assert [event.name for event in reader.events if event.name != "ping"] == ["hello"] + ["message"] * 2 * each
        assert alice.history(bob.user, limit=200) == sent[-200:]


def test_idempotency_one_client_msg_id_through_both_workers_is_one_message(
    server: Server, alice: Person, bob: Person
) -> None:
    one, other = server.workers()
    with Person(server, alice.user) as here, Person(server, alice.user) as there, bob.listen() as reader:
        reader.first("hello")
        here.on(one)
        there.on(other)
        with ThreadPoolExecutor(2) as pool:
            for number in range(20):
                sends = [pool.submit(via.post, "hi", bob.user, f"m{number}") for via in (here, there)]
                answers = [send.result() for send in sends]
                assert sorted(answer.status_code for answer in answers) == [200, 201]
                assert answers[0].json() == answers[1].json()
        reader.messages(20)
    assert len(bob.history(alice.user)) == 20


def test_reconnect_after_the_streams_worker_is_killed_misses_nothing(
    server: Server, alice: Person, bob: Person
) -> None:
    one, other = server.workers()
    alice.on(other)
    with bob.listen_on(one) as stream:
        stream.first("hello")
        texts = []
        for number in range(20):
            texts.append(f"before {number}")
            alice.say(texts[-1], bob.user)
        stream.messages(20)
        kill(one)
        assert stream.wait_end() != "clean"
        cursor = stream.cursor
    for number in range(5):
        texts.append(f"after {number}")
        alice.say(texts[-1], bob.user)
    with bob.listen(cursor) as stream:  # any worker may accept it, also the one that is starting
        stream.messages(5)
        assert stream.texts == texts[20:]
        assert numbers(stream.events) == list(range(21, 26))
    until(lambda: len(server.workers()) == 2)


def test_a_worker_killed_between_sends_loses_and_doubles_nothing(server: Server, alice: Person, bob: Person) -> None:
    one, other = server.workers()
    with bob.listen_on(other) as stream:
        stream.first("hello")
        messages = []
        with Person(server, alice.user) as sender, ThreadPoolExecutor(4) as pool:
            sender.on(one)

            def send(number: int) -> dict[str, Any]:
                with Person(server, alice.user) as speaker:
                    return insist(speaker, bob.user, f"m{number}", f"m{number}")[0]

            sending = [pool.submit(send, number) for number in range(60)]
            until(lambda: sum(each.done() for each in sending) > 10)
            kill(one)
            messages = [each.result() for each in sending]
        assert sorted(message["seq"] for message in messages) == list(range(1, 61))
        stream.messages(60)
        assert [event.data["seq"] for event in stream.named("message")] == list(range(1, 61))
    until(lambda: len(server.workers()) == 2)


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_idempotency_when_redis_is_killed_streams_stay_and_a_retried_send_is_one_message(
    server: Server, alice: Person, bob: Person
) -> None:
    one, other = server.workers()
    with bob.listen_on(one) as here, bob.listen_on(other) as there:
        for stream in (here, there):
            stream.first("hello")
        alice.on(one)
        sent = [alice.say("before", bob.user)]
        statuses = set()
        for round_ in range(2):
            kill(server.redis())
            for number in range(10):
                message, seen = insist(alice, bob.user, f"{round_}.{number}", f"id {round_}.{number}")
                sent.append(message)
                statuses |= seen
        assert statuses <= {200, 201, 503}
        again = [alice.post(message["text"], bob.user, message["client_msg_id"]) for message in sent]
        assert [answer.status_code for answer in again] == [200] * len(sent)
        assert [answer.json() for answer in again] == sent
        for stream in (here, there):
            assert stream.messages(len(sent)) == sent
            assert not stream.ended
            assert not stream.named("reset")
        until(lambda: ready(alice))


def ready(person: Person) -> bool:
    return person.http.get("/healthz/ready").status_code == 200


def test_with_redis_stopped_a_new_stream_is_told_to_come_back_and_a_send_gets_503(tmp_path: Path) -> None:
    with (
        serve(tmp_path, "--redis-timeout", "0.5", "--drain-seconds", "0", "--workers", "1") as server,
        contextlib.ExitStack() as stack,
    ):
        alice, bob = (stack.enter_context(Person(server, name)) for name in ("alice", "bob"))
        assert bob.http.get("/v1/session").status_code == 200
        alice.say("before", "bob")
        with bob.listen() as stays:
            stays.first("hello")
            server.redis().suspend()
            try:
                answer = alice.post("meanwhile", "bob", "m")
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) >= 1
                with bob.listen() as stream:  # EventSource would not reconnect after an error status
                    assert stream.first("bye").data == {"reason": "unavailable"}
                    assert stream.wait_end() != "clean"  # some clients would not reconnect after a complete response
                    assert stream.retry is not None
                until(lambda: not ready(alice))
                assert alice.http.get("/healthz/live").status_code == 200
            finally:
                server.redis().resume()
            message, _ = insist(alice, "bob", "meanwhile", "m")
            stays.until(lambda it: it.named("message"))
            assert stays.messages(1) == [message]
        assert [each["text"] for each in bob.history("alice")] == ["before", "meanwhile"]


@pytest.mark.parametrize("series", SERIES)
def test_what_was_acknowledged_is_there_after_everything_was_killed_and_cursors_go_on(
    tmp_path: Path, series: str
) -> None:
    first = serve(tmp_path, "--drain-seconds", "0", series=series)
    try:
        first.wait_ready()
        with contextlib.ExitStack() as stack:
            alice, bob = (stack.enter_context(Person(first, name)) for name in ("alice", "bob"))
            assert bob.http.get("/v1/session").status_code == 200
            signed_up = alice.http.post("/v1/users", json={"name": "Carol", "password": "a long password"})
            carols = signed_up.json()["token"]
            with bob.listen() as stream:
                start = stream.first("hello").id
                acknowledged: list[dict[str, Any]] = []
                stop = threading.Event()

                def send() -> None:
                    number = 0
                    with contextlib.suppress(httpx.TransportError), Person(first, "alice") as speaker:
                        while not stop.is_set():
                            answer = speaker.post(f"m{number}", "bob", f"m{number}")
                            if answer.status_code == 201:
                                acknowledged.append(answer.json())
                            number += 1

                sender = threading.Thread(target=send)
                sender.start()
                until(lambda: len(acknowledged) >= 50)
                everything = [psutil.Process(first.process.pid), *first.family()]
                for process in everything:
                    os.kill(process.pid, signal.SIGKILL)
                stop.set()
                sender.join()
                stream.wait_end()
                seen = [message_of(event) for event in stream.named("message")]
                cursor = stream.cursor
            until(first.gone)
    finally:
        first.close()
    with serve(tmp_path, "--drain-seconds", "0", series=series) as second, contextlib.ExitStack() as stack:
        alice, bob = (stack.enter_context(Person(second, each.user, each.token)) for each in (alice, bob))
        everything_said = alice.history("bob", limit=200)
        assert everything_said[: len(acknowledged)] == acknowledged
        assert len(everything_said) - len(acknowledged) <= 1  # one may have been in flight
        for message in acknowledged[-3:]:
            again = alice.post(message["text"], "bob", message["client_msg_id"])
            assert (again.status_code, again.json()) == (200, message)
        with bob.listen(cursor) as stream:
            assert stream.first("hello").data["resumed"]
            after = alice.say("after", "bob")
            stream.messages(len(everything_said) + 1 - len(seen))
            assert [*seen, *(message_of(event) for event in stream.named("message"))] == [*everything_said, after]
        with bob.listen(start) as stream:
            stream.messages(len(everything_said) + 1)
            assert numbers(stream.events) == list(range(1, len(everything_said) + 2))
        with Person(second, "carol", carols) as carol:
            assert carol.http.get("/v1/session").json() == {"user": "carol"}
            assert carol.history("alice") == []


def test_graceful_shutdown_by_sigterm_sends_bye_to_every_stream(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-seconds", "1") as server, contextlib.ExitStack() as stack:
        people = [stack.enter_context(Person(server, f"user{number}")) for number in range(10)]
        for person in people:
            person.http.get("/v1/session")  # idle connections must not delay the stop
        streams: list[Reader] = [stack.enter_context(person.listen()) for person in people for _ in range(3)]
        for stream in streams:
            stream.first("hello")
        people[0].say("last words", "user1")
        began = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0  # `stop` checks that no process is left
        assert time.monotonic() - began < 5
        for stream in streams:
            assert stream.first("bye").data == {"reason": "drain"}
            assert stream.wait_end() != "clean"
            assert stream.events[-1].name == "bye"
        assert len({stream.retry for stream in streams}) > 10
        assert all(1000 <= (stream.retry or 0) <= 8000 for stream in streams)
        assert [len(stream.named("message")) for stream in streams[:6]] == [1] * 6
        assert "Traceback" not in server.errors


def test_graceful_shutdown_does_not_wait_for_a_stuck_reader(tmp_path: Path) -> None:
    options = ("--drain-seconds", "0", "--workers", "1", "--stream-buffer", "4096")
    with serve(tmp_path, *options) as server, Person(server, "alice") as alice, socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", server.port))
        stuck.sendall(f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n\r\n".encode())
        until(lambda: alice.http.get("/healthz/ready").json()["streams"] == 1)
        for _ in range(100):
            alice.say("x" * 60_000, "alice")
        began = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < 8
