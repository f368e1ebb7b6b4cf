"""The client's stream of events, against scripted servers and with a fake clock."""

import asyncio
import errno
import gc
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from scripted import Script, first, problem
from ssechat.client import (
    ClientError,
    HelloEvent,
    Message,
    MessageChangeEvent,
    MessageEvent,
    OtherEvent,
    ReadState,
    Refused,
    ResetEvent,
    SettingsError,
)
from ssechat.client.bookmark import Bookmark
from ssechat.client.events import parse_event
from ssechat.client.transport import LARGEST
from ssechat.problem_details import MAX_RETRY_AFTER

pytestmark = pytest.mark.anyio

SSE = {"content-type": "text/event-stream"}


def stream(text: str) -> httpx.Response:
    return httpx.Response(200, text=text, headers=SSE)


class Body(httpx.AsyncByteStream):
    """A response body that fails after some bytes, or goes on without an end."""

    def __init__(self, text: str, error: Exception | None = None, *, endless: bool = False) -> None:
        self.text = text
        self.error = error
        self.endless = endless
        self.sent = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += len(self.text)
            yield self.text.encode()
            if not self.endless:
                break
        if self.error is None:
            await asyncio.Event().wait()
        else:
            raise self.error

    async def aclose(self) -> None:
        self.closed = True


def broken(text: str, error: Exception) -> httpx.Response:
    return httpx.Response(200, stream=Body(text, error), headers=SSE)


def message(id: str, seq: int = 1) -> str:
    return f'event: message\ndata: {{"conversation_id":"dm:a:b","seq":{seq},"text":"hi"}}\nid: {id}\n\n'


def cursors(script: Script) -> list[str | None]:
    """The last event id of each request."""
    return [request.headers.get("last-event-id") for request in script.requests]


async def test_reconnect_sends_the_last_event_id_that_the_caller_handled() -> None:
    script = Script(
        stream(f'retry: 2000\n\nid: 5-x\nevent: hello\ndata: {{"user":"a"}}\n\n{message("6-x")}'),
        broken(f"{message('7-x')}id: 8-x\nevent: mess", httpx.ReadError("reset")),
        broken("event: typing\ndata: {}\n\n", httpx.ReadTimeout("silence")),
        stream(message("8-x")),
    )
    events = await first(5, script.client().events())
    assert [event.id for event in events] == ["5-x", "6-x", "7-x", "", "8-x"]
    assert cursors(script) == [None, "6-x", "7-x", "7-x"]
    assert script.pauses == [2.0, 2.0, 2.0]
    assert script.notes[0] == "the stream ended; reconnecting in 2.0 s …"
    assert script.notes[2].startswith("the stream was silent for 60 s")
    assert {request.extensions["timeout"]["read"] for request in script.requests} == {60}


async def test_an_event_is_handled_when_the_next_one_is_asked_for() -> None:
    events = Script(stream(message("5-x") + message("6-x"))).client().events("4-x")
    assert events.last_id == "4-x"
    await anext(events)
    assert events.last_id == "4-x"
    await anext(events)
    assert events.last_id == "5-x"
    await events.aclose()
    assert events.last_id == "5-x"
    assert repr(events) == "<EventStream of http://chat.test, after 5-x>"


async def test_events_have_the_type_of_their_kind() -> None:
    hello = 'event: hello\ndata: {"user":"a","resumed":true,"missed":2,"new":1}\nid: 4-x\n\n'
    reset = 'event: reset\ndata: {"reason":"lost","conversation_id":"dm:a:b"}\nid: 6-x\n\n'
    script = Script(stream(hello + message("5-x") + reset + 'event: poll\ndata: {"q":1}\nid: 7-x\n\n'))
    begun, said, missing, other = await first(4, script.client().events())
    assert isinstance(begun, HelloEvent)
    assert (begun.data.user, begun.data.resumed, begun.data.missed, begun.raw["new"]) == ("a", True, 2, 1)
    assert isinstance(said, MessageEvent)
    assert isinstance(said.data, Message)
    assert said.data.text == "hi"
    assert isinstance(missing, ResetEvent)
    assert (missing.data.reason, missing.data.conversation_id) == ("lost", "dm:a:b")
    assert other == OtherEvent("poll", "7-x", {"q": 1})
    assert repr(other) == "OtherEvent(name='poll', id='7-x', data={'q': 1})"
    assert str(said).startswith("MessageEvent(name='message', id='5-x', data=Message(conversation_id='dm:a:b', seq=1,")


