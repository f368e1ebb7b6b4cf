"""Answers about people: profiles, who is there, and blocks."""

from ssechat.events.models import Count, Person, Timestamp
from ssechat.http.contract.answers.base import AnswerBody


class UserName(AnswerBody):
    """Who somebody is, and what it is called."""

    id: str
    """The name, as the server writes it."""
    display_name: str | None = None
    """What the user is called: the name that it chose, else the `name` in its last token. It is not unique: show the id
    beside it."""
    avatar_url: str | None = None
    """A picture of the user, on any host. Whoever loads it shows that host its address."""


class User(UserName):
    """A user."""

    online: bool
    """Whether it has a stream open, if you share a direct conversation; otherwise, or if it is invisible, false."""
    last_seen: Timestamp | None = None
    """When it had one last, to about half a minute; missing while it is online, if you may not know, or if it never
    had one."""


class UserList(AnswerBody):
    """Some users."""

    users: list[UserName]
    """Those who were asked for and exist; or those whose names begin so, by name."""
    has_more: bool | None = None
    """With `prefix` only: whether there are others whose names begin so."""


class Profile(AnswerBody):
    """Your profile."""

    user: str
    """Your name."""
    display_name: str | None = None
    """What you are called: the name that you chose, else the `name` in your last token."""
    avatar_url: str | None = None
    """A picture of you."""
    receipts: bool
    """Whether others may see what you have read."""
    visible: bool
    """Whether others may see whether you are there: `PUT /v1/presence` sets it."""
    version: Count
    """Grows with each change, which an event `profile` tells of."""


class Me(Profile):
    """You, and what is unread in all conversations that are not muted."""

    unread: Count
    """Unread messages."""
    mentions: Count
    """Unread messages that mention you."""


class PresenceNow(AnswerBody):
    """Whether those whom you named are there now."""

    users: list[Person]
    """Each of those in `watch`, in that order."""
    visible: bool
    """Whether others may see whether you are there."""


class Blocked(AnswerBody):
    """A user whom you have blocked."""

    user: str
    """The user's name."""


class BlockPage(AnswerBody):
    """A page of those whom you have blocked."""

    blocks: list[Blocked]
    """By name."""
    next: str | None
    """For `after` of the next request; null: there are no more."""
