"""The response with an event stream."""

from ssechat.events.source import Source
from ssechat.http.exchange import Response, StreamHandover
from ssechat.identity.tokens import Identity
from ssechat.streams.hub import Hub
from ssechat.streams.stream import Stream

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),  # without the charset some clients decode Latin-1
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
)


def stream_response(
    hub: Hub,
    identity: Identity,
    source: Source,
    cursor: str | None,
    buffer: int,
    *,
    refusal: str | None,
    sign_outs: int,
    since: str | None = None,
    of_feed: tuple[str, int] | None = None,
) -> Response:
    """Returns a response with a source's events after a cursor, or, with a `refusal`, with a `bye` event that names it.

    A refusal has no error status: EventSource does not reconnect after one (WHATWG HTML §9.2.3). `buffer` is the upper
    bound of buffered bytes. `sign_outs` is the value of `Auth.sign_outs` from before the identity was checked. `since`
    is that of `Stream.begin`. Of a feed `of_feed` has the group that reads it, and `FeedReaders.changes` from before
    its reader's right was checked.
    """

    def start(hand_over: StreamHandover) -> None:
        """Starts the stream on a connection after the response headers are sent."""
        stream = Stream(hub, identity, source)
        sink = hand_over(stream, buffer)
        if sink is None:
            return
        stream.opened(sink, cursor)
        if refusal is None:
            hub.attach(stream, cursor, sign_outs, since)
            if of_feed is not None:
                group, changes = of_feed
                hub.feeds.opened(stream, group, changes)
        else:
            hub.metrics.connects += 1
            stream.bye(refusal)

    return Response(200, b"", HEADERS, start)
