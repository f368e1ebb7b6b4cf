"""A user who sends, or opens streams, as fast as it goes, through three workers at once."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from commands import at, run
from e2e.api import Person, direct
from serving import Server, until

WORKERS = 3
LIMIT = 600
CONNECTIONS = 30


def serve(folder: Path, *arguments: str) -> Server:
    return Server(folder / "data", "--workers", str(WORKERS), *arguments)


async def _send(person: Person, number: int, statuses: Counter[int], ids: dict[str, int]) -> None:
    """Sends over one connection until a message is refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", person.server.port)
    status = 201
    while status == 201:
        name = f"{number}-{len(ids)}"
        body = json.dumps({"to": "bob", "text": "x", "client_msg_id": name}).encode()
        head = (
            f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {person.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(answer.partition("content-length: ")[2].split()[0]))
        status = ids[name] = int(answer.split()[1])
        statuses[status] += 1
    writer.close()
    await writer.wait_closed()


async def flood(person: Person) -> tuple[Counter[int], dict[str, int]]:
    """The answers, by status and by client_msg_id."""
    statuses: Counter[int] = Counter()
    ids: dict[str, int] = {}
    await asyncio.gather(*[_send(person, number, statuses, ids) for number in range(CONNECTIONS)])
    return statuses, ids


def test_quota_a_flooder_gets_no_more_through_three_workers_than_is_promised_and_then_goes_on(tmp_path: Path) -> None:
    with (
        serve(tmp_path, "--deliveries-per-user", str(LIMIT)) as server,
        Person(server, "mallory") as mallory,
        Person(server, "alice") as alice,
        Person(server, "bob") as bob,
    ):
        assert bob.http.get("/v1/session").status_code == 200
        assert len({worker.pid for worker in server.workers()}) == WORKERS
        began = time.monotonic()
        with mallory.listen() as stream:
            stream.first("hello")
            statuses, ids = asyncio.run(flood(mallory))
            took = time.monotonic() - began
            assert statuses.keys() == {201, 429}
            # What is promised in identity/leases.py; a request of each connection can be under way.
            assert LIMIT <= 2 * statuses[201] <= LIMIT * (1 + took / 60) + LIMIT / 8 + 2 * CONNECTIONS
            alice.say("hi", "bob")  # nobody else has any the less
            stream.messages(statuses[201])  # and the flooder receives as ever
        refused = next(name for name, status in ids.items() if status == 429)
        until(lambda: mallory.post("x", "bob", refused).status_code == 201, 30)
        assert mallory.post("x", "bob", next(iter(ids))).status_code in (200, 429), "a repeat is none"
        sent = run("send", *at(server), "--user", "mallory", "bob", "and one more")
        assert sent.returncode == 0, sent.stderr
        until(lambda: mallory.http.get("/v1/session").status_code == 200)
        newest = mallory.http.get(f"/v1/conversations/{direct('mallory', 'bob')}").json()["newest_seq"]
        assert newest == statuses[201] + 2


def test_quota_the_command_that_sends_says_that_it_waits_and_sends_once(tmp_path: Path) -> None:
    with serve(tmp_path, "--deliveries-per-user", "60") as server, Person(server, "bob") as bob:
        assert bob.http.get("/v1/session").status_code == 200
        with Person(server, "mallory") as mallory:
            while mallory.post("x", "bob").status_code == 201:
                pass
            before = mallory.http.get(f"/v1/conversations/{direct('mallory', 'bob')}").json()["newest_seq"]
            sent = run("send", *at(server), "--user", "mallory", "bob", "late")
            assert sent.returncode == 0, sent.stderr
            assert f"#{before + 1}" in sent.stdout
            if sent.stderr:
                assert "You have sent too much" in sent.stderr
                assert "retrying in" in sent.stderr


def test_streams_that_one_user_opens_all_the_time_end_with_too_many(tmp_path: Path) -> None:
    with serve(tmp_path, "--streams-per-user", "4") as server, Person(server, "mallory") as mallory:
        began = time.monotonic()
        opened = 0
        while (reason := _opened(mallory)) == "":
            opened += 1
        assert reason == "too_many"
        # 16 a minute on each worker.
        assert 16 <= opened <= WORKERS * 16 * (1 + (time.monotonic() - began) / 60)
        with Person(server, "alice") as alice:
            assert _opened(alice) == ""


def _opened(person: Person) -> str:
    """Opens a stream, and closes it; returns the reason if the server ended it at once."""
    with person.listen() as stream:
        stream.until(lambda it: it.events)
        byes: Sequence[str] = [bye.data["reason"] for bye in stream.named("bye")]
        return byes[0] if byes else ""
