"""A send: the message takes its place in the conversation's log and in every member's inbox, in one script.

Redis runs a script whole or not at all, so a worker that dies leaves nothing half done. What a script could not
deliver (an inbox that lacks an older entry) is told to the caller, who repairs it.
"""

import time
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from ssechat.errors import Conflict
from ssechat.events import frames
from ssechat.ids import ConversationId, UserId, tags
from ssechat.logs.conversations import Entry, lags
from ssechat.logs.inbox import DELIVERED, limits
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

    conversation: ConversationId
    message: bytes
    place: bytes | None
    """Of one that was appended just now: its seq, its entry, and the entry before that."""
    lacking: Sequence[tuple[UserId, str]] = ()
    """Members whose inboxes could not take it yet, with the entry of the conversation that they have last."""
    undelivered: bool = False
    """Of a repeat: some member may not have it yet."""

    @property
    def entry(self) -> Entry | None:
        """The log's entry, of one that was appended just now."""
        if self.place is None:
            return None
        seq, entry, before = self.place.decode().split()
        return Entry(self.conversation, entry, before, frames.MESSAGE, seq, self.message)


class Sends:
    """Puts messages where they belong."""

    def __init__(self, redis: Redis, inbox_limit: int) -> None:
        script = limits(inbox_limit) + load_script(
            __name__, "optional.lua", "conversation.lua", "inbox.lua", "send.lua"
        )
        self._send = ScriptBatch(redis, script)
        self._metrics = redis.metrics
        self._tags = tags()

    async def send(self, draft: Draft, members: Sequence[UserId], *, to_all: bool = True) -> Sent:
        """Gives the message the next place in its conversation and delivers it, or finds the place it has.

        `members` are those to deliver to at once; `to_all` says that there are no others.

        Raises:
            Conflict: this sender used this client_msg_id here for another message.
            RedisUnavailable: the outcome is unknown.
        """
        beginning, rest = _message_json(draft)
        answer = await self._send.submit(
            (keys.conversation(draft.conversation), *map(keys.user, members)),
            (
                f"{draft.sender}:{draft.client_msg_id}",
                draft.digest,
                next(self._tags),
                int(time.time()) // WEEK,
                beginning,
                rest,
                len(members),
                int(to_all),
                # One of each log's own: an id must tell whose it is, too.
                *islice(self._tags, len(members)),
            ),
        )
        if type(answer) is bytes:
            return _placed(draft, answer, beginning, rest)
        if answer[0] == b"lacking":
            _, place, *outcomes = answer
            found = zip(members, outcomes, strict=True)
            lacking = [(member, last.decode()) for member, last in found if last != DELIVERED]
            return _placed(draft, place, beginning, rest, lacking)
        if answer[0] == b"repeat":
            return Sent(draft.conversation, answer[1], None, undelivered=lags(answer[2], answer[3]))
        self._metrics.conflicts += 1
        raise Conflict(
            "idempotency_conflict",
            "This client_msg_id was used for another message; use a new one for a new message.",
            status=422,  # draft-ietf-httpapi-idempotency-key-header §2.7
        )


def _placed(
    draft: Draft, place: bytes, beginning: bytes, rest: bytes, lacking: Sequence[tuple[UserId, str]] = ()
) -> Sent:
    """What the script made of it: the same JSON, from the same parts."""
    seq, entry, _ = place.split()
    message = b'%b%b,"version":%b%b' % (beginning, seq, entry.partition(b"-")[0], rest)
    return Sent(draft.conversation, message, place, lacking)


def _message_json(draft: Draft) -> tuple[bytes, bytes]:
    """The message's JSON up to its seq, and from behind its version: the log decides those two."""
    rest = frames.encode(
        {
            "sender": draft.sender,
            "text": draft.text,
            "client_msg_id": draft.client_msg_id,
            "created_at": draft.created_at,
        }
    )
    return b'{"conversation_id":"%b","seq":' % draft.conversation.encode(), b"," + rest[1:]
