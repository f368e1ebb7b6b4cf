"""The way to a server: addresses of resources, proxies, certificates, and the sentence for what fails on it."""

import asyncio
import os
import ssl
from collections.abc import Iterator, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote
from urllib.request import getproxies, proxy_bypass

import httpx

from ssechat import __version__
from ssechat.client.address import is_local, server_address
from ssechat.client.errors import ClientError
from ssechat.errors import SettingsError
from ssechat.problem_details import shortened

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
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
        self._uses_proxy = is_remote and self.server.scheme in getproxies() and not proxy_bypass(self.server.host)
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
            headers={**(headers or {}), **_authorization(token)},
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

    async def stream(self, path: str, token: str, headers: Mapping[str, str], timeout: httpx.Timeout) -> httpx.Response:
        """Opens a response whose body is read as it comes; it must be closed.

        Raises:
            httpx.RequestError: there was no response.
        """
        request = self._http.build_request(
            "GET", self._url(path), headers={**_authorization(token), **headers}, timeout=timeout
        )
        return await self._http.send(request, stream=True)

    def _url(self, path: str) -> str:
        return str(self.server).rstrip("/") + path

    def unreachable(self, error: httpx.RequestError) -> str:
        """Returns a sentence why there was no response.

        Raises:
            ClientError: a retry is pointless: the server's certificate is not trusted.
        """
        causes = list(_causes(error))
        untrusted = next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None)
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


def _authorization(token: str | None) -> dict[str, str]:
    if token is None:
        return {}
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError("this is not a token: it has characters that tokens cannot have")
    return {"Authorization": f"Bearer {token}"}


def _http(transport: httpx.AsyncBaseTransport | None, *, through_proxy: bool, secure: bool) -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(
            transport=transport,
            headers={"User-Agent": f"ssechat/{__version__}"},
            trust_env=through_proxy,
            # A token says who asks; a session's cookie beside it could name somebody else.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            verify=_trusted(through_proxy=through_proxy, secure=secure),
        )
    except OSError as error:
        raise SettingsError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read ({error.strerror or error})"
        ) from None
    except (ValueError, ImportError, httpx.InvalidURL):
        # httpx's message is left out: it can quote the password of a proxy.
        names = [name for name in PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
        raise SettingsError(
            f"the proxy settings in the environment cannot be used ({', '.join(names)}): "
            "give a proxy as http://host:port, or unset them"
        ) from None


def _trusted(*, through_proxy: bool, secure: bool) -> ssl.SSLContext | bool:
    """The certificates that are trusted. SSL_CERT_FILE counts for servers on this machine, too."""
    if secure:
        return httpx.create_ssl_context()
    # To read all certificates takes longer than all else that is done before a request; without TLS none is needed.
    return True if through_proxy else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _system_error(error: httpx.RequestError) -> str:
    """The operating system's error message if there is one, without its number; else httpx's, or one for it."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return shortened(cause.strerror)
    if isinstance(error, httpx.RemoteProtocolError) and "peer closed connection" in str(error):
        return "it closed the connection"
    return shortened(str(error)) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its chain of causes, and of a failure with several ones each."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
        following = cause.__cause__ or cause.__context__
        if following is not None:
            waiting.append(following)
