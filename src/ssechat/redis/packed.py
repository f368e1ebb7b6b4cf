"""Arguments of commands as they are sent (RESP): those that recur are packed once."""

from collections.abc import Iterable, Sequence
from typing import Any

import hiredis

Argument = str | bytes | int


Packed = tuple[int, bytes]
"""How many arguments these are, and they in the form in which a connection sends them. A plain tuple: to make one with
names takes 300 ns more, and a send makes two."""


def pack(arguments: Sequence[Argument]) -> Packed:
    """Packs arguments. Each costs about 1,200 instructions.

    Raises:
        TypeError, ValueError: one of them cannot be sent.
    """
    values: Any = tuple(arguments)
    command = hiredis.pack_command(values)
    return len(arguments), command[command.index(b"\n") + 1 :]  # without the line that counts them


def join(parts: Iterable[Packed]) -> Packed:
    """The arguments of all parts, in order; there is one part at least."""
    numbers, data = zip(*parts, strict=True)
    return sum(numbers), b"".join(data)
