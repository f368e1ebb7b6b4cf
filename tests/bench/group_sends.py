"""Sends to groups of one size: what a delivery costs, and how long a sender and others wait."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import senders
from .deliveries import Latency, Verdict, compare
from .dialects import user_name
from .generator import Crew
from .group_people import CONVERSATIONS, GroupsOptions, People, request_for_group
from .load import COLLECT_SECONDS, CONNECT_SECONDS, wait_until_quiet
from .others import OthersFigures
from .progress import Progress
from .saturation import Cpu, Shares, saturation
from .senders import Count, Sender, SendPlan
from .server import Ssechat
from .tables import SHARES, ratio, shown_end, shown_latency, shown_verdict, table

DIRECT = 0
"""In the place of a size: direct conversations."""


@dataclass(frozen=True, slots=True)
class GroupSendsFigures:
    """The figures of one size."""

    size: int
    """Members of each group; 0: direct conversations."""
    groups: int
    rate: float
    """Deliveries per second that were asked for; 0: as many as will go."""
    workers: int
    streams: int
    """Members who hold a stream."""
    connections: int
    seconds: float
    acknowledged: int
    """Messages acknowledged during the measurement."""
    late: int
    """Messages due and not sent at the end of it."""
    all_acknowledged: int
    """With those of the warm-up; the deliveries of all these are checked."""
    alone_cpu: Cpu
    """While only others wrote, in an equal time."""
    cpu: Cpu
    to_answer: Latency
    """From POST to answer: all members have the message."""
    to_stream: Latency
    """From POST to the stream of each member who holds one."""
    others: OthersFigures
    shares: Shares
    verdict: Verdict
    saturation: str
    complaints: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What is sent to."""
        return f"groups of {self.size:,}" if self.size != DIRECT else "direct"

    @property
    def members(self) -> int:
        """Those who get a message."""
        return self.size or 2

    @property
    def delivered(self) -> int:
        """Deliveries to inboxes during the measurement: to each member, the sender too."""
        return self.acknowledged * self.members

    @property
    def delivered_a_second(self) -> float:
        return self.delivered / self.seconds

    @property
    def acknowledged_a_second(self) -> float:
        return self.acknowledged / self.seconds

    @property
    def microseconds_each(self) -> Cpu:
        """CPU microseconds of each part per delivery, without the cost of the others."""
        return (self.cpu - self.alone_cpu).each(self.delivered)

    @property
    def milliseconds_a_send(self) -> float:
        """CPU milliseconds of the server and its Redis for a send."""
        return self.microseconds_each.server * self.members / 1000


def measure_group_sends(options: GroupsOptions, size: int, rate: float, progress: Progress) -> GroupSendsFigures:
    """Divides the people into groups of this size, and has them send; checks all deliveries.

    Raises:
        BenchError: the measurement failed.
    """
    name = f"groups of {size:,}" if size != DIRECT else "direct"
    members = size or 2
    used = options.people // members * members
    with Ssechat(options.workers) as server, People(server, options) as people:
        people.exist()
        conversations = _direct(used) if size == DIRECT else _groups(people, size, used)
        plan = SendPlan(
            server.address, server.dialect(), used, process=0, processes=1, connections=min(options.connections, used),
            depth=1, text_bytes=options.text_bytes, rate=rate / members, rest=0.0005, keep=False,
            conversations=conversations,
        )  # fmt: skip
        with Crew(Sender, [plan]) as sending:
            people.open(name, progress)
            sending.tell("connect")
            sending.gather(CONNECT_SECONDS)
            parts = people.parts(sending)
            alone = people.leave_others_alone(name, parts, progress)

            def shown(left: float) -> str:
                return f"{name}: {sending.gauge(senders.ACKNOWLEDGED):,} acknowledged, {left:.0f} s to go"

            sending.tell("start")
            progress.wait(options.warm_up, shown)
            first = parts.sample()
            progress.wait(options.seconds, shown)
            last = parts.sample()
            late = sending.gauge(senders.LATE)
            sending.tell("stop")
            wait_until_quiet(name, people.streams, sending, progress)
            verdict = people.others.finish(progress)
            sending.tell("collect")
            count: Count = sending.gather(COLLECT_SECONDS)[0]
        count.expected.extend([0] * (options.people - used))  # those who fit into no group
        came = people.collect(name, progress)
        verdict.add(compare([count], came))
        used_shares = parts.shares(first, last)
        return GroupSendsFigures(
            size=size,
            groups=len(conversations),
            rate=rate,
            workers=options.workers,
            streams=options.streams,
            connections=plan.connections,
            seconds=last.since(first),
            acknowledged=sum(first.at <= at + took < last.at for at, took in count.pairs),
            late=late,
            all_acknowledged=len(count.pairs),
            alone_cpu=parts.cpu(*alone) * (last.since(first) / alone[1].since(alone[0])),
            cpu=parts.cpu(first, last),
            to_answer=Latency.of(took for at, took in count.pairs if first.at <= at < last.at),
            to_stream=Latency.of(
                took for tally in came[: options.readers] for at, took in tally.pairs if first.at <= at - took < last.at
            ),
            others=people.others.figures(alone, (first, last)),
            shares=used_shares,
            verdict=verdict,
            saturation=saturation(used_shares),
            complaints=server.complaints,
        )


