"""Who is removed in the middle of a request, before any of its calls to Redis, gets nothing that is written later."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextvars import Context, ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from redises import RedisProcess
from rights.door import Answer, Door, door_of
from ssechat.redis.client import Redis

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

LATER = "later"
"""In every text, name and topic that is written after the removal."""

LATER_EMOJI = "🐅"

MOST_CALLS = 40
"""Calls to Redis that no request comes near."""


class Intruder:
    """Does something before the n-th call to Redis of a request."""

    def __init__(self, before: int, deed: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.calls = 0
        self._before = before
        self._deed = deed
        self.task: asyncio.Task[None] | None = None

    async def called(self) -> None:
        self.calls += 1
        if self.calls == self._before:
            self.task = asyncio.get_running_loop().create_task(self._deed(), context=Context())
            await asyncio.wait({self.task}, timeout=0.2)  # the request may hold what the deed waits for


INTRUDER: ContextVar[Intruder | None] = ContextVar("intruder", default=None)


@pytest.fixture
async def door(redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)

    def counted(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(self: Redis, *arguments: Any) -> Any:
            if (intruder := INTRUDER.get()) is not None:
                await intruder.called()
            return await method(self, *arguments)

        return call

    async with door_of(redis.url, tmp_path) as door:
        monkeypatch.setattr(Redis, "call", counted(Redis.call))
        monkeypatch.setattr(Redis, "pipeline", counted(Redis.pipeline))
        monkeypatch.setattr(Redis, "each", counted(Redis.each))
        yield door


@dataclass
class Scene:
    """A group of Olga's with Mia and Lea, who has sent message 1; Mia has sent message 2."""

    door: Door
    tokens: dict[str, str]
    path: str

    async def do(self, who: str, method: str, target: str, body: object = None) -> Answer:
        answer = await self.door.ask(method, target, self.tokens[who], body)
        assert answer.status < 300, answer
        return answer

    async def say(self, who: str, text: str) -> None:
        body = {"conversation_id": self.path.rpartition("/")[2], "text": text, "client_msg_id": text}
        await self.do(who, "POST", "/v1/messages", body)

    async def remove(self) -> None:
        """Lea is removed, and then everything is changed."""
        await self.do("olga", "DELETE", f"{self.path}/members/lea")
        await self.do("mia", "PATCH", f"{self.path}/messages/2", {"text": LATER})
        for seq in (1, 2):
            await self.do("mia", "PUT", f"{self.path}/messages/{seq}/reactions/{quote(LATER_EMOJI)}")
        await self.say("mia", LATER)

    async def remove_and_rename(self) -> None:
        """As `remove`, and the group has another name."""
        await self.remove()
        await self.do("olga", "PATCH", self.path, {"name": LATER, "topic": LATER})

    async def remove_and_add(self) -> None:
        """As `remove`, and Lea comes back."""
        await self.remove()
        await self.do("olga", "PUT", f"{self.path}/members/lea")

    async def ask(self, method: str, target: str, body: object) -> tuple[int, bytes]:
        """What Lea asks."""
        if method == "STREAM":
            return 200, await self.door.replay(self.tokens["lea"], "0-0")
        target = target.format(path=self.path)
        if isinstance(body, dict):
            body = {**body, **({"conversation_id": self.path.rpartition("/")[2]} if method == "POST" else {})}
        answer = await self.door.ask(method, target, self.tokens["lea"], body)
        return answer.status, answer.body


async def people(door: Door) -> dict[str, str]:
    tokens = {}
    for name in ("olga", "mia", "lea"):
        answer = await door.ask("POST", "/v1/users", body={"name": name, "password": "correct horse"})
        tokens[name] = answer.json()["token"]
    return tokens


async def scene(door: Door, tokens: dict[str, str], history: str) -> Scene:
    body = {"name": "before", "members": ["mia", "lea"], "history": history}
    made = (await door.ask("POST", "/v1/conversations", tokens["olga"], body)).json()
    found = Scene(door, tokens, f"/v1/conversations/{made['id']}")
    await found.say("lea", "of lea")
    await found.say("mia", "of mia")
    return found


@pytest.mark.parametrize(
    ("history", "deed"),
    [
        ("all", Scene.remove_and_rename),
        ("from_join", Scene.remove_and_rename),
        ("from_join", Scene.remove_and_add),
    ],
    ids=["all", "from_join", "back again"],
)
@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "{path}/messages", None),
        ("GET", "{path}/messages?after=0", None),
        ("GET", "{path}/messages?around=1", None),
        ("GET", "{path}/messages/1", None),
        ("GET", "{path}/messages/2", None),
        ("GET", "{path}/messages/2/reactions", None),
        ("GET", "{path}/messages/2/reactions?user=mia", None),
        ("GET", "{path}", None),
        ("GET", "/v1/conversations", None),
        ("POST", "/v1/messages", {"text": "of lea", "client_msg_id": "of lea"}),
        ("POST", "/v1/messages", {"text": "a reply", "reply_to": 2}),
        ("PATCH", "{path}/messages/1", {"text": "of lea"}),
        ("PATCH", "{path}/messages/1", {"text": "edited"}),
        ("PUT", "{path}/messages/2/reactions/" + quote("🐀"), None),
        ("DELETE", "{path}/messages/2/reactions/" + quote("🐀"), None),
        ("PUT", "{path}/members/mia", {}),
        ("STREAM", "", None),
    ],
)
async def test_who_is_removed_meanwhile_sees_nothing_later(
    door: Door,
    history: str,
    deed: Callable[[Scene], Coroutine[Any, Any, None]],
    method: str,
    target: str,
    body: object,
) -> None:
    tokens = await people(door)
    for n in itertools.count(1):
        there = await scene(door, tokens, history)
        intruder = Intruder(n, partial(deed, there))
        INTRUDER.set(intruder)
        status, raw = await there.ask(method, target, body)
        INTRUDER.set(None)
        if intruder.task is None:
            break
        await intruder.task
        assert status < 500, raw
        assert LATER.encode() not in raw, f"before call {n}"
        assert LATER_EMOJI.encode() not in raw, f"before call {n}"
        assert n < MOST_CALLS
    assert n > 1
