"""One stack for all of these tests, made as deploy/README.md says."""

from collections.abc import Iterator

import pytest

from .readme import blocks, paste
from .stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The running, healthy stack. Tests that change it restore it."""
    with Stack() as stack:
        up, *_ = blocks()
        paste(stack, up)
        stack.wait_ready()
        yield stack
