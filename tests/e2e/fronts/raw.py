"""A raw client: any bytes over HTTP/1.1, and headers over HTTP/2 that libraries refuse."""

import contextlib
import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from bench.fronting import HOST, NAME, Front

SECONDS = 10.0
"""Upper bound of the wait for a response, in seconds."""


class RawConnection:
    """One TLS connection to a proxy, as a context manager."""

    protocol = "http/1.1"

    def __init__(self, front: Front, seconds: float = SECONDS) -> None:
        plain = socket.create_connection((HOST, front.port), seconds)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: ssl.SSLSocket = front.trust(self.protocol).wrap_socket(plain, server_hostname=NAME)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()


@dataclass
class Answer:
    """The response to one request."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: str = ""
    """"whole", or the reason of a truncation: the code of RST_STREAM or GOAWAY (RFC 9113 §7), or "closed"; "" at
    first."""


class Http1(RawConnection):
    """A connection over HTTP/1.1."""

    def send(self, *packets: bytes, pause: float = 0.03) -> None:
        """Sends packets with a pause between them; a connection closed by the proxy is not an error."""
        with contextlib.suppress(OSError):
            for number, packet in enumerate(packets):
                if number:
                    time.sleep(pause)
                self.socket.sendall(packet)

    def answer(self, method: str = "POST", seconds: float = SECONDS) -> Answer:
        """Returns the first final response; later ones are not read."""
        self.socket.settimeout(seconds)
        answer = Answer()
        response = http.client.HTTPResponse(self.socket, method=method)
        try:
            response.begin()
            answer.status = response.status
            answer.headers = {name.lower(): value for name, value in response.headers.items()}
            while part := response.read1(65536):
                answer.body += part
            answer.ended = "whole"
        except TimeoutError:
            pass
        except (OSError, http.client.HTTPException):
            answer.ended = "closed"
        return answer

    def received(self, seconds: float = SECONDS) -> bytes:
        """Returns all bytes until the proxy closes, or has been silent for `seconds`."""
        self.socket.settimeout(seconds)
        got = b""
        with contextlib.suppress(OSError):
            while part := self.socket.recv(65536):
                got += part
        return got


def statuses(answers: bytes) -> list[int]:
    """The statuses in the bytes of HTTP/1.1 responses whose bodies have no status line."""
    return [int(found) for found in re.findall(rb"^HTTP/1\.[01] (\d{3})", answers, re.MULTILINE)]


class Http2(RawConnection):
    """A connection over HTTP/2 that accepts any headers."""

    protocol = "h2"

    def __init__(self, front: Front, seconds: float = SECONDS) -> None:
        super().__init__(front, seconds)
        assert self.socket.selected_alpn_protocol() == "h2"
        lax = h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False, validate_inbound_headers=False
        )
        self.connection = h2.connection.H2Connection(lax)
        self.connection.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Sends the bytes that the library has buffered."""
        with contextlib.suppress(OSError):
            self.socket.sendall(self.connection.data_to_send())

    def ask(
        self,
        headers: Iterable[tuple[str, str]],
        *parts: bytes,
        trailers: Sequence[tuple[str, str]] = (),
        end: bool = True,
    ) -> int:
        """Opens a stream with exactly these headers, and sends its body; returns the stream's number."""
        number = self.connection.get_next_available_stream_id()
        self.connection.send_headers(number, list(headers), end_stream=end and not parts and not trailers)
        for place, part in enumerate(parts):
            last = place == len(parts) - 1
            self.connection.send_data(number, part, end_stream=end and last and not trailers)
        if trailers:
            self.connection.send_headers(number, list(trailers), end_stream=True)
        self.flush()
        return number

    def answer(self, number: int, seconds: float = SECONDS) -> Answer:
        """Returns the response on a stream, complete or after `seconds` of silence."""
        answer = Answer()
        self.socket.settimeout(seconds)
        while not answer.ended:
            try:
                data = self.socket.recv(65536)
                events = self.connection.receive_data(data) if data else []
            except TimeoutError:
                return answer
            except (OSError, h2.exceptions.ProtocolError):
                data, events = b"", []
            if not data:
                answer.ended = "closed"
            for event in events:
                self._note(event, number, answer)
            self.flush()
        return answer

    def _note(self, event: h2.events.Event, number: int, answer: Answer) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            answer.ended = answer.ended or f"GOAWAY {int(event.error_code or 0)}"
        if getattr(event, "stream_id", None) != number:
            return
        if isinstance(event, h2.events.ResponseReceived):
            headers = {_text(name): _text(value) for name, value in event.headers or ()}
            answer.status, answer.headers = int(headers.pop(":status")), headers
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data or b""
            self.connection.acknowledge_received_data(event.flow_controlled_length or 0, number)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = "whole"
        elif isinstance(event, h2.events.StreamReset):
            answer.ended = f"RST_STREAM {int(event.error_code or 0)}"


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
