"""The commands that measure one part alone: state and feeds."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from .feed_announcements import PEERS, AnnouncementOptions
from .feed_changes import ChangeOptions
from .feeds import feeds_report, measure_feeds
from .measurement import measurement, run
from .options import count, json_option, options, peers, rate, seconds, workers
from .state import StateOptions, measure_state, state_report
from .state_presence import PresenceOptions

KEPT_FEEDS = Path(__file__).parent / "results" / "feeds.json"
"""The last result of `feeds` that was kept."""


@click.command()
@options(
    count("--people", 1000, "People with a stream each, who write to each other two and two."),
    count("--rounds", 20, "How often each of them does each act."),
    count("--streams", 20_000, "People with a stream each, who watch whether others are online."),
    count("--watched", 20, "Others whom each of these watches."),
    count("--readers", 2, "Client processes that hold these streams."),
    count("--connections", 16, "Connections that requests are made over."),
    seconds("--seconds", 20, "Seconds in which nobody comes or goes: once unwatched, once watched."),
    workers(),
    json_option,
)
def state(json_file: Path | None, people: int, rounds: int, **given: Any) -> None:
    """What state costs: to mark messages as read, to say that one writes, and to watch whether others are online.

    Each act is done at full speed, and each stream that must be told of it is; a send is shown to compare with. Then
    everybody watches the others of a group, and is told once of each; all streams are closed and opened anew, and told
    again. That must cost little as long as nobody comes or goes; then one of each group goes.
    """
    run(
        json_file,
        None,
        state=measurement(
            partial(measure_state, StateOptions(people, rounds, PresenceOptions(**given))),
            state_report,
            lambda figures: figures.good,
        ),
    )


@click.command()
@options(
    count("--streams", 100_000, "Readers of a feed, to whom one event goes at a time."),
    count("--events", 5, "Events, each published when the last reader has the one before."),
    seconds("--quiet", 5, "Seconds in which nothing is published, of which the CPU is subtracted."),
    seconds("--patience", 40, "Seconds in which a peer may open streams; then it is measured with those that it has."),
    peers("Also measure nchan with Redis, and Pushpin."),
    count("--readers", 1000, "Readers of a feed with keys, which change all the time."),
    click.option(
        "--slow",
        type=click.IntRange(0),
        default=100,
        show_default=True,
        metavar="N",
        help="How many of them are slow: half are given too few bytes a second, half read nothing for 3 s at a time.",
    ),
    count("--narrow-bytes", 120_000, "Bytes a second that a reader of the first half reads."),
    count("--keys", 500, "Keys of this feed."),
    rate("--rate", 1000, "Changes a second, each of a random key."),
    seconds("--seconds", 20, "Seconds of each of two measurements, without the slow readers and with them."),
    count("--clients", 2, "Client processes that hold these readers."),
    workers(),
    json_option,
    click.option("--keep", is_flag=True, help="Keep the result in the repository: tests/bench/results/feeds.json."),
)
def feeds(
    json_file: Path | None,
    keep: bool,
    streams: int,
    events: int,
    quiet: float,
    patience: float,
    with_peers: bool,
    **given: Any,
) -> None:
    """What feeds cost: one event to 100,000 readers, and 1,000 changes a second to 1,000 readers.

    First: how long until the last reader has an event, and the CPU per reader, beside nchan and Pushpin with as many
    readers as they hold. Each server has as many processes as it needs for so many connections; ssechat and nchan write
    the event to the disk before they accept it.

    Then: how old is what the readers of a feed with keys see? Each value says when it was due; what counts is the time
    until a reader has it or a newer one of its key. That the values never go back, and that each reader has the newest
    of each key at the end, is checked; how often Redis is asked for the log is counted.
    """
    announced = AnnouncementOptions(streams, events, quiet, patience, PEERS if with_peers else ())
    changed = ChangeOptions(**given)
    if changed.slow >= changed.readers:
        raise click.BadParameter("some readers must be quick", param_hint="--slow")
    if keep and json_file is not None:
        raise click.BadParameter("--keep says where the result goes", param_hint="--json")
    measured = measurement(partial(measure_feeds, announced, changed), feeds_report, lambda figures: figures.good)
    run(KEPT_FEEDS if keep else json_file, None, feeds=measured)
