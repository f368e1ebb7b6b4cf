"""Servers that deliver one entry of a group too many or too few, or let somebody do what he may not (mutant.py)."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

from ssechat.ids import ConversationId
from ssechat.logs import delivery, inbox
from ssechat.logs.access import Access, Reading
from ssechat.logs.conversations import Entry
from ssechat.logs.delivery import Delivery
from ssechat.logs.inbox import Run
from ssechat.logs.members import Roster, Span, Standing
from ssechat.redis.lua import load_script

LAZINESS = 0.02
"""Seconds that a worker waits where another one may come in between."""


def edit_scripts(*edits: tuple[str, str]) -> None:
    """Replaces text in the scripts of delivery. Each must be in one of them."""
    left = {old for old, _ in edits}

    def edited(module: str, *names: str) -> str:
        source = load_script(module, *names)
        for old, new in edits:
            if old in source:
                left.discard(old)
                source = source.replace(old, new)
        return source

    for module in (inbox, delivery):
        patch.object(module, "load_script", edited).start()
    for names in (("inbox.lua", "deliver.lua"), ("inbox.lua", "members.lua", "append.lua")):
        edited(delivery.__name__, *names)
    assert not left, f"the scripts in logs/ have changed; adapt this mutation: {left}"


def two_steps() -> None:
    """Breaks no guarantee: with the gap rule, a send in two steps equals one in one step."""
    construct = Delivery.__init__

    def in_two_steps(self: Delivery, *parts: Any, **named: Any) -> None:
        construct(self, *parts, **named, at_once=0)

    patch.object(Delivery, "__init__", in_two_steps).start()


def slow() -> None:
    """Breaks no guarantee: a worker waits before it appends in a group, and before it delivers what it appended."""
    send, finish = Delivery.send, Delivery._finish_group

    async def slow_send(self: Delivery, *parts: Any, **named: Any) -> Any:
        await asyncio.sleep(LAZINESS)
        return await send(self, *parts, **named)

    async def slow_finish(self: Delivery, *parts: Any) -> None:
        await asyncio.sleep(LAZINESS)
        await finish(self, *parts)

    patch.object(Delivery, "send", slow_send).start()
    patch.object(Delivery, "_finish_group", slow_finish).start()
    two_steps()


def skip_leaver() -> None:
    """One who leaves does not get the entry of the leave."""
    edit_scripts(
        ("call('HSET', KEYS[keys + LEAVERS], of, entry.id .. ' ' .. stint)", ""),
        ("group.leavers[of] = bucket", ""),
    )


def joiner_from_zero() -> None:
    """Delivery to a joiner begins where that inbox stands, and not with the join."""
    edit_scripts(("joined == entry and before or nil", "nil"))
    spans = Roster.spans

    def from_zero(self: Roster) -> dict[Any, Span]:
        return {user: span._replace(first="") for user, span in spans(self).items()}

    patch.object(Roster, "spans", from_zero).start()


def list_as_it_stands() -> None:
    """An entry is delivered to those who are members by then, a little later."""
    turns: Mapping[ConversationId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def finish(self: Delivery, conversation: ConversationId, entry: Entry | None) -> None:
        async with turns[conversation]:
            roster = await self._members.roster(conversation)
            if roster is None or entry is None:
                return
            await asyncio.sleep(LAZINESS)
            roster = await self._members.roster(conversation) or roster
            has = await self._inbox.newest_of(conversation, list(roster.members))
            await self._inbox.deliver([(Run((entry,), place), [user]) for user, place in has.items()])
            self._conversations.mark_delivered(conversation, entry.id)
            await self._members.forget_leavers(conversation, roster.leavers)

    patch.object(Delivery, "_finish_group", finish).start()
    two_steps()


def forget_leave() -> None:
    """A leave whose delivery is pending when the next entry comes is forgotten."""
    spans = Roster.spans

    def forgetful(self: Roster) -> dict[Any, Span]:
        return {user: span for user, span in spans(self).items() if span.last in ("", self.group.head)}

    patch.object(Roster, "spans", forgetful).start()
    slow()


def rights_unchecked() -> None:
    """The script does not look whether the sender is still a member."""
    edit_scripts(("call('HEXISTS', KEYS[keys + MEMBERS_OF], ARGV[user]) == 0", "false"))
    slow()


def stale_list() -> None:
    """The script does not look whether the members are still those that the rule has decided from."""
    edit_scripts(("ARGV[a + LIST] ~= list", "false"))
    slow()


def deliver_passed() -> None:
    """Changes of messages that somebody may not read are delivered."""
    edit_scripts(("not from_seq or entry.sort ~= 'change'", "true"))


def lost_update() -> None:
    """A change is written though the message that it was made from stands no more."""
    edit_scripts(("redis.sha1hex(message) ~= ARGV[of_change + MADE_FROM]", "false"))
    slow()


def shown_after_leave() -> None:
    """One who has left reads messages as they stand now."""

    def reading(self: Access, seq: int, version: int) -> Reading:
        return Reading.AS_IT_STANDS if self.covers(seq) else Reading.NOT_AT_ALL

    patch.object(Access, "reading", reading).start()


def shown_from_zero() -> None:
    """Who reads from the join on only reads what was before as well."""
    judge = vars(Standing)["access"].fget

    def access_of(self: Standing) -> Access | None:
        found = judge(self)
        return found and Access(tuple(stint._replace(since=0) for stint in found.stints))

    patch.object(Standing, "access", property(access_of)).start()


MUTATIONS: dict[str, Callable[[], None]] = {
    "two-steps": two_steps,
    "slow": slow,
    "skip-leaver": skip_leaver,
    "joiner-from-zero": joiner_from_zero,
    "list-as-it-stands": list_as_it_stands,
    "forget-leave": forget_leave,
    "rights-unchecked": rights_unchecked,
    "stale-list": stale_list,
    "deliver-passed": deliver_passed,
    "lost-update": lost_update,
    "shown-after-leave": shown_after_leave,
    "shown-from-zero": shown_from_zero,
}
