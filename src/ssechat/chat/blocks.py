"""Whom a user blocks: no direct message goes across a block, either way, and who blocks cannot be added to a group by
the one who is blocked."""

from collections.abc import Awaitable, Callable, Sequence

from ssechat.chat.refusals import unknown_users, wrong_field
from ssechat.errors import Forbidden
from ssechat.identity.users import Users
from ssechat.ids import UserId, user_id
from ssechat.logs.blocks import BlockedNames, Blocks
from ssechat.turns import Turns

Changed = Callable[[Sequence[UserId]], Awaitable[None]]

MAX_BLOCKS = 10_000
"""People whom one user blocks."""


class BlockRules:
    """Blocks and unblocks on behalf of a user."""

    def __init__(self, blocks: Blocks, users: Users, changed: Changed) -> None:
        """`changed` is told between whom a block has come or gone."""
        self._blocks = blocks
        self._changed = changed
        self._users = users
        self._turns: Turns[UserId, None] = Turns(lambda: None)

    async def block(self, user: UserId, name: str) -> UserId:
        """Blocks somebody; returns who that is. That it is so already is no error.

        Raises:
            NotFound: `unknown_user`.
            BadRequest: it is the user itself.
            Forbidden: `too_many_blocks`.
        """
        other = user_id(name)
        if other is None or not await self._users.exists(other):
            raise unknown_users((name,))
        if other == user:
            raise wrong_field("user", "you cannot block yourself")
        # One after another, so that those who come together do not all find room. Other workers may each add one more.
        async with self._turns.of(user):
            if await self._blocks.count(user) >= MAX_BLOCKS and not await self._blocks.listed(user, (other,)):
                detail = f"You have blocked {MAX_BLOCKS:,} people, and more it cannot be: unblock one of them."
                raise Forbidden("too_many_blocks", detail)
            await self._blocks.block(user, other)
            await self._changed((user, other))
        return other

    async def unblock(self, user: UserId, name: str) -> None:
        """Takes a block back. That there is none is no error, nor that there is no such user (any more)."""
        other = user_id(name)
        if other is not None and other != user:
            async with self._turns.of(user):
                await self._blocks.unblock(user, other)
                await self._changed((user, other))

    async def page(self, user: UserId, after: str, limit: int) -> BlockedNames:
        """Those whom the user blocks and whose names follow `after`."""
        return await self._blocks.page(user, after, limit)
