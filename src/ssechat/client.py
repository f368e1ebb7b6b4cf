"""A client of the HTTP contract: send exactly once, and listen without a gap."""

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
from ssechat.answers import LONGEST_ASKED, problem_text, retry_after, shortened
from ssechat.errors import ChatError, SettingsError

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 10.0
# The server pings after 15 to 30 seconds of silence: what is silent for longer is dead.
SILENCE_SECONDS = 60.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
# Refusals that may pass: too many requests, or somebody on the way to the server, or its Redis, is away.
PASSING = frozenset({429, 502, 503, 504})


class ClientError(ChatError):
    """The server refused, or could not be reached; the text is for the person who asked."""


@dataclass(frozen=True)
class Event:
    """One event of the stream."""

    name: str
    id: str
    """The inbox's cursor after this event; empty for what doesn't move it."""
    data: Any
    """Parsed JSON, or the text as it came when it is none."""


class Client:
    """One user at one server.

    `credential` gives a bearer token and is asked for each request, so that it may mint a fresh one. `note`
    is told what a person may want to know while they wait. The rest is for tests.
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
        # HTTP_PROXY is meant for what is elsewhere.
        elsewhere = not _is_local(self._server.host)
        self._through_proxy = elsewhere and self._server.scheme in getproxies() and not proxy_bypass(self._server.host)
        self._http = _http(transport, through_proxy=elsewhere, secure=self._server.scheme == "https")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def send(
        self, to: str, text: str, *, client_msg_id: str | None = None, patience: float = 30.0
    ) -> Mapping[str, Any]:
        """Send to a user, or to a conversation when `to` has a colon, and return the message.

        Repeats with one `client_msg_id` while the server is away, so that the message is sent once, however
        often it was tried; for at most `patience` seconds.

        Raises:
            ClientError: refused, or not confirmed within that time.
        """
        client_msg_id = client_msg_id or uuid.uuid4().hex
        target = {"conversation_id": to} if ":" in to else {"to": to}
        body = {**target, "text": text, "client_msg_id": client_msg_id}
        deadline = self._clock() + patience
        failures = 0
        while True:
            outcome, asked = self._try_send(body, deadline)
            if isinstance(outcome, Mapping):
                return outcome
            pause = asked if asked is not None else self._pause(FIRST_PAUSE / 2, failures)
            failures += 1
            left = deadline - self._clock()
            if pause > left:
                raise ClientError(
                    f"not confirmed within {patience:g} s ({outcome}). It may have been sent all the same: "
                    f"to repeat it without sending it twice, add --client-msg-id {client_msg_id}"
                )
            self._note(f"{outcome}; trying again in {pause:.1f} s, for another {left:.0f} s at most …")
            self._sleep(pause)

    def _try_send(self, body: Mapping[str, str], deadline: float) -> tuple[Mapping[str, Any] | str, float | None]:
        """The message, or why there is none yet, and the seconds to wait that the server asked for."""
        limit = max(0.1, min(ANSWER_SECONDS, deadline - self._clock()))
        try:
            answer = self._http.post(self._url("/v1/messages"), json=body, headers=self._authorization(), timeout=limit)
        except httpx.RequestError as error:
            return self._unreachable(error), None
        if answer.status_code in (200, 201):
            return _message(answer), None
        if answer.status_code not in PASSING:
            raise ClientError(problem_text(answer))
        return problem_text(answer), retry_after(answer)

    def listen(self, since: str | None = None) -> Iterator[Event]:
        """Events for ever: each one once and in order, over any number of connections.

        `since` is the id of the last event that is known already, `0-0` for all that the server has; without
        it, what happens from now on.

        Raises:
            ClientError: refused for good: not signed in, or not a chat server.
        """
        connection = _Connection(cursor=since)
        failures = 0
        while True:
            asked, parted = 0.0, False
            try:
                for event in self._stream(connection):
                    failures, parted = 0, event.name == "bye"
                    yield event
                    # Only now: whoever stops in between has not had it.
                    connection.cursor = event.id or connection.cursor
                reason = "the stream ended"
            except httpx.ReadTimeout:
                reason = f"nothing was heard for {SILENCE_SECONDS:g} s"
            except httpx.RequestError as error:
                # A goodbye after which one should come back is not the end that the response announced.
                reason = "the stream ended" if parted else self._unreachable(error)
            except _TryLater as refusal:
                reason, asked = str(refusal), refusal.seconds
            pause = max(asked, self._pause(connection.retry, failures))
            failures += 1
            self._note(f"{reason}; reconnecting in {pause:.1f} s …")
            self._sleep(pause)

    def _stream(self, connection: "_Connection") -> Iterator[Event]:
        headers = {**self._authorization(), "Accept": "text/event-stream", "Cache-Control": "no-store"}
        if connection.cursor is not None:
            headers["Last-Event-ID"] = connection.cursor
        timeout = httpx.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS)
        with self._http.stream("GET", self._url("/v1/events"), headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                with contextlib.suppress(httpx.RequestError):
                    answer.read()
                if answer.status_code in PASSING or answer.status_code >= 500:
                    raise _TryLater(problem_text(answer), retry_after(answer) or 0.0)
                raise ClientError(problem_text(answer))
            yield from self._events(EventSource(answer), connection)

    def _events(self, source: EventSource, connection: "_Connection") -> Iterator[Event]:
        seen = ""
        try:
            for each in source.iter_sse():
                if each.retry is not None:
                    connection.retry = max(0, min(each.retry, int(LONGEST_ASKED * 1000))) / 1000
                if each.event == "retry":
                    continue  # it opens the stream, and says no more than that
                # httpx-sse repeats the last id on events that have none (as WHATWG HTML §9.2.6 has it).
                moved, seen = each.id if each.id != seen else "", each.id
                if each.data:
                    yield Event(each.event, moved, _parsed(each.data))
                elif moved:
                    connection.cursor = moved
        except SSEError:
            raise ClientError(f"{self._server} is no chat server: it sent no event stream") from None

    def _pause(self, base: float, failures: int) -> float:
        """Seconds to wait: what the server asked for, more after each failure, never all clients at once."""
        grown = max(base, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 10))) if failures else base
        return grown * (1 + self._chance() / 4)

    def _url(self, path: str) -> str:
        return str(self._server).rstrip("/") + path

    def _authorization(self) -> dict[str, str]:
        token = self._credential()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise SettingsError("that is not a token: it has characters that no token has")
        return {"Authorization": f"Bearer {token}"}

    def _unreachable(self, error: httpx.RequestError) -> str:
        """Why there was no answer.

        Raises:
            ClientError: there never will be one: the server's certificate is not trusted.
        """
        distrusted = next((each for each in _causes(error) if isinstance(each, ssl.SSLCertVerificationError)), None)
        if distrusted is not None:
            raise ClientError(
                f"the certificate of {self._server} is not trusted ({shortened(distrusted.verify_message)}): if its "
                "authority is one of your own, name that authority's file in SSL_CERT_FILE"
            )
        reason = "it did not answer in time" if isinstance(error, httpx.TimeoutException) else _in_words(error)
        through = ", through the proxy that the environment names" if self._through_proxy else ""
        return f"cannot reach {self._server} ({reason}{through})"


@dataclass
class _Connection:
    """What one connection hands on to the next."""

    cursor: str | None
    retry: float = FIRST_PAUSE
    """Seconds."""


class _TryLater(Exception):
    """The stream was refused for now; the server asks to wait for some seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


