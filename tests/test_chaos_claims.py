"""The checker's rules after a data loss: which resets and missing messages it explains."""

import pytest

from chaos.checker import check
from chaos.claims import excuse
from chaos.history import CONNECT, Attempt, Device, Event, History, Injected, Send
from chaos.report import figures
from chaos.run import Options, Result
from test_chaos import DM, history, kinds, message

RESET = {"reason": "lost"}


def rolled_back(*, told: tuple[int, ...] = (0, 1, 2)) -> History:
    """m1 is kept; m2 and m3 are acknowledged and lost; m4 follows, with the number of m2.

    Devices 0, 1 and 2 had seen all; those among `told` get a reset. A fourth one asks for all at the end.
    """
    history_ = history(3)
    history_.faults.append(Injected(1.5, 4.5, "snapshot", lost=(1.5, 4.0)))
    for number in told:
        tag = 1 if history_.devices[number].user == "bob" else 0
        history_.devices[number].events.append(Event(4.6, "reset", f"1-{10 + tag}", RESET))
    late = Device(
        "bob", "bob/2", events=[Event(6.0, CONNECT), Event(6.1, "hello", None, {"resumed": True, "missed": 2})]
    )
    late.events.append(Event(6.2, "message", "1-11", message(1)))
    history_.devices.append(late)
    new = message(4, seq=2)
    history_.sends.append(Send(DM, "alice", "m4", "t4", 5.0, [Attempt(5.0, 5.1, "201", new)]))
    for device in history_.devices:
        at = 5.2 if device is not late else 6.3
        device.events.append(Event(at, "message", f"2-{77 + (device.user == 'bob')}", new))
    late.events.append(Event(6.4, "caught_up", None, {"id": "2-78"}))
    return history_


def test_a_loss_of_data_that_all_were_told_of_breaks_nothing() -> None:
    assert check(rolled_back()) == []


def test_a_device_that_had_seen_what_was_lost_and_was_not_told_is_found() -> None:
    assert {"doubled", "misordered"} & kinds(rolled_back(told=(0, 2)))


def test_what_was_lost_is_missing_without_excuse_where_nobody_was_told() -> None:
    history_ = rolled_back(told=(0, 2))
    told = history_.devices[1]
    del told.events[-2]  # it never got m3; it had m2, which is lost, too
    assert "lost" in kinds(history_)


def test_who_had_seen_nothing_of_what_was_lost_cannot_be_told_and_is_counted() -> None:
    history_ = rolled_back(told=(0, 2))
    device = history_.devices[1]
    device.events = [event for event in device.events if event.data.get("client_msg_id") not in ("m2", "m3")]
    assert check(history_) == []
    assert excuse(history_, device, history_.sends[1]) == 4.0
    assert figures(Result(Options(), history_))["lost_by_design"] == {"told": 0, "unseen": 2}


def test_who_had_seen_nothing_of_what_was_lost_must_get_what_is_left() -> None:
    history_ = rolled_back(told=(0, 2))
    device, late = history_.devices[1], history_.devices[3]
    device.events = [event for event in device.events if event.data.get("client_msg_id") not in ("m2", "m3")]
    late.events.append(Event(6.5, "message", "3-79", message(2, seq=3)))  # it survived
    assert excuse(history_, device, history_.sends[1]) is None
    assert "lost" in kinds(history_)


def test_what_was_acknowledged_before_the_loss_must_be_there() -> None:
    history_ = rolled_back()
    del history_.devices[3].events[2]  # m1, from the device that read from the beginning
    assert "lost" in kinds(history_)


def test_what_is_sent_after_the_loss_must_be_there_too() -> None:
    history_ = rolled_back()
    del history_.devices[1].events[-1]
    assert "lost" in kinds(history_)


def test_one_loss_explains_one_reset_and_not_the_next() -> None:
    history_ = rolled_back()
    history_.devices[0].events.append(Event(7.0, "reset", "2-77", RESET))
    assert kinds(history_) == {"reset"}


def test_a_reset_before_the_data_was_lost_is_not_explained() -> None:
    history_ = rolled_back()
    history_.devices[0].events.insert(2, Event(0.9, "reset", "0-10", RESET))
    assert "reset" in kinds(history_)


@pytest.mark.parametrize(("conversation", "found"), [(DM, False), ("dm:alice:carol", True)])
def test_a_reset_of_one_conversation_excuses_that_conversation_only(conversation: str, found: bool) -> None:
    history_ = rolled_back()
    for device in history_.devices[:3]:
        reset = next(event for event in device.events if event.name == "reset")
        reset.data = {"reason": "lost", "conversation_id": conversation}
    assert bool({"doubled", "misordered"} & kinds(history_)) == found
