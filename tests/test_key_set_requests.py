"""The request for an issuer's keys: where it goes, whom it trusts, and what is said where it gets nowhere."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.fronting import NAME, make_certificate
from issuers import Issuer, IssuerKey
from ssechat.errors import SettingsError
from ssechat.identity.issuer import IssuerKeys
from ssechat.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

OLD = IssuerKey("old")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(OLD) as one:
        yield one


async def test_neither_a_variable_nor_a_query_shows_where_the_request_goes(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    caplog.set_level(logging.INFO, "ssechat")
    keys = IssuerKeys(f"{issuer.url}?secret=abc", Metrics())
    try:
        await keys.check()
    finally:
        await keys.close()
    assert issuer.requests == 1
    assert "/certs" in caplog.text
    assert "abc" not in caplog.text


async def test_certificates_that_cannot_be_read_are_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        IssuerKeys("https://id.example/certs", Metrics())


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("localhost:9", "Connection refused"),
        ("127.0.0.1:9", "Connection refused"),
        ("no.such.invalid", "ame"),
    ],
)
async def test_what_keeps_from_connecting_is_said_in_the_systems_words(host: str, reason: str) -> None:
    keys = IssuerKeys(f"http://{host}/certs", Metrics())
    try:
        with pytest.raises(SettingsError) as caught:
            await keys.check()
    finally:
        await keys.close()
    assert reason in str(caught.value).partition("fetched: ")[2]


async def test_an_issuer_is_believed_only_over_a_trusted_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    with Issuer(OLD, certificate=certificate) as issuer:
        assert issuer.url.startswith(f"https://{NAME}:")
        with pytest.raises(SettingsError, match=r"its certificate is not trusted: .*SSL_CERT_FILE"):
            await IssuerKeys(issuer.url, Metrics()).check()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        await IssuerKeys(issuer.url, Metrics()).check()
        assert issuer.requests == 1
