"""Fixtures that tests of several modules share."""

from collections.abc import AsyncIterator, Iterator

import pytest

from parts import Worker, a_worker
from redises import RedisProcess, program, releases


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that the server runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", params=releases(), ids=lambda release: f"redis-{release}")
def shared_redis(request: pytest.FixtureRequest) -> Iterator[RedisProcess]:
    """A Redis of each release, shared by the tests that leave it alive."""
    process = RedisProcess(program(request.param))
    yield process
    process.close()


@pytest.fixture
def redis(shared_redis: RedisProcess) -> Iterator[RedisProcess]:
    """An empty Redis."""
    with shared_redis.client() as client:
        client.flushall()
        client.script_flush()
    yield shared_redis


@pytest.fixture
async def worker(redis: RedisProcess) -> AsyncIterator[Worker]:
    """The parts of one worker, on an empty Redis."""
    async with a_worker(redis.url) as parts:
        yield parts


@pytest.fixture
async def other_worker(redis: RedisProcess) -> AsyncIterator[Worker]:
    """The parts of another worker on the same Redis."""
    async with a_worker(redis.url) as parts:
        yield parts
