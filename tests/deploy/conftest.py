"""One stack for all of these tests, made as deploy/README.md says."""

from collections.abc import Iterator

import pytest

from .readme import blocks, paste
from .stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack, up and well. Tests that change it put it back."""
    with Stack() as stack:
        up, *_ = blocks()
        paste(stack, up)
        stack.wait_ready()
        yield stack
