"""Those who act in groups: the keeper of each, who adds, removes, ranks and renames, and people, who come and go, send,
edit, delete and react."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from .history import Change, Group, History
from .http import Place
from .writer import Request, Writer

PAUSE = (0.0, 0.12)
RECENT = 5
"""The newest messages of a group, which are those that are changed."""

EMOJI = ("👍", "🎉", "❤️")

KEEPER = {"add": 5, "add many": 2, "remove": 3, "role": 2, "rename": 1, "send": 5, "delete": 1, "react": 1}
PEOPLE = {"send": 6, "edit": 5, "delete": 1, "react": 4, "unreact": 2, "leave": 2, "join": 1, "add": 1, "rename": 1}
PEOPLE |= {"remove": 1}
"""How often each is done."""


@dataclass(slots=True)
class Room:
    """A group, and what is known of it to those who act in it."""

    group: Group
    secret: str = ""
    """Of an invitation."""
    said: list[tuple[int, str]] = field(default_factory=list)
    """seq and sender of the messages that were acknowledged."""

    @property
    def path(self) -> str:
        """The path of the group."""
        return f"/v1/conversations/{quote(self.group.id)}"


class GroupWriter(Writer):
    """One who acts in groups."""

    def __init__(
        self,
        server: Place,
        history: History,
        now: Callable[[], float],
        user: str,
        name: str,
        people: Sequence[str],
    ) -> None:
        """`people`: those who are added and removed."""
        super().__init__(server, history, now, user, name)
        self._people = people

    async def mingle(self, rooms: Sequence[Room], until: asyncio.Event) -> None:
        """Does one thing after another in one of the groups."""
        while not until.is_set():
            if rooms:
                room = self._random.choice(rooms)
                what = KEEPER if room.group.keeper == self.user else PEOPLE
                [chosen] = self._random.choices(list(what), list(what.values()))
                await self.do(chosen, room)
            await asyncio.sleep(self._random.uniform(*PAUSE))

    async def make(self, members: Sequence[str], *, from_join: bool = False) -> Room | None:
        """Makes a group of this user, the keeper, and these members; None if that was refused."""
        name = self.next_name()
        change = Change("", self.user, name, name, self._now(), what="make", users=tuple(members))
        self._history.changes.append(change)
        body = {"name": name, "members": list(members), "client_msg_id": name}
        body["history"] = "from_join" if from_join else "all"
        await self.insist(change, Request("POST", "/v1/conversations", body))
        if change.answer is None:
            return None
        change.conversation = str(change.answer.get("id"))
        group = Group(change.conversation, self.user, tuple(members), name, from_join)
        self._history.groups[group.id] = group
        return Room(group)

    async def do(self, what: str, room: Room) -> None:
        """Does a thing of this name, with dice for the rest."""
        match what:
            case "send":
                await self.say(room)
            case "edit" | "delete" | "react" | "unreact":
                mine = [seq for seq, sender in room.said[-RECENT:] if what.endswith("react") or sender == self.user]
                if what == "delete" and self.user == room.group.keeper:
                    mine = [seq for seq, _ in room.said[-RECENT:]]
                if mine:  # often the newest, so that changes meet
                    await self.change(what, room, self._random.choice((mine[-1], self._random.choice(mine))))
            case "leave":
                await self.member(what, room, (self.user,))
            case "add many":
                await self.member(what, room, tuple(self._random.sample(self._people, min(3, len(self._people)))))
            case "join":
                if room.secret:
                    await self.member(what, room, (self.user,))
            case "rename":
                await self.rename(room)
            case _:
                await self.member(what, room, (self._random.choice(self._people),))

    async def say(self, room: Room) -> str:
        """Sends a message; returns its client_msg_id."""
        send = await self.send_in(room.group.id)
        if send.answer is not None:
            room.said.append((int(send.answer["seq"]), self.user))
        return send.client_msg_id

    async def change(self, what: str, room: Room, seq: int) -> Change:
        """Changes a message."""
        path, name = f"{room.path}/messages/{seq}", self.next_name()
        emoji = self._random.choice(EMOJI)
        request, text = {
            "edit": (Request("PATCH", path, {"text": f"edit {name}"}), f"edit {name}"),
            "delete": (Request("DELETE", path), ""),
            "react": (Request("PUT", f"{path}/reactions/{quote(emoji)}"), emoji),
            "unreact": (Request("DELETE", f"{path}/reactions/{quote(emoji)}"), emoji),
        }[what]
        return await self._insist_on(
            Change(room.group.id, self.user, name, text, self._now(), what=what, seq=seq), request
        )

    async def member(self, what: str, room: Room, users: tuple[str, ...]) -> Change:
        """Changes who is a member, or with what role."""
        path = f"{room.path}/members"
        one = f"{path}/{quote(users[0])}"
        role = self._random.choice(("member", "admin", "admin"))
        request = {
            "add": Request("PUT", one, {}),
            "add many": Request("POST", path, {"users": list(users)}),
            "role": Request("PUT", one, {"role": role}),
            "remove": Request("DELETE", one),
            "leave": Request("DELETE", one),
            "join": Request("POST", "/v1/invites/join", {"secret": room.secret}),
        }[what]
        named = "add" if what == "add many" else "leave" if what == "remove" and users == (self.user,) else what
        text = role if what == "role" else ""
        name = self.next_name()
        return await self._insist_on(
            Change(room.group.id, self.user, name, text, self._now(), what=named, users=users), request
        )

    async def rename(self, room: Room) -> Change:
        """Gives the group a name that it never had."""
        name = self.next_name()
        change = Change(room.group.id, self.user, name, f"name {name}", self._now(), what="rename")
        return await self._insist_on(change, Request("PATCH", room.path, {"name": change.text}))

    async def _insist_on(self, change: Change, request: Request) -> Change:
        self._history.changes.append(change)
        await self.insist(change, request)
        return change
