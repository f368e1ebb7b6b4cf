"""A short run of the fuzzer (`python -m tests.fuzz`), and tests that it finds planted faults."""

import asyncio
from typing import Any

import pytest

from fuzz.answers import Answer, Answers, NotHTTP
from fuzz.attack import Attack, World
from fuzz.generators import attack
from fuzz.judge import judge
from fuzz.report import text
from fuzz.run import Options, run
from fuzz.shrink import shortest
from fuzz.wire import Outcome

SHORT = Options(seed=9, requests=3000, parallel=24, held=0, flood_seconds=0.3, again_seconds=15)


def test_a_short_run_of_the_fuzzer_finds_nothing() -> None:
    result = asyncio.run(run(SHORT))
    assert result.ok, text(result)
    assert result.requests >= SHORT.requests
    assert result.canary is not None
    assert len(result.canary.heard) == len(result.canary.sent) > 10


def test_a_seed_makes_the_same_attacks_again() -> None:
    some = [attack(World(3), number) for number in range(1, 300)]
    assert some == [attack(World(3), number) for number in range(1, 300)]
    assert some != [attack(World(4), number) for number in range(1, 300)]
    assert len({one.name for one in some}) > 30


def found(*answers: Answer, **more: Any) -> set[str]:
    one = Attack("x", (b"",), ("q1-1q", "q1-2q"), number=1, **more)
    return {fault.kind for fault in judge(one, Outcome(list(answers), closed=True))}


def answer(status: int = 200, request: str = "q1-1q", body: bytes = b"", **headers: bytes) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"x-request-id": request.encode(), **given}, body)


def test_what_is_well_is_no_fault() -> None:
    assert found(answer(), answer(request="q1-2q")) == set()
    assert found(answer(), answer(request="0123456789ab-1f")) == set()
    assert found(answer(501)) == set()
    assert found(answer(400), allowed=frozenset((400,))) == set()
    assert found(answer(), answer(request="q1-2q"), due=True) == set()


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("x: 500", found(answer(500))),
        ("x: 503", found(answer(), answer(503, "q1-2q"))),
        ("x: answers out of order", found(answer(request="q1-2q"), answer())),
        ("x: answers out of order", found(answer(), answer())),
        ("x: somebody else's answer", found(answer(request="q2-1q"))),
        ("x: a body was taken for a request", found(answer(), answer(request="q1-never2q"))),
        ("x: answered 200", found(answer(), allowed=frozenset((400,)))),
        ("x: answered 0", found(allowed=frozenset((400,)))),
        ("x: no answer", found(answer(), due=True)),
        ("x: no answer", found(answer(400, "", connection=b"close"), due=True)),
        ("x: not JSON", found(answer(body=b"{", content_type=b"application/json"))),
    ],
)
def test_what_the_server_must_not_do_is_a_fault(fault: str, seen: set[str]) -> None:
    assert fault in seen


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nx-forged: y\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ndate: \x00\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nid: 1\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\nHTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nxx",
        b"HTTP/1.1 200",
    ],
)
def test_what_is_no_answer_is_told_from_one(data: bytes) -> None:
    def take() -> None:
        answers = Answers(frozenset())
        for byte in data:
            answers.feed(bytes((byte,)))
        answers.end()

    with pytest.raises(NotHTTP):
        take()


def test_answers_are_told_apart_however_they_are_cut() -> None:
    data = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
        b"HTTP/1.1 200 OK\r\nx-request-id: 1-2\r\ncontent-length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    )
    for size in (1, 7, len(data)):
        answers = Answers(frozenset(("1-2",)))
        for at in range(0, len(data), size):
            answers.feed(data[at : at + size])
        answers.end()
        assert [(one.status, one.body) for one in answers.whole] == [(200, b"hi"), (200, b""), (204, b""), (200, b"hi")]


def test_a_fault_is_shown_by_the_shortest_attack_that_has_it() -> None:
    async def shows(one: Attack) -> bool:
        return b"bad" in one.sent()

    data = b"GET / HTTP/1.1\r\nX: y\r\n\r\n" * 3 + b"GET /bad HTTP/1.1\r\n" + b"X: y\r\n" * 40 + b"\r\n"
    one = Attack("x", (data[:90], data[90:], b"more"))
    assert asyncio.run(shortest(one, shows)).sent().strip() == b"GET /bad HTTP/1.1"
    assert asyncio.run(shortest(one, shows, by_bytes=False)).sent() == one.sent()
