"""The measured servers with all their processes, ssechat among them."""

import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from .dialects import Dialect
from .programs import Program, new_folder


class RunningServer(ABC):
    """A server with its programs. As a context manager it is stopped at the end, and killed with its children if it
    does not stop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = new_folder()
        """Its folder, which is removed at the end."""
        self.address = ("", 0)
        self.programs: list[Program] = []
        """Its programs, in the order of their start."""

    @abstractmethod
    def start(self) -> None:
        """Starts the programs, and waits until the server is usable.

        Raises:
            BenchError: it does not start.
        """

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def workers(self) -> list[int]:
        """Process ids of the server without Redis."""
        return [pid for program in self.programs for pid in program.family]

    @property
    def redis(self) -> list[int]:
        """Process ids of its Redis, if it has one."""
        return []

    @property
    def complaints(self) -> list[str]:
        """The logged warnings and errors so far."""
        return [line for program in self.programs for line in program.complaints]

    def close(self) -> None:
        """Stops the server, and removes its folder."""
        for program in reversed(self.programs):
            program.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Subject(RunningServer):
    """A server that the generator's clients speak with."""

    @abstractmethod
    def dialect(self, group: int = 1) -> Dialect:
        """Returns its dialect; `group` consecutive users share a channel, or, with ssechat, are one user."""


NO_LIMIT = ("--deliveries-per-user", "1000000000")
"""Lets the generator's few users send for all people: deliveries are counted as ever, and refused to nobody."""


class Ssechat(Subject):
    """`ssechat serve` as it is shipped, with its private Redis that writes every change to the disk."""

    def __init__(self, workers: int, *settings: str) -> None:
        """`settings` are additional flags, such as `--streams-per-user`, `1000`."""
        super().__init__("ssechat")
        self.data = self.folder / "data"
        """Its data folder, with the key that signs tokens."""
        self._module: Sequence[str] = ("ssechat",)
        """The module that is run, and its own arguments."""
        self._flags = ("--port", "0", "--data", str(self.data), "--workers", str(workers), *NO_LIMIT, *settings)

    def start(self) -> None:
        program = Program(self.name, self.folder, (sys.executable, "-m", *self._module, "serve", *self._flags))
        self.programs.append(program)
        self.address = program.wait_announced()

    def dialect(self, group: int = 1) -> Dialect:
        return Dialect("/v1/events", group=group, data=self.data, send_path="/v1/messages")

    @property
    def workers(self) -> list[int]:
        return self.programs[0].of("ssechat.server.worker")

    @property
    def supervisor(self) -> int:
        """Process id of the supervisor, which serves no request."""
        return self.programs[0].pid

    @property
    def redis(self) -> list[int]:
        return self.programs[0].of("redis-server")


class Textbook(Subject):
    """One of the servers in textbooks.py, in one process."""

    def __init__(self, name: str, workers: int) -> None:
        super().__init__(name)

    def start(self) -> None:
        program = Program(self.name, self.folder, (sys.executable, "-m", f"{__package__}.textbooks", self.name))
        self.programs.append(program)
        self.address = program.wait_announced()

    def dialect(self, group: int = 1) -> Dialect:
        return Dialect("/stream", websocket=self.name == "websocket")
