"""What a client knows after its events is what a fresh client is told, after every action, on every device.

Devices come and go at any point; each takes up again at the event that it had last.
"""

import asyncio
import json
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from parts import FakeSink, Worker
from polling import until
from redises import RedisProcess
from ssechat.chat.edits import Edit
from ssechat.chat.groups import Draft
from ssechat.chat.messages import Extras
from ssechat.errors import RequestError
from ssechat.events import frames
from ssechat.events.kinds import TYPING
from ssechat.identity.profiles import Profile
from ssechat.identity.users import CLAIMED_NAME
from ssechat.ids import ConversationId, UserId
from ssechat.streams.stream import Stream

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

USERS = [UserId(name) for name in ("alice", "bob", "carol")]
ACTIONS = 60
STORIES = 12
UNKNOWN = "77-77"
"""A cursor that no inbox has."""

PROFILE = ("display_name", "avatar_url", "receipts")

OTHERS = ("block", "unblock", "profile", "claim", "edit", "delete", "react", "mute", "rename")
"""Actions by which people hide receipts from each other, and those that receipts have nothing to do with."""

Fields = dict[str, Any]
Handle = Callable[["Device", Fields], Any]


@dataclass(eq=False)
class Device:
    """A client as /docs tells one to be: it fetches its conversations once, and then lives on events."""

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
        if version <= self.versions.get((id, seq), -1):
            return
        self.versions[id, seq] = version
        new = seq > conversation["newest_seq"]
        conversation["newest_seq"] = max(seq, conversation["newest_seq"])
        last = conversation["last_message"]
        if last is None or seq >= last["seq"]:
            conversation["last_message"] = message
        if new and message.get("sender") == self.user:
            self.raise_mark(conversation, seq)
        mentions = set(conversation["mentions"]) - {seq}
        if self.user in message.get("mentions", ()) and seq > conversation["read_up_to"]:
            mentions |= {seq}
        conversation["mentions"] = sorted(mentions)
        self.count(conversation)

    def on_mark(self, mark: Fields) -> None:
        conversation = self.conversations.get(mark["conversation_id"])
        if conversation is None:
            self.must_fetch.add(mark["conversation_id"])
            return
        conversation["muted"] = mark["muted"]
        self.raise_mark(conversation, mark["read_up_to"])

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

    def raise_mark(self, conversation: Fields, seq: int) -> None:
        conversation["read_up_to"] = max(seq, conversation["read_up_to"])
        conversation["mentions"] = [one for one in conversation["mentions"] if one > conversation["read_up_to"]]
        self.count(conversation)

    def count(self, conversation: Fields) -> None:
        conversation["unread"] = max(0, conversation["newest_seq"] - conversation["read_up_to"])

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


async def level(stream: Stream | None, head: str) -> None:
    """Waits until the stream has written all that the inbox has."""
    assert stream is not None
    await until(lambda: stream.live and stream.cursor == head)


