"""Data loss in Redis: which streams get a reset, and that the server keeps working."""

import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from parts import FakeSink, Worker, a_worker
from polling import until
from redises import RedisProcess
from ssechat.ids import UserId

pytestmark = pytest.mark.anyio


@pytest.fixture
def process(redis: RedisProcess) -> Iterator[RedisProcess]:
    """A Redis of this release that the test may destroy."""
    own = RedisProcess(redis.release)
    yield own
    own.close()


@pytest.fixture
async def worker(process: RedisProcess) -> AsyncIterator[Worker]:
    async with a_worker(process.url) as parts:
        yield parts


async def opened(worker: Worker, user: str, cursor: str | None = "0-0", **identity: object) -> FakeSink:
    stream, sink = worker.open_stream(user, cursor, **identity)
    await until(lambda: stream.live or sink.ended)
    return sink


def reasons(sink: FakeSink, name: str = "reset") -> list[str]:
    return [json.loads(event["data"])["reason"] for event in sink.checked() if event.get("event") == name]


async def back_with(worker: Worker, process: RedisProcess, change_the_files: Callable[[], object]) -> None:
    """Kills Redis, changes its files, and restarts it."""
    process.kill()
    await until(lambda: not worker.redis.connected and not worker.hub.subscriptions.connected)
    change_the_files()
    process.start()
    assert await worker.redis.wait_connected(5)
    await until(lambda: worker.hub.subscriptions.all_heard)
    await worker.hub.sweep()


async def test_after_an_older_snapshot_whoever_had_seen_what_is_lost_is_told_and_it_goes_on(
    process: RedisProcess, worker: Worker, tmp_path: Path
) -> None:
    await worker.say("kept")
    away = await opened(worker, "bob")
    [kept] = away.ids()
    with process.client() as client:
        client.save()
    shutil.copy(process.folder / "dump.rdb", tmp_path)
    await worker.say("lost with what came after the snapshot")
    sink = await opened(worker, "bob")
    lost = sink.ids()[-1]
    await back_with(worker, process, lambda: shutil.copy(tmp_path / "dump.rdb", process.folder))
    await until(lambda: "reset" in sink.names())
    assert reasons(sink) == ["lost"]
    # A stream that resumes with an id of the lost history gets a reset, too.
    assert reasons(await opened(worker, "bob", lost)) == ["unknown"]
    # A stream with an earlier id gets none: Redis no longer knows of the lost events.
    unaware = await opened(worker, "bob", kept)
    assert unaware.names() == ["hello"]
    await worker.say("after")
    await until(lambda: sink.texts()[-1] == "after")
    await until(lambda: unaware.texts() == ["after"])
    # The client_msg_id was lost, too: a retry creates a new message.
    await worker.say("lost with what came after the snapshot")
    await until(lambda: unaware.texts() == ["after", "lost with what came after the snapshot"])
    assert (await opened(worker, "bob")).texts() == ["kept", "after", "lost with what came after the snapshot"]


async def test_after_a_wiped_disk_whoever_had_seen_anything_is_told_and_sessions_are_over(
    process: RedisProcess, worker: Worker
) -> None:
    token = await worker.auth.sign_in(UserId("alice"))
    identity = await worker.auth.identify(token)
    await worker.say("lost")
    sink = await opened(worker, "bob")
    signed_in = await opened(worker, "alice", session=identity.session)
    lost = sink.ids()[-1]
    await back_with(worker, process, lambda: None)  # this one never wrote anything to the disk
    await until(lambda: "reset" in sink.names() and "reset" in signed_in.names())
    assert reasons(sink) == ["lost"]
    assert reasons(await opened(worker, "bob", lost)) == ["unknown"]
    assert await worker.events("bob") == []
    worker.clock.time += 31
    await worker.hub.sweep()
    assert reasons(signed_in, "bye") == ["signed_out"]
    await worker.say("the first of a new history")
    await until(lambda: sink.texts() == ["lost", "the first of a new history"])
