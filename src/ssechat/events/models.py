"""The data of events, as pydantic models: what is checked when one is made, and what a contract says of it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class EventData(BaseModel):
    """The data of an event."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(EventData):
    """A message as it stands now; a tombstone has neither text nor sender."""

    conversation_id: str
    seq: int
    version: int | None = None
    sender: str | None = None
    text: str | None = None
    client_msg_id: str | None = None
    created_at: str | None = None
    deleted: Literal[True] | None = None


class ConversationReset(EventData):
    """Events of one conversation are missing: its messages must be read anew."""

    reason: Literal["expired", "unknown", "lost"]
    conversation_id: str
