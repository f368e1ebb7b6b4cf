"""The checker's rules for groups: each member has the entries of his time, not one more and not one less."""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaos.checker import KINDS, check
from chaos.history import Attempt, Change, Event, History
from chaos.imagined import GROUP, KEEPER, Imagined


def kinds(told: History) -> set[str]:
    found = {violation.kind for violation in check(told)}
    assert found <= set(KINDS)
    return found


def busy(server: Imagined) -> History:
    """Everything happens once: eve joins late, bob leaves and comes back, ann is removed."""
    first, second = server.send("ann"), server.send("bob")
    server.react(first, "bob")
    server.add("eve")
    third = server.send("eve")
    server.edit(first)
    server.edit(third)
    server.remove("bob", by="bob")
    server.edit(third)
    server.send("ann")
    server.rename()
    server.add("bob")
    fifth = server.send("bob")
    server.delete(second)
    server.react(fifth, "ann")
    server.react(fifth, "eve")
    server.remove("ann")
    server.edit(third)
    server.send(KEEPER)
    return server.end()


@pytest.mark.parametrize("from_join", [False, True])
def test_a_group_in_which_all_went_well_breaks_nothing(from_join: bool) -> None:
    assert check(busy(Imagined(from_join=from_join))) == []


class SkipsTheLeaver(Imagined):
    def deliver(self, pos: int, audience: list[str]) -> None:
        super().deliver(pos, [user for user in audience if user in self.roles])


class StartsAtZeroForAJoiner(Imagined):
    def begin(self, user: str) -> None:
        for pos in range(1, len(self.log) + 1):
            if self.place[user] < pos:
                self.put(user, pos)


class ForgetsThePendingLeave(Imagined):
    """A worker dies between the append and the delivery to the leaver, and nobody finishes it before he is back."""

    def deliver(self, pos: int, audience: list[str]) -> None:
        gone = [user for user in audience if user not in self.roles and user == "bob"]
        super().deliver(pos, [user for user in audience if user not in gone])


class DeliversWhatItShouldPass(Imagined):
    def passes(self, user: str, pos: int) -> bool:
        return False


class BringsTheRejoinerWhatLayBetween(Imagined):
    def begin(self, user: str) -> None:
        for pos in range(self.place[user] + 1, len(self.log) + 1):
            if self.place[user]:
                self.put(user, pos)


class TellsALeaverHowItStandsNow(Imagined):
    def as_told(self, user: str, message: dict[str, Any]) -> dict[str, Any]:
        return message


