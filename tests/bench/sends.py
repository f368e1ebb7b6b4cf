"""Messages a second: users who are all online send each other direct messages."""

import os
import time
from dataclasses import dataclass, field

from . import processes, senders, streams
from .deliveries import Latency, Verdict, judge
from .dialects import Dialect
from .generator import Crew
from .progress import Progress
from .senders import Send, Sender, SendPlan
from .server import Ssechat
from .streams import Received, StreamHolder, StreamPlan, check_descriptors, open_streams

SATURATED = 0.85
"""Of a core: a process above it does all it can."""

NOISY = 0.15
"""Of the machine: other programs that have more than this spoil the figures."""

ANSWER_SECONDS = 30.0
QUIET_SECONDS = 1.0
COLLECT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class SendsOptions:
    """What to measure."""

    streams: int
    """Users who are online with a stream each."""
    workers: int
    readers: int
    """Client processes that hold the streams."""
    senders: int
    """Client processes that send."""
    connections: int
    """Connections that send, in all."""
    depth: int
    """Requests under way on each of them."""
    text_bytes: int
    warm_up: float
    """Seconds before the measurement."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds that each part used during the measurement."""

    workers: float
    redis: float
    generator: float


@dataclass(frozen=True, slots=True)
class SendsFigures:
    """What came of it."""

    workers: int
    streams: int
    connections: int
    depth: int
    seconds: float
    """How long was measured."""
    acknowledged: int
    """Messages answered with 201 in that time."""
    delivered: int
    """Messages that came on a stream in that time; each counts once on the sender's, once on the recipient's."""
    all_acknowledged: int
    """Messages answered with 201 in all, the warm-up's included: these are checked."""
    to_answer: Latency
    """From POST to 201."""
    to_arrival: Latency
    """From POST to the arrival at the recipient's stream."""
    cpu: Cpu
    busiest_worker: float
    """Of a core: the part of the time that it had."""
    busiest_client: float
    redis: float
    machine: float
    """Of all cores: the part of the time that server, Redis and clients had together."""
    others: float
    """Of all cores: the part of the time that other programs had."""
    verdict: Verdict
    saturation: str
    """What it was that did all it could."""
    complaints: list[str] = field(default_factory=list)
    """Lines of the server's log that are warnings or worse."""

    @property
    def acknowledged_a_second(self) -> float:
        return self.acknowledged / self.seconds

    @property
    def delivered_a_second(self) -> float:
        return self.delivered / self.seconds

    @property
    def microseconds_each(self) -> Cpu:
        """CPU microseconds for each delivered message."""
        each = 1e6 / max(1, self.delivered)
        return Cpu(self.cpu.workers * each, self.cpu.redis * each, self.cpu.generator * each)


@dataclass(frozen=True, slots=True)
class _Sample:
    at: int
    cpu: dict[int, float]
    machine: float


def measure_sends(options: SendsOptions, progress: Progress) -> SendsFigures:
    """Run the load and check every message.

    Raises:
        BenchError: the server does not start, refuses streams, or the descriptors do not suffice.
    """
    check_descriptors(options.streams, options.workers, options.readers)
    with Ssechat(options.workers) as server:
        dialect = Dialect("/v1/events", data=server.data)
        reader_plan = StreamPlan(server.address, dialect, keep=True)
        with (
            Crew(StreamHolder, [reader_plan] * options.readers) as readers,
            Crew(Sender, _send_plans(options, server.address, dialect)) as sending,
        ):
            sending.tell("connect")
            open_streams(
                readers,
                options.readers,
                options.streams,
                tick=lambda: progress.show(
                    f"sends: {readers.gauge(streams.OPENED):,} of {options.streams:,} users online"
                ),
            )
            sending.gather(ANSWER_SECONDS)
            workers, redis = server.workers, server.redis
            clients = [*readers.pids, *sending.pids]
            everybody = [*workers, *redis, *clients]

            def shown(left: float) -> str:
                return f"sends: {sending.gauge(senders.ACKNOWLEDGED):,} acknowledged, {left:.0f} s to go"

            sending.tell("start")
            progress.wait(options.warm_up, shown)
            first = _sample(everybody)
            progress.wait(options.seconds, shown)
            last = _sample(everybody)
            sending.tell("stop")
            _wait_until_quiet(readers, sending, progress)
            progress.show("sends: checking every message")
            sending.tell("collect")
            sends: list[Send] = [send for some in sending.gather(COLLECT_SECONDS) for send in some]
            readers.tell("collect")
            received: list[Received] = [one for some in readers.gather(COLLECT_SECONDS) for one in some]
        complaints = server.complaints
    parts = {"workers": workers, "redis": redis, "generator": clients}
    return _figures(options, sends, received, first, last, parts, complaints)


