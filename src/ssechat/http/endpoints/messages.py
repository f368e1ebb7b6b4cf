"""Sending."""

import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from ssechat.chat.rules import Chat
from ssechat.errors import BadRequest
from ssechat.http.fast_path import Answer, Endpoint
from ssechat.http.guard import Guard
from ssechat.http.headers import header
from ssechat.http.requests import NewMessage
from ssechat.http.responses import JSON, parse


class Messages:
    """`/v1/messages`."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [Route("/v1/messages", self.post, methods=["POST"])]

    def direct(self) -> dict[tuple[bytes, bytes], Endpoint]:
        """What can be answered without ASGI."""
        return {(b"POST", b"/v1/messages"): self.send}

    async def post(self, request: Request) -> Response:
        """`POST`, as a route."""
        await self._guard.identify(request.scope)  # so that a stranger's body is not read
        answer = await self.send(request.scope, await self._guard.body(request))
        return JSON(answer.body, answer.status)

    async def send(self, scope: Scope, body: bytes) -> Answer:
        """201 with the message, or 200 with the one that this client_msg_id has become before."""
        sender = (await self._guard.identify(scope)).user
        self._guard.check_write(scope)
        self._guard.check_size(len(body))
        message = parse(NewMessage, body)
        client_msg_id = _client_msg_id(message, header(scope, b"idempotency-key"))
        if message.to is not None:
            sent, is_new = await self._chat.send_to(sender, message.to, message.text, client_msg_id)
        else:
            sent, is_new = await self._chat.send(sender, message.conversation_id or "", message.text, client_msg_id)
        return Answer(201 if is_new else 200, sent)


def _client_msg_id(message: NewMessage, header: str | None) -> str:
    """The body's, the `Idempotency-Key` header's (the same thing), or a new one."""
    if header is None:
        return message.client_msg_id or secrets.token_hex(16)
    if message.client_msg_id not in (None, header):
        raise BadRequest("invalid_request", "Idempotency-Key and client_msg_id differ; send one of them.")
    checked = parse(NewMessage, {"to": "x", "text": "x", "client_msg_id": header})
    return checked.client_msg_id or ""
