"""What it costs to mark messages as read, and to say that one is writing."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from . import streams
from .arrivals import Checking, Received, StreamPlan
from .asking import PAIR, Asker, AskPlan, ask
from .deliveries import Latency
from .generator import Crew
from .load import COLLECT_SECONDS
from .progress import Progress
from .saturation import Cpu, Parts, Shares, saturation
from .server import Ssechat
from .streams import StreamHolder, open_streams

SETTLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Act:
    """Something that each of some people does, once a round."""

    name: str
    method: str
    path: str
    bodies: Sequence[bytes]
    """One for each round."""
    event: str
    """The event that it makes."""
    first: int
    """0: the first of each two people does it; 1: the second."""


@dataclass(frozen=True, slots=True)
class ActFigures:
    """The figures of one act."""

    name: str
    requests: int
    seconds: float
    to_answer: Latency
    cpu: Cpu
    """From the first request until the last event had time to arrive, without what the streams cost when idle."""
    told: int
    """Events that the streams got."""
    due: int
    """Events that they must get."""
    shares: Shares
    saturation: str

    @property
    def microseconds_each(self) -> Cpu:
        """CPU microseconds of each part per request."""
        return self.cpu.each(self.requests)


@dataclass(frozen=True, slots=True)
class ActsFigures:
    """The figures of all acts."""

    people: int
    workers: int
    acts: list[ActFigures]
    complaints: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether each stream was told what it had to be told."""
        return all(act.told == act.due for act in self.acts)


def acts(rounds: int) -> list[Act]:
    """What is measured: sends, to compare with, then what was sent is marked as read, and typing."""
    read = [json.dumps({"up_to": number}).encode() for number in range(1, rounds + 1)]
    send = [
        b'{"conversation_id":"%b","text":"Hello","client_msg_id":"%d"}' % (PAIR.encode(), at) for at in range(rounds)
    ]
    conversation = f"/v1/conversations/{PAIR}"
    return [
        Act("send a message", "POST", "/v1/messages", send, "message", 0),
        Act("mark as read", "PUT", f"{conversation}/read", read, "mark", 1),
        Act("say that one writes", "POST", f"{conversation}/typing", [b"{}"] * rounds, "typing", 0),
    ]


def measure_acts(people: int, rounds: int, connections: int, workers: int, progress: Progress) -> ActsFigures:
    """Pairs of people, each with a stream, do each act, one after another.

    Raises:
        BenchError: the measurement failed.
    """
    with ExitStack() as stack:
        server = stack.enter_context(Ssechat(workers))
        dialect = server.dialect()
        plan = StreamPlan(server.address, dialect, Checking.EXACT)
        holders = stack.enter_context(Crew(StreamHolder, [plan]))
        asking = stack.enter_context(Crew(Asker, [AskPlan(server.address, dialect)]))
        ask(asking, range(people), "GET", "/v1/conversations?limit=1", connections=connections).check()
        open_streams(holders, 1, people, tick=lambda: progress.show(f"{holders.gauge(streams.OPENED):,} streams open"))
        parts = Parts.of(server, holders, asking)
        idle = parts.sample()
        progress.wait(SETTLE_SECONDS, lambda left: "the streams alone")
        idle_cpu, idle_seconds = parts.cpu(idle, (last := parts.sample())), last.since(idle)
        told: Counter[str] = Counter()
        figures = []
        for act in acts(rounds):
            users = range(act.first, people, 2)
            first, began = parts.sample(), 0
            took: list[int] = []
            for at, body in enumerate(act.bodies):
                progress.show(f"{act.name}: {at + 1} of {rounds}")
                answers = ask(asking, users, act.method, act.path, [body] * len(users), connections)
                answers.check()
                began, took = began or answers.began, took + answers.took
            ended = answers.ended
            progress.wait(SETTLE_SECONDS / 2, lambda left: "the last events arrive")
            last = parts.sample()
            holders.tell("collect")
            now = _told(received for some in holders.gather(COLLECT_SECONDS) for received in some)
            shares = parts.shares(first, last)
            figures.append(
                ActFigures(
                    name=act.name,
                    requests=len(took),
                    seconds=(ended - began) / 1e9,
                    to_answer=Latency.of(took),
                    cpu=parts.cpu(first, last) - idle_cpu * (last.since(first) / idle_seconds),
                    told=now[act.event] - told[act.event],
                    due=len(took) * (2 if act.event == "message" else 1),
                    shares=shares,
                    saturation=saturation(shares),
                )
            )
            told = now
        return ActsFigures(people, workers, figures, server.complaints)


def _told(streams: Iterable[Received]) -> Counter[str]:
    told: Counter[str] = Counter()
    for received in streams:
        told["message"] += len(received.messages)
        told.update(received.others)
    return told
