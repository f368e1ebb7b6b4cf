"""A server that breaks a guarantee on purpose: `python -m chaos.mutant serve …`; CHAOS_MUTATION says which.

The mutations patch the workers of this program from outside: the server itself has no hook.
"""

import asyncio
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest.mock import patch

from ssechat import app
from ssechat.cli import main as cli
from ssechat.errors import RedisUnavailable
from ssechat.events.source import Page
from ssechat.ids import UserId, number_of
from ssechat.logs import feeds
from ssechat.logs.actions import Action
from ssechat.logs.delivery import Delivery
from ssechat.redis.lua import load_script
from ssechat.server import supervisor
from ssechat.settings import Settings
from ssechat.streams.hub import Hub
from ssechat.streams.latest import Latest, Part
from ssechat.streams.stream import Stream

from . import group_mutants

VARIABLE = "CHAOS_MUTATION"
WORKER_ARGUMENTS = ("--app", "chaos.mutant:create_app")

LAZINESS = 0.02
"""Seconds between the acknowledgement and a delayed delivery."""


def no_gap_rule() -> None:
    """With sends in two steps, an inbox accepts any entry, not only the one after its last entry."""
    group_mutants.edit_scripts(("following == 1 or following > newest", "following > newest"))
    group_mutants.two_steps()


def replay_before_subscribe() -> None:
    """A stream reads its inbox, becomes live, and subscribes to its channel only then."""

    async def begin(self: Hub, stream: Stream, channel: bytes, cursor: str | None, since: str | None) -> None:
        try:
            async with self._readers:
                await stream.begin(cursor, since)
            await self.subscriptions.add(channel)
        except RedisUnavailable:
            stream.bye("unavailable")

    patch.object(Hub, "_begin", begin).start()


def ack_before_deliver() -> None:
    """A send is acknowledged when it is in the log; the inboxes get it a little later."""
    tasks: set[asyncio.Task[None]] = set()
    finish = Delivery.finish

    async def at_once(
        self: Delivery, action: Action, members: Sequence[UserId] | None, *, by: Sequence[UserId] = ()
    ) -> tuple[bytes, bool]:
        async def work() -> None:
            await asyncio.sleep(LAZINESS)
            await finish(self, action.conversation, members)

        appended = await self.append(action, ())
        task = asyncio.get_running_loop().create_task(work())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return appended.message, appended.entry is not None

    patch.object(Delivery, "send", at_once).start()


def silent_reset() -> None:
    """A reader with an expired cursor continues from the newest event, without a `reset`."""

    def go_on(self: Stream, reason: str, page: Page) -> None:
        self._stand_at(page.head)

    patch.object(Stream, "_reset", go_on).start()


def feed_repeats() -> None:
    """An event of a feed that is repeated with its id is published once more."""

    def edited(module: str, *names: str) -> str:
        source = load_script(module, *names)
        assert "  if before then" in source, "logs/feeds.lua has changed; adapt this mutation"
        return source.replace("  if before then", "  if false then")

    patch.object(feeds, "load_script", edited).start()


def feed_holes() -> None:
    """A reader of a feed takes whatever comes for what follows."""

    def after(self: Latest, cursor: str, room: float = math.inf) -> Part | None:
        return self._after(number_of(cursor), room) if cursor else None

    patch.object(Latest, "after", after).start()


MUTATIONS: dict[str, Callable[[], None]] = {
    "no-gap-rule": no_gap_rule,
    "replay-before-subscribe": replay_before_subscribe,
    "ack-before-deliver": ack_before_deliver,
    "silent-reset": silent_reset,
    "feed-repeats": feed_repeats,
    "feed-holes": feed_holes,
    **group_mutants.MUTATIONS,
}


def create_app(settings: Settings) -> Any:
    """The server's app with the mutation applied."""
    MUTATIONS[os.environ[VARIABLE]]()
    return app.create_app(settings)


if __name__ == "__main__":
    patch.object(supervisor, "Supervisor", partial(supervisor.Supervisor, worker_arguments=WORKER_ARGUMENTS)).start()
    sys.exit(cli.main())
