"""A run from start to end.

In the first phase all clients send and read while faults are injected. When all devices are level again, the second
phase tests faults that later messages would repair: messages to new users while they connect, and one last message or
change in each of some conversations, with every worker killed at the first acknowledgement.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from serving import kill_processes

from .checker import LATE_SECONDS, check
from .claims import excuse, owed
from .device import Reader
from .faults import LOSSY, Injector, plan
from .feeds import Feed
from .gathering import Gathering
from .group_rounds import Due, Rounds
from .history import History, Injected
from .http import Connection, Lost
from .result import Options, Result
from .server import Server
from .writer import Writer

__all__ = ["Options", "Result", "run"]

NEWCOMERS = 4
LAST_WORDS = 12
LATE = 0.4
"""The share of the groups that are made under faults."""


async def run(options: Options) -> Result:
    """Starts a server, injects faults, and checks the history.

    Raises:
        ServerFailed: the server does not start or stop.
    """
    server = Server(options.seed, options.workers, options.mutation, pair="failover" in options.faults)
    try:
        await server.start()
        conductor = Conductor(options, server)
        await conductor.conduct()
        await server.stop()
        result = conductor.result
        result.tracebacks = server.complaints()
    finally:
        server.close()
    result.violations = check(result.history)
    return result


class Conductor:
    """Runs the clients and the faults against the server."""

    def __init__(self, options: Options, server: Server) -> None:
        self._options = options
        self._server = server
        self._began = time.monotonic()
        self._history = History()
        self._readers: list[Reader] = []
        self._people = [f"p{number}" for number in range(options.people)]
        self._keepers = [f"k{number}" for number in range(options.groups)]
        self._feed = Feed(server, self._history, self._now)
        self._gathering = Gathering(server, self._history, self._now, self._people)
        self._due: Due = {}
        """What devices must get in groups before they are level."""
        self.result = Result(options, self._history)

    def _now(self) -> float:
        return time.monotonic() - self._began

    async def conduct(self) -> None:
        """Runs all phases; the history is in `result`."""
        try:
            await self._load()
            for round_ in range(self._options.newcomer_rounds):
                if not await self._newcomers(round_):
                    break
            for round_ in range(self._options.last_word_rounds):
                if not await self._last_words(round_):
                    break
            await asyncio.sleep(0.5)  # for duplicates that arrive late
            await self._gathering.fetch((*self._people, *self._keepers))
        finally:
            self._history.ended = self._now()
            self._gathering.close()
            await asyncio.gather(*(reader.stop() for reader in self._readers))

    async def _load(self) -> None:
        options, people = self._options, self._people
        if self._keepers:
            await asyncio.gather(*(self._exist(user) for user in self._gathering.crowd))
        readers = await self._join([*people, *self._keepers], restless=True)
        stop = asyncio.Event()
        writers = [self._writer(people[number % len(people)], f"w{number}") for number in range(options.writers)]
        talks = [
            asyncio.create_task(writer.talk([each for each in people if each != writer.user], stop))
            for writer in writers
        ]
        talks += self._gather(stop)
        if self._loses:
            await self._until_made()
        else:
            readers = [*readers, *await self._open_feed()]
            talks.append(asyncio.create_task(self._feed.talk(stop)))
        injector = Injector(self._server, self._history, self._now, readers)
        try:
            faults = asyncio.create_task(injector.inject_all(plan(options.seed, options.seconds, options.faults)))
            await asyncio.sleep(options.seconds)
            await faults
            last = self._now()
            stop.set()
            for reader in readers:
                reader.calm_down()
            await self._finish(talks)
        finally:
            for talk in talks:
                talk.cancel()
        self.result.skipped = injector.skipped
        if self._history.losses:
            # A device that reads from the beginning now gets the data that remain after a loss.
            readers = readers + await self._join([*people, *self._keepers], restless=False, numbers=(2,))
        await self._finish([asyncio.create_task(self._bring_to_an_end())])
        if await self._level(readers, self._options.settle_seconds):
            self.result.level_after = self._now() - last

    async def _open_feed(self) -> list[Reader]:
        """The readers of a feed."""
        self._readers += self._feed.readers
        await self._feed.open()
        return self._feed.readers

    @property
    def _loses(self) -> bool:
        """Whether data are lost by design: what remains of a group that was made meanwhile is not checked."""
        return any(kind in LOSSY for kind in self._options.faults)

    async def _until_made(self) -> None:
        while len(self._gathering.rooms) < len(self._keepers):
            await asyncio.sleep(0.02)

    def _gather(self, stop: asyncio.Event) -> list["asyncio.Task[None]"]:
        """The keepers, who make their groups, some of them under faults; and people, who act in those groups."""
        late = len(self._keepers) - int(len(self._keepers) * (0 if self._loses else LATE))
        keepers = [
            self._gathering.keep(keeper, number, max(0, 1 + number - late) * self._options.seconds / 4, stop)
            for number, keeper in enumerate(self._keepers)
        ]
        people = [
            self._gathering.writer(user, f"{user}g").mingle(self._gathering.rooms, stop)
            for user in self._people
            if self._keepers
        ]
        return [asyncio.create_task(each) for each in (*keepers, *people)]

    async def _bring_to_an_end(self) -> None:
        """Sends a last message to each inbox, which comes after all that was acknowledged before."""
        for room in self._gathering.rooms:
            keeper = self._gathering.writer(room.group.keeper, f"{room.group.keeper}end")
            self._due[room.group.keeper] = {await keeper.say(room)}
        for user in self._people if self._keepers else ():
            writer = self._writer(user, f"{user}end")
            await writer.send(user)
            writer.close()

    async def _newcomers(self, round_: int) -> bool:
        """Sends messages to new users at the moment when they connect."""
        people = [f"n{round_}.{number}" for number in range(NEWCOMERS)]
        rounds = await self._rounds(people, f"n{round_}")
        prepared = await rounds.prepare(crowded=round_ % 2 == 1) if rounds else []
        readers = await self._join(people, restless=False, wait=False)
        welcome = [asyncio.create_task(rounds.welcome(prepared))] if rounds else []
        await self._send_round(people, f"n{round_}", welcome, spread=0.004)
        return await self._level([*readers, *self._readers_of(rounds)], LATE_SECONDS + 2)

    async def _last_words(self, round_: int) -> bool:
        """Sends last messages: no later message repairs the deliveries that a dead worker left undone."""
        people = [f"l{round_}.{number}" for number in range(LAST_WORDS)]
        readers = await self._join(people, restless=False)
        rounds = await self._rounds(people, f"l{round_}")
        prepared = await rounds.prepare(crowded=round_ % 2 == 0) if rounds else []
        killed = False

        def kill_workers() -> None:
            nonlocal killed
            if not killed:
                killed = True
                self._kill_workers()

        last = [asyncio.create_task(rounds.last_words(prepared, kill_workers))] if rounds else []
        await self._send_round(people, f"l{round_}", last, spread=0.0, on_ack=kill_workers)
        return await self._level([*readers, *self._readers_of(rounds)], self._options.settle_seconds)

    async def _rounds(self, people: list[str], name: str) -> Rounds | None:
        if not self._keepers:
            return None
        rounds = Rounds(self._gathering, people, name)
        self._due = rounds.due
        await asyncio.gather(*(self._exist(user) for user in people))
        await self._join(rounds.keepers, restless=False)
        return rounds

    def _readers_of(self, rounds: Rounds | None) -> list[Reader]:
        return [reader for reader in self._readers if rounds and reader.device.user in rounds.keepers]

    async def _send_round(
        self,
        people: list[str],
        name: str,
        beside: list["asyncio.Task[None]"],
        spread: float,
        on_ack: Callable[[], None] | None = None,
    ) -> None:
        """Each user sends one message to the next one."""
        writers = [self._writer(user, f"{name}w{number}") for number, user in enumerate(people)]

        async def send(number: int) -> None:
            await asyncio.sleep(spread * number)
            await writers[number].send(people[(number + 1) % len(people)])

        for writer in writers:
            writer.patient = True
            writer.on_ack = on_ack
        await self._finish([*beside, *(asyncio.create_task(send(number)) for number in range(len(people)))])
        for writer in writers:
            writer.close()

    def _kill_workers(self) -> None:
        at = self._now()
        kill_processes(self._server.workers())
        self._history.faults.append(Injected(at, self._now(), "kill-on-ack", "SIGKILL to every worker"))

    async def _join(
        self, people: list[str], *, restless: bool, wait: bool = True, numbers: Sequence[int] = (0, 1)
    ) -> list[Reader]:
        """Creates two devices per user: one reads from the beginning, one from the newest event."""
        await asyncio.gather(*(self._exist(user) for user in people))
        readers = [
            Reader(
                self._server,
                self._now,
                user,
                number,
                from_start=not wait or number != 1,
                restless=restless and number == 1,
            )
            for user in people
            for number in numbers
        ]
        self._readers += readers
        self._history.devices += [reader.device for reader in readers]
        for reader in readers:
            reader.start()
        if wait:
            await asyncio.gather(*(reader.greeted.wait() for reader in readers))
        return readers

    async def _exist(self, user: str) -> None:
        """Creates a user by a first request."""
        while True:
            with contextlib.suppress(Lost, TimeoutError):
                async with asyncio.timeout(5):
                    connection = await Connection.open(self._server)
                    try:
                        status, _ = await connection.get("/v1/session", self._server.token(user))
                    finally:
                        connection.close()
                if status == 200:
                    return
            await asyncio.sleep(0.1)

    def _writer(self, user: str, name: str) -> Writer:
        return Writer(self._server, self._history, self._now, user, name)

    async def _finish(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        """Waits until all sends are acknowledged, up to a limit."""
        _, pending = await asyncio.wait(tasks, timeout=self._options.settle_seconds)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=bool(pending))

    async def _level(self, readers: Sequence[Reader], seconds: float) -> bool:
        """Waits until each reader has all messages that it is owed; returns whether this happened."""
        deadline = self._now() + seconds
        while self._now() < deadline:
            if self._feed.is_level() and all(self._has_all(reader) for reader in readers):
                return True
            await asyncio.sleep(0.02)
        return False

    def _has_all(self, reader: Reader) -> bool:
        due = self._due.get(reader.device.user, set())
        if not due <= reader.got and not (self._history.losses and reader.device.resets):
            return False
        return reader.device.since is not None and all(
            send.client_msg_id in reader.got or excuse(self._history, reader.device, send) is not None
            for send in owed(self._history, reader.device)
        )
