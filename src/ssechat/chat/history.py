"""The messages of a conversation, page by page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

from ssechat.chat.participants import Participants
from ssechat.ids import UserId
from ssechat.logs.access import Access
from ssechat.logs.conversations import Conversations
from ssechat.logs.delivery import Delivery


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Messages of a conversation (JSON each), in order, and whether there are further ones on either side."""

    messages: Sequence[bytes]
    more_before: bool = False
    more_after: bool = False

    @property
    def more(self) -> bool:
        """Whether there are further ones on either side that was asked for."""
        return self.more_before or self.more_after


class History:
    """Reads the messages of conversations for those who take part in them."""

    def __init__(self, participants: Participants, conversations: Conversations, delivery: Delivery) -> None:
        self._participants = participants
        self._conversations = conversations
        self._delivery = delivery

    async def page(
        self,
        user: UserId,
        conversation: str,
        limit: int,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
    ) -> HistoryPage:
        """The messages before or after a seq (exclusive), or around one, or the newest ones: as many as fit on a page.

        Whether there are more is said for the side that was asked for.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_member`.
        """
        entered = await self._participants.enter(user, conversation)
        await self._delivery.finish(entered.conversation, entered.both)
        newest = await self._participants.newest_seq(entered)
        seqs = _Readable(entered.access, newest)
        older: list[int] = []
        newer: list[int] = []
        # One more than the page may have shows whether there are more.
        if after is not None:
            newer = list(islice(seqs.up(after + 1), limit + 1))
            wanted = newer[:limit]
        elif around is not None:
            older = list(islice(seqs.down(around - 1), limit + 1))
            newer = list(islice(seqs.up(around), limit + 1))
            wanted = _nearest(older, newer, limit)
        else:
            older = list(islice(seqs.down(newest if before is None else before - 1), limit + 1))
            wanted = older[:limit]
        found = await self._conversations.messages(entered.conversation, wanted)
        access = (await self._participants.again(entered)).access
        read = sorted(zip(wanted, found, strict=False))  # fewer than wanted if they do not fit
        seen = [
            message
            for seq, stored in read
            if stored is not None and (message := access.seen(entered.conversation, seq, stored)) is not None
        ]
        reached = {seq for seq, _ in read}
        return HistoryPage(seen, not reached.issuperset(older), not reached.issuperset(newer))


class _Readable:
    """The seqs that somebody may read, in either direction."""

    def __init__(self, access: Access, newest: int) -> None:
        self._ranges: list[range] = []
        for stint in sorted(access.stints, key=lambda stint: stint.since):
            end = newest if stint.seq is None else min(stint.seq, newest)
            start = max(stint.since + 1, self._ranges[-1].stop if self._ranges else 1)
            if start <= end:
                self._ranges.append(range(start, end + 1))

    def up(self, first: int) -> Iterator[int]:
        """From `first` on."""
        return chain.from_iterable(range(max(first, one.start), one.stop) for one in self._ranges)

    def down(self, last: int) -> Iterator[int]:
        """From `last` on, the newest first."""
        return chain.from_iterable(range(min(last, one.stop - 1), one.start - 1, -1) for one in reversed(self._ranges))


def _nearest(older: Sequence[int], newer: Sequence[int], limit: int) -> list[int]:
    """Up to `limit` seqs, half of them from each side if each has so many; the nearest first: a page may end early."""
    after = min(len(newer), max(limit - limit // 2, limit - len(older)))
    pairs = zip_longest(newer[:after], older[: limit - after])
    return [seq for pair in pairs for seq in pair if seq is not None]
