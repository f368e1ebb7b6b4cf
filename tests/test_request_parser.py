"""The request parser: framing in any pieces, and refused requests."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssechat.server.request_parser import HEADERS_LIMIT, MAX_HEADERS, RequestHeaders, RequestParser, RequestRefused

Request = tuple[RequestHeaders, bytes]


class Notes:
    """Records the parser's calls."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def on_headers(self, head: RequestHeaders) -> None:
        self._head, self._body = head, b""

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_end(self) -> None:
        self.requests.append((self._head, self._body))


def parse(*pieces: bytes) -> list[Request]:
    """Parses the requests in these pieces, each after the response to the one before it."""
    notes = Notes()
    parser = RequestParser(notes)
    for piece in pieces:
        rest = piece
        while rest:
            rest = parser.feed(rest)
            if parser.whole:
                parser.proceed()
    return notes.requests


def refusal(*pieces: bytes) -> tuple[int, str]:
    with pytest.raises(RequestRefused) as refused:
        parse(*pieces)
    return refused.value.status, refused.value.code


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /p HTTP/1.1", b"Host: x", *lines, b"", body])


SIZED = post(b"Content-Length: 5", body=b"hello")
CHUNKED = post(b"Transfer-Encoding: chunked", body=b"3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: t\r\n\r\n")
ZEROS = post(b"Transfer-Encoding: chunked", body=b"0" * 20 + b"5;x\r\n\r\n\r\n1\r\n1\r\n1\r\n000\r\nA: b\r\n\r\n")
CONFUSING = post(b"Transfer-Encoding: chunked", body=b"6\r\n0\r\n\r\nG\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n")
GET = b"GET /a%20b?c=d%20e HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADES = [
    post(b"Connection: Upgrade", b"Upgrade: %b" % protocol, *framing, body=body)
    for protocol in (b"h2c", b"websocket", b"x")
    for framing, body in (
        ((b"Content-Length: 5",), b"hello"),
        ((b"Transfer-Encoding: chunked",), b"5\r\nhello\r\n0\r\n\r\n"),
    )
]

REQUESTS = [GET, SIZED, CHUNKED, CONFUSING, ZEROS, b"\r\n" + GET, *UPGRADES]


def test_a_request_has_its_method_path_query_headers_and_body() -> None:
    [(head, body)] = parse(GET)
    assert (head.method, head.path, head.raw_path, head.query) == ("GET", "/a b", b"/a%20b", b"c=d%20e")
    assert (head.version, head.headers, head.length) == ("1.1", [(b"host", b"x")], 0)
    assert head.keep_alive
    assert body == b""
    [(head, body)] = parse(SIZED)
    assert (head.length, body) == (5, b"hello")
    [(head, body)] = parse(CHUNKED)
    assert (head.length, body) == (None, b"hello")


def test_white_space_around_a_headers_value_is_no_part_of_it() -> None:
    [(head, _)] = parse(post(b"A:b", b"C: \t d e \t ", b"E: ", b"F:\tg\t", b"Content-Length: 0 "))
    assert head.headers[1:] == [(b"a", b"b"), (b"c", b"d e"), (b"e", b""), (b"f", b"g"), (b"content-length", b"0")]


@pytest.mark.parametrize("request_", UPGRADES)
def test_a_body_behind_an_offer_to_upgrade_is_the_requests_body(request_: bytes) -> None:
    for cut in range(1, len(request_)):
        requests = parse(request_[:cut], request_[cut:] + GET)
        assert [(head.path, body) for head, body in requests] == [("/p", b"hello"), ("/a b", b"")]
        assert requests[0][0].keep_alive


