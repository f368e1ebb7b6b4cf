"""Says in a conversation who is writing. Nothing of it is stored."""

from collections.abc import Callable, Sequence

from ssechat.chat.participants import Participants
from ssechat.chat.refusals import blocked, too_large_for
from ssechat.events.kinds import TYPING
from ssechat.ids import UserId
from ssechat.logs.blocks import Blocks
from ssechat.logs.inbox import Inbox
from ssechat.logs.members import Members

MAX_MEMBERS = 32
"""Members of a group in which it is said: each is told."""

EXPIRES_IN = 15
"""Seconds for which one who writes counts as writing."""


class TypingRules:
    """Tells the others in a conversation that a user is writing."""

    def __init__(
        self,
        participants: Participants,
        members: Members,
        inbox: Inbox,
        blocks: Blocks,
        charge: Callable[[Sequence[UserId], int], None],
    ) -> None:
        """`charge` counts what a user has reached (identity/leases.py)."""
        self._participants = participants
        self._members = members
        self._inbox = inbox
        self._blocks = blocks
        self._charge = charge

    async def start(self, user: UserId, conversation: str) -> None:
        """Tells the streams of the others, of all their devices; those who are away are never told, nor those with a
        block between them and the user.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_member`, `ended`, `too_many_members`; `blocked`: there are just the two.
        """
        entered = await self._participants.enter(user, conversation)
        entered.must_take_part()
        if entered.both is not None:
            everybody, across = entered.both, frozenset[UserId]()
            if by := await self._blocks.blockers(entered.conversation):
                raise blocked(entered.conversation, by, user)
        else:
            [(count, everybody)] = await self._members.samples((entered.conversation,), MAX_MEMBERS)
            if count > MAX_MEMBERS:
                raise too_large_for("it is not said who is writing", MAX_MEMBERS)
            across = await self._blocks.between(user, everybody)
        data = {"conversation_id": entered.conversation, "user": user, "expires_in": EXPIRES_IN}
        told = [one for one in everybody if one != user and one not in across]
        self._charge((user,), len(told))
        await self._inbox.publish(told, TYPING, data)
