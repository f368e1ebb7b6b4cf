"""Other people, who write to each other at a low rate: what do they notice of something that is measured meanwhile?"""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from .arrivals import Checking, StreamPlan, Tally
from .deliveries import Latency, Verdict, compare
from .generator import Crew
from .load import COLLECT_SECONDS, CONNECT_SECONDS, wait_until_quiet
from .progress import Progress
from .saturation import Sample
from .senders import Count, Sender, SendPlan
from .server import Subject
from .streams import StreamHolder, open_streams

CONNECTIONS = 16
"""Upper bound of the connections that they send over."""


@dataclass(frozen=True, slots=True)
class OthersFigures:
    """Their latencies in two times."""

    answer_alone: Latency
    """From POST to answer."""
    answer_during: Latency
    stream_alone: Latency
    """From POST to stream: of sender and recipient, each with one stream."""
    stream_during: Latency


class Others:
    """A process with their streams, and one that sends. As a context manager both are ended at the end."""

    def __init__(self, server: Subject, users: int, rate: float, first: int) -> None:
        """`users` people, from number `first` on (an even one), send `rate` messages a second in all."""
        dialect = server.dialect()
        dialect = dialect if dialect.ours else server.dialect(2)
        self._name = server.name
        self._users, self._first = users, first
        self._stack = ExitStack()
        plan = SendPlan(
            server.address, dialect, users, process=0, processes=1, connections=min(CONNECTIONS, users),
            depth=4, text_bytes=80, rate=rate, rest=0.0005, keep=False, first=first,
        )  # fmt: skip
        stream_plan = StreamPlan(server.address, dialect, Checking.COUNTING)
        self._streams = self._stack.enter_context(Crew(StreamHolder, [stream_plan]))
        try:
            self._sending = self._stack.enter_context(Crew(Sender, [plan]))
        except BaseException:
            self._stack.close()
            raise
        self._tally: Tally | None = None
        self._count: Count | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def crews(self) -> tuple[Crew, Crew]:
        """The client processes."""
        return self._streams, self._sending

    def open(self) -> None:
        """Opens their streams, and connects those who send: not earlier than needed, a server closes idle ones."""
        open_streams(self._streams, 1, self._users, first=self._first)
        self._sending.tell("connect")
        self._sending.gather(CONNECT_SECONDS)

    def start(self) -> None:
        """They begin to send."""
        self._sending.tell("start")

    def finish(self, progress: Progress) -> Verdict:
        """They stop; returns whether all that they sent has arrived.

        Raises:
            BenchError: a client process failed.
        """
        self._sending.tell("stop")
        wait_until_quiet(self._name, self._streams, self._sending, progress)
        for crew in self.crews:
            crew.tell("collect")
        [self._tally] = self._streams.gather(COLLECT_SECONDS)
        [self._count] = self._sending.gather(COLLECT_SECONDS)
        assert self._count is not None
        assert self._tally is not None
        return compare([self._count], [self._tally])

    def figures(self, alone: tuple[Sample, Sample], during: tuple[Sample, Sample]) -> OthersFigures:
        """The latencies of what was sent while they were alone, and while something else was going on."""
        assert self._count is not None
        assert self._tally is not None
        answers = self._count.pairs
        arrivals = [(at - took, took) for at, took in self._tally.pairs]

        def within(pairs: list[tuple[int, int]], time: tuple[Sample, Sample]) -> Latency:
            return Latency.of(took for at, took in pairs if time[0].at <= at < time[1].at)

        return OthersFigures(
            within(answers, alone), within(answers, during), within(arrivals, alone), within(arrivals, during)
        )
