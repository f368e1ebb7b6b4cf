"""Heads of requests that need not be parsed again."""

import pytest
from starlette.types import Scope

from ssechat.http.exchange import USER
from ssechat.server.header_cache import BIGGEST_HEAD, BIGGEST_REQUEST, MOST_BYTES, Heads

FOUND: Scope = {"path": "/x"}
OTHER: Scope = {"path": "/y"}


def post(
    body: bytes = b"hi", length: bytes | None = None, name: bytes = b"Content-Length", token: bytes = b"t"
) -> bytes:
    size = b"%d" % len(body) if length is None else length
    return b"POST /x HTTP/1.1\r\nA: %b\r\n%b: %b\r\nB: c\r\n\r\n%b" % (token, name, size, body)


def test_a_head_is_known_again_whatever_the_length_of_its_body() -> None:
    heads = Heads()
    assert heads.find(post()) is None
    heads.remember(post(), FOUND)
    assert heads.find(post(b"")) == (FOUND, b"")
    assert heads.find(post(b"hello\r\nContent-Length: 3\r\n\r\n")) == (FOUND, b"hello\r\nContent-Length: 3\r\n\r\n")


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
        post(b"x" * BIGGEST_REQUEST),
    ],
    ids=lambda data: repr(data[:60]),
)
def test_any_other_byte_and_it_is_left_to_the_parser(other: bytes) -> None:
    heads = Heads()
    heads.remember(post(), FOUND)
    assert heads.find(other) is None


def test_what_is_not_one_whole_request_is_not_remembered() -> None:
    heads = Heads()
    for data in (post() + post(), post()[:-1], b"GET / HTTP/1.1\r\n\r\n", post(token=b"t" * BIGGEST_HEAD)):
        heads.remember(data, FOUND)
        assert heads.find(data) is None


def test_fronts_write_the_length_in_small_letters() -> None:
    heads = Heads()
    heads.remember(post(name=b"content-length"), FOUND)
    assert heads.find(post(b"other", name=b"content-length")) == (FOUND, b"other")


def test_of_all_heads_together_so_many_bytes_are_kept_those_asked_for_lately() -> None:
    heads = Heads()
    heads.remember(post(), FOUND)
    count = MOST_BYTES // 2000
    for number in range(count):
        heads.remember(post(token=b"%2000d" % number), {"path": str(number)})
        assert heads.find(post()) == (FOUND, b"hi")
    assert heads.find(post(token=b"%2000d" % 0)) is None
    assert heads.find(post(token=b"%2000d" % (count - 1))) == ({"path": str(count - 1)}, b"hi")


def test_a_head_that_is_remembered_twice_counts_once() -> None:
    heads = Heads()
    for _ in range(MOST_BYTES // 10):
        heads.remember(post(), FOUND)
    heads.remember(post(token=b"u"), OTHER)
    assert heads.find(post()) == (FOUND, b"hi")


def test_what_a_scope_says_of_one_request_only_is_not_kept() -> None:
    heads = Heads()
    heads.remember(post(), {**FOUND, "client": ("1.1.1.1", 1), "server": ("2.2.2.2", 80), USER: "alice"})
    assert heads.find(post()) == (FOUND, b"hi")
