"""A send: the message takes its place in the conversation's log and in every member's inbox, in one script.

Redis runs a script whole or not at all, so a worker that dies leaves nothing half done. What a script could not
deliver (an inbox that lacks an older entry) is told to the caller, who repairs it.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from pydantic_core import to_json

from ssechat import frames
from ssechat.conversations import Entry, lags
from ssechat.errors import Conflict
from ssechat.ids import ConversationId, Tags, UserId
from ssechat.inbox import DELIVERED, limits
from ssechat.redis import keys
from ssechat.redis.batching import ScriptBatch, load_script
from ssechat.redis.link import Redis

WEEK = 7 * 24 * 3600


class Draft(NamedTuple):
    """A message before it has its place in the conversation."""

    conversation: ConversationId
    sender: UserId
    client_msg_id: str
    text: str
    digest: bytes
    created_at: str


class Sent(NamedTuple):
    """A message as it stands now."""

    message: bytes
    entry: Entry | None
    """Set when it was appended just now."""
    lacking: Sequence[tuple[UserId, str]] = ()
    """Members whose inboxes could not take it yet, with the entry of the conversation that they have last."""
    undelivered: bool = False
    """Of a repeat: some member may not have it yet."""


class Sends:
    """Puts messages where they belong."""

    def __init__(self, redis: Redis, inbox_limit: int) -> None:
        script = limits(inbox_limit) + load_script("conversation.lua", "inbox.lua", "send.lua")
        self._send = ScriptBatch(redis, script)
        self._tags = Tags()

    async def send(self, draft: Draft, members: Sequence[UserId], *, to_all: bool = True) -> Sent:
        """Gives the message the next place in its conversation and delivers it, or finds the place it has.

        `members` are those to deliver to at once; `to_all` says that there are no others.

        Raises:
            Conflict: this sender used this client_msg_id here for another message.
            RedisUnavailable: the outcome is unknown.
        """
        beginning, rest = _message_json(draft)
        tag = self._tags.next
        answer = await self._send.submit(
            (keys.conversation(draft.conversation), *map(keys.user, members)),
            (
                f"{draft.sender}:{draft.client_msg_id}",
                draft.digest,
                tag(),
                int(time.time()) // WEEK,
                beginning,
                rest,
                len(members),
                int(to_all),
                # One of each log's own: an id must tell whose it is, too.
                *(tag() for _ in members),
            ),
        )
        if type(answer) is bytes:
            return _placed(draft, answer, beginning, rest, ())
        if answer[0] == b"lacking":
            _, place, *outcomes = answer
            found = zip(members, outcomes, strict=True)
            lacking = [(member, last.decode()) for member, last in found if last != DELIVERED]
            return _placed(draft, place, beginning, rest, lacking)
        if answer[0] == b"repeat":
            return Sent(answer[1], None, undelivered=lags(answer[2], answer[3]))
        raise Conflict(
            "idempotency_conflict",
            "This client_msg_id was used for another message; use a new one for a new message.",
        )


def _placed(draft: Draft, place: bytes, beginning: bytes, rest: bytes, lacking: Sequence[tuple[UserId, str]]) -> Sent:
    """What the script made of it: the same JSON, from the same parts."""
    seq, entry, before = place.split()
    message = b'%b%b,"version":%b%b' % (beginning, seq, entry.partition(b"-")[0], rest)
    placed = Entry(draft.conversation, entry.decode(), before.decode(), frames.MESSAGE, seq.decode(), message)
    return Sent(message, placed, lacking)


def _message_json(draft: Draft) -> tuple[bytes, bytes]:
    """The message's JSON up to its seq, and from behind its version: the log decides those two."""
    rest = to_json(
        {
            "sender": draft.sender,
            "text": draft.text,
            "client_msg_id": draft.client_msg_id,
            "created_at": draft.created_at,
        }
    )
    return b'{"conversation_id":"%b","seq":' % draft.conversation.encode(), b"," + rest[1:]
