"""Malformed, odd and oversized request headers, and request framing."""

from dataclasses import replace

from . import words
from .attack import Attack, Maker, Pause, Request, in_one

REFUSED = frozenset((0, 400))
"""Statuses for a malformed request; 0: closed without a response."""

NOT_DONE = frozenset((0, 400, 501))
"""Statuses for an unsupported coding."""

NO_SUCH = frozenset((0, 400, 404))

TOO_LONG = frozenset((431,))

VERSION = frozenset((0, 200, 400, 404, 505))

FINE = None


def methods(make: Maker) -> Attack:
    """Unknown methods."""
    request = Request(make.id(), make.pick(words.METHODS), make.pick((*words.PATHS, b"*", b"x:1")))
    return in_one("head.method", request, make.last())


def targets(make: Maker) -> Attack:
    """Forms of a request's target."""
    request = Request(make.id(), make.dice.choice((b"GET", b"POST", b"OPTIONS")), make.pick(words.TARGETS))
    return in_one("head.target", request, make.last())


def controls(make: Maker) -> Attack:
    """Control characters in a path, percent-encoded: a proxy that matches paths may read another path than the
    server."""
    path, control = make.pick(words.PATHS[1:]), make.pick(words.CONTROLS)
    at = make.dice.choice((len(path), len(path), 1, make.dice.randrange(1, len(path))))
    target = path[:at] + control + path[at:]
    return in_one("head.control", make.get(target, make.bearer()), make.last(), allowed=NO_SUCH)


def raw(make: Maker) -> Attack:
    """Invalid bytes somewhere in valid request headers."""
    request = make.dice.choice((make.get(), make.send()))
    line = bytearray(bytes(replace(request, id="")))
    at = make.dice.randrange(line.index(b"\r\n\r\n"))
    line[at:at] = make.pick(words.RAW)
    return Attack("head.raw", (bytes(line), bytes(last := make.last())), (last.id,))


def versions(make: Maker) -> Attack:
    """Versions of HTTP that do not exist or are not supported."""
    request = replace(make.get(make.pick(words.PATHS)), version=make.pick(words.VERSIONS))
    return in_one("head.version", request, make.last(), allowed=VERSION | {401, 405, 422})


def prefaces(make: Maker) -> Attack:
    """Other protocols."""
    last = make.last()
    return Attack("head.preface", (make.pick(words.PREFACES), bytes(last)), (last.id,), allowed=VERSION)


def hosts(make: Maker) -> Attack:
    """`Host` missing, repeated or invalid: a missing or repeated one is 400 (RFC 9112 §3.2)."""
    kind = make.dice.randrange(4)
    request = make.dice.choice((make.get(), make.send()))
    if kind == 0:
        return in_one("head.host", replace(request, host=None), make.last(), allowed=REFUSED)
    if kind == 1:
        twice = (*request.lines, make.dice.choice((b"Host: other.example", b"host: fuzz.example", b"HOST:")))
        return in_one("head.host", replace(request, lines=twice), make.last(), allowed=REFUSED)
    if kind == 2:
        return in_one("head.host", replace(request, host=make.pick(words.HOSTS)), make.last())
    return in_one("head.host", replace(request, host=None, version=b"HTTP/1.0"))


def lengths(make: Maker) -> Attack:
    """Invalid or contradictory lengths; hidden bytes must not be read as a request."""
    hidden = make.smuggled()
    size = len(hidden)
    right = b"Content-Length: %d" % size
    good = make.post(b"/v1/messages", hidden, make.bearer())
    others = tuple(line for line in good.lines if not line.startswith(b"Content-Length"))
    kind = make.dice.randrange(6)
    if kind == 0:
        pattern = make.pick(words.LENGTHS)
        count = pattern.count(b"%d") + pattern.count(b"%x")
        lines = (*others, b"Content-Length: " + pattern % ((size,) * count))
        return in_one("head.length", replace(good, lines=lines), make.last(), allowed=REFUSED)
    if kind == 1:
        other = make.dice.choice((b"Content-Length: 0", b"content-length: %d" % (size + 1), b"Content-Length: 5"))
        two = (right, other) if make.dice.random() < 0.5 else (other, right)
        return in_one("head.length", replace(good, lines=(*others, *two)), make.last(), allowed=REFUSED)
    if kind == 2:
        lines = make.dice.choice(((*others, right, right), (*others, b"Content-Length: %d, %d" % (size, size))))
        return in_one("head.length", replace(good, lines=lines), make.last(), allowed=REFUSED | {422})
    if kind == 3:
        spelled = make.dice.choice(
            (b"Content-Length: %010d", b"Content-Length:%d", b"Content-Length: %d ", b"CONTENT-length:\t%d")
        )
        return in_one(
            "head.length", replace(good, lines=(*others, spelled % size)), make.last(), allowed=REFUSED | {422}
        )
    if kind == 4:
        broken = make.dice.choice(
            (b"Content-Length : %d", b"Content-Length\t: %d", b"Content-Length\x00: %d", b"Content-Length\r: %d")
        )
        return in_one("head.length", replace(good, lines=(*others, broken % size)), make.last(), allowed=REFUSED)
    huge = make.dice.choice((2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 65537, 10**15))
    first = replace(good, lines=(*others, b"Content-Length: %d" % huge))
    return in_one("head.length", first, allowed=REFUSED | {413})


