"""Receipts: up to where the others in a conversation have read it, and have it on a device."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from ssechat.chat.coalescing import Changed, Coalescing
from ssechat.chat.participants import Participation
from ssechat.errors import NotFound
from ssechat.events.kinds import RECEIPT
from ssechat.identity.profiles import Profiles
from ssechat.ids import ConversationId, UserId, direct_members, is_group
from ssechat.logs.blocks import Blocks
from ssechat.logs.inbox import Inbox
from ssechat.logs.members import Members
from ssechat.logs.receipts import Receipt, Receipts

MAX_MEMBERS = 32
"""Members of a group in which receipts are shown: each is told of each."""

PAUSE = 1.0
"""Seconds between two times at which receipts of one conversation are told, at least."""

AT_ONCE = 8
"""Conversations of which receipts are told in the same round trips."""

MAX_CONVERSATIONS = 10_000
"""Conversations of which receipts wait to be told, or were told less than a second ago."""


class ReceiptRules:
    """Shows and tells receipts.

    Somebody's receipts are shown to those who show theirs: not while either has switched them off, not across a block,
    and not in a group of more than MAX_MEMBERS.
    """

    def __init__(
        self, members: Members, inbox: Inbox, receipts: Receipts, profiles: Profiles, blocks: Blocks, *, on: bool
    ) -> None:
        """`on`: whether this server has receipts."""
        self._members = members
        self._inbox = inbox
        self._receipts = receipts
        self._profiles = profiles
        self._blocks = blocks
        self._on = on
        self.coalescing: Coalescing[ConversationId] = Coalescing(
            self._publish, pause=PAUSE, at_once=AT_ONCE, most_keys=MAX_CONVERSATIONS, most_changed=MAX_MEMBERS
        )

    async def ack(self, user: UserId, event: str) -> None:
        """Notes that a device of the user has all events up to this one. A server without receipts notes nothing.

        Raises:
            NotFound: `unknown_event`: the user's inbox has no such event, or not any more.
        """
        if not self._on:
            return
        raised = await self._receipts.ack(user, event)
        if raised is None:
            raise NotFound("unknown_event", f"There is no event {event!r} in your inbox, or it is not kept any more.")
        for conversation in raised:
            self.changed(user, conversation)

    def changed(self, user: UserId, conversation: ConversationId) -> None:
        """The user has read a conversation further, or has more of it: the others are told soon."""
        if self._on:
            self.coalescing.note(conversation, user)

    async def shown(self, entered: Participation) -> list[Receipt] | None:
        """The receipts of the others who take part, by name, as one of them sees them; None where none are shown."""
        if not self._on or (entered.standing is not None and entered.standing.member is None):
            return None
        viewer, conversation = entered.user, entered.conversation
        [since] = await self._since((conversation,))
        if since is None or viewer not in since:
            return None
        off, blocked = await asyncio.gather(self._switched_off([*since]), self._blocks.between(viewer, since.keys()))
        if viewer in off:
            return None
        others = sorted(since.keys() - off - blocked - {viewer})
        places = await self._receipts.places([(one, conversation) for one in others])
        return [Receipt.of(one, since[one], place) for one, place in zip(others, places, strict=True)]

    async def close(self) -> None:
        """Tells nothing more."""
        await self.coalescing.close()

    async def _since(self, conversations: Sequence[ConversationId]) -> list[dict[UserId, int] | None]:
        """Who takes part in each, and the newest message when they joined; None where they are too many."""
        groups = [one for one in conversations if is_group(one)]
        found = dict(zip(groups, await self._members.few(groups, MAX_MEMBERS), strict=True)) if groups else {}
        since: list[dict[UserId, int] | None] = []
        for one in conversations:
            if one in found:
                members = found[one]
                since.append(None if members is None else {user: member.seq for user, member in members.items()})
            else:
                since.append(dict.fromkeys(direct_members(one) or (), 0))
        return since

    async def _publish(self, changed: Mapping[ConversationId, Changed]) -> None:
        """Tells the others in these conversations how it stands with those of whom something has changed."""
        asked: list[tuple[UserId, ConversationId]] = []
        present: dict[ConversationId, dict[UserId, int]] = {}
        for (conversation, users), since in zip(changed.items(), await self._since([*changed]), strict=True):
            if since is not None and len(since) > 1:
                present[conversation] = since
                asked += [(one, conversation) for one in since if users is None or one in users]
        if not asked:
            return
        everybody = list(dict.fromkeys(user for since in present.values() for user in since))
        off = await self._switched_off(everybody)
        asked = [(user, conversation) for user, conversation in asked if user not in off]
        places = await self._receipts.places(asked)
        audiences = await asyncio.gather(
            *(self._audience(user, present[conversation].keys() - off) for user, conversation in asked)
        )
        publications = []
        for (user, conversation), place, audience in zip(asked, places, audiences, strict=True):
            receipt = Receipt.of(user, present[conversation][user], place)
            if receipt.delivered_up_to > receipt.since and audience:
                data = {"conversation_id": conversation, **receipt.told}
                publications.append(self._inbox.publish(audience, RECEIPT, data))
        await asyncio.gather(*publications)

    async def _audience(self, user: UserId, others: Iterable[UserId]) -> list[UserId]:
        others = {*others} - {user}
        return sorted(others - await self._blocks.between(user, others))

    async def _switched_off(self, users: Sequence[UserId]) -> frozenset[UserId]:
        """Those of these users who give no receipts. One round trip."""
        profiles = await self._profiles.of_each(users)
        return frozenset(user for user, profile in zip(users, profiles, strict=True) if not profile.receipts)
