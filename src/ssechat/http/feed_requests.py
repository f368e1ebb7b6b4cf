"""Pydantic models of the requests about feeds."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from ssechat.http.fields import EventName, FeedData, FeedKey, Publishers
from ssechat.http.requests import PAGE_ITEMS, EventsQuery, RequestBody, RequestQuery
from ssechat.logs.feed_terms import ReadBy
from ssechat.logs.feeds import MOST_KEPT


class FeedFields(RequestBody):
    """What a feed shall be."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {
                    "oneOf": [
                        {
                            "properties": {"read": {"const": "group"}, "group": {"type": "string"}},
                            "required": ["group"],
                        },
                        {"properties": {"read": {"enum": ["public", "users"]}, "group": {"type": "null"}}},
                    ]
                }
            ]
        }
    )

    read: ReadBy
    """Who reads it: anybody, without a credential (`public`), users, or the members of a `group`."""
    group: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    """With `read` `group`: a group; yours, unless you are the admin."""
    keep: Annotated[int, Field(ge=0, le=MOST_KEPT)] = 1000
    """Events that are kept for readers who were away; a feed has 1 MiB of them at most. With keys it does not count."""
    keyed: bool = False
    """Whether each event is the newest value of its `key`, and takes the place of the one before."""
    publishers: Publishers = Field(default_factory=list)
    """Users who may publish, besides you; in any spelling."""

    @model_validator(mode="after")
    def _names_a_group(self) -> Self:
        if (self.read == "group") != (self.group is not None):
            raise ValueError("give `group` with `read` `group`, and only then")
        return self


class NewFeedEvent(RequestBody):
    """An event to publish."""

    data: FeedData
    """Any JSON, of 16 KiB at most. Of a feed with keys null deletes the key."""
    event: EventName = "message"
    """The name that it has on the stream; none of those of the server's own events."""
    key: FeedKey | None = None
    """Of a feed with keys: the one whose newest value this is."""
    id: FeedKey | None = None
    """Makes a repeat of the request safe: what was published under it is not published again."""


class FeedStreamQuery(EventsQuery):
    """`GET /v1/feeds/{name}/events`."""

    last: Annotated[int, Field(ge=0, le=PAGE_ITEMS)] = 0
    """For a stream without an id, of a feed without keys: so many of the newest events before those to come."""


class FeedNowQuery(RequestQuery):
    """`GET /v1/feeds/{name}`."""

    last: Annotated[int, Field(ge=1, le=PAGE_ITEMS)] = 20
    """Of a feed without keys: so many of its newest events, as far as they are kept and fit into 1 MiB."""
