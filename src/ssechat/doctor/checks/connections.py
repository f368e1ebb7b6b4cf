"""Checks of connections: certificate, protocols, addresses."""

import asyncio
import socket
import ssl
import time
from typing import ClassVar

import httpx

from ssechat.doctor.answers import Answer
from ssechat.doctor.check import Check
from ssechat.doctor.exchange import RawAnswer, Wire, answers, count_whole, wire
from ssechat.doctor.failures import NoAnswer
from ssechat.doctor.findings import Advice, Finding, Line
from ssechat.doctor.site import Site
from ssechat.problem_details import shortened

DAY = 86_400.0
SOON = 14 * DAY
SOON_PART = 1 / 6
"""A certificate runs out soon when less is left than 14 days and than this part of its life: some live for hours."""

MOST_ADDRESSES = 8


class Certificate(Check):
    name = "certificate"
    proves = "The certificate is trusted, is for this name, and is not about to run out."
    needs_https = True
    needs_direct = True
    advice = Advice(
        "Browsers show a warning instead of the page, and programs do not connect.",
        "Give the front a certificate for this name, with its whole chain, and have it renewed in time. If an "
        "authority of your own signed it, name that authority's file in SSL_CERT_FILE.",
        (
            Line("nginx", "ssl_certificate …;", where="the full chain; nginx reads it at `nginx -s reload` only"),
            Line("haproxy", "ssl crt …", where="one file: certificate, chain, key; read at a reload only"),
            Line("caddy", "tls {$FRONT_TLS:internal}", where="an e-mail address there: a public one"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        if site.distrust:
            return self.wrong(site.distrust)
        async with site.wire() as connection:
            found = connection.tls.getpeercert() if connection.tls is not None else None
        if not found:
            return self.wrong("the server shows no certificate")
        begins, ends = (ssl.cert_time_to_seconds(str(found[name])) for name in ("notBefore", "notAfter"))
        left, day = ends - time.time(), time.strftime("%Y-%m-%d", time.gmtime(ends))
        said = f"it is trusted, and valid until {day} ({_span(left)})"
        if left < min(SOON, (ends - begins) * SOON_PART):
            return self.warning(f"it runs out in {_span(left)} ({day})", seconds_left=int(left))
        return self.ok(said, seconds_left=int(left))


def _span(seconds: float) -> str:
    return f"{seconds / DAY:.0f} days" if seconds >= 2 * DAY else f"{seconds / 3600:.0f} hours"


class Encryption(Check):
    name = "https"
    proves = "People come over https."
    advice = Advice(
        "Everybody on the way reads passwords, cookies and messages, and can change them.",
        "Put a front with a certificate before the server; deploy/fronts has three.",
    )

    async def run(self, site: Site) -> Finding:
        if site.is_https:
            return self.ok("people come over https")
        if site.is_local:
            return self.skipped("plain http, to this machine only")
        return self.wrong("plain http, to another machine")


class Redirect(Check):
    name = "redirect"
    proves = "Plain http leads to https, to the same host and path, and never to the app."
    needs_https = True
    needs_direct = True
    advice = Advice(
        "Who types the address without https sends the first requests in clear, and is signed in twice.",
        "Answer everything on the port for plain http with a redirect to the same place over https.",
        (
            Line("nginx", "return 301 https://$host$request_uri;", where="the server on port 80"),
            Line("haproxy", "http-request redirect scheme https code 301", where="the frontend on port 80"),
            Line("caddy", "auto_https", remove=True, where="it redirects by itself"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        port = site.plan.http_port or (80 if site.port == 443 else None)
        if port is None:
            return self.skipped(f"the address has port {site.port}; give --http-port for the one of plain http")
        try:
            async with wire(site.host, port, site.plan.seconds, None) as connection:
                host = site.url.copy_with(scheme="http", port=port).netloc.decode("ascii")
                line = f"GET {site.prefix}/v1/server?x=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                await connection.send(line.encode("ascii"))
                found = answers(await connection.read(lambda got: count_whole(got) >= 1))
        except NoAnswer:
            return self.ok(f"nothing listens for plain http on port {port}", port=port)
        if not found:
            return self.wrong(f"port {port} accepts connections, and answers no plain http", port=port)
        answer = Answer(found[0].status, httpx.Headers(list(found[0].headers.items())), found[0].body, 0)
        if not answer.redirects_to:
            return self.wrong(f"plain http on port {port} is answered {answer.said()}", port=port)
        try:
            place = httpx.URL(answer.redirects_to)
        except httpx.InvalidURL:
            return self.wrong(f"plain http is redirected to no address: {shortened(answer.redirects_to)}", port=port)
        if place.scheme != "https" or place.host != site.url.host:
            return self.wrong(f"plain http is redirected to {shortened(answer.redirects_to)}", port=port)
        if place.raw_path != f"{site.prefix}/v1/server?x=1".encode():
            return self.warning(f"the redirect loses the path: it leads to {shortened(answer.redirects_to)}", port=port)
        return self.ok(f"port {port} redirects to https", port=port)


class Addresses(Check):
    name = "addresses"
    proves = "Every address of the name, of IPv4 and of IPv6, accepts connections."
    needs_direct = True
    advice = Advice(
        "Those whose system picks the dead address wait, or never connect.",
        "Take the address out of the DNS, or have the front listen on it.",
        (
            Line("nginx", "listen [::]:443 ssl http2;", where="beside the one for IPv4"),
            Line("haproxy", "bind [::]:443 …", where="beside the one for IPv4"),
            Line("caddy", "default_bind 0.0.0.0 [::]", where="or no default_bind: it listens on all by itself"),
        ),
    )

    async def run(self, site: Site) -> Finding:
        if site.is_local:
            return self.skipped("this machine")
        try:
            async with asyncio.timeout(site.plan.seconds):
                found = await asyncio.get_running_loop().getaddrinfo(site.host, site.port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError) as error:
            raise NoAnswer(f"the name cannot be resolved ({error})") from error
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))[:MOST_ADDRESSES]
        dead = []
        for address in addresses:
            try:
                async with wire(address, site.port, site.plan.seconds, None):
                    pass
            except NoAnswer as error:
                dead.append(str(error))
        if dead:
            return self.wrong("; ".join(dead), addresses=addresses)
        return self.ok(f"{', '.join(addresses)}: all accept connections", addresses=addresses)


class Http2(Check):
    name = "http2"
    proves = "Browsers get HTTP/2: a stream, sends and all tabs share one connection."
    needs_https = True
    needs_direct = True
    advice = Advice(
        "Browsers open at most six connections to a host over HTTP/1.1: a few tabs with streams use them up, and each "
        "new one costs a handshake.",
        "Switch HTTP/2 on in the front.",
        (
            Line("nginx", "listen ${FRONT_ADDRESS}:${FRONT_PORT} ssl http2;", where="from 1.25.1 on: `http2 on;`"),
            Line("haproxy", "alpn h2,http/1.1", where="at the end of `bind … ssl`"),
            Line("caddy", "protocols h1 h2", where="`servers`; it is what Caddy does without the line, too"),
        ),
    )

    PREFACE: ClassVar = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    """The client's preface and an empty SETTINGS frame (RFC 9113 §3.4)."""

    async def run(self, site: Site) -> Finding:
        async with site.wire("h2", "http/1.1") as connection:
            tls = connection.tls
            if tls is None or tls.selected_alpn_protocol() != "h2":
                return self.warning("the front does not offer HTTP/2")
            await connection.send(self.PREFACE)
            got = await connection.read(lambda got: len(got) >= 9)
            # The first frame of a server is its SETTINGS, type 4 on stream 0.
            if len(got) < 9 or got[3] != 4 or got[5:9] != bytes(4):
                return self.wrong("the front offers HTTP/2, and does not speak it")
            return self.ok(f"HTTP/2 over {tls.version()}")


class KeepAlive(Check):
    name = "keep-alive"
    proves = "A connection stays open between requests."
    needs_direct = True
    advice = Advice(
        "Each request costs a connection and a handshake, and HTTP/1.0 cannot tell a stream that was cut from one that "
        "is over.",
        "Have the front speak HTTP/1.1 on both sides, and keep connections for 75 s.",
        (
            Line("nginx", "keepalive_timeout ${FRONT_SECONDS}s;"),
            Line("nginx", "proxy_http_version 1.1;"),
            Line("haproxy", 'timeout http-keep-alive "${FRONT_SECONDS}s"'),
            Line("haproxy", "option httpclose", remove=True),
            Line("caddy", "idle {$FRONT_SECONDS:75}s", where="`servers`, `timeouts`"),
        ),
    )

    TIMES: ClassVar = 3

    async def run(self, site: Site) -> Finding:
        async with site.wire() as connection:
            for number in range(1, self.TIMES + 1):
                found = await self._asked(site, connection, number)
                if found and found[-1].version == 10:
                    return self.wrong("answers come as HTTP/1.0")
                if len(found) < number or connection.closed:
                    done = max(len(found), 1)
                    return self.warning(f"the connection was closed after {done} of {self.TIMES} requests")
        return self.ok(f"{self.TIMES} requests on one connection, as HTTP/1.1")

    async def _asked(self, site: Site, connection: Wire, number: int) -> list[RawAnswer]:
        """All answers after another request, the last one of which is the `number`th."""
        await connection.send(site.line("GET", "/v1/server"))
        return answers(await connection.read(lambda got: count_whole(got) >= number))
