"""A Redis for tests: a process on a Unix socket, of each release that is installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import redis as redis_py

from serving import redis_binaries, until
from ssechat.processes import die_with_parent


class RedisProcess:
    """An empty redis-server."""

    def __init__(self, release: str, options: Sequence[str] = ()) -> None:
        self.release = release
        self._program = redis_binaries()[release]
        self._options = options
        self.folder = Path(tempfile.mkdtemp(prefix="redis."))
        self.url = f"unix://{self.folder / 's'}"
        self._own = self.client()
        """What empties it: one connection for a thousand tests."""
        self.start()

    def start(self, *options: str, ready: bool = True) -> None:
        """Starts or restarts the process, and waits until it answers if `ready`."""
        self._process = subprocess.Popen(
            [self._program, "--port", "0", "--unixsocket", self.folder / "s", "--save", "", *self._options, *options],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C ends the tests, which still need it for the one under way
            preexec_fn=die_with_parent(),
        )
        if ready:
            until(self._answers)

    def client(self) -> "redis_py.Redis":
        """A plain client, to inspect and to damage data."""
        # Without CLIENT SETINFO: redis-py would search the packages for its version each time.
        return redis_py.Redis.from_url(self.url, protocol=2, driver_info=None)

    def empty(self) -> None:
        """Takes all data and scripts away."""
        with self._own.pipeline(transaction=False) as both:
            both.flushall()
            both.script_flush()
            both.execute()

    def configure(self, name: str, value: str) -> None:
        """Sets a setting."""
        with self.client() as client:
            client.config_set(name, value)

    def set_rights(self, *words: str) -> None:
        """Gives rights to the user `chat`, or takes them, by words of ACL SETUSER."""
        with self.client() as client:
            client.execute_command("ACL", "SETUSER", "chat", *words)

    def kill(self) -> None:
        """Kills the process with SIGKILL."""
        self._process.kill()
        self._process.wait()
        (self.folder / "s").unlink(missing_ok=True)

    def close(self) -> None:
        """Ends the process and removes its folder."""
        self._own.close()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis_py.RedisError:
            return False


def releases() -> list[str]:
    """The releases of Redis that tests run on."""
    return sorted(redis_binaries())
