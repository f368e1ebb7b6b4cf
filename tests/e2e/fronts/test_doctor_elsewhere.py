"""`ssechat doctor`: what is wrong beside a front's configuration, and what lies on the way."""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from bench import fronting
from bench.fronting import Front
from e2e.api import fresh, mint
from e2e.fronts.broken import WARNING, WRONG
from e2e.fronts.conftest import Apps, some_apps
from e2e.fronts.crooked import Crooked
from e2e.fronts.examining import ORIGIN, SIGN_UP, a_site, complaints, examined, through, trusting
from redises import RedisProcess, releases
from serving import Server
from ssechat.doctor.checks.connections import Addresses, Http2, Redirect
from ssechat.doctor.checks.exposure import Upgrade
from ssechat.doctor.site import Plan, Site
from ssechat.doctor.visitor import Credential

pytestmark = pytest.mark.anyio

REFUSED = "Connection refused"


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


async def test_the_session_of_a_sign_up_has_ended_afterwards(apps: Apps) -> None:
    async with a_site(apps.first.url, SIGN_UP) as site:
        assert site.visitor is not None
        assert site.visitor.name.startswith("doctor-")
        mine = {"Authorization": f"Bearer {site.visitor.token()}"}
    async with httpx.AsyncClient(base_url=apps.first.url, headers=mine) as http:
        assert (await http.get("/v1/session")).json()["code"] == "signed_out"


async def test_through_a_proxy_of_the_environment_connections_are_not_looked_at(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = mint(apps.first, fresh("alice"))
    with Crooked(apps.addresses[0], "is late") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with a_site("http://chat.example", Credential(lambda: token)) as site:
            found = await examined(site)
    # The proxy is trusted by the app, and passes everything on.
    assert complaints(found) == {"https": WRONG, "clock": WRONG, "metrics": WRONG, "forwarded": WRONG}
    for name in ("addresses", "keep-alive", "upgrade"):
        assert "a proxy that the environment names" in found[name].said


async def test_an_address_of_ipv6_is_examined_as_well(tmp_path: Path) -> None:
    if not socket.has_ipv6 or not _has_loopback_of_ipv6():
        pytest.skip("this machine has no IPv6")
    with Server(tmp_path / "data", "--workers", "1", "--host", "::1") as server:
        async with a_site(f"http://[::1]:{server.port}", SIGN_UP, origin=None) as site:
            assert complaints(await examined(site)) == {}


async def test_plain_http_is_asked_for_at_an_address_of_ipv6_in_brackets() -> None:
    if not socket.has_ipv6 or not _has_loopback_of_ipv6():
        pytest.skip("this machine has no IPv6")
    hosts = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hosts.append(re.findall(rb"\r\nHost: ([^\r]*)", await reader.readuntil(b"\r\n\r\n")))
        writer.write(b"HTTP/1.1 301 Moved\r\nLocation: https://[::1]:9/v1/server?x=1\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "::1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        site = Site(httpx.URL("https://[::1]:9"), Plan(http_port=port))
        finding = await Redirect().run(site)
        await site.close()
    assert (finding.verdict, hosts) == ("ok", [[b"[::1]:%d" % port]])


def _has_loopback_of_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
