"""A reconnect storm: all workers die with many open streams, and every stream reconnects with its cursor."""

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from . import streams
from .arrivals import Checking, StreamPlan
from .deliveries import Verdict, compare, percentile
from .errors import BenchError
from .generator import Crew
from .load import ANSWER_SECONDS, COLLECT_SECONDS, wait_until_quiet
from .processes import cpu_seconds, listen_overflows, listen_queue, machine_seconds
from .progress import Progress
from .reconnecting import LEVEL, ReconnectingHolder, Storm
from .saturation import usable_cores
from .senders import Count, Sender, SendPlan
from .server import Ssechat
from .streams import check_descriptors, open_streams
from .tables import shown_complaints, shown_verdict, table

STORM_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class StormOptions:
    """Options of the measurement."""

    streams: int
    workers: int
    readers: int
    rate: float
    """Messages per second among the users, before the kill and after the restart of the workers."""
    quiet: float
    """Seconds of messages before the kill."""


@dataclass(frozen=True, slots=True)
class StormFigures:
    """The figures. Times are seconds since all workers were killed."""

    streams: int
    workers: int
    opened_a_second: float
    """Streams opened per second before the storm."""
    first: float
    """Seconds until the first stream had all missed events."""
    half: float
    p99: float
    last: float
    level: list[int]
    """The number of streams that became level in each second."""
    attempts: int
    refused: int
    queue: int
    """Upper bound of the connections in each accept queue (net.core.somaxconn)."""
    overflows: int
    """The count of connections that found a queue full, and retried after 1, 2, 4 … seconds."""
    sent_away: int
    given_up: int
    resets: int
    server_cpu: float
    """CPU seconds of supervisor and workers, including their start, until the last stream was level."""
    redis_cpu: float
    generator_cpu: float
    others: float
    """The share of all cores that other programs used."""
    acknowledged: int
    """Messages, before and during the storm."""
    verdict: Verdict
    examples: list[str]
    complaints: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every stream reconnected and no message was lost, doubled or misordered."""
        return not (self.verdict.lost or self.verdict.doubled or self.verdict.misordered or self.given_up)


def measure_storm(options: StormOptions, progress: Progress) -> StormFigures:
    """Opens the streams, kills all workers, and waits until every stream is level.

    Raises:
        BenchError: the measurement failed, or the streams are not level in five minutes.
    """
    check_descriptors(options.streams, options.workers, options.readers)
    with Ssechat(options.workers) as server:
        plan = StreamPlan(server.address, server.dialect(), Checking.COUNTING)
        send_plan = SendPlan(
            server.address, server.dialect(), options.streams, process=0, processes=1,
            connections=min(16, options.streams), depth=1, text_bytes=80, rate=options.rate, rest=0.001, keep=False,
        )  # fmt: skip
        with (
            Crew(ReconnectingHolder, [plan] * options.readers) as readers,
            Crew(Sender, [send_plan]) as sending_before,
            Crew(Sender, [send_plan]) as sending,
        ):
            began = time.monotonic()
            open_streams(
                readers,
                options.readers,
                options.streams,
                tick=lambda: progress.show(f"storm: {readers.gauge(streams.OPENED):,} streams open"),
            )
            opened_a_second = options.streams / (time.monotonic() - began)
            _send(sending_before)
            progress.wait(options.quiet, lambda left: f"storm: all is well, {left:.0f} s to go")
            sent = _sent(sending_before, readers, progress)
            readers.tell("brace")
            readers.gather(ANSWER_SECONDS)
            lasting = [server.supervisor], server.redis, readers.pids
            overflows = listen_overflows()
            before, machine_before = [cpu_seconds(pids) for pids in lasting], machine_seconds()
            killed = time.monotonic_ns()
            for pid in server.workers:
                os.kill(pid, signal.SIGKILL)
            # The senders' connections wait in the accept queues, too.
            _send(sending)
            _wait_level(options.streams, readers, progress)
            used = [cpu_seconds(pids) - then for pids, then in zip(lasting, before, strict=True)]
            used[0] += cpu_seconds(server.workers)
            used[2] += cpu_seconds(sending.pids)
            machine, took = machine_seconds() - machine_before, (time.monotonic_ns() - killed) / 1e9
            overflows = listen_overflows() - overflows
            sent += _sent(sending, readers, progress)
            readers.tell("storm")
            storms: list[Storm] = readers.gather(COLLECT_SECONDS)
            readers.tell("collect")
            verdict = compare(sent, readers.gather(COLLECT_SECONDS))
        complaints = server.complaints
    times = sorted((at - killed) / 1e9 for storm in storms for at in storm.level_at)
    level = Counter(int(at) for at in times)
    return StormFigures(
        streams=options.streams,
        workers=options.workers,
        opened_a_second=opened_a_second,
        first=times[0],
        half=percentile(times, 50),
        p99=percentile(times, 99),
        last=times[-1],
        level=[level[second] for second in range(int(times[-1]) + 1)],
        attempts=sum(storm.attempts for storm in storms),
        refused=sum(storm.refused for storm in storms),
        queue=listen_queue(),
        overflows=overflows,
        sent_away=sum(storm.sent_away for storm in storms),
        given_up=sum(storm.given_up for storm in storms),
        resets=sum(storm.resets for storm in storms),
        server_cpu=used[0],
        redis_cpu=used[1],
        generator_cpu=used[2],
        others=max(0.0, (machine - sum(used)) / took / usable_cores()),
        acknowledged=sum(len(count.answers) // 2 for count in sent),
        verdict=verdict,
        examples=[example for storm in storms for example in storm.examples][:5],
        complaints=complaints,
    )


def _send(sending: Crew) -> None:
    sending.tell("connect")
    sending.gather(STORM_SECONDS)
    sending.tell("start")


def _sent(sending: Crew, readers: Crew, progress: Progress) -> list[Count]:
    sending.tell("stop")
    wait_until_quiet("storm", readers, sending, progress)
    sending.tell("collect")
    return sending.gather(COLLECT_SECONDS)


def _wait_level(count: int, readers: Crew, progress: Progress) -> None:
    deadline = time.monotonic() + STORM_SECONDS
    while (level := readers.gauge(LEVEL)) < count:
        readers.check()
        progress.show(f"storm: {level:,} of {count:,} streams have all that they missed")
        if time.monotonic() > deadline:
            raise BenchError(f"{count - level:,} of {count:,} streams are not back after {STORM_SECONDS:g} s")
        time.sleep(0.02)


def storm_report(figures: StormFigures) -> str:
    """The figures as a table of one column."""
    rows = [
        ("Reconnect storm", f"{figures.streams:,} streams"),
        ("worker processes, all killed", str(figures.workers)),
        ("streams opened a second, before", f"{figures.opened_a_second:,.0f}"),
        ("seconds until the first stream had all", f"{figures.first:.2f}"),
        ("    half of them", f"{figures.half:.2f}"),
        ("    99 of 100", f"{figures.p99:.2f}"),
        ("    the last", f"{figures.last:.2f}"),
        ("connection attempts", f"{figures.attempts:,}"),
        ("    refused or cut", f"{figures.refused:,}"),
        (f"    turned away by a queue of {figures.queue:,} that was full", f"{figures.overflows:,}"),
        ("    told to come later", f"{figures.sent_away:,}"),
        ("    refused for good", f"{figures.given_up:,}"),
        ("cursors not taken", f"{figures.resets:,}"),
        ("CPU until the last was level, s: server, start included", f"{figures.server_cpu:.1f}"),
        ("    Redis", f"{figures.redis_cpu:.1f}"),
        ("    generator", f"{figures.generator_cpu:.1f}"),
        ("    other programs, of the machine", f"{figures.others:.0%}"),
        ("CPU of the server for each stream, ms", f"{figures.server_cpu * 1000 / figures.streams:.2f}"),
        ("messages before and during it", f"{figures.acknowledged:,}"),
        ("lost · doubled · misordered · unexpected", shown_verdict(figures.verdict)),
    ]
    lines = [table(rows), f"Streams level in each second: {' '.join(map(str, figures.level))}"]
    lines += [*figures.examples, *figures.verdict.examples]
    if figures.complaints:
        lines.append(shown_complaints("ssechat", figures.complaints))
    return "\n".join(lines)