def _send_plans(options: SendsOptions, address: tuple[str, int], dialect: Dialect) -> list[SendPlan]:
    edges = [options.connections * process // options.senders for process in range(options.senders + 1)]
    return [
        SendPlan(
            address,
            dialect,
            users=options.streams,
            process=process,
            processes=options.senders,
            connections=edges[process + 1] - edges[process],
            depth=options.depth,
            text_bytes=options.text_bytes,
        )
        for process in range(options.senders)
    ]


def _sample(pids: list[int]) -> _Sample:
    cpu = {pid: processes.cpu_seconds([pid]) for pid in pids}
    return _Sample(time.monotonic_ns(), cpu, processes.machine_seconds())


def _wait_until_quiet(readers: Crew, sending: Crew, progress: Progress) -> None:
    """Until every send has its answer and nothing has come on a stream for a second; bounded."""
    deadline = time.monotonic() + ANSWER_SECONDS
    arrived, since = -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < QUIET_SECONDS:
        readers.check()
        sending.check()
        now = readers.gauge(streams.ARRIVED)
        if now != arrived or sending.gauge(senders.WAITING):
            arrived, since = now, time.monotonic()
        progress.show("sends: waiting for the last deliveries")
        time.sleep(0.05)


def _figures(
    options: SendsOptions,
    sends: list[Send],
    received: list[Received],
    first: _Sample,
    last: _Sample,
    parts: dict[str, list[int]],
    complaints: list[str],
) -> SendsFigures:
    seconds = (last.at - first.at) / 1e9
    cores = usable_cores()
    used = {pid: last.cpu[pid] - first.cpu[pid] for pid in last.cpu}
    acknowledged = [send for send in sends if send.status == 201]
    measured = {send.number: send for send in acknowledged if first.at <= send.sent_at < last.at}
    to_arrival = [
        arrival.at - send.sent_at
        for stream in received
        for arrival in stream.messages
        if (send := measured.get(arrival.number)) is not None and send.recipient == stream.user
    ]
    cpu = Cpu(**{name: sum(used[pid] for pid in pids) for name, pids in parts.items()})
    busiest_worker = max(used[pid] for pid in parts["workers"]) / seconds
    busiest_client = max(used[pid] for pid in parts["generator"]) / seconds
    redis = sum(used[pid] for pid in parts["redis"]) / seconds
    machine = sum(used.values()) / seconds / cores
    others = max(0.0, (last.machine - first.machine) / seconds / cores - machine)
    return SendsFigures(
        workers=len(parts["workers"]),
        streams=options.streams,
        connections=options.connections,
        depth=options.depth,
        seconds=seconds,
        acknowledged=sum(first.at <= send.answered_at < last.at for send in acknowledged),
        delivered=sum(first.at <= arrival.at < last.at for stream in received for arrival in stream.messages),
        all_acknowledged=len(acknowledged),
        to_answer=Latency.of(send.answered_at - send.sent_at for send in measured.values()),
        to_arrival=Latency.of(to_arrival),
        cpu=cpu,
        busiest_worker=busiest_worker,
        busiest_client=busiest_client,
        redis=redis,
        machine=machine,
        others=others,
        verdict=judge(sends, received),
        saturation=saturation(busiest_worker, busiest_client, redis, machine, others),
        complaints=complaints,
    )


def usable_cores() -> int:
    """CPU cores that we may run on."""
    return len(os.sched_getaffinity(0))


def saturation(worker: float, client: float, redis: float, machine: float, others: float) -> str:
    """A sentence on what bounded the figures. Shares are of a core; those of machine and others of all cores."""
    if others >= NOISY:
        return (
            f"OTHER PROGRAMS had {others:.0%} of the machine meanwhile: these figures say little, "
            "measure again when it is quiet."
        )
    if client >= SATURATED and worker < SATURATED and redis < SATURATED:
        return (
            "The GENERATOR was saturated, not the server: a client process had "
            f"{client:.0%} of a core. Give more --readers or --senders, or more cores."
        )
    if worker >= SATURATED:
        return f"The server was saturated: a worker had {worker:.0%} of a core."
    if redis >= SATURATED:
        return f"Redis was saturated: it had {redis:.0%} of a core."
    if machine >= SATURATED:
        return (
            f"The machine was saturated: {machine:.0%} of all cores went to server, Redis and clients, "
            "which took them from each other. On cores of its own the server would do more."
        )
    return "Nothing was saturated: the closed loop waited, for Redis's disk or for us. Try more --connections."
