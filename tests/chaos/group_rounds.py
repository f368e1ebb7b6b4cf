"""Rounds in groups of their own: what no later entry of a group repairs, and members who come while they connect."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

from .gathering import Gathering
from .group_writer import GroupWriter, Room

Due = dict[str, set[str]]
"""User → what each device of the user must get (`Reader.got`)."""

LAST = ("say", "remove", "leave", "edit", "add")
"""The last thing that is done in each of some groups."""


class Rounds:
    """Prepares groups, and does one thing in each of them."""

    def __init__(self, gathering: Gathering, people: Sequence[str], name: str) -> None:
        """`name`: of the keepers."""
        self._gathering = gathering
        self._people = list(people)
        self.keepers = [f"{name}.k{number}" for number in range(len(LAST))]
        self.due: Due = defaultdict(set)

    def _patient(self, user: str, name: str) -> GroupWriter:
        writer = self._gathering.writer(user, name, self._people)
        writer.patient = True
        return writer

    async def prepare(self, *, crowded: bool) -> list[tuple[GroupWriter, Room]]:
        """Makes a group for each keeper; the last of the people is in none of them."""
        keepers = [self._patient(keeper, f"{keeper}w") for keeper in self.keepers]
        rooms = await asyncio.gather(
            *(
                self._gathering.make(keeper, self._people[:-1], number=number, crowded=crowded)
                for number, keeper in enumerate(keepers)
            )
        )
        return [(keeper, room) for keeper, room in zip(keepers, rooms, strict=True) if room is not None]

    async def last_words(self, prepared: Sequence[tuple[GroupWriter, Room]], on_ack: Callable[[], None]) -> None:
        """Does the last thing in each group, all at a time."""
        for _, room in prepared:  # what is edited
            await self._patient(self._people[0], f"{room.group.keeper}a").say(room)
        await asyncio.gather(
            *(self._last(what, keeper, room, on_ack) for what, (keeper, room) in zip(LAST, prepared, strict=False))
        )

    async def _last(self, what: str, keeper: GroupWriter, room: Room, on_ack: Callable[[], None]) -> None:
        one = self._patient(self._people[0], f"{room.group.keeper}b")
        one.on_ack = keeper.on_ack = on_ack
        audience = [*self._people[:-1], room.group.keeper]
        match what:
            case "say":
                due = await one.say(room)
            case "edit":
                answer = (await one.change("edit", room, room.said[0][0])).answer or {}
                due = f"{room.group.id} {answer.get('seq')} {answer.get('version')}"
            case "add":
                await keeper.member("add", room, (self._people[-1],))
                audience.append(self._people[-1])
                due = f"joined {room.group.id} {self._people[-1]}"
            case _:
                writer = one if what == "leave" else keeper
                await writer.member(what, room, (self._people[0],))
                due = f"left {room.group.id} {self._people[0]}"
        for user in audience:
            self.due[user].add(due)

    async def welcome(self, prepared: Sequence[tuple[GroupWriter, Room]]) -> None:
        """In each group: adds the last of the people, and sends a message."""

        async def work(keeper: GroupWriter, room: Room) -> None:
            await keeper.member("add many", room, tuple(self._people[-1:]))
            name = await keeper.say(room)
            for user in (*self._people, room.group.keeper):
                self.due[user].add(name)

        await asyncio.gather(*(work(keeper, room) for keeper, room in prepared))
