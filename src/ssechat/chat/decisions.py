"""Changes of a group that are decided from its members: one after another, and anew if somebody else was quicker."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from ssechat.chat.refusals import busy, not_a_member, of_the_log, unknown_conversation
from ssechat.events.models import Role
from ssechat.ids import ConversationId, UserId
from ssechat.logs.actions import Action
from ssechat.logs.delivery import Delivery
from ssechat.logs.members import Members, Roster
from ssechat.logs.refused import MembersChanged, NotAppended
from ssechat.turns import Turns

Answer = TypeVar("Answer")

TRIES = 32
"""Decisions about one request; other workers can be quicker each time."""

MAX_WAITING = 4096
"""Requests that wait for their turn in one group."""


class Decision(NamedTuple, Generic[Answer]):
    """What comes of a request."""

    answer: Answer
    action: Action | None = None
    """What is done; None: everything is already as the request wants it."""
    by: Sequence[UserId] = ()
    """Who wants it, if not the user who asks alone: what it reaches is counted to these."""


class Decisions:
    """Makes decisions in groups, one at a time in each: so that a thousand who join do not make each other try anew."""

    def __init__(self, delivery: Delivery, members: Members) -> None:
        self._delivery = delivery
        self._members = members
        self._turns: Turns[ConversationId, None] = Turns(lambda: None)

    async def make(
        self, user: UserId, conversation: ConversationId, decide: Callable[[], Awaitable[Decision[Answer]]]
    ) -> Answer:
        """Decides and does it, until nobody was quicker. What is to be so already is delivered to all before this
        returns.

        Raises:
            Forbidden: `not_a_member`, or the group has `ended`.
            NotFound: `unknown_conversation`.
            TooMany: `busy`: others were quicker each time.
        """
        if self._turns.callers(conversation) >= MAX_WAITING:
            raise busy()
        async with self._turns.of(conversation):
            for _ in range(TRIES):
                answer, action, by = await decide()
                try:
                    if action is None:
                        await self._delivery.finish(conversation, None)
                    else:
                        await self._delivery.send(action, None, by=by or (user,))
                except MembersChanged:
                    continue
                except NotAppended as error:
                    raise of_the_log(error, conversation, user) or error from None
                return answer
        raise busy()

    async def of_member(
        self, user: UserId, conversation: ConversationId, rule: Callable[[Roster], Decision[Answer]]
    ) -> Answer:
        """As `from_roster`, for what only members do: nobody else takes a turn, for which they would wait."""
        standing = await self._members.standing(user, conversation)
        if standing is None:
            raise unknown_conversation(conversation)
        if standing.member is None:
            raise not_a_member()
        return await self.from_roster(user, conversation, rule)

    async def from_roster(
        self, user: UserId, conversation: ConversationId, rule: Callable[[Roster], Decision[Answer]]
    ) -> Answer:
        """As `make`; the rule decides from the group and its members."""

        async def decide() -> Decision[Answer]:
            roster = await self._members.roster(conversation)
            if roster is None:
                raise unknown_conversation(conversation)
            return rule(roster)

        return await self.make(user, conversation, decide)


def role_of(roster: Roster, user: UserId) -> Role:
    """The role of a member.

    Raises:
        Forbidden: `not_a_member`.
    """
    member = roster.members.get(user)
    if member is None:
        raise not_a_member()
    return member.role
