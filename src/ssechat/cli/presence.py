"""The command `presence`: who is there."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect
from ssechat.cli.objects import show_one
from ssechat.cli.options import Text, client_options, timeout_option
from ssechat.errors import ChatError

if TYPE_CHECKING:
    from ssechat.cli.running import Run
    from ssechat.client import Client

FAREWELL_SECONDS = 2.0
"""Seconds for which the end of a watch may take; a list that is left behind goes by itself after a while."""


@click.command()
@click.argument("users", type=Text(), nargs=-1)
@client_options
@timeout_option
@click.option(
    "--in", "group", type=Text(), metavar="GROUP", help="A group that you share with them, as g:NAME or an id."
)
@click.option("--watch", is_flag=True, help="Go on, and print each change, until Ctrl-C. You are online meanwhile.")
@click.option("--visible/--invisible", "visible", default=None, help="Let others see whether you are there, or not.")
def presence(
    users: Sequence[str],
    group: str | None,
    watch: bool,
    visible: bool | None,
    timeout: float,
    as_json: bool,
    **account: Any,
) -> None:
    """Print whether USERS are there, and since when they are not.

    You learn of people with whom you have a direct conversation, and of members of the group that you name; everybody
    else looks offline, as do those who are invisible.

    \b
    ssechat presence --user alice bob carol
    ssechat presence --user alice bob --in g:lunch --watch
    ssechat presence --user alice --invisible
    """
    from ssechat.cli.places import Places

    if not users and (watch or group is not None):
        raise click.UsageError("--watch and --in need USERS")
    if not users and visible is None:
        raise click.UsageError("whom? Name USERS; or give --visible or --invisible")
    with connect(account, timeout) as (client, run):
        if visible is not None:
            run(client.set_visible(visible))
            if not as_json:
                stdio.note("Others see whether you are there." if visible else "You look offline to everybody.")
        if users:
            place = None if group is None else Places(client, run).group(group)
            _Watch(client, run, users, place, as_json).show(follow=watch)


class _Watch:
    """A list of its own for this command."""

    def __init__(self, client: "Client", run: "Run", users: Sequence[str], group: str | None, as_json: bool) -> None:
        self._client = client
        self._run = run
        self._users = users
        self._group = group
        self._as_json = as_json
        self._device = f"ssechat presence {secrets.token_hex(4)}"
        self._told: dict[str, Any] = {}
        """What was printed last of each of them."""

    def show(self, *, follow: bool) -> None:
        try:
            if follow:
                self._follow()
            else:
                self._begin()
        finally:
            if self._told:
                with suppress(ChatError, TimeoutError):
                    self._run(self._end())

    def _begin(self) -> None:
        now = self._run(self._client.watch(self._users, group=self._group, device=self._device))
        for one in now.users:
            if self._told.get(one.user) != one.raw:
                self._print(one.user, one.raw)

    def _follow(self) -> None:
        from ssechat.client import PresenceEvent

        # The stream first: nobody comes or goes unseen between the answer and it.
        for event in self._run.each(self._client.events()):
            if event.name == "hello":
                self._begin()  # after a reconnect again: the server may not have the list any more
            elif isinstance(event, PresenceEvent):
                for one in event.data.users:
                    # A new stream says everything again, and the user's other devices may watch others.
                    if self._told.get(one.user, one.raw) != one.raw:
                        self._print(one.user, one.raw)

    def _print(self, user: str, said: Any) -> None:
        from ssechat.cli.terminal import presence_line

        self._told[user] = said
        show_one(said, presence_line, as_json=self._as_json)

    async def _end(self) -> None:
        async with asyncio.timeout(FAREWELL_SECONDS):
            await self._client.watch((), device=self._device)
