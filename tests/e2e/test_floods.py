"""A flood of sign-ins or sign-ups over a hundred connections from one address must not affect other clients."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest

from e2e.api import Person, serve
from serving import Server, until

CONNECTIONS = 100
ATTACKER = "127.0.0.9"
"""The client address of the flood; all other clients have another one."""

PASSWORD = "correct horse"


class Flood:
    """The responses so far, and the means to stop."""

    def __init__(self, server: Server, path: str, one_name: bool) -> None:
        self.answers: Counter[int] = Counter()
        self._server = server
        self._path = path
        self._one_name = one_name
        self._numbers = count()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()

    def stop(self) -> None:
        """Stops the flood, and waits until it has ended."""
        self._stopped.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*[self._repeat() for _ in range(CONNECTIONS)])

    async def _repeat(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port, local_addr=(ATTACKER, 0))
        while not self._stopped.is_set():
            number = next(self._numbers)
            name = "victim" if self._one_name else f"flood{number}"
            body = json.dumps({"name": name, "password": f"a guess, {number}"}).encode()
            head = f"POST {self._path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            writer.write(head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(answer.partition("content-length: ")[2].split()[0]))
            self.answers[int(answer.split()[1])] += 1
        writer.close()


@contextmanager
def flooded(server: Server, path: str, *, one_name: bool) -> Iterator[Flood]:
    flood = Flood(server, path, one_name)
    try:
        until(lambda: flood.answers.total(), 20)
        yield flood
        until(lambda: flood.answers[429] > CONNECTIONS, 20)
    finally:
        flood.stop()


@pytest.mark.parametrize(
    ("path", "one_name", "let_through"),
    [("/v1/session", True, (401, 6)), ("/v1/session", False, (401, 12)), ("/v1/users", False, (201, 9))],
)
def test_rate_limit_a_flood_from_one_address_delays_nobody_else(
    tmp_path: Path, path: str, one_name: bool, let_through: tuple[int, int]
) -> None:
    limits = (
        "--failed-sign-ins-per-account",
        "6",
        "--failed-sign-ins-per-address",
        "12",
        "--sign-ups-per-address",
        "9",
    )
    with serve(tmp_path, *limits) as server, httpx.Client(base_url=server.url, timeout=20, trust_env=False) as http:
        honest = ["victim", *(f"honest{number}" for number in range(4))]
        for name in honest:
            assert http.post("/v1/users", json={"name": name, "password": PASSWORD}).status_code == 201
        with Person(server, "alice") as alice, flooded(server, path, one_name=one_name) as flood:
            for name in honest:
                signed_in = http.post("/v1/session", json={"name": name, "password": PASSWORD})
                assert signed_in.status_code == 200, signed_in.text
                alice.say(f"hi, {name}", name)
            newcomer = http.post("/v1/users", json={"name": "newcomer", "password": PASSWORD})
            assert newcomer.status_code == 201, newcomer.text
        status, most = let_through
        assert set(flood.answers) == {status, 429}
        assert flood.answers[status] == most
