"""`ssechat doctor`: it complains of each fault of a front, of that alone, and of nothing where nothing is wrong."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench import fronting
from bench.fronting import Front
from e2e.api import fresh, mint
from e2e.fronts.broken import FAULTS, IMPATIENT, WARNING, WRONG, BrokenFront, Fault
from e2e.fronts.conftest import Apps, some_apps
from e2e.fronts.crooked import Crooked, Habit
from e2e.fronts.stack_front import EVERY, StackFront, make_front
from redises import RedisProcess, releases
from serving import Server
from ssechat.doctor.arrival import arrive
from ssechat.doctor.checks.connections import Addresses, Http2
from ssechat.doctor.checks.exposure import Upgrade
from ssechat.doctor.departure import leave
from ssechat.doctor.examination import CHECKS, examine
from ssechat.doctor.findings import Finding
from ssechat.doctor.site import Plan, Site
from ssechat.doctor.visitor import Credential

pytestmark = pytest.mark.anyio

ORIGIN = "https://app.example"
SIGN_UP = Credential(sign_up=True)
CROOKED: dict[Habit, dict[str, str]] = {
    "smuggles": {"upgrade": WRONG},
    "tunnels": {"upgrade": WRONG},
    "switches": {"upgrade": WRONG},
    "is late": {"clock": WRONG},
    "is old": {"keep-alive": WRONG},
    "holds all back": {"buffering": WRONG},
    "encodes twice": {"paths": WRONG},
}
"""The habits of a front in Python, and the checks that must notice."""

REFUSED = "Connection refused"
ELSEWHERE = {"certificate", "https", "addresses", "readiness"}
"""Checks whose fault is none of a front's configuration: each has a test of its own below."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop of the command."""
    return "asyncio", {}


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """Two servers that ping every second or two, and let one other origin in."""
    with some_apps(tmp_path_factory.mktemp("doctor"), 1, "--allowed-origins", ORIGIN) as running:
        yield running


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was smuggled is answered at once, or never, on one machine."""
    monkeypatch.setattr(Upgrade, "PATIENCE", 0.3)


@asynccontextmanager
async def a_site(url: str, credential: Credential, **plan: Any) -> AsyncIterator[Site]:
    """A site after the first requests."""
    site = Site(httpx.URL(url), Plan(**{"quick": True, "origin": ORIGIN, **plan}))
    try:
        await arrive(site, credential)
        yield site
    finally:
        await leave(site)
        await site.close()


async def examined(site: Site) -> dict[str, Finding]:
    """What each check finds."""
    return {each.check: each async for each in examine(site) if isinstance(each, Finding)}


def complaints(findings: Mapping[str, Finding]) -> dict[str, str]:
    """The checks that are not well, and how bad it is."""
    return {name: str(finding.verdict) for name, finding in findings.items() if finding.advice is not None}


def trusting(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has this process trust a front's certificate."""
    root = front.folder / "caddy/pki/authorities/local/root.crt"
    monkeypatch.setenv("SSL_CERT_FILE", str(root if isinstance(front, StackFront) else front.certificate))


async def through(
    front: Front, monkeypatch: pytest.MonkeyPatch, credential: Credential = SIGN_UP, **plan: Any
) -> dict[str, Finding]:
    """What is found at a front."""
    trusting(front, monkeypatch)
    async with a_site(front.url, credential, http_port=front.plain_port, **plan) as site:
        return await examined(site)


