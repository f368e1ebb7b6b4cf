"""A TCP proxy that cuts connections inside events, at one offset after the other."""

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count

MESSAGE = b"event: message\n"
RETRY = re.compile(rb"(?<=\nretry: )\d+")
BACK_MS = 20
"""Milliseconds in `retry:`, in place of the server's value: more cuts in less time."""

SPREAD = 0.618034
"""Of offsets that go on by this part of an event, the next one always falls into the widest gap left."""

Offsets = Callable[[bytes], Iterator[int]]
"""The offsets at which a chunk with a message may be cut."""


def anywhere(chunk: bytes) -> Iterator[int]:
    """Every offset except that of `last_line_feed`."""
    yield from (offset for offset in range(len(chunk)) if offset not in last_line_feed(chunk))


def last_line_feed(chunk: bytes) -> Iterator[int]:
    """Between the line of the id and the blank line behind it, if the id is the event's last field."""
    end = chunk.rindex(b"\n\n") + 1
    if chunk[: end - 1].rpartition(b"\n")[2].startswith(b"id: "):
        yield end


class CuttingProxy:
    """Listens for each client on a port of its own, and passes on to the server. Every stream is cut before long.

    What is not under /v1 comes from another server: so a page can be of the same origin as its stream.
    """

    def __init__(self, pages: int, clients: Sequence[str], offsets: Offsets) -> None:
        """`pages` is the port of that other server; the port of the one with the streams is set later."""
        self.cuts = dict.fromkeys(clients, 0)
        self.ports: dict[str, int] = {}
        self.cutting = False
        self.server = 0
        self._pages = pages
        self._offsets = offsets
        self._listening: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "CuttingProxy":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        for number, client in enumerate(self.cuts):
            where = count(number * 0.37, SPREAD)

            def connected(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                client: str = client,
                where: "count[float]" = where,
            ) -> None:
                task = asyncio.create_task(self._connected(client, where, reader, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

            listening = await asyncio.start_server(connected, "127.0.0.1", 0)
            self._listening.append(listening)
            self.ports[client] = listening.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        for listening in self._listening:
            listening.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # for transports to close

    async def _connected(
        self, client: str, where: "count[float]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            port = self.server if head.split(b" ", 2)[1].startswith(b"/v1/") else self._pages
            answers, requests = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, EOFError):
            writer.transport.abort()
            return
        requests.write(head)
        asking = asyncio.create_task(_pass(reader, requests))
        try:
            await self._answer(client, where, answers, writer)
        except (OSError, EOFError):
            pass
        finally:
            asking.cancel()
            requests.transport.abort()
            writer.close()

    async def _answer(
        self, client: str, where: "count[float]", answers: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Passes one response on; no other follows, for it may have to come from elsewhere."""
        head = await answers.readuntil(b"\r\n\r\n")
        writer.write(head[:-2] + b"connection: close\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length is not None:
            writer.write(await answers.readexactly(int(length[1])))
            return
        before, messages = 0, 0
        while True:
            line = await answers.readuntil(b"\r\n")
            chunk = line + await answers.readexactly(int(line, 16) + 2)
            if self.cutting:
                chunk = RETRY.sub(lambda found: b"%0*d" % (len(found[0]), BACK_MS), chunk)
            messages += MESSAGE in chunk
            offsets = list(self._offsets(chunk)) if self._is_due(self.cuts[client], before, messages) else []
            if offsets:
                await self._cut(client, chunk[: offsets[int(next(where) % 1 * len(offsets))]], writer)
                return
            writer.write(chunk)
            await writer.drain()
            before += 1

    def _is_due(self, cuts: int, before: int, messages: int) -> bool:
        """Whether to cut a client's connection in a chunk that is the `before`th, of `messages`.

        Every fourth time in what opens the stream. Else after one, two or three messages, so that every client gets on.
        """
        if not self.cutting:
            return False
        turn, which = divmod(cuts, 4)
        return before == turn % 2 if which == 3 else messages > 1 + which

    async def _cut(self, client: str, rest: bytes, writer: asyncio.StreamWriter) -> None:
        """Cuts the connection, every other time by a reset."""
        self.cuts[client] += 1
        writer.write(rest)
        await writer.drain()
        if self.cuts[client] % 2:
            await asyncio.sleep(0.03)  # otherwise the reset would overtake the written bytes
            handle = writer.get_extra_info("socket")
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.transport.abort()
