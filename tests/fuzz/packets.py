"""Packets: requests that are split anywhere, pipelined, slow, incomplete, or cut by a disconnect."""

from dataclasses import replace

from . import words
from .attack import Attack, Await, End, Maker, Pause, Request, Step, identity, in_one

MAX_PIPELINED = 50


def _good(make: Maker) -> Request:
    kind = make.dice.randrange(5)
    if kind == 0:
        return make.get(make.dice.choice((b"/v1/server", b"/healthz/live", b"/nowhere", b"/v1/session")))
    if kind == 1:
        return replace(make.get(), method=b"HEAD")
    if kind == 2:
        return make.get(b"/v1/conversations", make.bearer())
    if kind == 3:
        return make.post(b"/v1/tickets", b"{}", make.bearer())
    return make.send()


def cut(make: Maker, data: bytes, pieces: int) -> tuple[Step, ...]:
    """Splits bytes into `pieces` packets at random offsets."""
    places = sorted(make.dice.randrange(len(data) + 1) for _ in range(pieces - 1))
    parts = [data[start:end] for start, end in zip((0, *places), (*places, len(data)), strict=True)]
    steps: list[Step] = []
    for part in parts:
        steps += [part, Pause(make.dice.choice((0, 0, 0.001, 0.005)))] if part else []
    return tuple(steps)


def split(make: Maker) -> Attack:
    """Valid requests in packets that end anywhere."""
    requests = [_good(make) for _ in range(make.dice.randrange(1, 5))]
    whole = in_one("packet.split", *requests, due=True)
    return replace(whole, steps=cut(make, whole.sent(), make.dice.randrange(2, 12)))


def one_by_one(make: Maker) -> Attack:
    """Valid requests, each after the response to the one before: the ordinary case, and the header cache."""
    same = make.bearer()
    requests = [make.post(b"/v1/messages", _message(make), same) for _ in range(make.dice.randrange(2, 6))]
    if make.dice.random() < 0.5:  # headers that differ only in the length: then without ids
        requests = [replace(request, id="") for request in requests]
    steps: list[Step] = []
    for number, request in enumerate(requests, 1):
        steps += [bytes(request), Await(number)]
    return Attack("packet.one-by-one", tuple(steps), tuple(one.id for one in requests if one.id), due=True)


def wrong_lengths(make: Maker) -> Attack:
    """Cached headers with a length that does not match the body."""
    first = replace(make.post(b"/v1/messages", _message(make), bearer := make.bearer()), id="")
    hidden = make.smuggled()
    announced = len(hidden) + make.dice.choice((-1, 1, 5, -5, 30))
    second = replace(make.post(b"/v1/messages", b"x" * announced, bearer), id="", body=hidden + b"\r\n" * 20)
    last = make.last()
    return Attack("packet.wrong-length", (bytes(first), Await(1), bytes(second), bytes(last)), (last.id,))


def pipeline(make: Maker) -> Attack:
    """Valid requests in one packet."""
    requests = [_good(make) for _ in range(make.dice.randrange(2, MAX_PIPELINED))]
    return in_one("packet.pipeline", *requests, due=True)


def mixed_pipeline(make: Maker) -> Attack:
    """Valid requests, an invalid one, and valid ones again: those before it must get responses."""
    before = [_good(make) for _ in range(make.dice.randrange(1, 8))]
    bad = make.pick(
        (
            *words.PREFACES,
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"\x00",
            b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        )
    )
    after = [_good(make) for _ in range(make.dice.randrange(3))]
    whole = in_one("packet.mixed", *before, *after)
    return replace(whole, steps=(b"".join(map(bytes, before)), bad + b"".join(map(bytes, after))))


def garbage(make: Maker) -> Attack:
    """A message followed by bytes that are not a request: the message is stored and acknowledged."""
    request = make.send()
    noise = make.dice.choice(
        (b"\x00", b"\xff" * 20, b"}\r\n\r\n", b"GET", b"X" * 3000, b"\r\n\r\n\x16\x03\x01", bytes(range(256)))
    )
    steps: tuple[Step, ...] = (bytes(request) + noise,)
    if make.dice.random() < 0.3:
        steps = (bytes(request), noise)
    return Attack("packet.garbage", steps, (request.id,), allowed=frozenset((200, 201, 429)), due=True)


