"""The kinds of events that reach people's streams, in one registry.

A new kind is an entry here, a rule, an endpoint and tests: logs, inboxes, scripts, repair, metrics and the terminal
know kinds through the registry only. What a stream says of itself (`hello`, `ping`, `bye` …) is no kind: frames.py.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from ssechat.events import frames
from ssechat.events.models import (
    Block,
    Conversation,
    ConversationReset,
    DeliveredMessage,
    Mark,
    Member,
    Presence,
    ProfileChange,
    Receipt,
    Typing,
)

LARGEST_FACT = 512
"""Bytes of a fact's data: every inbox that has it keeps a copy. The ids of a direct conversation and of a user can take
388 of them, so the rule that makes a fact bounds what people write into it."""


class Replay(StrEnum):
    """The event that a replay sends for an event of this kind."""

    NEW_MESSAGE = "message"
    """The message as it stands now; appending the event gave the message its seq."""
    CHANGED_MESSAGE = "change"
    """The message as it stands now, unless a later change of the same message follows in the same reading."""
    FACT = "fact"
    """The data that it had: each inbox keeps it, so a trimmed log takes nothing away."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of events. No tuple: to look a field of one of those up takes five times as long."""

    name: str
    """The name of the SSE event."""
    model: type[BaseModel]
    """Its data."""
    replay: Replay | None
    """None: it is ephemeral: written to the streams that are live, without an id, and to nobody else."""
    entries: int = 1
    """Entries that one action of this kind makes in each inbox of its audience; 0 for an ephemeral one."""

    @property
    def durable(self) -> bool:
        """Whether it is kept in logs and inboxes, and has an id."""
        return self.replay is not None

    def encode(self, data: Mapping[str, Any]) -> bytes:
        """The data as JSON on one line.

        Raises:
            ValueError: it is not what the kind's model says, or a fact larger than LARGEST_FACT bytes.
        """
        encoded = frames.encode(self.model.model_validate(data).model_dump(mode="json", exclude_none=True))
        if self.replay is Replay.FACT and len(encoded) > LARGEST_FACT:
            raise ValueError(f"an event {self.name!r} may have {LARGEST_FACT} bytes of data; these are {len(encoded)}")
        return encoded


class Kinds:
    """The kinds that a server knows, by name."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        """
        Raises:
            ValueError: two kinds have one name, a name cannot be one, or an ephemeral kind makes entries.
        """
        self._kinds: dict[str, Kind] = {}
        for kind in kinds:
            if _NAME.match(kind.name) is None or kind.name in frames.OF_A_STREAM - {frames.RESET}:
                raise ValueError(f"{kind.name!r} cannot be the name of a kind of events")
            if kind.name in self._kinds:
                raise ValueError(f"there are two kinds of events {kind.name!r}")
            if kind.durable != (kind.entries > 0):
                raise ValueError(f"a kind of events is ephemeral or makes entries, and {kind.name!r} is not so")
            self._kinds[kind.name] = kind
        self.durable = frozenset(kind.name for kind in self if kind.durable)
        """The names of those that are kept in logs and inboxes."""
        self.ephemeral = frozenset(self._kinds) - self.durable
        """The names of the others."""

    def get(self, name: str) -> Kind | None:
        """The kind of this name; None for one that only a newer version knows."""
        return self._kinds.get(name)

    def check(self, kind: Kind, *, durable: bool) -> None:
        """
        Raises:
            LookupError: this kind is not registered, or not made for this.
        """
        if self._kinds.get(kind.name) is not kind:
            raise LookupError(f"{kind.name!r} is no registered kind of events")
        if (kind.name in self.durable) is not durable:
            raise LookupError(f"events {kind.name!r} are {'kept in logs' if kind.durable else 'ephemeral'}")

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())


_NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}\Z")

MESSAGE = Kind("message", DeliveredMessage, Replay.NEW_MESSAGE)
MESSAGE_UPDATED = Kind("message.updated", DeliveredMessage, Replay.CHANGED_MESSAGE)
MESSAGE_DELETED = Kind("message.deleted", DeliveredMessage, Replay.CHANGED_MESSAGE)
CONVERSATION = Kind("conversation", Conversation, Replay.FACT)
MEMBER = Kind("member", Member, Replay.FACT)
MARK = Kind("mark", Mark, Replay.FACT)
PROFILE = Kind("profile", ProfileChange, Replay.FACT)
BLOCK = Kind("block", Block, Replay.FACT)
RECEIPT = Kind("receipt", Receipt, replay=None, entries=0)
TYPING = Kind("typing", Typing, replay=None, entries=0)
PRESENCE = Kind("presence", Presence, replay=None, entries=0)
RESET = Kind("reset", ConversationReset, Replay.FACT)

KINDS = Kinds(
    (
        *(MESSAGE, MESSAGE_UPDATED, MESSAGE_DELETED, CONVERSATION, MEMBER, MARK, PROFILE, BLOCK, RESET),
        *(RECEIPT, TYPING, PRESENCE),
    )
)
"""All kinds of this version."""