def codings(make: Maker) -> Attack:
    """`Transfer-Encoding` in all spellings, alone, repeated and with a length: a body must never be read as a
    request."""
    hidden = b"0\r\n\r\n" + make.smuggled()
    head = Request(make.id(), b"POST", b"/v1/messages", lines=(b"Content-Type: application/json", make.bearer()))
    length = b"Content-Length: %d" % len(hidden)
    kind = make.dice.randrange(4)
    if kind == 0:
        lines: tuple[bytes, ...] = (b"Transfer-Encoding: " + make.pick(words.CODINGS),)
    elif kind == 1:
        lines = (b"Transfer-Encoding: " + make.pick((b"chunked", *words.CODINGS)), length)
    elif kind == 2:
        lines = (b"Transfer-Encoding: chunked", b"Transfer-Encoding: " + make.pick((b"chunked", *words.CODINGS)))
    else:
        lines = (make.pick(words.CODED), length)
    shuffled = (*lines, *head.lines) if make.dice.random() < 0.5 else (*head.lines, *lines)
    request = replace(head, lines=shuffled, body=hidden)
    # Without a coding the length counts, and with it a body that is not JSON.
    return in_one("head.coding", request, make.last(), allowed=NOT_DONE | ({401, 415, 422} if kind == 3 else set()))


def chunks(make: Maker) -> Attack:
    """Sizes of chunks, their extensions, and bytes between them."""
    size = make.pick(words.SIZES)
    first, newline = make.dice.choice(((b"", b"\r\n"), (b"2\r\n{}\r\n", b"\r\n"), (b"", b"\n"), (b"", b"\r")))
    body = first + size + newline + b"{}" + newline + b"0" + newline + newline + make.smuggled()
    lines = (b"Content-Type: application/json", make.bearer(), b"Transfer-Encoding: chunked")
    request = Request(make.id(), b"POST", b"/v1/tickets", lines=lines, body=body)
    allowed = {0, 201, 400, 413, 422, 429, 431}
    # The bytes after a complete body are a request, so the smuggled one may be processed here.
    hidden = body.partition(b"X-Request-ID: ")[2].partition(b"\r")[0].decode()
    last = make.last()
    return Attack(
        "head.chunk", (bytes(request), bytes(last)), (request.id, hidden, last.id), allowed=frozenset(allowed)
    )


def trailers(make: Maker) -> Attack:
    """Trailers after the last chunk; none of them counts as a header."""
    lines = (b"Content-Type: application/json", make.bearer(), b"Transfer-Encoding: chunked")
    several = b"".join(make.pick(words.TRAILERS) + b"\r\n" for _ in range(make.dice.randrange(1, 6)))
    body = b"2\r\n{}\r\n0\r\n" + several + b"\r\n"
    return in_one("head.trailer", Request(make.id(), b"POST", b"/v1/tickets", lines=lines, body=body), make.last())


def expects(make: Maker) -> Attack:
    """`Expect: 100-continue` from clients that do not wait, or never send the body."""
    request = make.send(b"Expect: " + make.pick(words.EXPECTS))
    kind = make.dice.randrange(3)
    if kind == 0:
        return in_one("head.expect", request, make.last())
    head, body = bytes(replace(request, body=b"")), request.body
    ids = (request.id, (last := make.last()).id)
    if kind == 1:
        return Attack("head.expect", (head, Pause(0.02), body, bytes(last)), ids)
    return Attack("head.expect", (head,), (request.id,))


