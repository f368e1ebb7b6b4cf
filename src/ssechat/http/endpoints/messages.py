"""Endpoints of messages: sending, reading, editing and deleting them."""

import secrets

from ssechat.chat.edits import Edit
from ssechat.chat.messages import PLAIN, Extras
from ssechat.chat.rules import Chat
from ssechat.http.contract import messages
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard, client_msg_id
from ssechat.http.messages import array, if_match, message_response, seq_of
from ssechat.http.requests import HistoryQuery, MessageChange, NewMessage
from ssechat.http.responses import json_response, parse
from ssechat.http.routing import Route
from ssechat.ids import UserId


class MessagesEndpoint:
    """`/v1/messages`, and the messages of a conversation."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [
            Route.of(messages.SEND, self.send),
            Route.of(messages.HISTORY, self.history),
            Route.of(messages.SHOW, self.show),
            Route.of(messages.EDIT, self.edit),
            Route.of(messages.DELETE, self.delete),
        ]

    async def send(self, request: Request) -> Response:
        """`POST`: 201 with the message, or 200 with the earlier message if the client_msg_id was used before."""
        # Identified first: the body of an unauthenticated request is not read.
        sender = (await self._guard.identify(request)).user
        message = await self._guard.read(request, NewMessage)
        key = client_msg_id(request, message.client_msg_id) or secrets.token_hex(16)
        to, text, extras = message.to, message.text, _extras(message)
        messages = self._chat.messages
        if to is not None:
            sent, is_new = await messages.send_to(sender, to, text, key, extras)
        else:
            sent, is_new = await messages.send(sender, message.conversation_id or "", text, key, extras)
        return json_response(sent, 201 if is_new else 200)

    async def history(self, request: Request) -> Response:
        """`GET`: messages before, after or around a seq, or the newest ones."""
        user = (await self._guard.identify(request)).user
        query = parse(HistoryQuery, request.query)
        page = await self._chat.history.page(
            user,
            request.parameters["id"],
            query.limit,
            before=query.before,
            after=query.after,
            around=query.around,
        )
        more = b'"has_more":%b' % _json(page.more)
        if query.around is not None:
            more += b',"has_more_before":%b,"has_more_after":%b' % (_json(page.more_before), _json(page.more_after))
        return json_response(b'{"messages":%b,%b}' % (array(page.messages), more))

    async def show(self, request: Request) -> Response:
        """`GET`: one message."""
        user = (await self._guard.identify(request)).user
        message = await self._chat.messages.one(user, request.parameters["id"], seq_of(request))
        return message_response(message)

    async def edit(self, request: Request) -> Response:
        """`PATCH`: edits one's own message."""
        user = (await self._guard.identify(request)).user
        change = await self._guard.read(request, MessageChange)
        mentions = None if change.mentions is None else tuple(map(UserId, change.mentions))
        edit = Edit(change.text, mentions, change.data, change.without_data)
        message = await self._chat.edits.edit(user, request.parameters["id"], seq_of(request), edit, if_match(request))
        return message_response(message)

    async def delete(self, request: Request) -> Response:
        """`DELETE`: deletes a message, and answers with its tombstone."""
        self._guard.check_origin(request)
        user = (await self._guard.identify(request)).user
        message = await self._chat.edits.delete(user, request.parameters["id"], seq_of(request), if_match(request))
        return message_response(message)


def _extras(message: NewMessage) -> Extras:
    if message.reply_to is None and not message.mentions and message.data is None:
        return PLAIN  # as most are
    return Extras(message.reply_to, tuple(map(UserId, message.mentions or ())), message.data)


def _json(value: bool) -> bytes:
    return b"true" if value else b"false"
