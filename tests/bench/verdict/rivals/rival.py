"""What all servers of the comparison have in common: how they are started, killed, and started again."""

import os
import signal
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...programs import missing
from ...server import RunningServer
from ..people.person import Spec


class Rival(RunningServer):
    """A server whose people are known. It can be started again with its data, at another address."""

    @abstractmethod
    def spec(self) -> Spec:
        """How people reach it now."""

    def prepare(self, people: int) -> None:
        """Makes accounts for so many people, once, where there are such things.

        Raises:
            BenchError: the server refuses.
        """

    def kill(self) -> None:
        """Kills all of its processes at once, with its storage."""
        kill(self)


def kill(server: RunningServer) -> None:
    """Kills all processes of a server at once, with its storage; its folder stays."""
    # The parents first: one that sees a child die could start it anew.
    for pid in [pid for program in server.programs for pid in program.family]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for program in server.programs:
        program.close()
    server.programs.clear()


def _short(file: Path) -> str:
    return str(file).replace(str(Path.home()), "~")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server, and what is asked of it."""

    key: str
    name: str
    stores: str
    """What it keeps of a message before it acknowledges it."""
    make: Callable[[], Rival]
    programs: Sequence[str] = ()
    files: Sequence[Path] = ()
    install: str = ""
    idle: int = 1000
    """Idle connections."""
    pairs: int = 10
    """Pairs of people who write."""
    rate: float = 200.0
    """Messages a second at which CPU is measured besides saturation."""

    @property
    def absent(self) -> str:
        """A sentence if something of it is not installed."""
        lacking = [*missing(self.programs), *(_short(file) for file in self.files if not file.exists())]
        return f"{self.name}: not installed ({', '.join(lacking)} missing): {self.install}" if lacking else ""
