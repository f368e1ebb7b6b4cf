"""What an operation is: one method of one path, as it is promised to clients."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from ssechat.http.contract import problems
from ssechat.http.contract.problems import Problem

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


class Credential(Enum):
    """Who may call an operation."""

    NONE = "none"
    """Anybody."""
    USER = "user"
    """Who sends a token, or the session's cookie."""
    USER_OR_TICKET = "user or ticket"
    """As USER; or who has a ticket, in the query."""
    USER_OR_ADMIN = "user or admin"
    """As USER; or who sends the admin token."""
    MAY_BE_USER = "may be user"
    """As USER_OR_ADMIN, or anybody: it depends on what is asked for."""
    MAY_BE_USER_OR_TICKET = "may be user or ticket"
    """As MAY_BE_USER; or who has a ticket, in the query."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in a path, or a header of a request or an answer."""

    name: str
    what: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    """JSON Schema of its value."""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that is no error."""

    what: str
    model: Any = None
    """The type of its body, for pydantic; None: it has none, or one that is no JSON."""
    media_type: str = JSON
    other_media_types: tuple[str, ...] = ()
    """Those that it has instead if the client prefers them."""
    headers: tuple[Parameter, ...] = ()
    events: str = "StreamEvent"
    """Of a stream: the name of the schema that is one of its events."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    id: str
    """Its name in clients that are made from the contract."""
    method: str
    path: str
    topic: str
    """The heading that it stands under."""
    summary: str
    """What it does, in a few words."""
    answers: Mapping[int, Answer]
    """By status."""
    about: str = ""
    """More about it: plain text with `code`."""
    credential: Credential = Credential.USER
    body: type[BaseModel] | None = None
    body_may_be_missing: bool = False
    query: type[BaseModel] | None = None
    parameters: tuple[Parameter, ...] = ()
    """Those in its path, in order."""
    headers: tuple[Parameter, ...] = ()
    """Request headers that it looks at, besides those of the credential and the body."""
    refusals: tuple[Problem, ...] = ()
    """Its own errors, besides those that follow from what it takes; `problems` has all."""
    example: Mapping[str, Any] | None = None
    """A body to try it with."""
    always: bool = False
    """Whether it is done for who has no deliveries left, too."""
    events: tuple[str, ...] = ()
    """The kinds of events that it makes, by name."""

    def __post_init__(self) -> None:
        named = tuple(re.findall(r"\{(\w+)\}", self.path))
        if named != tuple(parameter.name for parameter in self.parameters):
            raise ValueError(f"{self.id}: the path has the parameters {named}")

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def is_counted(self) -> bool:
        """Whether it counts to the deliveries that a user may cause."""
        return self.writes and self.credential is not Credential.NONE and not self.always

    @property
    def streams(self) -> bool:
        """Whether its answer is a stream of events."""
        return any(answer.media_type == EVENT_STREAM for answer in self.answers.values())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All errors that it can answer with, by status, once the request could be read."""
        found = {*problems.OF_ALL, *self.refusals}
        if self.credential is not Credential.NONE:
            found |= {*problems.OF_CREDENTIALS}
        if self.credential in (Credential.USER_OR_TICKET, Credential.MAY_BE_USER_OR_TICKET):
            found |= {problems.INVALID_TICKET}
        if self.credential is not Credential.NONE or self.writes:
            found |= {*problems.OF_HEADERS}
        if not self.streams:  # a stream says so itself: EventSource does not come back after a status
            found |= {problems.FULL}
            if self.credential is not Credential.NONE:
                found |= {problems.UNAVAILABLE, problems.ISSUER_UNAVAILABLE}
        if self.body is not None:
            found |= {*problems.OF_BODIES}
        if self.query is not None:
            found |= {problems.INVALID_REQUEST}
        if self.writes:
            found |= {problems.FORBIDDEN_ORIGIN}
        if self.is_counted:
            found |= {problems.QUOTA_EXCEEDED}
        if self.parameters:
            found |= {problems.NOT_FOUND, problems.PATH_TOO_LONG}
        return tuple(sorted(found, key=lambda each: (each.status, each.code)))


def reason(status: int) -> str:
    """The phrase of a status: 404 → `Not Found`."""
    return HTTPStatus(status).phrase
