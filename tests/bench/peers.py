"""Servers of other kinds, measured in the same run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from . import nchan, pushpin
from .errors import BenchError
from .programs import missing
from .server import Subject, Textbook

Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server: how to start it, and its requirements."""

    subject: type[Textbook] | type[nchan.Nchan] | type[pushpin.Pushpin]
    programs: Sequence[str] = ()
    install: str = ""
    """The command that installs it."""


PEERS: Mapping[str, Kind] = {
    "nchan": Kind(nchan.Nchan, nchan.PROGRAMS, nchan.INSTALL),
    "nchan inboxes": Kind(nchan.NchanInboxes, nchan.PROGRAMS, nchan.INSTALL),
    "pushpin": Kind(pushpin.Pushpin, pushpin.PROGRAMS, pushpin.INSTALL),
    "sse-starlette": Kind(Textbook),
    "websocket": Kind(Textbook),
}

IDLE = ("nchan", "pushpin", "sse-starlette", "websocket")
"""The peers whose idle streams are measured."""

DURABLE = ("nchan",)
"""The peers that store messages on disk."""

CHATS = ("nchan inboxes", "nchan")
"""The peers with their layouts for direct messages."""


def measure_peer(
    name: str, workers: int, measure: Callable[[Subject], Figures], absent: list[str]
) -> list[Figures]:  # fmt: skip
    """Starts the peer of this name and measures it; `workers` applies if it is configurable.

    A peer that fails costs its own figures only: there are none then, and a note in `absent`.
    """
    try:
        with PEERS[name].subject(name, workers) as peer:
            return [measure(peer)]
    except (BenchError, OSError) as error:
        absent.append(f"{name}: could not be measured: {error}")
        return []


def present(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the peers that are installed, and a note on each that is not."""
    able, sentences = [], []
    for name in names:
        absent = missing(PEERS[name].programs)
        if issubclass(PEERS[name].subject, nchan.Nchan) and not absent and not nchan.MODULE.exists():
            absent = [str(nchan.MODULE)]
        if absent:
            sentences.append(f"{name}: not installed ({', '.join(absent)} missing): {PEERS[name].install}")
        else:
            able.append(name)
    return able, sentences