class Story:
    """People who act at random, and their devices."""

    def __init__(
        self,
        workers: Sequence[Worker],
        seed: int,
        handle: Mapping[str, Handle] = HANDLE,
        never: Collection[str] = (),
    ) -> None:
        """`never`: actions that nobody takes."""
        self.never = never
        self.workers = workers
        self.chance = random.Random(seed)
        self.devices = [Device(user, handle) for user in USERS for _ in range(2)]
        self.conversations: list[str] = ["dm:alice:bob", "dm:bob:carol", "dm:bob:bob"]
        self.done: list[str] = []
        self.counter = 0
        self.switched = 0

    async def begin(self) -> None:
        for history in ("all", "from_join"):
            draft = Draft(f"group {history}", "", history, USERS[:2])
            group, _ = await self.workers[0].chat.groups.make(USERS[0], draft, None)
            self.conversations.append(group)
        for device in self.devices:
            self.show_some(device)
            await self.connect(device)

    def show_some(self, device: Device) -> None:
        """Shows a conversation on the device that its user is in, or may come to be in."""
        device.show(self.chance.choice([one for one in self.conversations if device.user in one or one[0] == "g"]))

    async def connect(self, device: Device) -> None:
        """Opens a stream; a device that begins fetches once the stream is live, another resumes.

        Now and then what it missed is gone: its cursor is none of its inbox, and a reset tells it so.
        """
        worker = self.chance.choice(self.workers)
        fresh = device.cursor is None
        if not fresh and self.chance.random() < 0.2:
            device.cursor = UNKNOWN
        device.stream, device.sink = worker.open_stream(device.user, device.cursor)
        device.handled = 0
        stream = device.stream
        await until(lambda: stream.live)
        if fresh:
            device.must_fetch.add("all")

    def disconnect(self, device: Device) -> None:
        assert device.stream is not None
        if self.chance.random() < 0.5:  # else what was on its way is lost with the connection
            device.take_events()
        device.stream.bye("drain")
        device.stream = device.sink = None

    async def described(self, user: UserId, conversation: str) -> Fields | None:
        """A conversation as the server describes it to a user; None if it does not."""
        try:
            one = await self.chance.choice(self.workers).chat.conversations.one(user, conversation)
        except RequestError:
            return None
        found: Fields = json.loads(one.json)
        return found

    async def told(self, device: Device) -> None:
        """Waits until all that has no id has come: it is in the order in which it was told."""
        await until(lambda: not any(len(worker.chat.receipts.telling) for worker in self.workers))
        self.counter += 1
        data = {"conversation_id": "dm:a:b", "user": f"mark{self.counter}", "expires_in": 0}
        assert device.sink is not None
        sink = device.sink
        await self.workers[0].inbox.tell([device.user], TYPING, data)
        await until(lambda: any(event["data"] == frames.encode(data).decode() for event in sink.events()))

    async def settle(self, device: Device) -> None:
        """Until the device has fetched what it must, and has all events: also those from before what it fetched."""
        while True:
            if "all" in device.must_fetch:
                device.must_fetch.clear()
                device.conversations.clear()
                device.versions.clear()
                device.profile = None
                for conversation in await self.listed(device.user):
                    device.fetched(conversation)
                device.blocks = await self.blocked_by(device.user)
            for id in list(device.must_fetch):
                described = await self.chance.choice(self.workers).chat.conversations.one(device.user, id)
                device.fetched(json.loads(described.json))
            if device.is_stale:
                device.loaded_at = self.switched
                device.load(await self.described(device.user, device.shown))
            if device.profile is None:
                device.profile = await self.chance.choice(self.workers).chat.profiles.of(device.user)
            await level(device.stream, await self.workers[0].inbox.head(device.user))
            await self.told(device)
            device.take_events()
            late = [receipt for receipt in device.told if receipt["conversation_id"] == device.shown]
            if late and self.chance.random() < 0.4:  # a worker was slow to tell what was so before
                device.handle["receipt"](device, self.chance.choice(late))
            if not device.must_fetch and not device.is_stale and device.profile is not None:
                return

    async def listed(self, user: UserId) -> list[Fields]:
        listing = await self.chance.choice(self.workers).chat.conversations.list(user, None, 50)
        return [json.loads(one.json) for one in listing.conversations]

    async def blocked_by(self, user: UserId) -> set[str]:
        return set((await self.chance.choice(self.workers).chat.blocks.page(user, "", 50)).users)

    async def check(self) -> None:
        """Compares each device that is connected with a fresh fetch."""
        for device in self.devices:
            if device.stream is None:
                continue
            await self.settle(device)
            fresh = {one["id"]: one for one in await self.listed(device.user)}
            assert device.conversations == fresh, f"{device.user} after {self.done}"
            self.check_receipts(device, await self.described(device.user, device.shown))
            assert device.profile == await self.workers[0].chat.profiles.of(device.user), f"after {self.done}"
            assert device.blocks == await self.blocked_by(device.user), f"{device.user} after {self.done}"
            sums = await self.chance.choice(self.workers).chat.marks.sums(device.user)
            loud = [one for one in fresh.values() if not one["muted"]]
            assert sums == (sum(one["unread"] for one in loud), sum(len(one["mentions"]) for one in loud))

    def check_receipts(self, device: Device, now: Fields | None) -> None:
        """Compares the receipts that the device knows with those of a fresh fetch."""
        receipts = None if now is None or "receipts" not in now else by_user(now["receipts"])
        if device.loaded_at == self.switched:
            assert device.receipts == receipts, f"{device.user} of {device.shown} after {self.done}"
        # Who blocks, or shows no receipts any more, tells nobody so: the others know when they load them next.
        for user in (device.receipts or {}).keys() & (receipts or {}).keys():
            for what in ("read_up_to", "delivered_up_to"):
                assert (device.receipts or {})[user][what] <= (receipts or {})[user][what]

    async def act(self) -> None:
        """One action of the API, by anybody, which may be refused."""
        chance, user = self.chance, self.chance.choice(USERS)
        chat, id = chance.choice(self.workers).chat, ConversationId(chance.choice(self.conversations))
        newest = await self.workers[0].conversations.newest_seq(id)
        seq, self.counter = max(1, newest - chance.randint(0, 3)), self.counter + 1
        ids = [event.id for event in await self.workers[0].events(user)]
        acked = chance.choice([*ids, await self.workers[0].inbox.head(user)])
        other, named = chance.choice(USERS), tuple(one for one in USERS if chance.random() < 0.5)
        actions: dict[str, Callable[[], Any]] = {
            "send": lambda: chat.messages.send(
                user, id, f"m{self.counter}", f"k{self.counter}", Extras(None, named, None)
            ),
            "edit": lambda: chat.edits.edit(user, id, seq, Edit(f"e{self.counter}", named, None, False), None),
            "delete": lambda: chat.edits.delete(user, id, seq, None),
            "react": lambda: chat.reactions.put(user, id, seq, "👍", wanted=chance.random() < 0.7),
            "read": lambda: chat.marks.read(user, id, seq),
            "ack": lambda: chat.receipts.ack(user, acked),
            "mute": lambda: chat.marks.mute(user, id, muted=chance.random() < 0.5),
            "profile": lambda: chat.profiles.change(user, {chance.choice(PROFILE): chance.choice(["", "0", "x"])}),
            "claim": lambda: chat.profiles.change(user, {CLAIMED_NAME: f"name {self.counter}"}),
            "add": lambda: chat.members.put(user, id, other, None),
            "role": lambda: chat.members.put(user, id, other, chance.choice(["owner", "admin", "member"])),
            "remove": lambda: chat.members.remove(user, id, other),
            "leave": lambda: chat.members.remove(user, id, user),
            "rename": lambda: chat.groups.change(user, id, f"name {self.counter}", chance.choice(["", "topic"])),
            "block": lambda: chat.blocks.block(user, other),
            "unblock": lambda: chat.blocks.unblock(user, other),
        }
        weights = {"send": 6, "read": 4, "ack": 3, "delete": 2, "unblock": 3}
        taken = [one for one in actions if one not in self.never]
        name = chance.choices(taken, [weights.get(one, 1) for one in taken])[0]
        try:
            await actions[name]()
            self.switched += name in ("profile", "block", "unblock")
            self.done.append(f"{user} {name} {id} {seq} {other}")
        except RequestError as refused:
            self.done.append(f"{user} {name} {id}: {refused.code}")

    async def run(self) -> None:
        await self.begin()
        for step in range(ACTIONS):
            if self.chance.random() < 0.2:
                await asyncio.gather(self.act(), self.act(), self.act())
            else:
                await self.act()
            if self.chance.random() < 0.25:
                device = self.chance.choice(self.devices)
                if device.stream is None:
                    await self.connect(device)
                else:
                    self.disconnect(device)
            if self.chance.random() < 0.1:
                self.show_some(self.chance.choice(self.devices))
            if self.chance.random() < 0.3:
                self.chance.choice(self.devices).must_fetch.add("all")  # it is reloaded: events from before it follow
            if step % 3 == 0:
                await self.check()
        for device in self.devices:
            if device.stream is None:
                await self.connect(device)
        await self.check()


