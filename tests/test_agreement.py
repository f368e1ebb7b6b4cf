"""What a client knows after its events is what a fresh client is told, after every action, on every device.

Devices come and go at any point; each takes up again at the event that it had last.
"""

import pytest

from contract.document import operations
from parts import Worker
from stories import OPERATION_OF, OTHERS, Story

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


def test_every_operation_that_makes_events_is_an_action_of_these_stories_or_of_presence() -> None:
    makes_events = {operation.id for operation in operations() if operation.events}
    elsewhere = {"watch_presence", "say_typing"}  # test_presence_agreement.py; and what ends by itself
    assert {name for names in OPERATION_OF.values() for name in names.split()} == makes_events - elsewhere


@pytest.mark.seeds(12, fast=4)
async def test_every_device_agrees_with_a_fresh_fetch_after_every_action(both: list[Worker], seed: int) -> None:
    await Story(both, seed).run()


@pytest.mark.seeds(12, fast=4)
async def test_receipts_agree_among_people_who_show_theirs(both: list[Worker], seed: int) -> None:
    await Story(both, seed, never=OTHERS).run()
