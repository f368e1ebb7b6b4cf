"""One user sends as fast as it goes, over many connections: what do honest people notice of it?"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import senders
from .asking import Asker, AskPlan, ask
from .deliveries import Verdict
from .dialects import user_name
from .errors import BenchError
from .generator import Crew
from .group_people import CONVERSATIONS, request_for_group
from .load import ANSWER_SECONDS, COLLECT_SECONDS, CONNECT_SECONDS, SETTLE_SECONDS
from .others import Others, OthersFigures
from .progress import Progress
from .saturation import Cpu, Parts, Shares, saturation
from .senders import Count, Sender, SendPlan
from .server import Ssechat
from .streams import check_descriptors
from .tables import SHARES, ratio, shown_end, shown_latency, shown_verdict, table

FLOODER = 0
"""The number of the user who floods; those who are flooded follow."""


@dataclass(frozen=True, slots=True)
class FloodOptions:
    """Options of the measurement."""

    members: int
    """Members of the group that is flooded."""
    connections: int
    """Connections of the flooder."""
    limit: int
    """Deliveries that a user may cause within a minute."""
    others: int
    """Honest people with one stream each, who write to each other."""
    others_rate: float
    """Messages per second of the honest people."""
    seconds: float
    """Seconds of each of two measurements: without the flooder, and with it from its first request on."""
    workers: int


@dataclass(frozen=True, slots=True)
class FloodFigures:
    """The figures of one flood."""

    target: str
    """What is flooded."""
    limit: int
    """Deliveries that a user may cause within a minute; 0: no limit."""
    connections: int
    members: int
    """Inboxes that a message of the flooder reaches."""
    seconds: float
    accepted: int
    """Messages of the flooder that were accepted."""
    refused: int
    """Those that were refused."""
    stored: int
    """Those of the accepted ones that the conversation has at the end."""
    others: OthersFigures
    cpu: Cpu
    shares: Shares
    verdict: Verdict
    saturation: str
    complaints: list[str] = field(default_factory=list)

    @property
    def deliveries(self) -> int:
        """Inboxes that the flooder has reached."""
        return self.accepted * self.members

    @property
    def answers_later(self) -> float:
        """How many times as long the slowest hundredth of honest requests takes with the flooder."""
        return self.others.answer_during.p99 / self.others.answer_alone.p99

    @property
    def streams_later(self) -> float:
        """How many times as late the slowest hundredth of honest messages arrives with the flooder."""
        return self.others.stream_during.p99 / self.others.stream_alone.p99


def measure_flood(options: FloodOptions, progress: Progress) -> list[FloodFigures]:
    """Floods one person, then a large group: with the limit, and with none; each on a new server.

    Raises:
        BenchError: the measurement failed.
    """
    check_descriptors(options.others + options.connections, options.workers, 1)
    return [
        _measure(options, members, limit, progress) for limit in (options.limit, 0) for members in (2, options.members)
    ]


def _measure(options: FloodOptions, members: int, limit: int, progress: Progress) -> FloodFigures:
    target = "one person" if members == 2 else f"a group of {members:,}"
    first_other = members + members % 2
    with (
        Ssechat(options.workers, "--deliveries-per-user", str(limit)) as server,
        Crew(Asker, [AskPlan(server.address, server.dialect())]) as asking,
        Others(server, options.others, options.others_rate, first_other) as others,
    ):
        conversation = _conversation(asking, members)
        plan = SendPlan(
            server.address, server.dialect(), 1, process=0, processes=1, connections=options.connections, depth=1,
            text_bytes=80, rate=0, rest=0.0, keep=False, first=FLOODER, conversations=(conversation,),
        )  # fmt: skip
        with Crew(Sender, [plan]) as flooding:
            others.open()
            flooding.tell("connect")
            flooding.gather(CONNECT_SECONDS)
            progress.wait(SETTLE_SECONDS, lambda left: f"{target}: settling")
            parts = Parts.of(server, flooding, *others.crews)
            others.start()
            progress.wait(1, lambda left: f"{target}: honest people alone")
            start = parts.sample()
            progress.wait(options.seconds, lambda left: f"{target}: honest people alone, {left:.0f} s to go")
            middle = parts.sample()
            flooding.tell("start")

            def shown(left: float) -> str:
                accepted, refused = flooding.gauge(senders.ACKNOWLEDGED), flooding.gauge(senders.REFUSED)
                return f"{target}: {accepted:,} accepted, {refused:,} refused, {left:.0f} s to go"

            progress.wait(options.seconds, shown)
            end = parts.sample()
            accepted, refused = flooding.gauge(senders.ACKNOWLEDGED), flooding.gauge(senders.REFUSED)
            flooding.tell("stop")
            verdict = others.finish(progress)
            _wait_for_answers(flooding)
            flooding.tell("collect")
            [count] = flooding.gather(COLLECT_SECONDS)
            stored = _stored(asking, conversation)
            _check(count, stored, verdict)
        used = parts.shares(middle, end)
        return FloodFigures(
            target=target,
            limit=limit,
            connections=options.connections,
            members=members,
            seconds=end.since(middle),
            accepted=accepted,
            refused=refused,
            stored=stored,
            others=others.figures((start, middle), (middle, end)),
            cpu=parts.cpu(middle, end),
            shares=used,
            verdict=verdict,
            saturation=saturation(used),
            complaints=[line for line in server.complaints if "over a quota" not in line],
        )


def _wait_for_answers(flooding: Crew) -> None:
    """Waits until each of the flooder's requests is answered, and be it refused; bounded."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while flooding.gauge(senders.WAITING) and time.monotonic() < deadline:
        flooding.check()
        time.sleep(0.05)