@pytest.fixture
async def both(worker: Worker, other_worker: Worker, monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    for each in (worker, other_worker):
        monkeypatch.setattr(each.chat.receipts.telling, "_pause", 0.01)
    return [worker, other_worker]


@pytest.mark.parametrize("seed", range(STORIES))
async def test_every_device_agrees_with_a_fresh_fetch_after_every_action(both: list[Worker], seed: int) -> None:
    await Story(both, seed).run()


@pytest.mark.parametrize("seed", range(STORIES))
async def test_receipts_agree_among_people_who_show_theirs(both: list[Worker], seed: int) -> None:
    await Story(both, seed, never=OTHERS).run()


def _counts_up(device: Device, message: Fields) -> None:
    before = device.conversations.get(message["conversation_id"], {}).get("unread", 0)
    device.on_message(message)
    conversation = device.conversations.get(message["conversation_id"])
    if conversation is not None and message.get("sender") != device.user:
        conversation["unread"] = before + 1


def _mark_may_fall(device: Device, mark: Fields) -> None:
    device.on_mark(mark)
    conversation = device.conversations.get(mark["conversation_id"])
    if conversation is not None:
        conversation["read_up_to"] = mark["read_up_to"]
        device.count(conversation)


def _keeps_mentions(device: Device, message: Fields) -> None:
    conversation = device.conversations.get(message["conversation_id"], {})
    before = set(conversation.get("mentions", ()))
    device.on_message(message)
    if conversation:
        conversation["mentions"] = sorted(before | set(conversation["mentions"]))


def _receipt_may_fall(device: Device, receipt: Fields) -> None:
    device.on_receipt(receipt)
    known = (device.receipts or {}).get(receipt["user"])
    if receipt["conversation_id"] == device.shown and known is not None:
        known["read_up_to"] = receipt["read_up_to"]


def _read_is_not_delivered(device: Device, receipt: Fields) -> None:
    known = (device.receipts or {}).get(receipt["user"])
    before = known and known["delivered_up_to"]
    device.on_receipt(receipt)
    if known is not None and receipt["read_up_to"] == receipt["delivered_up_to"]:
        known["delivered_up_to"] = before


def _sent_is_not_read(device: Device, message: Fields) -> None:
    receipts, device.receipts = device.receipts, None
    device.on_message(message)
    device.receipts = receipts


def _keeps_who_leaves(device: Device, member: Fields) -> None:
    before = dict(device.receipts or {})
    stale = device.is_stale
    device.on_member(member)
    if member.get("left") and member["conversation_id"] == device.shown and device.receipts is not None:
        device.receipts, device.is_stale = before, stale


MUTANTS: Mapping[str, Mapping[str, Handle]] = {
    "unread is counted up": {"message": _counts_up},
    "a mark falls": {"mark": _mark_may_fall},
    "mentions stay when their message is deleted": {"message.deleted": _keeps_mentions},
    "marks of other devices are ignored": {"mark": lambda device, mark: None},
    "changes of the profile are ignored": {"profile": lambda device, change: None},
    "blocks of other devices are ignored": {"block": lambda device, block: None},
    "who was blocked stays so": {"block": lambda device, block: device.on_block({**block, "blocked": True})},
    "resets are ignored": {"reset": lambda device, reset: None},
    "one's own messages are unread": {
        "message": lambda device, message: device.on_message({**message, "sender": None})
    },
}


OF_RECEIPTS: Mapping[str, Mapping[str, Handle]] = {
    "receipts are ignored": {"receipt": lambda device, receipt: None},
    "a read is not taken for a delivery": {"receipt": _read_is_not_delivered},
    "the receipt of who has left stays": {"member": _keeps_who_leaves},
    "receipts are not loaded again after a pause": dict.fromkeys(("hello", "caught_up"), lambda device, data: None),
    "a receipt falls": {"receipt": _receipt_may_fall},
    "who sends has not read": {"message": _sent_is_not_read},
}


@pytest.mark.parametrize("mutant", [*MUTANTS, *OF_RECEIPTS])
async def test_a_client_that_counts_by_itself_is_found(both: list[Worker], redis: RedisProcess, mutant: str) -> None:
    for seed in range(2 * STORIES):
        broken = {**HANDLE, **{**MUTANTS, **OF_RECEIPTS}[mutant]}
        story = Story(both, seed, broken, OTHERS if mutant in OF_RECEIPTS else ())
        try:
            await story.run()
        except AssertionError:
            return
        for device in story.devices:
            story.disconnect(device)
        with redis.client() as client:
            client.flushall()
    raise AssertionError("it was not found")
