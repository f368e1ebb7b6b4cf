"""A server that breaks the promise on purpose: `python -m chaos.mutant serve …`, CHAOS_MUTATION says how.

The mutations are made here, from outside, in the workers of this program only: the server itself has no hook.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ssechat import app, cli, inbox
from ssechat.chat import Chat
from ssechat.conversations import Entry
from ssechat.errors import RedisUnavailable
from ssechat.hub import Hub
from ssechat.ids import UserId
from ssechat.inbox import Page
from ssechat.redis.batching import load_script
from ssechat.server import supervisor
from ssechat.settings import Settings
from ssechat.stream import Stream

VARIABLE = "CHAOS_MUTATION"
WORKER_ARGUMENTS = ("--app", "chaos.mutant:create_app")

LAZINESS = 0.02
"""Seconds after which a worker delivers that acknowledges first."""


def no_gap_rule() -> None:
    """An inbox takes whatever comes, not only what follows the last entry that it has."""
    rule = "elseif ARGV[a + 9] == '' and last ~= before or ARGV[a + 9] ~= '' and last ~= ARGV[a + 9] then"

    def without_rule(name: str) -> str:
        source = load_script(name)
        assert rule in source, "deliver.lua has changed: mend this mutation"
        return source.replace(rule, "elseif false then")

    inbox.load_script = without_rule  # type: ignore[attr-defined]


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
    deliver = Chat._deliver

    async def later(self: Chat, entry: Entry, members: Sequence[UserId]) -> None:
        async def work() -> None:
            await asyncio.sleep(LAZINESS)
            await deliver(self, entry, members)

        task = asyncio.get_running_loop().create_task(work())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    tasks: set[asyncio.Task[None]] = set()
    Chat._deliver = later  # type: ignore[method-assign]


def silent_reset() -> None:
    """A reader whose place is gone goes on from the head, and nobody tells it."""

    def go_on(self: Stream, reason: str, page: Page) -> None:
        self._stand_at(page.head)

    Stream._reset = go_on  # type: ignore[method-assign]


MUTATIONS: dict[str, Callable[[], None]] = {
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
