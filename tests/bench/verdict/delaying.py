"""A proxy that only delays, for where namespaces cannot be made: bytes leave half a round trip after they came.

A connection is open as soon as the proxy has it, so a handshake of TCP costs nothing here; one of TLS does.
"""

import asyncio
import signal
import time
from functools import partial
from multiprocessing.connection import Connection

import uvloop

from .wire import BYTES, CONNECTIONS, CUT, DELAY, DROPPED, PACKETS, Numbers

HOST = "127.0.0.1"
SOURCES = ("127.0.0.1", "127.0.0.3")
"""The clients' addresses: those whose line is cut have the second one."""
MAX_READ = 65536
MAX_WAITING = 1000
"""Reads that wait in one direction of a connection; then the sender waits."""
POLL_SECONDS = 0.05


def run(control: Connection, numbers: Numbers) -> None:
    """The main function of the process: is sent addresses, and answers with its own for each; until its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(_Proxy(control, numbers).serve())


class _Proxy:
    def __init__(self, control: Connection, numbers: Numbers) -> None:
        self._control = control
        self._numbers = numbers
        self._exposed: set[asyncio.StreamWriter] = set()
        """Writers of the connections whose line can be cut."""

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        asked: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

        def read() -> None:
            try:
                asked.put_nowait(self._control.recv())
            except (EOFError, ConnectionError):
                loop.remove_reader(self._control.fileno())
                over.set()

        loop.add_reader(self._control.fileno(), read)
        tasks = [loop.create_task(self._listen(asked)), loop.create_task(self._cut())]
        await over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, asked: asyncio.Queue[tuple[str, int]]) -> None:
        ports: dict[tuple[str, int], tuple[str, int]] = {}
        while True:
            target = await asked.get()
            if target not in ports:
                server = await asyncio.start_server(partial(self._carry, target), HOST, 0)
                ports[target] = (HOST, server.sockets[0].getsockname()[1])
            self._control.send(ports[target])

    async def _cut(self) -> None:
        while True:
            if self._numbers[CUT]:
                for writer in list(self._exposed):
                    writer.transport.abort()
            await asyncio.sleep(POLL_SECONDS)

    async def _carry(self, target: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exposed = writer.get_extra_info("peername")[0] == SOURCES[1]
        if exposed and self._numbers[CUT]:
            writer.transport.abort()
            return
        self._numbers[CONNECTIONS] += 1
        try:
            there, back = await asyncio.open_connection(*target)
        except OSError:
            writer.transport.abort()
            return
        if exposed:
            self._exposed |= {writer, back}
        try:
            await asyncio.gather(self._one_way(reader, back), self._one_way(there, writer))
        except (OSError, asyncio.CancelledError):
            # Cancelled at the end of the proxy only; asyncio's streams print a traceback for a handler that says so.
            pass
        finally:
            self._exposed -= {writer, back}
            writer.transport.abort()
            back.transport.abort()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(MAX_WAITING)

        async def forward() -> None:
            while True:
                due, part = await queue.get()
                await asyncio.sleep(max(0.0, (due - time.monotonic_ns()) / 1e9))
                if not part:
                    writer.close()
                    return
                writer.write(part)
                await writer.drain()

        forwarding = asyncio.get_running_loop().create_task(forward())
        try:
            while not forwarding.done():
                part = await reader.read(MAX_READ)
                self._numbers[PACKETS] += 1
                self._numbers[BYTES] += len(part)
                if self._numbers[CUT] and writer in self._exposed:
                    self._numbers[DROPPED] += 1
                    return
                await queue.put((time.monotonic_ns() + self._numbers[DELAY], part))
                if not part:
                    await forwarding
                    return
        finally:
            forwarding.cancel()
