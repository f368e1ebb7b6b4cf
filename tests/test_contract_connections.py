"""What a connection answers to bytes that are no request of any operation is as the contract says."""

import json
from collections.abc import Mapping

import pytest

from connections import Connection
from contract.watch import watch
from ssechat.http.contract import problems

pytestmark = pytest.mark.anyio

HOST = b"Host: x\r\n"
POST = b"POST /v1/messages HTTP/1.1\r\n" + HOST

REFUSED: Mapping[str, bytes] = {
    "malformed": b"no request\r\n\r\n",
    "invalid_host": b"GET / HTTP/1.1\r\n\r\n",
    "invalid_target": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "invalid_framing": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "too_much_framing": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * 70_000,
    "no_proxy": b"CONNECT x:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "unknown_version": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "head_too_large": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 70_000,
    "unknown_transfer_encoding": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "too_slow": POST + b"Content-Length: 9\r\n\r\n",
    "full": POST + b"Content-Length: 9\r\n\r\n",
}
"""What is sent, by the code that it gets."""


def test_there_is_an_example_of_each_refusal_of_a_connection() -> None:
    assert {each.code for each in problems.OF_CONNECTIONS} == REFUSED.keys()


@pytest.mark.parametrize("code", REFUSED)
async def test_bytes_that_are_no_request_get_the_refusal_that_the_contract_has(code: str) -> None:
    connection = Connection()
    connection.app.reads = True
    connection.protocol.data_received(REFUSED[code])
    if code == "too_slow":
        connection.time.pass_by(31)
    if code == "full":
        connection.protocol.evict()  # as the limits do, to make room for another one
    answer = await connection.request_tasks()
    watch().exchange(REFUSED[code], answer)
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert problem["code"] == code
    [documented] = [each for each in problems.OF_CONNECTIONS if each.code == code]
    assert answer.startswith(b"HTTP/1.1 %d " % documented.status)
