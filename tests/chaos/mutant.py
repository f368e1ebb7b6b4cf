"""A server that breaks the promise on purpose: `python -m chaos.mutant serve …`, CHAOS_MUTATION says how.

The mutations are made here, from outside, in the workers of this program only: the server itself has no hook.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ssechat import app, cli, inbox, sends
from ssechat.chat import Chat
from ssechat.conversations import Entry
from ssechat.errors import RedisUnavailable
from ssechat.hub import Hub
from ssechat.ids import UserId
from ssechat.redis.batching import load_script
from ssechat.sends import Draft, Sends, Sent
from ssechat.server import supervisor
from ssechat.settings import Settings
from ssechat.stream import Stream

VARIABLE = "CHAOS_MUTATION"
WORKER_ARGUMENTS = ("--app", "chaos.mutant:create_app")

LAZINESS = 0.02
"""Seconds after which a worker delivers that acknowledges first."""


def no_gap_rule() -> None:
    """An inbox takes whatever comes, not only what follows the last entry that it has."""
    rule = "elseif last ~= (event.replaces or event.before) then"

    def without_rule(*names: str) -> str:
        source = load_script(*names)
        assert rule in source, "inbox.lua has changed: mend this mutation"
        return source.replace(rule, "elseif false then")

    for module in (inbox, sends):
        module.load_script = without_rule  # type: ignore[attr-defined]


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
    send = Sends.send

    async def lazy(self: Sends, draft: Draft, members: Sequence[UserId], *, to_all: bool = True) -> Sent:
        async def work(entry: Entry) -> None:
            await asyncio.sleep(LAZINESS)
            await chats[-1]._deliver(entry, members)

        sent = await send(self, draft, (), to_all=False)
        if sent.entry is not None:
            task = asyncio.get_running_loop().create_task(work(sent.entry))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        return sent._replace(undelivered=False)

    def note(self: Chat, *parts: Any) -> None:
        construct(self, *parts)
        chats.append(self)

    tasks: set[asyncio.Task[None]] = set()
    chats: list[Chat] = []
    construct = Chat.__init__
    Chat.__init__ = note  # type: ignore[assignment,method-assign]
    Sends.send = lazy  # type: ignore[method-assign]


MUTATIONS: dict[str, Callable[[], None]] = {
    "no-gap-rule": no_gap_rule,
    "replay-before-subscribe": replay_before_subscribe,
    "ack-before-deliver": ack_before_deliver,
}


def create_app(settings: Settings) -> Any:
    """The server's own app, with the mutation made."""
    MUTATIONS[os.environ[VARIABLE]]()
    return app.create_app(settings)


if __name__ == "__main__":
    supervisor.Supervisor = partial(supervisor.Supervisor, worker_arguments=WORKER_ARGUMENTS)  # type: ignore[assignment,misc]
    sys.exit(cli.main())
