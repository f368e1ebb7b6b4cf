"""The endpoint of the metrics of all workers, for Prometheus."""

from prometheus_client import exposition

from ssechat.errors import TooMany
from ssechat.http.contract import server
from ssechat.http.exchange import Request, Response
from ssechat.http.responses import NO_STORE
from ssechat.http.routing import Route
from ssechat.telemetry.exposition import Exposition
from ssechat.telemetry.snapshots import Snapshots


class MetricsEndpoint:
    """`/metrics`."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def routes(self) -> list[Route]:
        return [Route.of(server.METRICS, self.show)]

    async def show(self, request: Request) -> Response:
        """`GET /metrics`: the metrics in the format that the scraper asks for."""
        try:
            counts, workers = await self._snapshots.read()
        except TimeoutError:
            text = "Another worker holds the lock of the metrics; scrape again."
            raise TooMany("metrics_locked", text, status=503, retry_after=1) from None
        try:
            encode, media_type = exposition.choose_encoder(request.header(b"accept") or "")
        except (TypeError, ValueError):  # the Accept header has a version that is not a number
            encode, media_type = exposition.choose_encoder("")
        headers = ((b"content-type", media_type.encode("latin-1")), NO_STORE)
        return Response(200, encode(Exposition(counts, workers)), headers)
