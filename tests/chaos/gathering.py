"""The groups of a run: made before and under the faults, used by all, and compared with REST at the end."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import quote

from .group_writer import GroupWriter, Room
from .history import Fetched, History
from .http import Connection, Lost, Place
from .writer import PATIENCE

CROWD = 70
"""Silent members of a large group: with them it is delivered in more than one script."""

AGAIN = 0.1
PAGE = 100


class Gathering:
    """Makes groups, and lets people act in them."""

    def __init__(self, server: Place, history: History, now: Callable[[], float], people: Sequence[str]) -> None:
        self._server = server
        self._history = history
        self._now = now
        self._people = people
        self.rooms: list[Room] = []
        self._writers: list[GroupWriter] = []
        self.crowd = [f"x{number}" for number in range(CROWD)]

    def writer(self, user: str, name: str, people: Sequence[str] | None = None) -> GroupWriter:
        """Somebody who acts in groups."""
        people = self._people if people is None else people
        self._writers.append(GroupWriter(self._server, self._history, self._now, user, name, people))
        return self._writers[-1]

    def close(self) -> None:
        """Drops the connections of all who acted."""
        for writer in self._writers:
            writer.close()

    async def make(self, keeper: GroupWriter, members: Sequence[str], *, number: int, crowded: bool) -> Room | None:
        """Makes the group of this number: every other one shows what was before a join."""
        everybody = (*members, *self.crowd) if crowded else tuple(members)
        room = await keeper.make(everybody, from_join=number % 2 == 1)
        if room is not None:
            room.secret = str((await self.ask(keeper.user, "POST", f"{room.path}/invites", {})).get("secret", ""))
            self.rooms.append(room)
        return room

    async def keep(self, keeper: str, number: int, since: float, until: asyncio.Event) -> None:
        """Makes a group after some seconds, and keeps it until the end; its last message is one more."""
        await asyncio.sleep(since)
        writer = self.writer(keeper, f"{keeper}w")
        some = self._people[: 2 + number % max(1, len(self._people) - 1)]
        room = await self.make(writer, some, number=number, crowded=number % 3 == 2)
        if room is not None:
            await writer.mingle([room], until)

    async def ask(self, user: str, verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Asks until there is an answer that is not 503; an error is an empty one."""
        while True:
            with contextlib.suppress(Lost, TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    connection = await Connection.open(self._server)
                    try:
                        status, answer = await connection.request(verb, path, self._server.token(user), body)
                    finally:
                        connection.close()
                if status < 500:
                    return answer if status < 300 else {}
            await asyncio.sleep(AGAIN)

    async def fetch(self, users: Collection[str]) -> None:
        """Asks over REST what each of the people, and each keeper, sees now of each group whose keeper is among the
        users."""
        for user in users:
            listed: set[str] = set()
            before = ""
            while page := await self.ask(user, "GET", f"/v1/conversations?limit={PAGE}{before}"):
                listed.update(each["id"] for each in page["conversations"])
                if page["next"] is None:
                    break
                before = f"&before={page['next']}"
            for group in self._history.groups.values():
                if group.keeper in users and user in (*self._people, group.keeper):
                    self._history.fetched.append(await self._fetch(user, Room(group), listed))

    async def _fetch(self, user: str, room: Room, listed: set[str]) -> Fetched:
        got = Fetched(user, room.group.id, self._now(), listed=room.group.id in listed)
        got.group = await self.ask(user, "GET", room.path) or None
        if got.group is None:
            return got
        after = ""
        while page := await self.ask(user, "GET", f"{room.path}/members?limit={PAGE}{after}"):
            got.roles.update((each["user"], each["role"]) for each in page["members"])
            if not page.get("next"):
                break
            after = f"&after={quote(page['next'])}"
        before = ""
        while page := await self.ask(user, "GET", f"{room.path}/messages?limit={PAGE}{before}"):
            got.messages = [*page["messages"], *got.messages]
            if not page["has_more"] or not page["messages"]:
                break
            before = f"&before={min(message['seq'] for message in page['messages'])}"
        return got
