"""The checker's part for a feed, with histories that are made up, and with a server that breaks the promise."""

import asyncio
from dataclasses import replace

import pytest

from chaos.checker import check
from chaos.feeds import ABOUT
from chaos.history import CONNECT, Attempt, Device, Event, History, Send
from chaos.report import text
from chaos.run import Options, run


def history(count: int = 4) -> History:
    """Without violations: one reads from the beginning, the other one from the second event on."""
    readers = [Device("a", "a/0"), Device("b", "b/0", from_start=False)]
    told = History(ended=100.0, feed_readers=readers)
    readers[0].events += [Event(0.1, CONNECT), Event(0.2, "hello", "0-9")]
    readers[1].events += [Event(2.5, CONNECT), Event(2.6, "hello", "2-7")]
    for n in range(1, count + 1):
        answer = Attempt(n, n + 0.1, "201", {"id": f"{n}-7", "created_at": "now"})
        told.published.append(Send(ABOUT, "p", f"e{n}", f"e{n}", n, [answer]))
        for reader in readers[: 1 + (n > 2)]:
            reader.events.append(Event(n + 0.2, "message", f"{n}-7", {"data": f"e{n}"}))
    return told


def kinds(told: History) -> set[str]:
    return {violation.kind for violation in check(told)}


def test_a_history_in_which_all_went_well_breaks_nothing() -> None:
    told = history()
    told.published[1].attempts[:0] = [Attempt(1.9, 2.0, "503"), Attempt(2.0, 2.01, "lost")]
    told.published[1].attempts.append(Attempt(2.0, 2.3, "200", {"id": "2-7", "created_at": "now"}))
    assert check(told) == []


def test_what_a_reader_lacks_is_lost_and_leaves_a_hole() -> None:
    told = history()
    del told.feed_readers[0].events[3]
    assert kinds(told) == {"lost", "hole"}
    told = history()
    del told.feed_readers[1].events[-1]
    assert kinds(told) == {"lost"}


def test_an_event_that_comes_twice_is_doubled_under_the_same_id_or_another() -> None:
    told = history()
    told.feed_readers[0].events.append(Event(5.0, "message", "5-7", {"data": "e4"}))
    assert "doubled" in kinds(told)
    told = history()
    told.feed_readers[0].events.append(told.feed_readers[0].events[-1])
    assert "doubled" in kinds(told)


def test_an_event_of_another_order_or_another_id_or_of_nobody_is_found() -> None:
    told = history()
    events = told.feed_readers[0].events
    events[-2:] = reversed(events[-2:])
    assert {"hole", "misordered"} <= kinds(told)
    told = history()
    told.feed_readers[0].events[-1] = replace(events[-1], id="4-8", data={"data": "e4"})
    assert kinds(told) == {"altered"}
    told = history()
    told.feed_readers[0].events.append(Event(5.0, "message", "5-7", {"data": "e5"}))
    assert kinds(told) == {"invented"}


def test_a_later_event_with_a_lower_id_is_misordered() -> None:
    told = history()
    for at, id in ((0, "2-7"), (1, "1-7")):
        told.published[at].attempts[0] = replace(told.published[at].attempts[0], answer={"id": id})
    events = told.feed_readers[0].events
    events[2:4] = [replace(events[2], data={"data": "e2"}), replace(events[3], data={"data": "e1"})]
    assert kinds(told) == {"misordered"}


def test_a_reset_and_an_answer_that_is_none_or_another_one_are_found() -> None:
    told = history()
    told.feed_readers[0].events.append(Event(5.0, "reset", "4-7", {"reason": "lost"}))
    told.published[0].attempts.append(Attempt(1.0, 1.5, "200", {"id": "9-7"}))
    told.published[3].attempts = [Attempt(4.0, 4.1, "409")]
    assert {"reset", "altered", "stuck", "refused"} <= kinds(told)


@pytest.mark.parametrize(("mutation", "found"), [("feed-repeats", "doubled"), ("feed-holes", "hole")])
def test_a_server_that_publishes_twice_or_leaves_a_hole_is_found_out(mutation: str, found: str) -> None:
    options = Options(seconds=6, writers=1, people=2, groups=0, faults=("kill-worker", "cut-pubsub"), mutation=mutation)
    options = replace(options, newcomer_rounds=0, last_word_rounds=0, settle_seconds=6)
    said = ""
    for seed in range(1, 11):  # what happens at one time is up to the machine, and most need one
        result = asyncio.run(run(replace(options, seed=seed)))
        said = text(result)
        if found in {violation.kind for violation in result.violations}:
            return
    raise AssertionError(said)
