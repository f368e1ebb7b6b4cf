"""Fixtures that tests of several modules share."""

import gc
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import certifi
import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from contract.plugin import ContractPlugin
from parts import Worker, a_worker
from redises import RedisProcess, releases
from ssechat.http.web_files import WebFiles
from ssechat.logs.delivery import AT_ONCE
from ssechat.redis.rights import WORDS
from tracing import TracingPlugin

SLOW = (
    "clients",
    "e2e",
    "test_agreement_mutants.py",
    "test_attack.py",
    "test_bench.py",
    "test_bench_feeds.py",
    "test_bench_verdict.py",
    "test_chaos.py",
    "test_cli.py",
    "test_client.py",
    "test_client_public.py",
    "test_embedded.py",
    "test_fuzz.py",
    "test_generated_clients.py",
    "test_group_outages.py",
    "test_half_done_groups.py",
    "test_models_groups.py",
    "test_models_hub.py",
    "test_models_logs.py",
    "test_models_stream.py",
    "test_odd_commands.py",
    "test_odd_starts.py",
    "test_redis_connection.py",
    "test_redis_health.py",
    "test_redis_outages.py",
    "test_rights_matrix.py",
    "test_rights_mutants.py",
    "test_rights_races.py",
    "test_run_fast.py",
    "test_signals.py",
    "test_supervisor.py",
    "test_tracing.py",
)
"""The slow tests, which `--fast` skips: servers of several processes, browsers, runs of pytest, Redis servers that come
and go, and long random stories."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option `--fast`."""
    parser.addoption("--fast", action="store_true", help="no browser, no servers of several processes, one Redis")


FAST_EXAMPLES = 25
"""Examples that hypothesis makes in a fast run, where a test does not say how many; otherwise it makes 100."""

PARTS = ("most random examples and stories", "the coverage of JavaScript, and its checks that passed on the same files")
"""What `--fast` skips of the tests that it runs."""

STACK = Path(__file__).parent / "deploy"
"""The tests that need containers. They run only if they are named: `bash tests/run --stack`."""


LEFT_OUT = pytest.StashKey[list[str]]()
"""The descriptions of what `--fast` skipped. With several processes the first collects them, and tells the
one that prints."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Makes Ctrl-C end the run after the current test: an interrupted event loop prints a page of tracebacks.

    A second Ctrl-C interrupts at once. With several processes a terminal sends it to all of them, and each ends after
    its own test.
    """

    def stop(*_: object) -> None:
        session.shouldstop = "interrupted"
        if (distributing := session.config.pluginmanager.get_plugin("dsession")) is not None:
            distributing.shouldstop = "interrupted"
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's `&` sets it to ignored
        signal.signal(signal.SIGINT, stop)


