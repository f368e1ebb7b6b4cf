"""Pauses between attempts."""

from ssechat.backoff import Backoff


def pauses(backoff: Backoff, count: int) -> list[float]:
    return [backoff.pause() for _ in range(count)]


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    assert pauses(Backoff(0.5, 3), 5) == [0.5, 1, 2, 3, 3]


def test_the_first_attempt_may_come_at_once() -> None:
    assert pauses(Backoff(0.5, 2, at_once=True), 5) == [0, 0.5, 1, 2, 2]


def test_after_a_success_the_backoff_begins_anew() -> None:
    for at_once, first in ((False, 0.5), (True, 0)):
        backoff = Backoff(0.5, 2, at_once=at_once)
        pauses(backoff, 5)
        backoff.reset()
        assert backoff.pause() == first


def test_the_jitter_shortens_a_pause_by_no_more_than_its_part_and_leaves_the_next_one_as_long() -> None:
    backoff = Backoff(1, 1, jitter=0.5)
    drawn = pauses(backoff, 1000)
    assert 0.5 <= min(drawn) < 0.55
    assert 0.95 < max(drawn) <= 1


def test_an_outage_of_any_length_does_not_overflow() -> None:
    assert pauses(Backoff(0.5, 2), 10_000)[-1] == 2