@pytest.mark.parametrize("kind", EVERY)
async def test_nothing_is_wrong_with_a_front_as_it_is_shipped(
    kind: str, apps: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_front(kind, tmp_path / kind, apps.addresses) as front:
        found = await through(front, monkeypatch, quick=False)
    assert complaints(found) == {}
    skipped = {name for name, finding in found.items() if finding.verdict == "skipped"}
    assert skipped == {"addresses"}
    assert set(found) == {check.name for check in CHECKS}


async def test_nothing_is_wrong_with_a_server_without_a_front(apps: Apps) -> None:
    async with a_site(apps.first.url, SIGN_UP, quick=False) as site:
        found = await examined(site)
    assert complaints(found) == {}
    skipped = {name for name, finding in found.items() if finding.verdict == "skipped"}
    assert skipped == {"certificate", "https", "redirect", "addresses", "http2", "scheme", "forwarded"}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_of_a_front_is_noticed_and_nothing_else(
    fault: Fault, apps: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BrokenFront(fault, tmp_path / "front", apps.addresses) as front:
        found = await through(front, monkeypatch)
    assert complaints(found) == fault.noticed, {name: found[name].said for name in complaints(found)}


@pytest.mark.parametrize("fault", IMPATIENT, ids=str)
async def test_a_time_out_shorter_than_a_ping_is_noticed(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "apps").mkdir()
    with (
        some_apps(tmp_path / "apps", 4, "--allowed-origins", ORIGIN) as apps,
        BrokenFront(fault, tmp_path / "front", apps.addresses) as front,
    ):
        token = mint(apps.first, fresh("alice"))  # a sign-up can take longer than such a front waits
        found = await through(front, monkeypatch, Credential(lambda: token), quick=False)
    assert complaints(found) == fault.noticed, {name: found[name].said for name in complaints(found)}


@pytest.mark.parametrize("habit", CROOKED)
async def test_a_bad_habit_of_a_front_is_noticed_and_nothing_else(habit: Habit, apps: Apps) -> None:
    token = mint(apps.first, fresh("alice"))
    with Crooked(apps.addresses[0], habit) as front:
        async with a_site(front.url, Credential(lambda: token), seconds=2) as site:
            found = await examined(site)
    assert complaints(found) == CROOKED[habit], {name: found[name].said for name in complaints(found)}


def test_each_check_is_seen_to_fail() -> None:
    noticed = {name for fault in (*FAULTS, *IMPATIENT) for name in fault.noticed}
    noticed |= {name for names in CROOKED.values() for name in names}
    assert noticed | ELSEWHERE == {check.name for check in CHECKS}
    assert noticed & ELSEWHERE == set()


async def test_a_certificate_that_is_not_trusted_is_noticed_and_no_token_is_sent(apps: Apps, tmp_path: Path) -> None:
    def token() -> str:
        raise AssertionError("nobody may see it")

    with Front("nginx", tmp_path / "front", apps.addresses) as front:
        async with a_site(front.url, Credential(token)) as site:
            found = await examined(site)
    assert complaints(found) == {"certificate": WRONG}
    assert found["certificate"].said == "the certificate is not trusted: self-signed certificate"
    assert "not trusted" in found["stream"].said or found["buffering"].verdict == "skipped"


@pytest.mark.parametrize(
    ("left", "life", "verdict"),
    [
        (timedelta(hours=1), timedelta(days=90), WARNING),
        (timedelta(days=13), timedelta(days=90), WARNING),
        (timedelta(hours=3), timedelta(hours=12), None),
    ],
)
async def test_a_certificate_that_runs_out_soon_is_noticed(
    left: timedelta,
    life: timedelta,
    verdict: str | None,
    apps: Apps,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = partial(fronting.make_certificate, left=left, life=life)
    monkeypatch.setattr(fronting, "make_certificate", make)
    with Front("haproxy", tmp_path / "front", apps.addresses) as front:
        found = await through(front, monkeypatch, Credential())
    assert complaints(found) == ({"certificate": verdict} if verdict else {})


async def test_a_certificate_for_another_name_is_noticed(
    apps: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Front("nginx", tmp_path / "front", apps.addresses) as front:
        trusting(front, monkeypatch)
        async with a_site(f"https://127.0.0.1:{front.port}", Credential()) as site:
            found = await examined(site)
    assert complaints(found)["certificate"] == WRONG
    assert "127.0.0.1" in found["certificate"].said


async def test_plain_http_to_another_machine_is_noticed(apps: Apps) -> None:
    async with a_site(apps.first.url, Credential()) as site:
        site.is_local = False
        found = await examined(site)
    # Nothing is in front: so the metrics are everybody's, and this machine is believed.
    assert complaints(found) == {"https": WRONG, "metrics": WRONG, "forwarded": WRONG}


async def test_an_address_that_does_not_answer_is_noticed(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    port = apps.first.port
    async with a_site(apps.first.url, Credential()) as site:
        site.is_local = False
        name = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("127.0.0.1", "127.0.0.2")]
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", lambda *_, **__: name)
            finding = await Addresses().run(site)
            assert (finding.verdict, finding.said) == (WRONG, f"no connection to 127.0.0.2 port {port} ({REFUSED})")
            del name[1]
            assert (await Addresses().run(site)).verdict == "ok"


async def test_a_server_without_its_redis_is_noticed(tmp_path: Path) -> None:
    redis = RedisProcess(releases()[-1])
    try:
        with Server(tmp_path / "data", "--workers", "1", "--redis-url", redis.url) as server:
            redis.close()
            async with a_site(server.url, Credential(), origin=None) as site:
                found = await examined(site)
    finally:
        redis.close()
    assert complaints(found) == {"readiness": WRONG}
    assert found["readiness"].said.startswith("it is not ready: redis, ")


async def test_a_front_that_offers_http_2_and_does_not_speak_it_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = fronting.make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        site = Site(httpx.URL(f"https://localhost:{server.sockets[0].getsockname()[1]}"), Plan())
        finding = await Http2().run(site)
        await site.close()
    assert finding.verdict == WRONG