def pytest_configure(config: pytest.Config) -> None:
    """Sets what all examples of hypothesis have in common, records what a fast run skips besides files (which the
    collection adds), and watches what servers answer."""
    # Neither a busy machine nor the first text of a fresh copy, for which hypothesis reads Unicode, is a fault; an
    # example that takes longer than any pause of such a machine is one.
    settings.register_profile("tests", deadline=10_000, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("fast", settings.get_profile("tests"), max_examples=FAST_EXAMPLES)
    settings.load_profile("fast" if config.getoption("--fast") else "tests")
    older = [f"Redis {release}" for release in releases()[:-1]]
    config.stash[LEFT_OUT] = [*older, *PARTS]
    config.pluginmanager.register(ContractPlugin(), "contract")
    config.pluginmanager.register(TracingPlugin(), "tracing")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skips the slow files in a fast run, and the stack unless it is named."""
    slow = config.getoption("--fast") and collection_path.name in SLOW
    if not slow and collection_path != STACK:
        return None
    if any(Path(argument).absolute() in STACK.parents for argument in config.args):  # unless only other files are named
        config.stash[LEFT_OUT].append(f"tests/{collection_path.relative_to(STACK.parent)}")
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes what another process collected (pytest-xdist): this one collects nothing."""
    if left_out := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[LEFT_OUT] = left_out


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Prints the skipped tests of a fast run at the end."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]
    yield
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--fast") and terminal is not None:
        left_out = session.config.stash[LEFT_OUT]
        said = "--fast left out what `bash tests/run` and `bash tests/run --stack` run"
        terminal.write_line(f"{said}: {', '.join(left_out)}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs tests of Redis on each release, in a fast run, or if they are marked so, on the newest one; and those of
    random stories with each of their seeds, of which a fast run takes a few."""
    if (seeds := metafunc.definition.get_closest_marker("seeds")) is not None:
        count = seeds.kwargs["fast"] if metafunc.config.getoption("--fast") else seeds.args[0]
        metafunc.parametrize("seed", range(count))
    if "shared_redis" in metafunc.fixturenames:
        newest = metafunc.config.getoption("--fast") or metafunc.definition.get_closest_marker("newest_redis")
        chosen = releases()[-1:] if newest else releases()
        ids = [f"redis-{release}" for release in chosen]
        metafunc.parametrize("shared_redis", chosen, ids=ids, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the slow files first if files run side by side: the quick ones then keep all processes busy to the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: set(SLOW).isdisjoint(item.path.parts))


def pytest_collection_finish() -> None:
    """Freezes all modules, so that the garbage collector visits only the objects of tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop of the server, for all asynchronous tests."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module", autouse=True)
def _no_leftovers() -> Iterator[None]:
    """Collects garbage after each module, so that an unclosed resource fails the module that left it open.

    What the module leaves (reports, caches) is frozen: otherwise each collection visits that of all modules before.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _clients_are_cheap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Makes httpx trust one of the public authorities: to read all of them takes 20 ms of CPU a client.

    No test speaks to a server that one of them vouches for.
    """
    end = "-----END CERTIFICATE-----\n"
    one = tmp_path_factory.mktemp("authorities") / "one.pem"
    one.write_text(Path(certifi.where()).read_text().partition(end)[0] + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(one))
        if find_spec("sniffio") is None:
            # httpx looks for it at each request in this process; what is not there is searched for each time.
            patch.setitem(sys.modules, "sniffio", None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _apps_are_cheap() -> Iterator[None]:
    """Reads and compresses the page's files once for all apps of this process: there are five hundred, and a server has
    one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssechat.http.endpoints.web.WebFiles", cache(WebFiles))
        yield


@pytest.fixture(autouse=True)
def _hashing_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes password hashes cheap in this process (0.1 s otherwise); servers in other processes hash at full cost."""
    monkeypatch.setattr("ssechat.identity.users.PasswordHasher", partial(PasswordHasher, 1, 8, 1))


@pytest.fixture(scope="session")
def shared_redis(request: pytest.FixtureRequest) -> Iterator[RedisProcess]:
    """A Redis of each release, shared by the tests that do not stop it."""
    process = RedisProcess(request.param)
    yield process
    process.close()


@pytest.fixture
def redis(shared_redis: RedisProcess) -> RedisProcess:
    """An empty Redis."""
    shared_redis.empty()
    return shared_redis


@pytest.fixture
def user_url(redis: RedisProcess) -> Iterator[str]:
    """The URL of a user with exactly the needed rights."""
    redis.set_rights("reset", "on", ">s3cret", *WORDS)
    yield redis.url.replace("unix://", "unix://chat:s3cret@")
    with redis.client() as client:
        client.execute_command("ACL", "DELUSER", "chat")


@pytest.fixture(params=["maxmemory", "min-replicas-to-write"])
def limit(request: pytest.FixtureRequest, redis: RedisProcess) -> Iterator[str]:
    """A setting that makes Redis refuse writes with the value 1, and accept them with 0."""
    yield str(request.param)
    redis.configure(request.param, "0")


@pytest.fixture
def quick_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Redis refused is tried again soon."""
    monkeypatch.setattr("ssechat.redis.health.PAUSE", 0.02)


@pytest.fixture
async def worker(redis: RedisProcess) -> AsyncIterator[Worker]:
    """The components of one worker, on an empty Redis."""
    async with a_worker(redis.url) as parts:
        yield parts


@pytest.fixture
async def other_worker(redis: RedisProcess) -> AsyncIterator[Worker]:
    """The components of another worker on the same Redis."""
    async with a_worker(redis.url) as parts:
        yield parts


@pytest.fixture
async def both(worker: Worker, other_worker: Worker, monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    """Two workers on one Redis, on which reactions and receipts are told at once."""
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    for each in (worker, other_worker):
        monkeypatch.setattr(each.chat.receipts.coalescing, "_pause", 0.01)
    return [worker, other_worker]


@pytest.fixture(params=[AT_ONCE, 0], ids=["one-script", "two-steps"])
async def workers(request: pytest.FixtureRequest, redis: RedisProcess) -> AsyncIterator[list[Worker]]:
    """Two workers whose deliveries have the same form."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(a_worker(redis.url, at_once=request.param)) for _ in range(2)]
