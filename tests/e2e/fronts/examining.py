"""Examines a deployment in this process, as `ssechat doctor` does."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from bench.fronting import Front
from e2e.fronts.stack_front import StackFront
from ssechat.doctor.arrival import arrive
from ssechat.doctor.departure import leave
from ssechat.doctor.examination import examine
from ssechat.doctor.findings import Finding
from ssechat.doctor.site import Plan, Site
from ssechat.doctor.visitor import Credential

ORIGIN = "https://app.example"
"""An origin that the servers of these tests allow."""

SIGN_UP = Credential(sign_up=True)


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
