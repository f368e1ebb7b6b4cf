"""Reactions to messages. Those to one message that wait in a worker are one change of it, once a second at most."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import from_json

from ssechat.chat.decisions import TRIES
from ssechat.chat.participants import Participants
from ssechat.chat.refusals import blocked, busy, deleted, not_a_member, of_the_log, unknown_message
from ssechat.errors import BadRequest, Forbidden, RequestError
from ssechat.events.kinds import MESSAGE_UPDATED
from ssechat.ids import ConversationId, UserId
from ssechat.logs.access import Reading, version_of
from ssechat.logs.actions import changed_message
from ssechat.logs.conversations import Conversations
from ssechat.logs.delivery import Delivery
from ssechat.logs.membership import Precondition
from ssechat.logs.reactions import OfEmoji, Reaction, Reactions
from ssechat.logs.refused import Absent, Blocked, MessageChanged, NotAppended

MAX_KINDS = 20
"""Emojis with which people have reacted to one message."""

USERS_SHOWN = 3
"""Names that a message shows for each emoji."""

PAUSE = 1.0
"""Seconds between two changes of one message by reactions."""

MAX_AT_ONCE = 1024
"""Reactions that wait for one change of a message."""

MAX_MESSAGES = 10_000
"""Messages whose reactions wait, or were changed less than a second ago."""


class _Key(NamedTuple):
    """A message."""

    conversation: ConversationId
    seq: int
    both: Sequence[UserId] | None
    """The members of a direct conversation; None: it is in a group."""


class _Wish(NamedTuple):
    """Somebody's request: this reaction shall be there, or not."""

    reaction: Reaction
    wanted: bool
    done: "asyncio.Future[bytes]"

    def refuse(self, error: Exception) -> None:
        if not self.done.done():  # it is, if the client is gone
            self.done.set_exception(error)


@dataclass(slots=True)
class _Queue:
    """What waits for one message."""

    waiting: list[_Wish] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None
    """A change that is under way."""
    resting: bool = False
    """Whether the last change was less than PAUSE seconds ago."""


