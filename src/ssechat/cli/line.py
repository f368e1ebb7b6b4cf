"""Publishing in quick succession: over connections that are kept open, by the standard library's own client.

A request costs a tenth of the CPU that it costs `ssechat.client`, which stands on httpx: a thousand a second are a
third of a core, and not three cores. What goes wrong is for the client to do again.
"""

import http.client
import json
from collections.abc import Callable
from typing import NamedTuple

from ssechat.cli.made_up import MADE_UP, Change
from ssechat.client.address import is_proxied, server_address
from ssechat.client.transport import authorization, path
from ssechat.outward import certificates

ANSWER_SECONDS = 5.0


class Line(NamedTuple):
    """A way to a server."""

    server: str
    credential: Callable[[], str] | None
    """What gives a bearer token."""

    def to(self, feed: str) -> "Connection":
        """A connection for what is published in a feed."""
        return Connection(self.server, path("v1", "feeds", feed) + "/events", self.credential)


class Connection:
    """One connection, for one thread."""

    def __init__(self, server: str, target: str, credential: Callable[[], str] | None) -> None:
        self._address = server_address(server)
        self._target = self._address.path.rstrip("/") + target
        self._credential = credential
        self._http: http.client.HTTPConnection | None = None
        self._headers: dict[str, str] = {}

    def publish(self, change: Change) -> bool:
        """Publishes a change; False if it may not have been published, whatever the reason is."""
        if is_proxied(self._address) or self._credential is None:
            return False
        body = json.dumps({"data": change.data, "event": MADE_UP, "key": change.key})
        try:
            if self._http is None:
                self._http = self._connect()
                self._headers = {"Content-Type": "application/json", **authorization(self._credential())}
            self._http.request("POST", self._target, body, self._headers)
            response = self._http.getresponse()
            response.read()
            if response.status == 201:
                return True
        except (OSError, http.client.HTTPException):
            pass
        self.close()
        return False

    def close(self) -> None:
        """Closes it; the next change opens another one."""
        if self._http is not None:
            self._http.close()
        self._http = None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._address.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=ANSWER_SECONDS, context=certificates())
        return http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
