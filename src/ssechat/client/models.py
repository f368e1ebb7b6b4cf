"""What a server answers and sends, typed.

A newer server may say more: a field that is not here can be read all the same (`message.raw["pinned"]`), and a word
that is new in a field, such as another role, is passed on as it is. That is why fields have `str` where today there
are three words for it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from ssechat.client.errors import ANOTHER_FORM, ClientError


class Model(BaseModel):
    """Something that a server said. What it left out, or said in another form than this version knows, has the default;
    `raw` has it as it came."""

    # A program that starts, to send one message, uses few of the models.
    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    _raw: Mapping[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def raw(self) -> Mapping[str, Any]:
        """All that the server said, as it said it (JSON)."""
        return self._raw

    @classmethod
    def read(cls, raw: object) -> Self:
        """Reads an answer.

        Raises:
            ClientError: it has another form.
        """
        try:
            return cls.model_validate(raw)
        except (ValidationError, RecursionError):
            raise ClientError(ANOTHER_FORM) from None

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, said: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(said, dict):
            return read(said)
        try:
            model = read(said)
        except ValidationError as error:
            # An answer that has what is needed is not thrown away for the rest of it.
            strange = {each["loc"][0] for each in error.errors(include_url=False) if each["loc"]}
            model = read({name: value for name, value in said.items() if name not in strange})
        model._raw = said
        return model

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        fields = type(self).model_fields
        return [
            (name, value)
            for name, value in super().__repr_args__()
            if name in self.model_fields_set and (name not in fields or fields[name].repr)
        ]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Model) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))


class ReactionCount(Model):
    """All reactions to a message with one emoji."""

    emoji: str
    count: int
    users: tuple[str, ...] = ()
    """Three of them, or fewer."""


class Message(Model):
    """A message as it stood when it was asked for, or when the event was made.

    What is left of a deleted one (`deleted`) has no text; of one that is gone, or that the user may not read, no sender
    either.
    """

    conversation_id: str
    seq: int
    """Its number in the conversation, from 1 on."""
    version: int = 0
    """Grows with each change: of two, the one with the higher version is newer."""
    sender: str = ""
    text: str = ""
    client_msg_id: str = ""
    created_at: datetime | None = None
    edited_at: datetime | None = None
    reply_to: int | None = None
    """The seq of the message that it answers."""
    mentions: tuple[str, ...] = ()
    data: dict[str, Any] | None = None
    """The application's own."""
    reactions: tuple[ReactionCount, ...] = ()
    deleted: bool = False

    _etag: str = PrivateAttr("")

    @property
    def etag(self) -> str:
        """For `if_match`, of a message that was asked for, edited, deleted or reacted to; else empty."""
        return self._etag

    @classmethod
    def of(cls, raw: object, etag: str | None) -> "Message":
        """Reads an answer that has an ETag."""
        message = cls.read(raw)
        message._etag = etag or ""
        return message


class Reaction(Model):
    """One user's reaction to a message."""

    emoji: str
    user: str


class Page(Model):
    """Messages of a conversation, in their order."""

    messages: tuple[Message, ...]
    has_more: bool = False
    """Whether there are further ones on the side that was asked for."""
    has_more_before: bool = False
    has_more_after: bool = False
    """Of a page around a message."""


class ReadState(Model):
    """What one has read of a conversation, and what is left of it."""

    read_up_to: int = 0
    """The seq of the newest message that one has read or sent."""
    unread: int = 0
    mentions: tuple[int, ...] = ()
    """The seqs of the unread messages that mention one."""
    muted: bool = False


class Mark(ReadState):
    """Up to where one has read a conversation, and what is left of it."""

    conversation_id: str


class User(Model):
    """Somebody, as everybody may know it."""

    id: str
    display_name: str = ""
    """What the user is called. It is not unique: show the id beside it."""
    avatar_url: str = ""
    online: bool = False
    """Whether it has a stream open, as far as one may know."""
    last_seen: datetime | None = None


class Person(Model):
    """Whether somebody is there, as far as one may know."""

    user: str
    online: bool = False
    last_seen: datetime | None = None
    """When it had a stream last; None while it is online, if one may not know, or if it never had one."""


class PresenceNow(Model):
    """Whether those whom one watches are there now."""

    users: tuple[Person, ...] = ()
    visible: bool = True
    """Whether others may see whether one is there."""


class Profile(Model):
    """The profile of the user."""

    user: str
    display_name: str = ""
    avatar_url: str = ""
    receipts: bool = True
    """Whether others may see what the user has read."""
    visible: bool = True
    """Whether others may see whether the user is there."""
    version: int = 0
    """Grows with each change."""


