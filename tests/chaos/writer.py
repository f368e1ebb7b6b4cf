"""A sender that repeats each action until it is acknowledged, or refused for good."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from .history import Attempt, History, Send
from .http import Connection, Lost, Place

PATIENCE = 8.0
"""Upper bound of the seconds of an attempt: more than the server's timeout of Redis."""

PAUSE = (0.0, 0.06)
AGAIN = (0.02, 0.4)
LENGTHS = ((0.9, 0), (0.98, 6_000), (1.0, 30_000))
"""Lengths of texts: most are short; some are too long for a wake-up, and fill a slow reader's buffer."""


class Request(NamedTuple):
    """What is asked of the server, each time in the same way."""

    verb: str
    path: str
    body: dict[str, Any] | None = None


class Writer:
    """A sender with one connection at a time, sometimes two."""

    def __init__(self, server: Place, history: History, now: Callable[[], float], user: str, name: str) -> None:
        self._server = server
        self._history = history
        self._now = now
        self._random = random.Random(f"{server.seed} {name}")
        self._connection: Connection | None = None
        self._count = 0
        self.user = user
        self.name = name
        self.patient = False
        """Whether it waits for each response before the next request."""
        self.on_ack: Callable[[], None] | None = None

    async def talk(self, others: list[str], until: asyncio.Event) -> None:
        """Sends messages to the others, one after another."""
        while not until.is_set():
            await self.send(self._random.choice(others))
            await asyncio.sleep(self._random.uniform(*PAUSE))
        self.close()

    async def send(self, to: str) -> Send:
        """Sends one direct message until it is acknowledged."""
        conversation = ":".join(("dm", *sorted((self.user, to))))
        self._history.members[conversation] = (self.user, to)
        return await self.send_in(conversation)

    async def send_in(self, conversation: str) -> Send:
        """Sends one message until it is acknowledged, or refused."""
        dice = self._random.random()
        length = next(length for limit, length in LENGTHS if dice <= limit)
        name = self.next_name()
        send = Send(conversation, self.user, name, f"{name} é\n".ljust(length, "x"), self._now())
        self._history.sends.append(send)
        body = {"conversation_id": conversation, "text": send.text, "client_msg_id": name}
        await self.insist(send, Request("POST", "/v1/messages", body))
        return send

    def next_name(self) -> str:
        """A name that no other action has."""
        self._count += 1
        return f"{self.name}.{self._count}"

    async def insist(self, action: Send, request: Request) -> None:
        """Repeats the request until it is acknowledged, or refused for good."""
        while not action.over:
            dice = 1.0 if self.patient else self._random.random()
            if dice < 0.02:  # two attempts at once, perhaps on two workers
                await asyncio.gather(self._once(action, request, PATIENCE), self._once(action, request, PATIENCE))
            else:
                await self._attempt(action, request, self._random.uniform(0.001, 0.03) if dice < 0.05 else PATIENCE)
            if action.acked is None:
                _note_refusal(action)
            if not action.over:
                await asyncio.sleep(self._random.uniform(*AGAIN))
        if self.on_ack is not None:
            self.on_ack()

    def close(self) -> None:
        """Drops the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _attempt(self, action: Send, request: Request, seconds: float) -> None:
        """Makes an attempt on the keep-alive connection, and closes it after a failure."""
        began, connection = self._now(), self._connection
        try:
            async with asyncio.timeout(seconds):
                if connection is None:
                    connection = self._connection = await Connection.open(self._server)
                await self._ask(action, request, connection, began)
        except (Lost, TimeoutError) as error:
            self._failed(action, began, error)
            self.close()

    async def _once(self, action: Send, request: Request, seconds: float) -> None:
        began, connection = self._now(), None
        try:
            async with asyncio.timeout(seconds):
                connection = await Connection.open(self._server)
                await self._ask(action, request, connection, began)
        except (Lost, TimeoutError) as error:
            self._failed(action, began, error)
        finally:
            if connection is not None:
                connection.close()

    async def _ask(self, action: Send, request: Request, connection: Connection, began: float) -> None:
        status, answer = await connection.request(
            request.verb, request.path, self._server.token(self.user), request.body
        )
        action.attempts.append(Attempt(began, self._now(), str(status), answer))

    def _failed(self, action: Send, began: float, error: Exception) -> None:
        outcome = "timeout" if isinstance(error, TimeoutError) else "lost"
        action.attempts.append(Attempt(began, self._now(), outcome))


def _note_refusal(action: Send) -> None:
    """Takes a refusal by the rules of groups as the end: of other actions none is expected."""
    if action.conversation.startswith("dm:"):
        return
    for attempt in action.attempts:
        if attempt.outcome in ("403", "404", "409", "422"):
            action.refused = str((attempt.answer or {}).get("code"))
