"""The profile that a user has."""

from collections.abc import Mapping, Sequence

from ssechat.identity.profiles import Profile, Profiles
from ssechat.ids import UserId
from ssechat.logs.account_log import AccountLog
from ssechat.logs.blocks import Blocks


class ProfileRules:
    """Shows profiles, and changes one's own."""

    def __init__(self, profiles: Profiles, accounts: AccountLog, blocks: Blocks) -> None:
        self._profiles = profiles
        self._accounts = accounts
        self._blocks = blocks
        self.of = profiles.of
        self.of_each = profiles.of_each

    async def findable(self, user: UserId, found: Sequence[UserId]) -> list[UserId]:
        """Those of these users whom a search shows to this one: no block is between them."""
        across = await self._blocks.between(user, found)
        return [one for one in found if one not in across]

    async def change(self, user: UserId, fields: Mapping[str, str]) -> Profile:
        """Sets fields of one's own (identity/profiles.py has their names), or takes those away whose value is empty.

        One's devices get a `profile` event, if that changes anything.
        """
        await self._accounts.change_profile(user, fields)
        return await self._profiles.of(user)
