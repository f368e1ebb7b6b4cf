"""The endpoint for sending messages."""

import secrets

from ssechat.chat.rules import Chat
from ssechat.errors import BadRequest
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.requests import NewMessage
from ssechat.http.responses import json_response, parse
from ssechat.http.routing import Route


class MessagesEndpoint:
    """`/v1/messages`."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [Route("POST", "/v1/messages", self.send)]

    async def send(self, request: Request) -> Response:
        """`POST`: 201 with the message, or 200 with the earlier message if the client_msg_id was used before."""
        # Identified first: the body of an unauthenticated request is not read.
        sender = (await self._guard.identify(request)).user
        message = await self._guard.read(request, NewMessage)
        client_msg_id = _client_msg_id(message, request.header(b"idempotency-key"))
        if message.to is not None:
            sent, is_new = await self._chat.send_to(sender, message.to, message.text, client_msg_id)
        else:
            sent, is_new = await self._chat.send(sender, message.conversation_id or "", message.text, client_msg_id)
        return json_response(sent, 201 if is_new else 200)


def _client_msg_id(message: NewMessage, header: str | None) -> str:
    """Returns the client_msg_id of the body or of the `Idempotency-Key` header, else a new one."""
    if header is None:
        return message.client_msg_id or secrets.token_hex(16)
    if message.client_msg_id not in (None, header):
        raise BadRequest("invalid_request", "Idempotency-Key and client_msg_id differ; send one of them.")
    checked = parse(NewMessage, {"to": "x", "text": "x", "client_msg_id": header})
    return checked.client_msg_id or ""
