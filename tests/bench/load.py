"""One server under load: online users send each other direct messages."""

import time
from dataclasses import dataclass, field

from . import processes, senders, streams
from .arrivals import Checking, Received, StreamPlan, Tally
from .deliveries import Latency, Series, Verdict, compare, judge, series
from .generator import Crew
from .processes import Memory
from .progress import Progress
from .saturation import Cpu, Parts, Sample, Shares, saturation
from .senders import TAKEN, Count, Send, Sender, SendPlan
from .server import Subject
from .streams import StreamHolder, open_streams

ANSWER_SECONDS = 30.0
CONNECT_SECONDS = 120.0
"""Upper bound of the time for connecting, in which tokens are signed, too."""
QUIET_SECONDS = 1.0
COLLECT_SECONDS = 300.0
SETTLE_SECONDS = 1.0
LATE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """The load on a server."""

    streams: int
    """Online users with one stream each."""
    readers: int
    """Client processes that hold the streams."""
    senders: int
    """Client processes that send."""
    connections: int
    """Connections that send, in total."""
    depth: int
    """Requests in flight on each connection."""
    text_bytes: int
    warm_up: float
    """Seconds before the measurement."""
    seconds: float
    rate: float = 0.0
    """Messages per second; 0: a closed loop at full speed."""
    rest: float = 0.0
    """Seconds between a client's polls of its sockets."""
    contacts: int = 0
    """The number of contacts of each user; 0: any user."""
    checking: Checking = Checking.EXACT


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """The figures."""

    server: str
    workers: int
    streams: int
    connections: int
    depth: int
    rate: float
    """Requested messages per second; 0: full speed."""
    contacts: int
    checking: Checking
    opened_a_second: float
    memory_before: Memory
    """Memory of all workers without streams, in bytes."""
    memory_open: Memory
    """Memory of all workers with all streams open."""
    seconds: float
    """Duration of the measurement."""
    acknowledged: int
    """Messages acknowledged during the measurement."""
    delivered: int
    """Deliveries during the measurement; each message has one to its sender and one to its recipient."""
    all_acknowledged: int
    """All acknowledged messages, including the warm-up; these are checked."""
    late: int
    """Messages due and not sent at the end of the measurement."""
    to_answer: Latency
    """Latency from POST to its response."""
    to_arrival: Latency
    """Latency from POST to the recipient's stream (when counting: to both streams)."""
    series: list[Series]
    """Latency per second."""
    cpu: Cpu
    shares: Shares
    verdict: Verdict
    saturation: str
    """A sentence on what was saturated."""
    complaints: list[str] = field(default_factory=list)
    """Warnings and errors in the server's log."""

    @property
    def acknowledged_a_second(self) -> float:
        return self.acknowledged / self.seconds

    @property
    def delivered_a_second(self) -> float:
        return self.delivered / self.seconds

    @property
    def microseconds_each(self) -> Cpu:
        """CPU microseconds of each part per delivered message."""
        return self.cpu.each(self.delivered)

    @property
    def server_microseconds_each(self) -> float:
        """CPU microseconds of all processes of the server and its Redis per delivered message."""
        return self.microseconds_each.server

    @property
    def bytes_each(self) -> float:
        """Bytes of the workers' memory (PSS) per stream."""
        return (self.memory_open.pss - self.memory_before.pss) / self.streams


