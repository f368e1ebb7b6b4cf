"""Who may know whether somebody is there, and who is."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ssechat.chat.participants import Participants, group_of
from ssechat.errors import RequestError
from ssechat.identity.profiles import VISIBLE
from ssechat.identity.sightings import Sightings
from ssechat.identity.watch_lists import Watched, WatchList, WatchLists
from ssechat.ids import ConversationId, UserId, direct_conversation
from ssechat.logs.account_log import AccountLog
from ssechat.logs.blocks import Blocks
from ssechat.logs.conversations import Conversations
from ssechat.logs.members import Members
from ssechat.redis import keys


class Seen(NamedTuple):
    """Whether somebody is there, as somebody else may know it."""

    user: UserId
    online: bool
    last_seen: int | None
    """Milliseconds since 1970; None if it is online, if it is not known, or if the other one may not know."""


class PresenceRules:
    """Who watches whom.

    Of somebody one may know who shares a direct conversation in which something was written, or a group that one names;
    and nobody across a block. Who may not know sees somebody who is offline and was never seen, as does whoever asks
    for a user who does not exist.
    """

    def __init__(
        self,
        participants: Participants,
        conversations: Conversations,
        members: Members,
        blocks: Blocks,
        sightings: Sightings,
        lists: WatchLists,
        accounts: AccountLog,
        charge: Callable[[Sequence[UserId], int], None],
        known: Callable[[UserId], bool | None],
    ) -> None:
        """`charge` counts what a user has asked for (identity/leases.py). `known`: whether somebody is online, as users
        with streams on this worker were told; None: they were not."""
        self._participants = participants
        self._conversations = conversations
        self._members = members
        self._blocks = blocks
        self._sightings = sightings
        self._lists = lists
        self._accounts = accounts
        self._charge = charge
        self._known = known

    async def watch(self, user: UserId, device: str, names: Sequence[UserId], group: str | None) -> None:
        """Replaces the list of those whom a device of the user watches.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_group`, `not_a_member`, `ended`.
        """
        shared = None if group is None else await self._enter(user, group)
        await self._lists.put(user, device, WatchList(names, shared))
        self._charge((user,), len(names))  # each costs as much as a delivery: its rights, and whether it is there

    async def now(self, user: UserId, names: Sequence[UserId], group: str | None = None) -> list[Seen]:
        """Whether these are there, as the user may know it; raises as `watch` does."""
        shared = None if group is None else await self._enter(user, group)
        allowed = await self._allowed(user, names, shared)
        asked = [name for name in names if name in allowed]
        there = await self._sightings.connected([keys.live(name).encode() for name in asked])
        sights = await self._sightings.look(asked)
        found = {}
        for name, is_there, sight in zip(asked, there, sights, strict=True):
            # Who is missing for a moment is offline to nobody (streams/presence.py).
            online = bool(self._known(name)) or (is_there and sight.visible)
            found[name] = Seen(name, online, None if online else sight.last_seen)
        return [found.get(name) or Seen(name, False, None) for name in names]

    async def watched(self, users: Sequence[UserId]) -> list[Watched]:
        """Whom all devices of each of these users watch, and of whom they may know."""
        found = []
        for user, lists in zip(users, await self._lists.of(users), strict=True):
            seen: set[UserId] = set()
            for one in lists:
                seen |= await self._allowed(user, one.users, await self._still(user, one.group))
            found.append(Watched(frozenset(name for one in lists for name in one.users), frozenset(seen)))
        return found

    async def set_visible(self, user: UserId, *, visible: bool) -> None:
        """Makes the user visible, or invisible: then it was seen last just now, if it is there.

        The user's other devices get a `profile` event, if that changes anything.
        """
        [there] = await self._sightings.connected([keys.live(user).encode()])
        if there and not visible:
            await self._sightings.note({user: time.time_ns() // 1_000_000})
        await self._accounts.change_profile(user, {VISIBLE: "" if visible else "0"})
        await self._sightings.announce(user)

    async def _enter(self, user: UserId, conversation: str) -> ConversationId:
        entered = await self._participants.enter(user, group_of(user, conversation))
        entered.must_take_part()
        return entered.conversation

    async def _still(self, user: UserId, group: ConversationId | None) -> ConversationId | None:
        """The group, if the user is in it still."""
        try:
            return None if group is None else await self._enter(user, group)
        except RequestError:
            return None

    async def _allowed(self, user: UserId, names: Sequence[UserId], group: ConversationId | None) -> frozenset[UserId]:
        """Those of these of whom the user may know. Three round trips at most."""
        found = {name for name in names if name == user}
        if group is not None:
            found |= await self._members.present(group, names)
        others = [name for name in names if name not in found]
        begun = await self._conversations.begun([direct_conversation(user, other) for other in others])
        found.update(other for other, has_begun in zip(others, begun, strict=True) if has_begun)
        return frozenset(found) - await self._blocks.between(user, found)
