"""Sending."""

import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ssechat.chat import Chat
from ssechat.endpoints.http import JSON, Gate, parse
from ssechat.errors import BadRequest
from ssechat.models import NewMessage


class Messages:
    """`/v1/messages`."""

    def __init__(self, gate: Gate, chat: Chat) -> None:
        self._gate = gate
        self._chat = chat

    def routes(self) -> list[Route]:
        return [Route("/v1/messages", self.send, methods=["POST"])]

    async def send(self, request: Request) -> Response:
        """`POST`: 201 with the message, or 200 with the one that this client_msg_id has become before."""
        sender = (await self._gate.identify(request)).user
        message = await self._gate.read(request, NewMessage)
        client_msg_id = _client_msg_id(message, request.headers.get("idempotency-key"))
        if message.to is not None:
            conversation: str = await self._chat.conversation_with(sender, message.to)
        else:
            conversation = message.conversation_id or ""
        sent, is_new = await self._chat.send(sender, conversation, message.text, client_msg_id)
        return JSON(sent, 201 if is_new else 200)


def _client_msg_id(message: NewMessage, header: str | None) -> str:
    """The body's, the `Idempotency-Key` header's (the same thing), or a new one."""
    if header is None:
        return message.client_msg_id or secrets.token_hex(16)
    if message.client_msg_id not in (None, header):
        raise BadRequest("invalid_request", "Idempotency-Key and client_msg_id differ; send one of them.")
    checked = parse(NewMessage, {"to": "x", "text": "x", "client_msg_id": header})
    return checked.client_msg_id or ""
