"""What a server says about feeds, typed."""

from datetime import datetime
from typing import Any

from pydantic import Field

from ssechat.client.models import Model


class Feed(Model):
    """A feed, as whoever made it sees it."""

    name: str
    read_by: str = Field("", alias="read")
    """`public`, `users` or `group`."""
    group: str = ""
    """Whose members read it."""
    keep: int = 0
    keyed: bool = False
    publishers: tuple[str, ...] = ()


class FeedItem(Model):
    """Something that was published in a feed."""

    data: Any = None
    """Whatever it is; of a feed with keys None says that the key was deleted."""
    key: str = ""
    """Empty in a feed without keys."""
    created_at: datetime | None = None


class FeedEntry(FeedItem):
    """An event of a feed."""

    id: str
    event: str = "message"


class FeedNow(Model):
    """What a feed has now."""

    name: str
    keyed: bool = False
    id: str = ""
    """Of the newest event: what comes after it follows on a stream `since` it."""
    events: tuple[FeedEntry, ...] = ()


class Published(Model):
    """An event that was published."""

    id: str
    created_at: datetime | None = None
