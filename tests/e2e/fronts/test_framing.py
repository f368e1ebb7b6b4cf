"""Request framing: what each proxy passes on of ambiguous requests."""

import re
from collections.abc import Iterator

import pytest

from bench.fronting import NAME, Front
from e2e.fronts.raw import Answer, Http1, Http2
from e2e.fronts.recorder import Recorder, Request
from e2e.fronts.stack_front import EVERY, make_front
from serving import until

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: hidden\r\n\r\n"
"""A body that looks like a request."""

LENGTH = b"Content-Length: %d\r\n" % len(HIDDEN)
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
WEBSOCKET = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
UPGRADES = {
    "any": b"Connection: Upgrade\r\nUpgrade: anything\r\n",
    "small letters": b"connection: upgrade\r\nupgrade: h2c\r\n",
    "WebSocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + WEBSOCKET,
    "HTTP/2": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    "kept alive": b"Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/2.0\r\n",
    "not named": b"Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\n",
    "named only": b"Connection: Upgrade\r\n",
}
BETWEEN = (
    *("connection", "upgrade", "http2-settings", "te", "expect", "keep-alive", "proxy-connection"),
    *("forwarded", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip"),
)
"""What is not for the app."""

UNCLEAR = {
    "two codings": b"Transfer-Encoding: gzip, chunked\r\n",
    "no coding": b"Transfer-Encoding: identity\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n",
    "twice chunked": b"Transfer-Encoding: chunked, chunked\r\n",
    "not chunked at last": b"Transfer-Encoding: chunked, identity\r\n",
    "two lines of codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "a list's empty end": b"Transfer-Encoding: chunked,\r\n",
    "a parameter": b"Transfer-Encoding: chunked;q=1\r\n",
    "quoted": b'Transfer-Encoding: "chunked"\r\n',
    "a space before the colon": b"Transfer-Encoding : chunked\r\n" + LENGTH,
    "an underscore": b"Transfer_Encoding: chunked\r\n" + LENGTH,
    "folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "a lone CR before it": b"X: y\rTransfer-Encoding: chunked\r\n" + LENGTH,
    "a coding and a length": b"Transfer-Encoding: chunked\r\n" + LENGTH,
    "an unknown coding and a length": b"Transfer-Encoding: x\r\n" + LENGTH,
    "capital letters": b"TRANSFER-ENCODING: CHUNKED\r\n",
    "two lengths": b"Content-Length: 0\r\n" + LENGTH,
    "a list of lengths": b"Content-Length: %d, %d\r\n" % (len(HIDDEN), len(HIDDEN)),
    "a signed length": b"Content-Length: +%d\r\n" % len(HIDDEN),
    "a length in hexadecimal": b"Content-Length: 0x%x\r\n" % len(HIDDEN),
    "a length with an underscore": b"Content-Length: 3_8\r\n",
    "an Expect": b"Expect: 100-continue\r\n" + LENGTH,
    "another Expect": b"Expect: nothing\r\n" + LENGTH,
    "trailers": b"Trailer: X-T\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n",
}


@pytest.fixture(scope="module", params=EVERY)
def recorded(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Front, Recorder]]:
    """A front before an app that notes what it gets."""
    folder = tmp_path_factory.mktemp("framing") / request.param
    with Recorder() as recorder, make_front(request.param, folder, [recorder.address]) as front:
        yield front, recorder


def arrived(recorded: tuple[Front, Recorder], *packets: bytes) -> tuple[Answer, list[Request]]:
    """What is answered to these packets, and what of them comes to the app."""
    front, recorder = recorded
    before = len(recorder.asked)
    with Http1(front) as client:
        client.send(*packets)
        answer = client.answer()
        client.received(0.02)  # what comes late
    return answer, _until_sentinel(recorded, before)


def arrived_over_2(
    recorded: tuple[Front, Recorder], headers: list[tuple[str, str]], *parts: bytes
) -> tuple[Answer, list[Request]]:
    """The same over HTTP/2."""
    front, recorder = recorded
    before = len(recorder.asked)
    with Http2(front) as client:
        answer = client.answer(client.ask(headers, *parts))
    return answer, _until_sentinel(recorded, before)


