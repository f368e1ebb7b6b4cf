"""Answers about the server itself."""

from typing import Literal

from ssechat.events.models import Count
from ssechat.http.contract.answers.base import AnswerBody


class Server(AnswerBody):
    """A server."""

    name: Literal["ssechat"]
    """What it is."""
    version: str
    """Its version."""
    sign_up: bool
    """Whether `POST /v1/users` is open."""
    sign_in: bool
    """Whether `POST /v1/session` is open."""
    directory: bool
    """Whether users are found by the first letters of their names: `GET /v1/users?prefix=`."""
    avatars: bool
    """Whether the server's page shows pictures of people."""
    banner: str | None = None
    """The feed whose newest event the server's page shows as a banner."""


class Quota(AnswerBody):
    """How often something may be done."""

    name: str
    """As in `RateLimit`."""
    per: str
    """What attempts are counted by."""
    limit: Count
    """Attempts in a window; of `deliveries`: inboxes that your changes reach."""
    window_seconds: Count
    """Seconds of a window."""


class Limits(AnswerBody):
    """All limits, in numbers."""

    quotas: list[Quota]
    """How often something may be tried."""
    body_bytes: Count
    """Bytes of a request's body."""
    page_bytes: Count
    """Bytes of a page of messages or conversations."""
    page_items: Count
    """Items of a page: the largest `limit`."""
    inbox_events: Count
    """Events that the server keeps for a reader who is away."""
    requests_per_user_and_worker: Count
    """Requests of one user that a worker works on at a time: further ones wait for their turn, unless too many do (503
    `full`)."""
    streams_per_user_and_worker: Count
    """Streams that one user may have open on one worker."""
    sessions_per_user: Count
    """Sessions of a user; with one more, the one that was not seen for the longest ends."""
    ticket_seconds: Count
    """Seconds for which a ticket can be used."""
    group_members: Count
    """Members of a group."""
    group_name_bytes: Count
    """Bytes of a group's name."""
    group_topic_bytes: Count
    """Bytes of a group's topic."""
    invites_per_group: Count
    """Invitations of a group that can be used."""
    invite_seconds: Count
    """Seconds for which an invitation can be used."""
    mentions_per_message: Count
    """Users whom a message may mention."""
    message_data_bytes: Count
    """Bytes of a message's `data`, as JSON."""
    reaction_kinds_per_message: Count
    """Different emoji on one message."""
    receipts_group_members: Count
    """Members of a group in which receipts are shown."""
    typing_group_members: Count
    """Members of a group in which it is said who is writing."""
    blocks_per_user: Count
    """People whom one user blocks."""
    watched_users: Count
    """Users in one list of `PUT /v1/presence`."""
    watch_lists: Count
    """Such lists of one user: one more takes the place of the oldest."""
    feeds: Count
    """Feeds of the server."""
    feeds_per_user: Count
    """Feeds that one user has made."""
    feed_publishers: Count
    """Users who may publish in a feed, besides who made it."""
    feed_events: Count
    """Events that a feed keeps: the largest `keep`."""
    feed_keys: Count
    """Keys of a feed."""
    feed_bytes: Count
    """Bytes of the events that a feed keeps. One without keys drops the oldest, one with keys takes no more."""
    feed_event_bytes: Count
    """Bytes of an event's `data`, as JSON."""
    feed_ids: Count
    """Ids of publications that a feed remembers, at least, within a day."""
    readers_per_feed_and_worker: Count
    """Streams that one feed may have open on one worker."""


class Live(AnswerBody):
    """The process answers."""

    status: Literal["live"]
    """It answers."""


class Checks(AnswerBody):
    """What a server needs, and whether it has it."""

    redis: bool
    """Redis answers."""
    writes: bool
    """Redis takes writes."""
    subscriptions: bool
    """New events reach this worker at once."""
    keys: bool | None = None
    """Whether the keys that verify tokens are known; only where they are fetched."""


class Readiness(AnswerBody):
    """Whether the server can serve."""

    status: Literal["ready", "degraded"]
    """Whether it can serve."""
    checks: Checks
    """What it needs."""
    streams: Count
    """Open streams of this worker."""
    refused: list[str] | None = None
    """Redis's error codes, if it refuses something."""
