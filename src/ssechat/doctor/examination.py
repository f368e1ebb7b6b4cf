"""All checks, one after another."""

from collections.abc import AsyncIterator, Sequence

from ssechat.doctor.check import Check
from ssechat.doctor.checks.connections import Addresses, Certificate, Encryption, Http2, KeepAlive, Redirect
from ssechat.doctor.checks.exposure import Caching, HiddenMetrics, Upgrade
from ssechat.doctor.checks.identity import Authorization, Cookie, Cors, Forwarded, Host, Scheme
from ssechat.doctor.checks.requests import Answers, Bodies, Methods, Paths
from ssechat.doctor.checks.servers import Clock, Page, Readiness
from ssechat.doctor.checks.streams import Buffering, Compression, Resuming, Silence, Streams
from ssechat.doctor.failures import NoAnswer
from ssechat.doctor.findings import Finding
from ssechat.doctor.site import Site

CHECKS: Sequence[Check] = (
    Certificate(),
    Encryption(),
    Redirect(),
    Addresses(),
    Http2(),
    KeepAlive(),
    Readiness(),
    Clock(),
    Page(),
    Answers(),
    Methods(),
    Paths(),
    Bodies(),
    Authorization(),
    Scheme(),
    Host(),
    Forwarded(),
    Cors(),
    Cookie(),
    Caching(),
    HiddenMetrics(),
    Upgrade(),
    Streams(),
    Compression(),
    Buffering(),
    Resuming(),
    Silence(),
)
"""Every check there is, in the order in which they run: what explains others comes first, what takes long last."""


async def examine(site: Site) -> AsyncIterator[Check | Finding]:
    """Yields each check that begins, and what each has found."""
    for check in CHECKS:
        why_not = check.why_not(site)
        if why_not:
            yield check.skipped(why_not)
            continue
        yield check
        try:
            finding = await check.run(site)
        except NoAnswer as error:
            finding = check.wrong(str(error))
        yield finding