def _conversation(asking: Crew, members: int) -> str:
    """The id of what is flooded; those who are in it exist then."""
    everybody = range(FLOODER, FLOODER + members)
    ask(asking, everybody, "GET", f"{CONVERSATIONS}?limit=1", (), 16).check()
    if members == 2:
        return "dm:" + ":".join(map(user_name, everybody))
    made = ask(asking, range(FLOODER, FLOODER + 1), "POST", CONVERSATIONS, [_request(everybody)], 1)
    made.check()
    return str(json.loads(made.bodies[FLOODER])["id"])


def _request(members: range) -> bytes:
    return json.dumps(request_for_group(members)).encode()


def _stored(asking: Crew, conversation: str) -> int:
    """How many messages the conversation has."""
    answers = ask(asking, range(FLOODER, FLOODER + 1), "GET", f"{CONVERSATIONS}/{conversation}", (), 1)
    answers.check()
    return int(json.loads(answers.bodies[FLOODER])["newest_seq"])


def _check(count: Count, stored: int, verdict: Verdict) -> None:
    """The flooder, too, has what was promised: what was accepted is there, and what was refused is refused as a quota
    refuses it."""
    verdict.lost += max(0, len(count.pairs) - stored)
    for refusal in count.refusals:
        if "429" not in refusal.split("\r\n", 1)[0]:
            verdict.wonder(refusal[:200])
    if not count.pairs:
        raise BenchError("the flooder was never let in")


def flood_report(figures: Sequence[FloodFigures]) -> str:
    """A table with a column for each flood."""
    rows: list[tuple[str, Callable[[FloodFigures], str]]] = [
        ("A flooder writes to", lambda one: one.target),
        ("deliveries that a user may cause in a minute", lambda one: f"{one.limit:,}" if one.limit else "any"),
        ("connections of the flooder", lambda one: f"{one.connections:,}"),
        ("measured, s", lambda one: f"{one.seconds:.1f}"),
        ("accepted sends of the flooder", lambda one: f"{one.accepted:,}"),
        ("    deliveries", lambda one: f"{one.deliveries:,}"),
        ("    refused sends", lambda one: f"{one.refused:,}"),
        ("honest POST to answer, ms: without the flooder", lambda one: shown_latency(one.others.answer_alone)),
        ("    with the flooder: p50 · p95 · p99", lambda one: shown_latency(one.others.answer_during)),
        ("    p99, times that without", lambda one: f"{one.answers_later:.2f}"),
        ("honest POST to stream, ms: without the flooder", lambda one: shown_latency(one.others.stream_alone)),
        ("    with the flooder: p50 · p95 · p99", lambda one: shown_latency(one.others.stream_during)),
        ("    p99, times that without", lambda one: f"{one.streams_later:.2f}"),
        ("p50 to answer, times that without", lambda one: ratio(
            one.others.answer_during.p50, one.others.answer_alone.p50)),
        *SHARES,
        ("lost · doubled · misordered · unexpected", lambda one: shown_verdict(one.verdict)),
    ]  # fmt: skip
    ends = [shown_end(one.target, one.saturation, one.verdict, one.complaints) for one in figures]
    return "\n".join([table([[label, *map(show, figures)] for label, show in rows]), *ends])
