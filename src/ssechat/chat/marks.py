"""What a user has read, what is unread, and what is muted."""

from typing import NamedTuple

from ssechat.chat.participants import Participants
from ssechat.chat.receipts import ReceiptRules
from ssechat.ids import ConversationId, UserId, is_group
from ssechat.logs.inbox import Inbox
from ssechat.logs.marks import Marked
from ssechat.logs.members import Members

ASKED_AT_ONCE = 200
"""Groups of which it is asked in one round trip when the user joined."""


class Sums(NamedTuple):
    """What is unread in all of a user's conversations that are not muted."""

    unread: int
    mentions: int


class Marks:
    """Changes a user's marks, and sums up what is unread."""

    def __init__(self, participants: Participants, members: Members, inbox: Inbox, receipts: ReceiptRules) -> None:
        self._participants = participants
        self._members = members
        self._inbox = inbox
        self._receipts = receipts

    async def read(self, user: UserId, conversation: str, up_to: int) -> Marked:
        """Marks the messages up to this seq as read. A mark rises only, and up to the newest message. The
        others are told by a receipt.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_member`.
        """
        entered, joined = await self._enter(user, conversation)
        marked = await self._inbox.read_up_to(user, entered, up_to, joined)
        if marked.changed:
            self._receipts.changed(user, entered)
        return marked

    async def mute(self, user: UserId, conversation: str, *, muted: bool) -> Marked:
        """Mutes a conversation, or unmutes it; raises as `read` does."""
        entered, joined = await self._enter(user, conversation)
        return await self._inbox.mute(user, entered, joined, muted=muted)

    async def sums(self, user: UserId) -> Sums:
        """What is unread everywhere; in groups that the user has left nothing is."""
        places = [
            place for place in await self._inbox.places(user) if not place.mark.muted and place.mark.unread(place.seq)
        ]
        unread = mentions = 0
        for at in range(0, len(places), ASKED_AT_ONCE):
            some = places[at : at + ASKED_AT_ONCE]
            groups = [place.conversation for place in some if is_group(place.conversation)]
            joined = dict(zip(groups, await self._members.joined(user, groups), strict=True)) if groups else {}
            for place in some:
                since = joined.get(place.conversation, 0)
                if since is None:
                    continue
                mark = place.mark.since(since)
                unread += mark.unread(place.seq)
                mentions += len(mark.mentions)
        return Sums(unread, mentions)

    async def _enter(self, user: UserId, conversation: str) -> tuple[ConversationId, int]:
        """The conversation, and the newest message when the user joined it."""
        entered = await self._participants.enter(user, conversation)
        return entered.conversation, entered.joined
