"""A client of the HTTP API: sends each message exactly once, and receives every event."""

import contextlib
import ipaddress
import json
import os
import random
import re
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx
from httpx_sse import EventSource, SSEError

from ssechat import __version__
from ssechat.backoff import Backoff
from ssechat.errors import ChatError, SettingsError
from ssechat.problem_details import MAX_RETRY_AFTER, problem_text, retry_after, shortened

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 10.0
# A server pings after 15 to 30 seconds without an event; a connection that is silent for longer is dead.
SILENCE_SECONDS = 60.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
# Statuses after which a retry can succeed: too many requests, or a proxy, the server or its Redis is unavailable.
RETRY_STATUSES = frozenset({429, 502, 503, 504})


class ClientError(ChatError):
    """The server refused a request, or could not be reached; the message is for the user."""


@dataclass(frozen=True)
class Event:
    """One event of the stream."""

    name: str
    id: str
    """The last event id after this event; empty for an event that has none."""
    data: Any
    """The parsed JSON; the text itself if it is not JSON."""


class Client:
    """A client of one user at one server.

    `credential` returns a bearer token. It is called for each request, so that it may mint a fresh token. `note` is
    called with a sentence for the user at each retry and reconnect. The other parameters are for tests.
    """

    def __init__(
        self,
        server: str,
        credential: Callable[[], str],
        *,
        note: Callable[[str], None] = lambda text: None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        Raises:
            SettingsError: `server` is not an http or https address, or the environment names a proxy or a certificate
                file that cannot be used.
        """
        self._server = server_address(server)
        self._credential = credential
        self._note = note
        self._sleep = sleep
        self._clock = clock
        self._chance = chance
        # HTTP_PROXY is not for servers on this machine.
        is_remote = not _is_local(self._server.host)
        self._uses_proxy = is_remote and self._server.scheme in getproxies() and not proxy_bypass(self._server.host)
        self._http = _http(transport, through_proxy=is_remote, secure=self._server.scheme == "https")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def send(
        self, to: str, text: str, *, client_msg_id: str | None = None, patience: float = 30.0
    ) -> Mapping[str, Any]:
        """Sends a text to a user, or to a conversation if `to` has a colon, and returns the message.

        Retries with the same `client_msg_id` for at most `patience` seconds while the server is unavailable: the
        message is sent once, however many attempts there are.

        Raises:
            ClientError: the server refused the message, or did not confirm it within that time.
        """
        client_msg_id = client_msg_id or uuid.uuid4().hex
        target = {"conversation_id": to} if ":" in to else {"to": to}
        body = {**target, "text": text, "client_msg_id": client_msg_id}
        deadline = self._clock() + patience
        backoff = _backoff()
        while True:
            outcome, retry_in = self._try_send(body, deadline)
            if isinstance(outcome, Mapping):
                return outcome
            pause = self._pause(FIRST_PAUSE / 2, backoff)
            if retry_in is not None:
                pause = retry_in
            left = deadline - self._clock()
            if pause > left:
                raise ClientError(
                    f"not confirmed within {patience:g} s ({outcome}). The message may have been sent: "
                    f"to retry without sending it twice, add --client-msg-id {client_msg_id}"
                )
            self._note(f"{outcome}; retrying in {pause:.1f} s, for another {left:.0f} s at most …")
            self._sleep(pause)

    def _try_send(self, body: Mapping[str, str], deadline: float) -> tuple[Mapping[str, Any] | str, float | None]:
        """Returns the message, or a sentence why it is not sent yet, and the seconds of the server's Retry-After."""
        limit = max(0.1, min(ANSWER_SECONDS, deadline - self._clock()))
        try:
            response = self._http.post(
                self._url("/v1/messages"), json=body, headers=self._authorization(), timeout=limit
            )
        except httpx.RequestError as error:
            return self._unreachable(error), None
        if response.status_code in (200, 201):
            return _message(response), None
        if response.status_code not in RETRY_STATUSES:
            raise ClientError(problem_text(response))
        return problem_text(response), retry_after(response)

    def listen(self, since: str | None = None) -> Iterator[Event]:
        """Yields events for ever, each once and in order, over any number of connections.

        `since` is the id of the last event that the caller has, `0-0` for all stored events; by default only new
        events are yielded.

        Raises:
            ClientError: the server refused the stream for good: the token is not valid, or it is not a chat server.
        """
        connection = _Connection(cursor=since)
        backoff = _backoff()
        while True:
            retry_in, said_bye = 0.0, False
            try:
                for event in self._stream(connection):
                    said_bye = event.name == "bye"
                    backoff.reset()
                    yield event
                    # After the yield: a caller that stops before it has processed the event gets it again.
                    connection.cursor = event.id or connection.cursor
                reason = "the stream ended"
            except httpx.ReadTimeout:
                reason = f"the stream was silent for {SILENCE_SECONDS:g} s"
            except httpx.RequestError as error:
                # After a `bye` that asks for a reconnect the server cuts the chunked response: no error.
                reason = "the stream ended" if said_bye else self._unreachable(error)
            except _RetryLater as refusal:
                reason, retry_in = str(refusal), refusal.seconds
            pause = max(retry_in, self._pause(connection.retry, backoff))
            self._note(f"{reason}; reconnecting in {pause:.1f} s …")
            self._sleep(pause)

    def _stream(self, connection: "_Connection") -> Iterator[Event]:
        headers = {**self._authorization(), "Accept": "text/event-stream", "Cache-Control": "no-store"}
        if connection.cursor is not None:
            headers["Last-Event-ID"] = connection.cursor
        timeout = httpx.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS)
        with self._http.stream("GET", self._url("/v1/events"), headers=headers, timeout=timeout) as response:
            if response.status_code != 200:
                with contextlib.suppress(httpx.RequestError):
                    response.read()
                if response.status_code in RETRY_STATUSES or response.status_code >= 500:
                    raise _RetryLater(problem_text(response), retry_after(response) or 0.0)
                raise ClientError(problem_text(response))
            yield from self._events(EventSource(response), connection)

    def _events(self, source: EventSource, connection: "_Connection") -> Iterator[Event]:
        last_id = ""
        try:
            for each in source.iter_sse():
                if each.retry is not None:
                    connection.retry = max(0, min(each.retry, int(MAX_RETRY_AFTER * 1000))) / 1000
                if each.event == "retry":
                    continue  # the event that opens a stream has no data for the caller
                # httpx-sse repeats the last event id on events without one (WHATWG HTML §9.2.6).
                event_id, last_id = each.id if each.id != last_id else "", each.id
                if each.data:
                    yield Event(each.event, event_id, _parse_json(each.data))
                elif event_id:
                    connection.cursor = event_id
        except SSEError:
            raise ClientError(f"{self._server} is not a chat server: it sent no event stream") from None

    def _pause(self, least: float, backoff: Backoff) -> float:
        """Seconds to wait: `least`, longer after each failure, with jitter on top."""
        return max(least, backoff.pause()) * (1 + self._chance() / 4)

    def _url(self, path: str) -> str:
        return str(self._server).rstrip("/") + path

    def _authorization(self) -> dict[str, str]:
        token = self._credential()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise SettingsError("this is not a token: it has characters that tokens cannot have")
        return {"Authorization": f"Bearer {token}"}

    def _unreachable(self, error: httpx.RequestError) -> str:
        """Returns a sentence why there was no response.

        Raises:
            ClientError: a retry is pointless: the server's certificate is not trusted.
        """
        causes = _causes(error)
        untrusted = next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None)
        if untrusted is not None:
            raise ClientError(
                f"the certificate of {self._server} is not trusted ({shortened(untrusted.verify_message)}): if a CA of "
                "your own signed it, name the file of that CA's certificate in SSL_CERT_FILE"
            )
        reason = "it did not respond in time" if isinstance(error, httpx.TimeoutException) else _system_error(error)
        via_proxy = ", through the proxy that the environment names" if self._uses_proxy else ""
        return f"cannot reach {self._server} ({reason}{via_proxy})"


