"""Deliveries in two steps, the second of which a worker does not come to: a repair makes it."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import pytest

from ssechat.ids import ConversationId, UserId
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
    finish, finish_group = Delivery.finish, Delivery._finish_group
    held = False

    async def dies(self: Delivery, conversation: ConversationId, members: Sequence[UserId] | None) -> None:
        if not held:
            await finish(self, conversation, members)

    async def dies_in_a_group(self: Delivery, conversation: ConversationId, appended: Entry | None) -> None:
        if not held or appended is None:  # without this nobody could join again
            await finish_group(self, conversation, appended)

    def hold(late: bool) -> None:
        nonlocal held
        held = late

    monkeypatch.setattr(Delivery, "finish", dies)
    monkeypatch.setattr(Delivery, "_finish_group", dies_in_a_group)
    return hold
