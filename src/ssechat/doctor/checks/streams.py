"""Checks of the stream of events."""

import secrets
import time
from typing import Any
from urllib.parse import quote

from ssechat.doctor.answers import Answer
from ssechat.doctor.check import Check
from ssechat.doctor.events import CODINGS, OpenStream, StreamEnded, open_stream
from ssechat.doctor.failures import NoAnswer
from ssechat.doctor.findings import Advice, Finding, Line
from ssechat.doctor.site import Site
from ssechat.problem_details import shortened

AT_ONCE = 2.0
"""Seconds within which a byte or an event must come that nobody holds back."""

LONGEST_SILENCE = 65.0
"""Seconds. A server pings after 15 to 30 s of silence; --ping-seconds can be twice its default and more."""

NOT_READABLE = "there is no stream to look at; see above"
HELD_BACK = "the answer to a stream does not begin; see buffering"


STREAMS = "/v1/events /v1/feeds/*/events"
"""The paths of streams, for Caddy."""


class StreamCheck(Check):
    """A check that opens streams."""

    needs_user = True

    def why_not(self, site: Site) -> str:
        return super().why_not(site) or (HELD_BACK if site.is_held_back else "")


class Streams(Check):
    name = "stream"
    proves = "GET /v1/events is answered with an event stream and 200, and a stranger with the app's own 401."
    advice = Advice(
        "EventSource gives up for good on any status but 200, and on any other type: the page gets nothing until it is "
        "loaded anew.",
        "Pass /v1/events on as it is, and /v1/feeds/…/events. While no app is there, answer a GET of them with 200 and "
        "an event stream that ends at once.",
        (
            Line("nginx", "error_page 429 500 502 503 504 =200 @unavailable;", where="in the location of /v1/events"),
            Line("haproxy", "use_backend streams if { path /v1/events }", where="and its `http-error status 503 …`"),
            Line("caddy", "import goodbye", where="handle_errors, for /v1/events"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        stranger = await site.ask("GET", "/v1/events", headers={"Accept": "text/event-stream"})
        if stranger.code != "unauthorized":
            return self.wrong(f"without a credential, it is answered {stranger.said()}, and not 401 unauthorized")
        if site.visitor is None:
            return self.ok("a stranger gets the app's own 401 (with a user, more is looked at)")
        try:
            return await self._opened(site)
        except NoAnswer:
            if site.is_held_back:
                return self.skipped(HELD_BACK)
            raise

    async def _opened(self, site: Site) -> Finding:
        async with open_stream(site) as stream:
            response = stream.response
            if response.status_code == 401:
                return self.skipped("the token does not reach the app; see authorization")
            kind = response.headers.get("content-type", "no type")
            if response.status_code != 200 or not kind.startswith("text/event-stream"):
                answer = Answer(response.status_code, response.headers, b"", 0)
                return self.wrong(f"it is answered {answer.said()}, and not 200 text/event-stream")
            control = response.headers.get("cache-control", "")
            if "no-store" not in control or "no-transform" not in control:
                return self.warning(
                    f"the app says no-store, no-transform, and what comes is {shortened(control) or 'no Cache-Control'}"
                )
            if "charset=utf-8" not in kind.lower().replace(" ", ""):
                return self.warning(f"the type comes as {shortened(kind)}, without its charset: some clients need it")
        return self.ok("200, and an event stream")


class Compression(StreamCheck):
    name = "compression"
    proves = "The stream is not compressed."
    advice = Advice(
        "Events wait until a block is full, so they come late and in bursts.",
        "Leave text/event-stream out of what is compressed.",
        (
            Line("nginx", "gzip off;"),
            Line("haproxy", "compression", remove=True, where="or `compression type` without text/event-stream"),
            Line("caddy", "encode", remove=True, where=f"or `encode @other` with `@other not path {STREAMS}`"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        async with open_stream(site) as stream:
            if stream.response.status_code != 200:
                return self.skipped(NOT_READABLE)
            coding = stream.response.headers.get("content-encoding", "identity")
        if coding != "identity":
            return self.wrong(f"the stream comes as {shortened(coding)}")
        return self.ok("the stream is not compressed")


class Buffering(Check):
    name = "buffering"
    proves = "Each event comes as it happens, and as it was sent: nothing holds it back."
    needs_user = True
    advice = Advice(
        "Messages come late and in bursts, or only when the stream ends.",
        "Switch off every buffer and every compression between the app and the browser for /v1/events and "
        "/v1/feeds/…/events, of a content delivery network as well.",
        (
            Line("nginx", "proxy_buffering off;", where="in the location of /v1/events"),
            Line("nginx", "gzip off;"),
            Line("haproxy", "compression", remove=True),
            Line("caddy", "encode", remove=True, where=f"or `encode @other` with `@other not path {STREAMS}`"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        if site.is_held_back:
            return self.wrong(f"a stream was asked for, and after {site.plan.seconds:g} s its answer has not begun")
        async with open_stream(site) as stream:
            if not await stream.first_byte(AT_ONCE):
                if stream.ended_at:
                    return self.skipped(NOT_READABLE)
                return self.wrong(f"the stream is open, and after {AT_ONCE:g} s not a byte of it has come")
            if not stream.is_readable:
                return self.skipped(self._why_not_readable(stream))
            first = (stream.first_byte_at or 0.0) - stream.asked_at
            try:
                if await stream.event("hello", seconds=AT_ONCE) is None:
                    return self.wrong("the first bytes came, and the rest of what begins a stream did not")
                return await self._note(site, stream, first)
            except StreamEnded as end:
                return self.wrong(f"the stream was over before a note came: {end}")

    def _why_not_readable(self, stream: OpenStream) -> str:
        coding = stream.response.headers.get("content-encoding", "")
        return NOT_READABLE if coding in CODINGS else "the stream is compressed, which is wrong already; see above"

    async def _note(self, site: Site, stream: OpenStream, first: float) -> Finding:
        """A note to oneself that is sent, edited and deleted."""
        assert site.visitor is not None
        name, mark = site.visitor.name, secrets.token_hex(4)
        text = f"A note of ssechat doctor: how fast do events come? 🩺 {mark}"
        body = {"to": name, "text": text, "client_msg_id": f"doctor-{mark}"}
        began = time.monotonic()
        sent = await site.ask("POST", "/v1/messages", json=body, user=True)
        if sent.status != 201:
            return (self.skipped if sent.code else self.wrong)(f"a note to oneself is answered {sent.said()}")
        delays: list[float] = []
        place = f"/v1/conversations/{quote(f'dm:{name}:{name}')}/messages/{sent.json.get('seq')}"
        steps: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
            ("message", "", None),
            ("message.updated", "PATCH", {"text": f"{text} (edited)"}),
            ("message.deleted", "DELETE", None),
        )
        for event_name, method, change in steps:
            if method:
                began = time.monotonic()
                try:
                    if (await site.ask(method, place, json=change, user=True)).status != 200:
                        continue  # another check's
                except NoAnswer:
                    continue
            event = await stream.event(event_name, seconds=AT_ONCE)
            if event is None:
                return self.wrong(f"an event did not come within {AT_ONCE:g} s of what it tells of")
            if event_name == "message" and event.data.get("text") != text:
                return self.wrong("a note came back with another text than it was sent with")
            delays.append(max(0.0, event.at - began))
        worst = max(delays)
        if worst > AT_ONCE:
            return self.wrong(f"an event took {worst:.1f} s", milliseconds=round(1000 * worst))
        said = f"first byte after {1000 * first:.0f} ms, an event after {1000 * worst:.0f} ms"
        return self.ok(said, milliseconds=round(1000 * worst), first_byte_milliseconds=round(1000 * first))


class Resuming(StreamCheck):
    name = "resuming"
    proves = "A stream resumes: Last-Event-ID reaches the app as a header, and as a parameter."
    advice = Advice(
        "Whoever reconnects loses what came in between, and loads everything anew.",
        "Pass the header Last-Event-ID and the query on as they are.",
        (
            Line("nginx", "proxy_set_header Last-Event-ID", remove=True),
            Line("haproxy", "http-request del-header Last-Event-ID", remove=True),
            Line("caddy", "header_up -Last-Event-ID", remove=True),
        ),
    )

    async def run(self, site: Site) -> Finding:
        try:
            async with open_stream(site) as stream:
                if not stream.is_readable or await stream.event("hello", seconds=AT_ONCE) is None or not stream.last_id:
                    return self.skipped(NOT_READABLE)
                last = stream.last_id
            for headers, path, what in (
                ({"Last-Event-ID": last}, "/v1/events", "the header Last-Event-ID"),
                ({}, f"/v1/events?last_event_id={quote(last)}", "the parameter last_event_id"),
            ):
                async with open_stream(site, headers, path) as stream:
                    hello = await stream.event("hello", seconds=AT_ONCE)
                if hello is None or hello.data.get("resumed") is not True:
                    return self.wrong(f"{what} does not reach the app")
        except StreamEnded as end:
            return self.skipped(f"the stream was over at once: {end}")
        return self.ok("a stream resumes with its last id")


class Silence(StreamCheck):
    name = "silence"
    proves = "A silent stream stays open until its ping, which comes after 15 to 30 s."
    is_long = True
    advice = Advice(
        "Streams break again and again while nobody writes, and each reader reconnects.",
        "Have every time-out for silence, of the front and of balancers before it, be 75 s or more, and none for the "
        "length of an answer.",
        (
            Line("nginx", "proxy_read_timeout ${FRONT_SECONDS}s;"),
            Line("nginx", "send_timeout ${FRONT_SECONDS}s;"),
            Line("haproxy", 'timeout server "${FRONT_SECONDS}s"'),
            Line("haproxy", 'timeout client "${FRONT_SECONDS}s"'),
            Line("caddy", "write 0", where="`servers`, `timeouts`"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        async with open_stream(site) as stream:
            if not stream.is_readable or not await stream.first_byte(AT_ONCE):
                return self.skipped(NOT_READABLE)
            began = time.monotonic()
            try:
                ping = await stream.event("ping", seconds=LONGEST_SILENCE)
            except StreamEnded as end:
                silent = stream.ended_at - stream.last_byte_at
                return self.wrong(f"the stream broke after {silent:.1f} s of silence, before its ping: {end}")
        if ping is None:
            return self.wrong(f"no ping came within {LONGEST_SILENCE:g} s")
        return self.ok(f"a ping came after {ping.at - began:.0f} s", seconds=round(ping.at - began, 1))
