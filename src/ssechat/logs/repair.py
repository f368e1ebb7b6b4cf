"""Repair: inboxes that lack entries of a conversation's log get them, all of them from one reading of the log."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from ssechat.ids import NO_ENTRY, ConversationId, UserId, number_of
from ssechat.logs.conversations import Conversations, Entry
from ssechat.logs.inbox import Inbox

READ_AT_ONCE = 100
"""Entries of a log."""


class _Turn:
    """Serialises the repairs of a conversation, and shares what earlier ones found."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0
        self.seen: dict[UserId, str] = {}
        """The entry that each inbox had last when a repair was done with it."""


class Repair:
    """One repair per conversation and worker at a time; a caller that waited for it finds the work done."""

    def __init__(self, conversations: Conversations, inbox: Inbox) -> None:
        self._conversations = conversations
        self._inbox = inbox
        self._turns: dict[ConversationId, _Turn] = {}

    async def bring_to(self, conversation: ConversationId, entry: str, has: Mapping[UserId, str]) -> None:
        """Delivers to the inboxes of these members all entries of the log that they lack up to this one, at least.

        `has`: the entry of the conversation that each inbox has last. An inbox gets a reset where the log does not
        lead on from there.

        Raises:
            RedisUnavailable: some may lack some yet.
        """
        behind = {member: place for member, place in has.items() if place != entry}
        if not behind:
            return
        async with self._turn(conversation) as seen:
            for member in list(behind):
                if number_of(seen.get(member, NO_ENTRY)) >= number_of(entry):
                    del behind[member]
            await self._bring_to_newest(conversation, behind, seen)

    @asynccontextmanager
    async def _turn(self, conversation: ConversationId) -> AsyncIterator[dict[UserId, str]]:
        turn = self._turns.setdefault(conversation, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                yield turn.seen
        except BaseException:
            turn.seen.clear()  # the Redis that comes next may not have what was seen in this one
            raise
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[conversation]

    async def _bring_to_newest(
        self, conversation: ConversationId, behind: dict[UserId, str], seen: dict[UserId, str]
    ) -> None:
        """To the log's newest entry: what others append meanwhile needs no repair of its own then."""
        while behind:
            newest = await self._conversations.newest_entry(conversation)
            for place, members in _by_place(behind).items():
                if place == newest or (
                    number_of(place) > number_of(newest) and await self._conversations.has_entry(conversation, place)
                ):
                    seen.update((member, behind.pop(member)) for member in members)
            if not behind:
                return
            first = min(map(number_of, behind.values()))
            page = await self._conversations.entries(conversation, str(first), newest, READ_AT_ONCE)
            runs: dict[UserId, Sequence[Entry]] = {}
            for place, members in _by_place(behind).items():
                run = following(page, place)
                if run is None or (not run and number_of(place) == first):  # the log does not lead on from there
                    reason = "expired" if page and number_of(place) < number_of(page[0].id) else "lost"
                    run = (self._inbox.reset(conversation, place, newest, reason, len(members)),)
                if run:
                    runs.update(dict.fromkeys(members, run))
            behind.update(await self._inbox.deliver(runs))


def _by_place(behind: Mapping[UserId, str]) -> dict[str, list[UserId]]:
    members: dict[str, list[UserId]] = {}
    for member, place in behind.items():
        members.setdefault(place, []).append(member)
    return members


def following(page: Sequence[Entry], place: str) -> Sequence[Entry] | None:
    """The entries after an entry on a page of the log: none if it is on a later page, None if the log lacks it."""
    for at, entry in enumerate(page):
        if entry.id == place:
            return page[at + 1 :]
    if page and page[0].before == place:
        return page
    return () if page and number_of(place) > number_of(page[-1].id) else None
