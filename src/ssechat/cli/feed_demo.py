"""`ssechat feed demo`: fills the feeds of the pages of examples."""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect, optional_credential
from ssechat.cli.feeds import admin_token_of, feed_options
from ssechat.cli.made_up import MADE_UP, MOST_SYMBOLS, Board, Change, Market, symbols
from ssechat.cli.options import Id, Number, timeout_option
from ssechat.errors import SettingsError

if TYPE_CHECKING:
    from ssechat.cli.line import Line
    from ssechat.client import Client

AT_ONCE = 4
"""Requests under way at a time: each publishes one change, and those of one symbol one after the other."""


BEHIND_SECONDS = 0.1
"""How far a demo may be behind its rate; what is older is left out."""

REPORT_SECONDS = 5.0

REPEATED_SECONDS = 3.0
"""For how long a note is not said again."""

DEPLOYMENTS_A_SECOND = 0.7

NAMES = ("user", "token", "create", "data", "key_file")
"""The options that say who publishes."""


@click.command()
@feed_options
@timeout_option
@click.option("--prices", type=Id(), default="prices", metavar="NAME", help="The feed of prices.  [default prices]")
@click.option(
    "--deployments",
    type=Id(),
    default="deployments",
    metavar="NAME",
    help="The feed of deployments.  [default deployments]",
)
@click.option(
    "--symbols",
    "count",
    type=click.IntRange(1, MOST_SYMBOLS),
    default=500,
    metavar="N",
    help="How many prices there are.  [default 500]",
)
@click.option(
    "--rate",
    type=Number(0.1, 10_000),
    default=1000.0,
    metavar="N",
    help="Changes of prices a second, as many as will go.  [default 1000]",
)
def demo(
    prices: str,
    deployments: str,
    count: int,
    rate: float,
    timeout: float,
    *,
    as_json: bool,
    **account: Any,
) -> None:
    """Fill the feeds of the pages at /examples with made-up data, until Ctrl-C.

    The feeds are made if there are none of these names: public ones, with keys. One in which something else was
    published is left alone.

    \b
    ssechat feed demo --admin-token-file admin.token
    ssechat feed demo --admin-token-file admin.token --symbols 50 --rate 20
    """
    from ssechat.cli.line import Line

    if prices == deployments:
        raise click.UsageError("--prices and --deployments are two feeds: give them two names")
    address = str(account["server"]).rstrip("/")
    token = admin_token_of(account, reads=False)
    credential = optional_credential(**{name: account[name] for name in NAMES}) if token is None else lambda: token
    with connect(account, timeout, admin=token, note=_Notes()) as (client, run):
        for name in (prices, deployments):
            run(_make(client, name))
        stdio.note(f"Publishing made-up data; see {address}/examples, and press Ctrl-C to stop.")
        try:
            run(_publish(_sources(client, Line(address, credential), prices, deployments, count, rate), as_json))
        except KeyboardInterrupt:
            stdio.note(f"The feeds stay as they are: `ssechat feed delete {prices}` deletes one.")
            raise


class _Notes:
    """Prints notes: the same one, of several requests that fail together, once."""

    def __init__(self) -> None:
        self._said = ("", 0.0)

    def __call__(self, text: str) -> None:
        about, at = text.partition(";")[0], time.monotonic()
        if about != self._said[0] or at - self._said[1] > REPEATED_SECONDS:
            self._said = (about, at)
            stdio.note(text)


def _sources(client: "Client", line: "Line", prices: str, deployments: str, count: int, rate: float) -> list["_Source"]:
    chance, names, parts = random.Random(), symbols(count), min(AT_ONCE, count)
    board = Board(chance)
    markets = [Market(names[part::parts], chance) for part in range(parts)]
    return [
        *(_Source(client, line, prices, market.all(), market.next, rate / parts) for market in markets),
        _Source(client, line, deployments, board.all(), board.next, DEPLOYMENTS_A_SECOND),
    ]


async def _make(client: "Client", name: str) -> None:
    """Makes a feed, unless there is one with other data.

    Raises:
        SettingsError: there is.
    """
    from ssechat.client import Refused

    try:
        events = (await client.feeds.show(name)).events
    except Refused as error:
        if error.code != "unknown_feed":
            raise
        await client.feeds.put(name, "public", keyed=True)
        return
    if any(each.event != MADE_UP for each in events):
        raise SettingsError(
            f"there is a feed {name!r} with data that is not made up: choose other names, with --prices and "
            "--deployments"
        )


class _Source:
    """Publishes in one feed, in a thread."""

    def __init__(
        self,
        client: "Client",
        line: "Line",
        feed: str,
        first: Iterator[Change],
        following: Callable[[], Change],
        rate: float,
    ) -> None:
        """`first`: what the feed begins with; then `rate` changes a second are made by `following`."""
        self.feed = feed
        self.published = 0
        """Changes so far."""
        self._client = client
        self._line = line.to(feed)
        self._first = first
        self._following = following
        self._rate = rate

    def run(self, loop: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
        """Publishes until it has `ended`.

        Raises:
            ClientError: the server refuses it, or cannot be reached.
        """
        with closing(self._line):
            for each in self._first:
                if ended.is_set():
                    return
                self._publish(each, loop)
            due = time.monotonic()
            while not ended.is_set():
                due = max(due + 1 / self._rate, time.monotonic() - BEHIND_SECONDS)
                if not ended.wait(max(0.0, due - time.monotonic())):
                    self._publish(self._following(), loop)

    def _publish(self, change: Change, loop: asyncio.AbstractEventLoop) -> None:
        if not self._line.publish(change):
            # The client knows what to do: it retries, gets another token, or says what is wrong.
            publishing = self._client.feeds.publish(self.feed, change.data, event=MADE_UP, key=change.key)
            asyncio.run_coroutine_threadsafe(publishing, loop).result()
        self.published += 1


async def _publish(sources: Sequence[_Source], as_json: bool) -> None:
    loop, ended = asyncio.get_running_loop(), threading.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            for source in sources:
                tasks.create_task(asyncio.to_thread(source.run, loop, ended))
            tasks.create_task(_report(sources, as_json))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    finally:
        ended.set()


async def _report(sources: Sequence[_Source], as_json: bool) -> NoReturn:
    """Says now and then how much was published."""
    while True:
        before = _published(sources)
        await asyncio.sleep(REPORT_SECONDS)
        rates = {feed: round((count - before[feed]) / REPORT_SECONDS, 1) for feed, count in _published(sources).items()}
        if as_json:
            click.echo(json.dumps({"changes_a_second": rates}))
        else:
            click.echo(", ".join(f"{feed}: {rate:,g} changes a second" for feed, rate in rates.items()))


def _published(sources: Sequence[_Source]) -> Counter[str]:
    """How many changes there were so far, by feed."""
    counts: Counter[str] = Counter()
    for source in sources:
        counts[source.feed] += source.published
    return counts
