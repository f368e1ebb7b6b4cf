"""Coroutines that run at once."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ssechat.server.eager import Eager

pytestmark = pytest.mark.anyio


def begin(coroutine: Coroutine[Any, Any, None]) -> tuple[Eager, list[Eager]]:
    ended: list[Eager] = []
    eager = Eager(coroutine, ended.append)
    eager.start()
    return eager, ended


async def test_what_need_not_wait_is_done_at_once() -> None:
    done = []

    async def work() -> None:
        done.append(True)

    eager, ended = begin(work())
    assert done == [True]
    assert ended == [eager]


async def test_it_goes_on_when_what_it_waits_for_has_come() -> None:
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    got = []

    async def work() -> None:
        got.append(await first)
        got.append(await second)

    eager, ended = begin(work())
    first.set_result(1)
    await asyncio.sleep(0)
    assert got == [1]
    assert ended == []
    second.set_result(2)
    await asyncio.sleep(0)
    assert got == [1, 2]
    assert ended == [eager]


async def test_what_it_waits_for_can_fail() -> None:
    future = asyncio.get_running_loop().create_future()
    caught = []

    async def work() -> None:
        try:
            await future
        except ValueError as error:
            caught.append(str(error))

    _, ended = begin(work())
    future.set_exception(ValueError("no"))
    await asyncio.sleep(0)
    assert caught == ["no"]
    assert len(ended) == 1


async def test_it_can_be_cancelled_as_uvicorn_does_it() -> None:
    cleaned_up = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cleaned_up.append(True)

    eager, ended = begin(work())
    eager.cancel(msg="Task cancelled, timeout graceful shutdown exceeded")
    await asyncio.sleep(0)
    assert cleaned_up == [True]
    assert ended == [eager]
    eager.cancel()  # too late, and harmless


async def test_it_can_let_others_have_a_turn() -> None:
    turns = []

    async def work() -> None:
        await asyncio.sleep(0)
        turns.append("mine")

    _, ended = begin(work())
    assert turns == []
    await asyncio.sleep(0)
    assert turns == ["mine"]
    assert len(ended) == 1


async def test_a_cancellation_that_comes_between_two_waits_counts() -> None:
    future = asyncio.get_running_loop().create_future()
    went_on = []

    async def work() -> None:
        await future
        went_on.append(True)

    eager, ended = begin(work())
    future.set_result(None)
    eager.cancel()
    await asyncio.sleep(0)
    assert went_on == []
    assert ended == [eager]


async def test_a_bug_is_told_to_the_loop_and_ends_it() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))

    async def work() -> None:
        raise ValueError("a bug")

    eager, ended = begin(work())
    assert ended == [eager]
    assert [str(context["exception"]) for context in told] == ["a bug"]
