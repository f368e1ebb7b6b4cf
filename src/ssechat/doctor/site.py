"""The deployment that is examined, and the requests to it."""

import asyncio
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from ssechat import __version__
from ssechat.client.address import is_local, is_proxied
from ssechat.client.transport import authorization
from ssechat.doctor.answers import MOST_BYTES, Answer
from ssechat.doctor.exchange import Wire, wire
from ssechat.doctor.failures import NoAnswer, is_timeout, reason
from ssechat.doctor.visitor import Visitor
from ssechat.outward import certificates, reading_environment

DEFAULT_PORTS = {"http": 80, "https": 443}

ENCODINGS = "gzip, deflate, br, zstd"
"""What browsers accept."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for besides the address."""

    seconds: float = 10.0
    """Upper bound of the wait for an answer."""
    quick: bool = False
    """Whether the check that takes long is left out."""
    origin: str | None = None
    """A page of this origin must be able to use the server."""
    http_port: int | None = None
    """The port for plain http, beside one for https."""


class Site:
    """One deployment. `arrival.py` fills in what is learned at the first requests."""

    def __init__(self, url: httpx.URL, plan: Plan) -> None:
        """
        Raises:
            SettingsError: the environment names a proxy or certificates that cannot be used.
        """
        self.url = url
        self.plan = plan
        self.prefix = url.raw_path.decode("ascii").rstrip("/")
        self.host: str = url.raw_host.decode("ascii")
        self.port: int = url.port or DEFAULT_PORTS[url.scheme]
        self.is_https = url.scheme == "https"
        self.is_local = is_local(url.host)
        self.is_proxied = is_proxied(url)
        """Whether a proxy of the environment lies between: then no connection leads to the site itself."""
        self.distrust = ""
        """Why the certificate is not trusted; empty if it is."""
        self.front: str | None = None
        """A key of `FRONTS`, or another name that the front gives itself; None if it tells none."""
        self.is_bare = False
        """Whether the app itself answers, and no front."""
        self.about: Mapping[str, Any] = {}
        """The answer of `GET /v1/server`."""
        self.body_bytes = 65536
        self.is_held_back = False
        """Whether the answer to a stream did not begin in time: whoever else waits for one would wait in vain."""
        self.visitor: Visitor | None = None
        self.why_nobody = ""
        """Why there is no visitor."""
        self._http = self._client()

    async def close(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    async def distrusted(self, why: str) -> None:
        """Goes on without the certificate."""
        self.distrust = why
        await self._http.aclose()
        self._http = self._client()

    @property
    def authority(self) -> str:
        """Host and port as a browser sends them."""
        return self.url.netloc.decode("ascii")

    @property
    def origin(self) -> str:
        """The origin of the site's own pages."""
        return f"{self.url.scheme}://{self.authority}"

    def tls(self, *protocols: str) -> ssl.SSLContext:
        """The TLS context of a client that offers these protocols (ALPN, RFC 7301).

        Raises:
            SettingsError: the certificates that the environment names cannot be read.
        """
        context = certificates()
        if self.distrust:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def _client(self) -> httpx.AsyncClient:
        with reading_environment():
            return httpx.AsyncClient(
                verify=self.tls() if self.is_https else True,
                trust_env=not self.is_local,
                timeout=None,  # noqa: S113 – each request has a deadline for the whole of it
                headers={"User-Agent": f"ssechat-doctor/{__version__}", "Accept": "*/*"},
            )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        user: bool = False,
    ) -> Answer:
        """Sends a request to exactly this path, and returns the answer. `user` adds the visitor's credential.

        Raises:
            NoAnswer: there was none.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.plan.seconds):
                async with self._request(method, path, headers, json, content, user) as response:
                    seconds = time.monotonic() - began
                    body = await _body(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise NoAnswer(f"no answer to {method} {path} ({reason(error)})") from error
        finally:
            self._http.cookies.clear()
        return Answer(response.status_code, response.headers, body, seconds)

    @asynccontextmanager
    async def streaming(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """A response with the visitor's events, whose body is read as it comes.

        Raises:
            NoAnswer: no response began in time.
        """
        sent = {"Accept": "text/event-stream", "Cache-Control": "no-store", "Accept-Encoding": ENCODINGS, **headers}
        opening = self._request("GET", path, sent, None, None, True)
        try:
            async with asyncio.timeout(self.plan.seconds):
                response = await opening.__aenter__()
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            self.is_held_back = is_timeout(error)
            raise NoAnswer(f"no answer to GET {path} ({reason(error)})") from error
        try:
            yield response
        finally:
            await opening.__aexit__(None, None, None)
            self._http.cookies.clear()

    def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        json: Mapping[str, Any] | None,
        content: bytes | AsyncIterator[bytes] | None,
        user: bool,
    ) -> AbstractAsyncContextManager[httpx.Response]:
        sent = {"Accept-Encoding": "identity", "X-Request-ID": f"doctor-{secrets.token_hex(6)}", **(headers or {})}
        if json is not None or content is not None:
            sent.setdefault("Content-Type", "application/json")
        if user and self.visitor is not None:
            sent |= authorization(self.visitor.token())
        target = (self.prefix + path).encode("ascii")
        # As it is: httpx would resolve `..`, for example. (A proxy needs the whole URL.)
        exactly = {} if self.is_proxied else {"target": target}
        url = self.url.copy_with(raw_path=target) if self.is_proxied else self.url
        return self._http.stream(method, url, headers=sent, json=json, content=content, extensions=exactly)

    def wire(self, *protocols: str) -> AbstractAsyncContextManager[Wire]:
        """A raw connection, with TLS as the site has it. These protocols are offered (ALPN).

        Raises:
            NoAnswer: it cannot be opened; its cause is the error.
        """
        tls = self.tls(*(protocols or ("http/1.1",))) if self.is_https else None
        return wire(self.host, self.port, self.plan.seconds, tls)

    def line(self, method: str, path: str, *headers: str) -> bytes:
        """The line and the headers of a request, for a raw connection."""
        lines = (f"{method} {self.prefix}{path} HTTP/1.1", f"Host: {self.authority}", *headers, "", "")
        return "\r\n".join(lines).encode("ascii")


async def _body(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_raw():
        body += part
        if len(body) > MOST_BYTES:
            break
    return body
