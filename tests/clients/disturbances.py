"""The disturbances of the server during which readers must lose nothing."""

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from serving import Server, kill_processes


class Scene:
    """A server that can be replaced on the same port."""

    def __init__(self, folder: Path, origins: Sequence[str]) -> None:
        self._folder = folder
        self._arguments = (
            *("--workers", "2", "--drain-seconds", "1", "--allowed-origins", ",".join(origins)),
            # All clients read as one user, and those that are cut off open hundreds of streams in a minute.
            *("--streams-per-user", "1000"),
        )
        self.server = Server(folder / "data", *self._arguments).wait_ready()
        self.port = self.server.port
        self.url = self.server.url

    def start_again(self) -> None:
        """Starts a new server in place of the stopped one."""
        self.server.close()
        self.server = Server(self._folder / "data", *self._arguments, port=self.port).wait_ready()


def stop_all(scene: Scene) -> None:
    """SIGTERM, as before a new version, which then starts."""
    scene.server.stop()
    scene.start_again()


def replace_workers(scene: Scene) -> None:
    """SIGHUP: new workers, one by one."""
    before = {worker.pid for worker in scene.server.workers()}
    scene.server.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 30
    while before & {worker.pid for worker in scene.server.workers()} and time.monotonic() < deadline:
        time.sleep(0.1)


def kill_a_worker(scene: Scene) -> None:
    """`kill -9` of a worker, the one that has run longest."""
    min(scene.server.workers(), key=lambda worker: worker.create_time()).kill()


def kill_all(scene: Scene) -> None:
    """`kill -9` of everything, Redis included, and a new start."""
    family = scene.server.family()
    scene.server.kill()
    kill_processes(family)
    psutil.wait_procs(family, 10)
    time.sleep(0.5)
    scene.start_again()


DISTURBANCES: dict[str, Callable[[Scene], None]] = {
    "SIGTERM": stop_all,
    "kill -9 of a worker": kill_a_worker,
    "kill -9 of all": kill_all,
    "SIGHUP": replace_workers,
}
