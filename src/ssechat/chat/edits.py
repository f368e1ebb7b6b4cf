"""Changes of messages: edits and deletions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json

from ssechat.chat.decisions import TRIES, role_of
from ssechat.chat.messages import mentioned_or, not_mentionable
from ssechat.chat.participants import Participants, Participation
from ssechat.chat.refusals import busy, deleted, not_allowed, unknown_conversation
from ssechat.errors import Conflict
from ssechat.events import frames
from ssechat.events.kinds import MESSAGE_DELETED, MESSAGE_UPDATED
from ssechat.ids import UserId
from ssechat.logs.actions import Action, changed_message, now
from ssechat.logs.delivery import Delivery
from ssechat.logs.members import Members
from ssechat.logs.membership import Precondition
from ssechat.logs.refused import MembersChanged, MessageChanged, NotAppended
from ssechat.texts.timestamps import timestamp

ORDER = (
    "conversation_id", "seq", "version", "sender", "text", "client_msg_id", "created_at", "edited_at", "reply_to",
    "mentions", "data", "reactions",
)  # fmt: skip
"""Of the fields of a message."""

Expected = Callable[[bytes], bool]
"""Whether a message (JSON) is the one that the request wants to change."""


class Edit(NamedTuple):
    """What of a message shall be otherwise; None: stays as it is."""

    text: str | None = None
    mentions: Sequence[UserId] | None = None
    """Nobody: ()."""
    data: Mapping[str, Any] | None = None
    without_data: bool = False

    def of(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The message, edited."""
        edited = dict(message)
        if self.text is not None:
            edited["text"] = self.text
        if self.mentions is not None:
            edited["mentions"] = list(self.mentions)
        if self.data is not None:
            edited["data"] = self.data
        if self.without_data:
            edited.pop("data", None)
        if not edited.get("mentions"):
            edited.pop("mentions", None)
        return edited


class Edits:
    """Edits and deletes messages on behalf of a user."""

    def __init__(self, participants: Participants, members: Members, delivery: Delivery) -> None:
        self._participants = participants
        self._members = members
        self._delivery = delivery

    async def edit(self, user: UserId, conversation: str, seq: int, edit: Edit, expected: Expected | None) -> bytes:
        """Edits one's own message; returns it (JSON) as it stands then.

        Raises:
            NotFound: `unknown_conversation`, `unknown_message`.
            Forbidden: `not_a_member`, `ended`, `blocked`; `not_allowed`: it is somebody else's.
            Conflict: `deleted`; `changed` (412): it is not the expected one, nor what it shall be.
            BadRequest: who is mentioned is no member.
        """

        async def decide(entered: Participation, stands: bytes) -> Action | None:
            message = from_json(stands)
            if message["sender"] != user:
                raise not_allowed("Only who sent a message can edit it.")
            if "deleted" in message:
                raise deleted(seq)
            edited = edit.of(message)
            if frames.encode(edited) == frames.encode(message):
                return None
            _check(expected, stands)
            added = [one for one in edited.get("mentions", ()) if one not in message.get("mentions", ())]
            strangers = [] if entered.both is None else [one for one in added if one not in entered.both]
            if strangers:
                raise not_mentionable(strangers)
            at = now()
            edited["edited_at"] = timestamp(at)
            ordered = {name: edited[name] for name in ORDER if name in edited}
            precondition = Precondition(present=tuple(dict.fromkeys((user, *added)))) if entered.both is None else None
            return changed_message(MESSAGE_UPDATED, stands, ordered, at, precondition=precondition)

        return await self._change(user, conversation, seq, decide)

    async def delete(self, user: UserId, conversation: str, seq: int, expected: Expected | None) -> bytes:
        """Deletes a message: one's own, or as owner or admin another's; returns the tombstone (JSON).

        Raises:
            NotFound: `unknown_conversation`, `unknown_message`.
            Forbidden: `not_a_member`, `ended`, `not_allowed`.
            Conflict: `changed` (412): it is not the expected one, nor deleted.
        """

        async def decide(entered: Participation, stands: bytes) -> Action | None:
            message = from_json(stands)
            precondition = await self._precondition_of_deletion(entered, UserId(message["sender"]))
            if "deleted" in message:
                return None
            _check(expected, stands)
            tombstone = {name: message[name] for name in ("conversation_id", "seq", "version", "sender", "created_at")}
            tombstone["deleted"] = True
            return changed_message(
                MESSAGE_DELETED,
                stands,
                tombstone,
                reactions=[("clear", f"{seq}:")],
                precondition=precondition,
                across_blocks=True,
            )

        return await self._change(user, conversation, seq, decide)

    async def _change(
        self,
        user: UserId,
        conversation: str,
        seq: int,
        decide: Callable[[Participation, bytes], Awaitable[Action | None]],
    ) -> bytes:
        """Changes a message as decided from how it stands; decided anew if somebody else was quicker."""
        for _ in range(TRIES):
            entered = await self._participants.enter(user, conversation)
            entered.must_change(seq)
            stands = await self._participants.stored(entered, seq)
            # Once more, after it was read: who is removed meanwhile, and added again, may not read it any more.
            entered = await self._participants.again(entered)
            entered.must_change(seq)
            action = await decide(entered, stands)
            if action is None:
                await self._delivery.finish(entered.conversation, entered.both)
                # What is answered was read before; who is removed meanwhile does not see it.
                return await self._participants.message(entered, seq)
            try:
                return (await self._delivery.send(action, entered.both, by=(user,)))[0]
            except (MessageChanged, MembersChanged):
                continue
            except NotAppended as error:
                raise mentioned_or(error, entered.conversation, user) from None
        raise busy()

    async def _precondition_of_deletion(self, entered: Participation, sender: UserId) -> Precondition | None:
        if entered.both is not None:
            if sender != entered.user:
                raise not_allowed("Only who sent a message can delete it.")
            return None
        if sender == entered.user:
            return Precondition(present=(entered.user,))
        roster = await self._members.roster(entered.conversation)
        if roster is None:
            raise unknown_conversation(entered.conversation)
        role = role_of(roster, entered.user)
        theirs = roster.members.get(sender)
        moderates = role == "owner" or (role == "admin" and (theirs is None or theirs.role == "member"))
        if not moderates:
            raise not_allowed(
                "Only who sent a message can delete it, an owner, or an admin unless an owner or admin sent it."
            )
        return Precondition(list_version=roster.group.list_version)


def _check(expected: Expected | None, stands: bytes) -> None:
    if expected is not None and not expected(stands):
        detail = "The message was changed meanwhile: read it again, and decide anew (If-Match does not match its ETag)."
        raise Conflict("changed", detail, status=412)
