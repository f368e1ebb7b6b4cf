"""Checks of requests: what reaches the app, and whether its own answers come back."""

from collections.abc import AsyncIterator

from ssechat.doctor.answers import Answer
from ssechat.doctor.check import Check
from ssechat.doctor.failures import NoAnswer
from ssechat.doctor.findings import Advice, Finding, Line
from ssechat.doctor.site import Site

ROOM = 1024
"""Bytes that a body stays below the server's limit."""


class Answers(Check):
    name = "answers"
    proves = "The app's refusals come back as it makes them, and no request is redirected."
    advice = Advice(
        "Clients cannot tell what went wrong: each refusal has a code in its JSON, and says what to do. A "
        "redirect loses "
        "the body of a POST.",
        "Pass answers on as they are, with their status, type and body; only /v1/events needs an answer of the front's "
        "own, and only when the app is away.",
        (
            Line("nginx", "proxy_intercept_errors on;", remove=True, where="but in the location of /v1/events"),
            Line("haproxy", "http-response return", remove=True, where="but in the backend of streams"),
            Line("caddy", "copy_response", where="in each `handle_response`"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        expected = (
            ("GET", "/v1/doctor", 404, "not_found"),
            ("GET", "/v1/session", 401, "unauthorized"),
            ("POST", "/v1/session", 422, "invalid_request"),
        )
        for method, path, status, code in expected:
            answer = await site.ask(method, path, json={} if method == "POST" else None)
            if (answer.status, answer.code) != (status, code):
                return self.wrong(f"{method} {path} is answered {answer.said()}, and not {status} {code}")
            if status == 401 and "www-authenticate" not in answer.headers:
                return self.wrong("a 401 comes without its WWW-Authenticate header")
        return self.ok("refusals come as the app makes them")


class Methods(Check):
    name = "methods"
    proves = "HEAD, POST, PUT, PATCH and DELETE reach the app."
    advice = Advice(
        "Nobody can edit or delete a message, react, or change a group.",
        "Let all methods but CONNECT and TRACE through.",
        (
            Line("nginx", "limit_except", remove=True),
            Line("haproxy", "http-request deny … if !METH_GET !METH_POST", remove=True),
            Line("caddy", "@connect method CONNECT", where="the only method that is refused"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        blocked = []
        for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE"):
            try:
                answer = await site.ask(method, "/v1/server", json=None if method == "HEAD" else {})
            except NoAnswer as error:
                blocked.append(str(error))
                continue
            well = answer.status == 200 if method == "HEAD" else answer.code == "method_not_allowed"
            if not well:
                blocked.append(f"{method} is answered {answer.said()}")
        if blocked:
            return self.wrong("; ".join(blocked))
        return self.ok("HEAD, POST, PUT, PATCH and DELETE reach the app")


class Paths(Check):
    name = "paths"
    proves = "A path comes as it was sent: its escapes are neither decoded nor encoded again."
    advice = Advice(
        "Requests end up at another path: reactions with an emoji fail, and what a front forbids can be reached by "
        "another spelling.",
        "Pass the target on as it is.",
        (
            Line("nginx", "proxy_pass http://apps;", where="with nothing behind the name, not even a slash"),
            Line("haproxy", "http-request normalize-uri percent-", remove=True),
            Line("caddy", "rewrite", remove=True),
            Line("caddy", "uri strip_prefix", remove=True),
        ),
    )

    EMOJI = "/v1/conversations/dm:doctor:doctor/messages/1/reactions/%F0%9F%91%8D"

    async def run(self, site: Site) -> Finding:
        for path, what in (
            ("/v1%2Fserver", "an encoded slash (%2F) is decoded"),
            ("/v1/serve%2572", "an encoded percent sign (%25) is decoded"),
        ):
            answer = await site.ask("GET", path)
            if answer.status == 200 or answer.redirects_to:
                return self.wrong(f"{what}: GET {path} is answered {answer.said()}")
        answer = await site.ask("GET", self.EMOJI)
        if answer.code != "method_not_allowed":
            return self.wrong(f"a path with an encoded emoji is answered {answer.said()}, and not by the app")
        answer = await site.ask("GET", "/v1/serve%72?x=%0A")
        if answer.status != 200:
            return self.wrong(f"GET /v1/serve%72, another spelling of /v1/server, is answered {answer.said()}")
        return self.ok("%2F, %25 and an emoji come as they were sent")


class Bodies(Check):
    name = "bodies"
    proves = "Bodies up to the server's limit reach the app, also those in chunks."
    advice = Advice(
        "Long messages are refused, by a page that clients do not understand.",
        "Allow bodies larger than the server's --body-limit (64 KiB), and chunked ones: the app refuses what is too "
        "large with an answer that says so.",
        (
            Line("nginx", "client_max_body_size 1m;"),
            Line("haproxy", "http-request deny … if { req.body_size gt … }", remove=True),
            Line("caddy", "request_body { max_size … }", remove=True),
        ),
    )

    async def run(self, site: Site) -> Finding:
        size = max(site.body_bytes - ROOM, ROOM // 2)
        body = b'{"name":"doctor","filler":"%b"}' % (b"x" * (size - 31))
        answer = await site.ask("POST", "/v1/session", content=body)
        if not _is_read(answer):
            return self.wrong(f"a body of {size:,} bytes is answered {answer.said()}", bytes=size)
        answer = await site.ask("POST", "/v1/session", content=_chunks(b'{"name":"doctor"}'))
        if not _is_read(answer):
            return self.wrong(f"a body in chunks is answered {answer.said()}")
        return self.ok(f"{size:,} bytes reach the app, and bodies in chunks", bytes=size)


def _is_read(answer: Answer) -> bool:
    """Whether the app has read the body: it says that there is no password."""
    return answer.code == "invalid_request"


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    """Two chunks; httpx sends them with Transfer-Encoding."""
    yield body[:5]
    yield body[5:]