class ReactionRules:
    """Adds, removes and lists reactions on behalf of a user."""

    def __init__(
        self, participants: Participants, conversations: Conversations, reactions: Reactions, delivery: Delivery
    ) -> None:
        self._participants = participants
        self._conversations = conversations
        self._reactions = reactions
        self._delivery = delivery
        self._queues: dict[_Key, _Queue] = {}

    async def put(self, user: UserId, conversation: str, seq: int, emoji: str, *, wanted: bool) -> bytes:
        """Adds or removes a reaction; returns the message (JSON) as it stands then.

        Raises:
            BadRequest: `not_an_emoji`.
            NotFound: `unknown_conversation`, `unknown_message`.
            Forbidden: `not_a_member`, `ended`, `too_many_reactions`, `blocked`.
            Conflict: `deleted`.
            TooMany: `busy`.
        """
        reaction = Reaction(qualified(emoji), user)
        entered = await self._participants.enter(user, conversation)
        entered.must_change(seq)
        key = _Key(entered.conversation, seq, entered.both)
        queue = self._queues.get(key)
        if queue is None:
            if len(self._queues) >= MAX_MESSAGES:
                raise busy()
            queue = self._queues[key] = _Queue()
        if len(queue.waiting) >= MAX_AT_ONCE:
            raise busy()
        wish = _Wish(reaction, wanted, asyncio.get_running_loop().create_future())
        queue.waiting.append(wish)
        self._go_on(key, queue)
        return await wish.done

    async def page(
        self, user: UserId, conversation: str, seq: int, after: str, limit: int, of: UserId | None
    ) -> tuple[Sequence[Reaction], str | None]:
        """Reactions to a message, or those of one user, and the cursor of the next page.

        Raises:
            NotFound: `unknown_conversation`, `unknown_message`.
            Forbidden: `not_a_member`.
        """
        entered = await self._participants.enter(user, conversation)
        # The message is read after the reactions: if it has not been changed since the user left, they have not either.
        found = await self._reactions.page(entered.conversation, seq, after, limit + 1) if of is None else ()
        message = await self._participants.stored(entered, seq)
        access = (await self._participants.again(entered)).access
        reading = access.reading(seq, version_of(message))
        if reading is Reading.NOT_AT_ALL:
            raise unknown_message(seq)
        if reading is Reading.AS_TOMBSTONE:
            return (), None
        if of is not None:
            asked = [Reaction(kind["emoji"], of) for kind in from_json(message).get("reactions", ())]
            given = await self._reactions.given(entered.conversation, seq, asked)
            return [one for one, there in zip(asked, given, strict=True) if there], None
        page = found[:limit]
        return page, f"{page[-1].emoji}:{page[-1].user}" if len(found) > limit else None

    def _go_on(self, key: _Key, queue: _Queue) -> None:
        """Begins the next change of a message, if there is one to make and its time has come."""
        if queue.task is not None or queue.resting:
            return
        if queue.waiting:
            # A task of its own: that one client disconnects does not end the change of all.
            queue.task = asyncio.create_task(self._change(key, queue), name="reactions")
        else:
            del self._queues[key]

    async def _change(self, key: _Key, queue: _Queue) -> None:
        wishes, queue.waiting = queue.waiting, []
        changed = True  # it may be, if it fails
        try:
            changed = await self._grant(key, wishes)
        except RequestError as error:
            changed = False
            for wish in wishes:
                wish.refuse(error)
        except Exception as error:
            for wish in wishes:
                wish.refuse(error)
        finally:
            queue.task = None
            queue.resting = changed
            if changed:
                asyncio.get_running_loop().call_later(PAUSE, self._rested, key, queue)
            else:
                self._go_on(key, queue)

    def _rested(self, key: _Key, queue: _Queue) -> None:
        queue.resting = False
        self._go_on(key, queue)

    async def _grant(self, key: _Key, wishes: Sequence[_Wish]) -> bool:
        """Makes one change of all that is wished, and answers; returns whether the message was changed."""
        for _ in range(TRIES):
            wishes = [wish for wish in wishes if not wish.done.done()]
            if not wishes:
                return False
            message = await self._read(key)
            # After the message was read: who was removed meanwhile must not see what was written since.
            await self._refuse_absent(key, wishes)
            wishes = [wish for wish in wishes if not wish.done.done()]
            # Read after the message: if they are changed in between, so is the message, and the log refuses.
            reactions, changes, refused = await self._merged(key, from_json(message), wishes)
            for wish in refused:
                detail = f"People have reacted to this message with {MAX_KINDS} emojis, and more there cannot be."
                wish.refuse(Forbidden("too_many_reactions", detail))
            wishes = [wish for wish in wishes if not wish.done.done()]
            try:
                if changes:
                    message = await self._send(key, message, reactions, changes, wishes)
                else:
                    await self._delivery.finish(key.conversation, key.both)
            except MessageChanged:
                continue
            except Absent as error:
                for wish in wishes:
                    if wish.reaction.user in error.users:
                        wish.refuse(not_a_member())
                continue
            except Blocked as error:
                # What is only taken away goes on.
                added = {field for how, field in changes if how == "add"}
                for wish in wishes:
                    if wish.wanted and wish.reaction.field(key.seq) in added:
                        wish.refuse(blocked(key.conversation, error.by, wish.reaction.user))
                continue
            except NotAppended as error:
                raise of_the_log(error, key.conversation, UserId("")) or error from None
            for wish in wishes:
                if not wish.done.done():
                    wish.done.set_result(message)
            return bool(changes)
        raise busy()

    async def _refuse_absent(self, key: _Key, wishes: Sequence[_Wish]) -> None:
        """Refuses those who may not change the message (any more)."""
        if key.both is not None:
            return
        users = [wish.reaction.user for wish in wishes]
        for wish, entered in zip(wishes, await self._participants.of_group(users, key.conversation), strict=True):
            try:
                entered.must_change(key.seq)
            except RequestError as error:
                wish.refuse(error)

    async def _read(self, key: _Key) -> bytes:
        """The message, which people can react to."""
        if key.seq > await self._conversations.newest_seq(key.conversation):
            raise unknown_message(key.seq)
        [message] = await self._conversations.messages(key.conversation, (key.seq,))
        if message is None:
            raise unknown_message(key.seq)
        if b'"deleted":true' in message and "deleted" in from_json(message):
            raise deleted(key.seq)
        return message

    async def _merged(
        self, key: _Key, message: Mapping[str, Any], wishes: Sequence[_Wish]
    ) -> tuple[list[dict[str, Any]], list[tuple[str, str]], list[_Wish]]:
        """The message's `reactions` as they shall be, the changes of the set, and the wishes that cannot be met."""
        asked = list(dict.fromkeys(wish.reaction for wish in wishes))
        before = dict(zip(asked, await self._reactions.given(key.conversation, key.seq, asked), strict=True))
        shown: dict[str, dict[str, Any]] = {kind["emoji"]: kind for kind in message.get("reactions", ())}
        by_emoji: dict[str, list[Reaction]] = {}
        for one in asked:
            by_emoji.setdefault(one.emoji, []).append(one)
        # So many names that three are left if all of these are taken away.
        names = [(emoji, USERS_SHOWN + len(some)) for emoji, some in by_emoji.items()]
        kinds = dict(zip(by_emoji, await self._reactions.kinds(key.conversation, key.seq, names), strict=True))
        after = dict(before)
        counts = {emoji: kind.total for emoji, kind in kinds.items()}
        present = len(shown)
        refused = []
        for wish in wishes:
            reaction, emoji = wish.reaction, wish.reaction.emoji
            if wish.wanted and counts[emoji] == 0 and present >= MAX_KINDS:
                refused.append(wish)
            elif wish.wanted is not after[reaction]:
                present += (counts[emoji] == 0) - (counts[emoji] == 1 and not wish.wanted)
                counts[emoji] += 1 if wish.wanted else -1
                after[reaction] = wish.wanted
        changes = [
            ("add" if after[reaction] else "remove", reaction.field(key.seq))
            for reaction in asked
            if after[reaction] is not before[reaction]
        ]
        for emoji, some in by_emoji.items():
            if counts[emoji]:
                users = _first(kinds[emoji], some, after)
                shown[emoji] = {"emoji": emoji, "count": counts[emoji], "users": users}
            else:
                shown.pop(emoji, None)
        return list(shown.values()), changes, refused

    async def _send(
        self,
        key: _Key,
        message: bytes,
        reactions: Sequence[Mapping[str, Any]],
        changes: Sequence[tuple[str, str]],
        wishes: Sequence[_Wish],
    ) -> bytes:
        fields = {name: value for name, value in from_json(message).items() if name != "reactions"}
        if reactions:
            fields["reactions"] = reactions
        present = tuple(dict.fromkeys(wish.reaction.user for wish in wishes))
        precondition = Precondition(present=present) if key.both is None else None
        only_less = all(how == "remove" for how, _ in changes)
        action = changed_message(
            MESSAGE_UPDATED, message, fields, reactions=changes, precondition=precondition, across_blocks=only_less
        )
        return (await self._delivery.send(action, key.both, by=present))[0]


def _first(kind: OfEmoji, asked: Sequence[Reaction], after: Mapping[Reaction, bool]) -> list[UserId]:
    """The first names of those who have reacted with an emoji, after these reactions were changed."""
    users = set(kind.users) - {one.user for one in asked} | {one.user for one in asked if after[one]}
    return sorted(users)[:USERS_SHOWN]


def qualified(text: str) -> str:
    """An emoji in the form in which Unicode recommends it (UTS #51, fully-qualified): one heart, however it is typed.

    Raises:
        BadRequest: `not_an_emoji`.
    """
    import emoji as emojis  # imported late: 3 MB, in each worker, for those who react

    if not emojis.is_emoji(text):
        raise BadRequest("not_an_emoji", "React with one emoji, percent-encoded in the path.")
    about = emojis.EMOJI_DATA[text]
    if about["status"] in (emojis.STATUS["fully_qualified"], emojis.STATUS["component"]):
        return text
    return emojis.emojize(about["en"])
