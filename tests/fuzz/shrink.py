"""Shortens an attack while it still shows the same fault."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from .attack import Attack, Pause, Step

Shows = Callable[[Attack], Awaitable[bool]]

MAX_TRIES = 150


async def shortest(attack: Attack, shows: Shows, by_bytes: bool = True) -> Attack:
    """Returns the shortest attack found that shows the fault. Greedy: parts are removed as long as any can be.

    `by_bytes`: whether bytes may be removed, too, or only pauses.
    """
    tries = 0
    found = True
    while found:
        found = False
        for shorter in _shorter(attack, by_bytes):
            if tries >= MAX_TRIES:
                return attack
            tries += 1
            if await shows(shorter):
                attack, found = shorter, True
                break
    return attack


def _shorter(attack: Attack, by_bytes: bool) -> Iterator[Attack]:
    steps = attack.steps
    for index in reversed(range(len(steps))):
        if len(steps) > 1 and (by_bytes or isinstance(steps[index], Pause)):
            yield replace(attack, steps=(*steps[:index], *steps[index + 1 :]))
    for index in range(len(steps) - 1):
        one, other = steps[index], steps[index + 1]
        if isinstance(one, bytes) and isinstance(other, bytes):
            yield replace(attack, steps=(*steps[:index], one + other, *steps[index + 2 :]))
    for index, step in enumerate(steps):
        if isinstance(step, bytes) and by_bytes:
            for data in _less(step):
                yield _with(attack, index, data)


def _with(attack: Attack, index: int, step: Step) -> Attack:
    return replace(attack, steps=(*attack.steps[:index], step, *attack.steps[index + 1 :]))


def _less(data: bytes) -> Iterator[bytes]:
    """Yields shortened bytes: without halves, requests, lines, runs of one byte, and single bytes if short."""
    heads = [found.start() for found in re.finditer(rb"(?<=\n)[A-Z]{3,7} /", data)]
    for start, end in zip((0, *heads), (*heads, len(data)), strict=True):
        if end - start < len(data):
            yield data[:start] + data[end:]
    if len(data) > 400:
        for start in range(0, len(data), len(data) // 4):
            yield data[:start] + data[start + len(data) // 4 :]
    for found in re.finditer(rb"[^\n]*\n", data):
        if found.end() - found.start() < len(data):
            yield data[: found.start()] + data[found.end() :]
    for found in re.finditer(rb"(.{1,4}?)\1{7,}", data, re.DOTALL):
        yield (
            data[: found.start()]
            + found[1] * ((found.end() - found.start()) // len(found[1]) // 2)
            + data[found.end() :]
        )
