"""A feed in a run: each event is published until it is acknowledged, and readers resume; and the checker's part."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from .device import Reader
from .history import Device, History, Send
from .http import Connection, Lost
from .server import Server
from .violation import Violation
from .writer import Request, Writer

FEED = "/v1/feeds/chaos"
EVENTS = f"{FEED}/events"
ABOUT = "feed:chaos"
"""What its events have for a conversation in the history."""

PUBLISHER = "publisher"
WRITERS = 2
READERS = 4
KEPT = 10_000
PAUSE = 0.02


class FeedWriter(Writer):
    """Publishes events, one after another."""

    async def publish(self) -> None:
        """Publishes one event until it is acknowledged."""
        name = self.next_name()
        send = Send(ABOUT, self.user, name, name, self._now())
        self._history.published.append(send)
        await self.insist(send, Request("POST", EVENTS, {"data": name, "id": name}))


class Feed:
    """The feed of a run, with those who publish in it and read it."""

    def __init__(self, server: Server, history: History, now: Callable[[], float]) -> None:
        self._server = server
        self._history = history
        self._writers = [FeedWriter(server, history, now, PUBLISHER, f"f{number}") for number in range(WRITERS)]
        self.readers = [
            Reader(
                server,
                now,
                f"reader{number}",
                0,
                from_start=number % 2 == 0,
                restless=number > 1,
                path=EVENTS,
            )
            for number in range(READERS)
        ]

    async def open(self) -> None:
        """Makes the feed, and has its readers begin."""
        while not await self._make():
            await asyncio.sleep(0.1)
        self._history.feed_readers += [reader.device for reader in self.readers]
        for reader in self.readers:
            reader.start()
        await asyncio.gather(*(reader.greeted.wait() for reader in self.readers))

    async def _make(self) -> bool:
        with contextlib.suppress(Lost):
            connection = await Connection.open(self._server)
            try:
                terms = {"read": "users", "keep": KEPT}
                status, _ = await connection.request("PUT", FEED, self._server.token(PUBLISHER), terms)
            finally:
                connection.close()
            return status in (200, 201)
        return False

    async def talk(self, until: asyncio.Event) -> None:
        """Publishes until the end, and then an event that comes after all others."""

        async def publish(writer: FeedWriter) -> None:
            while not until.is_set():
                await writer.publish()
                await asyncio.sleep(PAUSE)

        await asyncio.gather(*map(publish, self._writers))
        self._writers[0].patient = True
        await self._writers[0].publish()
        for writer in self._writers:
            writer.close()

    def is_level(self) -> bool:
        """Whether all readers have the newest event."""
        newest = max((number_of(send) for send in self._history.published), default=0)
        return all(any(event.n == newest for event in device.events[-20:]) for device in self._history.feed_readers)


def number_of(send: Send) -> int:
    """The number that an event was acknowledged with; 0: it was not."""
    return 0 if send.answer is None else int(str(send.answer["id"]).partition("-")[0])


def check(history: History) -> Iterator[Violation]:
    """Whether each reader got what was acknowledged, each event once, in the order of the ids, and without a hole."""
    sends = {send.client_msg_id: send for send in history.published}
    for send in history.published:
        yield from _answers(send)
    for device in history.feed_readers:
        yield from _reads(device, sends)
    yield from _order(history.published)


def _answers(send: Send) -> Iterator[Violation]:
    if not send.over:
        yield Violation("stuck", f"{send.client_msg_id} was never acknowledged", send.client_msg_id)
    if len({(attempt.answer or {}).get("id") for attempt in send.attempts if attempt.acknowledged}) > 1:
        yield Violation("altered", f"{send.client_msg_id} was answered with different ids", send.client_msg_id)
    for attempt in send.attempts:
        if attempt.outcome not in ("200", "201", "503", "lost", "timeout"):
            yield Violation("refused", f"{send.client_msg_id} was answered {attempt.outcome}", send.client_msg_id)


def _reads(device: Device, sends: dict[str, Send]) -> Iterator[Violation]:
    n: int | None = None
    start = 0
    got: dict[str, str | None] = {}
    for event in device.events:
        if event.name == "hello" and n is None:
            start = n = 0 if device.from_start else event.n or 0
        elif event.name == "reset":
            yield Violation("reset", f"{device.name} got a reset of the feed: {event.data}", device=device.name)
            return
        elif event.name == "message" and n is not None:
            name = str(event.data["data"])
            if name not in sends:
                yield Violation("invented", f"{device.name} got {name!r}, which nobody published", device=device.name)
            if name in got:
                yield Violation(
                    "doubled", f"{device.name} got {name} twice: {got[name]}, {event.id}", name, device.name
                )
            elif event.n != n + 1:
                kind = "hole" if (event.n or 0) > n else "misordered"
                yield Violation(kind, f"{device.name} got {event.id} of the feed after {n}", name, device.name)
            got[name], n = event.id, event.n
    if n is None:
        return
    for name, send in sends.items():
        if number_of(send) > start and got.get(name) != str((send.answer or {})["id"]):
            text = f"{device.name} got {name} of the feed as {got.get(name)}, acknowledged as {send.answer}"
            yield Violation("altered" if name in got else "lost", text, name, device.name)


def _order(sends: list[Send]) -> Iterator[Violation]:
    """Whether an event that was begun after the acknowledgement of another one comes after it."""
    latest: Send | None = None
    acked = sorted((send for send in sends if send.acked is not None), key=lambda send: send.acked or 0)
    begun = iter(sorted(acked, key=lambda send: send.invoked))
    done = iter(acked)
    following = next(done, None)
    for send in begun:
        while following is not None and (following.acked or 0) < send.invoked:
            latest = following if latest is None or number_of(following) > number_of(latest) else latest
            following = next(done, None)
        if latest is not None and number_of(send) < number_of(latest):
            text = f"{send.client_msg_id} of the feed began after {latest.client_msg_id}, and stands before it"
            yield Violation("misordered", text, send.client_msg_id)
