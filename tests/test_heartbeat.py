"""The heartbeats, by which the supervisor detects a blocked event loop."""

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator

import pytest

from ssechat.server import heartbeat
from ssechat.server.heartbeat import BEAT, MISSED_BEATS, READY, Report, Silence

PIPE_BYTES = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: the supervisor's end, which is non-blocking, and the worker's."""
    ours, its = os.pipe()
    fcntl.fcntl(its, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(ours, False)
    yield ours, its
    for fd in (ours, its):
        try:
            os.close(fd)
        except OSError:
            continue


def looks(silence: Silence, count: int) -> bool:
    for _ in range(count):
        silence.look()
    return silence.too_long


def test_a_worker_hangs_when_it_has_missed_its_beats_and_not_one_earlier() -> None:
    silence = Silence()
    assert not looks(silence, MISSED_BEATS - 1)
    assert looks(silence, 1)


def test_only_beats_missed_in_a_row_count() -> None:
    silence = Silence()
    for _ in range(3):
        assert not looks(silence, MISSED_BEATS - 1)
        silence.heard()


def test_a_time_in_which_the_supervisor_did_not_look_counts_as_one_missed_beat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silence = Silence()
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    assert not looks(silence, 1)
    assert silence.seconds > 1000


@pytest.mark.anyio
async def test_the_event_loop_writes_that_it_serves_and_then_beats(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    ours, its = pipe
    Report(its).begin()
    assert os.read(ours, 100) == READY + BEAT
    await asyncio.sleep(0.1)
    assert os.read(ours, 100).startswith(BEAT * 2)


@pytest.mark.anyio
async def test_a_supervisor_that_does_not_read_holds_no_worker_up_and_is_told_again_when_it_reads(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0)
    ours, its = pipe
    Report(its).begin()
    assert not os.get_blocking(its)
    for _ in range(2 * PIPE_BYTES):
        await asyncio.sleep(0)
    assert len(os.read(ours, 2 * PIPE_BYTES)) == PIPE_BYTES
    await asyncio.sleep(0.01)
    assert os.read(ours, 10).startswith(BEAT)


@pytest.mark.anyio
async def test_beats_end_when_nobody_listens(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0)
    ours, its = pipe
    Report(its).begin()
    os.close(ours)
    written: list[bytes] = []
    await asyncio.sleep(0.01)
    monkeypatch.setattr(os, "write", lambda fd, data: written.append(data))
    await asyncio.sleep(0.01)
    assert written == []


@pytest.mark.anyio
async def test_a_worker_without_a_supervisor_reports_to_nobody() -> None:
    report = Report(None)
    report.fail("because")
    report.begin()
