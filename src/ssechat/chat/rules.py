"""The rules of chat: which user may send to and read which conversation. It knows neither HTTP nor Redis commands."""

from collections.abc import Sequence
from dataclasses import dataclass

from ssechat.errors import Forbidden, NotFound
from ssechat.identity.users import Users
from ssechat.ids import ConversationId, UserId, direct_conversation, direct_members, user_id
from ssechat.logs.actions import new_message
from ssechat.logs.conversations import Conversations, Summary
from ssechat.logs.delivery import Delivery
from ssechat.logs.inbox import Inbox


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a user's conversations, and the cursor of the next page."""

    conversations: Sequence[Summary]
    next: int | None


@dataclass(frozen=True, slots=True)
class History:
    """Messages of a conversation (JSON each), in order; `more` says whether there are further ones in the requested
    direction."""

    messages: Sequence[bytes]
    more: bool


class Chat:
    """Sends messages and reads conversations on behalf of a user."""

    def __init__(self, conversations: Conversations, inbox: Inbox, delivery: Delivery, users: Users) -> None:
        self._conversations = conversations
        self._inbox = inbox
        self._delivery = delivery
        self._users = users

    async def members(self, user: UserId, conversation: str) -> Sequence[UserId]:
        """The members of a conversation that this user is in.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_member`.
        """
        return (await self._enter(user, conversation))[1]

    async def _enter(self, user: UserId, conversation: str) -> tuple[ConversationId, Sequence[UserId]]:
        """As `members`, with the normalised id."""
        both = direct_members(conversation)
        if both is None:
            raise NotFound("unknown_conversation", f"There is no conversation {conversation!r}.")
        if user not in both:
            raise Forbidden("not_a_member", "You are not a member of this conversation.")
        other = both[0] if both[1] == user else both[1]
        if other != user and not await self._users.exists(other):
            raise NotFound("unknown_conversation", f"There is no user {other!r}.")
        return direct_conversation(*both), (user,) if other == user else both

    async def send_to(self, sender: UserId, other: str, text: str, client_msg_id: str) -> tuple[bytes, bool]:
        """Sends a direct message; returns as `send` does.

        Raises:
            NotFound: `unknown_user`.
        """
        recipient = UserId(other)
        if not self._users.is_cached(other):
            named = user_id(other)
            if named is None or not await self._users.exists(named):
                raise NotFound("unknown_user", f"There is no user {other!r}.")
            recipient = named
        members = (sender,) if recipient == sender else (sender, recipient)
        return await self._send(sender, direct_conversation(sender, recipient), members, text, client_msg_id)

    async def send(self, sender: UserId, conversation: str, text: str, client_msg_id: str) -> tuple[bytes, bool]:
        """Appends a message and delivers it to all members.

        Returns the message (JSON) and whether it is new; a retry returns the present state of the first message.

        Raises:
            NotFound, Forbidden: as `members` does.
            Conflict: `idempotency_conflict`.
        """
        entered, members = await self._enter(sender, conversation)
        return await self._send(sender, entered, members, text, client_msg_id)

    async def _send(
        self, sender: UserId, conversation: ConversationId, members: Sequence[UserId], text: str, client_msg_id: str
    ) -> tuple[bytes, bool]:
        return await self._delivery.send(new_message(conversation, sender, client_msg_id, text), members)

    async def list(self, user: UserId, before: int | None, limit: int) -> Listing:
        """The user's conversations, the one with the newest event first."""
        places = await self._inbox.places(user)
        if before is not None:
            places = [place for place in places if place.n < before]
        page = places[:limit]
        summaries = await self._conversations.summaries([place.conversation for place in page])
        for summary in summaries:
            if summary.undelivered:
                await self._delivery.finish(summary.id, await self.members(user, summary.id))
        shown = len(summaries)  # fewer than requested if they do not fit on a page
        return Listing(summaries, page[shown - 1].n if len(places) > shown else None)

    async def history(
        self, user: UserId, conversation_id: str, before: int | None, after: int | None, limit: int
    ) -> History:
        """Returns messages before or after a seq (exclusive), or the newest ones, as many as fit on a page.

        Raises:
            NotFound, Forbidden: as `members` does.
        """
        conversation, members = await self._enter(user, conversation_id)
        await self._delivery.finish(conversation, members)
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
