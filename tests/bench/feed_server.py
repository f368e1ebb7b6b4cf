"""ssechat with a feed, and how one event is published to all readers of it, and of its peers."""

import http.client
import json
from contextlib import closing
from typing import Any, Self

from .dialects import Dialect
from .errors import BenchError
from .nchan import Nchan
from .pushpin import Pushpin, publication
from .server import Ssechat, Subject

FEED = "/v1/feeds/bench"
TOKEN = "the-admin-token-of-the-benchmark"
ANSWER_SECONDS = 60.0


class FeedServer(Ssechat):
    """ssechat whose admin has made a public feed."""

    def __init__(self, workers: int, *, keyed: bool) -> None:
        super().__init__(workers)
        self._keyed = keyed
        self._token_file = self.folder / "admin.token"
        self._flags += ("--admin-token-file", str(self._token_file))

    def start(self) -> None:
        self._token_file.touch(mode=0o600)
        self._token_file.write_text(TOKEN)
        super().start()
        self.ask("PUT", FEED, {"read": "public", "keyed": self._keyed})

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Asks as the admin; returns the answer's JSON.

        Raises:
            BenchError: it is refused.
        """
        with closing(http.client.HTTPConnection(*self.address, timeout=ANSWER_SECONDS)) as connection:
            return json.loads(_answer(connection, method, path, json.dumps(body).encode(), TOKEN))

    @property
    def redis_socket(self) -> str:
        """Where its Redis listens."""
        return str(self.data / "redis" / "redis.sock")

    def dialect(self, group: int = 1) -> Dialect:
        # Strangers read it, so there is nothing to sign.
        return Dialect(f"{FEED}/events", group=group)


class Announcer:
    """Publishes events to all readers, one after another, over one connection."""

    def __init__(self, server: Subject) -> None:
        self._server = server
        address = server.publish_address if isinstance(server, Pushpin) else server.address
        self._connection = http.client.HTTPConnection(*address, timeout=ANSWER_SECONDS)

    def __enter__(self) -> Self:
        self._connection.connect()
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def publish(self, number: int) -> None:
        """Publishes an event with this number; returns when it is accepted.

        Raises:
            BenchError: it is refused.
        """
        content = {"client_msg_id": f"{number:020d}", "text": "x" * 80}
        plain = json.dumps(content, separators=(",", ":"))
        if isinstance(self._server, Pushpin):
            _answer(self._connection, "POST", "/publish/", publication(plain))
        elif isinstance(self._server, Nchan):
            _answer(self._connection, "POST", "/publish?id=0", plain.encode())
        else:
            _answer(self._connection, "POST", f"{FEED}/events", json.dumps({"data": content}).encode(), TOKEN)


def _answer(connection: http.client.HTTPConnection, method: str, path: str, body: bytes, token: str = "") -> bytes:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
    except TimeoutError:
        where = f"{method} {path} on port {connection.port}"
        raise BenchError(f"{where} is not answered within {ANSWER_SECONDS:g} s") from None
    if answer.status >= 300:
        raise BenchError(f"{method} {path} is answered {answer.status}: {said[:300].decode(errors='replace')}")
    return said
