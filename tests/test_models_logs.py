"""A model test of the conversation logs and inboxes on a real Redis: any interleaving, any crash of a worker."""

import asyncio
from collections.abc import Iterator, Sequence

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models import profile
from parts import Worker, draft
from polling import until
from ssechat.ids import ConversationId, UserId, entry_number
from ssechat.logs.conversations import Entry
from ssechat.redis import keys
from two_workers import TwoWorkers, two_workers

PEOPLE = 3
some_number = st.integers(0, 2**16)


@pytest.fixture
def server() -> Iterator[TwoWorkers]:
    with two_workers() as server:
        yield server


async def deliver(worker: Worker, entry: Entry, members: Sequence[UserId]) -> None:
    """Runs the second of the two steps of a delivery."""
    await worker.delivery._complete(
        entry.conversation, entry.id, await worker.deliver({member: [entry] for member in members})
    )


class TwoLogs(RuleBasedStateMachine):
    """Appends, deliveries and retries in any order, with crashes of workers in between.

    The model is what the conversations' logs hold. An inbox must at any time show, of each conversation, the
    log's beginning: all of it up to some entry, in order, once, with an n that skips nothing.
    """

    def __init__(self, server: TwoWorkers) -> None:
        super().__init__()
        self.server = server
        server.examples += 1
        self.people = [UserId(f"u{server.examples}.{number}") for number in range(PEOPLE)]
        pairs = [(one, other) for at, one in enumerate(self.people) for other in self.people[at:]]
        self.members = {ConversationId(f"dm:{one}:{other}"): tuple(dict.fromkeys((one, other))) for one, other in pairs}
        self.conversations = list(self.members)
        self.log: dict[ConversationId, list[Entry]] = {conversation: [] for conversation in self.conversations}
        self.sent: list[tuple[ConversationId, UserId, str]] = []
        self.inboxes: dict[UserId, list[tuple[int, ConversationId, int]]] = {user: [] for user in self.people}
        self.newest: dict[UserId, str] = dict.fromkeys(self.people, "0-0")

    def worker(self, pick: int) -> Worker:
        return self.server.workers[pick % 2]

    def settle_marks(self, worker: Worker, kept: bool) -> None:
        """A worker that dies loses the marks that it has not written yet."""
        marks, worker.conversations._marks = worker.conversations._marks, {}

        async def make() -> None:
            for conversation, pos in marks.items():
                await worker.conversations._mark.submit((keys.of_conversation(conversation).conversation,), (pos,))

        if kept:
            self.server.run(make())

    def append_one(self, pick: int, which: int) -> tuple[Worker, Entry]:
        worker, conversation = self.worker(pick), self.conversations[which % len(self.conversations)]
        sender = self.members[conversation][pick % len(self.members[conversation])]
        text = f"m{len(self.sent)}"
        sent = self.server.run(worker.append(draft(text, sender, conversation=conversation)))
        assert sent.entry is not None
        self.log[conversation].append(sent.entry)
        self.sent.append((conversation, sender, text))
        return worker, sent.entry

    def an_entry(self, pick: int) -> Entry:
        entries = [entry for log in self.log.values() for entry in log]
        return entries[pick % len(entries)]

    @rule(pick=some_number, which=some_number)
    def a_worker_dies_between_append_and_deliver(self, pick: int, which: int) -> None:
        self.append_one(pick, which)

    @rule(pick=some_number, which=some_number, marked=st.booleans())
    def a_send_is_completed(self, pick: int, which: int, marked: bool) -> None:
        worker, entry = self.append_one(pick, which)
        self.server.run(deliver(worker, entry, self.members[entry.conversation]))
        self.settle_marks(worker, marked)
        for member in self.members[entry.conversation]:
            self.look(member)
            has = [seq for _, of, seq in self.inboxes[member] if of == entry.conversation]
            assert has == list(range(1, int(entry.value) + 1)), "acknowledged, and not delivered"

    @rule(pick=some_number, which=some_number)
    def two_workers_race(self, pick: int, which: int) -> None:
        (one, first), (other, second) = self.append_one(pick, which), self.append_one(pick + 1, which)

        async def race() -> None:
            members = self.members[first.conversation]
            await asyncio.gather(deliver(other, second, members), deliver(one, first, members))

        self.server.run(race())
        self.settle_marks(one, False)
        self.settle_marks(other, True)

    @precondition(lambda self: self.sent)
    @rule(pick=some_number, which=some_number)
    def any_entry_is_delivered_to_any_member(self, pick: int, which: int) -> None:
        entry = self.an_entry(which)
        members = self.members[entry.conversation]
        self.server.run(self.worker(pick).deliver({members[pick % len(members)]: [entry]}))

    @precondition(lambda self: self.sent)
    @rule(pick=some_number, which=some_number, marked=st.booleans())
    def a_client_repeats_a_send(self, pick: int, which: int, marked: bool) -> None:
        worker = self.worker(pick)
        conversation, sender, text = self.sent[which % len(self.sent)]
        again = self.server.run(worker.append(draft(text, sender, conversation=conversation)))
        assert again.entry is None, "a repeat made another message"
        if again.undelivered:
            self.server.run(worker.delivery.finish(conversation, self.members[conversation]))
        self.settle_marks(worker, marked)

    @rule(which=some_number, left=st.integers(0, 4))
    def an_inbox_is_trimmed(self, which: int, left: int) -> None:
        user = self.people[which % PEOPLE]
        self.server.run(self.worker(0).redis.call("XTRIM", keys.of_user(user).inbox, "MAXLEN", left))

    def look(self, user: UserId) -> None:
        new = self.server.run(
            self.worker(0).redis.call("XRANGE", keys.of_user(user).inbox, f"({self.newest[user]}", "+")
        )
        for entry, fields in new:
            self.newest[user] = entry.decode()
            assert fields[3] == b"message", f"an unexplained {fields[3]!r}"
            event = (entry_number(self.newest[user]) or 0, ConversationId(fields[1].decode()), int(fields[5]))
            self.inboxes[user].append(event)

    @invariant()
    def each_inbox_has_the_beginning_of_each_log(self) -> None:
        for user, events in self.inboxes.items():
            known = len(events)
            self.look(user)
            if len(events) == known:
                continue
            assert [n for n, _, _ in events] == list(range(1, len(events) + 1))
            for conversation in self.conversations:
                seqs = [seq for _, of, seq in events if of == conversation]
                assert seqs == list(range(1, len(seqs) + 1))
                assert user in self.members[conversation] or not seqs
                assert len(seqs) <= len(self.log[conversation])

    def teardown(self) -> None:
        for conversation, members in self.members.items():
            self.server.run(self.worker(1).delivery.finish(conversation, members))
        self.settle_marks(self.worker(1), False)
        self.each_inbox_has_the_beginning_of_each_log()
        for user, events in self.inboxes.items():
            owed = sum(len(log) for conversation, log in self.log.items() if user in self.members[conversation])
            assert len(events) == owed, "not all have all, though everything was finished"


def test_whatever_dies_races_or_is_repeated_every_inbox_is_the_conversations_logs(server: TwoWorkers) -> None:
    class OfTheServer(TwoLogs):
        def __init__(self) -> None:
            super().__init__(server)

    run_state_machine_as_test(OfTheServer, settings=profile(40, 30))


def test_the_first_event_of_all_that_comes_while_a_page_is_read_is_not_skipped(
    server: TwoWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, bob = server.workers[0], UserId("bob")
    real = worker.inbox.head

    async def head(name: str) -> str:
        monkeypatch.undo()
        await worker.say("first")
        return await real(name)

    async def reading() -> list[str]:
        monkeypatch.setattr(worker.inbox, "head", head)
        stream, sink = worker.open_stream(bob, "0-0")
        await until(lambda: stream.live)
        await worker.say("second")
        await until(lambda: sink.ids() and not stream.busy)
        await asyncio.sleep(0.05)
        return sink.texts()

    assert server.run(reading()) == ["first", "second"]
