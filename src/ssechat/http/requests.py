"""Pydantic models of request bodies and queries. Responses have no models: most of them are stored JSON."""

import unicodedata
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import from_json

from ssechat.chat.groups import MAX_NAME, MAX_TOPIC
from ssechat.chat.messages import MAX_DATA, MAX_MENTIONS
from ssechat.events import frames
from ssechat.events.models import HistoryOf, Role
from ssechat.ids import UserId, user_id
from ssechat.texts.characters import is_blank
from ssechat.texts.printable import one_line

PAGE_ITEMS = 200
"""Upper bound of the items of a page."""

LONGEST_INVITE = 30 * 24 * 3600
"""Seconds for which an invitation can be used."""

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


def _line(text: str, limit: int) -> str:
    if one_line(text) != text:
        raise ValueError("give one line, without control characters")
    if (size := len(frames.encode(text)) - 2) > limit:  # without the quotation marks
        raise ValueError(f"give {limit} bytes at most (in JSON, as UTF-8); this has {size}")
    return text


def _mentions(names: list[str]) -> list[UserId]:
    if len(names) > MAX_MENTIONS:
        raise ValueError(f"mention {MAX_MENTIONS} people at most")
    return list(dict.fromkeys(map(_user_id, names)))


def _data(data: dict[str, Any]) -> dict[str, Any]:
    encoded = frames.encode(data)
    try:
        from_json(encoded, allow_inf_nan=False)
    except ValueError:
        raise ValueError("give finite numbers only: JSON has no others") from None
    if len(encoded) > MAX_DATA:
        raise ValueError(f"give {MAX_DATA / 1024:g} KiB at most, as JSON; this has {len(encoded)} bytes")
    return data


Text = Annotated[str, AfterValidator(_text)]
ClientMsgId = Annotated[str, Field(min_length=1, max_length=128, pattern=PRINTABLE_ASCII)]
Name = Annotated[str, AfterValidator(_text), AfterValidator(lambda text: _line(text, MAX_NAME))]
Topic = Annotated[str, AfterValidator(lambda text: _line(text, MAX_TOPIC))]
Mentions = Annotated[list[str], AfterValidator(_mentions)]
Data = Annotated[dict[str, Any], AfterValidator(_data)]
Seq = Annotated[int, Field(ge=1, lt=2**53)]


class RequestBody(BaseModel):
    """Base of the request bodies: unknown fields and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class NewMessage(RequestBody):
    """`POST /v1/messages`."""

    to: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    conversation_id: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    text: Text
    client_msg_id: ClientMsgId | None = None
    reply_to: Seq | None = None
    mentions: Mentions | None = None
    data: Data | None = None

    @model_validator(mode="after")
    def _one_recipient(self) -> Self:
        if (self.to is None) == (self.conversation_id is None):
            raise ValueError("give either `to` (a user) or `conversation_id`")
        return self


class MessageChange(RequestBody):
    """`PATCH /v1/conversations/{id}/messages/{seq}`."""

    text: Text | None = None
    mentions: Mentions | None = None
    data: Data | None = None

    @property
    def without_data(self) -> bool:
        """Whether `data` is null: it shall be taken away."""
        return self.data is None and "data" in self.model_fields_set

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.text is None and self.mentions is None and self.data is None and not self.without_data:
            raise ValueError("give at least one of `text`, `mentions` and `data`")
        return self


class NewGroup(RequestBody):
    """`POST /v1/conversations`."""

    name: Name
    members: list[str] = []
    """In any spelling; who does not exist is named in the answer."""
    topic: Topic = ""
    history: HistoryOf = "all"
    client_msg_id: ClientMsgId | None = None


class GroupChange(RequestBody):
    """`PATCH /v1/conversations/{id}`."""

    name: Name | None = None
    topic: Topic | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.name is None and self.topic is None:
            raise ValueError("give `name` or `topic`, or both")
        return self


class NewMembers(RequestBody):
    """`POST /v1/conversations/{id}/members`."""

    users: list[str]


class MemberRole(RequestBody):
    """`PUT /v1/conversations/{id}/members/{user}`."""

    role: Role | None = None


class NewInvite(RequestBody):
    """`POST /v1/conversations/{id}/invites`."""

    expires_in: Annotated[int, Field(ge=1, le=LONGEST_INVITE)] = 7 * 24 * 3600
    """Seconds."""
    max_uses: Annotated[int, Field(ge=1, le=1000)] | None = None


class InviteSecret(RequestBody):
    """`POST /v1/invites/join`."""

    secret: Annotated[str, Field(min_length=1, max_length=200)]


class IdempotencyKey(RequestBody):
    """The header `Idempotency-Key`."""

    client_msg_id: ClientMsgId


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

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    ticket: str | None = None
    last_event_id: str | None = None
    lastEventId: str | None = None  # as polyfills of EventSource spell it

    @property
    def cursor(self) -> str | None:
        """The id of the last event seen."""
        return self.last_event_id or self.lastEventId or None


class HistoryQuery(BaseModel):
    """`GET /v1/conversations/{id}/messages`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    before: Seq | None = None
    after: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    around: Seq | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_ITEMS)] = 50

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if (self.before, self.after, self.around).count(None) < 2:
            raise ValueError("give one of `before`, `after` and `around`")
        return self


class ListQuery(BaseModel):
    """`GET /v1/conversations`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    before: Annotated[int, Field(ge=1, lt=2**53)] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_ITEMS)] = 50


class MembersQuery(BaseModel):
    """`GET /v1/conversations/{id}/members`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    after: str = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_ITEMS)] = 50


class ReactionsQuery(BaseModel):
    """`GET /v1/conversations/{id}/messages/{seq}/reactions`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    after: Annotated[str, Field(max_length=200)] = ""
    user: Annotated[str, AfterValidator(_user_id)] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_ITEMS)] = 50
