"""The commands that measure messages: sent at a rate or at full speed, to people, groups and devices."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from ssechat.settings import Settings

from .arrivals import Checking
from .fanout import FanoutOptions, fanout_report, measure_fanout
from .flood import FloodOptions, flood_report, measure_flood
from .group_people import GroupsOptions
from .groups import groups_report, measure_groups
from .measurement import Result, measurement, run
from .options import (
    checking,
    count,
    groups_options,
    json_option,
    load_options,
    make_load,
    options,
    peers,
    plot_option,
    rate,
    seconds,
    workers,
)
from .peers import CHATS, DURABLE
from .plot import load_panels
from .progress import Progress
from .report import sends_report
from .sends import measure_sends

sends_options = options(
    count("--readers", 1, "Client processes that hold the users' streams."),
    load_options,
    checking(Checking.EXACT),
    seconds("--seconds", 10, "Seconds of each measurement."),
    click.option(
        "--rate",
        "rates",
        type=click.FloatRange(0),
        multiple=True,
        default=(500, 0),
        show_default=True,
        metavar="N",
        help="Messages per second; 0: closed loop at full speed. Can be repeated.",
    ),
)


@click.command()
@options(
    count("--streams", 2000, "Online users with one stream each."),
    sends_options,
    peers("Also measure nchan with Redis."),
    workers(),
    json_option,
    plot_option,
)
def sends(json_file: Path | None, plot_file: Path | None, streams: int, **given: Any) -> None:
    """CPU per message, direct messages per second and latency, of users who write to their contacts; also of nchan.

    At a rate: messages are sent evenly, and latency counts from the time when each was due. At full speed: a closed
    loop, in which each connection sends after the response to its last message. Each message is delivered twice, to the
    stream of its recipient and of its sender, and all deliveries are checked. Both servers write each message to the
    disk before they respond. nchan is measured with a channel per user, as a chat with one stream per user needs it
    ("inboxes"), and with a channel per pair of users, with which a stream shows only one conversation.
    """
    run(json_file, plot_file, sends=lambda progress: sends_result(streams, progress, **given))


def sends_result(
    streams: int, progress: Progress, *, workers: int, rates: tuple[float, ...], with_peers: bool, **given: Any
) -> Result:
    loads = [make_load(streams, rate=rate, **given) for rate in rates]
    figures = measure_sends(loads, workers, CHATS if with_peers else (), progress)
    good = all(run.verdict.good for run in figures.runs if run.server == "ssechat")
    return figures, sends_report(figures), good, load_panels(figures.runs)


@click.command()
@options(
    count("--streams", 10_000, "Online users with one stream each."),
    count("--readers", 2, "Client processes that hold the streams: at most 20,000 each, or as descriptors allow."),
    rate("--rate", 500, "Messages per second, evenly."),
    load_options,
    checking(Checking.COUNTING),
    seconds("--seconds", 20, "Seconds of the measurement."),
    workers(),
    json_option,
    plot_option,
)
def capacity(
    json_file: Path | None, plot_file: Path | None, streams: int, rate: float, workers: int, **given: Any
) -> None:
    """Many streams, with pings and a steady rate of messages.

    The largest run: --streams 100000 --workers 8 --readers 6 --rate 1000 --seconds 60.
    """
    load = make_load(streams, rate=rate, **given)
    measured = measurement(
        lambda progress: measure_sends([load], workers, (), progress),
        sends_report,
        lambda figures: figures.runs[0].verdict.good,
        lambda figures: load_panels(figures.runs),
    )
    run(json_file, plot_file, capacity=measured)


@click.command()
@options(
    count("--streams", 10_000, "Streams of one user, all on one worker."),
    rate("--rate", 2, "Events per second to all these streams."),
    count("--others", 100, "Other users, who write to each other meanwhile."),
    rate("--others-rate", 50, "Messages per second of the other users."),
    count("--readers", 1, "Client processes that hold the streams."),
    seconds("--seconds", 10, "Seconds of each of the two measurements, without and with the events."),
    peers("Also measure nchan with Redis."),
    json_option,
)
def fanout(json_file: Path | None, with_peers: bool, **given: Any) -> None:
    """One event to many streams: CPU per stream, and the delay of other users; also of nchan.

    A user with many devices writes a note; with nchan, a message goes to a channel with as many subscribers.
    """
    asked = FanoutOptions(**given, peers=DURABLE if with_peers else ())

    def measure(progress: Progress) -> Result:
        figures, absent = measure_fanout(asked, progress)
        return figures, fanout_report(figures, absent), figures[0].verdict.good, []

    run(json_file, None, fanout=measure)


@click.command()
@options(groups_options, workers(), json_option)
def groups(json_file: Path | None, **given: Any) -> None:
    """What groups cost: sends to groups of some sizes, many reactions to one message, and making a large group.

    The same people are divided into groups of each size, and, to compare, into pairs who write directly. A message is
    delivered to the inbox of each member, whether it holds a stream or not, before it is acknowledged. At the end those
    without a stream read what they got, and all deliveries are checked. Other users write to each other meanwhile: what
    they notice is shown, too.
    """
    run(
        json_file,
        None,
        groups=measurement(
            partial(measure_groups, GroupsOptions(**given)), groups_report, lambda figures: figures.good
        ),
    )


@click.command()
@options(
    count("--members", 1000, "Members of the group that is flooded."),
    count("--connections", 32, "Connections of the flooder, on each of which a send follows the last one's answer."),
    count(
        "--limit", Settings.model_fields["deliveries_per_user"].default, "Deliveries a minute that a user may cause."
    ),
    count("--others", 100, "Honest people with one stream each, who write to each other."),
    rate("--others-rate", 50, "Messages per second of the honest people."),
    seconds("--seconds", 10, "Seconds of each of the two measurements, without and with the flooder."),
    workers(),
    json_option,
)
def flood(json_file: Path | None, **given: Any) -> None:
    """What honest people notice of one user who sends as fast as it goes.

    The flooder writes to one person, then to a large group; with the limit that the server is shipped with, and with
    none. Its first requests are those that the limit lets through at once, so they are measured, too. All that the
    honest people send is checked, and so is that what was accepted of the flooder is there.
    """
    measured = measurement(
        partial(measure_flood, FloodOptions(**given)),
        flood_report,
        lambda figures: all(one.verdict.good for one in figures),
    )
    run(json_file, None, flood=measured)
