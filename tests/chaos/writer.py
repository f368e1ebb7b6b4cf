"""A sender that retries with the same client_msg_id until the message is acknowledged."""

import asyncio
import random
from collections.abc import Callable

from .history import Attempt, History, Send
from .http import Connection, Lost, Place

PATIENCE = 8.0
"""Upper bound of the seconds of an attempt: more than the server's timeout of Redis."""

PAUSE = (0.0, 0.06)
AGAIN = (0.02, 0.4)
LENGTHS = ((0.9, 0), (0.98, 6_000), (1.0, 30_000))
"""Lengths of texts: most are short; some are too long for a wake-up, and fill a slow reader's buffer."""


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
        """Sends one message until it is acknowledged."""
        self._count += 1
        dice = self._random.random()
        length = next(length for limit, length in LENGTHS if dice <= limit)
        name = f"{self.name}.{self._count}"
        conversation = ":".join(("dm", *sorted((self.user, to))))
        text = f"{name} é\n".ljust(length, "x")
        send = Send(conversation, self.user, name, text, self._now())
        self._history.members[conversation] = (self.user, to)
        self._history.sends.append(send)
        while send.acked is None:
            dice = 1.0 if self.patient else self._random.random()
            if dice < 0.02:  # two attempts at once, perhaps on two workers
                await asyncio.gather(self._once(send, PATIENCE), self._once(send, PATIENCE))
            else:
                await self._attempt(send, self._random.uniform(0.001, 0.03) if dice < 0.05 else PATIENCE)
            if send.acked is None:
                await asyncio.sleep(self._random.uniform(*AGAIN))
        if self.on_ack is not None:
            self.on_ack()
        return send

    def close(self) -> None:
        """Drops the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _attempt(self, send: Send, seconds: float) -> None:
        """Makes an attempt on the keep-alive connection, and closes it after a failure."""
        began, connection = self._now(), self._connection
        try:
            async with asyncio.timeout(seconds):
                if connection is None:
                    connection = self._connection = await Connection.open(self._server)
                await self._ask(send, connection, began)
        except (Lost, TimeoutError) as error:
            self._failed(send, began, error)
            self.close()

    async def _once(self, send: Send, seconds: float) -> None:
        began, connection = self._now(), None
        try:
            async with asyncio.timeout(seconds):
                connection = await Connection.open(self._server)
                await self._ask(send, connection, began)
        except (Lost, TimeoutError) as error:
            self._failed(send, began, error)
        finally:
            if connection is not None:
                connection.close()

    async def _ask(self, send: Send, connection: Connection, began: float) -> None:
        body = {"conversation_id": send.conversation, "text": send.text, "client_msg_id": send.client_msg_id}
        status, answer = await connection.post("/v1/messages", self._server.token(self.user), body)
        send.attempts.append(Attempt(began, self._now(), str(status), answer))

    def _failed(self, send: Send, began: float, error: Exception) -> None:
        outcome = "timeout" if isinstance(error, TimeoutError) else "lost"
        send.attempts.append(Attempt(began, self._now(), outcome))
