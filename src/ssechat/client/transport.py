"""The way to a server: addresses of resources, proxies, certificates, and the sentence for what fails on it."""

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
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


class Transport:
    """Requests of one user to one server. `credential` gives the bearer token of each."""

    def __init__(self, server: str, credential: Callable[[], str], transport: httpx.BaseTransport | None) -> None:
        """
        Raises:
            SettingsError: `server` is not an http or https address, or the environment names a proxy or a certificate
                file that cannot be used.
        """
        self.server = server_address(server)
        self._credential = credential
        # HTTP_PROXY is not for servers on this machine.
        is_remote = not is_local(self.server.host)
        self._uses_proxy = is_remote and self.server.scheme in getproxies() and not proxy_bypass(self.server.host)
        self._http = _http(transport, through_proxy=is_remote, secure=self.server.scheme == "https")

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        timeout: float,
    ) -> httpx.Response:
        """Sends a request, and returns the response whatever its status. `timeout` is in seconds.

        Raises:
            httpx.RequestError: there was no response.
        """
        return self._http.request(
            method, self._url(path), json=body, params=query, headers=self._authorization(), timeout=timeout
        )

    def stream(
        self, path: str, headers: Mapping[str, str], timeout: httpx.Timeout
    ) -> AbstractContextManager[httpx.Response]:
        """Opens a response whose body is read as it comes."""
        return self._http.stream("GET", self._url(path), headers={**self._authorization(), **headers}, timeout=timeout)

    def _url(self, path: str) -> str:
        return str(self.server).rstrip("/") + path

    def _authorization(self) -> dict[str, str]:
        token = self._credential()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise SettingsError("this is not a token: it has characters that tokens cannot have")
        return {"Authorization": f"Bearer {token}"}

    def unreachable(self, error: httpx.RequestError) -> str:
        """Returns a sentence why there was no response.

        Raises:
            ClientError: a retry is pointless: the server's certificate is not trusted.
        """
        causes = _causes(error)
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


def _http(transport: httpx.BaseTransport | None, *, through_proxy: bool, secure: bool) -> httpx.Client:
    try:
        return httpx.Client(
            transport=transport,
            headers={"User-Agent": f"ssechat/{__version__}"},
            trust_env=through_proxy,
            # SSL_CERT_FILE counts for servers on this machine, too.
            verify=httpx.create_ssl_context() if secure else True,
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


def _system_error(error: httpx.RequestError) -> str:
    """The operating system's error message if there is one, without its number; else httpx's, or one for it."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return shortened(cause.strerror)
    if isinstance(error, httpx.RemoteProtocolError) and "peer closed connection" in str(error):
        return "it closed the connection"
    return shortened(str(error)) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
