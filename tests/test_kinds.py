"""A kind of events is an entry in the registry: made-up kinds of each sort are sent, replayed, repaired and counted."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parts import ALICE, BOB, DM, MARK, FakeSink, Worker, a_worker, draft, parse_frames
from polling import until
from redises import RedisProcess
from ssechat.cli.terminal import event_line
from ssechat.events import frames
from ssechat.events.kinds import KINDS, LARGEST_FACT, MESSAGE, RESET, Kind, Kinds, Replay
from ssechat.events.models import DeliveredMessage as Told
from ssechat.events.models import EventData, Message
from ssechat.ids import ConversationId, number_of
from ssechat.logs.actions import Action, changed_message, fact
from ssechat.logs.delivery import AT_ONCE
from ssechat.logs.refused import MessageChanged
from ssechat.redis import keys
from ssechat.streams.stream import Stream

pytestmark = pytest.mark.anyio

NAMES = st.from_regex(r"[a-z][a-z0-9_.]{0,20}", fullmatch=True).filter(
    lambda name: name not in frames.OF_A_STREAM and KINDS.get(name) is None
)
WORDS = st.text(max_size=40)
ON_ONE_REDIS = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Note(EventData):
    """The data of a made-up kind."""

    word: str
    times: int | None = None


def with_kind(kind: Kind) -> Kinds:
    return Kinds([*KINDS, kind])


@asynccontextmanager
async def a_reader(
    redis: RedisProcess, kind: Kind, *, at_once: int = AT_ONCE
) -> AsyncIterator[tuple[Worker, Stream, FakeSink]]:
    """A worker that knows the kind, on an empty Redis, and a live stream of bob's."""
    async with a_worker(redis.url, kinds=with_kind(kind), at_once=at_once) as worker:
        await worker.redis.call("FLUSHALL")
        stream, sink = worker.open_stream("bob", "0-0")
        await until(lambda: stream.live)
        yield worker, stream, sink


async def a_change(worker: Worker, kind: Kind, text: str) -> Action:
    """Returns a change of the newest message."""
    seq = await worker.conversations.newest_seq(DM)
    [message] = await worker.conversations.messages(DM, [seq])
    assert message is not None
    return changed_message(kind, message, {**json.loads(message), "text": text})


def shown(events: list[dict[str, str]], name: str) -> list[Any]:
    """The data of the events with this name, of messages without the reader's mark."""
    return [json.loads(MARK.sub("}", event["data"])) for event in events if event["event"] == name]


@pytest.mark.parametrize("at_once", [AT_ONCE, 0], ids=["one-script", "two-steps"])
@ON_ONE_REDIS
@given(name=NAMES, word=WORDS)
async def test_a_made_up_kind_of_facts_is_sent_replayed_repaired_and_counted(
    redis: RedisProcess, at_once: int, name: str, word: str
) -> None:
    kind = Kind(name, Note, Replay.FACT)
    async with a_reader(redis, kind, at_once=at_once) as (worker, stream, sink):
        first, _ = await worker.delivery.send(fact(kind, DM, {"word": word}), (ALICE, BOB))
        assert json.loads(first) == {"word": word}
        await until(lambda: shown(sink.events(), name) == [{"word": word}])
        assert sink.events()[-1]["id"] == (await worker.events("bob"))[-1].id, "it is durable"
        await worker.append(fact(kind, DM, {"word": "lacking"}))  # the worker dies before it delivers
        await worker.say("hi")
        told = [await worker.texts(user) for user in (ALICE, BOB)]
        assert told[0] == told[1]
        assert [json.loads(data).get("word") for data in told[0]] == [word, "lacking", None]
        await until(lambda: len(shown(sink.events(), name)) == 2 and stream.live)
        assert worker.hub.metrics.events_live[name] + worker.hub.metrics.events_from_log[name] == 2
        # A trimmed log does not remove events of inboxes.
        await worker.redis.call("DEL", keys.of_conversation(DM).log)
        assert [json.loads(data).get("word") for data in await worker.texts("bob")] == [word, "lacking", None]
        assert event_line(name, {"word": "x"}).startswith(name)


