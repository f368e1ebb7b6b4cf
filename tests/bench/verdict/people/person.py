"""What all people have in common: whom they write to, and what they have got."""

import asyncio
import re
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...dialects import user_name

TEXT = re.compile(rb"#([0-9a-f]{6})-(\d\d)-(\d{6})")
"""Of which scene a message is, who wrote it, and which of his it is: the beginning of its text."""
TEXT_START = 17
"""Its length."""
ROOM = "*"
"""The recipient of what goes to all others."""
CONNECT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Spec:
    """How the people of a way reach a server. It is sent to the process of the clients."""

    way: str
    """The name of a class in making.py."""
    address: tuple[str, int]
    certificate: Path | None = None
    """With it the connections are TLS's, and only this certificate is trusted."""
    data: Path | None = None
    """The data folder of ssechat, whose key signs their tokens."""
    room: str = ""
    """The id of a group of all of them."""
    pids: Sequence[int] = ()
    """The server's processes, whose CPU counts; without those that only wait."""

    @property
    def host(self) -> str:
        """The server's name, as its certificate has it, or its address."""
        return "localhost" if self.certificate is not None else self.address[0]

    def context(self, *protocols: str) -> ssl.SSLContext | None:
        """The TLS context that offers these protocols (ALPN); None without TLS."""
        if self.certificate is None:
            return None
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.set_alpn_protocols(list(protocols))
        return context


@dataclass(slots=True)
class Got:
    """What one person got."""

    scene: bytes
    """The scene whose messages count."""
    at: dict[tuple[int, int], int] = field(default_factory=dict)
    """When each message came, by writer and number: nanoseconds of the monotonic clock."""
    doubled: int = 0

    def take(self, data: bytes | str, now: int) -> None:
        """Takes a message in whatever it is packed."""
        found = TEXT.search(data if isinstance(data, bytes) else data.encode())
        if found is None or found[1] != self.scene:
            return
        key = (int(found[2]), int(found[3]))
        if key in self.at:
            self.doubled += 1
        else:
            self.at[key] = now


class Person(ABC):
    """One person with one device."""

    depth = 4
    """Sends that are under way at a time, of somebody who sends as fast as he can."""
    repeats = False
    """Whether a send that failed is made again: only where the server knows it again."""

    def __init__(self, spec: Spec, number: int, source: str, scene: str) -> None:
        """`scene` is six hexadecimal digits."""
        self.spec = spec
        self.number = number
        self.name = user_name(number)
        self.source = (source, 0)
        """The local address of the connections."""
        self.scene = scene
        self.got = Got(scene.encode())

    @abstractmethod
    async def connect(self) -> None:
        """Opens what a page opens when it is loaded, or comes back after `drop`; returns when messages can come.

        Raises:
            OSError: the server cannot be reached.
        """

    @abstractmethod
    async def send(self, to: str, text: str) -> None:
        """Sends a message; returns when it is acknowledged, or, where there is no such thing, when it is written.

        Raises:
            OSError: it cannot be sent, or nobody knows whether it was.
        """

    @abstractmethod
    def drop(self) -> None:
        """Closes all connections at once, as a device does that has lost its network. The server is not told."""

    async def come_back(self, seconds: float, pause: float) -> None:
        """Connects as soon as it goes, with pauses between the attempts: a server may need a while after its start.

        Raises:
            OSError: it does not go within so many seconds.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                await self.connect()
                return
            except (OSError, TimeoutError):
                if time.monotonic() > deadline:
                    raise
                self.drop()
                await asyncio.sleep(pause)

    def text(self, number: int, length: int) -> str:
        """The text of this person's message with this number."""
        return f"#{self.scene}-{self.number:02d}-{number:06d}".ljust(length, "x")


class Refused(ConnectionError):
    """The server refused what was asked, or sent something that is no answer."""
