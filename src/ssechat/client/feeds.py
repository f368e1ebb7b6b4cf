"""Feeds, as a client makes, fills and reads them."""

import os
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from ssechat.client.calls import Calls
from ssechat.client.errors import Doubt
from ssechat.client.events import AnyFeedEvent, parse_feed_event
from ssechat.client.feed_models import Feed, FeedNow, Published
from ssechat.client.stream import EventStream
from ssechat.client.transport import path

Open = Callable[..., EventStream[Any]]


class Feeds:
    """What a user, the admin or a stranger can do with feeds. Errors are those of `Client`."""

    def __init__(self, calls: Calls, open_stream: Open) -> None:
        self._calls = calls
        self._open = open_stream

    async def put(
        self,
        name: str,
        read: str,
        *,
        group: str | None = None,
        keep: int | None = None,
        keyed: bool = False,
        publishers: Sequence[str] = (),
    ) -> Feed:
        """Makes a feed, or changes one. `read`: `public`, `users`, or `group` with a `group`."""
        body: dict[str, Any] = {"read": read, "keyed": keyed, "publishers": list(publishers)}
        body |= {name: value for name, value in (("group", group), ("keep", keep)) if value is not None}
        return Feed.read(await self._calls.object("PUT", _feed(name), body=body, doubt=Doubt.CHANGE))

    async def delete(self, name: str) -> None:
        """Deletes a feed. That there is none is no error."""
        await self._calls.ask("DELETE", _feed(name), doubt=Doubt.CHANGE)

    async def publish(
        self, name: str, data: Any, *, event: str | None = None, key: str | None = None, id: str | None = None
    ) -> Published:
        """Publishes an event, once however many attempts there are. `data` is anything that JSON can have; of a feed
        with keys None deletes the key."""
        body = {"data": data, "id": uuid.uuid4().hex if id is None else id}
        body |= {name: value for name, value in (("event", event), ("key", key)) if value is not None}
        return Published.read(await self._calls.object("POST", _feed(name) + "/events", body=body, doubt=Doubt.EVENT))

    async def show(self, name: str, *, last: int | None = None) -> FeedNow:
        """What a feed has now: the newest value of each key, or without keys its `last` events."""
        query = None if last is None else {"last": str(last)}
        return FeedNow.read(await self._calls.object("GET", _feed(name), query=query))

    def events(
        self,
        name: str,
        since: str | None = None,
        *,
        last: int | None = None,
        bookmark: str | os.PathLike[str] | None = None,
    ) -> EventStream[AnyFeedEvent]:
        """The events of a feed, each once and in order, for ever, over any number of connections.

        `since` and `bookmark` are as those of `Client.events`. Without them a feed with keys begins with the newest of
        each key, another one with what is published from then on, or with its `last` events.
        """
        where = _feed(name) + "/events" + ("" if last is None else f"?last={last}")
        return self._open(where, parse_feed_event, since, bookmark)


def _feed(name: str) -> str:
    return path("v1", "feeds", name)
