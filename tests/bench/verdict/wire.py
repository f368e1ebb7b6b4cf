"""The shared numbers of a line: what it shall do, and what went over it."""

import ctypes
import multiprocessing
from dataclasses import dataclass
from typing import TypeAlias

Numbers: TypeAlias = "ctypes.Array[ctypes.c_longlong]"

DELAY, LOSS, CUT, BYTES, PACKETS, CONNECTIONS, DROPPED, OVERDUE, FORGET = range(9)


@dataclass(frozen=True, slots=True)
class Conditions:
    """A line's properties."""

    round_trip: float
    """Milliseconds, half of them each way."""
    loss: float = 0.0
    """The share of packets that are lost, in either direction."""

    @property
    def name(self) -> str:
        """How it is called in reports."""
        return f"{self.round_trip:g} ms" + (f", {self.loss:.0%} lost" if self.loss else "")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went over a line, in both directions."""

    bytes: int
    """With the headers of IP and TCP; over the delaying proxy only what TCP carried."""
    packets: int
    connections: int
    """Connections that clients opened."""

    def __sub__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            self.bytes - other.bytes, self.packets - other.packets, self.connections - other.connections
        )  # fmt: skip


class Wire:
    """The numbers, in memory that processes share. One process writes each of them."""

    def __init__(self) -> None:
        self.numbers: Numbers = multiprocessing.get_context("spawn").RawArray(ctypes.c_longlong, 9)

    def set(self, conditions: Conditions) -> None:
        """Sets the delay (nanoseconds each way) and the loss (in millionths) from now on."""
        self.numbers[DELAY] = int(conditions.round_trip * 1e6 / 2)
        self.numbers[LOSS] = int(conditions.loss * 1e6)

    def cut(self, cut: bool) -> None:
        """Cuts the line of the clients with the second address, or mends it."""
        self.numbers[CUT] = int(cut)

    @property
    def traffic(self) -> Traffic:
        """What has gone over it so far."""
        numbers = self.numbers
        return Traffic(numbers[BYTES], numbers[PACKETS], numbers[CONNECTIONS])

    def forget_overdue(self) -> None:
        """Begins anew with what `overdue` says."""
        self.numbers[FORGET] = 1

    @property
    def overdue(self) -> float:
        """The longest time in milliseconds that a packet was late: then the machine was too busy. 0 with the proxy."""
        return self.numbers[OVERDUE] / 1e6