def behind_a_stream(make: Maker) -> Attack:
    """Requests behind one for a stream, which takes over the connection: they get no response."""
    before = [_good(make) for _ in range(make.dice.randrange(3))]
    stream = make.get(b"/v1/events", make.bearer())
    requests = [*before, stream, *(_good(make) for _ in range(make.dice.randrange(1, 6)))]
    whole = in_one("packet.behind-stream", *requests)
    if make.dice.random() < 0.5:
        first = b"".join(map(bytes, requests[: len(before) + 1]))
        return replace(whole, steps=(first, Pause(0.01), whole.sent()[len(first) :]))
    return whole


def half_close(make: Maker) -> Attack:
    """A client that half-closes after its requests: complete requests must get responses."""
    whole = in_one("packet.half-close", *(_good(make) for _ in range(make.dice.randrange(1, 4))), due=True)
    return replace(whole, steps=(*whole.steps, End.HALF_CLOSE))


def half_closed_middle(make: Maker) -> Attack:
    """A client that half-closes in the middle of a request."""
    whole = in_one("packet.half-sent", *(_good(make) for _ in range(make.dice.randrange(1, 4))))
    data = whole.sent()
    return replace(whole, steps=(data[: make.dice.randrange(1, len(data))], End.HALF_CLOSE))


def reset(make: Maker) -> Attack:
    """A client that disconnects in the middle."""
    whole = in_one("packet.reset", *(_good(make) for _ in range(make.dice.randrange(1, 4))))
    data = whole.sent()
    wait = Pause(make.dice.choice((0, 0.001, 0.01)))
    end = make.dice.choice((End.RESET, End.RESET, End.CLOSE))
    return replace(whole, steps=(data[: make.dice.randrange(1, len(data) + 1)], wait, end))


def drip(make: Maker) -> Attack:
    """Valid requests, sent slowly."""
    whole = in_one("packet.drip", _good(make), due=True)
    data = whole.sent()
    steps: list[Step] = []
    for at in range(0, len(data), 40):
        steps += [data[at : at + 40], Pause(0.02)]
    return replace(whole, steps=tuple(steps))


def held(make: Maker) -> Attack:
    """Endless requests, with and without a credential: the server must close the connection by a timeout."""
    steps: tuple[Step, ...] = make.dice.choice(
        (
            (),
            (b"GET / HTT",),
            (b"GET / HTTP/1.1\r\nHost: x\r\n",),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", *(Pause(2), b"X: y\r\n") * 40),
            (bytes(make.post(b"/v1/session", b"{")).replace(b"Length: 1", b"Length: 90"),),
            (bytes(make.post(b"/v1/users", b"{")).replace(b"Length: 1", b"Length: 90"), *(Pause(2), b" ") * 40),
            (bytes(make.send()).rpartition(b"}")[0],),
            (b"POST /v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1",),
            (bytes(make.get()), Await(1), b"GET / HT"),
        )
    )
    return Attack("packet.held", steps, held=True, ids=tuple(identity(make.number, number) for number in range(1, 20)))


def _message(make: Maker) -> bytes:
    return f'{{"to":"{make.user()}","text":"{"x" * make.dice.randrange(1, 300)}"}}'.encode()


def mutated(make: Maker, attack: Attack) -> Attack:
    """Another attack with some bytes changed, removed, doubled or swapped; its ids are kept."""
    steps = [bytearray(step) if isinstance(step, bytes) else step for step in attack.steps]
    ids = [one.encode() for one in attack.ids]
    for data in steps:
        if not isinstance(data, bytearray) or not data:
            continue
        for _ in range(make.dice.randrange(1, 5)):
            at = make.dice.randrange(max(1, len(data)))
            length = make.dice.choice((1, 1, 2, 8))
            changed = bytearray(data)
            kind = make.dice.randrange(5)
            if kind == 0:
                changed[at : at + length] = make.pick(words.RAW)
            elif kind == 1:
                del changed[at : at + length]
            elif kind == 2:
                changed[at:at] = changed[at : at + length]
            elif kind == 3:
                changed[at : at + 1] = bytes((make.dice.randrange(256),))
            else:
                changed[at:at] = make.pick((*words.NONSENSE, *words.CODED, b"\r\n", b": ", b","))
            if all(changed.count(one) == data.count(one) for one in ids):
                data[:] = changed
    changed_steps = tuple(bytes(step) if isinstance(step, bytearray) else step for step in steps)
    return replace(
        attack, name="mutated." + attack.name.partition(".")[0], steps=changed_steps, allowed=None, due=False
    )
