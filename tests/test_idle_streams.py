"""What an idle stream takes up in a worker: all that is made for it, and kept."""

import asyncio
import gc
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

import ssechat
from parts import FOR_EVER, FakeSink, Worker
from polling import until
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.streams.stream import Stream

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

STREAMS = 1000

EARLY = 100
"""Streams before them: what the first ones need is not each stream's."""

BYTES = 425
"""Of a stream and its channel, without its connection and its identity (`python -m tests.bench idle` has these)."""

OURS = str(Path(ssechat.__file__).parent / "*")


class Unread(FakeSink):
    """A sink that keeps nothing."""

    def write(self, chunk: bytes) -> None:
        pass


async def open_streams(worker: Worker, names: list[str]) -> None:
    """Opens a stream for each of these, two a second, waits until nothing of it is under way, and has all audited."""
    streams = []
    for name in names:
        worker.clock.time += 0.5
        user = UserId(name)
        source = worker.inbox.source(user)
        assert worker.hub.has_room(source)
        stream = Stream(worker.hub, Identity(user, FOR_EVER), source)
        stream.opened(Unread(), None)
        worker.hub.attach(stream, None, worker.auth.sign_outs)
        streams.append(stream)
        if len(streams) % 100 == 0:
            await until(lambda: all(stream.live for stream in streams))
    await until(lambda: all(stream.live for stream in streams))
    await worker.hub.presence.tick()
    await worker.hub._roll.write(worker.hub._users)
    worker.clock.time += worker.hub._settings.audit_seconds
    await worker.hub.sweep()
    assert worker.hub._audited_at == worker.clock.time
    await asyncio.sleep(0)


async def test_an_idle_stream_takes_up_no_more_than_it_needs(worker: Worker) -> None:
    names = [f"user{number:04}" for number in range(STREAMS)]
    await open_streams(worker, [f"early{number:03}" for number in range(EARLY)])
    gc.collect()
    tracemalloc.start()
    try:
        await open_streams(worker, names)
        gc.collect()
        kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, OURS)]).statistics("lineno")
    finally:
        tracemalloc.stop()
    assert len(worker.hub) == EARLY + STREAMS
    each = [f"{one.size / STREAMS:.1f} bytes: {one.traceback}" for one in kept[:20]]
    of_stream = sys.getsizeof(next(worker.hub._all()))
    assert of_stream + sum(one.size for one in kept) / STREAMS <= BYTES, "\n".join(each)


def test_a_worker_without_streams_has_not_imported_what_few_requests_need() -> None:
    program = "import sys, ssechat.server.worker, ssechat.app; print(*{'jinja2', 'httpx'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
