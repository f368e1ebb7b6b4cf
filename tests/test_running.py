"""Ctrl-C during a call of a command."""

import asyncio
import signal

import pytest

from ssechat.cli.running import running


def test_ctrl_c_cancels_the_call_and_the_next_one_runs() -> None:
    ended: list[str] = []

    async def waiting() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    with running() as run:
        with pytest.raises(KeyboardInterrupt):
            run(waiting())
        assert ended == ["cancelled"]
        assert run(asyncio.sleep(0, "closed")) == "closed"


def test_ctrl_c_that_comes_when_the_call_is_done_breaks_nothing_else_in_the_loop() -> None:
    tasks: list[asyncio.Task[str]] = []

    async def in_the_background() -> str:
        signal.raise_signal(signal.SIGINT)
        return "whole"

    async def call() -> None:
        tasks.append(asyncio.create_task(in_the_background()))

    with running() as run:
        with pytest.raises(KeyboardInterrupt):
            run(call())
        assert run(asyncio.wait_for(tasks[0], 1)) == "whole"


def test_after_a_call_ctrl_c_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with running() as run:
        run(asyncio.sleep(0))
        assert signal.getsignal(signal.SIGINT) is before
