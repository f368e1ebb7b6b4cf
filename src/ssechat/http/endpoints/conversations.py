"""Endpoints of conversations and their messages."""

from collections.abc import Iterable

from ssechat.chat.rules import Chat
from ssechat.events import frames
from ssechat.http.exchange import Request, Response
from ssechat.http.guard import Guard
from ssechat.http.requests import HistoryQuery, ListQuery
from ssechat.http.responses import json_response, parse
from ssechat.http.routing import Route
from ssechat.ids import direct_members
from ssechat.logs.conversations import Summary


class ConversationsEndpoint:
    """`/v1/conversations` and the paths below."""

    def __init__(self, guard: Guard, chat: Chat) -> None:
        self._guard = guard
        self._chat = chat

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1/conversations", self.list),
            Route("GET", "/v1/conversations/{id}/messages", self.history),
        ]

    async def list(self, request: Request) -> Response:
        """`GET`: the user's conversations, the one with the newest event first."""
        user = (await self._guard.identify(request)).user
        query = parse(ListQuery, request.query)
        listing = await self._chat.list(user, query.before, query.limit)
        following = b"null" if listing.next is None else b'"%d"' % listing.next
        conversations = _array(map(_summary, listing.conversations))
        return json_response(b'{"conversations":%b,"next":%b}' % (conversations, following))

    async def history(self, request: Request) -> Response:
        """`GET`: messages before or after a seq, or the newest ones."""
        user = (await self._guard.identify(request)).user
        query = parse(HistoryQuery, request.query)
        history = await self._chat.history(user, request.parameters["id"], query.before, query.after, query.limit)
        has_more = b"true" if history.more else b"false"
        return json_response(b'{"messages":%b,"has_more":%b}' % (_array(history.messages), has_more))


def _array(items: Iterable[bytes]) -> bytes:
    """Joins JSON values into an array; messages are stored as JSON, and need no parsing."""
    return b"[%b]" % b",".join(items)


def _summary(summary: Summary) -> bytes:
    members = direct_members(summary.id) or ()
    head = {
        "id": summary.id,
        "type": summary.id.partition(":")[0],
        "members": sorted(set(members)),
        "newest_seq": summary.newest_seq,
    }
    return frames.encode(head)[:-1] + b',"last_message":%b}' % (summary.last_message or b"null")
