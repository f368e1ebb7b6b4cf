"""The cache of parsed request headers."""

import pytest
from starlette.types import Scope

from ssechat.http.exchange import USER
from ssechat.server import header_cache
from ssechat.server.header_cache import MAX_BODY, MAX_BYTES, MAX_HEADERS_BYTES, CachedHeaders, HeaderCache

FOUND: Scope = {"path": "/x"}
OTHER: Scope = {"path": "/y"}


def post(
    body: bytes = b"hi", length: bytes | None = None, name: bytes = b"Content-Length", token: bytes = b"t"
) -> bytes:
    size = b"%d" % len(body) if length is None else length
    return b"POST /x HTTP/1.1\r\nA: %b\r\n%b: %b\r\nB: c\r\n\r\n%b" % (token, name, size, body)


def found(cache: HeaderCache, data: bytes) -> tuple[Scope, bytes] | None:
    cached = cache.find(data)
    return None if cached is None else (cached[0].scope, cached[1])


def known(cache: HeaderCache, data: bytes) -> CachedHeaders:
    cached = cache.find(data)
    assert cached is not None
    return cached[0]


def test_header_cache_hits_whatever_the_content_length() -> None:
    cache = HeaderCache()
    assert cache.find(post()) is None
    cache.remember(post(), FOUND)
    assert found(cache, post(b"")) == (FOUND, b"")
    assert found(cache, post(b"hello\r\nContent-Length: 3\r\n\r\n")) == (FOUND, b"hello\r\nContent-Length: 3\r\n\r\n")


@pytest.mark.parametrize(
    "other",
    [
        post(token=b"u"),
        post(name=b"content-length"),
        post(length=b"1"),
        post(length=b"3"),
        post(length=b"+2"),
        post(length=b" 2"),
        post(length=b"0x2"),
        post(length=b""),
        post(length=b"2".rjust(5000, b"0")),
        post(length=b"2\r\nTransfer-Encoding: chunked"),
        post(length=b"2, 2"),
        post()[:-1],
        post() + post(),
        post()[:20],
        post().replace(b"Content-Length: 2\r\n", b""),
        b"\r\n" + post(),
        post(b"x" * (MAX_BODY + 1)),
    ],
    ids=lambda data: repr(data[:60]),
)
def test_header_cache_misses_on_any_other_byte(other: bytes) -> None:
    cache = HeaderCache()
    cache.remember(post(), FOUND)
    assert cache.find(other) is None
    assert cache.find(other, known(cache, post()).ref) is None


@pytest.mark.parametrize("size", [0, 1, 8, 9, 10, 97, 98, 99, 100, 996, 999, 1000, 9995, 9999, 10000, 60000])
def test_header_cache_hits_bodies_of_any_length_but_no_wrong_length(size: int) -> None:
    cache = HeaderCache()
    cache.remember(post(), FOUND)
    assert found(cache, post(b"x" * size)) == (FOUND, b"x" * size)
    for wrong in (b"%d" % (size + 1), b"%d" % (size - 1), b"0%d" % size, b"%d0" % size):
        assert cache.find(post(b"x" * size, length=wrong)) is None


def test_header_cache_keeps_only_whole_single_requests() -> None:
    cache = HeaderCache()
    for data in (post() + post(), post()[:-1], b"GET / HTTP/1.1\r\n\r\n", post(token=b"t" * MAX_HEADERS_BYTES)):
        cache.remember(data, FOUND)
        assert cache.find(data) is None


def test_header_cache_takes_a_lower_case_content_length() -> None:
    cache = HeaderCache()
    cache.remember(post(name=b"content-length"), FOUND)
    assert found(cache, post(b"other", name=b"content-length")) == (FOUND, b"other")


def test_header_cache_is_bounded_in_bytes_and_evicts_what_is_not_used() -> None:
    cache = HeaderCache()
    cache.remember(post(), FOUND)
    count = MAX_BYTES // 2000
    for number in range(count):
        cache.remember(post(token=b"%2000d" % number), {"path": str(number)})
        assert found(cache, post()) == (FOUND, b"hi")
    assert cache.find(post(token=b"%2000d" % 0)) is None
    assert found(cache, post(token=b"%2000d" % (count - 1))) == ({"path": str(count - 1)}, b"hi")


def test_header_cache_counts_repeated_headers_once() -> None:
    cache = HeaderCache()
    for _ in range(MAX_BYTES // 10):
        cache.remember(post(), FOUND)
    cache.remember(post(token=b"u"), OTHER)
    assert found(cache, post()) == (FOUND, b"hi")


def test_what_a_scope_says_of_one_request_only_is_not_kept() -> None:
    cache = HeaderCache()
    cache.remember(post(), {**FOUND, "client": ("1.1.1.1", 1), "server": ("2.2.2.2", 80), USER: "alice"})
    assert found(cache, post()) == (FOUND, b"hi")


def test_header_cache_asks_the_last_headers_of_a_connection_first(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = HeaderCache()
    cache.remember(post(), FOUND)
    cache.remember(post(token=b"u"), OTHER)
    last = known(cache, post()).ref
    assert cache.find(post(token=b"u"), last) == (known(cache, post(token=b"u")), b"hi")
    monkeypatch.setattr(header_cache, "_split", None)
    assert cache.find(post(b"more"), last) == (last(), b"more")


def test_header_cache_headers_that_only_connections_use_stay_and_those_that_were_dropped_are_gone() -> None:
    cache = HeaderCache()
    cache.remember(post(), FOUND)
    cache.remember(post(token=b"u"), OTHER)
    last, dropped = known(cache, post()).ref, known(cache, post(token=b"u")).ref
    for number in range(2 * MAX_BYTES // 2000):  # each that was used gets one second chance
        cache.remember(post(token=b"%2000d" % number), {})
        assert cache.find(post(), last) is not None
    assert dropped() is None  # at once: a connection that is idle must not keep it
    assert cache.find(post(token=b"u"), dropped) is None
