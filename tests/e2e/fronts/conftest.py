"""Fixtures: two servers on one Redis, and the proxies in front of them."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench.fronting import KINDS, Front
from redises import RedisProcess, releases
from serving import Server


class Apps:
    """Two `ssechat serve --workers 2` that share a Redis and a key."""

    def __init__(self, folder: Path, stack: ExitStack, ping_seconds: float, *arguments: str) -> None:
        redis = RedisProcess(releases()[-1])
        stack.callback(redis.close)
        self.folder = folder
        self._arguments = (
            *("--workers", "2", "--redis-url", redis.url, "--key-file", str(folder / "one" / "jwt.key")),
            *("--ping-seconds", str(ping_seconds), "--drain-seconds", "1"),
            *arguments,
        )
        (folder / "one").mkdir()
        (folder / "one" / "jwt.key").write_text("0123456789abcdef0123456789abcdef")
        self.servers = [stack.enter_context(self.serve(name)) for name in ("one", "two")]
        self.addresses = [server.url.removeprefix("http://") for server in self.servers]

    def serve(self, name: str, port: int = 0) -> Server:
        """Returns one more server, not yet started: enter it as a context manager."""
        return Server(self.folder / name, *self._arguments, port=port)

    @property
    def first(self) -> Server:
        """The server whose data folder has the key."""
        return self.servers[0]

    def refused(self) -> Counter[str]:
        """The logged client addresses of wrong passwords, with counts."""
        said = "".join(server.errors for server in self.servers)
        return Counter(re.findall(r"wrong name or password from (\S+)", said))


@contextmanager
def some_apps(folder: Path, ping_seconds: float, *arguments: str) -> Iterator[Apps]:
    """Starts two servers, and stops them at the end. `arguments` are added to `serve`'s."""
    with ExitStack() as stack:
        yield Apps(folder, stack, ping_seconds, *arguments)


@pytest.fixture(scope="package")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """The servers for tests that do not stop them."""
    with some_apps(tmp_path_factory.mktemp("apps"), ping_seconds=0.5) as running:
        yield running


@pytest.fixture(scope="package", params=KINDS)
def front(apps: Apps, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Front]:
    """Each proxy with its shipped configuration, for tests that do not stop it; streams last 3 s after a reload."""
    folder = tmp_path_factory.mktemp("front") / request.param
    with Front(request.param, folder, apps.addresses, reload_seconds=3) as running:
        yield running
