"""What comes in over the wire. What goes out is made where it is known, most of it as stored JSON."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from ssechat.ids import is_user_id

PAGE_ITEMS = 200
"""Of a page, at most."""

CLIENT_MSG_ID = r"^[\x20-\x7e]{1,128}$"


def _user_id(text: str) -> str:
    if not is_user_id(text):
        raise ValueError("a name has 1-128 of A-Z a-z 0-9 _ . @ | + ~ - and begins with a letter, a digit or _")
    return text


class Input(BaseModel):
    """A request's body: unknown fields and wrong types are errors, not guesses."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewMessage(Input):
    """`POST /v1/messages`."""

    to: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    conversation_id: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    text: Annotated[str, Field(min_length=1)]
    client_msg_id: Annotated[str, Field(pattern=CLIENT_MSG_ID)] | None = None

    @model_validator(mode="after")
    def _one_recipient(self) -> Self:
        if (self.to is None) == (self.conversation_id is None):
            raise ValueError("give either `to` (a user) or `conversation_id`")
        return self


class NewUser(Input):
    """`POST /v1/users`."""

    name: Annotated[str, AfterValidator(_user_id)]
    password: Annotated[SecretStr, Field(min_length=8, max_length=1024)]


class Credentials(Input):
    """`POST /v1/session`."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class Nothing(Input):
    """A body without content."""


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
