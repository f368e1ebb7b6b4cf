"""The user in whose name a deployment is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user. With a sign-up of the examination's own there are cookies, too."""

    name: str
    token: Callable[[], str]
    cookies: Sequence[str] | None = None
    """The Set-Cookie lines of the sign-up; None if there was none."""


@dataclass(frozen=True, slots=True)
class Credential:
    """How a visitor comes to be one."""

    token: Callable[[], str] | None = None
    sign_up: bool = False
    """Whether to make an account."""