@pytest.mark.parametrize(
    ("server", "found"),
    [
        (SkipsTheLeaver(), {"missed"}),
        (StartsAtZeroForAJoiner(), {"surplus"}),
        (ForgetsThePendingLeave(), {"missed"}),
        (BringsTheRejoinerWhatLayBetween(), {"surplus"}),
        (DeliversWhatItShouldPass(from_join=True), {"surplus"}),
        (TellsALeaverHowItStandsNow(), {"leak"}),
        (TellsALeaverHowItStandsNow(from_join=True), {"leak"}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_server_that_delivers_one_entry_too_many_or_too_few_is_found_out(server: Imagined, found: set[str]) -> None:
    assert found <= kinds(busy(server))


class Slow(Imagined):
    """A worker appends `held` entries, and delivers them only then: to their audiences, or to the list of then."""

    held: tuple[int, ...] = ()
    rightly = True

    def deliver(self, pos: int, audience: list[str]) -> None:
        self.audiences = {**getattr(self, "audiences", {}), pos: audience}
        if pos not in self.held[:-1]:
            for each in self.held if pos in self.held else (pos,):
                super().deliver(each, self.audiences[each] if self.rightly or pos == each else list(self.roles))


@pytest.mark.parametrize("rightly", [True, False])
@pytest.mark.parametrize("of", ["a joiner", "a leaver"])
def test_who_gets_an_entry_is_decided_when_it_is_appended(rightly: bool, of: str) -> None:
    server = Slow()
    server.rightly, server.held = rightly, (3, 4)
    server.send("ann")
    server.send("bob")
    server.add("eve") if of == "a joiner" else server.remove("ann")
    server.send("bob")
    wrong = "surplus" if of == "a joiner" else "missed"
    assert kinds(server.end()) == set() if rightly else wrong in kinds(server.history)


def test_a_message_of_one_who_was_removed_before_is_a_trespass() -> None:
    server = Imagined()
    server.remove("bob")
    server.send("bob")
    assert "trespass" in kinds(server.end())


def test_a_member_who_removes_another_one_or_renames_the_group_trespasses() -> None:
    for what in ("remove", "rename", "add"):
        server = Imagined()
        match what:
            case "remove":
                server.remove("ann", by="bob")
            case "rename":
                server.rename(by="bob")
            case _:
                server.add("eve", by="bob")
        assert "trespass" in kinds(server.end())


def test_a_change_that_one_inbox_lacks_is_missed_though_later_ones_supersede_it() -> None:
    class LosesAChange(Imagined):
        def deliver(self, pos: int, audience: list[str]) -> None:
            super().deliver(pos, [user for user in audience if (user, pos) != ("bob", 3)])

    server = LosesAChange()
    seq = server.send("ann")
    server.edit(seq)
    server.edit(seq)
    assert "missed" in kinds(server.end())


def test_the_last_change_that_one_inbox_lacks_makes_its_devices_stale() -> None:
    class LosesTheLast(Imagined):
        def deliver(self, pos: int, audience: list[str]) -> None:
            super().deliver(pos, [user for user in audience if (user, pos) != ("bob", 4)])

    server = LosesTheLast()
    seq = server.send("ann")
    server.edit(seq)
    server.edit(seq)
    assert {"stale", "missed"} <= kinds(server.end())


def test_a_change_that_is_delivered_twice_is_a_surplus() -> None:
    class Doubles(Imagined):
        def deliver(self, pos: int, audience: list[str]) -> None:
            super().deliver(pos, audience)
            if pos == 3:
                self.put("bob", pos)

    server = Doubles()
    server.edit(server.send("ann"))
    server.send("bob")
    assert "surplus" in kinds(server.end())


def test_a_message_that_is_delivered_twice_is_doubled() -> None:
    class Doubles(Imagined):
        def deliver(self, pos: int, audience: list[str]) -> None:
            super().deliver(pos, audience)
            if pos == 3:
                self.put("bob", 2)

    server = Doubles()
    server.send("ann")
    server.send("bob")
    assert "doubled" in kinds(server.end())


def test_entries_that_one_member_has_in_another_order_are_misordered() -> None:
    class Swaps(Slow):
        def deliver(self, pos: int, audience: list[str]) -> None:
            if pos == 2:
                audience = [user for user in audience if user != "bob"]
            Imagined.deliver(self, pos, audience)
            if pos == 3:
                self.put("bob", 2)

    server = Swaps()
    server.send("ann")
    server.rename()
    assert "misordered" in kinds(server.end())


def test_a_device_that_skips_what_no_later_change_supersedes_is_found() -> None:
    told = busy(Imagined())
    device = told.devices[2]
    assert device.user == "bob"
    at = next(at for at, event in enumerate(device.events) if event.name == "conversation" or event.name == "member")
    del device.events[at]
    assert {"hole", "missed"} <= kinds(told)


def test_an_older_version_after_a_newer_one_goes_backwards() -> None:
    told = busy(Imagined())
    events = told.devices[0].events
    changes = [event for event in events if event.name == "message.updated" and event.data["seq"] == 3]
    changes[0].data = changes[-1].data
    assert "backwards" in kinds(told)


def test_one_version_with_two_contents_is_a_disagreement() -> None:
    told = busy(Imagined())
    event = next(event for event in told.devices[1].events if event.name == "message.updated")
    event.data = {**event.data, "edited_at": "at another time"}
    assert "disagree" in kinds(told)


def test_a_text_that_nobody_made_is_invented() -> None:
    told = busy(Imagined())
    event = next(event for event in told.devices[1].events if event.name == "message.updated")
    event.data = {**event.data, "text": "tampered"}
    assert "invented" in kinds(told)


def test_a_message_that_is_deleted_though_nobody_did_it_is_invented() -> None:
    told = busy(Imagined())
    told.changes = [change for change in told.changes if change.what != "delete"]
    assert "invented" in kinds(told)


@pytest.mark.parametrize(
    ("what", "wrong"),
    [("newest_seq", 3), ("name", "first"), ("role", "admin"), ("member_count", 7)],
)
def test_a_group_that_rest_shows_otherwise_than_the_events_is_stale(what: str, wrong: object) -> None:
    told = busy(Imagined())
    fetched = next(got for got in told.fetched if got.user == "bob")
    assert fetched.group is not None
    fetched.group[what] = wrong
    assert kinds(told) == {"stale"}


def test_a_message_that_rest_shows_in_another_version_than_the_events_is_stale() -> None:
    told = busy(Imagined())
    told.devices = copy.deepcopy(told.devices)
    fetched = next(got for got in told.fetched if got.user == "bob")
    at = next(at for at, message in enumerate(fetched.messages) if message["seq"] == 3)
    old = next(event.data for event in told.devices[0].events if event.name == "message" and event.data["seq"] == 3)
    fetched.messages[at] = old
    assert kinds(told) == {"stale"}


@pytest.mark.parametrize("who", ["ann", "bob"])
def test_one_who_left_and_is_still_in_the_list_or_one_who_is_there_and_is_not_is_stale(who: str) -> None:
    told = busy(Imagined())
    fetched = next(got for got in told.fetched if got.user == who)
    fetched.listed = not fetched.listed
    assert kinds(told) == {"stale"}


def test_an_acknowledged_change_that_a_replay_lacks_is_found() -> None:
    server = Imagined()
    server.send("ann")
    server.rename()
    told = server.end()
    device = told.devices[-2]
    assert device.user == "bob"
    last = device.events.pop(-2)
    device.events.append(Event(last.at + 3, last.name, last.id, last.data))
    told.ended += 4
    assert "replay" in kinds(told)


def test_a_refusal_of_one_who_was_a_member_all_the_time_is_not_right() -> None:
    server = Imagined()
    server.send("ann")
    server.send("bob")
    change = server._asked("rename", "ann", text="mine")
    change.attempts.append(Attempt(server.now + 0.1, server.now + 0.2, "403", {"code": "not_a_member"}))
    change.refused = "not_a_member"
    server.now += 1
    server.send("bob")
    assert kinds(server.end()) == {"refused"}


def test_a_refusal_of_one_who_had_left_is_right() -> None:
    server = Imagined()
    server.remove("ann", by="ann")
    server.send("bob")
    change = server._asked("edit", "ann", text="mine", seq=1)
    change.attempts.append(Attempt(server.now + 0.1, server.now + 0.2, "403", {"code": "not_a_member"}))
    change.refused = "not_a_member"
    server.now += 1
    server.send("bob")
    assert kinds(server.end()) == set()


@pytest.mark.parametrize("what", ["add", "remove"])
def test_a_membership_that_was_acknowledged_and_is_not_in_the_log_is_lost(what: str) -> None:
    server = Imagined()
    server.send("ann")
    server.send("ann")
    change = Change(GROUP, KEEPER, "c", "", server.now, what=what, users=("eve" if what == "add" else "bob",))
    change.attempts.append(Attempt(server.now + 0.1, server.now + 0.2, "204", {}))
    server.history.changes.append(change)
    server.now += 1
    server.send("ann")
    assert kinds(server.end()) == {"lost"}


def test_the_last_edit_and_the_reactions_that_were_acknowledged_stand_at_the_end() -> None:
    server = Imagined()
    seq = server.send("ann")
    server.edit(seq)
    told = server.end()
    change = Change(GROUP, "bob", "c", "❤️", 1.5, [Attempt(1.5, 1.6, "200", told.fetched[0].messages[0])], None, "react")
    change.seq = seq
    told.changes.append(change)
    assert "stale" in kinds(told)


def test_every_mutation_fits_the_server_as_it_is() -> None:
    # In a process of its own, which all of them break.
    program = "from chaos.mutant import MUTATIONS\nfor break_it in MUTATIONS.values(): break_it()"
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent, check=True, timeout=60)
