"""Health checks: liveness and readiness."""

from collections.abc import Callable
from typing import Any

from ssechat.http.contract import server
from ssechat.http.exchange import Request, Response
from ssechat.http.responses import json_response
from ssechat.http.routing import Route
from ssechat.redis.client import Redis
from ssechat.redis.health import RedisHealth
from ssechat.streams.hub import Hub


class HealthEndpoint:
    """`/healthz/live` and `/healthz/ready`."""

    def __init__(
        self, redis: Redis, redis_health: RedisHealth, hub: Hub, has_keys: Callable[[], bool] | None = None
    ) -> None:
        """`has_keys` says whether the keys that verify tokens are known, where they have to be fetched."""
        self._has_keys = has_keys
        self._redis = redis
        self._redis_health = redis_health
        self._hub = hub

    def routes(self) -> list[Route]:
        return [
            Route.of(server.LIVE, self.live),
            Route.of(server.READY, self.ready),
        ]

    async def live(self, _: Request) -> Response:
        """`GET /healthz/live`: the process answers."""
        return json_response({"status": "live"})

    async def ready(self, _: Request) -> Response:
        """`GET /healthz/ready`: 503 while Redis is away, or refuses commands or channels that sends and streams
        need, or while the keys of the tokens' issuer are not known.

        `refused` lists Redis's error codes.
        """
        writes = await self._redis_health.check()
        checks = {
            "redis": self._redis.connected,
            "writes": writes,
            "subscriptions": self._hub.subscriptions.connected,
        }
        if self._has_keys is not None:
            checks["keys"] = self._has_keys()
        ready = all(checks.values())
        content: dict[str, Any] = {
            "status": "ready" if ready else "degraded",
            "checks": checks,
            "streams": len(self._hub),
        }
        refusal = self._redis.refusal
        log_in = () if refusal is None else (refusal.code,)
        refused = sorted({*self._redis_health.codes, *self._hub.subscriptions.refused, *log_in})
        if refused:
            content["refused"] = refused
        response = json_response(content, 200 if ready else 503)
        if not ready:
            response.headers += ((b"retry-after", b"1"),)
        return response
