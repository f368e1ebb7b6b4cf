"""A server that several test files share; tests that disturb a server start their own."""

from collections.abc import Iterator

import httpx
import pytest

from e2e.api import SERIES, Person, fresh, serve
from serving import Server


@pytest.fixture(scope="session", params=SERIES[:1])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("api")
    options = ("--ping-seconds", "1", "--drain-seconds", "0", "--allowed-origins", "https://app.example")
    with serve(folder, *options, series=request.param) as running:
        yield running


@pytest.fixture
def alice(server: Server) -> Iterator[Person]:
    with Person(server, fresh("alice")) as person:
        assert person.http.get("/v1/session").status_code == 200
        yield person


@pytest.fixture
def bob(server: Server) -> Iterator[Person]:
    """A user who exists."""
    with Person(server, fresh("bob")) as person:
        assert person.http.get("/v1/session").status_code == 200
        yield person


@pytest.fixture
def browser(server: Server) -> Iterator[httpx.Client]:
    """An HTTP client without a credential, which keeps cookies."""
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client:
        yield client
