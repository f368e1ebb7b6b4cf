"""Marks: up to where a user has read a conversation, and whether it is muted.

A mark stands in the user's place in the conversation (inbox.lua), so whatever is counted follows from one value: what
is unread is what was sent since the mark.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ssechat.ids import ConversationId


class Mark(NamedTuple):
    """A user's mark in a conversation."""

    read_up_to: int
    """The seq of the newest message that the user has read or sent; 0: none."""
    muted: bool
    mentions: Sequence[int]
    """The seqs of messages above the mark that mention the user, ascending: the newest 100."""
    delivered: int = 0
    """The seq of the newest message that a device of the user has, if it is above the mark."""

    @classmethod
    def parse(cls, values: Sequence[str]) -> "Mark":
        """The end of a place, as logs/inbox.lua writes it."""
        read, muted, mentions, *delivered = values
        return cls(int(read), muted == "1", sorted(map(int, mentions.split(",")[1:])), *map(int, delivered))

    def since(self, joined: int) -> "Mark":
        """The mark of who joined when `joined` was the newest message: older ones are not new to him."""
        if joined <= self.read_up_to:
            return self
        return Mark(joined, self.muted, [seq for seq in self.mentions if seq > joined], self.delivered)

    def unread(self, newest: int) -> int:
        """How many messages are unread, up to the newest one."""
        return max(0, newest - self.read_up_to)

    def counts(self, newest: int) -> dict[str, Any]:
        """What the user is told of the mark, and of what is left up to the newest message."""
        return {
            "read_up_to": self.read_up_to,
            "unread": self.unread(newest),
            "mentions": self.mentions,
            "muted": self.muted,
        }


class Marked(NamedTuple):
    """A mark in a conversation, and what was newest then."""

    conversation: ConversationId
    mark: Mark
    newest: int
    """The seq of the newest message."""
    changed: bool
    """Whether it was another one before."""


NO_MARK = Mark(0, False, ())
