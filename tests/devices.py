"""Clients as /docs tells them to be: they fetch their conversations once, and then live on events."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parts import FakeSink
from ssechat.identity.profiles import Profile
from ssechat.ids import UserId
from ssechat.streams.stream import Stream

Fields = dict[str, Any]
Handle = Callable[["Device", Fields], Any]


@dataclass(eq=False)
class Device:
    """A client of one user."""

    user: UserId
    handle: Mapping[str, Handle]
    conversations: dict[str, Fields] = field(default_factory=dict)
    versions: dict[tuple[str, int], int] = field(default_factory=dict)
    blocks: set[str] = field(default_factory=set)
    must_fetch: set[str] = field(default_factory=set)
    """Conversations that it must ask for: it has joined them, or is told to reload them."""
    shown: str = ""
    """The conversation that is shown: of this one it knows the receipts."""
    receipts: dict[str, Fields] | None = None
    """By user; None: none are shown."""
    is_stale: bool = False
    """Whether it must load the conversation that is shown: it may lack events that have no id."""
    told: list[Fields] = field(default_factory=list)
    """The receipts that have come."""
    loaded_at: int = 0
    """How often it had been changed who shows receipts to whom, when they were loaded."""
    profile: Profile | None = None
    """One's own; None if it must be fetched."""
    cursor: str | None = None
    stream: Stream | None = None
    sink: FakeSink | None = None
    handled: int = 0

    def take_events(self) -> None:
        """Applies what has come on the stream since the last time."""
        assert self.sink is not None
        events = self.sink.events()
        for event in events[self.handled :]:
            name, data = event["event"], json.loads(event["data"])
            if name == "receipt":
                self.told.append(data)
            if name in self.handle:
                self.handle[name](self, data)
            self.cursor = event.get("id", self.cursor)
        self.handled = len(events)

    def show(self, conversation: str) -> None:
        """Shows a conversation; it must be loaded."""
        self.shown, self.receipts, self.is_stale = conversation, None, True

    def load(self, conversation: Fields | None) -> None:
        """Takes over the receipts of the conversation that is shown."""
        self.is_stale = False
        receipts = (conversation or {}).get("receipts")
        self.receipts = None if receipts is None else by_user(receipts)

    def on_begun(self, _: Fields) -> None:
        """`hello` and `caught_up`: events without an id may have been missed."""
        self.is_stale = True

    def on_receipt(self, receipt: Fields) -> None:
        if receipt["conversation_id"] == self.shown:
            self.raise_receipt(receipt["user"], receipt["read_up_to"], receipt["delivered_up_to"])

    def raise_receipt(self, user: str, read: int, delivered: int) -> None:
        if self.receipts is None or user not in self.receipts:
            self.is_stale = True
            return
        known = self.receipts[user]
        known["read_up_to"] = max(known["read_up_to"], read)
        known["delivered_up_to"] = max(known["delivered_up_to"], delivered, known["read_up_to"])

    def fetched(self, conversation: Fields) -> None:
        """Takes over a conversation as the server describes it."""
        self.must_fetch.discard(conversation["id"])
        if conversation.get("left"):
            self.conversations.pop(conversation["id"], None)
            return
        known = {name: value for name, value in conversation.items() if name != "receipts"}
        self.conversations[conversation["id"]] = known
        if (last := conversation["last_message"]) is not None:
            self.versions[conversation["id"], last["seq"]] = last.get("version", 0)

    def on_message(self, message: Fields) -> None:
        """`message`, `message.updated`, `message.deleted`."""
        id, seq, version = message["conversation_id"], message["seq"], message.get("version", 0)
        if id == self.shown and self.receipts is not None and message.get("sender") in self.receipts:
            self.raise_receipt(message["sender"], seq, seq)
        conversation = self.conversations.get(id)
        if conversation is None:
            self.must_fetch.add(id)
            return
        conversation |= message.get("mark", {})  # one who has left gets none with what came before, and then hears it
        if version <= self.versions.get((id, seq), -1):
            return
        self.versions[id, seq] = version
        conversation["newest_seq"] = max(seq, conversation["newest_seq"])
        last = conversation["last_message"]
        if last is None or seq >= last["seq"]:
            conversation["last_message"] = {name: value for name, value in message.items() if name != "mark"}

    def on_mark(self, mark: Fields) -> None:
        conversation = self.conversations.get(mark["conversation_id"])
        if conversation is None:
            self.must_fetch.add(mark["conversation_id"])
            return
        conversation |= {name: mark[name] for name in ("read_up_to", "muted", "unread", "mentions")}

    def on_block(self, block: Fields) -> None:
        """The conversation may be one that is not listed: nobody may have written in it."""
        self.is_stale = True
        conversation = self.conversations.get(block["conversation_id"], {})
        if block["blocked"]:
            self.blocks.add(block["user"])
            if conversation:
                conversation["blocked"] = True
        else:
            self.blocks.discard(block["user"])
            conversation.pop("blocked", None)

    def on_profile(self, change: Fields) -> None:
        self.is_stale = True
        if self.profile is not None and change["version"] > self.profile.version:
            self.profile = None

    def on_conversation(self, facts: Fields) -> None:
        conversation = self.conversations.get(facts["conversation_id"])
        if conversation is not None:
            conversation.pop("topic", None)
            conversation |= {name: facts[name] for name in ("name", "topic", "history", "ended") if name in facts}

    def on_member(self, member: Fields) -> None:
        id, users = member["conversation_id"], {one["user"]: one["role"] for one in member["users"]}
        conversation = self.conversations.get(id)
        if id == self.shown:
            if not member.get("left") or self.user in users:
                self.is_stale = True  # what those who join have read, only the server knows
            for user in users if member.get("left") else ():
                (self.receipts or {}).pop(user, None)
        if self.user in users:
            if member.get("left"):
                self.conversations.pop(id, None)
                self.must_fetch.discard(id)
                return
            if "name" in member:
                self.must_fetch.add(id)
        if conversation is None:
            return
        conversation["member_count"] = member["member_count"]
        names = set(conversation["members"])
        conversation["members"] = sorted(names - set(users) if member.get("left") else names | set(users))
        conversation["role"] = (
            conversation["role"] if member.get("left") else users.get(self.user, conversation["role"])
        )

    def on_reset(self, reset: Fields) -> None:
        self.is_stale = True
        self.must_fetch |= {reset["conversation_id"]} if "conversation_id" in reset else {"all"}


def by_user(receipts: Sequence[Fields]) -> dict[str, Fields]:
    return {one["user"]: dict(one) for one in receipts}


HANDLE: Mapping[str, Handle] = {
    "hello": Device.on_begun,
    "caught_up": Device.on_begun,
    "receipt": Device.on_receipt,
    "message": Device.on_message,
    "message.updated": Device.on_message,
    "message.deleted": Device.on_message,
    "mark": Device.on_mark,
    "profile": Device.on_profile,
    "block": Device.on_block,
    "conversation": Device.on_conversation,
    "member": Device.on_member,
    "reset": Device.on_reset,
}
