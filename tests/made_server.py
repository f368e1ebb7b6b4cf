"""A made-up server for the commands: it has one group and one direct conversation, and whatever a test gives it."""

import asyncio
import functools
import json
import os
from typing import Any

import httpx
import pytest

from scripted import problem
from ssechat.client import Client
from ssechat.client.pauses import Pauses

LUNCH = "g:" + "a" * 26
AT = f"/v1/conversations/{LUNCH}"
GROUP = {"id": LUNCH, "type": "group", "name": "Lunch", "role": "owner", "member_count": 2, "members": ["alice", "bob"]}
DIRECT = {"id": "dm:alice:bob", "type": "dm", "name": "lunch", "members": ["alice", "bob"]}
LINE = f'{LUNCH}  "Lunch"  (owner, 2 members)\n'


class Made:
    """A made-up server: the answer to each method and path, and what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, httpx.Response] = {}
        self.then: dict[str, httpx.Response] = {}
        """Answers from the second time on."""
        self.asked: list[tuple[str, Any]] = []
        self.has("GET /v1/session", {"user": "alice"})
        self.has("GET /v1/conversations", {"conversations": [GROUP, DIRECT], "next": None})

    def has(self, request_line: str, answer: Any, status: int = 200) -> None:
        self.answers[request_line] = (
            answer if isinstance(answer, httpx.Response) else httpx.Response(status, json=answer)
        )

    def __call__(self, request: httpx.Request) -> httpx.Response:
        line = f"{request.method} {request.url.raw_path.decode().partition('?')[0]}"
        self.asked.append((line, json.loads(request.content) if request.content else None))
        answer = self.answers.get(line, problem(404, "not_found", f"no answer to {line}"))
        if line in self.then:
            self.answers[line] = self.then.pop(line)
        return answer

    @property
    def changes(self) -> list[tuple[str, Any]]:
        """What was asked but reads."""
        return [each for each in self.asked if not each[0].startswith("GET ")]

    @classmethod
    def instead_of_a_real_one(cls, monkeypatch: pytest.MonkeyPatch) -> "Made":
        """A server that the commands of this process ask, with a token and no other settings."""
        for name in list(os.environ):
            if name.startswith("SSECHAT_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("SSECHAT_TOKEN", "t")
        made = Made()
        client = functools.partial(Client, transport=httpx.MockTransport(made), pauses=Pauses(sleep=_no_time))
        monkeypatch.setattr("ssechat.client.Client", client)
        return made


async def _no_time(_: float) -> None:
    await asyncio.sleep(0)
