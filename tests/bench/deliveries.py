"""Checks that every acknowledged message was delivered exactly once and in order to both members."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .arrivals import Arrival, Received, Tally
from .senders import TAKEN, Count, Send

MAX_EXAMPLES = 5


@dataclass(slots=True)
class Verdict:
    """Counts of wrong deliveries. Each message has one delivery on the stream of each of the two users."""

    lost: int = 0
    """Acknowledged messages that a stream lacks."""
    doubled: int = 0
    """Messages that a stream has more than once."""
    misordered: int = 0
    """Messages out of the order of the inbox or the conversation, or with another seq than acknowledged."""
    unexpected: int = 0
    """Refusals, sends without a response, and streams that were reset or ended."""
    examples: list[str] = field(default_factory=list)
    """Descriptions of some of these."""

    @property
    def good(self) -> bool:
        """Whether all deliveries are right."""
        return not (self.lost or self.doubled or self.misordered or self.unexpected)

    def add(self, other: "Verdict") -> None:
        """Adds what was found elsewhere."""
        self.lost += other.lost
        self.doubled += other.doubled
        self.misordered += other.misordered
        self.unexpected += other.unexpected
        self.examples = (self.examples + other.examples)[:MAX_EXAMPLES]

    def _note(self, text: str) -> None:
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(text)

    def lose(self, send: Send, user: str) -> None:
        self.lost += 1
        self._note(f"lost: message {send.number} ({send.conversation} seq {send.seq}) on {user}'s stream")

    def double(self, arrival: Arrival, user: str) -> None:
        self.doubled += 1
        self._note(f"doubled: message {arrival.number} on {user}'s stream")

    def misorder(self, arrival: Arrival, user: str, expected: str) -> None:
        self.misordered += 1
        self._note(
            f"misordered: message {arrival.number} on {user}'s stream has n {arrival.n} and "
            f"seq {arrival.seq} of {arrival.conversation}, expected {expected}"
        )

    def wonder(self, text: str) -> None:
        self.unexpected += 1
        self._note(f"unexpected: {text}")


def judge(sends: Iterable[Send], streams: Sequence[Received]) -> Verdict:
    """Compares acknowledgements with arrivals. Every user has one stream, and had no messages before."""
    verdict = Verdict()
    by_number = {send.number: send for send in sends}
    seen = {stream.user: _read(stream, by_number, verdict) for stream in streams}
    for send in by_number.values():
        if send.status not in TAKEN:
            verdict.wonder(f"message {send.number} was answered {send.status}: {send.answer[-200:]}")
            continue
        for user in (send.sender, send.recipient):
            if user in seen and send.number not in seen[user]:
                verdict.lose(send, user)
    return verdict


def _read(stream: Received, sends: dict[int, Send], verdict: Verdict) -> set[int]:
    """Checks the order of a stream; returns the numbers of its messages."""
    for name in stream.others:
        verdict.wonder(f"{name} on {stream.user}'s stream")
    numbers: set[int] = set()
    seqs: dict[str, int] = {}
    n = stream.head
    for arrival in stream.messages:
        send = sends.get(arrival.number)
        if arrival.number in numbers:
            verdict.double(arrival, stream.user)
            continue
        numbers.add(arrival.number)
        seq = seqs.get(arrival.conversation, 0) + 1
        place = (arrival.conversation, arrival.seq)
        if send is None or stream.user not in (send.sender, send.recipient):
            verdict.wonder(f"message {arrival.number} on {stream.user}'s stream, to whom nobody sent it")
        elif arrival.n != n + 1 or arrival.seq != seq:
            verdict.misorder(arrival, stream.user, f"n {n + 1} and seq {seq}")
        elif send.seq and place != (send.conversation, send.seq):
            verdict.misorder(arrival, stream.user, f"seq {send.seq} of {send.conversation}")
        n, seqs[arrival.conversation] = arrival.n, arrival.seq
    return numbers


def compare(sent: Iterable[Count], came: Iterable[Tally]) -> Verdict:
    """Compares counts: each stream's n must grow in steps of one, by the number of acknowledged messages."""
    verdict = Verdict()
    by_user: dict[int, int] = {}
    for count in sent:
        for user, number in enumerate(count.expected):
            by_user[user] = by_user.get(user, 0) + number
        verdict.unexpected += count.unanswered
        for refusal in count.refusals:
            verdict.wonder(refusal[-200:])
    users = iter(sorted(by_user))
    for tally in came:
        verdict.doubled += tally.doubled
        verdict.misordered += tally.jumps
        for other in tally.others:
            verdict.wonder(other[:200])
        for came_here, user in zip(tally.came, users, strict=False):
            verdict.lost += max(0, by_user[user] - came_here)
            verdict.doubled += max(0, came_here - by_user[user])
    return verdict


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of sorted values; 0 if there are none."""
    if not values:
        return 0.0
    return values[min(len(values) - 1, int(len(values) * percent / 100))]


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of durations, in milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, nanoseconds: Iterable[int]) -> "Latency":
        """Computes the percentiles."""
        values = sorted(duration / 1e6 for duration in nanoseconds)
        return cls(*(percentile(values, percent) for percent in (50, 95, 99)))


@dataclass(frozen=True, slots=True)
class Series:
    """The latency in one second of a measurement."""

    second: int
    messages: int
    latency: Latency


def series(arrivals: Iterable[tuple[int, int]], since: int) -> list[Series]:
    """The latency of messages per second, from their times of sending and durations in nanoseconds."""
    seconds: dict[int, list[int]] = {}
    for at, took in arrivals:
        seconds.setdefault((at - since) // 1_000_000_000, []).append(took)
    return [Series(second, len(each), Latency.of(each)) for second, each in sorted(seconds.items())]
