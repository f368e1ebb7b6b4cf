"""Acknowledges the events that were handled, in the background."""

import asyncio
from collections.abc import Awaitable, Callable

from ssechat.client.errors import ClientError, Refused
from ssechat.client.pauses import Pauses
from ssechat.tasks import end_task

# Seconds between two acks, and for one.
PAUSE = 1.0
WITHIN = 5.0
# Seconds for what is left at the end.
LAST_WORD = 2.0


class Acks:
    """Tells the server which event was handled last: at most once a second, and the last one always.

    An ack that is lost is made up for by the next one, or sent again a second later; nobody is told.
    """

    def __init__(self, ack: Callable[[str], Awaitable[None]], pauses: Pauses) -> None:
        self._ack = ack
        self._pauses = pauses
        self._newest = ""
        self._closed = asyncio.Event()
        self._refused = False
        self._task: asyncio.Task[None] | None = None

    def handled(self, id: str) -> None:
        """The event with this id, and all before it, were handled."""
        if self._refused or self._closed.is_set():
            return
        self._newest = id
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="acks")

    async def aclose(self) -> None:
        """Sends the last one, if it has not been sent."""
        self._closed.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=LAST_WORD)
            if self._task is not None:
                await end_task(self._task)

    async def _run(self) -> None:
        while self._newest:
            id, self._newest = self._newest, ""
            try:
                await self._ack(id)
            except Refused as error:
                if error.status >= 500:
                    self._again(id)
                elif error.code != "unknown_event":  # an older server, for example, which has no acks
                    self._refused, self._newest = True, ""
            except ClientError:
                self._again(id)
            await self._pauses.sleep(PAUSE, self._closed)
        self._task = None

    def _again(self, id: str) -> None:
        if not self._closed.is_set():
            self._newest = self._newest or id
