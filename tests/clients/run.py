"""One run: all clients read the same user's stream while the server is disturbed, or their wires are cut."""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx

from serving import until
from ssechat.cli.running import running
from ssechat.client import Client

from .cutting import CuttingProxy, Offsets, anywhere, last_line_feed
from .desk import Desk
from .disturbances import DISTURBANCES, Scene
from .programs import BROWSERS, CLIENTS, Programs, Reader

START_SECONDS = 60.0
CATCH_UP_SECONDS = 60.0
"""For the slowest to come back: its pause may have grown meanwhile."""

CUT = "cut inside events"
CUT_AT_THE_END = "cut before the last line feed"
CUTS: dict[str, Offsets] = {CUT: anywhere, CUT_AT_THE_END: last_line_feed}
KEEP_IDS_EARLY = frozenset({"eventsource 2", "fetch-event-source"})
"""Clients that store an event's id when its line arrives, before the event is dispatched."""

RUNS = (*DISTURBANCES, CUT, CUT_AT_THE_END)

TEXT = "message {}: “so” – \u2028 \u2029 \x85 …"
"""With characters that some clients split lines at."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The messages of one client, compared with those sent."""

    lost: int
    doubled: int
    misplaced: int
    """Messages that arrived before one that was sent earlier."""
    foreign: Sequence[str]
    """Texts that it dispatched as messages, and that were not sent."""
    cuts: int

    @property
    def flawless(self) -> bool:
        return not (self.lost or self.doubled or self.misplaced or self.foreign)

    def __str__(self) -> str:
        flaws = {
            "lost": self.lost,
            "twice": self.doubled,
            "out of order": self.misplaced,
            "that are none": len(self.foreign),
        }
        return ", ".join(f"{number} {what}" for what, number in flaws.items() if number) or "–"


def judge(sent: Sequence[str], got: Iterable[str], cuts: int = 0) -> Outcome:
    """Compares sent and received messages. Earlier messages are ignored."""
    numbers = {text: number for number, text in enumerate(sent)}
    times: Counter[int] = Counter()
    foreign, highest, misplaced = [], -1, 0
    for text in got:
        number = numbers.get(text)
        if number is None:
            if not text.startswith("warm-up"):
                foreign.append(text)
            continue
        times[number] += 1
        if times[number] == 1:
            misplaced += number < highest
            highest = max(highest, number)
    doubled = sum(each - 1 for each in times.values())
    return Outcome(len(sent) - len(times), doubled, misplaced, foreign, cuts)


def run(
    name: str, folder: Path, messages: int, clients: Sequence[str] = CLIENTS, rate: float = 30.0
) -> dict[str, Outcome]:
    """Runs all clients; returns the outcome of each. `rate`: messages per second."""
    with ExitStack() as stack:
        desk = stack.enter_context(Desk())
        # What is not to be cut goes directly, but for the browsers' own: their page comes over the same wire.
        wired = [client for client in clients if name in CUTS or client in BROWSERS]
        proxy = stack.enter_context(CuttingProxy(desk.port, wired, CUTS.get(name, anywhere)))
        wires = {client: f"http://127.0.0.1:{port}" for client, port in proxy.ports.items()}
        scene = Scene(folder, [desk.url, *wires.values()])
        stack.callback(lambda: scene.server.close())
        proxy.server = scene.port
        reader = Reader("reader", secrets.token_hex(8), "")
        reader = Reader(reader.user, reader.password, _sign_up(scene.url, reader.user, reader.password))
        writer = _sign_up(scene.url, "writer", secrets.token_hex(8))
        servers = {client: wires.get(client, scene.url) for client in clients}
        stack.enter_context(Programs(folder, desk, reader, servers))
        call = stack.enter_context(running())
        sender = Client(scene.url, writer)
        stack.callback(lambda: call(sender.aclose()))
        _warm_up(desk, clients, lambda text: call(sender.send(reader.user, text)))
        proxy.cutting = name in CUTS
        sent: list[str] = []
        disturbing = _disturb(name, scene, sent, messages)
        for number in range(messages):
            call(sender.send(reader.user, TEXT.format(number), patience=60))
            sent.append(TEXT.format(number))
            time.sleep(1 / rate)
        disturbing.join()
        proxy.cutting = False  # some take a second for each time they come back
        _wait_for(lambda: all(sent[-1] in desk.got(client) for client in clients))
        time.sleep(1)  # for duplicates that arrive late
        return {client: judge(sent, desk.got(client), proxy.cuts.get(client, 0)) for client in clients}


def _sign_up(url: str, name: str, password: str) -> str:
    body = {"name": name, "password": password}
    with httpx.Client(trust_env=False, timeout=30) as http:
        return str(http.post(f"{url}/v1/users", json=body).raise_for_status().json()["token"])


def _warm_up(desk: Desk, clients: Sequence[str], say: Callable[[str], object]) -> None:
    """Waits until each client has received a message, and so has a last event id."""
    numbers = count()

    def all_read() -> bool:
        say(f"warm-up {next(numbers)}")
        time.sleep(0.2)
        return all(desk.got(client) for client in clients)

    try:
        until(all_read, START_SECONDS)
    except TimeoutError:
        silent = [client for client in clients if not desk.got(client)]
        raise TimeoutError(f"never had a message: {silent}") from None


def _disturb(name: str, scene: Scene, sent: Sequence[str], messages: int) -> threading.Thread:
    """Twice, while messages flow, a thread does what is in the name."""

    def disturbing() -> None:
        for part in (0.2, 0.6):
            while len(sent) < part * messages:
                time.sleep(0.02)
            if name in DISTURBANCES:
                DISTURBANCES[name](scene)

    thread = threading.Thread(target=disturbing)
    thread.start()
    return thread


def _wait_for(condition: Callable[[], bool]) -> None:
    with suppress(TimeoutError):  # the outcome tells
        until(condition, CATCH_UP_SECONDS)
