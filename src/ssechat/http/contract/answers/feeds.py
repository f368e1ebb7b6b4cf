"""Answers about feeds, and the events of their streams."""

from typing import Annotated, Any, Literal

from pydantic import Field

from ssechat.events.models import Count, Timestamp
from ssechat.http.contract.answers.base import AnswerBody

ReadBy = Literal["public", "users", "group"]


class FeedSettings(AnswerBody):
    """A feed, as whoever made it sees it."""

    name: str
    """Its name."""
    read: ReadBy
    """Who reads it: anybody, users, or the members of a group."""
    group: str | None = None
    """That group."""
    keep: Count
    """Events that it keeps; of a feed with keys the newest of each is kept."""
    keyed: bool
    """Whether each event is the newest value of a key."""
    publishers: list[str]
    """Users who publish, besides who made it."""


class FeedItem(AnswerBody):
    """What was published."""

    key: str | None = None
    """The key, of a feed with keys."""
    data: Annotated[Any, Field(json_schema_extra={"description": "Any JSON; null: the key was deleted."})]
    created_at: Timestamp
    """When it was published."""


class FeedEntry(FeedItem):
    """An event of a feed."""

    id: str
    """As the stream has it."""
    event: str
    """The name that its publisher gave it."""


class PublishedEvent(AnswerBody):
    """An event that was published."""

    id: str
    """The id that it has on the stream."""
    created_at: Timestamp
    """When it was published."""


class FeedNow(AnswerBody):
    """A feed and what it has now."""

    name: str
    """Its name."""
    keyed: bool
    """Whether each event is the newest value of a key."""
    id: str
    """The id of the newest event: a stream that resumes after it misses nothing."""
    events: list[FeedEntry]
    """The newest, in order; of a feed with keys the newest of each key."""


class FeedHello(AnswerBody):
    """Which feed it is, and where the stream stands."""

    feed: str
    """The name of the feed."""
    resumed: bool
    """Whether it goes on after the id that the client sent."""
    missed: Count
    """Events that were published since then. Of a feed with keys only the newest of each follows."""