def test_an_event_of_a_message_has_the_mark_beside_the_message() -> None:
    said = '{"conversation_id":"dm:a:b","seq":3,"text":"hi"'
    mark = '"read_up_to":1,"muted":true,"unread":2,"mentions":[3]'
    event = parse_event("message.updated", "5-x", f'{said},"mark":{{{mark}}}}}')
    assert isinstance(event, MessageChangeEvent)
    assert event.data == Message.read(json.loads(said + "}"))
    assert isinstance(event.mark, ReadState)
    assert event.mark.model_dump() == {"read_up_to": 1, "muted": True, "unread": 2, "mentions": (3,)}
    for other in ("}", ',"mark":7}'):
        event = parse_event("message", "5-x", said + other)
        assert isinstance(event, MessageEvent)
        assert event.mark is None


@pytest.mark.parametrize("data", ["text", "[]", "7", "{}", '{"conversation_id":"x"}', "[" * 100_000])
async def test_an_event_with_data_in_another_form_is_passed_on(data: str) -> None:
    event = parse_event("message", "5-x", data)
    assert isinstance(event, OtherEvent)
    assert (event.name, event.id) == ("message", "5-x")


async def test_what_is_for_the_client_itself_is_not_passed_on() -> None:
    opening = "event: retry\nretry: 2000\ndata: {}\nid: 4-x\n\n"
    script = Script(
        stream(f'{opening}event: ping\ndata: {{"id":"9-x"}}\n\nevent: typing\ndata: {{}}\n\n'),
        broken(opening.replace("2000", "3000"), httpx.ReadError("reset")),
        stream(message("5-x")),
    )
    assert [event.name for event in await first(2, script.client().events("4-x"))] == ["typing", "message"]
    assert cursors(script) == ["4-x", "4-x", "4-x"]
    assert script.pauses == [2.0, 3.0]


async def test_an_id_without_data_is_handled_at_once() -> None:
    script = Script(stream("id: 9-x\n\n"), stream(message("10-x")))
    await anext(script.client().events())
    assert cursors(script) == [None, "9-x"]


async def test_a_bye_before_a_cut_response_is_no_failure() -> None:
    end = httpx.RemoteProtocolError("incomplete chunked read")
    bye = broken('event: bye\nretry: 1500\ndata: {"reason":"drain"}\n\n', end)
    script = Script(bye, stream(message("5-x")))
    assert [event.name for event in await first(2, script.client().events())] == ["bye", "message"]
    assert script.notes == ["the stream ended; reconnecting in 1.5 s …"]


async def test_a_cut_response_without_a_bye_is_said_in_words() -> None:
    end = httpx.RemoteProtocolError("peer closed connection without sending complete message body")
    script = Script(broken("retry: 1500\n\n", end), stream(message("5-x")))
    await anext(script.client().events())
    assert script.notes == ["cannot reach http://chat.test (it closed the connection); reconnecting in 1.5 s …"]


async def test_events_without_an_id_do_not_change_the_last_event_id() -> None:
    script = Script(stream(f"{message('1-x')}event: typing\ndata: {{}}\n\n"))
    events = script.client().events("0-0")
    assert [event.id for event in await first(2, events)] == ["1-x", ""]
    assert cursors(script) == ["0-0"]


async def test_reconnect_waits_as_retry_says_with_jitter_and_back_off() -> None:
    script = Script(
        stream("retry: 4000\n\n"),
        httpx.ConnectError("refused"),
        problem(503, "unavailable", "away"),
        problem(500, "internal", "oh"),
        problem(401, "token_expired", "the token has expired"),
    )
    with pytest.raises(Refused, match=r"the token has expired \(401 token_expired\)"):
        await anext(script.client(chance=1.0).events())
    assert script.pauses == [5.0, 5.0, 5.0, 10.0]


async def test_reconnect_after_429_waits_as_retry_after_says() -> None:
    script = Script(problem(429, "too_many", "too many", **{"retry-after": "7"}), problem(403, "no", "no"))
    with pytest.raises(Refused) as caught:
        await anext(script.client().events())
    assert script.pauses == [7.0]
    assert (caught.value.code, caught.value.status) == ("no", 403)


async def test_a_retry_field_is_bounded() -> None:
    script = Script(stream(f"retry: {'9' * 400}\n\n"), stream(message("1-x")))
    await anext(script.client().events())
    assert script.pauses == [MAX_RETRY_AFTER]


async def test_a_response_that_is_not_an_event_stream_is_an_error() -> None:
    script = Script(httpx.Response(200, text="<html>", headers={"content-type": "text/html"}))
    with pytest.raises(ClientError, match="not a chat server"):
        await anext(script.client().events())
    assert script.pauses == []


async def test_an_event_that_does_not_end_is_not_kept() -> None:
    body = Body("x" * (1 << 20), endless=True)
    chat = Script(httpx.Response(200, stream=body, headers=SSE)).client()
    with pytest.raises(ClientError, match="larger than any of a chat server"):
        await anext(chat.events())
    assert body.sent <= LARGEST + (2 << 20)
    assert body.closed


