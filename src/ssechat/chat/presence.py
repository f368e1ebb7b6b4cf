"""Who may know whether somebody is there, and who is."""

import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

from ssechat.chat.participants import Participants, group_of
from ssechat.identity.profiles import VISIBLE
from ssechat.identity.sightings import Sightings
from ssechat.identity.watch_lists import Watched, WatchList, WatchLists
from ssechat.ids import ConversationId, UserId, direct_conversation
from ssechat.logs.account_log import AccountLog
from ssechat.logs.conversations import Conversations
from ssechat.logs.members import Members
from ssechat.redis import keys


class Given(NamedTuple):
    """A watch list, and whose it is."""

    user: UserId
    names: Sequence[UserId]
    group: ConversationId | None
    """A group that the user shares with them."""


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
        [allowed] = await self._allowed([Given(user, names, shared)])
        asked = [name for name in names if name in allowed]
        there = await self._sightings.connected([keys.live(name).encode() for name in asked])
        sights = await self._sightings.look(asked)
        found: dict[UserId, Seen] = {}
        missing, at = {}, time.time()
        for name, is_there, sight in zip(asked, there, sights, strict=True):
            # Who is missing for a moment is offline to nobody (streams/presence.py): that is known here, or, if the
            # workers have just been replaced, by when it was seen, or, if one has just died, by its roll.
            known = self._known(name)
            online = bool(known) or (sight.visible and (is_there or (known is None and sight.lately(at))))
            found[name] = Seen(name, online, None if online else sight.last_seen)
            if known is None and sight.visible and not online:
                missing[name] = Seen(name, online=True, last_seen=None)
        for name in await self._sightings.on_rolls(list(missing)):
            found[name] = missing[name]
        return [found.get(name) or Seen(name, False, None) for name in names]

    async def watched(self, users: Sequence[UserId]) -> list[Watched]:
        """Whom all devices of each of these users watch, and of whom they may know. A handful of round trips."""
        lists = await self._lists.of(users)
        given = [Given(user, *one) for user, of_user in zip(users, lists, strict=True) for one in of_user]
        allowed = iter(await self._allowed(await self._still(given)))
        return [
            Watched(
                frozenset(name for one in of_user for name in one.users),
                frozenset(name for _ in of_user for name in next(allowed)),
            )
            for of_user in lists
        ]

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

    async def _still(self, given: Sequence[Given]) -> list[Given]:
        """These lists, without the groups that their users are not in any more."""
        asked = list(dict.fromkeys((user, group) for user, _, group in given if group is not None))
        in_it = dict(zip(asked, await self._participants.take_part(asked), strict=True))
        return [one if one.group is None or in_it[one.user, one.group] else one._replace(group=None) for one in given]

    async def _allowed(self, given: Sequence[Given]) -> list[set[UserId]]:
        """Those in each of these lists of whom its user may know. What is asked for by several is read once."""
        in_groups: dict[ConversationId, dict[UserId, None]] = {}
        for _, names, group in given:
            if group is not None and names:
                in_groups.setdefault(group, {}).update(dict.fromkeys(names))
        present = await self._members.present(in_groups)
        conversations = [[direct_conversation(user, name) for name in names] for user, names, _ in given]
        asked = list(dict.fromkeys(chain.from_iterable(conversations)))
        directs = dict(zip(asked, await self._conversations.directs(asked), strict=True))
        found = []
        for (user, names, group), with_them in zip(given, conversations, strict=True):
            shared = frozenset[UserId]() if group is None else present.get(group, frozenset())
            allowed = {user} & {*names}
            for name, conversation in zip(names, with_them, strict=True):
                direct = directs[conversation]
                if not direct.blocked and (direct.begun or name in shared):
                    allowed.add(name)
            found.append(allowed)
        return found
