"""A user's inbox, as all devices of the user saw it together. Pure functions, as in the checker."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .history import CHANGES, FACTS, Device, Event, History
from .violation import Violation

CHANGE = "change"
"""The name of all entries that stand for a change of a message."""

WITHHELD = 10**12
"""In the place of the version of a message that the user may not read any more: newer than any."""


@dataclass(slots=True)
class Entry:
    """An entry of an inbox, or of the log of a group."""

    n: int
    """Its number in the inbox; of a log's entry, the position."""
    name: str
    """`message`, CHANGE, `member`, `conversation` or `reset`; empty for a change that no device got: of what message it
    was is not known."""
    conversation: str = ""
    seq: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    """A fact's data, or the message with the smallest version that a device got for it."""
    at: float = 0.0
    """When a device got it first."""
    id: str = ""

    @property
    def version(self) -> int:
        """The smallest version of the message that a device got: that of the change itself, or of a later one."""
        return int(self.data.get("version", WITHHELD if self.data.get("deleted") else 0))

    @property
    def exact(self) -> bool:
        """Of a log's entry: whether a device got the message as this very entry made it."""
        return self.version == self.n

    @property
    def key(self) -> str:
        """What tells it from others, but for another fact with the same data."""
        if self.name in FACTS:
            return f"{self.name} {json.dumps(self.data, sort_keys=True)}"
        return f"{self.name} {self.seq}"

    @property
    def skippable(self) -> bool:
        """Whether a replay may skip it: a later change of the message supersedes it."""
        return self.name in (CHANGE, "")


def entry_of(event: Event) -> Entry:
    """The entry that a durable event stands for."""
    name = CHANGE if event.name in CHANGES else event.name
    return Entry(
        event.n or 0, name, event.conversation, int(event.data.get("seq", 0)), event.data, event.at, event.id or ""
    )


def auditors(history: History) -> list[Device]:
    """The devices that saw what is left: all of them, or after a data loss those that read all of it from then on."""
    last = max((until for _, until in history.losses), default=float("-inf"))
    return [each for each in history.devices if not history.losses or (each.from_start and each.began > last)]


def entries_of(device: Device) -> Iterator[Event]:
    """The device's events that stand for entries of the inbox, those that were its conversations' resets included."""
    for event in device.events:
        if event.id is not None and (event.durable or (event.name == "reset" and "conversation_id" in event.data)):
            yield event


def joined(devices: Iterable[Device]) -> tuple[dict[int, Entry], list[Violation]]:
    """The inbox (by number) that devices of one user saw, and where they disagree."""
    inbox: dict[int, Entry] = {}
    found = []
    for device in devices:
        for event in entries_of(device):
            entry = entry_of(event)
            known = inbox.setdefault(entry.n, entry)
            if (known.conversation, known.key) != (entry.conversation, entry.key):
                text = f"{device.name} has {entry.key} under id {event.id}, another device {known.key}"
                found.append(Violation("disagree", text, device=device.name, conversation=entry.conversation))
                continue
            known.at = min(known.at, entry.at)
            if entry.version < known.version:
                known.data = entry.data
    return inbox, found