def test_an_offer_to_upgrade_leaves_the_other_options_of_the_connection() -> None:
    [(head, _)] = parse(post(b"Connection: close, UPGRADE", b"Upgrade: h2c", b"Content-Length: 0"))
    assert not head.keep_alive
    assert [value for name, value in head.headers if name == b"connection"] == [b"close"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([GET, SIZED, CHUNKED, CONFUSING, ZEROS, b"\r\n" + GET, *UPGRADES]), min_size=1, max_size=4
    ),
    st.data(),
)
def test_parsing_does_not_depend_on_the_packets(requests: list[bytes], data: st.DataObject) -> None:
    everything = b"".join(requests)
    cuts = data.draw(st.lists(st.integers(0, len(everything)), max_size=8))
    pieces = [everything[a:b] for a, b in pairwise([0, *sorted(cuts), len(everything)])]
    assert parse(*pieces) == [each for request in requests for each in parse(request)]


def test_pipelining_the_next_request_is_not_parsed_before_the_response() -> None:
    notes = Notes()
    parser = RequestParser(notes)
    for request in (SIZED, CHUNKED, CONFUSING, UPGRADES[0]):
        assert parser.feed(request + b"B@D bytes") == b"B@D bytes"
        assert parser.whole
        parser.proceed()
    assert len(notes.requests) == 4


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((b"GET /a HTTP/1.1",), 400),
        ((b"GET /a HTTP/1.1", b"Host: x", b"Host: x"), 400),
        ((b"GET /a HTTP/1.1", b"Host: x", b"host: y"), 400),
        ((b"GET /a HTTP/1.1", b"Host:"), 400),
        ((b"GET /a HTTP/1.1", b"Host: a b"), 400),
        ((b"GET /a HTTP/1.1", b"Host: a/b"), 400),
        ((b"GET /a HTTP/1.1", b"Host: a@b"), 400),
        ((b"GET /a HTTP/1.1", b"Host: a, b"), 400),
        ((b"GET /a HTTP/1.0", b"Host: x", b"Host: x"), 400),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Transfer-Encoding: gzip"), 501),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Transfer-Encoding: gzip, chunked"), 501),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Transfer-Encoding: identity"), 501),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Transfer-Encoding: xchunked"), 501),
        ((b"POST /a HTTP/1.0", b"Transfer-Encoding: chunked"), 400),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Transfer-Encoding: chunked", b"Content-Length: 1"), 400),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Content-Length: 1", b"Content-Length: 1"), 400),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Content-Length: 1", b"Content-Length: 2"), 400),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Content-Length: -1"), 400),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Content-Length : 1"), 400),
        ((b"POST /a HTTP/1.1", b"Host: x", b"Content-Length:"), 400),
        ((b"GET a HTTP/1.1", b"Host: x"), 400),
        ((b"GET /a#b HTTP/1.1", b"Host: x"), 400),
        ((b"GET * HTTP/1.1", b"Host: x"), 400),
        ((b"GET http:///a HTTP/1.1", b"Host: x"), 400),
        ((b"GET http://me@x/a HTTP/1.1", b"Host: x"), 400),
        ((b"GET ftp://x/a HTTP/1.1", b"Host: x"), 400),
        ((b"CONNECT x:80 HTTP/1.1", b"Host: x:80"), 400),
        ((b"GET /a HTTP/2.0", b"Host: x"), 400),
        ((b"GET /a HTTP/0.9",), 400),
        ((b"GET /a",), 400),
        ((b"PRI * HTTP/2.0", b"", b"SM"), 400),
        ((b"GET /a HTTP/1.1", b"Host: x", b" folded: y"), 400),
        ((b"GET /a HTTP/1.1", b"Host: x", b"A: \x00"), 400),
        ((b"GET /a\xff HTTP/1.1", b"Host: x"), 400),
        ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",), 400),
    ],
)
def test_request_smuggling_an_ambiguous_request_is_refused(lines: tuple[bytes, ...], status: int) -> None:
    request = b"\r\n".join([*lines, b"", b""])
    for pieces in ([request], [bytes([byte]) for byte in request]):
        assert refusal(*pieces)[0] == status


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (b"http://y/a?b", "/a", b"b", b"y"),
        (b"HTTP://y:80", "/", b"", b"y:80"),
        (b"https://y?b=/c", "/", b"b=/c", b"y"),
        (b"http://[::1]:8000/", "/", b"", b"[::1]:8000"),
        (b"//metrics", "//metrics", b"", b"x"),
        (b"/?", "/", b"", b"x"),
    ],
)
def test_a_target_in_absolute_form_names_the_host(target: bytes, path: str, query: bytes, host: bytes) -> None:
    [(head, _)] = parse(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
    assert (head.path, head.query, dict(head.headers)[b"host"]) == (path, query, host)


def test_an_options_request_for_the_whole_server_is_parsed() -> None:
    [(head, _)] = parse(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.path == "*"


@pytest.mark.parametrize("piece", [b"x: y\r\n", b"y", b"\r\n"])
def test_endless_request_headers_are_refused(piece: bytes) -> None:
    start = b"" if piece == b"\r\n" else b"GET / HTTP/1.1\r\nHost: x\r\nz: "
    assert refusal(start, *[piece] * HEADERS_LIMIT) == (431, "head_too_large")


@pytest.mark.parametrize(
    "more",
    [b"a: b\r\n", b"a" * 100],
    ids=["trailers", "one trailer"],
)
def test_endless_trailers_are_refused_and_never_become_headers(more: bytes) -> None:
    notes = Notes()
    parser = RequestParser(notes)
    parser.feed(post(b"Transfer-Encoding: chunked", body=b"1\r\nx\r\n0\r\n"))

    def feed_for_ever() -> None:
        for _ in range(HEADERS_LIMIT):
            parser.feed(more)

    with pytest.raises(RequestRefused) as refused:
        feed_for_ever()
    assert refused.value.code == "too_much_framing"
    assert [name for name, _ in notes._head.headers] == [b"host", b"transfer-encoding"]


def test_an_endless_chunk_size_is_refused() -> None:
    assert refusal(post(b"Transfer-Encoding: chunked"), *[b"1;" + b"x" * 1000] + [b"y" * 1000] * 100)[0] == 400


def test_a_body_in_the_smallest_of_chunks_is_taken() -> None:
    body = b"1\r\nx\r\n" * 60_000 + b"0\r\n\r\n"
    [(_, taken)] = parse(
        post(b"Transfer-Encoding: chunked"), *[body[at : at + 4096] for at in range(0, len(body), 4096)]
    )
    assert taken == b"x" * 60_000


class Counting(RequestParser):
    """Counts how often httptools is called."""

    calls = 0

    def _feed(self, piece: bytes) -> None:
        self.calls += 1
        super()._feed(piece)


@pytest.mark.parametrize(
    "body",
    [b"c350\r\n" + b"\r\n" * 25_000 + b"\r\n", b"1\r\nx\r\n" * 9_000, b"4\r\n\r\n\r\n\r\n" * 9_000],
    ids=["line ends", "the smallest chunks", "chunks of line ends"],
)
def test_a_chunked_body_is_parsed_in_few_calls_whatever_is_in_it(body: bytes) -> None:
    parser = Counting(Notes())
    assert parser.feed(post(b"Transfer-Encoding: chunked", body=body + b"0\r\n\r\n")) == b""
    assert parser.whole
    assert parser.calls < 5


def test_a_content_length_may_have_leading_zeros() -> None:
    [(head, body)] = parse(post(b"Content-Length: " + b"0" * 5000 + b"2", body=b"hi"))
    assert (head.length, body) == (2, b"hi")


def test_too_many_headers_are_refused_before_they_are_complete() -> None:
    lines = [b"x-%d: y" % number for number in range(MAX_HEADERS + 1)]
    assert refusal(post(*lines)[:-2]) == (431, "head_too_large")
    [(head, _)] = parse(post(*lines[:-2]))
    assert len(head.headers) == MAX_HEADERS


@pytest.mark.parametrize("line_ends", [b"\r\n", b"\r\n\r\n", b"\r\n" * 100])
def test_line_ends_before_a_request_are_bounded(line_ends: bytes) -> None:
    parser = RequestParser(Notes())
    for _ in range(HEADERS_LIMIT // len(line_ends)):
        parser.feed(line_ends)
    with pytest.raises(RequestRefused) as refused:
        parser.feed(line_ends)
    assert refused.value.status == 431
