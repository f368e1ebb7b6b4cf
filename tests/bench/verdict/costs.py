"""What a stream, a message and a user cost on this machine: the figures of `ssechat size`."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import redis

from ssechat import __version__
from ssechat.redis import keys
from ssechat.sizing.figures import Figures

from .. import processes, streams
from ..arrivals import Checking, StreamPlan
from ..dialects import user_name
from ..generator import Crew
from ..load import Load, measure_load
from ..progress import Progress
from ..server import Ssechat
from ..streams import OPEN_SECONDS, WARM_UP, StreamHolder, check_descriptors, open_streams
from . import scenes
from .kernel import kernel_bytes
from .line import Line
from .measures import FULL_SECONDS
from .stacks import STACKS, WORKERS
from .wire import Conditions

COMMAND = "python -m tests.bench verdict --part size"
STREAMS = 8000
ONLINE = 1000
"""Streams of those who send."""
LISTENERS = 60
"""Streams that are silent on the line."""
PEOPLE = 8
RATE = 40.0
SETTLE_SECONDS = 3.0


def measure_costs(seconds: float, progress: Progress, *, real: bool | None = None) -> Figures:
    """Measures all of them; `seconds` for each measurement of messages, five times as many of silence.

    Raises:
        BenchError: something could not be measured.
    """
    share = min(1.0, seconds / FULL_SECONDS)
    count, online = max(200, int(STREAMS * share)), max(100, int(ONLINE * share))
    progress.show("size: streams")
    stream_bytes, kernel, idle = _streams(count, seconds * 5, progress)
    progress.show("size: messages")
    worker, redis_cpu, user_bytes, message_bytes = _messages(seconds, online, progress)
    entry_bytes, silence, send_wire, event_wire = _on_the_line(seconds, progress, real)
    return Figures(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(),
        command=COMMAND,
        version=__version__,
        stream_bytes=stream_bytes,
        kernel_bytes=kernel,
        idle_microseconds=idle,
        worker_microseconds=worker,
        redis_microseconds=redis_cpu,
        message_bytes=message_bytes,
        entry_bytes=entry_bytes,
        user_bytes=user_bytes,
        send_wire_bytes=send_wire,
        event_wire_bytes=event_wire,
        ping_wire_bytes=silence.traffic.bytes / silence.people / silence.seconds,
    )


def machine() -> str:
    """This machine, in a few words."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores of {names[0] if names else os.uname().machine}, {memory:.0f} GiB"


def _streams(count: int, seconds: float, progress: Progress) -> tuple[float, float, float]:
    """Per silent stream: bytes of workers, bytes of the kernel, and µs of workers a second."""
    check_descriptors(count, WORKERS, 2)
    with Ssechat(WORKERS) as server:
        plans = [StreamPlan(server.address, server.dialect(), Checking.NOTHING) for _ in range(2)]
        with Crew(StreamHolder, plans) as crew:
            open_streams(crew, 2, WARM_UP, first=count)
            progress.wait(SETTLE_SECONDS, lambda left: "size: the server settles")
            # What the workers do without streams is not a stream's.
            alone = _cpu_a_second(server, seconds / 4)
            before, kernel = processes.memory(server.workers).pss, kernel_bytes()
            open_streams(crew, 2, count)
            progress.wait(SETTLE_SECONDS, lambda left: "size: streams settle")
            grown, kernel = processes.memory(server.workers).pss - before, kernel_bytes() - kernel
            busy = _cpu_a_second(server, seconds)
            crew.check()
            ended = crew.gauge(streams.ENDED)
            crew.tell("close")
            crew.gather(OPEN_SECONDS)
    left = count - ended
    # Both ends of each connection are here.
    return max(0.0, grown / left), max(0.0, kernel / left / 2), max(0.0, (busy - alone) * 1e6 / left)


def _cpu_a_second(server: Ssechat, seconds: float) -> float:
    began, before = time.monotonic(), processes.cpu_seconds(server.workers)
    time.sleep(seconds)
    return (processes.cpu_seconds(server.workers) - before) / (time.monotonic() - began)


def _redis_bytes(data: Path) -> int:
    with redis.Redis(unix_socket_path=str(data / "redis" / "redis.sock")) as client:
        return int(client.info("memory")["used_memory"])


def _inbox_bytes(data: Path, user: str) -> float:
    """Redis's memory per entry of a user's inbox."""
    inbox = keys.of_user(user).inbox
    with redis.Redis(unix_socket_path=str(data / "redis" / "redis.sock")) as client:
        return float(client.memory_usage(inbox, samples=0) or 0) / max(1, int(client.xlen(inbox)))


def _messages(seconds: float, online: int, progress: Progress) -> tuple[float, float, float, float]:
    """µs of workers and of Redis per delivery at full speed; bytes of Redis per user, and per message of two people."""
    with Ssechat(WORKERS) as server:
        fresh = _redis_bytes(server.data)
        plans = [StreamPlan(server.address, server.dialect(), Checking.NOTHING)]
        with Crew(StreamHolder, plans) as crew:
            open_streams(crew, 1, online)
            users = _redis_bytes(server.data)
            crew.tell("close")
            crew.gather(OPEN_SECONDS)
        load = Load(online, 1, 1, 64, 1, 80, min(2.0, seconds / 4), seconds, 0.0, 0.001, 10)
        figures = measure_load(server, load, progress)
        grown = _redis_bytes(server.data) - users
    user_bytes = max(0.0, (users - fresh) / online)
    each = figures.microseconds_each
    return each.workers, each.redis, user_bytes, max(0.0, grown / max(1, figures.all_acknowledged))


def _on_the_line(seconds: float, progress: Progress, real: bool | None) -> tuple[float, scenes.Silence, float, float]:
    """Bytes of Redis per entry; what silence costs; bytes on the line per send and per event."""
    with Line(real=real) as line:
        line.set(Conditions(0))
        with STACKS["http1"].start(line, PEOPLE + 1) as spec:
            assert spec.data is not None
            progress.show("size: bytes on the line")
            limit = seconds + 60
            talk = line.run(limit, scenes.pairs, spec, 1, RATE, seconds)
            ticks = line.run(limit, scenes.ticks, spec, PEOPLE, RATE, seconds)
            entry = _inbox_bytes(spec.data, user_name(PEOPLE))
            progress.show("size: silence")
            silence = line.run(seconds * 5 + 120, scenes.silence, spec, LISTENERS, seconds * 5)
    # The first scene's messages go to two people, the other's to nine, the sender included.
    more = PEOPLE + 1 - 2
    one, other = talk.traffic.bytes / talk.sent, ticks.traffic.bytes / ticks.sent
    event = max(0.0, (other - one) / more)
    return entry, silence, max(0.0, one - 2 * event), event


def write_figures(path: Path, figures: Figures) -> None:
    """Writes the figures."""
    path.write_text(json.dumps(figures.model_dump(), indent=2) + "\n", encoding="utf-8")
