"""Messages: sending and reading them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic_core import from_json

from ssechat.chat.participants import Participants
from ssechat.chat.refusals import blocked, ended, not_a_member, of_the_log, unknown_users, wrong_field
from ssechat.errors import BadRequest, Forbidden, NotFound, RequestError
from ssechat.identity.users import Users
from ssechat.ids import ConversationId, UserId, direct_conversation, is_group, user_id
from ssechat.logs.access import tombstone
from ssechat.logs.actions import Action, new_message
from ssechat.logs.delivery import Delivery
from ssechat.logs.membership import Precondition
from ssechat.logs.refused import Absent, Blocked, GroupEnded, NotAppended

MAX_MENTIONS = 50
"""People whom one message mentions."""

MAX_DATA = 16 * 1024
"""Bytes of a message's `data`, as JSON."""

NOBODY = UserId("-")
"""No user has this name."""


class Extras(NamedTuple):
    """What a message can have besides its text."""

    reply_to: int | None = None
    mentions: Sequence[UserId] = ()
    data: Mapping[str, Any] | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """Of the message's JSON."""
        fields: dict[str, Any] = {}
        if self.reply_to is not None:
            fields["reply_to"] = self.reply_to
        if self.mentions:
            fields["mentions"] = self.mentions
        if self.data is not None:
            fields["data"] = self.data
        return fields


PLAIN = Extras()


class Messages:
    """Sends and reads messages on behalf of a user."""

    def __init__(self, participants: Participants, delivery: Delivery, users: Users) -> None:
        self._participants = participants
        self._delivery = delivery
        self._users = users

    async def send_to(
        self, sender: UserId, other: str, text: str, client_msg_id: str, extras: Extras = PLAIN
    ) -> tuple[bytes, bool]:
        """Sends a direct message; returns as `send` does.

        Raises:
            NotFound: `unknown_user`.
            Forbidden: `blocked`.
            BadRequest, Conflict: as `send` does.
        """
        recipient = UserId(other)
        if not self._users.is_cached(other):
            named = user_id(other)
            if named is None or not await self._users.exists(named):
                raise unknown_users((other,))
            recipient = named
        both = (sender,) if recipient == sender else (sender, recipient)
        return await self._send_direct(
            sender, direct_conversation(sender, recipient), both, text, client_msg_id, extras
        )

    async def send(
        self, sender: UserId, conversation: str, text: str, client_msg_id: str, extras: Extras = PLAIN
    ) -> tuple[bytes, bool]:
        """Appends a message and delivers it to all members.

        Returns the message (JSON) and whether it is new; a repeat returns the present state of the first message,
        whatever has changed since.

        Raises:
            NotFound: `unknown_conversation`.
            Forbidden: `not_a_member`, or the group has `ended`, or of two one has `blocked` the other.
            BadRequest: who is mentioned is no member, or what it replies to is not there.
            Conflict: `idempotency_conflict`.
        """
        if is_group(conversation):
            return await self._send_to_group(sender, ConversationId(conversation), text, client_msg_id, extras)
        entered, both = await self._participants.enter_direct(sender, conversation)
        return await self._send_direct(sender, entered, both, text, client_msg_id, extras)

    async def one(self, user: UserId, conversation: str, seq: int) -> bytes:
        """A message (JSON), as the user sees it.

        Raises:
            NotFound: `unknown_conversation`, `unknown_message`.
            Forbidden: `not_a_member`.
        """
        return await self._participants.message(await self._participants.enter(user, conversation), seq)

    async def _send_direct(
        self,
        sender: UserId,
        conversation: ConversationId,
        both: Sequence[UserId],
        text: str,
        client_msg_id: str,
        extras: Extras,
    ) -> tuple[bytes, bool]:
        try:
            if extras is PLAIN:
                return await self._delivery.send(new_message(conversation, sender, client_msg_id, text), both)
            action = new_message(conversation, sender, client_msg_id, text, more=extras.fields)
            strangers = [user for user in extras.mentions if user not in both]
            wrong = not_mentionable(strangers) if strangers else await self._wrong_reply(sender, conversation, extras)
            if wrong is not None:
                return await self._repeated(action, both, wrong)
            return await self._delivery.send(action, both)
        except Blocked as error:
            raise blocked(conversation, error.by, sender) from None

    async def _send_to_group(
        self, sender: UserId, group: ConversationId, text: str, client_msg_id: str, extras: Extras
    ) -> tuple[bytes, bool]:
        present = (sender,) if extras is PLAIN else tuple(dict.fromkeys((sender, *extras.mentions)))
        precondition = Precondition(present=present)
        action = new_message(group, sender, client_msg_id, text, more=extras.fields, precondition=precondition)
        if (wrong := await self._wrong_reply(sender, group, extras)) is not None:
            message, is_new = await self._repeated(action, None, wrong)
        else:
            try:
                message, is_new = await self._delivery.send(action, None, by=(sender,))
            except NotAppended as error:
                raise await self._refusal(error, group, sender) from None
        if is_new:
            return message, True
        # Of a repeat, too, who has left sees what it may read.
        entered = await self._participants.enter(sender, group)
        seq: int = from_json(message)["seq"]
        return entered.access.seen(group, seq, message) or tombstone(group, seq), False

    async def _refusal(self, error: NotAppended, group: ConversationId, sender: UserId) -> Exception:
        if isinstance(error, GroupEnded):
            # A stranger is told no more than before, nor is who has left.
            entered = await self._participants.enter(sender, group)
            return ended() if entered.standing is not None and entered.standing.member is not None else not_a_member()
        return mentioned_or(error, group, sender)

    async def _wrong_reply(self, sender: UserId, conversation: ConversationId, extras: Extras) -> RequestError | None:
        """Why the message cannot reply to what it names."""
        if extras.reply_to is None:
            return None
        try:
            message = from_json(await self.one(sender, conversation, extras.reply_to))
        except NotFound:
            return wrong_field("reply_to", f"there is no message {extras.reply_to} here that you may read")
        except Forbidden as error:
            return error
        if "deleted" in message:
            return wrong_field("reply_to", f"message {extras.reply_to} was deleted")
        return None

    async def _repeated(self, action: Action, both: Sequence[UserId] | None, wrong: RequestError) -> tuple[bytes, bool]:
        """Answers a repeat, whatever has changed since; anything else is wrong."""
        # The script knows a repeat before it asks for members: nothing but a repeat gets past one who cannot be.
        sender = () if action.precondition is None else action.precondition.present[:1]
        only_a_repeat = replace(action, precondition=Precondition(present=(*sender, NOBODY)))
        try:
            appended = await self._delivery.append(only_a_repeat, None)
        except Blocked:
            raise
        except NotAppended as error:
            if both is not None or (isinstance(error, Absent) and error.users == [NOBODY]):
                raise wrong from None
            # Rights come before what the message is about.
            raise await self._refusal(error, action.conversation, sender[0]) from None
        await self._delivery.finish(action.conversation, both)
        return appended.message, False


def not_mentionable(users: Sequence[UserId]) -> BadRequest:
    """The refusal to mention these: they are no members."""
    named = ", ".join(repr(user) for user in users[:10])
    return wrong_field("mentions", f"only members can be mentioned, and these are none: {named}")


def mentioned_or(error: NotAppended, group: ConversationId, user: UserId) -> Exception:
    """What the log's refusal is to a user who mentions others."""
    refused = of_the_log(error, group, user)
    if refused is None and isinstance(error, Absent):
        return not_mentionable(error.users)
    return refused or error
