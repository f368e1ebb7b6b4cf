"""Deliveries in two steps, the second of which a worker does not come to: a repair makes it."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from ssechat.ids import ConversationId
from ssechat.logs.conversations import Entry
from ssechat.logs.delivery import Delivery

Hold: TypeAlias = Callable[[bool], None]
"""Has what is appended from now on delivered by a repair only (True), or at once (False)."""


def in_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every action appended first, and then delivered."""
    defaults = Delivery.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "at_once", 0)


def late_deliveries(monkeypatch: pytest.MonkeyPatch) -> Hold:
    """Lets workers die, as it were, between the two steps."""
    in_two_steps(monkeypatch)
    finish = Delivery._finish_group
    held = False

    async def mortal(self: Delivery, conversation: ConversationId, appended: Entry | None) -> None:
        if not held or appended is None:
            await finish(self, conversation, appended)

    def hold(late: bool) -> None:
        nonlocal held
        held = late

    monkeypatch.setattr(Delivery, "_finish_group", mortal)
    return hold
