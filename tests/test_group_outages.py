"""A change in a group that fails at any of its calls to Redis is made by its repeat: once, and for everybody."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from redises import RedisProcess
from rights.door import Answer, Door, door_of
from ssechat.errors import RedisUnavailable
from ssechat.logs.delivery import AT_ONCE, Delivery
from ssechat.redis.client import Redis
from ssechat.redis.connection import Reply

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

MOST_CALLS = 80
"""Calls to Redis that no request comes near."""

PEOPLE = ("olga", "mia", "lea", "zoe")

VARIABLE = ("conversation_id", "id", "created_at", "edited_at", "request_id", "expires_at", "version", "client_msg_id")
"""What differs between two groups in which the same was done."""


class Outage:
    """Fails the n-th call to Redis of a request."""

    def __init__(self, at: int, how: str) -> None:
        self.calls = 0
        self.at = at
        self.how = how
        self.task: asyncio.Task[Any] | None = None

    @property
    def came(self) -> bool:
        return self.calls >= self.at


OUTAGE: ContextVar[Outage | None] = ContextVar("outage", default=None)


@pytest.fixture(params=[AT_ONCE, 0], ids=["one-script", "two-steps"])
async def door(
    request: pytest.FixtureRequest, redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Door]:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    defaults = {**(Delivery.__init__.__kwdefaults__ or {}), "at_once": request.param}
    monkeypatch.setattr(Delivery.__init__, "__kwdefaults__", defaults)
    send = Redis.send

    def failing(self: Redis, *command: Any, **rest: Any) -> "asyncio.Future[Reply]":
        outage = OUTAGE.get()
        if outage is None:
            return send(self, *command, **rest)
        outage.calls += 1
        if outage.calls != outage.at:
            return send(self, *command, **rest)
        if outage.how == "gone":
            assert outage.task is not None
            outage.task.cancel()
            return send(self, *command, **rest)
        if outage.how == "done":
            send(self, *command, **rest).add_done_callback(lambda done: done.exception())
        failed: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        failed.set_exception(RedisUnavailable("an outage"))
        return failed

    async with door_of(redis.url, tmp_path) as door:
        monkeypatch.setattr(Redis, "send", failing)
        yield door


class Scene:
    """A group of Olga, Mia (an admin) and Lea, an invitation, two messages with a reaction, and Zoe outside."""

    def __init__(self, door: Door, tokens: dict[str, str], number: int) -> None:
        self.door = door
        self.tokens = tokens
        self.number = number
        self.path = ""
        self.secret = ""
        self.cursors: dict[str, str] = {}

    async def set_up(self) -> None:
        made = await self.do("olga", "POST", "/v1/conversations", {"name": "Team", "members": ["mia", "lea"]})
        self.path = f"/v1/conversations/{made['id']}"
        await self.do("olga", "PUT", f"{self.path}/members/mia", {"role": "admin"})
        self.secret = (await self.do("olga", "POST", f"{self.path}/invites", {"max_uses": 2}))["secret"]
        for text in ("one", "two"):
            await self.do("lea", "POST", "/v1/messages", {"conversation_id": made["id"], "text": text})
        await self.do("mia", "PUT", f"{self.path}/messages/1/reactions/{quote('👍')}")
        for name in PEOPLE:
            stream = self.door.open(self.tokens[name])
            assert await stream.shows(b"event: hello")
            await stream.close()
            self.cursors[name] = stream.last_id

    async def do(self, who: str, method: str, target: str, body: object = None) -> Any:
        answer = await self.door.ask(method, target, self.tokens[who], body)
        assert answer.status < 300, answer
        return answer.json() if answer.body else None

    async def ask(self, who: str, method: str, target: str, body: Any) -> Answer:
        target = target.format(path=self.path)
        if isinstance(body, dict):
            about = {"ID": self.path.rpartition("/")[2], "SECRET": self.secret, "KEY": f"k{self.number}"}
            body = {key: about.get(value, value) if isinstance(value, str) else value for key, value in body.items()}
        return await self.door.ask(method, target, self.tokens[who], body)

    async def outcome(self) -> list[object]:
        """What everybody was told since the beginning, and what is so."""
        found: list[object] = []
        for name in PEOPLE:  # before anything is read: that would deliver what somebody lacks
            raw = (await self.door.replay(self.tokens[name], self.cursors[name])).decode()
            for frame in raw.split("\n\n"):
                fields = dict(line.split(": ", 1) for line in frame.split("\n") if line)
                if fields.get("event") not in (None, "retry", "hello", "caught_up"):
                    found.append((name, fields["event"], without_variable(json.loads(fields["data"]))))
        for name in PEOPLE:
            for target in ("", "/members", "/messages", "/messages/1/reactions", "/invites"):
                answer = await self.door.ask("GET", self.path + target, self.tokens[name])
                found.append((name, target, answer.status, without_variable(answer.json())))
        return found


def without_variable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_variable(of) for key, of in value.items() if key not in VARIABLE}
    return [without_variable(one) for one in value] if isinstance(value, list) else value


CHANGES: list[tuple[str, str, str, Any]] = [
    ("olga", "POST", "/v1/conversations", {"name": "Other", "members": ["mia", "zoe"], "client_msg_id": "KEY"}),
    ("olga", "PATCH", "{path}", {"name": "Renamed", "topic": "t"}),
    ("olga", "DELETE", "{path}", None),
    ("olga", "POST", "{path}/members", {"users": ["zoe"]}),
    ("olga", "PUT", "{path}/members/zoe", {"role": "admin"}),
    ("olga", "PUT", "{path}/members/lea", {"role": "owner"}),
    ("olga", "DELETE", "{path}/members/lea", None),
    ("lea", "DELETE", "{path}/members/lea", None),
    ("zoe", "POST", "/v1/invites/join", {"secret": "SECRET"}),
    ("lea", "POST", "/v1/messages", {"conversation_id": "ID", "text": "three", "client_msg_id": "KEY"}),
    ("lea", "POST", "/v1/messages", {
        "conversation_id": "ID", "text": "four", "client_msg_id": "KEY", "reply_to": 1, "mentions": ["mia"],
    }),
    ("lea", "PATCH", "{path}/messages/1", {"text": "edited"}),
    ("lea", "DELETE", "{path}/messages/1", None),
    ("mia", "DELETE", "{path}/messages/1", None),
    ("lea", "PUT", "{path}/messages/1/reactions/" + quote("👍"), None),
    ("mia", "DELETE", "{path}/messages/1/reactions/" + quote("👍"), None),
]  # fmt: skip


@pytest.mark.parametrize("how", ["away", "done", "gone"])
@pytest.mark.parametrize(("who", "method", "target", "body"), CHANGES)
async def test_what_fails_in_the_middle_is_made_by_a_repeat(
    door: Door, how: str, who: str, method: str, target: str, body: Any
) -> None:
    tokens = {}
    for name in PEOPLE:
        answer = await door.ask("POST", "/v1/users", body={"name": name, "password": "correct horse"})
        tokens[name] = answer.json()["token"]
    clean = Scene(door, tokens, 0)
    await clean.set_up()
    answer = await clean.ask(who, method, target, body)
    assert answer.status < 300, answer
    wanted = await clean.outcome()
    for n in itertools.count(1):
        there = Scene(door, tokens, n)
        await there.set_up()
        outage = Outage(n, how)
        OUTAGE.set(outage)
        outage.task = asyncio.create_task(there.ask(who, method, target, body))
        OUTAGE.set(None)
        async with asyncio.timeout(20):
            await asyncio.wait([outage.task])
        if outage.came and how != "gone":
            assert outage.task.result().status in (200, 201, 204, 503), outage.task.result()
        async with asyncio.timeout(20):
            repeated = await there.ask(who, method, target, body)
        assert repeated.status < 300, (n, repeated)
        assert await there.outcome() == wanted, f"call {n}"
        if not outage.came:
            break
        assert n < MOST_CALLS
    assert n > 1
