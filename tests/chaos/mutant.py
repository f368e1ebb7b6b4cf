"""A server that breaks the promise on purpose: `python -m chaos.mutant serve …`, CHAOS_MUTATION says how.

The mutations are made here, from outside, in the workers of this program only: the server itself has no hook.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from ssechat import app
from ssechat.chat.rules import Chat
from ssechat.cli import main as cli
from ssechat.errors import RedisUnavailable
from ssechat.ids import UserId
from ssechat.logs import inbox
from ssechat.logs.conversations import Entry
from ssechat.logs.delivery import Draft, Sends, Sent
from ssechat.logs.inbox import Page
from ssechat.redis.batching import load_script
from ssechat.server import supervisor
from ssechat.settings import Settings
from ssechat.streams.hub import Hub
from ssechat.streams.stream import Stream

VARIABLE = "CHAOS_MUTATION"
WORKER_ARGUMENTS = ("--app", "chaos.mutant:create_app")

Deliver = Callable[[Chat, Entry, Sequence[UserId]], Awaitable[None]]

LAZINESS = 0.02
"""Seconds after which a worker delivers that acknowledges first."""


def in_two_steps(deliver: Deliver) -> None:
    """A send appends to the log in one script, and delivers as `deliver` does: what groups too large for one need."""
    send, construct = Sends.send, Chat.__init__
    chats: list[Chat] = []

    def note(self: Chat, *parts: Any) -> None:
        construct(self, *parts)
        chats.append(self)

    async def in_steps(self: Sends, draft: Draft, members: Sequence[UserId], *, to_all: bool = True) -> Sent:
        sent = await send(self, draft, (), to_all=False)
        if sent.entry is not None:
            await deliver(chats[-1], sent.entry, members)
        return sent

    Chat.__init__ = note  # type: ignore[assignment,method-assign]
    Sends.send = in_steps  # type: ignore[method-assign]


def two_steps() -> None:
    """Breaks nothing: with the gap rule, a send in two steps is as good as one in one."""
    in_two_steps(Chat._deliver)


def no_gap_rule() -> None:
    """Of a send in two steps, an inbox takes whatever comes, not only what follows the last entry that it has."""
    rule = "elseif last ~= (event.replaces or event.before) then"

    def without_rule(module: str, *names: str) -> str:
        source = load_script(module, *names)
        assert rule in source, "logs/inbox.lua has changed: mend this mutation"
        return source.replace(rule, "elseif false then")

    inbox.load_script = without_rule  # type: ignore[attr-defined]
    two_steps()


def replay_before_subscribe() -> None:
    """A stream reads its inbox and goes live, and only then listens to its channel."""

    async def begin(self: Hub, stream: Stream, channel: bytes, cursor: str | None) -> None:
        try:
            async with self._readers:
                await stream.begin(cursor)
            await self.subscriptions.add(channel)
        except RedisUnavailable:
            stream.bye("unavailable")

    Hub._begin = begin  # type: ignore[method-assign]


def ack_before_deliver() -> None:
    """A send is answered when it is in the log; the inboxes get it a little later."""
    tasks: set[asyncio.Task[None]] = set()

    async def later(chat: Chat, entry: Entry, members: Sequence[UserId]) -> None:
        async def work() -> None:
            await asyncio.sleep(LAZINESS)
            await chat._deliver(entry, members)

        task = asyncio.get_running_loop().create_task(work())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    in_two_steps(later)


def silent_reset() -> None:
    """A reader whose place is gone goes on from the head, and nobody tells it."""

    def go_on(self: Stream, reason: str, page: Page) -> None:
        self._stand_at(page.head)

    Stream._reset = go_on  # type: ignore[method-assign]


MUTATIONS: dict[str, Callable[[], None]] = {
    "two-steps": two_steps,
    "no-gap-rule": no_gap_rule,
    "replay-before-subscribe": replay_before_subscribe,
    "ack-before-deliver": ack_before_deliver,
    "silent-reset": silent_reset,
}


def create_app(settings: Settings) -> Any:
    """The server's own app, with the mutation made."""
    MUTATIONS[os.environ[VARIABLE]]()
    return app.create_app(settings)


if __name__ == "__main__":
    supervisor.Supervisor = partial(supervisor.Supervisor, worker_arguments=WORKER_ARGUMENTS)  # type: ignore[assignment,misc]
    sys.exit(cli.main())
