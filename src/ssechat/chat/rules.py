"""The rules of chat: who may say what to whom. No HTTP and no Redis commands."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from ssechat.errors import Forbidden, NotFound
from ssechat.identity.users import Users
from ssechat.ids import ConversationId, UserId, direct_conversation, direct_members, entry_number, user_id
from ssechat.logs.conversations import Conversations, Entry, Summary
from ssechat.logs.delivery import Draft, Sends
from ssechat.logs.inbox import Inbox

REPAIR_PAGE = 100
"""Log entries read at a time when somebody's inbox lacks some."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a user's conversations, and the cursor of the next page."""

    conversations: Sequence[Summary]
    next: int | None


@dataclass(frozen=True, slots=True)
class History:
    """Some messages of a conversation (JSON each), in order; `more` in the direction asked for."""

    messages: Sequence[bytes]
    more: bool


class Chat:
    """Sends messages and reads conversations on behalf of a user."""

    def __init__(self, conversations: Conversations, inbox: Inbox, sends: Sends, users: Users) -> None:
        self._conversations = conversations
        self._inbox = inbox
        self._sends = sends
        self._users = users

    async def members(self, user: UserId, conversation: str) -> Sequence[UserId]:
        """The members of a conversation that this user is in.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_member`.
        """
        return (await self._enter(user, conversation))[1]

    async def _enter(self, user: UserId, conversation: str) -> tuple[ConversationId, Sequence[UserId]]:
        """As `members`, with the id as it is spelled here."""
        both = direct_members(conversation)
        if both is None:
            raise NotFound("unknown_conversation", f"There is no conversation {conversation!r}.")
        if user not in both:
            raise Forbidden("not_a_member", "You are not a member of this conversation.")
        other = both[0] if both[1] == user else both[1]
        if other != user and not await self._users.exists(other):
            raise NotFound("unknown_conversation", f"There is no user {other!r} to have it with.")
        return direct_conversation(*both), (user,) if other == user else both

    async def send_to(self, sender: UserId, other: str, text: str, client_msg_id: str) -> tuple[bytes, bool]:
        """Sends a direct message; returns as `send` does.

        Raises:
            NotFound: `unknown_user`.
        """
        recipient = UserId(other)
        if not self._users.knows(other):
            named = user_id(other)
            if named is None or not await self._users.exists(named):
                raise NotFound("unknown_user", f"There is no user {other!r}.")
            recipient = named
        members = (sender,) if recipient == sender else (sender, recipient)
        return await self._send(sender, direct_conversation(sender, recipient), members, text, client_msg_id)

    async def send(self, sender: UserId, conversation: str, text: str, client_msg_id: str) -> tuple[bytes, bool]:
        """Appends the message and delivers it to every member.

        Returns the message (JSON) and whether it is new; a repeat gives the message as it stands.

        Raises:
            NotFound, Forbidden: as `members` does.
            Conflict: `idempotency_conflict`.
        """
        entered, members = await self._enter(sender, conversation)
        return await self._send(sender, entered, members, text, client_msg_id)

    async def _send(
        self, sender: UserId, conversation: ConversationId, members: Sequence[UserId], text: str, client_msg_id: str
    ) -> tuple[bytes, bool]:
        digest = hashlib.blake2b(f"{conversation}\n{text}".encode(), digest_size=16).digest()
        sent = await self._sends.send(Draft(conversation, sender, client_msg_id, text, digest, _now()), members)
        if sent.lacking and (entry := sent.entry) is not None:
            await self._repair_all(entry, sent.lacking)
        elif sent.undelivered:
            await self.finish(conversation, members)
        return sent.message, sent.place is not None

    async def finish(self, conversation: ConversationId, members: Sequence[UserId]) -> None:
        """Delivers what a worker that died had appended, but not delivered."""
        newest = await self._conversations.unfinished(conversation)
        if newest is None:
            return
        # By the gap rule, delivering the newest entry delivers all before it.
        for entry in await self._conversations.entries(conversation, newest, newest, 1):
            await self._deliver(entry, members)

    async def _deliver(self, entry: Entry, members: Sequence[UserId]) -> None:
        lasts = await self._inbox.deliver(members, entry)
        await self._repair_all(
            entry, [(member, last) for member, last in zip(members, lasts, strict=True) if last is not None]
        )

    async def _repair_all(self, entry: Entry, lacking: Sequence[tuple[UserId, str]]) -> None:
        for member, last in lacking:
            await self._repair(member, entry, last)
        self._conversations.mark_delivered(entry)

    async def _repair(self, member: UserId, entry: Entry, last: str) -> None:
        """Delivers what the member lacks between `last` and `entry`; says so when that is no longer kept."""
        conversation, missing = entry.conversation, last
        while (have := _number(missing)) < _number(entry.id):
            page = await self._conversations.entries(conversation, missing, entry.id, REPAIR_PAGE)
            if page and page[0].id == missing:
                page = page[1:]
            elif not page or page[0].before != missing:
                trimmed = bool(page) and _number(page[0].id) > have
                reason = "expired" if trimmed else "lost"
                await self._inbox.reset(member, conversation, missing, entry.id, reason)
                return
            for step in page:
                [refused] = await self._inbox.deliver([member], step)
                missing = refused or step.id
                if refused is not None:
                    break  # another worker is delivering too, and is further than we knew
        if missing != entry.id and not await self._conversations.has_entry(conversation, missing):
            await self._inbox.reset(member, conversation, missing, entry.id, "lost")

    async def list(self, user: UserId, before: int | None, limit: int) -> Listing:
        """The user's conversations, the one with the newest event first."""
        positions = await self._inbox.positions(user)
        if before is not None:
            positions = [position for position in positions if position.n < before]
        page = positions[:limit]
        summaries = await self._conversations.summaries([position.conversation for position in page])
        for summary in summaries:
            if summary.undelivered:
                await self.finish(summary.id, await self.members(user, summary.id))
        shown = len(summaries)  # fewer than asked for where they do not fit on a page
        return Listing(summaries, page[shown - 1].n if len(positions) > shown else None)

    async def history(
        self, user: UserId, conversation_id: str, before: int | None, after: int | None, limit: int
    ) -> History:
        """Messages before or after a seq (excluded), or the newest ones: those next to it that fit on a page.

        Raises:
            NotFound, Forbidden: as `members` does.
        """
        conversation, members = await self._enter(user, conversation_id)
        await self.finish(conversation, members)
        newest = await self._conversations.newest_seq(conversation)
        if after is not None:
            seqs = range(after + 1, min(after + limit, newest) + 1)
            more = after + limit < newest
        else:
            last = newest if before is None else min(before - 1, newest)
            seqs = range(last, max(0, last - limit), -1)
            more = last > limit
        found = await self._conversations.messages(conversation, seqs)
        kept = [message for message in found if message is not None]
        return History(kept if after is not None else kept[::-1], more or len(found) < len(seqs))


def _number(entry: str) -> int:
    return entry_number(entry) or 0


def _now() -> str:
    """RFC 3339, UTC, to the millisecond."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=2)
def _second(timestamp: int) -> str:
    """A second, once for all messages that are sent in it."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")
