import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chaos.checker import KINDS, check
from chaos.faults import KINDS as FAULTS
from chaos.faults import LOSSY, plan
from chaos.history import CONNECT, LOST, READS_AGAIN, STUCK, Attempt, Device, Event, History, Injected, Send
from chaos.mutant import MUTATIONS
from chaos.report import figures, text
from chaos.run import Options, run
from chaos.story import shortest_story

DM = "dm:alice:bob"


def message(number: int, **other: Any) -> dict[str, Any]:
    return {"conversation_id": DM, "seq": number, "sender": "alice", "text": f"t{number}"} | {
        "client_msg_id": f"m{number}",
        **other,
    }


def history(count: int = 3) -> History:
    """A history without violations: alice, with one device, sends to bob, who has two."""
    devices = [Device("alice", "alice/0"), Device("bob", "bob/0"), Device("bob", "bob/1", from_start=False)]
    told = History({DM: ("alice", "bob")}, [], devices, [], ended=100.0)
    for device in devices:
        hello = {"resumed": device.from_start, "missed": 0}
        device.events += [Event(0.1, CONNECT), Event(0.2, "hello", None if device.from_start else "0-7", hello)]
    for number in range(1, count + 1):
        answer = Attempt(number, number + 0.1, "201", message(number))
        told.sends.append(Send(DM, "alice", f"m{number}", f"t{number}", number, [answer]))
        for device in devices:
            tag = 10 * number + (device.user == "bob")
            device.events.append(Event(number + 0.2, "message", f"{number}-{tag}", message(number)))
    return told


def kinds(told: History) -> set[str]:
    found = {violation.kind for violation in check(told)}
    assert found <= set(KINDS)
    return found


def messages(told: History, device: int) -> list[int]:
    """The indexes of the messages in the device's events."""
    return [at for at, event in enumerate(told.devices[device].events) if event.name == "message"]


def test_a_history_in_which_all_went_well_breaks_nothing() -> None:
    assert check(history()) == []
    assert shortest_story(history(), []) == []


def test_retries_losses_and_reconnects_break_nothing() -> None:
    told = history()
    told.sends[1].attempts[:0] = [
        Attempt(2.0, 2.01, "503"),
        Attempt(2.02, 2.03, "lost"),
        Attempt(2.04, 2.05, "timeout"),
    ]
    told.sends[1].attempts.append(Attempt(2.0, 2.3, "200", message(2)))
    events = told.devices[1].events
    back = {"resumed": True, "missed": 1}
    events[-1:-1] = [Event(2.3, LOST), Event(2.9, CONNECT), Event(3.15, "hello", None, back)]
    events.append(Event(3.3, "caught_up", None, {"id": "3-31"}))
    assert check(told) == []


def test_an_acknowledged_message_that_one_device_never_got_is_lost() -> None:
    told = history()
    del told.devices[1].events[-1]
    assert kinds(told) == {"lost", "disagree", "late"}


def test_a_message_that_was_not_acknowledged_may_be_nowhere_but_not_for_ever() -> None:
    told = history()
    told.sends.append(Send(DM, "alice", "m4", "t4", 4.0, [Attempt(4.0, 4.1, "503")]))
    assert kinds(told) == {"stuck"}


def test_a_message_that_was_not_acknowledged_and_is_on_one_device_only_is_a_disagreement() -> None:
    told = history()
    told.sends[2].attempts = [Attempt(3.0, 3.1, "lost")]
    del told.devices[0].events[-1]
    assert kinds(told) == {"stuck", "disagree"}


def test_a_message_that_comes_twice_is_doubled() -> None:
    told = history()
    told.devices[0].events.append(Event(4.0, "message", "4-40", message(3)))
    assert kinds(told) == {"doubled"}


def test_the_same_event_written_twice_is_doubled() -> None:
    told = history()
    told.devices[0].events.append(told.devices[0].events[-1])
    assert kinds(told) == {"doubled"}


def test_one_client_msg_id_that_became_two_messages_is_doubled() -> None:
    told = history()
    for device in told.devices:
        tag = 40 + (device.user == "bob")
        device.events.append(Event(4.0, "message", f"4-{tag}", message(3, seq=4)))
    assert "doubled" in kinds(told)


