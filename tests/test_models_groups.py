"""A model test of a group's log and its members' inboxes on a real Redis: people come and go, workers die anywhere."""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models import profile
from parts import Worker
from ssechat.events.kinds import CONVERSATION, MEMBER, MESSAGE_DELETED, MESSAGE_UPDATED
from ssechat.ids import ConversationId, UserId, entry_number, group_id
from ssechat.logs.actions import Action, changed_message, fact, new_message
from ssechat.logs.delivery import AT_ONCE
from ssechat.logs.inbox import Run
from ssechat.logs.members import Leaver, Roster, Span
from ssechat.logs.membership import Join, Leave, NewRole, Precondition, SetField
from ssechat.logs.refused import NotAppended
from ssechat.redis import keys
from two_workers import TwoWorkers, two_workers

PEOPLE = 5
some_number = st.integers(0, 2**16)
some_people = st.sets(st.integers(0, PEOPLE - 1), min_size=1, max_size=3)
lifetimes = st.none() | st.integers(0, PEOPLE + 1)
"""Deliveries that a worker lives to make; None: it does not die."""


class Died(Exception):
    """A worker has died."""


class Logged(NamedTuple):
    """An entry of the group's log."""

    kind: str
    sort: str
    value: bytes


class Due(NamedTuple):
    """An event that somebody must get."""

    at: int
    """The index of its entry in the log."""
    kind: str
    value: bytes


@contextmanager
def dying(worker: Worker, lifetime: int | None) -> Iterator[None]:
    """Raises `Died` out of the worker after so many deliveries to an inbox, of the second of the two steps."""
    if lifetime is None:
        yield
        return
    left, deliver, forget = lifetime, worker.inbox.deliver, worker.members.forget_leavers

    async def deliver_some(runs: Iterable[tuple[Run, Sequence[UserId]]]) -> dict[UserId, str]:
        nonlocal left
        has: dict[UserId, str] = {}
        for run, users in runs:
            has |= await deliver([(run, users[:left])]) if users[:left] else {}
            left -= len(users)
            if left < 0:
                raise Died
        return has

    async def forget_none(conversation: ConversationId, leavers: Mapping[UserId, Leaver]) -> None:
        if left == 0:
            raise Died
        await forget(conversation, leavers)

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(worker.inbox, "deliver", deliver_some)
        patches.setattr(worker.members, "forget_leavers", forget_none)
        yield


