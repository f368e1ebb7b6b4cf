"""The limits of a server, in numbers."""

from collections.abc import Mapping
from typing import Any

from ssechat.chat.blocks import MAX_BLOCKS
from ssechat.chat.feeds import MAX_PUBLISHERS
from ssechat.chat.groups import MAX_NAME, MAX_TOPIC
from ssechat.chat.messages import MAX_DATA, MAX_MENTIONS
from ssechat.chat.reactions import MAX_KINDS
from ssechat.chat.receipts import MAX_MEMBERS as MAX_RECEIPTS
from ssechat.chat.typing import MAX_MEMBERS as MAX_TYPING
from ssechat.http.requests import LONGEST_INVITE, PAGE_ITEMS
from ssechat.identity.auth import TICKET_SECONDS
from ssechat.identity.leases import AT_ONCE, Leases
from ssechat.identity.quotas import Quotas
from ssechat.identity.sessions import MAX_SESSIONS
from ssechat.identity.watch_lists import MAX_LISTS, MAX_NAMES
from ssechat.logs.feeds import LARGEST, MOST_BYTES, MOST_FEEDS, MOST_FEEDS_OF_ONE, MOST_IDS, MOST_KEPT, MOST_KEYS
from ssechat.logs.invites import MAX_INVITES
from ssechat.logs.members import MAX_MEMBERS
from ssechat.logs.pages import PAGE_BYTES
from ssechat.settings import Settings


def limits(settings: Settings, quotas: Quotas, leases: Leases) -> Mapping[str, Any]:
    """What `GET /v1/limits` answers: the quotas, and each limit by its name."""
    ours = not settings.external_identity
    return {
        "quotas": [
            {"name": quota.name, "per": quota.per, "limit": quota.limit, "window_seconds": quota.seconds}
            for quota in (leases.quota, *quotas.all)
            if quota.limit and (ours or quota.per == "user")
        ],
        "body_bytes": settings.body_limit,
        "page_bytes": PAGE_BYTES,
        "page_items": PAGE_ITEMS,
        "inbox_events": settings.inbox_limit,
        "requests_per_user_and_worker": AT_ONCE,
        "streams_per_user_and_worker": settings.streams_per_user,
        "sessions_per_user": MAX_SESSIONS,
        "ticket_seconds": TICKET_SECONDS,
        "group_members": MAX_MEMBERS,
        "group_name_bytes": MAX_NAME,
        "group_topic_bytes": MAX_TOPIC,
        "invites_per_group": MAX_INVITES,
        "invite_seconds": LONGEST_INVITE,
        "mentions_per_message": MAX_MENTIONS,
        "message_data_bytes": MAX_DATA,
        "reaction_kinds_per_message": MAX_KINDS,
        "receipts_group_members": MAX_RECEIPTS,
        "typing_group_members": MAX_TYPING,
        "blocks_per_user": MAX_BLOCKS,
        "watched_users": MAX_NAMES,
        "watch_lists": MAX_LISTS,
        "feeds": MOST_FEEDS,
        "feeds_per_user": MOST_FEEDS_OF_ONE,
        "feed_publishers": MAX_PUBLISHERS,
        "feed_events": MOST_KEPT,
        "feed_keys": MOST_KEYS,
        "feed_bytes": MOST_BYTES,
        "feed_event_bytes": LARGEST,
        "feed_ids": MOST_IDS,
        "readers_per_feed_and_worker": settings.readers_per_feed,
    }
