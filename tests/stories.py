"""People who act at random, and whose devices must know after it what a fresh device is told."""

import asyncio
import json
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from devices import HANDLE, Device, Fields, Handle, by_user
from parts import Worker
from polling import until
from ssechat.chat.edits import Edit
from ssechat.chat.groups import Draft
from ssechat.chat.messages import Extras
from ssechat.errors import RequestError
from ssechat.events import frames
from ssechat.events.kinds import TYPING
from ssechat.identity.users import CLAIMED_NAME
from ssechat.ids import ConversationId, UserId
from ssechat.streams.stream import Stream

USERS = [UserId(name) for name in ("alice", "bob", "carol")]
ACTIONS = 60
UNKNOWN = "77-77"
"""A cursor that no inbox has."""

PROFILE = ("display_name", "avatar_url", "receipts")

OPERATION_OF = {
    "send": "send_message",
    "edit": "edit_message",
    "delete": "delete_message",
    "react": "react take_reaction_back",
    "read": "mark_read",
    "ack": "acknowledge",
    "mute": "mute",
    "profile": "change_me",
    "claim": "change_me",  # a token with another name
    "add": "put_member",
    "role": "put_member",
    "remove": "remove_member",
    "leave": "remove_member",
    "end": "end_group",
    "rename": "change_group",
    "block": "block_user",
    "unblock": "unblock_user",
    "make": "make_group",
    "join": "join_group",
    "add all": "add_members",
}
"""The operation of the contract that each action is, or the two."""

NEWCOMERS = ("make", "join", "add all")
"""Actions by which people come to be in groups, besides one who is added."""

OTHERS = ("block", "unblock", "profile", "claim", "edit", "delete", "react", "mute", "rename")
"""Actions by which people hide receipts from each other, and those that receipts have nothing to do with."""


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
        await until(lambda: not any(len(worker.chat.receipts.coalescing) for worker in self.workers))
        self.counter += 1
        data = {"conversation_id": "dm:a:b", "user": f"mark{self.counter}", "expires_in": 0}
        assert device.sink is not None
        sink = device.sink
        await self.workers[0].inbox.publish([device.user], TYPING, data)
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

    async def make(self, user: UserId) -> None:
        """Makes a group, in which more may be done."""
        members = [one for one in USERS if one != user and self.chance.random() < 0.7]
        draft = Draft(f"group {self.counter}", "", self.chance.choice(("all", "from_join")), members)
        group, _ = await self.chance.choice(self.workers).chat.groups.make(user, draft, None)
        self.conversations.append(group)

    async def join(self, user: UserId, conversation: str, other: UserId) -> None:
        """Invites somebody, who joins."""
        _, secret = await self.chance.choice(self.workers).chat.invites.make(user, conversation, 3600, None)
        await self.chance.choice(self.workers).chat.joins.join(other, secret)

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
            "end": lambda: chat.groups.end(user, id),
            "rename": lambda: chat.groups.change(user, id, f"name {self.counter}", chance.choice(["", "topic"])),
            "block": lambda: chat.blocks.block(user, other),
            "unblock": lambda: chat.blocks.unblock(user, other),
            "make": lambda: self.make(user),
            "join": lambda: self.join(user, id, other),
            "add all": lambda: chat.members.add(user, id, USERS),
        }
        assert actions.keys() == OPERATION_OF.keys()
        weights = {"send": 6, "read": 4, "ack": 3, "delete": 2, "unblock": 3, "end": 0.5, "make": 0.3}
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
