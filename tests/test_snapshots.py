"""The metrics of several workers, in one folder."""

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from polling import until
from ssechat.telemetry import snapshots as module
from ssechat.telemetry.metrics import Metrics
from ssechat.telemetry.snapshots import Snapshots, clear

pytestmark = pytest.mark.anyio


def a_worker(folder: Path, connects: int = 0) -> tuple[Snapshots, Metrics]:
    """Starts a worker's snapshots; the kernel's locks distinguish several in one process."""
    metrics = Metrics()
    metrics.connects = connects
    worker = Snapshots(metrics, folder)
    worker.open()
    return worker, metrics


def die(worker: Snapshots) -> None:
    """Simulates SIGKILL: no further write, and the kernel releases the lock."""
    os.close(worker._file)
    worker._file = -1


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def connects(worker: Snapshots) -> tuple[int, int]:
    """The number of streams opened so far, and the number of workers."""
    counts, workers = await worker.read()
    return counts["connects"], len(workers)


async def test_each_worker_shows_what_all_of_them_have_counted(tmp_path: Path) -> None:
    one, ones = a_worker(tmp_path, 1)
    other, _ = a_worker(tmp_path, 10)
    try:
        assert await connects(one) == await connects(other) == (11, 2)
        ones.connects += 5
        assert await connects(one) == (16, 2)  # its own counts are current
        assert await connects(other) == (16, 2)  # the other worker shows them after a scrape
    finally:
        one.close()
        other.close()


async def test_counters_of_dead_workers_stay_and_their_gauges_do_not(tmp_path: Path) -> None:
    one, _ = a_worker(tmp_path, 1)
    other, others = a_worker(tmp_path, 10)
    others.slow_readers = 3
    other.publish()
    assert sum(worker["slow_readers"] for worker in (await one.read())[1]) == 3
    die(other)
    assert await connects(one) == (11, 1)
    assert sum(worker["slow_readers"] for worker in (await one.read())[1]) == 0
    third, _ = a_worker(tmp_path, 100)
    assert await connects(one) == await connects(third) == (111, 2)
    assert len(files(tmp_path)) == 2, "the dead one's file is gone, its counts are the third one's"
    die(third)
    die(one)
    fourth, _ = a_worker(tmp_path)
    assert await connects(fourth) == (111, 1)
    fourth.close()


async def test_a_stopping_worker_publishes_its_last_snapshot(tmp_path: Path) -> None:
    one, ones = a_worker(tmp_path)
    other, _ = a_worker(tmp_path)
    ones.connects = 7
    one.close()
    assert await connects(other) == (7, 1)
    other.close()


async def test_without_a_folder_a_worker_shows_itself() -> None:
    worker = Snapshots(Metrics(), None)
    worker.open()
    assert await connects(worker) == (0, 1)
    worker.close()


async def test_nobody_reads_while_counts_are_moved_and_nobody_moves_them_while_one_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.001)
    one, _ = a_worker(tmp_path, 1)
    other, _ = a_worker(tmp_path, 10)
    die(other)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError):
            await one.read()
        fcntl.flock(folder, fcntl.LOCK_SH)
        third, _ = a_worker(tmp_path, 100)  # the start succeeds
        assert await connects(third) == (111, 2)
        assert len(files(tmp_path)) == 3
    finally:
        os.close(folder)
    one.inherit()
    assert len(files(tmp_path)) == 2
    assert await connects(third) == (111, 2)
    one.close()
    third.close()


async def test_an_empty_snapshot_file_is_ignored_and_kept(tmp_path: Path) -> None:
    beginning = tmp_path / "1-beginning.counts"
    beginning.touch()
    worker, _ = a_worker(tmp_path, 1)
    assert await connects(worker) == (1, 1)
    assert beginning.exists()
    worker.close()


async def test_a_torn_read_of_a_snapshot_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = a_worker(tmp_path, 1)
    other, _ = a_worker(tmp_path, 10)
    read, torn = os.pread, iter([True])

    def pread(file: int, count: int, offset: int) -> bytes:
        data = read(file, count, offset)
        return data[:-5] + b"-----" if next(torn, False) else data

    monkeypatch.setattr(os, "pread", pread)
    assert await connects(one) == (11, 2)
    assert next(torn, None) is None
    one.close()
    other.close()


async def test_a_folder_that_cannot_be_written_to_leaves_a_worker_alone_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    worker, _ = a_worker(tmp_path / "file" / "folder", 1)
    assert await connects(worker) == (1, 1)
    assert "Not a directory" in caplog.text
    worker.close()


def test_a_new_server_forgets_the_counts_and_nothing_else(tmp_path: Path) -> None:
    worker, _ = a_worker(tmp_path)
    worker.close()
    (tmp_path / "somebody.else").touch()
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["somebody.else"]
    clear(tmp_path / "none")


async def test_another_versions_counts_are_not_mixed_with_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__version__", "0.0.0")
    old, _ = a_worker(tmp_path, 10)
    monkeypatch.undo()
    new, _ = a_worker(tmp_path, 1)
    assert await connects(new) == (1, 1)
    old.close()
    new.close()


async def test_a_full_disk_is_told_once_and_serving_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "PUBLISH_SECONDS", 0.001)
    worker, _ = a_worker(tmp_path, 1)
    publishing = asyncio.create_task(worker.keep_publishing())
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        await until(lambda: caplog.messages)
        await asyncio.sleep(0.02)
        assert await connects(worker) == (1, 1)
        assert caplog.messages == ["other workers cannot see this one's metrics: No space left on device"]
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    worker.close()
