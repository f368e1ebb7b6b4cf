"""Answers about accounts, sessions and tickets."""

from typing import Literal

from ssechat.events.models import Count, Timestamp
from ssechat.http.contract.answers.base import AnswerBody, Secret


class SignedIn(AnswerBody):
    """A session."""

    token: Secret
    """A bearer token of this session: `Authorization: Bearer …`."""
    user: str
    """Your name, as the server writes it."""


class WhoAmI(AnswerBody):
    """Who the credential stands for."""

    user: str
    """Your name."""
    display_name: str | None = None
    """What the user is called: the name that it chose, else the `name` in its last token."""


class Session(AnswerBody):
    """A session of yours: a browser or a program in which you are signed in."""

    id: str
    """Names it, to end it; it is no credential."""
    created_at: Timestamp
    """When you signed in (RFC 3339, UTC)."""
    last_seen_at: Timestamp
    """When it was used last, to the hour."""
    expires_at: Timestamp
    """When it ends by itself."""
    user_agent: str
    """What the browser or program calls itself, shortened; empty if it did not say. The server does not keep where it
    was."""
    current: Literal[True] | None = None
    """It is the one that asks."""


class SessionList(AnswerBody):
    """Your sessions."""

    sessions: list[Session]
    """The newest first."""


class StreamTicket(AnswerBody):
    """A ticket for one stream."""

    ticket: Secret
    """It goes into `GET /v1/events?ticket=…`, once."""
    expires_in: Count
    """Seconds until it is void."""
