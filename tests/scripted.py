"""A server of scripted responses, and a client of it whose time the test moves."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import httpx

from ssechat.client import Client
from ssechat.client.pauses import Pauses

Item = TypeVar("Item")


class Script:
    """A server with scripted responses; exceptions are failed connections. Sleeps advance the fake clock."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.now = 0.0
        self.pauses: list[float] = []
        self.notes: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def times(self, chance: float = 0.0) -> Pauses:
        """Pauses that take no time."""
        return Pauses(sleep=self.sleep, clock=lambda: self.now, chance=lambda: chance)

    def client(self, chance: float = 0.0, patience: float = 30.0) -> Client:
        return Client(
            "http://chat.test",
            "token",
            patience=patience,
            note=self.notes.append,
            transport=httpx.MockTransport(self),
            pauses=self.times(chance),
        )


def problem(status: int, code: str, detail: str, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": detail}, headers=headers)


async def first(count: int, items: AsyncIterator[Item]) -> list[Item]:
    """The first items."""
    return [await anext(items) for _ in range(count)]
