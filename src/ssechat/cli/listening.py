"""The command `listen`."""

import json
from collections.abc import Callable
from typing import Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect
from ssechat.cli.options import Id, client_options
from ssechat.errors import SettingsError

# Events about the stream itself, which are printed to stderr as sentences.
STREAM_NOTES: dict[str, Callable[[dict[str, Any]], str]] = {
    "hello": lambda data: f"listening as {data.get('user')} …",
    "caught_up": lambda data: "",
    "bye": lambda data: f"the server ends this stream ({data.get('reason')})",
}

QUIET = frozenset({"receipt"})
"""Events whose lines a terminal shows dimmed."""


@click.command()
@client_options
@click.option("--since", type=Id(), metavar="ID", help="Start after the event with this id; 0-0 for all stored events.")
def listen(since: str | None, as_json: bool, **account: Any) -> None:
    """Print events as they arrive, one per line, until Ctrl-C. Reconnects automatically, and misses no event.

    Messages that were printed count as delivered to you.

    \b
    ssechat listen --user bob
    ssechat listen --user bob --json --since 0-0 | jq .data.text
    """
    from ssechat.cli.sightings import Sightings
    from ssechat.cli.terminal import event_line

    if since is not None and not (since.isascii() and since.isprintable()):
        raise SettingsError("--since: this is not the id of an event")
    with connect(account) as (client, run):
        sightings = Sightings(client, run)
        for event in run.each(client.events(since, ack=True)):
            if as_json:
                click.echo(json.dumps({"event": event.name, "id": event.id or None, "data": event.raw}))
            elif event.name in STREAM_NOTES:
                said = STREAM_NOTES[event.name](event.raw if isinstance(event.raw, dict) else {})
                if said:
                    stdio.note(said)
            elif sightings.is_news(event):
                click.echo(
                    click.style(event_line(event.name, event.raw, sightings.name(event)), dim=event.name in QUIET)
                )