@dataclass
class _Connection:
    """The state that survives a reconnect."""

    cursor: str | None
    retry: float = FIRST_PAUSE
    """Seconds."""


class _RetryLater(Exception):
    """The server refused the stream for now, and asks for a retry after some seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


def _backoff() -> Backoff:
    """The pauses after the first failure, for which the server's value stands."""
    return Backoff(2 * FIRST_PAUSE, LONGEST_PAUSE, at_once=True)


def server_address(text: str) -> httpx.URL:
    """Parses the address of a server.

    Raises:
        SettingsError: it is not an http or https address.
    """
    example = "an address such as http://127.0.0.1:8000"
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode()
        host.encode("idna")  # as the resolver does
    except (httpx.InvalidURL, UnicodeError) as error:
        raise SettingsError(f"--server: this is not {example}: {_address_error(error)}") from None
    if url.userinfo:
        raise SettingsError("--server: an address has no user name and password; give --user or --token")
    if url.scheme not in ("http", "https") or not host or url.query or url.fragment or re.search(r"[\s%]", host):
        raise SettingsError(f"--server: {shortened(repr(text))} is not {example}")
    if url.port is not None and not 0 < url.port < 65536:
        raise SettingsError(f"--server: {url.port} is not a port: give one from 1 to 65535")
    return url


def _address_error(error: Exception) -> str:
    """The error in an address, without the address itself: it may have a password in it."""
    return "its port is not valid" if "port" in str(error).lower() else "its host name is not valid"


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


def _message(response: httpx.Response) -> Mapping[str, Any]:
    try:
        message = json.loads(response.content)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise ClientError("the server's response is not a message; is this the address of an ssechat server?")
    return message


def _parse_json(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data


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


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.rstrip(".")
        return name == "localhost" or name.endswith(".localhost")  # RFC 6761 §6.3
    return address.is_loopback or address.is_unspecified
