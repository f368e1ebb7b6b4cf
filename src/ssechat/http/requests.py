"""Pydantic models of request bodies and queries. Those of answers are the contract's (contract/answers/)."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from ssechat.events.models import HistoryOf, Role
from ssechat.http.fields import (
    PRINTABLE_ASCII,
    AvatarUrl,
    ClientMsgId,
    Data,
    DisplayName,
    Mentions,
    Name,
    Next,
    Number,
    Password,
    Seq,
    Text,
    Topic,
    UserIds,
    UserName,
    UserPrefix,
    Watch,
)
from ssechat.ids import user_id
from ssechat.texts.documented import Documented

PAGE_ITEMS = 200
"""Upper bound of the items of a page."""

LONGEST_INVITE = 30 * 24 * 3600
"""Seconds for which an invitation can be used."""

Limit = Annotated[int, Field(ge=1, le=PAGE_ITEMS)]


def _given(name: str, kind: str) -> dict[str, Any]:
    """The schema of objects in which a field is given, and not null."""
    return {"required": [name], "properties": {name: {"type": kind}}}


def _one_of(*fields: dict[str, Any]) -> ConfigDict:
    """Says in the JSON Schema what a validator of the whole model checks. In `allOf`: generators of clients read that,
    and make one type of the model still."""
    return ConfigDict(json_schema_extra={"allOf": [{"oneOf": list(fields)}]})


def _any_of(*fields: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"allOf": [{"anyOf": list(fields)}]})


class RequestBody(Documented):
    """Base of the request bodies: unknown fields and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewMessage(RequestBody):
    """A message to send, either `to` a user or into a conversation."""

    model_config = _one_of(_given("to", "string"), _given("conversation_id", "string"))

    to: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """A user, in any spelling."""
    conversation_id: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    """One of yours, or a direct one with somebody: `dm:<a>:<b>`, the names sorted by code point."""
    text: Text
    """Not only white space."""
    client_msg_id: ClientMsgId | None = None
    """Makes a repeat of the request safe: what was sent under it is not sent again. The server makes one if you do
    not."""
    reply_to: Seq | None = None
    """The `seq` of a message in the same conversation."""
    mentions: Mentions | None = None
    """Members, in any spelling."""
    data: Data | None = None
    """Of your application; 16 KiB at most, as JSON."""

    @model_validator(mode="after")
    def _one_recipient(self) -> Self:
        if (self.to is None) == (self.conversation_id is None):
            raise ValueError("give either `to` (a user) or `conversation_id`")
        return self


class MessageChange(RequestBody):
    """What changes in a message; what is not given stays."""

    model_config = _any_of(_given("text", "string"), _given("mentions", "array"), {"required": ["data"]})

    text: Text | None = None
    """Not only white space."""
    mentions: Mentions | None = None
    """Members, in any spelling; those who are mentioned instead of those before."""
    data: Data | None = None
    """Of your application, instead of what was there; null takes it away."""

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
    """A group to make."""

    name: Name
    """One line, of 128 bytes at most in JSON."""
    members: list[str] = Field(default_factory=list)
    """Besides you; in any spelling. Who does not exist is named in the answer."""
    topic: Topic = ""
    """One line, of 256 bytes at most in JSON."""
    history: HistoryOf = "all"
    """What those who join later read: everything, or what is sent from then on."""
    client_msg_id: ClientMsgId | None = None
    """Makes a repeat of the request safe: the same one never makes two groups."""


class GroupChange(RequestBody):
    """What changes in a group; what is not given stays."""

    model_config = _any_of(_given("name", "string"), _given("topic", "string"))

    name: Name | None = None
    """One line, of 128 bytes at most in JSON."""
    topic: Topic | None = None
    """One line, of 256 bytes at most in JSON; `""` takes it away."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.name is None and self.topic is None:
            raise ValueError("give `name` or `topic`, or both")
        return self


class NewMembers(RequestBody):
    """Users to add to a group."""

    users: list[str]
    """In any spelling. Who does not exist is named in the answer, and then nobody is added."""


class MemberRole(RequestBody):
    """What a member may do."""

    role: Role | None = None
    """Owners give it. Without one a new member is a `member`, and others stay what they are."""


class NewInvite(RequestBody):
    """An invitation to make."""

    expires_in: Annotated[int, Field(ge=1, le=LONGEST_INVITE)] = 7 * 24 * 3600
    """Seconds."""
    max_uses: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many can join with it; any number, if it is not given."""


class InviteSecret(RequestBody):
    """What an invitation brought."""

    secret: Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"format": "password"})]
    """What stands behind `/#join=` in an invitation's link."""


class ReadMark(RequestBody):
    """How far you have read."""

    up_to: Number
    """The `seq` of the newest message that was read."""


class Ack(RequestBody):
    """What a device has."""

    id: Annotated[str, Field(min_length=1, max_length=100)]
    """The id of an event of your stream: the device has it, and all before it."""


class Mute(RequestBody):
    """Whether you want to be told of a conversation's new messages."""

    muted: bool
    """Whether the conversation is muted."""


