"""The endpoint of the server's limits."""

from typing import Any

from ssechat.chat.groups import MAX_NAME, MAX_TOPIC
from ssechat.chat.messages import MAX_DATA, MAX_MENTIONS
from ssechat.chat.reactions import MAX_KINDS
from ssechat.http.contract import server
from ssechat.http.exchange import Request, Response
from ssechat.http.requests import LONGEST_INVITE, PAGE_ITEMS
from ssechat.http.responses import json_response
from ssechat.http.routing import Route
from ssechat.identity.auth import TICKET_SECONDS
from ssechat.identity.quotas import Quotas
from ssechat.logs.invites import MAX_INVITES
from ssechat.logs.members import MAX_MEMBERS
from ssechat.logs.pages import PAGE_BYTES
from ssechat.settings import Settings


class LimitsEndpoint:
    """`/v1/limits`. No credential is needed: some limits concern clients that are not signed in."""

    def __init__(self, settings: Settings, quotas: Quotas) -> None:
        ours = not settings.external_identity
        self._content: dict[str, Any] = {
            "quotas": [
                {"name": quota.name, "per": quota.per, "limit": quota.limit, "window_seconds": quota.seconds}
                for quota in quotas.all
                if ours or quota.per == "user"
            ],
            "body_bytes": settings.body_limit,
            "page_bytes": PAGE_BYTES,
            "page_items": PAGE_ITEMS,
            "inbox_events": settings.inbox_limit,
            "streams_per_user_and_worker": settings.streams_per_user,
            "ticket_seconds": TICKET_SECONDS,
            "group_members": MAX_MEMBERS,
            "group_name_bytes": MAX_NAME,
            "group_topic_bytes": MAX_TOPIC,
            "invites_per_group": MAX_INVITES,
            "invite_seconds": LONGEST_INVITE,
            "mentions_per_message": MAX_MENTIONS,
            "message_data_bytes": MAX_DATA,
            "reaction_kinds_per_message": MAX_KINDS,
        }

    def routes(self) -> list[Route]:
        return [Route.of(server.LIMITS, self.show)]

    async def show(self, _: Request) -> Response:
        """`GET`: the limits as numbers."""
        return json_response(self._content)
