"""Actions on a conversation's log: a new message, a change of a message, or a fact."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic_core import to_json

from ssechat.events import frames
from ssechat.events.kinds import MESSAGE, Kind, Replay
from ssechat.ids import ConversationId, UserId
from ssechat.logs.membership import Precondition
from ssechat.texts.timestamps import timestamp

BEFORE_ID, BEFORE_SEQ, BEFORE_VERSION = b'{"conversation_id":"', b'","seq":', b',"version":'
"""The beginning of a message's JSON, around the values that the log knows."""


@dataclass(slots=True)
class Action:
    """Something that is done in a conversation, before it has its place in the log."""

    kind: Kind
    conversation: ConversationId
    at: int
    """Milliseconds since 1970."""
    rest: bytes
    """The part of a message's JSON after the version; the log decides seq and version. Or the data of a fact."""
    seq: int = 0
    """The seq of the changed message."""
    made_from: bytes = b""
    """The message (JSON) that the change was made from."""
    sent_as: str = ""
    """`<sender>:<client_msg_id>`, if a repeat is to be known by it."""
    digest: bytes = b""
    """16 bytes: by these a repeat is told from another request of the same `sent_as` in the same conversation."""
    precondition: Precondition | None = None
    """Of an action in a group."""
    named: Sequence[str] = ()
    """Whom the message mentions."""
    reactions: Sequence[tuple[str, str]] = ()
    """Of a change of a message: `add`, `remove` and `<seq>:<emoji>:<user>`; or `clear`, `<seq>:`."""
    across_blocks: bool = False
    """Of a change of a message: it is made although one of the two blocks the other, as it only takes away."""

    def message(self, seq: bytes, version: bytes) -> bytes:
        """The message's JSON, as the script that appends it puts it together."""
        conversation = self.conversation.encode()
        return b"".join((BEFORE_ID, conversation, BEFORE_SEQ, seq, BEFORE_VERSION, version, self.rest))


def new_message(
    conversation: ConversationId,
    sender: UserId,
    client_msg_id: str,
    text: str,
    at: int | None = None,
    *,
    more: Mapping[str, Any] = MappingProxyType({}),
    precondition: Precondition | None = None,
) -> Action:
    """A message that somebody sends. `at`: milliseconds since 1970; now, if it is not given.

    `more`: its further fields; they belong to what a repeat must have the same.
    """
    if at is None:
        at = now()
    fields: dict[str, Any] = {
        "sender": sender, "text": text, "client_msg_id": client_msg_id, "created_at": timestamp(at),
    }  # fmt: skip
    request = text.encode()
    if more:
        fields.update(more)
        request += b"\0" + to_json(more)
    return Action(
        MESSAGE,
        conversation,
        at,
        b"," + frames.encode(fields)[1:],
        sent_as=f"{sender}:{client_msg_id}",
        digest=hashlib.blake2b(request, digest_size=16).digest(),
        precondition=precondition,
        named=more.get("mentions", ()),
    )


def changed_message(
    kind: Kind,
    made_from: bytes,
    message: Mapping[str, Any],
    at: int | None = None,
    *,
    reactions: Sequence[tuple[str, str]] = (),
    precondition: Precondition | None = None,
    across_blocks: bool = False,
) -> Action:
    """A message as it shall stand from now on, made from the one that stands now (`made_from`, its JSON).

    `reactions` and `across_blocks` are as in `Action`.

    Raises:
        LookupError: the kind is none of changes.
    """
    _check(kind, Replay.CHANGED_MESSAGE)
    fields = {name: value for name, value in message.items() if name not in ("conversation_id", "seq", "version")}
    conversation = ConversationId(message["conversation_id"])
    at = now() if at is None else at
    rest = b"," + frames.encode(fields)[1:] if fields else b"}"
    return Action(
        kind,
        conversation,
        at,
        rest,
        seq=message["seq"],
        made_from=made_from,
        reactions=reactions,
        precondition=precondition,
        named=message.get("mentions", ()),
        across_blocks=across_blocks,
    )


def fact(
    kind: Kind,
    conversation: ConversationId,
    data: Mapping[str, Any],
    at: int | None = None,
    *,
    precondition: Precondition | None = None,
) -> Action:
    """Something that happened in a conversation, told by `data`.

    Raises:
        LookupError: the kind is none of facts.
        ValueError: as Kind.encode does.
    """
    _check(kind, Replay.FACT)
    at = now() if at is None else at
    return Action(kind, conversation, at, kind.encode(data), precondition=precondition)


def now() -> int:
    """Milliseconds since 1970, by this machine's clock."""
    return time.time_ns() // 1_000_000


def _check(kind: Kind, replay: Replay) -> None:
    if kind.replay is not replay:
        raise LookupError(f"an event {kind.name!r} is no {replay}")