def upgrades(make: Maker) -> Attack:
    """`Upgrade` offers: they are ignored, and the body is read (RFC 9110 §7.8)."""
    lines = make.dice.choice(words.UPGRADES)
    if make.dice.random() < 0.3:
        request = make.get(make.pick(words.PATHS), *lines, make.bearer())
    elif make.dice.random() < 0.3:
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden := make.smuggled()), hidden)
        every = (b"Content-Type: application/json", make.bearer(), b"Transfer-Encoding: chunked", *lines)
        request = Request(make.id(), b"POST", b"/v1/messages", lines=every, body=chunked)
    else:
        request = make.post(b"/v1/messages", make.smuggled(), make.bearer(), *lines)
    if make.dice.random() < 0.5 and request.body:
        # The body is in a separate packet: a parser that skips bodies would read it as the next request.
        head = bytes(replace(request, body=b""))
        last = make.last()
        return Attack("head.upgrade", (head, Pause(0.02), request.body, bytes(last)), (request.id, last.id))
    return in_one("head.upgrade", request, make.last())


def honest_upgrades(make: Maker) -> Attack:
    """A valid message from a client that offers another protocol, as curl and Java do: it must be sent."""
    request = make.send(*make.dice.choice(words.UPGRADES[:5]))
    return replace(in_one("head.upgrade-good", request), allowed=frozenset((200, 201, 429)), due=True)


def connections(make: Maker) -> Attack:
    """`Connection`, once or repeated, with all its options."""
    lines = tuple(b"Connection: " + make.pick(words.CONNECTIONS) for _ in range(make.dice.randrange(1, 3)))
    request = make.dice.choice((make.get(b"/v1/server", *lines), make.send(*lines)))
    return in_one("head.connection", request, make.last())


def lines(make: Maker) -> Attack:
    """Lines that are not headers."""
    several = tuple(make.pick(words.LINES) for _ in range(make.dice.randrange(1, 3)))
    request = make.dice.choice((make.get(b"/v1/server", *several), make.send(*several)))
    return in_one("head.line", request, make.last())


def newlines(make: Maker) -> Attack:
    """Other line ends."""
    newline = make.dice.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r", b"\x0b", b"\x85", b"\r\n "))
    request = replace(make.dice.choice((make.get(), make.send())), newline=newline)
    return in_one("head.newline", request, make.last())


def fields(make: Maker) -> Attack:
    """Odd values of headers that the server reads, once or repeated, in valid requests."""
    names = make.dice.choices(list(words.FIELDS), k=make.dice.choice((1, 1, 1, 2, 3)))
    several = []
    for name in names:
        several += [name + b": " + make.pick(words.FIELDS[name]) for _ in range(make.dice.choice((1, 1, 2)))]
    path = make.pick(words.PATHS) if b"Accept" not in names else b"/metrics"
    kind = make.dice.randrange(4)
    if kind == 0:
        request = make.get(path, *several)
    elif kind == 1:
        request = make.get(path, make.bearer(), *several)
    elif kind == 2:
        request = make.send(*several)
    else:
        request = make.post(b"/v1/tickets", b"{}", *several, make.bearer())
    if make.dice.random() < 0.3:
        request = replace(request, id="")
    return in_one("head.field", request, make.last())


def many(make: Maker) -> Attack:
    """Very many headers; more than 64 KiB are 431 (RFC 6585 §5)."""
    count = make.dice.choice((50, 500, 2000, 4000))
    line = make.dice.choice(
        (b"X: y", b"X:", b"X-%d: y" % count, b"Cookie: a=b", b"X-Forwarded-For: ::1", b"Last-Event-ID: 1-1")
    )
    request = make.get(b"/v1/session", *(line,) * count)
    return in_one("head.many", request, make.last(), allowed=TOO_LONG if count * (len(line) + 2) > 70_000 else None)


def long(make: Maker) -> Attack:
    """Request headers of 8 to 70 KiB: 431 above 64 KiB."""
    size = make.dice.choice((8_000, 16_384, 60_000, 66_000, 70_000))
    name = make.dice.choice((b"X", b"Cookie", b"Authorization", b"Last-Event-ID", b"Origin", b"X-Forwarded-For"))
    request = make.get(b"/v1/events", name + b": " + b"a" * size)
    return in_one("head.long", request, make.last(), allowed=TOO_LONG if size > 65536 else None)
