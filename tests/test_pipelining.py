"""Pipelining and backpressure on one connection, for any packets."""

import asyncio
from collections.abc import Iterator
from random import Random

import pytest

from connections import Connection
from fuzz.attack import World
from fuzz.generators import attack
from ssechat.server.request_parser import RequestHeaders, RequestParser, RequestRefused

pytestmark = pytest.mark.anyio

PIECES = (1, 5, 30, 60, 200)


def request(dice: Random, number: int) -> bytes:
    if dice.random() < 0.3:
        return b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    body = b"%d" % number + b"x" * dice.randrange(20)
    return b"POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def answers(seed: int) -> tuple[int, int]:
    """Returns the number of requests sent and of responses received."""
    dice = Random(seed)
    connection = Connection()
    protocol, transport = connection.protocol, connection.transport
    if dice.random() < 0.5:
        connection.app.open.clear()
    count = dice.randrange(1, 6)
    data = b"".join(request(dice, number) for number in range(count))
    written, paused = 0, False
    for _ in range(150):
        step = dice.choice(("data", "data", "turn", "turn", "read", "answer"))
        if step == "data" and data and transport.reading:
            size = dice.choice(PIECES)
            protocol.data_received(data[:size])
            data = data[size:]
        elif step == "turn":
            await asyncio.sleep(0)
            # uvloop writes at the end of a loop iteration, and only then can notice that the client does not read.
            if len(transport.buffer) > written and not paused and dice.random() < 0.5:
                paused = True
                protocol.pause_writing()
            written = len(transport.buffer)
        elif step == "read" and paused:
            paused = False
            protocol.resume_writing()
        elif step == "answer":
            connection.app.open.set()
    connection.app.open.set()
    if paused:
        protocol.resume_writing()
    for _ in range(60):
        if data and transport.reading:
            protocol.data_received(data)
            data = b""
        await asyncio.sleep(0)
    return count, transport.buffer.count(b"HTTP/1.1 2")


async def test_pipelining_every_request_is_answered_whatever_the_packets_and_the_backpressure() -> None:
    wrong = {}
    for seed in range(800):
        sent, got = await answers(seed)
        if got != sent:
            wrong[seed] = f"{got} of {sent}"
    assert wrong == {}


class Noted:
    """Records the parser's calls."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self._body = b""

    def on_headers(self, head: RequestHeaders) -> None:
        self._body = b""
        self.said.append((head.method, head.target, head.headers, head.length, head.keep_alive))

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_end(self) -> None:
        self.said.append(self._body)


def parsed(pieces: Iterator[bytes]) -> list[object]:
    noted = Noted()
    parser = RequestParser(noted)
    try:
        for piece in pieces:
            rest = parser.feed(piece)
            while parser.whole:
                parser.proceed()
                rest = parser.feed(rest)
    except RequestRefused:  # the code depends on how much of it had arrived
        noted.said.append("refused")
    return noted.said


def cut(data: bytes, dice: Random) -> Iterator[bytes]:
    while data:
        size = dice.choice((1, 2, 3, 20, 200, 5000))
        yield data[:size]
        data = data[size:]


def test_request_framing_does_not_depend_on_the_packets() -> None:
    world = World(5)
    for number in range(1, 1200):
        data = attack(world, number).sent()
        whole = parsed(iter((data,)))
        assert parsed(cut(data, Random(number))) == whole, data
