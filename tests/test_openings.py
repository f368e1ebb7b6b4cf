"""How often streams are opened in a worker."""

import pytest

from parts import FakeClock
from ssechat.streams import openings as openings_module
from ssechat.streams.openings import WINDOW, Openings

ALICE, BOB = b"alice", b"bob"


def test_so_many_may_be_opened_at_once_and_more_as_time_goes_by() -> None:
    clock = FakeClock()
    openings = Openings(128, clock)
    assert [openings.admit(ALICE) for _ in range(200)] == [True] * 128 + [False] * 72
    clock.time += WINDOW / 4
    assert sum(openings.admit(ALICE) for _ in range(200)) == 32
    clock.time += 1000 * WINDOW
    assert sum(openings.admit(ALICE) for _ in range(200)) == 128


def test_one_user_uses_up_nothing_of_anothers_openings() -> None:
    openings = Openings(3, FakeClock())
    assert [openings.admit(ALICE) for _ in range(4)] == [True, True, True, False]
    assert openings.admit(BOB)


def test_a_device_that_reconnects_every_other_second_is_never_refused() -> None:
    clock = FakeClock()
    openings = Openings(128, clock)
    for _ in range(1000):
        assert openings.admit(ALICE)
        clock.time += 2


def test_a_million_sources_take_no_more_room_than_some_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings_module, "MAX_SOURCES", 10)
    openings = Openings(2, FakeClock())
    for number in range(1000):
        assert openings.admit(b"%d" % number)
        openings.admit(ALICE)
        assert len(openings._full_at) <= 10
    assert not openings.admit(ALICE)


def test_a_source_that_may_be_opened_as_often_as_ever_takes_no_room() -> None:
    clock = FakeClock()
    openings = Openings(128, clock)
    for number in range(20_000):
        clock.time += 0.001
        assert openings.admit(b"%d" % number)
    assert len(openings._full_at) <= WINDOW / 128 / 0.001 + 2, "those that were opened within half a second"
    clock.time += WINDOW / 128
    for _ in range(1000):
        openings.admit(ALICE)
    assert len(openings._full_at) == 1


def test_the_room_of_a_rush_is_freed_when_all_may_be_opened_as_often_as_ever() -> None:
    clock = FakeClock()
    openings = Openings(128, clock)
    openings.admit(ALICE)
    for number in range(1000):
        openings.admit(b"%d" % number)
    openings.admit(ALICE)
    clock.time += WINDOW / 128
    openings.free()
    assert len(openings._full_at) > 1000, "one limit is not full yet"
    clock.time += WINDOW / 128
    openings.free()
    assert not openings._full_at