def _direct(people: int) -> list[str]:
    """The ids of direct conversations between each two."""
    return [f"dm:{user_name(user)}:{user_name(user + 1)}" for user in range(0, people, 2)]


def _groups(people: People, size: int, used: int) -> list[str]:
    makers = range(0, used, size)
    bodies = [json.dumps(request_for_group(range(maker, maker + size))).encode() for maker in makers]
    made = people.ask(makers, "POST", CONVERSATIONS, bodies)
    return [json.loads(made.bodies[maker])["id"] for maker in makers]


def group_sends_report(figures: Sequence[GroupSendsFigures]) -> str:
    """A table for each rate, with a column per size."""
    rates = dict.fromkeys(one.rate for one in figures)
    return "\n\n".join(_table([one for one in figures if one.rate == rate]) for rate in rates)


def _table(figures: Sequence[GroupSendsFigures]) -> str:
    base = figures[0]
    title = f"{base.rate:,g} deliveries a second" if base.rate else "as many as will go"
    rows: list[tuple[str, Callable[[GroupSendsFigures], str]]] = [
        (f"Sends to groups, {title}", lambda one: one.name),
        ("conversations", lambda one: f"{one.groups:,}"),
        ("members with a stream, of all", lambda one: f"{one.streams:,}"),
        ("worker processes", lambda one: str(one.workers)),
        ("connections that send", lambda one: f"{one.connections:,}"),
        ("measured, s", lambda one: f"{one.seconds:.1f}"),
        ("sends acknowledged a second", lambda one: f"{one.acknowledged_a_second:,.1f}"),
        ("due and not sent at the end", lambda one: f"{one.late:,}" if one.rate else "-"),
        ("deliveries a second", lambda one: f"{one.delivered_a_second:,.0f}"),
        ("POST to answer, ms: p50 · p95 · p99", lambda one: shown_latency(one.to_answer)),
        ("POST to stream, ms: p50 · p95 · p99", lambda one: shown_latency(one.to_stream)),
        ("CPU per delivery, µs: server and Redis", lambda one: f"{one.microseconds_each.server:,.1f}"),
        ("    workers", lambda one: f"{one.microseconds_each.workers:,.1f}"),
        ("    Redis", lambda one: f"{one.microseconds_each.redis:,.1f}"),
        ("    generator (not the server's)", lambda one: f"{one.microseconds_each.generator:,.1f}"),
        ("CPU per send, ms: server and Redis", lambda one: f"{one.milliseconds_a_send:,.2f}"),
        ("others' POST to stream, ms: alone", lambda one: shown_latency(one.others.stream_alone)),
        ("    while the groups are sent to", lambda one: shown_latency(one.others.stream_during)),
        ("others' POST to answer, ms: alone", lambda one: shown_latency(one.others.answer_alone)),
        ("    while the groups are sent to", lambda one: shown_latency(one.others.answer_during)),
        *SHARES,
        ("deliveries in all, and checked", lambda one: f"{one.all_acknowledged * one.members:,}"),
        ("lost · doubled · misordered · unexpected", lambda one: shown_verdict(one.verdict)),
        (
            f"CPU per delivery, times that of {base.name}",
            lambda one: ratio(one.microseconds_each.server, base.microseconds_each.server),
        ),
        (
            f"deliveries a second, times those of {base.name}",
            lambda one: ratio(one.delivered_a_second, base.delivered_a_second),
        ),
    ]
    ends = [shown_end(one.name, one.saturation, one.verdict, one.complaints) for one in figures]
    return "\n".join([table([[label, *map(show, figures)] for label, show in rows]), *ends])
