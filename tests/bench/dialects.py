"""The requests that clients send, ready as bytes."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ssechat.settings import load_settings
from ssechat.tokens import Tokens

LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to open a stream on one kind of server."""

    path: str
    data: Path | None = None
    """The data folder of an ssechat server: its key signs the users' tokens."""
    websocket: bool = False


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

    def stream(self, user: int) -> bytes:
        """Opens this user's stream; the answer is to bring the word `hello`."""
        lines = f"GET {self._dialect.path} HTTP/1.1\r\n{self._host}{self._credential(user)}"
        if self._dialect.websocket:
            lines += (
                "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            )
        else:
            lines += "Accept: text/event-stream\r\n"
        return f"{lines}\r\n".encode()

    def send_head(self, user: int, length: int) -> bytes:
        """Line and headers of a message that this user sends; `length` bytes of body are to follow."""
        return (
            f"POST /v1/messages HTTP/1.1\r\n{self._host}{self._credential(user)}"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def _credential(self, user: int) -> str:
        if self._tokens is None:
            return ""
        return f"Authorization: Bearer {self._tokens.mint(user_name(user), LIFETIME)}\r\n"


def message_body(recipient: int, number: int, text_bytes: int) -> bytes:
    """A direct message's JSON; its client_msg_id is the number. Its length depends on `text_bytes` only."""
    return b'{"to":"%b","text":"%b","client_msg_id":"%010d"}' % (
        user_name(recipient).encode(),
        b"x" * text_bytes,
        number,
    )