def test_messages_that_come_in_another_order_than_their_seq_are_misordered() -> None:
    told = history()
    for device in told.devices:  # on all devices alike
        one, other = device.events[-2:]
        device.events[-2:] = [replace(other, id=one.id), replace(one, id=other.id)]
    assert "misordered" in kinds(told)


def test_a_message_begun_after_an_acknowledgement_and_put_before_it_is_misordered() -> None:
    told = history()
    told.sends[1].invoked = 5.0
    told.sends[1].attempts = [Attempt(5.0, 5.1, "201", message(2))]
    assert kinds(told) == {"misordered"}


def test_an_id_that_is_skipped_is_a_hole() -> None:
    told = history()
    for device in told.devices:
        last = device.events[-1]
        last.id = (last.id or "").replace("3-", "4-")
    assert kinds(told) == {"hole"}


def test_what_a_fresh_device_skips_after_its_hello_is_a_hole() -> None:
    told = history()
    del told.devices[2].events[messages(told, 2)[0]]
    assert kinds(told) == {"hole", "lost", "late"}


def test_devices_of_one_user_with_different_ids_disagree() -> None:
    told = history()
    told.devices[2].events[-1].id = "3-99"
    assert kinds(told) == {"disagree"}


def test_members_with_different_messages_in_one_place_disagree() -> None:
    told = history(1)
    other = message(1, client_msg_id="other", text="other")
    told.devices[0].events[-1].data = other
    told.sends.append(Send(DM, "alice", "other", "other", 0.5, [Attempt(0.5, 0.9, "201", other)]))
    assert "disagree" in kinds(told)


def test_a_message_delivered_otherwise_than_acknowledged_is_altered() -> None:
    told = history()
    told.devices[0].events[-1].data = message(3, created_at="later")
    assert kinds(told) == {"altered"}


def test_a_repeat_answered_with_another_message_is_altered() -> None:
    told = history()
    told.sends[0].attempts.append(Attempt(1.0, 1.5, "200", message(1, created_at="later")))
    assert kinds(told) == {"altered"}


@pytest.mark.parametrize("other", [{"text": "tampered"}, {"client_msg_id": "nobody's"}, {"sender": "mallory"}])
def test_a_message_that_nobody_sent_is_invented(other: dict[str, str]) -> None:
    told = history()
    told.devices[0].events.append(Event(4.0, "message", "4-40", message(4, **other)))
    assert "invented" in kinds(told)


def test_a_reset_that_no_loss_of_data_explains_is_found() -> None:
    told = history()
    told.devices[0].events.append(Event(4.0, "reset", "3-30", {"reason": "lost"}))
    assert kinds(told) == {"reset"}


@pytest.mark.parametrize("end", [("hello", {"resumed": True, "missed": 0}), ("caught_up", {"id": "2-21"})])
def test_a_replay_without_what_was_acknowledged_before_is_found(end: tuple[str, dict[str, Any]]) -> None:
    told = history()
    events = told.devices[1].events
    name, data = end
    events[-1:-1] = [Event(2.9, LOST), Event(3.15, CONNECT), Event(3.17, name, None, data)]
    assert kinds(told) == {"replay"}


def test_a_message_that_takes_long_though_nothing_is_the_matter_is_late() -> None:
    told = history()
    told.devices[1].events[-1].at = 20.0
    assert kinds(told) == {"late"}


def test_a_message_that_takes_long_during_a_fault_or_an_absence_is_not_late() -> None:
    told = history()
    told.devices[1].events[-1].at = 20.0
    told.faults.append(Injected(4.0, 12.0, "stop-redis"))
    assert check(told) == []
    told.faults.clear()
    told.devices[1].events[-1:-1] = [Event(4.0, STUCK), Event(19.0, READS_AGAIN)]
    assert check(told) == []


def test_an_answer_that_is_neither_the_message_nor_503_is_a_refusal() -> None:
    told = history()
    told.sends[0].attempts.insert(0, Attempt(1.0, 1.05, "500", {"code": "internal"}))
    assert kinds(told) == {"refused"}