def server_address(text: str) -> httpx.URL:
    """The server's address.

    Raises:
        SettingsError: it is not one.
    """
    example = "an address such as http://127.0.0.1:8000"
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode()
        host.encode("idna")  # which is how a name is looked up
    except (httpx.InvalidURL, UnicodeError) as error:
        raise SettingsError(f"--server: this is not {example}: {_reason(error)}") from None
    if url.userinfo:
        raise SettingsError("--server: an address has no name and password; say who you are with --user or --token")
    if url.scheme not in ("http", "https") or not host or url.query or url.fragment or re.search(r"[\s%]", host):
        raise SettingsError(f"--server: {shortened(repr(text))} is not {example}")
    if url.port is not None and not 0 < url.port < 65536:
        raise SettingsError(f"--server: {url.port} is not a port: give one from 1 to 65535")
    return url


def _reason(error: Exception) -> str:
    """What is wrong with an address, without the address: it may have a password in it."""
    return "that is not a port" if "port" in str(error).lower() else "that is not a host name"


def _http(transport: httpx.BaseTransport | None, *, through_proxy: bool, secure: bool) -> httpx.Client:
    try:
        return httpx.Client(
            transport=transport,
            headers={"User-Agent": f"ssechat/{__version__}"},
            trust_env=through_proxy,
            # The environment's certificates count wherever the server is.
            verify=httpx.create_ssl_context() if secure else True,
        )
    except OSError as error:
        raise SettingsError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read ({error.strerror or error})"
        ) from None
    except (ValueError, ImportError, httpx.InvalidURL):
        # Not in httpx's words: they can quote a proxy's password.
        names = [name for name in PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
        raise SettingsError(
            f"the proxy settings in the environment cannot be used ({', '.join(names)}): "
            "give a proxy as http://host:port, or unset them"
        ) from None


def _message(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        message = json.loads(answer.content)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise ClientError("the server's answer is not a message; is that address an ssechat server?")
    return message


def _parsed(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data


def _in_words(error: httpx.RequestError) -> str:
    """The system's own words where there are any, without their number."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return shortened(cause.strerror)
    return shortened(str(error)) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from."""
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
