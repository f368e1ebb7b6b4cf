"""Messages: sending, reading and changing them, as a client asks for it."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from ssechat.client.calls import Calls
from ssechat.client.errors import Doubt
from ssechat.client.models import Message, Page, Reaction
from ssechat.client.objects import object_of
from ssechat.client.pages import PAGE_ITEMS, pages
from ssechat.client.transport import path


class Unset(Enum):
    """What is not given, where None means something."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return self.value


UNSET: Final = Unset.UNSET


class Messages:
    """What a user can do with messages."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def send(
        self,
        to: str,
        text: str,
        *,
        client_msg_id: str | None = None,
        reply_to: int | None = None,
        mentions: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
        patience: float | None = None,
    ) -> Message:
        """Sends a text to a user, or to a conversation if `to` is the id of one, and returns the message.

        It is sent once, however many attempts that takes: all have the same `client_msg_id`. A program that could be
        killed before it knows that a message was sent gives one of its own, made from what the message is about: sent
        again with the same id, it is there once. The server remembers ids for seven days at least.

        `reply_to` is the seq of the message that this one answers, `mentions` are members, `data` is an object of your
        application's. `patience`: as for the client, for this message.

        Raises:
            Refused: `unknown_user`, `not_a_member` …; `idempotency_conflict`: another message has this `client_msg_id`.
            NotConfirmed: it may have been sent; the error has the `client_msg_id` to repeat it with.
        """
        body: dict[str, Any] = {"conversation_id": to} if ":" in to else {"to": to}
        body |= {"text": text, "client_msg_id": uuid.uuid4().hex if client_msg_id is None else client_msg_id}
        if reply_to is not None:
            body["reply_to"] = reply_to
        if mentions:
            body["mentions"] = list(mentions)
        if data is not None:
            body["data"] = data
        answer = await self._calls.object("POST", "/v1/messages", body=body, patience=patience, doubt=Doubt.MESSAGE)
        return Message.read(answer)

    async def message(self, conversation: str, seq: int) -> Message:
        """One message as it stands."""
        return await self._one("GET", _message(conversation, seq), doubt=Doubt.NOTHING)

    async def edit(
        self,
        conversation: str,
        seq: int,
        text: str | None = None,
        *,
        mentions: Sequence[str] | None = None,
        data: Mapping[str, Any] | Unset | None = UNSET,
        if_match: str | None = None,
    ) -> Message:
        """Changes a message of one's own, and returns it. What is not given stays; `data=None` takes the data away.

        With `if_match`, the `etag` of a message, it is changed only if it still is as it was then (else 412).
        """
        body: dict[str, Any] = {} if text is None else {"text": text}
        if mentions is not None:
            body["mentions"] = list(mentions)
        if not isinstance(data, Unset):
            body["data"] = data
        return await self._one("PATCH", _message(conversation, seq), body=body, if_match=if_match)

    async def delete(self, conversation: str, seq: int, *, if_match: str | None = None) -> Message:
        """Deletes a message, and returns what is left of it. `if_match`: as for `edit`."""
        return await self._one("DELETE", _message(conversation, seq), if_match=if_match)

    async def react(self, conversation: str, seq: int, emoji: str) -> Message:
        """Adds a reaction to a message, and returns the message."""
        return await self._one("PUT", _message(conversation, seq) + path("reactions", emoji), body={})

    async def take_back(self, conversation: str, seq: int, emoji: str) -> Message:
        """Takes one's reaction to a message away, and returns the message."""
        return await self._one("DELETE", _message(conversation, seq) + path("reactions", emoji))

    def reactions(self, conversation: str, seq: int, *, user: str | None = None) -> AsyncIterator[Reaction]:
        """Yields who has reacted to a message, and how; or how one user has."""
        query = {} if user is None else {"user": user}
        return pages(self._calls, _message(conversation, seq) + "/reactions", "reactions", "after", Reaction, query)

    async def page(
        self,
        conversation: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        limit: int = 50,
    ) -> Page:
        """Messages before, after or around a seq, or the newest ones: one page of them, in their order."""
        seqs = {"before": before, "after": after, "around": around}
        query = {"limit": str(limit), **{name: str(seq) for name, seq in seqs.items() if seq is not None}}
        where = path("v1", "conversations", conversation, "messages")
        return Page.read(await self._calls.object("GET", where, query=query))

    async def history(
        self, conversation: str, *, before: int | None = None, after: int | None = None
    ) -> AsyncIterator[Message]:
        """Yields the messages of a conversation, the newest one first; with `after`, the oldest one first.

        `before` and `after` are the seq of a message that is not among them; `after=0` begins with the first message of
        all. Further pages are asked for as they are needed.
        """
        forward = after is not None
        while True:
            page = await self.page(conversation, before=before, after=after, limit=PAGE_ITEMS)
            for message in page.messages if forward else reversed(page.messages):
                yield message
            if not page.has_more or not page.messages:
                return
            if forward:
                after = page.messages[-1].seq
            else:
                before = page.messages[0].seq

    async def _one(self, method: str, where: str, *, doubt: Doubt = Doubt.CHANGE, **how: Any) -> Message:
        response = await self._calls.ask(method, where, doubt=doubt, **how)
        return Message.of(object_of(response), response.headers.get("etag"))


def _message(conversation: str, seq: int) -> str:
    return path("v1", "conversations", conversation, "messages", seq)
