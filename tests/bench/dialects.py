"""The requests of the clients, as bytes."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ssechat.identity.tokens import Tokens
from ssechat.settings import load_settings

LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The protocol of one kind of server. In a path, `{channel}` is replaced by a number."""

    stream_path: str
    group: int = 1
    """Number of consecutive users who share a channel; with ssechat, of consecutive streams of one user."""
    greeting: bytes = b"hello"
    """The first bytes of an open stream."""
    send_path: str = ""
    """The path for messages. `{user}` and `{other}` are replaced by the numbers of the two users."""
    data: Path | None = None
    """The data folder of an ssechat server: its key signs the users' tokens."""
    websocket: bool = False
    at_once: int = 128
    """Streams that one client process is opening at a time."""

    @property
    def ours(self) -> bool:
        """Whether the server is ssechat: events have ids, and responses have the message's seq."""
        return self.data is not None


def user_name(number: int) -> str:
    """The name of a user by number; all names have one length."""
    return f"bench-{number:06d}"


class Requests:
    """Builds the requests of one dialect."""

    def __init__(self, dialect: Dialect, address: tuple[str, int]) -> None:
        self._dialect = dialect
        self._host = f"Host: {address[0]}:{address[1]}\r\n"
        self._tokens = (
            Tokens.from_settings(load_settings({"data": dialect.data}, {})) if dialect.data is not None else None
        )

    def stream(self, user: int, cursor: bytes = b"") -> bytes:
        """The request for a user's stream, after `cursor` if there is one."""
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
        """The request line and headers of a user's message with a body of `length` bytes."""
        path = self._dialect.send_path.format(channel=user // self._dialect.group, user=user, other=user ^ 1)
        return (
            f"POST {path} HTTP/1.1\r\n{self._host}{self._credential(user)}"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def request(self, method: str, path: str, user: int, body: bytes = b"") -> bytes:
        """A request of a user, with a body of JSON if there is one."""
        content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._host}{self._credential(user)}{content}\r\n"
        return head.encode() + body

    def _credential(self, user: int) -> str:
        if self._tokens is None:
            return ""
        return f"Authorization: Bearer {self._tokens.mint(user_name(user), LIFETIME)}\r\n"


def message_template(text_bytes: int) -> bytes:
    """The template of a direct message's JSON, for the recipient's number and the message's (its client_msg_id)."""
    return b'{"to":"bench-%06d","text":"' + b"x" * text_bytes + b'","client_msg_id":"%020d"}'


def conversation_template(text_bytes: int) -> bytes:
    """The template of the JSON of a message in a conversation, for its id and the message's number."""
    return b'{"conversation_id":"%b","text":"' + b"x" * text_bytes + b'","client_msg_id":"%020d"}'