class Me(Profile):
    """The user, and what is unread in all conversations that are not muted."""

    unread: int = 0
    mentions: int = 0
    """Unread messages that mention the user."""


class Receipt(Model):
    """Up to where one of the others has read a conversation, and has it on a device."""

    user: str
    since: int = 0
    """The seq of the newest message when the user joined: the receipt is about those after it."""
    read_up_to: int = 0
    """The seq of the newest message that the user has read or sent."""
    delivered_up_to: int = 0
    """The seq of the newest message that a device of the user has."""


class Conversation(Model):
    """A direct conversation, or a group."""

    id: str
    type: str = ""
    """`dm` or `group`."""
    name: str = ""
    topic: str = ""
    history: str = ""
    """Of a group, what new members may read: `all`, or what is sent `from_join` on."""
    role: str = ""
    """One's own in a group: `owner`, `admin` or `member`."""
    member_count: int = 0
    """Of a group."""
    members: tuple[str, ...] = ()
    """Of a group the first 20; `chat.groups.members` has all."""
    newest_seq: int = 0
    last_message: Message | None = None
    read_up_to: int = 0
    """The seq of the newest message that one has read or sent."""
    unread: int = 0
    mentions: tuple[int, ...] = ()
    """The seqs of the unread messages that mention one."""
    muted: bool = False
    receipts: tuple[Receipt, ...] | None = None
    """Of the others, if one conversation was asked for; None: none are shown."""
    ended: bool = False
    """Nobody can write to it any more."""
    blocked: bool = False
    """One has blocked the other of the two: neither can write to it."""
    left: bool = False
    """One is not in it any more."""

    @property
    def is_group(self) -> bool:
        """Whether it is a group."""
        return self.type == "group"


class Blocked(Model):
    """Somebody whom one has blocked."""

    user: str


class Member(Model):
    """A member of a group."""

    user: str
    role: str = ""


class Addition(Model):
    """What the adding of members has changed."""

    added: tuple[str, ...] = ()
    """Those who were none before."""
    member_count: int = 0


class Invite(Model):
    """An invitation to a group."""

    id: str
    secret: str = Field("", repr=False)
    """Whoever has it can join. It is said once, to who made the invitation."""
    by: str = ""
    expires_at: datetime | None = None
    uses: int = 0
    max_uses: int | None = None
    """None: any number of people may join with it."""


class Ticket(Model):
    """What a browser opens a stream of this user's with: `/v1/events?ticket=…`, once."""

    ticket: str = Field(repr=False)
    expires_in: int
    """Seconds."""


class Session(Model):
    """A browser or a program in which the user is signed in."""

    id: str
    created_at: datetime | None = None
    last_seen_at: datetime | None = None
    """To the hour."""
    expires_at: datetime | None = None
    user_agent: str = ""
    current: bool = False
    """It is the one of this client."""


class Server(Model):
    """A server, as it says itself what it is."""

    name: str
    version: str = ""
    sign_up: bool = False
    """Whether anybody can sign up."""
    sign_in: bool = False
    """Whether it has passwords; otherwise the tokens of another system count."""
    directory: bool = False
    """Whether users are found by the first letters of their names."""
    avatars: bool = False
    """Whether the server's page shows pictures of people."""
    banner: str | None = None
    """The feed whose newest event the server's page shows as a banner."""


class Quota(Model):
    """How often something may be tried."""

    name: str
    per: str = ""
    limit: int = 0
    window_seconds: int = 0


class Limits(Model):
    """The limits of a server; `raw` has further ones."""

    quotas: tuple[Quota, ...] = ()
    body_bytes: int = 0
    """Of a request."""
    page_bytes: int = 0
    page_items: int = 0
    inbox_events: int = 0
    """How many events are kept for who is away."""
    requests_per_user_and_worker: int = 0
    streams_per_user_and_worker: int = 0
    sessions_per_user: int = 0
    ticket_seconds: int = 0
    group_members: int = 0
    group_name_bytes: int = 0
    group_topic_bytes: int = 0
    invites_per_group: int = 0
    invite_seconds: int = 0
    """The longest that an invitation can be used."""
    mentions_per_message: int = 0
    message_data_bytes: int = 0
    reaction_kinds_per_message: int = 0
    receipts_group_members: int = 0
    typing_group_members: int = 0
    blocks_per_user: int = 0
    watched_users: int = 0
    watch_lists: int = 0
    feeds: int = 0
    feeds_per_user: int = 0
    feed_publishers: int = 0
    feed_events: int = 0
    feed_keys: int = 0
    feed_bytes: int = 0
    feed_event_bytes: int = 0
    feed_ids: int = 0
    readers_per_feed_and_worker: int = 0
