"""How a stream ends, and what a reader costs that is slow or stuck."""

import asyncio
import json

import pytest

from fake_inbox import FakeOwner, a_stream, publish
from parts import ALICE, FOR_EVER, FakeSink
from ssechat.identity.tokens import Identity
from ssechat.streams.stream import Stream

pytestmark = pytest.mark.anyio


@pytest.fixture
def owner() -> FakeOwner:
    return FakeOwner()


async def test_backpressure_a_slow_reader_costs_no_memory_and_is_caught_up_when_it_drains(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    stream.pause()
    written = len(sink.chunks)
    for _ in range(100):
        owner.fake.append()
        publish(owner, stream)
    assert len(sink.chunks) == written
    assert owner.fake.reads == 0
    stream.resume()
    await owner.settle()
    assert sink.ids() == owner.fake.entries
    assert stream.live


class PausingSink(FakeSink):
    """A sink whose buffer is full after `limit` chunks."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.stream: Stream | None = None

    def write(self, chunk: bytes) -> None:
        super().write(chunk)
        self.room -= 1
        if self.room == 0 and self.stream is not None:
            self.stream.pause()


async def test_backpressure_during_a_replay_loses_nothing(owner: FakeOwner) -> None:
    owner.fake.append(20)
    sink = PausingSink(room=8)
    stream = sink.stream = Stream(owner, Identity(ALICE, FOR_EVER), owner.source)
    stream.opened(sink, None)
    await stream.begin("0-77")
    assert len(sink.ids()) == 6
    assert not stream.live
    sink.room = 7
    stream.resume()
    await owner.settle()
    sink.room = 1000
    stream.resume()
    await owner.settle()
    assert sink.ids() == owner.fake.entries
    assert sink.names()[-1] == "caught_up"
    assert stream.live


@pytest.mark.parametrize(
    ("reason", "final", "soonest", "latest"),
    [
        ("drain", False, 1000, 8000), ("unavailable", False, 1000, 8000), ("slow", False, 1000, 8000),
        ("too_many", False, 15_000, 60_000), ("token_expired", True, 1000, 8000), ("signed_out", True, 1000, 8000),
    ],
)  # fmt: skip
def test_a_stream_ends_as_a_complete_response_only_where_it_is_useless_to_come_back(
    owner: FakeOwner, reason: str, final: bool, soonest: int, latest: int
) -> None:
    stream, sink = a_stream(owner)
    stream.bye(reason)
    assert sink.final is final
    assert soonest <= int(sink.events()[-1]["retry"]) <= latest


async def test_bye_has_a_reason_and_a_retry_and_ends_the_stream(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    stream.bye("signed_out")
    bye = sink.events()[-1]
    assert json.loads(bye["data"]) == {"reason": "signed_out"}
    assert 1000 <= int(bye["retry"]) <= 8000
    assert sink.ended
    assert owner.gone == [stream]
    owner.fake.append()
    publish(owner, stream)
    stream.bye("drain")
    stream.lost()
    assert owner.gone == [stream]
    assert sink.names()[-1] == "bye"


async def test_backpressure_a_stuck_reader_gets_bye_slow_and_is_aborted(
    owner: FakeOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.streams.stream.LAST_WORD_SECONDS", 0.01)
    stream, sink = a_stream(owner)
    await stream.begin(None)
    stream.pause()
    stream.cut()
    assert json.loads(sink.checked()[-1]["data"]) == {"reason": "slow"}
    assert sink.ended
    assert not sink.aborted
    await asyncio.sleep(0.05)
    assert sink.aborted
    assert owner.gone == [stream]


async def test_a_reader_that_leaves_during_its_replay_is_written_to_no_more(owner: FakeOwner) -> None:
    owner.fake.append(2)
    owner.fake.gate.clear()
    stream, sink = a_stream(owner)
    beginning = asyncio.create_task(stream.begin("1-10"))
    await asyncio.sleep(0)
    stream.lost()
    owner.fake.gate.set()
    await beginning
    assert sink.names() == []
    assert not stream.live


async def test_graceful_shutdown_of_a_stream_sends_bye_drain(owner: FakeOwner) -> None:
    stream, sink = a_stream(owner)
    await stream.begin(None)
    stream.drain()
    await asyncio.sleep(0.01)
    assert json.loads(sink.events()[-1]["data"]) == {"reason": "drain"}