class OneGroup(RuleBasedStateMachine):
    """Anything that can be done in a group, by two workers, which die between any two deliveries.

    The model is the group's log alone: who was in the group at each of its entries, follows from the entries before.
    An inbox must at any time show the beginning of what its user's times in the group have: of each entry in them one
    event, with an n that skips nothing, but no change of a message that its user may not read.
    """

    def __init__(self, server: TwoWorkers) -> None:
        super().__init__()
        self.server = server
        server.examples += 1
        self.group = group_id(hashlib.blake2b(b"%d" % server.examples, digest_size=16).digest())
        self.people = [UserId(f"u{server.examples}.{number}") for number in range(PEOPLE)]
        self.log: list[Logged] = []
        self.newest_of_log = "0-0"
        self.sent: list[Action] = []
        self.inboxes: dict[UserId, list[tuple[str, bytes]]] = {user: [] for user in self.people}
        self.newest: dict[UserId, str] = dict.fromkeys(self.people, "0-0")
        self.from_join = False

    # What is done.

    @initialize(members=some_people, from_join=st.booleans(), pick=some_number, lifetime=lifetimes)
    def make(self, members: set[int], from_join: bool, pick: int, lifetime: int | None) -> None:
        self.from_join = from_join
        joins = [Join(self.people[at], "member" if at else "owner") for at in sorted(members | {0})]
        fields = (SetField("name", "g"), SetField("history", "from_join" if from_join else "all"))
        self.act(pick, self.told(joins, Precondition(new=True, changes=(*fields, *joins))), lifetime)

    @precondition(lambda self: self.log)
    @rule(pick=some_number, by=some_number, lifetime=lifetimes, marked=st.booleans())
    def somebody_sends(self, pick: int, by: int, lifetime: int | None, marked: bool) -> None:
        action = self.message(self.present(by))
        self.sent.append(action)
        self.act(pick, action, lifetime, marked)

    @precondition(lambda self: self.sent)
    @rule(pick=some_number, which=some_number, lifetime=lifetimes)
    def somebody_repeats_a_send(self, pick: int, which: int, lifetime: int | None) -> None:
        entries = len(self.log)
        if self.act(pick, self.sent[which % len(self.sent)], lifetime):
            self.everybody_has_everything()
        assert len(self.log) == entries, "a repeat made another message"

    @precondition(lambda self: self.log and self.absent())
    @rule(pick=some_number, by=some_number, who=some_people, lifetime=lifetimes, marked=st.booleans())
    def some_join(self, pick: int, by: int, who: set[int], lifetime: int | None, marked: bool) -> None:
        absent = self.absent()
        users = dict.fromkeys(absent[at % len(absent)] for at in sorted(who))
        self.act(pick, self.join([*users], self.present(by)), lifetime, marked)

    @precondition(lambda self: len(self.members()) > 1)
    @rule(pick=some_number, who=some_number, by=some_number, lifetime=lifetimes, marked=st.booleans())
    def somebody_leaves_or_is_removed(self, pick: int, who: int, by: int, lifetime: int | None, marked: bool) -> None:
        self.act(pick, self.leave(self.present(who), self.present(by)), lifetime, marked)

    @precondition(lambda self: self.log)
    @rule(pick=some_number, who=some_number, lifetime=lifetimes)
    def somebody_gets_a_role_or_the_group_a_name(self, pick: int, who: int, lifetime: int | None) -> None:
        user = self.present(who)
        if who % 2:
            change = NewRole(user, "admin")
            self.act(pick, self.told([change], Precondition((user,), changes=(change,))), lifetime)
        else:
            data = {"conversation_id": self.group, "name": "n", "history": "from_join" if self.from_join else "all"}
            precondition = Precondition((user,), changes=(SetField("name", "n"),))
            self.act(pick, fact(CONVERSATION, self.group, data, precondition=precondition), lifetime)

    @precondition(lambda self: self.messages())
    @rule(pick=some_number, which=some_number, by=some_number, lifetime=lifetimes, marked=st.booleans())
    def a_message_is_changed(self, pick: int, which: int, by: int, lifetime: int | None, marked: bool) -> None:
        self.act(pick, self.change(which, self.present(by)), lifetime, marked)

    @precondition(lambda self: len(self.members()) > 1)
    @rule(pick=some_number, one=some_number, other=some_number, how=st.sampled_from(["send", "leave", "join", "edit"]))
    def two_workers_race(self, pick: int, one: int, other: int, how: str) -> None:
        sender, user, absent = self.present(one), self.present(other), self.absent()
        actions = [self.message(sender)]
        if how == "leave":
            actions.append(self.leave(user, sender))
        elif how == "join" and absent:
            actions.append(self.join([absent[other % len(absent)]], sender))
        elif how == "edit" and self.messages():
            actions.append(self.change(other, user))
        else:
            actions.append(self.message(user))

        async def race() -> None:
            await asyncio.gather(*(self.send(pick + at, action) for at, action in enumerate(actions)))

        before = len(self.log)
        self.server.run(race())
        self.settle_marks(self.worker(pick), True)
        self.settle_marks(self.worker(pick + 1), False)
        self.read_log()
        assert len(self.log) > before, "both were refused"
        self.those_concerned_have_all(range(before, len(self.log)))

    @precondition(lambda self: self.log)
    @rule(pick=some_number, lifetime=lifetimes, marked=st.booleans())
    def what_is_left_is_delivered(self, pick: int, lifetime: int | None, marked: bool) -> None:
        worker = self.worker(pick)
        try:
            with dying(worker, lifetime):
                self.server.run(worker.delivery.finish(self.group, None))
        except Died:
            self.settle_marks(worker, False)
            return
        self.settle_marks(worker, marked)
        self.everybody_has_everything()

    @rule(which=some_number, left=st.integers(0, 4))
    def an_inbox_is_trimmed(self, which: int, left: int) -> None:
        user = self.people[which % PEOPLE]
        self.look(user)
        self.server.run(self.worker(0).redis.call("XTRIM", keys.of_user(user).inbox, "MAXLEN", left))

    # How it is done.

    def worker(self, pick: int) -> Worker:
        return self.server.workers[pick % 2]

    def act(self, pick: int, action: Action, lifetime: int | None, marked: bool = True) -> bool:
        """Does it; whether it was acknowledged."""
        worker, before = self.worker(pick), len(self.log)
        try:
            with dying(worker, lifetime):
                self.server.run(worker.delivery.send(action, None))
        except Died:
            self.settle_marks(worker, False)
            self.read_log()
            return False
        self.settle_marks(worker, marked)
        self.read_log()
        self.those_concerned_have_all(range(before, len(self.log)))
        return True

    async def send(self, pick: int, action: Action) -> None:
        try:
            await self.worker(pick).delivery.send(action, None)
        except NotAppended:
            return  # the other one has changed what this one was decided from

    def settle_marks(self, worker: Worker, kept: bool) -> None:
        """A worker that dies loses the marks that it has not written yet."""
        marks, worker.conversations._marks = worker.conversations._marks, {}

        async def make() -> None:
            for conversation, pos in marks.items():
                await worker.conversations._mark.submit((keys.of_conversation(conversation).conversation,), (pos,))

        if kept:
            self.server.run(make())

    def message(self, sender: UserId) -> Action:
        number = f"{len(self.sent)}.{len(self.log)}.{sender}"
        return new_message(self.group, sender, number, f"text {number}", precondition=Precondition(present=(sender,)))

    def told(self, changes: Sequence[Join | Leave | NewRole], precondition: Precondition) -> Action:
        """The fact that tells of changes of the members."""
        users = [
            {"user": change.user, "role": "member" if isinstance(change, Leave) else change.role} for change in changes
        ]
        members = {*self.members()} if self.log else set()
        members |= {change.user for change in changes if isinstance(change, Join)}
        members -= {change.user for change in changes if isinstance(change, Leave)}
        data: dict[str, Any] = {"conversation_id": self.group, "users": users, "by": users[0]["user"]}
        data["member_count"] = len(members)
        if any(isinstance(change, Leave) for change in changes):
            data["left"] = True
        return fact(MEMBER, self.group, data, precondition=precondition)

    def join(self, users: Sequence[UserId], by: UserId) -> Action:
        joins = [Join(user) for user in users]
        return self.told(joins, Precondition((by,), changes=joins))

    def leave(self, user: UserId, by: UserId) -> Action:
        leave = Leave(user, user != by, "g")
        return self.told([leave], Precondition((by, user), changes=(leave,)))

    def change(self, which: int, by: UserId) -> Action:
        seqs = self.messages()
        seq = seqs[which % len(seqs)]
        key = keys.of_conversation(self.group).messages
        made_from = self.server.run(self.worker(0).redis.call("HGET", key, seq))
        message = json.loads(made_from)
        if which % 3:
            return changed_message(
                MESSAGE_UPDATED,
                made_from,
                message | {"text": f"edit {len(self.log)}"},
                precondition=Precondition((by,)),
            )
        left = {name: value for name, value in message.items() if name != "text"}
        return changed_message(MESSAGE_DELETED, made_from, left | {"deleted": True}, precondition=Precondition((by,)))

    # What must be so.

    def read_log(self) -> None:
        key = keys.of_conversation(self.group).log
        for entry, fields in self.server.run(self.worker(0).redis.call("XRANGE", key, f"({self.newest_of_log}", "+")):
            self.newest_of_log = entry.decode()
            self.log.append(Logged(fields[1].decode(), fields[4].decode(), fields[5]))

    def due(self, user: UserId) -> list[Due]:
        """What somebody must get of the log."""
        inside, since, seq, found = False, 0, 0, []
        for at, (kind, sort, value) in enumerate(self.log):
            told = json.loads(value) if kind == MEMBER.name else {"users": ()}
            about = any(one["user"] == user for one in told["users"])
            if about and not inside and "left" not in told:
                inside, since = True, seq if self.from_join else 0
            if inside and not (sort == "change" and int(value) <= since):
                found.append(Due(at, kind, value))
            inside = inside and not (about and "left" in told)
            seq += sort == "message"
        return found

    def members(self) -> list[UserId]:
        """Those who are in the group now."""
        present: dict[UserId, None] = {}
        for kind, _, value in self.log:
            if kind == MEMBER.name:
                told = json.loads(value)
                for one in told["users"]:
                    present.pop(one["user"], None) if "left" in told else present.setdefault(one["user"])
        return [*present]

    def present(self, pick: int) -> UserId:
        members = self.members()
        return members[pick % len(members)]

    def absent(self) -> list[UserId]:
        members = self.members()
        return [user for user in self.people if user not in members]

    def messages(self) -> list[int]:
        """The seqs of messages that are not deleted."""
        deleted = {value for kind, _, value in self.log if kind == MESSAGE_DELETED.name}
        return [int(value) for _, sort, value in self.log if sort == "message" and value not in deleted]

    def look(self, user: UserId) -> list[tuple[str, bytes]]:
        """What somebody has got up to now."""
        inbox = self.inboxes[user]
        call = self.worker(0).redis.call("XRANGE", keys.of_user(user).inbox, f"({self.newest[user]}", "+")
        for entry, (_, of, _, kind, _, value) in self.server.run(call):
            self.newest[user] = entry.decode()
            assert of.decode() == self.group
            inbox.append((kind.decode(), value))
            assert entry_number(self.newest[user]) == len(inbox)
        return inbox

    def those_concerned_have_all(self, entries: range) -> None:
        """All whom these entries concern have them, and what came before."""
        for user in self.people:
            due = self.due(user)
            last = max((one.at for one in due if one.at in entries), default=-1)
            owed = [(kind, value) for at, kind, value in due if at <= last]
            assert self.look(user)[: len(owed)] == owed, "acknowledged, and not delivered"

    def everybody_has_everything(self) -> None:
        for user in self.people:
            assert self.look(user) == [(kind, value) for _, kind, value in self.due(user)], (
                "finished, and not all is there"
            )

    @invariant()
    def each_inbox_has_the_beginning_of_its_users_times(self) -> None:
        for user in self.people:
            inbox = self.look(user)
            assert inbox == [(kind, value) for _, kind, value in self.due(user)][: len(inbox)]

    def teardown(self) -> None:
        if self.log:
            self.server.run(self.worker(1).delivery.finish(self.group, None))
            self.settle_marks(self.worker(1), False)
            self.everybody_has_everything()