@pytest.mark.parametrize("at_once", [AT_ONCE, 0], ids=["one-script", "two-steps"])
@ON_ONE_REDIS
@given(name=NAMES, word=WORDS)
async def test_a_made_up_kind_of_new_messages_is_sent_replayed_repaired_and_counted(
    redis: RedisProcess, at_once: int, name: str, word: str
) -> None:
    kind = Kind(name, Told, Replay.NEW_MESSAGE)
    async with a_reader(redis, kind, at_once=at_once) as (worker, stream, sink):
        done, _ = await worker.delivery.send(replace(draft(word, key="k"), kind=kind), (ALICE, BOB))
        sent = json.loads(done)
        assert (sent["text"], sent["seq"], sent["version"]) == (word, 1, 1)
        await until(lambda: shown(sink.events(), name) == [sent])
        assert sink.events()[-1]["id"] == (await worker.events("bob"))[-1].id, "it is durable"
        assert await worker.delivery.send(replace(draft(word, key="k"), kind=kind), (ALICE, BOB)) == (done, False)
        await worker.append(replace(draft("lacking"), kind=kind))  # the worker dies before it delivers
        await worker.say("hi")
        for user in (ALICE, BOB):
            replayed = await worker.events(user)
            assert [event.kind for event in replayed] == [name, name, "message"]
            assert [json.loads(data)["text"] for data in await worker.texts(user)] == [word, "lacking", "hi"]
        [place] = await worker.inbox.places(BOB)
        assert (place.seq, place.mark.unread(place.seq)) == (3, 3), "they are unread as messages are"
        await until(lambda: len(shown(sink.events(), name)) == 2 and stream.live)
        assert worker.hub.metrics.events_live[name] + worker.hub.metrics.events_from_log[name] == 2


@pytest.mark.parametrize("at_once", [AT_ONCE, 0], ids=["one-script", "two-steps"])
@ON_ONE_REDIS
@given(name=NAMES, word=WORDS)
async def test_a_made_up_kind_of_changes_is_sent_replayed_repaired_and_counted(
    redis: RedisProcess, at_once: int, name: str, word: str
) -> None:
    kind = Kind(name, Told, Replay.CHANGED_MESSAGE)
    async with a_reader(redis, kind, at_once=at_once) as (worker, stream, sink):
        await worker.say("hi")
        done, _ = await worker.delivery.send(await a_change(worker, kind, word), (ALICE, BOB))
        changed = json.loads(done)
        assert (changed["text"], changed["seq"], changed["version"]) == (word, 1, 2)
        await until(lambda: shown(sink.events(), name) == [changed])
        await worker.append(await a_change(worker, kind, "lacking"))
        await worker.say("next")
        # A replay has the current version of the message, and only the last of its changes.
        replayed = [event for event in await worker.events("alice") if event.chunk]
        assert [event.kind for event in replayed] == ["message", name, "message"]
        texts = [json.loads(parse_frames(frames.unchunk(event.chunk))[0]["data"])["text"] for event in replayed]
        assert texts == ["lacking", "lacking", "next"]
        await until(lambda: len(sink.ids()) == 2 and stream.live)
        assert worker.hub.metrics.events_live[name] + worker.hub.metrics.events_from_log[name] >= 2


@ON_ONE_REDIS
@given(name=NAMES, word=WORDS)
async def test_a_made_up_ephemeral_kind_reaches_live_streams_without_an_id_and_nobody_else(
    redis: RedisProcess, name: str, word: str
) -> None:
    kind = Kind(name, Note, None, entries=0)
    async with a_reader(redis, kind) as (worker, stream, sink):
        behind, late = worker.open_stream("bob")
        await until(lambda: stream.live and behind.live)
        behind.pause()
        await worker.inbox.publish([ALICE, BOB], kind, {"word": word})
        await until(lambda: shown(sink.events(), name))
        [event] = [event for event in sink.events() if event["event"] == name]
        assert "id" not in event
        assert json.loads(event["data"]) == {"word": word}
        assert stream.live, "it is no news of the inbox"
        behind.resume()
        await until(lambda: behind.live)
        assert shown(late.events(), name) == []
        assert await worker.events("bob") == []
        assert worker.hub.metrics.events_live[name] == 1


