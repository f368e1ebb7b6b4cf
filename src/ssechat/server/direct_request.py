"""A request that is answered without ASGI, as uvicorn's protocol sees it."""

from typing import Any

from ssechat.http.fast_path import Endpoint


class _NobodyWaits:
    """Stands where uvicorn has an event for whoever waits for a request's body."""

    def set(self) -> None:
        pass


class DirectRequest:
    """A request that is answered without ASGI: what uvicorn's protocol looks at in a cycle, and no more."""

    __slots__ = (
        "body",
        "disconnected",
        "endpoint",
        "keep_alive",
        "more_body",
        "packet",
        "response_complete",
        "scope",
    )
    message_event = _NobodyWaits()
    chunked_encoding = True
    response_started = False

    def __init__(self, endpoint: Endpoint, scope: Any, keep_alive: bool, whole_body: bytes | None = None) -> None:
        self.endpoint = endpoint
        self.scope = scope
        self.keep_alive = keep_alive
        self.body = b"" if whole_body is None else whole_body
        self.more_body = whole_body is None
        self.packet: bytes | None = None
        """All of the request, if it came in one piece and alone and its head may come again."""
        self.response_complete = False
        self.disconnected = False
