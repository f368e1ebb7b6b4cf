"""Arguments that are packed once reach Redis as those that are not."""

from typing import Any, cast

import hiredis
import pytest

from parts import Worker
from ssechat.redis.batching import ScriptBatch
from ssechat.redis.packed import Argument, join, pack

pytestmark = pytest.mark.anyio

ARGUMENTS: tuple[Argument, ...] = ("", "a", "ä€🎉", b"\x00\r\n$1\r\n\xff", 0, -7, 2**63 - 1, "x" * 70_000)

ECHO = """
local answers = {}
for i = 1, #KEYS do answers[i] = {KEYS[i], ARGV[2 * i - 1], ARGV[2 * i]} end
return answers
"""


def as_bytes(argument: Argument) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()


@pytest.mark.parametrize("cut", range(len(ARGUMENTS) + 1))
def test_packed_parts_are_what_the_whole_is(cut: int) -> None:
    number, data = joined = join((pack(ARGUMENTS[:cut]), pack(ARGUMENTS[cut:])))
    assert joined == pack(ARGUMENTS)
    assert b"*%d\r\n%b" % (number, data) == hiredis.pack_command(cast(Any, ARGUMENTS))


@pytest.mark.parametrize("argument", [None, object(), "\ud800"])
def test_what_cannot_be_sent_cannot_be_packed(argument: Argument) -> None:
    with pytest.raises((TypeError, ValueError)):
        pack(["a", argument])


@pytest.mark.parametrize("argument", ARGUMENTS, ids=range(len(ARGUMENTS)))
async def test_a_command_may_be_packed_in_part(worker: Worker, argument: Argument) -> None:
    plain = worker.redis.send("ECHO", argument)
    packed = worker.redis.send("ECHO", rest=pack([argument]))
    all_packed = worker.redis.send(rest=pack(["ECHO", argument]))
    assert [await plain, await packed, await all_packed] == [as_bytes(argument)] * 3


async def test_packed_items_and_others_share_a_call(worker: Worker) -> None:
    batch = ScriptBatch(worker.redis, ECHO)
    first = batch.submit(["k1"], ["a", b"\r\n"])
    packed = batch.submit_packed((pack(["k2"]), pack([])), (pack(["b"]), pack(["ä"])))
    last = batch.submit(["k3"], [4, ""])
    assert await first == [b"k1", b"a", b"\r\n"]
    assert await packed == [b"k2", b"b", "ä".encode()]
    assert await last == [b"k3", b"4", b""]
    assert worker.redis.metrics.batch_items.counts[2] == 1, "three or four items in one call"