@pytest.mark.parametrize(
    "kind",
    [MESSAGE, Kind("made_up.note", Note, Replay.FACT), Kind("made_up.edit", Told, Replay.CHANGED_MESSAGE)],
)
async def test_an_action_makes_as_many_entries_in_each_inbox_as_its_kind_says(redis: RedisProcess, kind: Kind) -> None:
    kinds = Kinds([MESSAGE, RESET, *{kind} - {MESSAGE}])
    async with a_worker(redis.url, kinds=kinds) as worker:
        await worker.redis.call("FLUSHALL")
        await worker.say("hi")
        before = {user: len(await worker.events(user)) for user in (ALICE, BOB)}
        if kind is MESSAGE:
            await worker.say("another")
        else:
            action = fact(kind, DM, {"word": "x"}) if kind.replay is Replay.FACT else await a_change(worker, kind, "x")
            await worker.delivery.send(action, (ALICE, BOB))
        for user, count in before.items():
            assert len(await worker.events(user)) - count == kind.entries


async def test_a_kind_of_a_newer_version_is_its_conversations_reset_and_repair_keeps_it(
    redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    kind = Kind("made_up.note", Note, Replay.FACT)
    async with a_worker(redis.url, kinds=with_kind(kind)) as newer, a_worker(redis.url) as older:
        await newer.redis.call("FLUSHALL")
        stream, sink = older.open_stream("bob", "0-0")
        await until(lambda: stream.live)
        await newer.append(fact(kind, DM, {"word": "x"}))
        await older.say("hi")  # an older worker repairs
        await until(lambda: sink.names()[-2:] == ["reset", "message"])
        [reset] = shown(sink.events(), "reset")
        assert reset == {"reason": "unknown", "conversation_id": DM}
        assert json.loads((await newer.texts("bob"))[0]) == {"word": "x"}
        assert [event.kind for event in await older.events("bob")] == ["reset", "message"]
        assert older.redis.metrics.conversation_resets["unknown"] >= 1
        assert len([line for line in caplog.messages if "'made_up.note'" in line]) == 1


async def test_a_live_stream_of_an_older_version_gets_the_reset_in_its_place(redis: RedisProcess) -> None:
    kind = Kind("made_up.note", Note, Replay.FACT)
    async with a_worker(redis.url, kinds=with_kind(kind)) as newer, a_worker(redis.url) as older:
        await newer.redis.call("FLUSHALL")
        stream, sink = older.open_stream("bob")
        await until(lambda: stream.live)
        await newer.delivery.send(fact(kind, DM, {"word": "x"}), (ALICE, BOB))
        await until(lambda: sink.names()[-1] == "reset" and stream.live)
        assert sink.events()[-1]["id"] == (await older.events("bob"))[-1].id


async def test_a_change_made_from_a_message_that_has_changed_since_loses(redis: RedisProcess) -> None:
    kind = Kind("made_up.edit", Told, Replay.CHANGED_MESSAGE)
    async with a_worker(redis.url, kinds=with_kind(kind)) as worker:
        await worker.redis.call("FLUSHALL")
        await worker.say("hi")
        one, other = await a_change(worker, kind, "one"), await a_change(worker, kind, "other")
        outcomes = await asyncio.gather(
            *[worker.delivery.send(change, (ALICE, BOB)) for change in (one, other)], return_exceptions=True
        )
        [lost] = [outcome for outcome in outcomes if isinstance(outcome, MessageChanged)]
        assert json.loads(lost.message or b"")["text"] == "one"
        again, _ = await worker.delivery.send(await a_change(worker, kind, "other"), (ALICE, BOB))
        assert json.loads(again)["version"] == 3
        await worker.redis.call("HDEL", keys.of_conversation(DM).messages, "1")
        with pytest.raises(MessageChanged) as gone:
            await worker.delivery.send(other, (ALICE, BOB))
        assert gone.value.message is None


async def test_an_unregistered_kind_is_neither_sent_nor_told(worker: Worker) -> None:
    with pytest.raises(LookupError, match=r"'made_up\.note'"):
        await worker.delivery.send(fact(Kind("made_up.note", Note, Replay.FACT), DM, {"word": "x"}), (ALICE, BOB))
    with pytest.raises(LookupError, match=r"'made_up\.typing'"):
        await worker.inbox.publish([BOB], Kind("made_up.typing", Note, None, entries=0), {"word": "x"})
    for another in (replace(MESSAGE, entries=2), Kind("reset", Note, Replay.FACT)):  # of a name that is registered
        with pytest.raises(LookupError, match="no registered kind"):
            KINDS.check(another, durable=True)
    with pytest.raises(LookupError, match="kept in logs"):
        await worker.inbox.publish([BOB], MESSAGE, {})
    assert await worker.events("bob") == []


async def test_an_ephemeral_kind_is_not_appended(redis: RedisProcess) -> None:
    kind = Kind("made_up.typing", Note, None, entries=0)
    a_fact = fact(Kind("made_up.note", Note, Replay.FACT), DM, {"word": "x"})
    async with a_worker(redis.url, kinds=with_kind(kind)) as worker:
        with pytest.raises(LookupError, match="ephemeral"):
            await worker.delivery.send(replace(a_fact, kind=kind), (ALICE, BOB))


def test_a_facts_data_is_what_its_model_says_and_bounded() -> None:
    kind = Kind("made_up.note", Note, Replay.FACT)
    assert kind.encode({"word": "x\u2028"}) == b'{"word":"x\\u2028"}'
    for wrong in ({}, {"word": 1}, {"word": "x", "more": 1}):
        with pytest.raises(ValueError, match="Note"):
            kind.encode(wrong)
    longest = LARGEST_FACT - len('{"word":""}')
    assert len(kind.encode({"word": "x" * longest})) == LARGEST_FACT
    with pytest.raises(ValueError, match="512 bytes"):
        kind.encode({"word": "x" * (longest + 1)})


@pytest.mark.parametrize("name", ["hello", "ping", "bye", "retry", "caught_up", "", "A", "a b", "a\nb", "1a", "x" * 65])
def test_a_kind_cannot_have_a_name_that_streams_use_or_that_does_not_fit_on_a_line(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        Kinds([Kind(name, Note, None)])


def test_two_kinds_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="two kinds"):
        Kinds([MESSAGE, MESSAGE])


async def test_a_message_is_what_its_model_says(worker: Worker) -> None:
    message = await worker.say("hi")
    assert Message.model_validate_json(message).model_dump_json(exclude_none=True).encode() == message
    await worker.redis.call("HDEL", keys.of_conversation(DM).messages, "1")
    [tombstone] = await worker.texts("bob")
    assert Message.model_validate_json(tombstone).deleted


async def test_what_is_no_wake_up_has_the_streams_of_its_channel_audited(worker: Worker) -> None:
    stream, sink = worker.open_stream("bob")
    await until(lambda: stream.live)
    channel = keys.live("bob")
    wrong = (b"", b"nonsense", b"message x 1-1 0-0", b"message 1 1-1", b"\xff", b"message 1 a-b %b\n{}")
    for payload in (*wrong, b"message 1 1-1 2-2 3-3\n{}"):
        payload = payload.replace(b"%b", stream.cursor.encode())
        await worker.redis.call("PUBLISH", channel, payload)
        await until(lambda: channel.encode() in worker.hub._unaudited)
        worker.hub._unaudited.clear()
    worker.hub._unaudited.add(channel.encode())
    await worker.hub.sweep()
    await worker.say("hi")
    await until(lambda: number_of(stream.cursor) == 1)
    assert sink.names()[-1] == "message"


@pytest.mark.parametrize(("replay", "entries"), [(None, 1), (Replay.FACT, 0)])
def test_an_ephemeral_kind_makes_no_entries_and_a_durable_one_some(replay: Replay | None, entries: int) -> None:
    with pytest.raises(ValueError, match="ephemeral or makes entries"):
        Kinds([Kind("made_up", Note, replay, entries)])


async def test_an_event_that_is_durable_to_another_version_only_is_not_shown_as_it_came(redis: RedisProcess) -> None:
    fleeting, kept = Kind("made_up.note", Note, None, entries=0), Kind("made_up.note", Note, Replay.FACT)
    async with (
        a_worker(redis.url, kinds=with_kind(kept)) as newer,
        a_worker(redis.url, kinds=with_kind(fleeting)) as older,
    ):
        await newer.redis.call("FLUSHALL")
        (stream, sink), (other, theirs) = older.open_stream("bob"), newer.open_stream("bob")
        await until(lambda: stream.live and other.live)
        await older.inbox.publish([BOB], fleeting, {"word": "x"})
        await until(lambda: "made_up.note" in sink.names())
        await newer.delivery.send(fact(kept, DM, {"word": "y"}), (ALICE, BOB))
        await until(lambda: sink.names()[-1] == "reset" and theirs.names()[-1] == "made_up.note")
        assert sink.names().count("made_up.note") == theirs.names().count("made_up.note") == 1
        assert "id" in theirs.events()[-1]


def test_an_action_is_of_the_sort_that_its_kind_says() -> None:
    kept, edit = Kind("made_up.note", Note, Replay.FACT), Kind("made_up.edit", Told, Replay.CHANGED_MESSAGE)
    for kind in (MESSAGE, edit, Kind("made_up.typing", Note, None, entries=0)):
        with pytest.raises(LookupError, match=kind.name):
            fact(kind, DM, {"word": "x"})
    for kind in (MESSAGE, kept, Kind("made_up.typing", Note, None, entries=0)):
        with pytest.raises(LookupError, match=kind.name):
            changed_message(kind, b"{}", {"conversation_id": DM, "seq": 1})


async def test_a_change_of_an_old_message_leaves_the_newest_ones_number(redis: RedisProcess) -> None:
    kind = Kind("made_up.edit", Told, Replay.CHANGED_MESSAGE)
    async with a_worker(redis.url, kinds=with_kind(kind)) as worker:
        for text in ("one", "two", "three"):
            await worker.say(text)
        [message] = await worker.conversations.messages(DM, [1])
        assert message is not None
        await worker.delivery.send(changed_message(kind, message, {**json.loads(message), "text": "ONE"}), (ALICE, BOB))
        assert [place.seq for place in await worker.inbox.places(BOB)] == [3]
        assert json.loads(await worker.say("four"))["seq"] == 4


async def test_only_a_later_change_of_the_same_message_stands_for_an_earlier_one(redis: RedisProcess) -> None:
    kind, other = Kind("made_up.edit", Told, Replay.CHANGED_MESSAGE), ConversationId("dm:bob:carol")
    async with a_worker(redis.url, kinds=with_kind(kind)) as worker:
        for text in ("one", "two"):
            await worker.say(text)
        await worker.say("theirs", sender="carol", conversation=other)
        for conversation, seq in ((DM, 1), (other, 1), (DM, 2), (DM, 1)):
            [message] = await worker.conversations.messages(conversation, [seq])
            assert message is not None
            text = json.loads(message)["text"].upper()
            change = changed_message(kind, message, {**json.loads(message), "text": text})
            await worker.delivery.send(change, (BOB,))
        replayed = [event for event in await worker.events("bob") if event.kind == kind.name]
        assert [bool(event.chunk) for event in replayed] == [False, True, True, True]
        shown_last = [json.loads(parse_frames(frames.unchunk(event.chunk))[0]["data"]) for event in replayed[1:]]
        assert [message["text"] for message in shown_last] == ["THEIRS", "TWO", "ONE"]


async def test_a_kind_that_another_version_replays_in_another_way_is_a_reset(redis: RedisProcess) -> None:
    theirs, ours = (
        Kind("made_up.note", Told, Replay.CHANGED_MESSAGE),
        Kind("made_up.note", Note, Replay.FACT),
    )
    async with (
        a_worker(redis.url, kinds=with_kind(theirs)) as newer,
        a_worker(redis.url, kinds=with_kind(ours)) as older,
    ):
        await newer.say("hi")
        await newer.delivery.send(await a_change(newer, theirs, "x"), (ALICE, BOB))
        assert [event.kind for event in await older.events("bob")] == ["message", "reset"]


async def test_a_change_may_leave_nothing_of_a_message_but_its_place(redis: RedisProcess) -> None:
    kind = Kind("made_up.edit", Told, Replay.CHANGED_MESSAGE)
    async with a_worker(redis.url, kinds=with_kind(kind)) as worker:
        message = await worker.say("hi")
        empty = changed_message(kind, message, {"conversation_id": DM, "seq": 1, "version": 1})
        done, _ = await worker.delivery.send(empty, (ALICE, BOB))
        assert json.loads(done) == {"conversation_id": DM, "seq": 1, "version": 2}
