"""A user's conversations, as they are listed and described."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ssechat.chat.participants import Participants, Participation
from ssechat.chat.receipts import ReceiptRules
from ssechat.chat.refusals import other_of
from ssechat.events import frames
from ssechat.ids import ConversationId, UserId, direct_members
from ssechat.logs.blocks import Blocks
from ssechat.logs.conversations import Conversations, Summary
from ssechat.logs.delivery import Delivery
from ssechat.logs.inbox import Inbox, Place
from ssechat.logs.marks import Mark
from ssechat.logs.members import Left, Member, Members, Standing
from ssechat.logs.pages import ENVELOPE, PAGE_BYTES

NAMES_SHOWN = 20
"""Members of a group that its description names."""

ASKED_AT_ONCE = 200
MOST_ASKED = 1000
"""Conversations of which it is asked whether the user is still in them, in one round trip and for one page: who has
left thousands of groups gets pages with few conversations, or none."""


@dataclass(frozen=True, slots=True)
class Description:
    """A conversation, as one of those who take part sees it."""

    fields: Mapping[str, Any]
    last_message: bytes | None
    """The newest message that this user may read (JSON)."""

    def having(self, **fields: Any) -> "Description":
        """With more fields."""
        return Description({**self.fields, **fields}, self.last_message)

    @property
    def json(self) -> bytes:
        """All of it."""
        return frames.encode(self.fields)[:-1] + b',"last_message":%b}' % (self.last_message or b"null")


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a user's conversations, and the cursor of the next page."""

    conversations: Sequence[Description]
    next: int | None


class Descriptions:
    """Describes conversations to those who take part in them."""

    def __init__(
        self,
        participants: Participants,
        conversations: Conversations,
        members: Members,
        inbox: Inbox,
        delivery: Delivery,
        blocks: Blocks,
        receipts: ReceiptRules,
    ) -> None:
        self._participants = participants
        self._conversations = conversations
        self._members = members
        self._inbox = inbox
        self._delivery = delivery
        self._blocks = blocks
        self._receipts = receipts

    async def one(self, user: UserId, conversation: str) -> Description:
        """One conversation; of a group that the user has left, what was so then.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_member`.
        """
        entered = await self._participants.enter(user, conversation)
        await self._delivery.finish(entered.conversation, entered.both)
        place = await self._inbox.place(user, entered.conversation)
        if entered.standing is None:
            [summary] = await self._conversations.summaries((entered.conversation,))
            blocked = await self._blocks.listed(user, (other_of(entered.conversation, user),))
            one = _direct(summary, place.mark, blocked=bool(blocked))
        else:
            one = await self._group(entered, entered.standing, place.mark)
        receipts = await self._receipts.shown(entered)
        return one if receipts is None else one.having(receipts=[receipt.fields for receipt in receipts])

    async def _group(self, entered: Participation, standing: Standing, mark: Mark) -> Description:
        conversation, newest = entered.conversation, entered.access.newest_seq
        newest = standing.group.seq if newest is None else newest
        [stored] = await self._conversations.messages(conversation, (newest,)) if newest else (None,)
        again = await self._participants.again(entered)
        assert again.standing is not None
        last = None if stored is None else again.access.seen(conversation, newest, stored)
        if again.standing.member is None:
            assert again.standing.left is not None
            return _left(conversation, again.standing.left, newest, last)
        [sample] = await self._members.samples((conversation,), NAMES_SHOWN)
        return _group(again.standing, again.standing.member, sample, newest, last, mark)

    async def list(self, user: UserId, before: int | None, limit: int) -> Listing:
        """The user's conversations, the one with the newest event first."""
        places = await self._inbox.places(user)
        if before is not None:
            places = [place for place in places if place.n < before]
        page, following = await self._still_in(user, places, limit)
        marks = {place.conversation: place.mark for place in page}
        # Messages are read before it is asked who may read them.
        summaries = await self._conversations.summaries([place.conversation for place in page])
        for summary in summaries:
            if summary.undelivered:
                await self._delivery.finish(summary.id, _both(summary.id))
        standings = await self._members.groups_of(user, [summary.id for summary in summaries])
        samples = dict(zip(standings, await self._members.samples([*standings], NAMES_SHOWN), strict=True))
        others = {one.id: other_of(one.id, user) for one in summaries if one.id not in standings}
        blocked = await self._blocks.listed(user, [*others.values()])
        described: list[Description] = []
        room, shown = PAGE_BYTES - ENVELOPE, 0  # fewer are shown than requested if they do not fit on a page
        for summary in summaries:
            if summary.id not in standings:
                one = _direct(summary, marks[summary.id], blocked=others[summary.id] in blocked)
            else:
                standing = standings[summary.id]
                if standing is None or standing.member is None or standing.access is None:
                    shown += 1  # removed meanwhile
                    continue
                last = summary.last_message
                seen = None if last is None else standing.access.seen(summary.id, summary.newest_seq, last)
                mark = marks[summary.id]
                one = _group(standing, standing.member, samples[summary.id], summary.newest_seq, seen, mark)
            room -= len(one.json) + 1  # with the names of a group's members, which no reading of messages counts
            if room < 0 and described:
                break
            described.append(one)
            shown += 1
        return Listing(described, page[shown - 1].n if shown < len(page) else following)

    async def _still_in(self, user: UserId, places: Sequence[Place], limit: int) -> tuple[Sequence[Place], int | None]:
        """The first places, without groups that the user is not in any more; and the cursor of those that follow."""
        kept: list[Place] = []
        asked = places[:MOST_ASKED]
        for at in range(0, len(asked), ASKED_AT_ONCE):
            some = asked[at : at + ASKED_AT_ONCE]
            standings = await self._members.groups_of(user, [place.conversation for place in some])
            gone = {group for group, standing in standings.items() if standing is None or standing.member is None}
            kept += [place for place in some if place.conversation not in gone]
            if len(kept) > limit:
                return kept[:limit], kept[limit - 1].n
        return kept, asked[-1].n if len(asked) < len(places) else None


def _both(conversation: ConversationId) -> Sequence[UserId] | None:
    """The members of a direct conversation, each once."""
    both = direct_members(conversation)
    return None if both is None else tuple(dict.fromkeys(both))


def _direct(summary: Summary, mark: Mark, *, blocked: bool) -> Description:
    fields: dict[str, Any] = {"id": summary.id, "type": "dm", "members": _both(summary.id)}
    fields["newest_seq"] = summary.newest_seq
    if blocked:
        fields["blocked"] = True
    return Description(fields | mark.counts(summary.newest_seq), summary.last_message)


def _group(
    standing: Standing,
    member: Member,
    sample: tuple[int, Sequence[UserId]],
    newest: int,
    last: bytes | None,
    mark: Mark,
) -> Description:
    group, (count, names) = standing.group, sample
    fields: dict[str, Any] = {"id": group.id, "type": "group", "name": group.name}
    if group.topic:
        fields["topic"] = group.topic
    fields |= {
        "history": group.history,
        "role": member.role,
        "member_count": count,
        "members": names,
        "newest_seq": newest,
    }
    if group.ended:
        fields["ended"] = True
    return Description(fields | mark.since(member.seq).counts(newest), last)


def _left(conversation: ConversationId, left: Left, newest: int, last: bytes | None) -> Description:
    fields = {"id": conversation, "type": "group", "name": left.name, "left": True, "newest_seq": newest}
    return Description(fields, last)