def _until_sentinel(recorded: tuple[Front, Recorder], before: int) -> list[Request]:
    """Checks that others' requests go through whole, and gives what came before them."""
    front, recorder = recorded
    for _ in range(3):
        with Http1(front) as other:
            other.send(b"GET /sentinel HTTP/1.1\r\nHost: %b:%d\r\n\r\n" % (NAME.encode(), front.port))
            assert other.answer("GET").status == 200
    until(lambda: recorder.at_rest)  # one that a front has given up may be noted late
    lines = [request.line for request in recorder.asked[before:]]
    assert lines.count("GET /sentinel HTTP/1.1") == 3, lines
    return [request for request in recorder.asked[before:] if request.target != "/sentinel"]


def line(front: Front, method: str = "POST", target: str = "/v1/messages") -> bytes:
    """A request's line, and its Host."""
    return f"{method} {target} HTTP/1.1\r\nHost: {NAME}:{front.port}\r\n".encode("latin-1")


def check_clear(request: Request) -> None:
    """The head can be read in one way."""
    assert re.fullmatch(r"[A-Z]+ /[!-\"$-~]* HTTP/1\.1", request.line)
    assert len(request.values("host")) == 1
    lengths, codings = request.values("content-length"), request.values("transfer-encoding")
    assert (len(lengths), [each.lower() for each in codings]) in ((0, []), (1, []), (0, ["chunked"]))
    assert [name for name, _ in request.headers if name in BETWEEN] == []


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("packets", [1, 2], ids=["one packet", "two packets"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_upgrade_is_not_passed_on_and_the_body_stays_the_body(
    recorded: tuple[Front, Recorder], upgrade: bytes, packets: int, chunked: bool
) -> None:
    framing = b"Transfer-Encoding: chunked\r\n" if chunked else LENGTH
    head, body = line(recorded[0]) + framing + upgrade + b"\r\n", CHUNKED if chunked else HIDDEN
    answer, [request] = arrived(recorded, *([head + body] if packets == 1 else [head, body]))
    assert answer.status == 200
    check_clear(request)
    assert request.body == HIDDEN


@pytest.mark.parametrize("unclear", UNCLEAR.values(), ids=UNCLEAR)
def test_a_request_whose_end_is_unclear_is_refused_or_made_clear(
    recorded: tuple[Front, Recorder], unclear: bytes
) -> None:
    head = line(recorded[0]) + unclear + b"\r\n"
    body = HIDDEN if LENGTH in unclear or b"ontent" in unclear else CHUNKED
    answer, requests = arrived(recorded, head, body)
    # 502 where a front has believed the coding and found no chunk.
    assert answer.status in (200, 400, 417, 422, 501, 502), answer
    if answer.status not in (200, 502):
        assert requests == []
    for request in requests:
        check_clear(request)
    assert [request.target for request in requests] in ([], ["/v1/messages"])


def test_who_expects_a_100_gets_it_from_the_front(recorded: tuple[Front, Recorder]) -> None:
    front, _ = recorded
    with Http1(front) as client:
        client.send(line(front) + LENGTH + b"Expect: 100-continue\r\n\r\n")
        client.socket.settimeout(5)
        assert client.socket.recv(4096).startswith(b"HTTP/1.1 100 ")
        client.send(HIDDEN)
        assert client.answer().status == 200


@pytest.mark.parametrize("target", [f"{NAME}:80", "/v1/messages"])
@pytest.mark.parametrize("framing", [b"", LENGTH, b"Transfer-Encoding: chunked\r\n"], ids=["none", "length", "chunked"])
def test_a_connect_does_not_reach_the_app(recorded: tuple[Front, Recorder], target: str, framing: bytes) -> None:
    front, _ = recorded
    head = line(front, "CONNECT", target) + framing + b"\r\n"
    answer, requests = arrived(recorded, head, CHUNKED if b"chunked" in framing else HIDDEN)
    assert 400 <= answer.status < 600, answer
    # A front may take what stands behind for this client's next request, and send it with what it sends of any.
    for request in requests:
        assert request.line.startswith("GET /hidden ")
        assert request.values("x-forwarded-for") == ["127.0.0.1"]


@pytest.mark.parametrize("extended", [False, True])
def test_a_connect_over_http_2_opens_no_tunnel(recorded: tuple[Front, Recorder], extended: bool) -> None:
    front, _ = recorded
    headers = [(":method", "CONNECT"), (":authority", f"{NAME}:{front.port}")]
    if extended:  # RFC 8441
        headers += [(":protocol", "websocket"), (":scheme", "https"), (":path", "/v1/events")]
    answer, requests = arrived_over_2(recorded, headers, HIDDEN)
    assert requests == []
    assert answer.status in (0, 400, 405, 501), answer


ODD = {
    "an upgrade": [("connection", "upgrade"), ("upgrade", "h2c")],
    "an upgrade alone": [("upgrade", "websocket")],
    "settings": [("http2-settings", "AAAA")],
    "a coding": [("transfer-encoding", "chunked")],
    "TE": [("te", "trailers")],
    "a short length": [("content-length", "3")],
    "a long length": [("content-length", "99")],
    "two lengths": [("content-length", "3"), ("content-length", str(len(HIDDEN)))],
    "another host": [("host", "evil.example")],
    "a second path": [(":path", "/metrics")],
    "an unknown pseudo header": [(":foo", "bar")],
    "a line's end in a value": [("x", "y\r\nTransfer-Encoding: chunked")],
    "a line feed in a value": [("x", "y\nTransfer-Encoding: chunked")],
    "a NUL in a value": [("x", "y\0z")],
    "a line's end in a name": [("x: y\r\ntransfer-encoding", "chunked")],
    "a colon in a name": [("x:y", "z")],
    "a protocol": [(":protocol", "websocket")],
    "who it says it is": [("x-forwarded-port", "1"), ("x-real-ip", "203.0.113.66"), ("forwarded", "for=203.0.113.66")],
    "an Expect": [("expect", "100-continue")],
}
PSEUDO = {
    "a method with a line": {":method": "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\nGET"},
    "a method with a path": {":method": "GET /hidden"},
    "a path with a line": {":path": "/v1/server HTTP/1.1\r\nX: y\r\n\r\nGET /hidden"},
    "a path with a space": {":path": "/v1/server HTTP/1.1"},
    "a path with a host": {":path": f"https://{NAME}/v1/server"},
    "no path": {":path": ""},
    "a path without a slash": {":path": "v1/server"},
    "a fragment": {":path": "/v1/server#x"},
    "a scheme with a path": {":scheme": f"https://{NAME}/hidden?"},
    "an authority with a path": {":authority": f"{NAME}/hidden"},
}


@pytest.mark.parametrize("odd", [*ODD.values(), *PSEUDO.values()], ids=[*ODD, *PSEUDO])
def test_an_odd_request_over_http_2_is_refused_or_made_clear(
    recorded: tuple[Front, Recorder], odd: list[tuple[str, str]] | dict[str, str]
) -> None:
    authority = f"{NAME}:{recorded[0].port}"
    pseudo = {":method": "POST", ":scheme": "https", ":authority": authority, ":path": "/v1/messages"}
    if isinstance(odd, dict):
        pseudo |= odd
    more = odd if isinstance(odd, list) else []
    first = [header for header in more if header[0].startswith(":")]
    rest = [header for header in more if not header[0].startswith(":")]
    _, requests = arrived_over_2(recorded, [*pseudo.items(), *first, *rest], HIDDEN)
    for request in requests:
        # One that a front gives up in the middle has its head only.
        check_clear(request)
        assert request.target in ("/v1/messages", "/v1/server", "/v1/server%20HTTP/1.1", "/v1/server%23x")
        assert request.values("x") == []
