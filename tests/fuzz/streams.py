"""Requests for streams: odd cursors, half-closes, HTTP/1.0, pipelined requests behind them."""

from collections.abc import Callable
from dataclasses import replace

from .attack import Attack, End, Maker, Pause, Step, in_one
from .words import FIELDS


def _cursor(make: Maker) -> tuple[bytes, bytes]:
    """A query and a line that name a cursor."""
    value = make.pick(FIELDS[b"Last-Event-ID"])
    kind = make.dice.randrange(4)
    if kind == 0:
        return b"", b"Last-Event-ID: " + value
    quoted = b"".join(b"%%%02x" % byte for byte in value)
    name = make.pick((b"last_event_id", b"lastEventId"))
    return b"?" + name + b"=" + quoted, b"X: y" if kind < 3 else b"Last-Event-ID: " + make.pick(
        FIELDS[b"Last-Event-ID"]
    )


def cursors(make: Maker) -> Attack:
    """Invalid cursors, or cursors of another history: the stream must open."""
    query, line = _cursor(make)
    request = make.get(b"/v1/events" + query, make.bearer(), line)
    odd = frozenset((0, 200, 400, 422, 429, 431))
    return replace(in_one("stream.cursor", request, allowed=odd), due=b"\x00" not in line)


def old(make: Maker) -> Attack:
    """A reader of HTTP/1.0."""
    query, line = _cursor(make)
    lines = (make.bearer(), line, *make.dice.choice(((), (b"Connection: keep-alive",), (b"Connection: close",))))
    return in_one("stream.http10", replace(make.get(b"/v1/events" + query, *lines), version=b"HTTP/1.0"))


def heads(make: Maker) -> Attack:
    """HEAD, and other methods than GET."""
    request = make.get(b"/v1/events", *make.dice.choice(((), (make.bearer(),))))
    method = make.dice.choice((b"HEAD", b"HEAD", b"POST", b"OPTIONS", b"DELETE"))
    if make.dice.random() < 0.3:
        request = replace(request, target=b"/v1/events?ticket=x")
    return in_one("stream.head", replace(request, method=method), make.last())


def half_closed(make: Maker) -> Attack:
    """A reader that half-closes: the stream must open."""
    whole = in_one("stream.half-closed", make.get(b"/v1/events", make.bearer()), due=True)
    return replace(whole, steps=(*whole.steps, End.HALF_CLOSE))


def gone(make: Maker) -> Attack:
    """Readers that disconnect before or at the beginning of the stream."""
    whole = in_one("stream.gone", make.get(b"/v1/events", make.bearer(), _cursor(make)[1]))
    steps: tuple[Step, ...] = (
        *whole.steps,
        Pause(make.dice.choice((0, 0.001, 0.004, 0.02))),
        make.dice.choice((End.RESET, End.CLOSE)),
    )
    return replace(whole, steps=steps)


def with_bodies(make: Maker) -> Attack:
    """A GET with a body, complete or not: the stream begins after its end."""
    hidden = make.smuggled()
    length = make.dice.choice((len(hidden), len(hidden) + 10, 5, 0))
    lines = make.dice.choice(((b"Content-Length: %d" % length,), (b"Transfer-Encoding: chunked",)))
    body = hidden if lines[0].startswith(b"C") else b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden)
    request = replace(make.get(b"/v1/events", make.bearer(), *lines), body=body)
    return in_one("stream.body", request, make.last())


def twice(make: Maker) -> Attack:
    """Two requests for streams on one connection: the first one takes it over."""
    return in_one("stream.twice", make.get(b"/v1/events", make.bearer()), make.get(b"/v1/events", make.bearer()))


ALL: tuple[tuple[int, Callable[[Maker], Attack]], ...] = (
    (5, cursors), (2, old), (2, heads), (1, half_closed), (4, gone), (2, with_bodies), (1, twice),
)  # fmt: skip