def of_server(server: TwoWorkers) -> type[OneGroup]:
    """The machine on this server."""

    class OfTheServer(OneGroup):
        def __init__(self) -> None:
            super().__init__(server)

    return OfTheServer


FORMS = {"one script": (AT_ONCE, AT_ONCE), "two steps": (0, 0), "both": (AT_ONCE, 0), "by the number": (2, 0)}


@pytest.mark.parametrize("form", FORMS)
def test_whoever_comes_goes_or_dies_each_inbox_has_its_users_times_in_the_group(form: str) -> None:
    with two_workers(FORMS[form]) as server:
        run_state_machine_as_test(of_server(server), settings=profile(40, 30))


def without_leavers(self: Roster) -> dict[UserId, Span]:
    return {user: span for user, span in SPANS(self).items() if user not in self.leavers}


def leavers_stay(self: Roster) -> dict[UserId, Span]:
    return {user: span._replace(last="") for user, span in SPANS(self).items()}


def from_the_beginning(self: Roster) -> dict[UserId, Span]:
    return {user: span._replace(first="", before="0-0") for user, span in SPANS(self).items()}


def every_change(self: Roster) -> dict[UserId, Span]:
    return {user: span._replace(from_seq=0) for user, span in SPANS(self).items()}


def as_if_never_there(self: Roster) -> dict[UserId, Span]:
    return {user: span._replace(before="0-0") for user, span in SPANS(self).items()}


SPANS = Roster.spans
MUTANTS = {
    "skips the leaver": without_leavers,
    "delivers to leavers what came after they left": leavers_stay,
    "starts at the beginning for a joiner": from_the_beginning,
    "tells changes of what may not be read": every_change,
    "forgets that a joiner was there before": as_if_never_there,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_model_finds_a_delivery_that_is_broken_on_purpose(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Roster, "spans", MUTANTS[name])
    quick = settings(profile(300, 30), report_multiple_bugs=False, phases=(Phase.generate,))
    with two_workers(FORMS["both"]) as server, pytest.raises(AssertionError):
        run_state_machine_as_test(of_server(server), settings=quick)
