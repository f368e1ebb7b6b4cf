"""The endpoint of the server's limits."""

from collections.abc import Mapping
from typing import Any

from ssechat.http.contract import server
from ssechat.http.exchange import Request, Response
from ssechat.http.responses import json_response
from ssechat.http.routing import Route


class LimitsEndpoint:
    """`/v1/limits`. No credential is needed: some limits concern clients that are not signed in."""

    def __init__(self, limits: Mapping[str, Any]) -> None:
        self._limits = limits

    def routes(self) -> list[Route]:
        return [Route.of(server.LIMITS, self.show)]

    async def show(self, _: Request) -> Response:
        """`GET`: the limits as numbers."""
        return json_response(self._limits)