def test_the_story_is_the_shortest_one_and_in_the_order_of_time() -> None:
    told = history()
    told.faults.append(Injected(2.5, 2.6, "kill-worker", "SIGKILL to 1"))
    del told.devices[1].events[-1]
    headline, *story = shortest_story(told, check(told))
    assert "m3" in headline
    times = [float(line.split()[0]) for line in story]
    assert times == sorted(times)
    assert any("begins to send m3" in line for line in story)
    assert any("kill-worker" in line for line in story)


def test_a_seed_makes_one_schedule_and_another_seed_another() -> None:
    assert plan(1, 60) == plan(1, 60) != plan(2, 60)
    assert {fault.kind for fault in plan(3, 120)} == set(FAULTS)
    assert all(fault.at < 60 and fault.seconds <= 9.5 for fault in plan(1, 60))
    assert plan(1, 60, ()) == []


def test_a_real_server_keeps_the_promise_under_faults() -> None:
    options = Options(
        seed=3, seconds=6, writers=4, people=3, faults=("kill-worker", "kill-redis", "cut-pubsub", "roll"),
        last_word_rounds=1,
        newcomer_rounds=2, groups=3,
    )  # fmt: skip
    result = asyncio.run(run(options))
    assert result.violations == [], text(result)
    assert not result.tracebacks, text(result)
    shown = figures(result)
    assert all(action.over for action in (*result.history.sends, *result.history.changes))
    assert shown["acked"] > 50
    assert shown["changes_delivered"] > 50
    assert shown["changes"]["leave"] > 1
    assert sum(shown["faults"].values()) >= 3


@pytest.mark.parametrize("kind", LOSSY)
def test_a_real_server_that_loses_data_by_design_says_so_to_all_who_had_seen_it(kind: str) -> None:
    options = Options(seed=10, seconds=4, writers=4, people=3, faults=(kind,), last_word_rounds=0, newcomer_rounds=0)
    options = replace(options, groups=2)
    result = asyncio.run(run(options))
    assert result.violations == [], text(result)
    assert not result.tracebacks, text(result)
    shown = figures(result)
    assert shown["losses_of_data"] >= 1
    assert shown["lost_by_design"]["told"] > 0, "nothing was lost"
    assert "lost data" in text(result)


def test_a_server_that_loses_data_and_does_not_say_so_is_found_out() -> None:
    options = Options(
        seed=10, seconds=4, writers=4, people=3, faults=("snapshot",), mutation="silent-reset", last_word_rounds=0,
        newcomer_rounds=0, settle_seconds=4, groups=0,
    )  # fmt: skip
    assert "lost" in {violation.kind for violation in asyncio.run(run(options)).violations}


def test_a_server_that_delivers_without_the_gap_rule_is_found_out() -> None:
    assert "no-gap-rule" in MUTATIONS
    options = Options(seed=1, seconds=2, writers=6, people=2, faults=(), mutation="no-gap-rule", newcomer_rounds=0)
    result = asyncio.run(run(replace(options, last_word_rounds=0, groups=0)))
    assert result.violations
    assert "The shortest story" in text(result)


def test_a_send_in_two_steps_keeps_the_promise_by_the_gap_rule() -> None:
    options = Options(seed=1, seconds=2, writers=6, people=2, faults=("kill-worker",), mutation="two-steps")
    result = asyncio.run(run(replace(options, groups=2, newcomer_rounds=1)))
    assert not result.violations, text(result)


@pytest.mark.parametrize(
    ("mutation", "kinds"),
    [
        ("skip-leaver", {"missed", "reset"}),
        ("joiner-from-zero", {"surplus"}),
        ("list-as-it-stands", {"missed", "surplus"}),
        ("forget-leave", {"missed", "reset"}),
        ("deliver-passed", {"surplus", "leak"}),
        ("rights-unchecked", {"trespass"}),
    ],
)
def test_a_server_that_delivers_too_much_or_too_little_of_a_group_is_found_out(mutation: str, kinds: set[str]) -> None:
    options = Options(seconds=4, writers=2, people=3, groups=4, faults=(), mutation=mutation, newcomer_rounds=0)
    options = replace(options, last_word_rounds=0, settle_seconds=6)
    found: set[str] = set()
    for seed in range(1, 11):  # what happens at one time is up to the machine, and most need one
        found |= {violation.kind for violation in asyncio.run(run(replace(options, seed=seed))).violations}
        if found & kinds:
            return
    raise AssertionError(f"{mutation} was not found: {found}")
