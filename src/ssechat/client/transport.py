"""The way to a server: addresses of resources, proxies, certificates, and the sentence for what fails on it."""

import asyncio
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import httpx

from ssechat import __version__
from ssechat.client.address import is_local, is_proxied, server_address
from ssechat.client.errors import ClientError
from ssechat.errors import SettingsError
from ssechat.outward import causes, certificates, reading_environment
from ssechat.problem_details import shortened

# Characters of one part of a path. All ids are shorter; a server would refuse the request without a word.
LONGEST_SEGMENT = 1024
# Headers that say how a body was sent, and not what it is.
OF_THE_WAY = frozenset({"content-encoding", "content-length", "transfer-encoding"})
# Bytes of an answer, and characters of an event. No server takes a request of half of that.
LARGEST = 32 << 20


class Transport:
    """Requests to one server."""

    def __init__(self, server: str, transport: httpx.AsyncBaseTransport | None) -> None:
        """
        Raises:
            SettingsError: `server` is not an http or https address, or the environment names a proxy or a certificate
                file that cannot be used.
        """
        self.server = server_address(server)
        # HTTP_PROXY is not for servers on this machine.
        is_remote = not is_local(self.server.host)
        self._uses_proxy = is_proxied(self.server)
        self._http = _http(transport, through_proxy=is_remote, secure=self.server.scheme == "https")

    async def close(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        timeout: float,
        within: float,
    ) -> httpx.Response:
        """Sends a request, and returns the response whatever its status.

        `timeout` (seconds) is for each step of it, `within` for all of it.

        Raises:
            httpx.RequestError: there was no response.
            ClientError: the response is larger than any of a chat server.
        """
        request = self._http.build_request(
            method,
            self._url(path),
            json=body,
            params=query,
            headers={**(headers or {}), **({} if token is None else authorization(token))},
            timeout=timeout,
        )
        try:
            async with asyncio.timeout(within):
                response = await self._http.send(request, stream=True)
                try:
                    return await self.read(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise httpx.ReadTimeout("", request=request) from None

    async def read(self, response: httpx.Response) -> httpx.Response:
        """The response with its body.

        Raises:
            httpx.RequestError: the body ended too early.
            ClientError: it is larger than any of a chat server.
        """
        content = bytearray()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > LARGEST:
                raise ClientError(f"the answer of {self.server} is larger than any of a chat server")
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in OF_THE_WAY]
        return httpx.Response(
            response.status_code,
            headers=headers,
            content=bytes(content),
            request=response.request,
            extensions=response.extensions,
        )

    async def stream(
        self, path: str, token: str | None, headers: Mapping[str, str], timeout: httpx.Timeout
    ) -> httpx.Response:
        """Opens a response whose body is read as it comes; it must be closed.

        Raises:
            httpx.RequestError: there was no response.
        """
        request = self._http.build_request(
            "GET",
            self._url(path),
            headers={**({} if token is None else authorization(token)), **headers},
            timeout=timeout,
        )
        return await self._http.send(request, stream=True)

    def _url(self, path: str) -> str:
        return str(self.server).rstrip("/") + path

    def unreachable(self, error: httpx.RequestError) -> str:
        """Returns a sentence why there was no response.

        Raises:
            ClientError: a retry is pointless: the server's certificate is not trusted.
        """
        untrusted = next((each for each in causes(error) if isinstance(each, ssl.SSLCertVerificationError)), None)
        if untrusted is not None:
            raise ClientError(
                f"the certificate of {self.server} is not trusted ({shortened(untrusted.verify_message)}): if a CA of "
                "your own signed it, name the file of that CA's certificate in SSL_CERT_FILE"
            )
        reason = "it did not respond in time" if isinstance(error, httpx.TimeoutException) else _system_error(error)
        via_proxy = ", through the proxy that the environment names" if self._uses_proxy else ""
        return f"cannot reach {self.server} ({reason}{via_proxy})"


def path(*segments: str | int) -> str:
    """The path of a resource: each segment is percent-encoded, and stays one segment on every way to the server.

    Raises:
        SettingsError: a segment is empty, too long, or means another folder, as `..` does.
    """
    for segment in map(str, segments):
        if not 0 < len(segment) <= LONGEST_SEGMENT or not segment.strip("."):
            raise SettingsError(f"{shortened(repr(segment))} cannot be the name or the id of anything")
    return "".join(f"/{quote(str(segment), safe=':@+~')}" for segment in segments)


def authorization(token: str) -> dict[str, str]:
    """The header that has a bearer token.

    Raises:
        SettingsError: this cannot be a token.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError("this is not a token: it has characters that tokens cannot have")
    return {"Authorization": f"Bearer {token}"}


def _http(transport: httpx.AsyncBaseTransport | None, *, through_proxy: bool, secure: bool) -> httpx.AsyncClient:
    with reading_environment():
        return httpx.AsyncClient(
            transport=transport,
            headers={"User-Agent": f"ssechat/{__version__}"},
            trust_env=through_proxy,
            # A token says who asks; a session's cookie beside it could name somebody else.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            verify=_trusted(through_proxy=through_proxy, secure=secure),
        )


def _trusted(*, through_proxy: bool, secure: bool) -> ssl.SSLContext | bool:
    """The certificates that are trusted. SSL_CERT_FILE counts for servers on this machine, too."""
    if secure:
        return certificates()
    # To read all certificates takes longer than all else that is done before a request; without TLS none is needed.
    return True if through_proxy else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _system_error(error: httpx.RequestError) -> str:
    """The operating system's error message if there is one, without its number; else httpx's, or one for it."""
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return shortened(cause.strerror)
    if isinstance(error, httpx.RemoteProtocolError) and "peer closed connection" in str(error):
        return "it closed the connection"
    return shortened(str(error)) or type(error).__name__
