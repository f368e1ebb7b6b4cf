import asyncio
import json

import pytest

from parts import DM, FakeSink, Worker, a_worker
from polling import until
from redises import RedisProcess
from ssechat.errors import RedisUnavailable
from ssechat.events.kinds import KINDS, Kind, Kinds
from ssechat.events.models import Message
from ssechat.events.wake_ups import encode_ephemeral
from ssechat.ids import UserId
from ssechat.logs.inbox import WAKE_UP_LIMIT
from ssechat.redis import keys
from ssechat.streams.fanout import QUEUE, STREAMS_AT_ONCE

pytestmark = pytest.mark.anyio


async def opened(worker: Worker, user: str, cursor: str | None = None, **identity: object) -> FakeSink:
    stream, sink = worker.open_stream(user, cursor, **identity)
    await until(lambda: stream.live)
    return sink


def reasons(sink: FakeSink) -> list[str]:
    return [json.loads(event["data"])["reason"] for event in sink.events() if event.get("event") == "bye"]


async def test_a_message_reaches_every_stream_of_both_people_on_all_workers(
    worker: Worker, other_worker: Worker
) -> None:
    sinks = [
        await opened(worker, "alice"),
        await opened(other_worker, "alice"),
        await opened(worker, "bob"),
        await opened(other_worker, "bob"),
        await opened(other_worker, "bob"),
    ]
    stranger = await opened(worker, "carol")
    await worker.say("hi")
    await until(lambda: all(len(sink.ids()) == 1 for sink in sinks))
    assert stranger.ids() == []


async def test_an_event_is_encoded_once_for_all_streams_of_a_user(worker: Worker) -> None:
    one, other = await opened(worker, "bob"), await opened(worker, "bob")
    await worker.say("hi")
    await until(lambda: one.ids() and other.ids())
    assert one.chunks[-1] is other.chunks[-1]


async def test_an_event_too_large_for_a_wake_up_arrives_all_the_same(worker: Worker) -> None:
    sink = await opened(worker, "bob")
    await worker.say("x" * 2 * WAKE_UP_LIMIT)
    await worker.say("after")
    await until(lambda: len(sink.ids()) == 2)
    assert json.loads(sink.events()[-1]["data"])["text"] == "after"


async def test_streams_that_attach_while_messages_come_miss_nothing(worker: Worker, other_worker: Worker) -> None:
    await worker.say("m0")
    sending = asyncio.create_task(asyncio.wait([asyncio.ensure_future(worker.say(f"m{i}")) for i in range(1, 100)]))
    sinks = []
    for _ in range(10):
        sinks.append(other_worker.open_stream("bob", "0-0")[1])
        await asyncio.sleep(0.002)
    await sending
    await until(lambda: all(len(sink.ids()) == 100 for sink in sinks))
    entries = [event.id for event in await worker.events("bob")]
    assert all(sink.ids() == entries for sink in sinks)


async def test_audit_finds_events_that_pubsub_lost(worker: Worker, redis: RedisProcess) -> None:
    sink = await opened(worker, "bob")
    on_message, lost = worker.hub.subscriptions._on_message, asyncio.Event()
    worker.hub.subscriptions._on_message = lambda *_: lost.set()
    await worker.say("lost")
    await lost.wait()
    worker.hub.subscriptions._on_message = on_message
    await worker.hub.sweep()
    assert sink.ids() == []
    worker.clock.time += 31
    await worker.hub.sweep()
    await until(sink.ids)


async def test_after_a_lost_subscriber_connection_no_event_is_missed(worker: Worker, redis: RedisProcess) -> None:
    sink = await opened(worker, "bob")
    with redis.client() as client:
        client.client_kill_filter(_type="pubsub")
    await worker.say("while nobody listened")
    await until(lambda: keys.live("bob").encode() in worker.hub._unaudited)
    await worker.hub.sweep()
    await until(sink.ids)
    assert not worker.hub._unaudited


async def test_a_redis_that_lost_its_data_makes_a_reset(worker: Worker, redis: RedisProcess) -> None:
    await worker.say("one")
    sink = await opened(worker, "bob")
    with redis.client() as client:
        client.flushall()
    worker.clock.time += 31
    await worker.hub.sweep()
    await until(lambda: "reset" in sink.names())
    assert json.loads(sink.events()[-1]["data"])["reason"] == "lost"
    await worker.say("two")
    await until(sink.ids)


async def test_a_quiet_stream_is_pinged_and_a_busy_one_is_not(worker: Worker) -> None:
    sink = await opened(worker, "bob")
    worker.clock.time += 14
    await worker.hub.sweep()
    assert "ping" not in sink.names()
    worker.clock.time += 1
    await worker.hub.sweep()
    assert sink.names().count("ping") == 1
    await worker.hub.sweep()
    assert sink.names().count("ping") == 1


async def test_a_stream_ends_when_its_token_does(worker: Worker) -> None:
    sink = await opened(worker, "bob", expires_at=1.0)
    await worker.hub.sweep()
    assert reasons(sink) == ["token_expired"]
    assert len(worker.hub) == 0


async def test_signing_out_ends_that_sessions_streams_on_all_workers(worker: Worker, other_worker: Worker) -> None:
    token = await worker.auth.sign_in(UserId("bob"))
    identity = await other_worker.auth.identify(token)
    mine = await opened(other_worker, "bob", session=identity.session)
    others = await opened(other_worker, "bob", session="another")
    await worker.auth.sign_out(identity)
    await until(lambda: mine.ended)
    assert reasons(mine) == ["signed_out"]
    assert not others.ended


