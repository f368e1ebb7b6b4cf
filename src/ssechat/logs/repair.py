"""Repair: inboxes that lack entries of a conversation's log get them, all of them from one reading of the log."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from ssechat.events.kinds import Replay
from ssechat.ids import NO_ENTRY, ConversationId, UserId, number_of
from ssechat.logs.access import version_of
from ssechat.logs.conversations import Conversations, Entry
from ssechat.logs.inbox import Inbox, Run
from ssechat.logs.members import WHOLE, Members, Roster, Span
from ssechat.turns import Turns

READ_AT_ONCE = 100
"""Entries of a log."""


class _Done:
    """What was found to be delivered of a conversation, for the next who repairs it."""

    def __init__(self) -> None:
        self.seen: dict[UserId, str] = {}
        """The entry that each inbox had last when a repair was done with it."""
        self.head = NO_ENTRY
        """The entry up to which everybody in the group has what concerns them."""


class _Behind(NamedTuple):
    """An inbox that lacks entries."""

    place: str
    """The entry that it has last."""
    span: Span

    @property
    def joins(self) -> bool:
        """Whether the next entry for it is the one with which its user joined."""
        return bool(self.span.first) and self.place == self.span.before

    @property
    def start(self) -> str:
        """The entry from which the log must be read."""
        return self.span.first if self.joins else self.place


class Repair:
    """One repair per conversation and worker at a time; a caller that waited for it finds the work done."""

    def __init__(self, conversations: Conversations, inbox: Inbox, members: Members) -> None:
        self._conversations = conversations
        self._inbox = inbox
        self._members = members
        self._turns: Turns[ConversationId, _Done] = Turns(_Done)

    async def bring_to(self, conversation: ConversationId, entry: str, has: Mapping[UserId, str]) -> None:
        """Delivers to the inboxes of a direct conversation all entries that they lack up to this one, at least.

        `has`: the entry of the conversation that each inbox has last. An inbox gets a reset where the log does not
        lead on from there.

        Raises:
            RedisUnavailable: some may lack some yet.
        """
        behind = {member: _Behind(place, WHOLE) for member, place in has.items() if place != entry}
        if not behind:
            return
        async with self._turn(conversation) as done:
            for member in list(behind):
                if number_of(done.seen.get(member, NO_ENTRY)) >= number_of(entry):
                    del behind[member]
            await self._bring(conversation, behind, done.seen)

    async def bring_group_to(self, conversation: ConversationId, entry: str, appended: Entry | None = None) -> str:
        """Delivers to all in a group, and to those who have left it, what they lack up to this entry, at least.

        `appended`: this entry, if the members' inboxes have probably the one before; else their places are read.
        Returns the entry up to which everything is delivered.

        Raises:
            RedisUnavailable: some may lack some yet.
        """
        async with self._turn(conversation) as done:
            if number_of(done.head) >= number_of(entry):
                return done.head
            # What is appended after this reading has another audience, and its own delivery.
            roster = await self._members.roster(conversation)
            if roster is None:
                return entry
            if appended is not None and (run := await self._run_for_all(roster, appended)) is not None:
                behind = await self._bring_run(roster, run)
            else:
                spans = roster.spans()
                asked = list(spans) if appended is None else list(roster.leavers)
                before = NO_ENTRY if appended is None else appended.before
                has = dict.fromkeys(spans, before) | await self._inbox.newest_of(conversation, asked)
                behind = {
                    # One who joins with this entry, or after it, lacks nothing before that.
                    user: _Behind(
                        span.before if appended is not None and _later(span.first, before) else has[user], span
                    )
                    for user, span in spans.items()
                }
            await self._bring(conversation, behind, {}, (roster.group.head, roster.group.seq))
            await self._members.forget_leavers(conversation, roster.leavers)
            done.head = roster.group.head
            return done.head

    async def _run_for_all(self, roster: Roster, appended: Entry) -> Run | None:
        """The entries from this one to the head, if all members get the same of them."""
        if roster.leavers:
            return None
        head, entries = roster.group.head, [appended]
        if head != appended.id:
            page = await self._conversations.entries(appended.conversation, appended.id, head, READ_AT_ONCE)
            entries = [appended, *(following(page, appended.id) or ())]
        if entries[-1].id != head:
            return None
        if roster.group.history == "from_join" and any(entry.sort == Replay.CHANGED_MESSAGE for entry in entries):
            return None
        return Run(entries, appended.before)

    async def _bring_run(self, roster: Roster, run: Run) -> dict[UserId, _Behind]:
        """Delivers the run to all who were members before it. Returns who lacks something yet.

        In a large group this is what almost every send comes to, so there is no work for each member in it.
        """
        settled, joined = roster.since(number_of(run.before))
        has = await self._inbox.deliver([(run, settled)])
        last = run.entries[-1].id
        late = {user: place for user, place in has.items() if place != last}
        if not late and not joined:
            return {}
        spans = roster.spans()
        return {user: _Behind(place, spans[user]) for user, place in late.items()} | {
            user: _Behind(spans[user].before, spans[user]) for user in joined
        }

    @asynccontextmanager
    async def _turn(self, conversation: ConversationId) -> AsyncIterator[_Done]:
        async with self._turns.of(conversation) as done:
            try:
                yield done
            except BaseException:
                # The Redis that comes next may not have what was seen in this one.
                done.seen.clear()
                done.head = NO_ENTRY
                raise

    async def _bring(
        self,
        conversation: ConversationId,
        behind: dict[UserId, _Behind],
        seen: dict[UserId, str],
        head: tuple[str, int] | None = None,
    ) -> None:
        """To the head, or to the log's newest entry: what others append meanwhile needs no repair of its own then.

        `head`: the entry, and the seq of the newest message as of it.
        """
        while behind:
            newest = head[0] if head else await self._conversations.newest_entry(conversation)
            for one, members in _alike(behind).items():
                target = one.span.last or newest
                if one.place == target or (
                    number_of(one.place) > number_of(target)
                    and await self._conversations.has_entry(conversation, one.place)
                ):
                    seen.update(dict.fromkeys(members, one.place))
                    for member in members:
                        del behind[member]
            if not behind:
                return
            first = min(number_of(one.start) for one in behind.values())
            page = await self._conversations.entries(conversation, str(first), newest, READ_AT_ONCE)
            changed = [int(entry.value) for entry in page if entry.sort == Replay.CHANGED_MESSAGE]
            runs: list[tuple[Run, Sequence[UserId]]] = []
            for one, members in _alike(behind, changed).items():
                run = _run(page, one)
                if run is None or (not run.entries and number_of(one.start) == first):  # the log does not lead on
                    reason = "expired" if page and number_of(one.start) < number_of(page[0].id) else "lost"
                    now, seq = head or await self._conversations.newest(conversation)
                    reset = self._inbox.reset(conversation, one.place, one.span.last or now, reason, len(members))
                    run = Run((reset,), one.place, joined=one.span.joined, newest=seq)
                if run.entries:
                    runs.append((run, members))
            for member, place in (await self._inbox.deliver(runs)).items():
                behind[member] = behind[member]._replace(place=place)


def _later(entry: str, than: str) -> bool:
    return number_of(entry) > number_of(than)


def _alike(behind: Mapping[UserId, _Behind], changed: Sequence[int] = ()) -> dict[_Behind, list[UserId]]:
    """Those who lack the same. `changed`: the messages that what they lack changes."""
    found: dict[_Behind, list[UserId]] = {}
    for user, one in behind.items():
        place, span = one
        from_seq = max((seq for seq in changed if seq <= span.from_seq), default=0)
        if one.joins or _later(span.first, place):
            span = span._replace(from_seq=from_seq)
        else:
            span = Span(last=span.last, from_seq=from_seq)  # when it joined does not matter any more
        found.setdefault(_Behind(place, span), []).append(user)
    return found


def _run(page: Sequence[Entry], one: _Behind) -> Run | None:
    """The entries on a page that an inbox lacks: none if they are on a later page, None if the log lacks them."""
    place, span = one
    entries: Sequence[Entry] | None
    if one.joins:
        entries, before = following(page, span.first, inclusive=True), span.before
    elif _later(span.first, place):
        entries, before = None, place  # it is not known what it has had of this log
    else:
        entries, before = following(page, place), place
    if entries is None:
        return None
    if span.last:
        entries = [_as_of(entry, number_of(span.last)) for entry in entries if not _later(entry.id, span.last)]
    return Run(entries, before, span.from_seq, span.joined if one.joins else None)


def _as_of(entry: Entry, pos: int) -> Entry:
    """The entry for one who left with entry number `pos`: a message that was changed later is not in the wake-up; who
    reads the inbox gets what access.py lets it read."""
    changed = entry.sort != Replay.FACT and version_of(entry.data) > pos
    return entry._replace(data=b"") if changed else entry


def following(page: Sequence[Entry], place: str, *, inclusive: bool = False) -> Sequence[Entry] | None:
    """The entries after an entry on a page of the log (`inclusive`: from it on): none if it is on a later page, None if
    the log lacks it."""
    for at, entry in enumerate(page):
        if entry.id == place:
            return page[at:] if inclusive else page[at + 1 :]
    if page and page[0].before == place and not inclusive:
        return page
    return () if page and number_of(place) > number_of(page[-1].id) else None