async def test_many_events_have_no_bound_together() -> None:
    body = Body(f"event: x\ndata: {'y' * (LARGEST // 4)}\n\n", endless=True)
    events = Script(httpx.Response(200, stream=body, headers=SSE)).client().events()
    await first(8, events)
    await events.aclose()


async def test_waiting_can_be_cancelled_and_gone_on_with() -> None:
    silent = Body(message("5-x"))
    script = Script(httpx.Response(200, stream=silent, headers=SSE), stream(message("6-x")))
    events = script.client().events()
    await anext(events)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(events)
    assert silent.closed
    assert (await anext(events)).id == "6-x"
    assert cursors(script) == [None, "5-x"]


async def test_a_pause_that_was_cancelled_is_still_to_be_waited_for() -> None:
    script = Script(httpx.ConnectError("refused"), stream(message("6-x")))
    chat = script.client()
    events = chat.events()
    rests = [asyncio.Event()]

    async def sleep(seconds: float) -> None:
        script.pauses.append(seconds)
        if rests:
            await rests.pop().wait()
        script.now += seconds

    chat._pauses._sleep = sleep
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(events)
    script.now += 0.25
    assert (await anext(events)).id == "6-x"
    assert script.pauses == [1.0, 0.75]


async def test_the_end_of_a_client_ends_its_streams_and_closes_their_connections() -> None:
    silent = Body(message("5-x"))
    async with Script(httpx.Response(200, stream=silent, headers=SSE)).client() as chat:
        events = chat.events()
        async for event in events:
            assert event.id == "5-x"
            break
        assert not silent.closed
    assert silent.closed
    assert [event async for event in events] == []


async def test_a_stream_that_nobody_has_any_more_is_closed() -> None:
    silent = Body(message("5-x"))
    chat = Script(httpx.Response(200, stream=silent, headers=SSE)).client()
    async for _ in chat.events():
        break
    gc.collect()
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(chat._streams) == 0


async def test_a_stream_closes_its_connection_at_the_end_of_its_block() -> None:
    silent = Body(message("5-x"))
    async with Script(httpx.Response(200, stream=silent, headers=SSE)).client().events() as events:
        await anext(events)
    assert silent.closed
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_whoever_waits_for_a_stream_that_is_closed_waits_no_longer() -> None:
    chat = Script(problem(503, "unavailable", "away", **{"retry-after": "3600"})).client()
    chat._pauses._sleep = None
    events = chat.events()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(anext(events, None))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await events.aclose()
    assert waiting.result() is None


async def test_two_tasks_cannot_share_a_stream() -> None:
    events = Script(httpx.Response(200, stream=Body(""), headers=SSE)).client().events()
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="let each have its own"):
        await anext(events)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])


@pytest.mark.parametrize("since", ["a b", "a\nb", "ü", "x" * 101])
async def test_what_cannot_be_an_id_is_refused(since: str) -> None:
    with pytest.raises(SettingsError, match="not the id of an event"):
        Script(stream("")).client().events(since)


def files(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


async def test_a_bookmark_keeps_the_last_event_that_was_handled(tmp_path: Path) -> None:
    bookmark = tmp_path / "bot.bookmark"
    script = Script(stream(message("5-x") + "event: typing\ndata: {}\n\n" + message("6-x")))
    await first(3, script.client().events("4-x", bookmark=bookmark))
    assert cursors(script) == ["4-x"]
    assert bookmark.read_text() == "5-x\n"
    again = Script(stream(message("6-x")))
    await anext(again.client().events("4-x", bookmark=str(bookmark)))
    assert cursors(again) == ["5-x"]
    assert files(tmp_path) == {"bot.bookmark": "5-x\n"}


def test_a_bookmark_that_cannot_be_written_leaves_the_id_before_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bookmark = tmp_path / "bot.bookmark"
    bookmark.write_text("5-x\n")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        Bookmark(bookmark).keep("6-x")
    assert files(tmp_path) == {"bot.bookmark": "5-x\n"}


async def test_an_empty_bookmark_is_none(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    script = Script(stream(message("5-x")))
    await anext(script.client().events("4-x", bookmark=tmp_path / "b"))
    assert cursors(script) == ["4-x"]


@pytest.mark.parametrize("content", [b"two words", b"x" * 1_000_000, b"\xff", b"a\nb\n"])
async def test_a_file_that_is_no_bookmark_is_told_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(SettingsError, match="is it the bookmark"):
        await anext(Script(stream(message("5-x"))).client().events(bookmark=tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == content


async def test_a_bookmark_that_cannot_be_written_is_told_before_the_next_event(tmp_path: Path) -> None:
    events = Script(stream(message("5-x") + message("6-x"))).client().events(bookmark=tmp_path / "nowhere" / "b")
    await anext(events)
    with pytest.raises(FileNotFoundError):
        await anext(events)