async def test_audit_finds_a_sign_out_that_pubsub_lost(worker: Worker) -> None:
    sink = await opened(worker, "bob", session="it has ended")
    worker.clock.time += 31
    await worker.hub.sweep()
    assert reasons(sink) == ["signed_out"]


async def test_backpressure_a_reader_stuck_for_long_is_cut(worker: Worker) -> None:
    stream, sink = worker.open_stream("bob")
    await until(lambda: stream.live)
    stream.pause()
    worker.clock.time += 59
    await worker.hub.sweep()
    assert not sink.ended
    worker.clock.time += 2
    await worker.hub.sweep()
    assert reasons(sink) == ["slow"]
    assert len(worker.hub) == 0


async def test_streams_per_user_is_limited(worker: Worker) -> None:
    for _ in range(32):
        worker.open_stream("bob")
    assert not worker.hub.has_room(worker.inbox.source(UserId("bob")))
    assert worker.hub.has_room(worker.inbox.source(UserId("alice")))


async def test_a_stream_that_cannot_begin_is_sent_away_to_come_back(redis: RedisProcess) -> None:
    async with a_worker(redis.url, redis_timeout=0.2) as worker:
        redis.kill()
        await until(lambda: not worker.redis.connected and not worker.hub.subscriptions.connected)
        stream, sink = worker.open_stream("bob")
        await until(lambda: stream.closed)
        assert reasons(sink) == ["unavailable"]
        redis.start()


async def test_streams_stay_open_while_redis_is_away_and_get_all_when_it_is_back(
    worker: Worker, other_worker: Worker, redis: RedisProcess
) -> None:
    await worker.say("one")
    stream, sink = worker.open_stream("bob", "0-0")
    await until(lambda: stream.live)
    with redis.client() as client:
        stored = client.dump(keys.of_user("bob").inbox)
        assert stored
    worker.redis.reconnect()
    stream.behind()
    await until(lambda: not stream.busy)
    assert worker.hub._stalled == {stream}
    assert await worker.redis.wait_connected(5)
    await worker.hub.sweep()
    await until(lambda: stream.live)
    await worker.say("two", conversation=DM)
    await until(lambda: len(sink.ids()) == 2)
    assert not sink.ended


async def test_an_audit_that_redis_does_not_answer_is_made_later(worker: Worker, redis: RedisProcess) -> None:
    sink = await opened(worker, "bob")
    worker.clock.time += 31
    worker.redis.reconnect()
    with pytest.raises(RedisUnavailable):
        await worker.hub.sweep()
    await until(lambda: not worker.redis.connected)
    assert await worker.redis.wait_connected(5)
    assert worker.hub._unaudited
    await worker.hub.sweep()
    assert not worker.hub._unaudited
    assert not sink.ended


async def test_graceful_shutdown_of_the_hub_sends_bye_to_all_streams(worker: Worker) -> None:
    sinks = [await opened(worker, "bob"), await opened(worker, "alice")]
    await worker.hub.close()
    assert [reasons(sink) for sink in sinks] == [["drain"], ["drain"]]


async def test_the_sweeper_sweeps_by_itself_and_outlives_redis(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.streams.hub.SWEEP_SECONDS", 0.01)
    sink = await opened(worker, "bob")
    worker.hub._run(worker.hub._keep_sweeping())
    worker.clock.time += 16
    await until(lambda: "ping" in sink.names())
    worker.clock.time += 31
    worker.redis.reconnect()
    await until(lambda: sink.names().count("ping") == 2)
    worker.clock.time += 16
    await until(lambda: sink.names().count("ping") == 3)


async def test_graceful_shutdown_spreads_the_byes_over_time(worker: Worker) -> None:
    await opened(worker, "bob")
    assert worker.hub.drain_delay() <= 0.001
    worker.hub._count = 10**6
    assert max(worker.hub.drain_delay() for _ in range(100)) > 1.5
    assert max(worker.hub.drain_delay() for _ in range(100)) <= 3
    worker.hub._count = 1


async def test_of_many_wake_ups_only_some_are_timed(worker: Worker) -> None:
    sink = await opened(worker, "bob")
    worker.hub.metrics.stride = 3
    for number in range(7):
        await worker.say(f"m{number}")
    await until(lambda: len(sink.ids()) == 7)
    assert sum(worker.hub.metrics.latency_live.counts) == 2


async def test_ephemeral_events_take_half_of_what_may_wait_for_many_streams(redis: RedisProcess) -> None:
    kind = Kind("made_up", Message, None, entries=0)
    async with a_worker(redis.url, kinds=Kinds([*KINDS, kind])) as worker:
        sinks = [await opened(worker, "bob") for _ in range(STREAMS_AT_ONCE + 1)]
        channel, wake_up = keys.live("bob").encode(), encode_ephemeral("made_up", 0, b"{}")
        for _ in range(2 * QUEUE):
            worker.hub._on_message(channel, wake_up)
        assert len(worker.hub._fan_out._queues[channel]) == QUEUE // 2
        await worker.say("hi")
        await until(lambda: len(sinks[-1].ids()) == 1)
        assert sinks[-1].names()[-1] == "message"
        assert not worker.hub.metrics.holes["wake_up"]
