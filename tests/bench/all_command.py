"""The command that runs what a release is described by: idle and sends."""

from pathlib import Path
from typing import Any

import click

from .measurement import run
from .message_commands import sends_options, sends_result
from .options import count, json_option, options, peers, workers
from .stream_commands import idle_options, idle_result


@click.command(name="all")
@options(
    count("--idle-streams", 10_000, "Idle streams, one per user."),
    idle_options,
    count("--online", 2000, "Users who send, with one stream each."),
    sends_options,
    peers("Also measure servers of other kinds."),
    workers(),
    json_option,
)
def everything(json_file: Path | None, idle_streams: int, online: int, **given: Any) -> None:
    """Runs idle and sends."""
    idle_names = ("workers", "clients", "with_peers", "peer_streams")
    mine = {name: given[name] for name in idle_names}
    rest = {name: value for name, value in given.items() if name in ("workers", "with_peers") or name not in idle_names}
    run(
        json_file,
        None,
        idle=lambda progress: idle_result(idle_streams, progress, **mine),
        sends=lambda progress: sends_result(online, progress, **rest),
    )
