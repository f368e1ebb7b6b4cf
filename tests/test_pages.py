"""Pages of history, inboxes and conversations: bounded in bytes, complete and in order."""

import asyncio
import json
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parts import ALICE, BOB, DM, Worker, draft
from polling import until
from redises import RedisProcess
from ssechat.events.source import START
from ssechat.ids import UserId
from ssechat.logs.pages import PAGE_BYTES
from ssechat.redis.client import LARGE_ANSWERS
from ssechat.redis.connection import Argument, Reply

pytestmark = pytest.mark.anyio

KIB = 1024
READ = 64 * KIB


async def say_all(worker: Worker, sizes: list[int], conversation: str = DM) -> list[int]:
    """Sends a message of each size; returns their seqs."""
    for number, size in enumerate(sizes):
        await worker.say(f"{number} ".ljust(size, "x"), conversation=conversation, key=f"{conversation} {number}")
    return list(range(1, len(sizes) + 1))


def seqs(messages: Iterable[str | bytes]) -> list[int]:
    return [json.loads(message)["seq"] for message in messages]


SIZES = st.lists(st.sampled_from([1, 100, 20 * KIB, 60 * KIB, 100 * KIB, 262_000, 300 * KIB]), min_size=1, max_size=14)
ONE_WORKER = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@ONE_WORKER
@given(sizes=SIZES, limit=st.integers(1, 20), start=st.integers(0, 16))
async def test_walking_pages_of_history_gives_every_message_once_and_in_order(
    worker: Worker, sizes: list[int], limit: int, start: int
) -> None:
    await worker.redis.call("FLUSHALL")
    every = await say_all(worker, sizes)

    def fits(messages: list[bytes]) -> None:
        assert len(messages) <= limit
        assert len(messages) == 1 or sum(map(len, messages)) + len(messages) <= PAGE_BYTES

    forward, after = [], start
    while True:
        page = await worker.chat.history.page(ALICE, DM, limit, after=after)
        fits(list(page.messages))
        forward += seqs(page.messages)
        if not page.more:
            break
        after = forward[-1]
    assert forward == [seq for seq in every if seq > start]

    backward: list[int] = []
    before = start or None
    while True:
        page = await worker.chat.history.page(ALICE, DM, limit, before=before)
        fits(list(page.messages))
        backward = seqs(page.messages) + backward
        if not page.more:
            break
        before = backward[0]
    assert backward == [seq for seq in every if start == 0 or seq < start]


@ONE_WORKER
@given(sizes=SIZES, limit=st.integers(1, 20))
async def test_walking_pages_of_an_inbox_gives_every_event_once_and_in_order(
    worker: Worker, sizes: list[int], limit: int
) -> None:
    await worker.redis.call("FLUSHALL")
    await say_all(worker, sizes)
    cursor, numbers = START, []
    while True:
        page = await worker.inbox.read(BOB, cursor, limit, READ)
        assert page.continuous
        if not page.events:
            break
        chunks = [event.chunk for event in page.events]
        assert len(chunks) == 1 or sum(map(len, chunks)) <= READ + 200 * len(chunks)
        numbers += [event.n for event in page.events]
        cursor = page.events[-1].id
    assert numbers == list(range(1, len(sizes) + 1))


@ONE_WORKER
@given(sizes=SIZES, limit=st.integers(1, 20))
async def test_walking_pages_of_conversations_gives_each_once_the_newest_first(
    worker: Worker, sizes: list[int], limit: int
) -> None:
    await worker.redis.call("FLUSHALL")
    for number, size in enumerate(sizes):
        await worker.say("x" * size, conversation=f"dm:alice:b{number:02}")
    found: list[str] = []
    before = None
    while True:
        page = await worker.chat.conversations.list(ALICE, before, limit)
        sizes_of_page = [len(one.last_message or b"") for one in page.conversations]
        assert len(sizes_of_page) == 1 or sum(sizes_of_page) <= PAGE_BYTES
        found += [one.fields["id"] for one in page.conversations]
        if page.next is None:
            break
        before = page.next
    assert found == [f"dm:alice:b{number:02}" for number in reversed(range(len(sizes)))]


async def test_a_page_does_not_have_redis_send_what_it_does_not_show(worker: Worker, redis: RedisProcess) -> None:
    await say_all(worker, [60 * KIB] * 40)
    with redis.client() as admin:

        def sent() -> int:
            return int(admin.info("stats")["total_net_output_bytes"])

        for read in (
            lambda: worker.chat.history.page(ALICE, DM, 200),
            lambda: worker.inbox.read(BOB, START, 64, READ),
        ):
            before = sent()
            await read()
            assert sent() - before < PAGE_BYTES + 16 * KIB


async def test_an_inbox_that_lacks_large_messages_is_repaired_by_pages_that_fit(worker: Worker) -> None:
    for number, size in enumerate([1, 300 * KIB, 300 * KIB, 100 * KIB, 100 * KIB, 100 * KIB, 100 * KIB]):
        if number == 0:
            await worker.say("0")
        else:
            await worker.append(draft("x" * size, key=str(number)))
    async with asyncio.timeout(20):
        await worker.say("last")
    assert [event.n for event in await worker.events("bob")] == list(range(1, 9))


async def test_a_stream_replays_what_is_larger_than_a_page(worker: Worker) -> None:
    await say_all(worker, [60 * KIB] * 9)
    stream, sink = worker.open_stream("bob", "0-0")
    await until(lambda: stream.live)
    assert len(sink.ids()) == 9
    assert UserId(stream.identity.user) == BOB


async def test_of_many_pages_that_are_asked_for_at_once_few_wait_in_redis(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say_all(worker, [1, 1])
    call, under_way, most = worker.redis.call, 0, 0

    async def counted(*command: Argument) -> Reply:
        nonlocal under_way, most
        is_page = command[0] == "EVAL"
        under_way += is_page
        most = max(most, under_way)
        try:
            return await call(*command)
        finally:
            under_way -= is_page

    monkeypatch.setattr(worker.redis, "call", counted)
    pages = await asyncio.gather(*[worker.chat.history.page(ALICE, DM, 10) for _ in range(100)])
    assert [seqs(page.messages) for page in pages] == [[1, 2]] * 100
    assert most == LARGE_ANSWERS
