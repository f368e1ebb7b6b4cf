"""A request that is answered through ASGI: uvicorn's, on a connection of ours."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ssechat.http.fast_path import USER

if TYPE_CHECKING:
    from ssechat.server.protocol import ChatProtocol

logger = logging.getLogger("uvicorn.error")


class ASGIRequest(RequestResponseCycle):
    """A request and its response."""

    def __init__(self, connection: "ChatProtocol", scope: Any, *, expects_continue: bool, keep_alive: bool) -> None:
        super().__init__(
            scope=scope,
            transport=connection,  # type: ignore[arg-type]  # of which it uses what a connection has
            flow=connection.flow,
            logger=logger,
            access_logger=logger,
            access_log=False,
            default_headers=connection.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects_continue,
            keep_alive=keep_alive,
            on_response=connection.on_response_complete,
        )
        self._connection = connection

    @property
    def user(self) -> str | None:
        """Who sent it, once that is known."""
        user: str | None = cast(Any, self.scope).get(USER)
        return user

    async def send(self, message: Any) -> None:
        """What the app sends."""
        # A client that is answered before its body is whole would have to be listened to for as long as it likes.
        if not (self.response_started or self.disconnected) and (
            self.more_body or not self._connection.belongs_to(self.user)
        ):
            self.keep_alive = False
        await super().send(message)
