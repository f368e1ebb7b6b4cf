"""Pydantic models of request bodies and queries. Responses have no models: most of them are stored JSON."""

import unicodedata
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from ssechat.ids import UserId, user_id
from ssechat.texts.characters import is_blank

PAGE_ITEMS = 200
"""Upper bound of the items of a page."""

PRINTABLE_ASCII = r"^[\x20-\x7e]*$"


def _user_id(text: str) -> UserId:
    named = user_id(text)
    if named is None:
        raise ValueError("a name has 1-128 of A-Z a-z 0-9 _ . @ | + ~ - and begins with a letter, a digit or _")
    return named


def _prepared(password: SecretStr) -> SecretStr:
    """Normalises a password to NFC with plain spaces (RFC 8265 §4.2.1, OpaqueString), so that every keyboard enters the
    same one."""
    text = password.get_secret_value()
    if text.isascii():
        return password
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in text)
    return SecretStr(unicodedata.normalize("NFC", spaced))


LONGEST_PASSWORD = 1024
"""Upper bound of a password's characters, after normalisation."""

MAX_PARTS = 4
"""Upper bound of the characters that one character decomposes into (UAX #15)."""

Password = Annotated[
    SecretStr,
    Field(max_length=MAX_PARTS * LONGEST_PASSWORD),  # bounds the text that is normalised
    AfterValidator(_prepared),
    Field(max_length=LONGEST_PASSWORD),
]


def _text(text: str) -> str:
    if is_blank(text):
        raise ValueError("this text is blank; write something")
    return text


class RequestBody(BaseModel):
    """Base of the request bodies: unknown fields and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewMessage(RequestBody):
    """`POST /v1/messages`."""

    to: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    conversation_id: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    text: Annotated[str, AfterValidator(_text)]
    client_msg_id: Annotated[str, Field(min_length=1, max_length=128, pattern=PRINTABLE_ASCII)] | None = None

    @model_validator(mode="after")
    def _one_recipient(self) -> Self:
        if (self.to is None) == (self.conversation_id is None):
            raise ValueError("give either `to` (a user) or `conversation_id`")
        return self


class NewUser(RequestBody):
    """`POST /v1/users`."""

    name: Annotated[str, AfterValidator(_user_id)]
    password: Annotated[Password, Field(min_length=8)]


class Credentials(RequestBody):
    """`POST /v1/session`."""

    name: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(lambda text: user_id(text) or text)]
    """The user name; an invalid name is kept as it is, and matches no account."""
    password: Annotated[Password, Field(min_length=1)]


class EmptyBody(RequestBody):
    """A body without fields."""


class EventsQuery(BaseModel):
    """`GET /v1/events`. A repeated parameter has its last value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ticket: str | None = None
    last_event_id: str | None = None
    lastEventId: str | None = None  # as polyfills of EventSource spell it

    @property
    def cursor(self) -> str | None:
        """The id of the last event seen."""
        return self.last_event_id or self.lastEventId or None


class HistoryQuery(BaseModel):
    """`GET /v1/conversations/{id}/messages`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Annotated[int, Field(ge=1, lt=2**53)] | None = None
    after: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_ITEMS)] = 50

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if self.before is not None and self.after is not None:
            raise ValueError("give either `before` or `after`")
        return self


class ListQuery(BaseModel):
    """`GET /v1/conversations`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Annotated[int, Field(ge=1, lt=2**53)] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_ITEMS)] = 50