class ProfileFields(RequestBody):
    """What changes in your profile; what is not given stays, and null takes it away."""

    model_config = _any_of({"required": ["display_name"]}, {"required": ["avatar_url"]}, {"required": ["receipts"]})

    display_name: DisplayName | None = None
    """What you are called, in any script: one line of 64 characters at most."""
    avatar_url: AvatarUrl | None = None
    """A picture of you: a URL that begins with `https://`, without a password or a fragment."""
    receipts: bool | None = None
    """Whether others may see what you have read; null is as good as true."""

    @property
    def fields(self) -> dict[str, str]:
        """The fields that were given, as they are stored; an empty value takes one away."""
        stored = {
            "display_name": self.display_name or "",
            "avatar_url": self.avatar_url or "",
            "receipts": "0" if self.receipts is False else "",
        }
        return {name: stored[name] for name in stored if name in self.model_fields_set}

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give at least one of `display_name`, `avatar_url` and `receipts`")
        return self


class PresenceFields(RequestBody):
    """Whom you watch, and whether you are seen. What is not given stays."""

    watch: Watch | None = None
    """Users, in any spelling: those whom you show just now. They replace those of the list before; `[]` ends it."""
    in_: Annotated[str | None, Field(alias="in", max_length=400)] = None
    """A group that you share with them. Without it you learn of those with whom you share a direct conversation."""
    device: Annotated[str, Field(max_length=64, pattern=PRINTABLE_ASCII)] = ""
    """Whose list it is: each device or tab that gives itself a name has a list of its own."""
    visible: bool | None = None
    """Whether others may see whether you are there."""

    @model_validator(mode="after")
    def _watches_in(self) -> Self:
        if self.in_ is not None and self.watch is None:
            raise ValueError("give `watch`, too: `in` says where you know them from")
        return self


class IdempotencyKey(RequestBody):
    """The header `Idempotency-Key`."""

    client_msg_id: ClientMsgId


class NewUser(RequestBody):
    """An account to make."""

    name: UserName
    """How others find the user. It counts the same in upper and lower case."""
    password: Annotated[Password, Field(min_length=8)]
    """8 to 1024 characters."""


class Credentials(RequestBody):
    """Who signs in."""

    name: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(lambda text: user_id(text) or text)]
    """In any spelling."""  # an invalid name is kept as it is, and matches no account
    password: Annotated[Password, Field(min_length=1)]
    """As it was chosen; how a keyboard composes its letters does not matter."""


class PasswordChange(RequestBody):
    """Another password."""

    old: Annotated[Password, Field(min_length=1)]
    """The one until now."""
    new: Annotated[Password, Field(min_length=8)]
    """8 to 1024 characters."""


class EmptyBody(RequestBody):
    """A body without fields."""


class RequestQuery(Documented):
    """Base of the queries: unknown parameters are errors; numbers are text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EventsQuery(RequestQuery):
    """`GET /v1/events`. A repeated parameter has its last value."""

    ticket: str | None = None
    last_event_id: str | None = None
    """The id of the last event that the client has, if it can send no header. `lastEventId` is the same, as polyfills
    of `EventSource` spell it."""
    lastEventId: str | None = None

    @property
    def cursor(self) -> str | None:
        """The id of the last event seen."""
        return self.last_event_id or self.lastEventId or None


class HistoryQuery(RequestQuery):
    """`GET /v1/conversations/{id}/messages`."""

    before: Seq | None = None
    """A `seq`: the messages right before it."""
    after: Number | None = None
    """A `seq`: the messages right after it; from 0 the first ones."""
    around: Seq | None = None
    """A `seq`: the messages on both sides of it, and itself. Give one of `before`, `after` and `around` at most."""
    limit: Limit = 50
    """Messages at most."""

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if (self.before, self.after, self.around).count(None) < 2:
            raise ValueError("give one of `before`, `after` and `around`")
        return self


class UsersQuery(RequestQuery):
    """`GET /v1/users`."""

    prefix: UserPrefix | None = None
    """The first letters of a name, three at least, in any spelling: up to ten users whose names begin so."""
    ids: UserIds | None = None
    """Up to 100 names, separated by commas, in any spelling: those of them who exist. Give `ids` or `prefix`."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.prefix is None) == (self.ids is None):
            raise ValueError("give either `ids` (names, separated by commas) or `prefix` (three letters or more)")
        return self


class ListQuery(RequestQuery):
    """`GET /v1/conversations`."""

    before: Next | None = None
    """The `next` of the previous answer."""
    limit: Limit = 50
    """Conversations at most."""


class MembersQuery(RequestQuery):
    """`GET /v1/conversations/{id}/members`."""

    after: str = ""
    """The `next` of the previous answer."""
    limit: Limit = 50
    """Members at most."""


class BlocksQuery(RequestQuery):
    """`GET /v1/blocks`."""

    after: Annotated[str, Field(max_length=128)] = ""
    """The `next` of the previous answer."""
    limit: Limit = 50
    """Users at most."""


class ReactionsQuery(RequestQuery):
    """`GET /v1/conversations/{id}/messages/{seq}/reactions`."""

    after: Annotated[str, Field(max_length=200)] = ""
    """The `next` of the previous answer."""
    user: UserName | None = None
    """Whose reactions; everybody's, if it is not given."""
    limit: Limit = 50
    """Reactions at most."""
