"""Who takes part in a conversation, and what each may read of it."""

from collections.abc import Sequence
from typing import NamedTuple

from ssechat.chat.refusals import ended, not_a_member, unknown_conversation, unknown_message
from ssechat.errors import Forbidden, NotFound
from ssechat.identity.users import Users
from ssechat.ids import ConversationId, UserId, direct_conversation, direct_members, is_group
from ssechat.logs.access import EVERYTHING, Access
from ssechat.logs.conversations import Conversations
from ssechat.logs.members import Members, Standing


class Participation(NamedTuple):
    """A conversation, and somebody who may read of it: of a group everybody who is in it, or was."""

    conversation: ConversationId
    user: UserId
    both: Sequence[UserId] | None
    """The members of a direct conversation; None: it is a group."""
    standing: Standing | None
    """In a group."""

    @property
    def access(self) -> Access:
        """What the user may read."""
        if self.standing is None:
            return EVERYTHING
        access = self.standing.access
        if access is None:
            raise not_a_member()
        return access

    @property
    def joined(self) -> int:
        """The seq of the newest message when the user joined; in a direct conversation 0.

        Raises:
            Forbidden: `not_a_member` any more.
        """
        if self.standing is None:
            return 0
        if self.standing.member is None:
            raise not_a_member()
        return self.standing.member.seq

    @property
    def takes_part(self) -> bool:
        """Whether `must_take_part` refuses nothing."""
        return self.standing is None or (self.standing.member is not None and not self.standing.group.ended)

    def must_take_part(self) -> None:
        """Checks that the user is a member, and can do something here.

        Raises:
            Forbidden: `not_a_member` any more, or the group has `ended`.
        """
        if self.standing is not None:
            if self.standing.member is None:
                raise not_a_member()
            if self.standing.group.ended:
                raise ended()

    def must_change(self, seq: int) -> None:
        """Checks that the user may change messages with this seq, by whomever.

        Raises:
            Forbidden: as `must_take_part` does.
            NotFound: `unknown_message`: it is older than the user's time in a group that shows nothing older.
        """
        self.must_take_part()
        if self.standing is not None and self.standing.group.history == "from_join" and seq <= self.joined:
            raise unknown_message(seq)


class Participants:
    """Knows who takes part in a conversation."""

    def __init__(self, conversations: Conversations, members: Members, users: Users) -> None:
        self._conversations = conversations
        self._members = members
        self._users = users

    async def enter(self, user: UserId, conversation: str) -> Participation:
        """What the user is in the conversation.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_member`: the user is not in it, and never was.
        """
        if is_group(conversation):
            group = ConversationId(conversation)
            standing = await self._members.standing(user, group)
            if standing is None:
                raise unknown_conversation(conversation)
            if standing.access is None:
                raise not_a_member()
            return Participation(group, user, None, standing)
        direct, both = await self.enter_direct(user, conversation)
        return Participation(direct, user, both, None)

    async def of_group(self, users: Sequence[UserId], group: ConversationId) -> list[Participation]:
        """What each of these users is in a group, and be it nothing. One round trip.

        Raises:
            NotFound: `unknown_conversation`.
        """
        standings = await self._members.standings([(user, group) for user in users])
        found = [standing for standing in standings if standing is not None]
        if len(found) < len(users):
            raise unknown_conversation(group)
        return [Participation(group, user, None, standing) for user, standing in zip(users, found, strict=True)]

    async def take_part(self, asked: Sequence[tuple[UserId, ConversationId]]) -> list[bool]:
        """Whether each of these users is in its group, and the group has not ended. One round trip."""
        standings = await self._members.standings(asked)
        return [
            standing is not None and Participation(group, user, None, standing).takes_part
            for (user, group), standing in zip(asked, standings, strict=True)
        ]

    async def enter_direct(self, user: UserId, conversation: str) -> tuple[ConversationId, Sequence[UserId]]:
        """The id of a direct conversation, normalised, and its members; raises as `enter` does."""
        both = direct_members(conversation)
        if both is None:
            raise unknown_conversation(conversation)
        if user not in both:
            raise not_a_member()
        other = both[0] if both[1] == user else both[1]
        if other != user and not await self._users.exists(other):
            raise NotFound("unknown_conversation", f"There is no user {other!r}.")
        return direct_conversation(*both), (user,) if other == user else both

    async def again(self, before: Participation) -> Participation:
        """The participation after messages were read: who was removed meanwhile must not see what was written since.

        Raises:
            Forbidden, NotFound: as `enter` does.
        """
        return before if before.standing is None else await self.enter(before.user, before.conversation)

    async def newest_seq(self, entered: Participation) -> int:
        """The seq of the conversation's newest message as of now, or as of `entered`."""
        if entered.standing is not None:
            return entered.standing.group.seq
        return await self._conversations.newest_seq(entered.conversation)

    async def message(self, entered: Participation, seq: int) -> bytes:
        """The message (JSON) with this seq, as the user sees it.

        Raises:
            NotFound: `unknown_message`: there is none, or the user may not read it.
        """
        stored = await self.stored(entered, seq)
        seen = (await self.again(entered)).access.seen(entered.conversation, seq, stored)
        if seen is None:
            raise unknown_message(seq)
        return seen

    async def stored(self, entered: Participation, seq: int) -> bytes:
        """The message (JSON) with this seq, as it stands, whoever may read it; raises as `message` does."""
        # Above the newest seq there may be one that the log refused.
        if not 1 <= seq <= await self.newest_seq(entered):
            raise unknown_message(seq)
        [found] = await self._conversations.messages(entered.conversation, (seq,))
        if found is None:
            raise unknown_message(seq)
        return found


def group_of(user: UserId, conversation: str) -> ConversationId:
    """The id of a group in a path.

    Raises:
        NotFound: `unknown_conversation`: it is none.
        Forbidden: `not_a_group`: it is a direct conversation.
    """
    if is_group(conversation):
        return ConversationId(conversation)
    both = direct_members(conversation)
    if both is None:
        raise unknown_conversation(conversation)
    if user not in both:
        raise not_a_member()
    raise Forbidden("not_a_group", "This is a direct conversation: it has no name, and always the same two members.")
