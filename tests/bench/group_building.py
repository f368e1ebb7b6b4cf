"""Making a large group: by one request with all members, and by single joins with an invitation."""

import json
from dataclasses import dataclass, field

from .deliveries import Latency, Verdict, compare
from .group_people import CONVERSATIONS, GroupsOptions, People, request_for_group
from .group_streams import GroupTally, each_of
from .others import OthersFigures
from .progress import Progress
from .saturation import Cpu, Shares, saturation
from .server import Ssechat
from .tables import shown_end, shown_latency, shown_verdict, table

JOIN = "/v1/invites/join"
AFTERWARDS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class BuildingFigures:
    """The figures of one way."""

    way: str
    members: int
    streams: int
    workers: int
    requests: int
    connections: int
    entries: int
    """Entries in the log: people who join at once may share one."""
    deliveries: int
    """To inboxes: of each entry to all who are in the group by then."""
    seconds: float
    to_answer: Latency
    alone_cpu: Cpu
    """While only others wrote, in an equal time."""
    cpu: Cpu
    others: OthersFigures
    shares: Shares
    verdict: Verdict
    saturation: str
    complaints: list[str] = field(default_factory=list)

    @property
    def server_cpu(self) -> Cpu:
        """CPU seconds of each part, without the cost of the others."""
        return self.cpu - self.alone_cpu

    @property
    def microseconds_each(self) -> Cpu:
        """CPU microseconds of each part per delivery."""
        return self.server_cpu.each(self.deliveries)


def measure_building(options: GroupsOptions, joins: bool, progress: Progress) -> BuildingFigures:
    """Makes a group of all people.

    Raises:
        BenchError: the measurement failed.
    """
    name, members = "building", options.people
    with Ssechat(options.workers) as server, People(server, options) as people:
        people.exist()
        people.open(name, progress)
        secret = b""
        if joins:
            group = people.ask_one("POST", CONVERSATIONS, request_for_group(range(1)))["id"]
            invite = people.ask_one("POST", f"{CONVERSATIONS}/{group}/invites", {"expires_in": 3600})
            secret = json.dumps({"secret": invite["secret"]}).encode()
        parts = people.parts()
        alone = people.leave_others_alone(name, parts, progress)
        progress.show(f"{name}: {members:,} people become members")
        first = parts.sample()
        if joins:
            answers = people.ask(range(1, members), "POST", JOIN, [secret] * (members - 1))
        else:
            request = json.dumps(request_for_group(range(members))).encode()
            answers = people.ask(range(1), "POST", CONVERSATIONS, [request])
            # So long that others write meanwhile.
            progress.wait(AFTERWARDS_SECONDS, lambda left: f"{name}: done")
        last = parts.sample()
        people.wait_silent(name, progress)
        verdict = people.others.finish(progress)
        came = people.collect(name, progress)
        verdict.add(compare((), came))
        _judge(verdict, came, members)
        used = parts.shares(first, last)
        return BuildingFigures(
            way="single joins" if joins else "one request",
            members=members,
            streams=options.streams,
            workers=options.workers,
            requests=len(answers.took),
            connections=min(options.connections, len(answers.took)),
            entries=max(each_of(came, "members")) - joins,
            deliveries=sum(each_of(came, "members")) - joins,  # without the group that its maker has made for himself
            seconds=answers.seconds,
            to_answer=Latency.of(answers.took),
            alone_cpu=parts.cpu(*alone) * (last.since(first) / alone[1].since(alone[0])),
            cpu=parts.cpu(first, last),
            others=people.others.figures(alone, (first, last)),
            shares=used,
            verdict=verdict,
            saturation=saturation(used),
            complaints=server.complaints,
        )


def _judge(verdict: Verdict, came: list[GroupTally], members: int) -> None:
    """Everybody must have been told of the entry with which he joined, and of each later one.

    By the number of members that an entry tells, it is known: those who join with it are told of it first.
    """
    firsts = each_of(came, "first_count")
    entries = sorted({*firsts} - {0})
    for told, first in zip(each_of(came, "members"), firsts, strict=True):
        due = sum(first <= entry for entry in entries)
        verdict.lost += max(0, due - told)
        verdict.doubled += max(0, told - due)
    if [sum(first <= entry for first in firsts) for entry in entries] != entries or entries[-1:] != [members]:
        verdict.wonder("the numbers of members that people were told are not those of the people who were told them")


def building_report(figures: list[BuildingFigures]) -> str:
    """A table with a column per way."""
    rows = [
        ["Building a group", *(one.way for one in figures)],
        ["members", *(f"{one.members:,}" for one in figures)],
        ["    with a stream", *(f"{one.streams:,}" for one in figures)],
        ["worker processes", *(str(one.workers) for one in figures)],
        ["requests", *(f"{one.requests:,}" for one in figures)],
        ["connections", *(f"{one.connections:,}" for one in figures)],
        ["entries in the log", *(f"{one.entries:,}" for one in figures)],
        ["deliveries", *(f"{one.deliveries:,}" for one in figures)],
        ["first request to last answer, s", *(f"{one.seconds:.2f}" for one in figures)],
        ["POST to answer, ms: p50 · p95 · p99", *(shown_latency(one.to_answer) for one in figures)],
        ["CPU in all, s: server and Redis", *(f"{one.server_cpu.server:.2f}" for one in figures)],
        ["CPU per delivery, µs: server and Redis", *(f"{one.microseconds_each.server:,.1f}" for one in figures)],
        ["    workers", *(f"{one.microseconds_each.workers:,.1f}" for one in figures)],
        ["    Redis", *(f"{one.microseconds_each.redis:,.1f}" for one in figures)],
        ["others' POST to stream, ms: alone", *(shown_latency(one.others.stream_alone) for one in figures)],
        ["    while the group is made", *(shown_latency(one.others.stream_during) for one in figures)],
        ["of a core: busiest worker", *(f"{one.shares.worker:.0%}" for one in figures)],
        ["    Redis", *(f"{one.shares.redis:.0%}" for one in figures)],
        ["    other programs, of the machine", *(f"{one.shares.others:.0%}" for one in figures)],
        ["lost · doubled · misordered · unexpected", *(shown_verdict(one.verdict) for one in figures)],
    ]
    ends = [shown_end(one.way, one.saturation, one.verdict, one.complaints) for one in figures]
    return "\n".join([table(rows), *ends])
