"""A client acknowledges what was handled, once a second at most, and the last one always."""

import asyncio

import httpx
import pytest

from scripted import Script, problem
from ssechat.client import Client
from ssechat.client.acks import Acks
from ssechat.client.errors import ClientError, Refused
from ssechat.client.pauses import Pauses

pytestmark = pytest.mark.anyio


class Server:
    """Takes acks, or raises what the test says; its time passes when the test lets it."""

    def __init__(self) -> None:
        self.acked: list[str] = []
        self.errors: list[Exception] = []
        self.resting = 0
        self._rested = asyncio.Event()
        self.acks = Acks(self._ack, Pauses(sleep=self._sleep))

    async def _ack(self, id: str) -> None:
        self.acked.append(id)
        if self.errors:
            raise self.errors.pop(0)

    async def _sleep(self, seconds: float) -> None:
        assert seconds == 1.0
        self.resting += 1
        await self._rested.wait()

    async def second(self) -> None:
        """A second passes."""
        self._rested.set()
        await steps()
        self._rested.clear()


async def steps() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_first_is_acked_at_once_and_the_last_of_those_that_follow_after_a_second() -> None:
    server = Server()
    server.acks.handled("1-x")
    await steps()
    for id in ("2-x", "3-x", "4-x"):
        server.acks.handled(id)
    await steps()
    assert server.acked == ["1-x"]
    await server.second()
    assert server.acked == ["1-x", "4-x"]
    await server.second()
    server.acks.handled("5-x")
    await steps()
    assert server.acked == ["1-x", "4-x", "5-x"]


async def test_a_lost_ack_and_one_of_an_unknown_event_are_made_up_for_by_the_next() -> None:
    server = Server()
    server.errors = [ClientError("away"), Refused("no", code="unknown_event", status=404)]
    for id in ("1-x", "2-x", "3-x"):
        server.acks.handled(id)
        await steps()
    await server.second()
    server.acks.handled("4-x")
    await server.second()
    assert server.acked == ["1-x", "3-x", "4-x"]


@pytest.mark.parametrize("error", [ClientError("away"), Refused("oh", status=500)])
async def test_an_ack_that_is_lost_is_sent_again_a_second_later_and_at_the_end_once(error: ClientError) -> None:
    server = Server()
    server.errors = [error]
    server.acks.handled("1-x")
    await steps()
    assert server.acked == ["1-x"]
    await server.second()
    assert server.acked == ["1-x"] * 2
    tried: list[str] = []

    async def lose(id: str) -> None:
        tried.append(id)
        raise error

    acks = Acks(lose, Pauses())
    acks.handled("2-x")
    await steps()
    await acks.aclose()
    assert tried == ["2-x", "2-x"]


async def test_a_server_without_acks_is_left_alone() -> None:
    server = Server()
    server.errors = [Refused("no", code="not_found", status=404)]
    for id in ("1-x", "2-x"):
        server.acks.handled(id)
        await steps()
        await server.second()
    assert server.acked == ["1-x"]


async def test_at_the_end_the_last_one_is_sent_and_no_task_is_left() -> None:
    acked: list[str] = []

    async def ack(id: str) -> None:
        acked.append(id)

    acks = Acks(ack, Pauses())
    acks.handled("1-x")
    await steps()
    acks.handled("2-x")
    await acks.aclose()
    acks.handled("3-x")
    await steps()
    assert acked == ["1-x", "2-x"]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "acks"]


async def test_at_the_end_a_server_that_is_silent_is_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssechat.client.acks.LAST_WORD", 0.01)

    async def ack(id: str) -> None:
        await asyncio.Event().wait()

    acks = Acks(ack, Pauses())
    acks.handled("1-x")
    await steps()
    await acks.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "acks"]


EVENTS = (
    'event: hello\ndata: {"user":"bob"}\nid: 6-x\n\n'
    'event: message\ndata: {"conversation_id":"dm:alice:bob","seq":1,"text":"hi"}\nid: 7-x\n\n'
    'event: mark\ndata: {"conversation_id":"dm:alice:bob","read_up_to":1,"muted":false}\nid: 8-x\n\n'
    'event: receipt\ndata: {"conversation_id":"dm:alice:bob","user":"alice","read_up_to":1,"delivered_up_to":1}\n\n'
)


async def acked_by(answer: httpx.Response, *, ack: bool, count: int) -> list[str]:
    """The bodies of the acks of a client that handles so many events."""
    script = Script(answer)
    bodies: list[str] = []

    def answering(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/ack":
            bodies.append(request.content.decode())
            return answer
        return httpx.Response(200, text=EVENTS, headers={"content-type": "text/event-stream"})

    client = Client("http://chat.test", "t", transport=httpx.MockTransport(answering), pauses=script.times())
    async with client as chat:
        events = chat.events(ack=ack)
        for _ in range(count):
            await anext(events)
            await steps()
    return bodies


async def test_messages_are_acked_once_they_are_handled_and_other_events_never() -> None:
    done = httpx.Response(204)
    assert await acked_by(done, ack=True, count=2) == [], "the message is not handled yet"
    assert await acked_by(done, ack=True, count=3) == ['{"id":"7-x"}']
    assert await acked_by(done, ack=True, count=4) == ['{"id":"7-x"}']
    assert await acked_by(done, ack=False, count=4) == []
    assert set(await acked_by(problem(503, "unavailable", "away"), ack=True, count=4)) == {'{"id":"7-x"}'}
