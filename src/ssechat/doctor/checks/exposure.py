"""Checks of what must not come out, or go in."""

import secrets
from typing import ClassVar

from ssechat.doctor.check import Check
from ssechat.doctor.exchange import answers, count_whole
from ssechat.doctor.failures import NoAnswer
from ssechat.doctor.findings import Advice, Finding, Line
from ssechat.doctor.site import Site
from ssechat.problem_details import shortened

NO_METRICS = (
    Line("nginx", "location ~* ^/metrics { return 404; }"),
    Line(
        "haproxy",
        'http-request return status 404 content-type text/plain string "Not found" '
        "if { path,url_dec -m reg -i ^/+metrics }",
    ),
    Line("caddy", "@metrics path /metrics*", where="and `handle @metrics { respond 404 }`"),
)


class HiddenMetrics(Check):
    name = "metrics"
    proves = "No spelling of /metrics can be read from outside."
    advice = Advice(
        "Everybody can read how many people are there, how much they write, and how busy the server is.",
        "Answer every spelling of /metrics with 404 in the front; Prometheus asks the server itself. `--metrics off` "
        "turns it off.",
        NO_METRICS,
    )

    SPELLINGS: ClassVar = (
        *("/metrics", "/%6detrics", "//metrics", "/./metrics", "/x/../metrics", "/metrics?x", "/METRICS", "/metrics/"),
    )

    async def run(self, site: Site) -> Finding:
        open_ones = []
        for path in self.SPELLINGS:
            try:
                answer = await site.ask("GET", path)
            except NoAnswer:
                continue  # refused in another way
            if _has_metrics(answer.body):
                open_ones.append(path)
        if not open_ones:
            return self.ok("they cannot be read from outside")
        if site.is_bare and site.is_local:
            return self.ok("they can be read on this machine, where nothing is in front; a front must not pass them on")
        return self.wrong(f"everybody can read them, as {', '.join(open_ones)}")


def _has_metrics(body: bytes) -> bool:
    return b"ssechat_" in body and b"# TYPE" in body


class Caching(Check):
    name = "caching"
    proves = "Nothing between keeps answers: each request is the app's to answer."
    advice = Advice(
        "People see what was so a while ago, or what is another person's.",
        "Cache nothing of this host, and leave Cache-Control as the app sets it.",
        (
            Line("nginx", "proxy_cache", remove=True),
            Line("nginx", "add_header Cache-Control", remove=True, where="but in `location @unavailable`"),
            Line("haproxy", "http-request cache-use", remove=True),
            Line("caddy", "header Cache-Control", remove=True, where="but in `(goodbye)`"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        ids = [f"doctor-{secrets.token_hex(6)}" for _ in range(2)]
        found = [await site.ask("GET", "/v1/server", headers={"X-Request-ID": each}) for each in ids]
        first, second = (answer.headers.get("x-request-id") for answer in found)
        if first is not None and first == second:
            return self.wrong("two requests got the same answer, with one request's id")
        if "age" in found[1].headers:
            return self.wrong(f"an answer comes from a cache, and is {shortened(found[1].headers['age'])} s old")
        control = ", ".join(found[1].headers.get_list("cache-control"))
        if "no-store" not in control or "public" in control or "max-age" in control:
            return self.wrong(f"the app says no-store, and what comes is {shortened(control) or 'no Cache-Control'}")
        return self.ok("each answer is the app's own")


class Upgrade(Check):
    name = "upgrade"
    proves = "The body of a request with an Upgrade is never taken for another request, and opens no tunnel."
    needs_direct = True
    advice = Advice(
        "Whoever sends an Upgrade gets past the front (request smuggling): its rules do not count, and answers can go "
        "to the wrong person.",
        "Do not pass Upgrade, Connection and HTTP2-Settings on, and do no WebSocket or h2c on this host: ssechat uses "
        "none.",
        (
            Line("nginx", 'proxy_set_header Upgrade "";'),
            Line("nginx", 'proxy_set_header Connection "";'),
            Line("haproxy", "http-request del-header Upgrade"),
            Line("haproxy", "http-request del-header HTTP2-Settings"),
            Line("caddy", "header_up -Upgrade"),
        ),
    )

    WAYS: ClassVar = {
        "h2c": (
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        ),
        "websocket": (
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ),
    }
    PATIENCE: ClassVar = 1.0
    """Seconds in which the answer to what was hidden would come."""

    async def run(self, site: Site) -> Finding:
        for protocol, headers in self.WAYS.items():
            fault = await self._hidden(site, headers) or await self._tunnel(site, headers)
            if fault:
                return self.wrong(f"with Upgrade: {protocol}, {fault}")
        return self.ok("a body stays a body, and there is no tunnel")

    async def _hidden(self, site: Site, headers: tuple[str, ...]) -> str:
        """A request in the body of another one. It reads what everybody may read, and closes its connection."""
        # Through a front that is wrong, the answer could go to another client: only one ever does.
        hidden = site.line("GET", "/v1/server", "Connection: close")
        outer = site.line(
            "POST", "/v1/session", "Content-Type: application/json", f"Content-Length: {len(hidden)}", *headers
        )
        async with site.wire() as wire:
            await wire.send(outer + hidden)
            await wire.read(lambda got: count_whole(got) >= 1)
            found = answers(await wire.read(lambda got: len(answers(got)) >= 2, self.PATIENCE))
        if not found and not wire.closed:
            return "a request is not answered at all"
        if any(answer.status == 101 for answer in found):
            return "the front switches protocols (101)"
        return "the body was taken for a request, and answered" if len(found) > 1 else ""

    async def _tunnel(self, site: Site, headers: tuple[str, ...]) -> str:
        """What the front forbids, behind an Upgrade on the same connection."""
        async with site.wire() as wire:
            await wire.send(site.line("GET", "/v1/server", *headers))
            first = answers(await wire.read(lambda got: count_whole(got) >= 1))
            if any(answer.status == 101 for answer in first):
                return "the front switches protocols (101)"
            if not first or wire.closed or _has_metrics((await site.ask("GET", "/metrics")).body):
                return ""  # there is no tunnel, or nothing that is forbidden
            await wire.send(site.line("GET", "/metrics", "Connection: close"))
            behind = answers(await wire.read(lambda got: count_whole(got) >= len(first) + 1))
        passed = any(_has_metrics(answer.body) for answer in behind)
        return "the next request on the connection gets past the front" if passed else ""
