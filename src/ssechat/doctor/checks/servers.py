"""Checks of the server itself, as it is seen from outside."""

import time
from email.utils import parsedate_to_datetime

from ssechat.doctor.check import Check
from ssechat.doctor.findings import Advice, Finding, Line
from ssechat.doctor.site import Site
from ssechat.problem_details import shortened

MOST_SKEW = 30.0
"""Seconds that two clocks may differ: an answer's date has whole seconds, and takes a while."""


class Readiness(Check):
    name = "readiness"
    proves = "The server can work: its Redis is there, takes writes, and tells of events."
    advice = Advice(
        "Messages are refused (503), or do not reach those who listen.",
        "Look at the server's log: it says what Redis refuses, and since when. The README of deploy/ explains "
        "each code.",
    )

    async def run(self, site: Site) -> Finding:
        answer = await site.ask("GET", "/healthz/ready")
        content, checks = answer.json, answer.json.get("checks")
        if not isinstance(checks, dict):
            if answer.status in (403, 404):
                return self.skipped(f"the front does not pass /healthz/ready on ({answer.status})")
            return self.wrong(f"/healthz/ready is answered {answer.said()}")
        if answer.status == 200 and all(checks.values()):
            return self.ok("Redis is there, takes writes, and tells of events")
        failing = ", ".join(sorted(str(name) for name, well in checks.items() if not well)) or "nothing in particular"
        refused = content.get("refused")
        codes = f"; Redis says {', '.join(map(str, refused))}" if isinstance(refused, list) and refused else ""
        return self.wrong(shortened(f"it is not ready: {failing}{codes}"))


class Clock(Check):
    name = "clock"
    proves = f"The server's clock and this machine's differ by at most {MOST_SKEW:g} s."
    advice = Advice(
        "Tokens expire too early or too late, or are not valid yet, and messages show wrong times.",
        "Have both machines set their clocks by NTP: `timedatectl set-ntp true` (systemd), or chrony.",
    )

    async def run(self, site: Site) -> Finding:
        answer = await site.ask("GET", "/v1/server")
        try:
            theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return self.warning("the answers have no date")
        skew = theirs - (time.time() - answer.seconds / 2)
        if abs(skew) > MOST_SKEW + answer.seconds:
            way = "ahead of" if skew > 0 else "behind"
            return self.wrong(f"the server's clock is {abs(skew):.0f} s {way} this machine's", seconds=round(skew, 1))
        return self.ok("the clocks agree", seconds=round(skew, 1))


class Page(Check):
    name = "page"
    proves = "The page comes as the server sends it: its type, its scripts, its security policy."
    advice = Advice(
        "The page does not start, or starts without its protection against scripts of others.",
        "Pass the answers to / and /web/ on as they are: neither add nor replace Content-Security-Policy and "
        "Content-Type.",
        (
            Line("nginx", "add_header Content-Security-Policy", remove=True),
            Line("haproxy", "http-response set-header Content-Security-Policy", remove=True),
            Line("caddy", "header Content-Security-Policy", remove=True),
        ),
    )

    async def run(self, site: Site) -> Finding:
        if site.prefix:
            return self.skipped("the page works at the root of a host only, and this address has a path")
        page = await site.ask("GET", "/")
        if page.status != 200 or not page.headers.get("content-type", "").startswith("text/html"):
            return self.wrong(f"GET / is answered {page.said()}")
        policies = page.headers.get_list("content-security-policy")
        if len(policies) != 1 or "default-src 'self'" not in policies[0]:
            return self.wrong(f"the page has {_policies(policies)}")
        script = await site.ask("GET", "/web/client.js")
        if script.status != 200 or "javascript" not in script.headers.get("content-type", ""):
            return self.wrong(f"GET /web/client.js is answered {script.said()}")
        return self.ok("the page and its scripts come as they are")


def _policies(found: list[str]) -> str:
    if not found:
        return "no Content-Security-Policy"
    if len(found) > 1:
        return f"{len(found)} Content-Security-Policy headers"
    return f"another Content-Security-Policy: {shortened(found[0])}"
