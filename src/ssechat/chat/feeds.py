"""Feeds: who makes, fills and reads them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ssechat.chat.groups import known_users
from ssechat.chat.refusals import not_a_member, unknown_conversation, wrong_field
from ssechat.errors import Conflict, Forbidden, NotFound
from ssechat.events import frames
from ssechat.identity.users import Users
from ssechat.ids import ConversationId, UserId, is_group
from ssechat.logs.actions import now
from ssechat.logs.feed_terms import ReadBy, Terms, Wanted
from ssechat.logs.feeds import MOST_BYTES, MOST_FEEDS, MOST_FEEDS_OF_ONE, MOST_KEYS, Feeds, Publication, digest_of
from ssechat.logs.members import Members
from ssechat.texts.timestamps import timestamp

Caller = UserId | None
"""Who asks: a user; None: the admin."""

MAX_PUBLISHERS = 100
"""Users who may publish in one feed, besides who made it."""


class NewEvent(NamedTuple):
    """An event that somebody wants to publish."""

    event: str
    data: Any
    """Any JSON; of a feed with keys None deletes the key."""
    key: str | None
    id: str | None


class PublishedEvent(NamedTuple):
    """An event that was published."""

    id: str
    created_at: str


class FeedRules:
    """Makes, fills and shows feeds on behalf of a user, or of the admin."""

    def __init__(
        self, feeds: Feeds, members: Members, users: Users, *, anybody: bool, reserved: str | None = None
    ) -> None:
        """`anybody`: whether each user may make feeds; but for the one of the name `reserved`."""
        self.feeds = feeds
        self._members = members
        self._users = users
        self._anybody = anybody
        self._reserved = reserved

    async def put(
        self,
        caller: Caller,
        name: str,
        read: ReadBy,
        group: str | None,
        keep: int,
        publishers: Sequence[str],
        *,
        keyed: bool,
    ) -> tuple[Terms, bool]:
        """Makes a feed, or changes its terms; returns it, and whether it is new.

        Raises:
            NotFound: `unknown_user`, `unknown_conversation`.
            Forbidden: `feeds_closed`, `not_your_feed`, `not_a_member`, `too_many_feeds`.
            Conflict: `keys_stay`.
        """
        may_make = caller is None or (self._anybody and name != self._reserved)
        if group is not None:
            await self._check_group(caller, group)
        named = await known_users(self._users, publishers)
        made = await self.feeds.put(
            name, caller or "", Wanted(read, group or "", keep, keyed, named), may_make=may_make
        )
        if made == "forbidden":
            there_is = may_make or await self.feeds.terms(name) is not None
            raise _not_yours(name) if there_is else self._closed()
        if made in ("full", "too many"):
            most = f"A user has {MOST_FEEDS_OF_ONE}" if made == "too many" else f"The server has {MOST_FEEDS:,}"
            raise Forbidden("too_many_feeds", f"{most} feeds at most: delete one first.")
        if made == "keyed":
            detail = "A feed has keys or has none for as long as there is; delete it first to make another one."
            raise Conflict("keys_stay", detail)
        return await self.terms(name), made == "made"

    async def delete(self, caller: Caller, name: str) -> None:
        """Deletes a feed, and ends its streams. That there is none is no error.

        Raises:
            Forbidden: `not_your_feed`.
        """
        if not await self.feeds.delete(name, caller or ""):
            raise _not_yours(name)

    def _closed(self) -> Forbidden:
        if self._anybody:
            return Forbidden("feeds_closed", "A feed of this name is a banner to everybody: only the admin makes it.")
        return Forbidden("feeds_closed", "On this server the admin makes feeds; --feeds anybody lets everybody.")

    async def publish(self, caller: Caller, name: str, new: NewEvent) -> tuple[PublishedEvent, bool]:
        """Publishes an event; returns it, and whether it is new and no repeat.

        Raises:
            NotFound: `unknown_feed`.
            Forbidden: `not_a_publisher`, `feed_full`.
            Conflict: `idempotency_conflict`.
            BadRequest: a key is missing, or there is one where there are none.
        """
        at = now()
        encoded = frames.encode(new.data)
        key = b"" if new.key is None else b'"key":%b,' % frames.encode(new.key)
        publication = Publication(
            caller or "",
            new.event,
            new.key or "",
            new.data is None,
            at,
            b'{%b"data":%b,"created_at":"%b"}' % (key, encoded, timestamp(at).encode()),
            new.id or "",
            digest_of(new.event.encode(), (new.key or "").encode(), encoded),
        )
        outcome, entry, made = await self.feeds.publish(name, publication)
        if outcome in ("published", "repeat"):
            return PublishedEvent(entry, timestamp(made)), outcome == "published"
        match outcome:
            case "unknown":
                raise unknown_feed(name)
            case "forbidden":
                raise Forbidden("not_a_publisher", f"You may not publish in the feed {name!r}.")
            case "conflict":
                raise Conflict(
                    "idempotency_conflict",
                    "This id was used for another event of this feed; use a new one for a new event.",
                    status=422,
                )
            case "keyless":
                raise wrong_field("key", "this feed has keys: say which one this is the newest value of")
            case "keyed":
                raise wrong_field("key", "this feed has no keys: leave it out, or make a feed with `keyed`")
        what = f"{MOST_KEYS:,} keys" if outcome == "too many keys" else f"{MOST_BYTES // 1024:,} KiB of values"
        raise Forbidden("feed_full", f"A feed has {what} at most: delete a key with `data` null first.")

    async def terms(self, name: str) -> Terms:
        """
        Raises:
            NotFound: `unknown_feed`.
        """
        terms = await self.feeds.terms(name)
        if terms is None:
            raise unknown_feed(name)
        return terms

    async def check_reader(self, caller: Caller, terms: Terms) -> None:
        """Checks that somebody who has said who it is may read a feed.

        Raises:
            Forbidden: `not_a_member`.
        """
        if caller is not None and terms.read == "group":
            standing = await self._members.standing(caller, ConversationId(terms.group))
            if standing is None or standing.member is None:
                raise not_a_member()

    async def may_read(self, readers: Mapping[str, Collection[UserId]]) -> Mapping[str, Collection[UserId]]:
        """Of those who read feeds, by feed, those who still may. Strangers have the empty name, the admin `*`."""
        there = [terms for terms in await self.feeds.all_terms([*readers]) if terms is not None]
        asked: dict[ConversationId, set[UserId]] = {}
        for terms in there:
            if terms.read == "group" and readers[terms.name]:
                asked.setdefault(ConversationId(terms.group), set()).update(readers[terms.name])
        present = await self._members.present(asked)
        found: dict[str, Collection[UserId]] = {}
        for terms in there:
            users = readers[terms.name]
            if terms.read == "group":
                users = {*present.get(ConversationId(terms.group), ()), UserId("*")}
            elif terms.read == "users":
                users = [user for user in users if user]
            found[terms.name] = users
        return found

    async def _check_group(self, caller: Caller, group: str) -> None:
        if not is_group(group):
            raise unknown_conversation(group)
        standing = await self._members.standing(caller or UserId(""), ConversationId(group))
        if standing is None:
            raise unknown_conversation(group)
        if caller is not None and standing.member is None:
            raise not_a_member()


def unknown_feed(name: str) -> NotFound:
    return NotFound("unknown_feed", f"There is no feed {name!r}.")


def _not_yours(name: str) -> Forbidden:
    return Forbidden("not_your_feed", f"The feed {name!r} is somebody else's.")
