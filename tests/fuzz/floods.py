"""Floods of one client: the server must bound them, and other clients must not notice."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from .attack import World
from .judge import Fault
from .target import Target
from .wire import HOST

BUDGET = 24 * 2**20
"""Upper bound of the bytes of each flood."""

MAX_GROWTH = 12 * 2**20
"""Upper bound of a worker's memory growth meanwhile, in bytes."""

SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Flood:
    """A beginning, and bytes that are repeated after it."""

    name: str
    begin: bytes
    again: bytes
    connections: int = 1
    reads: bool = True
    """Whether it reads responses."""


def floods(world: World) -> list[Flood]:
    """All floods."""
    bearer = b"Authorization: Bearer " + world.tokens[0].encode() + b"\r\n"
    chunked = b"Host: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    get = b"GET /v1/server HTTP/1.1\r\nHost: x\r\n\r\n"
    page = b"GET /v1/conversations HTTP/1.1\r\nHost: x\r\n" + bearer + b"\r\n"
    line = b"X-Y: " + b"z" * 500 + b"\r\n"
    return [
        Flood("trailers", b"POST /v1/session HTTP/1.1\r\n" + chunked + b"2\r\n{}\r\n0\r\n", line),
        Flood("trailers of a message", b"POST /v1/messages HTTP/1.1\r\n" + bearer + chunked + b"0\r\n", line),
        Flood("a trailer", b"POST /v1/session HTTP/1.1\r\n" + chunked + b"0\r\nX: ", b"z" * 4096),
        Flood("chunk extensions", b"POST /v1/session HTTP/1.1\r\n" + chunked + b"2;", b"a=b;" * 1000),
        Flood("empty lines", b"", b"\r\n" * 2000),
        Flood("a method", b"", b"G" * 4096),
        Flood("a target", b"GET /", b"a" * 4096),
        Flood("headers", b"GET / HTTP/1.1\r\n", line),
        Flood("a header", b"GET / HTTP/1.1\r\nX: ", b"z" * 4096),
        Flood("bodies of chunks", b"POST /v1/session HTTP/1.1\r\n" + chunked, b"1\r\nx\r\n" * 700),
        Flood("a body", b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", b"z" * 4096),
        Flood(
            "a body of a refused",
            b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n",
            b"z" * 4096,
        ),
        Flood("pipelined", b"", get * 100),
        Flood("pipelined, unread", b"", get * 100, reads=False),
        Flood("pipelined pages, unread", b"", page * 20, connections=8, reads=False),
        Flood("behind a stream", b"GET /v1/events HTTP/1.1\r\nHost: x\r\n" + bearer + b"\r\n", get * 100),
        Flood(
            "behind an upgrade", b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", get * 100
        ),
        Flood("behind HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", get * 100),
        Flood("behind a bad one", b"\x00\r\n\r\n", get * 100),
    ]


async def flood_all(
    target: Target, world: World, seconds: float, only: Callable[[str], bool] = lambda name: True
) -> list[Fault]:
    """Runs each flood in turn, and measures the workers meanwhile."""
    faults = []
    for flood in floods(world):
        if only(flood.name):
            before = target.usage()
            sending = [asyncio.create_task(_send(flood, target.port, seconds)) for _ in range(flood.connections)]
            growth = 0.0
            while not all(task.done() for task in sending):
                await asyncio.sleep(0.05)
                now = target.usage()
                growth = max([growth, *(now[pid].memory - before[pid].memory for pid in before if pid in now)])
            taken = sum([await task for task in sending])
            if growth > MAX_GROWTH:
                said = f"a worker grew by {growth / 2**20:.0f} MiB while {taken / 2**20:.0f} MiB were sent"
                sent = f"{flood.connections} × {flood.begin[:200]!r} + {flood.again[:60]!r} …"
                faults.append(Fault(f"flood: {flood.name}", f"{said}: {sent}"))
    return faults


async def _send(flood: Flood, port: int, seconds: float) -> int:
    """Sends until the budget or the time is spent, or the server closes; returns the bytes that the server accepted."""
    sent = 0
    with contextlib.suppress(OSError, TimeoutError):
        reader, writer = await asyncio.open_connection(HOST, port)
        draining = asyncio.create_task(_read(reader)) if flood.reads else None
        try:
            async with asyncio.timeout(seconds):
                writer.write(flood.begin)
                while sent < BUDGET // flood.connections and not writer.is_closing():
                    writer.write(flood.again * max(1, 16384 // len(flood.again)))
                    sent += len(flood.again) * max(1, 16384 // len(flood.again))
                    await writer.drain()
        finally:
            if draining is not None:
                draining.cancel()
            writer.transport.abort()
    return sent


async def _read(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(65536):
            pass
