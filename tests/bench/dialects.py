"""The requests that clients send, ready as bytes."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ssechat.identity.tokens import Tokens
from ssechat.settings import load_settings

LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to talk to one kind of server. In a path, `{channel}` stands for a number."""

    stream_path: str
    group: int = 1
    """How many users in turn share a channel; with ssechat, how many streams in turn are one user's."""
    greeting: bytes = b"hello"
    """What a stream brings when it is open."""
    send_path: str = ""
    """Where messages are posted to. `{user}` and `{other}` stand for the numbers of the two."""
    data: Path | None = None
    """The data folder of an ssechat server: its key signs the users' tokens."""
    websocket: bool = False
    at_once: int = 128
    """Streams that one client process is opening at a time."""

    @property
    def ours(self) -> bool:
        """Whether ssechat is spoken: events have ids, answers say where the message went."""
        return self.data is not None


def user_name(number: int) -> str:
    """The user of a number; all names are of one length."""
    return f"bench-{number:06d}"


class Requests:
    """Makes the requests of one dialect."""

    def __init__(self, dialect: Dialect, address: tuple[str, int]) -> None:
        self._dialect = dialect
        self._host = f"Host: {address[0]}:{address[1]}\r\n"
        self._tokens = (
            Tokens.from_settings(load_settings({"data": dialect.data}, {})) if dialect.data is not None else None
        )

    def stream(self, user: int, cursor: bytes = b"") -> bytes:
        """Opens this user's stream, after `cursor` if there is one; the answer is to bring the greeting."""
        channel = user // self._dialect.group
        path = self._dialect.stream_path.format(channel=channel)
        lines = f"GET {path} HTTP/1.1\r\n{self._host}{self._credential(channel)}"
        if self._dialect.websocket:
            lines += (
                "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            )
        else:
            lines += "Accept: text/event-stream\r\n"
        if cursor:
            lines += f"Last-Event-ID: {cursor.decode()}\r\n"
        return f"{lines}\r\n".encode()

    def send_head(self, user: int, length: int) -> bytes:
        """Line and headers of a message that this user sends; `length` bytes of body are to follow."""
        path = self._dialect.send_path.format(channel=user // self._dialect.group, user=user, other=user ^ 1)
        return (
            f"POST {path} HTTP/1.1\r\n{self._host}{self._credential(user)}"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def _credential(self, user: int) -> str:
        if self._tokens is None:
            return ""
        return f"Authorization: Bearer {self._tokens.mint(user_name(user), LIFETIME)}\r\n"


def message_template(text_bytes: int) -> bytes:
    """A direct message's JSON, to be filled with the recipient's and the message's number, its client_msg_id."""
    return b'{"to":"bench-%06d","text":"' + b"x" * text_bytes + b'","client_msg_id":"%020d"}'