def measure_load(server: Subject, load: Load, progress: Progress) -> LoadFigures:
    """Opens the streams, sends, and checks every message.

    Raises:
        BenchError: streams cannot be opened, or a client or the server ended.
    """
    name = f"{server.name} at {load.rate:g} a second" if load.rate else server.name
    # With other servers two users share a channel.
    dialect = server.dialect()
    dialect = dialect if dialect.ours else server.dialect(2)
    reader_plan = StreamPlan(server.address, dialect, load.checking, load.rest)
    with (
        Crew(StreamHolder, [reader_plan] * load.readers) as readers,
        Crew(Sender, _send_plans(server, load)) as sending,
    ):
        before = processes.memory(server.workers)
        began = time.monotonic()
        open_streams(
            readers,
            load.readers,
            load.streams,
            tick=lambda: progress.show(f"{name}: {readers.gauge(streams.OPENED):,} of {load.streams:,} users online"),
        )
        took = time.monotonic() - began
        # Not earlier: a server closes idle connections.
        sending.tell("connect")
        sending.gather(CONNECT_SECONDS)
        progress.wait(SETTLE_SECONDS, lambda left: f"{name}: settling")
        memory = processes.memory(server.workers)
        parts = Parts.of(server, readers, sending)

        def shown(left: float) -> str:
            return f"{name}: {sending.gauge(senders.ACKNOWLEDGED):,} acknowledged, {left:.0f} s to go"

        sending.tell("start")
        progress.wait(load.warm_up, shown)
        first = parts.sample()
        progress.wait(load.seconds, shown)
        last = parts.sample()
        late = sending.gauge(senders.LATE)
        sending.tell("stop")
        wait_until_quiet(name, readers, sending, progress)
        progress.show(f"{name}: checking every message")
        sending.tell("collect")
        sent = sending.gather(COLLECT_SECONDS)
        readers.tell("collect")
        came = readers.gather(COLLECT_SECONDS)
    digest = (
        _counted(sent, came, first, last) if load.checking is Checking.COUNTING else _exact(sent, came, first, last)
    )
    used = parts.shares(first, last)
    return LoadFigures(
        server=server.name,
        workers=len(parts.workers),
        streams=load.streams,
        connections=load.connections,
        depth=load.depth,
        rate=load.rate,
        contacts=load.contacts if server.dialect().ours else 1,
        checking=load.checking,
        opened_a_second=load.streams / took,
        memory_before=before,
        memory_open=memory,
        seconds=last.since(first),
        acknowledged=digest.acknowledged,
        delivered=digest.delivered,
        all_acknowledged=digest.all_acknowledged,
        late=late,
        to_answer=Latency.of(digest.answers),
        to_arrival=Latency.of(latency for _, latency in digest.arrivals),
        series=series(digest.arrivals, first.at),
        cpu=parts.cpu(first, last),
        shares=used,
        verdict=digest.verdict,
        saturation=_late(load, late) + saturation(used),
        complaints=server.complaints,
    )


def _late(load: Load, late: int) -> str:
    if late <= load.rate * LATE_SECONDS:
        return ""
    return f"The rate was NOT reached: {late:,} sends were due and not made; the latencies are those of the others. "


def _send_plans(server: Subject, load: Load) -> list[SendPlan]:
    dialect = server.dialect()
    edges = [load.connections * process // load.senders for process in range(load.senders + 1)]
    return [
        SendPlan(
            server.address,
            dialect if dialect.ours else server.dialect(2),
            users=load.streams,
            process=process,
            processes=load.senders,
            connections=edges[process + 1] - edges[process],
            depth=load.depth,
            text_bytes=load.text_bytes,
            rate=load.rate / load.senders,
            rest=load.rest,
            contacts=load.contacts,
            keep=load.checking is not Checking.COUNTING,
        )
        for process in range(load.senders)
    ]


def wait_until_quiet(name: str, readers: Crew, sending: Crew, progress: Progress) -> None:
    """Waits until every send has its response and streams have been silent for a second; bounded."""
    deadline = time.monotonic() + ANSWER_SECONDS
    arrived, since = -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < QUIET_SECONDS:
        readers.check()
        sending.check()
        now = readers.gauge(streams.ARRIVED)
        if now != arrived or sending.gauge(senders.WAITING):
            arrived, since = now, time.monotonic()
        progress.show(f"{name}: waiting for the last deliveries")
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class _Digest:
    """The clients' results during the measurement; `all_acknowledged` and the verdict are of the whole run."""

    acknowledged: int
    delivered: int
    all_acknowledged: int
    answers: list[int]
    """Nanoseconds until each response."""
    arrivals: list[tuple[int, int]]
    """The time of sending of each message, and the nanoseconds until its arrival."""
    verdict: Verdict


def _exact(sent: list[list[Send]], came: list[list[Received]], first: Sample, last: Sample) -> _Digest:
    sends = [send for some in sent for send in some]
    received = [one for some in came for one in some]
    taken = [send for send in sends if send.status in TAKEN]
    measured = {send.number: send for send in taken if first.at <= send.sent_at < last.at}
    return _Digest(
        acknowledged=sum(first.at <= send.answered_at < last.at for send in taken),
        delivered=sum(first.at <= arrival.at < last.at for stream in received for arrival in stream.messages),
        all_acknowledged=len(taken),
        answers=[send.answered_at - send.sent_at for send in measured.values()],
        arrivals=[
            (send.sent_at, arrival.at - send.sent_at)
            for stream in received
            for arrival in stream.messages
            if (send := measured.get(arrival.number)) is not None and send.recipient == stream.user
        ],
        verdict=judge(sends, received),
    )


def _counted(sent: list[Count], came: list[Tally], first: Sample, last: Sample) -> _Digest:
    answers = [pair for count in sent for pair in count.pairs]
    arrivals = [pair for tally in came for pair in tally.pairs]
    return _Digest(
        acknowledged=sum(first.at <= at + took < last.at for at, took in answers),
        delivered=sum(first.at <= at < last.at for at, _ in arrivals),
        all_acknowledged=len(answers),
        answers=[took for at, took in answers if first.at <= at < last.at],
        arrivals=[(at - took, took) for at, took in arrivals if first.at <= at - took < last.at],
        verdict=compare(sent, came),
    )
