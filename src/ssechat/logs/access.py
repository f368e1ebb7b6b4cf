"""What somebody may read of a conversation: one function for every way of reading."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from ssechat.events import frames
from ssechat.ids import ConversationId


class Reading(Enum):
    """How somebody sees a message."""

    AS_IT_STANDS = 1
    AS_TOMBSTONE = 2
    """It was changed after the reader had left: what it was then is no longer stored."""
    NOT_AT_ALL = 3


class Stint(NamedTuple):
    """A time in a group: the messages after `since`, and if it is over, up to `seq`, as they stood at entry `pos`."""

    since: int
    seq: int | None = None
    pos: int | None = None


class Access(NamedTuple):
    """What one may read of a conversation."""

    stints: Sequence[Stint]

    @property
    def newest_seq(self) -> int | None:
        """The newest message that may be read; None: whatever is the newest one."""
        last = [stint.seq for stint in self.stints if stint.seq is not None]
        return max(last) if len(last) == len(self.stints) else None

    def covers(self, seq: int) -> bool:
        """Whether a message with this seq may be seen at all, be it as a tombstone."""
        return any(stint.since < seq and (stint.seq is None or seq <= stint.seq) for stint in self.stints)

    def reading(self, seq: int, version: int) -> Reading:
        """How a message is seen whose last change is the log's entry number `version`."""
        found = Reading.NOT_AT_ALL
        for since, last, pos in self.stints:
            if since < seq and (last is None or seq <= last):
                if pos is None or version <= pos:
                    return Reading.AS_IT_STANDS
                found = Reading.AS_TOMBSTONE
        return found

    def seen(self, conversation: ConversationId, seq: int, message: bytes) -> bytes | None:
        """The message (JSON) as it is seen; None if it may not be seen at all."""
        reading = self.reading(seq, version_of(message))
        if reading is Reading.AS_IT_STANDS:
            return message
        return tombstone(conversation, seq) if reading is Reading.AS_TOMBSTONE else None


EVERYTHING = Access((Stint(0),))
"""Of a direct conversation, for both."""


def tombstone(conversation: ConversationId, seq: int) -> bytes:
    """The data of a message that is no longer stored, or that its reader may not read (any more)."""
    return frames.encode({"conversation_id": conversation, "seq": seq, "deleted": True})


def version_of(message: bytes) -> int:
    """The version of a message (JSON), which stands before everything that people write."""
    return int(message.partition(b'"version":')[2].partition(b",")[0].rstrip(b"}") or 0)
