"""A TCP proxy between a worker and its Redis that can cut connections, or silently hold all bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Proxy:
    """Forwards bytes between its own Unix socket and that of a Redis."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self._target = redis_url.removeprefix("unix://")
        self._path = folder / "p"
        self.url = f"unix://{self._path}"
        self.cut_after: int | None = None
        """Bytes of replies after which the next connection that gets a reply is closed, in the middle of it."""
        self._passes = asyncio.Event()
        self._passes.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """Holds all replies from now on, as a half-open connection does."""
        self._passes.clear()

    def release(self) -> None:
        """Forwards the held replies, in order."""
        self._passes.set()

    async def serve(self) -> asyncio.Server:
        """Starts listening."""
        return await asyncio.start_unix_server(self._connected, str(self._path))

    def close(self) -> None:
        """Closes every connection."""
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_unix_connection(self._target)
        self._writers |= {writer, to_redis}
        for work in (self._pass_commands(reader, to_redis, writer), self._pass_replies(from_redis, writer, to_redis)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_commands(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(65536):
            sink.write(data)
        self._abort(sink, back)

    async def _pass_replies(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(65536):
            await self._passes.wait()
            if sink.is_closing():
                break
            if self.cut_after is not None:
                sink.write(data[: self.cut_after])
                await sink.drain()
                self.cut_after = None
                break
            sink.write(data)
        self._abort(sink, back)

    def _abort(self, *writers: asyncio.StreamWriter) -> None:
        for writer in writers:
            writer.transport.abort()
            self._writers.discard(writer)


@asynccontextmanager
async def a_proxy(folder: Path, redis_url: str) -> AsyncIterator[Proxy]:
    """A running proxy; it is closed at the end."""
    proxy = Proxy(folder, redis_url)
    server = await proxy.serve()
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
        await asyncio.sleep(0.01)
